"""The checks of what is written by hand in examples/: files by schemas and by the programs that read them, blocks by
syntax."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib

import jsonschema
import kube_schemas
import promtool
import scratch_root
import yaml
from guide import EXAMPLES, read
from plugin import BINARY
from tap import Skip

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data")
UNIT = "/etc/systemd/system/delegated-ipam.service"
OURS = ("/var/lib/cni/networks/cbr0/10.244.1.2", "/var/lib/delegated-ipam/record")
RULE = "R! /var/lib/cni/networks/*\n"  # the folk remedy


def load(path):
    """The one object of a YAML or JSON file of examples/."""
    return yaml.safe_load(read(os.path.join(EXAMPLES, path)))


def by_schema(instance, name):
    """Hold an object against a schema of test/data. Errors: AssertionError that names the place."""
    schema = json.loads(read(os.path.join(DATA, name)))
    problems = [f"/{'/'.join(map(str, one.absolute_path))}: {one.message}"
                for one in jsonschema.Draft7Validator(schema).iter_errors(instance)]
    assert not problems, problems


def is_valid_manifest(manifest):
    """Kubernetes' own kinds by its schemas, OpenYurt's by ours. Errors: AssertionError; Skip."""
    if manifest["apiVersion"].startswith("apps.openyurt.io/"):
        by_schema(manifest, "nodepool.schema.json")
    else:
        kube_schemas.check(manifest)


def nodes(path):
    """a list of nodes as kubectl prints it, by Kubernetes' schema of each"""
    document = load(path)
    assert document["kind"] == "List" and document["apiVersion"] == "v1", document
    for node in document["items"]:
        kube_schemas.check(node)


def node_pool(path):
    """OpenYurt's NodePool"""
    by_schema(load(path), "nodepool.schema.json")


def k3s_config(path):
    """k3s' option for the conflist"""
    by_schema(load(path), "k3s-config.schema.json")


def daemon_set_patch(path):
    """a patch of a DaemonSet, each key by Kubernetes' schema"""
    kube_schemas.check({"apiVersion": "apps/v1", "kind": "DaemonSet", **load(path)}, partial=True)


def config_map_patch(path):
    """a patch of a ConfigMap, each key by Kubernetes' schema"""
    kube_schemas.check({"apiVersion": "v1", "kind": "ConfigMap", **load(path)}, partial=True)


def unit(path):
    """systemd-analyze verify has nothing to say of the unit, and its commands install the plugin"""
    require("systemd-analyze")
    with scratch_root.layer():
        shutil.copyfile(os.path.join(EXAMPLES, path), UNIT)
        stable = "/usr/local/lib/delegated-ipam/delegated-ipam"
        os.makedirs(os.path.dirname(stable))
        shutil.copy(BINARY, stable)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", UNIT], capture_output=True, text=True)
        told = [line for line in done.stderr.splitlines() if "delegated-ipam" in line]
        assert done.returncode == 0 and not told, done.stderr
        for command in re.findall(r"^Exec\w+=(.*)$", read(UNIT), re.MULTILINE):
            subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
        assert os.access("/opt/cni/bin/delegated-ipam", os.X_OK)


@contextlib.contextmanager
def installed_unit(path, folder, name):
    """A service and its timer of a folder of examples/, installed beside the plugin; yields what the service runs."""
    require("systemd-analyze")
    with scratch_root.layer():
        for kind in ("service", "timer"):
            shutil.copyfile(os.path.join(EXAMPLES, folder, f"{name}.{kind}"), f"/etc/systemd/system/{name}.{kind}")
        os.makedirs("/opt/cni/bin")
        shutil.copy(BINARY, "/opt/cni/bin/delegated-ipam")
        unit_path = f"/etc/systemd/system/{os.path.basename(path)}"
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit_path], capture_output=True, text=True)
        told = [line for line in done.stderr.splitlines() if "delegated-ipam" in line]
        assert done.returncode == 0 and not told, done.stderr
        yield [command.split() for command in re.findall(r"^ExecStart=(.*)$", read(unit_path), re.MULTILINE)]


def status_unit(path):
    """systemd-analyze verify has nothing to say of it, and what it runs writes metrics"""
    with installed_unit(path, "monitoring", "delegated-ipam-status") as commands:
        for command in commands:
            written = command[-1]
            os.makedirs(os.path.dirname(written))
            assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode in (0, 1)
            assert "delegated_ipam_safe_to_reboot" in read(written)


def gc_unit(path):
    """systemd-analyze verify has nothing to say of it, and what it runs ends well where nothing leaks"""
    with installed_unit(path, "systemd", "delegated-ipam-gc") as commands:
        for command in commands:
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def alerts(path):
    """promtool takes the rules, and each fires when it should and not otherwise"""
    rules = os.path.join(EXAMPLES, path)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(rules, f"{folder}/alerts.yaml")
        shutil.copyfile(os.path.join(DATA, "alerts_test.yaml"), f"{folder}/alerts_test.yaml")
        for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
            done = subprocess.run([promtool.path(), *command], cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    tested = read(os.path.join(DATA, "alerts_test.yaml"))
    names = re.findall(r"alert: (\w+)", read(rules))
    assert len(names) == 4 and all(f"alertname: {name}" in tested for name in names), names


def dashboard(path):
    """each panel's query is one that Prometheus takes, of metrics that there are"""
    panels = load(path)["panels"]
    queries = [target["expr"].replace("$instance", ".*").replace("$network", ".*")
               for panel in panels for target in panel["targets"]]
    rules = {"groups": [{"name": "panels", "rules": [
        {"record": f"panel{number}", "expr": query} for number, query in enumerate(queries)]}]}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(rules, file)
        file.flush()
        done = subprocess.run([promtool.path(), "check", "rules", file.name], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    metrics = subprocess.run([BINARY, "status", "-o", "prometheus"], capture_output=True, text=True).stdout
    known = set(re.findall(r"^# TYPE (\w+)", metrics, re.MULTILINE)) | {"node_textfile_mtime_seconds"}
    named = {name for query in queries for name in re.findall(r"\b(?:delegated_ipam|node)_\w+", query)}
    assert named and named <= known, named - known


def tmpfiles(path):
    """cleaning by age leaves the addresses alone; and a rule that empties the folder is off once it is masked"""
    require("systemd-tmpfiles")
    with scratch_root.layer():
        shutil.copyfile(os.path.join(EXAMPLES, path), "/etc/tmpfiles.d/zz-delegated-ipam.conf")
        for own in OURS:
            os.makedirs(os.path.dirname(own))
            put(own, "c1")
            os.utime(own, (0, 0))
        put("/etc/tmpfiles.d/aging.conf", "d /var/lib/cni 0755 root root 1d\nd /var/lib/delegated-ipam - - - 1d\n")
        clean("--clean")
        assert left() == [True, True], left()
        os.makedirs("/usr/local/lib/tmpfiles.d", exist_ok=True)
        put("/usr/local/lib/tmpfiles.d/cni-cleanup.conf", RULE)
        os.symlink("/dev/null", "/etc/tmpfiles.d/cni-cleanup.conf")
        clean("--remove", "--boot")
        assert left() == [True, True], "the masked rule was carried out"
        os.unlink("/etc/tmpfiles.d/cni-cleanup.conf")
        clean("--remove", "--boot")
        assert left() == [False, True], "the rule would not have done anything"


def clean(*options):
    """Let systemd-tmpfiles work by the files of this test that are there, and by no others."""
    folders = ("/etc/tmpfiles.d", "/usr/local/lib/tmpfiles.d")
    present = [name for name in ("zz-delegated-ipam.conf", "aging.conf", "cni-cleanup.conf")
               if any(os.path.lexists(f"{folder}/{name}") for folder in folders)]
    subprocess.run(["systemd-tmpfiles", *options, *present], check=True)


def left():
    return [os.path.exists(path) for path in OURS]


def put(path, text):
    with open(path, "w") as file:
        file.write(text)


def require(program):
    if not shutil.which(program):
        raise Skip(f"needs {program}: apt-get install systemd")


def parse(kind, text, place):
    """Read a block as what it says it is. Errors: AssertionError."""
    readers = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load, "sh": as_shell, "text": str}
    assert kind in readers, f"{place}: what is {kind}?"
    try:
        readers[kind](text)
    except ValueError as error:
        raise AssertionError(f"{place}: {error}") from None


def as_shell(text):
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True)
    if done.returncode != 0:
        raise ValueError(done.stderr)


def links(text):
    """The targets of the links of a guide that are files."""
    return [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]


CHECKS = {
    "nodes.json": nodes,
    "kind/nodes.json": nodes,
    "k3s/config.yaml": k3s_config,
    "openyurt/nodepool.yaml": node_pool,
    "openyurt/installer-edge.yaml": daemon_set_patch,
    "openyurt/kube-flannel-ds.yaml": daemon_set_patch,
    "openyurt/kube-flannel-ds-edge.yaml": daemon_set_patch,
    "openyurt/yurt-hub-cfg.yaml": config_map_patch,
    "monitoring/alerts.yaml": alerts,
    "monitoring/dashboard.json": dashboard,
    "monitoring/delegated-ipam-status.service": status_unit,
    "monitoring/delegated-ipam-status.timer": status_unit,
    "systemd/delegated-ipam-gc.service": gc_unit,
    "systemd/delegated-ipam-gc.timer": gc_unit,
    "systemd/delegated-ipam.service": unit,
    "systemd/tmpfiles.conf": tmpfiles,
}
