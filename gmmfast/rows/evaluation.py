"""A mixture evaluated at rows where they lie, in the caller's order; nothing is packed or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast import criteria
from gmmfast.kernels.density import TILE
from gmmfast.kernels.evaluation import evaluate, evaluate_shards
from gmmfast.kernels.expectation import negligible
from gmmfast.kernels.separation import no_separation
from gmmfast.kernels.threads import run_shards
from gmmfast.parameters import Parameters
from gmmfast.rows.packing import shard_count
from gmmfast.rows.passes import work_of

if TYPE_CHECKING:
    from gmmfast.rows.memory import MemoryRows

BLOCK = 1 << 16  # responsibilities at once (512 KB), where only the largest are kept
ALL = slice(None)


def labels_of(rows: MemoryRows, parameters: Parameters) -> NDArray[np.int64]:
    """Return the likeliest component of each row (n,), the first of ties."""
    labels = np.empty(len(rows.array), np.int64)
    _evaluate(rows, parameters, 0.0, labels=labels)  # only the best counts; ties are kept
    return labels


def log_densities_of(rows: MemoryRows, parameters: Parameters) -> NDArray[Any]:
    """Return the log density of the mixture at each row (n,), in nats."""
    log_density = np.empty(len(rows.array), rows.dtype)
    cut = negligible(len(parameters.weights), dtype=parameters.dtype_for(rows.dtype))
    _evaluate(rows, parameters, cut, log_density=log_density)
    return log_density


def responsibilities_of(
    rows: MemoryRows, parameters: Parameters, part: slice = ALL
) -> NDArray[Any]:
    """Return the posterior probability of each component for each row of a part (m, K)."""
    resp = np.empty((len(rows.array[part]), len(parameters.weights)), rows.dtype)
    _evaluate(rows, parameters, -np.inf, part, resp=resp)
    return resp


def entropy_of(rows: MemoryRows, parameters: Parameters) -> float:
    """Return the entropy of the components given the rows, in nats, a block of rows at a time."""
    step, total = max(1, BLOCK // len(parameters.weights)), 0.0
    for start in range(0, len(rows.array), step):
        part = slice(start, start + step)
        resp = responsibilities_of(rows, parameters, part)
        total += criteria.entropy(resp, rows.sample_weight[part])
    return total


def certainties_of(rows: MemoryRows, parameters: Parameters) -> NDArray[Any]:
    """Return the largest responsibility of each row (n,), a block of rows at a time."""
    largest = np.empty(len(rows.array), rows.dtype)
    step = max(1, BLOCK // len(parameters.weights))
    for start in range(0, len(largest), step):
        part = slice(start, start + step)
        largest[part] = responsibilities_of(rows, parameters, part).max(axis=1)
    return largest


def _evaluate(
    rows: MemoryRows,
    parameters: Parameters,
    cut: float,
    part: slice = ALL,
    *,
    log_density: NDArray[Any] | None = None,
    resp: NDArray[Any] | None = None,
    labels: NDArray[np.int64] | None = None,
) -> None:
    """Fill the arrays that are given; densities `cut` below a row's best count as 0."""
    X, dtype = rows.array[part], parameters.dtype_for(rows.dtype)
    shards = shard_count(len(X), rows.n_features * len(parameters.weights))
    like = np.empty((1, TILE), dtype)
    density = parameters.density(dtype)
    # in the caller's order, rows of a tile are of all components: none is far
    data = (X, rows.center, density, no_separation(density.means), cut, like)
    work, out = work_of(len(X), density), (log_density, resp, labels)
    run_shards(evaluate, evaluate_shards, rows.n_jobs, shards, work, *data, *out)
