"""A terminal of any size that shows what a program writes to it: a tmux server of its own, for a with block.

The server is our child, dies with us, and is ended by its process id; its socket lies in a folder of the caller's.
"""
import os
import shlex
import shutil
import subprocess

from race import wait_until

TMUX = shutil.which("tmux")
ROWS = 50
LINES_KEPT = 2000  # above the screen
SETTINGS = (f"history-limit {LINES_KEPT}", "default-terminal screen-256color", "status off")
# Names the terminal as xterm does (OSC 2, "ctlseqs"): what comes later in the stream is done later, so whoever sees the name
# sees all that was written before it. That a pane's process has ended does not tell that: tmux may have more to read.
ENDED = "the command has ended"
SCRIPT = f"""status=$1; shift; "$@"; echo $? >"$status"; printf '\\033]2;{ENDED}\\033\\\\'; exec cat"""


class Terminal:
    """Runs commands, each in a new terminal. folder: where the socket and the settings lie."""

    def __init__(self, folder):
        self._folder = folder
        self._socket = os.path.join(folder, "tmux")
        self._server = None

    def __enter__(self):
        settings = os.path.join(self._folder, "tmux.conf")
        with open(settings, "w") as file:
            file.write("".join(f"set -g {setting}\n" for setting in SETTINGS))
        self._server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", TMUX, "-S", self._socket, "-f", settings, "-D"],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: os.path.exists(self._socket) or self._server.poll() is not None, "tmux makes no socket")
        assert self._server.poll() is None, self._server.stderr.read()
        return self

    def __exit__(self, *_):
        self._server.terminate()
        self._server.wait()
        self._server.stderr.close()

    @property
    def pid(self):
        return self._server.pid

    def run(self, command, columns, env=()):
        """Run a command (words) to its end in a terminal that is so wide; env: more variables, as pairs. A Screen."""
        status = os.path.join(self._folder, "exit")
        words = shlex.join(["env", *(f"{name}={value}" for name, value in env), "sh", "-c", SCRIPT, "sh", status, *command])
        pane = self._tmux("new-session", "-d", "-x", str(columns), "-y", str(ROWS), "-P", "-F", "#{pane_id}", words).strip()
        try:
            wait_until(lambda: self._ask(pane, "pane_title") == ENDED, lambda: f"does not end: {words}")
            with open(status) as file:
                return Screen(int(file.read()), columns, self._captured(pane), self._captured(pane, "-e"),
                              self._captured(pane, "-J"))
        finally:
            self._tmux("kill-pane", "-t", pane)

    def _captured(self, pane, *how):
        lines = self._tmux("capture-pane", "-p", "-S", "-", "-t", pane, *how).split("\n")
        while lines and not lines[-1].strip():
            lines.pop()
        return [line.rstrip() for line in lines]

    def _ask(self, pane, what):
        return self._tmux("display-message", "-p", "-t", pane, f"#{{{what}}}").strip()

    def _tmux(self, *arguments):
        done = subprocess.run([TMUX, "-S", self._socket, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, done
        return done.stdout


class Screen:
    """What stands on a terminal after a command, with what has gone out at its top."""

    def __init__(self, exit, columns, lines, coloured, joined):
        self.exit = exit
        self.columns = columns
        self.lines = lines  # as people see them
        self.coloured = coloured  # with the sequences of colours
        self.joined = joined  # as they were written: one that is wider than the terminal is one

    @property
    def wrapped(self):
        """The lines that are wider than the terminal."""
        return [line for line in self.joined if len(line) > self.columns]
