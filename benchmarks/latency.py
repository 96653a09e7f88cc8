"""What a person waits for: import, compiling, first fits, fits of small data."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture as ScikitLearnMixture

from benchmarks.fresh import MODULES, probe
from benchmarks.packages import GMMFAST, SCIKIT_LEARN
from benchmarks.tables import Goal, against, milliseconds, spread, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast import GaussianMixture

Seconds = dict[str, dict[str, list[float]]]  # by what is done and package, one a repetition

IMPORT = "import"
COLD = "first fit ever, which compiles"
CACHED = "first fit in a new process"
CACHED_SMALL = "first fit in a new process, 150 rows"
IRIS = "fit iris, K=3"
ONE_ROW = "score_samples of one row of iris"
LIMITS = {IMPORT: 0.8, COLD: 15.0, CACHED: 0.5, IRIS: 2e-3, ONE_ROW: 30e-6}  # seconds


def measure(plan: Plan) -> Seconds:
    """Seconds of each thing by package, one value a repetition."""
    fits: Seconds = {IMPORT: {}, COLD: {}, CACHED: {}, CACHED_SMALL: {}}
    for _ in range(plan.cold):
        for name, what, seconds in _first_fits():
            fits[what].setdefault(name, []).append(seconds)
    found = fits | _iris(plan)
    for what, by_package in found.items():
        print("  ".join(_row(what, by_package)), file=sys.stderr, flush=True)
    return found


def _first_fits() -> Iterator[tuple[str, str, float]]:
    """Fit in processes without machine code, with that of another process, and the rival."""
    with tempfile.TemporaryDirectory() as cache:
        ours = partial(probe, "first_fit", MODULES[GMMFAST], cache=cache)
        yield GMMFAST, COLD, ours("large")["fit"]
        ours("small")  # compiles what only one thread needs
        for what, example in ((CACHED, "large"), (CACHED_SMALL, "small")):
            rivals = probe("first_fit", MODULES[SCIKIT_LEARN], example)
            for name, found in ((GMMFAST, ours(example)), (SCIKIT_LEARN, rivals)):
                yield name, what, found["fit"]
                yield name, IMPORT, found["import"]


def _iris(plan: Plan) -> Seconds:
    X = load_iris().data
    mixtures: dict[str, Callable[..., Any]] = {
        GMMFAST: GaussianMixture,
        SCIKIT_LEARN: ScikitLearnMixture,
    }
    means = X[[25, 75, 125]]
    fits = {name: m(3, random_state=0) for name, m in mixtures.items()}
    given = {name: m(3, means_init=means, random_state=0) for name, m in mixtures.items()}
    tasks = {
        IRIS: {name: partial(m.fit, X) for name, m in fits.items()},
        "fit iris from given means": {name: partial(m.fit, X) for name, m in given.items()},
        "predict_proba of iris": {name: partial(m.predict_proba, X) for name, m in fits.items()},
        ONE_ROW: {name: partial(m.score_samples, X[:1]) for name, m in fits.items()},
    }
    for by_package in tasks.values():
        for task in by_package.values():
            task()  # compiles, and fits what predict_proba is asked of
    often = Plan(10 * plan.least, 10 * plan.least, 0.0)
    return {what: in_turn(by_package, often) for what, by_package in tasks.items()}


def goals(seconds: Seconds) -> list[Goal]:
    return [
        Goal(what, spread_of(seconds[what][GMMFAST]).median, limit, True, "s")
        for what, limit in LIMITS.items()
    ]


def section(seconds: Seconds) -> str:
    """Return the table."""
    header = ["what", "gmmfast", "limit", SCIKIT_LEARN, f"{SCIKIT_LEARN} / gmmfast"]
    return table(header, [_row(what, by_package) for what, by_package in seconds.items()])


def _row(what: str, by_package: dict[str, list[float]]) -> list[str]:
    limit = f"{LIMITS[what]:g} s" if what in LIMITS else ""
    row = [what, _time(spread_of(by_package[GMMFAST])), limit]
    if SCIKIT_LEARN not in by_package:
        return [*row, "", ""]
    rival = by_package[SCIKIT_LEARN]
    return [*row, _time(spread_of(rival)), against(ratios(rival, by_package[GMMFAST]))]


def _time(seconds: Spread) -> str:
    if seconds.median < 0.1:
        return f"{milliseconds(seconds)} ms"
    return f"{spread(seconds)} s"
