"""Covariance models, one file per family: from scatter to covariances, factors and counts."""

from collections.abc import Callable
from functools import partial

from gmmfast.data.constraints import MODEL_CODES, ONE_COLUMN, require_boundable
from gmmfast.models.base import Model, Noise, square_roots
from gmmfast.models.bounded import bounded
from gmmfast.models.diagonal import Diagonal
from gmmfast.models.full import Full
from gmmfast.models.parsimonious import Parsimonious
from gmmfast.models.spherical import Spherical
from gmmfast.models.step import Tails
from gmmfast.models.tied import Tied

MODELS: dict[str, Callable[..., Model]] = {
    "full": Full,
    "tied": Tied,
    "diag": Diagonal,
    "spherical": Spherical,
    **{code: partial(Parsimonious, code) for code in MODEL_CODES},
    "VVV": Full,
    **{code: partial(Parsimonious, same) for code, same in ONE_COLUMN.items()},
}


def model_of(
    covariance_type: str,
    reg_covar: float = 0.0,
    covariance_ratio: float | None = None,
    noise: Noise | None = None,
    tails: Tails | None = None,
) -> Model:
    """Return the model that parameters of `GaussianMixture` mean."""
    require_boundable([covariance_type], covariance_ratio)
    model = MODELS[covariance_type](reg_covar, noise, tails)
    return model if covariance_ratio is None else bounded(model, float(covariance_ratio))


__all__ = ["MODELS", "Model", "Noise", "Tails", "model_of", "square_roots"]
