"""Constraints on the parameters of constructors and methods, in scikit-learn's wording."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.prior import Prior
from gmmfast.errors import InvalidParameterError


class SupportsArray(Protocol):
    """Columns and frames of other packages."""

    def __array__(self) -> NDArray[Any]:
        """Return the values."""


SklearnModel = Literal["full", "tied", "diag", "spherical"]
ModelCode = Literal[  # mclust's
    "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE",
    "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV",
]  # fmt: skip
ColumnCode = Literal["E", "V"]  # mclust's for one column
FactorModel = Literal["factor", "factor-tied"]  # of factor analyzers: own noise, or one for all
CovarianceType = Literal[SklearnModel, ModelCode, ColumnCode, FactorModel]
Start = Literal["kmeans", "k-means++", "random", "random_from_data", "hierarchical"]
Criterion = Literal["bic", "aic", "aicc", "icl", "nec", "cv"]
Acceleration = Literal["none", "auto"]
MissingValues = Literal["raise", "marginalize"]
Component = Literal["gaussian", "t"]
Degrees = Literal["common", "own"]
WeightPrior = Literal["dirichlet_process", "dirichlet_distribution"]
OnInterrupt = Literal["raise", "keep"]
GivenPrior = Literal["mclust"] | Prior
Memberships = NDArray[Any] | SupportsArray | Sequence[float] | Sequence[Sequence[float]]

SKLEARN_TYPES: tuple[SklearnModel, ...] = get_args(SklearnModel)
MODEL_CODES: tuple[ModelCode, ...] = get_args(ModelCode)
FACTOR_MODELS: tuple[FactorModel, ...] = get_args(FactorModel)
TYPES_WITHOUT_FACTORS: tuple[CovarianceType, ...] = (
    *get_args(SklearnModel), *get_args(ModelCode), *get_args(ColumnCode),
)  # fmt: skip
ONE_COLUMN: dict[str, ModelCode] = {"E": "EII", "V": "VII"}  # the same models
COVARIANCE_TYPES: tuple[CovarianceType, ...] = get_args(CovarianceType)
STARTS: tuple[Start, ...] = get_args(Start)
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
ACCELERATIONS: tuple[Acceleration, ...] = get_args(Acceleration)
MISSING: tuple[MissingValues, ...] = get_args(MissingValues)
COMPONENTS: tuple[Component, ...] = get_args(Component)
ESTIMATES: tuple[Degrees, ...] = get_args(Degrees)
WEIGHT_PRIORS: tuple[WeightPrior, ...] = get_args(WeightPrior)
INTERRUPTS: tuple[OnInterrupt, ...] = get_args(OnInterrupt)
BOUNDABLE: tuple[CovarianceType, ...] = ("full", "diag", "spherical", "VII", "VVI", "VVV", "V")
MOST = (1 << 63) - 1  # what an array can count


class Constraint(NamedTuple):
    """The values that a parameter may have."""

    description: str
    allows: Callable[[Any], bool]


def is_int(value: Any) -> bool:
    """Whether a value is a whole number; True and False are not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    """Whether a value is a real number, neither True nor False, that a float can hold."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def integer(low: int, high: int | None = None) -> Constraint:
    """Allow whole numbers from `low`, up to `high` where it is given."""
    end = "inf)" if high is None else f"{high}]"
    return Constraint(
        f"an int in the range [{low}, {end}",
        lambda value: is_int(value) and low <= int(value) and (high is None or int(value) <= high),
    )


def not_negative() -> Constraint:
    """Allow real numbers from zero."""
    return fraction("[0.0, inf)", lambda value: 0 <= value < math.inf)


def fraction(interval: str, allows: Callable[[float], bool]) -> Constraint:
    """Allow real numbers in an interval."""
    return Constraint(
        f"a float in the range {interval}", lambda value: _is_float(value) and allows(float(value))
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


def _or_memberships(names: Constraint) -> Constraint:
    """Allow names of starts, or labels, responsibilities or a callable in their place."""
    return Constraint(
        f"{names.description}, an array-like or a callable",
        lambda value: names.allows(value) or callable(value) or _is_array_like(value),
    )


def as_list(value: Any) -> list[Any]:
    """Return one value, or several, as a list."""
    is_scalar = isinstance(value, str) or getattr(value, "ndim", 1) == 0
    is_several = isinstance(value, Iterable) and not is_scalar
    return list(value) if is_several else [value]


def _is_counts(value: Any) -> bool:
    if isinstance(value, Iterator):  # which would be empty the next time
        return False
    counts = as_list(value)
    return bool(counts) and all(map(integer(1, MOST).allows, counts))


def _is_counts_or_auto(value: Any) -> bool:
    return (isinstance(value, str) and value == "auto") or _is_counts(value)


def _is_types(value: Any) -> bool:
    types = as_list(value)
    known = all(isinstance(name, str) and name in COVARIANCE_TYPES for name in types)
    return types == ["all"] or (bool(types) and known)


def all_models(n_features: int) -> list[CovarianceType]:
    """Return the models that "all" stands for: the 14 codes, or for one column E and V."""
    return list(get_args(ColumnCode if n_features == 1 else ModelCode))


def require_columns(covariance_types: Iterable[str], n_features: int) -> None:
    """Raise ValueError if a model is for one column and the data have several."""
    for code, same in ONE_COLUMN.items():
        if code in covariance_types and n_features > 1:
            raise ValueError(
                f"The model {code} is for one column; got {n_features} columns. Choose one "
                f"column, or use {same}, which is {code} for any number of columns."
            )


def require_boundable(covariance_types: Iterable[str], covariance_ratio: float | None) -> None:
    """Raise ValueError if a model has no variances whose ratio could be bounded."""
    for covariance_type in covariance_types:
        if covariance_ratio is not None and covariance_type not in BOUNDABLE:
            raise ValueError(
                f"covariance_ratio needs components with variances of their own: one of the models "
                f"{', '.join(BOUNDABLE)}; got {covariance_type!r}. Use one of these, or leave "
                "covariance_ratio out."
            )


def _is_folds(value: Any) -> bool:
    if is_int(value):
        return int(value) >= 2
    if isinstance(value, str | bytes | Iterator) or not isinstance(value, Iterable):
        return hasattr(value, "split") and not isinstance(value, str | bytes)
    pairs = as_list(value)
    return hasattr(value, "split") or (bool(pairs) and all(map(_is_pair, pairs)))


def _is_pair(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes) and len(value) == 2


BOOLEAN = Constraint(
    "an instance of 'bool' or an instance of 'numpy.bool'",
    lambda value: isinstance(value, bool | np.bool_),
)
VERBOSE = Constraint(
    "an int in the range [0, inf), an instance of 'bool' or an instance of 'numpy.bool'",
    lambda value: isinstance(value, int | np.integer | np.bool_) and bool(value >= 0),
)
PRIOR = Constraint(
    "'mclust', a gmmfast.Prior or None",
    lambda value: (
        value is None or isinstance(value, Prior) or (isinstance(value, str) and value == "mclust")
    ),
)
FIXED = Constraint(
    "a dict with some of 'weights', 'means' and 'covariances', or None",
    lambda value: (
        value is None
        or (isinstance(value, Mapping) and {*value} <= {"weights", "means", "covariances"})
    ),
)
ARRAY = Constraint("an array-like or None", lambda value: value is None or _is_array_like(value))
RANDOM = Constraint(
    "an int in the range [0, 4294967295], an instance of 'numpy.random.mtrand.RandomState', an "
    "instance of 'numpy.random.Generator' or None",
    lambda value: (
        value is None
        or isinstance(value, np.random.RandomState | np.random.Generator)
        or (is_int(value) and 0 <= int(value) < 1 << 32)
    ),
)
JOBS = Constraint(
    "an int other than 0 or None",
    lambda value: value is None or (is_int(value) and int(value) != 0),
)
RATIO = Constraint(
    "a float in the range [1.0, inf) or None",
    lambda value: value is None or (_is_float(value) and 1 <= float(value) < math.inf),
)

POSITIVE = Constraint(
    "a positive float or None",
    lambda value: value is None or (_is_float(value) and 0 < float(value) < math.inf),
)


def _is_noise(value: Any) -> bool:
    is_share = _is_float(value) and 0 < float(value) < 1
    return value is None or BOOLEAN.allows(value) or is_share or _is_array_like(value)


NOISE = {
    "noise": Constraint(
        "None, a bool, a float in the range (0.0, 1.0) or an array-like", _is_noise
    ),
    "noise_volume": POSITIVE,
}

TAILS = {
    "component": one_of(*COMPONENTS),
    "degrees_of_freedom": Constraint(
        "a positive float, 'common' or 'own'",
        lambda value: (
            value in ESTIMATES
            if isinstance(value, str)
            else _is_float(value) and 0 < float(value) < math.inf
        ),
    ),
}

MIXTURE = {
    "n_components": integer(1),
    "covariance_type": one_of(*COVARIANCE_TYPES),
    "n_factors": integer(1),
    "tol": not_negative(),
    "reg_covar": not_negative(),
    "covariance_ratio": RATIO,
    "max_iter": integer(0),
    "n_init": integer(1),
    "init_params": _or_memberships(one_of(*STARTS)),
    "acceleration": one_of(*ACCELERATIONS),
    "missing_values": one_of(*MISSING),
    **NOISE,
    **TAILS,
    "prior": PRIOR,
    "trim": fraction("[0.0, 0.5)", lambda value: 0 <= value < 0.5),
    "fixed": FIXED,
    "weights_init": ARRAY,
    "means_init": ARRAY,
    "precisions_init": ARRAY,
    "random_state": RANDOM,
    "warm_start": BOOLEAN,
    "verbose": VERBOSE,
    "verbose_interval": integer(1),
    "n_jobs": JOBS,
}

BAYESIAN = {
    **{name: MIXTURE[name] for name in (
        "n_components", "tol", "reg_covar", "max_iter", "n_init", "init_params", "acceleration",
        "random_state", "warm_start", "verbose", "verbose_interval", "n_jobs",
    )},
    "covariance_type": one_of(*SKLEARN_TYPES),
    "weight_concentration_prior_type": one_of(*WEIGHT_PRIORS),
    "weight_concentration_prior": POSITIVE,
    "mean_precision_prior": POSITIVE,
    "mean_prior": ARRAY,
    "degrees_of_freedom_prior": POSITIVE,
    "covariance_prior": Constraint(
        "a positive float, an array-like or None",
        lambda value: POSITIVE.allows(value) or _is_array_like(value),
    ),
}  # fmt: skip

KINDS = "mean", "sample"  # of values that are filled in
IMPUTE = {"kind": one_of(*KINDS), "random_state": RANDOM}

SAMPLE = {"n_samples": integer(1, MOST)}

DENSE = {**SAMPLE, "random_state": RANDOM}

OUTLIERS = {"rate": fraction("(0.0, 1.0)", lambda value: 0 < value < 1)}

STEPWISE = {
    "decay": fraction("(0.5, 1.0]", lambda value: 0.5 < value <= 1),
    "forgetting": fraction("[0.0, 1.0)", lambda value: 0 <= value < 1),
}

SEARCH = {
    "n_components": Constraint(
        "'auto', an int, or a list or range of ints, from 1 on", _is_counts_or_auto
    ),
    "covariance_types": Constraint(
        f"'all' or a list of names among {', '.join(COVARIANCE_TYPES)}", _is_types
    ),
    "n_factors": Constraint("an int, or a list or range of ints, from 1 on", _is_counts),
    "criterion": one_of(*CRITERIA),
    "cv": Constraint(
        "an int in the range [2, inf), a splitter with a method split, or a list of pairs of "
        "row indices",
        _is_folds,
    ),
    "tol": not_negative(),
    "reg_covar": not_negative(),
    "covariance_ratio": RATIO,
    **NOISE,
    **TAILS,
    "max_iter": integer(1),
    "acceleration": one_of(*ACCELERATIONS),
    "max_seconds": Constraint(
        "a positive float or None",
        lambda value: value is None or (_is_float(value) and float(value) > 0),
    ),
    "patience": Constraint(
        "an int in the range [1, inf) or None",
        lambda value: value is None or integer(1).allows(value),
    ),
    "exhaustive": BOOLEAN,
    "missing_values": one_of(*MISSING),
    "prior": PRIOR,
    "on_interrupt": one_of(*INTERRUPTS),
    "random_state": RANDOM,
    "n_jobs": JOBS,
}


def check_constructor(estimator: Any, constraints: Mapping[str, Constraint] = MIXTURE) -> None:
    """Check an estimator's parameters against a table.

    Parameters
    ----------
    estimator : Estimator
        The estimator.
    constraints : mapping of str to Constraint
        By parameter; a subclass's parameter without a constraint may be anything.

    Raises
    ------
    InvalidParameterError
        For the first invalid parameter.
    """
    check_parameters(type(estimator).__name__, estimator.get_params(deep=False), constraints)


def check_parameters(
    owner: str, values: Mapping[str, Any], constraints: Mapping[str, Constraint]
) -> None:
    """Check the parameters of an estimator or a method against a table."""
    for name, value in values.items():
        constraint = constraints.get(name)
        if constraint is not None and not constraint.allows(value):
            raise InvalidParameterError(
                f"The {name!r} parameter of {owner} must be {constraint.description}. "
                f"Got {value!r} instead."
            )
