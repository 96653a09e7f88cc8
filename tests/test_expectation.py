"""The E step's sums against plain NumPy: every structure, element type, size and remainder."""

import numpy as np
import pytest
import reference
from data import TYPES, mixture, random_start

from gmmfast.kernels.expectation import negligible
from gmmfast.models import MODELS
from gmmfast.parameters import Scatter
from gmmfast.rows import MemoryRows
from gmmfast.rows.evaluation import log_densities_of, responsibilities_of

pytestmark = pytest.mark.quick

SIZES = [(n, d, K) for d in (1, 2, 3, 4, 5, 6, 7) for n, K in ((1, 1), (64, 2), (65, 3), (200, 5))]
WIDE = [(150, d, 3) for d in (8, 9, 10, 11, 12, 13, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 69, 70)]
MANY = [(300, 2, 70), (130, 5, 65), (63, 3, 64)]


def parameters_about(rows, covariance_type, start):
    """The model, and the start's parameters relative to the rows' center."""
    weights, means, covariances, init = start
    model = MODELS[covariance_type]()
    structured = model.covariances_from(init["precisions_init"])
    return model, model.parameters(weights, means - rows.center, structured)


def expected_scatter(kind, scatter):
    if kind is Scatter.FULL:
        return scatter
    return scatter.sum(axis=0)[None] if kind is Scatter.POOLED else np.einsum("kii->ki", scatter)


def check(X, K, covariance_type, dtype, tolerance, sample_weight=None, sort=True):
    X = np.ascontiguousarray(X, dtype)
    start = random_start(X.astype(np.float64), K, covariance_type)
    rows = MemoryRows(X, sample_weight)
    model, parameters = parameters_about(rows, covariance_type, start)
    if sort:
        rows = rows.arranged_for(parameters)
    statistics = rows.expectation(parameters, model.scatter)
    weights, means, covariances, _ = start
    log_density, resp = reference.e_step(X.astype(np.float64), weights, means, covariances)
    w = np.ones(len(X)) if sample_weight is None else sample_weight
    mass, first, scatter = reference.moments(
        X.astype(np.float64), resp, statistics.reference + rows.center, w
    )
    scatter = expected_scatter(model.scatter, scatter)
    variance = max(1.0, np.abs(X).max() ** 2)
    total = w.sum()
    np.testing.assert_allclose(
        statistics.log_likelihood, w @ log_density, rtol=tolerance, atol=tolerance * total
    )
    np.testing.assert_allclose(statistics.mass, mass, rtol=tolerance, atol=tolerance * total)
    atol = tolerance * total * variance
    np.testing.assert_allclose(statistics.first, first, rtol=tolerance, atol=atol)
    np.testing.assert_allclose(statistics.scatter, scatter, rtol=tolerance, atol=atol)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(("n", "d", "K"), SIZES + WIDE + MANY)
def test_sums_float64(n, d, K, covariance_type):
    X, _ = mixture(n, d, min(K, 5), seed=n + d)
    check(X, K, covariance_type, np.float64, 1e-12)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(("n", "d", "K"), SIZES[::3] + WIDE[::4] + MANY[:1])
def test_sums_float32(n, d, K, covariance_type):
    X, _ = mixture(n, d, min(K, 5), seed=n + d)
    check(X, K, covariance_type, np.float32, 1e-5)


@pytest.mark.plain
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(("n", "d", "K"), [(1, 1, 1), (70, 3, 2), (65, 4, 3)])
def test_sums_of_a_tile_and_a_bit(n, d, K, covariance_type, dtype):
    X, _ = mixture(n, d, K, seed=d)
    check(X, K, covariance_type, dtype, 1e-12 if dtype is np.float64 else 1e-5)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_sums_with_weights(covariance_type):
    X, _ = mixture(150, 3, 4)
    weights = np.random.default_rng(0).uniform(size=150) * (np.arange(150) % 3 > 0)
    check(X, 4, covariance_type, np.float64, 1e-12, sample_weight=weights)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_weights_over_twelve_orders_lose_nothing(covariance_type):
    """A component of rows that weigh 1e-12 keeps all its digits beside one of rows that weigh 1."""
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=(4000, 2)), rng.normal(size=(300, 2)) + 6])
    w = np.concatenate([np.ones(4000), np.full(300, 1e-12)])
    means, weights = np.array([[0.0, 0.0], [6.0, 6.0]]), np.array([1 - 1e-12, 1e-12])
    covariances = np.stack([np.eye(2)] * 2)
    model = MODELS[covariance_type]()
    structured = {"full": covariances, "tied": np.eye(2), "diag": np.ones((2, 2))}
    rows = MemoryRows(X, w)
    parameters = model.parameters(
        weights, means - rows.center, structured.get(covariance_type, np.ones(2))
    )
    rows = rows.arranged_for(parameters)
    statistics = rows.expectation(parameters, model.scatter)
    _, resp = reference.e_step(X, weights, means, covariances)
    mass, _, _ = reference.moments(X, resp, means, w)
    np.testing.assert_allclose(statistics.mass, mass, rtol=1e-10)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(
    "case", ["one cluster", "identical", "overlap", "outliers", "offset", "far apart"]
)
def test_pruned_equals_dense(case, covariance_type, monkeypatch):
    """On data made to hurt pruning, it changes nothing above rounding."""
    X, labels = mixture(1000, 4, 6, separation=0.7 if case == "overlap" else 4.0, seed=3)
    _, means, _, init = random_start(X, 6, covariance_type)
    if case == "one cluster":
        X = 1e-3 * X
    elif case == "identical":
        means[:] = means[0]
    elif case == "outliers":
        X[::100] *= 1e4
    elif case == "offset":
        X, means = X + 1e8, means + 1e8
    elif case == "far apart":
        shift = 1e6 * labels[:, None]
        X = X + shift
        means = np.stack([X[labels == k].mean(axis=0) for k in range(6)])
    model = MODELS[covariance_type]()
    rows = MemoryRows(X)
    parameters = model.parameters(
        init["weights_init"], means - rows.center, model.covariances_from(init["precisions_init"])
    )
    rows = rows.arranged_for(parameters)
    pruned = rows.expectation(parameters, model.scatter)
    monkeypatch.setattr("gmmfast.rows.memory.negligible", lambda *_: -np.inf)
    dense = rows.expectation(parameters, model.scatter)
    np.testing.assert_allclose(pruned.log_likelihood, dense.log_likelihood, rtol=1e-14)
    np.testing.assert_allclose(pruned.mass, dense.mass, rtol=1e-12, atol=1e-12)
    scale = np.abs(dense.scatter).max()
    np.testing.assert_allclose(pruned.scatter, dense.scatter, rtol=1e-12, atol=1e-13 * scale)


def test_component_pruned_everywhere_is_computed_densely():
    X = np.random.default_rng(0).normal(size=(500, 2))
    model = MODELS["full"]()
    rows = MemoryRows(X)
    means = np.array([[0.0, 0.0], [14.0, 0.0]]) - rows.center
    parameters = model.parameters(np.array([0.5, 0.5]), means, np.stack([np.eye(2)] * 2))
    mass = rows.expectation(parameters, model.scatter).mass
    _, resp = reference.e_step(X, parameters.weights, means + rows.center, parameters.covariances)
    assert 0 < resp[:, 1].max() < np.exp(negligible(2))
    np.testing.assert_allclose(mass[1], resp[:, 1].sum(), rtol=1e-10)


def test_rows_infinitely_far_stay_finite():
    X = np.array([[0.0], [1e300], [-1e300]])
    model = MODELS["full"]()
    rows = MemoryRows(X, center=np.zeros(1))
    parameters = model.parameters(
        np.array([0.5, 0.5]), np.array([[0.0], [1.0]]), np.full((2, 1, 1), 1e-20)
    )
    np.testing.assert_allclose(responsibilities_of(rows, parameters).sum(axis=1), 1)
    assert np.isfinite(log_densities_of(rows, parameters)).all()
    assert np.isfinite(rows.expectation(parameters, model.scatter).mass).all()


def test_statistics_add_and_move():
    X, _ = mixture(300, 3, 3)
    for covariance_type in TYPES:
        start = random_start(X, 3, covariance_type)
        center = np.zeros(3)
        whole, first, second = (MemoryRows(part, center=center) for part in (X, X[:130], X[130:]))
        model, parameters = parameters_about(whole, covariance_type, start)
        a, b, both = (
            rows.expectation(parameters, model.scatter) for rows in (first, second, whole)
        )
        added = a + b
        assert added.weight == both.weight and added.n_rows == 300
        np.testing.assert_allclose(added.scatter, both.scatter, atol=1e-11)
        moved = both.about(both.reference + 0.5)
        _, resp = reference.e_step(X, *start[:3])
        _, expected_first, scatter = reference.moments(X, resp, start[1] + 0.5, np.ones(300))
        np.testing.assert_allclose(moved.first, expected_first, atol=1e-11)
        expected = expected_scatter(model.scatter, scatter)
        np.testing.assert_allclose(moved.scatter, expected, rtol=1e-11, atol=1e-10)
        with pytest.raises(ValueError, match="same reference"):
            moved + both


@pytest.mark.parametrize("unit", [1e-300, 1e-46, 1e36, 1e300])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_in_any_unit(dtype, unit):
    """Importance weights may be tiny: only their ratios matter to the fit."""
    X, _ = mixture(300, 3, 2)
    w = np.random.default_rng(0).uniform(0.5, 2, len(X))
    start = random_start(X, 2, "full")
    plain, scaled = MemoryRows(X.astype(dtype), w), MemoryRows(X.astype(dtype), w * unit)
    model, parameters = parameters_about(plain, "full", start)
    expected = plain.expectation(parameters, model.scatter)
    found = scaled.expectation(parameters, model.scatter)
    for name in ("log_likelihood", "mass", "first", "scatter"):
        np.testing.assert_allclose(
            getattr(found, name) / unit,
            getattr(expected, name),
            rtol=1e-12 if dtype is np.float64 else 1e-5,
            atol=0 if dtype is np.float64 else 1e-3,
        )


def test_weights_beyond_the_range_of_their_ratio():
    assert np.isfinite(MemoryRows(np.eye(2), np.array([1.0, 1e-308])).log_weight_spread)
