"""Reboots on a sick disk, and sick disks with only one of the folders on them."""
import os
import subprocess

from disk import Disk, fill_blocks, fill_inodes, tmpfs
from node import new_boot
from patient import COMMANDS, HELD, NO_ATTACHMENT, NOT_AVAILABLE, PODS, RUNNING, TRY_AGAIN
from patient import Patient, code_of, message_of


def boot_on_full_disk(patient, fill, empty):
    """kubelet's order after a reboot: DEL of the old sandbox, ADD of the new; half of the pods have no DEL at all."""
    ballast = fill()
    new_boot()
    got = {}
    for number, name in enumerate(("running", "stale", "leaving")):
        if number % 2 == 0:
            patient.node.delete(f"c-{name}", f"shop/{name}")
        got[name] = patient.ask("ADD", f"c-{name}-2", f"shop/{name}")
    empty(ballast)
    for name, outcome in got.items():
        assert outcome.addresses == [PODS[name]], f"shop/{name} on the full disk: {outcome}"
        assert patient.node.addresses_of(f"c-{name}-2") == [PODS[name]]
    assert len(patient.node.attachments()) == len(got)
    assert patient.node.add("c-held-2", "shop/held") == [HELD]
    patient.node.assert_sound()


def boot_without_inodes(folder):
    with tmpfs(folder, "nr_inodes=60") as path:
        boot_on_full_disk(Patient(path, path), lambda: fill_inodes(path), lambda made: [os.unlink(one) for one in made])


def boot_without_blocks(folder):
    with Disk(folder, "ext4") as disk:
        patient = Patient(disk.mount_point, disk.mount_point)
        disk.settle()
        boot_on_full_disk(patient, lambda: fill_blocks(disk.mount_point), os.unlink)


def boot_on_read_only_disk(reboots, folder):
    """DELs wait in /run; a reboot that loses them does no harm, as the old attachments are dead by then."""
    with Disk(folder, "ext4") as disk:
        patient = Patient(disk.mount_point, disk.mount_point)
        disk.remount("ro")
        for _ in range(reboots):
            new_boot()
            for name in ("running", "stale", "leaving"):
                patient.node.delete(f"c-{name}", f"shop/{name}")
                assert code_of(patient.ask("ADD", f"c-{name}-2", f"shop/{name}")) == TRY_AGAIN
            patient.assert_pending("c-leaving", "c-running", "c-stale")
        if reboots > 1:
            new_boot()
        disk.remount("rw")
        for name, address in PODS.items():
            assert patient.node.add(f"c-{name}-2", f"shop/{name}") == [address]
        assert len(patient.node.attachments()) == len(PODS)
        patient.node.assert_sound()


def run_not_writable(folder):
    """Nowhere to remember a release: the runtime has to come again. Its message is none that go-cni swallows."""
    with Disk(folder, "ext4") as disk:
        patient = Patient(disk.mount_point, disk.mount_point)
        disk.remount("ro")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/run/delegated-ipam"], check=True)
        try:
            refused = patient.ask(*COMMANDS["del"])
        finally:
            subprocess.run(["umount", "/run/delegated-ipam"], check=True)
        assert code_of(refused) == TRY_AGAIN and patient.place in message_of(refused), refused
        assert "not found" not in message_of(refused) and "no such file" not in message_of(refused), refused
        disk.remount("rw")
        patient.recover(COMMANDS["del"])


def state_folder_read_only(folder):
    """Records on a read-only disk, IP files on a good one: new pods wait, releases happen at once."""
    with Disk(folder, "ext4") as disk:
        patient = Patient(os.path.join(folder, "state"), disk.mount_point, stateDir=disk.mount_point)
        patient.node.state_dir = disk.mount_point
        disk.remount("ro")
        patient.suffer("read-only file system", new=TRY_AGAIN, held=TRY_AGAIN, status=NOT_AVAILABLE)
        assert set(patient.node.attachments()) == {RUNNING}
        patient.assert_pending()
        disk.remount("rw")
        patient.recover()


def nothing_made_yet(folder):
    """The first ADD ever on a read-only disk says which folder it cannot make; DEL and CHECK have nothing to do."""
    with Disk(folder, "ext4") as disk:
        home = os.path.join(disk.mount_point, "node")
        os.makedirs(home)
        patient = Patient(os.path.join(folder, "made"), home)
        patient.node.data_dir, patient.node.state_dir = f"{home}/networks", f"{home}/state"
        patient.node.network_dir = f"{home}/networks/net"
        disk.remount("ro")
        refused = patient.ask(*COMMANDS["new"])
        assert code_of(refused) == TRY_AGAIN and patient.place in message_of(refused), refused
        patient.node.delete("c-unknown", "shop/unknown")
        assert code_of(patient.ask(*COMMANDS["check"])) == NO_ATTACHMENT
        disk.remount("rw")
        assert patient.node.add("c-new", "shop/new") == [RUNNING]
