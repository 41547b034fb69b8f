"""The corpus: broken files with what is to be found in them, and good ones.

expected.json tells of each case what it is about, its files (else the case's name is the file), options, and every
finding as "[FILE] RULE [POINTER]". "left" are the findings that the corrected files still have: none when it is
missing, "all" when nothing can be corrected mechanically. With "keep" they have the names of those that were read.

The tool looks once at a case's files in each way, and once at what it corrected; every test reads these answers. An
answer is a process, and with the sanitizers that takes its time.
"""
import collections
import functools
import json
import os
import shutil
import subprocess
import tempfile

from plugin import BINARY

HERE = os.path.dirname(os.path.abspath(__file__))
REPORTS = ("Sanitizer", "runtime error", "terminate called", "Assertion")


Said = collections.namedtuple("Said", "status stdout stderr")
Corrected = collections.namedtuple("Corrected", "names findings again")


def run(*arguments, stdin=b"", cwd=None, env=None):
    """Run `delegated-ipam validate`; neither a crash nor a report of a sanitizer is an answer."""
    command = [BINARY, "validate", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, env=env, timeout=60)
    stderr = done.stderr.decode("utf-8", "replace")
    assert done.returncode in (0, 1, 2), f"exit {done.returncode}: {stderr}"
    assert not any(word in stderr for word in REPORTS), stderr
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"), stderr)


def findings(*arguments, **more):
    """The findings of a run, as a list of objects."""
    status, stdout, stderr = run("-o", "json", *arguments, **more)
    assert not stderr, stderr
    document = json.loads(stdout)
    assert list(document) == ["findings"], document
    errors = [one for one in document["findings"] if one["severity"] == "error"]
    assert status == (1 if errors else 0), f"exit {status} with {len(errors)} errors"
    return document["findings"]


def line(finding, with_file):
    """A finding as expected.json writes it."""
    parts = [os.path.basename(finding["file"])] if with_file else []
    return " ".join(parts + [finding["rule"]] + ([finding["pointer"]] if finding["pointer"] else []))


class Case:
    """One case of a corpus."""

    def __init__(self, folder, name, text):
        self.folder = os.path.join(HERE, folder)
        self.name = name
        self.about = text["about"]
        self.files = text.get("files", [name])
        self.options = text.get("options", [])
        self.findings = text["findings"]
        self.left = text.get("left", [])
        self.keep = text.get("keep", False)

    @functools.cached_property
    def said(self):
        """What people see."""
        return run(*self.options, *self.files, cwd=self.folder)

    @functools.cached_property
    def found(self):
        """The findings."""
        return findings(*self.options, *self.files, cwd=self.folder)

    @functools.cached_property
    def corrected(self):
        """The names of the corrected files, what is found in them, and what is corrected in them once more; None where
        nothing was corrected."""
        if not self.said.stdout:
            return None
        with tempfile.TemporaryDirectory() as folder:
            names = self.write_corrected(self.said.stdout, folder)
            return Corrected(names, findings(*self.options, *names, cwd=folder),
                             run(*self.options, *names, cwd=folder).stdout)

    def lines(self, found):
        return sorted(line(one, len(self.files) > 1) for one in found)

    def check_findings(self):
        """All that is expected is found, and nothing else; every finding says what to do."""
        said = self.lines(self.found)
        assert said == sorted(self.findings), f"expected {sorted(self.findings)}, found {said}"
        for one in self.found:
            assert one["message"] and one["fix"] and one["fix"] != one["message"], one

    def report(self):
        """The golden text: what people see."""
        command = " ".join(self.options + self.files)
        corrected = "".join(f"  | {text}\n" for text in self.said.stdout.splitlines())
        said = "".join(f"  {text}\n" for text in self.said.stderr.splitlines())
        return f"{self.name}\n  about: {self.about}\n  $ validate {command}    # exit {self.said.status}\n{said}{corrected}"

    def check_corrected(self):
        """The corrected files have only the findings that nobody can mend mechanically."""
        stdout = self.said.stdout
        assert (not stdout) == (self.left == "all"), f"left is {self.left}, but this was printed:\n{stdout}"
        if not stdout:
            return
        said = self.lines(self.corrected.findings)
        assert said == sorted(self.left), f"left {said} in\n{stdout}"
        assert not self.corrected.again or self.left, f"corrected once more:\n{self.corrected.again}"

    def write_corrected(self, stdout, folder):
        """The case's files in `folder`, those that were corrected under a fitting name."""
        if self.keep:  # the folders count
            return self.write_over(stdout, folder)
        below = os.path.dirname(self.files[0])
        if below:  # others may be beside them
            shutil.copytree(os.path.join(self.folder, below), folder, dirs_exist_ok=True)
        texts = split(stdout) if len(self.files) > 1 else {self.files[0]: stdout}
        return [write(folder, name, texts.get(name)) for name in self.files]

    def write_over(self, stdout, folder):
        """The case's folder with the corrected files over those that were read."""
        top = self.files[0].split("/")[0]
        shutil.copytree(os.path.join(self.folder, top), os.path.join(folder, top))
        texts = split(stdout) if stdout.startswith("==> ") else {self.files[0]: stdout}
        for name, text in texts.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        return self.files


def split(stdout):
    """The text of each file behind its "==> NAME <==" line."""
    texts = {}
    for text in stdout.splitlines(keepends=True):
        if text.startswith("==> ") and text.endswith(" <==\n"):
            name = text[4:-5]
            texts[name] = ""
        else:
            texts[name] += text
    return texts


def write(folder, name, text):
    """Write a corrected file, as a person would name it; returns its name. None: it is there already."""
    base = os.path.basename(name)
    if text is None:
        return base
    stem = base.rsplit(".", 1)[0]
    base = f"{stem}.conflist" if text.startswith("{") else f"{stem}.yaml"
    with open(os.path.join(folder, base), "w") as file:
        file.write(text)
    return base


@functools.cache
def load(folder, expected):
    """The cases of a corpus, by name; the same objects each time."""
    with open(os.path.join(HERE, expected)) as file:
        return [Case(folder, name, text) for name, text in sorted(json.load(file).items())]
