#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The pages of the repository: their links lead somewhere, what they name exists, and the first one stays short.

usage: pages_test.py [WORD ...]
"""
import glob
import os
import re
import subprocess

import tap

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
TOP = "allocator|delegate|examples|shim|test"
LONGEST_LINE = 100  # of the first page
MOST_LINES = 120
LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]*)?\)")
NAMED = re.compile(rf"`((?:{TOP})/[\w./*-]+)`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def pages():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    return [path for path in listed.split("\0") if path and os.path.exists(os.path.join(ROOT, path))]


def read(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()


def anchors(path):
    """The anchors that a page's headings make, as GitHub makes them."""
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(read(path))}


def links_lead_somewhere(page):
    for target, anchor in LINK.findall(read(page)):
        if target.startswith(("http:", "https:")):
            continue
        path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        assert os.path.exists(os.path.join(ROOT, path)), f"{page}: no {path}"
        assert not anchor or anchor in anchors(path), f"{page}: no heading {anchor} in {path}"


def names_exist(page):
    for name in NAMED.findall(read(page)):
        assert glob.glob(os.path.join(ROOT, name)), f"{page}: no {name}"


def folders_have_their_page(folder):
    page = f"{folder}/README.md"
    assert page in pages(), f"no {page}"
    reached, waiting = set(), ["README.md"]
    while waiting:
        current = waiting.pop()
        if current in reached or not current.endswith(".md"):
            continue
        reached.add(current)
        waiting += [os.path.normpath(os.path.join(os.path.dirname(current), target))
                    for target, _ in LINK.findall(read(current)) if target and "://" not in target]
    assert page in reached, f"no way of links from README.md to {page}"


def first_page_is_short():
    lines = read("README.md").splitlines()
    assert len(lines) <= MOST_LINES, f"{len(lines)} lines"
    long = [number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE]
    assert not long, f"lines of over {LONGEST_LINE} columns: {long}"


def nothing_stands_twice():
    """A paragraph or a row of a table of some length stands on one page only."""
    seen = {}
    for page in pages():
        for paragraph in re.split(r"\n\n|\n(?=\|)|\n(?=\* )", read(page)):
            text = " ".join(paragraph.split())
            if len(text) < 200 or text.startswith(("```", "{")):
                continue
            other = seen.setdefault(text, page)
            assert other == page, f"{other} and {page} both say: {text[:80]}"


TESTS = [
    *((f"{page}: its links lead somewhere", links_lead_somewhere, page) for page in pages()),
    *((f"{page}: the files that it names are there", names_exist, page) for page in pages()),
    *((f"{folder} has a page, and links lead to it from the first one", folders_have_their_page, folder)
      for folder in ("allocator", "allocator/store", "delegate", "shim/cni", "shim/cni/announce", "shim/cli", "test",
                     "examples")),
    (f"the first page has at most {MOST_LINES} lines of {LONGEST_LINE} columns", first_page_is_short),
    ("no paragraph stands on two pages", nothing_stands_twice),
]


if __name__ == "__main__":
    tap.main("pages", TESTS, )
