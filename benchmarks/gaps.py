"""Missing values: passes against those over complete rows, and fits against StepMix."""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from stepmix import StepMix

from benchmarks.cases import Case, typical_start
from benchmarks.packages import Start
from benchmarks.tables import Goal, against, milliseconds, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast import GaussianMixture
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows, Rows
from gmmfast.rows.incomplete import IncompleteRows

CASE = Case("", 200_000, 10, 10, 0, 0)
SHARES = {0.01: 1.5, 0.1: 4.0, 0.3: 8.0}  # of the values that are missing, with the targets
STEPMIX = Case("", 200_000, 10, 10, 0, 0)  # independent features: StepMix has no others
ITERATIONS = 20
TARGET = 50.0
CONVERGED = Case("", 5_000, 4, 3, 0, 0), 2_000  # iterations of both, for parameters


@dataclass(frozen=True)
class Passes:
    """Passes over the same rows, complete and with gaps."""

    share: float
    n_patterns: int
    seconds: dict[bool, list[float]]  # by whether values are missing

    def ratio(self) -> Spread:
        return ratios(self.seconds[True], self.seconds[False])


@dataclass(frozen=True)
class Rival:
    """Fits from the same start, with the same number of iterations."""

    seconds: dict[str, list[float]]
    log_likelihoods: dict[str, float]
    difference: float  # of all parameters at convergence, relative

    def ratio(self) -> Spread:
        return ratios(self.seconds["StepMix"], self.seconds["gmmfast"])


def lacking(X: Any, share: float) -> Any:
    """Return rows of which a share of the values is missing; each has at least one."""
    rng = np.random.default_rng(1)
    mask = rng.uniform(size=X.shape) < share
    mask[np.arange(len(X)), rng.integers(X.shape[1], size=len(X))] = False
    return np.where(mask, np.nan, X)


def measure(plan: Plan) -> tuple[list[Passes], Rival]:
    """Time passes, and then fits."""
    case = CASE.shrunk() if plan.quick else CASE
    X, found = case.data(), []
    start = typical_start(X, case, "full")
    for share in SHARES:
        gaps = IncompleteRows(lacking(X, share))
        tasks = {False: _pass(MemoryRows(X), start), True: _pass(gaps, start)}
        for task in tasks.values():
            task()
        one = Passes(share, gaps.n_patterns, in_turn(tasks, plan))
        print(f"{share:<20}{against(one.ratio())}", file=sys.stderr, flush=True)
        found.append(one)
    return found, _rival(plan)


def _pass(rows: Rows, start: Start) -> partial[Any]:
    model = MODELS["full"](0.0)
    mixture = model.of_covariances(start.weights, start.means - rows.center, start.covariances)
    return partial(rows.arranged_for(mixture).expectation, mixture, model.scatter)


def _rival(plan: Plan) -> Rival:
    case = STEPMIX.shrunk() if plan.quick else STEPMIX
    X = lacking(case.data(), 0.1)
    start = typical_start(case.data(), case, "diag")
    tasks = {
        "gmmfast": partial(_ours, X, start, ITERATIONS),
        "StepMix": partial(_theirs, X, start, ITERATIONS),
    }
    log_likelihoods = {name: task()[0] for name, task in tasks.items()}
    seconds = in_turn(tasks, plan)
    rival = Rival(seconds, log_likelihoods, _difference(plan))
    print(f"{'StepMix':20}{against(rival.ratio())}", file=sys.stderr, flush=True)
    return rival


def _difference(plan: Plan) -> float:
    case, iterations = CONVERGED
    X = lacking(case.data(), 0.3)
    start = typical_start(case.data(), case, "diag")
    one, other = (fit(X, start, iterations)[1] for fit in (_ours, _theirs))
    return max(float(np.abs(a / b - 1).max()) for a, b in zip(one, other, strict=True))


def _ours(X: Any, start: Start, iterations: int) -> tuple[float, list[Any]]:
    keywords = start.keywords(iterations) | {"reg_covar": 0.0, "tol": 0.0}
    mixture = GaussianMixture(missing_values="marginalize", **keywords).fit(X)
    return mixture.score(X), [mixture.weights_, mixture.means_, mixture.covariances_]


def _theirs(X: Any, start: Start, iterations: int) -> tuple[float, list[Any]]:
    model = StepMix(
        len(start.weights), measurement="gaussian_diag_nan", max_iter=iterations, abs_tol=0.0,
        rel_tol=0.0, progress_bar=0, random_state=0,
    )  # fmt: skip
    initialize = model._initialize_parameters

    def from_start(X: Any, rng: Any) -> None:
        initialize(X, rng)
        model.weights_ = start.weights.copy()
        model._mm.parameters["means"] = start.means.copy()
        model._mm.parameters["covariances"] = start.covariances.copy()

    model._initialize_parameters = from_start
    model.fit(X)
    own = model._mm.parameters
    return model.score(X), [model.weights_, own["means"], own["covariances"]]


def goals(results: tuple[list[Passes], Rival]) -> list[Goal]:
    """Return the limits and the target, and what was reached."""
    passes, rival = results
    found = [
        Goal(
            f"a pass with {each.share:.0%} missing / one over complete rows",
            each.ratio().median,
            SHARES[each.share],
            is_limit=True,
        )
        for each in passes
    ]
    return [*found, Goal("StepMix / gmmfast", rival.ratio().median, TARGET)]


def section(results: tuple[list[Passes], Rival]) -> str:
    """Return the tables."""
    passes, rival = results
    rows = [
        [f"{each.share:.0%}", str(each.n_patterns)]
        + [milliseconds(spread_of(each.seconds[has_gaps])) for has_gaps in (False, True)]
        + [against(each.ratio())]
        for each in passes
    ]
    header = ["missing", "patterns", "complete, ms", "with gaps, ms", "ratio"]
    names = list(rival.seconds)
    cells = [f"{STEPMIX.title()}, {ITERATIONS} iterations"]
    cells += [milliseconds(spread_of(rival.seconds[name])) for name in names]
    cells += [against(rival.ratio())]
    cells += [f"{rival.log_likelihoods[name]:.6f}" for name in names]
    columns = [*(f"{name}, ms" for name in names), "StepMix / gmmfast"]
    columns += [f"log-likelihood, {name}" for name in names]
    converged = (
        f"At convergence ({CONVERGED[0].title()}, 30 % missing, {CONVERGED[1]:,} iterations of "
        f"both) the largest relative difference of a weight, mean or variance is "
        f"{rival.difference:.0e}."
    )
    return "\n\n".join([table(header, rows), table(["fit", *columns], [cells]), converged])
