"""A machine of its own with Debian's kernel, emulated: for what the host's kernel cannot do, and for what ends a kernel.

Its root file system is made for one run, in memory: busybox, Python, the programs that are asked for with their
libraries, and the repository's test folder and binary at the paths that they have here. Nothing of the host is written.
The kernel is Debian's cloud kernel of this release, fetched once into the cache; run as a script, this does no more.
"""
import fcntl
import os
import re
import subprocess
import sys
import sysconfig
import tempfile

import peers
import plugin

PACKAGE = "linux-image-cloud-amd64"
EMULATOR = "qemu-system-x86_64"
BUSYBOX = "/bin/busybox"
END = "guest ended with "
SECONDS = 300
TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STDLIB = sysconfig.get_path("stdlib")
NOT_NEEDED = ("test", "idlelib", "lib2to3", "ensurepip", "__pycache__", "dist-packages", "pydoc_data", "tkinter",
              "config-*", "distutils")

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev; mount -t tmpfs tmpfs /run
for module in {modules}; do insmod /modules/$module.ko || echo "cannot load $module"; done
ip link set lo up
echo # ends what the firmware has left on the line
{command} </dev/null
echo "{end}$?"
poweroff -f
"""


class CannotRun(Exception):
    """Why there is no guest here, with the remedy, for people."""


def run(command, programs=(), modules=()):
    """Run a shell command in a new guest and pass on what it prints; returns its exit status.

    programs: paths of what it runs beside Python, which get their libraries. modules: of the kernel, in the order in
    which they are loaded, by their paths below kernel/. Errors: CannotRun.
    """
    boot, kernel_modules = _kernel()
    with tempfile.TemporaryDirectory(prefix="guest.") as work:
        root = f"{work}/root"
        _fill(root, [*programs, sys.executable, BUSYBOX, plugin.BINARY])
        for module in modules:
            _copy(f"{kernel_modules}/{module}.ko", f"{root}/modules/{os.path.basename(module)}.ko")
        _write(f"{root}/init", INIT.format(modules=" ".join(map(os.path.basename, modules)), command=command, end=END))
        _pack(root, f"{work}/initrd")
        return _boot(boot, f"{work}/initrd")


def _kernel():
    """The path of the kernel and the folder of its modules."""
    for program, package in ((EMULATOR, "qemu-system-x86"), ("cpio", "cpio"), (BUSYBOX, "busybox-static")):
        if subprocess.run(["which", program], capture_output=True).returncode != 0:
            raise CannotRun(f"needs {program}: apt-get install {package}")
    os.makedirs(peers.CACHE, exist_ok=True)
    with open(f"{peers.CACHE}/kernel.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = _package()
        folder = f"{peers.CACHE}/{name}"
        if not os.path.isdir(folder):
            _fetch(name, folder)
    version = name.removeprefix("linux-image-")
    return f"{folder}/boot/vmlinuz-{version}", f"{folder}/lib/modules/{version}/kernel"


def _package():
    """The package of the kernel that the metapackage of this release depends on: the one in the cache, if there is one,
    so that nothing needs the network twice."""
    for name in sorted(os.listdir(peers.CACHE)):
        if re.fullmatch(r"linux-image-[\w.-]+-cloud-amd64", name):
            return name
    _output("apt-get", "--quiet", "update")  # the lists may be missing, or name what is replaced by now
    found = re.search(r"Depends: (linux-image-\S+)", _output("apt-cache", "depends", PACKAGE))
    if not found:
        raise CannotRun(f"the package lists have no {PACKAGE}")
    return found[1]


def _fetch(name, folder):
    with tempfile.TemporaryDirectory(prefix="kernel.", dir=peers.CACHE) as work:
        os.chmod(work, 0o755)
        _output("apt-get", "download", name, cwd=work)
        archive, = [f"{work}/{file}" for file in os.listdir(work)]
        _output("dpkg-deb", "--extract", archive, f"{work}/files")
        os.rename(f"{work}/files", folder)


def _output(*command, cwd=None):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=cwd)
    if done.returncode != 0:
        raise CannotRun(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")
    return done.stdout


def _fill(root, programs):
    """The root file system but for /init."""
    for folder in ("proc", "sys", "dev", "run", "tmp", "bin", "etc", "var/lib"):
        os.makedirs(f"{root}/{folder}")
    for program in programs:
        _copy(program, f"{root}{program}")
    for file in (*programs, *_extensions()):
        for library in re.findall(r"(/\S+) \(0x", _libraries(file)):
            _copy(library, root + library)
    _copy_tree(STDLIB, root + STDLIB, NOT_NEEDED)
    _copy_tree(TEST, root + TEST, ("vectors", "__pycache__"))


def _libraries(program):
    return subprocess.run(["ldd", program], capture_output=True, text=True).stdout


def _extensions():
    folder = f"{STDLIB}/lib-dynload"
    return [f"{folder}/{name}" for name in os.listdir(folder) if name.startswith(("_ctypes", "_hashlib"))]


def _copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        _output("cp", "--dereference", source, target)


def _copy_tree(source, target, left_out):
    os.makedirs(target, exist_ok=True)
    excluded = [f"--exclude={name}" for name in left_out]
    with subprocess.Popen(["tar", "--create", *excluded, "--directory", source, "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["tar", "--extract", "--directory", target], stdin=tar.stdout, check=True)


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)


def _pack(root, path):
    """The folder as an initial RAM file system."""
    files = _output("find", ".", cwd=root)
    with open(path, "wb") as file:
        subprocess.run(["cpio", "--create", "--format=newc", "--quiet"], input=files.encode(), stdout=file, cwd=root,
                       check=True)


def _boot(kernel, initrd):
    """Run the guest until it is over, and pass on its lines."""
    command = [EMULATOR, "-accel", "tcg", "-cpu", "max", "-m", "1024", "-nodefaults", "-nographic", "-no-reboot",
               "-serial", "stdio", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1"]
    status = None
    with subprocess.Popen(["timeout", str(SECONDS), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as guest:
        for line in guest.stdout:
            line = line.rstrip()
            if line.startswith(END):
                status = int(line.removeprefix(END))
            elif status is None:
                print(line, flush=True)
    if status is None:
        print(f"the guest broke off (exit {guest.returncode})", file=sys.stderr)
    return 1 if status is None else status


if __name__ == "__main__":
    try:
        print(f"kernel: {_kernel()[0]}")
    except CannotRun as reason:
        sys.exit(f"kernel: {reason}")
