"""DELs that meet an ADD of their attachment while the plugin is at work, or come before it; see races_test.py."""
import os
import signal

from crowd import assert_refused
from main_plugin import MainPlugin, let_a_tick_pass
from meeting import LATER, POD, has_ended, inside, is_at_lock, locks_waited_for, node_at, start
from race import wait_until


def overtaken(where):
    """The DEL is answered while the ADD is still inside the plugin, before or after it has the lease."""
    node = node_at(f"overtaken-{where}")
    with node.ledger.gate("ADD", where) as gate:
        late = start(node, "ADD")
        gate.wait_for()
        let_a_tick_pass()
        node.delete("c1", POD)
        gate.open()
        assert_refused(late.finish(), "c1", "DEL")
    assert node.ledger.leases() == {} and node.journal() == 0
    assert node.ledger.commands() == ["ADD c1", "DEL c1", "DEL c1"]
    assert not any(binding.sequence == 0 for binding in node.bindings().values()), node.bindings()
    got = node.add("c1", POD)  # a later ADD of the same ID is another matter
    assert node.ledger.leases() == {got[0]: "c1"}


def overtaken_and_undeletable(freed_by):
    """The DEL after the refused ADD fails: the entry stays, and a later command frees the lease."""
    node = node_at(f"undeletable-{freed_by.__name__.replace('_', '-')}")
    with node.ledger.gate("ADD", "before") as gate:
        late = start(node, "ADD")
        gate.wait_for()
        let_a_tick_pass()
        node.delete("c1", POD)
        node.ledger.fail("DEL")
        gate.open()
        assert_refused(late.finish(), "c1", "DEL")
    assert node.ledger.leases_of("c1") and node.journal() == 1
    node.ledger.unhook("DEL")
    freed_by(node)
    assert node.ledger.leases_of("c1") == [] and node.journal() == 0


def runtimes_delete(node):
    node.delete("c1", POD)


def other_pod(node):
    """The runtime has had its DEL, and sends no other."""
    node.add("c2", "shop/other")
    assert node.ledger.leases_of("c1"), "given back at once, when the runtime's own DEL could still come"
    node.add("c3", "shop/third", wrapper=LATER)
    assert node.ledger.leases_of("c2") and node.ledger.leases_of("c3")


def overtaken_and_killed():
    """The plugin takes the lease after the DEL, and we are killed: nobody will send another DEL."""
    node = node_at("overtaken-killed")
    with node.ledger.gate("ADD", "after") as gate:
        late = start(node, "ADD")
        gate.wait_for()
        node.ledger.hook("DEL", "exit 0\n")
        node.delete("c1", POD)
        node.ledger.unhook("DEL")
        os.kill(late.pid, signal.SIGKILL)
        late.finish()
    other_pod(node)
    assert node.ledger.leases_of("c1") == [] and node.journal() == 0


def delete_cannot_start():
    """There are no descriptors for the plugin's pipes: another pod's command makes up for it."""
    node = node_at("no-descriptors")
    node.add("c1", POD)
    for number in range(8, 16):  # whichever call it is that finds none
        done = node.call("DEL", "c1", POD, wrapper=("prlimit", f"--nofile={number}"))
        assert done.exit == 1 and done.json["code"] == 11 and "too many open files" in done.json["msg"], done
    assert node.journal() == 1
    other_pod(node)
    assert node.ledger.leases_of("c1") == [] and node.journal() == 0


def delete_without_plugin():
    """The plugin's file is missing for a moment, as its installer does not rename."""
    node = node_at("no-plugin")
    node.add("c1", POD)
    os.rename(f"{node.ledger.path}/ledger", f"{node.home}/aside")
    done = node.call("DEL", "c1", POD)
    assert done.exit == 1 and done.json["code"] == 999 and "failed to find plugin" in done.json["msg"], done
    os.rename(f"{node.home}/aside", f"{node.ledger.path}/ledger")
    other_pod(node)
    assert node.ledger.leases_of("c1") == [] and node.journal() == 0


def overtaken_duplicate():
    """The DEL of a known attachment comes while a second ADD of it is inside the plugin."""
    node = node_at("overtaken-known", onDuplicate="error")
    node.add("c1", POD)
    with node.ledger.gate("ADD", "before") as gate:
        late = start(node, "ADD")
        gate.wait_for()
        let_a_tick_pass()
        node.delete("c1", POD)
        gate.open()
        assert_refused(late.finish(), "c1", "DEL")
    assert node.ledger.leases() == {}, f"nobody will ever free {node.ledger.leases()}"
    assert node.journal() == 0


def orphan():
    """R2: the main plugin is killed, its DEL answered, and only then the orphan calls us."""
    node = node_at("orphan")
    with MainPlugin(node, "c1", POD) as late:
        late.kill()
        node.delete("c1", POD)
        node.ledger.take_commands()
        assert_refused(late.go_on(), "c1", "DEL")
    assert node.ledger.commands() == [] and node.ledger.leases() == {} and node.journal() == 0


def orphan_and_successor():
    """A new ADD of the same ID is answered, and the orphan does it no harm."""
    node = node_at("orphan-2")
    with MainPlugin(node, "c1", POD) as late:
        late.kill()
        node.delete("c1", POD)
        with MainPlugin(node, "c1", POD) as fresh:
            assert_refused(late.go_on(), "c1")
            got = fresh.go_on()
            assert got.exit == 0, got
    assert node.ledger.leases() == {got.addresses[0]: "c1"}


def orphan_after_successor():
    """The orphan comes when the same ID is known again; whatever it is told, the lease stays."""
    node = node_at("orphan-3")
    with MainPlugin(node, "c1", POD) as late:
        late.kill()
        node.delete("c1", POD)
        got = node.add("c1", POD)
        told = late.go_on()
        assert told.addresses == got or told.json["code"] == 11, told
    assert node.ledger.leases() == {got[0]: "c1"}
    assert node.add("c1", POD) == got and node.ledger.commands() == ["DEL c1", "ADD c1"]


def deleted_twice():
    """Two DELs inside the plugin at the same time."""
    node = node_at("two-dels")
    node.add("c1", POD)
    with node.ledger.gate("DEL") as gate:
        both = [start(node, "DEL"), start(node, "DEL")]
        gate.wait_for(2)
        gate.open()
        done = [one.finish() for one in both]
    assert all(one.exit == 0 and one.stdout == "" for one in done), done
    assert node.ledger.leases() == {} and node.journal() == 0


def deleted_while_repeated():
    """A DEL is inside the plugin when a repeated ADD comes, which then has a lease of its own or is refused."""
    node = node_at("repeated")
    node.add("c1", POD)
    with inside(node, "DEL") as (leaving, gate):
        again = start(node, "ADD", timeoutSeconds=4)
        wait_until(lambda: "ADD c1" in node.ledger.commands()[1:] or again.pid in locks_waited_for()
                   or has_ended(again.pid), "the ADD does not begin")
        gate.open()
        assert leaving.finish().exit == 0
        got = again.finish()
    if got.exit == 0:
        assert node.ledger.leases() == {got.addresses[0]: "c1"}, f"answered {got.addresses}: {node.ledger.leases()}"
    node.delete("c1", POD)
    assert node.ledger.leases() == {} and node.journal() == 0


def late_delete():
    """A DEL of an attachment that is not known is slow inside the plugin; an ADD that comes meanwhile waits."""
    node = node_at("late-delete")
    with inside(node, "DEL") as (leaving, gate):
        again = start(node, "ADD")
        is_at_lock(again)
        gate.open()
        assert leaving.finish().exit == 0
        got = again.finish()
    assert got.exit == 0 and node.ledger.leases() == {got.addresses[0]: "c1"}, (got, node.ledger.leases())
    assert node.add("c1", POD) == got.addresses and node.journal() == 0
    assert node.ledger.commands() == ["DEL c1", "ADD c1"]


TESTS = [
    ("R2: a DEL overtakes an ADD before it has its lease: code 11, nothing is left", overtaken, "before"),
    ("R2: a DEL overtakes an ADD that has its lease: code 11, nothing is left", overtaken, "after"),
    ("R2: a DEL overtakes an ADD whose own DEL fails: the next DEL frees the lease", overtaken_and_undeletable,
     runtimes_delete),
    ("R2: a DEL overtakes an ADD whose own DEL fails: another pod's command frees the lease", overtaken_and_undeletable,
     other_pod),
    ("R2: a DEL overtakes an ADD that is killed then: another pod's command frees the lease", overtaken_and_killed),
    ("a DEL for which no plugin can be started is made up for by another pod's command", delete_cannot_start),
    ("a DEL for which there is no plugin is made up for by another pod's command", delete_without_plugin),
    ("R2: a DEL overtakes a repeated ADD that the plugin would refuse: nothing is left", overtaken_duplicate),
    ("R2: an orphaned main plugin calls after its DEL: code 11, and the plugin is not run", orphan),
    ("R2: an orphan and a successor of the same container ID: the successor has the lease", orphan_and_successor),
    ("R2: an orphan that comes after its successor does not cost it the lease", orphan_after_successor),
    ("two DELs at once both succeed, and nothing is left", deleted_twice),
    ("an ADD that comes while its DEL is inside the plugin is never told an address that is freed",
     deleted_while_repeated),
    ("an ADD waits for a slow DEL of an attachment that was not known, and keeps its lease", late_delete),
]
