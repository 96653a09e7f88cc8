"""Quantiles of log densities, and the outliers that follow from them."""

import json
import pickle

import dask.array as da
import numpy as np
import pytest
from data import EVERY, mixture

import gmmfast
from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.quantiles import GRID, MOST_ROWS, quantiles

X = mixture(2000, 2, 3, seed=4)[0]
WEIGHTS = np.random.default_rng(4).integers(0, 4, len(X))


@pytest.fixture(scope="module")
def fitted():
    return GaussianMixture(3, random_state=0).fit(X)


def by_definition(values, q):
    """The first value that more than q of the values reach, or halfway from the one before."""
    ordered, last, place = np.sort(values), len(values) - 1, q * len(values)
    k = round(place)
    if np.isclose(place, k):
        return (ordered[max(k - 1, 0)] + ordered[min(k, last)]) / 2
    return ordered[int(place)]


@pytest.mark.plain
def test_grid__is_the_documented_one():
    lower = [k * unit for unit in (1e-4, 1e-3, 1e-2) for k in range(1, 10)]
    np.testing.assert_allclose(GRID, [0, *lower, *np.arange(0.1, 1.01, 0.05)])
    assert len(GRID) == 47 and 0.01 in GRID and (np.diff(GRID) > 0).all()


@pytest.mark.plain
@pytest.mark.parametrize("n", [1, 2, 99, 1000])
def test_quantiles__follow_their_definition(n):
    rng = np.random.default_rng(n)
    values, weights = rng.normal(size=n).round(1), rng.integers(0, 3, n)
    weights[0] = 1
    repeated = np.repeat(values, weights)
    expected = [by_definition(repeated, q) for q in GRID]
    np.testing.assert_allclose(quantiles(values, weights.astype(float)), expected)


@pytest.mark.parametrize("covariance_type", EVERY)
def test_fit__keeps_quantiles_of_its_rows(covariance_type):
    fitted = GaussianMixture(2, covariance_type=covariance_type, random_state=0, max_iter=500)
    densities = fitted.fit(X[:300]).score_samples(X[:300])
    found = fitted.log_density_quantile(GRID)
    np.testing.assert_allclose(found, [by_definition(densities, q) for q in GRID])
    assert fitted.log_density_quantile(0) == densities.min()
    assert fitted.log_density_quantile(1) == densities.max()


@pytest.mark.parametrize("rate", [0.0005, 0.01, 0.07, 0.5])
def test_is_outlier__marks_the_share_of_the_rows_of_the_fit(fitted, rate):
    assert fitted.is_outlier(X, rate).sum() == rate * len(X)
    assert fitted.is_outlier(X[:100] * 1e3, rate).all()


def test_log_density_quantile__is_interpolated(fitted):
    low, middle, high = fitted.log_density_quantile([0.01, 0.015, 0.02])
    assert middle == pytest.approx((low + high) / 2)
    assert isinstance(fitted.log_density_quantile(0.015), float)


def test_weights__count_as_repetitions():
    start = {"means_init": X[:3], "random_state": 0}
    weighted = GaussianMixture(3, **start).fit(X, sample_weight=WEIGHTS)
    repeated = GaussianMixture(3, **start).fit(np.repeat(X, WEIGHTS, axis=0))
    found, expected = weighted.log_density_quantiles_, repeated.log_density_quantiles_
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_places_of_rows__give_the_same(fitted, tmp_path):
    np.save(tmp_path / "x.npy", X)
    sources = [chunks(X, chunk_rows=300), tmp_path / "x.npy", da.from_array(X, (500, 2))]
    for source in sources:
        found = GaussianMixture(3, random_state=0).fit(source)
        np.testing.assert_allclose(found.log_density_quantiles_, fitted.log_density_quantiles_)
        flags = found.is_outlier(source, 0.1)
        flags = flags.compute() if isinstance(source, da.Array) else np.concatenate(list(flags))
        np.testing.assert_array_equal(flags, found.is_outlier(X, 0.1))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_many_rows__are_drawn(dtype):
    rows = (X[np.arange(3 * MOST_ROWS) % len(X)] + 1000.0).astype(dtype)
    weights = np.ones(len(rows))
    weights[: len(rows) // 2] = 3.0
    one = GaussianMixture(1, random_state=0).fit(rows, sample_weight=weights)
    other = GaussianMixture(1, random_state=0)
    other.fit(chunks(rows, sample_weight=weights))
    densities = one.score_samples(rows)
    for mixture_ in (one, other):
        below = densities[:, None] < mixture_.log_density_quantile([0.01, 0.1, 0.5])
        share = weights @ below / weights.sum()
        errors = np.sqrt(np.array([0.01, 0.1, 0.5]) * [0.99, 0.9, 0.5] / MOST_ROWS)
        assert (np.abs(share - [0.01, 0.1, 0.5]) < 4 * errors + 1 / len(X)).all()


def test_fit__draws_nothing_from_its_generator():
    rows = np.tile(X, (40, 1))
    rng, twin = np.random.default_rng(0), np.random.default_rng(0)
    GaussianMixture(1, init_params="random_from_data", random_state=rng).fit(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GaussianMixture, "_calibrate", lambda *_: None)
        GaussianMixture(1, init_params="random_from_data", random_state=twin).fit(rows)
    assert rng.integers(1 << 40) == twin.integers(1 << 40)


def test_search__passes_on_the_quantiles_of_the_best():
    search = GaussianMixtureIC([1, 3], covariance_types=["VVV"], random_state=0).fit(X)
    assert search.is_outlier(X, 0.01).sum() == 20
    best = search.best_estimator_
    assert search.log_density_quantile(0.01) == best.log_density_quantile(0.01)


@pytest.mark.parametrize("way", ["save", "pickle"])
def test_quantiles__are_stored(fitted, way, tmp_path):
    if way == "pickle":
        other = pickle.loads(pickle.dumps(fitted))
    else:
        fitted.save(tmp_path / "m.npz")
        other = gmmfast.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(other.log_density_quantiles_, fitted.log_density_quantiles_)
    np.testing.assert_array_equal(other.is_outlier(X), fitted.is_outlier(X))


def test_resumed_fit__has_the_quantiles_of_the_whole(fitted, tmp_path):
    stop = lambda iteration, _: iteration == 1  # noqa: E731
    path = tmp_path / "fit.npz"
    GaussianMixture(3, random_state=0).fit(X, callback=stop, checkpoint=path)
    resumed = GaussianMixture.resume(path)
    with pytest.raises(ValueError, match="quantiles of the log densities .* has none"):
        resumed.is_outlier(X)
    found = resumed.fit(X).log_density_quantiles_
    np.testing.assert_array_equal(found, fitted.log_density_quantiles_)


def without(tmp_path, fitted):
    """A mixture from a file of format 2."""
    fitted.save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as file:
        arrays = dict(file)
    del arrays["log_density_quantiles_"]
    manifest = {**json.loads(arrays["manifest"].tobytes()), "version": 2}
    arrays["manifest"] = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
    np.savez(tmp_path / "old.npz", **arrays)
    return gmmfast.load(tmp_path / "old.npz")


@pytest.mark.parametrize("kind", ["file", "stream", "parameters"])
def test_no_quantiles__say_so_until_calibrated(fitted, kind, tmp_path):
    if kind == "file":
        made = without(tmp_path, fitted)
    elif kind == "stream":
        made = GaussianMixture(3, random_state=0).fit(X).partial_fit(X[:500])
    else:
        own = fitted.weights_, fitted.means_, fitted.covariances_
        made = GaussianMixture.from_parameters(*own)
    made.save(tmp_path / "m.npz")
    for use in (made.is_outlier, lambda X: made.log_density_quantile(0.01)):
        with pytest.raises(ValueError, match=r"Call calibrate\(X\) with typical rows"):
            use(X)
    assert made.calibrate(X) is made
    assert made.is_outlier(X, 0.1).sum() == 200
    assert made.calibrate(chunks(X)).is_outlier(X, 0.1).sum() == 200


def test_damaged_quantiles__are_refused(fitted, tmp_path):
    damaged = pickle.loads(pickle.dumps(fitted))
    for values in (np.zeros(3), GRID[::-1], np.full(47, np.nan)):
        damaged.log_density_quantiles_ = values
        with pytest.raises(ValueError, match="cannot write this gmmfast model"):
            damaged.save(tmp_path / "m.npz")


@pytest.mark.plain
def test_is_outlier__of_some_features_needs_their_rows():
    whole = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [np.eye(2)])
    for part in (whole.marginal(0), whole.condition({1: 0.5})):
        sentence = r"by marginal or condition.* Call calibrate\(X\) with typical rows"
        with pytest.raises(ValueError, match=sentence):
            part.is_outlier([[9.0]])
        assert part.calibrate([[-1.0], [0.0], [1.0]]).is_outlier([[9.0]]).all()


@pytest.mark.plain
@pytest.mark.parametrize("rate", [0, 1, -0.1, "x", None, True, np.nan])
def test_is_outlier__refuses_other_rates(rate):
    made = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]]).calibrate([[0.0], [1.0]])
    with pytest.raises(ValueError, match="'rate' parameter of is_outlier must be"):
        made.is_outlier([[0.0]], rate)
    if rate not in (0, 1, "x", None, True):
        with pytest.raises(ValueError, match="q must lie between 0 and 1"):
            made.log_density_quantile(rate)
    if rate in ("x", None):
        with pytest.raises(ValueError, match="q must "):
            made.log_density_quantile(rate)
