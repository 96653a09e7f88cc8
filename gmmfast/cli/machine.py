"""``gmmfast info`` and ``warmup``."""

import argparse
import platform
import time

import llvmlite
import numba
import numpy as np

from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.kernels.threads import describe
from gmmfast.rows.sources import chunks
from gmmfast.version import __version__

COVARIANCES = ("full", "tied", "diag", "spherical")


def info(arguments: argparse.Namespace) -> None:
    """Print facts about the machine for a bug report."""
    facts = {
        "gmmfast": __version__,
        "Python": platform.python_version(),
        **{package.__name__: package.__version__ for package in (np, numba, llvmlite)},
        **describe(),
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")


def warmup(arguments: argparse.Namespace) -> None:
    """Compile the kernels of fits (also in pieces), predictions, scores and small searches."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.standard_normal((20_000, 2)) + center for center in (0.0, 9.0)])
    begin = time.perf_counter()
    for covariance in COVARIANCES:
        for dtype in (np.float64, np.float32):
            start = time.perf_counter()
            values = rows.astype(dtype)
            for n_jobs in (None, 1):  # parallel and serial kernels
                model = GaussianMixture(
                    2, covariance_type=covariance, random_state=0, n_jobs=n_jobs
                ).fit(values)
                model.predict(values)
                model.predict_proba(values)
                model.score_samples(values)
            model.fit(chunks(values))
            seconds = time.perf_counter() - start
            print(f"{covariance:<10} {np.dtype(dtype).name:<8} {seconds:6.1f} s", flush=True)
    start = time.perf_counter()
    GaussianMixtureIC((1, 2), random_state=0).fit(rows[::1000])
    print(f"{'select':<19} {time.perf_counter() - start:6.1f} s", flush=True)
    print(f"{'all':<19} {time.perf_counter() - begin:6.1f} s")
