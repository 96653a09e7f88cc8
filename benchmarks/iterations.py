"""One EM iteration of each package, from the same start, and agreement of the results."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from benchmarks.cases import CASES, SHARED_SHAPES, Case, typical_start
from benchmarks.packages import (
    GMMFAST,
    ONEDAL,
    SCIKIT_LEARN,
    Fit,
    PackageError,
    Start,
    available,
    fit_gmmfast,
)
from benchmarks.tables import Goal, against, aim, milliseconds, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, slopes, spread_of

SINGLE = "gmmfast float32"
SINGLE_TARGET = 1.6  # times as fast as float64, from 16 features on
TOLERANCE = 1e-8  # relative, of the mean log-likelihood
COVARIANCES = {
    "full": ("Full covariances", CASES),
    "diag": ("Diagonal covariances", CASES),
    "tied": ("Tied covariance", SHARED_SHAPES),
    "spherical": ("Spherical covariances", SHARED_SHAPES),
}


@dataclass
class Comparison:
    """Measurements of a case."""

    case: Case
    covariance_type: str
    seconds: dict[str, list[float]] = field(default_factory=dict)  # per iteration, by repetition
    log_likelihoods: dict[str, float] = field(default_factory=dict)  # after `long` iterations
    failures: dict[str, str] = field(default_factory=dict)  # of packages that can't do the case
    set_up: Spread | None = None  # seconds of a gmmfast fit without its iterations

    @property
    def short(self) -> int:
        return self.case.iterations(self.covariance_type)[0]

    @property
    def long(self) -> int:
        return self.case.iterations(self.covariance_type)[1]

    def ratio(self, package: str) -> Spread | None:
        """Ratio of a package's time to gmmfast's; None if it failed."""
        if package not in self.seconds:
            return None
        return ratios(self.seconds[package], self.seconds[GMMFAST])

    def difference(self, package: str) -> float:
        """Relative difference of the log-likelihood from gmmfast's."""
        ours = self.log_likelihoods[GMMFAST]
        return abs(self.log_likelihoods[package] - ours) / max(1.0, abs(ours))


def compare(case: Case, covariance_type: str, plan: Plan) -> Comparison:
    """Time a case with every package."""
    X = case.data()
    start = typical_start(X, case, covariance_type)
    result = Comparison(case, covariance_type)
    tasks = _tasks(X, start, result)
    seconds = in_turn(tasks, plan)
    short, long = result.short, result.long
    for name in result.log_likelihoods:
        result.seconds[name] = slopes(seconds[name, short], seconds[name, long], long - short)
    pairs = zip(seconds[GMMFAST, short], result.seconds[GMMFAST], strict=True)
    result.set_up = spread_of([fit - short * iteration for fit, iteration in pairs])
    return result


def _tasks(X: np.ndarray, start: Start, result: Comparison) -> dict:
    """Run each package once, which compiles; return the fits to time."""
    short, long = result.short, result.long
    packages = {name: (fit, X) for name, fit in available(start.covariance_type).items()}
    packages[SINGLE] = fit_gmmfast, X.astype(np.float32)
    tasks = {}
    for name, (fit, rows) in packages.items():
        _attempt(name, fit, rows, start, long, result)
        for times in (short, long):
            tasks[name, times] = partial(_attempt, name, fit, rows, start, times, result)
    return tasks


def _attempt(
    name: str, fit: Fit, rows: np.ndarray, start: Start, times: int, result: Comparison
) -> None:
    """Fit, and note the log-likelihood; a rival that fails once is excluded from the case."""
    if name in result.failures:
        return
    try:
        log_likelihood = fit(rows, start, times)
    except PackageError as failure:
        if name == GMMFAST:
            raise
        result.failures[name] = str(failure)
        result.log_likelihoods.pop(name, None)
        return
    if times == result.long:
        result.log_likelihoods[name] = log_likelihood


def measure(plan: Plan) -> list[Comparison]:
    """Run every case."""
    results = []
    for covariance_type, (_, cases) in COVARIANCES.items():
        for case in cases:
            case = case.shrunk() if plan.quick else case
            result = compare(case, covariance_type, plan)
            print(_progress(result), file=sys.stderr, flush=True)
            results.append(result)
    return results


def _progress(result: Comparison) -> str:
    parts = [f"{result.covariance_type:9}  {result.case.title():34}"]
    for name, seconds in result.seconds.items():
        parts.append(f"{name} {milliseconds(spread_of(seconds))} ms")
    parts += [f"{name}: {failure}" for name, failure in result.failures.items()]
    return "  ".join(parts)


# ----------------------------------------------------------------------------------- the report


def disagreements(results: Sequence[Comparison]) -> list[str]:
    """Return the cases in which gmmfast and scikit-learn disagree."""
    return [
        f"{r.case.title()}, {r.covariance_type}: mean log-likelihoods after {r.long} "
        f"iterations differ by {r.difference(SCIKIT_LEARN):.1e}: {r.log_likelihoods}"
        for r in results
        if not r.difference(SCIKIT_LEARN) <= TOLERANCE
    ]


def goals(results: Sequence[Comparison]) -> list[Goal]:
    """Return the target ratios and the ratios reached."""
    found = []
    for r in results:
        if r.case.d >= 16 and SINGLE in r.seconds:
            gain = ratios(r.seconds[GMMFAST], r.seconds[SINGLE])
            what = f"iteration, {r.covariance_type}, {r.case.title()}: float64 / float32"
            found.append(Goal(what, gain.median, SINGLE_TARGET))
        for rival, target in r.case.targets(r.covariance_type).items():
            ratio = r.ratio(rival)
            if ratio is not None:
                what = f"iteration, {r.covariance_type}, {r.case.title()}: {rival} / gmmfast"
                found.append(Goal(what, ratio.median, target))
    return found


def section(results: Sequence[Comparison]) -> str:
    """Return the tables of times and ratios, then the table of log-likelihoods."""
    parts = []
    for covariance_type, (title, _) in COVARIANCES.items():
        chosen = [r for r in results if r.covariance_type == covariance_type]
        parts += [f"### {title}", _times(chosen)]
    parts += ["### The same iterations", SAME, _agreement(results)]
    return "\n\n".join(parts)


SAME = f"""\
Mean log-likelihood of a row that each package found in the last of the iterations, and how far
it is from that of gmmfast, relatively. scikit-learn has to agree to {TOLERANCE:g}, or the run
fails. oneDAL regularizes a covariance only where it cannot invert it, scikit-learn and gmmfast
add `reg_covar` always; so oneDAL differs the more, the narrower components are."""


def _times(results: Sequence[Comparison]) -> str:
    rivals = [p for p in (SCIKIT_LEARN, ONEDAL) if any(p in r.log_likelihoods for r in results)]
    header = ["case", "gmmfast, ms"]
    for rival in rivals:
        header += [f"{rival}, ms", f"{rival} / gmmfast", "target"]
    header += ["float64 / float32", "set-up, ms"]
    rows = []
    for r in results:
        row = [r.case.title(), milliseconds(spread_of(r.seconds[GMMFAST]))]
        for rival in rivals:
            row += _rival(r, rival)
        single = "-"
        if SINGLE in r.seconds:
            single = against(ratios(r.seconds[GMMFAST], r.seconds[SINGLE]))
        rows.append([*row, single, milliseconds(r.set_up)])
    return table(header, rows)


def _rival(result: Comparison, rival: str) -> list[str]:
    """Milliseconds, ratio and target of a package, which may have failed."""
    target = aim(result.case.targets(result.covariance_type).get(rival))
    ratio = result.ratio(rival)
    if ratio is None:
        return ["-", "", target]
    return [milliseconds(spread_of(result.seconds[rival])), against(ratio), target]


def _agreement(results: Sequence[Comparison]) -> str:
    header = ["case", "covariances", "iterations", "gmmfast", SCIKIT_LEARN, "differs by"]
    with_onedal = any(ONEDAL in r.log_likelihoods or ONEDAL in r.failures for r in results)
    header += [ONEDAL, "differs by"] if with_onedal else []
    rows = []
    for r in results:
        row = [r.case.title(), r.covariance_type, str(r.long)]
        row.append(f"{r.log_likelihoods[GMMFAST]:.12g}")
        for rival in (SCIKIT_LEARN, ONEDAL) if with_onedal else (SCIKIT_LEARN,):
            if rival in r.log_likelihoods:
                row += [f"{r.log_likelihoods[rival]:.12g}", f"{r.difference(rival):.0e}"]
            else:
                row += [r.failures.get(rival, ""), ""]
        rows.append(row)
    return table(header, rows)
