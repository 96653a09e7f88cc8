"""Gaussian mixture models by Expectation-Maximization, on compiled kernels."""

from gmmfast.errors import ConvergenceWarning, NotFittedError
from gmmfast.mixture import GaussianMixture
from gmmfast.persistence import load

__version__ = "0.1.0"

__all__ = ["ConvergenceWarning", "GaussianMixture", "NotFittedError", "__version__", "load"]
