"""What the user calls X, as rows: in memory, or read in pieces."""

from __future__ import annotations

from typing import Any

from gmmfast.rows.base import Rows
from gmmfast.rows.chunks import ChunkRows
from gmmfast.rows.memory import MemoryRows
from gmmfast.sources import chunks, is_source
from gmmfast.validation import check_rows, check_sample_weight


def open_rows(
    X: Any, sample_weight: Any, *, name: str, n_jobs: int | None
) -> tuple[Rows, list[str] | None]:
    """Return rows to fit, checked, and the names of their columns.

    Parameters
    ----------
    X : array-like, frame or source of shape (n, d)
        Rows.
    sample_weight : array-like of shape (n,), optional
        Row weights.
    name : str
        Estimator that asks, for messages.
    n_jobs : int or None
        Threads.
    """
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
    rows = ChunkRows(chunks(X), n_jobs=n_jobs)
    return rows, rows.names
