"""Seconds, measured in turn, and their statistics."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Task = Callable[[], Any]


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of some measurements."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Plan:
    """How often a comparison is repeated."""

    least: int = 3
    most: int = 5
    seconds: float = 40.0  # no further repetition starts after this
    cold: int = 3  # fits that compile first
    quick: bool = False  # small sizes, to test the measurement

    def goes_on(self, done: int, elapsed: float) -> bool:
        return done < self.least or (done < self.most and elapsed < self.seconds)


QUICK = Plan(least=2, most=2, seconds=0.0, cold=1, quick=True)


def seconds_of(task: Task) -> float:
    begin = time.perf_counter()
    task()
    return time.perf_counter() - begin


def in_turn(tasks: Mapping[Any, Task], plan: Plan) -> dict[Any, list[float]]:
    """Seconds of each task in each repetition.

    Every repetition runs all tasks once, so that other load on the machine affects all of them.
    Each must have run before, so that nothing is compiled here.
    """
    seconds: dict[Any, list[float]] = {name: [] for name in tasks}
    begin = time.perf_counter()
    done = 0
    while plan.goes_on(done, time.perf_counter() - begin):
        for name, task in tasks.items():
            seconds[name].append(seconds_of(task))
        done += 1
    return seconds


def slopes(short: list[float], long: list[float], more: int) -> list[float]:
    """Seconds per iteration, in each repetition, from fits that differ by `more` iterations.

    Negative values due to noise are kept, so that medians are not biased.
    """
    return [(b - a) / more for a, b in zip(short, long, strict=True)]


def ratios(rival: list[float], ours: list[float]) -> Spread:
    """Ratios of the rival's time to ours, repetition by repetition.

    Infinite if our time is lost in noise.
    """
    pairs = zip(rival, ours, strict=True)
    return spread_of([max(theirs, 0.0) / own if own > 0 else math.inf for theirs, own in pairs])


def spread_of(values: list[float]) -> Spread:
    """Spread of some measurements."""
    return Spread(statistics.median(values), min(values), max(values))
