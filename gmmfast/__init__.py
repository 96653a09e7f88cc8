"""Gaussian mixture models by Expectation-Maximization, on compiled kernels."""

from importlib import import_module
from typing import Any

from gmmfast.data.prior import Prior
from gmmfast.errors import CollapsedComponentWarning, ConvergenceWarning, NotFittedError
from gmmfast.estimators.bayesian import BayesianGaussianMixture
from gmmfast.estimators.classifier import GaussianMixtureClassifier
from gmmfast.estimators.mixture import GaussianMixture, from_dict, load
from gmmfast.estimators.regressor import GaussianMixtureRegressor
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.rows.sources import chunks
from gmmfast.version import __version__

__all__ = [
    "BayesianGaussianMixture",
    "CollapsedComponentWarning",
    "ConvergenceWarning",
    "GaussianMixture",
    "GaussianMixtureClassifier",
    "GaussianMixtureIC",
    "GaussianMixtureRegressor",
    "NotFittedError",
    "Prior",
    "__version__",
    "chunks",
    "from_dict",
    "load",
]

# public, loaded on first use
MODULES = ("analysis", "criteria", "datasets", "errors", "inference", "plotting", "tables")


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *MODULES])
