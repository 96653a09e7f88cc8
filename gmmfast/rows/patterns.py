"""Rows with missing values, packed by pattern: together those that lack the same features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.lifting import Whole, make_scratch, regress_all
from gmmfast.kernels.moments import make_sums
from gmmfast.kernels.patterns import (
    Tiles,
    evaluate_patterns,
    evaluate_patterns_shards,
    pack_patterns,
    patterns_pass,
    sum_patterns,
)
from gmmfast.kernels.separation import no_separation
from gmmfast.kernels.threads import run_shards
from gmmfast.kernels.tiles import TILE, aligned
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.base import statistics_of
from gmmfast.rows.evaluation import outputs
from gmmfast.rows.packing import shard_count

WORD = 8  # bytes of which sets of features are compared at once
LIKE = np.empty(0)  # the element type of all computing


class Patterns(NamedTuple):
    """Rows in the order of their patterns, and packed."""

    order: NDArray[np.int64]  # (m,): indices of the rows
    guesses: NDArray[np.int64]  # (n_tiles,): likely owner of each tile
    tiles: Tiles

    @property
    def groups(self) -> list[NDArray[np.int64]]:
        """Indices of the rows of each pattern."""
        tiles = self.tiles
        first = np.flatnonzero(np.diff(tiles.patterns, prepend=-1))
        return np.split(self.order, tiles.first_rows[first[1:]])


class Regression(NamedTuple):
    """The missing features of a pattern, given the observed ones, of each component."""

    slopes: Floats  # (K, m, o)
    covariances: Floats  # (K, m, m)


def packed_patterns(
    X: Floats,
    center: Floats,
    weights: Floats,
    indices: NDArray[np.int64],
    labels: NDArray[np.int64] | None = None,
) -> Patterns:
    """Pack some rows by pattern, and within a pattern by label.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows, NaN where a value is missing.
    center : ndarray of shape (d,)
        Subtracted from each row.
    weights : ndarray of shape (n,)
        Row weights.
    indices : ndarray of shape (m,)
        The rows to pack.
    labels : ndarray of shape (n,), optional
        Likely component of each row.
    """
    is_observed = ~np.isnan(X[indices])
    own = np.zeros(indices.size, np.int64) if labels is None else labels[indices]
    sets, pattern = np.unique(_keys(is_observed), return_inverse=True)
    n_rows, order = np.bincount(pattern, minlength=sets.size), np.lexsort((own, pattern))
    first_of_pattern = np.cumsum(n_rows) - n_rows
    masks = is_observed[order[first_of_pattern]]
    features, counts = np.argsort(~masks, axis=1, kind="stable"), masks.sum(axis=1)
    n_tiles = -(-n_rows // TILE)
    patterns = np.repeat(np.arange(sets.size), n_tiles)
    within = np.arange(patterns.size) - np.repeat(np.cumsum(n_tiles) - n_tiles, n_tiles)
    first_rows = first_of_pattern[patterns] + TILE * within
    of_tiles = counts[patterns]
    values, weights_of_tiles = aligned(int(of_tiles.sum()), LIKE), aligned(patterns.size, LIKE)
    tiles = Tiles(
        values, weights_of_tiles, np.cumsum(of_tiles) - of_tiles, patterns,
        np.append(first_rows, indices.size), features, counts,
    )  # fmt: skip
    pack_patterns(X, center, weights, indices[order], tiles)
    return Patterns(indices[order], own[order][first_rows], tiles)


def _keys(is_observed: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a key (n,) of the features that each row has."""
    packed = np.packbits(is_observed, axis=1)
    padded = np.zeros((len(packed), -(-packed.shape[1] // WORD) * WORD), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64 if padded.shape[1] == WORD else f"V{padded.shape[1]}")[:, 0]


# ------------------------------------------------------------------------------------------ passes


def is_diagonal(mixture: Parameters) -> bool:
    """Whether features are independent, given the component."""
    return mixture.factors.ndim == 2 and mixture.whitening is None


def covariances_of(mixture: Parameters) -> Floats:
    """Return variances (K, d), or covariances (K, d, d), or (1, d, d) where all are equal."""
    if is_diagonal(mixture):
        return np.asarray(1 / mixture.factors**2)
    d = mixture.means.shape[1]
    matrices = mixture.covariances.reshape(-1, d, d)
    absent = mixture.weights == 0  # its covariance may be zero
    if len(matrices) > 1 and absent.any():
        matrices = np.where(absent[:, None, None], np.eye(d), matrices)
    return np.ascontiguousarray(matrices)


def _whole(mixture: Parameters, covariances: Floats) -> Whole:
    means, degrees = np.array(mixture.means, order="C"), mixture.degrees
    own = None if degrees is None else np.array(degrees)
    return Whole(np.array(mixture.weights), means, covariances, own)


def sums_of(
    packed: Patterns,
    mixture: Parameters,
    scatter: Scatter,
    cut: float,
    about: Floats,
    n_jobs: int | None,
    size: tuple[float, int, float],
) -> SufficientStatistics:
    """Return the sums of a pass, in expectation over what is missing.

    Parameters
    ----------
    packed : Patterns
        The rows.
    mixture : Parameters
        About the center of the rows.
    scatter : Scatter
        Which second moments.
    cut : float
        Densities `cut` below a row's best count as 0.
    about : ndarray of shape (K, d)
        Reference of the moments.
    n_jobs : int or None
        Threads.
    size : (float, int, float)
        Weight and number of the rows, and the unit of the packed row weights.
    """
    covariances, (K, d) = covariances_of(mixture), about.shape
    kind = scatter
    if covariances.ndim == 2 and scatter is not Scatter.DIAGONAL:
        covariances = covariances[:, :, None] * np.eye(d)
    elif covariances.ndim == 3 and not (scatter is Scatter.POOLED and len(covariances) == 1):
        kind = Scatter.FULL  # the pooled one needs equal slopes, and the diagonal needs the rest
    shape, m = kind.shape(K, d), packed.order.size
    n_shards = shard_count(m, K * d, 8 * int(np.prod(shape)))
    sums = make_sums(n_shards, K, d, shape, mixture.degrees is not None)
    means, whole = np.array(about, order="C"), _whole(mixture, covariances)
    work = K * (m * d + len(packed.tiles.counts) * d**2) * (d if covariances.ndim == 3 else 1)
    separation = no_separation(means)
    given = packed.tiles, whole, separation, means, cut, packed.guesses.copy(), sums
    run_shards(patterns_pass, sum_patterns, n_jobs, n_shards, work, *given)
    if np.isnan(sums.log_likelihood).any():
        raise IllDefinedCovarianceError(None)
    found = statistics_of(sums, means, *size)
    if kind is scatter:
        return found
    own = found.scatter.sum(axis=0)[None]
    if scatter is Scatter.DIAGONAL:
        own = np.einsum("kii->ki", found.scatter).copy()
    return replace(found, scatter=own)


def evaluate_known(
    packed: Patterns,
    mixture: Parameters,
    cut: float,
    n_jobs: int | None,
    log_density: NDArray[Any] | None,
    resp: NDArray[Any] | None,
    labels: NDArray[np.int64] | None,
) -> None:
    """Fill the arrays that are given, in the order of the packed rows."""
    covariances, m = covariances_of(mixture), packed.order.size
    n_shards, work = shard_count(m, mixture.means.size), m * covariances.size
    whole = _whole(mixture, covariances)
    out = outputs(log_density, resp, labels, whole.means.dtype)
    given = packed.tiles, whole, no_separation(whole.means), cut, *out
    run_shards(evaluate_patterns, evaluate_patterns_shards, n_jobs, n_shards, work, *given)


def regression(mixture: Parameters, features: NDArray[np.int64], o: int) -> Regression:
    """Return the distribution of the features behind the first `o`, given those."""
    covariances, (K, d) = covariances_of(mixture), mixture.means.shape
    if covariances.ndim == 2:
        variances = covariances[:, features[o:]]
        return Regression(np.zeros((K, d - o, o)), variances[:, :, None] * np.eye(d - o))
    found = Regression(np.empty((K, d - o, o)), np.empty((K, d - o, d - o)))
    whole = _whole(mixture, covariances)
    if regress_all(features, o, whole, make_scratch(whole), *found):
        raise IllDefinedCovarianceError(None)
    return found


def distances_of(mixture: Parameters, features: NDArray[np.int64], residuals: Floats) -> Floats:
    """Return squared distances (n, K) along some features, given the residuals (n, K, o)."""
    covariances = covariances_of(mixture)
    if covariances.ndim == 2:
        return np.asarray((residuals**2 / covariances[:, features]).sum(axis=2))
    inverses = np.linalg.inv(covariances[:, features[:, None], features])
    inverses = np.broadcast_to(inverses, (residuals.shape[1], *inverses.shape[1:]))
    return np.asarray(np.einsum("nko,kop,nkp->nk", residuals, inverses, residuals))
