"""Stepwise EM: streams come near the batch fit, drift is followed, and files keep all of it."""

import dask.array
import numpy as np
import pytest
from data import EVERY, mixture

import gmmfast
from gmmfast import GaussianMixture
from gmmfast.em.stepwise import Stream
from gmmfast.models import MODELS


def pieces(X, size):
    return [X[start : start + size] for start in range(0, len(X), size)]


def streamed(parts, weights=None, decay=0.8, forgetting=0.0, **params):
    fitted = GaussianMixture(random_state=0, **params)
    for i, part in enumerate(parts):
        w = None if weights is None else weights[i]
        fitted.partial_fit(part, sample_weight=w, decay=decay, forgetting=forgetting)
    return fitted


@pytest.mark.parametrize(
    "d, K, separation, covariance_type",
    [
        (2, 5, 2.0, "full"),
        (10, 10, 2.0, "full"),
        (16, 20, 3.0, "full"),
        (3, 4, 1.0, "full"),
        (32, 8, 3.0, "diag"),
        (3, 4, 2.0, "tied"),
        (3, 4, 2.0, "spherical"),
        (3, 4, 2.0, "VEV"),
    ],
)
def test_near_the_batch_likelihood(d, K, separation, covariance_type):
    X, _ = mixture(40_000, d, K, separation=separation, seed=d + K)
    X = X[np.random.default_rng(0).permutation(len(X))]
    params = {"n_components": K, "covariance_type": covariance_type, "tol": 1e-4}
    batch = GaussianMixture(random_state=0, max_iter=500, **params).fit(X)
    stream = streamed(pieces(X, 4000), **params)
    assert stream.score(X) > batch.score(X) - 0.01
    assert stream.n_samples_seen_ == len(X)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "EVE", "VEI"])
def test_one_chunk_repeated_converges_to_the_batch_solution(covariance_type):
    X, _ = mixture(2000, 3, 3, separation=3.0, seed=4)
    batch = GaussianMixture(
        3, covariance_type=covariance_type, random_state=0, tol=1e-13, max_iter=2000
    ).fit(X)
    stream = streamed([X] * 400, n_components=3, covariance_type=covariance_type, decay=0.6)
    np.testing.assert_allclose(stream.means_, batch.means_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stream.covariances_, batch.covariances_, rtol=1e-5, atol=1e-6)


def test_the_size_of_a_step():
    """A step is the share of the new rows, to a power; here with one component, in closed form."""
    a, b = np.array([[0.0], [2.0]]), np.array([[10.0], [14.0]])
    for decay, forgetting, step in [(1.0, 0.0, 0.5), (0.7, 0.0, 0.5**0.7), (1.0, 0.9, 0.9)]:
        fitted = streamed([a, b], n_components=1, decay=decay, forgetting=forgetting, reg_covar=0)
        mean = (1 - step) * 1 + step * 12
        square = (1 - step) * 2 + step * 148
        assert fitted.means_[0, 0] == pytest.approx(mean, rel=1e-13)
        assert fitted.covariances_[0, 0, 0] == pytest.approx(square - mean**2, rel=1e-12)


def test_chunks_of_unequal_size_are_all_rows_where_nothing_decays():
    """With one component and decay 1 the order and size of chunks do not matter."""
    X = np.random.default_rng(0).normal(size=(1000, 3)) + 1e4
    parts = np.split(X, [10, 11, 300, 900])
    stream, batch = streamed(parts, n_components=1, decay=1.0), GaussianMixture(1).fit(X)
    np.testing.assert_allclose(stream.means_, batch.means_, rtol=1e-13)
    np.testing.assert_allclose(stream.covariances_, batch.covariances_, rtol=1e-8, atol=1e-10)


def test_weights_are_repetitions():
    X, _ = mixture(600, 2, 2, separation=3.0, seed=0)
    w = np.random.default_rng(1).integers(0, 4, len(X))
    parts = pieces(X, 200)
    weighted = streamed(parts, pieces(w, 200), n_components=2, init_params="hierarchical")
    repeated = streamed(
        [np.repeat(part, own, axis=0) for part, own in zip(parts, pieces(w, 200), strict=True)],
        n_components=2, init_params="hierarchical",
    )  # fmt: skip
    np.testing.assert_allclose(weighted.score(X), repeated.score(X), rtol=1e-3)
    assert weighted.n_samples_seen_ == w.sum() == repeated.n_samples_seen_


def test_drift_is_followed_by_forgetting():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(200, 1)) + 0.05 * t for t in range(200)]
    forgetful = streamed(parts, n_components=1, forgetting=0.2)
    average = streamed(parts, n_components=1, decay=1.0)
    assert abs(forgetful.means_[0, 0] - 0.05 * 199) < 0.4
    assert abs(average.means_[0, 0] - 0.05 * 99.5) < 0.1


@pytest.mark.parametrize("code", sorted(EVERY))
def test_a_stream_goes_on_from_a_fit_or_from_parameters(code):
    """The averages that a mixture stands for lead back to it."""
    X, _ = mixture(900, 3, 3, separation=3.0, seed=1)
    fitted = GaussianMixture(3, covariance_type=code, random_state=0).fit(X)
    model = MODELS[code](fitted.reg_covar)
    parameters = fitted._parameters(np.zeros(3))
    stream = Stream.of_mixture(parameters, model, 900.0)
    found = model.maximization(stream.averages, parameters)
    np.testing.assert_allclose(found.means, parameters.means, rtol=1e-12)
    np.testing.assert_allclose(found.covariances, parameters.covariances, rtol=1e-6, atol=1e-8)
    before = fitted.score(X)
    fitted.partial_fit(X[:90])
    assert fitted.n_samples_seen_ == 990
    assert fitted.score(X) == pytest.approx(before, abs=0.05)


def test_from_parameters_the_first_rows_count_whole():
    given = GaussianMixture.from_parameters([1.0], [[3.0]], [[[1.0]]])
    given.partial_fit([[0.0], [2.0]])
    assert given.means_[0, 0] == 1.0


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV"])
def test_a_saved_stream_goes_on_to_the_bit(covariance_type, tmp_path):
    X, _ = mixture(1500, 3, 3, separation=3.0, seed=1)
    parts = pieces(X, 500)
    stream = streamed(parts[:2], n_components=3, covariance_type=covariance_type)
    stream.save(tmp_path / "model.npz")
    again = gmmfast.load(tmp_path / "model.npz")
    assert again.n_samples_seen_ == 1000
    np.testing.assert_array_equal(
        again.partial_fit(parts[2]).covariances_, stream.partial_fit(parts[2]).covariances_
    )


def test_bad_rows_change_nothing():
    X, _ = mixture(600, 2, 2, separation=3.0, seed=0)
    stream = streamed([X], n_components=2)
    before = stream.means_.copy()
    for bad, sentence in [
        (X[:, :1], "expecting 2 features"),
        (np.full((3, 2), np.nan), "contains NaN"),
        (np.empty((0, 2)), "minimum of 1"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            stream.partial_fit(bad)
    for source in ("rows.npy", gmmfast.chunks(X), dask.array.from_array(X)):
        with pytest.raises(TypeError, match="Pass its pieces one after the other, or use fit"):
            stream.partial_fit(source)
    for wrong in ({"decay": 0.5}, {"decay": 2}, {"forgetting": 1.0}, {"forgetting": -0.1}):
        with pytest.raises(ValueError, match="parameter of partial_fit must be a float in"):
            stream.partial_fit(X, **wrong)
    np.testing.assert_array_equal(stream.means_, before)
    with pytest.raises(ValueError, match="n_samples = 3"):
        GaussianMixture(4).partial_fit(X[:3])


def test_another_number_of_components_is_refused():
    X, _ = mixture(600, 2, 2, separation=3.0, seed=0)
    stream = streamed([X], n_components=2).set_params(n_components=3)
    with pytest.raises(ValueError, match="n_components=3 and .* mixture has 2 components"):
        stream.partial_fit(X)


def test_what_is_told_of_a_step():
    """The bound is of rows that were not learned yet; a long stream keeps no list."""
    X, _ = mixture(900, 2, 2, separation=3.0, seed=0)
    stream = streamed([X[:300]], n_components=2)
    before, n_iter = stream.score(X[300:600]), stream.n_iter_
    stream.partial_fit(X[300:600])
    assert stream.lower_bound_ == pytest.approx(before, rel=1e-12)
    assert (stream.lower_bounds_, stream.n_iter_) == ([stream.lower_bound_], n_iter + 1)
    assert not stream.converged_ and "partial_fit" in stream.stop_reason_


def test_a_fit_begins_anew():
    X, _ = mixture(600, 2, 2, separation=3.0, seed=0)
    stream = streamed(pieces(X, 200), n_components=2)
    fresh = GaussianMixture(2, random_state=0).fit(X)
    np.testing.assert_array_equal(stream.fit(X).means_, fresh.means_)
    assert stream.n_samples_seen_ == len(X)
