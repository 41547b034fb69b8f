"""Starts processes and takes their times, by a small C program: Python's own cost would be most of what is measured."""
import os
import subprocess
from dataclasses import dataclass

FOLDER = os.path.dirname(os.path.abspath(__file__))
EMPTY = "int main(void) { return 0; }\n"


@dataclass
class Took:
    """What one process took: milliseconds from before its fork until it was collected, its peak memory, and
    what it used of a processor; start and end are of one clock."""

    start: float
    end: float
    peak: int  # KiB
    processor: float  # ms

    @property
    def ms(self):
        return self.end - self.start


def compile_static(source, binary):
    """Make a static program of the text of a C source. Errors: CalledProcessError, FileNotFoundError without cc."""
    subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Werror", "-static", "-x", "c", "-o", binary, "-"],
                   input=source, text=True, check=True)


class Tools:
    """The compiled programs in a folder: the runner, and the empty process that everything is compared with."""

    def __init__(self, folder):
        self.runner, self.empty = f"{folder}/runner", f"{folder}/empty"
        with open(os.path.join(FOLDER, "runner.c")) as file:
            compile_static(file.read(), self.runner)
        compile_static(EMPTY, self.empty)


@dataclass
class Job:
    """One process: its executable, the file that is its stdin, its whole environment, its arguments."""

    binary: str
    stdin: str = "/dev/null"
    env: dict = None
    arguments: tuple = ()

    def lines(self, verb):
        return [*(f"e {key}={value}" for key, value in (self.env or {}).items()),
                *(f"a {argument}" for argument in self.arguments), f"{verb} {self.stdin} {self.binary}"]


class Runner:
    """A running runner. Every process must succeed; RuntimeError tells what one that did not has printed."""

    def __init__(self, program, folder):
        self.answers = f"{folder}/answers"
        with open(self.answers, "w"):
            pass
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen([program, self.answers], **pipes, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def one_by_one(self, jobs):
        """Run each when the one before it has ended."""
        return self._run(jobs, [line for job in jobs for line in job.lines("r")])

    def at_once(self, jobs):
        """Start all, one right after the other."""
        return self._run(jobs, [*(line for job in jobs for line in job.lines("s")), "j"])

    def _run(self, jobs, lines):
        self._process.stdin.write("".join(f"{line}\n" for line in [*lines, "x"]))
        self._process.stdin.flush()
        took = []
        while (line := self._process.stdout.readline()) not in (".\n", ""):
            start, end, status, peak, processor = (int(word) for word in line.split())
            if status != 0:
                self._complain(jobs[len(took)], os.waitstatus_to_exitcode(status))
            took.append(Took(start / 1e6, end / 1e6, peak, processor / 1e3))
        if len(took) != len(jobs):
            raise RuntimeError("the runner broke off")
        return took

    def _complain(self, job, code):
        with open(self.answers, errors="replace") as file:
            raise RuntimeError(f"{job.binary} {job.env}: exit {code}: {file.read()[-1000:]}")
