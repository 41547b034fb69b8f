"""`rangesFrom` over time: the last good copy, a source that changes or vanishes, and what stands beside it."""
import os

from conf_node import OTHER, POD, ConfNode, assert_error
from conf_sources import source_node, write
from node import new_boot

HERE, THERE = "10.1.0.0/28\n", "10.2.0.0/28\n"
DUAL = "10.1.0.0/28\nfd00:1::/120\n"


def last_good_copy():
    """The place is gone after a reboot, as /run is: the ranges are those of before."""
    node, path = source_node(DUAL)
    home = node.restart("c-1")
    os.unlink(path)
    new_boot()
    assert node.add("c-2", OTHER) == ["10.1.0.3", "fd00:1::3"]
    assert node.add("c-3", POD) == home


def last_good_copy_of_callers_without_pod():
    """podman and nerdctl name no pod: their networks have ranges after a reboot all the same."""
    node, path = source_node(HERE)
    node.add("c-1")
    os.unlink(path)
    new_boot()
    assert node.add("c-2") == ["10.1.0.3"]


def last_good_copy_without_retention():
    """Whether pods keep their addresses has nothing to do with whether the node keeps its ranges."""
    node, path = source_node(HERE)
    node.add("c-1", POD, retain=False)
    os.unlink(path)
    new_boot()
    assert node.add("c-2", OTHER, retain=False) == ["10.1.0.3"]


def last_good_copy_with_excluded_pods():
    """The same when only pods that are never held have come so far."""
    node, path = source_node(HERE)
    node.ipam["retain"] = {"exclude": ["shop/*"]}
    node.add("c-1", POD)
    os.unlink(path)
    new_boot()
    assert node.add("c-2", OTHER) == ["10.1.0.3"]


def newest_good_copy():
    """What is remembered is what the source said last."""
    node, path = source_node(HERE)
    node.add("c-1", POD)
    write(path, THERE)
    node.add("c-2", OTHER)
    os.unlink(path)
    assert node.add("c-3", "shop/c") == ["10.2.0.3"]


def newest_good_copy_of_a_repeated_add():
    """A repeated ADD that saw the new ranges remembers them too."""
    node, path = source_node(HERE)
    node.add("c-1", POD)
    write(path, THERE)
    assert node.add("c-1", POD) == ["10.2.0.2"]
    os.unlink(path)
    assert node.add("c-2", OTHER) == ["10.2.0.3"]


def both_gone():
    """No source and nothing remembered: the runtime shall come back, and then it works."""
    node, path = source_node()
    node.refused(11, "rangesFrom", path, "none is remembered", "try again")
    write(path, HERE)
    home = node.restart("c-1")
    os.unlink(path)
    assert node.add("c-2", POD) == home
    node.delete("c-2", POD)
    for name in os.listdir(node.state_dir):
        os.unlink(os.path.join(node.state_dir, name, "node-ranges"))
    node.refused(11, path)


def dead_source():
    """Ranges that would keep the source from ever being read are refused; those of one call go before it."""
    node, _ = source_node(HERE)
    ranges = [[{"subnet": "10.9.0.0/24"}]]
    node.refused(7, "/ipam/ranges", "/ipam/rangesFrom", "would never be read", ranges=ranges)
    inner = {"type": "host-local", "ranges": ranges}
    node.refused(7, "/ipam/delegate/ranges", "would never be read", delegate=inner)
    node.refused(7, "/ipam/gateway", "without a subnet", gateway="10.9.0.1")
    inner = {"type": "host-local", "rangeStart": "10.9.0.9"}
    node.refused(7, "/ipam/delegate/rangeStart", "without a subnet", delegate=inner)
    runtime = {"runtimeConfig": {"ipRanges": [[{"subnet": "10.7.0.0/24"}]]}}
    assert node.add("c-4", "shop/d", top=runtime) == ["10.7.0.2"]


def quiet_release():
    """A DEL neither asks the source nor misses it."""
    node, path = source_node(HERE)
    log = {"logFile": os.path.join(node.home, "log"), "logLevel": "verbose"}
    node.add("c-1", POD, **log)
    os.unlink(path)
    os.mkfifo(path)
    node.delete("c-1", POD, **log)
    with open(log["logFile"], encoding="utf-8") as file:
        text = file.read()
    assert "DEL c-1" in text and "ranges are ignored" not in text, text


def flannels_ranges():
    """Flannel writes its ranges beside whatever stands there, with a route to the network: the source is not read."""
    node, path = source_node(HERE)
    os.unlink(path)
    os.mkfifo(path)
    flannels = {"ranges": [[{"subnet": "10.9.0.0/24"}]], "routes": [{"dst": "10.9.0.0/16"}]}
    assert node.add("c-1", POD, **flannels) == ["10.9.0.2"]


def other_keys_apply():
    """Exclusions, pins, families and requests work on these ranges as on any."""
    node, _ = source_node(DUAL)
    node.ipam.update(exclude=["10.1.0.2"], pins={POD: ["10.1.0.9"]}, ipFamilies=["IPv4"])
    assert node.add("c-1", OTHER) == ["10.1.0.3"]
    assert node.add("c-2", POD) == ["10.1.0.9"]
    assert node.add("c-3", args="IP=10.1.0.5") == ["10.1.0.5"]


def release_needs_no_source():
    """DEL with the source gone, mistyped, or of another node: it frees all addresses, and holds them."""
    for source in ({"subnetFile": "/nowhere"}, {}, {"subnetFile": 7}, {"yurthubNode": "n1"}, "text"):
        node, path = source_node(DUAL)
        home = node.add("c-1", POD)
        os.unlink(path)
        node.delete("c-1", POD, rangesFrom=source)
        assert node.attachments() == {}, f"{source}: {node.attachments()}"
        assert sorted(node.bindings()) == sorted(home), source


def check_and_status():
    """CHECK and STATUS use the last good copy; STATUS without any says that no ADD can work."""
    node, path = source_node(HERE)
    newest = {"cniVersion": "1.1.0"}
    node.add("c-1", POD)
    os.unlink(path)
    for command in ("CHECK", "STATUS"):
        done = node.call(command, "c-1", POD, top=newest)
        assert (done.exit, done.stdout) == (0, ""), f"{command}: {done}"
    fresh, path = source_node()
    assert_error(fresh.call("STATUS", "", top=newest), 50, path)


def moved_and_back():
    """An address outside the new range is not answered, but sleeps: when the range comes back, so does the address."""
    node, path = source_node(HERE)
    other = node.restart("c-0", OTHER)
    home = node.restart("c-1")
    assert home == ["10.1.0.3"]
    write(path, THERE)
    moved = node.restart("c-2")
    assert moved == ["10.2.0.2"]
    assert sorted(node.bindings()) == sorted(other + home + moved)
    new_boot()
    assert node.restart("c-3") == moved
    write(path, HERE)
    assert node.restart("c-4") == home
    write(path, THERE)
    assert node.add("c-5", POD) == moved


def moved_under_a_running_pod():
    """A repeated ADD gets an address of the new range; one DEL ends both."""
    node, path = source_node(HERE)
    home = node.add("c-1", POD)
    write(path, THERE)
    moved = node.add("c-1", POD)
    assert moved == ["10.2.0.2"]
    assert node.addresses_of("c-1") == sorted(home + moved)
    node.delete("c-1", POD)
    assert node.attachments() == {}


def one_family_moves():
    """What still lies in the ranges is kept."""
    node, path = source_node(DUAL)
    node.restart("c-0", OTHER)
    node.restart("c-1")
    write(path, DUAL.replace("10.1", "10.2"))
    assert node.add("c-2", POD) == ["10.2.0.2", "fd00:1::3"]


def narrowed():
    """A range that became smaller: who is outside gets a new address, who is inside keeps it."""
    node, path = source_node("10.1.0.0/28\n")
    pods = [f"shop/web-{number}" for number in range(8)]
    before = [node.restart(f"c-{number}", pod) for number, pod in enumerate(pods)]
    write(path, "10.1.0.0/29\n")
    assert node.add("c-a", pods[0]) == before[0]
    assert before[7] == ["10.1.0.9"]
    moved = node.add("c-b", pods[7])
    assert moved[0] in ("10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6") and moved != before[0], moved


def networks_do_not_mix():
    """What is remembered for one network is not used for another."""
    node, path = source_node(HERE)
    node.add("c-1", POD)
    os.unlink(path)
    other = ConfNode(rangesFrom={"subnetFile": path})
    other.state_dir, other.data_dir = node.state_dir, node.data_dir
    other.refused(11, path, top={"name": "other"})


TESTS = [
    ("rangesFrom: the last good ranges are used when the source is gone", last_good_copy),
    ("rangesFrom: they are remembered for callers that name no pod", last_good_copy_of_callers_without_pod),
    ('rangesFrom: they are remembered with "retain": false', last_good_copy_without_retention),
    ("rangesFrom: they are remembered when all pods are excluded", last_good_copy_with_excluded_pods),
    ("rangesFrom: the newest ranges are those that are remembered", newest_good_copy),
    ("rangesFrom: a repeated ADD remembers the newest ranges too", newest_good_copy_of_a_repeated_add),
    ("rangesFrom: source and memory gone is code 11, until the source is there", both_gone),
    ("rangesFrom: ranges that it could never be read beside are refused", dead_source),
    ("rangesFrom: a DEL does not ask for them, nor complain", quiet_release),
    ("rangesFrom: it is not read where Flannel writes ranges", flannels_ranges),
    ("rangesFrom: exclude, pins, ipFamilies and requests apply to its ranges", other_keys_apply),
    ("rangesFrom: DEL needs no source, and holds every address", release_needs_no_source),
    ("rangesFrom: CHECK and STATUS use the last good ranges", check_and_status),
    ("rangesFrom: an address outside the ranges sleeps and comes back", moved_and_back),
    ("rangesFrom: a repeated ADD moves with the ranges, one DEL ends all", moved_under_a_running_pod),
    ("rangesFrom: the family that stays is kept", one_family_moves),
    ("rangesFrom: a smaller range keeps who lies in it", narrowed),
    ("rangesFrom: one network's memory is not another's", networks_do_not_mix),
]
