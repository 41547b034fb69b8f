"""Prints test results in TAP (testanything.org), so that test/run.sh can count them.

A test is a function; its sentence is its name in the report. A test passes when it returns, fails when it
raises, and is skipped when it raises Skip with the reason.
"""
import sys
import time
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why and how to get it."""


class Suite:
    def __init__(self, name):
        self.name = name
        self.count = 0
        self.failed = 0
        self.skipped = 0

    def run(self, sentence, test, *args):
        """Run one test and print its TAP line; returns True unless it failed."""
        self.count += 1
        started = time.monotonic()
        try:
            test(*args)
            line = f"ok {self.count} - {self.name}: {sentence}"
            passed = True
        except Skip as reason:
            line = f"ok {self.count} - {self.name}: {sentence} # SKIP {reason}"
            passed = True
            self.skipped += 1
        except Exception:  # a failed assertion or anything unexpected: both are a failed test
            for text in traceback.format_exc().splitlines():
                print(f"# {text}", flush=True)
            line = f"not ok {self.count} - {self.name}: {sentence}"
            passed = False
            self.failed += 1
        print(line, flush=True)
        print(f"# {time.monotonic() - started:.1f} s", flush=True)
        return passed

    def run_all(self, tests):
        """Run a table of (sentence, test, arguments...); with words on the command line those that have one of them."""
        for sentence, test, *arguments in tests:
            if any(word in sentence for word in sys.argv[1:] or [""]):
                self.run(sentence, test, *arguments)

    def finish(self):
        """Print the TAP plan and end the process: 0 when nothing failed, else 1."""
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


def skip(reason):
    """End a suite that cannot run here; the text says why and how to get it."""
    print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(0)


def main(name, tests, *needs):
    """Run a suite: first what it needs (its sandbox, the plugin), then its tests.

    tests: a table for Suite.run_all, or a function that yields one.
    """
    story(name, lambda suite: suite.run_all(tests() if callable(tests) else tests), *needs)


def story(name, tell, *needs):
    """Run a suite whose tests hang together: as main(), but tell(suite) runs them."""
    for need in needs:
        need()
    suite = Suite(name)
    tell(suite)
    suite.finish()
