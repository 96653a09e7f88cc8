"""Moves of components, and the rounds of trials that try them."""

import numpy as np
import pytest
from data import mixture

from gmmfast import GaussianMixture
from gmmfast.em import starts
from gmmfast.em.moves import gains_of_cuts, losses, moves
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.threads import END, new_stop
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
    assert len(changed) == 3  # the dissolved component, its neighbor, the component that is cut
    assert sorted(np.bincount(best)) == [40, 40, 40, 40]


@pytest.mark.parametrize("unit", [1.0, 1e240])
def test_moves__count_weights_as_repetitions(unit):
    weights = np.r_[np.full(80, 2.0), np.ones(40), np.zeros(40)]
    X, points, model, trial = badly_started("full", weights * unit)
    repeated = MemoryRows(np.repeat(X, weights.astype(int), axis=0), center=points.center)
    parameters = starts.parameters_in(model, trial.fit.mixture)
    one = moves(points, model, parameters, 4)
    other = moves(repeated, model, parameters, 4)
    assert len(one) == 4
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
    found = moves(points, model, parameters, 4)
    assert len(found) == 4
    for one, two in zip(found, moves(scaled, model, other, 4), strict=True):
        assert np.array_equal(one.labels, two.labels)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_losses_and_gains__as_their_formulas_say(dtype):
    """Of weighted rows and components that overlap; theory.md, Moves."""
    X, _ = mixture(200, 3, 4, separation=1.0, seed=3)
    weights = np.random.default_rng(0).integers(1, 4, 200).astype(float)
    fit = GaussianMixture(4, random_state=0).fit(X, sample_weight=weights)
    resp = fit.predict_proba(X.astype(dtype)).astype(float)
    labels = resp.argmax(axis=1)
    others = resp.copy()
    others[np.arange(200), labels] = 0
    expected = -(weights[:, None] * np.log(1 - fit.predict_proba(X))).sum(axis=0)
    rtol = 1e-9 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(losses(others, labels, weights), expected, rtol=rtol)
    residuals = (X - fit.means_[labels]).T
    gains = gains_of_cuts(residuals, residuals > 0, labels, weights, 4, 2)
    for s in range(4):
        own, w = residuals[:, labels == s], weights[labels == s].astype(int)
        for j in range(3):
            values = np.repeat(own[j], w)
            halves = values[values > 0], values[values <= 0]
            gain = values.size * np.log(values.std())
            for half in halves:
                gain -= half.size * (np.log(half.std()) - np.log(half.size / values.size))
            assert gains[j, s] == pytest.approx(gain, rel=1e-9)
    refused = gains_of_cuts(residuals, residuals > 0, labels, weights, 4, 10**6)
    assert (refused == -np.inf).all()


def test_moves__rows_that_no_other_component_could_make_join_the_nearest():
    X = np.repeat([[0.0], [100.0], [101.0]], 10, axis=0)
    X += np.linspace(-2e-3, 2e-3, 30).reshape(3, 10).T.reshape(30, 1)
    points, model = MemoryRows(X, center=np.zeros(1)), MODELS["full"](1e-9)
    means = np.array([[0.0], [100.0], [101.0]])
    parameters = model.parameters(np.full(3, 1 / 3), means, np.full((3, 1, 1), 1e-6))
    for move in moves(points, model, parameters, 6):
        labels = move.labels.ravel()[:30].reshape(3, 10)
        if (labels[2] != 2).all():  # the third is dissolved
            assert (labels[2] == 1).all()
            break
    else:
        pytest.fail("no move dissolves the third component")


def test_moves__an_empty_component_is_dissolved_first():
    _, points, model, trial = badly_started("full")
    parameters = starts.parameters_in(model, trial.fit.mixture)
    weights = np.r_[0.0, parameters.weights[1:]]
    empty = model.parameters(weights / weights.sum(), parameters.means, parameters.covariances)
    first = moves(points, model, empty, 1)[0].labels.ravel()[:160]
    before = points.labels(empty)
    changed = first != before
    assert (first[changed] == 0).all() and len(set(before[changed])) == 1  # one half of another


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


def stubbed(monkeypatch, bounds, are_sound=None):
    """`improved` where round i finds a bound, or fails where that is None; and what it returns."""
    _, points, model, trial = badly_started("full")
    trial = trial._replace(lower_bound=0.0, is_sound=True)
    rounds = iter(zip(bounds, are_sound or [True] * len(bounds), strict=True))

    def found(points, model, ways):
        bound, is_sound = next(rounds)
        if bound is None:
            raise IllDefinedCovarianceError(0)
        return trial._replace(lower_bound=bound, is_sound=is_sound)

    monkeypatch.setattr(starts, "likeliest", found)
    result = starts.improved(points, model, trial)
    return result.lower_bound, len(list(rounds))


@pytest.mark.parametrize(
    ("bounds", "are_sound", "reached", "left"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], None, 5.0, 1),  # five rounds
        ([1.0, 1.0, 2.0], None, 1.0, 1),  # no gain
        ([1.0, 1.0005, 2.0], None, 1.0005, 1),  # a gain that is worth no further round
        ([1.0, None, 2.0], None, 1.0, 1),  # no move has definite covariances
        ([1.0, 9.0, 2.0], [True, False, True], 1.0, 1),  # collapsed
    ],
)
def test_improved__ends(monkeypatch, bounds, are_sound, reached, left):
    assert stubbed(monkeypatch, bounds, are_sound) == (reached, left)


def test_improved__ends_with_the_time(monkeypatch):
    stop = new_stop()
    stop[0] = END
    monkeypatch.setattr(starts, "current_stop", lambda: stop)
    assert stubbed(monkeypatch, [1.0]) == (0.0, 1)


@pytest.mark.parametrize(("d", "n_starts"), [(2, 1), (40, 3)])
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data", "random"])
def test_memberships__several_starts_where_there_are_no_moves(init_params, d, n_starts):
    X = np.random.default_rng(0).normal(size=(2000, d))
    X[:, 0] += np.repeat([0.0, 3.0, 9.0, 20.0], 500)
    points, rng = MemoryRows(X), np.random.default_rng(0)
    found = starts.memberships(points, MODELS["full"](0.0), 4, init_params, rng)
    assert len(found) == n_starts or (init_params == "kmeans" and n_starts == 3)


@pytest.mark.parametrize("covariance_type", ALL)
@pytest.mark.parametrize("n", [300, 4000])
def test_likeliest__few_rows_as_by_the_loop(covariance_type, n, monkeypatch):
    """With more trials than finalists."""
    points = MemoryRows(mixture(n, 2, 3, separation=1.5, seed=4)[0])
    model = MODELS[covariance_type](1e-6)
    ways = [starts.plus_plus(points, 3, np.random.default_rng(seed))[0] for seed in range(8)]
    monkeypatch.setattr(MemoryRows, "are_few", lambda *_: True)
    monkeypatch.setattr(MemoryRows, "are_worth_sorting", lambda *_: False)
    compiled = starts.likeliest(points, model, ways)
    monkeypatch.setattr(MemoryRows, "are_few", lambda *_: False)
    plain = starts.likeliest(points, model, ways)
    assert compiled.is_sound == plain.is_sound
    assert compiled.lower_bound == pytest.approx(plain.lower_bound, rel=1e-9)
    means = plain.fit.mixture.means
    np.testing.assert_allclose(compiled.fit.mixture.means, means, rtol=1e-6, atol=1e-8)


def test_likeliest__a_finalist_that_fails_is_out(monkeypatch):
    points, model = MemoryRows(mixture(300, 2, 3, seed=4)[0]), MODELS["full"](1e-6)
    ways = [starts.plus_plus(points, 3, np.random.default_rng(seed))[0] for seed in range(8)]
    monkeypatch.setattr(MemoryRows, "are_few", lambda *_: False)
    tried = starts.tried

    def breaks(trial, model, total, control=starts.TRIAL):
        if control is starts.TRIAL:
            trial.fit.flat[...] = np.nan
            raise IllDefinedCovarianceError(0)
        return tried(trial, model, total, control)

    monkeypatch.setattr(starts, "tried", breaks)
    assert np.isfinite(starts.likeliest(points, model, ways).fit.flat).all()


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV", "EVI"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fit__moves_make_up_for_bad_starts(covariance_type, dtype, monkeypatch):
    """Nine distant clusters; starts from random rows miss some of them."""
    corners = 12.0 * np.stack(np.meshgrid(range(3), range(3)), axis=-1).reshape(9, 2)
    rng = np.random.default_rng(0)
    X = np.concatenate([c + rng.normal(size=(30, 2)) for c in corners]).astype(dtype)

    def bounds(**params):
        params = {"covariance_type": covariance_type, **params}
        fits = [GaussianMixture(9, random_state=seed, **params).fit(X) for seed in range(5)]
        return np.array([fit.lower_bound_ for fit in fits])

    assert np.ptp(bounds()) < 1e-3
    found = bounds(init_params="random_from_data")
    monkeypatch.setattr(starts, "improved", lambda points, model, trial: trial)
    without = bounds(init_params="random_from_data")
    assert (found >= without - 1e-3).all()
    assert found.mean() > without.mean() + 0.1
