"""The mixtures that functions are given, and what they require of them."""

from __future__ import annotations

from typing import Any

from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC

Analyzed = GaussianMixture | GaussianMixtureIC


def mixture_of(given: Any, function: str) -> GaussianMixture:
    """Return a fitted mixture; of a search, the best.

    Raises
    ------
    TypeError
        If it is no mixture of this package.
    NotFittedError
        If it has not been fitted.
    """
    if isinstance(given, GaussianMixtureIC):
        return given._best()
    if not isinstance(given, GaussianMixture):
        kind = f"{type(given).__module__}.{type(given).__name__}"
        raise TypeError(
            f"{function} needs a GaussianMixture or a GaussianMixtureIC; got {kind}. Make one of "
            "another mixture by GaussianMixture.from_parameters or from_sklearn."
        )
    given._check_fitted()
    return given


def require_gaussian(mixture: GaussianMixture, function: str) -> None:
    """Raise ValueError if a mixture has t components."""
    if mixture._degrees() is not None:
        raise ValueError(
            f"{function} needs Gaussian components; got t components, for which it has no closed "
            "form. Fit with component='gaussian'."
        )


def require_no_noise(mixture: GaussianMixture, function: str) -> None:
    """Raise ValueError if a mixture has noise."""
    if mixture._noise() is not None:
        raise ValueError(
            f"{function} needs a mixture without noise; got one with noise, which is uniform over "
            "a box. Take the components alone: GaussianMixture.from_parameters("
            "weights_ / weights_.sum(), means_, covariances_, covariance_type=...)."
        )
