"""Starts of factor analyzers: loadings for a mixture of independent features.

Factors that load on nothing stay so (they are a saddle point of the likelihood), so loadings begin
with the principal components of the rows of each component.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmfast.models.factors import FactorAnalyzers
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import RowsInMemory
from gmmfast.rows.evaluation import labels_of

MOST = 1024  # rows of a component that its principal components are of
LEAST_NOISE = 0.05  # share of each variance that stays specific
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
        own = own[:: max(1, len(own) // MOST)]
        residuals = (rows[own] - parameters.means[k]) * parameters.factors[k]
        loadings[k] = principal(residuals, weights[own], model.n_factors)
    shares = np.square(loadings).sum(axis=1)
    scale = np.sqrt(np.minimum(1.0, (1 - LEAST_NOISE) / np.maximum(shares, LEAST_NOISE)))
    deviations = 1 / parameters.factors
    loadings *= (scale * deviations)[:, None]
    noise = parameters.covariances - np.square(loadings).sum(axis=1)
    if model.is_common:
        noise[...] = parameters.weights @ noise / parameters.weights.sum()
    found = model.of_loadings(parameters.weights, parameters.means, noise, loadings)
    return replace(found, noise=parameters.noise, degrees=parameters.degrees)


def principal(residuals: Floats, weights: Floats, n_factors: int) -> Floats:
    """Return loadings (q, d) of probabilistic principal components (Tipping & Bishop 1999).

    Where the rows show fewer than q, the others are weak waves along the features.
    """
    d = residuals.shape[1]
    found = np.empty((0, d))
    if len(residuals) > 1:
        scaled = residuals * np.sqrt(weights / weights.sum())[:, None]
        _, deviations, axes = np.linalg.svd(scaled, full_matrices=False)
        variances = deviations**2
        rest = max((variances.sum() - variances[:n_factors].sum()) / max(d - n_factors, 1), 0.0)
        strong = variances[:n_factors] - rest
        strong = strong[strong > WEAKEST**2]
        found = axes[: len(strong)] * np.sqrt(strong)[:, None]
    waves = np.arange(len(found), n_factors)[:, None] + 1.0
    places = (np.arange(d) + 0.5) / d
    return np.concatenate([found, WEAKEST * np.cos(np.pi * waves * places)])
