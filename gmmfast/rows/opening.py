"""The user's X as rows: in memory, in chunks, or on a cluster."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from gmmfast.data.dask import is_dask, partitions_of
from gmmfast.data.free_memory import is_large
from gmmfast.data.validation import check_rows, check_sample_weight
from gmmfast.errors import warn
from gmmfast.rows.base import Rows, RowsElsewhere
from gmmfast.rows.chunks import ChunkRows
from gmmfast.rows.cluster import ClusterRows
from gmmfast.rows.incomplete import in_memory
from gmmfast.rows.sources import chunks, is_source


def open_rows(
    X: Any, sample_weight: Any, *, name: str, n_jobs: int | None, may_miss: bool = False
) -> tuple[Rows, list[str] | None]:
    """Return rows, checked, and the names of their columns.

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
        Whether values may be missing.
    """
    if is_dask(X):
        partitions = partitions_of(X, sample_weight)
        client = _client()
        if client is not None:
            return ClusterRows(partitions, client, may_miss), partitions.names
        X, sample_weight = chunks(partitions), None
    if isinstance(X, np.memmap) and X.ndim == 2 and is_large(X.nbytes):
        X, sample_weight = chunks(X, sample_weight=sample_weight), None
    if not is_source(X):
        array, names = check_rows(X, name=name, min_rows=2, is_missing_allowed=may_miss)
        weights = check_sample_weight(sample_weight, len(array))
        return in_memory(array, weights, n_jobs=n_jobs), names
    if sample_weight is not None:
        raise ValueError(
            "Weights of data that are read in pieces come with the pieces: pairs of rows and "
            "weights, or chunks(..., weight_column=) or chunks(..., sample_weight=)."
        )
    source = chunks(X)
    if source is not X:  # whoever calls `chunks` can read its notes
        for note in source.notes:
            warn(note, UserWarning)
    rows = ChunkRows(source, n_jobs=n_jobs, may_miss=may_miss)
    return rows, rows.names


def require_values(rows: Rows, names: list[str] | None) -> None:
    """Raise ValueError if a column of rows to fit has no value; warn of rows without any.

    Such rows have no weight. Another warning is of missing values in a column whose known values
    are equal: their variances stay near the start's.
    """
    if not isinstance(rows, RowsElsewhere):
        return
    empty = np.flatnonzero(rows.extent.low > rows.extent.high)
    if empty.size:
        column = repr(names[empty[0]]) if names else empty[0]
        raise ValueError(
            f"A fit needs a value in each column; column {column} has none. Leave it out."
        )
    constant = np.flatnonzero(rows.extent.low == rows.extent.high)
    if rows.lack_values and constant.size:
        column = repr(names[constant[0]]) if names else constant[0]
        warn(
            f"All known values of column {column} are equal: what is missing in it has a variance "
            "that says nothing. Leave the column out.",
            UserWarning,
        )
    if rows.n_without:
        total = rows.n_rows + rows.n_without
        warn(f"{rows.n_without} of {total} rows have no value; they are left out.", UserWarning)


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
