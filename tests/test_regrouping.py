"""Parts of a partition merged and cut: against NumPy, and what k-means finds with it."""

import numpy as np
import pytest

from gmmfast import GaussianMixture
from gmmfast.em import kmeans
from gmmfast.em.kmeans import improved_parts, k_means
from gmmfast.kernels.regrouping import CUT_PASSES, regroup
from gmmfast.parameters import equal_spheres
from gmmfast.rows import MemoryRows


def separate(n, d, n_components, seed=0, distance=8.0):
    """Rows of as many equal clusters, and their labels."""
    rng = np.random.default_rng(seed)
    means = distance * rng.normal(size=(n_components, d))
    labels = np.arange(n) % n_components
    return means[labels] + rng.normal(size=(n, d)), labels


def squares(X, weights, labels, n_components):
    """Sum of squares within each part (K,)."""
    found = np.zeros(n_components)
    for k in range(n_components):
        own, w = X[labels == k], weights[labels == k]
        if w.sum() > 0:
            found[k] = w @ ((own - np.average(own, axis=0, weights=w)) ** 2).sum(axis=1)
    return found


def halves_of(X, weights):
    """Labels of two halves of a part, by k-means from its mean moved along its widest feature."""
    mean = np.average(X, axis=0, weights=weights)
    variances = np.average((X - mean) ** 2, axis=0, weights=weights)
    offset = np.zeros(len(mean))
    offset[variances.argmax()] = np.sqrt(variances.max())
    centers = np.array([mean - offset, mean + offset])
    for _ in range(CUT_PASSES):
        distances = ((X[:, None] - centers) ** 2).sum(axis=2)
        labels = (distances[:, 1] < distances[:, 0]).astype(int)
        for h in range(2):
            if weights[labels == h].sum() > 0:
                centers[h] = np.average(X[labels == h], axis=0, weights=weights[labels == h])
    return labels


def regrouped(X, weights, labels, n_components, least_mass):
    """`regroup` in plain NumPy; labels, and the sum of squares gained."""
    K, before = n_components, squares(X, weights, labels, n_components)
    mass = np.bincount(labels, weights, K)
    halves, gains, costs = {}, np.zeros(K), np.full((K, K), np.inf)
    for k in np.flatnonzero(mass):
        own = labels == k
        halves[k] = halves_of(X[own], weights[own])
        own_mass = np.bincount(halves[k], weights[own], 2)
        if own_mass.min() >= least_mass:
            gains[k] = before[k] - squares(X[own], weights[own], halves[k], 2).sum()
    for a in range(K):
        for b in np.flatnonzero(mass):
            if a != b:
                both = np.where(labels == a, b, labels)
                costs[a, b] = squares(X, weights, both, K)[b] - before[a] - before[b]
    partners, free, new, gained = costs.argmin(axis=1), np.full(K, True), labels.copy(), 0.0
    while True:
        cut = np.where(free, gains, 0.0).argmax()
        possible = [a for a in range(K) if a != cut and partners[a] != cut]
        possible = [a for a in possible if free[a] and free[partners[a]]]
        if not possible or gains[cut] <= 0:
            return new, gained
        joining = min(possible, key=lambda a: costs[a, partners[a]])
        joined = partners[joining]
        if not gains[cut] > costs[joining, joined]:
            return new, gained
        gained += gains[cut] - costs[joining, joined]
        free[[cut, joining, joined]] = False
        new[labels == joining] = joined
        new[np.flatnonzero(labels == cut)[halves[cut] == 1]] = joining


@pytest.mark.plain
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("n", "d", "n_components"), [(200, 2, 6), (333, 5, 12)])
def test_regroup__as_in_numpy(n, d, n_components, dtype, seed):
    rng = np.random.default_rng(seed)
    X = separate(n, d, n_components - 2, seed, 3.0)[0].astype(dtype)
    weights = rng.integers(1, 4, n).astype(float)
    labels = rng.integers(0, n_components - 1, n) // 2 * 2 % n_components  # some parts are empty
    labels[: n // 2] = ((X[: n // 2, None] - X[:n_components]) ** 2).sum(axis=2).argmin(axis=1)
    rows = MemoryRows(X, weights)
    tiles, row_weights, _ = rows.packed
    points, unit = (X - rows.center).astype(float), row_weights.ravel()[0] / weights[0]
    expected, gained = regrouped(points, weights, labels, n_components, 3.0)
    means = rows.means_of(labels, n_components)
    found, centers = rows.tiled(labels), (means + 0.01).astype(dtype)
    work = kmeans._scratch_of_parts(found.shape, *centers.shape)
    share = regroup(tiles, row_weights, 3.0 * unit, work, centers, found)
    reached = found.ravel()[:n]
    np.testing.assert_array_equal(in_order(reached), in_order(expected))
    before = squares(points, weights, labels, n_components).sum()
    after = squares(points, weights, expected, n_components).sum()
    np.testing.assert_allclose(before - after, gained, rtol=1e-9)
    about_centers = (work.squares / unit).sum()  # of centers near the means, so a little larger
    np.testing.assert_allclose(share * about_centers, gained, rtol=1e-6)
    new_means = rows.means_of(reached, n_components)
    held = np.bincount(reached, minlength=n_components) > 0
    np.testing.assert_allclose(centers[held], new_means[held], rtol=1e-5, atol=1e-5)
    assert gained > 0


def in_order(labels):
    """Labels numbered as they first occur: which of two merged parts keeps its number is chance."""
    _, first, own = np.unique(labels, return_index=True, return_inverse=True)
    return first.argsort().argsort()[own]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_k_means__finds_all_clusters_where_parts_are_regrouped(dtype):
    """Seeds alone put two centers into one cluster, and none into another."""
    X, labels = separate(3000, 8, 40)
    rows = MemoryRows(X.astype(dtype))
    least = squares(X, np.ones(len(X)), labels, 40).sum()
    missed = 0
    for seed in range(5):
        plain = k_means(rows, 40, np.random.default_rng(seed))
        missed += within(X, plain) > 1.01 * least
        found = k_means(rows, 40, np.random.default_rng(seed), 9)
        assert within(X, found) < 1.001 * least
    assert missed >= 2


def within(X, partition):
    """Sum of squares within the parts."""
    labels = partition.labels.ravel()[: len(X)]
    return squares(X, np.ones(len(X)), labels, len(partition.means)).sum()


def test_improved_parts__finds_all_clusters_where_parts_are_regrouped():
    X, labels = separate(4000, 6, 30)
    rows = MemoryRows(X)
    centers = np.array([X[labels == k].mean(axis=0) for k in range(30)]) - rows.center
    centers[3], centers[7] = centers[2] + 0.1, (centers[7] + centers[8]) / 2
    arranged = rows.arranged_for(equal_spheres(centers))
    least = squares(X, np.ones(len(X)), labels, 30).sum()
    assert parted(arranged, improved_parts(arranged, centers)) > 1.1 * least
    assert parted(arranged, improved_parts(arranged, centers, 7)) < 1.001 * least


def parted(rows, partition):
    """Sum of squares within parts of packed rows."""
    tiles, row_weights, _ = rows.packed
    X = tiles.transpose(0, 2, 1).reshape(-1, tiles.shape[1])
    return squares(X, row_weights.ravel(), partition.labels.ravel(), len(partition.means)).sum()


@pytest.mark.parametrize("least_rows", [2, 40])
def test_k_means__halves_have_enough_rows(least_rows):
    """Ten rows far away are cut off only if a part may be so small."""
    X, _ = separate(1000, 3, 4, distance=3.0)
    X[:10] += 1000.0
    rows = MemoryRows(X)
    tiles, row_weights, _ = rows.packed
    labels = rows.tiled(np.arange(1000) % 2)
    centers = rows.means_of(np.arange(1000) % 2, 6)
    work = kmeans._scratch_of_parts(labels.shape, *centers.shape)
    regroup(tiles, row_weights, float(least_rows), work, centers, labels)
    smallest = np.bincount(labels.ravel()[:1000])
    assert (smallest[smallest > 0].min() >= 40) == (least_rows == 40)


@pytest.mark.plain
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_k_means__regrouped_alike_wherever_it_is_interrupted(dtype, monkeypatch):
    rows = MemoryRows(separate(300, 3, 8)[0].astype(dtype))
    whole = k_means(rows, 8, np.random.default_rng(0), 4)
    monkeypatch.setattr("gmmfast.em.kmeans.SLICE", 1)  # a seed or a tile per call
    pieces = k_means(rows, 8, np.random.default_rng(0), 4)
    np.testing.assert_array_equal(pieces.labels, whole.labels)
    np.testing.assert_array_equal(pieces.means, whole.means)


@pytest.mark.parametrize("scale", [1e-170, 1e-14, 1e14, 1e160])
def test_regrouping__whatever_the_unit(scale):
    """Where squares underflow or overflow nothing is gained, and nothing is lost."""
    X, _ = separate(500, 2, 9)
    with np.errstate(over="ignore"):
        found = k_means(MemoryRows(X * scale), 9, np.random.default_rng(0), 3)
    assert np.isfinite(found.means).all()
    assert ((found.labels >= 0) & (found.labels < 9)).all()
    if 1e-100 < scale < 1e100:
        expected = k_means(MemoryRows(X), 9, np.random.default_rng(0), 3)
        np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("n_components", [1, 2, 5])
def test_regrouping__rows_all_the_same(n_components):
    rows = MemoryRows(np.full((50, 3), 7.0))
    found = k_means(rows, n_components, np.random.default_rng(0), 2)
    np.testing.assert_array_equal(found.means, np.zeros((n_components, 3)))


@pytest.mark.parametrize("weights", [None, 5e-200, 3.0])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_start__finds_all_clusters_where_passes_are_long(covariance_type, weights):
    """For every seed, with and without weights: the start is as likely as the truth."""
    d, K = 24, 40
    X, labels = separate(6000, d, K, distance=3.0)
    sample_weight = None if weights is None else np.full(len(X), weights)
    keywords = {"covariance_type": covariance_type}
    means = np.array([X[labels == k].mean(axis=0) for k in range(K)])
    truth = GaussianMixture(K, means_init=means, weights_init=np.full(K, 1 / K), **keywords).fit(X)
    for seed in range(3):
        found = GaussianMixture(K, random_state=seed, **keywords)
        found.fit(X, sample_weight=sample_weight)
        assert found.lower_bound_ > truth.lower_bound_ - 1e-3
