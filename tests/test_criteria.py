"""Criteria of a search, and what they say of its candidates."""

import math

import numpy as np
import pytest
from data import mixture

from gmmfast import GaussianMixture, GaussianMixtureIC, criteria
from gmmfast.search.comparison import Comparison
from gmmfast.search.results import FIELDS, Results

CODES = ["EII", "VVI", "VVV"]


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(300, 2, 3, separation=4.0, seed=1)[0]


@pytest.mark.parametrize(("n", "left"), [(100.0, 89), (12.5, 1.5), (12.0, 1), (11.0, 0), (3.0, -8)])
def test_aicc__is_the_aic_and_a_charge_for_few_rows(n, left):
    expected = 220 + 2 * 10 * 11 / left if left > 0 else math.inf
    assert criteria.aicc(-100.0, 10, n) == pytest.approx(expected)


def test_aicc__of_rows_with_weights(X):
    model, weights = GaussianMixture(2).fit(X), np.arange(300) % 3
    n, p = weights.sum(), 11
    expected = model.aic(X, weights) + 2 * p * (p + 1) / (n - p - 1)
    assert model.aicc(X, weights) == pytest.approx(expected)
    assert model.aicc(X[:12]) == math.inf


@pytest.mark.parametrize("is_weighted", [False, True])
def test_nec__is_entropy_over_gain(X, is_weighted):
    weights = np.arange(300) % 3 if is_weighted else None
    search = GaussianMixtureIC(range(1, 4), covariance_types=CODES, criterion="nec", random_state=0)
    search.fit(X, sample_weight=weights)
    scale = np.ones(300) if weights is None else weights
    for K in (2, 3):
        for code in CODES:
            mixed, one = search.estimator(K, code), search.estimator(1, code)
            resp = mixed.predict_proba(X)
            entropy = -(scale[:, None] * resp * np.log(np.maximum(resp, 1e-300))).sum()
            gain = scale.sum() * (
                mixed.score(X, sample_weight=weights) - one.score(X, sample_weight=weights)
            )
            row = search.results_[search.results_["n_components"] == K]
            found = row[row["covariance_type"] == code]["nec"][0]
            assert found == pytest.approx(entropy / gain, rel=1e-9)
    assert (search.results_["nec"][search.results_["n_components"] == 1] == 1).all()


def test_nec__does_not_need_one_component_among_the_candidates(X):
    both = [
        GaussianMixtureIC(counts, covariance_types=CODES, criterion="nec", random_state=0).fit(X)
        for counts in ([1, 2], [2])
    ]
    assert both[0].results_["nec"][3:] == pytest.approx(both[1].results_["nec"], rel=1e-6)


def test_nec__prefers_one_component_where_there_is_one():
    X = np.random.default_rng(0).normal(size=(400, 2))
    search = GaussianMixtureIC(range(1, 4), covariance_types=CODES, criterion="nec", random_state=0)
    assert search.fit(X).best_n_components_ == 1
    assert criteria.nec(5.0, -100.0, -100.0) == math.inf


# Comparison


def results_of(bics):
    array = np.zeros(len(bics), FIELDS)
    for row, (K, code, bic) in zip(array, bics, strict=True):
        row["n_components"], row["covariance_type"], row["bic"] = K, code, bic
    return array.view(Results)


def test_compare__grades_the_evidence():
    bics = [(1, "EII", 110.0), (2, "EII", 100.0), (2, "VVV", 102.0), (3, "VVV", 102.5)]
    bics += [(3, "EII", 106.5), (4, "EII", 110.5), (5, "EII", np.nan)]
    found = Comparison.of(results_of(bics))
    grades = ["best", "tied", "positive", "strong", "strong", "very strong"]
    assert [one.evidence for one in found.candidates] == grades
    assert [one.difference for one in found.candidates] == [0, 2, 2.5, 6.5, 10, 10.5]
    shares = np.exp(-0.5 * np.array([0, 2, 2.5, 6.5, 10, 10.5]))
    probabilities = [one.probability for one in found.candidates]
    assert probabilities == pytest.approx(shares / shares.sum())
    assert [(one.n_components, one.covariance_type) for one in found.tied] == [
        (2, "EII"),
        (2, "VVV"),
    ]
    assert "2 candidates are practically tied" in str(found)


def test_compare__says_nothing_of_better_fits_that_were_not_completed():
    """Where a search has ended early."""
    results = results_of([(2, "EII", 110.0), (3, "EII", 100.0), (4, "EII", 112.0)])
    results["finished"] = [True, False, True]
    results["log_likelihood"] = -50.0
    found = Comparison.of(results)
    assert [one.evidence for one in found.candidates] == ["best", "open", "tied"]
    best, other, tied = (one.probability for one in found.candidates)
    assert math.isnan(other) and best + tied == pytest.approx(1.0)
    assert str(found).splitlines()[2].split() == ["3", "EII*", "100.00", "-10.00", "open"]
    assert "the others may be better" in results.summary("bic")


def test_compare__of_a_search(X):
    search = GaussianMixtureIC(range(1, 6), covariance_types=CODES, random_state=0).fit(X)
    found = search.compare()
    assert len(found.candidates) == search.results_.ranking("bic").size
    best = found.candidates[0]
    assert (best.n_components, best.covariance_type) == (
        search.best_n_components_,
        search.best_covariance_type_,
    )
    lines = str(found).splitlines()
    assert lines[0].split() == ["K", "model", "BIC", "difference", "probability", "evidence"]
    assert f"and {len(found.candidates) - 10} more" in lines
    with pytest.raises(AttributeError, match="is not fitted"):
        GaussianMixtureIC().compare()


def test_tables__have_one_line_for_models_that_are_the_same(X):
    codes = ["VII", "EII", "VVI", "EEE", "VVV"]
    search = GaussianMixtureIC([1, 2], covariance_types=codes, exhaustive=True, random_state=0)
    results, note = search.fit(X).results_, "models that are the same with one component"
    assert len(results) == results.ranking("bic").size == 10
    text, comparison = results.summary("bic", 10), search.compare()
    assert [line.split()[1] for line in text.splitlines()[6:9]] == ["EEE", "VVI", "VII"]
    assert note in text and "10 of 10 candidates ranked" in text
    assert note not in results.summary("bic", 5)  # of two components
    assert str(comparison).count("\n1 ") == 3 and len(comparison.candidates) == 8
    assert sum(one.probability for one in comparison.candidates) == pytest.approx(1)
    assert results[:5].view(Results)._repr_html_().count('scope="row"') == 3


# What a summary says


def test_summary__says_that_the_best_is_at_the_edge(X):
    text = "the best has the largest K that was tried"
    search = GaussianMixtureIC(random_state=0, covariance_types=CODES)
    for counts, is_edge in (([1, 2], True), ([1, 2, 3, 4], False), ([2], False)):
        assert (text in search.set_params(n_components=counts).fit(X).summary()) == is_edge


def test_search__of_one_column_tries_two_models():
    X = np.random.default_rng(0).normal(size=(60, 1))
    search = GaussianMixtureIC([1, 2], random_state=0).fit(X)
    assert set(search.results_["covariance_type"]) == {"E", "V"}
    asked = GaussianMixtureIC([1, 2], covariance_types=["EEE", "VVV"], random_state=0).fit(X)
    assert asked.results_["bic"] == pytest.approx(search.results_["bic"])
