"""The settings of the machine's one kernel, which no namespace has for itself: whether somebody changed them."""
import contextlib
import os
import re

# What changes by itself, and what is each network namespace's own.
NOT_SETTINGS = re.compile(r"/net/|/random/|-(nr|state)$|ns_last_pid|/nr$|fs/(binfmt_misc|quota)|user/|"
                          r"kernel/(perf_event|tainted|sched_domain|hostname|domainname)")


class Kernel:
    """They as they are now. proc: where procfs is mounted, by itself."""

    def __init__(self, proc="/proc"):
        self.settings = {}
        for folder, _, names in os.walk(f"{proc}/sys"):
            for path in (f"{folder}/{name}" for name in names):
                if not NOT_SETTINGS.search(path):
                    with contextlib.suppress(OSError), open(path, "rb") as file:
                        self.settings[path.removeprefix(proc)] = file.read()

    def assert_unchanged(self, proc="/proc"):
        now = Kernel(proc).settings
        changed = [f"{path}: {was} -> {now.get(path)}" for path, was in self.settings.items() if now.get(path) != was]
        assert not changed, changed
