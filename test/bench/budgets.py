"""The promises about cost, and whether a run has kept them: an idle machine's matter. Nothing here fails a test."""
from contenders import CROWD_POINT, OURS, STORM_POINT

AT_MOST, AT_LEAST = "at most", "at least"
FLAT = 1.15
PER_EMPTY = {"ADD": 2.5, "DEL": 2.3, "DEL unknown": 1.6, "ADD not durable": 1.7}
FASTER = {0: 2.3, 250: 4, 1000: 10, 10000: 70}  # ADD, by reservations
CROWDS = {CROWD_POINT: 0.35, STORM_POINT: 0.5}
CALLS = {"ADD": 60, "DEL": 50, "ADD first of a boot": 85}
FLUSHES = {"ADD": 2, "ADD dual stack": 2, "DEL": 2, "DEL unknown": 0}
PEAK = 4096  # KiB, of what a runtime calls
LOOKS = {"list": 1000, "status": 500}  # ms at LOOKED_AT reservations, of the operator's tool
LOOKED_AT = 60000
BINARY = 3_000_000  # bytes


def rows(points):
    """[{"what", "place", "value", "bound", "budget", "met"}] for what this run has measured."""
    index = {(point["place"], point["size"], point["point"], point["who"]): point for point in points
             if point["unit"] not in ("KiB", "ms of a processor")}
    peaks = [point for point in points if point["unit"] == "KiB" and point["who"] == OURS and point["point"] not in LOOKS]
    made = []
    for place in dict.fromkeys(point["place"] for point in points):
        for row in (*_per_empty(index, place), *_faster(index, place), *_crowds(index, place), *_looks(index, place),
                    *_peak(peaks, place)):
            made.append({"place": place, **row})
        made += [{"place": place, **row} for row in _counted(index, place)]
    return made


def _row(what, value, bound, budget):
    met = value <= budget if bound == AT_MOST else value >= budget
    return {"what": what, "value": value, "bound": bound, "budget": budget, "met": met}


def _ratio(index, place, size, point, name):
    found = index.get((place, size, point, OURS))
    return found[name]["median"] if found and name in found else None


def _sizes(index, place):
    """The numbers of reservations of this run, smallest first."""
    return sorted({size for where, size, point, _ in index if where == place and point == "DEL unknown"})


def _per_empty(index, place):
    for point, budget in PER_EMPTY.items():
        sizes = _sizes(index, place)
        at = {size: _ratio(index, place, size, point, "per_empty") for size in sizes}
        at = {size: ratio for size, ratio in at.items() if ratio is not None}
        if 0 in at:
            yield _row(f"{point} at 0, times an empty static process", at[0], AT_MOST, budget)
            largest = max(at)
            if largest:
                yield _row(f"{point}: the same at {largest} over that at 0", at[largest] / at[0], AT_MOST, FLAT)


def _faster(index, place):
    for size, budget in FASTER.items():
        ratio = _ratio(index, place, size, "ADD", "per_host_local")
        if ratio:
            yield _row(f"ADD at {size}, times faster than Debian's host-local", 1 / ratio, AT_LEAST, budget)


def _crowds(index, place):
    for (where, size, point, who) in index:
        if where == place and who == OURS and point in CROWDS:
            ratio = _ratio(index, place, size, point, "per_host_local")
            if ratio:
                yield _row(f"{point}, last one done, of host-local's time", ratio, AT_MOST, CROWDS[point])


def _looks(index, place):
    for look, budget in LOOKS.items():
        found = index.get((place, LOOKED_AT, look, OURS))
        if found:
            yield _row(f"{look} at {LOOKED_AT} reservations, ms", found["median"], AT_MOST, budget)


def _peak(peaks, place):
    here = [point for point in peaks if point["place"] == place]
    if here:
        highest = max(here, key=lambda point: point["median"])
        yield _row(f"peak memory, KiB: the highest is {highest['point']} at {highest['size']}", highest["median"],
                   AT_MOST, PEAK)


def _counted(index, place):
    counted = {}  # at the largest number of reservations that they were counted at
    for (where, _, point, who), found in sorted(index.items(), key=lambda item: item[0][1] == 0, reverse=True):
        if where == place and who == OURS:
            counted[point] = found["median"]
    table = [(f"system calls of {call}", budget) for call, budget in CALLS.items()]
    table += [(f"device flushes of {call}", budget) for call, budget in FLUSHES.items()]
    for point, budget in [*table, ("size of the binary", BINARY)]:
        if point in counted:
            yield _row(point, counted[point], AT_MOST, budget)

