"""What people see, kept in a file: each call of the tool with all that it printed, compared with what it prints now.

A suite with `--update` on its command line writes the file anew: read the difference before you keep it.
"""
import difflib
import os
import sys

import tool

SEPARATOR = "-" * 40


class Golden:
    """The texts of one file by their titles. Used in a with block, at whose end an update is written."""

    def __init__(self, path):
        self.path = path
        self.is_update = False
        self.texts = {}

    def begin(self):
        """Look at the command line: not before the sandbox is entered, which begins the suite again with it."""
        self.is_update = "--update" in sys.argv
        if self.is_update:
            sys.argv.remove("--update")
        self.texts = {} if self.is_update else self._read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_update:
            with open(self.path, "w") as file:
                file.write("".join(f"{title}\n{text}{SEPARATOR}\n" for title, text in self.texts.items()))

    def check(self, title, text):
        """The text under this title is still the same."""
        if self.is_update:
            self.texts[title] = text
        expected = self.texts.get(title)
        assert expected is not None, f"{os.path.basename(self.path)} has no {title!r}: --update, and read it"
        changes = difflib.unified_diff(expected.splitlines(), text.splitlines(), "expected", "now", lineterm="")
        assert text == expected, "\n".join(changes)

    def call(self, title, *arguments, alike=lambda text: text, **more):
        """What the tool prints and its exit code are still the same; alike() takes out what differs each time."""
        done = tool.call(*arguments, **more)
        errors = "".join(f"2> {line}\n" for line in done.stderr.splitlines())
        self.check(title, alike(f"$ delegated-ipam {' '.join(arguments)}\n{done.stdout}{errors}exit {done.exit}\n"))
        return done

    def _read(self):
        if not os.path.exists(self.path):
            return {}
        with open(self.path) as file:
            blocks = file.read().split(f"{SEPARATOR}\n")
        return dict(block.split("\n", 1) for block in blocks if block)
