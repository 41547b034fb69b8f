"""`rangesFrom`: how files and folders of ranges are written, and what is made of what is wrong there."""
import os

import plugin
from conf_node import POD, ConfNode

ENV = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
ENV_SIX = "FLANNEL_IPV6_NETWORK=2001:cafe:42::/56\nFLANNEL_IPV6_SUBNET=2001:cafe:42:1::1/64\n"
LINE = "10.244.1.0/24\n"
FIRST, FIRST_SIX = "10.244.1.2", "2001:cafe:42:1::2"

# what the text is, the text, the addresses of the first pod
GOOD = [
    ("Flannel's", ENV, [FIRST]),
    ("Flannel's dual-stack", ENV + ENV_SIX, [FIRST, FIRST_SIX]),
    ("Flannel's IPv6 only", ENV_SIX + "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n", [FIRST_SIX]),
    ("Flannel's with several networks", ENV.replace("0.0/16", "0.0/16,192.168.0.0/16"), [FIRST]),
    ("without host bits", ENV.replace("1.1/24", "1.0/24"), [FIRST]),
    ("with other host bits", ENV.replace("1.1/24", "1.77/24"), [FIRST]),
    ("with DOS line ends", ENV.replace("\n", "\r\n"), [FIRST]),
    ("with comments and empty lines", "# by hand\n\n" + ENV + "\n  # end\n", [FIRST]),
    ("with a key without =", "FLANNEL_IPMASQ\n" + ENV, [FIRST]),
    ("with a known key without =", "FLANNEL_IPV6_SUBNET\n" + ENV, [FIRST]),
    ("with unknown keys", "NODE=n1\nX=10.9.0.0/24\n" + ENV, [FIRST]),
    ("without a line end", ENV.rstrip("\n"), [FIRST]),
    ("one line", LINE, [FIRST]),
    ("one line without its end", LINE.rstrip("\n"), [FIRST]),
    ("one line with DOS end", "10.244.1.0/24\r\n", [FIRST]),
    ("a line with spaces", "  10.244.1.0/24\t\n", [FIRST]),
    ("a line with host bits", "10.244.1.9/24\n", [FIRST]),
    ("a line a family", "10.244.1.0/24\n2001:cafe:42:1::/64\n", [FIRST, FIRST_SIX]),
    ("IPv6 first", "2001:cafe:42:1::/64\n10.244.1.0/24\n", [FIRST_SIX, FIRST]),
    ("lines with comments", "# node n1\n10.244.1.0/24\n", [FIRST]),
    ("a list with commas", "10.244.1.0/24, 2001:cafe:42:1::/64\n", [FIRST, FIRST_SIX]),
]

# what the text is, the text, a word of the reason
BAD = [
    ("empty", "", "names no subnet"),
    ("white", " \r\n\n", "names no subnet"),
    ("a comment", "# 10.244.1.0/24\n", "names no subnet"),
    ("the network alone", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_MTU=1450\n", "names no subnet"),
    ("an empty value", "FLANNEL_SUBNET=\n", "names no subnet"),
    ("an address", "10.244.1.0\n", '"10.244.1.0"'),
    ("no address", "FLANNEL_SUBNET=web/24\n", '"web/24"'),
    ("a long prefix", "10.244.1.0/33\n", '"10.244.1.0/33"'),
    ("bytes", "\0\1\2\xff\n", "no CIDR block"),
    ("NULs, as a power cut leaves them", "\0" * 64, "no CIDR block"),
    ("one good and one bad line", "10.244.1.0/24\nweb\n", '"web"'),
]

# what is wrong, the value of rangesFrom, words of the message
WRONG_KEYS = [
    ("no key", {}, ["exactly one of subnetFile, nodesDir and yurthubNode"]),
    ("an unknown key", {"path": "/run/subnet.env"}, ["exactly one of"]),
    ("two places", {"subnetFile": "/a", "nodesDir": "/b"}, ["exactly one of"]),
    ("three places", {"subnetFile": "/a", "nodesDir": "/b", "yurthubNode": "n1"}, ["exactly one of"]),
    ("null", {"subnetFile": None}, ["exactly one of"]),
    ("a number as file", {"subnetFile": 7}, ["/subnetFile", "must be a string"]),
    ("a list of files", {"subnetFile": ["/a"]}, ["/subnetFile", "must be a string"]),
    ("a number as folder", {"nodesDir": 7}, ["/nodesDir", "must be a string"]),
    ("a number as node", {"nodesDir": "/a", "node": 7}, ["/node", "must be a string"]),
    ("true as node", {"yurthubNode": True}, ["/yurthubNode", "must be a string"]),
    ("a node that leads out", {"nodesDir": "/a", "node": "../../etc/passwd"}, ["/node", "must be a node's name"]),
    ("a node with a slash", {"yurthubNode": "pods/web"}, ["/yurthubNode", "must be a node's name"]),
    ("a list", [], ["must be an object"]),
    ("a path", "/run/flannel/subnet.env", ["must be an object"]),
]


def source_node(text=None):
    """A node with `rangesFrom.subnetFile`; and the path of that file, which is not there without a text."""
    node = ConfNode()
    path = os.path.join(node.home, "subnet.env")
    node.ipam["rangesFrom"] = {"subnetFile": path}
    if text is not None:
        write(path, text)
    return node, path


def write(path, text):
    with open(path, "w", newline="", encoding="latin-1") as file:
        file.write(text)


def good_texts():
    for what, text, addresses in GOOD:
        node, _ = source_node(text)
        got = node.add("c-1", POD)
        assert got == addresses, f"{what}: {got}"


def several_of_one_family():
    """They are one range set: one address a pod, the second range when the first is full."""
    for text in ("FLANNEL_SUBNET=10.244.1.1/30,10.244.9.1/30\n", "10.244.1.0/30\n10.244.9.0/30\n"):
        node, _ = source_node(text)
        assert [node.add(f"c-{number}")[0] for number in range(2)] == ["10.244.1.2", "10.244.9.2"], text


def prefix_length_and_gateway():
    """The answer has the subnet's prefix length, and its first address as gateway."""
    node, _ = source_node(ENV)
    ip = node.call("ADD", "c-1", POD).json["ips"][0]
    assert ip == {"address": "10.244.1.2/24", "gateway": "10.244.1.1"}, ip


def bad_texts():
    for what, text, reason in BAD:
        node, path = source_node(text)
        said = node.refused(11, "rangesFrom", path, reason, "none is remembered")
        assert len(said) < 400, f"{what}: {said}"
        assert node.entries() == [], what


def unusable_ranges():
    """Well written, but of no use: it is said where they were written."""
    for text in ("10.244.1.0/32\n", "FLANNEL_SUBNET=10.244.1.1/31\n", "10.244.1.0/24\n10.244.0.0/16\n"):
        node, path = source_node(text)
        done = node.call("ADD", "c-1", POD)
        assert done.exit == 1 and path in done.json["msg"] + done.json.get("details", ""), f"{text!r}: {done}"


def torn_anywhere():
    """Whatever is left of the file, the node's range stays what it was."""
    node, path = source_node(ENV)
    node.add("c-0", POD)
    for length in range(len(ENV)):
        write(path, ENV[:length])
        ip = node.call("ADD", "c-0", POD).json["ips"][0]["address"]
        assert ip == f"{FIRST}/24", f"{ip} after {ENV[:length]!r}"


def wrong_keys():
    for what, value, words in WRONG_KEYS:
        node = ConfNode(rangesFrom=value)
        said = node.refused(7, "/ipam/rangesFrom", *words)
        assert node.entries() == [], f"{what}: {said}"


def relative_paths():
    """The folder that a runtime runs its plugins in is nobody's business: as with stateDir, paths are absolute."""
    for key in ("subnetFile", "nodesDir"):
        for path in ("run/flannel", "./nodes", ""):
            ConfNode(rangesFrom={key: path, "node": "n1"}).refused(7, f"/ipam/rangesFrom/{key}")


def wrong_keys_beside_ranges():
    """Mistyped is mistyped, also where it is not used today."""
    ranges = [[{"subnet": "10.9.0.0/24"}]]
    for value in ({"subnetFile": 7}, {"subnetFile": "/a", "yurthubNode": "n1"}, {"nodesDir": "/a", "node": "../x"}):
        ConfNode(ranges, rangesFrom=value).refused(7, "/ipam/rangesFrom")


def odd_files():
    """A folder, a pipe, a socket's place: nobody waits for them."""
    node, path = source_node()
    for make in (os.mkdir, os.mkfifo, lambda name: os.symlink("nowhere", name)):
        make(path)
        node.refused(11, path)
        os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
    write(path, "# " + "x" * (2 << 20) + "\n" + ENV)
    node.refused(11, path)


def nodes_dir():
    """DIR/NAME, as a mounted ConfigMap has it: links to a folder that is replaced as a whole."""
    node = ConfNode()
    folder = os.path.join(node.home, "nodes")
    os.makedirs(os.path.join(folder, "..2026"))
    os.symlink("..2026", os.path.join(folder, "..data"))
    for name, text in (("edge-1", "10.244.1.0/24"), ("edge-2.example.org", "10.244.2.0/24\n2001:db8::/64")):
        write(os.path.join(folder, "..data", name), text)
        os.symlink(os.path.join("..data", name), os.path.join(folder, name))
    one = {"nodesDir": folder, "node": "edge-1"}
    two = {"nodesDir": folder, "node": "edge-2.example.org"}
    assert node.add("c-1", POD, rangesFrom=one) == ["10.244.1.2"]
    assert node.add("c-2", "shop/b", rangesFrom=two) == ["10.244.2.2", "2001:db8::2"]


def node_names():
    """The key, then NODE_NAME, then the host's name."""
    node = ConfNode()
    for name, text in (("by-key", "10.1.0.0/24"), ("by-variable", "10.2.0.0/24"), ("by-host", "10.3.0.0/24")):
        write(os.path.join(node.home, name), text)
    source = {"nodesDir": node.home, "node": "by-key"}
    variable = {"NODE_NAME": "by-variable"}
    assert node.add("c-1", env=variable, rangesFrom=source) == ["10.1.0.2"]
    del source["node"]
    assert node.add("c-2", env=variable, rangesFrom=source) == ["10.2.0.2"]
    assert on_host("by-host", node, "c-3", rangesFrom=source).addresses == ["10.3.0.2"]
    unknown = on_host("by-nobody", ConfNode(), "c-4", rangesFrom=source)
    assert unknown.json["code"] == 11 and f"{node.home}/by-nobody" in unknown.json["msg"], unknown


def on_host(name, node, container_id, **ipam):
    """ADD on a host of this name; what the plugin answered."""
    rename = f'echo {name} >/proc/sys/kernel/hostname && exec "$0"'
    env, conf = node.request("ADD", container_id, POD, **ipam)
    return plugin.run(node.binary, env, conf, wrapper=("unshare", "--uts", "sh", "-c", rename))


TESTS = [
    ("rangesFrom: subnet.env and lists of CIDR blocks are read as people write them", good_texts),
    ("rangesFrom: several ranges of one family are one range set", several_of_one_family),
    ("rangesFrom: the answer has the subnet's prefix length and gateway", prefix_length_and_gateway),
    ("rangesFrom: a text without a range is code 11 naming file and reason", bad_texts),
    ("rangesFrom: ranges that cannot be used are refused naming the file", unusable_ranges),
    ("rangesFrom: a subnet.env torn at any byte never changes the node's range", torn_anywhere),
    ("rangesFrom: wrong keys are error 7 with their place", wrong_keys),
    ("rangesFrom: relative and empty paths are error 7 with their place", relative_paths),
    ("rangesFrom: wrong keys are error 7 also beside ranges", wrong_keys_beside_ranges),
    ("rangesFrom: folders, pipes, dead links and huge files are code 11", odd_files),
    ("rangesFrom: nodesDir is read through a ConfigMap's links", nodes_dir),
    ("rangesFrom: the node is the key's, NODE_NAME's, the host's", node_names),
]
