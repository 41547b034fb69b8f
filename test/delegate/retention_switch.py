"""Retention when another one hands out the addresses than before, and what is recorded; see retention_test.py."""
import os

import nsmount
import trace
from crowd import DUAL, pair, pod
from ledger import DelegatedNode
from many_pods import HOME, OTHER, POD, PODS, at_home, delete_all, mixed, node_at, start_all
from node import args_of, new_boot
from plugin import HOST_LOCAL


def same_container_id(number, name):
    """As podman starts its containers again: what is left of the last boot does not stand in the way."""
    node = node_at(f"podman-{number}", DUAL[:1])
    home = node.add("c1", name)
    new_boot()
    node.ledger.take_commands()
    got = node.add("c1", name)
    assert node.ledger.commands()[-2:] == ["DEL c1", "ADD c1"], node.ledger.commands()
    assert name is None or got == home
    node.assert_in_use({"c1": got})
    node.delete("c1", name)
    node.assert_in_use({})


def back_and_forth(dels):
    """Built in, a program of its own, built in: with a reboot between each, and all pods."""
    node = node_at(f"switch-{dels.__name__}")
    last = "s0"
    for step, in_process in enumerate((True, False, True, False)):
        node.ipam["inProcess"] = in_process
        if step:
            new_boot()
            dels(node, last)
        assert start_all(node, f"s{step + 1}", mixed() if step else PODS) == at_home(f"s{step + 1}")
        last = f"s{step + 1}"
        if dels is delete_all or step == 0:
            node.assert_in_use(at_home(last))
    folders = {os.path.dirname(path) for path in node.records() if os.path.basename(path).startswith("ip.")}
    assert len(folders) == 1, f"bindings lie in {folders}"
    owners = {address: binding.owner for address, binding in node.bindings().items()}
    assert owners == {address: pod(number) for number in PODS for address in pair(number)}


def never(_node, _prefix):
    """No DEL comes."""


def switched_while_running():
    """The same sandboxes live on: a repeated ADD, CHECK and DEL of what the other way had made."""
    node = node_at("switch-live")
    node.ipam["inProcess"] = True
    home = node.add("c1", POD)
    node.ipam["inProcess"] = False
    assert node.call("CHECK", "c1", POD).exit == 0
    node.delete("c1", POD)
    node.assert_in_use({})
    assert node.add("c2", POD) == home
    node.ipam["inProcess"] = True
    assert node.add("c2", POD) == home
    node.delete("c2", POD)
    node.assert_in_use({})
    assert node.add("c3", POD) == home


def deleted_by_another(number, delete):
    """The same container again, as podman starts it: an answer of before does not count when its file is gone."""
    node = node_at(f"deleted-by-another-{number}")
    home = node.add("c1", POD)
    delete(node)
    node.assert_in_use({})
    node.add("other", OTHER, args=args_of(OTHER) + f";IP={home[0]}", ranges=DUAL[:1])
    got = node.add("c1", POD)
    node.assert_in_use({"other": home[:1], "c1": got})


def by_built_in(node):
    node.delete("c1", POD, inProcess=True)


def by_stock(node):
    node.delete("c1", POD, binary=HOST_LOCAL)


def other_plugins_records():
    """The records of a plugin that is not host-local: who has what, and since when nobody."""
    node = DelegatedNode(os.path.join(HOME, "records"))
    got = node.add("c1", POD, uid="u1")
    (address,) = got
    bound = node.bindings()
    assert list(bound) == got and bound[address].owner == POD and bound[address].uid == "u1", bound
    assert bound[address].ifname == "eth0" and bound[address].sequence == 0, bound
    folders = {path.split("/")[0] for path in node.records() if "/ip." in path}
    (folder,) = folders
    assert "ledger" in folder and "records" in folder, folder
    assert os.listdir(node.state_dir).count(folder) == 1
    node.delete("c1", POD, uid="u1")
    assert node.bindings()[address].sequence > 0, "the address is held"
    node.add("stranger", OTHER)
    node.add("c2", POD, uid="u2")
    owners = {address: binding.owner for address, binding in node.bindings().items()}
    assert owners == {node.ledger.leases_of("stranger")[0]: OTHER, node.ledger.leases_of("c2")[0]: POD}
    assert all(not call.requested for call in node.ledger.calls())


def is_flush_of(folder):
    """Tells calls that flush something below a folder."""
    return lambda call: call.name in ("fsync", "fdatasync", "syncfs") and call.path_of_fd.startswith(folder) and call.ok


def flushed_before_answer(number, make):
    """Seen by strace: after the record is made, its folder is flushed, and only then the answer is written."""
    node = make(f"durable-{number}")
    node.add("warm-up", OTHER)
    outcome, calls, _ = trace.run(node.binary, *node.request("ADD", "c1", POD), follow=False)
    assert outcome.exit == 0, outcome
    names = [place for place, call in enumerate(calls) if call.name in ("symlinkat", "renameat", "symlink", "rename")
             and ("ip." in call.args or "pod." in call.args) and call.ok]
    flushes = [place for place, call in enumerate(calls) if is_flush_of(node.state_dir)(call)]
    answers = [place for place, call in enumerate(calls) if call.name == "write" and call.args.startswith("1<")]
    assert names and flushes and answers, f"records {names}, flushes {flushes}, answers {answers}"
    assert max(names) < max(flushes) < min(answers), f"records {names}, flushes {flushes}, answers {answers}"


def record_that_cannot_be_written():
    """A pod comes up all the same, and somebody is told."""
    node = node_at("no-record", DUAL[:1])
    os.makedirs(node.state_dir)
    nsmount.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", node.state_dir)
    log = os.path.join(node.home, "log")
    node.assert_in_use({"c1": node.add("c1", POD, logFile=log)})
    with open(log) as file:
        assert "not recorded" in file.read()
    node.delete("c1", POD)
    node.assert_in_use({})


def stamped():
    """What proves an attachment dead in the next boot is on every address file."""
    node = node_at("stamps")
    for address in node.add("c1", POD):
        assert os.getxattr(os.path.join(node.network_dir, address), "user.delegated-ipam")


TESTS = [
    ("a container that starts again under its ID after a reboot without DEL gets a lease", same_container_id, 0, None),
    ("a pod that starts again under its container ID after a reboot gets its address", same_container_id, 1, POD),
    *((f"{len(PODS)} pods keep their addresses from built in to a program and back, {how}", back_and_forth, dels)
      for how, dels in [("with DELs", delete_all), ("without DELs", never)]),
    ("pods that run while inProcess changes are checked, deleted and brought back", switched_while_running),
    ("after a DEL by the built-in allocator a container that starts again has a lease", deleted_by_another, 0,
     by_built_in),
    ("after a DEL by the stock plugin a container that starts again has a lease", deleted_by_another, 1, by_stock),
    ("for another plugin the state folder tells which pod has, or had, which address", other_plugins_records),
    ("with host-local the record is flushed before the answer", flushed_before_answer, 0, node_at),
    ("with another plugin the record is flushed before the answer", flushed_before_answer, 1,
     lambda name: DelegatedNode(os.path.join(HOME, name))),
    ("a record that cannot be written costs no pod its address", record_that_cannot_be_written),
    ("host-local's address files are stamped", stamped),
]
