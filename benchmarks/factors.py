"""Factor analyzers: an iteration against full covariances, and held-out likelihood of digits."""

import statistics
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.cases import BLOCK, digits
from benchmarks.packages import quietly
from benchmarks.tables import Goal, against, milliseconds, number, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, slopes, spread_of
from gmmfast import GaussianMixture

N_ROWS, D, K, Q = 100_000, 256, 20, 8
APART = (0.0, 0.3, 1.0)  # standard deviation of the means: alike, near each other, far apart
SHORT, LONG = 2, 12  # iterations
FASTER = 5.0
FACTOR, FULL = "factor", "full"
# held-out digits
COMPONENTS, FACTORS, FOLDS, SEEDS = 10, 8, 5, (0, 1, 2)
REG_COVAR = 0.1  # squared gray levels: three pixels are always 0
RIVALS = ("diag", "tied", "full")


@dataclass(frozen=True)
class Iteration:
    """Time per iteration of both models, from mixtures of equal likelihood."""

    apart: float
    seconds: dict[str, list[float]]
    difference: float  # of the lower bounds at the start, relative

    @property
    def ratio(self) -> Spread:
        return ratios(self.seconds[FULL], self.seconds[FACTOR])


@dataclass(frozen=True)
class Results:
    iterations: list[Iteration]
    held_out: dict[str, list[float]]  # mean log density of held-out rows, by fold and seed


def measure(plan: Plan) -> Results:
    """Time iterations, then fit digits."""
    found = []
    for apart in APART:
        one = iterate(apart, plan)
        print(f"means {apart} apart{'':20}{against(one.ratio)}", file=sys.stderr, flush=True)
        found.append(one)
    return Results(found, held_out(plan))


def drawn(apart: float, n: int) -> tuple[Any, Any, Any, Any]:
    """Rows of a mixture of factor analyzers, and its means, specific variances and loadings."""
    rng = np.random.default_rng(0)
    loadings = 0.7 * rng.standard_normal((K, D, Q))
    variances = rng.uniform(0.2, 1.0, (K, D))
    means = apart * rng.standard_normal((K, D))
    X = np.empty((n, D))
    for begin in range(0, n, BLOCK):
        block = X[begin : begin + BLOCK]
        labels = rng.integers(0, K, len(block))
        block[...] = means[labels] + rng.standard_normal(block.shape) * np.sqrt(variances[labels])
        for k in range(K):
            own = labels == k
            block[own] += rng.standard_normal((own.sum(), Q)) @ loadings[k].T
    return X, means, variances, loadings


def iterate(apart: float, plan: Plan) -> Iteration:
    """Time iterations from the same covariances."""
    X, *own = drawn(apart, 2000 if plan.quick else N_ROWS)
    means, variances, loadings = own
    begin = GaussianMixture.from_parameters(
        np.full(K, 1 / K), means, 1.2 * variances, covariance_type=FACTOR, loadings=loadings
    )
    dense = GaussianMixture.from_parameters(np.full(K, 1 / K), means, begin.covariances_)
    starts = {FACTOR: begin, FULL: dense}
    bounds = [mixture.score(X) for mixture in starts.values()]
    tasks = {}
    for name, mixture in starts.items():
        for count in (SHORT, LONG):
            tasks[name, count] = _fit_from(mixture, X, count)
            tasks[name, count]()
    seconds = in_turn(tasks, plan)
    each = {
        name: slopes(seconds[name, SHORT], seconds[name, LONG], LONG - SHORT) for name in starts
    }
    return Iteration(apart, each, abs(bounds[0] / bounds[1] - 1))


def _fit_from(mixture: GaussianMixture, X: Any, count: int) -> Any:
    """Return a task that makes so many iterations from a mixture."""

    def run() -> None:
        fit = mixture.__sklearn_clone__()
        vars(fit).update(vars(mixture))
        fit.set_params(warm_start=True, max_iter=count, tol=0)
        with quietly():
            fit.fit(X)

    return run


def held_out(plan: Plan) -> dict[str, list[float]]:
    """Return mean log densities of digits that fits have not seen."""
    X = digits(0, 64, COMPONENTS)
    order = np.random.default_rng(0).permutation(len(X))
    folds = np.array_split(order, FOLDS)[: 1 if plan.quick else None]
    found: dict[str, list[float]] = {name: [] for name in (FACTOR, *RIVALS)}
    for fold in folds:
        rest = np.setdiff1d(order, fold)
        for seed in SEEDS[: 1 if plan.quick else None]:
            for name, scores in found.items():
                mixture = GaussianMixture(
                    COMPONENTS, covariance_type=name, n_factors=FACTORS, reg_covar=REG_COVAR,
                    max_iter=300, random_state=seed,
                )  # fmt: skip
                with quietly():
                    mixture.fit(X[rest])
                scores.append(mixture.score(X[fold]))
    return found


def goals(results: Results) -> list[Goal]:
    """Return the goals, and what was reached."""
    gains = {
        name: statistics.median(
            a - b for a, b in zip(results.held_out[FACTOR], results.held_out[name], strict=True)
        )
        for name in RIVALS
    }
    return [
        *(
            Goal(f"full / factor, means {each.apart:g} apart", each.ratio.median, FASTER)
            for each in results.iterations
        ),
        *(
            Goal(f"held-out digits, factor less {name}", gain, 0.0, unit="nats per row")
            for name, gain in gains.items()
        ),
    ]


def section(results: Results) -> str:
    """Return the tables."""
    first = [
        [f"{each.apart:g}", *(milliseconds(spread_of(own)) for own in each.seconds.values())]
        + [against(each.ratio), f"{each.difference:.0e}"]
        for each in results.iterations
    ]
    header = ["means apart", "factor, ms", "full, ms", "full / factor", "difference"]
    scores = [
        [name, *(number(-f(own)) for f in (statistics.median, max, min))]
        for name, own in results.held_out.items()
    ]
    second = ["digits", "minus log density", "best", "worst"]
    return f"{table(header, first)}\n\n{table(second, scores)}"
