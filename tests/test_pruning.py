"""Pruned passes against dense ones, on rows that are made to hurt pruning."""

import numpy as np
import pytest
from data import TYPES, mixture, random_start

from gmmfast import GaussianMixture
from gmmfast.kernels.separation import (
    LARGEST,
    ROUNDING,
    new_separation,
    no_separation,
    separated,
)
from gmmfast.models import MODELS
from gmmfast.parameters import Density
from gmmfast.rows import MemoryRows, memory, passes

pytestmark = pytest.mark.filterwarnings("ignore:.*(did not converge|collapsed, without)")

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


@pytest.mark.parametrize(
    ("covariance_type", "n_features", "n_components"),
    [("diag", 3, 20), ("full", 9, 4), ("factor", 9, 4)],
)
def test_table_of_a_fit__follows_its_means(covariance_type, n_features, n_components, monkeypatch):
    """The table of each pass is of the mixture of that pass: one from before would prune rows."""
    X, _ = mixture(3000, n_features, n_components, separation=4.0, seed=6)
    params = {"covariance_type": covariance_type, "tol": 0.0, "max_iter": 20}
    params["means_init"] = X[:n_components]
    pruned = GaussianMixture(n_components, **params).fit(X)
    monkeypatch.setattr(passes, "new_separation", lambda means, *_: no_separation(means))
    dense = GaussianMixture(n_components, **params).fit(X)
    np.testing.assert_allclose(pruned.lower_bounds_, dense.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(pruned.means_, dense.means_, rtol=1e-9, atol=1e-9)


def table_of(means, factors, n_rows=10**6):
    """A table of bounds."""
    constants, noise = np.zeros(len(means), means.dtype), np.full(1, -np.inf, means.dtype)
    return separated(Density(constants, means, factors, None, noise, None, None), n_rows)


@pytest.mark.plain
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("d", "n_components", "is_diagonal"),
    [(8, 2, False), (9, 5, False), (33, 3, False), (10, 70, False), (3, 16, False), (5, 17, True)],
)
def test_separation_bounds_every_distance(d, n_components, is_diagonal, dtype):
    X, labels = mixture(128, d, n_components, seed=d)
    _, means, covariances, _ = random_start(X, n_components, "full", seed=d)
    factors = np.linalg.inv(np.linalg.cholesky(covariances))
    if is_diagonal:
        factors = np.einsum("kii,ij->kij", factors, np.eye(d))
    own = np.ascontiguousarray(np.einsum("kii->ki", factors) if is_diagonal else factors, dtype)
    table = table_of(np.ascontiguousarray(means, dtype), own)
    z = np.einsum("kij,okj->oki", factors, means[:, None] - means)
    rounding = 1e-12 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(table.gaps, np.linalg.norm(z, axis=2), rtol=rounding, atol=rounding)
    distances = np.linalg.norm(np.einsum("kij,nkj->nki", factors, X[:, None] - means), axis=2)
    for o in range(n_components):
        radius = distances[:, o]
        bound = table.gaps[o] - table.spreads[o] * radius[:, None]
        assert np.all(bound <= distances * (1 + rounding) + rounding)
        if table.directions.size:
            along = table.gaps[o] + (X - means[o]) @ table.directions[o].T
            assert np.all(along <= distances * (1 + rounding) + rounding)
            assert np.all(bound <= along + rounding * radius[:, None])
    assert not table.gaps.diagonal().any() and not table.spreads.diagonal().any()


@pytest.mark.plain
def test_spreads_are_tight():
    """For one direction of many, some row is as near as the bound says, but for its margin."""
    X, _ = mixture(128, 8, 2, seed=8)
    _, means, covariances, _ = random_start(X, 2, "full", seed=8)
    factors = np.linalg.inv(np.linalg.cholesky(covariances))
    table = table_of(means, factors)
    expected = np.linalg.norm(np.linalg.cholesky(covariances[0]).T @ table.directions[0, 1])
    np.testing.assert_allclose(table.spreads[0, 1], expected * ROUNDING, rtol=1e-12)


@pytest.mark.plain
def test_no_table_where_it_is_no_use():
    eye = np.repeat(np.eye(9)[None], 20, axis=0)
    means = np.zeros((20, 9))
    assert new_separation(means, eye, 10**6).directions.shape == (20, 20, 9)
    assert new_separation(means, eye, 10**6).gaps.shape == (20, 20)
    assert not new_separation(means, eye, 1000).gaps.size  # few rows
    diagonal = new_separation(means, np.ones((20, 9)), 10**6)
    assert diagonal.gaps.shape == (20, 20)
    assert not diagonal.directions.size
    assert not new_separation(means[:, :2].copy(), eye[:, :2, :2].copy(), 10**6).directions.size
    assert not new_separation(means[:4], np.ones((4, 9)), 10**6).gaps.size  # few components
    many = np.zeros((1000, 9))
    assert 1000**2 * 9 > LARGEST
    assert not new_separation(many, np.ones((1000, 9)), 10**6).gaps.size


@pytest.mark.plain
def test_distances_that_overflow_bound_nothing():
    """Squares of 1e17 / 1e-3 are beyond float32; the rows' own component stays."""
    means = np.zeros((2, 8), np.float32)
    means[1, 0] = 1e17
    factors = np.repeat(1e3 * np.eye(8, dtype=np.float32)[None], 2, axis=0)
    with np.errstate(over="ignore"):
        table = table_of(means, factors)
    np.testing.assert_array_equal(table.gaps, 0)
    np.testing.assert_array_equal(table.directions, 0)
