#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""verify-release.sh says right of what is right, and finds what was spoilt.

usage: verify_test.py [WORD ...]
"""
import glob
import os
import re
import shutil
import subprocess
import tempfile

import tap
from command import content, run
from packaging_test import MADE, is_built, made
from plugin import BINARY, ROOT, require
from tap import Skip

VERIFY = os.path.join(ROOT, "examples/image/verify-release.sh")


class Release:
    """A folder of packages as build.sh leaves it, signed, and who may sign."""

    def __init__(self, home):
        if not shutil.which("ssh-keygen"):
            raise Skip("needs ssh-keygen: apt-get install openssh-client")
        made()
        self.folder, self.home = f"{home}/packages", home
        shutil.copytree(os.path.join(MADE.name, "made"), self.folder)
        for name in ("key", "other"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"{home}/{name}")
        with open(f"{home}/signers", "wb") as file:
            file.write(b"somebody namespaces=\"delegated-ipam\" " + content(f"{home}/key.pub"))
        self.names = [one for one in sorted(os.listdir(self.folder)) if not one.endswith((".sha256", ".sha512"))]
        with open(f"{self.folder}/SHA256SUMS", "w") as file:
            file.write(run("sha256sum", "--", *self.names, cwd=self.folder))
        self.sign("key")

    def path(self, suffix):
        return next(os.path.join(self.folder, one) for one in sorted(os.listdir(self.folder)) if one.endswith(suffix))

    def sign(self, key, namespace="delegated-ipam"):
        if os.path.exists(f"{self.folder}/SHA256SUMS.sig"):
            os.unlink(f"{self.folder}/SHA256SUMS.sig")
        run("ssh-keygen", "-q", "-Y", "sign", "-f", f"{self.home}/{key}", "-n", namespace, f"{self.folder}/SHA256SUMS")

    def verify(self, *more):
        done = subprocess.run([VERIFY, *more, self.folder], capture_output=True, text=True, cwd="/")
        return done.returncode, done.stdout + done.stderr

    def signed(self):
        return self.verify("--signers", f"{self.home}/signers")


def append(path, data=b"x"):
    with open(path, "ab") as file:
        file.write(data)


def add_unnamed(release):
    shutil.copy(release.path(".deb"), f"{release.folder}/another.deb")


def sums_anew(release):
    append(release.path(".tgz"))
    with open(f"{release.folder}/SHA256SUMS", "w") as file:
        file.write(run("sha256sum", "--", *release.names, cwd=release.folder))


SPOILT = [
    ("a package is another", lambda one: append(one.path(".deb")), "WRONG: sums"),
    ("a package is gone", lambda one: os.unlink(one.path(".tgz")), "WRONG: other files"),
    ("a package that nobody names", add_unnamed, "WRONG: other files"),
    ("no SHA256SUMS", lambda one: os.unlink(f"{one.folder}/SHA256SUMS"), "WRONG: no SHA256SUMS"),
    ("a sum beside a package is another", lambda one: append(one.path(".deb.sha512"), b"0  x\n"), "WRONG: "),
    ("no signature", lambda one: os.unlink(f"{one.folder}/SHA256SUMS.sig"), "WRONG: no signature"),
    ("signed by a stranger", lambda one: one.sign("other"), "WRONG: signed by nobody"),
    ("signed for something else", lambda one: one.sign("key", "file"), "WRONG: "),
    ("a package and its sum are others, the signature is not", sums_anew, "WRONG: "),
]


def verifies():
    with tempfile.TemporaryDirectory() as home:
        release = Release(home)
        status, text = release.signed()
        assert status == 0 and text.endswith("right\n") and "signature: of somebody" in text, text
        status, text = release.verify()
        assert status == 0 and "no signature was checked" in text, text


def finds(spoil, wanted):
    with tempfile.TemporaryDirectory() as home:
        release = Release(home)
        spoil(release)
        status, text = release.signed()
        assert status == 1 and wanted in text and "\nright" not in text, (status, text)


def list_anew(folder, names):
    """The sums of these, beside each and in SHA256SUMS."""
    for name in names:
        for kind in ("sha256", "sha512"):
            with open(f"{folder}/{name}.{kind}", "w") as file:
                file.write(run(f"{kind}sum", "--", name, cwd=folder))
    with open(f"{folder}/SHA256SUMS", "w") as file:
        file.write(run("sha256sum", "--", *names, cwd=folder))


def rebuilds(spoil, wanted, status=1, named="1.0~git20260101000000."):
    """Sources whose build.sh takes no minutes: it brings what lies beside them. The release is named after their commit."""
    with tempfile.TemporaryDirectory() as home:
        release, sources = Release(home), f"{home}/sources"
        os.makedirs(f"{sources}/examples/image")
        shutil.copy(VERIFY, f"{sources}/examples/image/")
        with open(f"{sources}/examples/image/build.sh", "w") as file:
            file.write(f"#!/bin/sh\ncd {home}/delegated-ipam-rebuild.*/clone && mkdir -p build/packages &&\n"
                       f"cp {home}/built/* build/packages/\n")
        os.chmod(f"{sources}/examples/image/build.sh", 0o755)
        run("git", "init", "-q", sources)
        git = ["git", "-C", sources, "-c", "user.name=a", "-c", "user.email=a@invalid"]
        run(*git, "add", "-A")
        run(*git, "commit", "-q", "-m", "x")
        commit = run(*git, "log", "-1", "--abbrev=10", "--format=%h").strip()
        of = re.search(r"_(.*)_", os.path.basename(made()["deb"]))[1]
        version = named + commit if named.endswith(".") else named
        for name in os.listdir(release.folder):
            os.rename(f"{release.folder}/{name}", f"{release.folder}/{name.replace(of, version)}")
        list_anew(release.folder, [one.replace(of, version) for one in release.names])
        shutil.copytree(release.folder, f"{home}/built")
        spoil(home, commit)
        done = subprocess.run([f"{sources}/examples/image/verify-release.sh", "--rebuild", release.folder],
                              capture_output=True, text=True, env={**os.environ, "TMPDIR": home})
        assert wanted in done.stdout + done.stderr and done.returncode == status, done
        assert ("\nright\n" in done.stdout) == (status == 0), done
        assert not [one for one in os.listdir(home) if one.startswith("delegated-ipam-rebuild")], os.listdir(home)


def another_tarball(home, _):
    append(next(one.path for one in os.scandir(f"{home}/built") if one.name.endswith(".tgz")))


def one_more(suffix, before, after):
    """The folder has, sums and all, a second file like the one with this suffix, under a name with `after` in it."""
    def spoil(home, _):
        folder = f"{home}/packages"
        (path,) = glob.glob(f"{folder}/*{suffix}")
        shutil.copy(path, path.replace(before, after))
        list_anew(folder, [one for one in os.listdir(folder) if one.endswith((".deb", ".tgz", ".json", ".tar"))])
    return spoil


def without(suffix):
    """The folder is without this file, and does not name it."""
    def spoil(home, _):
        folder = f"{home}/packages"
        for path in glob.glob(f"{folder}/*{suffix}*"):
            os.unlink(path)
        list_anew(folder, [one for one in os.listdir(folder) if one.endswith((".deb", ".tgz", ".json"))])
    return spoil


def another_commit(home, _):
    """The clone is there, and has another history."""
    shutil.rmtree(f"{home}/sources/.git")
    run("git", "init", "-q", f"{home}/sources")
    run("git", "-C", f"{home}/sources", "-c", "user.name=a", "-c", "user.email=a@invalid", "commit", "-q",
        "--allow-empty", "-m", "x")


OWN = run("dpkg", "--print-architecture").strip()
OTHER = next(one for one in ("arm64", "amd64") if one != OWN)
REBUILT = [
    ("the same bytes", lambda *_: None, "makes the same 3 files", 0),
    ("other bytes", another_tarball, ".tgz is not what"),
    ("a package that is not made", lambda home, _: os.unlink(glob.glob(f"{home}/built/*.json")[0]), "is nothing that"),
    ("a second tarball", one_more(".tgz", "-v", "-v9"), "is nothing that"),
    ("a second SBOM", one_more(".json", "_1.0", "_9.0"), "is nothing that"),
    ("another package of this architecture", one_more(".deb", "delegated-ipam_", "other_"), "is nothing that"),
    ("two versions", one_more(".deb", "_1.0", "_9.0"), "which commit?", 2),
    ("a package that is made and not here", without(".json"), ".spdx.json too, which is not here"),
    ("another architecture", one_more(".deb", f"_{OWN}.deb", f"_{OTHER}.deb"), f"_{OTHER}.deb\n", 0),
    ("the image", one_more(".deb", f"_{OWN}.deb", "_image.tar"), "_image.tar\n", 0),
    ("a commit that is not there", another_commit, "is not in this clone", 2),
    ("sources that were changed", lambda *_: None, "changed by hand", 1, "1.0~git20260101000000.0123456789.changed"),
    ("a commit that nobody knows", lambda *_: None, "git did not tell", 2, "1.0~unknown"),
]


TESTS = [
    ("what is right is right", verifies),
    *((f"finds: {name}", finds, spoil, wanted) for name, spoil, wanted in SPOILT),
    *((f"--rebuild: {name}", rebuilds, *more) for name, *more in REBUILT),
]


if __name__ == "__main__":
    tap.main("verify-release.sh", TESTS, lambda: require(BINARY), is_built)
