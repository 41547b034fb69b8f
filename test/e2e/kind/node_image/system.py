"""The Debian that a node runs: systemd and what kubelet and kube-proxy call, made by debootstrap from the archive that
this machine's apt asks. Debian 12, as later ones' systemd refuses cgroup v1.
"""
import os
import re
import shutil
import subprocess

import debian
from go_programs import CannotBuild

RELEASE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "iptables", "nftables", "conntrack", "ethtool", "socat", "iproute2", "mount",
            "kmod", "procps", "jq", "curl", "runc")
TRIMMED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/i18n",
           "usr/share/lintian", "usr/share/zoneinfo", "usr/share/bash-completion", "usr/lib/udev/hwdb.d",
           "var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf", "usr/share/perl")
NAMED = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore", "nft",
         "conntrack")


def make(folder):
    """Make system.tar, the node's lowest layer, and iptables.tar, that of kube-proxy's image, in a folder. As root.

    Errors: CannotBuild.
    """
    root = f"{folder}/root"
    make_root(root, PACKAGES)
    members = sorted(_with_libraries(root))
    _run("tar", "--create", "--file", f"{folder}/iptables.tar", "--directory", root, "--no-recursion", "--sort=name",
         "--verbatim-files-from", "--files-from=-", text="\n".join(members))
    pack(root, f"{folder}/system.tar")


def make_root(root, packages):
    """Make the root file system of a Debian with these packages, without what nobody reads there. As root.

    Errors: CannotBuild.
    """
    if os.geteuid() != 0:
        raise CannotBuild("needs root, for debootstrap")
    if not shutil.which("debootstrap"):
        raise CannotBuild("needs debootstrap: apt-get install debootstrap")
    archive = debian.archive()
    if not archive:
        raise CannotBuild("apt has no archive of Debian's here")
    _run("unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase",
         f"--include={','.join(packages)}", RELEASE, root, archive)
    for name in TRIMMED:
        shutil.rmtree(f"{root}/{name}", ignore_errors=True)
    os.makedirs(f"{root}/var/log")
    for name in ("etc/machine-id", "etc/hostname", "etc/resolv.conf"):
        if os.path.lexists(f"{root}/{name}"):
            os.unlink(f"{root}/{name}")


def pack(root, layer):
    """Turn a root file system into a layer; it is gone then. Errors: CannotBuild."""
    _run("tar", "--create", "--file", layer, "--directory", root, "--xattrs", "--sort=name", ".")
    shutil.rmtree(root)


def _with_libraries(root):
    """The paths in a root file system of the programs that kube-proxy calls, of their plugins and libraries, and of the
    links on the way to them."""
    programs = [f"/usr/sbin/{name}" for name in NAMED]
    plugins = [f"{folder.removeprefix(root)}/{name}" for folder, _, names in os.walk(f"{root}/usr/lib")
               for name in names if folder.endswith("/xtables")]
    found = {"bin", "sbin", "lib", "lib64"}
    paths = [*programs, *plugins]
    libraries = re.findall(r"(/\S+) \(0x", _run("chroot", root, "ldd", *paths))
    for path in {*paths, *libraries}:
        found |= _way_to(root, path)
    return found


def _way_to(root, path):
    """A path and all that it leads to by links, as names below the root."""
    found = set()
    while True:
        folder = _inside(root, os.path.dirname(path))
        name = f"{folder}/{os.path.basename(path)}"
        found.add(name.lstrip("/"))
        if not os.path.islink(root + name):
            return found
        path = os.path.join(folder, os.readlink(root + name))


def _inside(root, folder):
    """The real path of a folder as seen inside the root."""
    real = "/"
    for part in folder.strip("/").split("/"):
        step = os.path.normpath(os.path.join(real, part))
        while os.path.islink(root + step):
            step = os.path.normpath(os.path.join(real, os.readlink(root + step)))
        real = step
    return real


def _run(*command, text=None):
    done = subprocess.run(command, input=text or "", capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(command[:6])}: {' '.join((done.stdout + done.stderr).split())[-600:]}")
    return done.stdout
