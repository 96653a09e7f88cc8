"""Pruned passes against dense ones, on rows that are made to hurt pruning."""

import numpy as np
import pytest
from data import TYPES, mixture, random_start

from gmmfast import GaussianMixture
from gmmfast.kernels.separation import separate
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows, memory

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

rng = np.random.default_rng(0)
N, D, K = 1500, 9, 5
CLUSTERED = mixture(N, D, K, seed=1)[0]
FAR = np.concatenate([CLUSTERED, 1e6 * rng.normal(size=(9, D))])
ROWS = {
    "clusters": CLUSTERED,
    "one cluster": rng.normal(size=(N, D)),
    "heavy overlap": mixture(N, D, K, separation=0.2, seed=2)[0],
    "far outliers": FAR,
    "far from the origin": CLUSTERED + 1e8,
    "far apart": mixture(N, D, K, separation=1e6, seed=3)[0],
    "equal rows": np.repeat(CLUSTERED[:15], 100, axis=0),
    "unequal scales": CLUSTERED * 10.0 ** np.arange(-4, 5),
}
WEIGHTS = {"equal": None, "over 12 orders": 10.0 ** rng.uniform(-12, 0, N)}


def parameters_of(rows, covariance_type, iterations=5):
    """Where EM is after some iterations over the clusters, about the center of all rows."""
    fitted = GaussianMixture(
        K, covariance_type=covariance_type, max_iter=iterations, tol=0, random_state=0
    ).fit(rows[:N])
    return fitted._parameters(MemoryRows(rows).center)


def statistics_of(rows, parameters, model):
    statistics = rows.expectation(parameters, model.scatter)
    return statistics.log_likelihood, statistics.mass, statistics.first, statistics.scatter


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("name", ROWS)
def test_pruned_is_dense(name, covariance_type, weights, dtype, monkeypatch):
    X = ROWS[name].astype(dtype)
    w = WEIGHTS[weights]
    if w is not None:
        w = np.resize(w, len(X))
    model = MODELS[covariance_type](1e-6)
    parameters = parameters_of(X.astype(np.float64), covariance_type)
    rows = MemoryRows(X, w)
    rows = rows.arranged_for(parameters)
    pruned = statistics_of(rows, parameters, model)
    monkeypatch.setattr(memory, "negligible", lambda *_: -np.inf)
    dense = statistics_of(rows, parameters, model)
    tolerance = 1e-13 if dtype is np.float64 else 1e-6
    spread = np.abs(X - rows.center).max()
    sizes = (np.abs(dense[0]), rows.weight, rows.weight * spread, rows.weight * spread**2)
    for found, expected, size in zip(pruned, dense, sizes, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * size)


def test_equal_components_share_equally():
    X = CLUSTERED
    model = MODELS["full"](1e-6)
    one = parameters_of(X, "full")
    means = np.repeat(one.means[:1], K, axis=0)
    covariances = np.repeat(one.covariances[:1], K, axis=0)
    parameters = model.parameters(np.full(K, 1 / K), means, covariances)
    rows = MemoryRows(X)
    _, mass, *_ = statistics_of(rows, parameters, model)
    np.testing.assert_allclose(mass, N / K, rtol=1e-12)


@pytest.mark.plain
@pytest.mark.parametrize(("d", "n_components"), [(8, 2), (9, 5), (33, 3), (10, 70)])
def test_separation_bounds_every_distance(d, n_components):
    X, labels = mixture(128, d, n_components, seed=d)
    _, means, covariances, _ = random_start(X, n_components, "full", seed=d)
    factors = np.linalg.inv(np.linalg.cholesky(covariances))
    separation = separate(means, factors, 10**6)
    z = np.einsum("kij,okj->oki", factors, means[:, None] - means)
    np.testing.assert_allclose(separation.gaps, np.linalg.norm(z, axis=2), rtol=1e-12, atol=1e-12)
    for o in range(n_components):
        bound = separation.gaps[o] + (X - means[o]) @ separation.directions[o].T
        for k in range(n_components):
            distance = np.linalg.norm((X - means[k]) @ factors[k].T, axis=1)
            assert np.all(bound[:, k] <= distance * (1 + 1e-12) + 1e-12)
    np.testing.assert_allclose(separation.directions[0, 0], 0.0)


@pytest.mark.plain
def test_no_table_where_it_is_no_use():
    eye = np.repeat(np.eye(9)[None], 4, axis=0)
    assert separate(np.zeros((4, 9)), eye, 10**6).gaps.shape == (4, 4)
    assert separate(np.zeros((4, 9)), eye, 100).gaps.size == 0  # few rows
    assert separate(np.zeros((4, 9)), np.ones((4, 9)), 10**6).gaps.size == 0  # diagonals
    assert separate(np.zeros((4, 2)), eye[:, :2, :2].copy(), 10**6).gaps.size == 0  # few features


@pytest.mark.plain
def test_distances_that_overflow_bound_nothing():
    """Squares of 1e17 / 1e-3 are beyond float32; the rows' own component stays."""
    means = np.zeros((2, 8), np.float32)
    means[1, 0] = 1e17
    factors = np.repeat(1e3 * np.eye(8, dtype=np.float32)[None], 2, axis=0)
    with np.errstate(over="ignore"):
        separation = separate(means, factors, 10**6)
    np.testing.assert_array_equal(separation.gaps, 0)
    np.testing.assert_array_equal(separation.directions, 0)
