"""Marginal distributions of a mixture: their densities are SciPy's."""

import numpy as np
import pytest
import scipy.stats

from gmmfast.marginals import Mixture

pytestmark = [pytest.mark.quick, pytest.mark.plain]


def test_densities__agree_with_scipy():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 3, 3))
    whole = Mixture(np.array([0.3, 0.7]), rng.normal(size=(2, 3)), roots @ roots.transpose(0, 2, 1))
    points = rng.normal(size=(20, 2))
    for k, found in enumerate(whole.along([2, 0]).densities(points)):
        expected = scipy.stats.multivariate_normal(
            whole.means[k, [2, 0]], whole.covariances[k][np.ix_([2, 0], [2, 0])]
        ).pdf(points)
        np.testing.assert_allclose(found, whole.weights[k] * expected, rtol=1e-10)


def test_densities__of_a_component_without_width_are_zero():
    covariances = np.array([np.zeros((2, 2)), np.eye(2)])
    flat = Mixture(np.array([0.5, 0.5]), np.zeros((2, 2)), covariances)
    found = flat.densities(np.zeros((1, 2)))
    np.testing.assert_allclose(found[:, 0], [0, 0.5 / (2 * np.pi)])


# ------------------------------------------------------------------------------ t components


def tailed(degrees, f=3):
    """Two t components of given degrees of freedom."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, f, f))
    own = np.array([0.3, 0.7]), rng.normal(size=(2, f)), roots @ roots.transpose(0, 2, 1)
    return Mixture(*own, np.array(degrees))


@pytest.mark.parametrize("degrees", [[0.7, 3.0], [30.0, 1000.0]])
def test_tails__densities_agree_with_scipy(degrees):
    """Near the means and far from them, along two features and along one."""
    whole = tailed(degrees)
    points = np.random.default_rng(1).normal(size=(20, 2)) * np.repeat([1.0, 50.0], 10)[:, None]
    for k, found in enumerate(whole.along([2, 0]).densities(points)):
        scale = whole.covariances[k][np.ix_([2, 0], [2, 0])]
        own = scipy.stats.multivariate_t(whole.means[k, [2, 0]], scale, df=degrees[k])
        np.testing.assert_allclose(found, whole.weights[k] * own.pdf(points), rtol=1e-9)
    for k, found in enumerate(whole.along([1]).densities(points[:, :1])):
        place = whole.means[k, 1], np.sqrt(whole.covariances[k, 1, 1])
        own = scipy.stats.t(degrees[k], *place)
        np.testing.assert_allclose(found, whole.weights[k] * own.pdf(points[:, 0]), rtol=1e-9)


def test_tails__with_many_degrees_of_freedom_are_gaussian():
    heavy, points = tailed([1e12, 1e12]), np.random.default_rng(1).normal(size=(20, 3))
    light = Mixture(heavy.weights, heavy.means, heavy.covariances)
    np.testing.assert_allclose(heavy.densities(points), light.densities(points), rtol=1e-6)
    np.testing.assert_allclose(heavy.coverage(2.0), light.coverage(2.0), rtol=1e-6)
    np.testing.assert_allclose(heavy.reaches(0.9), light.reaches(0.9), rtol=1e-6)
    np.testing.assert_array_equal(heavy.deviations, light.deviations)


def test_tails__ellipses_hold_what_an_f_distribution_does():
    """Half the squared distance of two features has an F distribution with 2 and nu degrees."""
    two = tailed([0.7, 4.0], f=2)
    for sigmas in (1.0, 3.0):
        held = scipy.stats.f(2, two.degrees).cdf(sigmas**2 / 2)
        np.testing.assert_allclose(two.coverage(sigmas), held, rtol=1e-10)
        for k in range(2):
            assert two.reaches(held[k])[k] == pytest.approx(sigmas, rel=1e-10)
