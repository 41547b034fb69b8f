#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""release: what is kept for a pod, and who is dead, given up by hand; never who may be alive. show --history tells of it.

usage: release_test.py [--update] [WORD ...]

--update writes release.golden.txt from what the tool says now: read the difference before you keep it.
"""
import fcntl
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, snapshot
from node import fake_boots, new_boot
from plugin import BINARY, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/release"
# web-0 and web-1 are in use, web-2 is dead, web-3 is held, e9 is a plain caller's.
SUBJECTS = [("web-3",), ("shop/web-3",), ("web-3", "-n", "shop"), ("shop/web-0",), ("shop/web-2",), ("shop/nobody",),
            ("10.9.0.2",), ("10.9.0.4",), ("fd00:9::4",), ("10.9.0.5",), ("10.9.0.6",), ("10.9.0.1",), ("10.9.0.14",),
            ("10.77.0.1",), ("10.9.0.2", "--force"), ("10.9.0.6", "--force"), ("shop/web-3", "--force"),
            ("shop/web-3", "--root", "/"), ("10.9.0.4", "-o", "json"), ("shop/web-3", "-o", "yaml"),
            ("10.9.0.4", "-o", "name"), ("10.9.0.0/28",), ()]


def release(node, *arguments):
    return tool.call("release", *node.look(), *arguments)


def history(node, subject):
    items = json.loads(tool.call("show", *node.look(), "--history", subject, "-o", "json").stdout)["history"]
    return [(item["command"], item["address"], item["was"], item["becomes"]) for item in items]


def dry_run(golden):
    """What it says of each state, and nothing is written."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        before = snapshot(HOME, "/run")
        for subject in SUBJECTS:
            node.calls(golden, "release")(" ".join(subject) or "nothing named", *subject)
        after = snapshot(HOME, "/run")
        assert before == after, before.items() ^ after.items()


AS_EDGE_7 = {"NODE_NAME": "edge-7"}


def reported(node, *arguments):
    """The file with what report says now, as it is on a node of this name."""
    done = tool.call("report", *node.look(), "-o", "json", *arguments, env=AS_EDGE_7)
    return node.write("report.json", done.stdout)


def by_report(node, file, *arguments, **more):
    return tool.call("release", *node.look(), "--from-report", file, *arguments, env=AS_EDGE_7, **more)


def lose_pods(node):
    """Of seven pods two are back, one was deleted before the boot; of the others two sandboxes are deleted, two never."""
    new_boot(BOOTS[0])
    for number in range(7):
        node.add(f"c{number}", f"shop/web-{number}", uid=f"uid-{number}")
    node.delete("c3", "shop/web-3")
    new_boot(BOOTS[1])
    for number in (0, 1, 4, 6):
        node.delete(f"c{number}", f"shop/web-{number}")
    for number in range(2):
        node.add(f"d{number}", f"shop/web-{number}", uid=f"uid-{number}")


def missing_given_back(golden):
    """What report tells to be MISSING is given back, whoever came back meanwhile keeps what he has, all others too."""
    with Looked(HOME, name="pods") as node:
        lose_pods(node)
        file = reported(node)
        before = snapshot(HOME, "/run")
        call = node.calls(golden, "release")
        assert call("--from-report, nobody back", "--from-report", file, env=AS_EDGE_7).exit == tool.FINE
        assert snapshot(HOME, "/run") == before
        node.add("d5", "shop/web-5", uid="uid-5")
        node.add("d6", "shop/web-6", uid="uid-6")
        node.delete("d6", "shop/web-6")
        dry = call("--from-report, two back", "--from-report", file, env=AS_EDGE_7)
        bound = node.bindings()
        done = by_report(node, file, "--apply")
        assert (done.exit, done.stdout) == (tool.FOUND, dry.stdout) and not done.stderr, done
        gone = {"10.9.0.4", "fd00:9::4", "10.9.0.6", "fd00:9::6"}
        assert node.bindings() == {name: one for name, one in bound.items() if name not in gone}, node.bindings()
        assert not gone & set(node.entries()) and node.addresses_of("d5"), node.entries()
        assert history(node, "10.9.0.4") == [("release", "10.9.0.4", "dead", "free")]
        assert history(node, "10.9.0.6") == [("release", "10.9.0.6", "held", "free")]
        assert history(node, "10.9.0.7") == history(node, "10.9.0.5") == history(node, "10.9.0.2") == []
        call("--from-report again", "--from-report", file, "--apply", env=AS_EDGE_7)


def nothing_left():
    """A second time there is nothing to do; from standard input, and of some of the pods only."""
    with Looked(HOME, name="pods") as node:
        lose_pods(node)
        with open(reported(node, "--outcome", "missing", "-n", "shop")) as file:
            text = file.read()
        first = by_report(node, "-", "--apply", "-o", "json", stdin=text)
        items = json.loads(first.stdout)["items"]
        assert first.exit == tool.FINE and len(items) == 8 and {item["becomes"] for item in items} == {"free"}, first
        again = by_report(node, "-", "--apply", stdin=text)
        assert again.exit == tool.FINE and not again.stdout and "nothing is kept" in again.stderr, again
        assert sorted({one.pod for one in node.bindings().values()}) == ["web-0", "web-1", "web-3"]


def back_in_between():
    """Who comes back between the look and the lock keeps what he has, whether it was dead or held; also when he ends again."""
    for pod, ends in (("web-4", False), ("web-2", False), ("web-4", True), ("web-2", True)):
        with Looked(HOME, name="pods") as node:
            lose_pods(node)
            with open(reported(node, "--outcome", "missing")) as file:
                text = file.read()
            pipe = node.write("pipe", "")
            os.remove(pipe)
            os.mkfifo(pipe)
            process = subprocess.Popen([BINARY, "release", *node.look(), "--from-report", pipe, "--apply"],
                                       env={**os.environ, **AS_EDGE_7}, stdout=subprocess.PIPE, text=True)
            with open(pipe, "w") as file:  # is open when the tool has looked, and reads
                addresses = node.add("d9", f"shop/{pod}")
                if ends:
                    node.delete("d9", f"shop/{pod}")
                file.write(text)
            said = process.communicate()[0]
            assert process.returncode == tool.FOUND, said
            rows = [line for line in said.splitlines() if f" {pod} " in line]
            assert len(rows) == 2 and all("in use, or used since it was looked at" in line for line in rows), said
            assert node.addresses_of("d9") == ([] if ends else addresses), node.entries()
            assert all(node.bindings()[address].pod == pod for address in addresses), node.bindings()
            assert [was for _, _, _, was in history(node, addresses[0])][0] == "free", history(node, addresses[0])
            assert sum(one.pod == other for one in node.bindings().values() for other in ("web-5", "web-6")) == 0


def wrong_reports(golden):
    """What is no report of here and now is refused, and nothing is changed."""
    with Looked(HOME, name="pods") as node:
        lose_pods(node)
        with open(reported(node)) as file:
            good = json.load(file)
        before = snapshot(HOME, "/run")

        def refused(title, text, *arguments):
            with tempfile.NamedTemporaryFile("w", dir="/run", suffix=".json") as file:
                file.write(text if isinstance(text, str) else json.dumps(text))
                file.flush()
                done = by_report(node, file.name, "--apply", *arguments)
            assert done.exit == tool.USAGE and not done.stdout, done
            golden.check(f"release: --from-report refuses {title}", done.stderr.replace(file.name, "report.json"))

        def missing_with(**more):
            return {**good, "items": [{**item, **more} for item in good["items"] if item["outcome"] == "MISSING"]}

        refused("another node's", {**good, "node": "edge-8"})
        refused("another boot's", {**good, "boot": "b0070009"})
        refused("one that names no boot", {key: value for key, value in good.items() if key != "boot"})
        refused("one against an export", {**good, "against": "/backup/edge-7.json"})
        refused("another network's", missing_with(network="lan"))
        refused("another folder's", missing_with(folder="/var/lib/cni/networks/pods"))
        refused("a pod without a name", missing_with(pod=None))
        refused("an outcome that is no text", missing_with(outcome=7))
        refused("items that are no list", {**good, "items": {}})
        refused("a later version's", {**good, "schemaVersion": 2})
        refused("an export", {**good, "kind": "export"})
        refused("a list", [])
        refused("a torn one", json.dumps(good)[:200])
        refused("an empty one", "")
        refused("a pod beside it", good, "shop/web-2")
        refused("-n beside it", good, "-n", "shop")
        refused("--force beside it", good, "--force")
        node.calls(golden, "release")("--from-report of nothing", "--from-report", "/run/missing.json")
        assert snapshot(HOME) == {path: value for path, value in before.items() if path.startswith(HOME)}


def damaged(golden):
    """An address whose file names no attachment is nobody's to free, not by --force either."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        node.damage()
        before = node.entries()
        for address in ("10.9.0.8", "10.9.0.10", "10.9.0.11"):
            done = node.calls(golden, "release")(f"damaged {address}", address, "--force", "--apply")
            assert done.exit == tool.FOUND
        assert node.entries() == before


def same_text(golden):
    """--apply does what the dry run said, in the same words; the second time there is nothing to do."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        for subject, gone in (("shop/web-3", ()), ("10.9.0.4", ("10.9.0.4", "fd00:9::4"))):
            dry, done = release(node, subject), release(node, subject, "--apply")
            assert (done.exit, done.stdout) == (tool.FINE, dry.stdout) and not done.stderr and "dry run" in dry.stderr, done
            assert not set(gone) & set(node.entries()), node.entries()
            node.calls(golden, "release")(f"{subject} again", subject, "--apply")
        assert {name for name in node.bindings() if name.endswith(".5")} == set(), node.bindings()
        assert node.bindings()["10.9.0.4"].pod == "web-2" and node.bindings()["10.9.0.4"].sequence > 0, node.bindings()
        assert history(node, "shop/web-3") == [("release", "10.9.0.5", "held", "free"), ("release", "fd00:9::5", "held", "free")]
        assert history(node, "10.9.0.4") == [("release", "10.9.0.4", "dead", "held")]
        title = node.calls(golden, "show")
        stamps = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
        done = tool.call("show", *node.look(), "--history", "10.9.0.4")
        golden.check("show: --history 10.9.0.4", stamps.sub("2026-12-01T03:12:45Z", done.stdout))
        title("--history of nothing", "--history", "10.9.0.2")
        assert node.add("f2", "shop/web-2") == ["10.9.0.4", "fd00:9::4"]


def alive_stays():
    """Who runs in this boot is never freed without --force; a pod in use stays bound."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        before, bound = node.attachments(), node.bindings()
        for subject in ("10.9.0.2", "10.9.0.6", "shop/web-0"):
            done = release(node, subject, "--apply")
            assert done.exit == tool.FOUND and not done.stderr, done
        assert (node.attachments(), node.bindings()) == (before, bound)
        assert history(node, "10.9.0.2") == []
        assert release(node, "10.9.0.6", "--force", "--apply").exit == tool.FINE
        assert not node.addresses_of("e9") and node.addresses_of("d0")


def foreign_writer():
    """Of what the Go plugin made nothing is proven; where it is in use itself, no state folder comes of a release."""
    with Looked(HOME, name="pods") as node:
        node.configure({"cniVersion": "1.0.0", "name": "pods", "type": "bridge",
                        "ipam": {"type": "host-local", "dataDir": node.data_dir, "ranges": [[{"subnet": "10.9.0.0/28"}]]}})
        os.makedirs(node.network_dir)
        node.write("networks/pods/10.9.0.2", "0" * 64 + "\r\neth0")
        assert release(node, "10.9.0.2", "--apply").exit == tool.FOUND
        assert node.entries() == ["10.9.0.2"]
        assert release(node, "10.9.0.2", "--apply", "--force").exit == tool.FINE
        assert "10.9.0.2" not in node.entries() and not os.path.exists(node.state_dir)


def several_namespaces():
    with Looked(HOME, name="pods") as node:
        for number, pod in enumerate(("shop/web-0", "test/web-0")):
            node.add(f"c{number}", pod)
            node.delete(f"c{number}", pod)
        assert "shop, test" in tool.refused("release", *node.look(), "web-0", "--apply")
        assert len(node.bindings()) == 4


def held_by_others():
    """While somebody has the lock for long, nothing is changed; a line that says so."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        with open(f"{node.network_dir}/lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = release(node, "10.9.0.4", "--apply")
        assert done.exit == tool.USAGE and "lock" in done.stderr, done
        assert "10.9.0.4" in node.entries()


def killed():
    """Killed at any moment: what changed was announced, and the same call ends it."""
    for round_number in range(12):
        with Looked(HOME, name="pods") as node:
            node.tell_two_boots()
            process = subprocess.Popen([BINARY, "release", *node.look(), "10.9.0.4", "--apply"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(0.002 * round_number)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if not {"10.9.0.4", "fd00:9::4"} <= set(node.entries()):
                assert history(node, "10.9.0.4"), "freed, and not announced"
            assert release(node, "fd00:9::4", "--apply").exit == tool.FINE
            assert release(node, "10.9.0.4", "--apply").exit == tool.FINE
            assert not {"10.9.0.4", "fd00:9::4"} & set(node.entries())


def bounded():
    """The file of what was done grows no further than 64 KiB, and begins with a whole line."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        path = f"{node.record_dir}/audit"
        assert release(node, "shop/web-3", "--apply").exit == tool.FINE
        with open(path) as file:
            line = file.readlines()[0]
        with open(path, "w") as file:
            file.write(line * 400)
        assert release(node, "10.9.0.4", "--apply").exit == tool.FINE
        with open(path) as file:
            text = file.read()
        assert 60_000 < len(text) <= 65_536 and all(json.loads(one) for one in text.splitlines()), len(text)
        assert history(node, "10.9.0.4")


def tests(golden):
    golden.begin()
    return [
        ("a dry run of pods and addresses in every state", dry_run, golden),
        ("pods that a report tells to be missing are given back, who is back is not", missing_given_back, golden),
        ("given back once; from standard input", nothing_left),
        ("who comes back meanwhile keeps his address", back_in_between),
        ("reports of elsewhere, of another time, or that are none", wrong_reports, golden),
        ("files that name no attachment stay", damaged, golden),
        ("--apply does what the dry run said, once, and show --history tells it", same_text, golden),
        ("nobody who may be alive is freed without --force", alive_stays),
        ("a folder that only the Go plugin wrote", foreign_writer),
        ("a pod's name in several namespaces", several_namespaces),
        ("a lock that is never free", held_by_others),
        ("killed at any moment", killed),
        ("the file of what was done is bounded", bounded),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/release.golden.txt") as kept:
        tap.main("release", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
