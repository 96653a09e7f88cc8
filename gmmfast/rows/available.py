"""Moments of the values that are there, for starts: each by the rows that have its features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.parameters import Floats, Scatter, SufficientStatistics
from gmmfast.rows.extent import Extent

LEAST_EIGENVALUE = 1e-3  # of correlations, which may be indefinite where each is of other rows


class Normal(NamedTuple):
    """A mean (d,) and a covariance (d, d)."""

    mean: Floats
    covariance: Floats


def extent_of_known(X: Floats, weights: Floats) -> Extent:
    """Return the weighted mean and the extremes of the values; of a feature without any, mean 0.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows, NaN where a value is missing.
    weights : ndarray of shape (n,)
        Row weights; rows of weight zero are ignored.
    """
    is_known = ~np.isnan(X) & (weights > 0)[:, None]
    low = np.where(is_known, X, np.inf).min(axis=0)
    high = np.where(is_known, X, -np.inf).max(axis=0)
    shares = np.where(is_known, weights[:, None], 0.0)
    mass = shares.sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # overflow: the center is 0 then
        shares /= np.where(mass > 0, mass, 1.0)
        mean = np.einsum("nd,nd->d", shares, np.where(is_known, X, 0.0))
    return Extent(np.where(mass > 0, np.clip(mean, low, high), 0.0), low, high)


def without_values(X: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which rows have no value at all (n,)."""
    return np.asarray(np.isnan(X).all(axis=1))


def normal_of(X: Floats, weights: Floats, otherwise: Normal) -> Normal:
    """Return the mean and the correlations of the values that are there.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows, NaN where a value is missing.
    weights : ndarray of shape (n,)
        Row weights.
    otherwise : Normal
        Gives the mean of a feature without values, and the variance of a feature that is constant.
    """
    is_known, own = ~np.isnan(X), extent_of_known(X, weights)
    shares = is_known * weights[:, None]
    pairs = shares.T @ is_known
    mass = np.diag(pairs)
    mean = np.where(mass > 0, own.mean, otherwise.mean)
    residuals = np.where(is_known, X - mean, 0.0)
    squares = np.einsum("nd,nd->d", weights[:, None] * residuals, residuals)
    varies = own.low < own.high
    variances = np.where(
        varies, squares / np.where(varies, mass, 1.0), otherwise.covariance.diagonal()
    )
    deviations = np.sqrt(variances)
    scaled = residuals / deviations
    products = (scaled * weights[:, None]).T @ scaled
    correlations = np.divide(products, pairs, out=np.zeros_like(pairs), where=pairs > 0)
    np.fill_diagonal(correlations, 1.0)
    values, vectors = np.linalg.eigh(correlations)
    definite = vectors * np.maximum(values, LEAST_EIGENVALUE) @ vectors.T
    return Normal(mean, definite * deviations[:, None] * deviations)


def normal_of_all(X: Floats, weights: Floats, center: Floats) -> Normal:
    """Return the normal distribution of all rows; a feature without a value is at the center."""
    return normal_of(X, weights, Normal(center, np.eye(len(center))))


def statistics_of_available(
    X: Floats, weights: Floats, resp: NDArray[np.floating], center: Floats, scatter: Scatter
) -> SufficientStatistics:
    """Return the statistics of given responsibilities, as if the values of a component were normal.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows, NaN where a value is missing.
    weights : ndarray of shape (n,)
        Row weights.
    resp : ndarray of shape (n, K)
        Responsibilities.
    center : ndarray of shape (d,)
        Of the rows; the statistics are relative to it.
    scatter : Scatter
        Second moments to return.
    """
    shares, present = resp * weights[:, None], weights > 0
    whole = normal_of_all(X, weights, center)
    normals = [normal_of(X, own, whole) for own in shares.T]
    mass, covariances = shares.sum(axis=0), np.array([own.covariance for own in normals])
    if scatter is Scatter.DIAGONAL:
        moments = mass[:, None] * np.einsum("kii->ki", covariances)
    else:
        moments = mass[:, None, None] * covariances
        if scatter is Scatter.POOLED:
            moments = moments.sum(axis=0, keepdims=True)
    return SufficientStatistics(
        log_likelihood=0.0,
        doubt=0.0,
        weight=float(weights.sum()),
        n_rows=int(present.sum()),
        reference=np.array([own.mean for own in normals]) - center,
        mass=mass,
        first=np.zeros((len(mass), len(center))),
        scatter=moments,
    )
