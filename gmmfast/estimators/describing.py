"""What a fitted mixture says of itself: dense regions, quantiles, and how sure its labels are."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.cumulative import chi_square_cdf, inverse, normal_cdf, t_cdf
from gmmfast.data.constraints import DENSE, check_parameters
from gmmfast.data.validation import check_random_state, check_shares, check_values
from gmmfast.estimators.fitted import FittedMixture
from gmmfast.estimators.mapping import map_rows
from gmmfast.marginals import Mixture
from gmmfast.parameters import Floats
from gmmfast.rows.evaluation import log_densities_of, uncertainties_of
from gmmfast.rows.sources import Source
from gmmfast.tails import LOG_TWO_PI


class DescribedMixture(FittedMixture):
    """Methods of `GaussianMixture` that describe the fitted distribution."""

    def uncertainty(self, X: ArrayLike | Source) -> NDArray[Any]:
        """How unsure the label of each row is: one minus its largest posterior probability.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.

        Returns
        -------
        ndarray of shape (n,)
            From 0 to ``1 - 1 / K``, or ``1 - 1 / (K + 1)`` with noise; computed as the sum of the
            other probabilities, so that it keeps its digits near zero. In pieces or lazy as by
            `predict`.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> means, variances = [[0.0], [4.0]], [1.0, 1.0]
        >>> mixture = GaussianMixture.from_parameters(
        ...     [0.5, 0.5], means, variances, covariance_type="spherical"
        ... )
        >>> mixture.uncertainty([[1.0], [2.0]]).round(3)
        array([0.018, 0.5  ])
        """
        uncertainty: NDArray[Any] = map_rows(self, X, uncertainties_of)
        return uncertainty

    def cdf(self, x: ArrayLike) -> Any:
        """Probability that a value of the mixture is at most x, of one feature.

        ``sum_k weights_k F((x - means_k) / s_k)`` with the distribution function F of the
        standard normal or t distribution, and standard deviations or scales ``s_k``. Noise is
        uniform over `noise_box_`.

        Parameters
        ----------
        x : float or array-like
            Values.

        Returns
        -------
        float or ndarray
            In the shape of x; exact to about 1e-15, with t components to 1e-13.

        Raises
        ------
        TypeError, ValueError
            If x holds anything but numbers, or the mixture has several features.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[5.0]], [[[4.0]]])
        >>> round(mixture.cdf(7.0), 4)
        0.8413
        """
        own = self._one_feature("cdf")
        values = check_values(x, "x")
        found = self._share_below(own, values.ravel()).reshape(values.shape)
        return found if values.ndim else float(found)

    def quantile(self, q: ArrayLike) -> Any:
        """Value below which a share of the mixture lies, of one feature: the inverse of `cdf`.

        Parameters
        ----------
        q : float or array-like
            Shares from 0 to 1.

        Returns
        -------
        float or ndarray
            In the shape of q, to rounding; infinite for 0 and 1.

        Raises
        ------
        TypeError, ValueError
            If a share is no number or out of range, or the mixture has several features.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[5.0]], [[[4.0]]])
        >>> mixture.quantile([0.5, 0.975]).round(4)
        array([5.    , 8.9199])
        """
        own = self._one_feature("quantile")
        shares = check_shares(q, "q")
        found, is_inside = np.where(shares == 0, -np.inf, np.inf), (shares > 0) & (shares < 1)
        center, scale = float(own.means.mean()), float(own.deviations.min())
        below = partial(self._share_below, own)
        inner = np.minimum(shares[is_inside], below(np.array([np.inf])))  # whose sum is rounded
        found[is_inside] = inverse(below, inner, center, scale)
        return found if shares.ndim else float(found)

    def highest_density_level(
        self, mass: ArrayLike, *, n_samples: int = 100_000, random_state: Any = 0
    ) -> Any:
        """Log density above which a share of the mixture lies, in its densest region.

        The highest density region ``{x: log p(x) >= level}`` is the smallest that holds the share;
        a row is in it if ``mixture.score_samples(X) >= level``. The level is a quantile of the log
        densities of rows drawn from the mixture (Hyndman 1996, section 3.2). One Gaussian component
        has the exact level, from the chi-square distribution of squared distances.

        Parameters
        ----------
        mass : float or array-like
            Shares between 0 and 1.
        n_samples : int, default=100_000
            Rows to draw, at least 1. The region holds its mass with a standard error of
            ``sqrt(mass (1 - mass) / n_samples)``: at most 0.0016 by default.
        random_state : int, RandomState, Generator or None, default=0
            Source of the draws; by default the same in each call.

        Returns
        -------
        float or ndarray
            Log densities in nats, in the shape of `mass`.

        Raises
        ------
        TypeError, ValueError
            If a share is not a number between 0 and 1.

        References
        ----------
        Hyndman, R. J. (1996). Computing and graphing highest density regions. The American
        Statistician 50(2), 120-126.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [np.eye(2)])
        >>> level = mixture.highest_density_level(0.5)
        >>> mixture.score_samples([[1.0, 0.0], [0.0, 1.2]]) >= level
        array([ True, False])
        """
        given = {"n_samples": n_samples, "random_state": random_state}
        check_parameters("highest_density_level", given, DENSE)
        shares = check_shares(mass, "mass", has_ends=False)
        own = self._components()
        if len(own.weights) == 1 and own.degrees is None and self._noise() is None:
            found = _level_of_one(own, shares)
        else:
            rows = self._drawn(n_samples, check_random_state(random_state))
            found = np.quantile(self._log_densities(rows), 1 - shares)
        return found if shares.ndim else float(found)

    def _components(self) -> Mixture:
        """Return weights, means, full covariances and degrees of freedom of the components."""
        weights, means, covariances = self._attributes("covariances_")
        matrices = self._model().matrices(covariances, *means.shape)
        return Mixture(weights, means, matrices, self._degrees())

    def _drawn(self, n: int, random: Any) -> Floats:
        """Return rows (n, d) that are drawn from the mixture by another generator than its own."""
        other = copy(self)
        other.random_state = random
        rows: Floats = other.sample(n)[0]
        return rows

    def _log_densities(self, X: Floats) -> Floats:
        """Return log densities (n,) at rows without names, in the order of the features."""
        found = log_densities_of(*self._rows(X, self._names_of(range(X.shape[1]))))
        return np.asarray(found, np.float64)

    def _one_feature(self, method: str) -> Mixture:
        own = self._components()
        if own.means.shape[1] > 1:
            raise ValueError(
                f"{method} needs a mixture of one feature; got {own.means.shape[1]} features. Take "
                "the distribution of one of them: mixture.marginal(j)."
            )
        return own

    def _share_below(self, own: Mixture, x: Floats) -> Floats:
        """Return the probability of values up to x (m,), under components and noise."""
        z = (x[:, None] - own.means[:, 0]) / own.deviations[:, 0]
        if own.degrees is None:
            shares = normal_cdf(z)
        else:
            columns = [t_cdf(own_z, nu) for own_z, nu in zip(z.T, own.degrees, strict=True)]
            shares = np.stack(columns, axis=1)
        below = shares @ own.weights
        if self._noise() is not None:
            low, high = self._noise_ends()
            below += self.noise_weight_ * np.clip((x - low) / (high - low), 0, 1)
        return np.asarray(np.minimum(below, 1.0))

    def _noise_ends(self) -> list[float]:
        """Return the ends of the interval over which the noise of one feature is uniform."""
        if not hasattr(self, "noise_box_"):
            raise ValueError(
                "The interval of the noise is not known before a resumed fit has gone on. Call fit."
            )
        corner, edge = self.noise_box_[:, 0]
        return sorted([float(corner), float(corner + edge)])


def _level_of_one(own: Mixture, mass: Floats) -> Floats:
    """Log density on the ellipsoid that holds a share of a Gaussian distribution."""
    d = own.means.shape[1]
    square = inverse(lambda x: chi_square_cdf(np.maximum(x, 0), d), np.ravel(mass), 0.0, float(d))
    log_det = np.linalg.slogdet(own.covariances[0])[1]
    return np.asarray(-0.5 * (d * LOG_TWO_PI + log_det + square)).reshape(mass.shape)
