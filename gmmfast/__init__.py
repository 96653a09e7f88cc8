"""Gaussian mixture models by Expectation-Maximization, on compiled kernels."""

from gmmfast.errors import ConvergenceWarning, NotFittedError
from gmmfast.estimators.mixture import GaussianMixture, from_dict, load
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.rows.sources import chunks
from gmmfast.version import __version__

__all__ = [
    "ConvergenceWarning",
    "GaussianMixture",
    "GaussianMixtureIC",
    "NotFittedError",
    "__version__",
    "chunks",
    "from_dict",
    "load",
]
