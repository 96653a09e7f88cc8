"""Moves of components: from where one is missed least to where the rows are described worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import Partition
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, Scatter
from gmmfast.rows import MemoryRows

CERTAIN = 1 - 1e-12  # responsibility; rows nearer to one lose no more without their component
NO_VARIANCE = 1e-12  # relative: a smaller one is rounding


def moves(points: MemoryRows, model: Model, parameters: Parameters, count: int) -> list[Partition]:
    """Return partitions in which one component is dissolved and another one cut in two.

    The rows of the dissolved component join their second likeliest one. The other component is cut
    across a feature, at its mean. Moves are ranked by what the cut gains in likelihood, less what
    the rows lose without the dissolved component, both before any further pass: first the best cut
    of each component, then the second best, and so on.

    Parameters
    ----------
    points : MemoryRows
        The rows, unsorted.
    model : Model
        The covariance model.
    parameters : Parameters
        The mixture.
    count : int
        Moves to return, at most.

    References
    ----------
    Ueda, N., Nakano, R., Ghahramani, Z., Hinton, G. E. (2000). SMEM algorithm for mixture models.
    Neural Computation 12, 2109-2128, section 3: a merge and a split at the same time.

    Zhao, Q., Hautamaki, V., Karkkainen, I., Franti, P. (2012). Random swap EM algorithm for
    Gaussian mixture models. Pattern Recognition Letters 33, 2120-2126, section 3.
    """
    present, weights = points.present()
    resp = points.responsibilities(parameters)[points.sample_weight > 0].astype(np.float64)
    (n, K), labels = resp.shape, resp.argmax(axis=1)
    is_far = (present > parameters.means[labels]).T
    with np.errstate(all="ignore"):  # far rows; a move needs a finite score
        loss = -(weights @ np.log1p(-np.minimum(resp, CERTAIN)))
        residuals = (present - parameters.means[labels]).T
        least = 2 if model.scatter is Scatter.DIAGONAL else points.n_features + 1
        gains = _gains(residuals, is_far, weights, labels, K, least)
    resp[np.arange(n), labels] = -1.0
    second, found = resp.argmax(axis=1), list[Partition]()
    for features_of_rank in np.argsort(-gains, axis=0):
        scores = gains[features_of_rank, np.arange(K)] - loss[:, None]
        np.fill_diagonal(scores, -np.inf)
        cut_off = is_far[features_of_rank[labels], np.arange(n)]
        for best in np.argsort(-scores, axis=None, kind="stable")[: count - len(found)]:
            dissolved, cut = divmod(int(best), K)
            if not scores[dissolved, cut] > -np.inf:
                break
            moved = np.where(labels == dissolved, second, labels)
            moved[(labels == cut) & cut_off] = dissolved
            means = parameters.means.copy()
            means[dissolved] = means[cut]
            found.append(Partition(points.tiled(points.of_all(moved)), means))
        if len(found) == count:
            break
    return found


def _gains(
    residuals: Floats,
    is_far: NDArray[np.bool_],
    weights: Floats,
    labels: NDArray[np.int64],
    n_components: int,
    least: int,
) -> Floats:
    """Return the gains (d, K) of classification log-likelihood by cuts across each feature.

    A gain is that of two normal distributions of the feature over one; minus infinity if one
    half has too few rows, or the feature does not vary in it.

    Parameters
    ----------
    residuals : ndarray of shape (d, n)
        Rows relative to the mean of their component.
    is_far : ndarray of shape (d, n)
        Whether a row is in the second half.
    weights, labels : ndarray of shape (n,)
        Of the rows.
    n_components : int
        K.
    least : int
        Rows of a half, at least. A row of the smallest weight counts once, others in proportion: so
        integer weights are repetitions, and the unit of weights means nothing.
    """
    (d, n), K = residuals.shape, n_components
    halves = (labels + K * is_far + 2 * K * np.arange(d)[:, None]).ravel()
    every = np.broadcast_to(weights, (d, n))
    mass, first, second = (
        np.bincount(halves, own.ravel(), 2 * K * d).reshape(d, 2, K)
        for own in (every, every * residuals, every * residuals**2)
    )
    means = first / mass  # small: about the mean of the component
    variances = second / mass - means**2
    total = mass.sum(axis=1)
    shares = mass / total[:, None]
    middle = (shares * means).sum(axis=1)
    whole = (shares * (variances + (means - middle[:, None]) ** 2)).sum(axis=1)
    halved = (shares * (np.log(variances) / 2 - np.log(shares))).sum(axis=1)
    gains = total * (np.log(whole) / 2 - halved)
    is_cut = (variances > NO_VARIANCE * whole[:, None]) & (mass >= least * weights.min())
    gains[~is_cut.all(axis=1) | ~np.isfinite(gains)] = -np.inf
    return np.asarray(gains)
