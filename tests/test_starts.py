"""Own starts: reproducible, weighted, and on average at least as likely as scikit-learn's."""

import warnings

import numpy as np
import pytest
from data import TYPES, mixture
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.mixture import GaussianMixture as SklearnMixture

from gmmfast import GaussianMixture
from gmmfast.em import kmeans
from gmmfast.em.kmeans import improved_parts, k_means, partition_around, plus_plus
from gmmfast.parameters import equal_spheres
from gmmfast.rows import MemoryRows

INITS = ("kmeans", "k-means++", "random", "random_from_data")


def scaled(X):
    return X / X.std(axis=0)


DATA = {
    "iris": (load_iris().data, 3),
    "wine": (scaled(load_wine().data), 3),
    "cancer": (scaled(load_breast_cancer().data[:, :8]), 4),
}


def is_degenerate(fitted, X):
    """The same rule for both packages."""
    copy = GaussianMixture.from_sklearn(fitted) if isinstance(fitted, SklearnMixture) else fitted
    matrices = {
        "full": lambda c: c,
        "tied": lambda c: c[None],
        "diag": lambda c: c[:, :, None] * np.eye(X.shape[1]),
        "spherical": lambda c: c[:, None, None] * np.eye(X.shape[1]),
    }[copy.covariance_type](copy.covariances_)
    least = np.linalg.eigvalsh(np.cov(X.T))[0]
    smallest = np.linalg.eigvalsh(matrices).min()
    return smallest < 1e-6 * least or smallest < 1.001 * copy.reg_covar


@pytest.mark.parametrize("init_params", INITS)
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("name", DATA)
def test_at_least_as_likely_as_scikit_learn(name, covariance_type, init_params):
    X, K = DATA[name]
    bounds = {SklearnMixture: [], GaussianMixture: []}
    for kind, found in bounds.items():
        for seed in range(20):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = kind(
                    K, covariance_type=covariance_type, init_params=init_params, random_state=seed
                ).fit(X)
            if not is_degenerate(fitted, X):
                found.append(fitted.lower_bound_)
    assert len(bounds[GaussianMixture]) >= len(bounds[SklearnMixture])
    assert np.mean(bounds[GaussianMixture]) >= np.mean(bounds[SklearnMixture])


@pytest.mark.parametrize("init_params", INITS)
@pytest.mark.parametrize("make", [lambda s: s, np.random.RandomState, np.random.default_rng])
def test_a_seed_gives_the_same_fit(init_params, make):
    X, _ = mixture(500, 2, 3)
    first, second, other = (
        GaussianMixture(6, init_params=init_params, random_state=make(seed), max_iter=0).fit(X)
        for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first.means_, second.means_)
    assert not np.array_equal(first.means_, other.means_)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV"])
def test_the_hierarchical_start_leaves_nothing_to_chance(covariance_type):
    X, _ = mixture(500, 2, 3, separation=1.5)
    params = {"covariance_type": covariance_type, "init_params": "hierarchical"}
    first, second = (GaussianMixture(4, random_state=s, **params).fit(X) for s in (0, 1))
    np.testing.assert_array_equal(first.means_, second.means_)
    again = GaussianMixture(4, **params).fit(X[::-1])
    np.testing.assert_allclose(np.sort(again.weights_), np.sort(first.weights_), rtol=1e-9)


def test_the_hierarchical_start_of_separate_clusters_is_at_them():
    X, labels = mixture(600, 3, 4, separation=8.0)
    start = GaussianMixture(4, init_params="hierarchical", max_iter=0).fit(X)
    means = np.array([X[labels == k].mean(axis=0) for k in range(4)])
    nearest = np.linalg.norm(start.means_[:, None] - means, axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2, 3]
    assert nearest.min(axis=1).max() < 0.1


def test_rows_of_weight_zero_are_never_seeds():
    X, _ = mixture(400, 2, 3)
    X[::2] += 1000
    weights = np.arange(400) % 2.0
    for init_params in (*INITS, "hierarchical"):
        fitted = GaussianMixture(3, init_params=init_params, random_state=0)
        assert np.abs(fitted.fit(X, sample_weight=weights).means_).max() < 100


def test_sample_draws_rows_by_their_weights():
    X = np.arange(10.0)[:, None]
    weights = np.arange(10.0)
    rows = MemoryRows(X, weights, center=np.zeros(1))
    drawn = rows.sample(100_000, np.random.default_rng(0))[:, 0].astype(int)
    counts = np.bincount(drawn, minlength=10)
    expected = 1e5 * weights / weights.sum()
    assert counts[0] == 0
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected)).all()  # five deviations


@pytest.mark.plain
def test_kmeans_finds_separate_clusters():
    X, labels = mixture(150, 2, 3, separation=30.0, seed=1)
    rows = MemoryRows(X)
    centers = k_means(rows, 3, np.random.default_rng(0)).means + rows.center
    expected = np.stack([X[labels == k].mean(axis=0) for k in range(3)])
    order = np.argmin(((expected[:, None] - centers) ** 2).sum(axis=2), axis=1)
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(centers[order], expected, rtol=1e-10)


@pytest.mark.plain
@pytest.mark.parametrize("d", [1, 3, 4, 16, 17, 35])
def test_distances_to_centers(d):
    """Against NumPy, for widths on both sides of where a distance may be given up."""
    rng = np.random.default_rng(d)
    X, weights = rng.normal(size=(150, d)), rng.uniform(size=150)
    rows = MemoryRows(X, weights)
    centers = 4 * rng.normal(size=(5, d))
    squares = ((X[:, None] - rows.center - centers) ** 2).sum(axis=2)
    nearest = partition_around(rows, centers).labels.ravel()[:150]
    np.testing.assert_array_equal(nearest, squares.argmin(axis=1))


@pytest.mark.plain
@pytest.mark.parametrize("d", [1, 3, 4, 17])
def test_seeds__are_the_nearest_of_those_that_are_drawn(d):
    rng = np.random.default_rng(d)
    X, weights = rng.normal(size=(150, d)), rng.uniform(size=150)
    rows = MemoryRows(X, weights)
    points = X - rows.center
    chances, nearest = weights, np.full(150, np.inf)
    u = np.random.default_rng(3).uniform(size=1 + 3 * 3)
    draws = [u[:1], *u[1:].reshape(3, 3)]  # 2 + log 4 for each but the first
    expected = []
    for own in draws:
        drawn = points[np.searchsorted(chances.cumsum(), own * chances.sum(), "right")]
        reached = np.minimum(nearest, ((points[:, None] - drawn) ** 2).sum(axis=2).T)
        best = (reached @ weights).argmin()
        expected.append(drawn[best])
        nearest = reached[best]
        chances = weights * nearest
    found = plus_plus(rows, 4, np.random.default_rng(3))[0].means
    np.testing.assert_array_equal(found, expected)


def test_large_data_start_from_a_sample():
    """Above 4096 rows a start is sought on a sample; the fit is on all rows."""
    X, _ = mixture(40_000, 2, 3, separation=8.0)
    fitted = GaussianMixture(3, random_state=0).fit(X)
    theirs = SklearnMixture(3, random_state=0).fit(X)
    assert fitted.lower_bound_ >= theirs.lower_bound_ - 1e-3


def test_means_init_alone_are_the_seeds():
    X, labels = mixture(300, 2, 3, separation=20.0, seed=2)
    means = np.stack([X[labels == k].mean(axis=0) for k in (2, 0, 1)])
    fitted = GaussianMixture(3, means_init=means, max_iter=0).fit(X)
    np.testing.assert_allclose(fitted.means_, means, rtol=1e-12)
    np.testing.assert_allclose(fitted.weights_, np.bincount(labels)[[2, 0, 1]] / 300)


@pytest.mark.plain
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_partitions__do_not_depend_on_where_the_search_is_interrupted(dtype, monkeypatch):
    rows = MemoryRows(mixture(300, 3, 4, separation=2.0, seed=2)[0].astype(dtype))
    rng = np.random.default_rng(0)
    whole = [k_means(rows, 4, rng), *plus_plus(rows, 4, rng, count=2)]
    monkeypatch.setattr("gmmfast.em.kmeans.SLICE", 1)  # a seed or a tile per call
    rng = np.random.default_rng(0)
    pieces = [k_means(rows, 4, rng), *plus_plus(rows, 4, rng, count=2)]
    for expected, found in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.means, expected.means)
    alone = np.random.default_rng(0)
    k_means(rows, 4, alone)
    for expected in whole[1:]:  # several at once are the same as one after the other
        np.testing.assert_array_equal(plus_plus(rows, 4, alone)[0].means, expected.means)


def many(n, d, dtype="f8", seed=0):
    """Rows of 40 clusters that differ in size and spread, some of them the same, some in ties."""
    rng = np.random.default_rng(seed)
    means, spreads = 5 * rng.normal(size=(40, d)), rng.gamma(0.5, size=40)
    own = np.minimum(rng.integers(0, 40, n), rng.integers(0, 40, n))
    X = means[own] + spreads[own, None] * rng.normal(size=(n, d))
    X[: n // 4] = np.round(X[: n // 4])
    return X.astype(dtype)


@pytest.mark.parametrize(("passes", "least_rows"), [(0, 0), (6, 0), (6, 4)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("d", [1, 3, 17, 35])
def test_many_centers__bounds_change_no_bit(d, dtype, passes, least_rows, monkeypatch):
    weights = np.random.default_rng(1).integers(0, 3, 3000).astype(float)
    rows = MemoryRows(many(3000, d, dtype), weights)
    draws = kmeans._draws(150, np.random.default_rng(2))
    found = kmeans._sought(rows, draws, passes, least_rows)
    with monkeypatch.context() as patched:
        scratch = kmeans._scratch
        patched.setattr(kmeans, "_scratch", lambda *args: unbounded(scratch(*args)))
        expected = kmeans._sought(rows, draws, passes, least_rows)
    np.testing.assert_array_equal(found.means, expected.means)
    np.testing.assert_array_equal(found.labels, expected.labels)


def unbounded(work):
    """Scratch in which every center is near."""
    work.bounds.slack[:] = 1.0, np.inf
    return work


def squares_between(X, centers):
    return ((X[:, None] - centers) ** 2).sum(axis=2)


@pytest.mark.parametrize("find", [k_means, lambda *args: plus_plus(*args)[0]])
@pytest.mark.parametrize("d", [2, 20])
def test_many_centers__labels_are_the_nearest(find, d):
    """Against NumPy, in the order of the rows."""
    X = many(3000, d)[700:]  # the rest, without ties of distances
    rows = MemoryRows(X)
    found = find(rows, 100, np.random.default_rng(0))
    expected = squares_between(X - rows.center, found.means).argmin(axis=1)
    np.testing.assert_array_equal(found.labels.ravel()[: len(X)], expected)


@pytest.mark.parametrize("scale", [1e-170, 1e160])
def test_many_centers__whatever_the_unit(scale):
    """Squares of distances underflow or overflow: no center may be left out for that."""
    rows = MemoryRows(many(500, 2) * scale)
    with np.errstate(over="ignore"):
        found = plus_plus(rows, 70, np.random.default_rng(0))[0]
    assert np.isfinite(found.means).all()
    assert ((found.labels >= 0) & (found.labels < 70)).all()


@pytest.mark.parametrize("scale", [1e-14, 1e-6, 1.0, 1e6, 1e14])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nearest_centers__whatever_the_unit(dtype, scale):
    """A constant in the log densities would hide small distances."""
    X = many(2000, 3).astype(dtype)
    rows = MemoryRows(X * dtype(scale), center=np.zeros(3))
    labels = partition_around(rows, X[:80].astype(float) * scale).labels
    found = labels.ravel()[: len(X)]
    distances = squares_between(X.astype(float), X[:80].astype(float))
    chosen = distances[np.arange(len(X)), found]
    np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-4, atol=1e-5)


def test_improved_parts__are_lloyds():
    X = many(5000, 5)[1250:]
    rows = MemoryRows(X)
    means = X[:80] - rows.center
    arranged = rows.arranged_for(equal_spheres(means))
    found = improved_parts(arranged, means)
    points = X - rows.center
    labels = squares_between(points, means).argmin(axis=1)
    for _ in range(kmeans.ROWS_PASSES):
        means = np.array([points[labels == k].mean(axis=0) for k in range(80)])
        labels = squares_between(points, means).argmin(axis=1)
    np.testing.assert_allclose(found.means, means, rtol=1e-9, atol=1e-9)
    assert np.bincount(found.labels.ravel()[: len(X)], minlength=80).tolist() == (
        np.bincount(labels, minlength=80).tolist()
    )


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
def test_many_components__start_from_parts_of_all_rows(init_params):
    """The same for any number of threads; one part for each component, and no row is lost."""
    X = many(6000, 3)[1500:]
    weights = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    starts = [
        GaussianMixture(300, init_params=init_params, random_state=0, max_iter=0, n_jobs=n_jobs)
        for n_jobs in (1, 2)
    ]
    first, second = (own.fit(X, sample_weight=weights) for own in starts)
    np.testing.assert_array_equal(first.covariances_, second.covariances_)
    total = weights.sum()
    np.testing.assert_allclose(first.weights_ @ first.means_, weights @ X / total, atol=1e-9)
    masses = first.weights_ * total
    assert masses.min() > 0.5
    np.testing.assert_allclose(masses, np.round(masses), atol=1e-6)  # whole rows
