"""validate --node: what is wrong on this machine rather than in the file."""
import json
import os
import subprocess

import corpus

HOME = "/run/node"  # in the suite's own tmpfs
BIN = f"{HOME}/bin"


def conflist(main="bridge", **ipam):
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [
        {"type": main, "ipam": {"type": "delegated-ipam", "delegate": {
            "type": "host-local", "ranges": [[{"subnet": "10.244.1.0/24"}]]}, **ipam}}]})


def found(text, *arguments, env=None):
    """Rule, pointer and message of what is found on the machine."""
    given = corpus.findings("--node", *arguments, "-", stdin=text.encode(), env=env)
    return [(one["rule"], one["pointer"], one["message"]) for one in given]


def install(*names, mode=0o755):
    os.makedirs(BIN, exist_ok=True)
    for name in names:
        with open(f"{BIN}/{name}", "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(f"{BIN}/{name}", mode)


def binaries():
    """Of the main plugin, of ours, of a delegate that is run: in the folder given, in CNI_PATH, or in the usual one."""
    text = conflist(inProcess=False)
    places = [("node-binary", f"/plugins/0/{key}") for key in ("type", "ipam/type", "ipam/delegate")]
    said = [one for one in found(text, "--bin-dir", f"{HOME}/none") if one[0] == "node-binary"]
    assert [one[:2] for one in said] == places, said
    assert said[0][2] == f"bridge is not in {HOME}/none" and "host-local.orig or host-local" in said[2][2], said
    install("bridge", "delegated-ipam", "host-local")
    environment = {"CNI_PATH": f"relative:{HOME}/none:{BIN}"}
    assert not [one for one in found(text, env=environment) if one[0] == "node-binary"]
    install("delegated-ipam", mode=0o644)
    said = [one[1:] for one in found(text, "--bin-dir", BIN) if one[0] == "node-binary"]
    assert said == [("/plugins/0/ipam/type", f"{BIN}/delegated-ipam is not executable")], said
    install("delegated-ipam")
    said = [one[2] for one in found(text, env={}) if one[0] == "node-binary"]
    assert all(message.endswith(" is not in /opt/cni/bin") for message in said), said


def flannel_needs_its_main_plugin():
    text = json.dumps({"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
        {"type": "flannel", "subnetFile": "/var/lib/flannel/subnet.env", "ipam": {"type": "delegated-ipam"}}]})
    install("flannel", "delegated-ipam")
    os.unlink(f"{BIN}/bridge")
    said = [one for one in found(text, "--bin-dir", BIN) if one[0] == "node-binary"]
    assert said == [("node-binary", "/plugins/0/delegate", f"bridge is not in {BIN}")], said
    install("bridge")


def in_memory():
    """The suite's own /var/lib/cni and /var/lib/delegated-ipam are on tmpfs."""
    said = [one for one in found(conflist(), "--bin-dir", BIN) if one[0] == "node-folder"]
    assert [one[1] for one in said] == ["/plugins/0/ipam/stateDir", "/plugins/0/ipam/dataDir"], said
    assert said[0][2].startswith("/var/lib/delegated-ipam is in memory here"), said
    given = corpus.findings("--node", "--bin-dir", BIN, "-", stdin=conflist().encode())
    assert [one["severity"] for one in given if one["rule"] == "node-folder"] == ["error", "warning"], given
    assert "pods keep their addresses by stateDir" in said[1][2], said


def disk(kind):
    """A folder on an ext4 image or an overlay, mounted in the suite's own namespace."""
    folder = f"/var/lib/cni/{kind}"
    os.makedirs(folder)
    if kind == "ext4":
        subprocess.run(["truncate", "-s", "16M", f"{HOME}/image"], check=True)
        subprocess.run(["mkfs.ext4", "-q", f"{HOME}/image"], check=True)
        subprocess.run(["mount", "-o", "loop", f"{HOME}/image", folder], check=True)
    else:
        for name in ("lower", "upper", "work"):
            os.makedirs(f"{HOME}/{name}")
        options = f"lowerdir={HOME}/lower,upperdir={HOME}/upper,workdir={HOME}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder], check=True)
    return folder


def on_disk():
    """Nothing to say of a disk, whether the folders are there or not; a warning for an overlay."""
    folder = disk("ext4")
    text = conflist(dataDir=f"{folder}/networks", stateDir=f"{folder}/state/deep")
    assert found(text, "--bin-dir", BIN) == []
    over = disk("overlay")
    said = found(conflist(dataDir=f"{over}/networks", stateDir=f"{folder}/state"), "--bin-dir", BIN)
    assert [one[:2] for one in said] == [("node-folder", "/plugins/0/ipam/dataDir")], said
    text = conflist(dataDir=f"{over}/networks", stateDir=f"{folder}/state").encode()
    assert corpus.run("--node", "--bin-dir", BIN, "-", stdin=text)[0] == 0


def nested():
    """A folder in the network's own, where the joined dataDir was: only with addresses in it."""
    folder = "/var/lib/cni/ext4/networks"
    text = conflist(dataDir=folder, stateDir="/var/lib/cni/ext4/state")
    os.makedirs(f"{folder}/pods/pods")
    with open(f"{folder}/pods/pods/lock", "w"):
        pass
    assert found(text, "--bin-dir", BIN) == []
    for address in ("10.244.1.7", "fd00::7"):
        with open(f"{folder}/pods/pods/{address}", "w") as file:
            file.write("c-1\r\neth0")
    said = found(text, "--bin-dir", BIN)
    assert [one[:2] for one in said] == [("node-nested", "/plugins/0/ipam/dataDir")], said
    assert said[0][2].startswith(f"2 addresses are in use in {folder}/pods/pods"), said


def renamed():
    """A network without addresses yet beside one that has some of its ranges: a warning, and none for other ranges."""
    folder = "/var/lib/cni/ext4/renamed"
    text = conflist(dataDir=folder, stateDir="/var/lib/cni/ext4/state")
    os.makedirs(f"{folder}/before")
    os.makedirs(f"{folder}/elsewhere")
    for path in ("before/10.244.1.7", "before/10.244.1.8", "before/10.9.0.7", "before/lock", "elsewhere/10.9.0.7"):
        with open(f"{folder}/{path}", "w") as file:
            file.write("c-1\r\neth0")
    said = found(text, "--bin-dir", BIN)
    assert [one[:2] for one in said] == [("node-sibling", "/name")], said
    told = f"2 addresses of these ranges are in use in {folder}/before, and none in {folder}/pods yet"
    assert said[0][2] == told, said
    assert corpus.run("--node", "--bin-dir", BIN, "-", stdin=text.encode())[0] == 0
    os.makedirs(f"{folder}/pods")
    with open(f"{folder}/pods/10.244.1.9", "w") as file:
        file.write("c-2\r\neth0")
    assert found(text, "--bin-dir", BIN) == []


def in_the_way():
    """A file where a folder should be."""
    with open("/var/lib/cni/ext4/file", "w"):
        pass
    text = conflist(dataDir="/var/lib/cni/ext4/file/networks", stateDir="/var/lib/cni/ext4/state")
    said = found(text, "--bin-dir", BIN)
    assert ("node-folder", "/plugins/0/ipam/dataDir") in [one[:2] for one in said], said


def drop_ins():
    """The plugins in the folder that completes a list are this machine's too."""
    folder = f"{HOME}/net.d"
    os.makedirs(f"{folder}/pods")
    with open(f"{folder}/10-pods.conflist", "w") as file:
        json.dump({"cniVersion": "1.1.0", "name": "pods"}, file)
    with open(f"{folder}/pods/10-main.conf", "w") as file:
        json.dump(json.loads(conflist("macvlan"))["plugins"][0], file)
    given = corpus.findings("--node", "--bin-dir", BIN, f"{folder}/10-pods.conflist")
    said = [(one["file"], one["pointer"]) for one in given if one["rule"] == "node-binary"]
    assert said == [(f"{folder}/pods/10-main.conf", "/type")], given


def without_node():
    """Without the option nothing of this machine is looked at."""
    assert corpus.run("-", stdin=conflist().encode()) == (0, "", "")


def run(suite):
    os.makedirs(HOME)
    suite.run("--node: executables that are missing or cannot be run", binaries)
    suite.run("--node: Flannel's main plugin is looked for", flannel_needs_its_main_plugin)
    suite.run("--node: folders in memory", in_memory)
    suite.run("--node: folders on a disk and on an overlay", on_disk)
    suite.run("--node: what a joined dataDir has left", nested)
    suite.run("--node: a network that may have been renamed", renamed)
    suite.run("--node: a file in the way", in_the_way)
    suite.run("--node: the plugins of the folder that completes a list", drop_ins)
    suite.run("--node: this machine is looked at only when asked", without_node)
