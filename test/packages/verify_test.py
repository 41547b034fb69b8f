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
from packaging_test import MADE, content, is_built, made, run
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


def rebuilds(spoil, wanted):
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
        for name in os.listdir(release.folder):
            os.rename(f"{release.folder}/{name}", f"{release.folder}/{name.replace(of, f'1.0~git20260101.{commit}')}")
        for name in os.listdir(release.folder):
            if name.endswith((".sha256", ".sha512")):
                with open(f"{release.folder}/{name}", "w") as file:
                    file.write(run(f"{name[-6:]}sum", "--", name[:-7], cwd=release.folder))
        release.names = [one.replace(of, f"1.0~git20260101.{commit}") for one in release.names]
        with open(f"{release.folder}/SHA256SUMS", "w") as file:
            file.write(run("sha256sum", "--", *release.names, cwd=release.folder))
        shutil.copytree(release.folder, f"{home}/built")
        spoil(home, commit)
        done = subprocess.run([f"{sources}/examples/image/verify-release.sh", "--rebuild", release.folder],
                              capture_output=True, text=True, env={**os.environ, "TMPDIR": home})
        assert wanted in done.stdout + done.stderr, done
        assert (done.returncode == 0) == ("the same" in wanted), done
        assert not [one for one in os.listdir(home) if one.startswith("delegated-ipam-rebuild")], os.listdir(home)


def another_tarball(home, _):
    append(next(one.path for one in os.scandir(f"{home}/built") if one.name.endswith(".tgz")))


REBUILT = [
    ("the same bytes", lambda *_: None, "makes the same 3 files"),
    ("other bytes", another_tarball, ".tgz is not what"),
    ("a package that is not made", lambda home, _: os.unlink(glob.glob(f"{home}/built/*.json")[0]), "only 2 files"),
    ("a commit that is not there", lambda home, _: shutil.rmtree(f"{home}/sources/.git/objects"), ""),
]


TESTS = [
    ("what is right is right", verifies),
    *((f"finds: {name}", finds, spoil, wanted) for name, spoil, wanted in SPOILT),
    *((f"--rebuild: {name}", rebuilds, spoil, wanted) for name, spoil, wanted in REBUILT),
]


if __name__ == "__main__":
    tap.main("verify-release.sh", TESTS, lambda: require(BINARY), is_built)
