"""Folds of cross-validation: the same rows in every pass, wherever they are."""

import numpy as np
import pytest
from data import mixture
from sklearn.model_selection import KFold

from gmmfast import GaussianMixtureIC, chunks
from gmmfast.parameters import Scatter, equal_spheres
from gmmfast.rows import open_rows
from gmmfast.search.folds import BLOCK, Shuffled, folds_of

N = 9000  # half of them are more than the sample that starts are tried on


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(N, 2, 2, separation=4.0, seed=1)[0] + 50.0


@pytest.fixture(scope="module", name="w")
def weights():
    return np.random.default_rng(0).integers(0, 20, N) / 3


def pairs_of(X, w, size):
    """Pieces of so many rows, with their weights if there are any."""
    pieces = [slice(i, i + size) for i in range(0, len(X), size)]
    return chunks([X[own] if w is None else (X[own], w[own]) for own in pieces])


@pytest.mark.parametrize("count", [2, 5, BLOCK + 1])
def test_shuffled__sizes_differ_by_one_row_at_most(count):
    for n in (count, 3 * BLOCK + 2):
        sizes = np.bincount(Shuffled(count, n, seed=7).of(0, n), minlength=count)
        assert len(sizes) == count and np.ptp(sizes) <= 1


@pytest.mark.parametrize("step", [1000, BLOCK, 2 * BLOCK + 1])
def test_shuffled__does_not_depend_on_the_pieces(step):
    n = 3 * BLOCK + 2
    shuffled = Shuffled(5, n, seed=7)
    pieces = [shuffled.of(i, min(step, n - i)) for i in range(0, n, step)]
    np.testing.assert_array_equal(np.concatenate(pieces), shuffled.of(0, n))


def test_shuffled__follows_from_the_seed():
    n = 2 * BLOCK
    one, same, other = (Shuffled(4, n, seed).of(0, n) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    for unrelated in (other, np.roll(one, 1), np.roll(one, BLOCK), np.arange(n) % 4):
        assert np.mean(one == unrelated) == pytest.approx(1 / 4, abs=0.03)


@pytest.mark.parametrize("weighted", [False, True])
def test_folds__have_the_rows_of_the_folds_in_memory(X, w, weighted):
    w = w if weighted else None
    inside, _ = open_rows(X, w, name="", n_jobs=None)
    outside, _ = open_rows(pairs_of(X, w, 700), None, name="", n_jobs=None)
    here, there = (folds_of(3, X, rows, np.random.default_rng(0)) for rows in (inside, outside))
    assert sum(held_out.n_rows for _, held_out in there) == inside.n_rows
    parameters = equal_spheres(X[:3] - inside.center)
    for one, two in zip(np.ravel(here), np.ravel(there), strict=True):
        assert (one.n_rows, one.is_weighted) == (two.n_rows, two.is_weighted)
        assert one.weight == pytest.approx(two.weight, rel=1e-12)
        np.testing.assert_array_equal(two.center, outside.center)
        expected, found = (rows.expectation(parameters, Scatter.FULL) for rows in (one, two))
        assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-12)
        np.testing.assert_allclose(found.mass, expected.mass, rtol=1e-12)


def test_folds__do_not_take_rows_that_were_added(X):
    pieces = [X]
    rows, _ = open_rows(chunks(pieces), None, name="", n_jobs=None)
    [(seen, _), _] = folds_of(2, X, rows, np.random.default_rng(0))
    pieces.append(X)
    with pytest.raises(ValueError, match="have changed since the fit began"):
        seen.expectation(equal_spheres(X[:3]), Scatter.FULL)


@pytest.mark.parametrize("weighted", [False, True])
def test_cross_validation__in_pieces(X, w, weighted, monkeypatch):
    w = w if weighted else None
    params = {"covariance_types": ["VVV"], "criterion": "cv", "cv": 2, "random_state": 0}
    search = GaussianMixtureIC([2], **params).fit(X, sample_weight=w)
    expected = search.results_["cv"]
    monkeypatch.setattr("gmmfast.estimators.selection.MANY", 1000)
    found = search.fit(pairs_of(X, w, 700)).results_["cv"]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("many", [200_000, 1000])
@pytest.mark.parametrize("cv", [KFold(2), [([0], [1])]])
def test_cv__in_pieces_is_a_number(X, cv, many, monkeypatch):
    monkeypatch.setattr("gmmfast.estimators.selection.MANY", many)
    search = GaussianMixtureIC([1], criterion="cv", cv=cv)
    with pytest.raises(ValueError, match="need X in memory; got rows that are read in pieces or"):
        search.fit(chunks([X]))


def test_cv__in_pieces_has_a_row_for_each_fold(X, monkeypatch):
    w = np.repeat([1.0, 0.0], [5, N - 5])
    monkeypatch.setattr("gmmfast.estimators.selection.MANY", 1)
    search = GaussianMixtureIC([1], criterion="cv", cv=6)
    with pytest.raises(ValueError, match="cv=6 folds need as many rows of positive weight; got 5"):
        search.fit(pairs_of(X, w, 700))
