"""`retain.exclude` and `retain: false`: which pods leave nothing behind."""
import json
import os

import result_cache
from conf_node import ALL, OTHER, POD, SMALL, ConfNode
from kubelet import Pod
from node import new_boot

BATCH = {"exclude": ["batch/*"]}
GONE = "/var/run/netns/gone"

# globs, pod, whether its address is held
GLOBS = [
    (["batch/*"], "batch/job-1", False),
    (["batch/*"], "batch/x", False),
    (["batch/*"], "batch-2/job-1", True),
    (["batch/*"], "my-batch/job-1", True),
    (["batch/*"], "shop/batch", True),
    (["*/debug-?"], "shop/debug-1", False),
    (["*/debug-?"], "batch/debug-x", False),
    (["*/debug-?"], "shop/debug-", True),
    (["*/debug-?"], "shop/debug-12", True),
    (["*/debug-?"], "shop/my-debug-1", True),
    (["Batch/*"], "batch/job-1", True),
    (["batch/*"], "BATCH/job-1", True),
    (["shop/web-0"], "shop/web-0", False),
    (["shop/web-0"], "shop/web-01", True),
    (["shop/web.0"], "shop/web-0", True),
    (["ci-*/*-runner"], "ci-7/linux-runner", False),
    (["ci-*/*-runner"], "ci-7/linux-runner-2", True),
    (["shop/web-[0-4]"], "shop/web-3", False),
    (["shop/web-[0-4]"], "shop/web-7", True),
    (["*/*"], "shop/web-0", False),
    (["batch/*", "*/debug-?"], "shop/debug-1", False),
    (["batch/*", "*/debug-?"], "shop/web-0", True),
    ([], "shop/web-0", True),
]


def globs():
    for number, (patterns, pod, is_held) in enumerate(GLOBS):
        node = ConfNode(SMALL, retain={"exclude": patterns})
        home = node.restart(f"c-{number}", pod)
        assert (home[0] in node.bindings()) == is_held, f"{patterns} on {pod}: {node.bindings()}"


def star_and_slash():
    """A star ends at the slash: names with a slash are not what the glob means."""
    node = ConfNode(SMALL, retain={"exclude": ["a/*"]})
    node.restart("c-1", args="K8S_POD_NAMESPACE=a/b;K8S_POD_NAME=c;IgnoreUnknown=1")
    assert node.owners() == {"a/b/c"}, node.bindings()


def held_address_ends_at_add():
    """The operator excludes a pod that has an address already: at its next start nothing is kept any more."""
    node = ConfNode(SMALL)
    home = node.restart("c-1", "batch/job-1")
    node.restart("c-2", OTHER)
    node.add("c-3", "batch/job-1", retain=BATCH)
    assert node.owners() == {OTHER}, node.bindings()
    assert home[0] in node.lap(retain=BATCH), "the address that it had is not handed out"


def held_address_ends_at_del():
    """The same while it runs: its DEL forgets it."""
    node = ConfNode(SMALL)
    node.add("c-1", "batch/job-1")
    node.delete("c-1", "batch/job-1", retain=BATCH)
    assert node.records_of_pods() == [], node.records()


def ends_on_every_address():
    """Also the addresses that it has elsewhere, in ranges of another day."""
    node = ConfNode(SMALL)
    node.restart("c-1", "batch/job-1")
    node.restart("c-2", "batch/job-1", ranges=[[{"subnet": "10.8.0.0/28"}]])
    assert len(node.bindings()) == 2, node.bindings()
    node.add("c-3", "batch/job-1", retain=BATCH)
    assert node.bindings() == {}, node.bindings()


def pins_apply():
    """An excluded pod has its pin all the same, and nobody else gets it."""
    node = ConfNode(SMALL, retain=BATCH, pins={"batch/job-1": ["10.9.0.9"]})
    for number in range(3):
        assert node.restart(f"c-{number}", "batch/job-1") == ["10.9.0.9"]
    assert node.bindings() == {}, node.bindings()
    assert "10.9.0.9" not in node.lap()


def held_again():
    """Without the glob the pod's next address is kept again."""
    node = ConfNode(SMALL, retain=BATCH)
    node.restart("c-1", "batch/job-1")
    home = node.restart("c-2", "batch/job-1", retain=True)
    node.restart("c-3", OTHER)
    assert node.add("c-4", "batch/job-1", retain=True) == home


def excluded_pods_come_and_go():
    """Names that never come back take no address from those that do."""
    node = ConfNode(SMALL, retain=BATCH)
    home = node.restart("c-web")
    for number in range(3 * len(ALL)):
        assert node.restart(f"c-{number}", f"batch/job-{number}") != home
    assert node.add("c-web-2", POD) == home
    assert node.owners() == {POD}


def excluded_in_the_cache():
    """After a reboot the runtime's cache still names pods: it is no reason to hold an excluded one."""
    node = ConfNode(SMALL, retain=BATCH)
    address, = node.add("c-job", "batch/job-1")
    os.unlink(os.path.join(node.network_dir, address))
    new_boot()
    with CacheEntry(node, "c-job", "batch/job-1", [address]):
        node.add("c-web", POD)
    assert node.owners() == {POD}, f"held: {node.bindings()}"


def excluded_in_the_cache_and_in_use():
    """Nor one whose file is still there: a GC must leave nothing held."""
    node = ConfNode(SMALL, retain=BATCH)
    addresses = node.add("c-job", "batch/job-1")
    new_boot()
    with CacheEntry(node, "c-job", "batch/job-1", addresses):
        node.add("c-web", POD)
    node.collect([("c-web", "eth0")])
    assert node.addresses_of("c-job") == []
    assert node.owners() == {POD}, f"held: {node.bindings()}"


class CacheEntry:
    """What libcni remembers of an attachment whose namespace is gone, for a with block."""

    def __init__(self, node, container_id, pod, addresses):
        namespace, name = pod.split("/")
        self.path = result_cache.path(node.name, container_id)
        result = {"cniVersion": "1.0.0", "ips": [{"address": f"{address}/28"} for address in addresses]}
        self.entry = result_cache.entry(node.conf(), container_id, Pod(name, namespace), GONE, result)

    def __enter__(self):
        os.makedirs(result_cache.FOLDER, exist_ok=True)
        with open(self.path, "w") as file:
            json.dump(self.entry, file)

    def __exit__(self, *_):
        os.unlink(self.path)


def switched_off():
    """`false` is host-local's behaviour: what was held is handed out in turn, and nothing is recorded."""
    node = ConfNode(SMALL)
    home = node.restart("c-1")
    before = node.records()
    assert home[0] in node.lap(retain=False)
    assert node.records() == before
    assert node.add("c-2", POD, retain=False) != home


def switched_on_again():
    """What was handed out meanwhile is not shared; what was not comes back."""
    node = ConfNode(SMALL)
    lost, kept = node.add("c-1", "shop/lost"), node.add("c-2", "shop/kept")
    node.delete("c-1", "shop/lost")
    node.delete("c-2", "shop/kept")
    took = [node.add(f"c-plain-{number}", OTHER, retain=False) for number in range(len(ALL) - 1)]
    assert lost in took and kept not in took, took
    assert node.add("c-3", "shop/kept") == kept
    done = node.call("ADD", "c-4", "shop/lost")
    assert done.exit == 1 and "no IP addresses available" in done.stdout, done


TESTS = [
    ("retain.exclude: globs match namespace and pod, a star within one name, letters as they are", globs),
    ("retain.exclude: a star ends at the slash", star_and_slash),
    ("retain.exclude: a held address ends at the next ADD of the pod", held_address_ends_at_add),
    ("retain.exclude: a running pod's binding ends at its DEL", held_address_ends_at_del),
    ("retain.exclude: bindings outside today's ranges end as well", ends_on_every_address),
    ("retain.exclude: a pin applies to an excluded pod", pins_apply),
    ("retain.exclude: a pod that is no longer excluded is held again", held_again),
    ("retain.exclude: excluded pods that come and go take nothing from the others", excluded_pods_come_and_go),
    ("retain.exclude: the runtime's cache holds no address for an excluded pod", excluded_in_the_cache),
    ("retain.exclude: an excluded pod found in the cache is not held after GC", excluded_in_the_cache_and_in_use),
    ('"retain": false hands out held addresses in turn and records nothing', switched_off),
    ('"retain": false and back again shares no address and keeps what it can', switched_on_again),
]
