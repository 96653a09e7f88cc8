"""Gaussian mixture models by Expectation-Maximization, on compiled kernels."""

from gmmfast.errors import ConvergenceWarning, NotFittedError
from gmmfast.mixture import GaussianMixture
from gmmfast.persistence import load
from gmmfast.selection import GaussianMixtureIC
from gmmfast.sources import chunks

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "GaussianMixture",
    "GaussianMixtureIC",
    "NotFittedError",
    "__version__",
    "chunks",
    "load",
]
