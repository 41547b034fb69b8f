"""A node on a sick disk: what every command answers while it is sick, and what there is after the cure."""
import plugin
from node import Node

RANGES = [[{"subnet": "10.9.0.0/28"}]]
RUNNING, HELD, STALE, LEAVING, NEW = "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"
PODS = {"running": RUNNING, "held": HELD, "stale": STALE, "leaving": LEAVING}
TRY_AGAIN = 11
NOT_AVAILABLE = 50
NO_ATTACHMENT = 999

# name of the command -> verb, container ID, pod. In this order they are asked for.
COMMANDS = {
    "new": ("ADD", "c-new", "shop/new"),
    "held": ("ADD", "c-held-2", "shop/held"),
    "again": ("ADD", "c-running", "shop/running"),
    "check": ("CHECK", "c-running", "shop/running"),
    "status": ("STATUS", None, None),
    "unknown": ("DEL", "c-unknown", "shop/unknown"),
    "del": ("DEL", "c-leaving", "shop/leaving"),
    "check after del": ("CHECK", "c-leaving", "shop/leaving"),
    "gc": ("GC", None, None),
}
HEALTHY = {**dict.fromkeys(COMMANDS, 0), "check after del": NO_ATTACHMENT}


def code_of(outcome):
    return outcome.code


def message_of(outcome):
    """The message of a failure, in small letters."""
    return outcome.json["msg"].lower()


class Patient:
    """Four pods: one runs, one was here and is awaited, one is gone without a DEL (GC's), one is about to leave.

    place: what every message about the sickness must name. wrapper: the command that makes the plugin's calls fail.
    """

    def __init__(self, home, place, **ipam):
        self.node = Node(home, RANGES, timeoutSeconds=1, **ipam)
        self.place = place.lower()
        self.wrapper = ()
        self.wrong = []
        assert self.node.add("c-running", "shop/running") == [RUNNING]
        assert self.node.add("c-held", "shop/held") == [HELD]
        assert self.node.add("c-stale", "shop/stale") == [STALE]
        assert self.node.add("c-leaving", "shop/leaving") == [LEAVING]
        self.node.delete("c-held", "shop/held")

    def ask(self, verb, container_id, pod, **more):
        """Run one command on the sick disk; returns its Outcome."""
        env, conf = self.request(verb, container_id, pod, **more)
        return plugin.run(self.node.binary, env, conf, wrapper=self.wrapper)

    def request(self, verb, container_id, pod, **more):
        """Environment and stdin; GC's list names all but the stale pod."""
        env, conf = self.node.request(verb, container_id, pod, **more)
        valid = [{"containerID": container, "ifname": "eth0"}
                 for container in ("c-running", "c-leaving", "c-new", "c-held-2")]
        return env, {**conf, "cniVersion": "1.1.0", "cni.dev/valid-attachments": valid}

    def suffer(self, reason, **expected):
        """Ask for everything; `expected` overrides success: name of a command (_ for a blank) -> code, or several.

        A failed ADD must leave nothing, and every message of code 11 must name the place and the reason. What is
        wrong is reported by recover(), so that the rest is looked at all the same.
        """
        expected = {**HEALTHY, **{name.replace("_", " "): code for name, code in expected.items()}}
        for name, command in COMMANDS.items():
            before = (self.node.attachments(), self.node.bindings())
            outcome = self.ask(*command)
            allowed = expected[name] if isinstance(expected[name], tuple) else (expected[name],)
            self.judge(name, outcome, allowed, reason)
            if command[0] == "ADD":
                self.assert_add(command, outcome, before)

    def judge(self, name, outcome, allowed, reason):
        """Note a wrong code, and a message that does not help."""
        code = code_of(outcome)
        if code not in allowed:
            self.wrong.append(f"{name}: code {code} instead of {allowed}: {outcome.stdout}")
        if code not in (0, NO_ATTACHMENT) and self.place not in message_of(outcome):
            self.wrong.append(f"{name}: {message_of(outcome)!r} does not name {self.place}")
        if code == TRY_AGAIN and reason not in message_of(outcome):
            self.wrong.append(f"{name}: {message_of(outcome)!r} does not say {reason!r}")

    def assert_add(self, command, outcome, before):
        """A success is the right address, on disk; a failure has left nothing."""
        if outcome.exit != 0:
            assert (self.node.attachments(), self.node.bindings()) == before, f"{command} left something behind"
            return
        expected = {"shop/new": NEW, "shop/held": HELD, "shop/running": RUNNING}[command[2]]
        assert outcome.addresses == [expected], f"{command} got {outcome.addresses}"
        assert self.node.addresses_of(command[1]) == [expected]

    def assert_pending(self, *containers):
        """Exactly these releases wait, and their files are still there."""
        assert [container for container, _ in self.node.pending()] == sorted(containers), self.node.pending()

    def recover(self, first=("ADD", "c-first", "shop/first")):
        """The cure has worked: the next command, `first`, replays what waits; then every pod has its address again."""
        self.wrapper = ()
        outcome = self.ask(*first)
        assert outcome.exit == 0, f"{first} after the cure: {outcome}"
        assert self.node.pending() == [], f"still pending: {self.node.pending()}"
        assert LEAVING not in self.node.attachments(), "the release was answered, but did not happen"
        owners = {address: binding.owner for address, binding in self.node.bindings().items()}
        assert owners[LEAVING] == "shop/leaving", f"nobody remembers who had {LEAVING}: {owners}"
        self.everybody_returns()

    def everybody_returns(self):
        """Every pod starts again, as after a restart of the runtime; each must find its address, none is shared."""
        pods = {"running": RUNNING, "held": HELD, "leaving": LEAVING}
        for name in ("c-running", "c-held-2", "c-new"):
            self.node.delete(name, f"shop/{name.split('-')[1]}")
        for name, address in reversed(pods.items()):
            assert self.node.add(f"c-{name}-3", f"shop/{name}") == [address], f"shop/{name} has lost {address}"
        assert self.node.add("c-new-3", "shop/new")[0] not in pods.values()
        self.node.assert_sound()
        assert not self.wrong, "\n".join(self.wrong)
