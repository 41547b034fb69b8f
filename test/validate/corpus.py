"""The corpus: broken files with what is to be found in them, and good ones.

expected.json tells of each case what it is about, its files (else the case's name is the file), options, and every
finding as "[FILE] RULE [POINTER]". "left" are the findings that the corrected files still have: none when it is
missing, "all" when nothing can be corrected mechanically. With "keep" they have the names of those that were read.
"""
import json
import os
import shutil
import subprocess
import tempfile

from plugin import BINARY

HERE = os.path.dirname(os.path.abspath(__file__))
REPORTS = ("Sanitizer", "runtime error", "terminate called", "Assertion")


def run(*arguments, stdin=b"", cwd=None, env=None):
    """Run `delegated-ipam validate`; neither a crash nor a report of a sanitizer is an answer."""
    command = [BINARY, "validate", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, env=env, timeout=60)
    stderr = done.stderr.decode("utf-8", "replace")
    assert done.returncode in (0, 1, 2), f"exit {done.returncode}: {stderr}"
    assert not any(word in stderr for word in REPORTS), stderr
    return done.returncode, done.stdout.decode("utf-8", "replace"), stderr


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

    def lines(self, *arguments, cwd):
        return sorted(line(one, len(self.files) > 1) for one in findings(*self.options, *arguments, cwd=cwd))

    def check_findings(self):
        """All that is expected is found, and nothing else; every finding says what to do."""
        said = self.lines(*self.files, cwd=self.folder)
        assert said == sorted(self.findings), f"expected {sorted(self.findings)}, found {said}"
        for one in findings(*self.options, *self.files, cwd=self.folder):
            assert one["message"] and one["fix"] and one["fix"] != one["message"], one

    def report(self):
        """The golden text: what people see."""
        status, stdout, stderr = run(*self.options, *self.files, cwd=self.folder)
        command = " ".join(self.options + self.files)
        corrected = "".join(f"  | {text}\n" for text in stdout.splitlines())
        said = "".join(f"  {text}\n" for text in stderr.splitlines())
        return f"{self.name}\n  about: {self.about}\n  $ validate {command}    # exit {status}\n{said}{corrected}"

    def check_corrected(self):
        """The corrected files have only the findings that nobody can mend mechanically."""
        _, stdout, _ = run(*self.options, *self.files, cwd=self.folder)
        assert (not stdout) == (self.left == "all"), f"left is {self.left}, but this was printed:\n{stdout}"
        if not stdout:
            return
        with tempfile.TemporaryDirectory() as folder:
            names = self.write_corrected(stdout, folder)
            said = self.lines(*names, cwd=folder)
            assert said == sorted(self.left), f"left {said} in\n{stdout}"
            again = run(*self.options, *names, cwd=folder)[1]
            assert not again or self.left, f"corrected once more:\n{again}"

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


def load(folder, expected):
    """The cases of a corpus, by name."""
    with open(os.path.join(HERE, expected)) as file:
        return [Case(folder, name, text) for name, text in sorted(json.load(file).items())]
