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
