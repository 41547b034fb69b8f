#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The installer's image: one file, all architectures in one list, the same bytes each time; and its install step, run
twice at once on a folder from which a runtime calls the plugin all the time.

usage: image_test.py [WORD ...]      ADDS=10000 for more than 1000 ADDs
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import scratch_root

scratch_root.enter()

import plugin
import tap
from command import content
from plugin import BINARY, ROOT, require
from tap import Skip

IMAGE = os.path.join(ROOT, "examples/image/image.sh")
EPOCH = "1700000000"
VERSION = "0.1.0~git1.changed"
NAME = "localhost/delegated-ipam:0.1.0-git1.changed"
ADDS = int(os.environ.get("ADDS", "1000"))
CALLERS = 2
ENTRY = ["/delegated-ipam", "install", "/host/bin"]  # as the Containerfile has it
TABLE = {"amd64": ("amd64", None), "arm64": ("arm64", None), "armhf": ("arm", "v7")}


def built(folder, *binaries, engine=None):
    """An image archive of ARCHITECTURE=BINARY. Errors: Skip without an engine."""
    engines = [one for one in (engine, "buildah", "podman") if one and shutil.which(one)]
    if not engines or engine not in (None, engines[0]):
        raise Skip(f"needs {engine or 'buildah or podman'}: apt-get install {engine or 'buildah'}")
    archive = os.path.join(folder, "image.tar")
    was_there = os.path.exists("/etc/cni")
    done = subprocess.run([IMAGE, VERSION, EPOCH, archive, *binaries], capture_output=True, text=True,
                          env={**os.environ, "ENGINE": engines[0], "TMPDIR": folder})
    assert done.returncode == 0, done.stderr
    assert os.path.exists("/etc/cni") == was_there, "the engine leaves something below /etc/cni"
    assert done.stdout.startswith(f"{NAME} by "), done.stdout
    return archive


class Layout:
    """An OCI archive: its blobs by digest, each of which is what its name says."""

    def __init__(self, archive):
        self.blobs = {}
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member).read() if member.isfile() else b""
                if member.name.startswith("./blobs/sha256/") and member.isfile():
                    digest = os.path.basename(member.name)
                    assert hashlib.sha256(content).hexdigest() == digest, member.name
                    self.blobs[f"sha256:{digest}"] = content
                elif member.name == "./index.json":
                    self.index = json.loads(content)

    def of(self, digest):
        return json.loads(self.blobs[digest])

    def name(self):
        """What an import calls it: containerd takes this one as it is, if it has a host."""
        (entry,) = self.index["manifests"]
        return entry["annotations"]["org.opencontainers.image.ref.name"]

    def images(self):
        """{(architecture, variant): (configuration, {path: (mode, owner, content)})} of the one manifest list."""
        (entry,) = self.index["manifests"]
        found = {}
        for one in self.of(entry["digest"])["manifests"]:
            manifest = self.of(one["digest"])
            (layer,) = manifest["layers"]
            files = {}
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.blobs[layer["digest"]]))) as tar:
                for member in tar:
                    content = tar.extractfile(member).read() if member.isfile() else None
                    files[member.name] = (member.mode & 0o7777, member.uid, content)
            platform = one["platform"]
            assert platform["os"] == "linux", platform
            found[platform["architecture"], platform.get("variant")] = self.of(manifest["config"]["digest"]), files
        return found


def has_one_file_an_architecture():
    """Here the three are any three files; what is in a release's image is looked at by whole/."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        given = {"amd64": BINARY, "arm64": "/bin/true", "armhf": "/bin/false"}
        layout = Layout(built(folder, *(f"{name}={path}" for name, path in given.items())))
        assert layout.name() == NAME, layout.name()
        images = layout.images()
        assert set(images) == {TABLE[name] for name in given}, set(images)
        for name, path in given.items():
            configuration, files = images[TABLE[name]]
            assert files == {"delegated-ipam": (0o755, 0, content(path))}, [(key, one[:2]) for key, one in files.items()]
            assert configuration["config"]["Entrypoint"] + configuration["config"]["Cmd"] == ENTRY, configuration


def is_the_same_each_time():
    sums = set()
    for mask in (0o022, 0o077):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            shutil.copy(BINARY, f"{folder}/another-name")
            before = os.umask(mask)
            try:
                archive = built(folder, f"amd64={folder}/another-name")
            finally:
                os.umask(before)
            sums.add(hashlib.sha256(content(archive)).hexdigest())
    assert len(sums) == 1, sums


def root_of(folder):
    """The image's files as a root folder, with the mount points that a runtime would make."""
    root = os.path.join(folder, "root")
    for name in ("host/bin", "proc"):
        os.makedirs(f"{root}/{name}")
    try:
        (_, files), = Layout(built(folder, f"amd64={BINARY}")).images().values()
        print("# the image's own file is what installs", flush=True)
    except Skip:
        files = {"delegated-ipam": (0o755, 0, content(BINARY))}
        print("# no engine: the file that the Containerfile copies is what installs", flush=True)
    for name, (mode, _, data) in files.items():
        with open(os.path.join(root, name), "wb") as file:
            file.write(data)
        os.chmod(os.path.join(root, name), mode)
    return root


class Caller:
    """A runtime that calls the plugin in `bin` for one pod after the other."""

    def __init__(self, home, number):
        self.binary, self.number, self.failures = f"{home}/bin/delegated-ipam", number, []
        self.conf = {"cniVersion": "1.0.0", "name": f"n{number}", "type": "bridge", "ipam": {
            "type": "delegated-ipam", "dataDir": f"{home}/net", "stateDir": f"{home}/state",
            "delegate": {"type": "host-local", "ranges": [[{"subnet": "10.7.0.0/24"}]]}}}

    def call(self, command, pod):
        env = plugin.environment(command, f"c{pod}", args=plugin.pod_args("shop", f"web-{pod}"))
        try:
            done = plugin.run(self.binary, env, self.conf)
        except OSError as error:
            return self.failures.append(f"{command} {pod}: {error}")
        if done.exit != 0 or (command == "ADD" and not done.addresses):
            self.failures.append(f"{command} {pod}: {done}")

    def work(self, count):
        for pod in range(count):
            self.call("ADD", pod % 100)
            self.call("DEL", pod % 100)


def installs_under_a_runtime():
    """Never a moment without a working plugin."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home, scratch_root.layer():
        for name in ("bin", "net", "state"):
            os.makedirs(f"{home}/{name}")
        root = root_of(home)
        mounted = {f"{home}/bin": f"{root}/host/bin", "/proc": f"{root}/proc"}  # a container has a /proc
        for source, target in mounted.items():
            subprocess.run(["mount", "--bind", source, target], check=True)
        try:
            shutil.copy(BINARY, f"{home}/bin/delegated-ipam")
            under_a_runtime(home, root)
        finally:
            subprocess.run(["umount", *mounted.values()], check=True)


def under_a_runtime(home, root):
    done, installed = threading.Event(), []

    def install():
        while not done.is_set():
            installed.append(subprocess.run([shutil.which("chroot"), root, *ENTRY], capture_output=True, text=True, env={}))

    executing = subprocess.Popen([f"{home}/bin/delegated-ipam", "pause"], env={})
    callers = [Caller(home, number) for number in range(CALLERS)]
    try:
        with ThreadPoolExecutor(CALLERS + 2) as pool:
            installers = [pool.submit(install) for _ in range(2)]
            for work in [pool.submit(caller.work, ADDS // CALLERS) for caller in callers]:
                work.result()
            done.set()
            for one in installers:
                one.result()
        assert executing.poll() is None, "the old executable ended"
    finally:
        done.set()
        executing.kill()
        executing.wait()
    failures = [line for caller in callers for line in caller.failures]
    assert not failures, f"{len(failures)} of {ADDS}: {failures[:3]}"
    wrong = [one for one in installed if one.returncode != 0 or one.stderr]
    assert not wrong, f"{len(wrong)} of {len(installed)}: {wrong[:3]}"
    assert len(installed) > 10, installed
    assert os.listdir(f"{home}/bin") == ["delegated-ipam"], os.listdir(f"{home}/bin")
    assert content(f"{home}/bin/delegated-ipam") == content(BINARY)
    print(f"# {ADDS} ADDs and DELs, 0 failures, while {len(installed)} installations ran, two at a time", flush=True)


TESTS = [
    ("the image has its name and the one file and installs it, each architecture in one list", has_one_file_an_architecture),
    ("the image has the same bytes, whoever builds it where", is_the_same_each_time),
    ("the install step, two at once: no ADD finds no plugin, the old one runs on", installs_under_a_runtime),
]


if __name__ == "__main__":
    tap.main("image", TESTS, lambda: require(BINARY))
