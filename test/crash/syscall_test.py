#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Counts and orders the system calls of single commands: how few, what is flushed and when, what is written where."""
import os
import re
import tempfile

import sandbox
import tap
import trace
from node import Node, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

BUDGET = 60
OF_DEL, OF_UNKNOWN_DEL = 50, 39
OF_FIRST_DEL = 55  # the counter of releases and the folder of tombstones are made
FIRST_OF_BOOT = 85  # the boot scan, and folders that are not there yet, come on top
# What a process calls that is not its work on the folders: how often at most, and why.
PROCESS = {
    "execve": (1, "the start"),
    "brk": (5, "C and C++ library: the first thread's block, then the heap with what exceptions keep in reserve"),
    "arch_prctl": (1, "C library: the thread's register"),
    "set_tid_address": (1, "C library: threads"),
    "set_robust_list": (1, "C library: threads"),
    "rseq": (1, "C library: threads"),
    "prlimit64": (1, "C library: how large the stack may grow"),
    "readlink": (1, "C library: where the program lies, for what it might load"),
    "getrandom": (1, "C library: malloc's tag"),
    "mprotect": (1, "what is relocated becomes read-only (RELRO)"),
    "futex": (0, "C++ library: nobody makes its streams and locales"),
    "poll": (2, "the first three descriptors are open, and whether stdin is written; if it was not, waiting for it"),
    "rt_sigaction": (1, "a reader of the answer that went away is an error, no signal"),
    "umask": (1, "folders and files have the modes that we say"),
    "exit_group": (1, "the end"),
}
RANGES = [[{"subnet": "10.9.0.0/24"}]]
RUN_FOLDER = "/run/delegated-ipam"
POD = "shop/web-0"

CHANGES = ("linkat", "symlinkat", "renameat", "renameat2", "unlinkat", "mkdirat", "rename", "link", "symlink", "unlink",
           "mkdir", "rmdir", "truncate", "chmod", "fchmodat", "mknod", "mknodat", "creat", "utimensat")
BY_DESCRIPTOR = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fsetxattr", "fchmod", "fallocate")
OPENS = ("open", "openat", "openat2")


class Traced:
    """One command under strace that must succeed, in order of calls."""

    def __init__(self, node, command, container_id, pod=POD, **more):
        outcome, self.calls, self.text = trace.run(node.binary, *node.request(command, container_id, pod, **more))
        assert outcome.exit == 0, f"{command}: {outcome}"
        self.node = node
        self.addresses = outcome.addresses

    def places(self, name, pattern=""):
        """Positions of the calls of that name whose text matches the regular expression."""
        return [place for place, call in enumerate(self.calls)
                if call.name == name and re.search(pattern, f"{call.args} = {call.result}")]

    def only(self, name, pattern=""):
        """Position of the one call of that name whose text matches."""
        found = self.places(name, pattern)
        assert len(found) == 1, f"{len(found)} calls {name} {pattern}, expected one\n{self.text}"
        return found[0]

    def flushed(self):
        """The paths of all fsync and fdatasync calls, in order."""
        return [call.path_of_fd for call in self.calls if call.name in ("fsync", "fdatasync", "syncfs", "sync")]

    def record_folder(self):
        """Where the records of this network live."""
        folders = {os.path.dirname(os.path.join(self.node.state_dir, path)) for path in self.node.records()}
        assert len(folders) == 1, f"records in {folders}"
        return folders.pop()


def on_disk(folder):
    """A node in a folder of a real disk."""
    return Node(tempfile.mkdtemp(dir=folder), RANGES)


def with_neighbour(folder):
    """A node on which another pod runs already, so that this boot has begun."""
    node = on_disk(folder)
    node.add("c-neighbour", "shop/neighbour")
    return node


def empty(folder):
    """A node whose network folder exists and is empty."""
    node = on_disk(folder)
    os.makedirs(node.network_dir)
    return node


def budget(folder):
    """The network folder exists and is empty; this is the first ADD of the boot."""
    node = empty(folder)
    traced = Traced(node, "ADD", "c-1")
    count = len(traced.calls)
    print(f"# ADD on an empty directory: {count} system calls, {len(traced.flushed())} flushes")
    later = Traced(node, "ADD", "c-2", "shop/web-1")
    first_released = Traced(node, "DEL", "c-2", "shop/web-1")
    node.add("c-3", "shop/web-1")
    released = Traced(node, "DEL", "c-3", "shop/web-1")
    print(f"# the next ADD: {len(later.calls)}, the first DEL: {len(first_released.calls)}, the next: {len(released.calls)}")
    print_host_local(folder)
    assert count <= FIRST_OF_BOOT, traced.text
    assert len(later.calls) <= BUDGET, later.text
    assert len(first_released.calls) <= OF_FIRST_DEL, first_released.text
    assert len(released.calls) <= OF_DEL, released.text


def process(folder):
    """Nothing but what the table has, and that at most so often."""
    node = with_neighbour(folder)
    for command, container_id in (("ADD", "c-1"), ("DEL", "c-1"), ("DEL", "c-unknown")):
        traced = Traced(node, command, container_id)
        counts = {name: len(traced.places(name)) for name in PROCESS}
        of_stdio = len(traced.places("read", r"^0<")) + len(traced.places("write", r"^1<"))
        print(f"# {command} {container_id}: {sum(counts.values())} system calls to start and end, "
              f"{of_stdio} for stdin and stdout, {len(traced.calls) - sum(counts.values()) - of_stdio} on folders")
        for name, (most, why) in PROCESS.items():
            assert counts[name] <= most, f"{command}: {counts[name]} calls {name} ({why})\n{traced.text}"
        assert of_stdio == (2 if command == "ADD" else 1), traced.text
    for name, (most, why) in PROCESS.items():
        print(f"#   {most} {name}: {why}")


def print_host_local(folder):
    """The same two commands by stock host-local, to compare with."""
    if os.access(HOST_LOCAL, os.X_OK):
        node = empty(folder)
        node.binary = HOST_LOCAL
        counts = [len(Traced(node, command, "c-1").calls) for command in ("ADD", "DEL")]
        print(f"# stock host-local: ADD {counts[0]}, DEL {counts[1]} system calls, no flush")


def later_add_flushes(folder):
    """Exactly the file, the network folder and the record folder."""
    traced = Traced(with_neighbour(folder), "ADD", "c-1")
    flushed = traced.flushed()
    assert len(flushed) == 3, flushed
    assert_file_flushed(traced, flushed[0])
    assert sorted(flushed[1:]) == sorted([traced.node.network_dir, traced.record_folder()]), flushed


def assert_file_flushed(traced, path):
    """strace shows the inode by one of its names, or as unnamed."""
    linked = os.path.join(traced.node.network_dir, traced.addresses[0])
    assert path == linked or path.startswith(os.path.join(traced.node.network_dir, "#")), path


def first_add_flushes(folder):
    """As every ADD, and the folders above, down to the one that was there before."""
    node = on_disk(folder)
    traced = Traced(node, "ADD", "c-1")
    flushed = traced.flushed()
    records = traced.record_folder()
    for path in (node.network_dir, node.data_dir, node.home, records, os.path.dirname(records)):
        assert path in flushed, f"{path} is not flushed: {flushed}"
    assert len(flushed) == len(set(flushed)), f"flushed twice: {flushed}"


def first_of_boot_flushes(folder):
    """Nothing is made anew, but who made the folders may have died before its flush."""
    node = with_neighbour(folder)
    new_boot()
    traced = Traced(node, "ADD", "c-1")
    records = traced.record_folder()
    for path in (node.network_dir, node.data_dir, records, os.path.dirname(records)):
        assert path in traced.flushed(), f"{path} is not flushed: {traced.flushed()}"


def flushes_between(folder):
    """Nobody waits for this disk: the lock is given back first. Nobody hears of it before it is safe."""
    for node in (empty(folder), with_neighbour(folder)):
        traced = Traced(node, "ADD", "c-1")
        unlock, answer = last_unlock(traced), traced.only("write", r"^1<")
        assert traced.places("fsync"), "no flush at all"
        for place in traced.places("fsync"):
            assert unlock < place < answer, f"unlock {unlock}, fsync {place}, answer {answer}\n{traced.text}"


def last_unlock(traced):
    """Where the network's lock is closed, which frees it."""
    return traced.places("close", r"/lock>")[-1]


def order_of_add(folder):
    """Content and stamp before the name, name before records, then the cursor, then the lock is given back."""
    traced = Traced(with_neighbour(folder), "ADD", "c-1")
    content = traced.only("write", r'"c-1\\r\\neth0", 9')
    stamp = traced.only("fsetxattr", r'"user\.delegated-ipam"')
    name = traced.only("linkat", re.escape(f'"{traced.addresses[0]}"'))
    records = traced.places("symlinkat") + traced.places("renameat") + traced.places("renameat2")
    records = [place for place in records if traced.node.state_dir in traced.calls[place].args]
    cursor = [place for kind in ("write", "pwrite64") for place in traced.places(kind, "last_reserved_ip.0")]
    lock = traced.only("flock", "/lock>, LOCK_EX")
    assert records and len(cursor) == 1, traced.text
    order = [lock, content, stamp, name, min(records), max(records), cursor[0], last_unlock(traced)]
    assert order == sorted(order), f"{order}\n{traced.text}"


def nothing_elsewhere(folder):
    """Whatever is opened for writing, made, renamed or removed lies in one of the three folders."""
    for command, prepare in (("ADD", on_disk), ("ADD", with_neighbour), ("DEL", with_neighbour)):
        node = prepare(folder)
        if command == "DEL":
            node.add("c-1", POD)
        traced = Traced(node, command, "c-1")
        allowed = (node.data_dir, node.state_dir, RUN_FOLDER)
        written = [path for call in traced.calls if call.ok for path in written_paths(call, node)]
        assert written, "nothing was written at all"
        strays = [path for path in written if not path.startswith(allowed)]
        assert not strays, f"{command} wrote to {strays}"


def written_paths(call, node):
    """The paths that this call changes, absolute; the folders above dataDir and stateDir may be made."""
    if call.name in BY_DESCRIPTOR:
        path = call.path_of_fd
        return [] if path.startswith("pipe:") or not path.startswith("/") else [path]
    if call.name in OPENS and re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE", call.args):
        return [target_of(call.args)]
    if call.name in CHANGES:
        target = target_of(call.args)
        above = call.name in ("mkdir", "mkdirat") and f"{node.data_dir}/".startswith(target)
        return [] if above else [target]
    return []


def target_of(arguments):
    """The last path of a call's arguments, made absolute by the folder descriptor before it; else the descriptor's."""
    named = re.findall(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"', arguments)
    folder, path = named[-1] if named else (re.match(r"\d+<([^>]*)>", arguments).group(1), "")
    return os.path.normpath(os.path.join(folder, path))


def close_on_exec(folder):
    """No child of ours may ever hold our lock or our folders."""
    node = with_neighbour(folder)
    for command in ("ADD", "CHECK", "DEL"):
        traced = Traced(node, command, "c-1")
        opens = [call for call in traced.calls if call.name in OPENS]
        assert opens, "nothing was opened"
        kept_open = [call for call in opens if "O_CLOEXEC" not in call.args]
        assert not kept_open, f"{command}: {kept_open}"


def repeated_add_flushes(folder):
    """The first one may have died between its unlock and its flush."""
    node = with_neighbour(folder)
    first = node.add("c-1", POD)
    traced = Traced(node, "ADD", "c-1")
    assert traced.addresses == first
    flushed = traced.flushed()
    assert_file_flushed(traced, flushed[0])
    assert node.network_dir in flushed and traced.record_folder() in flushed, flushed


def unknown_del_is_cheap(folder):
    node = with_neighbour(folder)
    traced = Traced(node, "DEL", "c-unknown")
    print(f"# DEL of an unknown attachment: {len(traced.calls)} system calls")
    assert len(traced.calls) <= OF_UNKNOWN_DEL, traced.text
    assert traced.flushed() == []


def del_flushes(folder):
    node = with_neighbour(folder)
    node.add("c-1", POD)
    traced = Traced(node, "DEL", "c-1")
    assert sorted(traced.flushed()) == sorted([node.network_dir, traced.record_folder()]), traced.flushed()
    unlock = last_unlock(traced)
    assert all(place > unlock for place in traced.places("fsync")), traced.text


def no_flush_on_request(folder):
    """For tests and tmpfs only."""
    node = with_neighbour(folder)
    assert Traced(node, "ADD", "c-1", durability="none").flushed() == []
    assert Traced(node, "DEL", "c-1", durability="none").flushed() == []


def retention_off(folder):
    """Stock behaviour keeps no records; the address itself is still durable."""
    node = on_disk(folder)
    node.ipam["retain"] = False
    node.add("c-neighbour", "shop/neighbour")
    flushed = Traced(node, "ADD", "c-1").flushed()
    assert node.network_dir in flushed, flushed
    assert node.records() == {}


TESTS = [
    (f"an ADD takes at most {BUDGET} system calls, the first one of a boot {FIRST_OF_BOOT}, a DEL {OF_DEL}", budget),
    ("a process calls nothing around its work that has no reason", process),
    ("an ADD flushes the IP file, the network folder and the record folder, each once", later_add_flushes),
    ("the first ADD of a network flushes the folders above as well", first_add_flushes),
    ("the first ADD of a boot flushes the parent folders although they exist", first_of_boot_flushes),
    ("every flush is after the lock is given back and before the answer", flushes_between),
    ("an ADD goes content, stamp, name, records, cursor, unlock", order_of_add),
    ("nothing is written outside dataDir, stateDir and the run folder", nothing_elsewhere),
    ("every descriptor is closed on exec", close_on_exec),
    ("a repeated ADD flushes although it may have written nothing", repeated_add_flushes),
    (f"a DEL of an unknown attachment takes at most {OF_UNKNOWN_DEL} system calls and flushes nothing", unknown_del_is_cheap),
    ("a DEL flushes the network folder and the record folder after the unlock", del_flushes),
    ('"durability": "none" flushes nothing', no_flush_on_request),
    ('"retain": false keeps no record and is durable all the same', retention_off),
]


def tests():
    with tempfile.TemporaryDirectory(prefix="syscall.") as folder:
        for sentence, test in TESTS:
            yield sentence, test, folder


if __name__ == "__main__":
    tap.main("syscall", tests, sandbox.enter, fake_boots, lambda: require(BINARY))
