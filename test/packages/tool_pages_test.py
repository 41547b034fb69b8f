#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The man page and the completions: complete, well-formed, and of nothing but what the tool's --help says.

usage: tool_pages_test.py [WORD ...]
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import tap
import tool
from plugin import BINARY, ROOT, require
from tap import Skip

PAGES = os.path.join(ROOT, "examples/image/pages.py")
FOLDER = tempfile.TemporaryDirectory(prefix="pages.")


def make():
    subprocess.run([sys.executable, PAGES, FOLDER.name, BINARY], check=True,
                   env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})


def path(name):
    return os.path.join(FOLDER.name, name)


def helps():
    """{a command's words: its help}, found without pages.py: a word is a command when --help behind it answers."""
    found = {(): tool.must("--help")}
    for first in re.findall(r"^  ([a-z]+) ", found[()].split("Subcommands:")[1], re.MULTILINE):
        found[first,] = tool.must(first, "--help")
    for second in re.findall(r"^  ([a-z0-9-]+) ", found["generate",].split("Subcommands:")[1], re.MULTILINE):
        found["generate", second] = tool.must("generate", second, "--help")
    return found


def options_of(text):
    return {name for line in re.findall(r"^  (-\S+)", text, re.MULTILINE) for name in line.split(",")}


def rendered():
    if not shutil.which("man"):
        raise Skip("needs man: apt-get install man-db")
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", path("delegated-ipam.8")], capture_output=True,
                          text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "400"})
    assert done.returncode == 0 and not done.stderr, done.stderr
    return re.sub(".\b", "", done.stdout)


def man_has_everything():
    text = rendered()
    for words, shown in helps().items():
        if words:
            section = re.search(rf"^   {re.escape(' '.join(words))}\n(.*?)(?=^   \S|^\S)", text, re.DOTALL | re.MULTILINE)
            assert section, f"no section {' '.join(words)}"
            missing = options_of(shown) - {"-h", "--help"} - set(re.findall(r"(?<![\w-])--?\w[\w-]*", section[1]))
            assert not missing, f"{' '.join(words)}: {missing}"
            assert shown.splitlines()[0] in " ".join(section[1].split()), words
    assert "2023" in text and re.search(r"delegated-ipam \d+\.\d+", text), text[-200:]


def complete(*words):
    """What bash offers behind these words; the last is the one that is being typed."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _delegated_ipam; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, "bash", path("bash"), "delegated-ipam", *words], capture_output=True,
                          text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return set(done.stdout.split())


def bash_offers_everything():
    shown = helps()
    for words, text in shown.items():
        below = {one[-1] for one in shown if one[:-1] == words and one}
        assert complete(*words, "") == below | options_of(text), (words, complete(*words, "") ^ (below | options_of(text)))


def bash_offers_what_fits():
    assert complete("st") == {"status"}
    assert complete("generate", "fl") == {"flannel"}
    assert complete("list", "--state", "") == {"in-use", "dead", "reserved", "held", "free"}
    assert complete("status", "-o", "p") == {"prometheus"}
    assert complete("show", "shop/web-0", "--net") == {"--network"}
    assert complete("generate", "installer", "--image", "x", "--as") == {"--as"}
    assert complete("install", "/opt/c") == set()  # bash completes a file


def bash_values_are_taken():
    """What is offered as an option's value is none that the tool refuses as unknown."""
    for words, option in ((("list",), "--state"), (("list",), "-o"), (("status",), "-o"), (("report",), "--outcome")):
        for value in complete(*words, option, ""):
            with tempfile.TemporaryDirectory() as root:
                done = tool.call(*words, option, value, "--root", root)
                assert option not in done.stderr, (words, option, value, done.stderr)


def shell(name, *check):
    if not shutil.which(name):
        raise Skip(f"needs {name}: apt-get install {name}")
    done = subprocess.run([name, *check], capture_output=True, text=True, env={**os.environ, "HOME": FOLDER.name})
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def fish_offers_everything():
    shown = helps()
    for words, text in shown.items():
        typed = " ".join(["delegated-ipam", *words, ""])
        script = f"source {path('fish')}; complete -C '{typed}'; complete -C '{typed}-'; complete -C '{typed}--'"
        offered = {line.split("\t")[0] for line in shell("fish", "--no-config", "-c", script).splitlines()}
        wanted = {one[-1] for one in shown if one[:-1] == words and one} | options_of(text)
        assert wanted <= offered, (words, wanted - offered)


def zsh_has_everything():
    """zsh reads the file, and it has a function a command with all its options."""
    shell("zsh", "-n", path("zsh"))
    with open(path("zsh")) as file:
        text = file.read()
    for words, shown in helps().items():
        function = re.search(rf"^_{re.escape('_'.join(['delegated-ipam', *words]))}\(\) {{\n(.*?)^}}", text,
                             re.DOTALL | re.MULTILINE)
        assert function, words
        missing = {one for one in options_of(shown) if not re.search(rf"(?<![\w-]){one}(?![\w-])", function[1])}
        assert not missing, (words, missing)


TESTS = [
    ("man has nothing to warn of, and the page has every command with every option", man_has_everything),
    ("bash completes every command and option", bash_offers_everything),
    ("bash completes what fits, and an option's values", bash_offers_what_fits),
    ("the values that are completed are values", bash_values_are_taken),
    ("fish completes every command and option", fish_offers_everything),
    ("zsh reads its completion, which has every command and option", zsh_has_everything),
]


if __name__ == "__main__":
    tap.main("man page and completions", TESTS, lambda: require(BINARY), make)
