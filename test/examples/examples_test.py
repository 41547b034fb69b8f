#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Everything in examples/: each file is what generate makes of it today, or valid by a schema; each guide can be
followed.

A file is listed in examples/generated.txt, is a guide, or has its check in by_hand.py.
usage: examples_test.py            --update generates the files anew instead: read the difference before you keep it
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import scratch_root

if "--update" not in sys.argv:
    scratch_root.enter()

import by_hand
import guide
import installed
import peers
import tap
from guide import EXAMPLES
from plugin import BINARY
from tap import Skip

NOT_FILES_OF_A_CLUSTER = {"generated.txt", "quickstart.sh"}
PACKAGING = ("chart/", "image/")  # test/packages looks at these
GUIDES = ["README.md", *(f"{folder}/README.md" for folder in (
    "flannel", "cilium", "bridge", "k3s", "openyurt", "kind", "systemd", "monitoring", "upgrade", "chart"))]
FLANNEL = "github.com/flannel-io/flannel"
# What a guide needs of other people's.
CHARTS = ["helm", FLANNEL, "github.com/cilium/cilium"]
NEEDED = {"chart": ["helm"], "flannel": CHARTS, "cilium": CHARTS, "kind": CHARTS, "openyurt": [FLANNEL], "upgrade": [FLANNEL]}


def recipes():
    """The lines of generated.txt: (path, arguments)."""
    with open(os.path.join(EXAMPLES, "generated.txt")) as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return [(path, arguments) for path, *arguments in lines]


def files():
    """All files of examples/, by their path there."""
    return sorted(os.path.relpath(os.path.join(folder, name), EXAMPLES)
                  for folder, _, names in os.walk(EXAMPLES) for name in names)


def generate(arguments):
    """The output of `generate` with these arguments, in examples/."""
    done = subprocess.run([BINARY, "generate", *arguments], cwd=EXAMPLES, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_regenerated(path, arguments):
    """A file is the output; a folder has exactly the files that --out makes."""
    if not path.endswith("/"):
        assert guide.read(os.path.join(EXAMPLES, path)) == generate(arguments), "differs: generate it again"
        return
    folder = os.path.join(EXAMPLES, path)
    with tempfile.TemporaryDirectory() as made:
        generate([*arguments, "--out", made])
        assert sorted(os.listdir(made)) == sorted(os.listdir(folder)), sorted(os.listdir(made))
        for name in os.listdir(made):
            assert guide.read(os.path.join(made, name)) == guide.read(os.path.join(folder, name)), f"{name} differs"


def update():
    """Generate all files of examples/generated.txt anew."""
    for path, arguments in recipes():
        target = os.path.join(EXAMPLES, path)
        if path.endswith("/"):
            shutil.rmtree(target, ignore_errors=True)
            os.makedirs(target)
        generate([*arguments, "--out", target])


def nothing_is_unlisted():
    made = [path for path, _ in recipes()]
    for path in files():
        listed = path in made or any(path.startswith(one) for one in made if one.endswith("/"))
        packaging = path.startswith(PACKAGING) and path not in GUIDES
        kinds = [listed, path in by_hand.CHECKS, path in GUIDES, path in NOT_FILES_OF_A_CLUSTER, packaging]
        assert kinds.count(True) == 1, f"{path}: {kinds.count(True)} times in generated.txt, by_hand.py, GUIDES"
    missing = {path for path in (*by_hand.CHECKS, *GUIDES) if path not in files()}
    assert not missing, missing


def validates(path):
    """`validate` finds no error in it."""
    done = subprocess.run([BINARY, "validate", path], cwd=EXAMPLES, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def read_by_validate():
    """What validate reads: all but templates, the files of other programs, and patches of these."""
    others = (".template", ".md", ".txt", ".sh", ".service", ".timer", "tmpfiles.conf", "alerts.yaml", "dashboard.json", "nodes.json", "installer.yaml",
              "installer-edge.yaml", "nodepool.yaml", "config.yaml", "kube-flannel-ds.yaml",
              "kube-flannel-ds-edge.yaml", "delegated-ipam-nodes.yaml")
    return [path for path in files() if not path.endswith(others) and not path.startswith(PACKAGING)]


def is_followed(name):
    """Every command of the guide succeeds, prints what the guide says, and what was applied is valid."""
    for needed in NEEDED.get(name.split("/")[0], []):
        if not peers.binary(needed):
            raise Skip(f"{needed} is not there: run {peers.BUILD}")
    commands, outputs, record = guide.follow(name)
    for line in record:
        if line.startswith("applied "):
            by_hand.is_valid_manifest(json.loads(line.removeprefix("applied ")))
    print(f"# {name}: {commands} blocks of commands run, {outputs} outputs as written", flush=True)


def blocks_are_what_they_say():
    """JSON, TOML and YAML in the guides is that; there is no other kind of block."""
    for name in GUIDES:
        for block in guide.Guide(name).blocks:
            by_hand.parse(block.kind, block.text, f"{name}:{block.line}")


def images_are_of_this_version():
    version = subprocess.run([BINARY, "--version"], capture_output=True, text=True).stdout.split()[3].lstrip("v")
    wrong = {(name, image) for name, image in guide.image_names() if image != f"delegated-ipam:{version}"}
    assert guide.image_names() and not wrong, wrong


def links_lead_somewhere():
    for name in GUIDES:
        for link in by_hand.links(guide.read(os.path.join(EXAMPLES, name))):
            path = os.path.normpath(os.path.join(EXAMPLES, os.path.dirname(name), link))
            assert os.path.exists(path), f"{name}: {link}"


def tell(suite):
    suite.run("every file is generated, checked by a schema, or a guide", nothing_is_unlisted)
    for path, arguments in recipes():
        suite.run(f"{path} is what generate makes", is_regenerated, path, arguments)
    for path, check in by_hand.CHECKS.items():
        suite.run(f"{path}, written by hand: {check.__doc__.splitlines()[0]}", check, path)
    for path in read_by_validate():
        suite.run(f"validate accepts {path}", validates, path)
    for sentence, test in installed.CASES:
        suite.run(sentence, test)
    suite.run("blocks in the guides are what they say", blocks_are_what_they_say)
    suite.run("images in the guides have this version", images_are_of_this_version)
    suite.run("links in the guides lead somewhere", links_lead_somewhere)
    for name in GUIDES:
        suite.run(f"{name} can be followed line by line", is_followed, name)


if __name__ == "__main__":
    if "--update" in sys.argv:
        update()
    else:
        tap.story("examples", tell)
