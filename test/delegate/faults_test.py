#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Each way in which a plugin's run can fail, by verb, and in ADD before and after it took its lease.

What counts: the answer, whether the plugin's DEL was run, whether a lease is left, and whether the journal knows of it.
"""
import sandbox
from answer import same
from ledger import Ledger
from one_add import new_node
from plugin import BINARY, require
from tap import Suite
from ways_to_fail import ABSENT, FAILING, HANGING, UNUSABLE, take_away

WRONG_VERSION = 1
FREE = 'rm -f -- "$home/leases/"*"@$CNI_CONTAINERID@$CNI_IFNAME"\n'


def call(node, command, container_id="c1", **more):
    """Run a verb; GC and STATUS are of no attachment."""
    if command in ("GC", "STATUS"):
        more.update(container_id=None, ifname=None, netns=None, top={"cni.dev/valid-attachments": []})
        return node.call(command, version="1.1.0", **more)
    return node.call(command, container_id, version="1.1.0", **more)


def acknowledged(node):
    """An ADD that went well; returns its address."""
    (address,) = node.add("c1", version="1.1.0")
    assert node.ledger.take_commands() == ["ADD c1"]
    return address


def assert_told(done, way, node):
    """The caller got the error of this way, as one JSON object and exit code 1."""
    expected = way.error(f"{node.ledger.path}/ledger")
    assert done.exit == 1 and same(expected, done.json), f"{done}, expected {expected}"
    assert getattr(way, "stderr", "") in done.stderr, done


def probes(way, command):
    """The VERSION that a refusal costs: GC and STATUS ask for one on a wrong environment as well."""
    asks = way.code == WRONG_VERSION or way.code == 4 and command in ("GC", "STATUS")
    return ["VERSION"] if asks else []


def assert_healed(node):
    """The runtime's DEL, with a plugin that works again, ends everything."""
    node.delete("c1", version="1.1.0")
    assert node.ledger.leases() == {} and node.journal() == 0, (node.ledger.leases(), node.journal())


def shortened(way):
    """The way's keys for a call after which nothing has to be run in the time that is left."""
    return {"timeoutSeconds": 0.8} if way.ipam else {}


def add_fails(way, where):
    node = new_node()
    node.ledger.hook("ADD", way.text, where)
    assert_told(call(node, "ADD", **way.ipam), way, node)
    assert node.ledger.commands() == ["ADD c1", *probes(way, "ADD"), "DEL c1"]
    assert node.ledger.leases() == {} and node.journal() == 0
    node.ledger.unhook("ADD", where)
    acknowledged_again(node)


def acknowledged_again(node):
    """A failed ADD leaves nothing behind that the next one sees."""
    node.ledger.take_commands()
    acknowledged(node)
    assert len(node.ledger.leases_of("c1")) == 1 and node.journal() == 0
    node.remove()


def del_fails(way, is_freed):
    node = new_node()
    acknowledged(node)
    node.ledger.hook("DEL", (FREE if is_freed else "") + way.text)
    assert_told(call(node, "DEL", **shortened(way)), way, node)
    assert node.ledger.take_commands() == ["DEL c1", *probes(way, "DEL")]
    assert len(node.ledger.leases()) == (0 if is_freed else 1) and node.journal() == 1
    node.ledger.unhook("DEL")
    assert_healed(node)
    assert node.ledger.commands() == ["DEL c1"]
    node.remove()


def rollback_fails(way, container_id):
    """The DEL after a failed ADD fails as well; what comes next is a DEL, or an ADD of the same attachment."""
    node = new_node()
    node.ledger.fail("ADD", where="after")
    node.ledger.hook("DEL", way.text)
    done = call(node, "ADD", **way.ipam)
    assert done.exit == 1 and (done.json["code"], done.json["msg"]) == (123, "not today"), done
    assert "may be left at ledger" in done.stderr, done
    assert len(node.ledger.leases()) == 1 and node.journal() == 1
    node.ledger.unhook("DEL")
    node.ledger.unhook("ADD", "after")
    node.ledger.take_commands()
    if container_id is None:
        assert_healed(node)
        assert node.ledger.commands() == ["DEL c1"]
    else:
        node.add(container_id, version="1.1.0")
        assert node.ledger.commands() == ["DEL c1", "ADD c1"]
        assert len(node.ledger.leases()) == 1 and node.journal() == 0
    node.remove()


def repeated_fails(way):
    node = new_node(onDuplicate="error")
    address = acknowledged(node)
    node.ledger.hook("ADD", way.text)
    assert_told(call(node, "ADD", **way.ipam), way, node)
    assert node.ledger.take_commands() == ["ADD c1", *probes(way, "ADD")]
    assert node.ledger.leases() == {address: "c1"} and node.journal() == 0
    assert node.add("c1", version="1.1.0", onDuplicate="return") == [address]
    assert node.ledger.commands() == []
    assert_healed(node)
    node.remove()


def verb_fails(way, command):
    """CHECK, GC or STATUS: told, nothing freed, nothing forgotten."""
    node = new_node()
    address = acknowledged(node)
    node.ledger.hook(command, way.text)
    assert_told(call(node, command, **shortened(way)), way, node)
    runs = [command if command != "CHECK" else "CHECK c1", *probes(way, command)]
    assert node.ledger.take_commands() == runs
    assert_untouched(node, address)


def assert_untouched(node, address):
    """The acknowledged lease is there, and known."""
    assert node.ledger.leases() == {address: "c1"} and node.journal() == 0
    node.ledger.take_commands()
    assert node.add("c1", version="1.1.0") == [address] and node.ledger.commands() == []
    node.remove()


def answer_is_dropped(way, command):
    """Whatever stdout holds: a run that ends well has done what the verb asks for."""
    node = new_node()
    address = acknowledged(node)
    node.ledger.hook(command, (FREE if command == "DEL" else "") + way.text)
    done = call(node, command)
    assert (done.exit, done.stdout) == (0, ""), done
    if command == "DEL":
        assert node.ledger.leases() == {} and node.journal() == 0
        node.remove()
    else:
        assert_untouched_after_gc(node, address) if command == "GC" else assert_untouched(node, address)


def assert_untouched_after_gc(node, address):
    """GC succeeded and no attachment is valid: the record is gone, the lease is the plugin's business."""
    assert node.ledger.leases() == {address: "c1"} and node.journal() == 0
    node.remove()


def status_without_answer():
    node = new_node()
    node.ledger.hook("STATUS", HANGING.text)
    done = call(node, "STATUS", **shortened(HANGING))
    assert (done.exit, done.stdout) == (0, ""), done
    assert node.ledger.commands() == ["STATUS"]
    node.remove()


def never_starts(absence, command):
    """No DEL follows, for the ADD of a plugin that never ran took no lease."""
    node = new_node()
    absence.install(f"{node.ledger.path}/ledger")
    assert_told(call(node, command), absence, node)
    take_away(f"{node.ledger.path}/ledger")
    node.ledger.install(Ledger.text(node.ledger.home, ("1.0.0", "1.1.0")))
    assert node.ledger.commands() == [] and node.journal() == 0
    acknowledged_again(node)


def del_never_starts(absence):
    """The lease of an acknowledged ADD stays until a DEL runs."""
    node = new_node()
    acknowledged(node)
    absence.install(f"{node.ledger.path}/ledger")
    done = call(node, "DEL")
    assert done.exit == 1 and done.json["code"] == 999 and done.stdout.count('"code"') == 1, done
    if absence.is_found and "no such file" not in absence.msg:
        assert_told(done, absence, node)
    assert "no such file or directory" not in done.json["msg"] and "not found" not in done.json["msg"], done
    take_away(f"{node.ledger.path}/ledger")
    node.ledger.install(Ledger.text(node.ledger.home, ("1.0.0", "1.1.0")))
    assert len(node.ledger.leases()) == 1 and node.ledger.commands() == []
    assert_healed(node)
    node.remove()


def run_adds(suite):
    for where in ("before", "after"):
        for way in [*FAILING, *UNUSABLE, HANGING]:
            kind = "" if way not in UNUSABLE else " and exit code 0"
            suite.run(f"ADD {where} taking a lease: {way.sentence}{kind} is an error, and the DEL is run",
                      add_fails, way, where)


def run_failures(suite):
    for way in [*FAILING, HANGING]:
        for is_freed, what in ((False, "before"), (True, "after")):
            suite.run(f"DEL {what} freeing: {way.sentence} is an error, and the next DEL heals", del_fails, way,
                      is_freed)
        suite.run(f"DEL after a failed ADD: {way.sentence} is told, and the runtime's DEL heals", rollback_fails, way,
                  None)
        suite.run(f"DEL after a failed ADD: {way.sentence}, then the next ADD frees first", rollback_fails, way, "c1")
        suite.run(f"repeated ADD with onDuplicate \"error\": {way.sentence} frees nothing", repeated_fails, way)
        for command in ("CHECK", "GC", "STATUS"):
            if way is not HANGING or command != "STATUS":
                suite.run(f"{command}: {way.sentence} is an error, and nothing is freed", verb_fails, way, command)
    suite.run("STATUS: no answer is success", status_without_answer)


def run_rest(suite):
    for way in UNUSABLE:
        suite.run(f"repeated ADD with onDuplicate \"error\": {way.sentence} and exit code 0 frees nothing",
                  repeated_fails, way)
        for command in ("DEL", "CHECK", "GC", "STATUS"):
            suite.run(f"{command}: {way.sentence} and exit code 0 is success", answer_is_dropped, way, command)
    for absence in ABSENT:
        for command in ("ADD", "CHECK", "GC", "STATUS"):
            suite.run(f"{command}: {absence.sentence} is an error, and nothing is run", never_starts, absence, command)
        suite.run(f"DEL: {absence.sentence} is an error, and the next DEL heals", del_never_starts, absence)


if __name__ == "__main__":
    require(BINARY)
    sandbox.enter()
    tests = Suite("faults")
    run_adds(tests)
    run_failures(tests)
    run_rest(tests)
    tests.finish()
