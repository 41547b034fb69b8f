"""A node with a real container runtime: own network namespace, containerd, runc, CNI plugins, pods, and reboots.

Use it inside world.enter(). What a power cycle keeps lies on disk (<folder>/disk: the runtime's root and /var/lib of
the CNI plugins); what it loses lies in /run, which is an empty file system at every boot, beside another boot id.
The uplink, a veth, leads to a second network namespace that no reboot touches ("outside").
"""
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import containerd_toml
import cri
import image
import nsmount
import world
from kubelet import Pod, Sandbox  # noqa: F401  a machine's users need pods
from node import BOOT_ID, DOMAIN_NAME, name_boot
from uplink import Uplink

CNI_PLUGINS = os.environ.get("CNI_PLUGINS", "/usr/lib/cni")
NETNS = "/run/netns/node"
# A node of Kubernetes forwards before its first pod starts (kubeadm asks for it). Without that the main plugins set it,
# and several at once confuse the kernel: ip_forward then reads 1 while no interface forwards, for as long as it is up.
FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
SOCKET = "/run/containerd/containerd.sock"
PAUSE = "delegated-ipam.test/pause:1"
WORKERS = 8
KEPT_FOLDERS = {"cni": "/var/lib/cni", "delegated-ipam": "/var/lib/delegated-ipam"}
STATE_FOLDERS = ("/var/lib/cni/networks", "/var/lib/delegated-ipam", "/run/delegated-ipam")


class Machine:
    """folder: where everything lies. conflist: the CNI network. plugins: {name in the plugin folder: binary}.

    outside: the addresses, with prefix length, that the far end of the uplink has. uplink: another Uplink than one to
    a namespace of its own. programs: {name: path} of containerd, its shim and ctr, where not those in PATH; they are
    not copied. environment: more variables for the runtime, which its plugins inherit. conf_template: a file from
    which containerd makes the conflist, with the pod CIDRs that set_pod_cidrs() tells; the conflist itself is not put
    in place then.
    """

    program = image.SLEEPER  # what the sandboxes run
    kept_folders = KEPT_FOLDERS

    def __init__(self, folder, conflist, plugins, outside=(), uplink=None, programs=None, environment=None,
                 conf_template=""):
        self.folder = folder
        self.network = conflist["name"]
        self._conf_template = conf_template
        self.outlive = set()  # ids of processes that are not the node's
        self._runtime = None
        self._client = None
        self.places = {"node": NETNS}  # from where pods shall be reached; none: they have no data path
        for name in ("bin", "programs", "net.d", "disk", *(f"disk/{kept}" for kept in self.kept_folders)):
            os.makedirs(f"{folder}/{name}")
        self._install(plugins)
        for name, path in (programs or {}).items():
            os.symlink(path, f"{folder}/programs/{name}")
        path = f"{folder}/programs:{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, **(environment or {})}
        if not conf_template:
            self._write_conflist(conflist)
        for kept, path in self.kept_folders.items():
            nsmount.run("mount", "--bind", f"{folder}/disk/{kept}", path)
        self.outside = None if uplink else nsmount.make(f"{folder}/outside")
        self.uplink = uplink or Uplink(self.outside, outside)

    def configure(self, conflist, install, remove):
        """Give the running node another conflist of its network, as an operator does, and wait until the runtime has
        read it. `install`: {name: binary} of plugins to add before, `remove`: names of plugins to take away after.
        """
        self._install(install)
        text = self._write_conflist(conflist)
        world.wait_until(lambda: text in self._conflists_in_use(), 60, "the runtime does not read the new conflist")
        for name in remove:
            os.unlink(f"{self.folder}/bin/{name}")

    def boot(self):
        """Power on: a new boot id, an empty /run, the node's network, then the runtime."""
        name_boot()
        self.come_up()

    def come_up(self):
        """What a boot does once the kernel runs; without boot(), the restart of a node that is a container."""
        nsmount.run("mount", "--bind", DOMAIN_NAME, BOOT_ID)
        nsmount.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        os.makedirs(os.path.dirname(NETNS))
        nsmount.make(NETNS)
        nsmount.inside(NETNS, "ip", "link", "set", "lo", "up")
        for setting in FORWARDING:
            nsmount.inside(NETNS, "busybox", "sysctl", "-w", setting)
        self.uplink.connect(NETNS)
        self.start_runtime()

    def reboot(self):
        """The power is gone and comes back: nothing is shut down in order."""
        self.power_off()
        self.boot()

    def power_off(self):
        """Every process is killed; sandboxes, network namespaces and all of /run are gone."""
        self.uplink.disconnect()
        self._forget_client()
        world.kill_processes(self.outlive)
        if self._runtime:
            self._runtime.wait()
        self._runtime = None
        nsmount.run("umount", "--lazy", "/run")  # with everything below it
        nsmount.run("umount", BOOT_ID)

    def remove(self):
        """Power off for good: unmount and delete everything, so that the world can have another machine."""
        self.power_off()
        for path in (self.outside, *self.kept_folders.values()):
            if path:
                nsmount.run("umount", path)
        shutil.rmtree(self.folder)

    def cut_off(self):
        """The uplink goes down and stays down over reboots."""
        self.uplink.cut()

    def is_cut_off(self):
        """True while the uplink carries nothing."""
        return not self.uplink.carries(NETNS)

    def start_runtime(self):
        """Start containerd in the node's network namespace and wait until it serves pods."""
        self._forget_client()
        config = f"{self.folder}/containerd.toml"
        with open(config, "w") as file:
            file.write(containerd_toml.TEMPLATE.format(
                disk=f"{self.folder}/disk", folder=self.folder, socket=SOCKET, pause=PAUSE,
                conf_template=self._conf_template))
        with open(self.log, "a") as log:
            self._runtime = subprocess.Popen(
                ["nsenter", f"--net={NETNS}", "containerd", "--config", config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment)
        world.wait_until(self._serves, 120, lambda: f"containerd does not start:\n{self.log_tail()}")
        if not self._has_image():
            self._import_image()

    def runtime_pid(self):
        """The process id of containerd, which lives in the node's network namespace."""
        return self._runtime.pid

    def set_pod_cidrs(self, cidrs):
        """Tell the runtime the node's pod CIDRs, as kubelet does when the Node object has got them."""
        self._client.runtime("UpdateRuntimeConfig",
                             runtime_config={"network_config": {"pod_cidr": ",".join(cidrs)}})

    def crash_runtime(self):
        """kill -9 of containerd alone: the pods go on; calls that are under way fail with grpc.RpcError, and so does
        every call until start_runtime()."""
        self._runtime.kill()
        self._runtime.wait()

    def run(self, pod):
        """Make a sandbox for the pod, as kubelet does, and remember it in the pod.

        Errors: grpc.RpcError with the runtime's or the plugin's message.
        """
        metadata = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "attempt": len(pod.sandboxes)}
        answer = self._client.runtime("RunPodSandbox", config={
            "metadata": metadata, "hostname": pod.name, "dns_config": {"servers": ["192.0.2.53"]},
            "linux": {"cgroup_parent": f"/{world.name()}"}})
        pod.sandboxes.append(self.inspect(answer.pod_sandbox_id))
        return pod.sandbox

    def run_all(self, pods):
        """Run several pods at once, as kubelet does after a boot."""
        self.for_all(self.run, pods)

    def stop(self, sandbox):
        """Stop a sandbox, running or not; each call sends the CNI plugin one DEL."""
        self._client.runtime("StopPodSandbox", pod_sandbox_id=sandbox.id)

    def forget(self, sandbox):
        """Remove a stopped sandbox for good; the CNI plugin gets one more DEL."""
        self._client.runtime("RemovePodSandbox", pod_sandbox_id=sandbox.id)

    def addresses(self, sandbox):
        """The addresses that the runtime reports for a sandbox now."""
        status = self._client.runtime("PodSandboxStatus", pod_sandbox_id=sandbox.id).status
        return _addresses(status)

    def ready(self):
        """The ids of the sandboxes that the runtime calls ready."""
        return {item.id for item in self.sandboxes() if item.state == 0}

    def sandboxes(self):
        """All sandboxes that the runtime knows: messages with id, metadata and state."""
        return list(self._client.runtime("ListPodSandbox").items)

    def version(self):
        """The version that the runtime gives as its own."""
        return self._client.runtime("Version").runtime_version

    def network_ready(self):
        """Whether the runtime calls the network ready, and its message when not, as a kubelet asks every 5 s."""
        conditions = {one.type: one for one in self._client.runtime("Status").status.conditions}
        return conditions["NetworkReady"].status, conditions["NetworkReady"].message

    def for_all(self, action, items):
        """Run action(item) for all items by a few workers at a time; the first error is raised at the end."""
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(action, items))

    def unreachable(self, pings):
        """Those of the (pod, address) pairs whose pod cannot ping the address, as sentences."""
        return [failure for failure in self.for_all(lambda ping: self._ping(*ping), pings) if failure]

    def address_files(self):
        """The address files of the network folder: {address: sandbox id}."""
        folder = f"{STATE_FOLDERS[0]}/{self.network}"
        names = [name for name in os.listdir(folder) if name != "lock" and not name.startswith("last_reserved_ip.")]
        files = {}
        for address in names:
            with open(f"{folder}/{address}", newline="") as file:
                files[address] = file.read().split("\r\n")[0]
        return files

    @property
    def log(self):
        """The file that holds what containerd said."""
        return f"{self.folder}/containerd.log"

    def log_tail(self, lines=15):
        with open(self.log) as file:
            return "".join(file.readlines()[-lines:])

    def _install(self, plugins):
        for name, binary in plugins.items():
            shutil.copy(binary, f"{self.folder}/bin/{name}")

    def _write_conflist(self, conflist):
        """Put the network's conflist in place, in one step; returns its text."""
        text = json.dumps(conflist)
        path = f"{self.folder}/net.d/10-{self.network}.conflist"
        # In the folder itself: containerd does not notice a file that is moved in from elsewhere.
        with open(f"{path}.new", "w") as file:
            file.write(text)
        os.rename(f"{path}.new", path)
        return text

    def _conflists_in_use(self):
        """The texts of the conflists by which the runtime makes and deletes sandboxes now."""
        info = self._client.runtime("Status", verbose=True).info
        return [network["Config"]["Source"] for network in json.loads(info["cniconfig"])["Networks"]]

    def _serves(self):
        """True once containerd answers; RuntimeError when it has ended."""
        if self._runtime.poll() is not None:
            raise RuntimeError(f"containerd ended with {self._runtime.returncode}:\n{self.log_tail()}")
        client = cri.Client(SOCKET)
        try:
            client.runtime("ListPodSandbox")
        except cri.grpc.RpcError:
            client.close()
            return False
        self._client = client
        return True

    def _forget_client(self):
        if self._client:
            self._client.close()
        self._client = None

    def _has_image(self):
        return bool(self._client.image("ImageStatus", image={"image": PAUSE}).image.id)

    def _import_image(self):
        archive = f"{self.folder}/pause.tar"
        image.save(PAUSE, archive, self.program)
        ctr = shutil.which("ctr", path=self._environment["PATH"])
        command = [ctr, "--address", SOCKET, "--namespace", "k8s.io", "images", "import", "--snapshotter", "native"]
        if "--local" in subprocess.run([*command, "--help"], capture_output=True, text=True).stdout:
            command.append("--local")  # containerd 2: not by its transfer service, which unpacks for overlayfs only
        nsmount.run(*command, archive)
        world.wait_until(self._has_image, 60, "the runtime does not see the imported image")

    def inspect(self, sandbox_id):
        """The Sandbox of this id, as the runtime knows it."""
        answer = self._client.runtime("PodSandboxStatus", pod_sandbox_id=sandbox_id, verbose=True)
        return Sandbox(sandbox_id, _addresses(answer.status), json.loads(answer.info["info"])["pid"])

    def _ping(self, pod, address):
        """Ping from a pod's network namespace; None, or a sentence when no answer came within some seconds."""
        command = ["nsenter", f"--net={pod.sandbox.netns}", "busybox", "ping",
                   "-6" if ":" in address else "-4", "-c", "1", "-W", "2", address]
        for _ in range(3):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                return None
        return f"{pod.name} {pod.addresses} cannot reach {address}: {done.stdout.strip()} {done.stderr.strip()}"


def _addresses(status):
    network = status.network
    return [ip for ip in (network.ip, *(more.ip for more in network.additional_ips)) if ip]
