#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""status -o html and -o svg in a browser: their text, whose cell each is, the colours that people see, and nothing loaded.

usage: picture_test.py [WORD ...]
"""
import contextlib
import itertools
import re
import shutil
import tempfile

import browser
import sandbox
import tap
import tool
from looked_at import on_disk
from node import fake_boots
from plugin import BINARY, require

RANGES = [[{"subnet": "10.9.0.0/24", "rangeEnd": "10.9.0.219"}], [{"subnet": "fd00:9::/64"}]]
KEEPS = {"exclude": ["10.9.0.40-10.9.0.60"], "pins": {"shop/pinned": ["10.9.0.9"]}}
SCHEMES = ("light", "dark")
STATES = {"in-use": "#", "dead": "x", "held": "h", "reserved": "r", "free": "."}
TITLES = {"10.9.0.1": "reserved a gateway", "10.9.0.2": "in-use shop/web-0 eth0", "10.9.0.3": "in-use shop/web-1 eth0",
          "10.9.0.4": "dead shop/web-2 eth0", "10.9.0.5": "held shop/web-3 eth0", "10.9.0.9": "reserved pinned to shop/pinned",
          "10.9.0.41": "reserved excluded", "10.9.0.10": "free", "fd00:9::2": "in-use shop/web-0 eth0"}
READABLE = 4.5  # the contrast of a letter with its cell: WCAG 2.2, 1.4.3
APART = 30  # of the 442 that black and white are apart
# What a cell is, where it stands and how it is painted.
CELLS = """[...document.querySelectorAll("svg g")].map(cell => {
    const place = cell.querySelector("rect").getBoundingClientRect();
    return {state: cell.getAttribute("class"), title: cell.querySelector("title").textContent,
            letter: cell.querySelector("text").textContent, fill: getComputedStyle(cell.querySelector("rect")).fill,
            ink: getComputedStyle(cell.querySelector("text")).fill,
            x: place.left + scrollX, y: place.top + scrollY, width: place.width}})"""
GROUND = 'getComputedStyle(document.querySelector("svg")).backgroundColor'


@contextlib.contextmanager
def reader():
    with tempfile.TemporaryDirectory(prefix="picture.", dir="/var/tmp") as folder, browser.Browser(folder) as found:
        yield found


def drawn(node, form):
    """The page or the picture in a file."""
    file = f"{node.home}/status.{form}"
    done = tool.call("status", *node.look(), "-o", form, "--out", file)
    assert done.exit in (tool.FINE, tool.FOUND) and not done.stderr, done
    return file


@contextlib.contextmanager
def shown(form="html", ranges=None, **keeps):
    """A node after a reboot, its page in a file, and a reader."""
    with on_disk("picture", ranges or RANGES, **(keeps or KEEPS)) as node, reader() as found:
        node.tell_two_boots()
        yield node, drawn(node, form), found


def colour(text):
    """(red, green, blue) of what a computed style says."""
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", text)
    assert found, f"no opaque colour: {text}"
    return tuple(map(int, found.groups()))


def brightness(rgb):
    """The relative luminance of WCAG 2.2."""
    parts = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in rgb]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts))


def contrast(one, other):
    lighter, darker = sorted((brightness(one), brightness(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def fills(cells):
    """State -> the one colour that all its cells have."""
    found = {}
    for cell in cells:
        found.setdefault(cell["state"], set()).add(colour(cell["fill"]))
    assert all(len(colours) == 1 for colours in found.values()), found
    return {state: colours.pop() for state, colours in found.items()}


def text():
    """Verdict, table and findings are those of the terminal; the legend has a word for each letter."""
    with shown() as (node, file, page):
        page.open(file, "light")
        lines = [line.rstrip() for line in page.evaluate("document.querySelector('pre').innerText").splitlines()]
        said = [line.rstrip() for line in tool.call("status", *node.look()).stdout.splitlines()]
        is_timed = re.compile(r"\S+$")
        assert [is_timed.sub("", line) for line in lines] == [is_timed.sub("", line) for line in said], (lines, said)
        assert page.evaluate("document.title") == "delegated-ipam status"
        whole = page.evaluate("document.body.textContent")
        for word in ("safe to reboot: no", "network pods", "10.9.0.0/24", "fd00:9::/64", *STATES):
            assert word in whole, word


def titles():
    """Beside the pointer stands whose the address is, in the page and in the picture alone."""
    for form in ("html", "svg"):
        with shown(form) as (_, file, page):
            page.open(file, "light")
            cells = page.evaluate(CELLS)
            assert {cell["state"] for cell in cells} == set(STATES), "not every state is there"
            assert all(STATES[cell["state"]] == cell["letter"] for cell in cells)
            told = dict(cell["title"].split(" ", 1) for cell in cells if " " in cell["title"])
            for address, title in TITLES.items():
                assert told.get(address) == title, (form, address, told.get(address))


def colours():
    """Each state has its own, in light and in dark another one; letters can be read; what is computed is on the screen."""
    with shown() as (_, file, page):
        of_scheme, grounds = {}, {}
        for scheme in SCHEMES:
            page.open(file, scheme)
            cells = page.evaluate(CELLS)
            of_scheme[scheme] = fills(cells)
            grounds[scheme] = colour(page.evaluate(GROUND))
            are_apart(of_scheme[scheme], scheme)
            for cell in cells:
                ratio = contrast(colour(cell["ink"]), colour(cell["fill"]))
                assert ratio >= READABLE, f"{scheme}: {cell['state']}: {ratio:.1f}"
            is_on_the_screen(page, cells, grounds[scheme])
        assert of_scheme["light"].keys() == of_scheme["dark"].keys() == STATES.keys()
        for state in STATES:
            assert of_scheme["light"][state] != of_scheme["dark"][state], state
        assert brightness(grounds["dark"]) < 0.1 < 0.9 < brightness(grounds["light"]), grounds


def are_apart(colours, scheme):
    for (one, first), (other, second) in itertools.combinations(colours.items(), 2):
        distance = sum((a - b) ** 2 for a, b in zip(first, second)) ** 0.5
        assert distance >= APART, f"{scheme}: {one} and {other}: {distance:.0f}"


def is_on_the_screen(page, cells, ground):
    """The pixels of a picture of the page: within a corner of each cell, and beside the last one of a line."""
    pixels = browser.Pixels(page.picture())
    for cell in cells:
        assert pixels.at(cell["x"] + 3, cell["y"] + 3) == colour(cell["fill"]), cell
    last = max(cells, key=lambda cell: cell["x"])
    assert pixels.at(last["x"] + last["width"] + 4, last["y"] + 4) == ground, (last, ground)


def tenths():
    """A cell for many addresses has a colour of its own, in both schemes."""
    with shown(ranges=[[{"subnet": "10.9.0.0/20"}]], exclude=["10.9.4.0-10.9.5.255"]) as (_, file, page):
        for scheme in SCHEMES:
            page.open(file, scheme)
            colours = fills(page.evaluate(CELLS))
            assert colours.keys() == STATES.keys() | {"part"}, colours
            are_apart(colours, scheme)


def nothing_loaded():
    """No request but that for the file itself, and nothing to complain of."""
    for form in ("html", "svg"):
        with shown(form) as (_, file, page):
            for scheme in SCHEMES:
                page.open(file, scheme)
                assert page.requests() == [f"file://{file}"], page.requests()
                assert not page.complaints(), page.complaints()


def hostile_names():
    """What pods are called is text: nothing in it runs, or is looked for."""
    name = "<script>alert(1)<img src=http:x>&'\"]]>"
    with shown() as (node, _, page):
        node.write("networks/pods/10.9.0.20", "c3\r\neth0")
        node.cache("c3", f"shop/{name}", ["10.9.0.20"])
        try:
            file = drawn(node, "html")
        finally:
            shutil.rmtree("/var/lib/cni/results")
        page.open(file, "light")
        told = {cell["title"] for cell in page.evaluate(CELLS)}
        assert f"10.9.0.20 in-use shop/{name} eth0" in told, sorted(told)
        assert page.evaluate("document.querySelectorAll('script, img').length") == 0
        assert page.requests() == [f"file://{file}"] and not page.complaints(), (page.requests(), page.complaints())


def need_browser():
    if not browser.path():
        tap.skip(f"needs a browser: apt-get install {browser.PACKAGE} (100 MB), or name a Chromium in CHROMIUM")


def tests():
    return [
        ("the text of the page is that of the terminal", text),
        ("whose each cell is", titles),
        ("colours, in light and in dark, on the screen", colours),
        ("cells of large ranges", tenths),
        ("nothing is loaded", nothing_loaded),
        ("names that look like markup", hostile_names),
    ]


if __name__ == "__main__":
    tap.main("picture", tests, lambda: require(BINARY), need_browser, sandbox.enter, fake_boots)
