"""Folders whose parents lie on an immutable root: what cannot be changed need not be flushed, everything else must."""
import contextlib
import os
import shutil
import subprocess

import trace
from disk import is_known
from node import Node, new_boot
from patient import TRY_AGAIN, code_of, message_of
from tap import Skip

RANGES = [[{"subnet": "10.9.0.0/28"}]]
# kind -> (its maker, options between image and folder, the Debian package)
IMMUTABLE = {
    "squashfs": (("mksquashfs", "{folder}", "{image}", "-quiet", "-no-progress"), "squashfs-tools"),
    "erofs": (("mkfs.erofs", "{image}", "{folder}"), "erofs-utils"),
}


@contextlib.contextmanager
def immutable_root(folder, kind):
    """An image of empty folders, mounted; a tmpfs as data partition on each of them. Yields the root."""
    command, package = IMMUTABLE[kind]
    if not shutil.which(command[0]):
        raise Skip(f"needs {command[0]}: apt-get install {package}")
    if not is_known(kind):
        raise Skip(f"this kernel has no {kind}")
    source, image, root = (os.path.join(folder, name) for name in ("source", f"{kind}.image", kind))
    for name in ("networks", "state"):
        os.makedirs(os.path.join(source, name))
    os.makedirs(root)
    subprocess.run([word.format(folder=source, image=image) for word in command], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["mount", "-t", kind, "-o", "loop,ro", image, root], check=True)
    data = [os.path.join(root, name) for name in ("networks", "state")]
    for path in data:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    try:
        yield root
    finally:
        for path in (*data, root):
            subprocess.run(["umount", path], check=True)
        os.unlink(image)
        os.rmdir(root)
        shutil.rmtree(source)


def on_immutable_root(folder, kind):
    """dataDir and stateDir are mounts below a root that answers EINVAL to fsync: pods come up, in every boot."""
    with immutable_root(folder, kind) as root:
        node = Node(root, RANGES)
        home = {f"shop/web-{number}": node.add(f"c-{number}", f"shop/web-{number}") for number in range(3)}
        new_boot()
        for number, pod in enumerate(reversed(home)):
            assert node.add(f"c-{number}-2", pod) == home[pod]
        node.delete("c-0-2", "shop/web-2")
        node.assert_sound()


def fsync_of(path, error, *command, node):
    """One command whose fsync of that folder fails."""
    wrapper = (*trace.always(f"fsync:error={error}"), "-P", path)
    return node.call(*command, wrapper=wrapper)


def only_parents_are_excused(folder):
    """EINVAL, EROFS: the folders above may be passed over. EIO never; nor the network's and the records' own."""
    node = Node(os.path.join(folder, "excused"), RANGES)
    node.add("c-1", "shop/web-1")
    records = os.path.join(node.state_dir, os.listdir(node.state_dir)[0])
    above = (node.data_dir, node.home, node.state_dir)
    for error, excused in (("EINVAL", True), ("EROFS", True), ("EIO", False), ("ENOSPC", False)):
        for path in (*above, node.network_dir, records):
            new_boot()
            done = fsync_of(path, error, "ADD", "c-2", "shop/web-2", node=node)
            if excused and path in above:
                assert done.exit == 0, f"{error} of {path}: {done}"
                node.delete("c-2", "shop/web-2")
            else:
                assert done.exit == 1 and path in done.json["msg"], f"{error} of {path}: {done}"
                assert node.addresses_of("c-2") == [], f"{error} of {path} left an address"


def made_by_this_call(folder):
    """A folder that this very ADD made something in is not excused."""
    node = Node(os.path.join(folder, "made"), RANGES)
    os.makedirs(node.data_dir)
    done = fsync_of(node.data_dir, "EROFS", "ADD", "c-1", "shop/web-1", node=node)
    assert code_of(done) == TRY_AGAIN and node.data_dir in message_of(done), done
    assert node.attachments() == {}


TESTS = [
    ("a squashfs root with the data mounted below: pods come up and keep their addresses", on_immutable_root,
     "squashfs"),
    ("an erofs root with the data mounted below: pods come up and keep their addresses", on_immutable_root, "erofs"),
    ("folders above are excused from EINVAL and EROFS, the network's and the records' never", only_parents_are_excused),
    ("a folder that this ADD has changed is not excused", made_by_this_call),
]
