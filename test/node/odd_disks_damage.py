"""One damaged inode on a real ext4: what the checksum of the file system refuses costs one address, never the node."""
import os
import re
import subprocess

from disk import Disk
from node import Node, new_boot
from patient import TRY_AGAIN, code_of, message_of

RANGES = [[{"subnet": "10.9.0.0/28"}]]
INODE_SIZE_FIELD = 4  # i_size_lo, which the checksum covers


def inode_place(image, inode):
    """Where in the image this inode is written."""
    said = output_of("debugfs", "-R", f"imap <{inode}>", image)
    block, offset = re.search(r"located at block (\d+), offset (0x[0-9a-f]+)", said).groups()
    size = re.search(r"Block size:\s+(\d+)", output_of("dumpe2fs", "-h", image))[1]
    return int(block) * int(size) + int(offset, 16)


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def spoil(disk, path):
    """Turn bits of the inode around, as a worn flash does; called again, it is repaired."""
    inode = path if isinstance(path, int) else os.lstat(path).st_ino
    disk.unmount()
    with open(disk.image, "r+b") as image:
        image.seek(inode_place(disk.image, inode) + INODE_SIZE_FIELD)
        spoilt = bytes(byte ^ 0xFF for byte in image.read(2))
        image.seek(-2, os.SEEK_CUR)
        image.write(spoilt)
    disk.mount()
    return inode


def refuses(path):
    try:
        os.lstat(path)
    except OSError:
        return True
    return False


def node_with_pods(disk):
    """web-1 to web-3 run, web-4 was here."""
    node = Node(disk.mount_point, RANGES)
    home = {number: node.add(f"c-{number}", f"shop/web-{number}")[0] for number in range(1, 5)}
    node.delete("c-4", "shop/web-4")
    return node, home


def damaged_ip_file(folder):
    with Disk(folder, "ext4") as disk:
        node, home = node_with_pods(disk)
        path = os.path.join(node.network_dir, home[1])
        inode = spoil(disk, path)
        assert refuses(path)
        told = node.call("DEL", "c-1", "shop/web-1")
        assert code_of(told) == TRY_AGAIN and path in message_of(told), told
        for boot in range(2):
            assert node.add(f"c-new-{boot}", "shop/new")[0] not in home.values()
            node.delete(f"c-new-{boot}", "shop/new")
            assert node.add(f"c-4-{boot}", "shop/web-4") == [home[4]]
            node.delete(f"c-4-{boot}", "shop/web-4")
            second = node.add(f"c-1-{boot}", "shop/web-1")
            assert second[0] not in home.values()
            node.delete(f"c-1-{boot}", "shop/web-1")
            new_boot()
        node.delete("c-2", "shop/web-2")
        assert node.add("c-2-2", "shop/web-2") == [home[2]] and node.add("c-3-2", "shop/web-3") == [home[3]]
        spoil(disk, inode)
        node.delete("c-1", "shop/web-1")
        node.assert_sound()
        assert home[1] not in node.attachments()


def damaged_records(folder, name):
    """A binding: its address is passed over. A hint: its pod is found by its binding. Left-overs: in nobody's way."""
    with Disk(folder, "ext4") as disk:
        node, home = node_with_pods(disk)
        records = os.path.join(node.state_dir, os.listdir(node.state_dir)[0])
        path = os.path.join(records, name)
        if not os.path.lexists(path):
            os.symlink("1~x", path)
        spoil(disk, path)
        assert refuses(path)
        for boot in range(2):
            assert node.add(f"c-new-{boot}", "shop/new")[0] not in home.values()
            node.delete(f"c-new-{boot}", "shop/new")
            assert node.add(f"c-plain-{boot}")[0] not in home.values()
            node.delete(f"c-plain-{boot}")
            back = node.add(f"c-4-{boot}", "shop/web-4")
            assert (back == [home[4]]) == (name != f"ip.{home[4]}"), f"{name}: web-4 had {home[4]}, got {back}"
            node.delete(f"c-4-{boot}", "shop/web-4")
            node.delete(f"c-{boot + 1}", f"shop/web-{boot + 1}")
            assert node.add(f"c-{boot + 1}-2", f"shop/web-{boot + 1}") == [home[boot + 1]]
            new_boot()
        node.assert_sound()


TESTS = [("a damaged IP file costs its address; its owner is told it; repaired, it is released", damaged_ip_file)]
TESTS += [(f"a damaged record {name} stops no pod and no DEL", damaged_records, name)
          for name in ("ip.10.9.0.5", "pod.shop_web-4@eth0", ".new")]
