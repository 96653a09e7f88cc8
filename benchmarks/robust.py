"""Passes with noise and with t components, against passes of Gaussian components alone."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.cases import Case, generated, typical_start
from benchmarks.tables import Goal, against, milliseconds, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast.models import MODELS
from gmmfast.parameters import Parameters
from gmmfast.rows import MemoryRows

CASE = Case("", 200_000, 10, 10, 0, 0)
SPREADS = {"separated": 3.0, "overlapping": 0.5}  # of the means, in standard deviations
MODELS_TRIED = ("full", "diag")
DEGREES = 5.0
GAUSSIAN, NOISE, TAILS = "Gaussian", "with noise", "t"
LIMITS = {NOISE: 1.1, TAILS: 1.4}


@dataclass(frozen=True)
class Passes:
    """Passes over the same rows, of mixtures with the same means and covariances."""

    model: str
    rows: str
    seconds: dict[str, list[float]]  # by kind of mixture
    active: dict[str, float]  # components that matter to a row: a share of its density of 1e-16

    def ratio(self, kind: str) -> Spread:
        return ratios(self.seconds[kind], self.seconds[GAUSSIAN])


def measure(plan: Plan) -> list[Passes]:
    """Time passes."""
    case, found = CASE.shrunk() if plan.quick else CASE, []
    for rows, spread in SPREADS.items():
        X = generated(case.n, case.d, case.n_components, spread=spread)
        for model in MODELS_TRIED:
            start = typical_start(X, case, model)
            own = MODELS[model](0.0)
            data = MemoryRows(X)
            mixture = own.of_covariances(
                start.weights, start.means - data.center, start.covariances
            )
            arranged = data.arranged_for(mixture)
            kinds = kinds_of(mixture, X)
            tasks = {name: partial(arranged.expectation, each, own.scatter) for name, each in kinds}
            for task in tasks.values():
                task()
            active = {name: n_active(X[:2000] - data.center, each) for name, each in kinds}
            one = Passes(model, rows, in_turn(tasks, plan), active)
            for name in LIMITS:
                text = f"{model}, {rows}, {name}"
                print(f"{text:40}{against(one.ratio(name))}", file=sys.stderr, flush=True)
            found.append(one)
    return found


def kinds_of(mixture: Parameters, X: Any) -> list[tuple[str, Parameters]]:
    """Return the mixture alone, with noise over the box of the rows, and with t components."""
    noise = np.array([0.05, -np.log(np.ptp(X, axis=0)).sum()])
    degrees = np.full(len(mixture.weights), DEGREES)
    return [
        (GAUSSIAN, mixture),
        (NOISE, mixture.with_noise(noise)),
        (TAILS, replace(mixture, degrees=degrees)),
    ]


def n_active(X: Any, mixture: Parameters) -> float:
    """Return how many components matter to a row, on average."""
    resp = np.empty((len(X), len(mixture.weights) + (mixture.noise is not None)))
    MemoryRows(X, center=np.zeros(X.shape[1])).evaluate(mixture, -np.inf, slice(None), resp=resp)
    return float((resp[:, : len(mixture.weights)] > 1e-16).sum(axis=1).mean())


def goals(results: list[Passes]) -> list[Goal]:
    """Return the limits, and what was reached."""
    return [
        Goal(
            f"a pass {kind} / Gaussian, {each.model}, {each.rows}",
            each.ratio(kind).median,
            limit,
            is_limit=True,
        )
        for each in results
        for kind, limit in LIMITS.items()
    ]


def section(results: list[Passes]) -> str:
    """Return the table."""
    rows = [
        [each.model, each.rows]
        + [milliseconds(spread_of(own)) for own in each.seconds.values()]
        + [against(each.ratio(kind)) for kind in LIMITS]
        + [f"{each.active[GAUSSIAN]:.1f}", f"{each.active[TAILS]:.1f}"]
        for each in results
    ]
    header = ["model", "rows", *(f"{kind}, ms" for kind in (GAUSSIAN, NOISE, TAILS))]
    header += ["noise / Gaussian", "t / Gaussian", "active, Gaussian", "active, t"]
    return table(header, rows)
