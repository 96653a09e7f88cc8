"""The user's X as rows: in memory, in chunks, or on a cluster."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from gmmfast.data.dask import is_dask, partitions_of
from gmmfast.data.free_memory import is_large
from gmmfast.data.validation import check_rows, check_sample_weight
from gmmfast.errors import warn
from gmmfast.rows.base import Rows
from gmmfast.rows.chunks import ChunkRows
from gmmfast.rows.cluster import ClusterRows
from gmmfast.rows.incomplete import IncompleteRows
from gmmfast.rows.memory import MemoryRows
from gmmfast.rows.sources import chunks, is_source


def open_rows(
    X: Any, sample_weight: Any, *, name: str, n_jobs: int | None, may_miss: bool = False
) -> tuple[Rows, list[str] | None]:
    """Return rows to fit, checked, and the names of their columns.

    Parameters
    ----------
    X : array-like, frame, source or Dask collection of shape (n, d)
        Rows. A large memory map is read in chunks. Dask collections are computed on the workers of
        the current client; without one, they are read here, in chunks.
    sample_weight : array-like of shape (n,), optional
        Row weights.
    name : str
        Name of the estimator, for messages.
    n_jobs : int or None
        Threads.
    may_miss : bool
        Whether values may be missing, of rows in memory.
    """
    if may_miss:
        return _incomplete(X, sample_weight, name, n_jobs)
    if is_dask(X):
        partitions = partitions_of(X, sample_weight)
        client = _client()
        if client is not None:
            return ClusterRows(partitions, client), partitions.names
        X, sample_weight = chunks(partitions), None
    if isinstance(X, np.memmap) and X.ndim == 2 and is_large(X.nbytes):
        X, sample_weight = chunks(X, sample_weight=sample_weight), None
    if not is_source(X):
        array, names = check_rows(X, name=name, min_rows=2)
        return MemoryRows(
            array, check_sample_weight(sample_weight, len(array)), n_jobs=n_jobs
        ), names
    if sample_weight is not None:
        raise ValueError(
            "Weights of data that are read in pieces come with the pieces: pairs of rows and "
            "weights, or chunks(..., weight_column=) or chunks(..., sample_weight=)."
        )
    source = chunks(X)
    if source is not X:  # whoever calls `chunks` can read its notes
        for note in source.notes:
            warn(note, UserWarning)
    rows = ChunkRows(source, n_jobs=n_jobs)
    return rows, rows.names


def _incomplete(
    X: Any, sample_weight: Any, name: str, n_jobs: int | None
) -> tuple[Rows, list[str] | None]:
    """Return rows of which some may lack values."""
    if is_dask(X) or is_source(X):
        raise ValueError(
            "missing_values='marginalize' needs rows in memory; got rows that are read in pieces "
            "or lie on a cluster. Load them, or drop the rows that lack values."
        )
    array, names = check_rows(X, name=name, min_rows=2, is_missing_allowed=True)
    weights, is_missing = check_sample_weight(sample_weight, len(array)), np.isnan(array)
    if not is_missing.any():
        return MemoryRows(array, weights, n_jobs=n_jobs), names
    present = np.ones(len(array), bool) if weights is None else weights > 0
    empty = np.flatnonzero(is_missing[present].all(axis=0))
    if empty.size:
        column = repr(names[empty[0]]) if names else empty[0]
        raise ValueError(
            f"A fit needs a value in each column; column {column} has none. Leave it out."
        )
    without = int(is_missing[present].all(axis=1).sum())
    if without:
        warn(f"{without} of {present.sum()} rows have no value; they are left out.", UserWarning)
    return IncompleteRows(array, weights, n_jobs=n_jobs), names


def _client() -> Any:
    """Return the current Dask client, or None."""
    distributed = sys.modules.get("distributed")
    try:
        client = None if distributed is None else distributed.default_client()
    except ValueError:
        return None
    if client is not None and client.asynchronous:
        raise ValueError(
            "A fit waits for the workers, so its Dask client must be synchronous; got one with "
            "asynchronous=True. Create it without that."
        )
    return client
