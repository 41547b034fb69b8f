"""Draws what a run has measured: ADD and DEL over the number of reservations, beside the others."""
import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "delegated-ipam"  # the same numbers, the same file

from matplotlib import pyplot  # noqa: E402

from contenders import DEBIAN, DELEGATE, EMPTY, NEWEST, OURS, TITLES  # noqa: E402

CALLS = ("ADD", "DEL", "DEL unknown")
COLOURS = {EMPTY: "0.6", OURS: "C0", DEBIAN: "C3", NEWEST: "C1", DELEGATE: "C2"}
LINEAR_UP_TO = 100  # so that 0 has a place on an axis that is logarithmic beyond


def draw(run, path):
    """Write an SVG: a row a place, a column a call; bands are p10 to p90."""
    points = [point for point in run["points"] if point["unit"] == "ms" and isinstance(point["size"], int)]
    places = list(dict.fromkeys(point["place"] for point in points))
    figure, axes = pyplot.subplots(len(places), len(CALLS), figsize=(5 * len(CALLS), 4 * len(places)), squeeze=False,
                                   sharex=True, sharey=True)
    for row, place in zip(axes, places):
        for axis, call in zip(row, CALLS):
            _panel(axis, [point for point in points if point["place"] == place], call)
            axis.set_title(f"{call}, {place}")
    for axis in axes[-1]:
        axis.set_xlabel("reservations")
    for row in axes:
        row[0].set_ylabel("ms, whole process")
    axes[0][0].legend(fontsize="small")
    machine = run["machine"]
    figure.suptitle(f"{machine['processors']} processors, Linux {machine['kernel']}, load {machine['load before']:.1f}")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _panel(axis, points, call):
    axis.set_xscale("symlog", linthresh=LINEAR_UP_TO)
    axis.set_yscale("log")
    for who, title in TITLES.items():
        name = f"{call} {DELEGATE}" if who == DELEGATE else call
        line = sorted((point["size"], point["median"], point["p10"], point["p90"])
                      for point in points if point["who"] == who and point["point"] == name)
        if line:
            sizes, medians, low, high = zip(*line)
            axis.plot(sizes, medians, marker="o", markersize=3, color=COLOURS[who], label=title)
            axis.fill_between(sizes, low, high, color=COLOURS[who], alpha=0.2)
    axis.grid(alpha=0.3)
