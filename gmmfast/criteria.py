"""Information criteria. Lower is better, as in scikit-learn; mclust's have the other sign."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def bic(log_likelihood: float, n_parameters: int, n_samples: float) -> float:
    """Bayesian information criterion.

    ``n_parameters * log(n_samples) - 2 * log_likelihood``

    Parameters
    ----------
    log_likelihood : float
        Of all rows together, in nats.
    n_parameters : int
        Free parameters of the mixture.
    n_samples : float
        Number of rows, or the sum of their weights.

    Returns
    -------
    float
        Lower is better.

    References
    ----------
    Schwarz, G. (1978). Estimating the dimension of a model. Annals of Statistics 6(2), 461-464.

    Examples
    --------
    >>> from gmmfast.criteria import bic
    >>> round(bic(-100.0, 5, 50), 3)
    219.56
    """
    return n_parameters * math.log(n_samples) - 2 * log_likelihood


def aic(log_likelihood: float, n_parameters: int) -> float:
    """Akaike information criterion.

    ``2 * n_parameters - 2 * log_likelihood``

    Parameters
    ----------
    log_likelihood : float
        Of all rows together, in nats.
    n_parameters : int
        Free parameters of the mixture.

    Returns
    -------
    float
        Lower is better.

    References
    ----------
    Akaike, H. (1974). A new look at the statistical model identification. IEEE Transactions on
    Automatic Control 19(6), 716-723, section V.

    Examples
    --------
    >>> from gmmfast.criteria import aic
    >>> aic(-100.0, 5)
    210.0
    """
    return 2 * n_parameters - 2 * log_likelihood


def aicc(log_likelihood: float, n_parameters: int, n_samples: float) -> float:
    """Akaike information criterion, corrected for few rows.

    ``aic + 2 n_parameters (n_parameters + 1) / (n_samples - n_parameters - 1)``

    Parameters
    ----------
    log_likelihood : float
        Of all rows together, in nats.
    n_parameters : int
        Free parameters of the mixture.
    n_samples : float
        Number of rows, or the sum of their weights.

    Returns
    -------
    float
        Lower is better; infinite unless there are at least two rows more than parameters.

    References
    ----------
    Hurvich, C. M., Tsai, C.-L. (1989). Regression and time series model selection in small samples.
    Biometrika 76(2), 297-307, section 2.

    Examples
    --------
    >>> from gmmfast.criteria import aicc
    >>> aicc(-100.0, 5, 26)
    213.0
    """
    left = n_samples - n_parameters - 1
    if left <= 0:
        return math.inf
    return aic(log_likelihood, n_parameters) + 2 * n_parameters * (n_parameters + 1) / left


def doubt(largest_responsibilities: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    """How far rows are from being clearly assigned to one component.

    ``-sum_i w_i log max_k r_ik``

    Parameters
    ----------
    largest_responsibilities : ndarray of shape (n_samples,)
        ``max_k r_ik``, in (0, 1].
    weights : ndarray of shape (n_samples,)
        Row weights.

    Returns
    -------
    float
        In nats; 0 where every row is certain.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast.criteria import doubt
    >>> round(doubt(np.array([0.5, 1.0]), np.ones(2)), 3)
    0.693
    """
    return -float(weights @ np.log(largest_responsibilities.astype(np.float64)))


def icl(bic: float, doubt: float) -> float:
    """Integrated completed likelihood: BIC, and a penalty for rows that are not clearly assigned.

    ``bic - 2 sum_i w_i log max_k r_ik``

    Parameters
    ----------
    bic : float
        Bayesian information criterion of the mixture.
    doubt : float
        Of the rows; see `doubt`.

    Returns
    -------
    float
        Lower is better.

    References
    ----------
    Biernacki, C., Celeux, G., Govaert, G. (2000). Assessing a mixture model for clustering with
    the integrated completed likelihood. IEEE PAMI 22(7), 719-725, equation 8 and section 4.

    Examples
    --------
    >>> from gmmfast.criteria import icl
    >>> icl(220.0, 1.5)
    223.0
    """
    return bic + 2 * doubt


def entropy(responsibilities: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    """Entropy of the components given the rows.

    ``-sum_ik w_i r_ik log r_ik``

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_components)
        Posterior probabilities of the components.
    weights : ndarray of shape (n_samples,)
        Row weights.

    Returns
    -------
    float
        In nats; 0 where every row is certain.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast.criteria import entropy
    >>> round(entropy(np.array([[0.5, 0.5], [1.0, 0.0]]), np.ones(2)), 3)
    0.693
    """
    resp = responsibilities.astype(np.float64)
    logs = np.log(resp, out=np.zeros_like(resp), where=resp > 0)
    return max(0.0, -float(np.einsum("n,nk,nk->", weights, resp, logs)))


def nec(entropy: float, log_likelihood: float, of_one: float) -> float:
    """Normalized entropy criterion: the overlap that each gain of likelihood costs.

    ``entropy / (log_likelihood - of_one)``

    Parameters
    ----------
    entropy : float
        Of the components given the rows; see `entropy`.
    log_likelihood : float
        Of all rows together, in nats.
    of_one : float
        Log-likelihood of one component of the same covariance model.

    Returns
    -------
    float
        Lower is better; infinite if the mixture is not likelier than one component. One component
        has 1 by definition, so that several components are preferred only below 1.

    References
    ----------
    Biernacki, C., Celeux, G., Govaert, G. (1999). An improvement of the NEC criterion for assessing
    the number of clusters in a mixture model. Pattern Recognition Letters 20(3), 267-272.

    Examples
    --------
    >>> from gmmfast.criteria import nec
    >>> nec(5.0, -100.0, -120.0)
    0.25
    """
    gain = log_likelihood - of_one
    return math.inf if gain <= 0 else entropy / gain
