"""How much the components of a mixture overlap: pairwise misclassification probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gmmfast.analysis.accepted import Analyzed, mixture_of, require_gaussian
from gmmfast.analysis.forms import share_below
from gmmfast.parameters import Floats


@dataclass(frozen=True)
class Overlap:
    """Overlap of the components of a mixture.

    Attributes
    ----------
    probabilities : ndarray of shape (K, K)
        ``probabilities[i, j]``: probability that a row of component i is likelier under component j
        than under i, weights included, where there are only these two. 1 on the diagonal.
    pairs : ndarray of shape (K, K)
        Overlap of two components: the sum of both misclassification probabilities, which is
        symmetric and at most 1. 1 on the diagonal.
    average, maximum : float
        Of `pairs`, over pairs of different components; 0 if there is one component.
    """

    probabilities: Floats
    pairs: Floats
    average: float
    maximum: float

    @classmethod
    def of(cls, probabilities: Floats) -> Overlap:
        """Return the overlap for misclassification probabilities (K, K)."""
        pairs = probabilities + probabilities.T
        np.fill_diagonal(pairs, 1.0)
        different = pairs[np.triu_indices(len(pairs), 1)]
        if not len(different):
            return cls(probabilities, pairs, 0.0, 0.0)
        return cls(probabilities, pairs, float(different.mean()), float(different.max()))


def overlap(mixture: Analyzed) -> Overlap:
    """Pairwise overlap of the components: probabilities of misclassification.

    ``P(weight_j p_j(x) > weight_i p_i(x))`` for x of component i. In the coordinates in which
    component i is standard normal, this is the probability that a quadratic form of z is below a
    threshold, ``sum_l (s_l^2 - 1) z_l^2 + 2 s_l m_l z_l <= c``. Components with the same
    covariance have the closed form ``Phi(log(weight_j / weight_i) / D - D / 2)`` with their
    Mahalanobis distance D. The others are integrated numerically, to about 1e-14.

    Parameters
    ----------
    mixture : GaussianMixture or GaussianMixtureIC
        Fitted, of Gaussian components; of a search, its best candidate. Noise is left out.

    Returns
    -------
    Overlap

    Raises
    ------
    ValueError
        If the mixture has t components.

    References
    ----------
    Maitra, R., Melnykov, V. (2010). Simulating data to study performance of finite mixture modeling
    and clustering algorithms. JCGS 19(2), 354-376, section 2.1: the definition, and theorem 1.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.analysis import overlap
    >>> mixture = GaussianMixture.from_parameters(
    ...     [0.5, 0.5], [[0.0], [2.0]], [1.0, 1.0], covariance_type="spherical"
    ... )
    >>> overlap(mixture).probabilities.round(4)
    array([[1.    , 0.1587],
           [0.1587, 1.    ]])
    """
    fitted = mixture_of(mixture, "overlap")
    require_gaussian(fitted, "overlap")
    own = fitted._components()
    return Overlap.of(Comparisons.of(own.weights, own.means, own.covariances).probabilities())


class Comparisons(NamedTuple):
    """Pairs of components i and j, in the coordinates in which component i is standard normal.

    There ``2 log p_j - 2 log p_i`` is ``z @ z - |S z + m|^2 - volumes`` for a diagonal matrix S.
    """

    first: Floats  # (P,) weights of component i
    second: Floats  # (P,) weights of component j
    scales: Floats  # (P, d) the diagonal of S
    shifts: Floats  # (P, d) m
    volumes: Floats  # (P,) log det covariance_j - log det covariance_i

    @classmethod
    def of(cls, weights: Floats, means: Floats, covariances: Floats) -> Comparisons:
        """Return all pairs of different components, by rows of a matrix (K, K)."""
        i, j = np.nonzero(~np.eye(len(weights), dtype=bool))
        factors = np.linalg.cholesky(covariances)
        log_dets = 2 * np.log(np.einsum("kii->ki", factors)).sum(axis=1)
        turns, scales, _ = np.linalg.svd(np.linalg.solve(factors[j], factors[i]))
        whitened = np.linalg.solve(factors[j], (means[i] - means[j])[:, :, None])
        shifts = (turns.transpose(0, 2, 1) @ whitened)[:, :, 0]
        return cls(weights[i], weights[j], scales, shifts, log_dets[j] - log_dets[i])

    def probabilities(self, scale: float = 1.0) -> Floats:
        """Return misclassification probabilities (K, K), with all covariances times a number."""
        m, S = self.shifts / np.sqrt(scale), self.scales
        with np.errstate(divide="ignore"):  # a weight of zero
            logs = 2 * (np.log(self.second) - np.log(self.first))
        thresholds = np.nan_to_num(logs, nan=0.0, posinf=1e9, neginf=-1e9) - self.volumes
        found = share_below((S - 1) * (S + 1), 2 * S * m, thresholds - (m**2).sum(axis=1))
        K = round((1 + np.sqrt(1 + 4 * len(found))) / 2)
        matrix = np.eye(K)
        matrix[~np.eye(K, dtype=bool)] = found
        return matrix
