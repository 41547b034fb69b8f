"""A container runtime in small: a sandbox is a network namespace and the CNI calls for it, with the result cache that
libcni keeps for real runtimes. No processes, no images: ten pods come and go in a second.

Use it inside world.enter() or sandbox.enter(), one at a time. What takes a pod or a sandbox here takes it in
machine.Machine too.
"""
import json
import os
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor

import nsmount
import plugin
import result_cache
from kubelet import Sandbox
from node import BOOT_ID, fake_boots, new_boot

RESULTS = result_cache.FOLDER
NETNS = "/run/netns"
VERSION = "1.0.0"
WORKERS = 4


class Refused(RuntimeError):
    """The plugin refused a command; `outcome` is what it answered."""

    def __init__(self, command, outcome):
        super().__init__(f"{command}: exit {outcome.exit}: {outcome.stdout} {outcome.stderr}")
        self.outcome = outcome


class Runtime:
    """node: the node.Node to run on. binary, ipam: the address plugin, and its part of the configuration, from now on.

    names_netns: whether the cache entries have `netns` of their own, as libcni writes since 1.2; older entries tell
    the namespace in the result only.
    """

    places = {}  # nobody makes links, so that nobody is reached

    def __init__(self, node, binary, ipam, names_netns=False):
        self.node = node
        self.binary = binary
        self.ipam = ipam
        self._names_netns = names_netns
        self._netns = {}  # sandbox id -> path, of those whose namespace is there
        self._pods = {}  # sandbox id -> pod, of all that were ever made
        os.makedirs(RESULTS, exist_ok=True)
        fake_boots()

    def boot(self):
        """Another boot id and an empty /run."""
        new_boot()
        os.makedirs(NETNS)

    def reboot(self):
        """Every namespace is gone; nothing is deleted in order."""
        self._remove_namespaces()
        self.boot()

    def remove(self):
        """Take everything away: namespaces, the pretended boot, result cache, the node's folders."""
        self._remove_namespaces()
        nsmount.run("umount", BOOT_ID)
        for folder in (RESULTS, self.node.home):
            shutil.rmtree(folder)

    def run(self, pod):
        """ADD for a new sandbox of the pod, which remembers it; as after every ADD, the cache has an entry then.

        Errors: Refused; the runtime has sent the DEL already, and the sandbox is gone.
        """
        sandbox = Sandbox(uuid.uuid4().hex * 2, [])
        self._pods[sandbox.id] = pod
        self._netns[sandbox.id] = nsmount.make(f"{NETNS}/cni-{sandbox.id[:32]}")
        done = self._call("ADD", sandbox)
        if done.exit != 0:
            self.stop(sandbox)
            raise Refused(f"ADD for {pod.name}", done)
        sandbox.addresses = done.addresses
        with open(self.entry(sandbox), "w") as file:
            json.dump(self._entry(sandbox, done.json), file)
        pod.sandboxes.append(sandbox)
        return sandbox

    def stop(self, sandbox):
        """DEL with what the cache tells; then the cache entry and the namespace go.

        Errors: Refused; entry and namespace are still there.
        """
        done = self._call("DEL", sandbox, self._cached_result(sandbox))
        if done.exit != 0:
            raise Refused(f"DEL for {self._pods[sandbox.id].name}", done)
        if os.path.exists(self.entry(sandbox)):
            os.unlink(self.entry(sandbox))
        if sandbox.id in self._netns:
            nsmount.remove(self._netns.pop(sandbox.id))

    def forget(self, sandbox):
        """What removing a stopped sandbox means to the plugin: one more DEL."""
        self.stop(sandbox)

    def for_all(self, action, items):
        """Run action(item) for all items by a few workers at a time; the first error is raised at the end."""
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(action, items))

    def address_files(self):
        """The address files of the network folder: {address: sandbox id}."""
        return {address: content.decode().split("\r\n")[0] for address, content in self.node.attachments().items()}

    def entry(self, sandbox):
        """The path of a sandbox's entry in the result cache."""
        return result_cache.path(self.node.name, sandbox.id)

    def _conf(self):
        return {"cniVersion": VERSION, "name": self.node.name, "type": "bridge", "ipam": self.ipam}

    def _call(self, command, sandbox, previous=None):
        pod = self._pods[sandbox.id]
        args = plugin.pod_args(pod.namespace, pod.name, pod.uid, sandbox.id)
        env = plugin.environment(command, sandbox.id, netns=self._netns.get(sandbox.id, ""), args=args)
        conf = self._conf()
        if previous:
            conf["prevResult"] = previous
        return plugin.run(self.binary, env, conf)

    def _entry(self, sandbox, result):
        pod, netns = self._pods[sandbox.id], self._netns[sandbox.id]
        return result_cache.entry(self._conf(), sandbox.id, pod, netns, result, self._names_netns)

    def _cached_result(self, sandbox):
        """The result in the cache; None where there is none to be read, as newer libcni has it."""
        try:
            with open(self.entry(sandbox)) as file:
                entry = json.load(file)
        except (OSError, ValueError):
            return None
        result = entry.get("result") if isinstance(entry, dict) else None
        return result if isinstance(result, dict) else None

    def _remove_namespaces(self):
        for path in self._netns.values():
            nsmount.remove(path)
        self._netns.clear()
