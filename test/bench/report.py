"""What a run tells: a table for people, JSON for the next run, and what has grown since an earlier one."""
import json

import budgets
import statistic
from contenders import DEBIAN, DELEGATE, EMPTY, NEWEST, OURS, TITLES

VERSION = 1  # of the JSON
# Smaller changes are none: nobody needs to hear of them where a count is the same each time, and what an empty process
# takes differs by as much from run to run.
SLACK = {"bytes": 0.01, "instructions": 0.01, "KiB": 0.05, "ms": 0.15, "ms of a processor": 0.15}


def document(points, skipped, machine):
    """What bench.json holds."""
    return {"version": VERSION, "machine": machine, "points": points, "skipped": skipped,
            "budgets": budgets.rows(points)}


def read(text):
    """What document() was written as. Errors: ValueError for anything else, and for another version."""
    run = json.loads(text)
    if not isinstance(run, dict) or run.get("version") != VERSION:
        raise ValueError(f"no benchmark of version {VERSION}")
    return run


def tables(run):
    """The text of a run, as lines."""
    machine, points = run["machine"], run["points"]
    yield (f"{machine['processors']} processors, Linux {machine['kernel']}, load {machine['load before']:.1f} before "
           f"and {machine['load after']:.1f} after; the disk has {machine['disk']}; medians (p10 to p90) of at most "
           f"{machine['rounds']} rounds")
    yield from ("", *_table(_timed(points)), "", *_table(_counted(points)), "", *_table(_budgets(run["budgets"])))
    if run["skipped"]:
        yield from ("", "not measured:", *(f"  {reason}" for reason in run["skipped"]))


def _timed(points):
    yield ["place", "reservations", "call, ms", "empty", "delegated-ipam", "x empty", "x empty, processor",
           "host-local", "newest", "x host-local"]
    processor = _grouped(points, "ms of a processor")
    for (place, size, what), by in _grouped(points, "ms").items():
        ours = by.get(OURS) or by.get(DELEGATE)
        if ours:
            used = processor.get((place, size, what), {})
            yield [place, size, what, *(_band(one) for one in (by.get(EMPTY), ours)), _times(ours, "per_empty"),
                   _times(used.get(OURS) or used.get(DELEGATE), "per_empty"),
                   *(_band(by.get(key)) for key in (DEBIAN, NEWEST)), _times(ours, "per_host_local")]


def _counted(points):
    yield ["place", "reservations", "what", "empty", "delegated-ipam", "host-local", "newest"]
    for unit in dict.fromkeys(point["unit"] for point in points if not point["unit"].startswith("ms")):
        for (place, size, what), by in _grouped(points, unit).items():
            if OURS in by and (unit != "KiB" or what in ("ADD", "DEL")):
                name = f"peak memory of {what}, KiB" if unit == "KiB" else what
                yield [place, size, name, *(_number(by.get(key)) for key in (EMPTY, OURS, DEBIAN, NEWEST))]


def _budgets(rows):
    yield ["place", "budget", "measured", "", "budget", ""]
    for row in rows:
        value = f"{row['value']:.0f}" if row["value"] >= 1000 else f"{row['value']:.3g}"
        yield [row["place"], row["what"], value, row["bound"], row["budget"], "met" if row["met"] else "missed"]


def _grouped(points, unit):
    """{(place, size, point): {who: point}} of one unit, in order."""
    found = {}
    for point in points:
        if point["unit"] == unit:
            found.setdefault((point["place"], point["size"], point["point"]), {})[point["who"]] = point
    return found


def _band(point):
    return f"{point['median']:.2f} ({point['p10']:.2f} to {point['p90']:.2f})" if point else "-"


def _times(point, name):
    return f"{point[name]['median']:.2f}" if point and name in point else "-"


def _number(point):
    return f"{point['median']:.0f}" if point else "-"


def _table(rows):
    """Columns as wide as they must be."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def compare(old, new):
    """What of ours has grown since an earlier run by more than the noise of both: (its lines, how many points both
    have). Times are compared as multiples of the empty process in their own run, or of host-local where that is the
    only one beside us, as machines and their load differ."""
    before = {_identity(point): point for point in old["points"]}
    grown, both = [], 0
    for point in new["points"]:
        earlier = before.get(_identity(point))
        if earlier is None or point["who"] not in (OURS, DELEGATE):
            continue
        both += 1
        one, other, unit = earlier, point, point["unit"]
        for name, beside in (("per_empty", "empty"), ("per_host_local", "host-local")):
            if unit != "KiB" and name in earlier and name in point:
                one, other, unit = earlier[name], point[name], f"x {beside} ({unit})"
                break
        if statistic.has_grown(one, other, SLACK.get(point["unit"], 0)):
            grown.append(f"{point['place']}, {point['size']} reservations, {point['point']}, "
                         f"{TITLES[point['who']]}: {_span(one)} -> {_span(other)} {unit}")
    return grown, both


def _identity(point):
    return point["place"], point["size"], point["point"], point["who"], point["unit"]


def _span(summary):
    return f"{summary['median']:.4g} ({summary['p10']:.4g} to {summary['p90']:.4g})"
