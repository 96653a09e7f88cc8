"""Moves of components, and the rounds of trials that try them."""

import numpy as np
import pytest
from data import EVERY, mixture

from gmmfast import GaussianMixture
from gmmfast.em import starts, trials
from gmmfast.em.kmeans import Partition, partition_around, plus_plus
from gmmfast.em.state import new_fit
from gmmfast.em.trials import MOVES, WORTH, begun, likeliest, n_rounds, tried
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.moves import DOUBT, NO_VARIANCE, propose
from gmmfast.kernels.passes import prepare
from gmmfast.kernels.separation import separate
from gmmfast.kernels.threads import END, new_stop
from gmmfast.models import MODELS
from gmmfast.models.base import least_rows
from gmmfast.models.step import load_mixture, parameters_in
from gmmfast.rows import MemoryRows
from gmmfast.rows.evaluation import labels_of, responsibilities_of

ALL = sorted(EVERY)


def fit_at(points, model, parameters):
    """A fit with this mixture."""
    fit = new_fit(model, points, len(parameters.weights), -np.inf)
    load_mixture(model, parameters, fit.mixture, fit.work)
    return fit


def moves(points, model, fit, count=MOVES):
    """Labels (n,) and means by compiled moves, best first."""
    rule = trials.trial_rule_of(model, points.n_rows, points.variances, np.ones(2), 1)
    passes, (K, d) = points.pass_in(fit, points.hints(), 0), fit.shifts.shape
    labels = np.empty((count, *passes.row_weights.shape), np.int32)
    means = np.empty((count, K, d))
    prepare(fit.mixture, passes.density)
    separate(passes.density, passes.separation)
    shards = passes.tiles, passes.row_weights, passes.density, passes.separation, passes.guesses
    n = propose(*shards, fit.mixture.means, rule.scales, rule.least_rows, labels, means)
    return [
        (own.ravel()[: points.n_rows], mean)
        for own, mean in zip(labels[:n], means[:n], strict=True)
    ]


def losses_of(resp, weights):
    """Log-likelihood (K,) that rows lose without each component; theory.md, Moves."""
    n, K = resp.shape
    own = resp.argmax(axis=1)
    lost = np.zeros(K)
    for i in range(n):
        for k in range(K):
            rest = resp[i, np.arange(K) != k].sum()
            lost[k] -= weights[i] * (
                np.log(max(rest, DOUBT)) if k == own[i] else np.log1p(-resp[i, k])
            )
    return lost


def gain_of(values, weights, least):
    """Gain of two normal distributions over one, of values cut at zero; -inf if refused."""
    halves = [values > 0, values <= 0]
    if min(weights[half].sum() for half in halves) < least:
        return -np.inf

    def variance(own):
        mean = np.average(values[own], weights=weights[own])
        return np.average((values[own] - mean) ** 2, weights=weights[own])

    whole, gain = variance(slice(None)), weights.sum() * np.log(variance(slice(None))) / 2
    for half in halves:
        mass = weights[half].sum()
        if not variance(half) > NO_VARIANCE * whole:
            return -np.inf
        gain -= mass * (np.log(variance(half)) / 2 - np.log(mass / weights.sum()))
    return gain


def expected_moves(points, model, parameters, count=MOVES):
    """The same partitions in plain NumPy, row by row as theory.md says."""
    X, weights = points.present()
    weights = weights / points.weight_unit
    resp = responsibilities_of(points, parameters)[points.sample_weight > 0].astype(float)
    labels, K, d = resp.argmax(axis=1), resp.shape[1], X.shape[1]
    least = least_rows(model, d) * weights.min()
    gains = np.full((K, d), -np.inf)
    for k in range(K):
        for j in range(d):
            own = labels == k
            if own.any():
                gains[k, j] = gain_of(X[own, j] - parameters.means[k, j], weights[own], least)
    others = np.where(np.arange(K) == labels[:, None], 0.0, resp)
    scales = np.where(points.variances > 0, points.variances, 1.0)
    distances = (((X[:, None] - parameters.means) ** 2) / scales).sum(axis=2)
    distances[np.arange(len(X)), labels] = np.inf
    seconds = np.where(others.any(axis=1), others.argmax(axis=1), distances.argmin(axis=1))
    losses, found = losses_of(resp, weights), []
    for level in range(d):
        features = np.argsort(-gains, axis=1, kind="stable")[:, level]
        ranked = []
        for dissolved in range(K):
            for cut in range(K):
                score = gains[cut, features[cut]] - losses[dissolved]
                if dissolved != cut and score > -np.inf:
                    ranked.append((-score, dissolved, cut))
        for _, dissolved, cut in sorted(ranked)[: count - len(found)]:
            moved = np.where(labels == dissolved, seconds, labels)
            is_far = X[:, features[cut]] > parameters.means[cut, features[cut]]
            moved[(labels == cut) & is_far] = dissolved
            means = parameters.means.copy()
            means[dissolved] = means[cut]
            found.append((moved, means))
    return found


def by_hand(points, model, ways, n_rounds):
    """`likeliest` of few rows by fits of their own, and why it ended."""
    trial = trials._likeliest_of_many(points, model, ways)
    for _ in range(n_rounds):
        parameters = parameters_in(model, trial.fit.mixture)
        moved = expected_moves(points, model, parameters)
        parts = [Partition(points.tiled(points.of_all(own)), means) for own, means in moved]
        if not parts:
            return trial, "no move"
        try:
            found = trials._likeliest_of_many(points, model, parts)
        except IllDefinedCovarianceError:
            return trial, "not definite"
        if not found.beats(trial):
            return trial, "no gain"
        gain = found.lower_bound - trial.lower_bound
        is_last = found.is_sound == trial.is_sound and gain < WORTH
        trial = found
        if is_last:
            return trial, "small gain"
    return trial, "all rounds"


def badly_started(covariance_type, weights=None):
    """Four distant blobs, and a mixture with two components in one blob and one between two."""
    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    X = np.concatenate([corner + rng.normal(size=(40, 2)) for corner in corners])
    points = MemoryRows(X, weights)
    model = MODELS[covariance_type](1e-6)
    means = np.array([[-1.0, 0.0], [1.0, 0.0], [20.0, 0.0], [10.0, 20.0]]) - points.center
    way = partition_around(points, means)
    trial = tried(begun(points, model, way), model, points.total(model.scatter))
    return X, points, model, trial, way


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", ALL)
def test_moves__as_row_by_row(covariance_type, weighted):
    """Of components that overlap."""
    X, _ = mixture(200, 3, 4, separation=1.0, seed=3)
    weights = np.random.default_rng(0).integers(0, 4, 200) * 1e-3 if weighted else None
    points, model = MemoryRows(X, weights), MODELS[covariance_type](1e-6)
    way = plus_plus(points, 4, np.random.default_rng(1))[0]
    trial = tried(begun(points, model, way), model, points.total(model.scatter))
    found = moves(points, model, trial.fit, 20)
    parameters = parameters_in(model, trial.fit.mixture)
    expected = expected_moves(points, model, parameters, 20)
    assert len(found) == len(expected) == 20
    for (labels, means), (other, like) in zip(found, expected, strict=True):
        assert np.array_equal(labels, other)
        assert np.array_equal(means, like)


@pytest.mark.parametrize("covariance_type", ALL)
def test_likeliest__separates_distant_blobs(covariance_type):
    _, points, model, trial, way = badly_started(covariance_type)
    found = likeliest(points, model, [way], 5)
    assert found.is_sound and found.lower_bound > trial.lower_bound + 0.1
    labels = labels_of(points, parameters_in(model, found.fit.mixture))
    assert sorted(np.bincount(labels)) == [40, 40, 40, 40]


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_moves__dissolve_one_component_and_cut_another(covariance_type):
    _, points, model, trial, _ = badly_started(covariance_type)
    before = labels_of(points, parameters_in(model, trial.fit.mixture))
    found = moves(points, model, trial.fit)
    assert len(found) == MOVES
    best, _ = found[0]
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (before, best), 1)
    changed = np.flatnonzero(counts.sum(axis=0) != np.bincount(before, minlength=4))
    assert len(changed) == 3  # the dissolved component, its neighbor, the component that is cut
    assert sorted(np.bincount(best)) == [40, 40, 40, 40]


@pytest.mark.parametrize("unit", [1.0, 1e240])
def test_moves__count_weights_as_repetitions(unit):
    weights = np.r_[np.full(80, 2.0), np.ones(40), np.zeros(40)]
    X, points, model, trial, _ = badly_started("full", weights * unit)
    repeated = MemoryRows(np.repeat(X, weights.astype(int), axis=0), center=points.center)
    one = moves(points, model, trial.fit, 4)
    other = moves(repeated, model, trial.fit, 4)
    assert len(one) == 4
    for (labels, _), (twice, _) in zip(one, other, strict=True):
        expanded = np.repeat(labels, weights[weights > 0].astype(int))
        assert np.array_equal(expanded, twice)


@pytest.mark.parametrize("scale", [1e-150, 1e-3, 1.0, 1e150])
def test_moves__do_not_depend_on_units(scale):
    _, points, model, trial, _ = badly_started("full")
    parameters = parameters_in(model, trial.fit.mixture)
    X = points.present()[0] * scale
    scaled, exact = MemoryRows(X, center=np.zeros(2)), MODELS["full"](0.0)
    other = exact.parameters(
        parameters.weights, parameters.means * scale, parameters.covariances * scale**2
    )
    found = moves(points, model, trial.fit, 4)
    assert len(found) == 4
    like = moves(scaled, exact, fit_at(scaled, exact, other), 4)
    for (one, _), (two, _) in zip(found, like, strict=True):
        assert np.array_equal(one, two)


def test_moves__rows_that_no_other_component_could_make_join_the_nearest():
    X = np.repeat([[0.0], [100.0], [101.0]], 10, axis=0)
    X += np.linspace(-2e-3, 2e-3, 30).reshape(3, 10).T.reshape(30, 1)
    points, model = MemoryRows(X, center=np.zeros(1)), MODELS["full"](1e-9)
    means = np.array([[0.0], [100.0], [101.0]])
    parameters = model.parameters(np.full(3, 1 / 3), means, np.full((3, 1, 1), 1e-6))
    for move, _ in moves(points, model, fit_at(points, model, parameters), 6):
        labels = move.reshape(3, 10)
        if (labels[2] != 2).all():  # the third is dissolved
            assert (labels[2] == 1).all()
            break
    else:
        pytest.fail("no move dissolves the third component")


def test_moves__an_empty_component_is_dissolved_first():
    _, points, model, trial, _ = badly_started("full")
    parameters = parameters_in(model, trial.fit.mixture)
    weights = np.r_[0.0, parameters.weights[1:]]
    empty = model.parameters(weights / weights.sum(), parameters.means, parameters.covariances)
    first, _ = moves(points, model, fit_at(points, model, empty), 1)[0]
    before = labels_of(points, empty)
    changed = first != before
    assert (first[changed] == 0).all() and len(set(before[changed])) == 1  # one half of another


def test_moves__there_are_none_for_one_component_or_few_rows():
    points, model = MemoryRows(np.random.default_rng(0).normal(size=(9, 3))), MODELS["full"](1e-6)
    for K in (1, 3):
        way = partition_around(points, points.present()[0][:K])
        assert not moves(points, model, begun(points, model, way).fit)


def test_n_rounds__follow_from_the_shapes():
    full, diagonal = MODELS["full"](0.0), MODELS["diag"](0.0)
    assert n_rounds(full, 150, 1, 4) == 0
    assert n_rounds(full, 150, 3, 4) == trials.ROUNDS
    assert n_rounds(full, 1500, 3, 64) == 0
    assert 0 < n_rounds(diagonal, 1500, 12, 64) < trials.ROUNDS
    assert n_rounds(full, 10, 2, 200) == 0  # long M steps


CASES = {  # rows, components, rounds, `reg_covar`, and why the rounds end
    "overlap": (mixture(300, 2, 4, separation=1.0, seed=0)[0], 4, 5, 1e-6),
    "apart": (mixture(300, 2, 3, separation=9.0, seed=1)[0], 3, 5, 1e-6),
    "one round": (mixture(300, 2, 8, separation=4.0, seed=2)[0], 8, 1, 1e-6),
    "collapse": (np.repeat(mixture(60, 2, 3, seed=4)[0], 2, axis=0), 12, 5, 1e-6),
    "few rows": (mixture(12, 3, 2, seed=5)[0], 4, 5, 1e-6),
    "wide": (mixture(400, 5, 6, separation=2.0, seed=6)[0], 6, 5, 1e-3),
}


@pytest.mark.parametrize("covariance_type", ALL)
def test_rounds__as_by_fits_of_their_own(covariance_type):
    reasons = set()
    for name, (X, K, rounds, reg_covar) in CASES.items():
        points, model = MemoryRows(X), MODELS[covariance_type](reg_covar)
        ways = [plus_plus(points, K, np.random.default_rng(0))[0]]
        expected, reason = by_hand(points, model, ways, rounds)
        found = trials._likeliest_of_few(points, model, ways, rounds, 1.0)
        assert found.is_sound == expected.is_sound, name
        assert found.lower_bound == pytest.approx(expected.lower_bound, rel=1e-7), name
        reasons.add(reason)
    assert len(reasons) > 1


def test_rounds__end_with_the_time(monkeypatch):
    _, points, model, trial, way = badly_started("full")
    stop = new_stop()
    stop[0] = END
    monkeypatch.setattr("gmmfast.rows.trials.current_stop", lambda: stop)
    found = likeliest(points, model, [way, way], 5)
    assert found.lower_bound < trial.lower_bound  # one pass
    assert found.fit.n_passes == 1


@pytest.mark.parametrize("covariance_type", ALL)
def test_collapsed__by_one_rule(covariance_type):
    """Compiled trials and models agree on mixtures near the limits."""
    rng, verdicts = np.random.default_rng(0), []
    for i in range(60):
        X = rng.normal(size=(80, 3)) * 10.0 ** rng.uniform(-3, 3)
        X[:, 1] = X[:, 0] + X[:, 1] * 10.0 ** rng.uniform(-4, 0)
        X[40:50] = X[40] + (X[40:50] - X[40]) * 10.0 ** rng.uniform(-8, 0)
        reg_covar = 10.0 ** rng.uniform(-9, -3) if i % 2 else 0.0
        points, model = MemoryRows(X), MODELS[covariance_type](reg_covar)
        labels = points.tiled(np.repeat([0, 1, 2], [40, 10, 30]))
        way = Partition(labels, points.means_of(np.repeat([0, 1, 2], [40, 10, 30]), 3))
        try:
            found = likeliest(points, model, [way])
        except IllDefinedCovarianceError:
            continue
        parameters, total = parameters_in(model, found.fit.mixture), points.total(model.scatter)
        collapsed = model.collapsed(parameters, points.n_rows, total).any()
        assert found.is_sound == (not collapsed)
        verdicts.append(found.is_sound)
    assert any(verdicts)
    assert not (all(verdicts) and model.family.own_volumes)


@pytest.mark.parametrize(("d", "n_starts"), [(2, 1), (40, 3)])
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data", "random"])
def test_memberships__several_starts_where_there_are_no_moves(init_params, d, n_starts):
    X = np.random.default_rng(0).normal(size=(2000, d))
    X[:, 0] += np.repeat([0.0, 3.0, 9.0, 20.0], 500)
    points, rng = MemoryRows(X), np.random.default_rng(0)
    found = starts.memberships(points, MODELS["full"](0.0), 4, init_params, rng)
    assert len(found) == (1 if init_params == "kmeans" else n_starts)


@pytest.mark.parametrize("covariance_type", ALL)
@pytest.mark.parametrize("n", [300, 4000])
def test_likeliest__few_rows_as_by_the_loop(covariance_type, n):
    """With more trials than go on; sorted and unsorted."""
    points = MemoryRows(mixture(n, 2, 3, separation=1.5, seed=4)[0])
    model = MODELS[covariance_type](1e-6)
    ways = [plus_plus(points, 3, np.random.default_rng(seed))[0] for seed in range(8)]
    compiled = trials._likeliest_of_few(points, model, ways, 0, 1.0)
    plain = trials._likeliest_of_many(points, model, ways)
    assert compiled.is_sound == plain.is_sound
    assert compiled.lower_bound == pytest.approx(plain.lower_bound, rel=1e-9)
    means = plain.fit.mixture.means
    np.testing.assert_allclose(compiled.fit.mixture.means, means, rtol=1e-6, atol=1e-8)


def test_likeliest__float32_as_float64():
    X = mixture(300, 2, 3, seed=4)[0].astype(np.float32)
    narrow, wide = MemoryRows(X), MemoryRows(X.astype(float))
    model = MODELS["full"](1e-6)
    ways = [plus_plus(narrow, 3, np.random.default_rng(0))[0]]
    found = [likeliest(points, model, ways, 5) for points in (narrow, wide)]
    assert found[0].lower_bound == pytest.approx(found[1].lower_bound, rel=1e-6)
    assert found[0].points.dtype == np.float64


def test_likeliest__a_trial_that_fails_later_is_out(monkeypatch):
    points, model = MemoryRows(mixture(300, 2, 3, seed=4)[0]), MODELS["full"](1e-6)
    ways = [plus_plus(points, 3, np.random.default_rng(seed))[0] for seed in range(8)]
    tried = trials.tried

    def breaks(trial, model, total, control):
        if control.max_iter > 5:
            trial.fit.flat[...] = np.nan
            raise IllDefinedCovarianceError(0)
        return tried(trial, model, total, control)

    monkeypatch.setattr(trials, "tried", breaks)
    found = trials._likeliest_of_many(points, model, ways)
    assert np.isfinite(found.fit.flat).all()


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
    monkeypatch.setattr(
        starts, "likeliest", lambda points, model, ways, *_: likeliest(points, model, ways)
    )
    without = bounds(init_params="random_from_data")
    assert (found >= without - 1e-3).all()
    assert found.mean() > without.mean() + 0.1
