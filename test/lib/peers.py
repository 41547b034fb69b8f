"""Other people's programs that the tests run against: where their binaries are, and in which versions.

A peer is a folder test/peers/NAME with a go.mod that pins programs by `tool` directives and a go.sum with their
checksums. test/peers/build.py builds each once into <cache>/NAME-<hash of both files>/PROGRAM; nothing is built here.
Where a peer is a library, the program is ours: Go files in the same folder, which then count for the hash as well.
A module that a go.mod requires directly, without `// indirect`, is there for its files (a chart): beside the programs
lies a link to its folder.
"""
import glob
import hashlib
import os
import re
import sys
from dataclasses import dataclass

from remembered import CACHES

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
BUILD = "test/peers/build.py"
CACHE = os.environ.get("DELEGATED_IPAM_PEERS") or os.path.join(CACHES, "peers")

OURS = "(ours)"  # in the place of a version

_MODULE = re.compile(r"^module (?P<path>\S+)$", re.MULTILINE)
_TOOL = re.compile(r"^(?:tool )?\s*(?P<path>[\w.-]+\.[\w.-]+/\S+)(?:\s*//\s*as (?P<name>[\w.-]+))?\s*(?://.*)?$")
_REQUIRE = re.compile(r"^(?:require )?\s*(?P<module>\S+) (?P<version>v\S+)(?P<indirect> // indirect)?")


@dataclass
class Tool:
    """One program of a peer: its package, the name of its binary, and the version of the module it comes from; OURS
    for one whose source lies in the peer's folder."""

    package: str
    name: str
    version: str


@dataclass
class Module:
    """A module of a peer that is wanted for its files: its path, which is its name too, and its version."""

    name: str
    version: str


class Peer:
    """The folder test/peers/<name>, or <parent>/<name>. Errors: OSError when it has no go.mod or no go.sum."""

    def __init__(self, name, parent=FOLDER, cache=CACHE):
        self.name = name
        self.folder = os.path.join(parent, name)
        texts = []
        for file_name in ("go.mod", "go.sum", *sorted(glob.glob("*.go", root_dir=self.folder))):
            with open(os.path.join(self.folder, file_name), "rb") as file:
                texts.append(file.read())
        go_mod = texts[0].decode()
        required = _requirements(go_mod)
        versions = {found["module"]: found["version"] for found in required}
        self.tools = list(_tools(go_mod, {**versions, _MODULE.search(go_mod)["path"]: OURS}))
        self.modules = [Module(found["module"], found["version"]) for found in required if not found["indirect"]]
        self.built = os.path.join(cache, f"{name}-{hashlib.sha256(b''.join(texts)).hexdigest()[:16]}")

    @property
    def parts(self):
        """Its programs and its modules."""
        return [*self.tools, *self.modules]

    @property
    def is_built(self):
        """True when every program of it lies in the cache, and every module is where its link leads."""
        return all(os.path.exists(self.path(part)) for part in self.parts)

    @property
    def failure(self):
        """The file with the reason why the last attempt to build it failed; there only then."""
        return f"{self.built}.failed"

    def path(self, part):
        """The path that a program or a module of it has, or will have when it is built."""
        return os.path.join(self.built, file_name(part))


def file_name(part):
    """The name of a program or a module in the cache."""
    return part.name.replace("/", "_")


def names():
    """The names of all peers, sorted; a folder without go.sum is not finished, and none."""
    return sorted(name for name in os.listdir(FOLDER) if os.path.exists(os.path.join(FOLDER, name, "go.sum")))


def find(wanted, peer=None):
    """The Peer and the Tool of a program, or the Peer and the Module of a module's path.

    Of several peers that have it the first by name, unless `peer` names one. Errors: LookupError when none has it.
    """
    for name in [peer] if peer else names():
        candidate = Peer(name)
        for part in candidate.parts:
            if part.name == wanted:
                return candidate, part
    raise LookupError(f"no peer in {FOLDER} has {wanted}")


def binary(program, peer=None):
    """The path of a program; None when it is not built."""
    found, part = find(program, peer)
    path = found.path(part)
    return path if os.path.exists(path) else None


def folder(module):
    """The folder with a module's files, which are read-only; None when it is not there. For example
    folder("github.com/cilium/cilium")."""
    return binary(module)


def version(wanted, peer=None):
    """The version of a program or a module that go.mod pins, as in "v1.9.1"."""
    return find(wanted, peer)[1].version


def require(*wanted, peer=None):
    """End the suite as skipped, with the reason and the remedy, unless all of these programs and modules are there."""
    for name in wanted:
        if not binary(name, peer):
            print(f"1..0 # SKIP {name} is not built: {_why(find(name, peer)[0])}")
            sys.exit(0)


def summary(program, cases, failed, peer=None):
    """Print the line that ends the report on a peer."""
    print(f"# peer {program} {version(program, peer)}: {cases} cases, {cases - failed} passed", flush=True)


def _why(peer):
    """Why a peer is not there, on one line."""
    if not os.path.exists(peer.failure):
        return f"run {BUILD} {peer.name}"
    with open(peer.failure) as file:
        return " ".join(file.read().split())[:200]


def _requirements(go_mod):
    """The requirements of a go.mod, as matches of _REQUIRE."""
    return [found for found in map(_REQUIRE.match, _lines_of("require", go_mod)) if found]


def _tools(go_mod, required):
    """The programs that a go.mod names; a comment `// as NAME` behind one names its binary. required: the versions of
    the modules that they come from, by path."""
    for line in _lines_of("tool", go_mod):
        found = _TOOL.match(line)
        if not found:
            raise ValueError(f"go.mod: no tool directive: {line}")
        package = found["path"]
        modules = [module for module in required if f"{package}/".startswith(f"{module}/")]
        last = re.sub(r"/v\d+$", "", package).rpartition("/")[2]
        yield Tool(package, found["name"] or last, required[max(modules, key=len)])


def _lines_of(directive, go_mod):
    """The lines of a directive of a go.mod, from its one-line form and from its blocks."""
    inside = False
    for line in go_mod.splitlines():
        if line.startswith(f"{directive} ("):
            inside = True
        elif inside and line.startswith(")"):
            inside = False
        elif inside and line.strip() or line.startswith(f"{directive} "):
            yield line
