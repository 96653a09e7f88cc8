"""Starting values that users give, and the parameters that keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.constraints import SKLEARN_TYPES
from gmmfast.data.given import (
    Floats,
    check_means_init,
    check_precisions_init,
    check_weights_init,
    given_array,
    require_family,
)

Mask = NDArray[np.bool_]

INITS = {"weights": "weights_init", "means": "means_init", "covariances": "precisions_init"}
OWN = ("full", "diag", "spherical", "VVV", "VVI", "VII", "V")  # covariances of components' own


class StartingValues(NamedTuple):
    """What a start takes from the user: None, or NaN in components that start as usual."""

    weights: Floats | None  # (K,)
    means: Floats | None  # (K, d), in units of the data
    precisions: Floats | None  # in the structure of the type
    fixed: dict[str, Mask]  # components (K,) that keep their weights, means and covariances

    @property
    def has_fixed(self) -> bool:
        """Whether any parameter stays."""
        return any(mask.any() for mask in self.fixed.values())

    def kept(self) -> dict[str, list[bool]] | None:
        """Return what stays as the constructor takes it, and JSON holds it."""
        own = {part: mask.tolist() for part, mask in self.fixed.items()}
        return own if self.has_fixed else None


def starting_values(
    params: Mapping[str, Any], n_components: int, n_features: int
) -> StartingValues:
    """Check the starting values among an estimator's parameters.

    Parameters
    ----------
    params : mapping
        Its `weights_init`, `means_init`, `precisions_init`, `fixed` and `covariance_type`.
    n_components : int
        K.
    n_features : int
        d.

    Raises
    ------
    ValueError
        If a value is invalid, or a fixed value is missing.
    """
    K, d, kind = n_components, n_features, params["covariance_type"]
    fixed = _masks(params["fixed"], K, kind)
    for part, init in INITS.items():
        if fixed[part].any() and params[init] is None:
            raise ValueError(
                f"fixed={{{part!r}: ...}} needs {init}, the values that stay; got None. Components "
                "that are not fixed may be NaN in it, and start as usual."
            )
    weights, means, precisions = (params[init] for init in INITS.values())
    if weights is not None:
        weights, gaps = _without_gaps(weights, fixed["weights"], "weights_init")
        if gaps.any():
            free = ~fixed["weights"]
            weights[free] = (1 - weights[~free].sum()) / free.sum()
            gaps = free
        weights = _with_gaps(check_weights_init(weights, K), gaps)
    if means is not None:
        means, gaps = _without_gaps(means, fixed["means"], "means_init")
        means = _with_gaps(check_means_init(means, K, d), gaps)
    if precisions is not None:
        gaps = np.zeros(K, bool)
        if kind != "tied":
            precisions, gaps = _without_gaps(precisions, fixed["covariances"], "precisions_init")
        precisions = check_precisions_init(precisions, kind, K, d)
        if fixed["covariances"].all() and kind not in SKLEARN_TYPES:
            require_family(np.asarray(np.linalg.inv(precisions)), kind)
        precisions = _with_gaps(precisions, gaps)
    return StartingValues(weights, means, precisions, fixed)


def _masks(fixed: Any, n_components: int, covariance_type: str) -> dict[str, Mask]:
    """Return which components (K,) keep each part."""
    K, masks = n_components, {}
    for part in INITS:
        value = (fixed or {}).get(part, False)
        mask: Mask = np.asarray(value)
        if mask.dtype != bool or mask.shape not in ((), (K,)):
            raise ValueError(
                f"fixed={{{part!r}: ...}} must be True or one bool per component, {K} in all; got "
                f"{value!r}."
            )
        masks[part] = np.broadcast_to(mask, K)
    some = masks["covariances"]
    if some.any() and not some.all():
        _require_own(covariance_type)
    return masks


def _require_own(covariance_type: str) -> None:
    if covariance_type not in OWN:
        raise ValueError(
            "Covariances of some components can only stay where each component has its own: "
            f"{', '.join(OWN)}; got covariance_type={covariance_type!r}. Fix all of them, or none."
        )


def _without_gaps(values: Any, fixed: Mask, name: str) -> tuple[NDArray[Any], Mask]:
    """Return values with the gaps filled in, and which components (K,) they are."""
    array, K = given_array(values, name), len(fixed)
    if array.ndim == 0 or len(array) != K or not fixed.any():
        return array, np.zeros(K, bool)  # checked later
    array = np.array(array, np.float64)
    gaps = np.asarray(np.isnan(array).reshape(K, -1).any(axis=1))
    if (gaps & fixed).any():
        raise ValueError(
            f"{name} must have values for the components that stay; component "
            f"{int((gaps & fixed).argmax())} is NaN."
        )
    array[gaps] = np.eye(array.shape[-1]) if array.ndim == 3 else 1.0
    return array, gaps


def _with_gaps(values: Floats, gaps: Mask) -> Floats:
    if not gaps.any():
        return values
    values = np.array(values, np.float64)
    values[gaps] = np.nan
    return values


def where_fixed(values: Floats, fixed: Mask) -> Floats:
    """Return values, NaN in components that are not fixed; one matrix for all as it is."""
    if fixed.all():
        return values
    return _with_gaps(values, ~fixed) if fixed.any() else np.full_like(values, np.nan)


def settled(
    fixed: Mapping[str, Any] | None, values: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the initial values, by parameter, that keep what is fixed of a mixture.

    Parameters
    ----------
    fixed : mapping or None
        As in the constructor.
    values : mapping of str to ndarray
        The mixture's weights, means and precisions, by the same names as in `fixed`.
    """
    return {
        INITS[part]: where_fixed(values[part], np.broadcast_to(mask, len(values["weights"])))
        for part, mask in (fixed or {}).items()
        if np.any(mask)
    }


def first_components(
    means: Floats, precisions: Floats, covariance_type: str, n_components: int
) -> dict[str, Any]:
    """Return the constructor's parameters that keep the means and covariances of known components.

    Raises
    ------
    ValueError
        If there are fewer components than known ones, or if they share covariances.
    """
    n_known, K = len(means), n_components
    if K < n_known:
        raise ValueError(f"n_components={K}, but {n_known} components are known. Raise it.")
    if K > n_known:
        _require_own(covariance_type)
    first = np.arange(K) < n_known
    free = [np.full((K - n_known, *own.shape[1:]), np.nan) for own in (means, precisions)]
    return {
        "means_init": np.concatenate([means, free[0]]),
        "precisions_init": np.concatenate([precisions, free[1]]) if K > n_known else precisions,
        "fixed": {"means": first, "covariances": first},
    }
