#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The newest kubelet and the newest containerd on a node that is a few namespaces, with a control plane of the same
Kubernetes beside it: what they call when a pod, a program or the node ends in one way or another, and whether pods keep
their addresses. What is recorded must be what test/node/sequence_tables_newest.py has, which the suite `node` replays.

usage: kubelet_test.py [--record] [CHAPTER ...]     for example: kubelet_test.py node_reboots dels_fail; --record prints
       the rows of each chapter, as they are written there; gc: that of the tool, which has no rows
Needs root, the packages of the list clusters, the parts kubernetes and etcd of the node image, and the peers containerd
and plugins. Nothing is asked of the network. The machine's folders and settings stay as they are.
"""
import json
import os
import subprocess
import sys
import time

import world

FOLDER = world.enter()

from plugin import BINARY, ROOT, require

NODE_IMAGE = f"{ROOT}/test/e2e/kind/node_image"
sys.path[:0] = [NODE_IMAGE, f"{ROOT}/test/node", f"{ROOT}/test/peers"]

import kubelet_machine  # noqa: E402
import nsmount  # noqa: E402
import parts  # noqa: E402
import peers  # noqa: E402
import tap  # noqa: E402
from containerd_networks import NETWORK, RUNTIME_PROGRAMS, Bridge, newest  # noqa: E402
from control_plane import ControlPlane  # noqa: E402
from kernel_settings import Kernel  # noqa: E402
from kubelet_story import Story  # noqa: E402
from machine import STATE_FOLDERS  # noqa: E402
from node import Node  # noqa: E402
from recorded_calls import shape, source  # noqa: E402
from sequence_tables_newest import RECORDINGS  # noqa: E402

OF_KUBERNETES = ("kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
FIRST = "pods_start"
GC = "gc"
LAST = "all_are_deleted"
PODS_API = "/var/lib/kubelet/pods-api/pods-api.sock"
VERBS = {"ADD", "DEL", "STATUS"}  # that they send at all
RECORD = "--record"
CALLS = f"{FOLDER}/calls"


def requirements():
    """Skip unless all is there; make nothing that takes minutes."""
    require(BINARY)
    peers.require(*RUNTIME_PROGRAMS, "bridge")
    missing = [name for name in ("kubernetes", "etcd") if not parts.part(name).is_made]
    if missing:
        tap.skip(f"of the node image {', '.join(missing)} is missing: run test/e2e/kind/node_image/build.py "
                 f"{' '.join(missing)} (25 minutes the first time)")


def make_node():
    """A node that is off."""
    network = Bridge(newest(), f"{ROOT}/test/lib/recording_plugin.py")
    environment = {"RECORD_LOG": CALLS, "RECORD_PLUGIN": BINARY, "RECORD_REFUSED": f"{FOLDER}/refused",
                   "RECORD_NETWORK": f"{STATE_FOLDERS[0]}/{NETWORK}"}
    return kubelet_machine.KubeletMachine(
        f"{FOLDER}/machine", network.conflist(), network.binaries, programs=network.runtime.programs,
        environment=environment, kubelet=parts.program("kubelet", "kubernetes"),
        kubeconfig=f"{FOLDER}/control/kubeconfig")


def make_control(node):
    """The control plane, at the far end of the node's uplink."""
    programs = {name: parts.program(name, "kubernetes") for name in OF_KUBERNETES}
    return ControlPlane(f"{FOLDER}/control", node.outside, kubelet_machine.OUTSIDE,
                        {**programs, "etcd": parts.program("etcd", "etcd")})


def start(story):
    story.control.start()
    story.node.outlive = story.control.pids
    story.node.boot()
    version = story.node.version()
    assert version.startswith(peers.version("containerd").removeprefix("v")), version
    print(f"# Kubernetes {parts.kubernetes_version()}, containerd {version}", flush=True)


def play(story, recording):
    """One chapter: its pods keep their addresses, and the calls are those of the table."""
    story.recorder.mark()
    had = story.addresses()
    getattr(story, recording.chapter)()
    before, rows = story.recorder.rows(story.dismissed)
    if RECORD in sys.argv:
        print(source(recording, before, rows, story.in_use(), held(story)), flush=True)
    has = story.addresses()
    moved = {pod: (had[pod], has[pod]) for pod in had if pod in has and had[pod] != has[pod]}
    assert tuple(moved) == recording.moves or RECORD in sys.argv, f"{moved} moved, expected {recording.moves}"
    recorded, expected = shape(before, rows), shape(recording.before, recording.rows)
    assert recorded == expected or RECORD in sys.argv, f"not the table's calls:\n{recorded}\nexpected:\n{expected}"
    story.dismiss_newcomers()


def held(story):
    """{pod: letter} of the bindings whose pod does not run."""
    node = Node(FOLDER, [], name=NETWORK)
    node.state_dir = STATE_FOLDERS[1]
    in_use = {address for addresses in story.addresses().values() for address in addresses}
    return {binding.owner: story.recorder.letter([address]) for address, binding in node.bindings().items()
            if address not in in_use and binding.owner not in story.dismissed}


def gc_asks_the_kubelet(story):
    """By its Pods API: while it does not answer nothing goes; then what is kept for pods that are gone, seen twice."""
    story.newcomer_goes_for_good()
    before = bindings()
    story.node.kill_kubelet()
    gone, done = gc(story)
    assert not gone and f"kubelet's Pods API, {PODS_API}: " in done.stderr and done.returncode == 1, done
    story.node.start_kubelet()
    until_the_kubelet_lists(story)
    gone, done = gc(story)
    assert gone == set(before) - story.names() and story.names() <= set(before), f"{done}\n{before}"
    assert bindings() == before and done.returncode == 1, done
    story.node_reboots()
    until_the_kubelet_lists(story)
    again, done = gc(story)
    assert again == gone and done.returncode == 0, done
    assert set(bindings()) == story.names(), bindings()
    print(f"# gc: of {len(before)} bindings {len(gone)} freed, {len(story.names())} kept", flush=True)


def until_the_kubelet_lists(story):
    """Its pods; before it has seen them it refuses."""
    world.wait_until(lambda: "every binding is kept" not in gc(story, apply=False)[1].stderr, 60,
                     lambda: gc(story, apply=False)[1])


def gc(story, apply=True):
    """The pods whose binding goes, or is noted, and the call."""
    done = subprocess.run([BINARY, "gc", "--conf", f"{story.node.folder}/net.d", "-o", "json", *["--apply"] * apply],
                          capture_output=True, text=True)
    assert done.returncode in (0, 1), done
    items = json.loads(done.stdout)["items"]
    return {f"{one['namespace']}/{one['pod']}" for one in items if "its pod is gone" in one["why"]}, done


def bindings():
    """Of the network: whose they are."""
    node = Node(FOLDER, [], name=NETWORK)
    node.state_dir = STATE_FOLDERS[1]
    return sorted(binding.owner for binding in node.bindings().values())


def only_these_verbs(story):
    calls = story.recorder.calls()
    counts = {verb: sum(one.verb == verb for one in calls) for verb in sorted({one.verb for one in calls})}
    print(f"# calls: {', '.join(f'{count} {verb}' for verb, count in counts.items())}", flush=True)
    assert counts.keys() == VERBS, counts


def nothing_is_left(story):
    """Of the pods that are gone, where the plugin keeps its addresses."""
    assert story.node.address_files() == {}, story.node.address_files()


def tell(suite):
    begun, procfs = time.monotonic(), f"{FOLDER}/proc"
    os.mkdir(procfs)
    nsmount.run("mount", "-t", "proc", "proc", procfs)  # where nothing lies over it
    kernel = Kernel(procfs)
    kubelet_machine.own_folders(f"{NODE_IMAGE}/node/kind/tunables")
    node = make_node()
    story = Story(node, make_control(node), FOLDER)
    chosen = [word for word in sys.argv[1:] if word != RECORD]
    if suite.run("a control plane answers, a kubelet and a runtime start", start, story):
        for recording in RECORDINGS:
            if recording.chapter == LAST and (not chosen or GC in chosen):
                suite.run("gc asks the kubelet which pods exist", gc_asks_the_kubelet, story)
            if not chosen or recording.chapter in (FIRST, *chosen):
                if not suite.run(recording.name, play, story, recording):
                    print("# the rest is not told, as it builds on this", flush=True)
                    break
        else:
            suite.run("no other verbs are sent", only_these_verbs, story)
            if not chosen:
                suite.run("no address is left in use", nothing_is_left, story)
    suite.run("the machine's kernel is set as before", kernel.assert_unchanged, procfs)
    print(f"# {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    tap.story("kubelet", tell, requirements)
