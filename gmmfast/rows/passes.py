"""Scratch of the compiled loop's passes over packed rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import address_of
from gmmfast.kernels.expectation import em_pass, em_shards, negligible
from gmmfast.kernels.loop import Fit, Rule, iterate
from gmmfast.kernels.moments import make_sums
from gmmfast.kernels.passes import TRIANGLES, WIDE, Pass, prepare
from gmmfast.kernels.separation import new_separation, separate
from gmmfast.parameters import Density
from gmmfast.rows.packing import shard_count

if TYPE_CHECKING:
    from gmmfast.rows.memory import MemoryRows


SWEEPS = 20  # over all axes, in a typical M step


def new_pass(rows: MemoryRows, fit: Fit, layout: int, guesses: NDArray[np.int64]) -> Pass:
    """Allocate scratch for passes in one layout, and compile them.

    Parameters
    ----------
    rows : MemoryRows
        The data.
    fit : Fit
        Fit with the shapes of the mixture.
    layout : int
        `WIDE`, `TRIANGLES`, their sum or 0.
    guesses : ndarray of shape (n_tiles,)
        Likely owner of each tile; shared by all layouts.
    """
    dtype = np.dtype(np.float64) if layout & WIDE else rows.dtype
    mixture, (K, d) = fit.mixture, fit.mixture.means.shape
    tiles, row_weights, _ = rows.packed_in(dtype)
    density = _new_density(fit, dtype, layout)
    separation = new_separation(density.means, density.factors, rows.n_rows, density.filters)
    scatter = fit.totals.scatter.shape
    n_sums = math.prod(scatter) + fit.totals.scores.size
    n_shards = shard_count(rows.n_rows, K * d, 8 * n_sums)
    sums = make_sums(n_shards, K, d, scatter, mixture.degrees.size > 0, density.n_factors)
    about, of_density = np.empty((K, d), dtype), kind_of(density)
    kind, separating = (dtype, *of_density, mixture.covariances.ndim), 0
    if separation.gaps.size > 0:
        separating = address_of(separate, (dtype, *of_density), density, separation)
    shards = tiles, row_weights, density, separation, about, 0.0, guesses, sums
    return Pass(
        layout=layout,
        is_narrow=bool(rows.dtype == np.float32),
        tiles=tiles,
        row_weights=row_weights,
        scale=rows.weight_unit / rows.weight,
        least_cut=negligible(K, rows.log_weight_spread, dtype),
        n_shards=n_shards,
        sum_shards=address_of(em_shards, kind, 0, n_shards, n_shards, *shards),
        prepare=address_of(prepare, (*kind, mixture.factors.ndim), mixture, density),
        separate=separating,
        density=density,
        separation=separation,
        about=about,
        guesses=guesses,
        sums=sums,
    )


def parallel(rows: Pass) -> Pass:
    """Return the same pass for several threads."""
    density = rows.density
    kind = rows.tiles.dtype, *kind_of(density), rows.sums.scatter.ndim
    shards = rows.tiles, rows.row_weights, density, rows.separation, rows.about, 0.0
    args = 0, rows.n_shards, rows.n_shards, *shards, rows.guesses, rows.sums
    return rows._replace(sum_shards=address_of(em_pass, kind, *args))


def address_of_loop(rule: Rule, rows: Pass, fit: Fit, last: int, stop: NDArray[np.int8]) -> int:
    """Compile the loop over passes of one kind, and return its address."""
    mixture, density = fit.mixture, rows.density
    kind = rows.tiles.dtype, *kind_of(density), mixture.factors.ndim, mixture.covariances.ndim
    address: int = address_of(iterate, kind, rule, rows, fit, last, stop)
    return address


def _new_density(fit: Fit, dtype: np.dtype[Any], layout: int) -> Density:
    """Allocate the E step's input."""
    mixture, (K, d) = fit.mixture, fit.mixture.means.shape
    shape, whitening = mixture.factors.shape, None
    if len(mixture.whitening):
        if layout & TRIANGLES:
            shape = (K, d, d)
        else:
            whitening = np.empty((d, d), dtype)
    constants, means, factors = (np.empty(own, dtype) for own in (K, (K, d), shape))
    tails = np.empty((K, 2)) if mixture.degrees.size else None
    filters = np.empty(mixture.filters.shape, dtype) if mixture.filters.size else None
    return Density(constants, means, factors, whitening, np.empty(1, dtype), tails, filters)


def kind_of(density: Density) -> tuple[int, bool, bool, bool]:
    """Return what the types of a density follow from, besides its element type."""
    ndim, tails, filters = density.factors.ndim, density.tails is None, density.filters is None
    return ndim, density.whitening is None, tails, filters


def work_of_loop(n_rows: int, fit: Fit) -> int:
    """Multiplications of an unpruned pass and an M step, from the shapes alone."""
    (K, d), mixture = fit.shifts.shape, fit.mixture
    n_matrices = len(fit.totals.scatter) if fit.totals.scatter.ndim == 3 else 0
    whitening = d * d if len(mixture.whitening) else 0
    step = n_matrices * d**3 + K * d + 1000
    if fit.work.family.variances.size:
        step *= SWEEPS
    step += mixture.filters.size * mixture.loadings.shape[1]
    return int(n_rows * (mixture.factors.size + mixture.filters.size + whitening) + step)


def work_of(n_rows: int, density: Density) -> int:
    """Multiplications of an unpruned E step."""
    whitening = 0 if density.whitening is None else density.whitening.size
    filters = 0 if density.filters is None else density.filters.size
    return n_rows * (density.factors.size + whitening + filters)
