"""What a picture shows: a mixture along some features, and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.features import feature_indices
from gmmfast.data.validation import check_rows
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.marginals import Mixture
from gmmfast.parameters import Floats
from gmmfast.reporting.outcome import feature_names
from gmmfast.rows.evaluation import responsibilities_of
from gmmfast.rows.sources import is_elsewhere

MOST_POINTS = 5000  # to draw; more would hide each other
MARGIN = 0.08  # of the range, around what is drawn

Pictured = GaussianMixture | GaussianMixtureIC


@dataclass(frozen=True)
class Shown:
    """Rows in a picture."""

    rows: NDArray[Any]  # (n, f), all of them
    drawn: NDArray[Any]  # (m, f), an even sample
    labels: NDArray[np.int64]  # (m,) likeliest components; -1 for noise
    uncertainty: Floats  # (m,) one minus the largest probability of a component

    @classmethod
    def of(cls, fitted: GaussianMixture, X: ArrayLike, indices: list[int]) -> Shown:
        """Return some features of the rows, and what the mixture makes of all features.

        Rows that lack values are left out, where the mixture may be of such rows.

        Raises
        ------
        TypeError
            If the rows are a source or a Dask collection.
        ValueError
            If no row is complete.
        """
        if is_elsewhere(X):
            raise TypeError(
                f"A picture draws rows in memory; got {type(X).__name__}. Pass some of the rows."
            )
        rows, names = check_rows(X, is_missing_allowed=fitted._may_miss)
        rows = rows[~np.isnan(rows).any(axis=1)]
        if not len(rows):
            raise ValueError(
                "A picture draws rows without missing values; got none. Leave the rows out, or "
                "fill them in with impute."
            )
        n = min(len(rows), MOST_POINTS)
        drawn = rows[np.linspace(0, len(rows) - 1, n).astype(int)]
        sample, parameters = fitted._rows(drawn, names)
        resp = responsibilities_of(sample, parameters)
        uncertainty, labels = 1 - resp.max(axis=1).astype(np.float64), resp.argmax(axis=1)
        labels[labels == len(parameters.weights)] = -1
        return cls(rows[:, indices], drawn[:, indices], labels, uncertainty)

    def along(self, features: list[int]) -> Shown:
        """Return the same rows along some of these features."""
        return replace(self, rows=self.rows[:, features], drawn=self.drawn[:, features])


@dataclass(frozen=True)
class View:
    """A mixture along some features, rows, and how both are named."""

    title: str
    names: list[str]  # of the features
    entries: list[str]  # of the components, in a legend
    mixture: Mixture
    shown: Shown | None

    @classmethod
    def of(
        cls, pictured: Pictured, X: ArrayLike | None, features: Sequence[int | str] | None
    ) -> View:
        """Return some features of a mixture, or of a search's best, and of the rows.

        Parameters
        ----------
        pictured : GaussianMixture or GaussianMixtureIC
            Fitted.
        X : array-like of shape (n, d), optional
            Rows.
        features : sequence of int or str, optional
            Numbers or names; all features by default.
        """
        fitted = _mixture_of(pictured)
        weights, means, covariances = fitted._attributes("covariances_")
        names, model = feature_names(fitted), fitted.covariance_type
        K, d = means.shape
        indices = list(range(d)) if features is None else _indices(fitted, features)
        matrices, degrees = fitted._model().matrices(covariances, K, d), fitted._degrees()
        whole = Mixture(weights, means, matrices, degrees)
        kind = "component" if degrees is None else "t component"
        return cls(
            title=f"{K} {kind}{'s' * (K > 1)}, {model}" + " covariance" * model.islower(),
            names=[names[j] for j in indices],
            entries=[f"{k} ({100 * float(weight):.0f} %)" for k, weight in enumerate(weights)],
            mixture=whole.along(indices),
            shown=None if X is None else Shown.of(fitted, X, indices),
        )

    @classmethod
    def of_one_or_two(
        cls, pictured: Pictured, X: ArrayLike | None, features: Sequence[int | str]
    ) -> View:
        """Return one or two features; of a mixture in one dimension, the only one."""
        fitted = _mixture_of(pictured)
        indices = [0] if fitted.means_.shape[1] == 1 else _indices(fitted, features)
        if not 1 <= len(indices) <= 2:
            raise ValueError(
                f"features must be one or two; got {len(indices)}. Use plot_pairs for more."
            )
        return cls.of(fitted, X, indices)

    def along(self, *features: int) -> View:
        """Return some of these features."""
        kept = list(features)
        return replace(
            self,
            names=[self.names[j] for j in kept],
            mixture=self.mixture.along(kept),
            shown=None if self.shown is None else self.shown.along(kept),
        )

    def grid(self, sigmas: float | Floats, n: int, *, over: NDArray[Any] | None) -> list[Floats]:
        """Return n points along each feature, over the components and over rows.

        The components reach as many deviations to both sides, each its own (K,) if there are any.
        """
        means, reach = self.mixture.means, (np.asarray(sigmas) * self.mixture.deviations.T).T
        low, high = (means - reach).min(axis=0), (means + reach).max(axis=0)
        if over is not None:
            room = MARGIN * np.ptp(over, axis=0)
            low = np.minimum(low, over.min(axis=0) - room)
            high = np.maximum(high, over.max(axis=0) + room)
        return [np.linspace(a, b, n) for a, b in zip(low, high, strict=True)]


def _mixture_of(pictured: Pictured) -> GaussianMixture:
    """Return a fitted mixture; of a search, the best."""
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


def _indices(fitted: GaussianMixture, features: Sequence[int | str]) -> list[int]:
    """Return the indices of features that are given by number or by name."""
    has_names = hasattr(fitted, "feature_names_in_")
    return feature_indices(features, feature_names(fitted), has_names)
