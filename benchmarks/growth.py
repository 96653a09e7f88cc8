"""How the time of an EM pass grows with rows, threads and components, as table and picture."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.cases import Case, typical_start
from benchmarks.tables import Goal, milliseconds, number, table
from benchmarks.timing import Plan, in_turn, ratios, spread_of
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

PICTURE = "growth.svg"
ROWS = Case("", 10_000, 10, 10, 0, 0)
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
QUICK_SIZES = SIZES[:3]
COMPONENTS = Case("", 100_000, 16, 5, 0, 0)
COUNTS = (5, 10, 20, 50, 100, 200)
UNEVEN = 0.15  # largest relative difference of the time per row between sizes
SPEED_UP = 1.8  # of two threads
OFTEN = Plan(least=7, most=15, seconds=5.0)


@dataclass(frozen=True)
class Pass:
    """Seconds of passes over a case, on one thread and on all."""

    case: Case
    one: list[float]
    all: list[float]

    def nanoseconds(self) -> float:
        """Median time per row on all threads."""
        return 1e9 * spread_of(self.all).median / self.case.n

    def speed_up(self) -> float:
        return ratios(self.one, self.all).median


@dataclass(frozen=True)
class Growth:
    """Passes over increasing numbers of rows, and of components."""

    rows: list[Pass]
    components: list[Pass]


def measure(plan: Plan) -> Growth:
    by_rows = [replace(ROWS, n=n) for n in (QUICK_SIZES if plan.quick else SIZES)]
    counts = COUNTS[:3] if plan.quick else COUNTS
    by_components = [replace(COMPONENTS, n_components=k) for k in counts]
    return Growth([_passes(case) for case in by_rows], [_passes(case) for case in by_components])


def _passes(case: Case) -> Pass:
    """Time an E and an M step at the typical start of a case."""
    X = case.data()
    start = typical_start(X, case, "full")
    model = MODELS["full"](case.reg_covar)
    tasks = {}
    for name, n_jobs in (("one", 1), ("all", None)):
        rows = MemoryRows(X, n_jobs=n_jobs)
        parameters = model.parameters(start.weights, start.means - rows.center, start.covariances)
        rows = rows.arranged_for(parameters)
        tasks[name] = partial(_step, rows, parameters, model, rows.hints())
        tasks[name]()
    result = Pass(case, **in_turn(tasks, OFTEN))
    print(f"growth  {'  '.join(_row(result))}", file=sys.stderr, flush=True)
    return result


def _step(rows, parameters, model, hints):
    return model.maximization(rows.expectation(parameters, model.scatter, hints), parameters)


def goals(growth: Growth) -> list[Goal]:
    """Return the targets for time per row, two threads, and components."""
    per_row = [p.nanoseconds() for p in growth.rows]
    few, many = growth.components[0], growth.components[-1]
    more = many.case.n_components / few.case.n_components
    dearer = many.nanoseconds() / few.nanoseconds()
    return [
        Goal(
            "time of a row, most expensive / cheapest size",
            max(per_row) / min(per_row),
            1 + UNEVEN,
            True,
        ),
        Goal("two threads, largest size", growth.rows[-1].speed_up(), SPEED_UP),
        Goal(f"time of a pass with {more:g} times the components", dearer, more, True, "times"),
    ]


def section(growth: Growth) -> str:
    """Return the tables; the picture is drawn by `draw`."""
    header = ["case", "pass on one thread, ms", "on all, ms", "one / all", "a row, ns"]
    return table(header, [_row(p) for p in (*growth.rows, *growth.components)])


def _row(p: Pass) -> list[str]:
    times = [milliseconds(spread_of(p.one)), milliseconds(spread_of(p.all))]
    return [p.case.title(), *times, number(p.speed_up()), number(p.nanoseconds())]


STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 11,
    "svg.fonttype": "path",
    "svg.hashsalt": "gmmfast",
}


def draw(growth: Growth, path: Path) -> None:
    """Draw time against rows and against components, both axes logarithmic."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _curves(left, growth.rows, [p.case.n for p in growth.rows], "rows")
        counts = [p.case.n_components for p in growth.components]
        _curves(right, growth.components, counts, "components")
        left.set_title("10 features, 10 components")
        right.set_title("100,000 rows, 16 features")
        figure.savefig(path, metadata={"Date": None})


def _curves(axes: Axes, passes: Sequence[Pass], sizes: Sequence[int], what: str) -> None:
    for name, label in (("one", "one thread"), ("all", "all threads")):
        spreads = [spread_of(getattr(p, name)) for p in passes]
        middle = [1e3 * s.median for s in spreads]
        (line,) = axes.plot(sizes, middle, marker="o", markersize=4, label=label)
        axes.fill_between(
            sizes,
            [1e3 * s.low for s in spreads],
            [1e3 * s.high for s in spreads],
            color=line.get_color(),
            alpha=0.2,
            linewidth=0,
        )
    straight = np.array(sizes) * middle[0] / sizes[0]
    axes.plot(sizes, straight, color="0.5", linestyle=":", label=f"in proportion to {what}")
    axes.set(xscale="log", yscale="log", xlabel=what, ylabel="ms per pass")
    axes.legend(frameon=False)
