"""Moves of components: from where one is missed least to where the rows are described worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import Partition
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, Scatter
from gmmfast.rows import MemoryRows

DOUBT = 1e-12  # least posterior probability of the other components, in what is lost
NO_VARIANCE = 1e-12  # relative: a smaller one is rounding


def moves(points: MemoryRows, model: Model, parameters: Parameters, count: int) -> list[Partition]:
    """Return partitions in which one component is dissolved and another one cut in two.

    The rows of the dissolved component join their second likeliest one; if no other has any
    probability there, the nearest one. The other component is cut across a feature, at its mean.
    Moves are ranked by what the cut gains in likelihood, less what the rows lose without the
    dissolved component, both before any further pass: first the best cut of each component, then
    the second best, and so on.

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
    weights = weights / points.weight_unit
    resp = points.responsibilities(parameters)[points.sample_weight > 0].astype(np.float64)
    (n, K), labels = resp.shape, resp.argmax(axis=1)
    resp[np.arange(n), labels] = 0.0  # only other components count from here on
    residuals = (present - parameters.means[labels]).T
    is_far = residuals > 0
    least = 2 if model.scatter is Scatter.DIAGONAL else points.n_features + 1
    with np.errstate(all="ignore"):  # far rows; a move needs a finite score
        loss = losses(resp, labels, weights)
        gains = gains_of_cuts(residuals, is_far, labels, weights, K, least)
    second = resp.argmax(axis=1)
    alone = ~resp.any(axis=1)
    second[alone] = _nearest(points, parameters, present[alone], labels[alone])
    found: list[Partition] = []
    for features in np.argsort(-gains, axis=0, kind="stable"):
        scores = gains[features, np.arange(K)] - loss[:, None]
        np.fill_diagonal(scores, -np.inf)
        cut_off = is_far[features[labels], np.arange(n)]
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


def losses(others: Floats, labels: NDArray[np.int64], weights: Floats) -> Floats:
    """Return the log-likelihood (K,) that rows lose without each component.

    Parameters
    ----------
    others : ndarray of shape (n, K)
        Responsibilities; 0 for the likeliest component of each row.
    labels : ndarray of shape (n,)
        The likeliest components.
    weights : ndarray of shape (n,)
        Row weights.
    """
    rest = np.maximum(others.sum(axis=1), DOUBT)  # 1 - r of the likeliest, with all its digits
    own = np.bincount(labels, -weights * np.log(rest), others.shape[1])
    # no matrix product: its bits depend on BLAS
    return np.asarray(own - (weights[:, None] * np.log1p(-others)).sum(axis=0))


def _nearest(
    points: MemoryRows, parameters: Parameters, rows: Floats, labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the component (m,) of the nearest mean, of those other than `labels`."""
    scales = np.sqrt(points.variances)
    scales[~(scales > 0)] = 1.0
    distances = np.full((len(rows), len(parameters.means)), np.inf)
    for k, mean in enumerate(parameters.means):
        distances[:, k] = np.square((rows - mean) / scales).sum(axis=1)
    distances[np.arange(len(rows)), labels] = np.inf
    return np.asarray(distances.argmin(axis=1))


def gains_of_cuts(
    residuals: Floats,
    is_far: NDArray[np.bool_],
    labels: NDArray[np.int64],
    weights: Floats,
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
    labels : ndarray of shape (n,)
        Likeliest components.
    weights : ndarray of shape (n,)
        Row weights.
    n_components : int
        K.
    least : int
        Fewest rows of a half. A row of the smallest weight counts once, others in proportion: so
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
