"""Models whose variances along any axis, of all components, have a bounded ratio."""

from __future__ import annotations

from gmmfast.kernels.ratios import bounded_matrices, bounded_variances
from gmmfast.models.base import Model
from gmmfast.parameters import Scatter


def bounded(model: Model, ratio: float) -> Model:
    """Change a new model with variances of each component's own to one of bounded ratio.

    Parameters
    ----------
    model : Model
        One of those in `gmmfast.data.constraints.BOUNDABLE`.
    ratio : float
        Largest variance along any axis, divided by the smallest; at least 1.

    References
    ----------
    Fritz, H., Garcia-Escudero, L. A., Mayo-Iscar, A. (2013). A fast algorithm for robust
    constrained clustering. Computational Statistics & Data Analysis 61, 124-136.

    Hathaway, R. J. (1985). A constrained formulation of maximum-likelihood estimation for normal
    mixture distributions. Annals of Statistics 13(2), 795-800.
    """
    model.family = model.family._replace(ratio=ratio)
    model.needs_axes = model.scatter is Scatter.FULL
    model.constrain = bounded_matrices if model.needs_axes else bounded_variances
    return model
