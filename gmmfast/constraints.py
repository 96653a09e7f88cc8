"""What the parameters of constructors and methods may be, in scikit-learn's sentences."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gmmfast.errors import InvalidParameterError

MODEL_CODES = (  # mclust's
    "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE",
    "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV",
)  # fmt: skip
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical", *MODEL_CODES)


class Constraint(NamedTuple):
    """What a parameter may be."""

    description: str
    allows: Callable[[Any], bool]


def integer(low: int) -> Constraint:
    """Allow whole numbers from `low`."""
    return Constraint(
        f"an int in the range [{low}, inf)",
        lambda value: isinstance(value, numbers.Integral) and int(value) >= low,
    )


def not_negative() -> Constraint:
    """Allow real numbers from zero."""
    return Constraint(
        "a float in the range [0.0, inf)",
        lambda value: isinstance(value, numbers.Real) and 0 <= float(value) < math.inf,
    )


def fraction(interval: str, allows: Callable[[float], bool]) -> Constraint:
    """Allow real numbers in an interval."""
    return Constraint(
        f"a float in the range {interval}",
        lambda value: isinstance(value, numbers.Real) and allows(float(value)),
    )


def one_of(*choices: str) -> Constraint:
    """Allow some strings."""
    quoted = ", ".join(repr(choice) for choice in sorted(choices))
    return Constraint(
        f"a str among {{{quoted}}}", lambda value: isinstance(value, str) and value in choices
    )


def _is_array_like(value: Any) -> bool:
    sized = hasattr(value, "__len__") or hasattr(value, "shape")
    return sized and not (np.isscalar(value) or hasattr(value, "toarray"))


BOOLEAN = Constraint(
    "an instance of 'bool' or an instance of 'numpy.bool'",
    lambda value: isinstance(value, bool | np.bool_),
)
VERBOSE = Constraint(
    "an int in the range [0, inf), an instance of 'bool' or an instance of 'numpy.bool'",
    lambda value: isinstance(value, int | np.integer | np.bool_) and bool(value >= 0),
)
ARRAY = Constraint("an array-like or None", lambda value: value is None or _is_array_like(value))
RANDOM = Constraint(
    "an int in the range [0, 4294967295], an instance of 'numpy.random.mtrand.RandomState', an "
    "instance of 'numpy.random.Generator' or None",
    lambda value: (
        value is None
        or isinstance(value, np.random.RandomState | np.random.Generator)
        or (isinstance(value, numbers.Integral) and 0 <= int(value) < 1 << 32)
    ),
)
JOBS = Constraint(
    "an int other than 0 or None",
    lambda value: value is None or (isinstance(value, numbers.Integral) and int(value) != 0),
)

MIXTURE = {
    "n_components": integer(1),
    "covariance_type": one_of(*COVARIANCE_TYPES),
    "tol": not_negative(),
    "reg_covar": not_negative(),
    "max_iter": integer(0),
    "n_init": integer(1),
    "init_params": one_of("kmeans", "random", "random_from_data", "k-means++", "hierarchical"),
    "acceleration": one_of("none", "auto"),
    "weights_init": ARRAY,
    "means_init": ARRAY,
    "precisions_init": ARRAY,
    "random_state": RANDOM,
    "warm_start": BOOLEAN,
    "verbose": VERBOSE,
    "verbose_interval": integer(1),
    "n_jobs": JOBS,
}


STEPWISE = {
    "decay": fraction("(0.5, 1.0]", lambda value: 0.5 < value <= 1),
    "forgetting": fraction("[0.0, 1.0)", lambda value: 0 <= value < 1),
}


def check_constructor(estimator: Any, constraints: Mapping[str, Constraint] = MIXTURE) -> None:
    """Hold an estimator's parameters against a table.

    Parameters
    ----------
    estimator : Estimator
        Whose parameters.
    constraints : mapping of str to Constraint
        What each may be; one without a constraint, of a subclass, may be anything.

    Raises
    ------
    InvalidParameterError
        For the first that may not be what it is.
    """
    check_parameters(type(estimator).__name__, estimator.get_params(deep=False), constraints)


def check_parameters(
    owner: str, values: Mapping[str, Any], constraints: Mapping[str, Constraint]
) -> None:
    """Hold parameters, of an estimator or of a method, against a table, as `check_constructor`."""
    for name, value in values.items():
        constraint = constraints.get(name)
        if constraint is not None and not constraint.allows(value):
            raise InvalidParameterError(
                f"The {name!r} parameter of {owner} must be {constraint.description}. "
                f"Got {value!r} instead."
            )
