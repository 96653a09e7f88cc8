"""A Dask cluster of two processes against memory: iterations, tasks, bytes."""

import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from gmmfast.models import MODELS
from gmmfast.parameters import Parameters, Scatter
from gmmfast.rows import MemoryRows, open_rows

Array = NDArray[Any]

PASSES = 15  # over rows that take no time: only the cluster's time is left


@contextmanager
def two_processes() -> Iterator[Client]:
    """A local cluster of two processes with one thread each."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def in_partitions(path: str, shape: tuple[int, int], count: int) -> Any:
    """Rows of an ``.npy`` file as a Dask array; workers read their part."""

    def part(first: int, last: int) -> Array:
        return np.load(path, mmap_mode="r")[first:last]

    n, d = shape
    cuts = np.linspace(0, n, count + 1).astype(int)
    blocks = [
        da.from_delayed(dask.delayed(part)(int(a), int(b)), (int(b - a), d), float)
        for a, b in zip(cuts[:-1], cuts[1:], strict=True)
    ]
    return da.concatenate(blocks)


def seconds_by_tasks(counts: tuple[int, ...]) -> dict[int, float]:
    """Median seconds of a pass over hardly any rows, by the number of partitions."""
    model, found = MODELS["full"](1e-6), {}
    X = np.random.default_rng(0).normal(size=(64 * max(counts), 10))
    parameters = _some(model, 10, 10)
    with mock.patch("gmmfast.rows.cluster.TASK_BYTES", 0):  # so that no partitions are joined
        for count in counts:
            data = da.from_array(X, chunks=(len(X) // count, 10))
            rows, _ = open_rows(data, None, name="", n_jobs=None)
            rows = rows.arranged_for(parameters)
            times = []
            for _ in range(PASSES):
                begin = time.perf_counter()
                rows.expectation(parameters, model.scatter)
                times.append(time.perf_counter() - begin)
            found[count] = float(np.median(times))
    return found


def bytes_of_sums(n_components: int, n_features: int) -> int:
    """Bytes that a worker sends for its sums."""
    X = np.random.default_rng(0).normal(size=(1000, n_features))
    rows = MemoryRows(X, center=np.zeros(n_features), n_jobs=1)
    parameters = _some(MODELS["full"](1e-6), n_components, n_features)
    return len(pickle.dumps(rows.expectation(parameters, Scatter.FULL)))


def _some(model: Any, n_components: int, n_features: int) -> Parameters:
    rng = np.random.default_rng(1)
    means = 0.1 * rng.normal(size=(n_components, n_features))
    covariances = np.repeat(np.eye(n_features)[None], n_components, axis=0)
    return model.parameters(np.full(n_components, 1 / n_components), means, covariances)
