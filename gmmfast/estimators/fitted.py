"""The use of a fitted mixture: labels, densities, criteria, samples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.constraints import (
    IMPUTE,
    MIXTURE,
    OUTLIERS,
    SAMPLE,
    CovarianceType,
    Degrees,
    MissingValues,
    check_parameters,
    is_int,
    require_columns,
)
from gmmfast.data.factors import model_name, require_possible
from gmmfast.data.validation import (
    check_features,
    check_random_state,
    check_rows,
    check_sample_weight,
    check_shares,
)
from gmmfast.errors import not_fitted_error_class
from gmmfast.estimators.base import LabelingEstimator
from gmmfast.estimators.dense import Dense
from gmmfast.estimators.mapping import map_rows, with_header
from gmmfast.estimators.tails import tails_from
from gmmfast.files.attributes import DEGREES, LOADINGS
from gmmfast.models import FactorAnalyzers, Model, Noise, model_of, square_roots
from gmmfast.models.full import Full
from gmmfast.parameters import Floats, Parameters, SufficientStatistics
from gmmfast.quantiles import GRID, MOST_ROWS, quantiles
from gmmfast.rows import (
    MemoryRows,
    Rows,
    RowsInMemory,
    TrimmedRows,
    center_near,
    open_rows,
    trimmed,
)
from gmmfast.rows.evaluation import (
    Evaluable,
    are_outliers,
    labels_of,
    log_densities_of,
    responsibilities_of,
)
from gmmfast.rows.incomplete import imputed
from gmmfast.rows.sources import Source, is_elsewhere
from gmmfast.rows.trimmed import kept_weights


class FittedMixture(LabelingEstimator):
    """Methods of `GaussianMixture` that need its fitted attributes, not the data of the fit."""

    covariance_type: CovarianceType
    reg_covar: float
    covariance_ratio: float | None
    random_state: Any
    n_jobs: int | None
    missing_values: MissingValues
    degrees_of_freedom: float | Degrees
    trim: float
    weights_: NDArray[Any]
    means_: NDArray[Any]
    loadings_: NDArray[Any]
    specific_variances_: NDArray[Any]
    covariances_ = Dense("covariances_")
    precisions_ = Dense("precisions_")
    precisions_cholesky_ = Dense("precisions_cholesky_")
    noise_weight_: float
    noise_volume_: float
    noise_box_: Floats
    degrees_of_freedom_: Floats
    log_density_quantiles_: NDArray[np.float64]
    trimmed_: NDArray[np.bool_]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def predict(self, X: ArrayLike | Source) -> NDArray[np.int64]:
        """Label rows with their likeliest component.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.

        Returns
        -------
        ndarray of shape (n,)
            Component indices, the first of equals; -1 for noise. Sources give an iterator over the
            labels of each piece, Dask collections a lazy Dask array.
        """
        labels: NDArray[np.int64] = map_rows(self, X, labels_of)
        return labels

    def predict_proba(self, X: ArrayLike | Source) -> NDArray[Any]:
        """Posterior probability of each component (Bishop 2006, equation 9.13).

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.

        Returns
        -------
        ndarray of shape (n, K)
            Each row sums to one. With noise, shape (n, K + 1): its probability is the last column.
            In pieces or lazy as by `predict`.
        """
        resp: NDArray[Any] = map_rows(self, X, responsibilities_of)
        return resp

    def score_samples(self, X: ArrayLike | Source) -> NDArray[Any]:
        """Log density of the mixture at each row, in nats.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.

        Returns
        -------
        ndarray of shape (n,)
            ``log p(x)``; the density is in the inverse units of the data. In pieces or lazy as by
            `predict`.
        """
        log_density: NDArray[Any] = map_rows(self, X, log_densities_of)
        return log_density

    def impute(
        self, X: ArrayLike, *, kind: Literal["mean", "sample"] = "mean", random_state: Any = None
    ) -> Floats:
        """Fill in missing values from the mixture, given the known values of their rows.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Rows, with NaN, masked values or the missing values of frames.
        kind : {"mean", "sample"}, default="mean"
            "mean" fills in conditional means, which are nearest to the values on average, but vary
            less. "sample" draws from the conditional distribution, so that several calls are
            multiple imputations (Rubin 1987).
        random_state : int, RandomState, Generator or None, default=None
            Source of the draws.

        Returns
        -------
        ndarray of shape (n, d)
            The rows, float64. Known values are unchanged.

        References
        ----------
        Little, R. J. A., Rubin, D. B. (2019). Statistical analysis with missing data, third
        edition, section 11.2: the conditional distribution.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> covariances = [[[1.0, 2.0], [2.0, 5.0]]]
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 10.0]], covariances)
        >>> mixture.impute([[1.0, np.nan], [np.nan, np.nan]])
        array([[ 1., 12.],
               [ 0., 10.]])
        """
        check_parameters("impute", {"kind": kind, "random_state": random_state}, IMPUTE)
        if is_elsewhere(X):
            raise TypeError(
                f"impute needs rows in memory; got {type(X).__name__}. Pass its pieces one after "
                "the other, or use gmmfast impute."
            )
        rng = check_random_state(random_state) if kind == "sample" else None
        rows, parameters = self._rows(X, may_miss=True)
        if parameters.loadings is not None:
            dense = Full().of_covariances(
                parameters.weights, parameters.means, parameters.matrices()
            )
            parameters = replace(dense, noise=parameters.noise, degrees=parameters.degrees)
        return imputed(rows.array, parameters, rows.center, self.n_jobs, rng)

    def score(
        self, X: ArrayLike | Source, y: object = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Mean log density per row, in nats.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        float
            Larger is better.
        """
        log_likelihood, weight = self._log_likelihood(X, sample_weight)
        return log_likelihood / weight

    def log_density_quantile(self, q: ArrayLike) -> Any:
        """Log density below which a share of the rows of the fit lies.

        Interpolated between the shares of `gmmfast.quantiles.GRID`: 0, 1 to 9 times 1e-4, 1e-3 and
        1e-2, and 0.1 to 1 in steps of 0.05. At these shares it is exact for up to 16,384 rows, and
        row weights count. Of more rows, it is that of a sample of so many, drawn by weight: the
        share below the quantile of 0.01 has a standard error of 0.0008.

        Parameters
        ----------
        q : float or array-like
            Shares from 0 to 1.

        Returns
        -------
        float or ndarray
            Log densities in nats, in the shape of `q`. The quantile of 0 is the smallest.

        Raises
        ------
        ValueError
            If a share is out of range, or if there are no quantiles: the mixture was made from
            parameters, by `marginal` or `condition`, has learned by `partial_fit`, or was saved by
            an earlier version. `calibrate` finds them.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(10_000, 1))
        >>> mixture = GaussianMixture(1).fit(X)
        >>> mixture.log_density_quantile([0.01, 0.5]).round(1)
        array([-4.2, -1.1])
        """
        self._check_fitted()
        if not hasattr(self, "log_density_quantiles_"):
            raise ValueError(
                "is_outlier and log_density_quantile need the quantiles of the log densities of "
                "rows, which fit keeps; this mixture has none, because it has not seen its rows at "
                "once: it was made from parameters, by marginal or condition, or has learned by "
                "partial_fit; or it was saved by an earlier version. Call calibrate(X) with "
                "typical rows of its features first."
            )
        shares = check_shares(q, "q")
        found = np.interp(shares, GRID, self.log_density_quantiles_)
        return found if shares.ndim else float(found)

    def is_outlier(self, X: ArrayLike | Source, rate: float = 0.01) -> NDArray[np.bool_]:
        """Mark rows that are less likely than all but a share of the rows of the fit.

        The cut belongs to the mixture: similar rows are marked about as often as `rate`, and a row
        is marked or not whatever other rows there are.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        rate : float, default=0.01
            Share of the rows of the fit that count as outliers, between 0 and 1.

        Returns
        -------
        ndarray of bool of shape (n,)
            Where the log density is below ``log_density_quantile(rate)``; with noise, which has the
            same density everywhere, also its rows. In pieces or lazy as by `predict`.

        Raises
        ------
        ValueError
            As in `log_density_quantile`.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(1000, 1))
        >>> mixture = GaussianMixture(1).fit(X)
        >>> mixture.is_outlier([[0.1], [7.0]])
        array([False,  True])
        >>> int(mixture.is_outlier(X, rate=0.02).sum())
        20
        """
        check_parameters("is_outlier", {"rate": rate}, OUTLIERS)
        cut = self.log_density_quantile(rate)
        flags: NDArray[np.bool_] = map_rows(self, X, partial(_are_below, cut))
        return flags

    def calibrate(self, X: ArrayLike | Source, sample_weight: ArrayLike | None = None) -> Self:
        """Take the quantiles of `log_density_quantile` from these rows; `fit` does so by itself.

        For a mixture that was made from parameters, by `marginal` or `condition`, or learns by
        `partial_fit`.

        Parameters
        ----------
        X : array-like, frame or source of shape (n, d)
            Typical rows.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        self

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> rows = np.random.default_rng(0).normal(size=(1000, 1))
        >>> mixture.calibrate(rows).is_outlier([[5.0]])
        array([ True])
        """
        self._calibrate(self._open(X, sample_weight))
        return self

    def _calibrate(self, rows: Rows) -> None:
        """Keep quantiles of the log densities of checked rows, as `score_samples` gives them."""
        if isinstance(rows, TrimmedRows):
            log_density = rows.log_densities(self._parameters(rows.center))
            weights = rows.kept_weights(log_density)
            self.log_density_quantiles_ = quantiles(log_density, weights)
            self.trimmed_ = weights < rows.whole.sample_weight / 2
            return
        rng = np.random.default_rng(0)  # not the generator of the fit, whose results stay
        kept = rows.all_or_sample(MOST_ROWS, rng)
        same: RowsInMemory = kept
        if isinstance(kept, MemoryRows):
            X, shift = kept.array, rows.center - kept.center
            if shift.any():  # of a sample, which is about the center
                X = (X + shift).astype(X.dtype)
            center = center_near(self._attributes()[1], X.dtype)
            same = MemoryRows(X, n_jobs=self.n_jobs, center=center)
        log_density = log_densities_of(same, self._parameters(same.center))
        self.log_density_quantiles_ = quantiles(log_density, kept.sample_weight)

    def sample(self, n_samples: int = 1) -> tuple[Floats, NDArray[np.int64]]:
        """Draw rows from the mixture.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, d)
            Rows, in the order of their components. Noise comes last, uniform in `noise_box_`.
        y : ndarray of shape (n_samples,)
            Their components; -1 for noise.
        """
        weights, means = self._attributes()
        if is_int(n_samples) and n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one "
                "sample."
            )
        check_parameters("sample", {"n_samples": n_samples}, SAMPLE)
        rng = check_random_state(self.random_state)
        n_noise = rng.binomial(n_samples, self.noise_weight_) if self._noise() else 0
        if n_noise == n_samples:
            return self._sampled_noise(n_noise, rng)
        n_samples -= n_noise
        counts = rng.multinomial(n_samples, weights / weights.sum())
        y = np.repeat(np.arange(len(counts)), counts)
        noise = rng.standard_normal(size=(n_samples, means.shape[1] + self._model().n_factors))
        degrees = self._degrees()
        if degrees is not None:
            noise *= np.sqrt(degrees[y] / rng.chisquare(degrees[y]))[:, None]
        noises = np.split(noise, np.cumsum(counts)[:-1])
        X = np.concatenate(self._shaped(noises)) + means[y]
        if not n_noise:
            return X, y
        noise_X, noise_y = self._sampled_noise(n_noise, rng)
        return np.concatenate([X, noise_X]), np.concatenate([y, noise_y])

    def _shaped(self, noises: list[Floats]) -> list[Floats]:
        """Return standard normal rows of each component (m, d) with its covariance.

        Of factor analyzers, the first q columns of what is given (m, q + d) are factors.
        """
        q = self._model().n_factors
        if q:
            own = zip(noises, self.loadings_, np.sqrt(self.specific_variances_), strict=True)
            return [z[:, :q] @ loadings.T + z[:, q:] * scale for z, loadings, scale in own]
        _, means, covariances = self._attributes("covariances_")
        roots = square_roots(self._model().matrices(covariances, *means.shape))
        return [z @ root.T for z, root in zip(noises, roots, strict=True)]

    def _sampled_noise(self, n: int, rng: Any) -> tuple[Floats, NDArray[np.int64]]:
        if not hasattr(self, "noise_box_"):
            raise ValueError(
                "The box of the noise is not known before a resumed fit has gone on. Call fit."
            )
        corner, *edges = self.noise_box_
        return corner + rng.uniform(size=(n, len(corner))) @ np.array(edges), np.full(n, -1)

    def _names_of(self, indices: Iterable[int]) -> list[str] | None:
        """Return the column names of some features, if the mixture has any."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [names[j] for j in indices]

    def _rows(
        self,
        X: ArrayLike | Source,
        names: list[str] | None = None,
        first: int = 0,
        may_miss: bool = False,
    ) -> tuple[MemoryRows, Parameters]:
        """Rows to evaluate, and the fitted parameters about the same center."""
        means = self._attributes()[1]
        X, own = check_rows(
            X,
            name=type(self).__name__,
            first=first,
            columns=names,
            is_missing_allowed=may_miss or self._may_miss,
        )
        names = names or own
        check_features(self, names, X.shape[1], reset=False)
        if X.shape[1] != means.shape[1]:
            raise _other_features(X.shape[1], means.shape[1])
        center = center_near(means, X.dtype)  # no look at X: rows stay independent
        rows = MemoryRows(X, n_jobs=self.n_jobs, center=center)
        return rows, self._parameters(center)

    def _parameters(self, center: Floats) -> Parameters:
        """Return the fitted attributes as `Parameters`; all but `covariances_` are needed."""
        model = self._model()
        if isinstance(model, FactorAnalyzers):
            return self._of_loadings(model, center)
        names = ["precisions_cholesky_", *self._covariances()]
        weights, means, cholesky, *given = self._attributes(*names)
        covariances = given[0] if given else cholesky
        if means.shape[1] != len(center):
            raise _other_features(len(center), means.shape[1])
        own = model.from_cholesky(weights, means - center, covariances, cholesky)
        return self._with_extras(own)

    def _of_loadings(self, model: FactorAnalyzers, center: Floats) -> Parameters:
        """Return the fitted attributes of factor analyzers as `Parameters`."""
        weights, means = self._attributes()
        require_possible(vars(self), [self.covariance_type], means.shape[1])
        own = [getattr(self, name, np.zeros(0)) for name in LOADINGS]
        loadings, variances = (np.asarray(values, np.float64) for values in own)
        if means.shape[1] != len(center):
            raise _other_features(len(center), means.shape[1])
        if loadings.shape != (*means.shape, model.n_factors) or variances.shape != means.shape:
            raise ValueError(
                f"The fitted loadings_ {loadings.shape} and specific_variances_ {variances.shape} "
                f"do not go with means_ {means.shape} and n_factors={model.n_factors}. Call fit "
                "again, with warm_start=False."
            )
        loadings = loadings.swapaxes(1, 2)
        return self._with_extras(model.of_loadings(weights, means - center, variances, loadings))

    def _with_extras(self, own: Parameters) -> Parameters:
        """Return components with the noise and the degrees of freedom of the fitted mixture."""
        noise = self._noise()
        values = None if noise is None else np.array([noise.share, noise.log_density])
        return replace(own, noise=values, degrees=self._degrees())

    def _noise(self) -> Noise | None:
        """Return the noise of the fitted mixture, if there is any."""
        if not hasattr(self, "noise_weight_"):
            return None
        return Noise(-math.log(self.noise_volume_), float(self.noise_weight_))

    def _degrees(self) -> Floats | None:
        """Return the degrees of freedom (K,) of the fitted mixture, if its components have any."""
        return getattr(self, DEGREES, None)

    def _covariances(self) -> list[str]:
        """Name of the covariances, which need not be set for densities and may not be kept."""
        return ["covariances_"] if "covariances_" in vars(self) else []

    def _attributes(self, *covariances: str) -> list[Floats]:
        """Return the fitted weights, means and forms of the covariances, as float64.

        Where they were set by hand, one may be missing, or their shapes may not match.
        """
        self._check_fitted()
        names = ["weights_", "means_", *covariances]
        for name in names:
            if not hasattr(self, name):
                own = type(self).__name__
                raise not_fitted_error_class()(
                    f"This {own} instance has weights_, but no {name}. Call 'fit', or use "
                    f"{own}.from_parameters, which finds the attributes that go together."
                )
        arrays = [np.asarray(getattr(self, name), np.float64) for name in names]
        K, d = len(np.atleast_1d(arrays[0])), np.atleast_1d(arrays[1]).shape[-1]
        require_columns([self.covariance_type], d)
        shapes = [(K,), (K, d)] + [self._model().covariance_shape(K, d)] * len(covariances)
        if [array.shape for array in arrays] != shapes:
            found = ", ".join(f"{n} {a.shape}" for n, a in zip(names, arrays, strict=True))
            raise ValueError(
                f"The fitted {found} do not go with covariance_type={self.covariance_type!r} and "
                f"{d} features. Call fit again, with warm_start=False."
            )
        return arrays

    def _model(self) -> Model:
        kind: dict[str, Any] = {"covariance_type": self.covariance_type}
        if hasattr(self, "n_factors"):
            kind["n_factors"] = self.n_factors
        if self._degrees() is not None:
            kind["degrees_of_freedom"] = self.degrees_of_freedom
        check_parameters(type(self).__name__, kind, MIXTURE)
        tails = None if self._degrees() is None else tails_from(self.degrees_of_freedom)
        own = self.reg_covar, self.covariance_ratio, self._noise(), tails
        return model_of(self._model_name(), *own)

    def _model_name(self) -> str:
        """Return the name of the model."""
        return model_name(self.covariance_type, getattr(self, "n_factors", 1))

    def _log_likelihood(
        self, X: ArrayLike | Source, sample_weight: ArrayLike | None
    ) -> tuple[float, float]:
        """Weighted sum of log densities, and the sum of weights."""
        if is_elsewhere(X):
            statistics = self._statistics(X, sample_weight)
            return statistics.log_likelihood, statistics.weight
        log_density = self.score_samples(X)
        weights = self._kept(X, sample_weight, log_density)
        with np.errstate(over="ignore"):  # rows infinitely far make a sum of minus infinity
            if weights is None:
                return float(log_density.sum(dtype=np.float64)), float(len(log_density))
            present = weights > 0
            if not present.any():
                raise ValueError(
                    "A score needs a row of positive weight that has a value; got none of "
                    f"{len(weights)}. Pass other rows."
                )
            return float(weights[present] @ log_density[present]), float(weights.sum())

    def _kept(
        self, X: Any, sample_weight: ArrayLike | None, log_density: NDArray[Any]
    ) -> Floats | None:
        """Return the weights of rows in memory, of which the least likely may be left out."""
        weights = self._weights(X, sample_weight, len(log_density))
        if not self.trim:
            return weights
        weights = np.ones(len(log_density)) if weights is None else weights
        return kept_weights(log_density, weights, self.trim)

    def _weights(self, X: Any, sample_weight: ArrayLike | None, n_rows: int) -> Floats | None:
        """Return the weights of rows in memory; rows without any value have none."""
        weights = check_sample_weight(sample_weight, n_rows)
        if not self._may_miss:
            return weights
        present = (~np.isnan(self._rows(X)[0].array)).any(axis=1)
        return np.where(present, 1.0 if weights is None else weights, 0.0)

    def _statistics(self, X: Any, sample_weight: ArrayLike | None) -> SufficientStatistics:
        """Return the sufficient statistics of rows that are not in memory."""
        rows = trimmed(self._open(X, sample_weight), self.trim)
        return rows.expectation(self._parameters(rows.center), self._model().scatter)

    def _open(self, X: Any, sample_weight: ArrayLike | None) -> Rows:
        """Open rows with the features of the mixture."""
        self._check_fitted()
        rows, names = self._read(with_header(self, X), sample_weight)
        check_features(self, names, rows.n_features, reset=False)
        return rows

    def _read(self, X: Any, sample_weight: ArrayLike | None) -> tuple[Rows, list[str] | None]:
        """Return checked rows of any features, and the names of their columns."""
        name, may_miss = type(self).__name__, self._may_miss
        return open_rows(X, sample_weight, name=name, n_jobs=self.n_jobs, may_miss=may_miss)

    @property
    def _may_miss(self) -> bool:
        return self.missing_values == "marginalize"


def _are_below(cut: float, rows: Evaluable, parameters: Parameters) -> NDArray[np.bool_]:
    log_density = log_densities_of(rows, parameters)
    if parameters.noise is None:
        return np.asarray(log_density < cut)
    return are_outliers(log_density, labels_of(rows, parameters), cut)


def _other_features(given: int, own: int) -> ValueError:
    return ValueError(f"X has {given} features, but means_ has {own}. Call fit again.")
