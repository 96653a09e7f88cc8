"""Overlap of components: held against SciPy, draws, and the closed form; mixtures made for it."""

import numpy as np
import pytest
import scipy.stats

from gmmfast import GaussianMixture
from gmmfast.analysis import overlap, simulate
from gmmfast.analysis.forms import share_below

pytestmark = [pytest.mark.quick, pytest.mark.plain]


def mixture(K=4, d=3, seed=0, spread=1.5):
    """Components of random weights, means and full covariances."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(K, d, d + 1))
    weights, means = rng.dirichlet(np.full(K, 3.0)), spread * rng.normal(size=(K, d))
    return GaussianMixture.from_parameters(weights, means, roots @ roots.transpose(0, 2, 1))


# ---------------------------------------------------------------------------- quadratic forms


def test_forms__agree_with_chi_squares():
    """``sum (z + m)^2`` is noncentral chi-square."""
    rng = np.random.default_rng(0)
    for d in (1, 2, 5):
        shifts = rng.normal(size=(20, d))
        distances = (shifts**2).sum(axis=1)
        c = distances + d + 3 * rng.normal(size=20)
        found = share_below(np.ones((20, d)), 2 * shifts, c - distances)
        expected = scipy.stats.ncx2(d, distances).cdf(c)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_forms__agree_with_the_normal_distribution_in_one_dimension():
    """``a z^2 + b z <= c`` between the roots or outside, of curvatures from 1e-6 to 1e6."""
    rng = np.random.default_rng(1)
    a = rng.choice([-1, 1], 300) * 10.0 ** rng.uniform(-6, 6, 300)
    b = rng.normal(size=300) * 10.0 ** rng.uniform(-3, 3, 300)
    c = a + rng.normal(size=300) * np.hypot(a, b)
    with np.errstate(invalid="ignore"):
        root = np.sqrt(b**2 + 4 * a * c)
    half = -(b + np.copysign(root, b)) / 2  # no difference of near numbers
    low, high = np.sort([half / a, -c / half], axis=0)
    cdf = scipy.stats.norm.cdf
    inside = np.where(low > 0, cdf(-low) - cdf(-high), cdf(high) - cdf(low))
    expected = np.where(a > 0, inside, cdf(low) + cdf(-high))
    expected = np.where(np.isnan(root), np.where(a > 0, 0.0, 1.0), expected)
    found = share_below(a[:, None], b[:, None], c)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_forms__of_all_shapes_agree_with_a_longer_sum(monkeypatch):
    """Curvatures and slopes of very different sizes: half the step, another path, same digits."""
    rng = np.random.default_rng(2)
    S = np.exp(rng.normal(size=(500, 6)) * rng.choice([1e-8, 1e-3, 0.1, 1, 3], size=(500, 6)))
    m = rng.normal(size=(500, 6)) * rng.choice([0, 1e-6, 0.01, 1, 20], size=(500, 6))
    a, b = (S - 1) * (S + 1), 2 * S * m
    deviations = np.sqrt((2 * a**2 + b**2).sum(axis=1))
    c = a.sum(axis=1) + deviations * rng.normal(size=500) * rng.choice([0, 0.1, 1, 8], size=500)
    found = share_below(a, b, c)
    monkeypatch.setattr("gmmfast.analysis.forms.STEP", 1 / 40)
    monkeypatch.setattr("gmmfast.analysis.forms.BEND", 0.25)
    np.testing.assert_allclose(found, share_below(a, b, c), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(found + share_below(-a, -b, -c), 1, rtol=1e-13)


def test_forms__beyond_all_numbers_are_zero_or_one():
    """``1e8 z^2`` is below -1e9 only by the tiny negative curvature of another term."""
    a, b = np.array([[1e8, -1e-8], [1e8, 1e-8], [-1e8, 1e-8]]), np.zeros((3, 2))
    np.testing.assert_array_equal(share_below(a, b, np.array([-1e9, -1e9, 1e9])), [0, 0, 1])


# ------------------------------------------------------------------------------------ overlap


def test_overlap__agrees_with_draws():
    own = mixture()
    found, rng, n = overlap(own).probabilities, np.random.default_rng(0), 100_000
    densities = [
        scipy.stats.multivariate_normal(mean, covariance)
        for mean, covariance in zip(own.means_, own.covariances_, strict=True)
    ]
    for i, mean in enumerate(own.means_):
        rows = rng.multivariate_normal(mean, own.covariances_[i], size=n)
        logs = np.stack([p.logpdf(rows) for p in densities]) + np.log(own.weights_)[:, None]
        shares = (logs > logs[i]).mean(axis=1)
        errors = np.sqrt(found[i] * (1 - found[i]) / n) + 1e-6
        assert (abs(shares - found[i])[np.arange(4) != i] < 4 * errors[np.arange(4) != i]).all()


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_overlap__of_equal_covariances_has_a_closed_form(covariance_type):
    rng = np.random.default_rng(3)
    root = rng.normal(size=(3, 4))
    common = root @ root.T
    if covariance_type in ("diag", "spherical"):
        common = np.diag(np.diag(common) if covariance_type == "diag" else np.full(3, 2.0))
    given = {
        "full": [common] * 3, "tied": common, "diag": [np.diag(common)] * 3, "spherical": [2.0] * 3,
    }[covariance_type]  # fmt: skip
    weights, means = [0.2, 0.3, 0.5], rng.normal(size=(3, 3))
    own = GaussianMixture.from_parameters(weights, means, given, covariance_type=covariance_type)
    found = overlap(own)
    for i in range(3):
        for j in range(3):
            between = means[i] - means[j]
            D = np.sqrt(between @ np.linalg.solve(common, between))
            z = np.log(weights[j] / weights[i]) / D - D / 2 if i != j else np.inf
            expected = scipy.stats.norm.cdf(z)
            np.testing.assert_allclose(found.probabilities[i, j], expected, rtol=1e-11)


def test_overlap__keeps_the_digits_of_small_probabilities():
    """Of spherical components: rows of N(m, 4 I) are likelier under N(0, I) within a disk.

    ``|x|^2 / 2 < |x - m|^2 / 8 + log 4`` is ``|x + m / 3|^2 < 4 |m|^2 / 9 + 8 log(4) / 3``.
    """
    means = [[0.0, 0.0], [30.0, 0.0]]
    own = GaussianMixture.from_parameters(
        [0.5, 0.5], means, [1.0, 4.0], covariance_type="spherical"
    )
    square = 4 * 30.0**2 / 9 + 8 * np.log(4) / 3
    expected = scipy.stats.ncx2(2, 40.0**2 / 4).cdf(square / 4)
    assert 0 < expected < 1e-20
    np.testing.assert_allclose(overlap(own).probabilities[1, 0], expected, rtol=1e-9)


def test_overlap__is_that_of_whitened_features_and_sums_up():
    own, change = mixture(), np.array([[2.0, 0.3, 0.0], [0.0, 1e-3, 0.0], [0.0, 0.0, 1e4]])
    covariances = change @ own.covariances_ @ change.T
    other = GaussianMixture.from_parameters(own.weights_, own.means_ @ change.T, covariances)
    found = overlap(own)
    np.testing.assert_allclose(overlap(other).probabilities, found.probabilities, rtol=1e-8)
    np.testing.assert_allclose(found.pairs, found.pairs.T)
    off = found.pairs[~np.eye(4, dtype=bool)]
    assert found.average == pytest.approx(off.mean()) and found.maximum == off.max()
    assert (np.diag(found.pairs) == 1).all() and (np.diag(found.probabilities) == 1).all()


def test_overlap__of_equal_components_and_of_one():
    same = GaussianMixture.from_parameters([0.5, 0.5], [[1.0]] * 2, [[[3.0]]] * 2)
    np.testing.assert_array_equal(overlap(same).probabilities, [[1, 0.5], [0.5, 1]])
    heavier = GaussianMixture.from_parameters([0.6, 0.4], [[1.0]] * 2, [[[3.0]]] * 2)
    np.testing.assert_array_equal(overlap(heavier).probabilities, [[1, 0], [1, 1]])
    empty = GaussianMixture.from_parameters([1.0, 0.0], [[1.0], [0.0]], [[[3.0]], [[1.0]]])
    np.testing.assert_array_equal(overlap(empty).probabilities, [[1, 0], [1, 1]])
    one = overlap(GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]]))
    assert one.average == one.maximum == 0


def test_overlap__refuses_t_components():
    tailed = GaussianMixture.from_parameters(
        [1.0], [[0.0]], [[[1.0]]], component="t", degrees_of_freedom=3.0
    )
    with pytest.raises(ValueError, match="overlap needs Gaussian components"):
        overlap(tailed)


# ----------------------------------------------------------------------------------- simulate


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_simulate__has_the_overlap(covariance_type):
    kind = {"covariance_type": covariance_type, "random_state": 1}
    made = simulate(4, 3, average_overlap=0.02, **kind)
    assert made.covariance_type == covariance_type
    assert overlap(made).average == pytest.approx(0.02, rel=1e-6)
    made = simulate(3, 2, max_overlap=0.2, min_weight=0.1, eccentricity=0.5, **kind)
    assert overlap(made).maximum == pytest.approx(0.2, rel=1e-6)
    assert made.weights_.min() >= 0.1 and len({*made.weights_}) == 3
    values = np.linalg.eigvalsh(made._components().covariances)
    assert (np.sqrt(1 - values[:, 0] / values[:, -1]) <= 0.5 + 1e-9).all()


def test_simulate__is_repeatable_and_samples():
    a, b = (simulate(3, 2, average_overlap=1e-3, random_state=5) for _ in range(2))
    np.testing.assert_array_equal(a.means_, b.means_)
    X, y = a.sample(2000)
    assert (a.predict(X) != y).mean() < 0.01
    means = simulate(3, 2, average_overlap=1e-3, random_state=np.random.default_rng(0)).means_
    assert ((means >= 0) & (means <= 1)).all()


@pytest.mark.parametrize(
    ("sentence", "params"),
    [
        ("either average_overlap or max_overlap", {}),
        ("either average_overlap or max_overlap", {"average_overlap": 0.1, "max_overlap": 0.2}),
        ("float in the range \\(0.0, 1.0\\) or None", {"average_overlap": 1.0}),
        ("must be at most 1 / n_components = 0.25", {"max_overlap": 0.1, "min_weight": 0.3}),
        ("'covariance_type' parameter", {"max_overlap": 0.1, "covariance_type": "VVV"}),
        ("None of 100 draws", {"average_overlap": 0.999, "min_weight": 0.01}),
    ],
)
def test_simulate__refuses(sentence, params):
    with pytest.raises(ValueError, match=sentence):
        simulate(4, 2, random_state=0, **params)
