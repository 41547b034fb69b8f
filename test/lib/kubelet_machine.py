"""A machine.Machine with a real kubelet, which makes its pods as a real control plane and a folder of manifests say.

Use it inside world.enter(), after own_folders(): the kubelet has places of its own in /var/lib and /var/log, and sets
the machine's kernel, unless it is set already.
"""
import json
import os
import shutil
import subprocess

import image
import nsmount
import world
from machine import KEPT_FOLDERS, NETNS, PAUSE, SOCKET, STATE_FOLDERS, Machine

NODE = "node"
OUTSIDE, INSIDE = "192.0.2.1", "192.0.2.2"  # the ends of the uplink
KUBELET = "/var/lib/kubelet"
PATIENCE = 180
# A container that ends when it is told to, as servers do.
TOLD = ["/bin/busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]


def own_folders(tunables):
    """Give the world empty folders in the place of the machine's, and settings of the kernel that look as the kubelet
    wants them. tunables: a folder like /proc/sys."""
    for path in ("/var/lib", "/var/log"):
        nsmount.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
    for path in (*KEPT_FOLDERS.values(), KUBELET):
        os.makedirs(path)
    for folder, _, names in os.walk(tunables):
        for name in names:
            path = os.path.relpath(f"{folder}/{name}", tunables)
            nsmount.run("mount", "--bind", f"{tunables}/{path}", f"/proc/sys/{path}")


class KubeletMachine(Machine):
    """kubelet: its path. kubeconfig: how it finds the API, which listens at OUTSIDE. More as for Machine."""

    program = image.Program(TOLD)
    kept_folders = {"kubelet": KUBELET}  # the others lie in memory, and go with the world

    def __init__(self, folder, *args, kubelet, kubeconfig, **more):
        super().__init__(folder, *args, outside=[f"{OUTSIDE}/24"], **more)
        self.manifests = f"{folder}/disk/manifests"
        self._program = kubelet
        self._kubeconfig = kubeconfig
        self._kubelet = None
        os.makedirs(self.manifests)

    def come_up(self):
        super().come_up()
        nsmount.inside(NETNS, "ip", "address", "add", f"{INSIDE}/24", "dev", "uplink")
        nsmount.inside(NETNS, "ip", "route", "add", "default", "via", OUTSIDE)
        make_groups(world.name())
        self.start_kubelet()

    def power_off(self):
        super().power_off()
        self._kubelet = None
        while os.path.ismount(KUBELET):  # with all that is mounted below it
            nsmount.run("umount", "--lazy", KUBELET)
        nsmount.run("mount", "--bind", f"{self.folder}/disk/kubelet", KUBELET)
        world.remove_groups(world.name())

    def start_kubelet(self, **settings):
        """Start it, with these beside its usual settings."""
        config = f"{self.folder}/kubelet.json"
        with open(config, "w") as file:
            json.dump({**self._settings(), **settings}, file)
        with open(f"{self.folder}/kubelet.log", "a") as log:
            self._kubelet = subprocess.Popen(
                ["nsenter", f"--net={NETNS}", self._program, "--config", config, "--kubeconfig", self._kubeconfig,
                 "--hostname-override", NODE, "--node-ip", INSIDE], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_kubelet(self):
        """kill -9 of the kubelet alone."""
        self._kubelet.kill()
        self._kubelet.wait()

    def check_kubelet(self):
        """Errors: RuntimeError when it has ended by itself."""
        if self._kubelet and self._kubelet.poll() is not None:
            raise RuntimeError(f"the kubelet ended with {self._kubelet.returncode}:\n{self.kubelet_said()}")

    def kubelet_said(self, lines=20):
        with open(f"{self.folder}/kubelet.log") as file:
            return "".join(file.readlines()[-lines:])

    def lose_runtime_store(self):
        """The runtime's own folder is empty at the next boot; the node is off."""
        shutil.rmtree(f"{self.folder}/disk/containerd")

    def network_folder(self):
        return f"{STATE_FOLDERS[0]}/{self.network}"

    def _settings(self):
        disk = f"{self.folder}/disk"
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"}, "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{world.name()}", "failCgroupV1": False, "failSwapOn": False,
            "oomScoreAdj": 0, "staticPodPath": self.manifests, "podLogsDir": f"{disk}/pod-logs",
            "volumePluginDir": f"{disk}/volume-plugins", "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "1Mi"}}


def container():
    """The container of a pod, as its specification has it."""
    return {"name": "main", "image": PAUSE, "imagePullPolicy": "Never", "command": TOLD}


def make_groups(name):
    """Control groups of this name, one a hierarchy, for the kubelet to put its own into."""
    for hierarchy in os.listdir("/sys/fs/cgroup"):
        top = f"/sys/fs/cgroup/{hierarchy}"
        if os.path.ismount(top):
            os.makedirs(f"{top}/{name}", exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if os.path.exists(f"{top}/{setting}"):
                    with open(f"{top}/{setting}") as theirs, open(f"{top}/{name}/{setting}", "w") as ours:
                        ours.write(theirs.read())
