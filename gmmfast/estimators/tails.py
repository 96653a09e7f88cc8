"""Degrees of freedom as users describe them, for the model of a fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmfast.files.attributes import DEGREES
from gmmfast.kernels.degrees import COMMON_DEGREES, GIVEN, OWN_DEGREES
from gmmfast.models import Tails
from gmmfast.parameters import Floats

BEGIN = 10.0  # degrees of freedom that an estimate begins with
ESTIMATES = {"common": COMMON_DEGREES, "own": OWN_DEGREES}


def tails_of(component: str, degrees_of_freedom: float | str) -> Tails | None:
    """Return the degrees of freedom of a fit; None if its components are Gaussian.

    Parameters
    ----------
    component : {"gaussian", "t"}
        Of the constructor, like the next one.
    degrees_of_freedom : float, "common" or "own"
        A number, or how many to estimate.

    Raises
    ------
    ValueError
        If Gaussian components are given degrees of freedom.
    """
    if component == "t":
        return tails_from(degrees_of_freedom)
    if degrees_of_freedom != "common":
        raise ValueError(
            "Gaussian components have no degrees of freedom; got component='gaussian' and "
            f"degrees_of_freedom={degrees_of_freedom!r}. Set component='t', or leave "
            "degrees_of_freedom out."
        )
    return None


def tails_from(degrees_of_freedom: float | str) -> Tails:
    """Return degrees of freedom that are given or, from the same beginning, estimated."""
    if isinstance(degrees_of_freedom, str):
        return Tails(BEGIN, ESTIMATES[degrees_of_freedom])
    return Tails(float(degrees_of_freedom), GIVEN)


def given_degrees(
    component: str, degrees_of_freedom: float | str, n_components: int
) -> Floats | None:
    """Return the degrees of freedom (K,) of a mixture that is not fitted; None if Gaussian.

    Raises
    ------
    ValueError
        If they are not a number, or are given without t components.
    """
    tails = tails_of(component, degrees_of_freedom)
    if tails is None:
        return None
    if tails.estimate != GIVEN:
        raise ValueError(
            "A mixture from parameters needs a number of degrees of freedom; got "
            f"degrees_of_freedom={degrees_of_freedom!r}. Give a number, or fit the mixture."
        )
    return np.full(n_components, tails.degrees)


def require_same_component(mixture: Any) -> None:
    """Raise ValueError if a stream would go on with components of another distribution."""
    is_t = tails_of(mixture.component, mixture.degrees_of_freedom) is not None
    if is_t != hasattr(mixture, DEGREES):
        fitted = "Gaussian" if is_t else "t"
        raise ValueError(
            f"component={mixture.component!r}, but the fitted mixture has {fitted} components. Set "
            "it back, or start with a new mixture."
        )


def set_degrees(mixture: Any, degrees: Floats | None) -> None:
    """Set the fitted degrees of freedom, or none."""
    vars(mixture).pop(DEGREES, None)
    if degrees is not None:
        setattr(mixture, DEGREES, np.array(degrees))
