"""What goes wrong under Flannel: a DEL of ours that fails or cannot write, a killed ADD, a plugin that is missing."""
import contextlib
import os
import signal
import subprocess

from flannel_chain import child_named, let_clock_pass
from flannel_node import FIRST, OTHER
from race import lock_held, waiting_for_lock, wait_until

RUN = "/run/delegated-ipam"


@contextlib.contextmanager
def mounted(path, options):
    """An empty tmpfs at path for a with block. options: of mount(8)."""
    os.makedirs(path, exist_ok=True)
    mount(f"-t tmpfs -o {options} tmpfs {path}")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@contextlib.contextmanager
def read_only(path):
    """The file system mounted at path is read-only for a with block."""
    mount(f"-o remount,ro {path}")
    try:
        yield
    finally:
        mount(f"-o remount,rw {path}")


def mount(arguments):
    subprocess.run(["mount", *arguments.split()], check=True)


def failing_del(at):
    """A DEL of ours that fails is asked for again by this Flannel, and then releases."""
    with at() as node, mounted(node.node.data_dir, "size=1m"):
        made, got = node.up()
        fail_del(node, made)
        node.node.assert_in_use({made.container_id: got})
        assert made.container_id in node.noted()
        node.must("DEL", made)
        assert node.noted() == {}
        node.check_free(got)


def fail_del(node, made):
    """One DEL that we cannot even note for later."""
    with read_only(node.node.data_dir), mounted(RUN, "ro"):
        error = node.refused("DEL", made)
    assert "Read-only file system" in error, error
    assert made.links() == {}


def failing_del_once(after, at):
    """Newer Flannels do not ask twice: the lease stays, and the pod gets its address back when its old sandbox is
    provably gone. after: what makes it so.
    """
    with at() as node, mounted(node.node.data_dir, "size=1m"):
        made, got = node.up()
        fail_del(node, made)
        node.drop_note(made)
        node.must("DEL", made)
        node.node.assert_in_use({made.container_id: got})
        stranger, other = node.up("default/stranger")
        assert other != got
        after(node, made)
        again, address = node.up()
        assert address == got
        assert node.node.addresses_of(made.container_id) == []
        assert node.node.addresses_of(again.container_id) == got


def failing_del_netns(at):
    failing_del_once(lambda node, made: node.lose(made), at)


def failing_del_reboot(at):
    failing_del_once(lambda node, made: node.reboot(FIRST), at)


def read_only_disk(at):
    """Flannel's one DEL on a read-only disk is a success, and the next command that can write does it."""
    with at() as node, mounted(node.node.data_dir, "size=1m"):
        made, got = node.up()
        with read_only(node.node.data_dir):
            node.must("DEL", made)
        node.node.assert_in_use({made.container_id: got})
        assert node.noted() == {} and node.node.pending() == [(made.container_id, "eth0")]
        _, other = node.up("default/stranger")
        assert other != got and node.node.addresses_of(made.container_id) == []
        assert node.up()[1] == got


def bridge_fails(at):
    """bridge fails after we answered: its DEL frees the address, Flannel's DEL finds nothing, and the pod gets it."""
    with at() as node:
        made, got = node.up()
        node.must("DEL", made)
        node.lease(OTHER)
        refused = node.sandbox()
        assert "already has an IP address different from" in node.refused("ADD", refused)
        assert node.called()[-2:] == [("ADD", refused.container_id), ("DEL", refused.container_id)]
        node.must("DEL", refused)
        node.node.assert_in_use({})
        node.lease(FIRST)
        assert node.up()[1] == got


def first_refused(at):
    """The node's first ADD after a boot fails in the address plugin. Its DEL leaves a bridge without ports, at which a
    bridge plugin before 1.10 fails once more, whoever gives the addresses. The pod has its address once it comes up.
    """
    failures = {}
    for kind in ("host-local", "delegated-ipam"):
        with at(type=kind) as node:
            _, got = node.up()
            node.reboot(FIRST)
            data_dir = node.node.conf()["ipam"]["dataDir"]
            node.configure_ipam(dataDir="/proc/none")
            failures[kind] = [mac_failure(node)]
            node.configure_ipam(dataDir=data_dir)
            while len(failures[kind]) < 4 and failures[kind][-1] is not None:
                failures[kind].append(mac_failure(node))
            assert failures[kind][-1] is None, failures
            assert kind == "host-local" or list(node.node.attachments()) == got, node.node.attachments()
    assert failures["host-local"] == failures["delegated-ipam"], failures


def mac_failure(node):
    """One ADD of the pod, and its DEL if it fails. Returns None when it is up, else if bridge named its MAC."""
    made = node.sandbox()
    done = node.call("ADD", made)
    if done.exit == 0:
        return None
    node.call("DEL", made)
    return "set bridge's mac" in done.stderr


def killed(at):
    """The runtime kills cnitool and Flannel while we wait for the lock, and sends DEL: nothing of the orphan stays."""
    with at() as node:
        old, got = node.up()
        node.must("DEL", old)
        made = node.sandbox()
        with lock_held(node.node):
            adding = node.start("ADD", made)
            wait_until(lambda: waiting_for_lock(node.node), "the ADD does not come to the lock")
            flannel = child_named("flannel", adding.pid)
            let_clock_pass(flannel)
            bridge = child_named("bridge", flannel)
            orphan = child_named("delegated-ipam", bridge)
            adding.kill()
            os.kill(flannel, signal.SIGKILL)
            deleting = node.start("DEL", made)
            wait_until(lambda: waiting_for_lock(node.node) - {orphan}, "the DEL does not come to the lock")
        assert deleting.finish().exit == 0
        wait_until(lambda: not os.path.exists(f"/proc/{orphan}"), "the orphaned ADD does not end")
        wait_until(lambda: not os.path.exists(f"/proc/{bridge}"), "the orphaned bridge does not end")
        assert node.noted() == {}
        node.check_free(got)


def plugin_missing(at):
    """While our binary is missing nothing is lost: DEL fails, is asked for again, and the address is kept."""
    with at() as node:
        made, got = node.up()
        path = f"{node.path}/delegated-ipam"
        os.rename(path, f"{path}.away")
        assert 'failed to find plugin "delegated-ipam"' in node.refused("DEL", made)
        assert 'failed to find plugin "delegated-ipam"' in node.refused("ADD", node.sandbox())
        os.rename(f"{path}.away", path)
        node.must("DEL", made)
        node.check_free(got)


CASES = [
    ("a DEL of ours that fails is asked for again, and releases", failing_del),
    ("a DEL that failed and is never repeated: the address comes back after a reboot", failing_del_reboot),
    ("the only DEL meets a read-only disk: it succeeds, and is done when the disk can be written", read_only_disk),
    ("bridge fails after our answer: nothing is left, and the retry gets the pod's address", bridge_fails),
    ("the first ADD after a boot fails: bridge fails as with host-local, and the address is kept", first_refused),
    ("Flannel is killed, its orphaned ADD meets the DEL: nothing is left", killed),
    ("our binary is missing for a while: the address is kept", plugin_missing),
]
