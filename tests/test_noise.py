"""Noise, a uniform component: as mclust has it, as its definition says, wherever rows lie."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import reference
from data import copies_of, mixture, random_start
from scipy.special import logsumexp

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks, load
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.errors import InvalidParameterError
from gmmfast.models import MODELS
from gmmfast.parameters import Scatter
from gmmfast.plotting import plot_mixture
from gmmfast.rows import MemoryRows

FOLDER = Path(__file__).parent / "mclust"
MCLUST = json.loads((FOLDER / "noise.json").read_text())
N, OUTLIERS = 400, 20


def outlying(n=N, n_outliers=OUTLIERS, seed=0):
    """Two clusters of unit variance, and gross outliers; which rows are outliers."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(n, 2)) + np.where(np.arange(n) % 2, 4.0, -4.0)[:, None]
    far = rng.uniform(-200, 200, size=(n_outliers, 2))
    return np.vstack([clean, far]), np.arange(n + n_outliers) >= n


def fitted(X, **params):
    own = {"reg_covar": 0, "tol": 1e-10, "max_iter": 200, "random_state": 0, "noise": True}
    return GaussianMixture(2, **{**own, **params}).fit(X)


def assert_same(found, expected, rtol=1e-9):
    for name in ("weights_", "means_", "covariances_", "noise_weight_", "noise_volume_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=rtol, atol=1e-12
        )


# ------------------------------------------------------------------------------------ references


@pytest.mark.parametrize("dataset", MCLUST)
@pytest.mark.parametrize("code", MODEL_CODES)
def test_noise__as_mclust(dataset, code):
    """From the same partition, to the same optimum."""
    data, theirs = json.loads((FOLDER / f"{dataset}.json").read_text()), MCLUST[dataset]
    X, labels = np.array(data["data"], float), np.array(data["labels"])
    labels -= labels.min()
    noise = np.isin(np.arange(len(X)), theirs["noise_rows"])
    params = {"covariance_type": code, "reg_covar": 0, "tol": 1e-13, "max_iter": 2000}
    found = GaussianMixture(labels.max() + 1, init_params=labels, noise=noise, **params).fit(X)
    expected = theirs["models"][code]
    assert 1 / found.noise_volume_ == pytest.approx(theirs["volume_reciprocal"], rel=1e-12)
    if code == "VVE":  # mclust's inner loop stops early, at a less likely mixture
        assert found.bic(X) < -expected["bic"]
        return
    weights, deviations = [*found.weights_, found.noise_weight_], X.std(axis=0)
    np.testing.assert_allclose(weights, expected["weights"], atol=1e-5)
    scaled = found.means_ / deviations, np.array(expected["means"]) / deviations
    np.testing.assert_allclose(*scaled, atol=1e-4)  # mclust ends where a step gains 1e-12, relative
    unit = deviations[:, None] * deviations
    scaled = found.covariances_ / unit, np.array(expected["covariances"]) / unit
    np.testing.assert_allclose(*scaled, atol=1e-4)
    assert found.bic(X) == pytest.approx(-expected["bic"], rel=1e-10)
    ours = found.predict(X)
    np.testing.assert_array_equal(np.where(ours < 0, len(found.means_), ours), expected["labels"])


@pytest.mark.plain
@pytest.mark.parametrize("kind", ["VVV", "EEE"])
def test_noise__log_densities_of_its_definition(kind):
    """Rows far away included, where all components are pruned."""
    X, _ = outlying(60, 6)
    found = fitted(X, covariance_type=kind, tol=1e-3)
    full = reference.full_covariances(found.covariances_, 2, 2)
    joint = reference.log_prob(X, found.weights_, found.means_, full)
    uniform = np.full((len(X), 1), np.log(found.noise_weight_ / found.noise_volume_))
    joint = np.hstack([joint, uniform])
    expected = logsumexp(joint, axis=1)
    np.testing.assert_allclose(found.score_samples(X), expected, rtol=1e-12)
    resp = found.predict_proba(X)
    np.testing.assert_allclose(resp, np.exp(joint - expected[:, None]), atol=1e-12)
    labels = joint.argmax(axis=1)
    np.testing.assert_array_equal(found.predict(X), np.where(labels == 2, -1, labels))
    assert found.weights_.sum() + found.noise_weight_ == pytest.approx(1, abs=1e-12)


def test_noise__sums_of_a_pass_are_those_of_its_responsibilities():
    """Of more tiles than one, sorted and pruned; what the masses leave is noise."""
    X, _ = mixture(1000, 3, 5, separation=6.0)
    X = np.concatenate([X, np.random.default_rng(0).uniform(-300, 300, size=(100, 3))])
    weights, means, matrices, _ = random_start(X[:1000], 5, "full")
    noise = np.array([0.1, -3 * np.log(600.0)])
    parameters = MODELS["full"]().parameters(weights, means, matrices).with_noise(noise)
    rows = MemoryRows(X, center=np.zeros(3))
    joint = reference.log_prob(X, parameters.weights, means, matrices)
    joint = np.hstack([joint, np.full((len(X), 1), np.log(0.1) + noise[1])])
    log_density = logsumexp(joint, axis=1)
    resp = np.exp(joint - log_density[:, None])
    expected = reference.moments(X, resp[:, :5], means, np.ones(len(X)))
    for own in (rows, rows.arranged_for(parameters)):
        found = own.expectation(parameters, Scatter.FULL)
        assert found.log_likelihood == pytest.approx(log_density.sum(), rel=1e-12)
        assert found.doubt == pytest.approx(-np.log(resp.max(axis=1)).sum(), rel=1e-9)
        assert len(X) - found.mass.sum() == pytest.approx(resp[:, 5].sum(), rel=1e-9)
        moved = found.about(means)
        for ours, theirs in zip((moved.mass, moved.first, moved.scatter), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-8)


@pytest.mark.plain
def test_noise__bic_counts_its_weight_and_volume():
    X, _ = outlying(60, 6)
    found = fitted(X)
    n_parameters = 2 * 3 + 2 * 2 + 1 + 2
    expected = n_parameters * np.log(len(X)) - 2 * found.score(X) * len(X)
    assert found.bic(X) == pytest.approx(expected, rel=1e-12)


@pytest.mark.plain
def test_noise__of_one_row_far_away():
    """The likelihood never falls, and a first guess that is wrong costs nothing."""
    X, _ = outlying(60, 0)
    found = fitted(np.vstack([X, [[500.0, 0.0]]]))
    assert (np.diff(found.lower_bounds_) > -1e-12).all()
    assert (found.predict(X) >= 0).all()
    assert found.noise_weight_ == pytest.approx(1 / 61, rel=2e-2)


# -------------------------------------------------------------------------------------- outliers


@pytest.mark.plain
def test_noise__rows_are_outliers_whatever_the_rate():
    """Their densities are equal, so that no quantile tells them apart."""
    X, _ = outlying(60, 6)
    found = fitted(X, tol=1e-3)
    np.testing.assert_array_equal(found.is_outlier(X, rate=1e-3), found.predict(X) == -1)
    assert 31 <= found.is_outlier(X, rate=0.5).sum() <= 34


@pytest.mark.parametrize("params", [{}, {"noise": 0.02}, {"acceleration": "auto"}, {"n_init": 2}])
def test_noise__means_stay_where_outliers_move_those_without(params):
    X, is_outlier = outlying()
    centers = np.array([[-4.0, -4.0], [4.0, 4.0]])
    clean = GaussianMixture(2, reg_covar=0, random_state=0).fit(X[~is_outlier])
    without, found = fitted(X, noise=None), fitted(X, **params)

    def moved(mixture):
        by_first = mixture.means_[:, 0].argsort()
        return np.abs(mixture.means_[by_first] - clean.means_[clean.means_[:, 0].argsort()]).max()

    assert moved(without) > 1
    assert moved(found) < 0.1
    assert (found.predict(X)[is_outlier] == -1).mean() > 0.9
    assert np.abs(np.sort(found.means_[:, 0]) - centers[:, 0]).max() < 0.3


@pytest.mark.parametrize("kind", ["full", "tied", "VEV"])
def test_noise__acceleration_ends_at_the_same_optimum(kind):
    X, _ = outlying(seed=1)
    plain = fitted(X, covariance_type=kind, tol=1e-13, max_iter=1000)
    fast = fitted(X, covariance_type=kind, tol=1e-13, max_iter=1000, acceleration="auto")
    assert_same(fast, plain, rtol=1e-5)


def test_noise__search_finds_the_clusters_without_the_outliers():
    X, is_outlier = outlying(seed=2)
    params = {"covariance_types": ["EII", "VVV"], "random_state": 0}
    found = GaussianMixtureIC(range(1, 5), noise=0.03, **params).fit(X)
    assert (found.best_n_components_, found.best_covariance_type_) == (2, "EII")
    assert (found.predict(X)[is_outlier] == -1).mean() > 0.9
    best = found.results_[found.results_.ranking("bic")[0]]
    assert best["n_parameters"] == 1 + 4 + 1 + 2
    assert best["bic"] == pytest.approx(found.bic(X), rel=1e-9)
    without = GaussianMixtureIC(range(1, 5), **params).fit(X)
    assert without.best_n_components_ > 2
    marked = GaussianMixtureIC([2], noise=is_outlier, **params).fit(X)
    assert_same(marked.best_estimator_, found.best_estimator_, rtol=1e-2)


@pytest.mark.parametrize("criterion", ["nec", "cv"])
def test_noise__search_by_other_criteria(criterion):
    X, _ = outlying(seed=2)
    params = {"covariance_types": ["EII"], "criterion": criterion, "cv": 3, "random_state": 0}
    found = GaussianMixtureIC([1, 2, 3], noise=True, **params).fit(X)
    assert found.best_n_components_ in {"nec": [2], "cv": [2, 3]}[criterion]
    assert found.best_estimator_.noise_weight_ > 0


# ------------------------------------------------------------------------- wherever the rows lie


def test_noise__weights_repeat_rows_and_pieces_are_the_rows():
    X, is_outlier = outlying()
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    start = {"means_init": [[-4.0, -4.0], [4.0, 4.0]], "precisions_init": [np.eye(2)] * 2}
    start |= {"weights_init": [0.5, 0.5], "noise": 0.1}
    own = {"reg_covar": 0, "tol": 1e-10, "max_iter": 200, **start}
    weighted = GaussianMixture(2, **own).fit(X, sample_weight=weights)
    repeated = np.repeat(X, weights, axis=0)
    expected = GaussianMixture(2, **own).fit(repeated)
    assert_same(weighted, expected)
    assert_same(GaussianMixture(2, **own).fit(chunks([repeated[:100], repeated[100:]])), expected)
    narrow = GaussianMixture(2, **{**own, "tol": 1e-5}).fit(repeated.astype(np.float32))
    assert_same(narrow, expected, rtol=1e-2)


def test_noise__labels_of_more_rows_than_a_sample():
    X, is_outlier = outlying(9500, 500)
    shuffled = np.random.default_rng(0).permutation(len(X))
    X, is_outlier = X[shuffled], is_outlier[shuffled]
    found = fitted(X, noise=is_outlier, tol=1e-6)
    assert np.abs(np.sort(found.means_[:, 0]) - [-4, 4]).max() < 0.1
    assert found.noise_weight_ == pytest.approx(0.05, abs=0.005)


@pytest.mark.plain
@pytest.mark.parametrize("start", ["k-means++", "random_from_data", "random", "hierarchical"])
def test_noise__from_every_start(start):
    X, is_outlier = outlying(60, 4)
    found = fitted(X, init_params=start, tol=1e-3, covariance_type="spherical")
    assert (found.predict(X)[is_outlier] == -1).all()


@pytest.mark.plain
def test_noise__volume_of_the_smaller_box():
    """Along the diagonal the principal axes give the smaller box; a given volume is kept."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) * [10.0, 0.1] @ np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    axes = np.linalg.eigh(np.cov(X.T))[1]
    found = GaussianMixture(1, noise=True, tol=1e-2).fit(X)
    assert found.noise_volume_ == pytest.approx(np.ptp(X @ axes, axis=0).prod(), rel=1e-12)
    corner, *edges = found.noise_box_
    inside = np.linalg.solve(np.array(edges).T, (X - corner).T)
    assert inside.min() > -1e-9 and inside.max() < 1 + 1e-9
    given = GaussianMixture(1, noise=True, noise_volume=50.0, tol=1e-2).fit(X)
    assert given.noise_volume_ == pytest.approx(50.0, rel=1e-12)
    assert abs(np.linalg.det(given.noise_box_[1:])) == pytest.approx(50.0, rel=1e-9)


@pytest.mark.plain
def test_noise__that_takes_most_rows_is_doubted():
    with pytest.warns(UserWarning, match="noise_volume is in the units of the data"):
        fitted(outlying(60, 6)[0], noise_volume=1.0, tol=1e-3)


@pytest.mark.plain
def test_noise__sample_is_uniform_in_its_box():
    found = fitted(outlying(60, 20)[0], tol=1e-3, noise=0.2)
    X, y = found.sample(500)
    assert (np.bincount(y + 1) > 100).all()
    assert (np.diff(np.where(y < 0, 2, y)) >= 0).all()
    corner, *edges = found.noise_box_
    inside = np.linalg.solve(np.array(edges).T, (X[y < 0] - corner).T)
    assert inside.min() >= 0 and inside.max() <= 1
    assert np.abs(inside.mean(axis=1) - 0.5).max() < 0.1


# -------------------------------------------------------------------------------------- kept


@pytest.mark.plain
def test_noise__is_kept_in_files(tmp_path):
    X, is_outlier = outlying(60, 6)
    found = fitted(X, noise=is_outlier, tol=1e-3)
    for same in copies_of(found, tmp_path):
        np.testing.assert_array_equal(same.score_samples(X), found.score_samples(X))
        np.testing.assert_array_equal(same.noise_box_, found.noise_box_)
        assert same.bic(X) == found.bic(X)
    with pytest.raises(ValueError, match="cannot hold a uniform component"):
        found.to_sklearn()


@pytest.mark.plain
def test_noise__resumes_from_a_checkpoint(tmp_path):
    X, is_outlier = outlying(60, 6)
    path, params = tmp_path / "fit.npz", {"noise": is_outlier, "acceleration": "auto"}
    expected = fitted(X, **params)
    GaussianMixture(
        2, reg_covar=0, tol=1e-10, max_iter=200, random_state=0, **params
    ).fit(X, checkpoint=path, callback=lambda iteration, _: iteration == 3)  # fmt: skip
    resumed = GaussianMixture.resume(path)
    assert resumed.predict_proba(X).shape == (66, 3)
    with pytest.raises(ValueError, match="box of the noise is not known"):
        resumed.set_params(random_state=0).sample(500)
    assert_same(resumed.fit(X), expected)
    with pytest.raises(ValueError, match="of a fit with noise"):
        GaussianMixture.resume(path).set_params(noise=None).fit(X)


def test_noise__search_resumes_from_a_checkpoint(tmp_path):
    X, _ = outlying(seed=2)
    path, params = tmp_path / "search.npz", {"covariance_types": ["EII", "VVV"], "random_state": 0}
    whole = GaussianMixtureIC([1, 2, 3], noise=True, **params).fit(X)
    GaussianMixtureIC([1, 2], noise=True, **params).fit(X, checkpoint=path)
    resumed = GaussianMixtureIC.resume(path)
    assert resumed.results_["n_parameters"].tolist() == [5, 7, 8, 13]
    np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))
    resumed.set_params(n_components=[1, 2, 3]).fit(X)
    np.testing.assert_array_equal(resumed.results_["bic"], whole.results_["bic"])
    with pytest.raises(ValueError, match="a search with noise=True; got None"):
        GaussianMixtureIC.resume(path).set_params(noise=None).fit(X)


@pytest.mark.plain
def test_noise__of_a_mixture_that_goes_on():
    X, _ = outlying(60, 6)
    whole = fitted(X, tol=1e-12)
    again = fitted(X, tol=1e-2, warm_start=True).set_params(tol=1e-12).fit(X)
    assert_same(again, whole, rtol=1e-4)
    without = fitted(X, noise=None, warm_start=True, tol=1e-2)
    assert without.set_params(noise=True).fit(X).noise_weight_ > 0
    plain = without.set_params(noise=None).fit(X)
    assert not hasattr(plain, "noise_weight_") and plain.weights_.sum() == pytest.approx(1)
    stream = fitted(X, tol=1e-3).partial_fit(X[:30]).partial_fit(X[30:])
    assert stream.weights_.sum() + stream.noise_weight_ == pytest.approx(1)
    assert stream.noise_volume_ == whole.noise_volume_


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.plain
@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (np.zeros(66, bool), "must mark at least one row"),
        (np.ones(66, bool), "must mark at least one row"),
        (np.zeros(65, bool), "one per row"),
        (np.zeros(66), "must be bool"),
    ],
)
def test_noise__unusable_labels(noise, message):
    with pytest.raises(ValueError, match=message):
        fitted(outlying(60, 6)[0], noise=noise)


@pytest.mark.plain
@pytest.mark.parametrize("noise", [0.0, 1.0, 1, "yes", -0.1, np.nan])
def test_noise__values_out_of_range(noise):
    with pytest.raises(InvalidParameterError, match="'noise' parameter of GaussianMixture must be"):
        fitted(outlying(60, 6)[0], noise=noise)


@pytest.mark.plain
def test_noise__errors_say_what_to_do(tmp_path):
    X, is_outlier = outlying(60, 6)
    with pytest.raises(ValueError, match="need rows in memory"):
        fitted(chunks([X]), noise=is_outlier)
    with pytest.raises(ValueError, match="is zero: a column is constant"):
        fitted(np.column_stack([X, np.ones(66)]), reg_covar=1e-6)
    with pytest.raises(ValueError, match="too large or small for a float"):
        fitted(X * 1e200)
    with pytest.raises(ValueError, match="needs rows without missing values"):
        lacking = np.column_stack([np.where(X[:, 0] > 3, np.nan, X[:, 0]), X[:, 1]])
        fitted(lacking, missing_values="marginalize")
    with pytest.raises(ValueError, match="checkpoint of a search cannot hold labels"):
        GaussianMixtureIC([1], noise=is_outlier).fit(X, checkpoint=tmp_path / "search.npz")


@pytest.mark.plain
def test_noise__is_drawn_as_gray_crosses():
    X, _ = outlying(60, 6)
    found = fitted(X, tol=1e-3)
    drawn = plot_mixture(found, X)
    (crosses,) = [own for own in drawn.collections if own.get_label() == "noise"]
    np.testing.assert_array_equal(crosses.get_offsets(), X[found.predict(X) < 0])
    plt.close("all")


# ---------------------------------------------------------------------------------- command line


def test_noise__on_the_command_line(run, tmp_path, monkeypatch):
    X, is_outlier = outlying()
    monkeypatch.chdir(tmp_path)
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",", header="a,b", comments="")
    options = ["-k", "2", "--noise-share", "0.1", "--standardize", "--out", "model.npz"]
    code, out, _ = run("fit", "rows.csv", *options)
    assert code == 0 and "\nnoise      0.0" in out
    model = load(tmp_path / "model.npz")
    direct = fitted((X - X.mean(axis=0)) / X.std(axis=0), noise=0.1, tol=1e-3, reg_covar=1e-6)
    assert model.noise_weight_ == pytest.approx(direct.noise_weight_, rel=1e-2)
    volume = direct.noise_volume_ * X.std(axis=0).prod()
    assert model.noise_volume_ == pytest.approx(volume, rel=1e-9)
    assert abs(np.linalg.det(model.noise_box_[1:])) == pytest.approx(volume, rel=1e-9)
    _, out, _ = run("predict", "model.npz", "rows.csv", "--probabilities")
    header, *lines = out.splitlines()
    assert header.endswith("probability_0,probability_1,probability_noise")
    labels = np.array([int(line.split(",")[1]) for line in lines])
    assert (labels[is_outlier] == -1).mean() > 0.9
    code, out, err = run("export", "model.npz", "--to", "sklearn", "--out", "m.skops")
    assert code == 2 and "cannot hold a uniform component" in err
    code, out, _ = run("select", "rows.csv", "-k", "2", "--covariance", "EII", "--noise", "--json")
    assert 0 < json.loads(out)["best"]["noise_weight"] < 0.1
