"""A fit as a report, and as the mixture of a model file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast import criteria
from gmmfast.reporting.report import FitReport
from gmmfast.reporting.scaling import Scaling
from gmmfast.rows.available import without_values
from gmmfast.rows.sources import Chunks

Array = NDArray[np.floating[Any]]


def feature_names(mixture: Any) -> list[str]:
    """Return the column names of a mixture's fit, or ``feature 0`` and so on."""
    numbered = [f"feature {j}" for j in range(mixture.means_.shape[1])]
    return [str(name) for name in getattr(mixture, "feature_names_in_", numbered)]


def whole(weight: float) -> int:
    """Return the rows, each as often as its weight; 0 where weights are fractions."""
    return round(weight) if math.isclose(weight, round(weight)) else 0


def described(mixture: Any, names: list[str], order: NDArray[np.intp] | None = None) -> FitReport:
    """Describe a mixture and how its fit went; no rows are scored.

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted.
    names : list of str
        One per column.
    order : ndarray of int of shape (K,), optional
        The components in another order.
    """
    mixture._check_fitted()
    K, degrees = len(mixture.weights_), mixture._degrees()
    picked, factors = np.arange(K) if order is None else order, None
    if hasattr(mixture, "loadings_"):
        factors = mixture.loadings_[picked], mixture.specific_variances_[picked]
        covariances = np.square(mixture.loadings_).sum(axis=2) + mixture.specific_variances_
    else:
        mixture._attributes("covariances_")  # go together
        covariances = np.asarray(mixture.covariances_)
    weight = float(getattr(mixture, "n_samples_seen_", 0.0))
    trim = float(getattr(mixture, "trim", 0.0))
    return FitReport(
        source=type(mixture).__name__,
        n_rows=whole(weight / (1 - trim)),
        total_weight=weight,
        names=names,
        covariance_type=mixture.covariance_type,
        structure=mixture.covariance_type,
        standardized=False,
        weights=np.asarray(mixture.weights_)[picked],
        means=np.asarray(mixture.means_)[picked],
        covariances=covariances if mixture.covariance_type == "tied" else covariances[picked],
        degenerate=np.asarray(getattr(mixture, "degenerate_", np.zeros(K, bool)))[picked],
        log_likelihood=math.nan,
        bic=math.nan,
        aic=math.nan,
        lower_bound=float(getattr(mixture, "lower_bound_", -math.inf)),
        n_iter=int(getattr(mixture, "n_iter_", 0)),
        converged=bool(getattr(mixture, "converged_", False)),
        stop_reason=str(getattr(mixture, "stop_reason_", "Not fitted.")),
        noise_weight=getattr(mixture, "noise_weight_", None),
        trim=trim,
        degrees_of_freedom=None if degrees is None else degrees[picked],
        loadings=None if factors is None else factors[0],
        specific_variances=None if factors is None else factors[1],
    )


def scored(report: FitReport, log_likelihood: float, n_parameters: int) -> FitReport:
    """Return the report of a mixture with the log-likelihood of rows, and the criteria."""
    return replace(
        report,
        log_likelihood=log_likelihood,
        bic=criteria.bic(log_likelihood, n_parameters, report.total_weight),
        aic=criteria.aic(log_likelihood, n_parameters),
    )


def report_of(
    model: Any,
    data: Array | Chunks,
    weights: Array | None,
    names: list[str],
    scaling: Scaling | None,
    source: str,
    groups: Sequence[Any] | NDArray[Any] = (),
) -> FitReport:
    """Take the results from the model, in the units of the data, heaviest component first."""
    order = np.argsort(-model.weights_, kind="stable")
    report = described(model, names, order)
    if len(groups):
        report = replace(report, groups=tuple(_label(groups[k]) for k in order))
    n_rows = data.n_rows if isinstance(data, Chunks) else int((~without_values(data)).sum())
    assert n_rows is not None  # all have been read
    report = replace(report, source=source, n_rows=n_rows, standardized=scaling is not None)
    total, shift = model.n_samples_seen_, 0.0
    if scaling is not None:
        structure, covariances = scaling.covariances(report.structure, report.covariances)
        means = scaling.means(report.means)
        report = replace(report, structure=structure, means=means, covariances=covariances)
        report = _with_factors(report, scaling)
        shift = scaling.log_volume()
    log_likelihood = model.score(data, sample_weight=weights) * total - total * shift
    report = replace(report, lower_bound=report.lower_bound - shift)
    return scored(report, log_likelihood, model._n_parameters())


def _with_factors(report: FitReport, scaling: Scaling) -> FitReport:
    """Return the report with its factors in the units of the data."""
    if report.loadings is None or report.specific_variances is None:
        return report
    scaled = report.specific_variances * scaling.scale**2
    own = report.loadings * scaling.scale[:, None]
    return replace(report, loadings=own, specific_variances=scaled)


def _label(group: Any) -> str:
    """Return the label of a group as text; whole numbers without decimals."""
    is_whole = isinstance(group, float) and group.is_integer()
    return str(int(group) if is_whole else group)


def saved_form(
    report: FitReport,
    model: Any,
    scaling: Scaling | None,
    data: Array | Chunks,
    weights: Array | None,
    *,
    has_names: bool,
) -> Any:
    """Make the mixture of the report, which remembers how the fit went.

    The data are in their units; they are needed where a scaling changes rows by different amounts.
    """
    is_noisy = report.noise_weight is not None
    has_factors = report.loadings is not None
    mixture = type(model).from_parameters(
        report.weights / report.weights.sum() if is_noisy else report.weights,
        report.means,
        report.specific_variances if has_factors else report.covariances,
        covariance_type=report.covariance_type if has_factors else report.structure,
        loadings=report.loadings,
        feature_names=report.names if has_names else None,
        trim=model.trim,
        covariance_ratio=model.covariance_ratio if scaling is None else None,
        missing_values=model.missing_values,
    )
    shift = 0.0 if scaling is None else scaling.log_volume()
    if report.degrees_of_freedom is not None:
        mixture.set_params(component="t", degrees_of_freedom=model.degrees_of_freedom)
        mixture.degrees_of_freedom_ = report.degrees_of_freedom
    mixture.degenerate_ = report.degenerate
    mixture.converged_ = report.converged
    mixture.stop_reason_ = report.stop_reason
    mixture.n_iter_ = report.n_iter
    mixture.n_samples_seen_ = report.total_weight
    if scaling is None or (scaling.shares == 1).all():
        mixture.log_density_quantiles_ = model.log_density_quantiles_ - shift
    else:  # a row loses by the columns that it has
        with warnings.catch_warnings():  # of columns without names: they are in this order
            warnings.simplefilter("ignore")
            mixture.calibrate(data, weights)
    mixture.lower_bounds_ = [float(bound) - shift for bound in model.lower_bounds_]
    mixture.lower_bound_ = report.lower_bound
    if is_noisy:
        mixture.weights_, mixture.noise_weight_ = report.weights, report.noise_weight
        mixture.noise_volume_ = model.noise_volume_ * math.exp(shift)
        mixture.noise_box_ = model.noise_box_ if scaling is None else scaling.box(model.noise_box_)
    return mixture
