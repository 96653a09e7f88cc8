"""Bootstrap of parameters and tests of K, against theory, mclust and a plain loop."""

import json
import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from data import mixture as drawn
from data import refusal
from scipy import stats

from gmmfast import BayesianGaussianMixture, GaussianMixture
from gmmfast.errors import InvalidParameterError
from gmmfast.inference import assignment, bootstrap, likelihood_ratio_test
from gmmfast.inference.bootstrap import KINDS
from gmmfast.inference.matching import matched

MCLUST = Path(__file__).parent / "mclust"
X = drawn(200, 2, 2, seed=1)[0]
FEW = {"n_resamples": 40, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return GaussianMixture(2, random_state=0).fit(X)


def parts(estimates):
    return [own for own in estimates if own is not None]


@pytest.mark.quick
@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_assignment__is_the_best_of_all_permutations(K):
    rng = np.random.default_rng(K)
    for scale in (1, 3):
        costs = rng.integers(0, 9, (K, K)) * 0.5 ** rng.integers(0, scale, (K, K))
        best = min(sum(costs[range(K), each]) for each in permutations(range(K)))
        found = assignment(costs)
        assert sorted(found) == list(range(K))
        assert costs[range(K), found].sum() == best  # sums of halves are exact


@pytest.mark.quick
def test_matched__undoes_any_order():
    rng = np.random.default_rng(0)
    fitted = rng.normal(size=(4, 2))
    orders = np.array([rng.permutation(4) for _ in range(20)])
    near = fitted[orders] + 0.01 * rng.normal(size=(20, 4, 2))
    found = matched(near, fitted, np.ones(2))
    assert np.array_equal(np.take_along_axis(orders, found, axis=1), np.tile(range(4), (20, 1)))


@pytest.mark.quick
def test_matched__where_two_are_nearest_to_one():
    """Then the smallest sum decides."""
    fitted, means = np.array([[0.0], [1.0]]), np.array([[[0.4], [0.1]], [[0.1], [0.4]]])
    assert matched(means, fitted, np.ones(1)).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_bootstrap__of_one_component_agrees_with_theory(kind):
    """Standard errors of a mean and of a variance; 4 sigma of 1 / sqrt(2 * 500) are 13 %."""
    rows = np.random.default_rng(0).normal(size=(400, 2)) * [1, 3]
    one = GaussianMixture(1, reg_covar=0).fit(rows)
    found = bootstrap(one, rows, 500, kind=kind, random_state=0)
    n, residuals = len(rows), rows - rows.mean(axis=0)
    of_means = np.sqrt(residuals.var(axis=0) / n)
    np.testing.assert_allclose(found.standard_errors.means[0], of_means, rtol=0.13)
    of_squares = np.sqrt((residuals**2).var(axis=0) / n)
    own = np.diagonal(found.standard_errors.covariances[0])
    np.testing.assert_allclose(own, of_squares, rtol=0.2 if kind == "parametric" else 0.13)
    assert found.standard_errors.weights == 0 and found.n_collapsed == 0
    np.testing.assert_allclose(found.low.means[0], one.means_[0] - 1.96 * of_means, atol=0.06)


def test_bootstrap__weights_of_separate_components_are_binomial():
    rows = np.random.default_rng(0).normal(size=(100, 2))
    rows[:30] += 50
    two = GaussianMixture(2, random_state=0).fit(rows)
    found = bootstrap(two, rows, 500, random_state=0)
    np.testing.assert_allclose(found.standard_errors.weights, np.sqrt(0.21 / 100), rtol=0.13)
    low = stats.binom(100, two.weights_).ppf(0.025) / 100
    np.testing.assert_allclose(found.low.weights, low, atol=0.021)  # by two rows


@pytest.mark.parametrize("kind", KINDS)
def test_bootstrap__threads_change_no_bit(kind, fitted):
    one, two = (bootstrap(fitted, X, 70, kind=kind, random_state=3, n_jobs=j) for j in (1, 2))
    for own, other in zip(parts(one.replicates), parts(two.replicates), strict=True):
        assert np.array_equal(own, other)


def test_bootstrap__replicates_are_fits_to_weighted_rows(fitted):
    """The weights are those that the first block draws."""
    found = bootstrap(fitted, X, 2, kind="weighted", random_state=0)
    entropy = int.from_bytes(np.random.RandomState(0).bytes(16), "little")
    rng = np.random.default_rng(np.random.SeedSequence(entropy).spawn(1)[0])
    for b, weights in enumerate(rng.standard_exponential((2, len(X)))):
        precisions = np.linalg.inv(fitted.covariances_)
        init = {"weights_init": fitted.weights_, "means_init": fitted.means_}
        plain = GaussianMixture(2, tol=1e-9, max_iter=1000, precisions_init=precisions, **init)
        plain.fit(X, sample_weight=weights)
        np.testing.assert_allclose(found.replicates.weights[b], plain.weights_, atol=0.01)
        np.testing.assert_allclose(found.replicates.means[b], plain.means_, atol=0.05)


def test_bootstrap__of_many_rows_goes_on_until_the_parameters_have_moved():
    """With 1e-5 nats per row, each replicate would end after a step; then errors are a third."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(6000, 2))
    rows[:3000, 0] += 2.5
    own = GaussianMixture(2, tol=1e-9, max_iter=5000, random_state=0).fit(rows)
    usual, exact = (bootstrap(own.set_params(tol=tol), rows, **FEW) for tol in (1e-3, 1e-9))
    for name in ("weights", "means", "covariances"):
        errors = (getattr(found.standard_errors, name) for found in (usual, exact))
        np.testing.assert_allclose(*errors, rtol=0.02)


def test_bootstrap__of_t_components_and_noise():
    outliers = np.random.default_rng(2).uniform(-30, 30, (15, 2))
    rows = np.concatenate([X, outliers])
    noisy = GaussianMixture(2, noise=True, random_state=0).fit(rows)
    found = bootstrap(noisy, rows, kind="parametric", **FEW)
    weights = found.replicates.weights.sum(axis=1) + found.replicates.noise_weight
    np.testing.assert_allclose(weights, 1, rtol=1e-12)
    expected = np.sqrt(noisy.noise_weight_ * (1 - noisy.noise_weight_) / len(rows))
    # of 40 replicates 4 sigma are 45 %, and memberships are uncertain
    assert found.standard_errors.noise_weight == pytest.approx(expected, rel=0.6)
    tailed = GaussianMixture(2, component="t", random_state=0).fit(rows)
    for kind in ("nonparametric", "parametric"):
        own = bootstrap(tailed, rows, kind=kind, **FEW)
        assert (own.standard_errors.degrees_of_freedom > 0).all()
        assert "degrees of freedom 1" in str(own)


@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical", "VEV"])
def test_bootstrap__of_other_models(covariance_type):
    own = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    found = bootstrap(own, X, **FEW)
    assert found.standard_errors.covariances.shape == own.covariances_.shape
    assert "variance 1, feature 1" in str(found)
    order = found.reordered([1, 0])
    assert np.array_equal(order.low.means, found.low.means[::-1])
    is_tied = covariance_type == "tied"
    assert np.array_equal(order.low.covariances, found.low.covariances) == is_tied


def test_bootstrap__row_weights_are_repetitions_in_the_estimates():
    weights = np.where(X[:, 0] > 0, 2.0, 0.0)
    one = GaussianMixture(1, reg_covar=0).fit(X, sample_weight=weights)
    found = bootstrap(one, X, 300, sample_weight=weights, random_state=0)
    kept = X[weights > 0]
    expected = np.sqrt(kept.var(axis=0) / len(kept))
    np.testing.assert_allclose(found.standard_errors.means[0], expected, rtol=0.17)  # 4 sigma


def test_bootstrap__collapsed_replicates_are_counted_and_left_out():
    """Few rows at the same place: without the others, a component shrinks onto them."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(60, 2)), [[9, 9], [9.5, 9], [9, 9.6], [9.4, 9.4]]])
    two = GaussianMixture(2, random_state=0).fit(rows)
    found = bootstrap(two, rows, 100, random_state=0)
    assert 10 < found.n_collapsed < 90
    assert len(found.replicates.weights) == 100 - found.n_collapsed
    assert f"{found.n_collapsed} collapsed" in str(found)
    assert bootstrap(two, rows, 100, kind="weighted", random_state=0).n_collapsed < 10


def test_bootstrap__agrees_with_mclust():
    """Within 4 standard errors of the difference between two seeds.

    The relative error of a standard error from B replicates is ``sqrt((kurtosis - 1) / 4 B)``:
    2.2 % for normal ones, 5 % for the covariances with the heaviest tails. Another 2 % is for
    fits that end early: mclust stops at about 1e-5 nats per row.
    """
    rows = np.array(json.loads((MCLUST / "iris.json").read_text())["data"], float)
    expected = json.loads((MCLUST / "iris-bootstrap.json").read_text())["bootstrap"]
    own = GaussianMixture(
        3, covariance_type="VVV", reg_covar=0, tol=1e-7, max_iter=1000, random_state=0
    ).fit(rows)
    found = bootstrap(own, rows, random_state=0).reordered(own.means_[:, 0].argsort())
    for name in ("weights", "means", "covariances"):
        error, wanted = getattr(found.standard_errors, name), np.array(expected[f"se_{name}"])
        kurtosis = stats.kurtosis(getattr(found.replicates, name), fisher=False)
        allowed = 4 * np.sqrt(2 * (kurtosis - 1) / (4 * 999)) + 0.02
        assert (np.abs(error / wanted - 1) < allowed).all()
        assert np.median(allowed) < 0.2


def test_likelihood_ratio_test__agrees_with_mclust():
    """Statistics where both find the same mixtures; p values that decide alike."""
    rows = np.array(json.loads((MCLUST / "iris.json").read_text())["data"], float)
    expected = json.loads((MCLUST / "iris-bootstrap.json").read_text())["likelihood_ratio"]
    found = likelihood_ratio_test(rows, "VVV", 5, 99, reg_covar=0, random_state=0)
    assert found.best_n_components == 3 and found.n_components.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.statistics[:2], expected["statistic"][:2], rtol=1e-4)
    assert (found.p_values[:2] == 1 / (100 - found.n_collapsed[:2])).all()
    assert found.p_values[2] > 0.05
    assert "3 against 4" in str(found) and "3 at level 0.05." in str(found)


def test_likelihood_ratio_test__p_values_count_the_data_as_a_replicate():
    one, two = (likelihood_ratio_test(X, "full", 3, 40, random_state=1, n_jobs=j) for j in (1, 2))
    assert np.array_equal(one.p_values, two.p_values)
    for statistic, p, own in zip(one.statistics, one.p_values, one.replicates, strict=True):
        assert p == (1 + (own >= statistic).sum()) / (1 + len(own))
    assert (one.n_collapsed == [40 - len(own) for own in one.replicates]).all()


def test_likelihood_ratio_test__chooses_none_if_all_are_rejected():
    found = likelihood_ratio_test(X, "full", 2, 40, random_state=0)
    assert found.best_n_components is None
    assert "All are rejected" in found._repr_html_()


def test_bootstrap__refuses_other_input(fitted):
    wrong = {"n_resamples": 1}, {"kind": "jackknife"}, {"confidence_level": 1.0}, {"n_jobs": 0}
    for own in wrong:
        refusal(bootstrap, fitted, X, error=InvalidParameterError, **own)
    assert "GaussianMixture" in refusal(
        bootstrap, BayesianGaussianMixture().fit(X), X, error=TypeError
    )
    assert "in memory" in refusal(bootstrap, fitted, "rows.csv", error=TypeError)
    trimmed = GaussianMixture(2, trim=0.1, random_state=0).fit(X)
    assert "trim=0" in refusal(bootstrap, trimmed, X)
    assert "features" in refusal(bootstrap, fitted, X[:, :1])
    text = refusal(bootstrap, fitted, X, kind="parametric", sample_weight=np.ones(len(X)))
    assert "Leave it out" in text
    refusal(bootstrap, fitted, X, sample_weight=np.ones(3))
    refusal(likelihood_ratio_test, X, max_components=1, error=InvalidParameterError)
    refusal(likelihood_ratio_test, X, "round", error=InvalidParameterError)
    assert "square" in refusal(assignment, [[1.0, 2.0]])


def test_fit__bootstrap_stands_beside_the_estimates(run, tmp_path):
    np.savetxt(tmp_path / "x.csv", X, delimiter=",", header="a,b", comments="")
    code, text, _ = run("fit", tmp_path / "x.csv", "-k", 2, "--bootstrap", 50)
    assert code == 0 and "std. error" in text and "mean 1, b" in text
    code, text, _ = run("fit", tmp_path / "x.csv", "-k", 2, "--bootstrap", 50, "--json")
    own = json.loads(text)["bootstrap"]
    assert code == 0 and own["n_resamples"] == 50
    assert np.shape(own["standard_errors"]["means"]) == (2, 2)
    means, low = json.loads(text)["means"], own["low"]["means"]
    assert (np.abs(np.array(means) - low) < 1).all()  # the components are in the same order
    code, _, errors = run("fit", tmp_path / "x.csv", "-k", 2, "--bootstrap", 50, "--standardize")
    assert code == 2 and "--standardize" in errors


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--bootstrap", 1], "needs at least 2 replicates; got 1"),
        (["--bootstrap", 50, "--trim", 0.1], "needs a fit to all rows, .*; got --trim. Leave"),
        (["--bootstrap", 50, "--missing", "marginalize"], "got --missing marginalize. Leave out"),
    ],
)
def test_fit__bootstrap_is_refused_before_the_fit(options, sentence, fails, tmp_path, monkeypatch):
    np.savetxt(tmp_path / "x.csv", X, delimiter=",", header="a,b", comments="")
    monkeypatch.setattr(GaussianMixture, "fit", lambda *_: pytest.fail("a fit began"))
    assert re.search(sentence, fails("fit", tmp_path / "x.csv", "-k", 2, *options))


def test_fit__bootstrap_needs_rows_in_memory(run, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr("gmmfast.data.free_memory.is_large", lambda n_bytes: True)
    monkeypatch.setattr(GaussianMixture, "fit", lambda *_: pytest.fail("a fit began"))
    code, out, errors = run("fit", tmp_path / "x.npy", "-k", 2, "--bootstrap", 50)
    assert (code, out) == (2, "") and "--bootstrap needs rows in memory" in errors


def test_fit__a_failed_bootstrap_loses_no_fit(run, tmp_path):
    """One of the components is a point."""
    rows = np.concatenate([np.random.default_rng(0).normal(size=(80, 2)), np.full((30, 2), 9.0)])
    np.savetxt(tmp_path / "x.csv", rows, delimiter=",", header="a,b", comments="")
    command = "fit", tmp_path / "x.csv", "-k", 2, "--bootstrap", 20
    code, out, errors = run(*command, "--out", tmp_path / "model.npz")
    assert code == 0 and "component" in out and (tmp_path / "model.npz").exists()
    assert "note: no standard errors: The mixture has collapsed components" in errors
