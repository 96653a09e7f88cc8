"""A fit as a report, and as the mixture of a model file.

Both are in the units of the data, with the heaviest component first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast import criteria
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.reporting.report import FitReport
from gmmfast.reporting.scaling import Scaling
from gmmfast.rows.sources import Chunks

Array = NDArray[np.floating[Any]]


def report_of(
    model: GaussianMixture,
    data: Array | Chunks,
    weights: Array | None,
    names: list[str],
    scaling: Scaling | None,
    source: str,
) -> FitReport:
    """Take the results from the model, in the units of the data, heaviest component first."""
    order = np.argsort(-model.weights_, kind="stable")
    structure = model.covariance_type
    means = model.means_[order]
    covariances = model.covariances_ if structure == "tied" else model.covariances_[order]
    n_rows = data.n_rows if isinstance(data, Chunks) else len(data)
    assert n_rows is not None  # all have been read
    total, shift = model.n_samples_seen_, 0.0
    if scaling is not None:
        means = scaling.means(means)
        structure, covariances = scaling.covariances(structure, covariances)
        shift = total * scaling.log_volume()
    log_likelihood = model.score(data, sample_weight=weights) * total - shift
    n_parameters = model._n_parameters()
    return FitReport(
        source=source,
        n_rows=n_rows,
        total_weight=total,
        names=names,
        covariance_type=model.covariance_type,
        structure=structure,
        standardized=scaling is not None,
        weights=model.weights_[order],
        means=means,
        covariances=covariances,
        degenerate=model.degenerate_[order],
        log_likelihood=log_likelihood,
        bic=criteria.bic(log_likelihood, n_parameters, total),
        aic=criteria.aic(log_likelihood, n_parameters),
        n_iter=int(model.n_iter_),
        converged=bool(model.converged_),
        stop_reason=str(model.stop_reason_),
    )


def saved_form(
    report: FitReport, model: GaussianMixture, scaling: Scaling | None, *, has_names: bool
) -> GaussianMixture:
    """Make the mixture of the report, which remembers how the fit went."""
    mixture = GaussianMixture.from_parameters(
        report.weights,
        report.means,
        report.covariances,
        covariance_type=report.structure,
        feature_names=report.names if has_names else None,
    )
    shift = 0.0 if scaling is None else scaling.log_volume()
    mixture.degenerate_ = report.degenerate
    mixture.converged_ = report.converged
    mixture.stop_reason_ = report.stop_reason
    mixture.n_iter_ = report.n_iter
    mixture.n_samples_seen_ = report.total_weight
    mixture.log_density_quantiles_ = model.log_density_quantiles_ - shift
    mixture.lower_bounds_ = [float(bound) - shift for bound in model.lower_bounds_]
    mixture.lower_bound_ = float(model.lower_bound_) - shift
    return mixture
