"""Network namespaces of pods: bound to a path, as a runtime does, with a process inside that lives."""
import os
import subprocess
import uuid

import nsmount
from race import wait_until

FOLDER = "/run/netns"


class Namespace:
    """A network namespace at `path` with a live process in it, for a with block."""

    def __init__(self, name):
        self.path = os.path.join(FOLDER, name)
        self._process = None

    @classmethod
    def of_runtime(cls):
        """Named as runtimes name them. The kernel gives a dead one's number to a new one; then the names tell."""
        return cls(f"cni-{uuid.uuid4()}")

    def __enter__(self):
        os.makedirs(FOLDER, exist_ok=True)
        nsmount.make(self.path)
        # cat ends when its stdin does, at the latest with this process.
        self._process = subprocess.Popen(["nsenter", f"--net={self.path}", "cat"], stdin=subprocess.PIPE)
        wait_until(lambda: nsmount.is_entered(self._process.pid, self.path), f"no process enters {self.path}")
        return self

    def __exit__(self, *_):
        self.stop()
        self.remove_path()

    def stop(self):
        """End the process; the namespace stays as long as its path."""
        if self._process:
            self._process.stdin.close()
            self._process.wait()
        self._process = None

    def remove_path(self):
        """Take the path away; the namespace stays as long as its process."""
        if os.path.exists(self.path):
            nsmount.remove(self.path)
