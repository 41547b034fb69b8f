"""Work counted in instructions (callgrind), not in time. A suite that uses it names valgrind() among its needs."""
import re
import shutil

import plugin
import tap

MOST = 15  # times the work for ten times the input
LONGEST = 600  # seconds of a run that is counted


def valgrind():
    if not shutil.which("valgrind"):
        tap.skip("needs valgrind: apt-get install valgrind")


def counting(path):
    """The command that counts instructions into this file."""
    return ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={path}")


def counted(path):
    with open(path) as file:
        text = file.read()
    found = re.search(r"Collected : (\d+)", text)
    assert found, text
    return int(found[1])


def instructions(node, env, conf):
    """Of one call of the plugin that must succeed."""
    log = f"{node.home}/counted"
    done = plugin.run(node.binary, env, conf, wrapper=counting(log), timeout=LONGEST)
    assert done.exit == 0, done
    return counted(log)


def assert_grows_slowly(cost, sizes):
    """cost(n): the instructions for n of something; sizes: each ten times the one before."""
    costs = [cost(size) for size in sizes]
    print(f"# {', '.join(f'{size}: {count / 1e6:.1f} million' for size, count in zip(sizes, costs))}")
    for less, more in zip(costs, costs[1:]):
        assert more <= MOST * less, costs
