"""A main plugin as a runtime starts it for an ADD: a parent, and a child that calls the IPAM plugin when it is told to.

Both have the ADD's environment, as with Flannel and its bridge. Killing the parent leaves the child running.
"""
import json
import os
import subprocess
import tempfile
import time

from plugin import Outcome
from race import wait_until

CHILD = 'echo ready; read go; "$PLUGIN" <"$CONF" 2>/dev/null; echo "exit $?"'
PARENT = '/bin/sh -c "$CHILD"; exit'


def let_a_tick_pass():
    """The kernel tells starts of processes in ticks; afterwards that of every process there is is over."""
    after = time.clock_gettime(time.CLOCK_BOOTTIME) + 2 / os.sysconf("SC_CLK_TCK")
    wait_until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > after, "the clock stands still")


class MainPlugin:
    """Use it in a with block; at its end parent and child are gone."""

    def __init__(self, node, container_id, pod):
        env, conf = node.request("ADD", container_id, pod)
        descriptor, self._conf = tempfile.mkstemp(prefix="main-plugin.")
        with open(descriptor, "w") as file:
            json.dump(conf, file)
        self._env = {**env, "PLUGIN": node.binary, "CONF": self._conf, "CHILD": CHILD}

    def __enter__(self):
        self._parent = subprocess.Popen(["/bin/sh", "-c", PARENT], env=self._env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._parent.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self._parent.kill()
        self._parent.stdin.close()  # the child's read ends
        self._parent.stdout.read()
        self._parent.stdout.close()
        self._parent.wait()
        os.unlink(self._conf)

    def kill(self):
        """The runtime's patience is over: SIGKILL, for the parent only."""
        let_a_tick_pass()
        self._parent.kill()
        self._parent.wait()

    def go_on(self):
        """The child calls the plugin, and ends; returns the plugin's Outcome without stderr."""
        self._parent.stdin.write("go\n")
        self._parent.stdin.flush()
        answer, _, code = self._parent.stdout.read().rpartition("exit ")
        return Outcome(int(code), answer, "")


REFUSING = """answer=$("$PLUGIN" <"$CONF") || { code=$?; printf %s "$answer"; exit $code; }
case $answer in *"$REFUSED"*) ;; *) printf %s "$answer"; exit 0 ;; esac
eval "$MEANWHILE"
CNI_COMMAND=DEL "$PLUGIN" <"$CONF" || exit 2
printf '{"code": 999, "msg": "refused by the main plugin"}'
exit 1
"""


def add_refusing(node, container_id, pod=None, refused="", meanwhile="", wrapper=(), **more):
    """ADD through a main plugin that refuses answers with this text in them ("": every one), and then takes them back
    as cilium-cni and bridge do: by a DEL of its own, before it ends. meanwhile: shell that it runs before that.
    Returns an Outcome."""
    env, conf = node.request("ADD", container_id, pod, **more)
    with tempfile.NamedTemporaryFile("w", prefix="main-plugin.") as file:
        json.dump(conf, file)
        file.flush()
        env = {**env, "PLUGIN": node.binary, "CONF": file.name, "REFUSED": refused, "MEANWHILE": meanwhile,
               "PATH": os.environ["PATH"]}
        done = subprocess.run([*wrapper, "/bin/sh", "-c", REFUSING], env=env, text=True, capture_output=True)
    return Outcome(done.returncode, done.stdout, done.stderr)
