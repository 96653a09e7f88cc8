"""gmmfast and its rivals behind one interface: EM iterations from a given start."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import sklearn.mixture
from numpy.typing import NDArray

import gmmfast

try:
    import daal4py
except ImportError:
    daal4py = None

Array = NDArray[Any]

# oneDAL loads TBB, which Numba then prefers; users without oneDAL get OpenMP
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

GMMFAST = "gmmfast"
SCIKIT_LEARN = "scikit-learn"
ONEDAL = "oneDAL"
ONEDAL_STORAGE = {"full": "full", "diag": "diagonal"}


class PackageError(RuntimeError):
    """A rival failed on a case, or did not do the given iterations."""


@dataclass(frozen=True)
class Start:
    """Start of EM, in the shapes of scikit-learn's attributes, and the model to fit."""

    weights: Array  # (K,)
    means: Array  # (K, d)
    covariances: Array  # by covariance_type
    precisions: Array  # their inverses
    covariance_type: str
    reg_covar: float

    def keywords(self, iterations: int) -> dict[str, Any]:
        """Return the arguments for the constructors of gmmfast and scikit-learn."""
        return {
            "n_components": len(self.weights),
            "covariance_type": self.covariance_type,
            "tol": 0.0,  # never reached: all iterations are done
            "reg_covar": self.reg_covar,
            "max_iter": iterations,
            "weights_init": self.weights,
            "means_init": self.means,
            "precisions_init": self.precisions,
            "random_state": 0,
        }


Fit = Callable[[Array, Start, int], float]


@contextmanager
def quietly() -> Iterator[None]:
    """Suppress warnings of fits that stop before they converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fit_gmmfast(X: Array, start: Start, iterations: int) -> float:
    """Return the mean log-likelihood in the last iteration."""
    return _fit(gmmfast.GaussianMixture(**start.keywords(iterations)), X, iterations)


def fit_scikit_learn(X: Array, start: Start, iterations: int) -> float:
    """Return the mean log-likelihood in the last iteration."""
    return _fit(sklearn.mixture.GaussianMixture(**start.keywords(iterations)), X, iterations)


def _fit(mixture: Any, X: Array, iterations: int) -> float:
    try:
        with quietly():
            mixture.fit(X)
    except ValueError as error:  # an ill-defined covariance
        raise PackageError(str(error)) from error
    if mixture.n_iter_ != iterations:
        raise PackageError(f"{mixture.n_iter_} iterations instead of {iterations}")
    return float(mixture.lower_bound_)


def fit_onedal(X: Array, start: Start, iterations: int) -> float:
    """Return the mean log-likelihood in the last iteration.

    oneDAL regularizes a covariance only where it fails to invert it, scikit-learn and gmmfast
    always; so the results differ by about `reg_covar`.
    """
    algorithm = daal4py.em_gmm(
        nComponents=len(start.weights),
        maxIterations=iterations,
        accuracyThreshold=0.0,
        covarianceStorage=ONEDAL_STORAGE[start.covariance_type],
        regularizationFactor=start.reg_covar,
    )
    covariances = [np.ascontiguousarray(np.atleast_2d(c)) for c in start.covariances]
    try:
        result = algorithm.compute(X, start.weights[None], start.means, covariances)
        done = int(result.nIterations.item())
    except RuntimeError as error:
        raise PackageError(str(error).split("\n")[0]) from None
    if done != iterations:
        raise PackageError(f"converged after {done} iterations")
    return float(result.goalFunction.item()) / len(X)


def available(covariance_type: str) -> dict[str, Fit]:
    """Return the installed packages that fit this type of covariance."""
    packages: dict[str, Fit] = {GMMFAST: fit_gmmfast, SCIKIT_LEARN: fit_scikit_learn}
    if daal4py is not None and covariance_type in ONEDAL_STORAGE:
        packages[ONEDAL] = fit_onedal
    return packages
