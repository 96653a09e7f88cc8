"""Comparing mixtures and making them smaller: divergences and Runnalls' reduction."""

import numpy as np
import pytest
import scipy.stats

from gmmfast import GaussianMixture
from gmmfast.analysis import kl_divergence, reduce
from gmmfast.analysis.divergence import _between_components

pytestmark = [pytest.mark.quick, pytest.mark.plain]


def mixture(K=4, d=2, seed=0, **params):
    """Components of random weights, means and full covariances."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(K, d, d + 1))
    weights, means = rng.dirichlet(np.full(K, 3.0)), 2 * rng.normal(size=(K, d))
    covariances = roots @ roots.transpose(0, 2, 1)
    return GaussianMixture.from_parameters(weights, means, covariances, **params)


def densities(own, points):
    """Density of a mixture at points (m, d), by SciPy."""
    parts = zip(own.weights_, own.means_, own.covariances_, strict=True)
    return sum(w * scipy.stats.multivariate_normal(m, c).pdf(points) for w, m, c in parts)


# --------------------------------------------------------------------------------- divergence


def test_divergence__between_components_is_the_closed_form():
    a, b = mixture(3, 3, 0), mixture(2, 3, 1)
    found = _between_components(a._components(), b._components())
    for i in range(3):
        for j in range(2):
            inverse, between = np.linalg.inv(b.covariances_[j]), a.means_[i] - b.means_[j]
            product = inverse @ a.covariances_[i]
            expected = np.trace(product) + between @ inverse @ between - 3
            expected -= np.log(np.linalg.det(product))
            np.testing.assert_allclose(found[i, j], expected / 2, rtol=1e-10)


def test_divergence__agrees_with_a_fine_grid():
    a, b = mixture(3, 1, 0), mixture(4, 1, 3)
    x, step = np.linspace(-60, 60, 200_001, retstep=True)
    p, q = densities(a, x[:, None]), densities(b, x[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(p > 0, p * np.log(p / q), 0.0).sum() * step
    found = kl_divergence(a, b, random_state=0)
    assert 0 < found.standard_error < 0.02
    assert abs(found.value - expected) < 4 * found.standard_error
    assert found.upper_bound >= expected - 1e-9
    pairs = _between_components(a._components(), b._components())
    assert found.upper_bound <= a.weights_ @ pairs @ b.weights_  # the bound of convexity
    smaller, larger = (kl_divergence(a, b, n_samples=n, random_state=0) for n in (1000, 100_000))
    assert smaller.standard_error == pytest.approx(10 * larger.standard_error, rel=0.3)


def test_divergence__of_one_component_is_exact_and_of_itself_zero():
    a, b = mixture(1, 2, 0), mixture(1, 2, 1)
    expected = _between_components(a._components(), b._components())[0, 0]
    found = kl_divergence(a, b, n_samples=100, random_state=0)
    assert found.variational == pytest.approx(expected, rel=1e-12)
    assert found.upper_bound == pytest.approx(expected, rel=1e-12)
    own = mixture()
    same = kl_divergence(own, own, n_samples=100)
    assert (same.value, same.standard_error) == (0, 0) and abs(same.variational) < 1e-12
    assert 0 <= same.upper_bound < 1e-3  # matched parts, which the turns approach


def test_divergence__of_components_far_apart_is_that_of_weights():
    """Variational approximation and bound agree with ``sum pi log(pi / omega)``."""
    means, covariances = [[0.0, 0.0], [80.0, 0.0]], [np.eye(2)] * 2
    a, b = (
        GaussianMixture.from_parameters(w, means, covariances) for w in ([0.5, 0.5], [0.2, 0.8])
    )
    expected = 0.5 * np.log(0.5 / 0.2) + 0.5 * np.log(0.5 / 0.8)
    found = kl_divergence(a, b, random_state=0)
    np.testing.assert_allclose([found.variational, found.upper_bound], expected, rtol=1e-9)


def test_divergence__of_t_components_is_drawn():
    params = {"component": "t", "degrees_of_freedom": 5.0}
    a, b = mixture(1, 1, **params), mixture(1, 1, 1, **params)
    places = [(own.means_[0, 0], np.sqrt(own.covariances_[0, 0, 0])) for own in (a, b)]
    x, step = np.linspace(-3000, 3000, 1_000_001, retstep=True)
    p, q = (scipy.stats.t(5.0, *place).logpdf(x) for place in places)
    found = kl_divergence(a, b, random_state=1)
    assert abs(found.value - (np.exp(p) * (p - q)).sum() * step) < 4 * found.standard_error
    assert np.isnan(found.variational) and np.isnan(found.upper_bound)


def test_divergence__of_empty_components_and_names():
    a, b = mixture(1), mixture(1, feature_names=["u", "v"])
    empty = GaussianMixture.from_parameters(
        [1.0, 0.0], [*b.means_, [0.0, 0.0]], [*b.covariances_, np.eye(2)], feature_names=["u", "v"]
    )
    found = kl_divergence(b, empty, n_samples=100)
    np.testing.assert_allclose([found.value, found.variational, found.upper_bound], 0, atol=1e-12)
    assert kl_divergence(a, empty, n_samples=100).value == pytest.approx(0, abs=1e-12)


def test_divergence__refuses():
    own = mixture()
    with pytest.raises(ValueError, match="same features; got 2 and 3 features"):
        kl_divergence(own, mixture(2, 3))
    with pytest.raises(ValueError, match=r"same features; got \['a', 'b'\] and \['b', 'a'\]"):
        kl_divergence(mixture(feature_names=["a", "b"]), mixture(feature_names=["b", "a"]))
    for n_samples in (0, 1):
        with pytest.raises(ValueError, match=r"'n_samples' .* kl_divergence .* range \[2, .* Got"):
            kl_divergence(own, own, n_samples=n_samples)
    noisy = mixture()
    vars(noisy).update(noise_weight_=0.1, noise_volume_=1.0)
    for pair in ((noisy, own), (own, noisy)):
        with pytest.raises(ValueError, match="kl_divergence needs a mixture without noise"):
            kl_divergence(*pair)
    with pytest.raises(ValueError, match="reduce needs a mixture without noise"):
        reduce(noisy, 1)


# ---------------------------------------------------------------------------------- reduction


def moments(own):
    """Mean and covariance of a mixture."""
    mean = own.weights_ @ own.means_
    about = own.means_ - mean
    inside = np.einsum("k,kij->ij", own.weights_, own.covariances_)
    return mean, inside + np.einsum("k,ki,kj->ij", own.weights_, about, about)


def reference(own, n):
    """Runnalls' greedy algorithm, all pairs in each step."""
    parts = [*zip(own.weights_, own.means_, own.covariances_, strict=True)]
    while len(parts) > n:
        tried = []
        for i, (v, m, P) in enumerate(parts):
            for j, (w, k, Q) in enumerate(parts[:i]):
                between = np.outer(m - k, m - k)
                R = (v * P + w * Q) / (v + w) + v * w / (v + w) ** 2 * between
                logs = [np.log(np.linalg.det(each)) for each in (R, P, Q)]
                cost = ((v + w) * logs[0] - v * logs[1] - w * logs[2]) / 2
                tried.append((cost, j, i, (v + w, (v * m + w * k) / (v + w), R)))
        _, j, i, merged = min(tried, key=lambda each: each[0])
        parts[j] = merged
        del parts[i]
    return [np.array(each) for each in zip(*parts, strict=True)]


@pytest.mark.parametrize("n", [1, 3, 6])
def test_reduce__agrees_with_all_pairs_and_keeps_the_moments(n):
    own = mixture(6, 3, 2)
    found, (weights, means, covariances) = reduce(own, n), reference(own, n)
    np.testing.assert_allclose(found.weights_, weights, rtol=1e-12)
    np.testing.assert_allclose(found.means_, means, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.covariances_, covariances, rtol=1e-12, atol=1e-13)
    for ours, whole in zip(moments(found), moments(own), strict=True):
        np.testing.assert_allclose(ours, whole, rtol=1e-12, atol=1e-13)


def test_reduce__joins_copies_first_and_keeps_names():
    """Splitting components in two costs nothing to undo; empty components go first."""
    own = mixture(3, 2)
    twice = [np.repeat(each, 2, axis=0) for each in (own.means_, own.covariances_)]
    weights = np.outer(own.weights_, [0.25, 0.75]).ravel()
    twice = [np.append(each, each[:1], axis=0) for each in (weights, *twice)]
    twice[0][-1] = 0
    split = GaussianMixture.from_parameters(*twice, feature_names=["a", "b"])
    found = reduce(split, 3)
    np.testing.assert_allclose(found.means_, own.means_, rtol=1e-12)
    np.testing.assert_allclose(found.weights_, own.weights_, rtol=1e-12)
    assert found.feature_names_in_.tolist() == ["a", "b"]
    assert len(reduce(split, 7).weights_) == 6


def test_reduce__refuses():
    with pytest.raises(ValueError, match=r"an int in the range \[1, 4\]"):
        reduce(mixture(), 5)
    with pytest.raises(ValueError, match="reduce needs Gaussian components"):
        reduce(mixture(component="t", degrees_of_freedom=3.0), 1)
