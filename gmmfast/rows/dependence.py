"""Columns that are linear combinations of others, which make every covariance matrix singular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from gmmfast.kernels.cholesky import EPS, LEAST_VARIANCE
from gmmfast.models.base import few_rows
from gmmfast.parameters import Floats, Parameters, Scatter
from gmmfast.rows import MemoryRows, Rows
from gmmfast.rows.base import RowsElsewhere

IN_GENERAL = "Leave out columns that follow from others, or raise reg_covar."
FEW = 100_000  # rows whose covariance is taken in one thread; of more, a pass takes it
SAMPLE = 4096  # rows whose neighbors are compared
FARTHEST = 1e3  # typical steps: neighbors farther apart belong to different clusters
ROUNDED = 1e-6  # share of the variance of small steps that rounding of the rows leaves
NEGLIGIBLE = 1e-6  # standard deviations: columns that contribute less are not named


@dataclass(frozen=True)
class Dependence:
    """Reason why no covariance matrix of the rows is positive definite."""

    n_columns: int
    have_squares: bool = True  # whether variances neither over- nor underflow
    constant: list[int] = field(default_factory=list)
    follows: dict[int, list[int]] = field(
        default_factory=dict
    )  # column: the columns it follows from

    @classmethod
    def of(cls, rows: Rows, has_matrices: bool = True) -> Self:
        """Examine rows, in one or two passes.

        Without covariance matrices only constant columns matter, which takes no array (d, d).
        """
        if rows.lack_values:
            return cls._of_known(rows)
        return cls._of_complete(rows) if has_matrices else cls._of_variances(rows)

    @classmethod
    def _of_variances(cls, rows: Rows) -> Self:
        variances, d = covariance_of(rows, Scatter.DIAGONAL), rows.n_features
        if not (np.isfinite(variances).all() and (variances[variances > 0] > LEAST_VARIANCE).all()):
            return cls(d, have_squares=False)
        constant = np.flatnonzero(variances == 0)
        if constant.size and np.ptp(_some(rows)[:, constant], axis=0).any():
            return cls(d, have_squares=False)
        return cls(d, constant=constant.tolist())

    @classmethod
    def _of_known(cls, rows: Rows) -> Self:
        """Examine rows that lack values: each column, and rows that lack none if there are many."""
        assert isinstance(rows, RowsElsewhere)
        d, extent = rows.n_features, rows.extent
        constant = np.flatnonzero(extent.low == extent.high)
        if constant.size:
            return cls(d, constant=constant.tolist())
        whole = rows.all_or_sample(FEW, np.random.default_rng(0)).complete()
        if whole is None or whole.n_rows < few_rows(d):
            return cls(d)
        found = cls._of_complete(whole)
        return cls(d) if found.constant else found

    @classmethod
    def _of_complete(cls, rows: Rows) -> Self:
        covariance, d = covariance_of(rows), rows.n_features
        variances = covariance.diagonal()
        is_finite = np.isfinite(covariance).all()
        if not (is_finite and (variances[variances > 0] > LEAST_VARIANCE).all()):
            return cls(d, have_squares=False)
        constant = np.flatnonzero(variances == 0)
        if constant.size and np.ptp(_some(rows)[:, constant], axis=0).any():
            return cls(d, have_squares=False)
        if constant.size:
            return cls(d, constant=constant.tolist())
        follows = dependent_columns(covariance)
        if follows and not _between_neighbors(rows):
            follows = {}  # columns are collinear only because clusters are far apart
        return cls(d, follows=follows)

    @property
    def is_certain(self) -> bool:
        """Whether a model with correlations cannot be fitted."""
        return bool(self.constant or self.follows)

    def remedy(self, names: Sequence[str] | None = None) -> str:
        """Return advice for the user; empty if there is none.

        Parameters
        ----------
        names : sequence of str, optional
            Names of the columns; by default they are numbered from 0.
        """
        if not self.have_squares:
            return "Rescale the columns: the squares of their values are too large or too small."
        labels = [repr(name) for name in names] if names else [*map(str, range(self.n_columns))]
        if self.constant:
            equal = _columns([labels[j] for j in self.constant])
            return f"Leave out {equal}, whose values are all equal, or raise reg_covar."
        facts = [
            f"column {labels[j]} follows from {_columns([labels[i] for i in others])}"
            for j, others in self.follows.items()
        ]
        return f"{IN_GENERAL.removesuffix('.')}: {'; '.join(facts)}." if facts else ""


def _columns(labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"column {labels[0]}"
    return f"columns {', '.join(labels[:-1])} and {labels[-1]}"


def dependent_columns(covariance: Floats, share: float | None = None) -> dict[int, list[int]]:
    """Return the linearly dependent columns, each with the earlier columns it depends on.

    Parameters
    ----------
    covariance : ndarray of shape (d, d)
        Covariance matrix, of positive variances.
    share : float, optional
        A column depends on others if they leave less of its variance; by default ``10 d eps``.
    """
    d = len(covariance)
    share = 10 * d * EPS if share is None else share
    deviations = np.sqrt(covariance.diagonal())
    correlations = covariance / deviations[:, None] / deviations
    independent: list[int] = []
    found, inverse = {}, np.zeros((d, d))  # of the Cholesky factor of the independent columns
    for j in range(d):
        n = len(independent)
        factor = inverse[:n, :n]
        row = factor @ correlations[independent, j]
        left = 1 - row @ row
        if left > share:
            inverse[n, :n], inverse[n, n] = -(row @ factor) / np.sqrt(left), 1 / np.sqrt(left)
            independent.append(j)
        else:
            parts = np.abs(row @ factor) > NEGLIGIBLE
            found[j] = [i for i, is_part in zip(independent, parts, strict=True) if is_part]
    return found


def covariance_of(rows: Rows, scatter: Scatter = Scatter.FULL) -> Floats:
    """Return the covariance matrix (d, d) of all rows, or variances (d,), in one pass over them."""
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(rows, MemoryRows) and rows.n_rows <= FEW:
            return rows.total(scatter)
        d = rows.n_features
        mean = (rows.mean - rows.center)[None]
        unit = np.ones((1, d)) if scatter is Scatter.DIAGONAL else np.eye(d)[None]
        whole = Parameters(np.ones(1), mean, unit, unit, np.zeros(1))
        statistics = rows.expectation(whole, scatter)
        about_mean = statistics.about(statistics.reference + statistics.first / statistics.weight)
        return np.asarray(about_mean.scatter[0] / statistics.weight)


def _some(rows: Rows) -> Floats:
    """Return all rows or a sample of them, about their center (n, d)."""
    rng = np.random.default_rng(0)
    return rows.all_or_sample(SAMPLE, rng).filled(rng).present()[0]


def _between_neighbors(rows: Rows) -> bool:
    """Whether columns also follow from others within clusters: in steps between neighbors."""
    points = _some(rows)
    widest = np.ptp(points, axis=0).argmax()
    steps = np.diff(points[points[:, widest].argsort(kind="stable")], axis=0)
    sizes = np.abs(steps)
    typical = np.array([np.median(own[own > 0]) if own.any() else 1.0 for own in sizes.T])
    near = steps[(sizes <= FARTHEST * typical).all(axis=1)] / typical
    moments = near.T @ near
    if len(near) <= points.shape[1] or not (moments.diagonal() > 0).all():
        return False
    return bool(dependent_columns(moments, ROUNDED))
