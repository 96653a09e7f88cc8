"""Parts of a partition split and merged: against NumPy, and what k-means finds with it."""

import numpy as np
import pytest

from gmmfast import GaussianMixture
from gmmfast.em import kmeans
from gmmfast.em.kmeans import improved_parts, k_means
from gmmfast.em.starts import SAVING, is_untried, memberships, sample_size
from gmmfast.kernels.splitting import HALVES_PASSES, split_and_merge
from gmmfast.models import MODELS
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
    for _ in range(HALVES_PASSES):
        distances = ((X[:, None] - centers) ** 2).sum(axis=2)
        labels = (distances[:, 1] < distances[:, 0]).astype(int)
        for h in range(2):
            if weights[labels == h].sum() > 0:
                centers[h] = np.average(X[labels == h], axis=0, weights=weights[labels == h])
    return labels


def paired(X, weights, labels, n_components, least_mass):
    """`split_and_merge` in plain NumPy; labels, and the decrease of the sum of squares."""
    K, before = n_components, squares(X, weights, labels, n_components)
    mass = np.bincount(labels, weights, K)
    halves, gains, costs = {}, np.zeros(K), np.full((K, K), np.inf)
    for k in range(K):
        if mass[k] == 0:
            costs[k, k] = 0.0  # its number is free
            continue
        own = labels == k
        halves[k] = halves_of(X[own], weights[own])
        if np.bincount(halves[k], weights[own], 2).min() >= least_mass:
            gains[k] = before[k] - squares(X[own], weights[own], halves[k], 2).sum()
        for b in set(np.flatnonzero(mass)) - {k}:
            both = np.where(labels == k, b, labels)
            costs[k, b] = squares(X, weights, both, K)[b] - before[k] - before[b]
    partners, free, new, decrease = costs.argmin(axis=1), np.full(K, True), labels.copy(), 0.0
    while True:
        split = np.where(free, gains, 0.0).argmax()
        possible = [k for k in range(K) if split not in (k, partners[k])]
        possible = [k for k in possible if free[k] and free[partners[k]]]
        if not possible or gains[split] <= 0:
            return new, decrease
        merged = min(possible, key=lambda k: costs[k, partners[k]])
        partner = partners[merged]
        if not gains[split] > costs[merged, partner]:
            return new, decrease
        decrease += gains[split] - costs[merged, partner]
        free[[split, merged, partner]] = False
        new[labels == merged] = partner
        new[np.flatnonzero(labels == split)[halves[split] == 1]] = merged


def split(rows, labels, n_components, least_mass, offset=0.0):
    """Labels, centers and relative decrease by `split_and_merge`, and its scratch."""
    tiles, row_weights, _ = rows.packed
    found = rows.tiled(labels)
    centers = (rows.means_of(labels, n_components) + offset).astype(tiles.dtype)
    parts, place = kmeans._scratch_of_parts(found.shape, *centers.shape), np.zeros(2, np.int64)
    args = tiles, row_weights, least_mass, 1 << 30, place, parts, centers, found
    return split_and_merge(*args), found, centers, parts


@pytest.mark.plain
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("n", "d", "n_components"), [(200, 2, 6), (333, 5, 12)])
def test_split_and_merge__as_in_numpy(n, d, n_components, dtype, seed):
    """Also of parts without rows, and of rows without weight."""
    rng = np.random.default_rng(seed)
    X = separate(n, d, n_components - 2, seed, 3.0)[0].astype(dtype)
    weights = rng.integers(0, 4, n).astype(float)
    weights[-1] = 1.0
    labels = ((X[:, None] - X[: n_components - 3]) ** 2).sum(axis=2).argmin(axis=1)
    labels[labels > 1] += 2
    labels[::7] = rng.integers(4, n_components - 1, len(labels[::7]))
    assert (np.bincount(labels, minlength=n_components) == 0).sum() == 3
    rows, kept = MemoryRows(X, weights), weights > 0
    unit = rows.packed[1].ravel()[0] / weights[kept][0]
    share, found, centers, parts = split(rows, labels, n_components, 3.0 * unit, 0.01)
    reached = found.ravel()[: kept.sum()]
    points, weights, labels = (X - rows.center).astype(float)[kept], weights[kept], labels[kept]
    expected, decrease = paired(points, weights, labels, n_components, 3.0)
    np.testing.assert_array_equal(in_order(reached), in_order(expected))
    before = squares(points, weights, labels, n_components).sum()
    after = squares(points, weights, expected, n_components).sum()
    np.testing.assert_allclose(before - after, decrease, rtol=1e-9)
    about_centers = (parts.squares / unit).sum()  # of centers near the means, so a little larger
    np.testing.assert_allclose(share * about_centers, decrease, rtol=1e-6)
    own = [np.average(points[reached == k], 0, weights[reached == k]) for k in range(n_components)]
    np.testing.assert_allclose(centers, own, rtol=1e-5, atol=1e-5)
    assert decrease > 0


def in_order(labels):
    """Labels numbered as they first occur: which of two merged parts keeps its number is chance."""
    _, first, own = np.unique(labels, return_index=True, return_inverse=True)
    return first.argsort().argsort()[own]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_k_means__finds_all_clusters_where_parts_are_split(dtype):
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


def test_improved_parts__finds_all_clusters_where_parts_are_split():
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
def test_split_and_merge__halves_have_enough_rows(least_rows):
    """Ten rows far away are split off only if a part may be so small."""
    X, _ = separate(1000, 3, 4, distance=3.0)
    X[:10] += 1000.0
    _, labels, _, _ = split(MemoryRows(X), np.arange(1000) % 2, 6, float(least_rows))
    counts = np.bincount(labels.ravel()[:1000])
    assert (counts[counts > 0].min() >= 40) == (least_rows == 40)


@pytest.mark.plain
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_k_means__the_same_wherever_it_is_interrupted(dtype, monkeypatch):
    rows = MemoryRows(separate(300, 3, 16)[0].astype(dtype))
    whole, plain = (k_means(rows, 16, np.random.default_rng(0), n) for n in (4, 0))
    assert not np.array_equal(whole.labels, plain.labels)
    monkeypatch.setattr("gmmfast.em.kmeans.SLICE", 1)  # a seed or a tile per call
    pieces = k_means(rows, 16, np.random.default_rng(0), 4)
    np.testing.assert_array_equal(pieces.labels, whole.labels)
    np.testing.assert_array_equal(pieces.means, whole.means)


@pytest.mark.parametrize("scale", [1e-170, 1e-14, 1e14, 1e160])
def test_k_means__split_whatever_the_unit(scale):
    """Where squares underflow or overflow nothing is gained, and nothing is lost."""
    X, _ = separate(500, 2, 9)
    of_unit_1, are_tiny_or_huge = MemoryRows(X), not 1e-100 < scale < 1e100
    with np.errstate(over="ignore"):
        found = k_means(MemoryRows(X * scale), 9, np.random.default_rng(0), 3)
        plain = k_means(MemoryRows(X * scale), 9, np.random.default_rng(0))
    assert np.isfinite(found.means).all()
    expected = plain if are_tiny_or_huge else k_means(of_unit_1, 9, np.random.default_rng(0), 3)
    np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("n_components", [1, 2, 5])
def test_k_means__rows_all_the_same(n_components):
    rows = MemoryRows(np.full((50, 3), 7.0))
    found = k_means(rows, n_components, np.random.default_rng(0), 2)
    np.testing.assert_array_equal(found.means, np.zeros((n_components, 3)))


def test_k_means__integer_weights_are_repetitions():
    X, _ = separate(600, 4, 12)
    weights = np.random.default_rng(1).integers(0, 4, 600)
    weighted = MemoryRows(X, weights.astype(float))
    repeated = MemoryRows(np.repeat(X, weights, axis=0), center=weighted.center)
    labels = np.arange(600) % 9
    shares = []
    for rows, own in ((weighted, labels), (repeated, np.repeat(labels, weights))):
        row_weights = rows.packed[1]
        least = 5.0 * row_weights[row_weights > 0].min()
        shares.append(split(rows, own, 12, least)[0])
    assert shares[0] > 0.1
    np.testing.assert_allclose(shares[0], shares[1], rtol=1e-9)


# ------------------------------------------------------------------------------- whole starts


@pytest.mark.parametrize(("n", "weighted"), [(6000, False), (6000, True), (50_000, False)])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_fit__finds_all_clusters_where_passes_are_long(covariance_type, n, weighted):
    """For every seed, the fit is as likely as from the true means; with and without a sample."""
    d, K = 24, 40
    X, labels = separate(n, d, K, distance=3.0)
    weights = np.random.default_rng(0).integers(1, 4, n).astype(float) if weighted else None
    own = {"covariance_type": covariance_type}
    means = np.array([X[labels == k].mean(axis=0) for k in range(K)])
    truth = GaussianMixture(K, means_init=means, weights_init=np.full(K, 1 / K), **own)
    truth.fit(X, sample_weight=weights)
    for seed in range(3 if n == 6000 else 1):
        found = GaussianMixture(K, random_state=seed, **own).fit(X, sample_weight=weights)
        assert found.lower_bound_ > truth.lower_bound_ - 1e-3


def rows_of(n, d):
    return MemoryRows(np.random.default_rng(0).normal(size=(n, d)))


@pytest.mark.parametrize(
    ("name", "d", "n_components", "n", "expected"),
    [
        ("full", 10, 5, 20_000, False),  # passes over the sample are short: components are moved
        ("full", 40, 5, 20_000, True),
        ("full", 40, 5, 70_000, False),  # a sample saves much
        ("full", 40, 2, 20_000, False),  # nothing to split and merge
        ("VVE", 20, 3, 200, False),  # long M steps, but passes too short for sorting
    ],
)
def test_is_untried(name, d, n_components, n, expected):
    model = MODELS[name](0.0)
    assert is_untried(rows_of(n, d), model, n_components, "kmeans") == expected
    assert not is_untried(rows_of(n, d), model, n_components, "k-means++")
    if expected:
        assert n <= SAVING * sample_size(model, n_components, d)


def test_fit__of_few_rows_and_long_m_steps_begins_at_its_clusters():
    X, labels = separate(200, 20, 3, distance=3.0)
    start = GaussianMixture(3, covariance_type="VVE", random_state=0, max_iter=0).fit(X)
    means = np.array([X[labels == k].mean(axis=0) for k in range(3)])
    nearest = ((start.means_[:, None] - means) ** 2).sum(axis=2)
    np.testing.assert_allclose(nearest.min(axis=1), 0, atol=1e-6)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2]


def test_fit__another_start_where_covariances_are_singular(monkeypatch):
    """With reg_covar=0, a start that leaves a component too few rows is no error at once."""
    X, _ = separate(4000, 40, 12, distance=3.0)
    drawn = []

    def lonely(rows, *args):
        found = improved_parts(rows, *args)
        drawn.append(found)
        if len(drawn) == 1:
            found.labels[found.labels == 0] = 1
            found.labels[0, 0] = 0
        return found

    monkeypatch.setattr("gmmfast.em.starts.improved_parts", lonely)
    fitted = GaussianMixture(12, reg_covar=0.0, random_state=0).fit(X)
    assert len(drawn) == 2 and not fitted.degenerate_.any()


@pytest.mark.parametrize("d", [2, 40])
def test_memberships__k_means_splits_parts_where_moves_are_few(d):
    points, model = MemoryRows(separate(3000, d, 40)[0]), MODELS["full"](0.0)
    differ = 0
    for seed in range(5):
        [found] = memberships(points, model, 40, "kmeans", np.random.default_rng(seed))
        whole, plain = (k_means(points, 40, np.random.default_rng(seed), n) for n in (d + 1, 0))
        np.testing.assert_array_equal(found.labels, (plain if d == 2 else whole).labels)
        differ += not np.array_equal(whole.labels, plain.labels)
    assert differ
