#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The last commit, built some minutes later in another folder by another user with another umask, locale and time zone,
without ccache: the same bytes as here, for every architecture; the image's too, where buildah, podman or docker is there.

usage: reproducible_test.py [WORD ...]      words such as amd64; takes some minutes an architecture
"""
import hashlib
import os
import shutil
import tempfile

import tap
from command import content, run
from plugin import ROOT

NOBODY = 65534
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PLACES = {"here": (0, 0o022, {"LC_ALL": "C.UTF-8", "TZ": "UTC"}),
          "a folder with another name": (NOBODY, 0o077, {"LC_ALL": "POSIX", "LANGUAGE": "tr", "TZ": "Pacific/Chatham"})}


def packages(home, name, architecture):
    """Clone and build; returns {file: sha256} of all packages."""
    user, mask, environment = PLACES[name]
    clone = os.path.join(home, name.replace(" ", "-"))
    run("git", "clone", "-q", ROOT, clone)
    other = {}
    if os.geteuid() == 0 and user:
        run("chown", "-R", f"{user}:{user}", clone)
        other = {"user": user, "group": user, "extra_groups": []}
    run(f"{clone}/examples/image/build.sh", architecture, umask=mask, cwd=clone, **other, env={
        "PATH": PATH, "HOME": f"{clone}/build", "USER": str(user), **environment})
    out = f"{clone}/build/packages"
    return {one.name: hashlib.sha256(content(one.path)).hexdigest() for one in os.scandir(out)}


def is_the_same(architecture):
    home = tempfile.mkdtemp(prefix="reproducible.", dir="/var/tmp")
    os.chmod(home, 0o755)
    try:
        one, other = (packages(home, name, architecture) for name in PLACES)
    finally:
        shutil.rmtree(home)
    has_image = any(shutil.which(name, path=PATH) for name in ("buildah", "podman", "docker"))
    assert len(one) == (13 if has_image else 10), sorted(one)  # each but SHA256SUMS with its two sums
    assert has_image == any(name.endswith("_image.tar") for name in one), sorted(one)
    if not has_image:
        print(f"# {architecture}: without the image: no buildah, podman or docker", flush=True)
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    different = [name for name in one if one[name] != other[name]]
    assert not different, different
    for name in sorted(one):
        if not name.endswith((".sha256", ".sha512")):
            print(f"# {one[name]}  {name}", flush=True)


TESTS = [(f"{one}: the same bytes from another folder, user, umask, locale and time zone", is_the_same, one)
         for one in ("amd64", "arm64", "armhf")]


if __name__ == "__main__":
    tap.main("reproducible", TESTS)
