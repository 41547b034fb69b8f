"""Replays a table of sequence_tables against a plugin: every call for real, in real network namespaces.

Use it inside sandbox.enter(), after node.fake_boots().
"""
import contextlib
import json
import os
import shutil
import subprocess

import result_cache
from kubelet import Pod
from live_netns import Namespace
from node import Node, empty_run, new_boot
from plugin import BINARY
from race import Running, lock_held, waiting_for_lock, wait_until
from sequence_tables import Add, Event, Together

# The answer goes to a file system without room, so the plugin cannot give it.
NO_ROOM_FOR_ANSWER = ("sh", "-c", 'exec "$0" >/dev/full')


class Life:
    """A sandbox: the pod that it belongs to, its namespace, and the result in the runtime's cache, if any."""

    def __init__(self, pod, namespace):
        self.pod = pod
        self.namespace = namespace
        self.result = None


class Replay:
    """A node whose runtime calls what the rows say, for a with block. `live`: running sandbox -> its addresses.

    The rows tell what was recorded. forgiving: a plugin may also answer otherwise, for example success to a DEL that
    failed; a later DEL then names only what a runtime would still have after that answer.
    """

    def __init__(self, home, ranges, binary=BINARY, forgiving=False):
        self.node = Node(home, ranges, binary=binary)
        self.forgiving = forgiving
        self.live = {}
        self._lives = {}
        self._frozen = False

    def __enter__(self):
        os.makedirs(result_cache.FOLDER, exist_ok=True)
        new_boot()
        return self

    def __exit__(self, *_):
        if self._frozen:
            self.thaw_network_folder()
        self._end_all()
        self.lose_result_cache()
        shutil.rmtree(self.node.home, ignore_errors=True)

    def step(self, row):
        """Do what one row says; returns the calls in it with their outcomes, in pairs."""
        if isinstance(row, Event):
            getattr(self, row.name)(*([row.sandbox] if row.sandbox else []))
            return []
        calls = list(row) if isinstance(row, Together) else [row]
        requests = [self._request(call) for call in calls]
        outcomes = self._run(requests)
        for call, outcome in sorted(zip(calls, outcomes), key=lambda pair: isinstance(pair[0], Add)):
            self._remember(call, outcome)
        return list(zip(calls, outcomes))

    def pod_of(self, sandbox):
        """The pod "namespace/name" of a sandbox."""
        pod = self._lives[sandbox].pod
        return f"{pod.namespace}/{pod.name}"

    def reboot(self):
        """The power is cut: namespaces, processes and /run are gone, the boot id is another one."""
        self._end_all()
        new_boot()

    def restart_with_fresh_run(self):
        """Namespaces, processes and /run are gone; the kernel goes on."""
        self._end_all()
        empty_run()

    def end_process(self, sandbox):
        """The sandbox's process dies; the path of its namespace stays."""
        self._lives[sandbox].namespace.stop()
        self.live.pop(sandbox)

    def lose_result_cache(self):
        for life in self._lives.values():
            life.result = None
        for name in os.listdir(result_cache.FOLDER):
            os.unlink(os.path.join(result_cache.FOLDER, name))

    def freeze_network_folder(self):
        """No file can be made or removed in it, though the disk is writable: DELs fail."""
        subprocess.run(["chattr", "+i", self.node.network_dir], check=True)
        self._frozen = True

    def thaw_network_folder(self):
        subprocess.run(["chattr", "-i", self.node.network_dir], check=True)
        self._frozen = False

    def _end_all(self):
        for life in self._lives.values():
            life.namespace.__exit__()
        self.live.clear()

    def _request(self, call):
        """The arguments of race.Running for a call; an ADD's sandbox comes to life here, with its namespace."""
        if isinstance(call, Add):
            return self._add_request(call)
        self.live.pop(call.sandbox, None)  # its containers are dead by now
        life = self._lives[call.sandbox]
        is_there = os.path.exists(life.namespace.path)
        possible = call.netns in ("", "live" if is_there else "stale") and (life.result or not call.prev)
        assert possible or self.forgiving, f"no runtime could call {call} now"
        netns = life.namespace.path if call.netns == "stale" or (call.netns and is_there) else ""
        env, conf = self._env_and_conf("DEL", call.sandbox, netns)
        if call.prev and life.result:
            conf["prevResult"] = life.result
        return self.node.binary, env, conf

    def _add_request(self, call):
        namespace, name = call.pod.split("/")
        life = Life(Pod(name, namespace, call.uid), Namespace.of_runtime().__enter__())
        self._lives[call.sandbox] = life
        env, conf = self._env_and_conf("ADD", call.sandbox, life.namespace.path)
        if call.fails == "configuration":
            conf["ipam"]["resolvConf"] = f"{self.node.home}/missing"
        return self.node.binary, env, conf, NO_ROOM_FOR_ANSWER if call.fails == "answer" else ()

    def _env_and_conf(self, command, sandbox, netns):
        uid = self._lives[sandbox].pod.uid
        return self.node.request(command, sandbox, self.pod_of(sandbox), uid=uid, netns=netns)

    def _run(self, requests):
        """Run one call, or several that are let loose together at the network's lock."""
        if len(requests) == 1:
            return [Running(*requests[0]).finish()]
        with lock_held(self.node):
            running = [Running(*request) for request in requests]
            pids = {one.pid for one in running}
            wait_until(lambda: pids <= waiting_for_lock(self.node), f"not all of {len(pids)} calls come to the lock")
        return [one.finish() for one in running]

    def _remember(self, call, outcome):
        """Do what the runtime does after a call: note an answer, or take the sandbox's namespace away."""
        life = self._lives[call.sandbox]
        entry = result_cache.path(self.node.name, call.sandbox)
        if outcome.exit != 0:
            return
        if isinstance(call, Add):
            self.live[call.sandbox] = outcome.addresses
            if call.cached:
                self._note(call.sandbox, life, outcome.json, entry)
            return
        life.result = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(entry)
        if call.netns == "live":
            life.namespace.__exit__()

    def _note(self, sandbox, life, result, path):
        entry = result_cache.entry(self.node.conf(), sandbox, life.pod, life.namespace.path, result)
        life.result = entry["result"]
        with open(path, "w") as file:
            json.dump(entry, file)
