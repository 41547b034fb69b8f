"""The parts of the node image. Each is a folder in the cache, <peers.CACHE>/node-image/NAME-KEY, whose key is made of
what goes in: a part is made again when that has changed, and no other part with it.

    kubernetes, etcd, coredns, cni   programs from the Go modules of the folders of these names, built as peers are
    containerd, crictl               those of the tests' own peers
    flanneld                         no part of the image: Flannel's daemon for the cluster's network
    cilium, cilium-image             neither: what Cilium's image has beside the programs of the tests' own peer, and the
                                     image, with Cilium's chart
    system                           a small Debian (system.py), and what of it kube-proxy's image has
    images                           what kubeadm runs in pods, a layer with an archive each
    programs                         kubelet, the runtime and its tools, a layer
"""
import functools
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(HERE))))
sys.path[:0] = [HERE, f"{ROOT}/test/lib"]

import archive  # noqa: E402
import cilium_image  # noqa: E402
import peers  # noqa: E402
import system  # noqa: E402
from archive import File  # noqa: E402
from go_programs import CannotBuild, compile_tool, find_go  # noqa: E402

CACHE = f"{peers.CACHE}/node-image"
SECONDS = 3600  # for one program: kube-apiserver takes a quarter of an hour on two cores
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROXY = "kube-proxy"  # the one image that runs programs of others
BUSYBOX = "/bin/busybox"
NETWORKS = {"flannel": ("flanneld",), "cilium": ("cilium", "cilium-image")}  # parts of no node image, by network
CILIUM = "github.com/cilium/cilium"
AGENT = "cilium-agent"  # the peer that has Cilium's programs, and its module


class Part:
    """name: of the part; inputs: texts that tell what goes in; make: makes its files in a folder, which it is given."""

    def __init__(self, name, inputs, make):
        self.name = name
        key = hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:16]
        self.folder = f"{CACHE}/{name}-{key}"
        self.make = make

    @property
    def is_made(self):
        return os.path.isdir(self.folder)


class GoPart(Part):
    """The programs of a folder with a go.mod, each by its name; flags, variables: for their compilation."""

    def __init__(self, name, flags=(), **variables):
        self.peer = peers.Peer(name, HERE, CACHE)
        super().__init__(name, [], self._compile)
        self.folder = self.peer.built
        self._flags, self._variables = flags, variables

    def version(self, program):
        return next(tool.version for tool in self.peer.tools if tool.name == program)

    def _compile(self, folder):
        go = find_go()
        for tool in self.peer.tools:
            compile_tool(go, self.peer.folder, tool.package, f"{folder}/{tool.name}", self._flags, seconds=SECONDS,
                         **self._variables)


@functools.cache
def all_parts():
    """{name: Part}, each behind those that it is made of. Errors: OSError when a folder has no go.mod."""
    own = [GoPart("kubernetes", kubernetes_flags()), GoPart("etcd"), GoPart("coredns"), GoPart("cni"),
           GoPart("flanneld", ("-linkmode=external", "-extldflags=-static"), CGO_ENABLED="1"), GoPart("cilium"),
           Part("system", [source(system), system.RELEASE], system.make)]
    known = {part.name: part for part in own}
    keys = [os.path.basename(known[name].folder) for name in ("kubernetes", "etcd", "coredns", "cni", "system")]
    others = [os.path.basename(peers.Peer(name).built) for name in ("containerd", "crictl")]
    code = [source(archive), source(sys.modules[__name__])]
    for name, inputs, make in (("images", keys, make_images), ("programs", keys + others, make_programs)):
        known[name] = Part(name, [*inputs, *code], make)
    inputs = [os.path.basename(peers.Peer(AGENT).built), os.path.basename(known["cilium"].folder),
              source(cilium_image), source(system), source(archive)]
    known["cilium-image"] = Part("cilium-image", inputs, make_cilium_image)
    return known


def of_node_image():
    """The names of the parts that the node image is made of."""
    return [name for name in all_parts() if not any(name in names for names in NETWORKS.values())]


def part(name):
    """The Part of this name."""
    return all_parts()[name]


def program(name, of):
    """The path of a program in the part `of`; it need not be there yet."""
    return f"{part(of).folder}/{name}"


def kubernetes_version():
    """As go.mod pins it, "v1.37.2"."""
    with open(f"{HERE}/kubernetes/go.mod") as file:
        return re.search(r"^\s*(?:require )?k8s.io/kubernetes (v\S+)", file.read(), re.MULTILINE)[1]


def kubernetes_flags():
    """What makes Kubernetes' programs tell their version: kubeadm and kubectl go by it."""
    version = kubernetes_version()
    major, minor = version[1:].split(".")[:2]
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return [f"-X {package}.{name}={value}" for package in packages for name, value in told.items()]


def image_names():
    """{short name: tag} of the images that kubeadm asks for; CoreDNS' is "coredns"."""
    told = subprocess.run([program("kubeadm", "kubernetes"), "config", "images", "list", "--kubernetes-version",
                           kubernetes_version()], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    names = {re.search(r"([^/:]+):[^/:]+$", line)[1]: line for line in told.stdout.split()}
    if told.returncode != 0 or len(names) != 7:
        raise CannotBuild(f"kubeadm config images list: {told.stdout}{told.stderr}")
    return names


def make_images(folder):
    """Each image as an archive, all in the layer images.tar."""
    files = {}
    for name, tag in image_names().items():
        layers = [f"{folder}/{name}.layer"]
        archive.write_layer(layers[0], image_files(name))
        if name == PROXY:
            layers.insert(0, f"{part('system').folder}/iptables.tar")
        with open(f"{folder}/{name}.tar", "wb") as stream:
            archive.write_image(stream, [tag], layers, image_config(name))
        files[f"kind/images/{name}.tar"] = File(source=f"{folder}/{name}.tar")
        os.unlink(f"{folder}/{name}.layer")
    archive.write_layer(f"{folder}/images.tar", files)
    for path in glob.glob(f"{folder}/*.tar"):
        if path != f"{folder}/images.tar":
            os.unlink(path)


def image_files(name):
    if name == "pause":
        return {"bin/busybox": File(source=static_busybox(), mode=0o755)}
    if name == "coredns":
        return {"coredns": File(source=program("coredns", "coredns"), mode=0o755)}
    path = program(name, "etcd" if name == "etcd" else "kubernetes")
    return {f"usr/local/bin/{name}": File(source=path, mode=0o755)}


def image_config(name):
    if name == "pause":
        return {"Entrypoint": [BUSYBOX, "sleep", "2147483647"]}
    return {"Entrypoint": ["/coredns"] if name == "coredns" else [f"/usr/local/bin/{name}"], "Env": [PATH]}


def static_busybox():
    path = shutil.which("busybox")
    if not path:
        raise CannotBuild("needs busybox: apt-get install busybox-static")
    return path


def make_programs(folder):
    """programs.tar, a layer."""
    files = {}
    for name in ("kubelet", "kubeadm", "kubectl"):
        files[f"usr/bin/{name}"] = File(source=program(name, "kubernetes"), mode=0o755)
    for name in ("containerd", "containerd-shim-runc-v2", "ctr", "crictl"):
        path = peer_file(name, "crictl" if name == "crictl" else "containerd")
        files[f"usr/local/bin/{name}"] = File(source=path, mode=0o755)
    for tool in part("cni").peer.tools:
        files[f"opt/cni/bin/{tool.name}"] = File(source=program(tool.name, "cni"), mode=0o755)
    archive.write_layer(f"{folder}/programs.tar", files)


def make_cilium_image(folder):
    """cilium.tar and the chart."""
    programs = {"usr/bin/cilium-agent": peer_file("cilium-agent", AGENT),
                "opt/cni/bin/cilium-cni": peer_file("cilium-cni", AGENT),
                "usr/bin/cilium-dbg": program("cilium-dbg", "cilium")}
    cilium_image.make(folder, programs, peer_file(CILIUM, AGENT))


def peer_file(name, peer):
    """The path of a program, or of a module, of a peer. Errors: CannotBuild when it is not there."""
    path = peers.binary(name, peer)
    if not path:
        raise CannotBuild(f"{name} is not there: run {peers.BUILD} {peer}")
    return os.path.realpath(path)


def source(module):
    """The text of a module of ours."""
    with open(module.__file__) as file:
        return file.read()
