"""Classification by mixtures of classes, as scikit-learn's users know classifiers; and mclust's."""

import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmmfast import GaussianMixture, GaussianMixtureClassifier

with warnings.catch_warnings():
    # gmmfast works without scikit-learn, and so has its own base class
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst")
    all_checks = parametrize_with_checks(
        [
            GaussianMixtureClassifier(GaussianMixture(max_iter=5)),
            GaussianMixtureClassifier(),
            GaussianMixtureClassifier(kind="edda"),
        ]
    )


@all_checks
@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
def test_estimator_checks(estimator, check):
    check(estimator)
