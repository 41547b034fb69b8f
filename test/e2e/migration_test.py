#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Moving from the stock host-local to delegated-ipam and back with pods running: nobody's address changes, at the
switch, over reboots, and whatever was lost on the way.

usage: migration_test.py [PART OF A TEST'S NAME ...]
SEED=<number> repeats the order of an earlier run. Needs root and the packages of the e2e list.
"""
import glob
import os
import random
import shutil

import world

FOLDER = world.enter()

import tap
from moving import ALL_FIRST, DUAL, EACH, IPV4, NEVER, STOCK, BareNode, Move, RealNode
from node import is_address
from runtime import Refused

SEED = os.environ.get("SEED", str(random.randrange(10**6)))


def real(subnets=IPV4, count=10):
    """Pods of host-local under containerd."""
    return Move(RealNode(f"{FOLDER}/machine", subnets), random.Random(SEED), count)


def bare(subnets=DUAL, **more):
    """Pods of host-local by bare CNI calls; more as in BareNode."""
    return Move(BareNode(f"{FOLDER}/node", subnets, **more), random.Random(SEED))


def bare_newer():
    """The same beside a libcni that names the network namespace in its cache."""
    return bare(names_netns=True)


def bare_subnet_file():
    """The same where the ranges are not in the configuration, so that a DEL does not know them."""
    return bare(has_subnet_file=True)


def fifty_pods_move_over_and_back():
    with real(DUAL, 50) as move:
        ready, files = move.node.ready(), move.node.address_files()
        move.move_over()
        assert move.node.ready() == ready and len(ready) == 50, "a pod was restarted"
        assert move.node.address_files() == files, "the network folder changed"
        move.check_reached("moved over")
        one_day(move)
        made_by_host_local = {pod.name: pod.sandboxes[0].addresses for pod in move.pods[:50]}
        move.node.reboot()
        assert move.node.ready() == set(), "a sandbox survived the reboot"
        move.come_back(EACH)
        move.check_kept(made_by_host_local)
        print(f"# {len(made_by_host_local)} of 50 pods have the address that host-local gave them")
        running = {pod.sandbox.id for pod in move.pods}
        assert move.node.ready() == running, "not the pods that came back run when host-local takes over again"
        move.move_back()


def one_day(move):
    """Pods come and go under the new plugin; one goes that host-local made, and returns."""
    short, returning = move.newcomer(), move.pods[7]
    expected = returning.addresses
    move.node.for_all(move.node.stop, [short.sandbox, returning.sandbox])
    move.pods.remove(short)
    move.newcomer()
    move.node.run(returning)
    assert returning.addresses == expected, f"{expected} -> {returning.addresses}"
    move.check_reached("a pod of host-local's that returns")
    move.make_again(move.pods[8:11])
    move.check_owners()


def reboot_before_our_first_command(make_pods, stopped):
    """What host-local left says nothing of a boot or a pod: the result cache does, and each DEL comes first."""
    with make_pods() as move:
        move.move_over()
        move.node.reboot()
        move.come_back(stopped)
        move.move_back()


def reboot_after_our_first_command(make_pods, stopped):
    with make_pods() as move:
        move.move_over()
        move.newcomer()
        move.node.reboot()
        move.come_back(stopped)
        move.move_back()


def there_and_back_and_there_again():
    """The records of the first time are old news: what counts is the address that host-local gave since."""
    with bare() as move:
        move.move_over()
        move.newcomer()
        move.node.use(STOCK)
        for pod in move.in_another_order():
            move.node.stop(pod.sandbox)
        for pod in move.in_another_order():
            move.node.run(pod)
        move.check_owners()
        move.move_over()
        move.newcomer()
        move.node.reboot()
        move.come_back(EACH)


def wiped_folder_of_live_pods(make_pods, first_command, wipe):
    """Newcomers get none of the live addresses, whose files come back, also for the next boot."""
    with make_pods() as move:
        move.move_over()
        if first_command:
            move.newcomer()
        wipe(move.node.network_dir)
        for _ in range(4):
            move.newcomer()
        move.check_owners()
        move.node.reboot()
        move.come_back(EACH)
        move.move_back()


def removed_files_of_live_pods():
    """The folder, its lock and its cursor are those of before: nothing tells of the loss but the records."""
    with bare() as move:
        move.move_over()
        move.newcomer()
        address_files_removed(move.node.network_dir)
        for _ in range(4):
            move.newcomer()
        move.check_distinct()
        move.node.reboot()
        move.come_back(EACH)


def data_dir_removed(network_dir):
    shutil.rmtree(os.path.dirname(network_dir))


def folder_emptied(network_dir):
    for path in glob.glob(f"{network_dir}/*"):
        os.unlink(path)


def address_files_removed(network_dir):
    for path in glob.glob(f"{network_dir}/*"):
        if is_address(os.path.basename(path)):
            os.unlink(path)


def wiped_folder_without_room(wipe):
    """13 addresses a family, 11 pods: two more find room, the third is refused; no live pod pays for it."""
    with bare(["10.77.0.0/28", "fd00:77::/124"]) as move:
        move.move_over()
        move.newcomer()
        wipe(move.node.network_dir)
        move.newcomer()
        move.newcomer()
        try:
            move.newcomer()
        except Refused as refused:
            assert "no IP addresses available" in refused.outcome.stdout, refused
        else:
            raise AssertionError(f"a live pod's address went to a newcomer: {move.current_addresses()}")
        move.check_distinct()


RECORDS, ADDRESSES = "state folder", "data folder"


def lost_folders(make_pods, what, stopped):
    """Records, address files or both are gone when the node reboots: the result cache remains."""
    with make_pods() as move:
        move.move_over()
        move.newcomer()
        places = {RECORDS: move.node.state_dir, ADDRESSES: os.path.dirname(move.node.network_dir)}
        for path in [path for one in what for path in glob.glob(f"{places[one]}/*")]:
            shutil.rmtree(path)
        move.node.reboot()
        move.come_back(stopped)
        move.move_back()


def reboots():
    at_once = "2: after a reboot right after the switch every pod has its address, and moves back"
    later = "2: after the switch, one more pod and a reboot every pod has its address, and moves back"
    yield f"{at_once}; containerd, old ones deleted {EACH}", reboot_before_our_first_command, real, EACH
    yield f"{later}; containerd, old ones deleted {NEVER}", reboot_after_our_first_command, real, NEVER
    for stopped in (EACH, ALL_FIRST):
        yield f"{at_once}; old ones deleted {stopped}", reboot_before_our_first_command, bare, stopped
    for stopped in (EACH, ALL_FIRST, NEVER):
        yield f"{later}; old ones deleted {stopped}", reboot_after_our_first_command, bare, stopped
    yield "2: moved over, back and over again, then rebooted: every pod has the address that host-local gave it", \
        there_and_back_and_there_again


def wipes():
    wiped = "4: newcomers get no live pod's address after a wipe: the files come back, and the next boot keeps all"
    full = "4: a wipe in a range that is nearly full: a newcomer is refused rather than given a live pod's address"
    yield f"{wiped}; containerd, data folder removed", wiped_folder_of_live_pods, real, False, data_dir_removed
    yield "4: newcomers get no live pod's address when only the address files are removed; the next boot keeps all", \
        removed_files_of_live_pods
    for wipe in (data_dir_removed, folder_emptied, address_files_removed):
        how = wipe.__name__.replace("_", " ")
        yield f"{wiped}; {how} before our first command", wiped_folder_of_live_pods, bare, False, wipe
        if wipe != address_files_removed:
            yield f"{wiped}; {how} later", wiped_folder_of_live_pods, bare_newer, True, wipe
        yield f"{full}; {how}", wiped_folder_without_room, wipe


def losses():
    for what in ([RECORDS], [ADDRESSES], [RECORDS, ADDRESSES]):
        lost = f"6: {' and '.join(what)} lost, then a reboot: the result cache tells who had which address"
        yield f"{lost}; containerd, old ones deleted {EACH}", lost_folders, real, what, EACH
        for stopped in (EACH, ALL_FIRST, NEVER):
            yield f"{lost}; old ones deleted {stopped}", lost_folders, bare, what, stopped
        from_file = f"{lost}; ranges from a file, old ones deleted {ALL_FIRST}"
        yield from_file, lost_folders, bare_subnet_file, what, ALL_FIRST


def tests():
    yield ("1: 50 pods of host-local keep their addresses at the switch, in daily life and over a reboot; "
           "back under host-local its DELs empty the folder", fifty_pods_move_over_and_back)
    yield from [*reboots(), *wipes(), *losses()]


if __name__ == "__main__":
    tap.main("migration", tests, lambda: print(f"# seed {SEED}"))
