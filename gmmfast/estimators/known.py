"""Known mixtures beside which others are fitted: what they must be, and what stays of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gmmfast.data.constraints import FACTOR_MODELS
from gmmfast.files.attributes import DEGREES, FEATURES, NOISE

OWN = ("covariance_type", "fixed", "means_init", "precisions_init")  # set by the known mixture

Mixture = TypeVar("Mixture")


def known_of(known: Any, params: Mapping[str, Any]) -> Any:
    """Return a known mixture, or the best one of a search, after a check.

    Parameters
    ----------
    known : GaussianMixture or GaussianMixtureIC
        Whose components stay.
    params : mapping
        Parameters of the mixture beside it.

    Raises
    ------
    TypeError
        If it is no mixture of this package.
    ValueError
        If a parameter follows from the known mixture, if there are t components, or if the known
        mixture has noise and the parameters say nothing of it.
    """
    if not hasattr(known, "_attributes") and not hasattr(known, "best_estimator_"):
        kind = f"{type(known).__module__}.{type(known).__name__}"
        raise TypeError(
            f"GaussianMixture.beside needs a fitted mixture of gmmfast; got {kind}. Convert one of "
            "scikit-learn by GaussianMixture.from_sklearn."
        )
    known = getattr(known, "best_estimator_", known)
    if known.covariance_type in FACTOR_MODELS:
        raise ValueError(
            "GaussianMixture.beside does not take factor analyzers, whose parameters cannot stay; "
            f"got covariance_type={known.covariance_type!r}. Fit the known mixture with another "
            "covariance_type."
        )
    for name in OWN:
        if name in params:
            raise ValueError(
                f"{name} follows from the known mixture; got {name}={params[name]!r}. Leave it out."
            )
    if hasattr(known, DEGREES) or params.get("component", "gaussian") != "gaussian":
        raise ValueError(
            "GaussianMixture.beside needs Gaussian components, known and others; got t components, "
            "whose degrees of freedom cannot stay. Use component='gaussian' in both."
        )
    if hasattr(known, NOISE[0]) and "noise" not in params:
        raise ValueError(
            "The known mixture has noise, which does not stay. Give noise=True for noise beside "
            "the components, or noise=None for none."
        )
    return known


def with_features_of(mixture: Mixture, known: Any) -> Mixture:
    """Return a mixture that takes only frames with the column names of the known one, if any."""
    if hasattr(known, FEATURES[1]):
        names = {name: getattr(known, name) for name in FEATURES}
        vars(mixture).update(names, _is_beside=True)
    return mixture
