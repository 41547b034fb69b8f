"""Takes the times: contenders in turns, call by call, in networks of one size; many calls at once; a boot storm."""
import itertools
import statistics
import sys

import fill
import statistic
from contenders import (CROWD, CROWD_POINT, DEBIAN, EMPTY, LOOKED_SUBNET, LOOKS, ORDINARY, OURS, STORM, STORM_POINT, SUBNET,
                        VARIANTS, Network, networks, new_id)
from node import fake_boots, new_boot
from place import MEMORY, PLACES, settle
from plugin import BINARY
from runner import Job, Runner

LARGE = 10000
WARM_UP = 2
# What is noted of each process. Where others work on the machine, the processor's time is the steadiest.
UNITS = {"ms": lambda took: took.ms, "ms of a processor": lambda took: took.processor, "KiB": lambda took: took.peak}
MOST_LOOKS = 20  # rounds of what takes half a second and is the same each time
AT_LEAST = 3  # rounds of a contender that takes longer than it may


def say(text):
    print(text, file=sys.stderr, flush=True)


class Series:
    """What was measured of one thing in one place: {contender: {round: value}}."""

    def __init__(self):
        self._values = {}

    def add(self, key, number, value):
        self._values.setdefault(key, {})[number] = value

    def values(self, key):
        """What was measured of one contender, in order."""
        return list(self._values.get(key, {}).values())

    def points(self, unit, empty=None, **about):
        """A point a contender: its values, how many times `empty` they are, and those of host-local's same round."""
        for key, values in self._values.items():
            point = {**about, "who": key, "unit": unit, **statistic.summary(values.values())}
            if empty and key != EMPTY:
                point["per_empty"] = statistic.summary(value / empty for value in values.values())
            beside = key != DEBIAN and statistic.ratios(values, self._values.get(DEBIAN, {}))
            if beside:
                point["per_host_local"] = beside
            yield point


class Bench:
    """One run. seconds: what a contender may take in one network before it misses rounds."""

    def __init__(self, tools, others, rounds, seconds):
        self.tools, self.others, self.rounds, self.seconds = tools, others, rounds, seconds
        self.points = []
        self._pretends_boots = False

    def sizes(self, place, folder, sizes):
        """Every kind of call, at each number of reservations."""
        for size in sizes:
            with PLACES[place](folder) as fresh:
                self._measure(fresh, size, VARIANTS, place=place, size=size)

    def odd_folders(self, place, folder):
        """A range that is 99 % full, and as many held addresses as there can be."""
        with PLACES[place](folder) as fresh:
            # 40 free ones, evenly: a pod that is gone holds its own, so rounds are fewer
            self._measure(fresh, 4053, ORDINARY, place=place, size="99 % of a /20", most=30, subnet="10.9.0.0/20",
                          gap=100)
        with PLACES[place](folder) as fresh:
            self._measure(fresh, 250, ORDINARY, place=place, size="250 and 4096 held", held=4096)

    def _measure(self, folder, count, variants, *, held=0, most=None, subnet=SUBNET, gap=0, **about):
        say(f"{about['place']}: {about['size']} reservations: filling")
        made = networks(folder, self.others, variants is VARIANTS, subnet=subnet, gap=gap)
        for network in made:
            fill.fill(network, count, network.addresses, held)
        settle(folder)
        kinds = [point for variant in variants for point in variant.points if point]
        series = {(kind, unit): Series() for kind in kinds for unit in UNITS}
        spent = dict.fromkeys((network.key for network in made), 0.0)
        rounds = min(self.rounds, most or self.rounds)
        say(f"{about['place']}: {about['size']} reservations: measuring")
        with Runner(self.tools.runner, MEMORY) as runner:
            for number in range(WARM_UP + rounds):
                for variant in variants:
                    self._round(runner, variant, number, made, spent, series, count >= LARGE)
        # One empty process is a matter of chance; those of all rounds and calls in this folder are not.
        empty = {unit: statistics.median(value for kind in kinds for value in series[kind, unit].values(EMPTY))
                 for unit in UNITS}
        for (kind, unit), one in series.items():
            self.points += one.points(unit, empty[unit], point=kind, **about)

    def _round(self, runner, variant, number, made, spent, series, is_large):
        """One variant, everybody once; who is first changes from round to round."""
        turns = [network for network in made if variant.has(network.key, is_large)
                 and (spent[network.key] < self.seconds or number < WARM_UP + AT_LEAST)]
        if not turns:
            return
        turns.append(None)
        first = number % len(turns)
        for network in turns[first:] + turns[:first]:
            jobs = variant.jobs(network, number) if network else [Job(self.tools.empty)] * len(variant.points)
            key = network.key if network else EMPTY
            took = runner.one_by_one(jobs)
            if network:
                spent[key] += sum(one.ms for one in took) / 1000
            for kind, one in zip(variant.points, took):
                if kind and number >= WARM_UP:
                    for unit, value in UNITS.items():
                        series[kind, unit].add(key, number, value(one))

    def looks(self, place, folder, size):
        """The operator's tool on a network with so many reservations, each with its records; nobody else has such."""
        with PLACES[place](folder) as fresh:
            say(f"{place}: {size} reservations: filling, for the operator's tool")
            network = Network(OURS, BINARY, f"{fresh}/{OURS}", LOOKED_SUBNET)
            fill.fill(network, size, network.addresses)
            settle(fresh)
            say(f"{place}: {size} reservations: measuring the operator's tool")
            series = {(look, unit): Series() for look in LOOKS for unit in UNITS}
            with Runner(self.tools.runner, MEMORY) as runner:
                for number in range(WARM_UP + min(self.rounds, MOST_LOOKS)):
                    for look, job in zip(LOOKS, network.looks()):
                        took = runner.one_by_one([Job(self.tools.empty), job])
                        for (key, one), (unit, value) in itertools.product(zip((EMPTY, OURS), took), UNITS.items()):
                            if number >= WARM_UP:
                                series[look, unit].add(key, number, value(one))
            for (look, unit), one in series.items():
                empty = statistics.median(one.values(EMPTY))
                self.points += one.points(unit, empty, point=look, place=place, size=size)

    def crowds(self, place, folder, times):
        """CROWD new pods at the same time in an empty network."""
        self._at_once(place, folder, times, CROWD_POINT, 0, lambda network: [
            network.job("ADD", new_id(), f"shop/crowd-{number}") for number in range(CROWD)])

    def storms(self, place, folder, times):
        """All pods of a node come back at the same time after a boot, and nobody has deleted their old sandboxes.
        From here on boots are pretended."""
        if not self._pretends_boots:
            fake_boots()
            self._pretends_boots = True
        self._at_once(place, folder, times, STORM_POINT, STORM, lambda network: [
            network.job("ADD", new_id(), fill.pod(number)) for number in range(STORM)])

    def _at_once(self, place, folder, times, point, filled, jobs):
        series = Series()
        for number in range(times):
            say(f"{place}: {point}: {number + 1} of {times}")
            with PLACES[place](folder) as fresh, Runner(self.tools.runner, MEMORY) as runner:
                for network in networks(fresh, self.others):
                    fill.fill(network, filled, network.addresses)
                    if filled:
                        new_boot()
                    settle(fresh)
                    took = runner.at_once(jobs(network))
                    series.add(network.key, number, max(one.end for one in took) - took[0].start)
                    self._check(network, filled)
        self.points += series.points("ms", place=place, size=filled, point=point)

    @staticmethod
    def _check(network, filled):
        """What was measured did what it should: where pods come back, we give each its own address again."""
        expected = filled if network.key == OURS and filled else filled + (STORM if filled else CROWD)
        found = len(network.attachments())
        assert found == expected, f"{network.key}: {found} reservations, expected {expected}"

