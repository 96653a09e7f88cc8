"""Whole fits in one call, against the loop that takes the same steps one by one."""

import numpy as np
import pytest
from data import mixture

from gmmfast import GaussianMixtureIC, criteria, em, small
from gmmfast.initialization import likeliest
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

KNOWN = tuple(MODELS)


SMALLEST = 0.1  # variance of all rows, or so


def partitions(rows, K, *labels):
    tiled = np.stack([rows.tiled(own) for own in labels])
    return small.Partitions(tiled, np.stack([rows.means_of(own, K) for own in labels]))


def by_steps(rows, model, labels, K, control):
    """The fit from a partition by the loop, from the start that the loop would take."""

    def start():
        arranged = rows.arrange(labels)
        means = rows.means_of(labels, K)
        return arranged, model.maximization(arranged.partition(means, model.scatter))

    return em.run(*likeliest([start], model), model, control)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("code", KNOWN)
def test_the_steps_are_those_of_the_loop(code, weighted):
    X, labels = mixture(333, 3, 3, separation=1.2, seed=3)
    weights = np.random.default_rng(0).integers(0, 3, len(X)) * 1e-3 if weighted else None
    rows, model = MemoryRows(X, weights), MODELS[code](1e-4)
    expected = by_steps(rows, model, labels, 3, em.Control(tol=1e-7, max_iter=150))
    found = small.fit(rows, model, partitions(rows, 3, labels), 1e-7, 150, SMALLEST)
    assert len(found.lower_bounds) == len(expected.lower_bounds)
    assert found.status is expected.status
    np.testing.assert_allclose(found.lower_bounds, expected.lower_bounds, rtol=1e-10)
    for name in ("weights", "means", "covariances"):
        ours, theirs = getattr(found.parameters, name), getattr(expected.parameters, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def test_the_likeliest_partition_goes_on():
    X, labels = mixture(300, 2, 3, separation=5.0, seed=1)
    rows, model = MemoryRows(X), MODELS["VVV"](0.0)
    mixed = np.arange(300) % 3
    alone = small.fit(rows, model, partitions(rows, 3, labels), 1e-6, 100, SMALLEST)
    both = small.fit(rows, model, partitions(rows, 3, mixed, labels), 1e-6, 100, SMALLEST)
    assert both.lower_bounds == alone.lower_bounds


@pytest.mark.parametrize("code", KNOWN)
def test_what_it_cannot_fit(code):
    X = np.zeros((50, 2))
    rows, model = MemoryRows(X), MODELS[code](0.0)
    equal = partitions(rows, 1, np.zeros(50, int))
    assert small.fit(rows, model, equal, 1e-6, 100, SMALLEST) is None
    X, labels = mixture(60, 2, 2, seed=2)
    rows = MemoryRows(X)
    empty = partitions(rows, 3, labels)  # nobody is in the third
    assert small.fit(rows, model, empty, 1e-6, 100, SMALLEST) is None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("code", ["VVV", "VVE", "VVI", "tied", "spherical"])
def test_what_it_says_of_the_mixture(code, weighted):
    X, labels = mixture(333, 3, 3, separation=1.2, seed=3)
    weights = np.random.default_rng(0).integers(0, 3, len(X)) * 1e-3 if weighted else None
    rows, model = MemoryRows(X, weights), MODELS[code](0.0)
    found = small.fit(rows, model, partitions(rows, 3, labels), 1e-6, 100, SMALLEST)
    log_likelihood = rows.expectation(found.parameters, model.scatter).log_likelihood
    doubt = criteria.doubt(rows.certainties(found.parameters), rows.sample_weight)
    assert rows.expectation(found.parameters, model.scatter).doubt == pytest.approx(doubt, rel=1e-9)
    assert found.log_likelihood == pytest.approx(log_likelihood, rel=1e-12)
    assert found.doubt == pytest.approx(doubt, rel=1e-9)
    assert found.sound
    collapsed = small.fit(rows, model, partitions(rows, 3, labels), 1e-6, 100, 1e30)
    assert not collapsed.sound


def test_a_slow_fit_is_accelerated():
    X, labels = mixture(2000, 2, 3, separation=0.7, seed=5)
    rows, model = MemoryRows(X), MODELS["VVV"](0.0)
    ahead = small.fit(rows, model, partitions(rows, 3, labels), 1e-10, 10_000, SMALLEST)
    assert not ahead.status.is_end and len(ahead.lower_bounds) == small.PASSES
    control = em.Control(tol=1e-10, max_iter=10_000, acceleration="auto")
    result = small.go_on(rows, model, ahead, control)
    plain = small.go_on(rows, model, ahead, em.Control(tol=1e-10, max_iter=10_000))
    assert result.status is plain.status is em.Status.CONVERGED
    assert result.lower_bounds[: small.PASSES] == ahead.lower_bounds
    assert len(result.lower_bounds) < len(plain.lower_bounds)
    assert result.lower_bound == pytest.approx(plain.lower_bound, abs=1e-7)


@pytest.mark.plain
@pytest.mark.parametrize("code", ["VVI", "VVE", "VEV"])
def test_no_more_passes_than_asked_for(code):
    X, labels = mixture(120, 2, 3, separation=0.7, seed=5)
    rows, model = MemoryRows(X), MODELS[code](0.0)
    ahead = small.fit(rows, model, partitions(rows, 3, labels), 0.0, 7, SMALLEST)
    result = small.go_on(rows, model, ahead, em.Control(tol=0.0, max_iter=7))
    assert len(result.lower_bounds) == 7 and result.status is em.Status.MAX_ITER


def test_which_fits_are_small():
    X, _ = mixture(100, 2, 2)
    assert small.is_small(MemoryRows(X))
    assert not small.is_small(MemoryRows(X.astype(np.float32)))
    assert not small.is_small(MemoryRows(np.zeros((small.FEW + 1, 1))))


def test_threads_find_the_same():
    X, _ = mixture(200, 3, 3, separation=2.0, seed=7)
    one, two = (GaussianMixtureIC((1, 2, 3), random_state=0, n_jobs=n).fit(X) for n in (1, 2))
    for name in one.results_.dtype.names:
        if name != "seconds":
            np.testing.assert_array_equal(one.results_[name], two.results_[name])
