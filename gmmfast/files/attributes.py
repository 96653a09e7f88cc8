"""The attributes of a fitted mixture, each listed once."""

from __future__ import annotations

from typing import Any

import numpy as np

COVARIANCES = ("covariances_", "precisions_", "precisions_cholesky_")  # all of one shape
PARAMETERS = ("weights_", "means_", *COVARIANCES)
LOADINGS = ("loadings_", "specific_variances_")  # of factor analyzers, instead of the covariances
FACTS: dict[str, Any] = {  # with the values for a mixture whose attributes were set by hand
    "converged_": False,
    "stop_reason_": "Not fitted.",
    "n_iter_": 0,
    "lower_bound_": -np.inf,
    "lower_bounds_": [],
    "n_samples_seen_": 0.0,
}
QUANTILES = "log_density_quantiles_"  # of a mixture that was fitted, or calibrated
NOISE = ("noise_weight_", "noise_volume_", "noise_box_")  # of a mixture with noise
DEGREES = "degrees_of_freedom_"  # of t components
FEATURES = ("n_features_in_", "feature_names_in_")
TRIMMED = "trimmed_"  # of a fit that left rows out
FITTED = (
    *PARAMETERS, *LOADINGS, "degenerate_", QUANTILES, TRIMMED, *NOISE, DEGREES, *FACTS, *FEATURES,
)  # fmt: skip
OURS = (  # scikit-learn's mixture has the others
    "degenerate_", "stop_reason_", "n_samples_seen_", QUANTILES, TRIMMED, *NOISE, DEGREES,
    *LOADINGS,
)  # fmt: skip


def parameters_of(mixture: Any) -> tuple[str, ...]:
    """Return the names of the attributes that hold the parameters of a fitted mixture."""
    return ("weights_", "means_", *LOADINGS) if hasattr(mixture, LOADINGS[0]) else PARAMETERS
