"""Rows on a Dask cluster of two processes: the answers of rows in memory, also when workers die."""

import asyncio
import os
import signal
import time

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from data import TYPES, mixture
from distributed import Client, LocalCluster
from test_incomplete import lacking

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.parameters import Scatter, equal_spheres
from gmmfast.rows import ClusterRows, cluster, open_rows
from gmmfast.search.folds import folds_of

UNEQUAL = (1, 699, 300, 0, 1200, 500, 300)  # lengths of partitions; one is empty


@pytest.fixture(scope="module", name="local")
def two_processes():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:
        yield local


@pytest.fixture(name="client")
def its_client(local):
    with Client(local) as client:
        yield client


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(3000, 3, 4, separation=3.0, seed=2)[0] + 50.0


@pytest.fixture(scope="module", name="w")
def weights(X):
    return np.random.default_rng(0).integers(0, 4, len(X)) / 3


def divided(X, lengths):
    lengths = tuple(lengths)
    return da.from_array(X, chunks=(lengths, *X.shape[1:]) if X.ndim > 1 else (lengths,))


def fitted(data, w=None, **params):
    params = {"random_state": 0, "max_iter": 12, "tol": 0.0, **params}
    with pytest.warns(Warning, match="did not converge"):
        return GaussianMixture(4, **params).fit(data, sample_weight=w)


def assert_same(found, expected, rtol=1e-10):
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=rtol, atol=1e-11
        )


# ------------------------------------------------------------------------ the same as in memory


@pytest.mark.parametrize("lengths", [(3000,), (1700, 1300), UNEQUAL])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_partitions(client, X, w, lengths, weighted):
    inside = fitted(X, w if weighted else None)
    outside = fitted(divided(X, lengths), divided(w, lengths) if weighted else None)
    assert_same(outside, inside)


@pytest.mark.parametrize("covariance_type", [*TYPES, "VEV", "EVE", "factor"])
def test_covariance_models(client, X, covariance_type):
    inside = fitted(X, covariance_type=covariance_type)
    assert_same(fitted(divided(X, UNEQUAL), covariance_type=covariance_type), inside)


@pytest.mark.parametrize(
    "change", [("ROOM", 1e9), ("SMALL", 0), ("FAN_IN", 2), ("TASKS", 2), ("MOST_BYTES", 5000)]
)
def test_whatever_the_way(client, X, w, change, monkeypatch):
    """Partitions read in every pass, parameters sent once, levels, tasks joined and divided."""
    monkeypatch.setattr(cluster, *change)
    outside = fitted(divided(X, UNEQUAL), divided(w, UNEQUAL))
    assert_same(outside, fitted(X, w))


def test_tasks_are_neither_small_nor_large(client, X, monkeypatch):
    w = np.repeat([1.0, 0.0, 2.0], 1000)  # rows of no weight are not counted
    lengths = {}
    for most in (1 << 20, 5000):
        monkeypatch.setattr(cluster, "MOST_BYTES", most)
        rows, _ = open_rows(divided(X, (10, 1990, 20, 980)), w, name="", n_jobs=None)
        packed = [task.compute() for task in rows._packed]
        lengths[most] = [part.n_rows for part in packed]
    assert lengths == {1 << 20: [1000, 1000], 5000: [200] * 10}


@pytest.mark.parametrize("weighted", [False, True])
def test_missing_values__are_marginalized_in_any_partitions(client, X, w, weighted):
    gaps, own = lacking(X, 0.3), w if weighted else None
    gaps[1:700, 0] = np.nan  # no value in a partition
    gaps[[3, 2999]] = np.nan  # rows without any value
    params = {"missing_values": "marginalize", "means_init": X[[0, 700, 1500, 2000]]}
    params |= {"weights_init": np.full(4, 0.25), "precisions_init": np.tile(np.eye(3), (4, 1, 1))}
    with pytest.warns(UserWarning, match="rows have no value; they are left out"):
        inside = fitted(gaps, own, **params)
    with pytest.warns(UserWarning, match="rows have no value; they are left out"):
        outside = fitted(
            divided(gaps, UNEQUAL), divided(w, UNEQUAL) if weighted else None, **params
        )
    assert_same(outside, inside, rtol=1e-6)
    labels = outside.predict(divided(gaps, UNEQUAL)).compute()
    np.testing.assert_array_equal(labels, outside.predict(gaps))
    with pytest.raises(ValueError, match="or set missing_values='marginalize'"):
        GaussianMixture(4).fit(divided(np.where(X > 0, np.nan, X), UNEQUAL))


def test_t_components(client, X, w):
    params = {"means_init": X[[0, 700, 1500, 2000]], "weights_init": np.full(4, 0.25)}
    params |= {"precisions_init": np.tile(np.eye(3), (4, 1, 1)), "reg_covar": 0.0}
    params |= {"component": "t", "degrees_of_freedom": "own"}
    inside = fitted(X, w, **params)
    outside = fitted(divided(X, UNEQUAL), divided(w, UNEQUAL), **params)
    assert_same(outside, inside, rtol=1e-8)
    expected = inside.degrees_of_freedom_
    np.testing.assert_allclose(outside.degrees_of_freedom_, expected, rtol=1e-7)


def test_float32(client, X):
    single = X.astype(np.float32)
    inside, outside = fitted(single), fitted(divided(single, UNEQUAL))
    assert outside.means_.dtype == np.float32
    assert_same(outside, inside, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "VVI"])
def test_wide_ranges__cost_no_digits(client, covariance_type, dtype):
    """Partitions near zero and near 2e8; the center follows from all of them."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(3, 1, (300, 2)), rng.normal(2e8, 2e7, (200, 2))]).astype(dtype)
    params = {"means_init": X[[0, 1, 300, 301]], "covariance_type": covariance_type}
    inside = fitted(X.astype(np.float64), **params)
    assert_same(fitted(divided(X, (150, 250, 100)), **params), inside, rtol=1e-5)


def test_reruns_are_equal_to_the_bit(client, X):
    one, two = fitted(divided(X, UNEQUAL)), fitted(divided(X, UNEQUAL))
    np.testing.assert_array_equal(one.covariances_, two.covariances_)
    assert one.lower_bounds_ == two.lower_bounds_


def test_more_rows_than_a_sample(client):
    X, _ = mixture(9000, 2, 3, separation=2.0, seed=3)
    w = np.random.default_rng(1).uniform(size=len(X))
    for own in (None, w):
        parts = (2000, 0, 5000, 2000)
        inside, _ = open_rows(X, own, name="", n_jobs=None)
        outside, _ = open_rows(divided(X, parts), own, name="", n_jobs=None)
        one = inside.all_or_sample(4096, np.random.default_rng(0))
        two = outside.all_or_sample(4096, np.random.default_rng(0))
        np.testing.assert_allclose(one.present()[0], two.present()[0], atol=1e-12)


def test_without_a_client_partitions_are_read_here(X, w):
    inside = fitted(X, w)
    assert_same(fitted(divided(X, UNEQUAL), w), inside)
    assert_same(fitted(chunks(divided(X, UNEQUAL))), fitted(X))


# ------------------------------------------------------------------------------ frames, weights


def test_frames(client, X, w, tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    inside = fitted(frame)
    parts = dd.from_pandas(frame, npartitions=3)
    unknown = parts.clear_divisions()
    for data in (parts, unknown):
        outside = fitted(data)
        assert_same(outside, inside)
        assert list(outside.feature_names_in_) == ["a", "b", "c"]
    weighted = dd.from_pandas(frame.assign(w=w), npartitions=3)
    assert_same(fitted(weighted[["a", "b", "c"]], weighted["w"]), fitted(frame, w))
    with pytest.raises(ValueError, match="feature names should match"):
        inside.predict(parts[["b", "a", "c"]])


def test_weights_from_the_files_of_the_rows(client, X, w, tmp_path):
    """Dask joins partitions of which few columns are read: those of the rows are the ones."""
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(w=w)
    for i in range(10):
        frame[300 * i : 300 * (i + 1)].to_parquet(tmp_path / f"{i}.parquet")
    data = dd.read_parquet(tmp_path)
    assert len(data["w"].to_delayed()) < data.npartitions == 10
    assert_same(fitted(data[["a", "b", "c"]], data["w"]), fitted(X, w))


def test_weights_in_memory_are_divided_like_the_rows(client, X, w):
    assert_same(fitted(divided(X, UNEQUAL), w), fitted(X, w))
    assert_same(fitted(divided(X, UNEQUAL), divided(w, (3000,))), fitted(X, w))
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b", "c"]), npartitions=3)
    with pytest.raises(ValueError, match="Pass a Dask series or array"):
        GaussianMixture(2).fit(frame, sample_weight=w)
    with pytest.raises(ValueError, match="must have the partitions of X, 3; got 7"):
        GaussianMixture(2).fit(frame, sample_weight=divided(w, UNEQUAL))


# --------------------------------------------------------------------------------- using a fit


def test_results_are_lazy(client, X, w):
    mixture, data = fitted(X), divided(X, UNEQUAL)
    for method in ("predict", "predict_proba", "score_samples"):
        later, now = getattr(mixture, method)(data), getattr(mixture, method)(X)
        assert isinstance(later, da.Array) and later.shape == now.shape
        assert later.dtype == now.dtype
        np.testing.assert_allclose(later.compute(), now, rtol=1e-10, atol=1e-12)
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=3)
    np.testing.assert_array_equal(mixture.predict(frame).compute(), mixture.predict(X))
    for method in ("score", "bic", "aic", "icl"):
        found = getattr(mixture, method)(data, sample_weight=w)
        assert found == pytest.approx(getattr(mixture, method)(X, sample_weight=w), rel=1e-10)
    with pytest.raises(ValueError, match="expecting 3 features"):
        mixture.predict(data[:, :2])


def test_searches(client, X, monkeypatch):
    search = GaussianMixtureIC(range(3, 6), covariance_types=["EEE", "VVV"], random_state=0)
    inside = search.fit(X).best_estimator_
    for many in (200_000, 1000):
        monkeypatch.setattr("gmmfast.estimators.selection.MANY", many)
        monkeypatch.setattr("gmmfast.search.search.MANY", many)
        search.fit(divided(X, UNEQUAL))
        assert (search.best_n_components_, search.best_covariance_type_) == (
            inside.n_components, inside.covariance_type,
        )  # fmt: skip
        assert search.score(X) == pytest.approx(inside.score(X), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "weighted"), [(("ROOM", 1e9), True), (("MOST_BYTES", 20_000), False)]
)
def test_folds__have_the_rows_of_the_folds_in_memory(client, X, w, change, weighted, monkeypatch):
    monkeypatch.setattr(cluster, *change)
    w, parts = (w, divided(w, UNEQUAL)) if weighted else (None, None)
    inside, _ = open_rows(X, w, name="", n_jobs=None)
    outside, _ = open_rows(divided(X, UNEQUAL), parts, name="", n_jobs=None)
    here, there = (folds_of(2, X, rows, np.random.default_rng(0)) for rows in (inside, outside))
    parameters = equal_spheres(X[:3] - inside.center)
    for one, two in zip(here[0], there[0], strict=True):
        assert one.n_rows == two.n_rows
        expected, found = (rows.expectation(parameters, Scatter.FULL) for rows in (one, two))
        np.testing.assert_allclose(found.mass, expected.mass, rtol=1e-12)
        assert two.entropy(parameters) == pytest.approx(one.entropy(parameters), rel=1e-12)
        arranged = two.arranged_for(parameters).expectation(parameters, Scatter.FULL)
        np.testing.assert_allclose(arranged.mass, expected.mass, rtol=1e-12)


def test_cross_validation(client, X, w, monkeypatch):
    params = {"covariance_types": ["EEI"], "criterion": "cv", "cv": 2, "random_state": 0}
    search = GaussianMixtureIC([2], **params).fit(X[:900], sample_weight=w[:900])
    expected = search.results_["cv"]
    monkeypatch.setattr("gmmfast.estimators.selection.MANY", 100)
    data, parts = divided(X[:900], (400, 0, 500)), divided(w[:900], (400, 0, 500))
    found = search.fit(data, sample_weight=parts).results_["cv"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="need X in memory; got rows that .* lie on a cluster"):
        search.set_params(cv=[([0], [1])]).fit(data)


# ---------------------------------------------------------------------------------- bad partitions


def of_parts(*parts):
    """A Dask array of blocks that need not go together."""
    blocks = [
        da.from_delayed(dask.delayed(lambda part: part, pure=False)(p), (np.nan, 3), float)
        for p in parts
    ]
    return da.concatenate(blocks, allow_unknown_chunksizes=True)


def test_bad_partitions_are_named(client, X):
    hole = X[:500].copy()
    hole[17, 1] = np.nan
    mixture = GaussianMixture(2)
    with pytest.raises(ValueError, match="partition 1: Input X contains NaN"):
        mixture.fit(of_parts(X, hole, X))
    with pytest.raises(ValueError, match=r"partition 1: .* got None"):
        mixture.fit(of_parts(X, None, X))
    masked = np.ma.masked_array(X, mask=np.isnan(np.where(X == X[17, 1], np.nan, X)))
    with pytest.raises(ValueError, match="partition 1: .* masked values.* row 17, column 1 "):
        mixture.fit(of_parts(X, masked, X))
    weights = da.ma.masked_array(da.ones(3000, chunks=1000), mask=np.arange(3000) == 1003)
    with pytest.raises(ValueError, match="partition 1: .* sample_weight .* masked .* row 3 "):
        mixture.fit(divided(X, (1000,) * 3), sample_weight=weights)
    with pytest.raises(ValueError, match="sum of `sample_weight` must be between"):
        mixture.fit(divided(X, (1000,) * 3), sample_weight=da.full(3000, 5e-324, chunks=1000))
    with pytest.raises(ValueError, match=r"partition 2: every partition .* the first, 3; got 2"):
        mixture.fit(of_parts(X, X, X[:, :2]))
    with pytest.raises(ValueError, match="n_samples = 1. Lower n_components"):
        mixture.fit(of_parts(X[:1], X[:0]))
    with pytest.raises(ValueError, match="the data have none"):
        mixture.fit(of_parts(X[:0], X[:0]))
    with pytest.raises(ValueError, match="must have two dimensions"):
        mixture.fit(divided(X[:, 0], (3000,)))
    assert not hasattr(mixture, "weights_")


def test_a_text_column_is_named(client, X):
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).astype({"b": object})
    frame.loc[2500, "b"] = "high"
    with dask.config.set({"dataframe.convert-string": False}):
        parts = dd.from_pandas(frame, npartitions=3, sort=False)
        with pytest.raises(ValueError, match=r"partition 2: .*'high'.*Column 'b'"):
            GaussianMixture(2).fit(parts)


# ------------------------------------------------------------------------------- what can die


def test_a_worker_that_is_killed_costs_no_answer(client, X):
    killed = []

    def kill(iteration, _):
        if iteration == 4:
            pid = next(iter(client.run(os.getpid).values()))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    with pytest.warns(Warning, match="did not converge"):
        outside = GaussianMixture(4, random_state=0, max_iter=12, tol=0.0).fit(
            divided(X, UNEQUAL), callback=kill
        )
    assert killed
    assert_same(outside, fitted(X))


def greedy(part):
    """Load a partition that takes more memory than its worker may have."""
    taken = []
    while len(taken) < 500:  # 4 GB
        taken.append(np.ones(1 << 20))
        time.sleep(0.01)
    return part


def test_a_partition_that_is_too_large_for_a_worker_is_named(X):
    bad = da.from_delayed(dask.delayed(greedy)(X[:100]), (100, 3), float)
    data = da.concatenate([divided(X, (3000,)), bad])
    small = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "700MB"}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(**small, dashboard_address=":0") as local,
        Client(local),
        pytest.raises(RuntimeError, match="partition 1: the workers .* lack of memory"),
    ):
        GaussianMixture(2).fit(data)


def test_a_client_that_is_closed_ends_the_fit(local, X):
    client = Client(local)

    def close(iteration, _):
        if iteration == 3:
            client.close()

    mixture = GaussianMixture(4, random_state=0, max_iter=12, tol=0.0)
    with pytest.raises(RuntimeError, match="Dask client was closed"):
        mixture.fit(divided(X, UNEQUAL), callback=close)
    assert not hasattr(mixture, "weights_")
    assert_no_tasks(local)


def test_an_asynchronous_client_is_refused(X):
    async def fit():
        async with Client(processes=False, dashboard_address=":0", asynchronous=True):
            GaussianMixture(2).fit(divided(X, (3000,)))

    with pytest.raises(ValueError, match="client must be synchronous"):
        asyncio.run(fit())


def test_nothing_stays_behind(local, client, X):
    fitted(divided(X, UNEQUAL))
    assert_no_tasks(local)


def assert_no_tasks(local):
    end = time.monotonic() + 10
    while local.scheduler.tasks and time.monotonic() < end:
        time.sleep(0.05)
    assert not local.scheduler.tasks


def test_rows_are_cluster_rows(client, X):
    """None of the tests above has taken another way."""
    assert isinstance(open_rows(divided(X, (3000,)), None, name="", n_jobs=None)[0], ClusterRows)
