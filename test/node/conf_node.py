"""A node whose whole network configuration may be changed for one call, for the conf_*.py files."""
import itertools
import os

import plugin
from node import Node
from plugin import Outcome

HOME = "/var/lib/cni/conf"
SMALL = [[{"subnet": "10.9.0.0/28"}]]
DUAL = [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/120"}]]
ALL = [f"10.9.0.{last}" for last in range(2, 15)]
POD = "shop/web-0"
OTHER = "shop/other"
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"

homes = itertools.count()


class ConfNode(Node):
    """A new node in a folder of its own; without `ranges` the configuration has none."""

    def __init__(self, ranges=None, **ipam):
        super().__init__(os.path.join(HOME, str(next(homes))), ranges, **ipam)
        if ranges is None:
            del self.ipam["ranges"]
        os.makedirs(self.home)

    def request(self, command, container_id, pod=None, env=None, top=None, annotations=None, **more):
        """`env`: further variables. `top`: further keys of the configuration. `annotations`: the pod's."""
        variables, conf = super().request(command, container_id, pod, **more)
        conf.update(top or {})
        if annotations is not None:
            conf["runtimeConfig"] = {**conf.get("runtimeConfig", {}), ANNOTATIONS: annotations}
        return {**variables, **(env or {})}, conf

    def restart(self, container_id, pod=POD, **more):
        """Start, stop: the pod is absent afterwards. Returns the addresses that it had."""
        addresses = self.add(container_id, pod, **more)
        self.delete(container_id, pod, **more)
        return addresses

    def lap(self, **more):
        """The addresses of as many pods without a name, one after another, as make two laps."""
        return {self.restart(f"c-lap-{number}", None, **more)[0] for number in range(2 * len(ALL))}

    def owners(self):
        """Which pods have a binding."""
        return {binding.owner for binding in self.bindings().values()}

    def records_of_pods(self):
        """The names of all records about pods, of bindings and hints alike."""
        names = [os.path.basename(path) for path in self.records()]
        return sorted(name for name in names if name.startswith(("ip.", "pod.", "pod~")))

    def gc(self, **lists):
        """GC with these lists: `valid` is cni.dev/valid-attachments, `older` is cni.dev/attachments."""
        keys = {"valid": "cni.dev/valid-attachments", "older": "cni.dev/attachments"}
        top = {keys[name]: value for name, value in lists.items()}
        env, conf = self.request("GC", "", ifname="", netns="", top={"cniVersion": "1.1.0", **top})
        return plugin.run(self.binary, env, conf)

    def collect(self, valid):
        """GC that must succeed, silently; `valid` are (container ID, ifname)."""
        done = self.gc(valid=[{"containerID": container_id, "ifname": ifname} for container_id, ifname in valid])
        assert (done.exit, done.stdout) == (0, ""), done

    def refused(self, code, *words, container_id="c-refused", pod=POD, **more):
        """An ADD that must fail with this code, say these words and leave nothing; returns its message."""
        done = self.call("ADD", container_id, pod, **more)
        text = assert_error(done, code, *words)
        assert not self.addresses_of(container_id), "the refused ADD left an address"
        return text


def assert_error(done: Outcome, code, *words):
    """The call failed with this code and says these words in msg or details; returns that text."""
    assert done.exit == 1, f"exit {done.exit}: {done.stdout}"
    text = f"{done.json['msg']} {done.json.get('details', '')}"
    assert done.json["code"] == code, done.stdout
    missing = [word for word in words if word not in text]
    assert not missing, f"{text!r} does not say {missing}"
    return text
