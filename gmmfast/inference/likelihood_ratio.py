"""Likelihood ratio tests of the number of components, by a parametric bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmfast.data.constraints import (
    JOBS,
    RANDOM,
    TYPES_WITHOUT_FACTORS,
    CovarianceType,
    check_parameters,
    fraction,
    integer,
    one_of,
)
from gmmfast.data.validation import check_random_state
from gmmfast.em.replicates import Refitting
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.inference.bootstrap import rows_of
from gmmfast.inference.replicates import MAX_ITER, drawing_of, in_blocks, refitting_of
from gmmfast.models import Model
from gmmfast.parameters import Floats
from gmmfast.reporting.report import Summary, significant
from gmmfast.reporting.table import table
from gmmfast.rows import MemoryRows

OPTIONS = {
    "covariance_type": one_of(*TYPES_WITHOUT_FACTORS),
    "max_components": integer(2),
    "n_resamples": integer(1),
    "significance_level": fraction("(0.0, 1.0)", lambda value: 0 < value < 1),
    "random_state": RANDOM,
    "n_jobs": JOBS,
}


@dataclass(frozen=True, eq=False, repr=False)
class LikelihoodRatioTest:
    """Tests of G against G + 1 components, for G = 1, 2, ...

    Attributes
    ----------
    covariance_type : str
        The covariance model.
    n_components : ndarray of int of shape (T,)
        G of each test.
    statistics : ndarray of shape (T,)
        Twice the gain of the log-likelihood by one more component.
    p_values : ndarray of shape (T,)
        Share of the replicates whose statistic is at least as large, counting the data as one.
    replicates : tuple of ndarray
        Statistics of the replicates of each test that have not collapsed.
    n_collapsed : ndarray of int of shape (T,)
        Replicates in which one of the two fits failed, or ended with a collapsed component. They
        are left out.
    significance_level : float
        The tests end with the first p value above it.
    """

    covariance_type: str
    n_components: np.ndarray[Any, np.dtype[np.int64]]
    statistics: Floats
    p_values: Floats
    replicates: tuple[Floats, ...]
    n_collapsed: np.ndarray[Any, np.dtype[np.int64]]
    significance_level: float

    @property
    def best_n_components(self) -> int | None:
        """The first G that is not rejected; None if all are."""
        kept = self.n_components[self.p_values > self.significance_level]
        return int(kept[0]) if kept.size else None

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def summary(self) -> Summary:
        """Return the tests as a table.

        Returns
        -------
        str
            A notebook shows it as it is printed.
        """
        names = [f"{G} against {G + 1}" for G in self.n_components.tolist()]
        columns = [
            ("statistic", [significant(own) for own in self.statistics.tolist()]),
            ("p value", [f"{own:.4f}" for own in self.p_values.tolist()]),
            ("replicates", [str(len(own)) for own in self.replicates]),
            ("collapsed", [str(own) for own in self.n_collapsed.tolist()]),
        ]
        best, level = self.best_n_components, f"level {self.significance_level:g}"
        end = f"All are rejected at {level}." if best is None else f"{best} at {level}."
        title = f"likelihood ratio tests, {self.covariance_type} covariance"
        return Summary("\n".join([title, "", *table("components", names, columns), "", end]))


def likelihood_ratio_test(
    X: ArrayLike,
    covariance_type: CovarianceType = "full",
    max_components: int = 9,
    n_resamples: int = 999,
    *,
    significance_level: float = 0.05,
    random_state: Any = None,
    n_jobs: int | None = None,
    **params: Any,
) -> LikelihoodRatioTest:
    """Test G components against G + 1, for G = 1, 2, ... until one is not rejected.

    The statistic is ``2 (log L_{G+1} - log L_G)``. It has no chi-squared distribution, since G
    components lie at the edge of G + 1. So rows are drawn from the fitted mixture of G components,
    and both mixtures are fitted to them, each from its own parameters (McLachlan 1987).

    Parameters
    ----------
    X : array-like or frame of shape (n, d)
        The rows.
    covariance_type : str, default="full"
        Covariance model, as in `GaussianMixture`.
    max_components : int, default=9
        Largest number of components, at least 2: the last test is of one less.
    n_resamples : int, default=999
        Replicates per test, at least 1. The smallest p value is ``1 / (n_resamples + 1)``.
    significance_level : float, default=0.05
        The tests end with the first p value above it.
    random_state : int, RandomState, Generator or None, default=None
        The only source of chance.
    n_jobs : int or None, default=None
        Number of threads. Results are the same to the last bit for any number.
    **params
        Further parameters of `GaussianMixture`, but neither `trim` nor missing values.

    Returns
    -------
    LikelihoodRatioTest

    Raises
    ------
    TypeError
        If rows are not in memory.
    ValueError
        As `GaussianMixture.fit`; if the parameters leave out rows or fit missing values, or if all
        replicates of a test collapse.
    InvalidParameterError
        If another parameter is out of range.

    References
    ----------
    McLachlan, G. J. (1987). On bootstrapping the likelihood ratio test statistic for the number of
    components in a normal mixture. Applied Statistics 36(3), 318-324.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast.inference import likelihood_ratio_test
    >>> X = np.random.default_rng(0).normal([0.0, 9.0], size=(50, 2)).reshape(-1, 1)
    >>> likelihood_ratio_test(X, "spherical", 3, 99, random_state=0).best_n_components
    2
    """
    options = {
        "covariance_type": covariance_type, "max_components": max_components,
        "n_resamples": n_resamples, "significance_level": significance_level,
        "random_state": random_state, "n_jobs": n_jobs,
    }  # fmt: skip
    check_parameters("likelihood_ratio_test", options, OPTIONS)
    rng = check_random_state(random_state)
    own = {"tol": 1e-5, "max_iter": MAX_ITER, "n_jobs": n_jobs, **params}

    def fitted(n_components: int) -> Fitted:
        mixture = GaussianMixture(
            n_components, covariance_type=covariance_type, random_state=rng, **own
        ).fit(X)
        rows = rows_of(mixture, X, None)
        return Fitted(mixture, *refitting_of(mixture, rows), rows)

    tests: list[tuple[float, float, Floats]] = []
    null = fitted(1)
    for G in range(1, max_components):
        alternative = fitted(G + 1)
        statistic = null.statistic(alternative)
        drawn = _replicates(null, alternative, n_resamples, rng, n_jobs)
        p = (1 + int((drawn >= statistic).sum())) / (1 + drawn.size)
        tests.append((statistic, p, drawn))
        if p > significance_level:
            break
        null = alternative
    statistics, p_values, replicates = zip(*tests, strict=True)
    n_collapsed = np.array([n_resamples - own.size for own in replicates])
    counts = np.arange(1, 1 + len(tests))
    found = np.array(statistics), np.array(p_values), replicates, n_collapsed
    return LikelihoodRatioTest(covariance_type, counts, *found, significance_level)


@dataclass(frozen=True)
class Fitted:
    """A fitted mixture, and the fits to replicates that start from it."""

    mixture: GaussianMixture
    refitting: Refitting
    model: Model
    rows: MemoryRows

    @property
    def log_likelihood(self) -> float:
        """Of all rows, at the mixture that replicates start from."""
        return self.refitting.statistics.log_likelihood

    def statistic(self, alternative: Fitted) -> float:
        """Return twice the gain of the log-likelihood by another mixture."""
        return 2 * (alternative.log_likelihood - self.log_likelihood)


def _replicates(
    null: Fitted, alternative: Fitted, n_resamples: int, rng: Any, n_jobs: int | None
) -> Floats:
    """Return the statistics of rows that are drawn from the null hypothesis."""
    n, d = null.rows.array.shape
    drawing = drawing_of(null.mixture, null.refitting, null.model, null.rows.center)

    def statistics(own: np.random.Generator, count: int) -> Floats:
        X = drawing.rows(own, count, n)
        both = null.refitting.redrawn(X), alternative.refitting.redrawn(X)
        gains = both[1].log_likelihoods - both[0].log_likelihoods
        return np.asarray(2 * gains[both[0].are_sound & both[1].are_sound])

    found = np.concatenate(in_blocks(statistics, n_resamples, n * d, rng, n_jobs))
    if not found.size:
        raise ValueError(
            f"All {n_resamples} replicates of {len(null.mixture.weights_)} components have "
            "collapsed. Lower max_components, or raise reg_covar."
        )
    return found
