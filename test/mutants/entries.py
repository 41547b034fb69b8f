"""The list of mutants: every *.toml beside this file. An entry is

    [[mutant]]
    name = "..."       what the careless engineer did
    file = "..."       where
    breaks = "..."     what goes wrong on a node
    old = '''...'''    stands in the file exactly once
    new = '''...'''    stands there instead
    tests = [...]      Catch2 tags of the unit tests that are asked first, in this order
    suites = [...]     suites of the built plugin that are asked last, with words that choose tests of theirs
    equivalent = "..." why nobody can tell the difference; only where that is so
"""
import glob
import os
import tomllib
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LEAST = 60  # mutants in the list


class ListError(Exception):
    """The list does not say what it should."""


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    breaks: str
    old: str
    new: str
    tests: tuple = ()
    suites: tuple = ()
    equivalent: str = ""

    def applied_to(self, text):
        """The file's text with the fault in it; ListError unless there is exactly one place for it."""
        found = text.count(self.old)
        if found != 1:
            raise ListError(f"{self.name}: its old text stands {found} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def read_entry(entry):
    known = {**entry, "tests": tuple(entry.get("tests", ())), "suites": tuple(entry.get("suites", ()))}
    try:
        mutant = Mutant(**known)
    except TypeError as error:
        raise ListError(f"{entry.get('name')}: {error}") from error
    for suite in mutant.suites:
        if not os.access(os.path.join(ROOT, suite.split()[0]), os.X_OK):
            raise ListError(f"{mutant.name}: no suite {suite}")
    with open(os.path.join(ROOT, mutant.file)) as file:
        if mutant.applied_to(file.read()) == "" or mutant.old == mutant.new:
            raise ListError(f"{mutant.name}: changes nothing")
    return mutant


def listed():
    """All mutants, each fitting the files as they are; ListError where one does not."""
    mutants = []
    for path in sorted(glob.glob(os.path.join(HERE, "*.toml"))):
        with open(path, "rb") as file:
            mutants += [read_entry(entry) for entry in tomllib.load(file)["mutant"]]
    names = [mutant.name for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ListError(f"named twice: {', '.join(twice)}")
    if len(mutants) < LEAST:
        raise ListError(f"{len(mutants)} mutants, but there should be {LEAST}")
    return mutants
