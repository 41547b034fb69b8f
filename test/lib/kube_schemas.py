"""Kubernetes' own JSON schemas for its kinds, of many of its versions, from a package pinned by checksum.

The package is fetched once by pip into a cache, and only read as an archive; nothing is installed. Run as a script, this
does no more.
"""
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile

import jsonschema
from remembered import CACHES
from tap import Skip

PINNED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/kubernetes-schemas.txt")
CACHE = os.environ.get("DELEGATED_IPAM_SCHEMAS") or os.path.join(CACHES, "schemas")
FOLDER = "kubernetes_validate/kubernetes-json-schema"
DEFINITIONS = "/api/_definitions.json"  # as they refer to it


@functools.lru_cache(maxsize=None)
def _archive():
    """The package as an open archive. Errors: Skip when it is not in the cache and cannot be fetched."""
    with open(PINNED) as file:
        version = re.search(r"^kubernetes-validate==(\S+)", file.read(), re.MULTILINE)[1]
    path = os.path.join(CACHE, f"kubernetes_validate-{version}-py3-none-any.whl")
    if not os.path.exists(path):
        _fetch(os.path.basename(path))
    return zipfile.ZipFile(path)


def _fetch(name):
    """Fetch the package into the cache, by a rename: it is there whole or not at all. Errors: Skip with pip's words."""
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        done = subprocess.run(["/usr/bin/python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                               "--no-deps", "--require-hashes", "--dest", scratch, "--requirement", PINNED],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            words = " ".join(done.stderr.split())[-200:]
            raise Skip(f"Kubernetes' schemas cannot be fetched (network, or DELEGATED_IPAM_SCHEMAS): {words}")
        os.rename(os.path.join(scratch, name), os.path.join(CACHE, name))


@functools.lru_cache(maxsize=None)
def versions():
    """The versions of Kubernetes that there are schemas of, the oldest first, such as "v1.30.0". Errors: Skip."""
    found = {name.split("/")[2] for name in _archive().namelist() if name.startswith(FOLDER)}
    return sorted((name.removesuffix("-local-strict") for name in found if name.endswith("-local-strict")),
                  key=lambda version: [int(part) for part in version[1:].split(".")])


@functools.lru_cache(maxsize=None)
def _document(version, name):
    return json.loads(_archive().read(f"{FOLDER}/{version}-local-strict/{name}"))


def check(manifest, partial=False):
    """Hold an object of Kubernetes' own against the schema of its kind in every version; unknown keys are errors.

    partial: it is a patch, so that what is missing is no error. Errors: AssertionError that names the place; Skip.
    """
    for version in versions():
        problems = [_told(one) for one in _problems(version, manifest) if not (partial and _is_missing(one))]
        assert not problems, f"{manifest['kind']} by Kubernetes {version}: {problems}"


def _problems(version, manifest):
    group, _, api = manifest["apiVersion"].rpartition("/")
    name = "-".join(filter(None, (manifest["kind"].lower(), group.split(".")[0], api)))
    schema = _document(version, f"{name}.json")
    return jsonschema.Draft202012Validator(schema, resolver=_References(version)).iter_errors(manifest)


class _References:
    """Looks up what the schemas refer to: always a definition of one file. jsonschema's own way searches that file for
    each reference, which takes minutes."""

    def __init__(self, version):
        self._definitions = _document(version, "_definitions.json")["$defs"]

    def resolve(self, reference):
        """The scope and the schema. Errors: ValueError when it is not in the file."""
        place, _, name = reference.partition("#/$defs/")
        if place not in ("", DEFINITIONS) or name not in self._definitions:
            raise ValueError(f"a schema refers to {reference}, which is not in the package")
        return reference, self._definitions[name]

    def push_scope(self, _):
        """There is only one."""

    def pop_scope(self):
        """There is only one."""


def _is_missing(problem):
    return problem.validator == "required"


def _told(problem):
    return f"/{'/'.join(map(str, problem.absolute_path))}: {problem.message}"[:300]


if __name__ == "__main__":
    try:
        print(f"Kubernetes' schemas: {_archive().filename}")
    except Skip as reason:
        sys.exit(str(reason))
