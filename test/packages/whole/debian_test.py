#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The Debian package on a bare Debian 12 and 13, made by debootstrap from the mirror that this machine's apt uses:
installed, upgraded, refused and removed, with pods running (debian.sh).

usage: debian_test.py [WORD ...]      the package is made in build/packages, unless that of this commit is there
"""
import functools
import glob
import os
import re
import shutil
import subprocess
import tempfile

import debian
import peers
import tap
from command import run
from plugin import ROOT
from tap import Skip

HERE = os.path.dirname(os.path.abspath(__file__))
MORE = "iproute2,containernetworking-plugins"  # beside what is essential


def mirror():
    """Debian's archive that apt asks here."""
    found = debian.archive()
    if not found:
        raise Skip("apt has no archive of Debian's here")
    return found


@functools.cache
def package():
    """That of these sources. Of changed ones the version does not tell which they are: it is made anew."""
    run("cmake", "--preset", "release", cwd=ROOT)
    with open(os.path.join(ROOT, "build/release/CPackConfig.cmake")) as file:
        version = re.search(r'^set\(CPACK_PACKAGE_VERSION "(.*)"\)$', file.read(), re.MULTILINE)[1]
    path = os.path.join(ROOT, f"build/packages/delegated-ipam_{version}_{run('dpkg', '--print-architecture').strip()}.deb")
    if version.endswith((".changed", "~unknown")) or not os.path.exists(path):
        run("examples/image/build.sh", cwd=ROOT)
    return path


def as_older(path, target):
    """The same package under an older version."""
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "-R", path, folder)
        with open(f"{folder}/DEBIAN/control") as file:
            text = file.read()
        with open(f"{folder}/DEBIAN/control", "w") as file:
            file.write(re.sub(r"^Version: .*$", "Version: 0.0.1", text, flags=re.MULTILINE))
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", folder, target)


def make_root(release, more):
    """A bare Debian in a folder of its own, which the caller removes."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise Skip("needs root and debootstrap: apt-get install debootstrap")
    root = tempfile.mkdtemp(prefix=f"debian-{release}.", dir="/var/tmp")
    scripts = "/usr/share/debootstrap/scripts"
    script = f"{scripts}/{release}" if os.path.exists(f"{scripts}/{release}") else f"{scripts}/sid"
    try:
        run("unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase", f"--include={more}",
            release, root, mirror(), script)
    except AssertionError:
        shutil.rmtree(root)
        raise
    return root


def inside(root, command, *namespaces):
    """Run a command there as on a machine; what it mounts and starts ends with it."""
    enter = (f"mount --bind {root} {root} && cd {root} && mount -t proc proc proc && mount --rbind /sys sys && "
             f"mount -t tmpfs tmpfs run && mount --rbind /dev dev && exec chroot . {command}")
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
                           *namespaces, "sh", "-c", enter], capture_output=True, text=True, timeout=900,
                          stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


def lives_with_it(release):
    if not peers.binary("cnitool"):
        raise Skip(f"cnitool is not there: run {peers.BUILD} cni")
    root = make_root(release, MORE)
    try:
        shutil.copy(package(), f"{root}/new.deb")
        as_older(f"{root}/new.deb", f"{root}/old.deb")
        shutil.copy(peers.binary("cnitool"), f"{root}/cnitool")
        shutil.copy(os.path.join(HERE, "debian.sh"), f"{root}/debian.sh")
        done = inside(root, "/bin/bash /debian.sh", "--net")
        for line in done.stdout.splitlines():
            print(f"# {release}: {line}", flush=True)
        assert done.returncode == 0 and done.stdout.endswith("\nright\n"), done.stderr[-2000:]
    finally:
        shutil.rmtree(root)


def two_commands():
    """The package, and a first kept reboot by the sources' quickstart, which builds nothing then."""
    root = make_root("bookworm", "ca-certificates")
    try:
        for path in glob.glob("/etc/apt/apt.conf.d/*"):  # how this machine reaches its archive
            shutil.copy(path, f"{root}/etc/apt/apt.conf.d/")
        shutil.copy("/etc/resolv.conf", f"{root}/etc/resolv.conf")
        run("git", "clone", "-q", ROOT, f"{root}/src")
        shutil.copy(package(), f"{root}/src/package.deb")
        done = inside(root, "/bin/sh -c 'cd /src && apt-get update -q >/dev/null && "
                            "apt-get install -q -y ./package.deb && examples/quickstart.sh'")
        print(f"# {done.stdout.splitlines()[-1]}", flush=True)
        assert done.returncode == 0 and "delegated-ipam kept 20" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
        assert not os.path.exists(f"{root}/src/build/release") and not os.path.exists(f"{root}/usr/bin/cmake")
    finally:
        shutil.rmtree(root)


TESTS = [(f"{release}: installed, upgraded, not removed from under pods, removed", lives_with_it, release)
         for release in ("bookworm", "trixie")] + [
             ("bookworm: the package's install and a first kept reboot are two commands", two_commands)]


if __name__ == "__main__":
    tap.main("on a bare Debian", TESTS)
