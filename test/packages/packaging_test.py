#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What is made of a built release binary: the layout of `cmake --install`, the Debian package, the tarball, the sums,
the SBOM; the same bytes each time.

usage: packaging_test.py [WORD ...]
"""
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile

import tap
import tool
from command import content, run
from plugin import BINARY, ROOT, require

BUILD = os.path.dirname(BINARY)
MADE = tempfile.TemporaryDirectory(prefix="packages.", dir="/var/tmp")  # not the folder that build.sh fills
PLUGIN = "lib/cni/delegated-ipam"
LAYOUT = {
    PLUGIN: 0o755, "bin/delegated-ipam": None,
    "lib/systemd/system/delegated-ipam.service": 0o644,
    "lib/systemd/system/delegated-ipam-status.service": 0o644,
    "lib/systemd/system/delegated-ipam-status.timer": 0o644,
    "lib/tmpfiles.d/zz-delegated-ipam.conf": 0o644,
    "share/man/man8/delegated-ipam.8": 0o644,
    "share/bash-completion/completions/delegated-ipam": 0o644,
    "share/zsh/vendor-completions/_delegated-ipam": 0o644,
    "share/fish/vendor_completions.d/delegated-ipam.fish": 0o644,
    "share/doc/delegated-ipam/LICENSE": 0o644,
}
ADDED = {"changelog.gz", "copyright", "delegated-ipam.spdx.json"}  # to share/doc of the Debian package
# The packages of CONTRIBUTING.md's table, and what every program of C++ has in it.
RUNTIME = {"libc6-dev", "libgcc-12-dev", "libstdc++-12-dev", "linux-libc-dev"}
LINKED = {"libc6-dev", "libgcc-12-dev", "libstdc++-12-dev", "libmd-dev", "libyaml-dev"}


def is_built():
    if not os.path.exists(os.path.join(BUILD, "CPackConfig.cmake")):
        tap.skip(f"{BINARY} does not lie in a build folder of the preset release")


def files(folder):
    """{path: permissions, None for a link} of all that is no folder."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(place, name))
            found[os.path.relpath(os.path.join(place, name), folder)] = (
                None if stat.S_ISLNK(status.st_mode) else stat.S_IMODE(status.st_mode))
    return found


def installs_to_its_places():
    with tempfile.TemporaryDirectory() as folder:
        run("cmake", "--install", BUILD, "--prefix", f"{folder}/usr")
        assert files(f"{folder}/usr") == LAYOUT, files(f"{folder}/usr").items() ^ LAYOUT.items()
        assert content(f"{folder}/usr/{PLUGIN}") == content(BINARY)
        assert run(f"{folder}/usr/bin/delegated-ipam", "--version") == tool.must("--version")
        with open(f"{folder}/usr/lib/systemd/system/delegated-ipam.service") as file:
            unit = file.read()
        assert f"\nExecStart={folder}/usr/{PLUGIN} install /opt/cni/bin\n" in unit and "/usr/local" not in unit, unit
        if shutil.which("systemd-analyze"):
            units = [f"{folder}/usr/{one}" for one in LAYOUT if one.endswith((".service", ".timer"))]
            said = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
            assert said.returncode == 0, said.stderr


def made():
    """Let cpack make the packages that all tests look at, once; returns {kind: path}."""
    folder = os.path.join(MADE.name, "made")
    if not os.path.isdir(folder):
        os.makedirs(folder)
        run("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", os.path.join(MADE.name, "cpack"),
            "-D", f"CPACK_DELEGATED_IPAM_OUT={folder}")
    return {name.rsplit(".", 1)[1]: os.path.join(folder, name) for name in os.listdir(folder)}


def are_the_same_each_time():
    """Put together without cpack, by another user, with another umask, locale, time zone, home and folder."""
    first = {one.name: content(one.path) for one in os.scandir(os.path.dirname(made()["deb"]))}
    stage, out = os.path.join(MADE.name, "elsewhere/stage"), os.path.join(MADE.name, "elsewhere/out")
    env = {"PATH": os.environ["PATH"], "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "tr", "TZ": "Pacific/Chatham", "HOME": "/none"}
    run("cmake", "--install", BUILD, "--prefix", "/usr", env={**env, "DESTDIR": stage}, umask=0o077)
    other = {}
    if os.geteuid() == 0:
        os.chmod(MADE.name, 0o755)
        run("chown", "-R", "65534:65534", os.path.dirname(stage))
        other = {"user": 65534, "group": 65534, "extra_groups": []}
    with open(os.path.join(BUILD, "CPackConfig.cmake")) as file:
        of = dict(re.findall(r'^set\(CPACK_(\w+) "(.*)"\)$', file.read(), re.MULTILINE))
    run(sys.executable, os.path.join(ROOT, "examples/image/package.py"), stage, BUILD, out, of["PACKAGE_VERSION"],
        of["DELEGATED_IPAM_ARCHITECTURE"], of["DELEGATED_IPAM_EPOCH"], env=env, umask=0o077, **other)
    second = {one.name: content(one.path) for one in os.scandir(out)}
    assert first.keys() == second.keys(), first.keys() ^ second.keys()
    different = [name for name in first if first[name] != second[name]]
    assert not different, different


def names_and_sums():
    version = re.search(r"plugin v(\S+)", tool.must("--version"))[1]
    architecture = run("dpkg", "--print-architecture").strip()
    names = sorted(one.name for one in os.scandir(os.path.join(MADE.name, "made")))
    full = re.search(r"_(.*)_", next(one for one in names if one.endswith(".deb")))[1]
    assert re.fullmatch(rf"{re.escape(version)}([~+]git\d{{14}}\.[0-9a-f]{{10}}(\.changed)?|~unknown)?", full), full
    packages = [f"delegated-ipam-linux-{architecture.replace('armhf', 'arm')}-v{full}.tgz",
                f"delegated-ipam_{full}_{architecture}.deb", f"delegated-ipam_{full}_{architecture}.spdx.json"]
    assert names == sorted(one + more for one in packages for more in ("", ".sha256", ".sha512")), names
    for one in packages:
        path = os.path.join(MADE.name, "made", one)
        for kind in ("sha256", "sha512"):
            assert content(f"{path}.{kind}").decode() == f"{hashlib.new(kind, content(path)).hexdigest()}  {one}\n"
        print(f"# {one}: {os.path.getsize(path)} bytes", flush=True)


def debian_package():
    path = made()["deb"]
    fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", run("dpkg-deb", "-f", path), re.MULTILINE))
    assert fields["Package"] == "delegated-ipam" and "Depends" not in fields, fields
    assert fields["Version"] == re.search(r"_(.*)_", os.path.basename(path))[1], fields
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "-R", path, folder)
        wanted = {f"usr/{name}": mode for name, mode in LAYOUT.items()}
        wanted["usr/share/man/man8/delegated-ipam.8.gz"] = wanted.pop("usr/share/man/man8/delegated-ipam.8")
        del wanted["usr/share/doc/delegated-ipam/LICENSE"]
        wanted |= {f"usr/share/doc/delegated-ipam/{name}": 0o644 for name in ADDED}
        wanted |= {f"DEBIAN/{name}": 0o755 for name in ("postinst", "prerm", "postrm")}
        wanted |= {f"DEBIAN/{name}": 0o644 for name in ("control", "md5sums")}
        assert files(folder) == wanted, files(folder).items() ^ wanted.items()
        assert content(f"{folder}/usr/{PLUGIN}") == content(BINARY)
        assert b"\nExecStart=/usr/lib/cni/delegated-ipam install /opt/cni/bin\n" in content(
            f"{folder}/usr/lib/systemd/system/delegated-ipam.service")
        assert os.readlink(f"{folder}/usr/bin/delegated-ipam") == "../lib/cni/delegated-ipam"
        run("md5sum", "--check", "--strict", "DEBIAN/md5sums", cwd=folder)
        for name in ("postinst", "prerm", "postrm"):
            run("sh", "-n", f"{folder}/DEBIAN/{name}")
            if shutil.which("shellcheck"):
                run("shellcheck", f"{folder}/DEBIAN/{name}")
        assert "libyaml-dev" in content(f"{folder}/usr/share/doc/delegated-ipam/copyright").decode()
    owners = {tuple(line.split()[1:2]) for line in run("dpkg-deb", "-c", path).splitlines()}
    assert owners == {("root/root",)}, owners


def tarball():
    """As the reference plugins': unpacked into the plugin folder, the plugin is there and nothing else is touched."""
    with tarfile.open(made()["tgz"]) as tar:
        members = {one.name: (one.mode, one.uid, one.gid, one.isfile()) for one in tar}
    assert members == {"./delegated-ipam": (0o755, 0, 0, True), "./delegated-ipam.copyright": (0o644, 0, 0, True)}, members
    with tempfile.TemporaryDirectory() as folder:
        run("tar", "-C", folder, "-xzf", made()["tgz"])
        assert content(f"{folder}/delegated-ipam") == content(BINARY)


def needs_an_architecture():
    """As on a processor that no package is made for."""
    done = subprocess.run(["cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B",
                           os.path.join(MADE.name, "none"), "-D", f"CPACK_DELEGATED_IPAM_OUT={MADE.name}/none", "-D",
                           "CPACK_DELEGATED_IPAM_ARCHITECTURE="], capture_output=True, text=True)
    assert done.returncode != 0 and "none of amd64, arm64 and armhf" in " ".join(done.stderr.split()), done
    assert not any(one.endswith((".deb", ".tgz")) for one in files(MADE.name + "/none")), files(MADE.name + "/none")


def bill_of_materials():
    """Well-formed, of this executable, and what the build says is in it: the libraries of CONTRIBUTING.md's table."""
    document = json.loads(content(made()["json"]))
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0", document
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
    own, *others = document["packages"]
    assert own["checksums"] == [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(content(BINARY)).hexdigest()}]
    identifiers = [one["SPDXID"] for one in document["packages"]]
    assert len(set(identifiers)) == len(identifiers)
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one) for one in identifiers), identifiers
    related = {one["relatedSpdxElement"]: one["relationshipType"] for one in document["relationships"]}
    assert set(related) == set(identifiers), set(related) ^ set(identifiers)
    with open(os.path.join(ROOT, "CONTRIBUTING.md")) as file:
        table = file.read().split("## Dependencies")[1]
    named = set(re.findall(r"`([\w.+-]+-dev)`", table))
    assert len(named) >= 7, named
    assert {one["name"] for one in others} == named | RUNTIME, {one["name"] for one in others} ^ (named | RUNTIME)
    for one in others:
        version = run("dpkg-query", "-W", "-f", "${Version}", one["name"])
        assert one["versionInfo"] == version and one["licenseDeclared"] not in ("", "NOASSERTION"), one
        assert related[one["SPDXID"]] == ("STATIC_LINK" if one["name"] in LINKED else "CONTAINS"), one


TESTS = [
    ("cmake --install puts everything where it belongs", installs_to_its_places),
    ("the packages have the version in their names, and their sums beside them", lambda: (made(), names_and_sums())),
    ("the Debian package has everything, owned by root", debian_package),
    ("the tarball has the plugin, flat", tarball),
    ("another processor's build has no packages, and cpack says so", needs_an_architecture),
    ("the SBOM tells all that is linked in, by version and licence", bill_of_materials),
    ("the packages are the same bytes, whoever makes them, where and when", are_the_same_each_time),
]


if __name__ == "__main__":
    tap.main("packaging", TESTS, lambda: require(BINARY), is_built)
