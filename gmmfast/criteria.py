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
