#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Breaks the product on purpose, one fault at a time, and sees which test notices.

usage: run.py [--all | --since REV] [--trust] [--list] [NAME...]

Without anything: the mutants of files that differ from the commit before the last one. --since REV: from that one;
--all: all of them; NAME...: these. Before, all unit tests and crash states are run without a fault; --trust: they have
been just now. --list only says which there are, and that each fits its file.

The faults are in *.toml beside this file (entries.py says how one is written). Each is built in a copy of the sources
below build/mutants; then it must be found by the unit tests that fit, by `crash_states --operations 2`, by the suites of
its entry, or by the other unit tests, in this order. Exit code 1 when one is not found, and not marked as equivalent
in the list; 2 when the list is wrong, also when a mutant does not compile. As root the tests' folders lie in memory;
nothing is left behind, and nothing is ever outside of build/.
"""
import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

from command import run
from entries import HERE, ROOT, ListError, listed
from workshop import FOLDER, MEMORY, SOURCE, Workshop

INSIDE = "DELEGATED_IPAM_MUTANTS"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every mutant")
    parser.add_argument("--since", default="HEAD~1", metavar="REV", help="those of files that differ from REV")
    parser.add_argument("--trust", action="store_true", help="the tests are known to find nothing without a fault")
    parser.add_argument("--list", action="store_true", help="judge none")
    return parser.parse_args()


def chosen(mutants, arguments):
    if arguments.names:
        unknown = set(arguments.names) - {mutant.name for mutant in mutants}
        if unknown:
            raise ListError(f"no mutant {', '.join(sorted(unknown))}")
        return [mutant for mutant in mutants if mutant.name in arguments.names]
    if arguments.all:
        return mutants
    changed = run("git", "-C", ROOT, "diff", "--name-only", arguments.since).splitlines()
    return [mutant for mutant in mutants if mutant.file in changed]


def where_the_list_stands():
    """The commit that the list is of: what counts was written down before."""
    if run("git", "-C", ROOT, "status", "--porcelain", "--", f"{HERE}/*.toml"):
        return "a list that is not committed"
    return "the list of commit " + run("git", "-C", ROOT, "log", "-1", "--format=%h", "--", f"{HERE}/*.toml").strip()


def enter():
    """A mount namespace of our own: whatever ends us, the memory for the tests' folders goes with us."""
    if os.geteuid() == 0 and INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def only_one():
    """The lock that says that nobody else uses the folder; held until this process ends."""
    os.makedirs(os.path.dirname(FOLDER), exist_ok=True)
    lock = os.open(FOLDER + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another run is under way")


def make_folder():
    shutil.rmtree(FOLDER, ignore_errors=True)  # of a run that was killed
    os.makedirs(SOURCE)
    os.makedirs(MEMORY)
    if os.geteuid() == 0:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777,size=2g", "tmpfs", MEMORY], check=True)


def remove_folder():
    subprocess.run(["umount", "--lazy", MEMORY], stderr=subprocess.DEVNULL)
    shutil.rmtree(FOLDER, ignore_errors=True)


def tell(mutant, verdict):
    if verdict.by:
        text = f"killed by {verdict.by}"
    else:
        text = f"equivalent: {mutant.equivalent}" if mutant.equivalent else f"SURVIVES {verdict.told}"
    print(f"{mutant.name} ({verdict.seconds:.0f} s): {text}", flush=True)


class Results:
    """Who was killed, who was not, and where the list is wrong."""

    def __init__(self):
        self.killed, self.equivalent, self.survivors, self.wrong = [], [], [], []

    def judge(self, workshop, mutants, answers):
        """Returns those that nobody has killed."""
        left = []
        for mutant in mutants:
            try:
                verdict = workshop.judge(mutant, answers)
            except ListError as error:
                print(f"{mutant.name}: NOT JUDGED {error}", flush=True)
                self.wrong.append(mutant.name)
                continue
            if verdict.by or answers == workshop.others:
                tell(mutant, verdict)
            else:
                print(f"# {mutant.name} ({verdict.seconds:.0f} s): not found by {verdict.told or 'the tests that fit'}",
                      flush=True)
            if not verdict.by:
                left.append(mutant)
                continue
            self.killed.append(mutant.name)
            if mutant.equivalent:
                print(f"{mutant.name}: is marked as equivalent, which it is not", flush=True)
                self.wrong.append(mutant.name)
        return left

    def end(self, left):
        self.equivalent = [mutant.name for mutant in left if mutant.equivalent]
        self.survivors = [mutant.name for mutant in left if not mutant.equivalent]

    def summary(self):
        count = len(self.killed) + len(self.equivalent) + len(self.survivors)
        lines = [f"# mutants: {len(self.killed)} of {count} killed, {len(self.equivalent)} equivalent, "
                 f"{len(self.survivors)} survive{': ' if self.survivors else ''}{', '.join(self.survivors)}"]
        if self.wrong:
            lines.append(f"# the list is wrong: {', '.join(self.wrong)}")
        return "\n".join(lines)


def judge(mutants, is_trusted):
    """Returns the exit code."""
    started = time.monotonic()
    workshop = Workshop()
    workshop.open(is_trusted, any(mutant.suites for mutant in mutants))
    print(f"# built{'' if is_trusted else ', and nothing found without a fault'}: {time.monotonic() - started:.0f} s",
          flush=True)
    results = Results()
    left = results.judge(workshop, mutants, workshop.cheap)
    results.end(results.judge(workshop, left, workshop.others))
    print(f"{results.summary()}; {time.monotonic() - started:.0f} s", flush=True)
    return 2 if results.wrong else 1 if results.survivors else 0


def main():
    arguments = read_arguments()
    if not arguments.list:
        enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        mutants = listed()
        ours = chosen(mutants, arguments)
    except ListError as error:
        print(f"the list is wrong: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"# {len(ours)} of {len(mutants)} mutants, {where_the_list_stands()}", flush=True)
    if arguments.list or not ours:
        for mutant in ours:
            print(f"{mutant.name}: {mutant.file}: {mutant.breaks}")
        return
    only_one()
    try:
        make_folder()
        sys.exit(judge(ours, arguments.trust))
    finally:
        remove_folder()


if __name__ == "__main__":
    main()
