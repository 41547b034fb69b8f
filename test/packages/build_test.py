#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What build.sh does around the builds, in a tree whose builds take no time.

usage: build_test.py [WORD ...]
"""
import os
import shutil
import subprocess
import tempfile

import tap
from plugin import ROOT
from tap import Skip

IMAGE = "localhost/delegated-ipam:1.0"
CMAKE = """
if [ "$1" = --build ]; then exit 0; fi
mkdir -p "build/$2"
if [ -e "build/$2/sysroot" ]; then touch "build/$2/stale"; fi
echo 'set(CPACK_DELEGATED_IPAM_EPOCH "1")' >"build/$2/CPackConfig.cmake"
"""
CPACK = """
mkdir -p build/packages
for name in delegated-ipam_@_$(dpkg --print-architecture).deb delegated-ipam-linux-x-v@.tgz delegated-ipam_@_x.spdx.json; do
  echo x >"build/packages/$name"
done
"""


class Tree:
    """The sources as far as build.sh sees them. It stands in `home`, and so may a key."""

    def __init__(self, home, version="1.0", image=f'echo x >"$3"; echo "{IMAGE} by x: 0 0 bytes"'):
        if not shutil.which("dpkg"):
            raise Skip("needs dpkg: Debian's")
        self.home, self.root = home, f"{home}/tree"
        os.makedirs(f"{self.root}/examples/image")
        os.makedirs(f"{self.root}/test/lib")
        os.makedirs(f"{home}/bin")
        shutil.copy(os.path.join(ROOT, "examples/image/build.sh"), f"{self.root}/examples/image/build.sh")
        with open(f"{self.root}/test/lib/packages.sh", "w") as file:
            file.write("install_packages() { :; }\n")
        for path, text in ((f"{self.root}/examples/image/image.sh", image), (f"{home}/bin/buildah", ""),
                           (f"{home}/bin/cmake", CMAKE), (f"{home}/bin/cpack", CPACK.replace("@", version))):
            with open(path, "w") as file:
                file.write(f"#!/bin/sh\n{text}\n")
            os.chmod(path, 0o755)

    def build(self, *arguments):
        return subprocess.run([f"{self.root}/examples/image/build.sh", *arguments], cwd=self.home, capture_output=True,
                              text=True, env={**os.environ, "PATH": f"{self.home}/bin:{os.environ['PATH']}"})


def in_a_tree(test, *arguments, **more):
    with tempfile.TemporaryDirectory() as home:
        test(Tree(home, **more), *arguments)


def names_the_image(tree):
    done = tree.build()
    assert done.returncode == 0, done.stderr
    for line in ("ctr -n k8s.io images import build/packages/delegated-ipam_1.0_image.tar",
                 f"helm install delegated-ipam examples/chart --namespace kube-system --set image={IMAGE}",
                 f"delegated-ipam generate installer --image {IMAGE}"):
        assert f"\n  {line}\n" in done.stdout, done.stdout
    assert "no release" not in done.stdout, done.stdout


def fails(tree):
    done = tree.build()
    assert done.returncode == 1 and "why it failed" in done.stderr and "the image failed" in done.stderr, done
    assert "Install it" not in done.stdout, done.stdout


def signs(tree):
    if not shutil.which("ssh-keygen"):
        raise Skip("needs ssh-keygen: apt-get install openssh-client")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"{tree.home}/key"], check=True)
    done = tree.build("--key", "key")
    assert done.returncode == 0 and os.path.exists(f"{tree.root}/build/packages/SHA256SUMS.sig"), done


def refuses_no_key(tree):
    done = tree.build("--key", "none")
    assert done.returncode != 0 and not os.path.exists(f"{tree.root}/build"), done


def fetches_anew(tree):
    own = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    other = next(one for one in ("arm64", "armhf") if one != own)
    build = f"{tree.root}/build/release-{other}"
    os.makedirs(f"{build}/sysroot")
    done = tree.build(own, other)
    assert done.returncode == 0 and os.path.exists(f"{build}/CPackConfig.cmake"), done
    assert not os.path.exists(f"{build}/stale")


def is_no_release(tree, why):
    done = tree.build()
    assert done.returncode == 0 and done.stdout.splitlines()[-1].endswith("no release."), done
    assert why in done.stdout.splitlines()[-1], done.stdout


TESTS = [
    ("it tells the name by which a cluster has the image", in_a_tree, names_the_image),
    ("an image that fails ends it, with the reason", lambda: in_a_tree(fails, image="echo why it failed >&2; exit 1")),
    ("a key is the caller's: of the folder that it is called in", in_a_tree, signs),
    ("no such key: it says so before it builds", in_a_tree, refuses_no_key),
    ("the libraries of a foreign build are fetched anew", in_a_tree, fetches_anew),
    ("a commit without a tag is no release", lambda: in_a_tree(is_no_release, "no tag", version="1.0~git1.0")),
    ("sources without git are none", lambda: in_a_tree(is_no_release, "git does not tell", version="1.0~unknown")),
]


if __name__ == "__main__":
    tap.main("build.sh", TESTS)
