"""Cilium's agent as an image, and its chart with the CRDs that it needs. Cilium's own image is in a registry; this one
is Debian's, with the programs that the agent runs, Cilium's Go programs and what its module has of files. Beside the
agent there is nothing: no operator (it would bring the CRDs), no Envoy, no Hubble.
"""
import os
import shutil

import archive
import system
from archive import File

NAME = "delegated-ipam.test/cilium:1"
# What clang 14 to 16 make of the agent's datapath, the kernel refuses.
PACKAGES = ("clang-19", "iptables", "ipset", "iproute2", "kmod", "mount", "procps")
SCRIPTS = ("images/cilium/init-container.sh", "plugins/cilium-cni/install-plugin.sh",
           "plugins/cilium-cni/cni-uninstall.sh")
CRDS = "pkg/k8s/apis/cilium.io/client/crds"
CHART = "install/kubernetes/cilium"


def make(folder, programs, module):
    """Make cilium.tar, for `docker load`, and the folder chart in a folder. programs: {path in the image: path of the
    program}; module: the folder of Cilium's Go module. As root.

    Errors: CannotBuild.
    """
    root, debian, own = (f"{folder}/{name}" for name in ("root", "debian.layer", "own.layer"))
    system.make_root(root, PACKAGES)
    system.pack(root, debian)
    archive.write_layer(own, own_files(programs, module))
    with open(f"{folder}/cilium.tar", "wb") as stream:
        archive.write_image(stream, [NAME], [debian, own], {"Cmd": ["/usr/bin/cilium-dbg"]})
    for layer in (debian, own):
        os.unlink(layer)
    make_chart(f"{folder}/chart", module)


def own_files(programs, module):
    """{path in the image: File} of what is not Debian's."""
    files = {path: File(source=source, mode=0o755) for path, source in programs.items()}
    files["usr/bin/clang"] = File(link="clang-19")
    for script in SCRIPTS:
        files[os.path.basename(script)] = File(source=f"{module}/{script}", mode=0o755)
    for folder, _, names in os.walk(f"{module}/bpf"):
        for name in names:
            path = f"{folder}/{name}"
            files[f"var/lib/cilium/{os.path.relpath(path, module)}"] = File(source=path)
    return files


def make_chart(folder, module):
    """Cilium's chart, which installs the CRDs before all else. A module's files are read-only; these are not."""
    for source, target in ((CHART, folder), (CRDS, f"{folder}/crds")):
        shutil.copytree(f"{module}/{source}", target, copy_function=shutil.copyfile, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("*.go"))
        for above, _, _ in os.walk(target):
            os.chmod(above, 0o755)
