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
