"""The settings of a fit, read from JSON and checked."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gmmfast.data.constraints import COMPONENTS, TYPES_WITHOUT_FACTORS, require_columns

MOST_COMPONENTS = 200
CRITERIA = ("bic", "aic", "icl")


@dataclass(frozen=True)
class Settings:
    """A fit: of one number of components, or the best of several.

    Attributes
    ----------
    columns : tuple of str
        Columns to use, at least one.
    components : tuple of int
        Numbers of components to try; one alone is fitted.
    criterion : str
        Criterion to minimize among several candidates.
    covariance_type : str
        A model of `GaussianMixture`, or "all" among several candidates.
    max_iter, tol, n_init, reg_covar, trim, random_state : int, float, int, float, float, int
        As in `GaussianMixture`.
    standardize : bool
        Whether to fit to columns of mean 0 and standard deviation 1.
    prior : bool
        Whether to fit under mclust's prior.
    noise : bool
        Whether there is a uniform component for outliers.
    component : str
        Distribution of each component; degrees of freedom are estimated, common to all.
    """

    columns: tuple[str, ...]
    components: tuple[int, ...]
    criterion: Any  # Criterion
    covariance_type: Any  # CovarianceType, or "all"
    max_iter: int
    tol: float
    n_init: int
    reg_covar: float
    trim: float
    standardize: bool
    prior: bool
    noise: bool
    component: Any  # Component
    random_state: int

    @property
    def is_choice(self) -> bool:
        """Whether there are several candidates."""
        return len(self.components) > 1 or self.covariance_type == "all"


DEFAULTS: dict[str, Any] = {
    "n_components": 2,
    "criterion": "bic",
    "covariance_type": "full",
    "max_iter": 100,
    "tol": 1e-4,
    "n_init": 1,
    "reg_covar": 1e-6,
    "trim": 0.0,
    "standardize": False,
    "prior": False,
    "noise": False,
    "component": "gaussian",
    "random_state": 0,
}
CHOICE = {"from": 1, "to": 6}  # numbers of components that the page tries
OUTLIER_RATE = 0.01  # share of the rows that are less likely than all others


LABELS = {  # names on the page, and in programs
    "criterion": "The criterion (criterion)",
    "covariance_type": "The covariance model (covariance_type)",
    "max_iter": "Maximum iterations (max_iter)",
    "tol": "The convergence tolerance (tol)",
    "n_init": "Restarts (n_init)",
    "reg_covar": "Regularization (reg_covar)",
    "trim": "The share of rows to leave out (trim)",
    "standardize": "Standardize columns (standardize)",
    "prior": "Prior for few rows (prior)",
    "noise": "Outliers as noise (noise)",
    "component": "The distribution of a component (component)",
    "random_state": "The seed (random_state)",
}


def read_settings(body: Any, names: Sequence[str]) -> Settings:
    """Check a JSON object.

    Parameters
    ----------
    body : object
        Parsed JSON; missing members come from `DEFAULTS`.
    names : sequence of str
        Columns of the data.

    Returns
    -------
    Settings

    Raises
    ------
    ValueError
        With one sentence that the user can act on.
    """
    if not isinstance(body, dict):
        raise ValueError("The settings must be a JSON object.")
    unknown = sorted(set(body) - {*DEFAULTS, "columns", "n_dimensions"})
    if unknown:
        raise ValueError(f"There is no setting {unknown[0]!r}.")
    asked = {**DEFAULTS, **body}
    columns = _columns(asked.get("columns"), names)
    _check_dimensions(asked.get("n_dimensions"), columns)
    settings = Settings(
        columns=columns,
        components=_components(asked["n_components"]),
        criterion=_one_of(asked, "criterion", CRITERIA),
        covariance_type=_one_of(asked, "covariance_type", (*TYPES_WITHOUT_FACTORS, "all")),
        max_iter=_whole(asked, "max_iter", 1, 100_000),
        tol=_number(asked, "tol"),
        n_init=_whole(asked, "n_init", 1, 1000),
        reg_covar=_number(asked, "reg_covar"),
        trim=_number(asked, "trim"),
        standardize=_flag(asked, "standardize"),
        prior=_flag(asked, "prior"),
        noise=_flag(asked, "noise"),
        component=_one_of(asked, "component", COMPONENTS),
        random_state=_whole(asked, "random_state", 0, 2**32 - 1),
    )
    require_columns([settings.covariance_type], len(columns))
    if settings.is_choice and settings.n_init > 1:
        raise ValueError("Restarts are for one number of components; set them to 1.")
    if settings.trim >= 0.5:
        raise ValueError(f"{LABELS['trim']} must be below 0.5; got {settings.trim:g}.")
    if settings.is_choice and settings.trim:
        raise ValueError("Rows are left out for one number of components; set the share to 0.")
    return settings


def _columns(value: Any, names: Sequence[str]) -> tuple[str, ...]:
    if value is None:
        return tuple(names)
    if not isinstance(value, list) or not value:
        raise ValueError("Choose at least one column.")
    known = set(names)
    for name in value:
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"There is no column {name!r}; the columns are {', '.join(names)}.")
    if len(set(value)) < len(value):
        raise ValueError("A column can be used once.")
    return tuple(value)


def _check_dimensions(value: Any, columns: Sequence[str]) -> None:
    if value is not None and value != len(columns):
        chosen = f"{len(columns)} column{'' if len(columns) == 1 else 's'}"
        raise ValueError(
            f"The number of dimensions D is {value!r}, but {chosen} are chosen. "
            f"Set D to {len(columns)}, or choose other columns."
        )


def _components(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    known = all(isinstance(k, int) and not isinstance(k, bool) for k in numbers)
    if not numbers or not known or min(numbers) < 1 or max(numbers) > MOST_COMPONENTS:
        raise ValueError(
            "The number of components K must be a whole number, or a list of some, from 1 to "
            f"{MOST_COMPONENTS}; got {value!r}."
        )
    return tuple(sorted(set(numbers)))


def _one_of(asked: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    value = asked[name]
    if value not in choices:
        raise ValueError(f"{LABELS[name]} must be one of {', '.join(choices)}; got {value!r}.")
    return str(value)


def _whole(asked: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = asked[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(
            f"{LABELS[name]} must be a whole number from {least} to {most}; got {shown(value)}."
        )
    return value


def _number(asked: Mapping[str, Any], name: str) -> float:
    value = asked[name]
    known = isinstance(value, int | float) and not isinstance(value, bool)
    with contextlib.suppress(OverflowError):
        if known and math.isfinite(value) and value >= 0:
            return float(value)
    raise ValueError(f"{LABELS[name]} must be a number of at least 0; got {shown(value)}.")


def shown(value: Any) -> str:
    """Return a value for a message, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _flag(asked: Mapping[str, Any], name: str) -> bool:
    value = asked[name]
    if not isinstance(value, bool):
        raise ValueError(f"{LABELS[name]} must be true or false; got {value!r}.")
    return value
