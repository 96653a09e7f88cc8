"""Moves of components, and the rounds of trials that try them."""

import numpy as np
import pytest
from data import mixture

from gmmfast import GaussianMixture
from gmmfast.em import starts
from gmmfast.em.moves import moves
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

ALL = sorted(MODELS)


def badly_started(covariance_type, weights=None):
    """Four distant blobs, and a mixture with two components in one blob and one between two."""
    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    X = np.concatenate([corner + rng.normal(size=(40, 2)) for corner in corners])
    points = MemoryRows(X, weights)
    model = MODELS[covariance_type](1e-6)
    means = np.array([[-1.0, 0.0], [1.0, 0.0], [20.0, 0.0], [10.0, 20.0]]) - points.center
    way = starts.partition_around(points, means)
    return (
        X,
        points,
        model,
        starts.tried(starts.begun(points, model, way), model, points.covariance),
    )


@pytest.mark.parametrize("covariance_type", ALL)
def test_improved__separates_distant_blobs(covariance_type):
    X, points, model, trial = badly_started(covariance_type)
    found = starts.improved(points, model, trial)
    assert found.is_sound and found.lower_bound > trial.lower_bound + 0.1
    labels = points.labels(starts.parameters_in(model, found.fit.mixture))
    assert sorted(np.bincount(labels)) == [40, 40, 40, 40]


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_moves__dissolve_one_component_and_cut_another(covariance_type):
    _, points, model, trial = badly_started(covariance_type)
    parameters = starts.parameters_in(model, trial.fit.mixture)
    before = points.labels(parameters)
    found = moves(points, model, parameters, 8)
    assert len(found) == 8
    best = found[0].labels.ravel()[: len(before)]
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (before, best), 1)
    changed = np.flatnonzero(counts.sum(axis=0) != np.bincount(before, minlength=4))
    assert len(changed) == 3  # the dissolved one, its neighbor, and the one that is cut
    assert sorted(np.bincount(best)) == [40, 40, 40, 40]


def test_moves__count_weights_as_repetitions():
    weights = np.r_[np.full(80, 2.0), np.ones(40), np.zeros(40)]
    X, points, model, trial = badly_started("full", weights)
    repeated = MemoryRows(np.repeat(X, weights.astype(int), axis=0), center=points.center)
    parameters = starts.parameters_in(model, trial.fit.mixture)
    one = moves(points, model, parameters, 4)
    other = moves(repeated, model, parameters, 4)
    for own, twice in zip(one, other, strict=True):
        labels = own.labels.ravel()[: points.n_rows]
        expanded = np.repeat(labels, weights[weights > 0].astype(int))
        assert np.array_equal(expanded, twice.labels.ravel()[: repeated.n_rows])


@pytest.mark.parametrize("scale", [1e-150, 1e-3, 1.0, 1e150])
def test_moves__do_not_depend_on_units(scale):
    _, points, model, trial = badly_started("full")
    parameters = starts.parameters_in(model, trial.fit.mixture)
    X = points.present()[0] * scale
    scaled = MemoryRows(X, center=np.zeros(2))
    other = MODELS["full"](0.0).parameters(
        parameters.weights, parameters.means * scale, parameters.covariances * scale**2
    )
    for one, two in zip(
        moves(points, model, parameters, 4), moves(scaled, model, other, 4), strict=True
    ):
        assert np.array_equal(one.labels, two.labels)


def test_moves__there_are_none_for_one_component_or_few_rows():
    points, model = MemoryRows(np.random.default_rng(0).normal(size=(9, 3))), MODELS["full"](1e-6)
    for K in (1, 3):
        way = starts.partition_around(points, points.present()[0][:K])
        trial = starts.begun(points, model, way)
        assert not moves(points, model, starts.parameters_in(model, trial.fit.mixture), 8)


def test_n_rounds__follow_from_the_shapes():
    full, diagonal = MODELS["full"](0.0), MODELS["diag"](0.0)
    few = MemoryRows(np.zeros((150, 4)) + np.arange(4.0))
    wide = MemoryRows(np.zeros((1500, 64)) + np.arange(64.0))
    assert starts.n_rounds(few, full, 1) == 0
    assert starts.n_rounds(few, full, 3) == starts.ROUNDS
    assert starts.n_rounds(wide, full, 3) == 0
    assert 0 < starts.n_rounds(wide, diagonal, 12) < starts.ROUNDS


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV", "EVI"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_default_fit__reaches_one_likelihood_for_every_seed(covariance_type, dtype):
    """k-means alone leaves a blob out for some seeds."""
    X = mixture(300, 2, 6, separation=8.0, seed=1)[0].astype(dtype)
    bounds = [
        GaussianMixture(6, covariance_type=covariance_type, random_state=seed).fit(X).lower_bound_
        for seed in range(6)
    ]
    assert max(bounds) - min(bounds) < 2e-2
