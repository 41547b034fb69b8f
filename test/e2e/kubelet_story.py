"""What happens to a node in kubelet_test.py: chapters, each of which does something to it and waits for its end."""
import contextlib
import fcntl
import json
import os
import subprocess

import kubelet_machine
import world
from recorded_calls import Recorder
from sequence_tables import CACHE_IS_LOST, DELS_FAIL, DELS_WORK, NODE_CONTAINER_RESTARTS, REBOOT, process_ends

STATEFUL, STATIC, NEWCOMER = "web", "db", "new"
DB = f"{STATIC}-{kubelet_machine.NODE}"  # as the kubelet calls it
SECONDS = 240


class Story:
    """node: a KubeletMachine. control: its ControlPlane. folder: of what the recording plugin writes and reads."""

    def __init__(self, node, control, folder):
        self.node = node
        self.control = control
        self.recorder = Recorder(f"{folder}/calls")
        self._refused = f"{folder}/refused"
        self.dismissed = []
        self._newcomers = 0
        self._pods = set()  # the names of those that shall run

    def pods_start(self):
        """Of the API and of a folder."""
        self.control.apply(_stateful_set(2))
        self._write_manifest()
        self._expect("web-0", "web-1", DB)

    def kubelet_is_killed(self):
        self.node.kill_kubelet()
        self.node.start_kubelet()
        self._newcomer()

    def runtime_is_killed(self):
        self.node.crash_runtime()
        self.node.start_runtime()
        self._newcomer()

    def sandbox_process_ends(self):
        sandbox = self._sandbox_of("web-0")
        self.recorder.tell(process_ends(self.recorder.name(sandbox.id)))
        os.kill(self.node.inspect(sandbox.id).pid, 9)
        self._settle(without=[sandbox.id])

    def pod_is_deleted(self):
        gone = self._sandbox_of("web-0")
        self._delete("web-0")
        self._settle()
        self._until_removed(gone)
        self._newcomer()

    def pod_is_deleted_by_force(self):
        self._delete("web-0", "--force", "--grace-period=0")
        self._settle()

    def node_reboots(self):
        self.recorder.tell(REBOOT)
        self.node.reboot()
        self._settle()

    def node_restarts_in_one_boot(self):
        self.recorder.tell(NODE_CONTAINER_RESTARTS)
        self.node.power_off()
        self.node.come_up()
        self._settle()

    def result_cache_is_lost(self):
        self.node.power_off()
        self.recorder.tell(REBOOT)
        self.recorder.tell(CACHE_IS_LOST)
        for name in os.listdir("/var/lib/cni/results"):
            os.unlink(f"/var/lib/cni/results/{name}")
        self.node.boot()
        self._settle()

    def runtime_store_is_lost(self):
        self.recorder.tell(REBOOT)
        self.node.power_off()
        self.node.lose_runtime_store()
        self.node.boot()
        self._settle()

    def manifest_is_removed(self):
        """While the node is down."""
        gone = self._sandbox_of(DB)
        self.recorder.tell(REBOOT)
        self.node.power_off()
        os.unlink(f"{self.node.manifests}/{STATIC}.json")
        self._pods.remove(DB)
        self.node.boot()
        self._settle()
        self._until_removed(gone)
        self._write_manifest()
        self._expect(DB)

    def add_fails(self):
        """Its answer, of the successor of a pod that is deleted."""
        with open(self._refused, "x"):
            pass
        self._delete("web-0")
        self._settle()

    def add_takes_too_long(self):
        """The kubelet gives up; the ADD, whose main plugin is killed, waits for the network's lock."""
        self._scale(3)
        self._scale(2)
        self.recorder.mark()
        self.node.kill_kubelet()
        self.node.start_kubelet(runtimeRequestTimeout="2s")
        self._newcomer()
        with self._lock_held():
            self._scale(3, settle=False)
            self._until(self._gave_up, "the kubelet does not give up")
        self._settle()
        self.node.kill_kubelet()
        self.node.start_kubelet()

    def node_is_sick_after_a_reboot(self):
        """No file can be made in the network's folder, which STATUS tells."""
        self.recorder.tell(REBOOT)
        self.node.power_off()
        self._freeze("+i", DELS_FAIL)
        self.node.boot()
        self._until(lambda: len(self._failed("STATUS")) >= 3, "no STATUS fails")
        self._freeze("-i", DELS_WORK)
        self._settle()

    def dels_fail(self):
        gone = self._sandbox_of("web-0")
        self._freeze("+i", DELS_FAIL)
        self.control.kubectl("delete", "pod", "web-0", "--wait=false")
        self._until(lambda: len(self._failed("DEL")) >= 2, "no DEL is repeated")
        self._freeze("-i", DELS_WORK)
        self._settle(without=[gone.id])

    def pod_is_deleted_while_the_node_is_down(self):
        gone = self._sandbox_of("web-0")
        self.recorder.tell(REBOOT)
        self.node.power_off()
        self._delete("web-0", "--force", "--grace-period=0")
        self.node.boot()
        self._settle()
        self._until_removed(gone)

    def newcomer_goes_for_good(self):
        """Its binding stays."""
        self._newcomer()
        self.dismiss_newcomers()
        self._until(lambda: {pod["metadata"]["name"] for pod in self.control.items("pods")} == self._pods,
                    "the API does not forget the newcomer")

    def all_are_deleted(self):
        """And their sandboxes removed, which the kubelet does once a minute."""
        self.control.apply(_stateful_set(0))
        os.unlink(f"{self.node.manifests}/{STATIC}.json")
        self._pods.clear()
        self._until(lambda: not self.node.sandboxes(), "sandboxes stay")

    def addresses(self):
        """{pod: addresses} of the sandboxes that run."""
        return {one.metadata.name: self.node.addresses(one) for one in self._running()}

    def in_use(self):
        """{sandbox: letter} of those that run, as rows name them."""
        return {self.recorder.name(one.id): self.recorder.letter(self.node.addresses(one)) for one in self._running()}

    def names(self):
        """namespace/name of the pods that shall run."""
        return {f"default/{name}" for name in self._pods}

    def dismiss_newcomers(self):
        """Delete them; what else is heard of them does not count."""
        for name in [name for name in self._pods if name.startswith(NEWCOMER)]:
            self.control.kubectl("delete", "pod", name, "--wait=false")
            self._pods.remove(name)
            self.dismissed.append(f"default/{name}")
        self._settle()

    def _scale(self, replicas, settle=True):
        self.control.apply(_stateful_set(replicas))
        self._pods = {name for name in self._pods if not name.startswith(f"{STATEFUL}-")}
        self._pods.update(f"{STATEFUL}-{number}" for number in range(replicas))
        if settle:
            self._settle()

    def _failed(self, verb):
        return [one for one in self.recorder.since_mark(verb) if one.exit]

    def _newcomer(self):
        """A pod that was never here: it comes up when the kubelet works, and asks for an address in between."""
        self._newcomers += 1
        name = f"{NEWCOMER}-{self._newcomers}"
        self.control.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
                     "spec": _pod_spec()})
        self._expect(name)

    def _write_manifest(self):
        path = f"{self.node.folder}/{STATIC}.json"
        with open(path, "w") as file:
            json.dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": STATIC, "namespace": "default"},
                       "spec": _pod_spec()}, file)
        os.rename(path, f"{self.node.manifests}/{STATIC}.json")

    def _delete(self, name, *how):
        """Of a StatefulSet, which makes it again."""
        uid = self._uid(name)
        self.control.kubectl("delete", "pod", name, "--wait=false", *how)
        self._until(lambda: self._uid(name) not in (uid, None), f"{name} is not made again")

    def _expect(self, *names):
        self._pods.update(names)
        self._settle()

    def _settle(self, without=()):
        """Until each pod has one sandbox that runs, that of the UID and the address which the API tells, and every
        other sandbox had its DEL."""
        self._until(lambda: self._is_settled(without), "the pods do not come up")

    def _is_settled(self, without):
        pods = {pod["metadata"]["name"]: pod for pod in self.control.items("pods")}
        sandboxes = self._running()
        running = {one.metadata.name: one for one in sandboxes if one.id not in without}
        if running.keys() != self._pods or len(sandboxes) != len(running):
            return False
        for name, sandbox in running.items():
            pod = pods.get(name, {"metadata": {}, "status": {}})
            uid = pod["metadata"].get("annotations", {}).get("kubernetes.io/config.hash", pod["metadata"].get("uid"))
            if uid != sandbox.metadata.uid or [pod["status"].get("podIP")] != self.node.addresses(sandbox):
                return False
        dead = [one.id for one in self.node.sandboxes() if one.state != 0]
        return all(map(self.recorder.is_deleted, dead))

    def _until(self, condition, failure):
        def holds():
            self.node.check_kubelet()
            return condition()
        world.wait_until(holds, SECONDS, lambda: f"{failure}:\n{self._described()}")

    def _described(self):
        pods = json.dumps([[one["metadata"]["name"], one["status"]] for one in self.control.items("pods")])
        return f"{pods[:4000]}\n{self.node.kubelet_said()}\n{self.node.log_tail()}\n{self.control.said()}"

    def _running(self):
        return [one for one in self.node.sandboxes() if one.state == 0]

    def _sandbox_of(self, name):
        return next(one for one in self._running() if one.metadata.name == name)

    def _until_removed(self, sandbox):
        """The kubelet removes what nobody needs once a minute."""
        self._until(lambda: all(one.id != sandbox.id for one in self.node.sandboxes()), "the old sandbox stays")

    def _uid(self, name):
        return next((pod["metadata"]["uid"] for pod in self.control.items("pods") if pod["metadata"]["name"] == name
                     and "deletionTimestamp" not in pod["metadata"]), None)

    def _freeze(self, how, event):
        subprocess.run(["chattr", how, self.node.network_folder()], check=True)
        self.recorder.tell(event)

    @contextlib.contextmanager
    def _lock_held(self):
        with open(f"{self.node.network_folder()}/lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _gave_up(self):
        """A DEL came for a sandbox whose ADD has not ended."""
        begun = [one.sandbox for one in self.recorder.since_mark("ADD") if one.exit is None]
        return [one for one in self.recorder.since_mark("DEL") if one.sandbox in begun]


def _pod_spec():
    return {"automountServiceAccountToken": False, "enableServiceLinks": False,
            "containers": [kubelet_machine.container()]}


def _stateful_set(replicas):
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": STATEFUL, "namespace": "default"},
            "spec": {"serviceName": STATEFUL, "podManagementPolicy": "Parallel", "replicas": replicas,
                     "selector": {"matchLabels": {"app": STATEFUL}},
                     "template": {"metadata": {"labels": {"app": STATEFUL}}, "spec": _pod_spec()}}}
