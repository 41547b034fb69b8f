"""A cluster of paper for the guides: objects in a folder, and one node: this machine, in a scratch_root.layer().

What kubelet and the pods of kube-flannel, of Cilium's agent and of the installer would do to the node's files is done
to this machine's: the installer's own command runs, conflists are written where those pods write them. For a pod on
this node the IPAM plugin of the node's conflist is called, as the main plugin would; nothing else of it is there.
"""
import glob
import ipaddress
import json
import os
import shutil
import subprocess

import strategic_merge
import yaml

FOLDER = "CLUSTER"  # the environment variable with the folder of all objects
HERE = "edge-1"  # the node that is this machine
NET_D = "/etc/cni/net.d"
K3S = "/var/lib/rancher/k3s"
PLURALS = {"daemonset": "DaemonSet", "ds": "DaemonSet", "configmap": "ConfigMap", "node": "Node", "nodes": "Node",
           "deployment": "Deployment", "nodepool": "NodePool"}


class Refused(Exception):
    """What a client would say when the command makes no sense."""


class Cluster:
    """folder: where the objects are; default: the one of the environment."""

    def __init__(self, folder=None):
        self.folder = folder or os.environ[FOLDER]

    def note(self, *words):
        """Add a line to the record of what was asked."""
        with open(os.path.join(self.folder, "record"), "a") as file:
            file.write(" ".join(words) + "\n")

    def record(self):
        """All lines of the record."""
        with open(os.path.join(self.folder, "record")) as file:
            return file.read().splitlines()

    def put(self, manifest):
        """Create or replace an object, as it stands."""
        with open(self._path(manifest["kind"], manifest["metadata"]["name"]), "w") as file:
            json.dump(manifest, file)

    def get(self, kind, name):
        """An object. Errors: Refused when there is none."""
        try:
            with open(self._path(PLURALS.get(kind.lower(), kind), name)) as file:
                return json.load(file)
        except FileNotFoundError:
            raise Refused(f'Error from server (NotFound): {kind} "{name}" not found') from None

    def has(self, kind, name):
        """True when there is such an object."""
        return os.path.exists(self._path(kind, name))

    def delete(self, kind, name):
        """Errors: Refused when there is no such object."""
        self.get(kind, name)
        os.unlink(self._path(PLURALS.get(kind.lower(), kind), name))

    def all(self, kind):
        """All objects of a kind, by name."""
        names = sorted(name for name in os.listdir(self.folder) if name.startswith(f"{kind}."))
        return [self.get(kind, name.removeprefix(f"{kind}.").removesuffix(".json")) for name in names]

    def apply(self, manifest):
        """What `kubectl apply` does with one object, and what follows on the node."""
        self.put(manifest)
        if manifest["kind"] == "DaemonSet":
            self.start(manifest)

    def patch(self, kind, name, patch):
        """What `kubectl patch` does."""
        manifest = strategic_merge.merge(self.get(kind, name), patch)
        self.apply(manifest)

    def start(self, daemon_set):
        """The pod of a DaemonSet starts on this node, if it belongs here."""
        pod = daemon_set["spec"]["template"]["spec"]
        if not belongs(pod, self.get("Node", HERE)["metadata"]["labels"]):
            return
        if any(one["command"] == ["/delegated-ipam"] for one in pod.get("initContainers", []) if "command" in one):
            self._install(pod)
        if any(one["name"] == "kube-flannel" for one in pod["containers"]):
            self._flannel(pod)

    def _path(self, kind, name):
        return os.path.join(self.folder, f"{kind}.{name}.json")

    def _install(self, pod):
        """Run the command of the installer's init container, with the host's folders in the place of its mounts."""
        container = pod["initContainers"][0]
        paths = {mount["mountPath"]: self._host_folder(pod, mount["name"]) for mount in container["volumeMounts"]}
        arguments = [paths.get(argument, argument) for argument in container["args"]]
        environment = {**os.environ, "NODE_NAME": HERE}
        subprocess.run(["build/release/delegated-ipam", *arguments], check=True, env=environment,
                       stdout=subprocess.DEVNULL)

    def _host_folder(self, pod, name):
        """The folder of a volume: the host's, or one with the contents of ConfigMaps."""
        (volume,) = [one for one in pod["volumes"] if one["name"] == name]
        if "hostPath" in volume:
            os.makedirs(volume["hostPath"]["path"], exist_ok=True)
            return volume["hostPath"]["path"]
        folder = os.path.join(self.folder, "mounted")
        os.makedirs(folder, exist_ok=True)
        for source in volume["projected"]["sources"]:
            for key, text in self.get("ConfigMap", source["configMap"]["name"])["data"].items():
                write(os.path.join(folder, key), text)
        return folder

    def _flannel(self, pod):
        """Its init container copies the ConfigMap's conflist; flanneld writes its subnet file into a mounted folder."""
        (volume,) = [one for one in pod["volumes"] if one["name"] == "flannel-cfg"]
        data = self.get("ConfigMap", volume["configMap"]["name"])["data"]
        write(f"{NET_D}/10-flannel.conflist", data["cni-conf.json"])
        (container,) = [one for one in pod["containers"] if one["name"] == "kube-flannel"]
        words = container.get("command", []) + container.get("args", [])
        options = dict(word.split("=", 1) for word in words if "=" in word)
        path = options.get("--subnet-file", "/run/flannel/subnet.env")
        if os.path.dirname(path) not in [mount["mountPath"] for mount in container["volumeMounts"]]:
            raise Refused(f"flanneld writes {path} into its container: no folder of the host is mounted there")
        if path.startswith("/run/"):
            return  # not this machine's
        subnet = self.get("Node", HERE)["spec"]["podCIDR"].replace(".0/", ".1/")
        network = json.loads(data["net-conf.json"])["Network"]
        write(path, f"FLANNEL_NETWORK={network}\nFLANNEL_SUBNET={subnet}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")

    def run_pod(self, name):
        """A pod of the default namespace starts on this node: it gets an address of the node's range, or an error."""
        conf, folder = self._network()
        if conf is None:
            return
        result = call_ipam("ADD", name, conf, folder)
        address = ipaddress.ip_interface(result["ips"][0]["address"]).ip
        subnet = ipaddress.ip_network(self.get("Node", HERE)["spec"]["podCIDR"])
        if address not in subnet:
            raise Refused(f"pod {name} on {HERE} has {address}, which is not in {subnet}")
        self.put({"kind": "Pod", "metadata": {"name": name}, "conf": conf, "folder": folder})

    def delete_pods(self):
        """All pods that were started here end, by the configuration that they were started with."""
        for pod in self.all("Pod"):
            call_ipam("DEL", pod["metadata"]["name"], pod["conf"], pod["folder"])
            self.delete("Pod", pod["metadata"]["name"])

    def _network(self):
        """The main plugin's configuration of the first conflist, and the runtime's plugin folder; None without one."""
        places = [(NET_D, "/opt/cni/bin"), (f"{K3S}/agent/etc/cni/net.d", f"{K3S}/data/cni")]
        found = [(path, folder) for place, folder in places for path in sorted(glob.glob(f"{place}/*.conflist"))]
        if not found:
            return None, None
        with open(found[0][0]) as file:
            conflist = json.load(file)
        plugin = conflist["plugins"][0]
        ipam = dict(plugin.get("ipam", {"type": "host-local"}))
        if plugin["type"] == "flannel":
            ipam["ranges"] = [[{"subnet": self.get("Node", HERE)["spec"]["podCIDR"]}]]
        conf = {**plugin, "name": conflist["name"], "cniVersion": conflist["cniVersion"], "ipam": ipam}
        return conf, found[0][1]

    def cilium_agent(self, config):
        """What Cilium's agent does to the node with this cilium-config: it copies the conflist that it is told to."""
        if "write-cni-conf-when-ready" in config:
            key = os.path.basename(config["read-cni-conf"])
            write(f"{NET_D}/05-cilium.conflist", self.get("ConfigMap", "cni-configuration")["data"][key])


def call_ipam(command, pod, conf, folder):
    """Run the IPAM plugin of a configuration; returns its answer. Errors: Refused with its words."""
    environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": f"sandbox-{pod}", "CNI_NETNS": f"/run/netns/{pod}",
                   "CNI_IFNAME": "eth0", "CNI_PATH": folder,
                   "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}"}
    done = subprocess.run([os.path.join(folder, conf["ipam"]["type"])], input=json.dumps(conf), env=environment,
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(f"{command} of pod {pod}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout or "{}")


def belongs(pod, labels):
    """True when a pod's selector and required affinity take a node with these labels."""
    if any(labels.get(key) != value for key, value in pod.get("nodeSelector", {}).items()):
        return False
    affinity = pod.get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(
        all(_holds(one, labels) for one in term["matchExpressions"]) for term in required["nodeSelectorTerms"])


def _holds(expression, labels):
    value = labels.get(expression["key"])
    tests = {"In": lambda: value in expression["values"], "NotIn": lambda: value not in expression["values"],
             "Exists": lambda: value is not None, "DoesNotExist": lambda: value is None}
    return tests[expression["operator"]]()


def load(path):
    """The objects of a manifest file. Errors: Refused when it is not there, or is no YAML."""
    try:
        with open(path) as file:
            return [one for one in yaml.safe_load_all(file) if one]
    except (OSError, yaml.YAMLError) as error:
        raise Refused(f"error: {error}") from None


def write(path, text):
    """Write a file, and make its folder."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def copy(source, target):
    """Copy a file, and make the folder. Errors: Refused when there is no such file."""
    if not os.path.isfile(source):
        raise Refused(f"{source}: No such file")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)
