#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The Debian package on a bare Debian 12 and 13, made by debootstrap from the mirror that this machine's apt uses:
installed, upgraded, refused and removed, with pods running (debian.sh).

usage: debian_test.py [WORD ...]      packages are taken from build/packages; without any they are made there
"""
import glob
import os
import re
import shutil
import subprocess
import tempfile

import peers
import tap
from plugin import ROOT
from tap import Skip

HERE = os.path.dirname(os.path.abspath(__file__))
MORE = "iproute2,containernetworking-plugins"  # beside what is essential


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def mirror():
    """Debian's archive that apt asks here."""
    text = ""
    for path in ("/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))):
        if os.path.exists(path):
            with open(path) as file:
                text += file.read() + "\n"
    found = re.search(r"^(?:deb +(?:\[[^]]*\] +)?|URIs: *)(https?://\S+/debian/?)(?=\s)", text, re.MULTILINE)
    if not found:
        raise Skip("apt has no archive of Debian's here")
    return found[1]


def package():
    own = run("dpkg", "--print-architecture").strip()
    pattern = os.path.join(ROOT, f"build/packages/*_{own}.deb")
    if not glob.glob(pattern):
        run("examples/image/build.sh", cwd=ROOT)
    (path,) = glob.glob(pattern)
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


def lives_with_it(release):
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise Skip("needs root and debootstrap: apt-get install debootstrap")
    if not peers.binary("cnitool"):
        raise Skip(f"cnitool is not there: run {peers.BUILD} cni")
    root = tempfile.mkdtemp(prefix=f"debian-{release}.", dir="/var/tmp")
    try:
        scripts = "/usr/share/debootstrap/scripts"
        script = f"{scripts}/{release}" if os.path.exists(f"{scripts}/{release}") else f"{scripts}/sid"
        run("debootstrap", "--variant=minbase", f"--include={MORE}", release, root, mirror(), script)
        shutil.copy(package(), f"{root}/new.deb")
        as_older(f"{root}/new.deb", f"{root}/old.deb")
        shutil.copy(peers.binary("cnitool"), f"{root}/cnitool")
        shutil.copy(os.path.join(HERE, "debian.sh"), f"{root}/debian.sh")
        inside = (f"mount --bind {root} {root} && cd {root} && mount -t proc proc proc && mount -t sysfs sysfs sys && "
                  "mount -t tmpfs tmpfs run && mount --bind /dev dev && exec chroot . /bin/bash /debian.sh")
        done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation",
                               "private", "sh", "-c", inside], capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        for line in done.stdout.splitlines():
            print(f"# {release}: {line}", flush=True)
        assert done.returncode == 0 and done.stdout.endswith("\nright\n"), done.stderr[-2000:]
    finally:
        shutil.rmtree(root)


TESTS = [(f"{release}: installed, upgraded, not removed from under pods, removed", lives_with_it, release)
         for release in ("bookworm", "trixie")]


if __name__ == "__main__":
    tap.main("on a bare Debian", TESTS)
