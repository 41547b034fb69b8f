"""What container runtimes and kubelets really call, recorded on a node, as tables for replay.Replay.

One row is one call or one event. "a", "b" ... stand for the addresses of a pod, one a family: the first Add that
names a letter fills it in, each later one must get the same again, and no two letters share an address.
"""
from dataclasses import dataclass, field

WEB, DB, API, OTHER, NEW = (f"default/{name}" for name in ("web-0", "db-0", "api-0", "other", "new"))


@dataclass(frozen=True)
class Add:
    """ADD of a new sandbox in a live namespace of its own; `gets` is the letter of its addresses.

    fails: "" or why it fails: "configuration" before anything is chosen, "answer" when the answer cannot be written.
    cached: False when the runtime died before it could note the answer.
    """

    sandbox: str
    pod: str
    gets: str = ""
    uid: str = "u1"
    fails: str = ""
    cached: bool = True


@dataclass(frozen=True)
class Del:
    """DEL of a sandbox by the pod and UID of its Add.

    netns: the CNI_NETNS that it names: "" none, "live" the sandbox's own, "stale" its path that is gone.
    prev: with the prevResult that the runtime keeps until the first DEL has succeeded.
    """

    sandbox: str
    netns: str = ""
    prev: bool = False
    fails: bool = False


class Together(tuple):
    """Calls that run at the same time."""


@dataclass(frozen=True)
class Event:
    """Something that happens to the node: the name of a method of replay.Replay, and the sandbox that it hits."""

    name: str
    sandbox: str = ""


@dataclass(frozen=True)
class Table:
    """Rows, and what holds after them: sandbox -> letter in use, pod -> letter held. Every other address is free."""

    name: str
    rows: list
    in_use: dict = field(default_factory=dict)
    held: dict = field(default_factory=dict)


REBOOT = Event("reboot")
NODE_CONTAINER_RESTARTS = Event("restart_with_fresh_run")
CACHE_IS_LOST = Event("lose_result_cache")
DELS_FAIL = Event("freeze_network_folder")
DELS_WORK = Event("thaw_network_folder")


def process_ends(sandbox):
    return Event("end_process", sandbox)


RUNTIME = [
    Table("containerd runs, stops and removes a sandbox: DEL, and DEL again without a namespace",
          [Add("c1", WEB, "a"), Del("c1", "live", prev=True), Del("c1"), Add("o1", OTHER, "b"), Add("c2", WEB, "a")],
          {"c2": "a", "o1": "b"}),
    Table("a sandbox's process is killed: DEL in the namespace that is still there",
          [Add("c1", WEB, "a"), process_ends("c1"), Del("c1", "live", prev=True), Del("c1"), Add("c2", WEB, "a")],
          {"c2": "a"}),
    Table("a reboot with containerd: DEL without a namespace, with the old result, then once more without",
          [Add("c1", WEB, "a"), REBOOT, Del("c1", prev=True), Del("c1"), Add("o1", OTHER, "b"), Add("c2", WEB, "a")],
          {"c2": "a", "o1": "b"}),
    Table("an ADD fails for its configuration: one DEL at once, nothing is left",
          [Add("c1", WEB, fails="configuration"), Del("c1", "live")]),
    Table("an ADD fails at its answer: one DEL at once, nothing is left",
          [Add("c1", WEB, fails="answer"), Del("c1", "live")]),
    Table("a DEL fails: the runtime repeats the same call until it succeeds",
          [Add("c1", WEB, "a"), DELS_FAIL, Del("c1", "live", prev=True, fails=True),
           Del("c1", "live", prev=True, fails=True), DELS_WORK, Del("c1", "live", prev=True)],
          held={WEB: "a"}),
    Table("containerd is killed before the ADD's answer: its DELs have no result, and free the address",
          [Add("c1", WEB, "a", cached=False), Del("c1", "live"), Del("c1"), Add("o1", OTHER, "b"),
           Add("c2", WEB, "a")],
          {"c2": "a", "o1": "b"}),
    Table("containerd is killed before the ADD's answer and the node reboots: some versions never send a DEL",
          [Add("c1", WEB, "a", cached=False), REBOOT, Add("o1", OTHER, "b"), Add("c2", WEB, "a")],
          {"c2": "a", "o1": "b"}),
]

KUBELET = [
    Table("K1: the kubelet is killed and restarted: no calls, and later DELs as usual",
          [Add("c1", WEB, "a"), Del("c1", "live", prev=True), Del("c1"), Add("c2", WEB, "a")], {"c2": "a"}),
    Table("K2: a sandbox's process is killed, and DELs of an older sandbox come before and after the new ADD",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), REBOOT, Del("c1", prev=True), Del("d1", prev=True),
           Add("c2", WEB, "a"), Add("d2", DB, "b"), process_ends("c2"),
           Del("c2", "live", prev=True), Del("c1"), Add("c3", WEB, "a"), Del("c1"), Del("c1")],
          {"c3": "a", "d2": "b"}),
    Table("K3: DELs fail after a reboot: the pods stay down until they succeed",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), REBOOT, DELS_FAIL,
           Del("c1", prev=True, fails=True), Del("d1", prev=True, fails=True), Del("c1", prev=True, fails=True),
           Del("c1", prev=True, fails=True), Del("d1", prev=True, fails=True), DELS_WORK,
           Del("d1", prev=True), Add("d2", DB, "b"), Del("c1", prev=True), Add("c2", WEB, "a")],
          {"c2": "a", "d2": "b"}),
    Table("K4: a manifest is removed while the kubelet is down: its pod's DELs come a minute later",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), REBOOT, Del("d1", prev=True), Add("d2", DB, "b"),
           Add("n1", NEW, "c"), Del("c1", prev=True), Del("c1")],
          {"d2": "b", "n1": "c"}, {WEB: "a"}),
    Table("K5: the runtime's own store is lost in a reboot: no DEL comes, every pod takes over its old address",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), Add("e1", API, "c"), REBOOT,
           Add("n1", NEW, "d"), Add("e2", API, "c"), Add("c2", WEB, "a"), Add("d2", DB, "b")],
          {"c2": "a", "d2": "b", "e2": "c", "n1": "d"}),
    Table("K6: the result cache is lost: DEL without namespace and result",
          [Add("c1", WEB, "a"), REBOOT, CACHE_IS_LOST, Del("c1"), Add("o1", OTHER, "b"), Add("c2", WEB, "a")],
          {"c2": "a", "o1": "b"}),
]

CLUSTER = [
    Table("C1: a StatefulSet's pod is deleted: five DELs, two of them at once, then its successor",
          [Add("c1", WEB, "a"), Add("o1", OTHER, "b"), Del("c1", "live", prev=True), Del("c1"),
           Together((Del("c1"), Del("c1"))), Del("c1"), Add("n1", NEW, "c"), Add("c2", WEB, "a", uid="u2")],
          {"c2": "a", "o1": "b", "n1": "c"}),
    Table("C3: a forced deletion: the successor's ADD comes before the DELs of the pod that still runs",
          [Add("c1", WEB, "a"), Add("c2", WEB, "b", uid="u2"), Del("c1", "live", prev=True), Del("c1", "stale")],
          {"c2": "b"}),
    Table("C4: a forced deletion while the node is down: the successor is up long before the old pod's DEL",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), REBOOT, Add("c2", WEB, "a", uid="u2"), Del("d1", prev=True),
           Add("d2", DB, "b"), Add("n1", NEW, "c"), Del("c1", prev=True), Del("c1")],
          {"c2": "a", "d2": "b", "n1": "c"}),
    Table("C5: DELs fail after a reboot of a cluster's node: they are repeated, and heal by themselves",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), REBOOT, DELS_FAIL,
           Together((Del("c1", prev=True, fails=True), Del("d1", prev=True, fails=True))),
           Together((Del("c1", prev=True, fails=True), Del("d1", prev=True, fails=True))), DELS_WORK,
           Together((Del("c1", prev=True), Del("d1", prev=True))), Together((Add("d2", DB, "b"), Add("c2", WEB, "a")))],
          {"c2": "a", "d2": "b"}),
    Table("C6: a rollout of a pod that had three sandboxes: sixteen DELs after the new pod's ADD",
          [Add("c1", WEB, "a"), process_ends("c1"), Del("c1", "live", prev=True), Add("c2", WEB, "a"),
           process_ends("c2"), Del("c2", "live", prev=True), Del("c1"), Add("c3", WEB, "a"),
           Add("n1", NEW, "b", uid="u2"),
           Del("c3", "live", prev=True), Together((Del("c1"), Del("c2"))), Del("c3"),
           *[Together((Del("c1"), Del("c2"), Del("c3")))] * 4],
          {"n1": "b"}, {WEB: "a"}),
    Table("C8: an ADD fails: its DEL, then ADD of another sandbox",
          [Add("c1", WEB, "a"), Del("c1", "live", prev=True), Add("c2", WEB, fails="configuration"),
           Del("c2", "live"), Add("c3", WEB, fails="answer"), Del("c3", "live"), Add("o1", OTHER, "b"),
           Add("c4", WEB, "a")],
          {"c4": "a", "o1": "b"}),
    Table("C10: the runtime is killed and restarted under running pods: no calls, and a reboot as usual",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), REBOOT, Del("c1", prev=True), Del("d1", prev=True),
           Add("d2", DB, "b"), Add("c2", WEB, "a")],
          {"c2": "a", "d2": "b"}),
    Table("C11: the runtime's store and the result cache are lost: no DEL comes, new UIDs and old names do",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), REBOOT, CACHE_IS_LOST,
           Together((Add("d2", DB, "b", uid="u2"), Add("c2", WEB, "a", uid="u2")))],
          {"c2": "a", "d2": "b"}),
    Table("a restarted node container: same boot, fresh /run, no DEL: every pod takes over its old address",
          [Add("c1", WEB, "a"), Add("d1", DB, "b"), Add("e1", API, "c"), NODE_CONTAINER_RESTARTS,
           Add("n1", NEW, "d"), Add("e2", API, "c"), Add("c2", WEB, "a"), Add("d2", DB, "b"),
           Del("c1", prev=True), Del("d1")],
          {"c2": "a", "d2": "b", "e2": "c", "n1": "d"}),
]


def stateful_set(size, batch):
    """A reboot of a node with a parallel StatefulSet: per pod DEL before ADD, across pods all at once."""
    pods = range(size)
    rows = [Together(Add(f"c{n}", f"default/web-{n}", f"a{n}") for n in pods[at:at + batch])
            for at in range(0, size, batch)]
    rows.append(REBOOT)
    for at in range(0, size + batch, batch):
        deleted = [Del(f"c{n}", prev=True) for n in pods[at:at + batch]]
        back = [Add(f"d{n}", f"default/web-{n}", f"a{n}") for n in pods[max(at - batch, 0):at]]
        rows.append(Together(deleted + back))
    rows += [Del("c0"), Del("c1")]
    return Table(f"a reboot with a StatefulSet of {size}: DELs and ADDs of all pods interleave",
                 rows, {f"d{n}": f"a{n}" for n in pods})


TABLES = [*RUNTIME, *KUBELET, *CLUSTER, stateful_set(30, 6)]
