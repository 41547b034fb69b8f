"""What many measurements of one thing say, and whether a later set of them says more."""
import statistics

FEW = 10


def summary(values):
    """{"n", "median", "p10", "p90"} of one number or more; a few have the least and the greatest for tenths."""
    values = list(values)
    if len(values) < FEW:
        low, high = min(values), max(values)
    else:
        tenths = statistics.quantiles(values, n=10, method="inclusive")
        low, high = tenths[0], tenths[-1]
    return {"n": len(values), "median": statistics.median(values), "p10": low, "p90": high}


def ratios(values, others):
    """The quotients of what was measured in the same rounds: {round: value} each; None when there was no such round."""
    both = [values[number] / others[number] for number in values if number in others]
    return summary(both) if both else None


def has_grown(old, new, slack=0):
    """True if the later summary is above the earlier one by more than the noise of both: their bands from p10 to p90 do
    not touch, nor does the later median lie within `slack` (0.01: 1 %) of the earlier."""
    return new["p10"] > old["p90"] and new["median"] > old["median"] * (1 + slack)
