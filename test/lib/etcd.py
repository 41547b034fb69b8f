"""etcd as a process, for what keeps its state there. Run as a script, this does no more than to fetch it."""
import subprocess

import reach
import unpacked
import world

PORT = 2379
PATIENCE = 60  # seconds until it listens


def path():
    """Where the program lies. Errors as unpacked.program()."""
    return unpacked.program("etcd", "etcd-server")


class Etcd:
    """One etcd with its data in a folder, for a with block. netns: path of its network namespace. address: where it
    listens there. program: another etcd than Debian's. It ends with the thread that started it."""

    def __init__(self, folder, netns, address="127.0.0.1", program=None):
        self.folder = folder
        self.program = program
        self.netns = netns
        self.address = address
        self.endpoint = f"http://{address}:{PORT}"
        self._process = None

    def __enter__(self):
        peer = "http://127.0.0.1:2380"
        with open(f"{self.folder}/etcd.log", "w") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self.netns}", self.program or path(),
                 "--name", "one", "--data-dir", f"{self.folder}/etcd", "--listen-client-urls", self.endpoint,
                 "--advertise-client-urls", self.endpoint, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        world.wait_until(self._is_there, PATIENCE, f"etcd does not listen: {self.folder}/etcd.log")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    @property
    def pid(self):
        """The id of its process."""
        return self._process.pid

    def _is_there(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"etcd ended with {self._process.returncode}: {self.folder}/etcd.log")
        return reach.reaches(self.netns, self.address, PORT)


if __name__ == "__main__":
    unpacked.main(path)
