"""Whole fits of few rows in one compiled call, which other threads may make at the same time."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gmmfast import em
from gmmfast.initialization import SAME, TRIAL_GAIN, TRIAL_PASSES
from gmmfast.kernels.density import TILE, make_work
from gmmfast.kernels.expectation import negligible
from gmmfast.kernels.families import make_family_work
from gmmfast.kernels.moments import make_sums
from gmmfast.kernels.options import current_stop
from gmmfast.kernels.separation import no_separation
from gmmfast.kernels.small import (
    CONVERGED,
    EMPTY,
    NOT_POSITIVE,
    NOT_YET,
    ROUNDED,
    FewRows,
    Floors,
    State,
    fit_few,
)
from gmmfast.models import Model
from gmmfast.models.base import EMPTY_MASS, ROUNDING, SPIKE, few_rows
from gmmfast.parameters import Density, Floats, Parameters, Scatter
from gmmfast.rows import MemoryRows

FEW = 4096  # rows; more are worth several threads
STATUS = {
    CONVERGED: em.Status.CONVERGED,
    ROUNDED: em.Status.ROUNDED,
    NOT_YET: em.Status.MAX_ITER,
}
PASSES = 500  # of plain EM at the most: it may be worth to accelerate the rest


@dataclass(frozen=True)
class Partitions:
    """Where a fit can start from: P times a label for each packed row, and the labels' means."""

    labels: NDArray[np.int32]  # (P, n_tiles, TILE)
    means: Floats  # (P, K, d)


@dataclass(frozen=True)
class SmallFit:
    """How far a fit has come."""

    parameters: Parameters
    lower_bounds: list[float]
    status: em.Status  # MAX_ITER where it has not ended
    log_likelihood: float  # of all rows together, with these parameters
    doubt: float  # see `gmmfast.criteria.doubt`
    sound: bool  # whether it is sure that no component has collapsed


def is_small(rows: MemoryRows) -> bool:
    """Whether `fit` is for such rows."""
    return rows.n_rows <= FEW and rows.dtype == np.float64


def fit(
    rows: MemoryRows,
    model: Model,
    partitions: Partitions,
    tol: float,
    max_iter: int,
    smallest: float,
) -> SmallFit | None:
    """Fit a mixture from the likeliest of some partitions, by plain EM.

    Parameters
    ----------
    rows : MemoryRows
        Few of them, packed in the order of the partitions' labels.
    model : Model
        The covariance model.
    partitions : Partitions
        Each is tried for a few passes; the likeliest goes on.
    tol : float
        Gain of a pass, in nats a row, with which the fit ends.
    max_iter : int
        Passes at the most.
    smallest : float
        The smallest variance of all rows, with which those of components are compared.

    Returns
    -------
    SmallFit or None
        None where a component has no rows, or no positive definite covariance: the steps have to be
        taken one by one.
    """
    _, K, d = partitions.means.shape
    floors = Floors(
        max(1.001 * model.reg_covar, SPIKE * smallest),
        max(1.001 * model.reg_covar, ROUNDING * smallest),
        few_rows(d) / rows.n_rows,
    )
    tiles, row_weights, _ = rows.packed
    state = _state(K, d, model.scatter is Scatter.DIAGONAL, len(tiles))
    scale = rows.weight_unit / rows.weight
    few = FewRows(
        tiles, row_weights, no_separation(state.density.means),
        negligible(K, rows.log_weight_spread), scale, EMPTY_MASS / rows.n_rows / scale,
        float(model.reg_covar), current_stop(),
    )  # fmt: skip
    bounds, trial = np.empty(min(max_iter, PASSES)), np.empty(TRIAL_PASSES)
    status, n_passes, sound = fit_few(
        few, partitions.labels, partitions.means, model.family, floors, TRIAL_GAIN, float(tol), SAME,
        em.FALL, np.empty_like(state.flat), np.empty_like(state.flat), trial, state, bounds,
    )  # fmt: skip
    if status in (EMPTY, NOT_POSITIVE):
        return None
    parameters = model.parameters(
        state.weights, state.density.means, model.of_few(state.covariances)
    )
    log_likelihood, best = float(state.sums.log_likelihood[0]), float(state.sums.best[0])
    return SmallFit(
        parameters, bounds[:n_passes].tolist(), STATUS[status],
        rows.weight_unit * log_likelihood, rows.weight_unit * (log_likelihood - best), sound,
    )  # fmt: skip


def go_on(rows: MemoryRows, model: Model, ahead: SmallFit, control: em.Control) -> em.EMResult:
    """Return a fit as the loop's result; where it has not ended, the loop takes over."""
    bounds, left = ahead.lower_bounds, control.max_iter - len(ahead.lower_bounds)
    if ahead.status.is_end or not left:
        return em.EMResult(ahead.parameters, bounds, ahead.status, bounds[-1], None, False)
    rest = replace(control, max_iter=left)
    result = em.run(rows, ahead.parameters, model, rest, bounds[-1])
    return replace(result, lower_bounds=bounds + result.lower_bounds)


def _state(K: int, d: int, is_diagonal: bool, n_tiles: int) -> State:
    """Allocate a mixture, whose arrays are views of one, and scratch."""
    matrices = (K, d) if is_diagonal else (K, d, d)
    shapes = ((K,), matrices, (K,), (K,), (K, d), matrices, (d, d))
    ends = list(itertools.accumulate(math.prod(shape) for shape in shapes))
    flat = np.empty(ends[-1])
    weights, covariances, log_dets, constants, means, factors, axes = (
        flat[begin:end].reshape(shape)
        for begin, end, shape in zip([0, *ends], ends, shapes, strict=False)
    )
    return State(
        flat, weights, covariances, log_dets, Density(constants, means, factors, None),
        make_family_work(K, d)._replace(axes=axes), np.empty(matrices),
        make_sums(1, K, d, matrices), make_work(K, np.empty((d, TILE))),
        np.zeros(n_tiles, np.int64),
    )  # fmt: skip
