#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Moving to delegated-ipam beside what others left: OpenYurt's marker files, a result cache torn by a power cut.

usage: foreign_state_test.py [PART OF A TEST'S NAME ...]
SEED=<number> repeats the order of an earlier run. Needs root and the packages of the e2e list.
"""
import glob
import os
import random

import world

FOLDER = world.enter()

import tap
from kubelet import Pod
from moving import DUAL, EACH, IPV4, NEVER, BareNode, Move
from runtime import RESULTS

SEED = os.environ.get("SEED", str(random.randrange(10**6)))


def pods_of_host_local(subnets=DUAL, count=10):
    """Made by bare CNI calls."""
    return Move(BareNode(f"{FOLDER}/node", subnets), random.Random(SEED), count)


def as_openyurt_left_it(move, markers=None):
    """Rewrite the network folder: files with the bare container ID, and beside each an empty IP_namespace_pod."""
    for pod in move.pods:
        for address in pod.addresses:
            write(f"{move.node.network_dir}/{address}", pod.sandbox.id)
    markers = markers or [f"{pod.addresses[0]}_{pod.namespace}_{pod.name}" for pod in move.pods]
    for marker in markers:
        write(f"{move.node.network_dir}/{marker}", "")
    return set(markers)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def lose_cache():
    for entry in os.listdir(RESULTS):
        os.unlink(f"{RESULTS}/{entry}")


def openyurt_pods_move_over(has_cache, first_command, stopped):
    """The markers are OpenYurt's: they are left for a way back to it."""
    with pods_of_host_local(IPV4) as move:
        markers = as_openyurt_left_it(move)
        if not has_cache:
            lose_cache()
        move.move_over()
        if first_command:
            move.newcomer()
        move.node.reboot()
        move.come_back(stopped)
        move.move_back(besides=markers)


def openyurt_pod_that_is_away_returns():
    """OpenYurt's DEL leaves the marker: the address is free for others there, but kept here."""
    with pods_of_host_local(IPV4) as move:
        as_openyurt_left_it(move)
        away = move.pods[:5]
        expected = move.current_addresses()
        move.node.for_all(move.node.stop, [pod.sandbox for pod in away])
        lose_cache()
        move.move_over()
        for pod in away:
            move.newcomer()
            move.node.run(pod)
        move.check_kept(expected)
        move.check_owners()


def openyurt_marker_of_a_live_address_counts_more():
    """A leftover marker names a free address, the other one where the pod runs: that is the one to keep."""
    with pods_of_host_local(IPV4) as move:
        markers = [f"{pod.addresses[0]}_{pod.namespace}_{pod.name}" for pod in move.pods]
        leftovers = [f"10.77.0.{number}_{pod.namespace}_{pod.name}" for pod, number in zip(move.pods, (100, 200))]
        as_openyurt_left_it(move, markers + leftovers)
        lose_cache()
        move.move_over()
        move.newcomer()
        move.node.reboot()
        move.come_back(EACH)


def openyurt_marker_of_somebody_elses_address_gives_nothing():
    """The address went on to another pod, whom the result cache names; the marker's pod is new here."""
    with pods_of_host_local(IPV4) as move:
        as_openyurt_left_it(move, [f"{pod.addresses[0]}_old_gone-{number}" for number, pod in enumerate(move.pods)])
        move.move_over()
        gone = [Pod(f"gone-{number}", "old") for number in range(5)]
        move.node.for_all(move.node.run, gone)
        move.pods = move.pods + gone
        move.check_owners()
        move.node.reboot()
        move.come_back(EACH)


DAMAGE = {
    "empty": lambda data: b"",
    "cut in the middle": lambda data: data[:len(data) // 2],
    "cut before the end": lambda data: data[:-1],
    "NULs": lambda data: bytes(len(data)),
    "NULs at the end": lambda data: data[:300] + bytes(len(data) - 300),
    "no JSON": lambda data: b"\x7fELF\x02\x01\x01\xff\xfe",
    "another JSON": lambda data: b"[null, {\"kind\": \"cniCacheV1\"}]",
    "wrong types": lambda data: b'{"kind": "cniCacheV1", "networkName": "podnet", "containerId": 7, "result": "x"}',
}


def damage_entries(move):
    """Spoil the cache entries of the first pods, each in another way; returns those pods."""
    for damage, pod in zip(DAMAGE.values(), move.pods):
        with open(move.node.entry(pod.sandbox), "rb+") as file:
            data = damage(file.read())
            file.seek(0)
            file.truncate()
            file.write(data)
    return move.pods[:len(DAMAGE)]


def torn_cache_entries():
    """Pods with a sound entry come back without a DEL; of the others the DEL tells whose address it frees."""
    with pods_of_host_local(count=len(DAMAGE) + 6) as move:
        damaged = damage_entries(move)
        move.move_over()
        move.newcomer()
        expected = move.current_addresses()
        old = [pod.sandbox for pod in move.pods]
        returning = move.in_another_order()
        move.node.reboot()
        move.newcomer()
        move.start_interleaved(returning, stop_first=lambda pod: pod in damaged)
        move.check_kept(expected)
        move.node.for_all(move.node.stop, old)
        move.check_kept(expected)
        move.check_owners()


def torn_cache_entries_without_del():
    """Nobody can know them then: they get addresses that nobody has, and the late DELs free the old ones."""
    with pods_of_host_local(count=len(DAMAGE) + 6) as move:
        damaged = damage_entries(move)
        move.move_over()
        move.newcomer()
        expected = {pod.name: pod.addresses for pod in move.pods if pod not in damaged}
        old = [pod.sandbox for pod in move.pods]
        move.node.reboot()
        move.start_interleaved(move.in_another_order(), stop_first=lambda pod: False)
        move.check_kept(expected)
        move.node.for_all(move.node.stop, old)
        move.check_owners()


def wiped_folder_beside_torn_cache_entries():
    """Live pods whose entry can be read get their files back, also when other entries are torn."""
    with pods_of_host_local(count=len(DAMAGE) + 4) as move:
        damaged = damage_entries(move)
        move.move_over()
        for path in glob.glob(f"{move.node.network_dir}/*"):
            os.unlink(path)
        move.newcomer()
        files = move.node.address_files()
        expected = {address: pod.sandbox.id for pod in move.pods if pod not in damaged for address in pod.addresses}
        assert files == expected, f"on disk: {files}, of live pods that can be known: {expected}"


def openyurt():
    for has_cache in (True, False):
        kept = "3: OpenYurt's pods keep their addresses over the switch and a reboot, " \
            f"{'beside' if has_cache else 'without'} the result cache"
        yield f"{kept}; rebooted at once", openyurt_pods_move_over, has_cache, False, EACH
        yield f"{kept}; rebooted later, old ones deleted {NEVER}", openyurt_pods_move_over, has_cache, True, NEVER
    yield "3: a pod that was away at the switch returns to the address of its marker; newcomers do not get it", \
        openyurt_pod_that_is_away_returns
    yield "3: of two markers of a pod the one of the address in use counts", \
        openyurt_marker_of_a_live_address_counts_more
    yield "3: a marker of an address that another pod uses gives nothing", \
        openyurt_marker_of_somebody_elses_address_gives_nothing


def torn():
    yield "5: beside torn entries of the result cache the others bring their pods back; a DEL that names the pod is " \
        "as good as an entry", torn_cache_entries
    yield "5: pods with a torn entry and no DEL get addresses that nobody has", torn_cache_entries_without_del
    yield "5: a wiped folder beside torn entries: live pods with a sound entry get their files back", \
        wiped_folder_beside_torn_cache_entries


if __name__ == "__main__":
    tap.main("foreign state", lambda: [*openyurt(), *torn()], lambda: print(f"# seed {SEED}"))
