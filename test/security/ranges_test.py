#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Huge, tiny and many ranges: the work and the memory do not follow their size, counted in system calls, instructions
and address space, not in time.

usage: ranges_test.py [WORD ...]
"""
import itertools
import os

import odd
import plugin
import sandbox
import tap
import trace
from counting import assert_grows_slowly, instructions, valgrind
from node import Node, fake_boots
from plugin import BINARY, require

HOME = "/var/lib/cni/ranges"
ROOM = 64 << 20  # of address space
OF_SET = 8  # system calls that one address more may cost
ALMOST = 1.5  # what reading longer addresses may cost
ONES = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:"
numbers = itertools.count()


def new_node(sets, **ipam):
    node = Node(f"{HOME}/{next(numbers)}", sets, **ipam)
    os.makedirs(node.home)
    return node


def one(**spec):
    return [[spec]]


def call(node, command="ADD", container_id="c-1"):
    """A command with little room; its Outcome."""
    env, conf = node.request(command, container_id, "shop/web-0")
    return plugin.run(BINARY, env, conf, wrapper=("prlimit", f"--as={ROOM}"))


def counted(node):
    """An ADD and its system calls."""
    env, conf = node.request("ADD", "c-1", "shop/web-0")
    done, calls, _ = trace.run(BINARY, env, conf, follow=False)
    return done, calls


HUGE = [
    ("0.0.0.0/0", one(subnet="0.0.0.0/0"), {}, "0.0.0.2"),
    ("0.0.0.0/0, its last address", one(subnet="0.0.0.0/0", rangeStart="255.255.255.254"), {}, "255.255.255.254"),
    ("::/0", one(subnet="::/0"), {}, "::2"),
    ("::/0, its last address", one(subnet="::/0", rangeStart=ONES + "ffff"), {}, ONES + "ffff"),
    ("::/0, all but the last excluded", one(subnet="::/0"), {"exclude": [f"::-{ONES}fffe"]}, ONES + "ffff"),
    ("::/0, half of it excluded", one(subnet="::/0"), {"exclude": ["::/1"]}, "8000::"),
    ("::/0, every other quarter excluded", one(subnet="::/0"), {"exclude": ["::/2", "8000::/2"]}, "4000::"),
    ("an IPv6 /8", one(subnet="fd00::/8"), {}, "fd00::2"),
    ("an IPv4 /8, half of it excluded", one(subnet="10.0.0.0/8"), {"exclude": ["10.0.0.0/9"]}, "10.128.0.0"),
    ("both at once", [[{"subnet": "0.0.0.0/0"}], [{"subnet": "::/0"}]], {}, "0.0.0.2"),
]
CURSORS = [
    ("::/0, behind the last one", one(subnet="::/0"), ONES + "ffff", "::2"),
    ("::/0, before the last one", one(subnet="::/0"), ONES + "fffe", ONES + "ffff"),
    ("0.0.0.0/0, behind the last one", one(subnet="0.0.0.0/0"), "255.255.255.254", "0.0.0.2"),
    ("::/0, before an excluded half", one(subnet="::/0"), f"7fff:{ONES[5:]}ffff", "::2"),
]
REFUSED = [
    ("an IPv4 /31", one(subnet="10.9.0.0/31"), "too small"),
    ("an IPv4 /32", one(subnet="10.9.0.0/32"), "too small"),
    ("an IPv6 /127", one(subnet="fd00:9::/127"), "too small"),
    ("an IPv6 /128", one(subnet="fd00:9::/128"), "too small"),
    ("a start behind the end", one(subnet="::/0", rangeStart="8000::", rangeEnd="7fff::"), "RangeStart"),
    ("a start behind the end, IPv4", one(subnet="0.0.0.0/0", rangeStart="10.0.0.9", rangeEnd="10.0.0.8"), "RangeStart"),
    ("::/0 and a part of it", [[{"subnet": "::/0"}], [{"subnet": "fd00::/64"}]], "overlaps"),
    ("::/0, all of it excluded", one(subnet="::/0"), "no IP addresses available"),
]


def assert_few(calls, sets):
    """As many as with a /24."""
    counted(new_node(one(subnet="10.9.0.0/24")))  # the folders in /run are made
    done, usual = counted(new_node(one(subnet="10.9.0.0/24")))
    assert done.exit == 0 and len(calls) <= len(usual) + OF_SET * (len(sets) - 1) + 4, (len(calls), len(usual))


def served(sets, ipam, first):
    call(new_node(sets, **ipam))
    done, calls = counted(new_node(sets, **ipam))
    assert done.exit == 0 and done.addresses[0] == first, done
    assert_few(calls, sets)
    assert call(new_node(sets, **ipam)).addresses[0] == first


def instructions_of(sets, **ipam):
    node = new_node(sets, **ipam)
    return instructions(node, *node.request("ADD", "c-1", "shop/web-0"))


def no_more_work():
    """Of one address."""
    usual = instructions_of(one(subnet="10.9.0.0/24"))
    for sentence, sets, ipam, _ in HUGE:
        count = instructions_of(sets, **ipam) / len(sets)
        assert count <= ALMOST * usual, f"{sentence}: {count} instructions instead of {usual}"


def after(sets, cursor, first):
    node = new_node(sets, **({"exclude": ["8000::/1"]} if cursor.startswith("7fff") else {}))
    os.makedirs(node.network_dir)
    with open(f"{node.network_dir}/last_reserved_ip.0", "w") as file:
        file.write(cursor)
    done, calls = counted(node)
    assert done.exit == 0 and done.addresses == [first], done
    assert_few(calls, sets)


def refused(sets, words):
    node = new_node(sets, **({"exclude": ["::/0"]} if "available" in words else {}))
    done = call(node)
    assert done.exit == 1 and done.json["code"] == 999 and words in done.json["msg"] + done.json.get("details", ""), done
    assert node.attachments() == {}
    assert call(node, "DEL").exit == 0


def source_is_not_cut():
    """Just so long that what is read of it ends in a prefix length of one digit."""
    node = new_node([])
    del node.ipam["ranges"]
    path = f"{node.home}/subnet.env"
    comment = "#" * ((1 << 20) - len("\n10.244.1.0/2")) + "\n"
    with open(path, "w") as file:
        file.write(comment + "10.244.1.0/24\n")
    node.ipam["rangesFrom"] = {"subnetFile": path}
    done = call(node)
    assert done.exit == 1 and done.json["code"] == 11 and path in done.json["msg"], done


def many_sets(count):
    return [[{"subnet": f"fd00:{number >> 8:x}:{number & 255:x}::/64"}] for number in range(count)]


def many_ranges(count):
    return [[{"subnet": f"fd00:{number >> 8:x}:{number & 255:x}::/64"} for number in range(count)]]


def grows(command, make):
    """Ten times as many, at most fifteen times the work."""
    def cost(count):
        node = new_node(make(count))
        return instructions(node, *node.request(command, "c-1", "shop/web-0"))
    assert_grows_slowly(cost, (100, 1_000, 10_000))


def little_room(make, addresses):
    """Ten thousand of them, each with an address or together one."""
    node = new_node(make(10_000))
    done = call(node)
    assert done.exit == 0 and len(done.addresses) == addresses, done.stdout[:300]
    assert call(node, "DEL").exit == 0 and node.attachments() == {}


def table():
    for sentence, *arguments in HUGE:
        yield f"{sentence}: an address in as many system calls as ever", served, *arguments
    for sentence, *arguments in CURSORS:
        yield f"{sentence}: the cursor is walked from without a loop", after, *arguments
    for sentence, *arguments in REFUSED:
        yield f"{sentence}: refused, nothing left, and the DEL works", refused, *arguments
    yield "a source of ranges that is too long is refused, not cut", source_is_not_cut
    yield "no range takes more instructions than a /24", no_more_work
    yield "ten thousand range sets in little room", little_room, many_sets, 10_000
    yield "ten thousand ranges of one set in little room", little_room, many_ranges, 1
    for command in ("ADD", "DEL"):
        yield f"ten times the ranges of a set, at most fifteen times the work: {command}", grows, command, many_ranges
    yield "ten times the range sets, at most fifteen times the work: DEL", grows, "DEL", many_sets


def tests():
    for sentence, *rest in table():
        yield sentence, odd.in_folder, HOME, *rest


if __name__ == "__main__":
    tap.main("ranges", tests, lambda: require(BINARY), sandbox.enter, fake_boots, valgrind)
