"""Summaries of mixtures and searches, and the candidates of a search."""

import pickle

import numpy as np
import pytest
from data import mixture

import gmmfast
from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.reporting.report import significant

pytestmark = pytest.mark.quick

X = mixture(120, 2, 2, seed=1)[0]


@pytest.fixture(scope="module")
def fitted():
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def search():
    types = ["EII", "VVV"]
    return GaussianMixtureIC([1, 2, 200], covariance_types=types, random_state=0).fit(X)


def test_summary__of_a_fit(fitted):
    text = fitted.summary()
    assert text.startswith("GaussianMixture: 120 rows, 2 columns; 2 components, full covariance")
    for value in [*fitted.means_.ravel(), *fitted.covariances_.ravel(), fitted.lower_bound_]:
        assert significant(value) in text
    assert fitted.stop_reason_ in text
    assert "BIC" not in text


@pytest.mark.parametrize("rows", [X, chunks(X)], ids=["array", "chunks"])
def test_summary__of_rows_has_their_criteria(fitted, rows):
    text = fitted.summary(rows)
    for value in (fitted.score(X) * len(X), fitted.bic(X), fitted.aic(X)):
        assert f"{value:.2f}" in text


def test_summary__counts_weights(fitted):
    assert "GaussianMixture: 240 rows," in fitted.summary(X, np.full(120, 2.0))
    assert "rows of total weight 30.600," in fitted.summary(X, np.full(120, 0.255))


def test_summary__components_keep_their_numbers_and_features_their_names():
    made = GaussianMixture.from_parameters(
        [0.1, 0.9], [[1.5], [2.5]], [1.0, 1.0], covariance_type="spherical", feature_names=["mass"]
    )
    assert made.summary().splitlines()[2:5] == [
        "component  weight    mass",
        "0          0.1000  1.5000",
        "1          0.9000  2.5000",
    ]


def test_summary__needs_a_fit():
    for estimator in (GaussianMixture(), GaussianMixtureIC()):
        with pytest.raises(ValueError, match="not fitted yet"):
            estimator.summary()


def test_summary__of_a_search_has_the_ranking_and_the_best(search):
    best = search.best_estimator_
    ranking, parameters = search.summary(), best.summary(X)
    assert ranking.startswith(search.results_.summary("bic"))
    for line in parameters.splitlines():
        assert line in ranking


def test_search__estimator_is_each_candidate_that_was_fitted(search):
    for row in search.results_[search.results_["failure"] == ""]:
        candidate = int(row["n_components"]), str(row["covariance_type"])
        made = search.estimator(*candidate)
        assert (made.n_components, made.covariance_type) == candidate
        assert made.bic(X) == pytest.approx(row["bic"], rel=1e-9)
        assert made.n_iter_ == row["n_iter"]
        assert made.n_features_in_ == 2 and made.n_samples_seen_ == 120
    best = search.estimator(search.best_n_components_, search.best_covariance_type_)
    np.testing.assert_array_equal(best.means_, search.best_estimator_.means_)


def test_search__estimator_says_why_there_is_none(search):
    with pytest.raises(ValueError, match="EII with 200 components has no mixture: fewer rows than"):
        search.estimator(200, "EII")
    with pytest.raises(ValueError, match="no candidate 'VEV' with n_components=2. Its results_"):
        search.estimator(2, "VEV")
    with pytest.raises(ValueError, match="not fitted yet"):
        GaussianMixtureIC().estimator(2, "VEV")


def test_search__estimators_survive_pickling(search):
    again = pickle.loads(pickle.dumps(search))
    means = search.estimator(1, "EII").means_
    np.testing.assert_array_equal(again.estimator(1, "EII").means_, means)


def test_search__saves_the_best(search, tmp_path):
    search.save(tmp_path / "best.npz")
    loaded = gmmfast.load(tmp_path / "best.npz")
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    assert loaded.covariance_type == search.best_covariance_type_


@pytest.mark.plain
def test_summary__says_what_share_of_the_rows_is_left_out():
    rows = np.random.default_rng(0).normal(size=(50, 2))
    mixture = GaussianMixture(1, trim=0.06, random_state=0).fit(rows)
    assert "GaussianMixture: 50 rows, 6 % left out, 2 columns;" in mixture.summary()
    text = mixture.summary(rows)
    assert "50 rows, 6 % left out" in text and " per row)" in text
    weighted = GaussianMixture(1, trim=0.06).fit(rows, sample_weight=np.full(50, 0.25))
    assert "rows of total weight 12.500, 6 % left out" in weighted.summary()
