"""What a fit begins with, from the parameters of its estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmfast.data.constraints import FACTOR_MODELS
from gmmfast.data.fixed import starting_values, where_fixed
from gmmfast.em.prior import PriorOfRows
from gmmfast.em.starts import Given
from gmmfast.estimators.noise import noise_of
from gmmfast.estimators.tails import require_same_component, tails_of
from gmmfast.models import Model, model_of
from gmmfast.rows import Rows

if TYPE_CHECKING:
    from gmmfast.estimators.mixture import GaussianMixture


def model_for(mixture: GaussianMixture, rows: Rows) -> Model:
    """Return the model of a fit to rows: its noise, its prior, and what stays as it is."""
    K = mixture.n_components
    noise = noise_of(mixture.noise, mixture.noise_volume, rows, K)
    tails = tails_of(mixture.component, mixture.degrees_of_freedom)
    own = mixture.reg_covar, mixture.covariance_ratio, noise, tails
    model = model_of(mixture._model_name(), *own)
    model = PriorOfRows(mixture.prior, rows, [model]).of(model, K)
    values = starting_values(vars(mixture), K, rows.n_features)
    if not values.has_fixed:
        return model
    if mixture.covariance_ratio is not None and np.any(values.fixed["covariances"]):
        raise ValueError(
            "covariance_ratio bounds all covariances, and fixed ones stay as given; got both. "
            "Leave one of them out."
        )
    weights, means, covariances = (
        given if given is None else where_fixed(given, mask)
        for given, mask in zip(given_of(mixture, model, rows), values.fixed.values(), strict=True)
    )
    weights = np.full(K, np.nan) if weights is None else weights
    means = np.full((K, rows.n_features), np.nan) if means is None else means
    return model.with_fixed(weights, means, covariances)


def given_of(mixture: GaussianMixture, model: Model, rows: Rows) -> Given:
    """Return the parts of the start that the constructor gives."""
    values = starting_values(vars(mixture), mixture.n_components, rows.n_features)
    weights, means, precisions, _ = values
    if means is not None:
        means = means - rows.center
    covariances = None if precisions is None else model.covariances_from(precisions)
    return Given(weights, means, covariances)


def require_streamable(mixture: GaussianMixture) -> None:
    """Raise ValueError for parameters that `partial_fit` does not take, or cannot change."""
    if hasattr(mixture, "weights_"):
        require_same_component(mixture)
    if mixture.prior is not None:
        raise ValueError(
            "partial_fit takes no prior, whose weight depends on the number of all rows. Use "
            "fit, or set prior=None."
        )
    if mixture.trim:
        raise ValueError(
            f"partial_fit sees each row once and leaves none out; got trim={mixture.trim}. Set "
            "trim=0, or use fit."
        )
    if mixture.covariance_type in FACTOR_MODELS:
        raise ValueError(
            "partial_fit averages sums over batches, and sums of factor analyzers only hold for "
            f"the loadings of their pass; got covariance_type={mixture.covariance_type!r}. Use "
            "fit, also for rows in pieces (gmmfast.chunks), or another covariance_type."
        )
    if mixture.fixed is not None:
        raise ValueError("partial_fit changes all parameters. Use fit, or set fixed=None.")
