"""The result cache that libcni keeps for runtimes: one file an attachment, from its ADD's success to its DEL's."""
import base64
import json

FOLDER = "/var/lib/cni/results"


def path(network, container_id, ifname="eth0"):
    """Where the entry of an attachment lies."""
    return f"{FOLDER}/{network}-{container_id}-{ifname}"


def entry(conf, container_id, pod, netns, result, names_netns=True):
    """An entry, as an object to write as JSON. conf: the network configuration with `ipam`. pod: a kubelet.Pod.

    The result is that of the whole chain, so the main plugin's interfaces are in it. names_netns: whether the entry
    has `netns` of its own, as libcni writes since 1.2; older entries tell the namespace in the result only.
    """
    conflist = {"cniVersion": conf["cniVersion"], "name": conf["name"],
                "plugins": [{"type": conf["type"], "ipam": conf["ipam"]}]}
    interfaces = [{"name": "cni0", "mac": "0a:58:0a:4d:00:01"}, {"name": "eth0", "sandbox": netns}]
    args = {"IgnoreUnknown": "1", "K8S_POD_NAMESPACE": pod.namespace, "K8S_POD_NAME": pod.name,
            "K8S_POD_INFRA_CONTAINER_ID": container_id, "K8S_POD_UID": pod.uid}
    return {
        "kind": "cniCacheV1", "containerId": container_id,
        "config": base64.b64encode(json.dumps(conflist).encode()).decode(),
        "ifName": "eth0", "networkName": conf["name"], **({"netns": netns} if names_netns else {}),
        "cniArgs": [list(pair) for pair in args.items()], "capabilityArgs": {},
        "result": {**result, "interfaces": interfaces, "ips": [{**ip, "interface": 1} for ip in result["ips"]]},
    }
