"""Starts of factor analyzers: loadings for a mixture of independent features.

Loadings of zero stay zero: they are a saddle point of the likelihood. So loadings begin with the
principal components of the rows of each component.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmfast.models.factors import FactorAnalyzers
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import RowsInMemory
from gmmfast.rows.evaluation import labels_of

MOST = 1024  # rows of a component whose principal components are sought
LEAST_SPECIFIC = 0.05  # share of each variance
WEAKEST = 0.1  # standard deviation of a factor that the rows do not show


def with_loadings(
    parameters: Parameters, model: FactorAnalyzers, points: RowsInMemory
) -> Parameters:
    """Return a mixture of independent features with loadings.

    Parameters
    ----------
    parameters : Parameters
        Of independent features.
    model : FactorAnalyzers
        The model.
    points : Rows
        Some of the rows, without gaps.
    """
    K, d = parameters.means.shape
    rows, weights = np.asarray(points.array - points.center, np.float64), points.sample_weight
    labels = np.where(weights > 0, labels_of(points, parameters), -1)
    loadings = np.empty((K, model.n_factors, d))
    for k in range(K):
        own = np.flatnonzero(labels == k)
        own = own[:: max(1, -(-len(own) // MOST))]
        residuals = (rows[own] - parameters.means[k]) * parameters.factors[k]
        loadings[k] = principal(residuals, weights[own], model.n_factors)
    shares = np.square(loadings).sum(axis=1)
    scale = np.sqrt(np.minimum(1.0, (1 - LEAST_SPECIFIC) / np.maximum(shares, LEAST_SPECIFIC)))
    deviations = 1 / parameters.factors
    loadings *= (scale * deviations)[:, None]
    specific = parameters.covariances - np.square(loadings).sum(axis=1)
    if model.is_common:
        specific[...] = parameters.weights @ specific / parameters.weights.sum()
    found = model.of_loadings(parameters.weights, parameters.means, specific, loadings)
    return replace(found, noise=parameters.noise, degrees=parameters.degrees)


def principal(residuals: Floats, weights: Floats, n_factors: int) -> Floats:
    """Return loadings (q, d) of probabilistic principal components (Tipping & Bishop 1999).

    Where the rows show fewer than q, the others are weak waves along the features.
    """
    d, found = residuals.shape[1], np.empty((0, residuals.shape[1]))
    if len(residuals) > 1:
        scaled = residuals * np.sqrt(weights / weights.sum())[:, None]
        variances, axes = _strongest(scaled, n_factors)
        rest = max((np.square(scaled).sum() - variances.sum()) / max(d - n_factors, 1), 0.0)
        is_shown = variances - rest > WEAKEST**2
        found = axes[is_shown] * np.sqrt(variances[is_shown] - rest)[:, None]
    waves = np.arange(len(found), n_factors)[:, None] + 1.0
    places = (np.arange(d) + 0.5) / d
    return np.concatenate([found, WEAKEST * np.cos(np.pi * waves * places)])


def _strongest(rows: Floats, count: int) -> tuple[Floats, Floats]:
    """Return the largest eigenvalues (c,) of ``rows.T @ rows``, and their eigenvectors (c, d).

    From the smaller of the two products of the rows (n, d); c is at most n and d.
    """
    is_wide = len(rows) < rows.shape[1]
    values, vectors = np.linalg.eigh(rows @ rows.T if is_wide else rows.T @ rows)
    values, vectors = values[::-1][:count], vectors.T[::-1][:count]
    kept = values > 0
    values, axes = values[kept], vectors[kept]
    if is_wide:
        axes = axes @ rows / np.sqrt(values)[:, None]
    return values, axes
