"""Covariance models, a file a family: from scatter to covariances, factors and their count."""

from gmmfast.models.base import Model, square_roots
from gmmfast.models.diagonal import Diagonal
from gmmfast.models.full import Full
from gmmfast.models.spherical import Spherical
from gmmfast.models.tied import Tied

MODELS: dict[str, type[Model]] = {
    "full": Full,
    "tied": Tied,
    "diag": Diagonal,
    "spherical": Spherical,
}

__all__ = ["MODELS", "Model", "square_roots"]
