"""Features of rows predicted from the others; the kernels are in `gmmfast.kernels.regression`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.cumulative import FARTHEST
from gmmfast.kernels.regression import Lines, predict, predict_shards
from gmmfast.kernels.separation import no_separation
from gmmfast.kernels.threads import run_shards
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows.packing import shard_count
from gmmfast.rows.passes import work_of
from gmmfast.rows.patterns import regression

EXP = 8  # multiplications that take as long as an exponential


def predicted(
    X: NDArray[Any],
    known: Parameters,
    whole: Parameters,
    center: Floats,
    n_jobs: int | None,
    has_deviations: bool,
) -> tuple[Floats, Floats | None]:
    """Return conditional means (n, t) of the features that rows lack, and standard deviations.

    Parameters
    ----------
    X : ndarray of shape (n, o)
        What is known of the rows.
    known : Parameters
        The mixture of the known features, about their center.
    whole : Parameters
        The mixture of the known features and then the targets, about the center of both.
    center : ndarray of shape (o + t,)
        The center.
    n_jobs : int or None
        Threads.
    has_deviations : bool
        Whether to compute the standard deviations, which are None otherwise.
    """
    (K, d), (n, o) = whole.means.shape, X.shape
    lines = _lines(whole, o)
    means = np.empty((n, d - o))
    deviations = np.empty((n if has_deviations else 0, d - o))
    density = known.density(np.dtype(np.float64))
    work = work_of(n, density) + n * (lines.slopes.size + EXP * K)
    given = X, np.array(center[:o]), density, no_separation(density.means), lines
    n_shards = shard_count(n, K * d)
    run_shards(predict, predict_shards, n_jobs, n_shards, work, *given, means, deviations)
    means += center[o:]
    return means, deviations if has_deviations else None


def first_far_row(X: NDArray[Any], known: Parameters) -> int | None:
    """Return the first row (n, o) whose squared distance from every component overflows, if any.

    Log densities cannot tell which component is the nearest to such a row.
    """
    extent = max(float(X.max()), -float(X.min()), float(abs(known.means).max()))
    if 2 * extent * float(abs(known.factors).sum(axis=2).max()) < FARTHEST:
        return None
    is_far = np.ones(len(X), bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in np.flatnonzero(known.weights):
            z = (X - known.means[k]) @ known.factors[k].T
            is_far &= ~np.isfinite(np.square(z).sum(axis=1))
    return int(is_far.argmax()) if is_far.any() else None


def _lines(whole: Parameters, o: int) -> Lines:
    """Return the regressions of the features behind the first `o`, given those.

    The variance of a t component of ``nu + o`` degrees of freedom is ``nu + o`` over ``nu + o - 2``
    times its scale, and infinite up to two of them. Its scale grows with the distance of the row as
    the expected latent weight falls (Ding 2016, in `gmmfast.rows.incomplete`).
    """
    K, d = whole.means.shape
    given = regression(whole, np.arange(d), o)
    variances = np.einsum("kjj->kj", given.covariances).copy()
    if whole.degrees is not None:
        degrees = whole.degrees + o
        with np.errstate(divide="ignore"):
            factors = np.where(degrees > 2, degrees / np.maximum(degrees - 2, 0.0), np.inf)
        variances *= factors[:, None]
    known, means = (np.array(own, order="C") for own in (whole.means[:, :o], whole.means[:, o:]))
    return Lines(known, means, given.slopes, np.maximum(variances, 0.0))
