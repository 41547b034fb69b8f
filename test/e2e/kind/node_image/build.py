#!/usr/bin/env python3
"""Makes a node image for kind, of the newest Kubernetes, from Debian packages and Go modules alone: no registry is
asked. Its parts lie in the tests' cache (parts.py); what has not changed is not made again.

Usage: build.py [--prune] [PART...]    make these parts (default: all), and print how long each took and its size;
                                       --prune removes what was made of earlier versions
       build.py --quick                make what the node image needs and takes no more than minutes: nothing, where
                                       Kubernetes or another program would have to be compiled first
       build.py --archive FILE         write the image to a file (-: to stdout) for `docker load`
       build.py --name                 print the image's name
Needs root, debootstrap, busybox-static, Go 1.24 or newer (fetched where there is none) and, the first time, the network
and half an hour.
"""
import argparse
import fcntl
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import archive  # noqa: E402
import parts  # noqa: E402
from archive import File  # noqa: E402
from go_programs import CannotBuild  # noqa: E402

NODE = f"{parts.HERE}/node"  # files of ours, at the paths that they have in the image
UNITS = "etc/systemd/system"
ENABLED = ("containerd.service", "kubelet.service", "node-images.service")
# What a machine needs, and a container among others has no use for, or would do to all of them.
MASKED = ("systemd-sysctl.service", "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-logind.service",
          "systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-modules-load.service",
          "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount",
          "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount",
          "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "systemd-remount-fs.service", "getty.target",
          "systemd-random-seed.service", "systemd-pstore.service", "apt-daily.timer", "apt-daily-upgrade.timer",
          "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer")
CONFIG = {"Entrypoint": ["/kind/start"], "Env": [parts.PATH, "container=docker"], "StopSignal": "SIGRTMIN+3"}


def main():
    arguments = read_arguments()
    try:
        if arguments.name:
            print(name())
        elif arguments.archive:
            write(arguments.archive)
        elif arguments.quick:
            sys.exit(make_quickly())
        else:
            sys.exit(make(arguments.parts, arguments.prune))
    except (CannotBuild, OSError, ValueError) as reason:
        sys.exit(f"the node image is not made: {reason}")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prune", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--archive", metavar="FILE")
    parser.add_argument("--name", action="store_true")
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *parts.all_parts()])
    return parser.parse_args()


def name():
    """The image's, in docker."""
    return f"delegated-ipam.test/node:{parts.kubernetes_version()}"


def make_quickly():
    """Make what is missing of the node image, unless that takes long; returns an exit code."""
    names = parts.of_node_image()
    long = [name for name in names if isinstance(parts.part(name), parts.GoPart) and not parts.part(name).is_made]
    if long:
        print(f"the node image is not made: compiling {', '.join(long)} takes half an hour; "
              f"run {os.path.relpath(__file__, parts.ROOT)}")
        return 0
    return make(names, False)


def make(wanted, is_pruned):
    """Make what is missing of these parts, or of all; returns an exit code."""
    os.makedirs(parts.CACHE, exist_ok=True)
    with open(f"{parts.CACHE}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = [report(part) for part in parts.all_parts().values() if not wanted or part.name in wanted]
        if is_pruned:
            prune()
    return 0 if all(made) else 1


def report(part):
    """Make a part unless it is there, and print its line; returns False when it cannot be made."""
    started = time.monotonic()
    try:
        how = ensure(part)
    except (CannotBuild, OSError) as reason:
        print(f"{part.name}: not made: {reason}", flush=True)
        return False
    took = "in the cache" if how == "there" else f"made in {time.monotonic() - started:.0f} s"
    print(f"{part.name}: {took}, {size(part.folder) / 1e6:.0f} MB", flush=True)
    return True


def ensure(part):
    """Make a part, in place at once, unless it is there. Errors: CannotBuild."""
    if part.is_made:
        return "there"
    scratch = tempfile.mkdtemp(prefix=f"{part.name}.", dir=parts.CACHE)
    try:
        part.make(scratch)
        os.chmod(scratch, 0o755)
        os.rename(scratch, part.folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return "made"


def size(folder):
    """The bytes that the files of a folder take."""
    return sum(os.path.getsize(os.path.join(above, name)) for above, _, names in os.walk(folder) for name in names)


def prune():
    """Remove from the cache what no part of today is, and what a build that was killed has left."""
    current = {os.path.basename(part.folder) for part in parts.all_parts().values()}
    for entry in sorted(os.listdir(parts.CACHE)):
        path = f"{parts.CACHE}/{entry}"
        if os.path.isdir(path) and entry.startswith(tuple(parts.all_parts())) and entry not in current:
            print(f"removed: {entry}, {size(path) / 1e6:.0f} MB", flush=True)
            shutil.rmtree(path)


def write(path):
    """Write the image. Errors: CannotBuild when a part is missing."""
    missing = [name for name in parts.of_node_image() if not parts.part(name).is_made]
    if missing:
        raise CannotBuild(f"first run {os.path.relpath(__file__, parts.ROOT)}: there is no {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as work:
        archive.write_layer(f"{work}/own.tar", own_files())
        layers = [f"{parts.part(one).folder}/{one}.tar" for one in ("system", "programs", "images")]
        with sys.stdout.buffer if path == "-" else open(path, "wb") as stream:
            archive.write_image(stream, [name()], [*layers, f"{work}/own.tar"], CONFIG)


def own_files():
    """{path in the image: File} of what is neither Debian's nor a program."""
    files = {}
    for folder, _, names in os.walk(NODE):
        for one in names:
            path = f"{folder}/{one}"
            files[os.path.relpath(path, NODE)] = File(source=path, mode=0o755 if os.access(path, os.X_OK) else 0o644)
    pause = parts.image_names()["pause"]
    for path in ("etc/containerd/config.toml", "kind/manifests/default-storage.yaml"):
        with open(f"{NODE}/{path}") as file:
            files[path] = File(content=file.read().replace("PAUSE", pause).encode())
    files["kind/version"] = File(content=f"{parts.kubernetes_version()}\n".encode())
    for unit in MASKED:
        files[f"{UNITS}/{unit}"] = File(link="/dev/null")
    for unit in ENABLED:
        files[f"{UNITS}/multi-user.target.wants/{unit}"] = File(link=f"/{UNITS}/{unit}")
    files[f"{UNITS}/default.target"] = File(link="/usr/lib/systemd/system/multi-user.target")
    files["etc/machine-id"] = File()
    return files


if __name__ == "__main__":
    main()
