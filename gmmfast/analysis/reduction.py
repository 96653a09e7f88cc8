"""The same distribution with fewer components."""

from __future__ import annotations

import numpy as np

from gmmfast.analysis.accepted import Analyzed, mixture_of, require_gaussian, require_no_noise
from gmmfast.data.constraints import check_parameters, integer
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.parameters import Floats


def reduce(mixture: Analyzed, n_components: int) -> GaussianMixture:
    """Approximate a mixture by fewer components, without data.

    Each step replaces two components by one Gaussian with their common weight, mean and covariance,
    so that mean and covariance of the whole mixture stay as they are. It takes the pair with the
    least bound on the increase of the Kullback-Leibler divergence,

    ``((w_i + w_j) log det P_ij - w_i log det P_i - w_j log det P_j) / 2``

    where ``P_ij`` is the covariance of both together.

    Parameters
    ----------
    mixture : GaussianMixture or GaussianMixtureIC
        Fitted, of Gaussian components and without noise; of a search, its best candidate.
    n_components : int
        Number of components to keep, from 1 to K. Components of weight zero go first.

    Returns
    -------
    GaussianMixture
        With full covariances, made from parameters; in the order of the first components.

    Raises
    ------
    ValueError
        If `n_components` is out of range, or the mixture has t components or noise.

    References
    ----------
    Runnalls, A. R. (2007). Kullback-Leibler approach to Gaussian mixture reduction. IEEE
    Transactions on Aerospace and Electronic Systems 43(3), 989-999, equations 2 to 4: the merger;
    equation 21: the bound.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.analysis import reduce
    >>> mixture = GaussianMixture.from_parameters(
    ...     [0.25, 0.25, 0.5], [[0.0], [1.0], [9.0]], [1.0, 1.0, 1.0], covariance_type="spherical"
    ... )
    >>> smaller = reduce(mixture, 2)
    >>> smaller.means_.ravel(), smaller.covariances_.ravel()
    (array([0.5, 9. ]), array([1.25, 1.  ]))
    """
    fitted = mixture_of(mixture, "reduce")
    require_gaussian(fitted, "reduce")
    require_no_noise(fitted, "reduce")
    limits = {"n_components": integer(1, len(fitted.weights_))}
    check_parameters("reduce", {"n_components": n_components}, limits)
    own = fitted._components()
    kept = own.weights > 0
    weights, means, covariances = own.weights[kept], own.means[kept], own.covariances[kept]
    costs = np.array([_costs(k, weights, means, covariances) for k in range(len(weights))])
    while len(weights) > n_components:
        i, j = np.unravel_index(int(costs.argmin()), costs.shape)
        first, second = min(i, j), max(i, j)
        weights, means, covariances = _merged(int(first), int(second), weights, means, covariances)
        costs = np.delete(np.delete(costs, second, axis=0), second, axis=1)
        costs[first] = costs[:, first] = _costs(int(first), weights, means, covariances)
    names = fitted._names_of(range(means.shape[1]))
    return GaussianMixture.from_parameters(
        weights / weights.sum(), means, covariances, feature_names=names
    )


def _together(
    k: int, weights: Floats, means: Floats, covariances: Floats
) -> tuple[Floats, Floats, Floats]:
    """Weights (K,), means (K, d) and covariances (K, d, d) of component k with each component."""
    sums = weights + weights[k]
    share = (weights / sums)[:, None]
    between = means - means[k]
    merged = share[..., None] * covariances + (1 - share)[..., None] * covariances[k]
    merged += (share * (1 - share))[..., None] * between[:, :, None] * between[:, None, :]
    return sums, means[k] + share * between, merged


def _costs(k: int, weights: Floats, means: Floats, covariances: Floats) -> Floats:
    """Bounds (K,) on what merging component k with each other costs; infinite with itself."""
    sums, _, merged = _together(k, weights, means, covariances)
    own, both = np.linalg.slogdet(covariances)[1], np.linalg.slogdet(merged)[1]
    costs = 0.5 * (weights * (both - own) + weights[k] * (both - own[k]))
    costs[k] = np.inf
    return np.asarray(costs)


def _merged(
    i: int, j: int, weights: Floats, means: Floats, covariances: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the mixture with component j merged into component i."""
    sums, centers, merged = _together(i, weights, means, covariances)
    weights, means, covariances = weights.copy(), means.copy(), covariances.copy()
    weights[i], means[i], covariances[i] = sums[j], centers[j], merged[j]
    return np.delete(weights, j), np.delete(means, j, axis=0), np.delete(covariances, j, axis=0)
