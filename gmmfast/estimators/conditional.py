"""Some features of a mixture: their distribution, alone or given others, and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.constraints import BOOLEAN, FACTOR_MODELS, check_parameters
from gmmfast.data.features import feature_indices
from gmmfast.data.frames import column_names
from gmmfast.data.validation import check_features, check_rows
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.estimators.fitted import FittedMixture
from gmmfast.estimators.made import set_parameters, structured
from gmmfast.models.full import Full
from gmmfast.parameters import Floats, Parameters
from gmmfast.reporting.outcome import feature_names
from gmmfast.rows import MemoryRows, center_near
from gmmfast.rows.evaluation import responsibilities_of
from gmmfast.rows.patterns import regression
from gmmfast.rows.regression import first_far_row, predicted
from gmmfast.rows.sources import is_elsewhere

Features = int | str | Sequence[int | str]

KEPT = "reg_covar", "random_state", "n_jobs", "missing_values"  # parameters, of any mixture
# models of some features; the others of Celeux & Govaert (1995) stay as they are
ALONG = {"EVI": "VVI", "EVE": "VVV", "VVE": "VVV", "EEV": "VVV", "VEV": "VVV", "EVV": "VVV"}
ALONG |= dict.fromkeys(FACTOR_MODELS, "full")
# models of t components given a row, which is at another distance from each
RESCALED = {"tied": "full", "EII": "VII", "EEI": "VEI", "EEE": "VEE"}


class ConditionalMixture(FittedMixture):
    """Methods of `GaussianMixture` about some of its features."""

    def marginal(self, features: Features) -> Self:
        """Return the mixture of some features, whatever the others are.

        Its components have the means and covariances of these features (Bishop 2006, equation
        2.98), t components also the same degrees of freedom.

        Parameters
        ----------
        features : int, str or sequence of int or str
            Numbers or column names, in the order of the new mixture. Numbers are positions,
            counted from 0, also where a frame's columns are named by integers.

        Returns
        -------
        GaussianMixture
            Made from parameters. Its `covariance_type` is the same where the covariances of some
            features have the same structure, else "VVI" or "VVV". Weights are unchanged.

        Raises
        ------
        ValueError
            If there is no such feature, one is given twice, or the mixture has noise.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> covariances = [[[1.0, 2.0], [2.0, 5.0]]]
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 10.0]], covariances)
        >>> mixture.marginal([1]).covariances_
        array([[[5.]]])
        """
        indices = self._indices(features, "features")
        kind = ALONG.get(self.covariance_type, self.covariance_type)
        return self._made(indices, self._along(indices), kind)

    def condition(self, given: Mapping[int, float] | Mapping[str, float]) -> Self:
        """Return the mixture of the other features, given the values of some.

        With ``mu`` and ``S`` of a component, its mean is ``mu_t + B (x - mu_o)`` and its covariance
        ``S_tt - B S_ot``, where ``B = S_to S_oo^-1`` (Bishop 2006, equations 2.81 and 2.82); its
        weight is its probability given x. A t component has ``nu + o`` degrees of freedom then, and
        its scale matrix is multiplied by ``(nu + delta) / (nu + o)``, where delta is the squared
        distance of x from it (Ding 2016).

        Parameters
        ----------
        given : mapping
            Finite values by number, which is a position as in `marginal`, or column name of the
            feature; at least one and not all.

        Returns
        -------
        GaussianMixture
            Of the other features, in their order; otherwise as by `marginal`. t components share
            no volume: they are "full" instead of "tied", and V instead of E in the first letter.

        Raises
        ------
        ValueError
            If a feature or a value is invalid, no feature is left, or the mixture has noise; or if
            squared distances from the components overflow, beyond 1e150 standard deviations.

        References
        ----------
        Ding, P. (2016). On the conditional distribution of the multivariate t distribution.
        American Statistician 70(3), 293-295.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> covariances = [[[1.0, 2.0], [2.0, 5.0]]]
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 10.0]], covariances)
        >>> given = mixture.condition({0: 3.0})
        >>> given.means_, given.covariances_
        (array([[16.]]), array([[[1.]]]))
        """
        if not isinstance(given, Mapping):
            raise TypeError(
                "condition needs a dict with the values of features, such as {0: 1.5}; got "
                f"{type(given).__name__}."
            )
        known = self._indices([*given], "features")
        target = self._others(known)
        values = _checked(given)
        part, whole, o = self._along(known), self._along([*known, *target]), len(known)
        if first_far_row(values[None], part) is not None:
            raise _too_far("the values", values)
        lines, residuals = regression(whole, np.arange(o + len(target)), o), values - part.means
        means = whole.means[:, o:] + np.einsum("kto,ko->kt", lines.slopes, residuals)
        covariances, degrees = lines.covariances, part.degrees
        kind = ALONG.get(self.covariance_type, self.covariance_type)
        if degrees is not None:
            z = np.einsum("kab,kb->ka", part.factors, residuals)
            with np.errstate(over="ignore"):
                scales = (degrees + np.square(z).sum(axis=1)) / (degrees + o)
                covariances, degrees = scales[:, None, None] * covariances, degrees + o
            if not np.isfinite(covariances).all():
                raise _too_far("the values", values)
            kind = RESCALED.get(kind, kind)
        row = MemoryRows(values[None], center=np.zeros(o))
        weights = responsibilities_of(row, part)[0]
        found = replace(
            part, weights=weights, means=means, covariances=covariances, degrees=degrees
        )
        return self._made(target, found, kind)

    def predict_features(
        self,
        X_known: ArrayLike,
        *,
        known: Features | None = None,
        target: Features | None = None,
        return_std: bool = False,
    ) -> Any:
        """Predict some features of rows from others: the means of `condition`, for many rows.

        Features that are neither known nor targets are integrated out.

        Parameters
        ----------
        X_known : array-like or frame of shape (n, o)
            The known features of the rows, in the order of `known`.
        known : int, str or sequence of int or str, optional
            Their numbers, which are positions as in `marginal`, or names. By default the columns
            of a frame, where the mixture was fitted to a frame with names that are strings; else
            all features that are not targets.
        target : int, str or sequence of int or str, optional
            The features to predict; by default all that are not known.
        return_std : bool, default=False
            Whether to return standard deviations, too.

        Returns
        -------
        means : ndarray of shape (n, t)
            Conditional means, float64, in the units of the features.
        deviations : ndarray of shape (n, t)
            Only with `return_std`: standard deviations of the targets given what is known. With t
            components of degrees of freedom nu they are infinite up to ``nu + o = 2``.

        Raises
        ------
        TypeError
            If the rows are a source or a Dask collection.
        ValueError
            If a feature is invalid or both known and a target, if a value is missing, if a row is
            as far from all components as `condition` refuses, or if the mixture has noise.

        References
        ----------
        Sung, H. G. (2004). Gaussian mixture regression and classification. PhD thesis, Rice
        University, section 2.3.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> covariances = [[[1.0, 2.0], [2.0, 5.0]]]
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 10.0]], covariances)
        >>> mixture.predict_features([[0.0], [3.0]], target=1, return_std=True)
        (array([[10.],
               [16.]]), array([[1.],
               [1.]]))
        """
        check_parameters("predict_features", {"return_std": return_std}, {"return_std": BOOLEAN})
        if is_elsewhere(X_known):
            raise TypeError(
                f"predict_features needs rows in memory; got {type(X_known).__name__}. Pass its "
                "pieces one after the other."
            )
        indices, targets = self._known_and_target(X_known, known, target)
        X = self._known(X_known, indices)
        means, deviations = self._predicted(X, indices, targets, return_std)
        return means if deviations is None else (means, deviations)

    def _known(self, X_known: Any, indices: list[int]) -> NDArray[Any]:
        """Return the known features of rows after a check."""
        X, names = check_rows(X_known, is_missing_allowed=True)
        if X.shape[1] != len(indices):
            known = ", ".join(repr(feature_names(self)[j]) for j in indices)
            raise ValueError(
                f"X_known needs one column per known feature ({known}); got {X.shape[1]} columns. "
                "Leave the others out."
            )
        expected, own = copy(self), self._names_of(indices)
        check_features(expected, own, len(indices), reset=True)
        check_features(expected, names, X.shape[1], reset=False)
        if np.isnan(X.min()):  # as np.isnan(X).any(), in two thirds of the time
            raise ValueError(
                "predict_features needs the values of all known features; got rows that lack "
                "values. Use impute, which takes each row as it is."
            )
        return X

    def _predicted(
        self, X: NDArray[Any], known: list[int], target: list[int], return_std: bool
    ) -> tuple[Floats, Floats | None]:
        """Return conditional means (n, t) for checked rows, and standard deviations or None."""
        part, whole = self._along(known), self._along([*known, *target])
        far = first_far_row(X, part)
        if far is not None:
            raise _too_far(f"row {far} (counted from 0) with the values", X[far])
        center = center_near(whole.means, np.dtype(np.float64))
        given = part.moved(-center[: len(known)]), whole.moved(-center), center
        return predicted(np.asarray(X, np.float64), *given, self.n_jobs, return_std)

    def _along(self, indices: list[int]) -> Parameters:
        """Return the mixture of some features about the origin, with matrices as covariances."""
        if self._model().n_factors:
            own = self._parameters(np.zeros(self.means_.shape[1])).along(indices)
            weights, means, matrices = own.weights, own.means, own.matrices()
            indices = [*range(len(indices))]
        else:
            weights, means, covariances = self._attributes("covariances_")
            matrices = self._model().matrices(covariances, *means.shape)[:, indices][:, :, indices]
        try:
            found = Full().of_covariances(weights / weights.sum(), means[:, indices], matrices)
        except IllDefinedCovarianceError as error:
            raise error.of_given() from None
        return replace(found, degrees=self._degrees())

    def _known_and_target(
        self, X_known: Any, known: Features | None, target: Features | None
    ) -> tuple[list[int], list[int]]:
        """Return the indices of the features that are known, and of the targets."""
        if known is None and hasattr(self, "feature_names_in_"):
            known = column_names(X_known)
        if known is None and target is None:
            raise ValueError(
                "predict_features needs known=, the features that the columns of X_known are, or "
                "target=, the ones to predict; got neither. Frames need neither where the mixture "
                "was fitted to one."
            )
        if known is None:
            targets = self._indices(target, "target")
            return self._others(targets, "known"), targets
        indices = self._indices(known, "known")
        if target is None:
            return indices, self._others(indices)
        targets = self._indices(target, "target")
        for j in targets:
            if j in indices:
                raise ValueError(
                    "A feature is known or a target, not both; got "
                    f"{feature_names(self)[j]!r} in both. Leave it out of one."
                )
        return indices, targets

    def _indices(self, features: Any, what: str) -> list[int]:
        """Return the indices of features after a check: at least one, and each once."""
        self._check_fitted()
        if self._noise() is not None:
            raise ValueError(
                "Noise is uniform over a region of all features, and cannot be marginalized; got a "
                "mixture with noise. Fit without noise, or make a mixture of the components alone "
                "by from_parameters."
            )
        names = feature_names(self)
        has_names = hasattr(self, "feature_names_in_")
        found = feature_indices(features, names, has_names, what)
        if not found or len(set(found)) < len(found):
            got = "none" if not found else ", ".join(repr(names[j]) for j in found)
            raise ValueError(f"{what} must be one or more different features; got {got}.")
        return found

    def _others(self, features: list[int], what: str = "target") -> list[int]:
        """Return all other features; ValueError if there is none."""
        others = [j for j in range(self.means_.shape[1]) if j not in features]
        if not others:
            raise ValueError(
                f"No feature is left to be {what}: all {len(features)} are given. Leave out at "
                "least one."
            )
        return others

    def _made(self, indices: list[int], found: Parameters, kind: str) -> Self:
        """Return a mixture of some features, whose covariances take the structure of a kind."""
        kept: dict[str, Any] = {name: getattr(self, name) for name in KEPT}
        if found.degrees is not None:
            own = self.degrees_of_freedom
            number = own if isinstance(own, str) else float(found.degrees[0])
            kept |= {"component": "t", "degrees_of_freedom": number}
        cls: Any = type(self)
        made: Self = cls(len(found.weights), covariance_type=kind, **kept)
        covariances = structured(found.covariances, kind)
        given = found.weights, found.means, covariances, found.degrees
        set_parameters(made, *given, self._names_of(indices))
        return made


def _checked(given: Mapping[Any, Any]) -> Floats:
    """Return the values of features after a check."""
    for feature, value in given.items():
        is_number = (
            np.isscalar(value) and np.isrealobj(value) and not isinstance(value, str | bytes)
        )
        if not is_number or not np.isfinite(float(value)):
            raise ValueError(
                f"The value of a feature must be a finite number; got {value!r} for {feature!r}. "
                "Leave out features that are not known."
            )
    return np.array([*given.values()], np.float64)


def _too_far(what: str, values: Floats) -> ValueError:
    return ValueError(
        "Known values must be within 1e150 standard deviations of a component, so that it is known "
        f"which is the nearest; got {what} {values.tolist()}. Correct or leave them out."
    )
