#!/usr/bin/python3
"""The benchmark: whole processes, ours beside an empty static one and two host-locals, in turns in the same run.

Use test/bench/run.sh, which installs and builds what this needs. Asserts nothing about time: budgets are printed beside
what was measured, and `--compare` tells what has grown.
"""
import argparse
import json
import os
import platform
import sys

sys.dont_write_bytecode = True
FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [FOLDER, os.path.join(FOLDER, "../lib")]

import budgets  # noqa: E402
import place  # noqa: E402
import report  # noqa: E402
from contenders import LOOKS, TITLES, binaries  # noqa: E402
from counts import Counter  # noqa: E402
from measure import Bench, say  # noqa: E402
from plugin import BINARY, ROOT, require  # noqa: E402
from runner import Tools  # noqa: E402
from tap import Skip  # noqa: E402

SIZES = (0, 250, 1000, 10000, 60000)
SOME_SIZES = (0, 250, 10000)
QUICKLY_LOOKED_AT = 10000  # by the operator's tool; else budgets.LOOKED_AT


def options():
    parser = argparse.ArgumentParser(prog="test/bench/run.sh", description="Measures what ADD and DEL cost, and the "
                                     "operator's list and status.")
    parser.add_argument("--quick", action="store_true",
                        help="fewer sizes and rounds: under 2 minutes on an idle machine")
    parser.add_argument("--out", metavar="FOLDER", default=os.path.join(ROOT, "build/bench"),
                        help="where bench.json and bench.svg go (default: build/bench)")
    parser.add_argument("--compare", metavar="FILE", type=_earlier, help="print what has grown since this bench.json; "
                        "exit 1 if anything has")
    parser.add_argument("--place", choices=[*place.PLACES], action="append", help="only here (default: both)")
    parser.add_argument("--looks", action="store_true", help="nothing but the operator's list and status")
    return parser.parse_args()


def _earlier(path):
    """The earlier run, read before anything is measured."""
    try:
        with open(path) as file:
            return report.read(file.read())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}")


def measure(chosen, folder):
    """Everything; returns the document."""
    load = os.getloadavg()[0]
    rounds, seconds, times = (15, 3, 3) if chosen.quick else (50, 20, 5)
    others, missing = binaries()
    skipped = [f"{TITLES[key]}: {why}" for key, why in missing.items()]
    tools = Tools(place.MEMORY)
    bench, counter = Bench(tools, others, rounds, seconds), Counter(tools, others)
    places = chosen.place or list(place.PLACES)
    some = places[:1] if chosen.quick else places
    steps = [lambda where=where: bench.sizes(where, folder, SOME_SIZES if chosen.quick else SIZES) for where in places]
    steps += [lambda where=where: bench.odd_folders(where, folder) for where in some]
    looked_at = QUICKLY_LOOKED_AT if chosen.quick else budgets.LOOKED_AT
    looks = [lambda where=where: bench.looks(where, folder, looked_at) for where in some]
    steps += looks
    steps += [lambda where=where: bench.crowds(where, folder, times) for where in some]
    counted = []
    if "image" in places:
        steps.append(lambda: counted.extend(counter.all(folder)))
    steps += [lambda where=where: bench.storms(where, folder, times) for where in some]
    for step in looks if chosen.looks else steps:
        try:
            step()
        except Skip as reason:
            skipped.append(str(reason))
    machine = {"processors": os.cpu_count(), "kernel": platform.release(), "load before": load,
               "load after": os.getloadavg()[0], "rounds": rounds, "disk": place.file_system(folder)}
    return report.document(bench.points + counted, list(dict.fromkeys(skipped + counter.skipped)), machine)


def write(run, folder):
    """bench.json, and bench.svg; without the plotting library, or without calls, only the first."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "bench.json"), "w") as file:
        json.dump(run, file, indent=1)
        file.write("\n")
    if all(point["point"] in LOOKS for point in run["points"]):
        return  # the picture is of the calls
    try:
        import plot
    except ImportError as error:
        run["skipped"].append(f"no plot: {error}: apt-get install python3-matplotlib")
        return
    plot.draw(run, os.path.join(folder, "bench.svg"))


def tell_growth(old, new):
    """Print what has grown; returns the exit code and the words for the summary."""
    grown, both = report.compare(old, new)
    loads = [f"{run['machine']['load before']:.1f}" for run in (old, new)]
    print(f"\ncompared with a run under load {loads[0]}, this one {loads[1]}:")
    print("has grown:" if grown else "nothing has grown", *grown, sep="\n  ")
    return (1 if grown else 0), f"{len(grown)} of {both} points have grown"


def main():
    chosen = options()
    chosen.out = os.path.abspath(chosen.out)
    folder = place.enter()
    require(BINARY)
    run = measure(chosen, folder)
    say("writing")
    write(run, chosen.out)
    print(*report.tables(run), sep="\n")
    code, growth = tell_growth(chosen.compare, run) if chosen.compare else (0, "")
    met = sum(row["met"] for row in run["budgets"])
    print(f"{len(run['points'])} points, {met} of {len(run['budgets'])} budgets met, {len(run['skipped'])} not measured"
          f"{', ' + growth if growth else ''}; {chosen.out}/bench.json, bench.svg")
    sys.exit(code)


if __name__ == "__main__":
    main()
