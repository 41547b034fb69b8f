"""A small file system in an image file on a loop device, whose power can be cut."""
import contextlib
import fcntl
import os
import shutil
import struct
import subprocess

from tap import Skip

EXT4_IOC_SHUTDOWN = 0x8004587D  # of xfs as well, where it is XFS_IOC_GOINGDOWN
NO_LOG_FLUSH = 2

# No periodic commit comes to the rescue during a test: what survives was flushed.
FORMATS = {
    "ext4": ("256M", ("mkfs.ext4", "-q", "-F"), "loop,commit=300", "e2fsprogs"),
    "xfs": ("512M", ("mkfs.xfs", "-q", "-f"), "loop", "xfsprogs"),
    "btrfs": ("256M", ("mkfs.btrfs", "-q", "-f"), "loop,commit=300", "btrfs-progs"),
}


class Disk:
    """Mounted at `mount_point` inside a with block; image files live beside it in `folder`."""

    def __init__(self, folder, kind, *mkfs_options, is_shut_down=None):
        """is_shut_down: the power is cut by the file system itself; by default with ext4. Else by a copy of the image."""
        self.kind = kind
        self.is_shut_down = kind == "ext4" if is_shut_down is None else is_shut_down
        self.size, self.mkfs, self.options, self.package = FORMATS[kind]
        self.mkfs += mkfs_options
        self.image = os.path.join(folder, f"{kind}.image")
        self.mount_point = os.path.join(folder, kind)

    def __enter__(self):
        if not shutil.which(self.mkfs[0]):
            raise Skip(f"needs {self.mkfs[0]}: apt-get install {self.package}")
        if not is_known(self.kind):
            raise Skip(f"this kernel has no {self.kind}")
        os.makedirs(self.mount_point)
        subprocess.run(["truncate", "-s", self.size, self.image], check=True)
        subprocess.run([*self.mkfs, self.image], check=True, stdout=subprocess.DEVNULL)
        self.mount()
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.mount_point], check=False, stderr=subprocess.DEVNULL)
        os.unlink(self.image)
        os.rmdir(self.mount_point)

    def mount(self):
        subprocess.run(["mount", "-t", self.kind, "-o", self.options, self.image, self.mount_point], check=True)

    def unmount(self):
        subprocess.run(["umount", self.mount_point], check=True)

    def remount(self, option):
        """Change one mount option: "ro" or "rw"."""
        subprocess.run(["mount", "-o", f"remount,{option}", self.mount_point], check=True)

    def settle(self):
        """Everything written so far is safe; the test's own preparations do not count."""
        descriptor = os.open(self.mount_point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.sync()

    def cut_power(self):
        """Lose what was not flushed, and start again with what was."""
        if self.is_shut_down:
            self.shut_down()
        else:
            self.go_back_to_copy()

    def shut_down(self):
        """The file system forgets what its journal has not got."""
        self.die()
        self.unmount()
        self.mount()

    def die(self):
        """From now on ext4 or xfs refuses every change with EIO, until it is unmounted."""
        descriptor = os.open(self.mount_point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def go_back_to_copy(self):
        """Take the writes that the device has seen up to now, nothing later."""
        copy = f"{self.image}.copy"
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        self.unmount()
        os.replace(copy, self.image)
        self.mount()


def is_known(kind):
    """True if the kernel can mount this kind of file system now."""
    with open("/proc/filesystems") as file:
        return any(line.split()[-1] == kind for line in file)


@contextlib.contextmanager
def tmpfs(folder, options):
    """A tmpfs of its own at the path that is yielded."""
    path = os.path.join(folder, "tmpfs")
    os.makedirs(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)
        os.rmdir(path)


def fill_blocks(folder):
    """Take every block, with smaller and smaller writes; returns the file to remove."""
    path = os.path.join(folder, "ballast")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    for size in (1 << 20, 1 << 16, 4096, 512):
        with contextlib.suppress(OSError):
            while os.write(descriptor, b"\xff" * size) == size:
                pass
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    os.close(descriptor)
    return path


def fill_inodes(folder):
    """Make empty files until there is no inode left; returns them."""
    made = []
    with contextlib.suppress(OSError):
        while True:
            path = os.path.join(folder, f"ballast-{len(made)}")
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
            made.append(path)
    return made
