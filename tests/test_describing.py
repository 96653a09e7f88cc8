"""Dense regions, quantiles and uncertainty of a mixture, held against SciPy."""

import numpy as np
import pytest
import scipy.stats

from gmmfast import GaussianMixture, chunks
from gmmfast.cumulative import chi_square_cdf, inverse, normal_cdf, t_cdf

pytestmark = [pytest.mark.quick, pytest.mark.plain]

WEIGHTS, MEANS, VARIANCES = np.array([0.2, 0.5, 0.3]), [[-4.0], [0.0], [1.0]], [0.5, 2.0, 1e-6]


def line(**params):
    """A mixture of one feature, with one very narrow component."""
    return GaussianMixture.from_parameters(
        WEIGHTS, MEANS, np.reshape(VARIANCES, (3, 1, 1)), **params
    )


def expected_cdf(x, degrees=None):
    places = zip(WEIGHTS, np.ravel(MEANS), np.sqrt(VARIANCES), strict=True)
    kind = scipy.stats.norm if degrees is None else scipy.stats.t(degrees)
    return sum(w * kind.cdf((x - m) / s) for w, m, s in places)


# --------------------------------------------------------------------- distribution functions


@pytest.mark.parametrize("degrees", [0.3, 1.0, 3.7, 30.0, 2.5e4, 1e7])
def test_t_cdf__agrees_with_scipy(degrees):
    z = np.concatenate([np.linspace(-8, 8, 101), [-1e100, -1e3, 1e5, -np.inf, np.inf]])
    np.testing.assert_allclose(t_cdf(z, degrees), scipy.stats.t(degrees).cdf(z), atol=2e-13)


@pytest.mark.parametrize("d", [1, 2, 3, 50])
def test_chi_square_cdf__agrees_with_scipy(d):
    x = np.array([0.0, 0.1, 1.0, d, 3 * d, 2000.0])
    np.testing.assert_allclose(chi_square_cdf(x, d), scipy.stats.chi2(d).cdf(x), atol=1e-14)


def test_inverse__finds_far_quantiles():
    q = np.array([1e-300, 1e-10, 0.3, 0.999])
    np.testing.assert_allclose(
        inverse(normal_cdf, q, 5.0, 1.0), scipy.stats.norm.ppf(q), rtol=1e-13
    )


# --------------------------------------------------------------------------- cdf and quantile


@pytest.mark.parametrize("degrees", [None, 2.5])
def test_cdf__agrees_with_scipy(degrees):
    params = {} if degrees is None else {"component": "t", "degrees_of_freedom": degrees}
    own, x = line(**params), np.linspace(-12, 12, 97).reshape(1, 97)
    np.testing.assert_allclose(own.cdf(x), expected_cdf(x, degrees), atol=1e-13)
    assert own.cdf(-np.inf) == 0 and own.cdf(np.inf) == 1 and isinstance(own.cdf(0), float)


@pytest.mark.parametrize("degrees", [None, 2.5])
def test_quantile__is_the_inverse_of_cdf(degrees):
    params = {} if degrees is None else {"component": "t", "degrees_of_freedom": degrees}
    own, q = line(**params), np.array([[1e-12, 0.01, 0.2], [0.7, 0.9, 0.9999]])
    np.testing.assert_allclose(own.cdf(own.quantile(q)), q, rtol=1e-9, atol=1e-13)
    assert own.quantile(np.nextafter(1.0, 0.0)) > 5
    assert own.quantile([0.0, 1.0]).tolist() == [-np.inf, np.inf]
    assert isinstance(own.quantile(0.5), float)
    narrow = own.quantile(0.7)  # within the component of deviation 0.001
    assert abs(narrow - 1) < 0.01 and own.cdf(narrow) == pytest.approx(0.7, abs=1e-11)


def test_cdf__of_noise_is_uniform():
    own = line()
    vars(own).update(weights_=0.8 * WEIGHTS, noise_weight_=0.2, noise_volume_=40.0)
    with pytest.raises(ValueError, match="interval of the noise is not known"):
        own.cdf(0.0)
    own.noise_box_ = np.array([[20.0], [-40.0]])  # a corner, and an edge to the left
    x = np.array([-30.0, -10.0, 0.5, 30.0])
    expected = 0.8 * expected_cdf(x) + 0.2 * np.array([0, 0.25, 0.5125, 1])
    np.testing.assert_allclose(own.cdf(x), expected, atol=1e-14)


def test_cdf__refuses():
    several = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [np.eye(2)])
    for method in ("cdf", "quantile"):
        with pytest.raises(ValueError, match=f"{method} needs a mixture of one feature; got 2"):
            getattr(several, method)(0.5)
        with pytest.raises(ValueError, match="not fitted"):
            getattr(GaussianMixture(), method)(0.5)
    for q in (-0.1, 1.1, np.nan, [0.5, 2.0]):
        with pytest.raises(ValueError, match="q must lie between 0 and 1"):
            line().quantile(q)


@pytest.mark.parametrize("method", ["cdf", "quantile", "highest_density_level"])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("a", "could not convert string to float: 'a'. {} must hold numbers; got 'a'"),
        ([0.5, "a"], "{} must hold numbers; got .*'a'.* in row 1"),
        ([[0.5], [0.5, 0.5]], "{} must be an array of numbers, with rows of one length"),
        (None, "{} must be an array or a frame of numbers; got None"),
        (1j, "Complex data not supported"),
    ],
)
def test_numbers__are_required(method, given, sentence):
    name = {"cdf": "x", "quantile": "q", "highest_density_level": "mass"}[method]
    with pytest.raises(ValueError, match=sentence.format(name)):
        getattr(line(), method)(given)


# ------------------------------------------------------------------------------- dense regions


@pytest.mark.parametrize("d", [1, 2, 5])
def test_level__of_one_gaussian_is_exact(d):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(d, d + 1))
    own = GaussianMixture.from_parameters([1.0], rng.normal(size=(1, d)), [root @ root.T])
    mass = np.array([1e-6, 0.5, 0.99])
    squares = scipy.stats.chi2(d).ppf(mass)
    peak = own.score_samples(own.means_)[0]
    np.testing.assert_allclose(own.highest_density_level(mass), peak - squares / 2, rtol=1e-9)
    assert isinstance(own.highest_density_level(0.5), float)


def test_level__holds_its_mass():
    """Within four standard errors of the level and of the rows that are counted."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(3, 2), scale=3)
    own = GaussianMixture.from_parameters(
        WEIGHTS, means, [np.eye(2)] * 3, random_state=1, feature_names=["a", "b"]
    )
    mass = np.array([0.1, 0.5, 0.95])
    levels = own.highest_density_level(mass)
    plain = GaussianMixture.from_parameters(WEIGHTS, means, [np.eye(2)] * 3)
    log_density = plain.score_samples(own.sample(100_000)[0])
    held = (log_density[:, None] >= levels).mean(axis=0)
    assert (abs(held - mass) < 4 * np.sqrt(2 * mass * (1 - mass) / 1e5)).all()
    assert (np.diff(levels) < 0).all()
    np.testing.assert_array_equal(own.highest_density_level(mass), levels)
    other = own.highest_density_level(0.5, n_samples=1000, random_state=3)
    assert other != levels[1] and other == pytest.approx(levels[1], abs=0.2)


@pytest.mark.parametrize("mass", [0.0, 1.0, np.nan, [0.5, -1.0]])
def test_level__refuses(mass):
    with pytest.raises(ValueError, match="mass must lie between 0 and 1, both excluded"):
        line().highest_density_level(mass)


# --------------------------------------------------------------------------------- uncertainty


def test_uncertainty__is_one_minus_the_largest_probability():
    own, x = line(), np.linspace(-6, 6, 41)[:, None]
    found = own.uncertainty(x)
    np.testing.assert_allclose(found, 1 - own.predict_proba(x).max(axis=1), atol=1e-15)
    np.testing.assert_allclose(np.concatenate([*own.uncertainty(chunks([x[:9], x[9:]]))]), found)
    assert 0 < own.uncertainty([[-20.0]])[0] < 1e-50  # where 1 - p is zero
    assert own.uncertainty(x.astype(np.float32)).dtype == np.float32
    one = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    assert one.uncertainty(x).tolist() == [0.0] * 41
