"""IPAM plugins of a network that are programs of their own: one whose leases can be looked at, and a recorder before a
real one. Both tell which commands they were run for.

Use it inside sandbox.enter() or world.enter().
"""
import contextlib
import json
import os
import shutil
from dataclasses import dataclass

from node import Node
from race import wait_until

# Its leases are files "<address>@<container ID>@<ifname>". A second ADD of an attachment is refused, as by host-local.
# A hook is a piece of shell that a command runs before its business, or after it and before the answer.
SCRIPT = """#!/bin/sh
home={home}
input=$(tr -d '\\n')
printf '%s\\n' "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $input" >>"$home/calls"
fail() {{
    printf '{{"cniVersion":"{version}","code":%s,"msg":"%s"}}' "$1" "$2"
    exit 1
}}
hook() {{
    if [ -e "$home/$CNI_COMMAND.$1" ]; then . "$home/$CNI_COMMAND.$1"; fi
}}
if [ "$CNI_COMMAND" = VERSION ]; then
    printf '{{"cniVersion":"{version}","supportedVersions":{spoken}}}'
    exit 0
fi
case $input in
{patterns}) ;;
*) fail 1 "incompatible CNI versions" ;;
esac
hook before
set -- "$home/leases/"*"@$CNI_CONTAINERID@$CNI_IFNAME"
case $CNI_COMMAND in
ADD)
    [ -e "$1" ] && fail 100 "duplicate allocation"
    number=1
    while [ -e "$1" ] || [ $number = 1 ]; do
        number=$((number + 1))
        set -- "$home/leases/10.50.0.$number@"*
    done
    : >"$home/leases/10.50.0.$number@$CNI_CONTAINERID@$CNI_IFNAME"
    hook after
    printf '{{"cniVersion":"{version}","ips":[{{"version":"4","address":"10.50.0.%s/24"}}]}}' $number
    ;;
DEL)
    [ -e "$1" ] && exec rm -f -- "$@"
    exit 0
    ;;
esac
"""
RECORDER = """#!/bin/sh
input=$(tr -d '\\n')
printf '%s\\n' "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $input" >>{home}/calls
exec "{binary}" <<END
$input
END
"""
AT_GATE = """: >"$home/waiting.$$"
read -r line <"$home/gate"
"""


@dataclass
class Call:
    """One run of the plugin; stdin without its line breaks."""

    command: str
    container_id: str
    ifname: str
    stdin: str

    @property
    def conf(self):
        """Its configuration."""
        return json.loads(self.stdin)

    @property
    def requested(self):
        """The addresses in args.cni.ips."""
        return self.conf.get("args", {}).get("cni", {}).get("ips", [])


class Recorded:
    """An executable `name` in the folder `path` below `home` that notes its runs."""

    def __init__(self, home, name, text):
        self.home = home
        self.name = name
        self.path = f"{home}/bin"
        os.makedirs(f"{home}/leases")
        os.makedirs(self.path)
        self.install(text)

    def install(self, text):
        """Put another executable in its place, as an installer does: by a rename."""
        with open(f"{self.home}/new", "w") as file:
            file.write(text)
        os.chmod(f"{self.home}/new", 0o755)
        os.rename(f"{self.home}/new", f"{self.path}/{self.name}")

    def calls(self):
        """Its runs so far, in order."""
        try:
            with open(f"{self.home}/calls") as file:
                return [Call(*line.split(" ", 3)) for line in file.read().splitlines()]
        except FileNotFoundError:
            return []

    def commands(self):
        """The same as ["ADD c1", "VERSION"]."""
        return [f"{call.command} {call.container_id}".strip() for call in self.calls()]

    def take_commands(self):
        """commands(), which are forgotten then."""
        commands = self.commands()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.home}/calls")
        return commands


class Recorder(Recorded):
    """Stands before a real plugin."""

    def __init__(self, home, binary):
        super().__init__(home, os.path.basename(binary), RECORDER.format(home=home, binary=binary))


class Ledger(Recorded):
    """A plugin with a ledger of leases, which outlives boots. speaks: its versions, of 0.3.0 to 1.1.0, in order."""

    def __init__(self, home, name="ledger", speaks=("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")):
        super().__init__(home, name, self.text(home, speaks))

    @staticmethod
    def text(home, speaks):
        """The executable."""
        patterns = "|".join(f'*\'"cniVersion": "{version}"\'*' for version in speaks)
        return SCRIPT.format(home=home, version=speaks[-1], spoken=json.dumps(speaks), patterns=patterns)

    def speak(self, *versions):
        """From now on another executable, of other versions."""
        self.install(self.text(self.home, versions))

    def leases(self):
        """{address: container ID} of every lease."""
        leases = [name.split("@") for name in os.listdir(f"{self.home}/leases")]
        assert len({address for address, *_ in leases}) == len(leases), f"one address leased twice: {leases}"
        return {address: container_id for address, container_id, _ in leases}

    def leases_of(self, container_id):
        """The addresses leased for a container."""
        return sorted(address for address, owner in self.leases().items() if owner == container_id)

    def hook(self, command, text, where="before"):
        """What a command runs before its business, or "after" it and before the answer."""
        with open(f"{self.home}/{command}.{where}.new", "w") as file:
            file.write(text)
        os.rename(f"{self.home}/{command}.{where}.new", f"{self.home}/{command}.{where}")

    def fail(self, command, code=123, where="before"):
        """From now on the command answers an error."""
        self.hook(command, f'fail {code} "not today"\n', where)

    def unhook(self, command, where="before"):
        os.unlink(f"{self.home}/{command}.{where}")

    @contextlib.contextmanager
    def gate(self, command, where="before"):
        """Runs of the command stop there inside the with block, at the latest until its end; gives a Gate."""
        os.mkfifo(f"{self.home}/gate")
        descriptor = os.open(f"{self.home}/gate", os.O_RDWR)
        self.hook(command, AT_GATE, where)
        gate = Gate(self, command, where, descriptor)
        try:
            yield gate
        finally:
            gate.open()
            os.close(descriptor)
            os.unlink(f"{self.home}/gate")
            for name in os.listdir(self.home):
                if name.startswith("waiting."):
                    os.unlink(f"{self.home}/{name}")


class Gate:
    """Where runs of one command stop."""

    def __init__(self, ledger, command, where, descriptor):
        self._ledger = ledger
        self._hook = (command, where)
        self._descriptor = descriptor
        self._is_open = False

    def waiting(self):
        """The ids of the processes that have come to it so far."""
        return {int(name.split(".")[1]) for name in os.listdir(self._ledger.home) if name.startswith("waiting.")}

    def wait_for(self, number=1):
        """Wait until so many have come; returns their ids."""
        return wait_until(lambda: len(self.waiting()) >= number and self.waiting(), f"not {number} come to the gate")

    def close(self):
        """Those that come from now on go through; the ones inside still wait."""
        if not self._is_open:
            self._ledger.unhook(*self._hook)
            self._is_open = True

    def open(self):
        """All go on, and those that come later do not stop."""
        self.close()
        os.write(self._descriptor, b"\n" * 64)


class DelegatedNode(Node):
    """A node whose addresses come from a Recorded plugin, which lies below its home. The network bears the home's name:
    what is known of it in this boot is kept by that name.

    version: the caller's. top: further keys of the configuration.
    """

    def __init__(self, home, ranges=None, stock=None, **ipam):
        super().__init__(home, ranges or [], os.path.basename(home), **ipam)
        os.makedirs(home)
        self.ledger = Recorder(f"{home}/delegate", stock) if stock else Ledger(f"{home}/delegate")
        self.ipam["delegate"] = {"type": self.ledger.name}

    def request(self, command, container_id, pod=None, version="1.0.0", top=None, **more):
        env, conf = super().request(command, container_id, pod, **more)
        return {**env, "CNI_PATH": self.ledger.path}, {**conf, "cniVersion": version, **(top or {})}

    def runtime_folder(self):
        """Where the product keeps what it knows of this network and plugin in this boot."""
        return f"/run/delegated-ipam/delegates/{self.name}%7E{self.ledger.name}"

    def journal(self):
        """The number of ADDs that are under way, or were killed."""
        folder = f"{self.runtime_folder()}/journal"
        return len(os.listdir(folder)) if os.path.isdir(folder) else 0

    def remove(self):
        """Take its folders away."""
        shutil.rmtree(self.home)

    def gc(self, valid, **more):
        """GC with these container IDs as the valid ones; must succeed."""
        attachments = [{"containerID": container_id, "ifname": "eth0"} for container_id in valid]
        more["top"] = {**more.get("top", {}), "cni.dev/valid-attachments": attachments}
        done = self.call("GC", None, ifname=None, netns=None, version="1.1.0", **more)
        assert done.exit == 0, f"GC: {done}"
