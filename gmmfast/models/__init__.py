"""Covariance models, one file per family: from scatter to covariances, factors and counts."""

from collections.abc import Callable
from functools import partial

from gmmfast.data.constraints import MODEL_CODES, ONE_COLUMN
from gmmfast.models.base import Model, square_roots
from gmmfast.models.diagonal import Diagonal
from gmmfast.models.full import Full
from gmmfast.models.parsimonious import Parsimonious
from gmmfast.models.spherical import Spherical
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

__all__ = ["MODELS", "Model", "square_roots"]
