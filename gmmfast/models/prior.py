"""Conjugate priors: what the M step of a model adds to the sums of the rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gmmfast.data.prior import Prior
from gmmfast.kernels.cholesky import LEAST_VARIANCE, invert_cholesky
from gmmfast.kernels.maximization import PriorTerms
from gmmfast.parameters import Floats, Parameters

POOLED = ("EII", "EEI", "EEE")  # models whose one covariance has the prior once, not per component
LARGEST_CORRECTION = 2.0  # of a variance, by the divisor n - 1: weights may sum to one
NO_PRIOR = PriorTerms(False, np.zeros(0), 0.0, np.zeros((0, 0)), 0.0, 0.0, 0.0)


class Moments(NamedTuple):
    """Facts about the rows that a prior's defaults follow from."""

    mean: Floats  # (d,), relative to the center
    covariance: Floats  # (d, d), or variances (d,); divided by the sum of the weights
    weight: float  # sum of the row weights
    center: Floats  # (d,)


def terms_of(
    prior: Prior, code: str, is_diagonal: bool, n_components: int, rows: Moments
) -> PriorTerms:
    """Return what the M step adds for a prior, per unit of the rows' total weight.

    Parameters
    ----------
    prior : Prior
        As given.
    code : str
        mclust's code of the model.
    is_diagonal : bool
        Whether features are independent, given the component.
    n_components : int
        K.
    rows : Moments
        Of the rows that are fitted.

    Raises
    ------
    ValueError
        If the fields of the prior do not go with the number of features.
    """
    K, d = n_components, len(rows.center)
    mean = rows.mean if prior.mean is None else np.asarray(prior.mean, np.float64) - rows.center
    if prior.mean is not None and np.shape(prior.mean) != (d,):
        raise _wrong("mean", f"{d} numbers, one per feature", np.shape(prior.mean))
    least = 0 if is_diagonal else d - 1
    dof = d + 2.0 if prior.degrees_of_freedom is None else float(prior.degrees_of_freedom)
    if not dof > least:
        raise _wrong("degrees_of_freedom", f"more than {least} for {d} features", dof)
    scatter = default_scale(rows, K) if prior.scale is None else _scale_for(prior.scale, d)
    if is_diagonal and scatter.ndim == 2:
        scatter = scatter.diagonal()
    elif not is_diagonal and scatter.ndim == 1:
        scatter = np.diag(scatter)
    if is_diagonal and prior.scale is None or code in ("EII", "VII"):
        scatter = np.full(d, scatter.mean())
    if code in ("EII", "VII"):
        scatter = scatter / d  # the variance that all features share has the prior once
    if code in POOLED:
        scatter = scatter / K
    per, mass = 1 / rows.weight, rows_of(code, dof, prior.shrinkage > 0, K, d)
    return PriorTerms(
        True,
        np.ascontiguousarray(mean, np.float64),
        per * float(prior.shrinkage),
        np.ascontiguousarray(per * np.atleast_2d(scatter)),
        per * mass,
        per * max(mass, 1.0),
        per * (float(prior.concentration) - 1),
    )


def rows_of(code: str, dof: float, has_mean: bool, n_components: int, n_features: int) -> float:
    """Return how many rows a component's covariance counts more, as in mclust's EM.

    The density of a covariance S has the factor ``|S| ** (-(dof + d + 1) / 2)``, of a variance its
    power ``-(dof + 2) / 2``, and the density of a mean given S ``|S| ** (-1 / 2)``. mclust counts
    them otherwise for VEI, EEV and VEV. It has no prior for VEE, EVE, VVE and EVV, which have that
    of VVV.
    """
    K, d, of_mean = n_components, n_features, float(has_mean)
    variance, covariance = dof + 2, dof + d + 1
    return {
        "EII": of_mean + variance / (K * d),
        "VII": of_mean + variance / d,
        "EEI": of_mean + variance / K,
        "VEI": (of_mean + variance) / d,
        "EVI": of_mean + variance / K,
        "VVI": of_mean + variance,
        "EEE": of_mean + covariance / K,
        "EEV": (of_mean + covariance) / K,
        "VEV": 0.0,
    }.get(code, of_mean + covariance)


def times(terms: PriorTerms, weight: float) -> PriorTerms:
    """Return the terms for rows of a total weight, given those per unit of it."""
    if not terms.is_present:
        return terms
    return PriorTerms(
        True, terms.mean, weight * terms.shrinkage, weight * terms.scatter, weight * terms.mass,
        weight * terms.mass_alone, weight * terms.concentration,
    )  # fmt: skip


def log_density(terms: PriorTerms, mixture: Parameters) -> float:
    """Return the log density of a mixture's parameters, up to a constant, in the terms' unit."""
    if not terms.is_present:
        return 0.0
    triangles, scatter = mixture.triangles(), terms.scatter
    if len(scatter) == 1:
        scatter = np.diag(scatter[0])
    along = np.einsum("kij,kj->ki", triangles, mixture.means - terms.mean)
    squares = np.einsum("kij,jl,kil->k", triangles, scatter, triangles, optimize=True)
    squares += terms.shrinkage * (along**2).sum(axis=1)
    total = -0.5 * (terms.mass * mixture.log_dets + squares).sum()
    if terms.concentration > 0:
        weights = mixture.weights[mixture.weights > 0]  # zero only where given so
        total += terms.concentration * np.log(weights).sum()
    return float(total)


def default_scale(rows: Moments, n_components: int) -> Floats:
    """Return mclust's scale, made positive definite: a matrix (d, d), or variances (d,)."""
    d, covariance = len(rows.mean), rows.covariance
    variances = np.array(covariance if covariance.ndim == 1 else covariance.diagonal())
    varies = (variances > LEAST_VARIANCE) & np.isfinite(variances)
    variances[~varies] = variances[varies].mean() if varies.any() else 1.0
    if covariance.ndim == 1 or not varies.all() or _is_singular(covariance):
        covariance = variances
    correction = rows.weight / max(rows.weight - 1, rows.weight / LARGEST_CORRECTION)
    return np.asarray(covariance * correction * n_components ** (-2 / d))


def _is_singular(matrix: Floats) -> bool:
    own = np.array(matrix, np.float64, order="C")[None]
    factor, log_det = np.empty_like(own), np.empty(1)
    return bool(invert_cholesky(own, np.empty_like(own[0]), factor, log_det) >= 0)


def _scale_for(scale: Any, n_features: int) -> Floats:
    """Return a scale that was given as variances (d,) or a matrix (d, d)."""
    array, d = np.asarray(scale, np.float64), n_features
    if array.ndim == 0:
        return np.full(d, float(array))
    if array.shape not in ((d,), (d, d)):
        raise _wrong("scale", f"a number, or of shape ({d},) or ({d}, {d})", array.shape)
    return array


def _wrong(name: str, wanted: str, got: Any) -> ValueError:
    return ValueError(f"{name} of the prior must be {wanted}; got {got}.")
