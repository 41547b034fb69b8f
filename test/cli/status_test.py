#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""status: its verdict, what it counts, each thing that makes a reboot unsafe and that what it names mends it, metrics
that Prometheus takes; and it writes nothing but --out.

usage: status_test.py [--update] [WORD ...]

--update writes status.golden.txt from what the tool says now: read the difference before you keep it.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import tempfile
from xml.etree import ElementTree

import plugin
import promtool
import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, alike, changes_in, on_disk, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
SVG, HTML = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xhtml}"
FIVE = [[{"subnet": "10.9.0.0/29"}]]
KEEPS = {"exclude": ["10.9.0.12-10.9.0.13"], "pins": {"shop/pinned": ["10.9.0.9"]}}
METRIC = re.compile(r'^delegated_ipam_[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? \d+$')


def status(node, *arguments):
    """The answer as an object; the exit code is 0 when the verdict is ok."""
    done = tool.call("status", *node.look(), *arguments, "-o", "json")
    answer = json.loads(done.stdout)
    assert done.exit == (tool.FINE if answer["verdict"] == "ok" else tool.FOUND), done
    assert answer["safeToReboot"] == (answer["reason"] is None), answer
    return answer


def rules(node, *arguments):
    return sorted(finding["rule"] for finding in status(node, *arguments)["findings"])


def is_fine(node):
    answer = status(node)
    assert answer["verdict"] == "ok" and answer["safeToReboot"] and not answer["findings"], answer


def forms(golden):
    with on_disk("status", **KEEPS) as node:
        node.tell_two_boots()
        node.damage()
        for bad in (["-x"], [], ["-o", "json"], ["-o", "yaml"], ["-o", "prometheus"]):
            golden.call(f"damaged {' '.join(bad)}".strip(), "status", *node.look(), *bad, alike=alike(node))
        shutil.rmtree(node.network_dir)
        shutil.rmtree(node.state_dir)
        node.tell_two_boots()
        node.delete("e9", None)
        for good in (["-x"], [], ["-o", "prometheus"]):
            golden.call(f"in order {' '.join(good)}".strip(), "status", *node.look(), *good, alike=alike(node))


def maps(golden):
    """The ranges as pictures: one character an address, of large ones tenths, of IPv6 the lines in use."""
    with on_disk("status", [[{"subnet": "10.9.0.0/24", "rangeEnd": "10.9.0.219"}], [{"subnet": "fd00:9::/64"}]],
                      exclude=["10.9.0.40-10.9.0.60"], pins={"shop/pinned": ["10.9.0.9", "fd00:9::1:7"]}) as node:
        node.tell_two_boots()
        golden.call("a picture", "status", *node.look(), "--map", alike=alike(node))
    with on_disk("status", [[{"subnet": "fd00:1234:5678:9abc::/64", "rangeStart": "fd00:1234:5678:9abc::18"}]],
                      exclude=["fd00:1234:5678:9abc:1::/80"]) as node:
        node.tell_two_boots()
        golden.call("a picture of IPv6, most of it excluded", "status", *node.look(), "--map", alike=alike(node))
    with on_disk("status", [[{"subnet": "10.9.0.0/20"}]], exclude=["10.9.4.0-10.9.5.255"]) as node:
        os.makedirs(node.network_dir)
        for number in [*range(1, 32), *range(64, 69), *range(4080, 4095)]:
            node.write(f"networks/pods/10.9.{number // 256}.{number % 256}", f"c{number}\r\neth0")
        golden.call("a picture of a large range", "status", *node.look(), "--map", alike=alike(node))
    with on_disk("status", [[{"subnet": "10.9.0.0/30"}]]) as node:
        node.write("net.d/20-other.conflist", {"cniVersion": "1.0.0", "name": "other", "plugins": [
            {"type": "bridge", "ipam": {"type": "delegated-ipam", "delegate": {"type": "static"}}}]})
        golden.call("a picture of a small one, none of a network without", "status", *node.look(), "--map", alike=alike(node))


def cells_of(svg):
    """(class, title, letter) of each cell below the legend, of an <svg> that is parsed."""
    cells = []
    for cell in svg.findall(f"{SVG}g"):
        assert cell.find(f"{SVG}rect") is not None, cell
        cells.append((cell.get("class"), cell.find(f"{SVG}title").text, cell.find(f"{SVG}text").text))
    assert [letter for _, _, letter in cells[:5]] == list("#xhr."), cells[:5]
    return cells[5:]


def pictures(golden):
    """The map as a picture: a cell an address, of the right class, letter and title; a small one as it is."""
    with on_disk("status", [[{"subnet": "10.9.0.0/24", "rangeEnd": "10.9.0.219"}], [{"subnet": "fd00:9::/64"}]],
                      exclude=["10.9.0.40-10.9.0.60"], pins={"shop/pinned": ["10.9.0.9"]}) as node:
        node.tell_two_boots()
        svg = tool.call("status", *node.look(), "-o", "svg").stdout
        cells = [cell for cell in cells_of(ElementTree.fromstring(svg)) if cell[1].startswith("10.")]
        counted = collections.Counter((name, letter) for name, _, letter in cells)
        assert counted == {("in-use", "#"): 3, ("dead", "x"): 1, ("held", "h"): 1, ("reserved", "r"): 1 + 1 + 21,
                           ("free", "."): 219 - 28}, counted
        titles = [title for _, title, _ in cells]
        assert titles[:5] == ["10.9.0.1 reserved a gateway", "10.9.0.2 in-use shop/web-0 eth0", "10.9.0.3 in-use shop/web-1 eth0",
                              "10.9.0.4 dead shop/web-2 eth0", "10.9.0.5 held shop/web-3 eth0"], titles
        assert "10.9.0.9 reserved pinned to shop/pinned" in titles and "10.9.0.41 reserved excluded" in titles, titles
        out = f"{node.home}/status.html"
        done = tool.call("status", *node.look(), "-o", "html", "--out", out)
        assert done.exit == tool.FOUND and not done.stdout, done
        page = ElementTree.parse(out).getroot()
        text = page.find(f"{HTML}body/{HTML}pre").text
        whole = tool.call("status", *node.look()).stdout
        assert [line for line in text.splitlines() if "IN-USE" in line or "verdict" in line] == [
            line for line in whole.splitlines() if "IN-USE" in line or "verdict" in line], text
        assert len(cells_of(page.find(f"{HTML}body/{SVG}svg"))) == len(cells_of(ElementTree.fromstring(svg)))
        with open(out) as file:
            html = file.read()
        assert html.count("http") == 2 and "<script" not in html and "url(" not in html, html  # the names of namespaces
    with on_disk("status", [[{"subnet": "10.9.0.0/29"}]]) as node:
        node.add("c0", "shop/web-0")
        golden.call("a small picture as SVG", "status", *node.look(), "-o", "svg", alike=alike(node))
        golden.call("a small picture in a page", "status", *node.look(), "-o", "html", alike=alike(node))
    with on_disk("status", [[{"subnet": "10.9.0.0/20"}]], exclude=["10.9.4.0-10.9.5.255"]) as node:
        node.write("networks/pods/10.9.0.7", "c7\r\neth0")
        cells = cells_of(ElementTree.fromstring(tool.call("status", *node.look(), "-o", "svg").stdout))
        assert len(cells) == 256 and cells[0] == ("part", "10.9.0.0-10.9.0.15 1 tenth taken", "1"), cells[0]
        assert cells[64] == ("reserved", "10.9.4.0-10.9.4.15 reserved", "r"), cells[64]


def hostile_pictures():
    """Names that pods and files have are text there, whatever is in them."""
    name = "<script>alert(1)</script>&'\"]]>"
    with on_disk("status", [[{"subnet": "10.9.0.0/29"}]]) as node:
        node.add("c0", "shop/web-0")
        node.write("networks/pods/10.9.0.3", "c3\r\neth0")
        node.cache("c3", f"shop/{name}".replace("</", "<"), ["10.9.0.3"])
        node.write("networks/pods/<b>&amp;\u202e", "x")
        for form in ("svg", "html"):
            text = tool.call("status", *node.look(), "-o", form).stdout
            found = ElementTree.fromstring(text)
            svg = found if form == "svg" else found.find(f"{HTML}body/{SVG}svg")
            title, = (title for _, title, _ in cells_of(svg) if title.startswith("10.9.0.3 "))
            assert title.startswith("10.9.0.3 in-use shop/<script>alert(1)<") and title.endswith("&'\"]]> eth0"), title
            assert not [one for one in found.iter() if one.tag.endswith(("script", "}b"))], text
        assert "<b>&amp;\\u202e" in found.find(f"{HTML}body/{HTML}pre").text, found.find(f"{HTML}body/{HTML}pre").text
    shutil.rmtree("/var/lib/cni/results")


def refused(golden):
    with on_disk("status") as node:
        for wrong in (["--out", "x"], ["-x", "-o", "json"], ["-o", "name"], ["-o", "prometheus", "--out", "/nowhere/x"],
                      ["-o", "prometheus", "--out", node.home], ["--map", "-x"], ["--map", "-o", "json"], ["-o", "svg", "-x"],
                      ["-o", "html", "--map"]):
            title = f"refused {' '.join(wrong).replace(node.home, 'FOLDER')}"
            done = golden.call(title, "status", *node.look(), *wrong, alike=alike(node))
            assert done.exit == tool.USAGE and not done.stdout, done


def counts():
    """Every address of the ranges is in one state; `list` shows as many of each."""
    with on_disk("status", **KEEPS) as node:
        node.tell_two_boots()
        network, = status(node)["networks"]
        assert sum(network[key] for key in ("inUse", "held", "reserved", "free", "dead")) == 14 + 255, network
        assert network["range"] == "10.9.0.0/28,fd00:9::/120" and network["boot"] == BOOTS[1][:8], network
        for state, key in (("in-use", "inUse"), ("held", "held"), ("dead", "dead")):
            assert len(tool.must("list", *node.look(), "--state", state, "-o", "name").split()) == network[key], state
        node.configure(node.conf(ranges=[[{"subnet": "fd00::/64"}]], exclude=[], pins={}))
        network, = status(node)["networks"]
        assert network["free"] == 2**64 - 2, network  # neither the network itself nor the gateway


def a_reboot_is_safe():
    """It says yes, and after the reboot every pod is where it was."""
    with on_disk("status") as node:
        new_boot(BOOTS[0])
        had = {number: node.add(f"c{number}", f"shop/web-{number}") for number in range(4)}
        is_fine(node)
        new_boot(BOOTS[1])
        is_fine(node)
        for number in reversed(range(4)):
            assert node.add(f"d{number}", f"shop/web-{number}") == had[number]


def not_bound():
    """A caller without a pod; no finding for a pod that is not to be held, nor for Cilium's own."""
    with on_disk("status", retain={"exclude": ["batch/*"]}) as node:
        node.add("c0", "shop/web-0")
        node.cache("j0", "batch/job", node.add("j0", "batch/job"))
        node.add("cilium-ingress-1", None)
        is_fine(node)
        plain, _ = node.add("p0", None)
        answer = status(node)
        assert [finding["rule"] for finding in answer["findings"]] == ["not-bound"], answer
        assert plain in answer["reason"] and not answer["safeToReboot"], answer
        node.delete("p0", None)
        is_fine(node)
    shutil.rmtree("/var/lib/cni/results")


def nothing_is_kept():
    require(HOST_LOCAL)
    with on_disk("status", FIVE, binary=HOST_LOCAL) as node:
        node.configure({**node.conf(), "ipam": {"type": "host-local", "ranges": FIVE, "dataDir": node.data_dir}})
        is_fine(node)
        node.add("c0", "shop/web-0")
        assert rules(node) == ["nothing-kept"]
    with on_disk("status", retain=False) as node:
        node.add("c0", "shop/web-0")
        assert rules(node) == ["nothing-kept"]


def in_memory():
    with Looked("/var/lib/cni/status", name="pods") as node:
        node.add("c0", "shop/web-0")
        assert rules(node) == ["state-in-memory"]


def read_only():
    """The disk and /run; and a release that waits for them is told until it is done."""
    with on_disk("status") as node:
        node.add("c0", "shop/web-0")
        script = ('mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9; shift; exec "$@"')
        wrapper = ("unshare", "--mount", "sh", "-c", script, "sh", node.home)
        answer = json.loads(tool.call("status", *node.look(), "-o", "json", wrapper=wrapper).stdout)
        assert [one["rule"] for one in answer["findings"]] == ["disk-read-only"] * 2, answer
        assert not answer["safeToReboot"], answer
        assert node.call("DEL", "c0", "shop/web-0", wrapper=wrapper).exit == 0
        assert rules(node) == ["release-pending"]
        node.add("c1", "shop/web-1")
        is_fine(node)


def ranges_remembered():
    """A source that may be gone after the reboot: unsafe until an ADD has remembered what it gives."""
    with on_disk("status") as node:
        source = node.write("subnet.env", "FLANNEL_NETWORK=10.9.0.0/16\nFLANNEL_SUBNET=10.9.1.1/24\n")
        node.ipam = {"rangesFrom": {"subnetFile": source}}
        node.configure(node.conf())
        assert rules(node) == ["ranges-not-remembered"]
        node.add("c0", "shop/web-0")
        is_fine(node)
        os.unlink(source)
        is_fine(node)
        assert status(node)["networks"][0]["range"] == "10.9.1.0/24"
        shutil.rmtree(node.state_dir)
        answer = status(node)
        assert sorted(one["rule"] for one in answer["findings"]) == [
            "not-bound", "ranges-missing", "ranges-not-remembered"], answer
        assert not answer["safeToReboot"] and answer["verdict"] == "error", answer


def pool_low():
    with on_disk("status", [[{"subnet": "10.9.0.0/27"}]]) as node:
        for number in range(26):
            node.add(f"c{number}", f"shop/web-{number}")
        is_fine(node)
        node.add("c26", "shop/web-26")
        answer = status(node)
        assert [one["rule"] for one in answer["findings"]] == ["pool-low"] and answer["safeToReboot"], answer
        assert answer["verdict"] == "warning", answer


def will_move():
    """What today's configuration or a lost record keeps from a pod is told before the reboot, and comes true."""
    sixteen = [[{"subnet": "10.9.0.0/28"}]]
    changes = {"excluded": {"exclude": ["10.9.0.2"]}, "another's pin": {"pins": {"shop/other": ["10.9.0.2"]}},
               "its pin elsewhere": {"pins": {"shop/web-0": ["10.9.0.14"]}},
               "another range": {"ranges": [[{"subnet": "10.9.1.0/28"}]]}, "its record is lost": {}}
    for what, change in changes.items():
        with on_disk("status", sixteen) as node:
            new_boot(BOOTS[0])
            had = node.add("c0", "shop/web-0")
            is_fine(node)
            node.configure(node.conf(**change))
            if not change:
                os.unlink(f"{node.record_dir}/pod.shop_web-0@eth0")
            answer = status(node)
            assert [one["rule"] for one in answer["findings"]] == ["will-move"], (what, answer)
            assert had[0] in answer["reason"] and not answer["safeToReboot"], (what, answer)
            new_boot(BOOTS[1])
            assert node.add("d0", "shop/web-0", **change) != had, what


def nobodys_file():
    """A bound address whose file names no attachment any more is never taken over; an empty one is, after the reboot."""
    with on_disk("status", [[{"subnet": "10.9.0.0/28"}]]) as node:
        new_boot(BOOTS[0])
        had = node.add("c0", "shop/web-0")
        node.write(f"networks/{node.name}/{had[0]}", "a note")
        answer = status(node)
        assert sorted(one["rule"] for one in answer["findings"]) == ["store-file-note", "will-move"], answer
        assert not answer["safeToReboot"], answer
        new_boot(BOOTS[1])
        assert node.add("d0", "shop/web-0")[0] != had[0]


def torn_configuration():
    with on_disk("status") as node:
        node.add("c0", "shop/web-0")
        node.write("net.d/10-pods.conflist", '{"cniVersion": "1.0.0", "name": "pods", "plugins": [')
        answer = status(node)
        assert not answer["safeToReboot"] and answer["verdict"] == "error", answer
        assert {"conf-unreadable", "ranges-unknown"} <= {one["rule"] for one in answer["findings"]}, answer


def flannels_file():
    """Flannel's ranges in memory end with the boot; on a disk they are there without the API server."""
    text = "FLANNEL_NETWORK=10.9.0.0/16\nFLANNEL_SUBNET=10.9.0.1/28\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
    with on_disk("status", [[{"subnet": "10.9.0.0/28"}]]) as node:
        node.add("c0", "shop/web-0")
        in_memory_file = "/run/subnet.env"
        with open(in_memory_file, "w") as file:
            file.write(text)
        for path, expected in ((in_memory_file, ["ranges-in-memory"]), (node.write("subnet.env", text), [])):
            ipam = {key: value for key, value in node.conf()["ipam"].items() if key != "ranges"}
            plugin = {"type": "flannel", "subnetFile": path, "ipam": ipam}
            node.write("net.d/10-pods.conflist", {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]})
            assert rules(node) == expected, path
        os.unlink(in_memory_file)


def low_in_one_family():
    with on_disk("status", [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/64"}]]) as node:
        for number in range(13):
            node.add(f"c{number}", f"shop/web-{number}")
        assert rules(node) == ["pool-low"]


def metrics():
    """Into a file, by rename; the tool that Prometheus has for it finds nothing wrong."""
    with on_disk("status", **KEEPS) as node:
        node.tell_two_boots()
        out = f"{node.home}/delegated-ipam.prom"
        text = tool.call("status", *node.look(), "-o", "prometheus").stdout
        node.write("delegated-ipam.prom", "old")
        before = os.stat(out).st_ino
        done = tool.call("status", *node.look(), "-o", "prometheus", "--out", out)
        assert done.exit == tool.FOUND and not done.stdout and not done.stderr, done
        with open(out) as file:
            assert file.read() == text
        assert os.stat(out).st_ino != before and os.stat(out).st_mode & 0o777 == 0o644
        assert [name for name in os.listdir(node.home) if name.startswith(".")] == []
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        assert samples and all(METRIC.match(line) for line in samples), samples


def checked_by_promtool():
    found = promtool.path()
    with on_disk("status", **KEEPS) as node:
        node.tell_two_boots()
        text = tool.call("status", *node.look(), "-o", "prometheus").stdout
        done = subprocess.run([found, "check", "metrics"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done


def never_writes():
    with on_disk("status", **KEEPS) as node:
        for step in (lambda: None, node.tell_two_boots, node.damage):
            step()
            before = snapshot(node.home, "/run")
            _, calls = traced(BINARY, "status", *node.look())
            assert not changes_in(calls), changes_in(calls)
            assert snapshot(node.home, "/run") == before


def nothing_there():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        done = tool.call("status", "--root", folder, "-x")
        assert done.exit == tool.FOUND and done.stderr.startswith("no network found in "), done
        assert done.stdout == "warning; safe to reboot: no: no network found\n", done


def tests(golden):
    golden.begin()
    return [
        ("every form, of a damaged node and of one in order", forms, golden),
        ("pictures of the ranges", maps, golden),
        ("what is refused, and the remedy", refused, golden),
        ("each address counts in one state", counts),
        ("where it says that a reboot is safe, every pod keeps its address", a_reboot_is_safe),
        ("addresses that are bound to nobody", not_bound),
        ("a network whose addresses are not kept", nothing_is_kept),
        ("state in memory", in_memory),
        ("a disk that takes no changes, and a release that waits for it", read_only),
        ("ranges of a source that may be gone", ranges_remembered),
        ("a pool that is nearly used up", pool_low),
        ("addresses that their pods will not get again", will_move),
        ("a bound address whose file is nobody's", nobodys_file),
        ("a torn configuration", torn_configuration),
        ("Flannel's ranges in memory and on a disk", flannels_file),
        ("a pool of one family that is nearly used up", low_in_one_family),
        ("the ranges as SVG and HTML", lambda: pictures(golden)),
        ("pictures of hostile names", hostile_pictures),
        ("metrics into a file, by rename", metrics),
        ("metrics as promtool wants them", checked_by_promtool),
        ("never a system call that changes a file", never_writes),
        ("a node without any network", nothing_there),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/status.golden.txt") as kept:
        tap.main("status", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
