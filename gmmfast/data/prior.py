"""Priors of mixtures, as users give them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmfast.data.arrays import to_floats
from gmmfast.errors import InvalidParameterError

NUMBERS = {
    "shrinkage": (0.0, "not negative"),
    "degrees_of_freedom": (1e-300, "positive"),
    "concentration": (1.0, "at least 1"),
}


@dataclass(frozen=True)
class Prior:
    """Conjugate prior of a mixture's parameters, for a fit that maximizes their posterior density.

    Each mean is normal about `mean`, with the covariance of its component divided by `shrinkage`;
    each covariance is inverse Wishart (of models with independent features: each variance is
    inverse gamma), with `degrees_of_freedom` and `scale`; the weights are Dirichlet. The defaults
    are mclust's, of ``priorControl()``.

    Parameters
    ----------
    mean : array-like of shape (d,), default=None
        Center of the means. None is the mean of the rows.
    shrinkage : float, default=0.01
        Number of rows that `mean` counts for. 0 leaves the means alone.
    degrees_of_freedom : float, default=None
        Of the covariances; more than d - 1 (with independent features more than 0). None is d + 2.
    scale : float, or array-like of shape (d,) or (d, d), default=None
        Sum of squares that the prior adds: a matrix, its diagonal, or a number for all features, in
        squared units of the data. Models with independent features take the diagonal, and spherical
        ones its mean. None is the covariance matrix of the rows times ``K ** (-2 / d)``; with
        independent features its mean variance. Features that do not vary count with the mean
        variance of the others (1 if none varies), and where the matrix is singular its diagonal is
        taken.
    concentration : float, default=1.0
        Of the weights, at least 1: it adds ``concentration - 1`` rows to each component.

    References
    ----------
    Fraley, C., Raftery, A. E. (2007). Bayesian regularization for normal mixture estimation and
    model-based clustering. Journal of Classification 24, 155-181, sections 2 and 3.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixture, Prior
    >>> X = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0], [3.1, 4.2]])
    >>> prior = Prior(shrinkage=0.1, scale=[1.0, 1.0])
    >>> mixture = GaussianMixture(2, prior=prior, random_state=0).fit(X)
    >>> bool(mixture.degenerate_.any())
    False
    """

    mean: ArrayLike | None = None
    shrinkage: float = 0.01
    degrees_of_freedom: float | None = None
    scale: float | ArrayLike | None = None
    concentration: float = 1.0

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            value = getattr(self, name)
            if value is not None:  # numbers and tuples compare, and are written to files
                object.__setattr__(self, name, _plain(to_floats(value, name).tolist()))
        for name, (least, wanted) in NUMBERS.items():
            value = getattr(self, name)
            if value is not None or name != "degrees_of_freedom":
                object.__setattr__(self, name, _number(value, name, least, wanted))
        if self.mean is not None and (np.ndim(self.mean) != 1 or not np.isfinite(self.mean).all()):
            raise InvalidParameterError(
                f"mean of Prior must be one finite number per feature; got {self.mean!r}."
            )
        if self.scale is not None:
            _require_scale(np.asarray(self.scale))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _require_scale(scale: Any) -> None:
    """Raise InvalidParameterError unless a scale is positive definite."""
    array = np.asarray(scale)
    if array.ndim < 2:
        is_fine = bool((np.isfinite(array) & (array > 0)).all())
    else:
        is_square = array.ndim == 2 and array.shape[0] == array.shape[1]
        is_symmetric = is_square and np.allclose(array, array.T, rtol=1e-8, atol=0)
        is_fine = is_symmetric and np.isfinite(array).all() and np.linalg.eigvalsh(array)[0] > 0
    if not is_fine:
        raise InvalidParameterError(
            "scale of Prior must be a positive number, positive numbers per feature, or a "
            f"symmetric positive definite matrix; got {scale.tolist()!r}."
        )


def _number(value: Any, name: str, least: float, wanted: str) -> float:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not least <= float(value) < math.inf:
        raise InvalidParameterError(f"{name} of Prior must be a number, {wanted}; got {value!r}.")
    return float(value)


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list) else value
