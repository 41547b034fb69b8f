"""Annotations of a pod, which the runtime passes on in runtimeConfig: `delegated-ipam.io/retain` and `.../ips`."""
from conf_node import ANNOTATIONS, DUAL, OTHER, POD, SMALL, ConfNode, assert_error
from node import new_boot

RETAIN = "delegated-ipam.io/retain"
IPS = "delegated-ipam.io/ips"
NEVER = {RETAIN: "false"}
PLACE = f"/runtimeConfig/{ANNOTATIONS}"


def ips(text):
    """The annotations of a pod that asks for these addresses."""
    return {IPS: text}


def never_held():
    node = ConfNode(SMALL)
    home = node.restart("c-web")
    node.restart("c-1", OTHER, annotations=NEVER)
    assert node.owners() == {POD}
    assert node.add("c-2", POD) == home


def ends_binding():
    """A pod that gets the annotation later loses what was held for it, at its ADD or at its DEL."""
    node = ConfNode(SMALL)
    node.restart("c-1", OTHER)
    node.add("c-2", OTHER, annotations=NEVER)
    assert node.records_of_pods() == [], node.records()
    node.add("c-3", POD)
    node.delete("c-3", POD, annotations=NEVER)
    assert node.records_of_pods() == [], node.records()


def explicitly_held():
    """Other annotations, and "true", change nothing."""
    node = ConfNode(SMALL)
    home = node.restart("c-1", annotations={RETAIN: "true", "kubernetes.io/config.source": "api"})
    node.restart("c-2", OTHER)
    assert node.add("c-3", POD, annotations={}) == home


def bad_retain():
    node = ConfNode(SMALL)
    for value in ("no", "False", "", "false ", "0"):
        node.refused(7, f"{PLACE}/{RETAIN}", '"true", "false"', f'"{value}"', annotations={RETAIN: value})
    for value in (False, 0, ["false"], {"retain": False}):
        node.refused(7, f"{PLACE}/{RETAIN}", "must be a string", annotations={RETAIN: value})
    assert node.attachments() == {} and node.records_of_pods() == []


def bad_annotations():
    node = ConfNode(SMALL)
    for value in ("delegated-ipam.io/retain=false", [], 1, True):
        node.refused(7, PLACE, "must be an object", top={"runtimeConfig": {ANNOTATIONS: value}})


def bad_at_del():
    """A release is never stopped by an annotation."""
    node = ConfNode(SMALL)
    bad = ({RETAIN: "no"}, {RETAIN: 1}, ips("nonsense"), {IPS: 7}, [], "text", 1)
    for number, annotations in enumerate(bad):
        node.add(f"c-{number}", POD)
        node.delete(f"c-{number}", POD, annotations=annotations)
        assert node.attachments() == {}, f"{annotations}: {node.attachments()}"


def gets_requested():
    """As one address, with spaces, with a prefix length, in the case of IPv6 in any spelling."""
    for text, address in (("10.9.0.9", "10.9.0.9"), (" 10.9.0.9 ", "10.9.0.9"), ("10.9.0.9/28", "10.9.0.9")):
        assert ConfNode(SMALL).add("c-1", POD, annotations=ips(text)) == [address], text
    six = ConfNode([[{"subnet": "fd00:9::/120"}]])
    assert six.add("c-1", POD, annotations=ips("FD00:0009::000a")) == ["fd00:9::a"]


def one_for_each_set():
    """The order in the annotation does not matter; a set that none lies in gets the next free one."""
    for text in ("10.9.0.9,fd00:9::9", "fd00:9::9, 10.9.0.9"):
        assert ConfNode(DUAL).add("c-1", POD, annotations=ips(text)) == ["10.9.0.9", "fd00:9::9"], text
    assert ConfNode(DUAL).add("c-1", POD, annotations=ips("fd00:9::9")) == ["10.9.0.2", "fd00:9::9"]


def empty_request():
    assert ConfNode(SMALL).add("c-1", POD, annotations=ips("")) == ["10.9.0.2"]


def bad_addresses():
    node = ConfNode(SMALL)
    bad = ("10.9.0.300", "web", "10.9.0.9;10.9.0.10", "10.9.0.9,,10.9.0.10", ",", '["10.9.0.9"]', "10.9.0.9-10.9.0.11",
           "10.9.0.9/33", "10.9.0.9 10.9.0.10", "010.9.0.9")
    for text in bad:
        node.refused(7, f"{PLACE}/{IPS}", "addresses separated by commas", annotations=ips(text))
    for value in (7, True, ["10.9.0.9"], {"0": "10.9.0.9"}):
        node.refused(7, f"{PLACE}/{IPS}", "must be a string", annotations={IPS: value})
    assert node.attachments() == {} and node.records_of_pods() == []


def unusable_addresses():
    """Outside the ranges, the gateway, excluded, pinned to another pod: named in the message."""
    node = ConfNode(SMALL, exclude=["10.9.0.4"], pins={OTHER: ["10.9.0.5"]})
    node.refused(999, "10.77.0.9", annotations=ips("10.77.0.9"))
    node.refused(999, "10.9.0.1", "gateway", annotations=ips("10.9.0.1"))
    node.refused(7, "10.9.0.4", "excluded", annotations=ips("10.9.0.4"))
    node.refused(7, "10.9.0.5", OTHER, annotations=ips("10.9.0.5"))


def two_for_one_set():
    """All or none: the one that lies in no set of its own is named."""
    node = ConfNode(SMALL)
    node.refused(999, "10.9.0.10", annotations=ips("10.9.0.9,10.9.0.10"))
    assert node.attachments() == {}


def busy_address():
    node = ConfNode(SMALL)
    node.add("c-1", OTHER)
    node.refused(999, "10.9.0.2", annotations=ips("10.9.0.2"))
    assert node.addresses_of("c-1") == ["10.9.0.2"]


def ends_binding_of_another():
    """What a pod asks for by name is more than what is held for a pod that is away."""
    node = ConfNode(SMALL)
    home = node.restart("c-1", OTHER)
    assert node.add("c-2", POD, annotations=ips(home[0])) == home
    assert node.owners() == {POD}
    assert node.add("c-3", OTHER) != home


def becomes_binding():
    """The pod keeps it when the annotation is gone."""
    node = ConfNode(SMALL)
    node.restart("c-1")
    assert node.restart("c-2", annotations=ips("10.9.0.9")) == ["10.9.0.9"]
    new_boot()
    assert node.add("c-3", POD) == ["10.9.0.9"]


def beats_own_binding():
    """It is the request of today; the binding is that of yesterday."""
    node = ConfNode(SMALL)
    assert node.restart("c-1") == ["10.9.0.2"]
    assert node.add("c-2", POD, annotations=ips("10.9.0.9")) == ["10.9.0.9"]
    assert list(node.bindings()) == ["10.9.0.9"]


def both_annotations():
    node = ConfNode(SMALL)
    assert node.restart("c-1", annotations={**NEVER, **ips("10.9.0.9")}) == ["10.9.0.9"]
    assert node.bindings() == {}


def repeated():
    node = ConfNode(DUAL)
    first = node.add("c-1", POD, annotations=ips("10.9.0.9"))
    assert node.add("c-1", POD, annotations=ips("10.9.0.9")) == first


def beside_runtime_config():
    """Requests add up: the same address twice is one, different families complete each other, two for a set fail."""
    same = {"runtimeConfig": {"ips": ["10.9.0.9/28"]}}
    assert ConfNode(SMALL).add("c-1", POD, top=same, annotations=ips("10.9.0.9")) == ["10.9.0.9"]
    assert ConfNode(DUAL).add("c-1", POD, top=same, annotations=ips("fd00:9::9")) == ["10.9.0.9", "fd00:9::9"]
    node = ConfNode(SMALL)
    node.refused(999, "10.9.0.10", top=same, annotations=ips("10.9.0.10"))
    assert node.attachments() == {}


def own_pin():
    """A pod may ask for the pin that it has; another address beside the pin is refused."""
    node = ConfNode(SMALL, pins={POD: ["10.9.0.9"]})
    node.refused(999, "10.9.0.10", annotations=ips("10.9.0.10"))
    assert node.add("c-1", POD, annotations=ips("10.9.0.9")) == ["10.9.0.9"]


def check_and_status():
    """The other verbs read the same configuration."""
    node = ConfNode(SMALL)
    node.add("c-1", POD, annotations=ips("10.9.0.9"))
    done = node.call("CHECK", "c-1", POD, annotations=ips("10.9.0.9"))
    assert (done.exit, done.stdout) == (0, ""), done
    assert_error(node.call("CHECK", "c-1", POD, annotations=ips("web")), 7, f"{PLACE}/{IPS}")


TESTS = [
    ('annotations: retain "false" is never held', never_held),
    ('annotations: retain "false" ends what was held', ends_binding),
    ('annotations: retain "true" and foreign annotations change nothing', explicitly_held),
    ("annotations: a bad retain is error 7 with its place", bad_retain),
    ("annotations: what is no object is error 7 with its place", bad_annotations),
    ("annotations: none of them stops a DEL", bad_at_del),
    ("annotations: ips is given, in any spelling", gets_requested),
    ("annotations: several ips go to the range set that they lie in", one_for_each_set),
    ("annotations: empty ips ask for nothing", empty_request),
    ("annotations: bad ips are error 7 with their place", bad_addresses),
    ("annotations: unusable ips are refused by name", unusable_addresses),
    ("annotations: two ips for one range set lease nothing", two_for_one_set),
    ("annotations: an address in use is refused and stays where it is", busy_address),
    ("annotations: ips end the binding of an absent pod", ends_binding_of_another),
    ("annotations: ips become the pod's binding", becomes_binding),
    ("annotations: ips go before the pod's own binding", beats_own_binding),
    ("annotations: retain and ips work together", both_annotations),
    ("annotations: a repeated ADD with ips answers the same", repeated),
    ("annotations: ips add to runtimeConfig.ips", beside_runtime_config),
    ("annotations: a pod may ask for its own pin only", own_pin),
    ("annotations: CHECK reads them too", check_and_status),
]
