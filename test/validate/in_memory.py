"""A dataDir in memory: what is said of it is what happens."""
import json
import os
import tempfile

import corpus
import node
import plugin

STDIN = {"cniVersion": "1.0.0", "name": "pods", "type": "ptp", "ipam": {
    "type": "delegated-ipam", "dataDir": "/run/cni/networks", "delegate": {"ranges": [[{"subnet": "10.244.1.0/24"}]]}}}


def call(verb, container, pod, stdin=STDIN):
    args = node.args_of(f"shop/{pod}") if pod else None
    done = plugin.run(plugin.BINARY, plugin.environment(verb, container, args=args), stdin)
    assert done.exit == 0, done
    return done.addresses


def is_kept():
    """Six pods come back after a reboot, in the other order and behind newcomers: the bindings are in stateDir."""
    node.fake_boots()
    before = {f"web-{i}": call("ADD", f"old-{i}", f"web-{i}") for i in range(6)}
    node.new_boot()
    assert not os.path.exists("/run/cni")
    for i in range(4):
        call("ADD", f"new-{i}", f"new-{i}")
    after = {}
    for i in reversed(range(6)):
        call("DEL", f"old-{i}", f"web-{i}")
        after[f"web-{i}"] = call("ADD", f"again-{i}", f"web-{i}")
    assert after == before, (before, after)


def is_not_moved():
    """A warning only, and no correction: another folder knows nothing of live pods."""
    conflist = {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": STDIN["ipam"]}]}
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/x.conflist", "w") as file:
            json.dump(conflist, file)
        status, stdout, stderr = corpus.run("x.conflist", cwd=folder)
    assert status == 0 and not stdout and "warning volatile-folder" in stderr and "drain the node" in stderr, stderr
    live = call("ADD", "live", "live")
    elsewhere = {**STDIN, "ipam": {**STDIN["ipam"], "dataDir": "/var/lib/cni/elsewhere"}}
    given = [call("ADD", f"other-{i}", f"other-{i}", elsewhere) for i in range(20)]
    assert live in given, "moving it is harmless now: correct it"


def run(suite):
    suite.run("dataDir in memory: 6 of 6 pods keep their addresses over a reboot", is_kept)
    suite.run("dataDir in memory: is warned of, and left where it is", is_not_moved)
