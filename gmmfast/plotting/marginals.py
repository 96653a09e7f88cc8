"""What a picture shows: a mixture along one or two features, and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.constraints import is_int
from gmmfast.data.validation import check_rows
from gmmfast.estimators.fitted import is_elsewhere
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.parameters import Floats
from gmmfast.reporting.outcome import feature_names

MOST_POINTS = 5000  # to draw; more would hide each other
MARGIN = 0.08  # of the range, around what is drawn

Pictured = GaussianMixture | GaussianMixtureIC


def mixture_of(pictured: Pictured) -> GaussianMixture:
    """Return a fitted mixture; of a search, the best.

    Raises
    ------
    TypeError
        If it is neither.
    NotFittedError
        If it has not been fitted.
    """
    if isinstance(pictured, GaussianMixtureIC):
        return pictured._best()
    if not isinstance(pictured, GaussianMixture):
        raise TypeError(
            "A picture of components needs a GaussianMixture or a GaussianMixtureIC; got "
            f"{type(pictured).__name__}. Pass the search itself in place of its results_, and "
            "GaussianMixture.from_sklearn(mixture) in place of scikit-learn's."
        )
    pictured._check_fitted()
    return pictured


def feature_indices(mixture: GaussianMixture, features: Sequence[int | str]) -> list[int]:
    """Return the indices of features that are given by number or by name.

    Raises
    ------
    ValueError
        If there is no such feature.
    """
    names, d = feature_names(mixture), mixture.means_.shape[1]
    given: list[Any] = [features] if isinstance(features, str | int) else list(features)
    found: list[int] = []
    for feature in given:
        if isinstance(feature, str) and feature in names:
            found.append(names.index(feature))
        elif is_int(feature) and 0 <= int(feature) < d:
            found.append(int(feature))
        else:
            known = ", ".join(map(repr, names[:8])) + ", ..." * (d > 8)
            named = f", or column names ({known})" if hasattr(mixture, "feature_names_in_") else ""
            raise ValueError(f"features must be numbers from 0 to {d - 1}{named}; got {feature!r}.")
    return found


def one_or_two(mixture: GaussianMixture, features: Sequence[int | str]) -> list[int]:
    """Return the indices of one or two features; of a mixture in one dimension, the only one."""
    found = [0] if mixture.means_.shape[1] == 1 else feature_indices(mixture, features)
    if not 1 <= len(found) <= 2:
        raise ValueError(f"features must be one or two; got {len(found)}. Use plot_pairs for more.")
    return found


@dataclass(frozen=True)
class Marginal:
    """The distribution of some features: a mixture again."""

    names: list[str]
    weights: Floats  # (K,)
    means: Floats  # (K, f)
    covariances: Floats  # (K, f, f)

    @classmethod
    def of(cls, mixture: GaussianMixture, indices: Sequence[int]) -> Marginal:
        """Return the marginal distribution of the features with these indices."""
        picked = list(indices)
        weights, means, covariances = mixture._attributes("covariances_")
        matrices = mixture._model().matrices(covariances, *means.shape)
        names = feature_names(mixture)
        return cls(
            [names[j] for j in picked], weights, means[:, picked], matrices[:, picked][:, :, picked]
        )

    @property
    def deviations(self) -> Floats:
        """Standard deviations (K, f)."""
        return np.asarray(np.sqrt(np.einsum("kii->ki", self.covariances)))

    def densities(self, points: Floats) -> Floats:
        """Return the weighted density of each component (K, m) at points (m, f).

        A component without width has no density to draw, and gets zeros.
        """
        found = np.empty((len(self.weights), len(points)))
        for k, own in enumerate(self.deviations):
            with np.errstate(all="ignore"):
                correlation = self.covariances[k] / np.outer(own, own)
                residuals = (points - self.means[k]) / own
                inverse = np.linalg.pinv(correlation, hermitian=True)
                distances = np.einsum("mi,ij,mj->m", residuals, inverse, residuals)
                volume = np.sqrt(np.linalg.det(2 * np.pi * correlation)) * own.prod()
                found[k] = self.weights[k] / volume * np.exp(-0.5 * distances)
        return np.where(np.isfinite(found), found, 0.0)

    def grid(self, rows: NDArray[Any] | None, sigmas: float, n: int) -> list[Floats]:
        """Return n points along each feature, over the components and the rows."""
        reach = sigmas * self.deviations
        low, high = (self.means - reach).min(axis=0), (self.means + reach).max(axis=0)
        if rows is not None:
            room = MARGIN * np.ptp(rows, axis=0)
            low = np.minimum(low, rows.min(axis=0) - room)
            high = np.maximum(high, rows.max(axis=0) + room)
        return [np.linspace(a, b, n) for a, b in zip(low, high, strict=True)]


@dataclass(frozen=True)
class Shown:
    """Rows in a picture."""

    rows: NDArray[Any]  # (n, f), all of them
    drawn: NDArray[Any]  # (m, f), an even sample
    labels: NDArray[np.int64]  # (m,) likeliest components
    uncertainty: Floats  # (m,) one minus the largest probability of a component

    @classmethod
    def of(cls, mixture: GaussianMixture, X: ArrayLike, indices: Sequence[int]) -> Shown:
        """Return some features of the rows, and what the mixture makes of them.

        Raises
        ------
        TypeError
            If the rows are a source or a Dask collection.
        """
        if is_elsewhere(X):
            raise TypeError(
                f"A picture draws rows in memory; got {type(X).__name__}. Pass some of the rows."
            )
        rows, names = check_rows(X)
        n = min(len(rows), MOST_POINTS)
        picked = rows[np.linspace(0, len(rows) - 1, n).astype(int)]
        sample, parameters = mixture._rows(picked, names)
        resp = sample.responsibilities(parameters)
        uncertainty = 1 - resp.max(axis=1).astype(np.float64)
        kept = list(indices)
        return cls(rows[:, kept], picked[:, kept], resp.argmax(axis=1), uncertainty)

    def of_features(self, places: Sequence[int]) -> Shown:
        """Return the same rows along some of these features."""
        picked = list(places)
        return replace(self, rows=self.rows[:, picked], drawn=self.drawn[:, picked])
