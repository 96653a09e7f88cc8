"""The E pass of the compiled loop: densities of a mixture, sums, and repeated passes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import called_kernel, entry_kernel, invoke, kernel
from gmmfast.kernels.distances import DEGREES, LOG_LATENT
from gmmfast.kernels.moments import Sums, is_pooled
from gmmfast.kernels.separation import Separation
from gmmfast.parameters import (
    COARSEST_FLOAT32,
    COARSEST_FLOAT64,
    COARSEST_SQUARE,
    LARGEST,
    SMALLEST,
    Density,
)
from gmmfast.tails import LOG_TWO_PI, log_less_digamma, log_normalizer

EPS, EPS_FLOAT32 = float(np.finfo(np.float64).eps), float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float64).tiny)
WIDE, TRIANGLES = 1, 2  # flags of a layout: float64 for float32 rows; no whitening
LOST_FLOAT32, LOST_FLOAT64 = 1e-5, 1e-10  # share of a variance that may be lost as its mean moves


class Pass(NamedTuple):
    """Packed rows, and scratch of the passes over them in one layout."""

    layout: int
    is_narrow: bool  # whether the rows are float32
    tiles: NDArray  # (n_tiles, d, TILE)
    row_weights: NDArray  # (n_tiles, TILE)
    scale: float  # factor from a sum over rows to their mean
    least_cut: float  # how far below the best a log density is negligible
    n_shards: int
    sum_shards: Any  # address of `em_shards` or `em_pass`
    prepare: Any  # address of `prepare`
    separate: Any  # address of `gmmfast.kernels.separation.separate`, or 0 without a table
    density: Density
    separation: Separation
    about: NDArray  # (K, d): moments are taken about it
    guesses: NDArray  # (n_tiles,): likely owner of each tile
    sums: Sums


# ------------------------------------------------------------------------------------ densities


@kernel
def spread_of_noise(
    loadings,  # in (K, q, d)
    covariances,  # in (K, d): specific variances
    k,  # in: component
    i,  # in: feature
):
    """Bound of the sum of a filter's terms over the noise, along which rounding of float32 grows.

    Each of the q terms of a prediction is at most as large as the feature's standard deviation.
    """
    if covariances.ndim == 3:
        return 0.0
    q, variance = loadings.shape[1], covariances[k, i]
    for a in range(q):
        variance += loadings[k, a, i] ** 2
    return q * np.sqrt(variance / covariances[k, i])


@kernel
def is_too_coarse(
    weights,  # in (K,)
    means,  # in (K, d)
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    factors,  # in (K, d, d) lower, or (K, d)
    whitening,  # in (1, d, d) lower, or (0, d, d)
    loadings,  # in (K, q, d) of factor analyzers, or (0, 0, 0)
):
    """Whether float32 is too coarse, as `gmmfast.parameters.Parameters.dtype_for` says."""
    K, d = means.shape
    for k in range(K):
        if weights[k] == 0:
            continue
        of = min(k, covariances.shape[0] - 1)
        for i in range(d):
            moved, reach = 0.0, 0.0
            for j in range(i + 1):
                if factors.ndim == 3:
                    factor = factors[k, i, j]
                elif whitening.shape[0] == 0:
                    factor = factors[k, i] if i == j else 0.0
                else:
                    factor = factors[k, i] * whitening[0, i, j]
                moved += factor * (means[k, j] - np.float64(np.float32(means[k, j])))
                if covariances.ndim == 3:
                    reach += abs(factor) * np.sqrt(covariances[of, j, j])
            if loadings.size > 0:
                reach = spread_of_noise(loadings, covariances, k, i)
            if not (abs(moved) < COARSEST_FLOAT32 and SMALLEST < abs(factor) < LARGEST):
                return True
            if not 0.5 * EPS_FLOAT32 * reach * reach < COARSEST_SQUARE:
                return True
    return False


@kernel
def is_whitening_coarse(
    eps,  # in: of the element type that rows are computed in
    coarsest,  # in: deviations by which a mean may move
    weights,  # in (K,)
    means,  # in (K, d)
    factors,  # in (K, d)
    whitening,  # in (1, d, d) lower
):
    """Whether rounding of whitened rows moves rows near a mean too far."""
    K, d = means.shape
    for i in range(d):
        for k in range(K):
            size = 0.0
            for j in range(i + 1):
                size += abs(means[k, j]) * abs(whitening[0, i, j])
            if weights[k] > 0 and not 0.5 * eps * size * abs(factors[k, i]) < coarsest:
                return True
    return False


@kernel
def layout_of(
    is_narrow,  # in: whether the rows are float32
    weights,  # in: of a Mixture, like the arguments below
    means,
    covariances,
    factors,
    whitening,
    loadings,
):
    """Layout of passes near a mixture: WIDE, TRIANGLES, both or neither."""
    layout = 0
    if is_narrow and is_too_coarse(weights, means, covariances, factors, whitening, loadings):
        layout += WIDE
    if whitening.shape[0] > 0 and factors.ndim == 2:
        eps, coarsest = EPS, COARSEST_FLOAT64
        if is_narrow and layout == 0:
            eps, coarsest = EPS_FLOAT32, COARSEST_FLOAT32
        if is_whitening_coarse(eps, coarsest, weights, means, factors, whitening):
            layout += TRIANGLES
    return layout


@entry_kernel
def find_layout(is_narrow, mixture):
    """Layout of a mixture, for Python."""
    return layout_of(
        is_narrow, mixture.weights, mixture.means, mixture.covariances, mixture.factors,
        mixture.whitening, mixture.loadings,
    )  # fmt: skip


@kernel
def set_means_and_factors(
    mixture,  # in: Mixture
    own,  # in: its factors
    means,  # out (K, d)
    factors,  # out (K, d, d) or (K, d)
    whitening,  # out (d, d) or None
):
    """Means and factors in the element type and layout of a density."""
    K, d = means.shape
    for k in range(K):
        for i in range(d):
            if whitening is None:
                means[k, i] = mixture.means[k, i]
                if factors.ndim == 2:
                    factors[k, i] = own[k, i]
                else:
                    for j in range(d):
                        if own.ndim == 3:
                            factors[k, i, j] = own[k, i, j]
                        else:
                            factors[k, i, j] = own[k, i] * mixture.whitening[0, i, j]
            else:
                mean = 0.0
                for j in range(i + 1):
                    mean += mixture.whitening[0, i, j] * mixture.means[k, j]
                means[k, i], factors[k, i] = mean, own[k, i]
                for j in range(d):
                    whitening[i, j] = mixture.whitening[0, i, j]


_log_normalizer, _log_less_digamma = called_kernel(log_normalizer), called_kernel(log_less_digamma)


@kernel
def log_normalizer_of(
    degrees,  # in (K,) of t components, or None
    k,  # in: component
    log_det,  # in: log determinant of its covariance
    d,  # in: features
):
    """Log density of a component at its mean."""
    if degrees is None:
        return -0.5 * (log_det + d * LOG_TWO_PI)
    return _log_normalizer(degrees[k], d) - 0.5 * log_det


@kernel
def set_tails(
    tails,  # out: of a Density, or None
    degrees,  # in (K,) of t components, or None
    d,  # in: features
):
    """Set what densities of t components take besides their constants.

    The expected log of the latent weight is that at the mean less ``log(1 + distance / nu)``.
    """
    if tails is not None:
        for k in range(degrees.size):
            value, _ = _log_less_digamma(0.5 * (degrees[k] + d))
            tails[k, DEGREES], tails[k, LOG_LATENT] = degrees[k], np.log1p(d / degrees[k]) - value


@kernel
def set_constants(
    degrees,  # in (K,) of t components, or None
    mixture,  # in: Mixture
    density,  # out: Density
):
    """Set the log densities at the means, times the weights."""
    K, d = mixture.means.shape
    for k in range(K):
        weight, constant = mixture.weights[k], -np.inf
        if weight > 0:
            constant = np.log(weight) + log_normalizer_of(degrees, k, mixture.log_dets[k], d)
        density.constants[k] = constant
    set_tails(density.tails, degrees, d)


@kernel
def degrees_for(
    tails,  # in: of a Density, or None
    mixture,  # in: Mixture
):
    """Degrees of freedom of t components; None of normal ones."""
    if tails is None:
        return None
    return mixture.degrees


@kernel
def copy_filters(
    own,  # in: of a Mixture
    filters,  # out: of a Density, or None
):
    """Copy the filters of factor analyzers, in the element type of a density."""
    if filters is not None:
        for k in range(own.shape[0]):
            for i in range(own.shape[1]):
                for j in range(own.shape[2]):
                    filters[k, i, j] = own[k, i, j]


@entry_kernel
def prepare(
    mixture,  # in: Mixture
    density,  # out: Density
):
    """Set the E step's input from a mixture."""
    set_constants(degrees_for(density.tails, mixture), mixture, density)
    density.noise[0] = -np.inf
    if mixture.noise.size > 0 and mixture.noise[0] > 0:
        density.noise[0] = np.log(mixture.noise[0]) + mixture.noise[1]
    set_means_and_factors(
        mixture, mixture.factors, density.means, density.factors, density.whitening
    )
    copy_filters(mixture.filters, density.filters)
    return 0


@kernel
def prepare_pass(
    rows,  # in, out: Pass
    mixture,  # in: Mixture
):
    """Set what a pass reads of a mixture."""
    invoke(rows.prepare, (mixture, rows.density))
    if rows.separation.gaps.size > 0:
        invoke(rows.separate, (rows.density, rows.separation))


# ----------------------------------------------------------------------------------------- sums


@kernel
def mirror(
    scatter,  # in, out (K, d, d) or (1, d, d), lower -> symmetric; or (K, d)
):
    """Make second moments symmetric."""
    if scatter.ndim == 3:
        for k in range(scatter.shape[0]):
            for i in range(scatter.shape[1]):
                for j in range(i):
                    scatter[k, j, i] = scatter[k, i, j]


@kernel
def collect_shards(
    sums,  # in: Sums
    about,  # in (K, d): moments are taken about it
    scatter,  # out: of the totals
    totals,  # out: Totals
):
    """Add the shards in their order; make the second moments symmetric."""
    n_shards, K = sums.mass.shape
    d = about.shape[1]
    totals.log_likelihood[0] = totals.best[0] = 0.0
    totals.mass[:] = 0.0
    totals.first[:] = 0.0
    totals.tails[:] = 0.0
    totals.scores[:] = 0.0
    scatter[:] = 0.0
    pooled = is_pooled(scatter, about)
    for k in range(K):
        for j in range(d):
            totals.reference[k, j] = about[k, j]
    for s in range(n_shards):
        totals.log_likelihood[0] += sums.log_likelihood[s]
        totals.best[0] += sums.best[s]
        for k in range(K):
            if sums.mass[s, k] > 0:
                totals.mass[k] += sums.mass[s, k]
                if totals.tails.size > 0:
                    totals.tails[0, k] += sums.tails[s, 0, k]
                    totals.tails[1, k] += sums.tails[s, 1, k]
                for a in range(totals.scores.shape[1]):
                    for j in range(d + 1):
                        totals.scores[k, a, j] += sums.scores[s, k, a, j]
                for j in range(d):
                    totals.first[k, j] += sums.first[s, k, j]
                    if scatter.ndim == 2:
                        scatter[k, j] += sums.scatter[s, k, j]
                    elif not pooled:
                        for i in range(j + 1):
                            scatter[k, j, i] += sums.scatter[s, k, j, i]
        if scatter.ndim == 3 and pooled:
            for j in range(d):
                for i in range(j + 1):
                    scatter[0, j, i] += sums.scatter[s, 0, j, i]
    mirror(scatter)


@entry_kernel
def collect(sums, about, totals):
    """Add the shards, for Python."""
    collect_shards(sums, about, totals.scatter, totals)
    return 0


@kernel
def is_lost(
    weights,  # in (K,)
    mass,  # in (K,)
):
    """Whether a component is negligible for all rows: a pruned pass then gives no mean."""
    for k in range(mass.size):
        if weights[k] > 0 and mass[k] == 0:
            return True
    return False


@kernel
def move_far(
    lost,  # in: share of a variance that may be lost
    eps,  # in: of the element type that was computed in
    totals,  # in: mass, first, reference
    scatter,  # in: of the totals
    shifts,  # in (K, d): variances besides the rows'; out: shifts of the means
):
    """Whether means move so far that moments must be taken again, about the new means."""
    K, d = totals.first.shape
    limit, far, rounding, finite = 1 + eps / lost, False, True, True
    for j in range(d):
        pooled = 0.0
        for k in range(K):
            spare = shifts[k, j]
            shifts[k, j] = totals.first[k, j] / max(totals.mass[k], TINY)
            moved = totals.first[k, j] * shifts[k, j]
            pooled += moved
            finite = finite and abs(moved) < np.inf
            rounding = rounding and abs(shifts[k, j]) <= 64 * EPS * abs(totals.reference[k, j])
            if scatter.ndim == 2:
                far = far or not limit * moved <= scatter[k, j] + spare
            elif not is_pooled(scatter, totals.first):
                far = far or not limit * moved <= scatter[k, j, j] + spare
        if scatter.ndim == 3 and is_pooled(scatter, totals.first):
            far = far or not limit * pooled <= scatter[0, j, j]
    return far and finite and not rounding


@entry_kernel
def moments_are_far(lost, eps, totals, shifts):
    """`move_far`, for Python."""
    return move_far(lost, eps, totals, totals.scatter, shifts)


@kernel
def set_spares(
    mixture,  # in: Mixture
    spares,  # out (K, d)
):
    """Set the variances that the next step adds to the rows', as far as they are known.

    Of a posterior, it takes the variances of one row: the prior has as much, unless it is much
    narrower than the mixture. So a component of one row, which has no variance and whose mean stays
    apart from it, needs no second pass.
    """
    spares[:] = 0.0
    if mixture.posterior.size > 0:
        add_feature_variances(mixture.covariances, spares)


@kernel
def add_feature_variances(
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    variances,  # in, out (K, d)
):
    """Add the variances of the features in each component."""
    for k in range(variances.shape[0]):
        of = min(k, covariances.shape[0] - 1)
        for j in range(variances.shape[1]):
            if covariances.ndim == 2:
                variances[k, j] += covariances[k, j]
            else:
                variances[k, j] += covariances[of, j, j]


@kernel
def e_step(
    rows,  # in, out: Pass
    mixture,  # in: Mixture
    shifts,  # scratch (K, d)
    totals,  # out: Totals
):
    """E step: one pass, repeated if it leaves out something needed."""
    prepare_pass(rows, mixture)
    K, d = mixture.means.shape
    for k in range(K):
        for j in range(d):
            rows.about[k, j] = mixture.means[k, j]
    cut, may_move = rows.least_cut, True
    is_float32 = rows.is_narrow and rows.layout % 2 == 0
    eps, lost = (EPS_FLOAT32, LOST_FLOAT32) if is_float32 else (EPS, LOST_FLOAT64)
    again = True
    while again:
        invoke(
            rows.sum_shards,
            (
                np.int64(0), rows.n_shards, rows.n_shards, rows.tiles, rows.row_weights,
                rows.density, rows.separation, rows.about, cut, rows.guesses, rows.sums,
            ),
        )  # fmt: skip
        collect_shards(rows.sums, rows.about, totals.scatter, totals)
        set_spares(mixture, shifts)
        again = False
        needs_all = mixture.posterior.size == 0  # means that a prior leaves may have no rows
        if cut > -np.inf and needs_all and is_lost(mixture.weights, totals.mass):
            cut, again = -np.inf, True
        elif may_move and move_far(lost, eps, totals, totals.scatter, shifts):
            may_move, again = False, True
            for k in range(K):
                for j in range(d):
                    rows.about[k, j] = totals.reference[k, j] + shifts[k, j]
