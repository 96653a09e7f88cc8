"""Names of the models of factor analyzers, and parameters that they exclude."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.constraints import COVARIANCE_TYPES, FACTOR_MODELS, CovarianceType, as_list
from gmmfast.data.given import given_array
from gmmfast.data.prior import Prior

Floats = NDArray[np.float64]

COMMON_SPECIFIC = "factor-tied"  # the covariance_type with specific variances in common
REQUIRED: dict[str, object] = {  # values of other parameters
    "prior": None,
    "covariance_ratio": None,
    "missing_values": "raise",
    "fixed": None,
    "precisions_init": None,
}


def model_name(covariance_type: str, n_factors: int) -> str:
    """Return the name of a model: of factor analyzers with their number, as "factor(2)"."""
    has_factors = covariance_type in FACTOR_MODELS
    return f"{covariance_type}({n_factors})" if has_factors else covariance_type


def type_and_factors(name: str) -> tuple[Any, int]:
    """Return the covariance type of a model, and its number of factors; 0 if it has none."""
    covariance_type, _, rest = name.partition("(")
    is_number = rest.endswith(")") and rest[:-1].isdecimal() and int(rest[:-1]) > 0
    if covariance_type in FACTOR_MODELS and is_number:
        return covariance_type, int(rest[:-1])
    return name, 0


def is_model(name: str) -> bool:
    """Whether this is the name of a model."""
    covariance_type, n_factors = type_and_factors(name)
    has_factors = covariance_type in FACTOR_MODELS
    return covariance_type in COVARIANCE_TYPES and has_factors == (n_factors > 0)


def models_of(covariance_types: Iterable[str], n_factors: Any) -> list[Any]:
    """Return the names of models to search among, each once, with each number of factors."""
    names = [
        model_name(name, int(count))
        for name in covariance_types
        for count in (as_list(n_factors) if name in FACTOR_MODELS else [1])
    ]
    return list(dict.fromkeys(names))


def require_possible(
    settings: Mapping[str, Any], covariance_types: Iterable[CovarianceType], n_features: int
) -> None:
    """Raise ValueError for parameters that factor analyzers exclude, or too many factors."""
    if not {*covariance_types} & {*FACTOR_MODELS}:
        return
    for name, needed in REQUIRED.items():
        value = settings.get(name, needed)
        if value is not needed and not (isinstance(needed, str) and value == needed):
            given = repr(value) if isinstance(value, str | float | Prior) else "a value"
            raise ValueError(
                f"covariance_type 'factor' and 'factor-tied' do not go with {name}; got {given}. "
                f"Leave {name} out, or use another covariance_type."
            )
    most = max(int(count) for count in as_list(settings["n_factors"]))
    if most >= n_features:
        raise ValueError(
            f"Factors must be fewer than columns; got n_factors={most} and {n_features} "
            f"{'column' if n_features == 1 else 'columns'}. Lower n_factors, or use another "
            "covariance_type."
        )


def require_factor_model(n_factors: Any, covariance_types: Iterable[str]) -> None:
    """Raise ValueError for a number of factors that no model takes."""
    if n_factors is not None and not {*covariance_types} & {*FACTOR_MODELS}:
        raise ValueError(
            f"n_factors={n_factors} goes with covariance_type=factor or factor-tied; got "
            f"{', '.join(covariance_types)}. Leave it out, or name one of these."
        )


def require_loadings(covariance_type: str, are_given: bool) -> None:
    """Raise ValueError for factor analyzers without loadings, or others with them."""
    if are_given != (covariance_type in FACTOR_MODELS):
        got = "got loadings" if are_given else "got none"
        remedy = "Leave them out" if are_given else "Give them"
        raise ValueError(
            f"'loadings' go with covariance_type='factor' or 'factor-tied', and only with these; "
            f"{got} for {covariance_type!r}. {remedy}, or use another covariance_type."
        )


def check_loadings(
    loadings: Any, variances: Any, covariance_type: str, n_components: int, n_features: int
) -> tuple[Floats, Floats]:
    """Turn loadings (K, d, q) and specific variances (K, d) or (d,) into arrays.

    Raises
    ------
    ValueError
        If a shape is wrong, there are as many factors as columns, or a value is not possible.
    """
    K, d = n_components, n_features
    found = np.asarray(given_array(loadings, "loadings"), np.float64)
    if found.ndim != 3 or found.shape[:2] != (K, d) or not 0 < found.shape[2] < d:
        raise ValueError(
            f"'loadings' needs the shape (K, d, q) = ({K}, {d}, q) with q from 1 to {d - 1}; got "
            f"{found.shape}."
        )
    own = np.asarray(given_array(variances, "covariances"), np.float64)
    if own.shape not in ((d,), (K, d)):
        raise ValueError(
            "With 'loadings', 'covariances' are the specific variances, of shape (K, d) = "
            f"({K}, {d}) or (d,); got {own.shape}."
        )
    if not np.isfinite(found).all():
        wrong = found[~np.isfinite(found)][0]
        raise ValueError(f"'loadings' must be finite; got {wrong:g}. Correct them.")
    if not (np.isfinite(own) & (own > 0)).all():
        wrong = own[~(np.isfinite(own) & (own > 0))][0]
        raise ValueError(
            "With 'loadings', 'covariances' are the specific variances, which must be finite and "
            f"positive; got {wrong:g}. Correct them."
        )
    if covariance_type == COMMON_SPECIFIC and own.ndim == 2 and np.ptp(own, axis=0).any():
        raise ValueError(
            "Specific variances of the model factor-tied must be the same in all components. "
            "Correct them, or use covariance_type='factor'."
        )
    return found, np.array(np.broadcast_to(own, (K, d)))
