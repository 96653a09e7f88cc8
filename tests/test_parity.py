"""From a given start: scikit-learn's iterates; off-center, those of extended precision."""

import extended
import numpy as np
import pytest
import reference
from data import TYPES, mixture, random_start
from sklearn.datasets import load_iris, load_wine
from sklearn.mixture import GaussianMixture as SklearnMixture

from gmmfast import GaussianMixture

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

ATTRIBUTES = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


def standardized(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def cases():
    yield "iris", standardized(load_iris().data), 3
    yield "wine", standardized(load_wine().data), 3
    for n, d, K, separation in (
        (333, 1, 3, 2.0),
        (2000, 2, 5, 1.0),
        (3000, 7, 4, 2.0),
        (1000, 16, 6, 1.5),
        (1500, 33, 3, 1.0),
    ):
        yield f"{n} x {d} x {K}", mixture(n, d, K, separation)[0], K


CASES = {name: (X, K) for name, X, K in cases()}


def both(name, covariance_type, **params):
    X, K = CASES[name]
    init = random_start(X, K, covariance_type, seed=1)[3]
    params = {"covariance_type": covariance_type, "n_components": K, **init, **params}
    return X, SklearnMixture(**params).fit(X), GaussianMixture(**params).fit(X)


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("name", CASES)
def test_lower_bounds_over_fifty_iterations(name, covariance_type):
    X, theirs, ours = both(name, covariance_type, tol=0, max_iter=50)
    assert theirs.weights_.min() > 1e-6, "a component emptied: not a case of parity"
    bounds = np.array(theirs.lower_bounds_)
    difference = np.abs(bounds - ours.lower_bounds_)
    assert (difference <= 1e-10 * np.maximum(1, np.abs(bounds))).all()
    for attribute in ATTRIBUTES:
        a, b = getattr(theirs, attribute), getattr(ours, attribute)
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-9 * np.abs(a).max())


@pytest.mark.parametrize("tol", [1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("name", ["iris", "3000 x 7 x 4", "1000 x 16 x 6"])
def test_same_iterations_and_bound(name, covariance_type, tol):
    X, theirs, ours = both(name, covariance_type, tol=tol, max_iter=1000)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    assert abs(ours.lower_bound_ - theirs.lower_bound_) < 1e-10 * max(1, abs(theirs.lower_bound_))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_predictions(covariance_type):
    X, theirs, ours = both("2000 x 2 x 5", covariance_type, max_iter=20)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-10)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-10)
    for criterion in ("score", "bic", "aic"):
        a, b = getattr(theirs, criterion)(X), getattr(ours, criterion)(X)
        assert abs(a - b) <= 1e-10 * abs(a)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_against_plain_numpy(covariance_type):
    X, _ = mixture(150, 3, 2, seed=8)
    weights, means, covariances, init = random_start(X, 2, covariance_type)
    ours = GaussianMixture(2, covariance_type=covariance_type, tol=0, max_iter=3, **init).fit(X)
    bounds, w, m, c = reference.em(X, weights, means, covariances, covariance_type, 3, 1e-6)
    np.testing.assert_allclose(ours.lower_bounds_, bounds, rtol=1e-12)
    np.testing.assert_allclose(ours.weights_, w, rtol=1e-11)
    np.testing.assert_allclose(ours.means_, m, atol=1e-11)
    matrices = ours.covariances_ if covariance_type != "tied" else [ours.covariances_] * 2
    np.testing.assert_allclose(reference.full_covariances(matrices, 2, 3), c, atol=1e-11)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_off_center_against_extended_precision(covariance_type, offset):
    """Rows far from the origin cost no digits beyond those that float64 rows have lost.

    Rows at 1e8 are known to 1.5e-8 of a standard deviation, but exactly so to both sides; what
    may differ is the rounding of the center and of the means.
    """
    X = mixture(400, 3, 3, separation=2.0, seed=2)[0] + offset
    weights, means, covariances, init = random_start(X, 3, covariance_type, seed=2)
    ours = GaussianMixture(3, covariance_type=covariance_type, tol=0, max_iter=20, **init).fit(X)
    bounds, w, m, _ = extended.em(X, weights, means, covariances, covariance_type, 20, 1e-6)
    precision = max(1e-11, 1e-16 * offset)
    np.testing.assert_allclose(ours.lower_bounds_, np.array(bounds, float), rtol=precision)
    np.testing.assert_allclose(ours.weights_, w.astype(float), rtol=100 * precision)
    np.testing.assert_allclose(ours.means_, m.astype(float), rtol=1e-15, atol=100 * precision)


def test_components_a_million_deviations_apart():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    X = rng.normal(size=(600, 2)) + 1e6 * labels[:, None]
    means = np.stack([X[labels == k][0] for k in range(3)])
    for covariance_type in TYPES:
        weights, _, covariances, _ = random_start(np.zeros((600, 2)) + 1, 3, covariance_type)
        covariances[:] = np.eye(2)
        precisions = {"full": covariances, "tied": np.eye(2), "diag": np.ones((3, 2))}
        ours = GaussianMixture(
            3, covariance_type=covariance_type, tol=0, max_iter=10, weights_init=weights,
            means_init=means, precisions_init=precisions.get(covariance_type, np.ones(3)),
        ).fit(X)  # fmt: skip
        bounds, *_ = extended.em(X, weights, means, covariances, covariance_type, 10, 1e-6)
        np.testing.assert_allclose(ours.lower_bounds_, np.array(bounds, float), rtol=1e-10)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_float32(covariance_type):
    """Computed in float32, summed in float64: within 1e-5 of the float64 reference."""
    X, _ = mixture(3000, 5, 4, seed=4)
    X = X.astype(np.float32)
    weights, means, covariances, init = random_start(X.astype(float), 4, covariance_type, seed=4)
    ours = GaussianMixture(4, covariance_type=covariance_type, tol=0, max_iter=15, **init).fit(X)
    bounds, w, m, c = reference.em(
        X.astype(float), weights, means, covariances, covariance_type, 15, 1e-6
    )
    for attribute in ATTRIBUTES:
        assert getattr(ours, attribute).dtype == np.float32
    assert ours.predict_proba(X).dtype == np.float32
    np.testing.assert_allclose(ours.lower_bounds_, bounds, rtol=1e-5)
    np.testing.assert_allclose(ours.weights_, w, rtol=1e-5)
    np.testing.assert_allclose(ours.means_, m, atol=1e-5 * np.abs(m).max())


def test_float32_variance_does_not_cancel():
    """scikit-learn's spherical variance of these rows is negative."""
    X = np.array([[9999], [0]], np.float32)
    ours = GaussianMixture(1, covariance_type="spherical").fit(X)
    np.testing.assert_allclose(ours.covariances_, [4999.5**2], rtol=1e-6)


@pytest.mark.parametrize("exponent", [-100, -30, 30, 100])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_scales(covariance_type, exponent):
    X, _ = mixture(200, 3, 2, seed=9)
    init = random_start(X, 2, covariance_type)[3]
    scale = 2.0 ** round(exponent * np.log2(10))  # a power of two: scaling rounds nothing
    kwargs = {"covariance_type": covariance_type, "reg_covar": 0, "tol": 0, "max_iter": 5}
    plain = GaussianMixture(2, **kwargs, **init).fit(X)
    init["means_init"] = init["means_init"] * scale
    init["precisions_init"] = init["precisions_init"] / scale**2
    scaled = GaussianMixture(2, **kwargs, **init).fit(X * scale)
    np.testing.assert_allclose(scaled.means_ / scale, plain.means_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(scaled.covariances_ / scale**2, plain.covariances_, rtol=1e-9)
    np.testing.assert_array_equal(scaled.predict(X * scale), plain.predict(X))
