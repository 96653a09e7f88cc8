"""Accelerated fits: the same fixed points, in fewer passes, no step short of EM's."""

import numpy as np
import pytest
from data import TYPES, interpreted, mixture, random_start

from gmmfast import GaussianMixture, em
from gmmfast.em.state import reached_by_em, views_of_leap
from gmmfast.kernels import statistics
from gmmfast.kernels.compiling import entry_kernel
from gmmfast.kernels.maximization import Totals
from gmmfast.models import MODELS
from gmmfast.models.step import load_mixture, load_totals, new_state, new_totals, new_work
from gmmfast.rows import MemoryRows

OVERLAPPING = mixture(2000, 3, 3, separation=1.2, seed=5)[0] * [1.0, 0.5, 2.0]


def begun(covariance_type, X=OVERLAPPING, K=3, reg_covar=0.0):
    """Rows, model and parameters of a start."""
    init = random_start(X, K, covariance_type, seed=3)[3]
    rows, model = MemoryRows(X), MODELS[covariance_type](reg_covar)
    fitted = GaussianMixture(K, covariance_type=covariance_type, max_iter=0, **init).fit(X)
    parameters = fitted._parameters(rows.center)
    return rows.arranged_for(parameters), model, parameters


def totals_of(rows, model, parameters):
    """What the M step reads, of an E pass."""
    totals = new_totals(parameters.means, model.scatter.shape(*parameters.means.shape))
    load_totals(rows.expectation(parameters, model.scatter), totals)
    return totals


@pytest.mark.parametrize("covariance_type", TYPES)
def test_statistics__as_a_vector_are_the_same(covariance_type):
    rows, model, parameters = begun(covariance_type, OVERLAPPING[:300])
    totals = totals_of(rows, model, parameters)
    reference = parameters.means + np.random.default_rng(0).normal(size=parameters.means.shape)
    vector = np.empty(3 + 9 + totals.scatter.size)
    interpreted(statistics.write_statistics)(totals, totals.scatter, reference, vector)
    again = new_totals(parameters.means, model.scatter.shape(3, 3))
    assert interpreted(statistics.read_statistics)(vector, reference, again.scatter, again)
    expected = rows.expectation(parameters, model.scatter).about(reference)
    for name in ("mass", "first", "scatter", "reference"):
        ours, theirs = getattr(again, name), getattr(expected, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-9)


@entry_kernel
def expected_log_likelihood(mixture, factors, totals, scatter, weight, row):
    return statistics.expected(mixture, factors, totals, scatter, weight, row)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_expected_log_likelihood__bounds_the_gain(covariance_type):
    """Its M step is the largest of all; what EM gains lies between its rise and twice that."""
    rows, model, parameters = begun(covariance_type, OVERLAPPING[:300])

    def expected(parameters, totals):
        state = new_state(model, 3, 3)
        assert load_mixture(model, parameters, state.mixture, new_work(model, state))
        own = state.mixture, state.mixture.factors, totals, totals.scatter, rows.weight
        return expected_log_likelihood(*own, np.empty(3)) / rows.weight

    for _ in range(30):
        before = rows.expectation(parameters, model.scatter)
        stepped = model.maximization(before, parameters)
        totals = totals_of(rows, model, parameters)
        rise = expected(stepped, totals) - expected(parameters, totals)
        after = rows.expectation(stepped, model.scatter)
        gain = (after.log_likelihood - before.log_likelihood) / before.weight
        parameters = stepped
    assert 0 < rise <= gain <= 2 * rise


@pytest.mark.parametrize("covariance_type", TYPES)
def test_acceleration__finds_the_same_fixed_point_in_fewer_passes(covariance_type):
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
def test_leaps__never_end_below_the_plain_step(covariance_type):
    rows, model, parameters = begun(covariance_type)
    leaps = []

    def look(position):
        plain = reached_by_em(model, position.parameters, position.memory)
        if plain is not position.parameters:
            bounds = [
                rows.expectation(own, model.scatter).log_likelihood / rows.weight
                for own in (position.parameters, plain)
            ]
            leap = views_of_leap(model, position.memory["leap"], plain)
            leaps.append((*bounds, leap.required[0]))

    control = em.Control(1e-11, 300, "auto", keep=look)
    em.run(rows, parameters, model, control)
    kept = [(leap, plain) for leap, plain, required in leaps if leap >= required]
    assert len(kept) > 3
    assert all(leap >= plain - 1e-9 for leap, plain in kept)


def test_leaps__that_are_taken_back_do_not_lower_the_bound():
    rows, model, parameters = begun("full")
    bounds = em.run(rows, parameters, model, em.Control(1e-12, 5000, "auto")).lower_bounds
    assert np.diff(bounds).min() >= -1e-12


def test_acceleration__stops_on_the_gain_of_a_plain_step():
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
def test_empty_components__stay_empty(covariance_type):
    X = np.concatenate([OVERLAPPING, [[1e4, 1e4, 1e4]]])
    weights = np.array([0.5, 0.5, 0.0])
    rows, model = MemoryRows(X), MODELS[covariance_type](1e-6)
    _, _, parameters = begun(covariance_type, X, 3, 1e-6)
    parameters = model.parameters(weights, parameters.means, parameters.covariances)
    found = em.run(rows, parameters, model, em.Control(1e-9, 500, "auto")).parameters
    assert found.weights[2] == 0
    assert np.all(np.isfinite(found.means)) and np.all(np.isfinite(found.covariances))


def test_one_component__has_nothing_to_extrapolate():
    fitted = GaussianMixture(1, acceleration="auto").fit(OVERLAPPING)
    assert fitted.n_iter_ == 2 and fitted.converged_


def test_unknown_acceleration__is_an_error():
    with pytest.raises(ValueError, match="acceleration"):
        GaussianMixture(2, acceleration="fast").fit(OVERLAPPING)


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 4, 4), (3, 4)])
@pytest.mark.parametrize("is_of_rows", [True, False])
def test_extrapolated_moments__are_those_of_rows_or_refused(shape, is_of_rows):
    """Semidefinite about the means: singular ones too, but none with a negative variance."""
    rng, resp = np.random.default_rng(0), np.full((20, 3), 1 / 3)
    rows = rng.normal(size=(20, 4)) + 5
    rows[:, 3] = rows[:, 0] - rows[:, 1]  # singular
    first, mass = resp.T @ rows, resp.sum(axis=0)
    scatter = np.einsum("nk,ni,nj->kij", resp, rows, rows)
    if not is_of_rows:
        scatter[1] -= 1e-3 * np.eye(4) * len(rows)
    if shape == (1, 4, 4):
        scatter = scatter.sum(axis=0, keepdims=True)
    if shape == (3, 4):
        scatter = np.einsum("kii->ki", scatter).copy()
        if not is_of_rows:
            scatter[1, 2] = 0.9 * first[1, 2] ** 2 / mass[1]
    none = np.empty((2, 0)), np.empty((0, 0, 0))
    totals = Totals(np.zeros(1), np.zeros(1), np.zeros((3, 4)), mass, first, scatter, *none)
    left = np.empty(shape)
    assert interpreted(statistics.are_semidefinite)(totals, scatter, left) == is_of_rows
