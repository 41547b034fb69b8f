"""A copy of the sources in build/mutants, in which one fault at a time is built and judged."""
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from command import run
from entries import ROOT, ListError

FOLDER = os.path.join(ROOT, "build/mutants")
SOURCE = os.path.join(FOLDER, "source")
MEMORY = os.path.join(FOLDER, "memory")  # where the tests' own folders are
LLD = "/usr/lib/llvm-14/bin/ld.lld"
# The presets that test/run.sh builds them in: the compiler cache knows most of their objects.
PRESETS = {"unit_tests": "asan", "crash_states": "dev"}
# The plugin for suites: under the sanitizers; without them for suites that fail under them anyway.
PLUGIN = "delegated-ipam"
PLUGIN_PRESETS = ("asan", "dev")
# Three quarters of what a link takes; clang knows where its own linker is.
FAST_LINK = {"asan": ["-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -Wl,-S"]} if os.path.exists(LLD) else {}
UNIT_TESTS = os.path.join(SOURCE, "build/asan/test/unit_tests")
CRASH_STATES = [os.path.join(SOURCE, "build/dev/test/crash_states"), "--operations", "2"]
EVERY_TEST = "~[layers]"  # which reads the sources, not what they do
# For faults that never end and take memory. What a suite traces or kills can tell of no leak.
SANITIZERS = {"ASAN_OPTIONS": "hard_rss_limit_mb=4096:detect_leaks=0"}
LEAST_PATIENCE = 120  # seconds
LONGEST = 900  # of what has not been seen yet to pass
# What gets lost with a line is no reason for the compiler to refuse the rest.
PRAGMAS = "".join(f'#pragma GCC diagnostic ignored "-Wunused-{what}"\n'
                  for what in ("function", "variable", "parameter", "but-set-variable")) + "#line 1\n"


@dataclass(frozen=True)
class Verdict:
    """by: which test killed the mutant; "" for a survivor."""

    by: str
    seconds: float
    told: str = ""  # what was looked at in vain


@dataclass
class Ended:
    status: int
    text: str
    timed_out: bool
    seconds: float


def end(group):
    """Ends all processes of a group, with time to clean up."""
    for number, patience in ((signal.SIGINT, 20), (signal.SIGKILL, 20)):
        until = time.monotonic() + patience
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < until:
                os.killpg(group.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    group.wait(1)
                    break


def watched(command, patience, environment=None, is_enough=None):
    """Runs a command until it ends, has printed a line that is enough, or patience ends."""
    started = time.monotonic()
    child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", cwd=SOURCE, start_new_session=True,
                             env={**os.environ, **SANITIZERS, "TMPDIR": MEMORY, **(environment or {})})
    late = threading.Event()
    timer = threading.Timer(patience, lambda: (late.set(), end(child)))
    timer.start()
    lines = []
    try:
        for line in child.stdout:
            lines.append(line)
            if is_enough and is_enough(line):
                break
    finally:
        timer.cancel()
        if child.poll() is None and (late.is_set() or not is_enough):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(20)
        if child.poll() is None:
            end(child)
        child.stdout.close()
    return Ended(child.returncode, "".join(lines), late.is_set(), time.monotonic() - started)


def plugin_of(preset):
    return os.path.join(SOURCE, "build", preset, PLUGIN)


def whole_plugin_of(preset):
    """The plugin without a fault."""
    return os.path.join(FOLDER, f"whole-{preset}")


def failed_test(text):
    """The name of the test that Catch2 says has failed."""
    heads = re.findall(r"^-{70,}\n(.+(?:\n.+)*?)\n-{70,}$", text, re.MULTILINE)
    return " ".join(heads[-1].split()) if heads else "unit tests that broke off"


class Workshop:
    def __init__(self):
        self.patience = {}  # by what is run
        self.whole_suites = {}  # suite -> what fails in it without a fault

    def open(self, is_trusted, has_suites):
        """Copies and builds the sources as they are, and sees that what is to find faults finds none, unless trusted.
        has_suites: whether any mutant asks suites, and so for a plugin."""
        listing = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for path in listing.rstrip("\0").split("\0"):
            if os.path.isfile(os.path.join(ROOT, path)):
                os.makedirs(os.path.dirname(os.path.join(SOURCE, path)), exist_ok=True)
                shutil.copy2(os.path.join(ROOT, path), os.path.join(SOURCE, path))
        options = []
        if shutil.which("ccache"):
            options.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
            os.environ.setdefault("CCACHE_BASEDIR", ROOT)
            os.environ.setdefault("CCACHE_NOHASHDIR", "1")
        for preset in sorted({*PRESETS.values(), *PLUGIN_PRESETS}):
            run("cmake", "--preset", preset, *options, *FAST_LINK.get(preset, ()), cwd=SOURCE)
        for target, preset in PRESETS.items():
            self.build(target, preset)
        for preset in PLUGIN_PRESETS if has_suites else ():
            self.build(PLUGIN, preset)
            shutil.copy2(plugin_of(preset), whole_plugin_of(preset))
        for ask in () if is_trusted else (lambda: self.unit(EVERY_TEST), self.crash_states):
            found = ask()
            assert found == "", f"fails without any fault: {found}"

    def build(self, target, preset):
        """Builds a target; ListError with what the compiler has against it."""
        done = subprocess.run(["cmake", "--build", "--preset", preset, "--target", target, "--", "-j2"], cwd=SOURCE,
                              capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise ListError(f"{target} does not compile: {done.stdout[-3000:]}{done.stderr[-1000:]}")

    def limit(self, what):
        return self.patience.get(what, LONGEST)

    def learn(self, what, seconds):
        """A fault may make it slower, but not for ever."""
        self.patience.setdefault(what, LEAST_PATIENCE + 6 * seconds)

    def unit(self, tests):
        """The name of the first unit test that fails; "" when none does."""
        ended = watched([UNIT_TESTS, tests, "--abort"], self.limit("unit"))
        if ended.timed_out:
            return f"time-out of unit tests, {ended.seconds:.0f} s"
        if "No test cases matched" in ended.text:
            raise ListError(f"no unit test has the tags {tests}")
        if ended.status != 0:
            return f'unit: {failed_test(ended.text)}'
        if tests == EVERY_TEST:
            self.learn("unit", ended.seconds)
        return ""

    def crash_states(self):
        ended = watched(CRASH_STATES, self.limit("proof"), is_enough=lambda line: line.startswith("not ok"))
        if ended.timed_out:
            return f"time-out of crash_states, {ended.seconds:.0f} s"
        failed = re.search(r"^not ok \d+ - (.*)$", ended.text, re.MULTILINE)
        if failed or ended.status != 0:
            return f"crash_states: {failed.group(1) if failed else 'broke off'}"
        self.learn("proof", ended.seconds)
        return ""

    def suite(self, suite, plugin):
        path, *words = shlex.split(suite)
        ended = watched([os.path.join(SOURCE, path), *words], self.limit(suite), {"DELEGATED_IPAM": plugin})
        if ended.timed_out:
            return f"time-out of {path}, {ended.seconds:.0f} s"
        failed = re.search(r"^not ok \d+ - (.*)$", ended.text, re.MULTILINE)
        passed = re.search(r"^ok \d+ - (?!.*# SKIP)", ended.text, re.MULTILINE)
        if failed or ended.status != 0 or not passed:
            return f"{path}: {failed.group(1) if failed else 'no test passed'}"
        self.learn(suite, ended.seconds)
        return ""

    def fails_anyway(self, suite, preset):
        """What fails in a suite where nothing is broken: then its failures say nothing."""
        if (suite, preset) not in self.whole_suites:
            self.whole_suites[suite, preset] = self.suite(suite, whole_plugin_of(preset))
        return self.whole_suites[suite, preset]

    def suite_of_mutant(self, suite, told):
        """What fails in a suite with the mutant's plugin; "" when nothing does, or it fails without a fault too."""
        for preset in PLUGIN_PRESETS:
            anyway = self.fails_anyway(suite, preset)
            if not anyway:
                self.build(PLUGIN, preset)
                told.append(suite)
                return self.suite(suite, plugin_of(preset))
        told.append(f"nothing, as without any fault too: {anyway}")
        return ""

    def judge(self, mutant, answers):
        """Builds the mutant and asks one test after the other; ListError if it cannot be built."""
        started = time.monotonic()
        path = os.path.join(SOURCE, mutant.file)
        with open(path) as file:
            text = file.read()
        try:
            with open(path, "w") as file:
                file.write(PRAGMAS + mutant.applied_to(text))
            self.build("unit_tests", PRESETS["unit_tests"])
            told = []
            for by in answers(mutant, told):
                if by:
                    return Verdict(by, time.monotonic() - started)
            return Verdict("", time.monotonic() - started, "; ".join(told))
        finally:
            with open(path, "w") as file:
                file.write(text)

    def cheap(self, mutant, told):
        """What the tests say that know most of the place."""
        for tag in mutant.tests:
            yield self.unit(tag)
        if mutant.file.startswith("allocator/"):  # the rest is not in it
            self.build("crash_states", PRESETS["crash_states"])
            yield self.crash_states()
            told.append("crash_states")
        for suite in mutant.suites:
            yield self.suite_of_mutant(suite, told)

    def others(self, mutant, told):
        """What all other unit tests say, which takes minutes."""
        yield self.unit("".join(f"~{tag}" for tag in mutant.tests) + EVERY_TEST)
        told.append("unit tests")
