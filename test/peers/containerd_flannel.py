#!/usr/bin/python3
"""A stand-in for Flannel's CNI plugin, for machines where the real one is not built: install it as "flannel".

It renders the netconf of its main plugin from subnet.env and notes it by container ID; the first DEL takes the note,
even if the main plugin then fails, and any other DEL is a success of which nobody below hears. CHECK and STATUS are
answered here.
"""
import ipaddress
import json
import os
import subprocess
import sys

SUBNET_FILE = "/run/flannel/subnet.env"
NOTES = "/var/lib/cni/flannel"


def render(conf):
    """The main plugin's netconf. Errors: OSError without subnet.env."""
    with open(SUBNET_FILE) as file:
        told = dict(line.strip().split("=", 1) for line in file)
    subnet = ipaddress.ip_interface(told["FLANNEL_SUBNET"]).network
    ipam = conf.get("ipam", {})
    return {
        "type": "bridge", "isGateway": True, "mtu": int(told["FLANNEL_MTU"]),
        "ipMasq": told["FLANNEL_IPMASQ"] != "true", **conf.get("delegate", {}),
        "name": conf["name"], "cniVersion": conf["cniVersion"],
        "ipam": {"type": "host-local", **ipam, "ranges": [[{"subnet": str(subnet)}]],
                 "routes": [*ipam.get("routes", []), {"dst": told["FLANNEL_NETWORK"]}]},
    }


def run(conf):
    """Run the main plugin with this process's environment; returns its exit code."""
    folders = os.environ["CNI_PATH"].split(":")
    plugin = next(path for path in (f"{folder}/{conf['type']}" for folder in folders) if os.path.exists(path))
    return subprocess.run([plugin], input=json.dumps(conf), text=True).returncode


def add(note):
    try:
        conf = render(json.load(sys.stdin))
    except OSError as error:
        print(json.dumps({"code": 999, "msg": f"failed to load flannel 'subnet.env' file: {error}"}))
        return 1
    os.makedirs(NOTES, exist_ok=True)
    with open(note, "w") as file:
        json.dump(conf, file)
        file.flush()
        os.fsync(file.fileno())
    return run(conf)


def delete(note):
    try:
        with open(note) as file:
            conf = json.load(file)
    except FileNotFoundError:
        return 0
    try:
        return run(conf)
    finally:
        os.unlink(note)


def main():
    command = {"ADD": add, "DEL": delete}.get(os.environ["CNI_COMMAND"], lambda note: 0)
    sys.exit(command(f"{NOTES}/{os.environ.get('CNI_CONTAINERID', '')}"))


if __name__ == "__main__":
    main()
