"""As scikit-learn's users use it: their own checks, pipelines, searches, clones, frames."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from data import mixture
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmmfast import GaussianMixture

with warnings.catch_warnings():
    # gmmfast works without scikit-learn, and so has its own base class
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst")
    all_checks = parametrize_with_checks(
        [
            GaussianMixture(n_init=2, max_iter=5),
            GaussianMixture(covariance_type="tied", init_params="random", max_iter=5),
        ]
    )


@all_checks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(300, 3, 3, seed=5)[0]


def test_pipeline_and_search(X):
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(random_state=0))
    grid = {
        "gaussianmixture__n_components": [1, 3],
        "gaussianmixture__covariance_type": ["full", "diag"],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X)
    assert search.best_params_["gaussianmixture__n_components"] == 3
    assert search.predict(X).shape == (300,)
    assert cross_val_score(pipeline, X, cv=3).shape == (3,)


def test_clone_and_pickle(X):
    mixture = GaussianMixture(3, tol=1e-2, random_state=1)
    copy = clone(mixture)
    assert copy is not mixture and copy.get_params() == mixture.get_params()
    fitted = pickle.loads(pickle.dumps(mixture.fit(X)))
    np.testing.assert_array_equal(fitted.predict_proba(X), mixture.predict_proba(X))


def test_set_params_refuses_unknown_names():
    with pytest.raises(ValueError, match="Invalid parameter 'k' for estimator GaussianMixture"):
        GaussianMixture().set_params(k=3)


def test_metadata_routing(X):
    weights = np.random.default_rng(0).uniform(size=len(X))
    direct = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        mixture = GaussianMixture(2, random_state=0).set_fit_request(sample_weight=True)
        routed = make_pipeline(StandardScaler(with_mean=False, with_std=False), clone(mixture))
        routed[0].set_fit_request(sample_weight=False)
        routed.fit(X, sample_weight=weights)
    np.testing.assert_allclose(routed[1].means_, direct.means_)


def test_metadata_routing_in_a_search(X):
    weights = np.random.default_rng(0).uniform(size=len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        mixture = GaussianMixture(random_state=0).set_fit_request(sample_weight="w")
        mixture.set_score_request(sample_weight="w")
        search = GridSearchCV(mixture, {"n_components": [1, 3]}, cv=3).fit(X, w=weights)
    assert search.best_params_ == {"n_components": 3}


@pytest.mark.parametrize("kind", ["pandas", "nullable", "polars", "pyarrow"])
def test_frames_keep_their_names(X, kind):
    library = pytest.importorskip(
        {"nullable": "pandas"}.get(kind, kind), reason="an optional kind of input"
    )
    columns = {name: X[:, j] for j, name in enumerate("abc")}
    if kind == "pyarrow":
        frame, swapped = library.table(columns), library.table(dict(reversed(columns.items())))
    else:
        frame = library.DataFrame(columns)
        frame = frame.convert_dtypes() if kind == "nullable" else frame
        swapped = frame[["c", "b", "a"]]
    fitted = GaussianMixture(3, random_state=0).fit(frame)
    assert list(fitted.feature_names_in_) == ["a", "b", "c"]
    same = GaussianMixture(3, random_state=0).fit(X)
    np.testing.assert_array_equal(fitted.means_, same.means_)
    np.testing.assert_array_equal(fitted.predict(frame), same.predict(X))
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fitted.predict(swapped)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(X)


def test_convert(X):
    mixture = GaussianMixture(3, random_state=0).fit(X)
    theirs = mixture.to_sklearn()
    np.testing.assert_allclose(theirs.score_samples(X), mixture.score_samples(X), rtol=1e-10)
    ours = GaussianMixture.from_sklearn(theirs)
    np.testing.assert_array_equal(ours.score_samples(X), mixture.score_samples(X))
    with pytest.raises(ValueError, match="needs a fitted"):
        GaussianMixture.from_sklearn(sklearn.mixture.GaussianMixture())
