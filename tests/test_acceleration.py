"""Accelerated fits: the same fixed points, in fewer passes, no step short of EM's."""

import numpy as np
import pytest
from data import TYPES, mixture, random_start

from gmmfast import GaussianMixture, em
from gmmfast.acceleration import AndersonSteps, expected
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

OVERLAPPING = mixture(2000, 3, 3, separation=1.2, seed=5)[0] * [1.0, 0.5, 2.0]


def begun(covariance_type, X=OVERLAPPING, K=3, reg_covar=0.0):
    """Rows, model and parameters of a start."""
    init = random_start(X, K, covariance_type, seed=3)[3]
    rows, model = MemoryRows(X), MODELS[covariance_type](reg_covar)
    fitted = GaussianMixture(K, covariance_type=covariance_type, max_iter=0, **init).fit(X)
    parameters = fitted._parameters(rows.centre)
    return rows.arranged_for(parameters), model, parameters


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_coordinates_describe_the_mixture(covariance_type):
    _, model, parameters = begun(covariance_type, OVERLAPPING[:300])
    again = model.at(model.coordinates(parameters), parameters)
    for name in ("weights", "means", "covariances", "factors", "log_dets"):
        np.testing.assert_allclose(
            getattr(again, name), getattr(parameters, name), rtol=1e-10, atol=1e-12
        )


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_any_coordinates_are_a_mixture(covariance_type):
    _, model, parameters = begun(covariance_type, OVERLAPPING[:300])
    coordinates = model.coordinates(parameters)
    wild = coordinates + np.random.default_rng(0).normal(size=coordinates.size)
    drawn = model.at(wild, parameters)
    assert np.all(drawn.weights > 0) and drawn.weights.sum() == pytest.approx(1)
    matrices = model.matrices(drawn.covariances, *drawn.means.shape)
    assert np.all(np.linalg.eigvalsh(matrices) > 0)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_expected_complete_log_likelihood(covariance_type):
    """Its M step is the largest of all; what EM gains lies between its rise and twice that."""
    rows, model, parameters = begun(covariance_type, OVERLAPPING[:300])
    for _ in range(30):
        before = rows.expectation(parameters, model.scatter)
        stepped = model.maximization(before, parameters)
        rise = expected(stepped, before) - expected(parameters, before)
        after = rows.expectation(stepped, model.scatter)
        gain = (after.log_likelihood - before.log_likelihood) / before.weight
        parameters = stepped
    assert 0 < rise <= gain <= 2 * rise


@pytest.mark.parametrize("covariance_type", TYPES)
def test_same_fixed_point_in_fewer_passes(covariance_type):
    rows, model, parameters = begun(covariance_type)
    fits = {
        name: em.run(rows, parameters, model, em.Control(1e-11, 20_000, name))
        for name in ("none", "auto")
    }
    assert all(fit.status is em.Status.CONVERGED for fit in fits.values())
    plain, accelerated = fits["none"], fits["auto"]
    assert abs(plain.lower_bound - accelerated.lower_bound) < 1e-7
    np.testing.assert_allclose(
        accelerated.parameters.means, plain.parameters.means, rtol=0, atol=1e-2
    )
    assert 2 * len(accelerated.lower_bounds) < len(plain.lower_bounds)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_no_leap_ends_below_the_plain_step(covariance_type):
    rows, model, parameters = begun(covariance_type)
    steps, leaps = AndersonSteps(model, -np.inf, 1e-11), 0
    for _ in range(300):
        statistics = rows.expectation(parameters, model.scatter)
        plain = model.maximization(statistics, parameters)
        at_plain = rows.expectation(plain, model.scatter)
        came_from, parameters = parameters, steps.take(parameters, statistics)
        here = rows.expectation(parameters, model.scatter)
        refused = here.log_likelihood / here.weight < steps._required
        if parameters is not came_from and steps._fallback is not None and not refused:
            leaps += 1
            assert here.log_likelihood >= at_plain.log_likelihood - 1e-9 * here.weight
    assert leaps > 3


def test_what_is_refused_costs_a_pass_and_no_more():
    """Lower bounds of an accelerated fit never fall."""
    rows, model, parameters = begun("full")
    bounds = em.run(rows, parameters, model, em.Control(1e-12, 5000, "auto")).lower_bounds
    assert np.diff(bounds).min() >= -1e-12


def test_stops_on_the_gain_of_a_plain_step():
    X = OVERLAPPING
    fitted = GaussianMixture(4, tol=1e-6, max_iter=1000, acceleration="auto", random_state=0)
    fitted.fit(X)
    assert fitted.converged_
    again = GaussianMixture(
        4,
        weights_init=fitted.weights_,
        means_init=fitted.means_,
        precisions_init=fitted.precisions_,
        tol=0,
        max_iter=2,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        again.fit(X)
    assert 0 <= again.lower_bounds_[1] - again.lower_bounds_[0] < 1e-6


@pytest.mark.parametrize("covariance_type", TYPES)
def test_components_that_empty_stay_empty(covariance_type):
    X = np.concatenate([OVERLAPPING, [[1e4, 1e4, 1e4]]])
    weights = np.array([0.5, 0.5, 0.0])
    rows, model = MemoryRows(X), MODELS[covariance_type](1e-6)
    _, _, parameters = begun(covariance_type, X, 3, 1e-6)
    parameters = model.parameters(weights, parameters.means, parameters.covariances)
    found = em.run(rows, parameters, model, em.Control(1e-9, 500, "auto")).parameters
    assert found.weights[2] == 0
    assert np.all(np.isfinite(found.means)) and np.all(np.isfinite(found.covariances))


def test_one_component_has_nothing_to_extrapolate():
    fitted = GaussianMixture(1, acceleration="auto").fit(OVERLAPPING)
    assert fitted.n_iter_ == 2 and fitted.converged_


def test_unknown_acceleration():
    with pytest.raises(ValueError, match="acceleration"):
        GaussianMixture(2, acceleration="fast").fit(OVERLAPPING)
