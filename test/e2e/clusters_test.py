#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The story of kind/run.sh on real clusters of kind, three nodes each, one cluster a kind of network: on a docker daemon
of the test's own, with the node image that kind/node_image/build.py has made.

usage: clusters_test.py [bridge|ptp|flannel|cilium|guide]...
                    (default: all; bridge-dual and so on: in dual stack; guide: that of examples/kind, step by step)
Needs root, the packages of the list clusters, the node image, and the peers kind, plugins, flannel, cilium-agent and
helm. A docker that DOCKER_HOST or DOCKER_BIN names is used instead of an own one, an image that KIND_NODE_IMAGE names
instead of ours.
"""
import os
import re
import signal
import subprocess
import sys
import time

NETWORKS = tuple(f"{cni}{families}" for cni in ("bridge", "ptp", "flannel", "cilium") for families in ("", "-dual"))
GUIDE = "guide"
IS_OWN = not (os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_BIN"))

import world

FOLDER = world.enter() if IS_OWN else None

import own_docker
import peers
import tap
from go_programs import CannotBuild
from kernel_settings import Kernel
from kind_guide import Guide
from plugin import BINARY, ROOT, require

NODE_IMAGE = f"{ROOT}/test/e2e/kind/node_image"
sys.path.insert(0, NODE_IMAGE)
import parts  # noqa: E402

SECONDS = 2700  # for one cluster; they took ten to twenty-five minutes
MEASURED = re.compile(r": kept \d|report: \d|addresses ever|in its own range")


def requirements():
    """Skip unless all is there; make nothing that takes minutes."""
    require(BINARY)
    peers.require("kind", "bridge", "flannel")
    if any(network.startswith("cilium") for network in networks()):
        peers.require("helm", "cilium-agent")
    if os.geteuid() != 0:
        tap.skip("needs root: it makes nodes; run it with sudo")
    wanted = ["kubernetes"] if os.environ.get("KIND_NODE_IMAGE") else parts.of_node_image()
    wanted += [name for network in networks() for name in parts.NETWORKS.get(network.removesuffix("-dual"), ())]
    missing = [name for name in wanted if not parts.part(name).is_made]
    if missing:
        tap.skip(f"of the node image {', '.join(missing)} is missing: run test/e2e/kind/node_image/build.py "
                 "(half an hour the first time)")
    if IS_OWN and os.environ.get("KIND_NODE_IMAGE"):
        tap.skip("KIND_NODE_IMAGE names an image of a docker: say which one, by DOCKER_HOST or DOCKER_BIN")


def networks():
    return [network for network in NETWORKS if network in sys.argv[1:]] or ([] if GUIDE in sys.argv[1:] else NETWORKS)


def start_docker():
    """The variables by which docker is found."""
    if not IS_OWN:
        return {}
    try:
        return own_docker.start(f"{FOLDER}/docker")
    except own_docker.CannotRun as reason:
        tap.skip(str(reason))


def load_image(docker):
    """Put the node image into docker; returns its name."""
    name = os.environ.get("KIND_NODE_IMAGE")
    if name:
        return name
    with subprocess.Popen([f"{NODE_IMAGE}/build.py", "--archive", "-"], stdout=subprocess.PIPE) as archive:
        name = load(docker, archive.stdout)
    if archive.returncode != 0:
        raise CannotBuild("the node image has not become an archive")
    return name


def load(docker, stream):
    """Put the image of an archive into docker; returns its name."""
    done = subprocess.run([os.environ.get("DOCKER_BIN", "docker"), "load"], env={**os.environ, **docker}, stdin=stream,
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotBuild(f"docker load: {done.stdout}{done.stderr}")
    return done.stdout.split()[-1]


def cilium(docker):
    """The variables by which run.sh finds Cilium: the image in docker, the chart, and its values. Its agent lets one
    pod in two seconds onto a node, and compiles for each: the usual times are too short."""
    made = parts.part("cilium-image").folder
    with open(f"{made}/cilium.tar", "rb") as archive:
        image = load(docker, archive)
    return {"HELM_BIN": peers.binary("helm", "helm"), "CILIUM_CHART": f"{made}/chart", "CILIUM_IMAGES": image,
            "CILIUM_VALUES": f"{NODE_IMAGE}/cilium/values.yaml",
            "KIND_PATIENCE": os.environ.get("KIND_PATIENCE", "200")}


def play(suite, network, docker, image):
    """One run of run.sh, each of its steps a test."""
    environment = {
        **os.environ, **docker, "KIND_NODE_IMAGE": image, "KIND_BIN": peers.binary("kind"),
        "KUBECTL_BIN": os.environ.get("KUBECTL_BIN") or parts.program("kubectl", "kubernetes"),
        "CNI_PLUGINS": os.path.dirname(peers.binary("bridge")), "FLANNEL_CNI_BIN": peers.binary("flannel"),
        "FLANNELD_BIN": parts.program("flanneld", "flanneld"), "DELEGATED_IPAM": BINARY,
        **(cilium(docker) if network.startswith("cilium") else {})}
    begun, said = time.monotonic(), []
    command = [f"{ROOT}/test/e2e/kind/run.sh", *network.split("-")]
    with subprocess.Popen(["timeout", "--kill-after=60", str(SECONDS), *command], env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as story:
        for line in story.stdout:
            found = re.match(r"(not )?ok \d+ - [^:]+: (.*)|1\.\.0 # SKIP (.*)", line)
            if not found:
                said.append(line.removeprefix("# ").rstrip())
                print(f"#| {said[-1]}", flush=True)
                continue
            suite.run(f"{network}: {found[2] or 'the story'}", judge, found, said)
            took = [f"took {time.monotonic() - begun:.0f} s", *filter(MEASURED.search, said)]
            print(f"# {network}: {'; '.join(took)}", flush=True)
            begun, said = time.monotonic(), []
    suite.run(f"{network}: the story comes to its end", ended, story.returncode)


def follow_guide(suite, docker, image):
    """The guide for kind; in a world only, as it has its own names and places."""
    guide = Guide(f"{FOLDER}/guide", {**os.environ, **docker}, peers.binary("kind"),
                  parts.program("kubectl", "kubernetes"), image)
    if suite.run("the guide for kind: a cluster of ptp by its steps, a worker restarted", guide.follow):
        suite.run("the guide for kind: every pod of that worker is back on its address", guide.assert_kept)
    suite.run("the guide for kind: the way back", guide.remove)


def judge(found, said):
    """The result of a step, as run.sh tells it, and what it said before."""
    if found[3]:
        raise tap.Skip(found[3])
    assert not found[1], "\n".join(said[-40:])


def ended(code):
    assert code == 0, f"exit {code}"


def nothing_is_left(docker):
    """Of the clusters, in docker."""
    left = [own_docker.run(docker, *words) for words in (("ps", "--all", "--quiet"), ("volume", "ls", "--quiet"))]
    assert left == ["", ""], left


def tell(suite):
    kernel = Kernel()
    docker = start_docker()
    if IS_OWN:
        os.environ["TMPDIR"] = FOLDER  # so that it goes with the world
    image = load_image(docker)
    for network in networks():
        play(suite, network, docker, image)
    if IS_OWN and (not sys.argv[1:] or GUIDE in sys.argv[1:]):
        follow_guide(suite, docker, image)
    if IS_OWN:
        suite.run("no container and no volume is left", nothing_is_left, docker)
        suite.run("the machine's kernel is set as before", kernel.assert_unchanged)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tap.story("clusters", tell, requirements)
