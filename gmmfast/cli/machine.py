"""Facts about the machine, and ``gmmfast warmup``."""

import argparse
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager

import llvmlite
import numba
import numpy as np

from gmmfast.data.constraints import SKLEARN_TYPES, TYPES_WITHOUT_FACTORS, CovarianceType
from gmmfast.data.factors import model_name
from gmmfast.em.ahead import compile_passes, helped
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.kernels.threads import describe
from gmmfast.parameters import Floats
from gmmfast.rows.sources import chunks
from gmmfast.version import __version__

DTYPES = "float64", "float32"


def facts() -> dict[str, str]:
    """Return facts about the machine, for a bug report."""
    return {
        "gmmfast": __version__,
        "Python": platform.python_version(),
        **{package.__name__: package.__version__ for package in (np, numba, llvmlite)},
        **describe(),
    }


def warmup(arguments: argparse.Namespace) -> None:
    """Compile the kernels of fits (also in pieces), predictions, scores and small searches."""
    with _timed(f"{'all':<19}"), helped(None, compile_rest):
        for dtype in DTYPES:
            for covariance in SKLEARN_TYPES:
                with _timed(f"{covariance:<10} {dtype:<8}"):
                    _use_mixture(covariance, dtype)
            if dtype == DTYPES[0]:
                with _timed(f"{'select':<19}"):
                    GaussianMixtureIC((1, 2), random_state=0).fit(_rows()[::1000])


def compile_rest() -> None:
    """Compile, as the helper of `warmup`, what it needs last."""
    for covariance in SKLEARN_TYPES:
        _use_mixture(covariance, DTYPES[1])
    compile_passes([*TYPES_WITHOUT_FACTORS, model_name("factor", 1)], DTYPES[0], True, False, False)


@contextmanager
def _timed(label: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{label} {time.perf_counter() - start:6.1f} s", flush=True)


def _rows() -> Floats:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.standard_normal((20_000, 2)) + center for center in (0.0, 9.0)])


def _use_mixture(covariance_type: CovarianceType, dtype: str) -> None:
    values = _rows().astype(dtype)
    for n_jobs in (None, 1):  # parallel and serial kernels
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0, n_jobs=n_jobs)
        model.fit(values)
        model.predict(values)
        model.predict_proba(values)
        model.score_samples(values)
    model.fit(chunks(values))
