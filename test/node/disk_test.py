#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Real file systems that are read-only, full, over quota or broken, and a lock that is never free (S7, S13).

Each test asks for every command while the disk is sick, cures it, and looks whether anything was lost or doubled.
"""
import os
import subprocess
import tempfile

import race
import sandbox
import tap
import trace
from disk import Disk, fill_blocks, fill_inodes, tmpfs
from disk_boots import boot_on_read_only_disk, boot_without_blocks, boot_without_inodes
from disk_boots import nothing_made_yet, run_not_writable, state_folder_read_only
from node import fake_boots
from patient import COMMANDS, HELD, LEAVING, NEW, NO_ATTACHMENT, NOT_AVAILABLE, PODS, RUNNING, STALE
from patient import TRY_AGAIN, Patient, code_of, message_of
from plugin import BINARY, require

HOME = "/var/lib/cni/disk"


def read_only(kind, folder):
    """DEL succeeds and waits in /run; what must write is code 11, STATUS is 50, CHECK only reads.

    A repeated ADD that finds everything as it should be has nothing to write, and may succeed.
    """
    with Disk(folder, kind) as disk:
        patient = Patient(disk.mount_point, disk.mount_point)
        disk.remount("ro")
        patient.suffer("read-only file system", new=TRY_AGAIN, held=TRY_AGAIN, again=(0, TRY_AGAIN), gc=TRY_AGAIN,
                       status=NOT_AVAILABLE)
        patient.assert_pending("c-leaving")
        assert set(PODS.values()) - {HELD} == set(patient.node.attachments()), patient.node.attachments()
        again = patient.ask("ADD", "c-leaving", "shop/leaving")
        assert code_of(again) == TRY_AGAIN, f"ADD of what is about to be released: {again}"
        disk.remount("rw")
        patient.recover()


def no_blocks(kind, folder):
    """New files need room; an attachment that is there, and everything that frees, does not.

    ext4 gives the room of a deleted file to the next one. xfs and btrfs want more than that: code 11, nothing is left.
    """
    with Disk(folder, kind) as disk:
        patient = Patient(disk.mount_point, disk.mount_point)
        disk.settle()
        ballast = fill_blocks(disk.mount_point)
        patient.suffer("no space left on device", new=TRY_AGAIN, held=TRY_AGAIN)
        patient.assert_pending()
        assert set(patient.node.attachments()) == {RUNNING}
        back = patient.ask("ADD", "c-leaving-2", "shop/leaving")
        print(f"# {kind}: DEL and ADD of one pod on the full disk: code {code_of(back)}")
        assert back.addresses == [LEAVING] or (kind != "ext4" and code_of(back) == TRY_AGAIN), back
        assert patient.node.addresses_of("c-leaving-2") == back.addresses
        patient.node.delete("c-leaving-2", "shop/leaving")
        os.unlink(ballast)
        patient.recover(("DEL", "c-nobody", None))


def no_inodes(patient, folder):
    """Where blocks are free, the inode that a DEL freed is enough for the pod to come up again."""
    ballast = fill_inodes(folder)
    patient.suffer("no space left on device", new=TRY_AGAIN, held=TRY_AGAIN)
    back = patient.ask("ADD", "c-leaving-2", "shop/leaving")
    assert back.addresses == [LEAVING], f"its DEL freed an inode and its records exist, but: {back}"
    patient.node.delete("c-leaving-2", "shop/leaving")
    for path in ballast:
        os.unlink(path)
    patient.recover()


def no_inodes_on_tmpfs(folder):
    with tmpfs(folder, "nr_inodes=60") as path:
        no_inodes(Patient(path, path), path)


def no_inodes_on_ext4(folder):
    with Disk(folder, "ext4", "-N", "64") as disk:
        no_inodes(Patient(disk.mount_point, disk.mount_point), disk.mount_point)


def quota(folder):
    """A limit on the subvolume, as a btrfs root with snapshots has it."""
    with Disk(folder, "btrfs") as disk:
        home = os.path.join(disk.mount_point, "node")
        subprocess.run(["btrfs", "-q", "subvolume", "create", home], check=True)
        subprocess.run(["btrfs", "quota", "enable", disk.mount_point], check=True)
        patient = Patient(home, home)
        disk.settle()
        group = f"0/{subprocess.check_output(['btrfs', 'inspect-internal', 'rootid', home], text=True).strip()}"
        subprocess.run(["btrfs", "qgroup", "limit", "1", group, disk.mount_point], check=True)
        patient.suffer("quota exceeded", new=TRY_AGAIN, held=TRY_AGAIN)
        assert set(patient.node.attachments()) == {RUNNING}
        subprocess.run(["btrfs", "qgroup", "limit", "none", group, disk.mount_point], check=True)
        patient.recover(("DEL", "c-nobody", None))


def eio_on_fsync(folder):
    """Nothing is acknowledged that was not flushed; a DEL is not undone, but asked for again."""
    patient = Patient(os.path.join(folder, "fsync"), folder)
    patient.wrapper = trace.always("fsync:error=EIO")
    patient.suffer("input/output error", new=TRY_AGAIN, held=TRY_AGAIN, again=TRY_AGAIN, gc=TRY_AGAIN,
                   **{"del": TRY_AGAIN})
    patient.recover(COMMANDS["del"])


def eio_on_folder(folder):
    """A folder that cannot be listed is never taken for an empty one."""
    patient = Patient(os.path.join(folder, "folder"), folder)
    patient.wrapper = trace.always("getdents64:error=EIO")
    patient.suffer("input/output error", **dict.fromkeys(set(COMMANDS) - {"status"}, TRY_AGAIN))
    assert set(patient.node.attachments()) == set(PODS.values()) - {HELD}
    patient.wrapper = ()
    patient.node.delete("c-leaving", "shop/leaving")
    patient.recover()


def dead_disk(folder):
    """The device is gone under a mounted ext4, and comes back: what was acknowledged is there, nothing else."""
    with Disk(folder, "ext4") as disk:
        patient = Patient(disk.mount_point, disk.mount_point)
        before = patient.node.attachments()
        disk.die()
        for name in ("new", "held", "again", "gc", "del"):
            refused = patient.ask(*COMMANDS[name])
            patient.judge(name, refused, (TRY_AGAIN,), "input/output error")
        disk.unmount()
        disk.mount()
        assert patient.node.attachments() == before
        patient.recover(COMMANDS["del"])


def eio_on_file(folder):
    """One IP file cannot be read: its address stays in use, its owner gets no other, everybody else goes on."""
    patient = Patient(os.path.join(folder, "file"), folder)
    node, path = patient.node, os.path.join(folder, "file/networks/net", LEAVING)
    patient.wrapper = (*trace.always("read:error=EIO"), "-P", path)
    assert patient.ask(*COMMANDS["new"]).addresses == [NEW]
    assert patient.ask(*COMMANDS["held"]).addresses == [HELD]
    assert patient.ask(*COMMANDS["unknown"]).exit == 0 and patient.ask(*COMMANDS["gc"]).exit == 0
    own = {
        "repeated ADD": patient.ask("ADD", "c-leaving", "shop/leaving"),
        "DEL": patient.ask("DEL", "c-leaving", "shop/leaving"),
        "DEL without CNI_ARGS": patient.ask("DEL", "c-leaving", None),
        "CHECK": patient.ask("CHECK", "c-leaving", "shop/leaving"),
    }
    assert node.addresses_of("c-leaving") == [LEAVING]
    other = patient.ask("ADD", "c-leaving-2", "shop/leaving")
    assert other.exit == 0 and other.addresses != [LEAVING], f"a second sandbox of the pod: {other}"
    node.delete("c-leaving-2", "shop/leaving")
    wrong = {name: outcome for name, outcome in own.items()
             if code_of(outcome) != TRY_AGAIN or path not in message_of(outcome)}
    patient.wrapper = ()
    node.delete("c-leaving", "shop/leaving")
    assert node.addresses_of("c-leaving") == []
    node.assert_sound()
    assert not wrong, f"not code 11 naming {path}: {wrong}"


def lock_for_ever(folder):
    """Commands give up in time and name the holder; a DEL waits in /run, and counts as done for CHECK and ADD."""
    patient = Patient(os.path.join(folder, "lock"), folder)
    before = patient.node.attachments()
    with race.lock_held(patient.node):
        running = {name: race.Running(BINARY, *patient.request(*command)) for name, command in COMMANDS.items()}
        outcomes = {name: one.finish() for name, one in running.items()}
        assert patient.node.attachments() == before
        patient.assert_pending("c-leaving", "c-unknown")
    successes = {name for name, outcome in outcomes.items() if outcome.exit == 0}
    assert successes == {"status", "unknown", "del"}, outcomes
    for name in set(COMMANDS) - successes:
        assert code_of(outcomes[name]) == TRY_AGAIN, f"{name}: {outcomes[name]}"
        message = message_of(outcomes[name])
        assert folder in message and f"held by process {os.getpid()}" in message, f"{name}: {message}"
    assert code_of(patient.ask("CHECK", "c-leaving", "shop/leaving")) == NO_ATTACHMENT, "CHECK finds what was deleted"
    patient.recover(COMMANDS["gc"])
    assert STALE not in patient.node.attachments()


def tests(folder):
    """(sentence, test, arguments) in order."""
    for kind in ("ext4", "xfs", "btrfs"):
        sentence = f"read-only {kind}: DEL succeeds and is replayed, ADD and GC are code 11, STATUS 50"
        yield sentence, read_only, kind, folder
    for kind in ("ext4", "xfs", "btrfs"):
        yield f"full {kind}: new files are code 11, running pods and releases go on", no_blocks, kind, folder
    yield "no inodes (tmpfs): a pod whose DEL freed one comes up again", no_inodes_on_tmpfs, folder
    yield "no inodes (ext4): a pod whose DEL freed one comes up again", no_inodes_on_ext4, folder
    yield "over quota (btrfs qgroup): new files are code 11, running pods and releases go on", quota, folder
    yield "EIO on fsync: nothing is acknowledged, nothing is left, a DEL repeated later succeeds", eio_on_fsync, HOME
    yield "EIO on the folder: it is not taken for empty, every command but STATUS is code 11", eio_on_folder, HOME
    yield "EIO on every change: code 11, and nothing acknowledged is lost when the disk is back", dead_disk, folder
    yield "EIO on one IP file: its address stays in use, its owner is told where, others go on", eio_on_file, HOME
    yield "a lock that is never free: code 11 names the holder, DEL succeeds and is replayed", lock_for_ever, HOME
    yield "a reboot without a free inode: every pod comes up with its address", boot_without_inodes, folder
    yield "a reboot on a full ext4: every pod comes up with its address", boot_without_blocks, folder
    yield "a reboot on a read-only disk: DELs wait, pods return to their addresses", boot_on_read_only_disk, 1, folder
    yield "three reboots on a read-only disk lose the waiting DELs, but no address", boot_on_read_only_disk, 3, folder
    yield "read-only disk and /run: DEL is code 11 and works when repeated", run_not_writable, folder
    yield "records on a read-only disk: ADD is code 11, releases happen at once", state_folder_read_only, folder
    yield "a read-only disk before the first ADD: code 11 names the folder, DEL succeeds", nothing_made_yet, folder


def all_tests():
    with tempfile.TemporaryDirectory(prefix="disk.") as folder:
        yield from tests(folder)


if __name__ == "__main__":
    tap.main("disk", all_tests, sandbox.enter, fake_boots, lambda: require(BINARY))
