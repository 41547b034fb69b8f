"""A state folder that is another machine's: a golden image, a node that was renamed or joined again."""
import os

from conf_node import ALL, OTHER, POD, SMALL, ConfNode
from conf_sources import on_host, write
from node import new_boot

NODES = {"node-1": "10.1.0.0/24", "node-17": "10.17.0.0/24"}


def image_of_node_1(source):
    """A node whose source is a file for node-1 only; it has run a pod there, and was switched off."""
    node = ConfNode()
    folder = os.path.join(node.home, "nodes")
    os.mkdir(folder)
    write(os.path.join(folder, "node-1"), NODES["node-1"])
    node.ipam["rangesFrom"] = source(folder)
    assert on_host("node-1", node, "c-1").addresses == ["10.1.0.2"]
    new_boot()
    return node, folder


def nodes_dir(folder):
    return {"nodesDir": folder}


def subnet_file(folder):
    return {"subnetFile": os.path.join(folder, "node-1")}


def assert_awaits(done, *words):
    """Code 11 that names what is awaited; nothing was handed out."""
    assert done.exit == 1 and done.json["code"] == 11, done
    for word in ("no subnet for this node yet", "try again", *words):
        assert word in done.json["msg"], f"no {word!r} in {done.json['msg']!r}"


def remembered(node):
    """The path and the target of the record of the last good ranges."""
    (path,) = [path for path in node.records() if os.path.basename(path) in ("ranges", "node-ranges")]
    return os.path.join(node.state_dir, path), node.records()[path]


def another_nodes_folder():
    """The image starts as node-17, whose file is not there yet; then it is."""
    node, folder = image_of_node_1(nodes_dir)
    before = node.attachments()
    done = on_host("node-17", node, "c-2")
    assert_awaits(done, f"{folder}/node-17", 'is of node "node-1"', folder)
    assert node.attachments() == before
    write(os.path.join(folder, "node-17"), NODES["node-17"])
    assert on_host("node-17", node, "c-2").addresses == ["10.17.0.2"]
    node.delete("c-2", POD)
    os.unlink(os.path.join(folder, "node-17"))
    assert on_host("node-17", node, "c-3").addresses == ["10.17.0.2"]


def same_node_cut_off():
    """What the memory is for: the same node, its source gone, boots later."""
    for source in (nodes_dir, subnet_file):
        node, folder = image_of_node_1(source)
        os.unlink(os.path.join(folder, "node-1"))
        assert on_host("node-1", node, "c-2").addresses == ["10.1.0.2"]
        new_boot()
        assert on_host("node-1", node, "c-3").addresses == ["10.1.0.2"]


def renamed_with_subnet_file():
    """A subnet file names no node: the host does, or NODE_NAME."""
    node, folder = image_of_node_1(subnet_file)
    os.unlink(os.path.join(folder, "node-1"))
    assert_awaits(on_host("node-17", node, "c-2"), f"{folder}/node-1", 'is of node "node-1"')
    env = {"NODE_NAME": "node-17"}
    assert_awaits(node.call("ADD", "c-2", POD, env=env), 'is of node "node-1"')
    assert node.add("c-2", POD, env={"NODE_NAME": "node-1"}) == ["10.1.0.2"]


def another_source():
    """The same node, but what is asked for now was never read."""
    node, _ = image_of_node_1(nodes_dir)
    for source in ({"subnetFile": "/nowhere/subnet.env"}, {"nodesDir": "/nowhere"}, {"yurthubNode": "node-1"}):
        assert_awaits(on_host("node-1", node, "c-2", rangesFrom=source), 'is of node "node-1"')


def of_an_earlier_version():
    """Without a node's name only the boot tells: a copied disk was not used in this one."""
    for boots_again in (False, True):
        node, folder = image_of_node_1(nodes_dir)
        assert on_host("node-1", node, "c-2").addresses == ["10.1.0.2"]
        path, _ = remembered(node)
        os.unlink(path)
        os.symlink("1~10.1.0.0/24", os.path.join(os.path.dirname(path), "ranges"))
        os.unlink(os.path.join(folder, "node-1"))
        if boots_again:
            new_boot()
            assert_awaits(on_host("node-1", node, "c-3"), f"{folder}/node-1", "names no node")
            node.delete("c-2", POD)  # as runtimes do before the first ADD; its boot scan learns this boot
            assert_awaits(on_host("node-1", node, "c-3"), f"{folder}/node-1")
            write(os.path.join(folder, "node-1"), NODES["node-1"])
        assert on_host("node-1", node, "c-3").exit == 0
        path, target = remembered(node)
        assert os.path.basename(path) == "node-ranges" and target.startswith("1~node-1~"), (path, target)


def bindings_and_files_of_another():
    """With ranges in the conflist, as every node of a cloned pair has them: the other machine's files are dead, its
    bindings are hints, and neither keeps a pod from coming up."""
    node = ConfNode(SMALL)
    assert node.add("c-1", POD) == [ALL[0]]
    for number in range(1, 4):
        node.add(f"c-{number}x", f"shop/theirs-{number}")
    node.restart("c-held", OTHER)
    new_boot()
    assert node.add("d-1", POD) == [ALL[0]], "a pod of this name is the pod"
    mine = {node.add(f"d-mine-{number}", f"shop/mine-{number}")[0] for number in range(len(ALL) - 1)}
    assert mine == set(ALL[1:]), f"got {mine}"
    node.assert_sound()


TESTS = [
    ("a copied state folder: ranges of another node are none, the source is awaited", another_nodes_folder),
    ("a copied state folder: the same node's are, boots later, its source gone", same_node_cut_off),
    ("a copied state folder: with a subnet file the host's name or NODE_NAME tells", renamed_with_subnet_file),
    ("a copied state folder: ranges of another source are none", another_source),
    ("a copied state folder: ranges that name no node count in the boot in which they were used", of_an_earlier_version),
    ("a copied state folder: another machine's files and bindings keep nobody from coming up",
     bindings_and_files_of_another),
]
