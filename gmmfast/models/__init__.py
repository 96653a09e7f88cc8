"""Covariance models, one file per family: from scatter to covariances, factors and counts."""

from collections.abc import Callable
from functools import partial

from gmmfast.data.constraints import MODEL_CODES, ONE_COLUMN, require_boundable
from gmmfast.data.factors import COMMON_SPECIFIC, type_and_factors
from gmmfast.models.base import Model, Noise, square_roots
from gmmfast.models.bounded import bounded
from gmmfast.models.diagonal import Diagonal
from gmmfast.models.factors import FactorAnalyzers
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


def maker_of(name: str) -> Callable[..., Model]:
    """Return what makes a model of a name, as of `gmmfast.data.factors.model_name`."""
    covariance_type, n_factors = type_and_factors(name)
    if n_factors:
        return partial(FactorAnalyzers, n_factors, covariance_type == COMMON_SPECIFIC)
    return MODELS[name]


def model_of(
    name: str,
    reg_covar: float = 0.0,
    covariance_ratio: float | None = None,
    noise: Noise | None = None,
    tails: Tails | None = None,
) -> Model:
    """Return the model that parameters of `GaussianMixture` mean."""
    require_boundable([name], covariance_ratio)
    model = maker_of(name)(reg_covar, noise, tails)
    return model if covariance_ratio is None else bounded(model, float(covariance_ratio))


__all__ = [
    "FactorAnalyzers",
    "Model",
    "Noise",
    "Tails",
    "maker_of",
    "model_of",
    "square_roots",
]
