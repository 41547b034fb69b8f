#!/usr/bin/env python3
"""Says in SPDX 2.3 what the executable of a build folder has in it: read off what the compiler included and what the
linker took out of archives, by Debian's names and versions.

usage: sbom.py BUILD VERSION ARCHITECTURE     (prints JSON; its time is SOURCE_DATE_EPOCH's)
Library: components(BUILD).
"""
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

NAME = "delegated-ipam"
LICENCES = {
    "libboost1.81-dev": "BSL-1.0",
    "libc6-dev": "LGPL-2.1-or-later",
    "libcli11-dev": "BSD-3-Clause",
    "libfmt-dev": "MIT",
    "libgcc-12-dev": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libmd-dev": "BSD-3-Clause",
    "libspdlog-dev": "MIT",
    "libstdc++-12-dev": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libyaml-dev": "MIT",
    "linux-libc-dev": "GPL-2.0-only WITH Linux-syscall-note",
    "nlohmann-json3-dev": "MIT",
}
# What a cross compiler's packages are called beside the native ones, and how theirs look.
CROSS = re.compile(r"-(arm64|armhf)-cross$")


@dataclass(frozen=True)
class Component:
    """A Debian package of which something is in the executable. linked: code of an archive; else headers only."""

    package: str
    version: str
    linked: bool

    @property
    def native(self):
        return CROSS.sub("", self.package)

    @property
    def licence(self):
        if self.native not in LICENCES:
            raise ValueError(f"{self.package}: its licence is not in sbom.py; read its copyright file and add it")
        return LICENCES[self.native]


def components(build):
    """What the executable of a build folder is made of, by name. Errors: ValueError for a file of no package."""
    build = os.path.abspath(build)
    archives = set(map(functools.partial(owner, build), archives_of(build)))
    headers = set(map(functools.partial(owner, build), headers_of(build)))
    return [Component(package, version, (package, version) in archives)
            for package, version in sorted(archives | headers)]


def archives_of(build):
    """The archives and start files that the linker took something from, outside of the build."""
    with open(os.path.join(build, f"{NAME}.map")) as file:
        text = file.read()
    members = text.split("\n\n")[1] if text.startswith("Archive member") else ""
    paths = re.findall(r"^(\S+\.a)\(", members, re.MULTILINE) + re.findall(r"^LOAD (/\S+\.o)$", text, re.MULTILINE)
    if not members:
        raise ValueError(f"{build}/{NAME}.map does not begin with the archives' members")
    real = {os.path.realpath(os.path.join(build, path)) for path in paths}
    # The compiler's temporary objects of link-time optimisation are our own code.
    return {path for path in real if path.startswith(("/usr/", os.path.join(build, "sysroot/")))}


def headers_of(build):
    done = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True)
    names = {line.strip() for line in done.stdout.splitlines() if line.startswith("    ")}
    real = {os.path.realpath(os.path.join(build, name)) for name in names}
    return {path for path in real if path.startswith("/usr/")}


def owner(build, path):
    """(package, version) of a file of the machine, or of the sysroot."""
    sysroot = os.path.join(build, "sysroot/")
    if path.startswith(sysroot):
        with open(os.path.join(sysroot, "packages")) as packages, open(os.path.join(sysroot, "files")) as files:
            name = dict(line.rsplit(" ", 1) for line in files.read().splitlines())[path.removeprefix(sysroot)]
            return name, dict(line.split() for line in packages)[name]
    return installed_owners()[path] if path in installed_owners() else ask_dpkg(path)


@functools.cache
def installed_owners():
    """{file: (package, version)} of the packages in LICENCES and their cross twins, so that dpkg is asked once."""
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${Package}:${Architecture} ${Version} ${db:Status-Status}\n"],
                            capture_output=True, text=True, check=True).stdout
    owners = {}
    for line in listed.splitlines():
        name, version, status = line.split()
        package, _, architecture = name.partition(":")
        if CROSS.sub("", package) not in LICENCES or status != "installed":
            continue
        asked = [package] if architecture == "all" else [f"{package}:{architecture}"]
        for path in subprocess.run(["dpkg", "-L", *asked], capture_output=True, text=True, check=True).stdout.split("\n"):
            if path and os.path.isfile(path):
                owners[os.path.realpath(path)] = package, version
    return owners


def ask_dpkg(path):
    done = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True)
    raise ValueError(f"{path}: of {done.stdout.split(':')[0] or 'no package'}, whose licence is not in sbom.py")


def document(build, version, architecture):
    with open(os.path.join(build, NAME), "rb") as file:
        executable = file.read()
    sha256 = hashlib.sha256(executable).hexdigest()
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", 0))))
    own = {
        "SPDXID": "SPDXRef-Package-delegated-ipam",
        "name": NAME,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "APPLICATION",
        "licenseDeclared": "Apache-2.0",
        "licenseConcluded": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": sha256}],
    }
    packages, relations = [own], [relation("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"])]
    for one in components(build):
        identifier = "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", one.package)
        packages.append({
            "SPDXID": identifier,
            "name": one.package,
            "versionInfo": one.version,
            "supplier": "Organization: Debian",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "licenseDeclared": one.licence,
            "licenseConcluded": one.licence,
            "copyrightText": "NOASSERTION",
            "comment": "code of an archive is linked in" if one.linked else "headers only",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{one.package.replace('+', '%2B')}@"
                                                  f"{one.version.replace('+', '%2B').replace(':', '%3A')}"}],
        })
        relations.append(relation(own["SPDXID"], "STATIC_LINK" if one.linked else "CONTAINS", identifier))
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{NAME}-{version}-{architecture}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{NAME}-{version}-{architecture}-{sha256}",
        "creationInfo": {"created": created, "creators": ["Tool: delegated-ipam-sbom.py"]},
        "packages": packages,
        "relationships": relations,
    }


def relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


if __name__ == "__main__":
    json.dump(document(*sys.argv[1:]), sys.stdout, indent=1)
    print()
