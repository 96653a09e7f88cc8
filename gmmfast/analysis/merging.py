"""Clusters that are several components: a hierarchy of mergers by entropy."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast import criteria
from gmmfast.analysis.accepted import Analyzed, mixture_of
from gmmfast.data.constraints import check_parameters, integer
from gmmfast.data.validation import check_sample_weight
from gmmfast.estimators.mapping import map_rows
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows.evaluation import Evaluable, responsibilities_of, with_noise_marked
from gmmfast.rows.sources import Source, is_elsewhere

Counts = NDArray[np.int64]


class Elbow(NamedTuple):
    """Two lines through the entropies of 1 to K clusters, which meet at a number of clusters."""

    n_clusters: int
    lines: tuple[Floats, Floats]  # slope and height at zero, up to `n_clusters` and from there on


@dataclass(frozen=True, eq=False)
class Merging:
    """A hierarchy of clusters over the components of a mixture.

    Attributes
    ----------
    mixture : GaussianMixture
        A copy of the fitted mixture, of K components: a later fit does not change it.
    steps : ndarray of int of shape (K - 1, 2)
        The clusters that each step joins, from K clusters down to one. A cluster goes by its first
        component: after the step ``[i, j]`` cluster i includes cluster j.
    entropies : ndarray of shape (K,)
        Entropy of 1 to K clusters given the rows, in nats.
    n_clusters : int
        The number of clusters that was given, or the elbow of the entropies.
    """

    mixture: GaussianMixture
    steps: Counts
    entropies: Floats
    n_clusters: int

    def membership(self, n_clusters: int | None = None) -> Counts:
        """Return the cluster of each component.

        Parameters
        ----------
        n_clusters : int, optional
            Number of clusters; by default `n_clusters` of the merging.

        Returns
        -------
        ndarray of int of shape (K,)
            From 0 on, in the order of the first components of the clusters.
        """
        n, K = self.n_clusters if n_clusters is None else n_clusters, len(self.entropies)
        check_parameters("Merging", {"n_clusters": n}, {"n_clusters": integer(1, K)})
        first = np.arange(K)
        for kept, joined in self.steps[: K - n]:
            first[first == joined] = kept
        clusters: Counts = np.unique(first, return_inverse=True)[1]
        return clusters

    def matrix(self, n_clusters: int | None = None) -> Counts:
        """Return which components each cluster consists of, as a matrix of zeros and ones.

        Posterior probabilities of clusters are ``mixture.predict_proba(X)[:, :K] @ matrix.T``.

        Parameters
        ----------
        n_clusters : int, optional
            Number of clusters; by default `n_clusters` of the merging.

        Returns
        -------
        ndarray of int of shape (n_clusters, K)
        """
        membership = self.membership(n_clusters)
        return np.eye(int(membership.max()) + 1, dtype=np.int64)[:, membership]

    def predict(self, X: ArrayLike | Source, n_clusters: int | None = None) -> NDArray[np.int64]:
        """Label rows with their likeliest cluster.

        That need not be the cluster of their likeliest component: several components of a cluster
        may together be likelier.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        n_clusters : int, optional
            Number of clusters; by default `n_clusters` of the merging.

        Returns
        -------
        ndarray of int of shape (n,)
            From 0 on, in the order of the first components; -1 for noise. Sources give an iterator
            over the labels of each piece, Dask collections a lazy Dask array.
        """
        clusters = self.membership(n_clusters)
        labels: NDArray[np.int64] = map_rows(self.mixture, X, partial(_labels_of, clusters))
        return labels

    def predict_proba(self, X: ArrayLike | Source, n_clusters: int | None = None) -> NDArray[Any]:
        """Posterior probability of each cluster: the sum over its components.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        n_clusters : int, optional
            Number of clusters; by default `n_clusters` of the merging.

        Returns
        -------
        ndarray of shape (n, n_clusters)
            Each row sums to one. With noise its probability is one more column, the last.
        """
        clusters = self.membership(n_clusters)
        resp: NDArray[Any] = map_rows(self.mixture, X, partial(_probabilities_of, clusters))
        return resp

    @property
    def elbow(self) -> Elbow | None:
        """Where two lines through the entropies meet; None for fewer than three components.

        Each number of clusters c from 2 to K - 1 is tried with one line through the entropies of 1
        to c clusters, and one through those from c to K; the least sum of squares wins.
        """
        return elbow_of(self.entropies)


def merge_components(
    mixture: Analyzed,
    X: ArrayLike,
    *,
    n_clusters: int | None = None,
    sample_weight: ArrayLike | None = None,
) -> Merging:
    """Merge the components of a mixture into clusters, those first that overlap most.

    A group that is not Gaussian takes several components. Each step joins the two clusters that
    lower the entropy of the rows' assignment most,

    ``sum_i w_i (t_ij + t_ik) log(t_ij + t_ik) - w_i t_ij log t_ij - w_i t_ik log t_ik``

    with posterior probabilities t and row weights w. The density stays the mixture's.

    Parameters
    ----------
    mixture : GaussianMixture or GaussianMixtureIC
        Fitted; of a search, its best candidate. Components may be t distributions. Noise is
        not merged, but adds its own term to the entropies.
    X : array-like or frame of shape (n, d)
        Rows in memory, usually of the fit.
    n_clusters : int, optional
        Number of clusters, from 1 to K. By default the elbow of the entropies as a function of the
        number of clusters; with one or two components, which have no elbow, all of them.
    sample_weight : array-like of shape (n,), optional
        Row weights.

    Returns
    -------
    Merging
        The whole hierarchy, with labels for any number of clusters.

    Raises
    ------
    TypeError
        If `X` is a source or a Dask collection, or `mixture` no mixture.
    ValueError
        If `n_clusters` is out of range.

    Notes
    -----
    Lowering the entropy where it costs least suits clusters that are separated by regions of low
    density. The elbow is a heuristic, as in the paper: look at the entropy plot
    (`gmmfast.plotting.plot_entropy`).

    References
    ----------
    Baudry, J.-P., Raftery, A. E., Celeux, G., Lo, K., Gottardo, R. (2010). Combining mixture
    components for clustering. JCGS 19(2), 332-353, section 3: the hierarchy; section 4: piecewise
    linear fits of the entropy.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.analysis import merge_components
    >>> means = [[0.0], [1.0], [9.0]]
    >>> mixture = GaussianMixture.from_parameters(
    ...     [0.3, 0.3, 0.4], means, [1.0, 1.0, 1.0], covariance_type="spherical", random_state=0
    ... )
    >>> merging = merge_components(mixture, mixture.sample(200)[0])
    >>> merging.n_clusters, merging.membership()
    (2, array([0, 0, 1]))
    >>> merging.predict([[0.4], [8.0]])
    array([0, 1])
    """
    fitted = mixture_of(mixture, "merge_components")
    K = len(fitted.weights_)
    if n_clusters is not None:
        limits = {"n_clusters": integer(1, K)}
        check_parameters("merge_components", {"n_clusters": n_clusters}, limits)
    if is_elsewhere(X):
        raise TypeError(
            f"merge_components needs rows in memory; got {type(X).__name__}. Pass a sample of the "
            "rows; the predict of its result takes the others."
        )
    resp = fitted.predict_proba(X).astype(np.float64)
    given = check_sample_weight(sample_weight, len(resp))
    weights = np.ones(len(resp)) if given is None else given.astype(np.float64)
    steps, entropies = hierarchy(resp, weights, K)
    if n_clusters is None:
        elbow = elbow_of(entropies)
        n_clusters = K if elbow is None else elbow.n_clusters
    return Merging(deepcopy(fitted), steps, entropies, int(n_clusters))


def elbow_of(entropies: Floats) -> Elbow | None:
    """Fit two lines to the entropies of 1 to K clusters; None if there are fewer than three."""
    K, best = len(entropies), np.inf
    counts, found = np.arange(1.0, K + 1), None
    for c in range(2, K):
        parts = slice(None, c), slice(c - 1, None)
        fits = [_line(counts[part], entropies[part]) for part in parts]
        squares = sum(rest for _, rest in fits)
        if squares < best:
            best, found = squares, Elbow(c, (fits[0][0], fits[1][0]))
    return found


def _line(x: Floats, y: Floats) -> tuple[Floats, float]:
    """Return slope and height at zero of the line of least squares, and the sum of squares."""
    about = x - x.mean()
    slope = float(about @ y / (about @ about))
    line = np.array([slope, float(y.mean() - slope * x.mean())])
    return line, float(((y - line[0] * x - line[1]) ** 2).sum())


def hierarchy(resp: Floats, weights: Floats, K: int) -> tuple[Counts, Floats]:
    """Join the clusters (n, K) of most gain until one is left; further columns are noise."""
    resp, entropies = resp.copy(), np.empty(K)
    left, steps = list(range(K)), np.empty((K - 1, 2), np.int64)
    gains = np.full((K, K), -np.inf)
    for k in range(K):
        gains[k, k + 1 :] = _gains(resp[:, k], resp[:, k + 1 : K], weights)
    entropies[K - 1] = criteria.entropy(resp, weights)
    for step in range(K - 1):
        kept, joined = np.unravel_index(int(gains.argmax()), gains.shape)
        steps[step] = kept, joined
        resp[:, kept] += resp[:, joined]
        resp[:, joined] = 0.0
        left.remove(int(joined))
        gains[joined], gains[:, joined] = -np.inf, -np.inf
        others = np.array([k for k in left if k != kept], np.int64)
        found = _gains(resp[:, kept], resp[:, others], weights)
        gains[np.minimum(kept, others), np.maximum(kept, others)] = found
        entropies[K - 2 - step] = criteria.entropy(resp, weights)
    return steps, entropies


def _gains(own: Floats, others: Floats, weights: Floats) -> Floats:
    """Entropy that joining one cluster (n,) with each of others (n, m) takes away.

    ``a log(1 + b / a) + b log(1 + a / b)``: entropies near each other are not subtracted, so that
    clusters which hardly overlap are still told apart.
    """
    gains = np.empty(others.shape[1])
    for k, other in enumerate(others.T):
        low, high = np.minimum(own, other), np.maximum(own, other)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            parts = high * np.log1p(low / high) + low * (np.log(low + high) - np.log(low))
        gains[k] = weights @ np.where(low > 0, parts, 0.0)
    return gains


def joined(resp: NDArray[Any], clusters: Counts) -> NDArray[Any]:
    """Add the responsibilities (n, K) of the components of each cluster; noise stays the last."""
    K = len(clusters)
    found = np.zeros((len(resp), int(clusters.max()) + 1 + resp.shape[1] - K), resp.dtype)
    for k, cluster in enumerate(clusters):
        found[:, cluster] += resp[:, k]
    found[:, int(clusters.max()) + 1 :] = resp[:, K:]
    return np.minimum(found, 1)  # a sum may be rounded up


def _probabilities_of(clusters: Counts, rows: Evaluable, parameters: Parameters) -> NDArray[Any]:
    return joined(responsibilities_of(rows, parameters), clusters)


def _labels_of(clusters: Counts, rows: Evaluable, parameters: Parameters) -> NDArray[np.int64]:
    labels = _probabilities_of(clusters, rows, parameters).argmax(axis=1)
    return with_noise_marked(labels, int(clusters.max()) + 1)
