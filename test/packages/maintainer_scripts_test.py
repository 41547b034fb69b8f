#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The Debian package's postinst, prerm and postrm, on machines that have arranged /opt in their own way.

usage: maintainer_scripts_test.py [WORD ...]
"""
import os
import shutil
import subprocess

import scratch_root

scratch_root.enter()

import tap
from command import content
from plugin import BINARY, ROOT, require
from tap import Skip

SCRIPTS = os.path.join(ROOT, "examples/image/debian")
OWN, BIN = "/usr/lib/cni/delegated-ipam", "/opt/cni/bin"
PLACED = f"{BIN}/delegated-ipam"
UNITS = "/etc/systemd/system"
NO_PROC = "mount -t tmpfs none /proc"
READ_ONLY = "mount --bind /opt /opt && mount -o remount,bind,ro /opt"


class Machine:
    """In a layer over this one: the package's file is unpacked, and systemctl writes down what it is told."""

    def __init__(self, home):
        self.home, self.told = home, f"{home}/told"
        for folder in (f"{home}/bin", f"{home}/tmp", "/run/systemd/system", "/usr/lib/systemd/system",
                       os.path.dirname(OWN)):
            os.makedirs(folder, exist_ok=True)
        shutil.copy(BINARY, OWN)
        for unit in ("systemd/delegated-ipam.service", "monitoring/delegated-ipam-status.timer"):
            shutil.copy(os.path.join(ROOT, "examples", unit), "/usr/lib/systemd/system")
        self.program("systemctl", f'echo "$@" >>{self.told}')

    def program(self, name, text):
        """A program of this name, found before all others."""
        path = f"{self.home}/bin/{name}"
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def script(self, name, argument, before="true"):
        """Run one as dpkg does, after `before`, whose mounts end with it; returns (exit code, stderr). Whatever happens,
        it leaves no temporary file."""
        environment = {"PATH": f"{self.home}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                       "TMPDIR": f"{self.home}/tmp", "DPKG_MAINTSCRIPT_PACKAGE": "delegated-ipam"}
        done = subprocess.run(["unshare", "--mount", "sh", "-c", f'{before} && exec sh "{SCRIPTS}/{name}" {argument}'],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
        assert not os.listdir(f"{self.home}/tmp"), os.listdir(f"{self.home}/tmp")
        return done.returncode, done.stderr

    def configure(self, **more):
        return self.script("postinst", "configure", **more)

    def remove(self, **more):
        return self.script("prerm", "remove", **more)


def fine(done):
    assert done == (0, ""), done


def on_a_machine(test):
    if not shutil.which("deb-systemd-helper"):
        raise Skip("needs deb-systemd-helper: apt-get install init-system-helpers")
    with scratch_root.layer("/usr/lib") as home:
        test(Machine(home))


def comes_and_goes(machine):
    fine(machine.configure())
    assert content(PLACED) == content(BINARY) and os.listdir(BIN) == ["delegated-ipam"], os.listdir(BIN)
    fine(machine.remove())
    assert os.listdir(BIN) == [] and os.path.exists(OWN)


def a_link_to_the_file(machine):
    os.makedirs(BIN)
    os.symlink(OWN, PLACED)
    for script in (machine.configure, machine.remove):
        fine(script())
        assert os.readlink(PLACED) == OWN and content(OWN) == content(BINARY)


def a_link_to_the_folder(machine):
    os.makedirs(os.path.dirname(BIN))
    os.symlink(os.path.dirname(OWN), BIN)
    for script in (machine.configure, machine.remove):
        fine(script())
        assert os.path.islink(BIN) and not os.path.islink(OWN) and content(OWN) == content(BINARY)


def a_folder_twice(machine):
    os.makedirs(BIN)
    for script in (machine.configure, machine.remove):
        status, said = script(before=f"mount --bind {os.path.dirname(OWN)} {BIN}")
        assert (status, said) == (0, "") and content(OWN) == content(BINARY), said


def a_link_elsewhere(machine):
    """What it leads to is not ours, neither to replace nor to take away."""
    os.makedirs(BIN)
    with open("/opt/other", "w") as file:
        file.write("x")
    os.symlink("/opt/other", PLACED)
    status, said = machine.configure()
    assert status != 0 and "is a symbolic link to /opt/other" in said, said
    fine(machine.remove())
    assert content("/opt/other") == b"x" and os.readlink(PLACED) == "/opt/other"


def without_proc(machine):
    fine(machine.configure(before=NO_PROC))
    assert content(PLACED) == content(BINARY) and os.listdir(BIN) == ["delegated-ipam"], os.listdir(BIN)
    assert os.stat(PLACED).st_mode & 0o7777 == 0o755
    fine(machine.remove(before=NO_PROC))
    assert os.listdir(BIN) == []


def no_place_without_proc(machine):
    """What could not be copied to its end is no plugin, and nothing of it stays."""
    machine.program("cp", 'for last; do :; done\necho half >"$last"\nexit 1')
    status, _ = machine.configure(before=NO_PROC)
    assert status != 0 and os.listdir(BIN) == [], (status, os.listdir(BIN))


def read_only(machine):
    os.makedirs("/opt", exist_ok=True)
    status, said = machine.configure(before=READ_ONLY)
    assert status == 0 and f"{BIN} cannot be written to" in said and not os.path.exists(BIN), said
    fine(machine.remove(before=READ_ONLY))


def read_only_with_a_plugin(machine):
    fine(machine.configure())
    for script in (machine.configure, machine.remove):
        status, said = script(before=READ_ONLY)
        assert status == 0 and f"{BIN} cannot be written to" in said and os.path.exists(PLACED), said


def in_use(machine):
    fine(machine.configure())
    os.makedirs("/etc/cni/net.d")
    with open("/etc/cni/net.d/10-x.conf", "w") as file:
        file.write('{"cniVersion": "1.0.0", "name": "n", "type": "bridge", "ipam": {"type": "delegated-ipam"}}')
    status, said = machine.remove()
    assert status != 0 and "new pods need delegated-ipam" in said and content(PLACED) == content(BINARY), said


def no_copy(machine):
    machine.program("cp", "exit 1")
    assert machine.remove()[0] != 0  # and nothing in /tmp


def stops_its_units(machine):
    fine(machine.configure())
    fine(machine.remove())
    with open(machine.told) as file:
        assert "stop delegated-ipam-status.timer delegated-ipam.service" in file.read().splitlines()


def purges_its_units(machine):
    wanted = f"{UNITS}/timers.target.wants"
    os.makedirs(wanted, exist_ok=True)
    os.symlink("/usr/lib/systemd/system/delegated-ipam-status.timer", f"{wanted}/delegated-ipam-status.timer")
    fine(machine.configure())
    for argument in ("remove", "purge"):
        fine(machine.script("postrm", argument))
    for folder in (UNITS, "/var/lib/systemd"):
        left = [name for _, folders, names in os.walk(folder) for name in (*folders, *names) if "delegated-ipam" in name]
        assert not left, left


TESTS = [(sentence, on_a_machine, test) for sentence, test in [
    ("the plugin comes into /opt/cni/bin, and goes", comes_and_goes),
    ("/opt/cni/bin/delegated-ipam leads to the package's own: both stay", a_link_to_the_file),
    ("/opt/cni/bin leads to /usr/lib/cni: dpkg's file stays dpkg's", a_link_to_the_folder),
    ("/opt/cni/bin is /usr/lib/cni mounted again: the same", a_folder_twice),
    ("a link to something else is left alone, and told", a_link_elsewhere),
    ("no /proc: it comes and goes all the same", without_proc),
    ("no /proc, and the copy fails: nothing half is left", no_place_without_proc),
    ("a read-only /opt is told, and no reason to fail", read_only),
    ("a read-only /opt with a plugin in it: it stays there", read_only_with_a_plugin),
    ("in use, it is not removed", in_use),
    ("no place for the copy that prerm looks at: nothing of it is left", no_copy),
    ("prerm stops the service and the timer", stops_its_units),
    ("a purge leaves no link of a unit behind", purges_its_units),
]]


if __name__ == "__main__":
    tap.main("maintainer scripts", TESTS, lambda: require(BINARY))
