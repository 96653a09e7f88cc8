"""Regression by the mixture of features and targets together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.constraints import BOOLEAN, check_parameters
from gmmfast.data.prior import Prior
from gmmfast.data.validation import check_features, check_sample_weight, check_targets
from gmmfast.errors import warn
from gmmfast.estimators.base import Estimator
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.estimators.template import Template, copied, fitted, rows_in_memory
from gmmfast.parameters import Floats

# of the variances of the columns, as a prior's scale: mclust's, of all of them, made the spread
# about a curve with a standard deviation of 0.1 look like 0.18 (300 rows), this one like 0.12
FLOOR = 1e-4


class GaussianMixtureRegressor(Estimator):
    """Regression by a Gaussian mixture of features and targets.

    A mixture of the columns of X and y together is fitted; predictions are the conditional means of
    y given X, a smooth passage between the regression lines of the components. Nothing is assumed
    about the curve, and the spread about it may vary: ``predict(X, return_std=True)``.

    Parameters
    ----------
    mixture : GaussianMixture, GaussianMixtureIC or None, default=None
        What is fitted to the columns of X and then y, in their units; it is copied. None chooses 1
        to 9 components with full covariances by BIC, with ``random_state=0``, under a weak
        `Prior`: ``shrinkage=0`` and as `scale` 1e-4 times the variances of the columns. So no
        component can collapse, also where targets follow from features exactly.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The mixture of X and y; of a search, the best.
    n_targets_ : int
        Number of targets t.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of str
        Column names of X, where it was a frame with names.

    See Also
    --------
    GaussianMixture.predict_features : the same for a mixture that is fitted already, and for any
        of its features.

    References
    ----------
    Sung, H. G. (2004). Gaussian mixture regression and classification. PhD thesis, Rice University,
    chapter 2.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixture, GaussianMixtureRegressor
    >>> X = np.linspace(-3, 3, 301).reshape(-1, 1)
    >>> y = np.abs(X[:, 0]) + 0.1 * np.sin(50 * X[:, 0])
    >>> model = GaussianMixtureRegressor(GaussianMixture(2, random_state=0)).fit(X, y)
    >>> model.predict([[-2.0], [1.0]]).round(1)
    array([2., 1.])
    >>> round(model.score(X, y), 2)
    0.99
    """

    mixture_: GaussianMixture
    n_targets_: int
    n_features_in_: int
    _is_flat: bool  # whether y had one dimension

    def __init__(self, mixture: GaussianMixture | GaussianMixtureIC | None = None) -> None:
        self.mixture = mixture

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture of X and y.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.
        y : array-like or frame of shape (n,) or (n, t)
            Targets.
        sample_weight : array-like of shape (n,), optional
            Row weights. Weight 0 leaves a row out; an integer weight repeats it.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If `mixture` is no mixture, or the rows are a source or a Dask collection.
        ValueError
            If X or y is not finite or of other lengths, the mixture has noise, or it cannot be
            fitted.
        """
        given = self._template()
        X, names = self._checked(X, min_rows=2)
        targets, of_targets = check_targets(y, len(X), type(self).__name__)
        columns = targets.reshape(len(X), -1)
        weights = check_sample_weight(sample_weight, len(X))
        joint = np.column_stack([X, columns])
        template = _default(joint, weights) if given is None else given
        what = f"The columns of X and y together, {X.shape[1]} + {columns.shape[1]},"
        self.mixture_ = fitted(template, joint, weights, what)
        self._is_flat, self.n_targets_ = targets.ndim == 1, columns.shape[1]
        check_features(self, names, X.shape[1], reset=True)
        together = None if names is None else _together(names, of_targets, self.n_targets_)
        check_features(self.mixture_, together, joint.shape[1], reset=True)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Predict the targets: their means given the features.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.
        return_std : bool, default=False
            Whether to return standard deviations, too.

        Returns
        -------
        means : ndarray of shape (n,) or (n, t)
            As the y of the fit.
        deviations : ndarray of shape (n,) or (n, t)
            Only with `return_std`: conditional standard deviations of the targets, of single values
            about the curve.
        """
        self._check_fitted()
        check_parameters("predict", {"return_std": return_std}, {"return_std": BOOLEAN})
        X, names = self._checked(X)
        check_features(self, names, X.shape[1], reset=False)
        known = list(range(self.n_features_in_))
        target = [self.n_features_in_ + j for j in range(self.n_targets_)]
        means, deviations = self.mixture_._predicted(X, known, target, bool(return_std))
        if deviations is None:
            return means[:, 0] if self._is_flat else means
        return (means[:, 0], deviations[:, 0]) if self._is_flat else (means, deviations)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Coefficient of determination R^2 of the predictions, averaged over the targets.

        ``1 - sum w (y - prediction)^2 / sum w (y - mean)^2``; of a target that does not vary 1 if
        all predictions are exact, else 0.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.
        y : array-like or frame of shape (n,) or (n, t)
            Targets.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        float
            At most 1, which is best; NaN, with a warning, of fewer than two rows.
        """
        predicted = np.asarray(self.predict(X))
        n, t = len(predicted), self.n_targets_
        targets = check_targets(y, n, type(self).__name__)[0].reshape(n, -1)
        if targets.shape[1] != t:
            raise ValueError(
                f"y has {targets.shape[1]} targets, but {type(self).__name__} was fitted to {t}."
            )
        given = check_sample_weight(sample_weight, n)
        if n < 2:
            warn("R^2 score is not well-defined with less than two samples.")
            return float("nan")
        weights = np.ones(n) if given is None else given
        about = weights @ targets / weights.sum()
        lost = weights @ np.square(targets - predicted.reshape(n, t))
        total = weights @ np.square(targets - about)
        shares = np.where(lost > 0, 1.0, 0.0)
        np.divide(lost, total, out=shares, where=total > 0)
        return float(np.mean(1 - shares))

    def _checked(self, X: Any, min_rows: int = 1) -> tuple[NDArray[Any], list[str] | None]:
        """Return the features of rows in memory, and the names of their columns."""
        remedy = "Fit a GaussianMixture to all columns, and use its predict_features."
        return rows_in_memory(X, type(self).__name__, remedy, min_rows)

    def _template(self) -> Template | None:
        """Return a copy of `mixture` that is not fitted."""
        mixture = copied(self.mixture)
        if mixture is None:
            return None
        if mixture.noise is not None and mixture.noise is not False:
            raise ValueError(
                "A regression needs a mixture without noise, which is uniform over all columns; "
                f"got noise={mixture.noise!r}. Use component='t' for rows far from the others."
            )
        return mixture

    # ------------------------------------------------------------------ scikit-learn's conventions

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "mixture_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import RegressorTags, TargetTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        tags.target_tags = TargetTags(required=True, multi_output=True)
        return tags


def _default(joint: NDArray[Any], weights: Floats | None) -> GaussianMixtureIC:
    """Return the search for the columns of features and targets."""
    own = np.ones(len(joint)) if weights is None else weights
    about = own @ joint / own.sum()
    variances = own @ np.square(joint - about) / own.sum()
    scale = FLOOR * np.where(variances > 0, variances, 1.0)
    prior = Prior(shrinkage=0.0, scale=scale)
    return GaussianMixtureIC(covariance_types=["full"], prior=prior, random_state=0)


def _together(
    names: list[str], of_targets: Sequence[str] | None, n_targets: int
) -> list[str] | None:
    """Return names of features and targets; None where they are not different."""
    numbered = ["y"] if n_targets == 1 else [f"y{j}" for j in range(n_targets)]
    own = [*names, *(of_targets or numbered)]
    return own if len(set(own)) == len(own) else None
