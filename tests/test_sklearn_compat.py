"""As scikit-learn's users use it: their own checks, pipelines, searches, clones, frames."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
import sklearn
from data import mixture
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from gmmfast import GaussianMixture

# the check shuffles the weighted rows; from a start by the values alone it holds: see below
ORDERED = {
    "check_sample_weight_equivalence_on_dense_data": "rows in another order draw other starts, and "
    "number the components otherwise"
}

with warnings.catch_warnings():
    # gmmfast works without scikit-learn, and so has its own base class
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst")
    all_checks = parametrize_with_checks(
        [
            GaussianMixture(n_init=2, max_iter=5),
            GaussianMixture(covariance_type="tied", init_params="random", max_iter=5),
            GaussianMixture(2, covariance_type="diag", init_params="k-means++", max_iter=5),
            GaussianMixture(covariance_type="spherical", init_params="random_from_data"),
        ],
        expected_failed_checks=lambda own: ORDERED if own.init_params == "k-means++" else {},
    )


@all_checks
@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_weights__are_repetitions_also_of_two_components(covariance_type):
    def halves(X, n_components, rng):
        return (X[:, 0] > 0.5).astype(int)

    mixture = GaussianMixture(2, covariance_type=covariance_type, init_params=halves, max_iter=5)
    check_sample_weight_equivalence_on_dense_data("GaussianMixture", mixture)


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


def test_search_in_threads(X):
    grid = {"n_components": [1, 2, 3], "covariance_type": ["full", "tied", "diag", "spherical"]}
    alone = GridSearchCV(GaussianMixture(random_state=0), grid, cv=3).fit(X)
    with joblib.parallel_config("threading", n_jobs=4):
        together = GridSearchCV(GaussianMixture(random_state=0), grid, cv=3).fit(X)
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(together.cv_results_[name], alone.cv_results_[name])
    assert np.isfinite(alone.cv_results_["mean_test_score"]).all()


def test_cross_validation_scores_are_mean_log_densities(X):
    mixture = GaussianMixture(2, random_state=0)
    folds = list(KFold(3).split(X))
    expected = [clone(mixture).fit(X[train]).score_samples(X[test]).mean() for train, test in folds]
    np.testing.assert_allclose(cross_val_score(mixture, X, cv=folds), expected, rtol=1e-12)


def test_pipeline_of_frames_hands_names_on(X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abc"))
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, GaussianMixture(2, random_state=0)).fit(frame)
    assert list(pipeline[-1].feature_names_in_) == ["a", "b", "c"]
    assert pipeline.predict(frame).shape == (300,)
    assert "GaussianMixture" in estimator_html_repr(pipeline)


def test_clone_and_pickle(X):
    mixture = GaussianMixture(3, tol=1e-2, random_state=1)
    copy = clone(mixture)
    assert copy is not mixture and copy.get_params() == mixture.get_params()
    fitted = pickle.loads(pickle.dumps(mixture.fit(X)))
    np.testing.assert_array_equal(fitted.predict_proba(X), mixture.predict_proba(X))


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


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_frames_of_float32_stay_float32(X, kind):
    library = pytest.importorskip(kind, reason="an optional kind of input")
    make = library.table if kind == "pyarrow" else library.DataFrame
    single = X.astype(np.float32)
    fitted = GaussianMixture(2, random_state=0).fit(make(dict(zip("abc", single.T, strict=True))))
    assert fitted.means_.dtype == np.float32
    np.testing.assert_array_equal(
        fitted.means_, GaussianMixture(2, random_state=0).fit(single).means_
    )


@pytest.mark.parametrize("kind", ["pandas", "nullable", "polars", "pyarrow"])
def test_frames_with_missing_values_are_refused(kind):
    library = pytest.importorskip({"nullable": "pandas"}.get(kind, kind))
    make = library.table if kind == "pyarrow" else library.DataFrame
    frame = make({"a": [1.0, None, 3.0], "b": [1.0, 2.0, 4.0]})
    frame = frame.convert_dtypes() if kind == "nullable" else frame
    with pytest.raises(ValueError, match="Input X contains NaN"):
        GaussianMixture().fit(frame)


def test_sample_weights_as_a_series(X):
    pandas = pytest.importorskip("pandas")
    weights = np.arange(len(X)) % 3
    frame = pandas.DataFrame(X, columns=list("abc"), index=np.arange(len(X))[::-1])
    series = pandas.Series(weights, dtype="Int64")
    fitted = GaussianMixture(2, random_state=0).fit(frame, sample_weight=series)
    direct = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(fitted.means_, direct.means_)
    assert fitted.score(frame, sample_weight=series) == direct.score(X, sample_weight=weights)


def test_convert(X):
    mixture = GaussianMixture(3, random_state=0).fit(X)
    theirs = mixture.to_sklearn()
    np.testing.assert_allclose(theirs.score_samples(X), mixture.score_samples(X), rtol=1e-10)
    ours = GaussianMixture.from_sklearn(theirs)
    np.testing.assert_array_equal(ours.score_samples(X), mixture.score_samples(X))
    with pytest.raises(ValueError, match="needs a fitted"):
        GaussianMixture.from_sklearn(sklearn.mixture.GaussianMixture())
