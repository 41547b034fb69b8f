"""A docker daemon of a test's own: Debian's, with its own data, socket and network namespace, so that the machine's
iptables, and a docker that is in use there, stay as they are.

docker.io is not installed but unpacked into the cache, once: its installation would start a daemon. Run as a script,
this does no more. start() has to be called in a world (lib/world.py): all that the daemon starts ends with it.
"""
import ctypes
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile

import peers
import world

PACKAGE = "docker.io"
NEEDED = {"runc": "runc", "containerd": "containerd", "iptables": "iptables", "jq": "jq"}  # program: package
SOCKET = "/run/docker.sock"  # a world has its own /run
RUNTIME = os.path.join(os.path.dirname(peers.FOLDER),
                       "e2e/kind/node_image/node/usr/local/sbin/runc-without-sys-resource")
CLONE_NEWNET = 0x40000000  # of <sched.h>; os.unshare came with Python 3.12
SECONDS = 60


class CannotRun(Exception):
    """Why there is no docker here, with the remedy, for people."""


def fetch():
    """The folder with Debian's docker.io, fetched unless it is in the cache. Errors: CannotRun."""
    os.makedirs(peers.CACHE, exist_ok=True)
    with open(f"{peers.CACHE}/docker.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = sorted(name for name in os.listdir(peers.CACHE) if re.fullmatch(rf"{PACKAGE}_[^/]+", name))
        if not known:
            known = [_fetch()]
    return f"{peers.CACHE}/{known[-1]}"


def start(folder):
    """Start the daemon, with its data in a new folder, and the network namespace that the caller is in from now on.
    Returns the variables by which programs find it. Errors: CannotRun."""
    for program, package in NEEDED.items():
        if not shutil.which(program):
            raise CannotRun(f"needs {program}: apt-get install {package}")
    debian = fetch()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.mkdir(folder)
    for name in ("configuration.json", "config.json"):  # not the machine's, nor the user's
        with open(f"{folder}/{name}", "w") as file:
            file.write("{}")
    found = {"PATH": f"{debian}/usr/bin:{debian}/usr/sbin:{os.environ['PATH']}", "DOCKER_HOST": f"unix://{SOCKET}",
             "DOCKER_CONFIG": folder}
    with open(f"{folder}/log", "w") as log:
        subprocess.Popen(
            ["dockerd", "--config-file", f"{folder}/configuration.json", "--data-root", f"{folder}/data",
             "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid", "--host", f"unix://{SOCKET}",
             "--storage-driver", "overlay2", "--cgroup-parent", f"/{world.name()}", "--add-runtime", f"node={RUNTIME}",
             "--default-runtime", "node", "--log-level", "warn"],
            env={**os.environ, **found}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    world.wait_until(lambda: run(found, "info"), SECONDS, lambda: f"dockerd does not answer: {_last(f'{folder}/log')}")
    return found


def run(found, *words, stdin=None):
    """Run docker with the variables of start(); its output, or None when it fails."""
    done = subprocess.run(["docker", *words], env={**os.environ, **found}, stdin=stdin or subprocess.DEVNULL,
                          capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def _fetch():
    """Fetch the package into the cache; its folder's name there."""
    with tempfile.TemporaryDirectory(prefix="docker.", dir=peers.CACHE) as work:
        os.chmod(work, 0o755)
        _output("apt-get", "--quiet", "update", cwd=work)
        _output("apt-get", "download", PACKAGE, cwd=work)
        package, = os.listdir(work)
        name = package.removesuffix(".deb")
        _output("dpkg-deb", "--extract", f"{work}/{package}", f"{work}/files", cwd=work)
        os.rename(f"{work}/files", f"{peers.CACHE}/{name}")
    return name


def _output(*command, cwd):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=cwd)
    if done.returncode != 0:
        raise CannotRun(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")
    return done.stdout


def _last(path):
    with open(path) as file:
        return file.read()[-1000:]


if __name__ == "__main__":
    try:
        print(f"docker: {fetch()}")
    except CannotRun as reason:
        sys.exit(f"docker: {reason}")
