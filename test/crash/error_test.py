#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Makes each system call of the plugin on files fail, with the errors that disks and kernels really give."""
import json

import sandbox
import tap
import trace
from node import fake_boots
from plugin import BINARY, require
from scenarios import POD, SCENARIOS, TARGET, Stage
from scenarios import alive, come_back, host_local_empties, neighbours

ERRORS = {
    "openat": ("EMFILE", "EACCES"),
    "write": ("ENOSPC", "EIO"),
    "writev": ("ENOSPC",),
    "pwrite64": ("ENOSPC", "EINTR"),
    "linkat": ("EIO", "EDQUOT"),
    "symlinkat": ("ENOSPC", "EROFS"),
    "symlink": ("ENOSPC",),
    "rename": ("EIO",),
    "renameat": ("EIO", "ENOSPC"),
    "renameat2": ("EIO", "ENOSPC"),
    "unlink": ("EROFS",),
    "unlinkat": ("EROFS", "EIO"),
    "fsync": ("EIO", "EDQUOT"),
    "fdatasync": ("EIO",),
    "ftruncate": ("EIO",),
    "fsetxattr": ("ENOSPC", "ENOMEM"),
    "flock": ("EINTR", "ENOMEM"),
    "mkdir": ("ENOSPC",),
    "mkdirat": ("ENOSPC", "EACCES"),
    "utimensat": ("EROFS",),
    "fchmod": ("EROFS",),
    "fchmodat": ("EROFS",),
    "read": ("EIO",),
    "pread64": ("EIO",),
    "getdents64": ("EIO",),
    "readlinkat": ("EIO",),
    "newfstatat": ("EIO",),
    "statx": ("EIO",),
    "fgetxattr": ("EIO",),
}
FLUSHES = ("fsync", "fdatasync")


def faults(scenario):
    """Every (call, error) of one undisturbed run that can go wrong, after the execve that starts it."""
    with Stage(scenario) as node:
        outcome, calls, _ = trace.run(node.binary, *scenario.request(node))
    assert outcome.exit == 0, f"undisturbed {scenario.sentence}: {outcome}"
    return [(call, error) for call in calls for error in errors_of(call)]


def errors_of(call):
    """The errors to inject into this call."""
    writes = call.name == "openat" and any(flag in call.args for flag in ("O_CREAT", "O_TMPFILE"))
    return ERRORS.get(call.name, ()) + (("EROFS", "ENOSPC") if writes else ())


def assert_failed_politely(outcome, call):
    """Exit 1, one JSON error object, one line for a human; the stream that failed may be empty."""
    assert outcome.exit == 1, f"exit {outcome.exit}"
    if outcome.stdout or not writes_to(call, 1):
        answer = json.loads(outcome.stdout)
        assert isinstance(answer["code"], int) and answer["code"] > 0 and answer["msg"], outcome.stdout
        assert "ips" not in answer, outcome.stdout
    if not writes_to(call, 2):
        assert len(outcome.stderr.strip().splitlines()) == 1, f"stderr {outcome.stderr!r}"


def writes_to(call, descriptor):
    """True if this call writes to stdout (1) or stderr (2)."""
    return call.name in ("write", "writev") and call.args.startswith(f"{descriptor}<")


def assert_not_flushed_again(calls, failed):
    """A flush that failed is not repeated on its descriptor: the kernel would answer that all is well."""
    place = next(place for place, call in enumerate(calls) if "INJECTED" in call.result)
    descriptor = failed.args.split("<")[0]
    for call in calls[place + 1:]:
        if call.name == "close" and call.args.startswith(f"{descriptor}<"):
            return
        again = call.name in FLUSHES and call.args.startswith(f"{descriptor}<")
        assert not again, f"{call.name} of {call.path_of_fd} repeated after it had failed"


def fail_once(node, scenario, call, error):
    """Let that call fail in one run; returns its outcome."""
    request = scenario.request(node)
    outcome, calls, _ = trace.inject(node.binary, *request, call.name, call.occurrence, f"error={error}")
    assert any("INJECTED" in seen.result for seen in calls), "the call was not reached"
    node.assert_sound()
    if call.name in FLUSHES:
        assert outcome.exit != 0, "success although a flush had failed"
        assert_not_flushed_again(calls, call)
    if outcome.exit != 0:
        assert_failed_politely(outcome, call)
    return outcome


def hides_proof(scenario, call, error):
    """True if by this fault a file's owner cannot be proven dead, or a binding not be learned or read: then the pod
    comes up with another address."""
    reads = call.name in ("openat", "read", "newfstatat", "statx", "fgetxattr") and error in ("EIO", "EACCES")
    not_learned = scenario.learns and call.name == "symlinkat"
    not_read = call.name == "readlinkat" and '"ip.' in call.args
    of_owner = scenario.proof in call.args or "/netns/" in call.args
    no_boot = "random/boot_id" in call.args  # whoever does not know the boot proves nothing by it
    return not_learned or not_read or bool(scenario.proof) and (reads and of_owner or no_boot)


def failing_add(node, scenario, call, error):
    """Either the ADD succeeds and is right in every respect, or nothing is left of it."""
    attachments, bindings = node.attachments(), node.bindings()
    outcome = fail_once(node, scenario, call, error)
    expected = scenario.home
    if outcome.exit == 0:
        expected = outcome.addresses
        home = [] if hides_proof(scenario, call, error) else scenario.home
        assert not home or expected == home, f"answered {expected}"
        assert node.addresses_of(TARGET) == sorted(expected), f"answered {expected}: {node.attachments()}"
        assert node.add(TARGET, POD) == expected, "another answer at the second time"
    else:
        assert alive(node.attachments()) == alive(attachments), f"left behind: {node.attachments()}, before: {attachments}"
        now = {} if scenario.learns and not bindings else node.bindings()
        assert now == bindings, f"bindings {node.bindings()}, before: {bindings}"
    node.delete(TARGET, POD)
    come_back(node, expected)
    return outcome


def failing_del(node, scenario, call, error):
    """Either the addresses are released, or the runtime is told to come again, and then they are."""
    outcome = fail_once(node, scenario, call, error)
    if outcome.exit == 0:
        node.delete("c-unknown")
        assert not node.addresses_of(TARGET), f"said to be released: {node.attachments()}"
    node.delete(TARGET, POD)
    assert not node.addresses_of(TARGET), f"DEL left {node.attachments()}"
    come_back(node, scenario.home)
    return outcome


def every_fault(scenario):
    """Raises one error that lists all faults that were not handled."""
    attempt = failing_add if scenario.command == "ADD" else failing_del
    broken, survived = [], 0
    places = faults(scenario)
    for call, error in places:
        try:
            with Stage(scenario) as node:
                bystanders = neighbours(node.attachments())
                survived += attempt(node, scenario, call, error).exit == 0
                assert neighbours(node.attachments()) == bystanders, "a neighbour lost its address"
                host_local_empties(node)
        except (AssertionError, ValueError, KeyError) as problem:
            broken.append(f"{call.name} number {call.occurrence} ({call.args[:120]}) {error}: {problem!r}")
    print(f"# {scenario.sentence}: {len(places)} faults, {survived} survived, {len(broken)} broken")
    assert not broken, "\n".join(broken)


def tests():
    for scenario in SCENARIOS:
        sentence = f"{scenario.sentence} with any one failing system call succeeds rightly or fails without a trace"
        yield sentence, every_fault, scenario


if __name__ == "__main__":
    tap.main("error", tests, sandbox.enter, fake_boots, lambda: require(BINARY))
