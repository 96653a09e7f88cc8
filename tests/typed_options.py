"""Calls for mypy, which nothing runs: typos in options are errors, and right calls are none.

A mark on a call that is no error fails as well: strict mypy warns of unused marks.
"""

from gmmfast import (
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    GaussianMixtureRegressor,
)
from gmmfast.plotting import plot_criterion

mixture = GaussianMixture(2, covariance_type="VEV", init_params="k-means++", acceleration="auto")
GaussianMixture(covariance_type="ful")  # type: ignore[arg-type]
GaussianMixture(covariance_type="V")
GaussianMixture(init_params="kmean")  # type: ignore[arg-type]
GaussianMixture(init_params=[0, 1, 1])
GaussianMixture(acceleration="fast")  # type: ignore[arg-type]
GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], covariance_type="spherical")
GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], covariance_type="sphere")  # type: ignore[arg-type]

search = GaussianMixtureIC(range(1, 4), covariance_types=["EII", "full"], criterion="icl")
GaussianMixtureIC(covariance_types="all")
GaussianMixtureIC(covariance_types=["E", "V"])
GaussianMixtureIC(covariance_types="every")  # type: ignore[arg-type]
GaussianMixtureIC(covariance_types=["EIV"])  # type: ignore[list-item]
GaussianMixtureIC(criterion="BIC")  # type: ignore[arg-type]
GaussianMixtureIC(acceleration="fast")  # type: ignore[arg-type]
GaussianMixtureIC(on_interrupt="keep")
GaussianMixtureIC(on_interrupt="stop")  # type: ignore[arg-type]
search.estimator(2, "VVV")
search.estimator(2, "VVW")  # type: ignore[arg-type]

plot_criterion(search, criterion="cv")
plot_criterion(search, criterion="crossvalidation")  # type: ignore[arg-type]
search.results_.ranking("aic")
search.results_.ranking("caic")  # type: ignore[arg-type]
search.results_.summary(criterion="bic")
search.results_.summary(criterion="bik")  # type: ignore[arg-type]

GaussianMixtureRegressor(search)
GaussianMixtureRegressor(3)  # type: ignore[arg-type]

GaussianMixtureClassifier(search, kind="edda")
GaussianMixtureClassifier(kind="qda")  # type: ignore[arg-type]
