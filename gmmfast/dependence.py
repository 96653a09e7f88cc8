"""Columns that follow from others, which no covariance matrix is positive definite with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gmmfast.hierarchy import covariance_of as covariance_of_points
from gmmfast.kernels.cholesky import EPS, LEAST_VARIANCE
from gmmfast.parameters import Floats, Parameters, Scatter
from gmmfast.rows import MemoryRows, Rows

IN_GENERAL = "Leave out columns that follow from others, or raise reg_covar."
FEW = 100_000  # rows that NumPy may copy; more are summed by the kernels
NEGLIGIBLE = 1e-6  # standard deviations: a column whose part is smaller is not named


def remedy_for(covariance: Floats, names: Sequence[str] | None = None) -> str:
    """Say what to do where the covariance of all rows is singular; empty where it is not.

    Parameters
    ----------
    covariance : ndarray of shape (d, d)
        Of all rows.
    names : sequence of str, optional
        Of the columns; else they are numbered from 0.
    """
    labels = [repr(name) for name in names] if names else [str(j) for j in range(len(covariance))]
    variances = covariance.diagonal()
    if not (np.isfinite(covariance).all() and (variances[variances > 0] > LEAST_VARIANCE).all()):
        return "Rescale the columns: the squares of their values are too large or too small."
    constant = [labels[j] for j in np.flatnonzero(variances == 0)]
    if constant:
        return f"Leave out {_columns(constant)} of equal values, or raise reg_covar."
    found = dependent_columns(covariance)
    if not found:
        return ""
    facts = [
        f"column {labels[j]} follows from {_columns([labels[i] for i in others])}"
        for j, others in found.items()
    ]
    return f"{IN_GENERAL.removesuffix('.')}: {'; '.join(facts)}."


def is_singular(covariance: Floats) -> bool:
    """Whether some columns are constant or follow from others, of values that have squares."""
    if not np.isfinite(covariance).all():
        return False
    least = covariance.diagonal().min()
    return bool(least == 0 or (least > LEAST_VARIANCE and dependent_columns(covariance)))


def dependent_columns(covariance: Floats) -> dict[int, list[int]]:
    """Return the columns that are linear in others before them, and in which.

    Parameters
    ----------
    covariance : ndarray of shape (d, d)
        Of positive variances.

    Returns
    -------
    dict of int to list of int
        Those of which less than ``10 d eps`` of the variance is left when the independent columns
        before them are known.
    """
    d = len(covariance)
    deviations = np.sqrt(covariance.diagonal())
    correlations = covariance / deviations[:, None] / deviations
    independent: list[int] = []
    found = {}
    for j in range(d):
        known, own = correlations[np.ix_(independent, independent)], correlations[independent, j]
        shares = np.linalg.solve(known, own) if independent else np.zeros(0)
        if 1 - own @ shares > 10 * d * EPS:
            independent.append(j)
        else:
            parts = np.abs(shares) > NEGLIGIBLE
            found[j] = [i for i, is_part in zip(independent, parts, strict=True) if is_part]
    return found


def _columns(labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"column {labels[0]}"
    return f"columns {', '.join(labels[:-1])} and {labels[-1]}"


def covariance_of(rows: Rows) -> Floats:
    """Return the covariance matrix (d, d) of all rows, in one pass over them."""
    if isinstance(rows, MemoryRows) and rows.n_rows <= FEW:
        with np.errstate(over="ignore", invalid="ignore"):
            return covariance_of_points(*rows.present())
    d = rows.n_features
    mean = (rows.mean - rows.centre)[None]
    whole = Parameters(np.ones(1), mean, np.eye(d)[None], np.eye(d)[None], np.zeros(1))
    statistics = rows.expectation(whole, Scatter.FULL)
    about_mean = statistics.about(statistics.reference + statistics.first / statistics.weight)
    return np.asarray(about_mean.scatter[0] / statistics.weight)
