"""Dask's arrays and frames as partitions of rows, without computing any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmmfast.data.frames import string_names
from gmmfast.data.validation import check_sample_weight


def is_dask(data: Any) -> bool:
    """Whether data are a Dask collection; this does not import Dask."""
    return hasattr(data, "__dask_graph__") and hasattr(data, "to_delayed")


@dataclass(frozen=True)
class Partitions:
    """Partitions of rows, and of their weights, none of which has been computed."""

    rows: list[Any]  # dask.Delayed of arrays or frames
    weights: list[Any]  # of arrays (m,) or None
    names: list[str] | None  # of the columns

    def __iter__(self) -> Iterator[Any]:
        """Compute one after the other, in this process."""
        for rows, weights in zip(self.rows, self.weights, strict=True):
            part = rows.compute()
            yield part if weights is None else (part, weights.compute())


def partitions_of(X: Any, sample_weight: Any = None) -> Partitions:
    """Split a Dask collection into its partitions.

    Parameters
    ----------
    X : dask array or frame of shape (n, d)
        Rows.
    sample_weight : dask array or series, or array-like, of shape (n,), optional
        Row weights, in partitions of the same lengths as the rows.

    Raises
    ------
    ValueError
        If X does not have two dimensions, or weights are not partitioned like it.
    """
    X = _in_one_column(X)
    if sample_weight is None:
        rows = _delayed(X)
        return Partitions(rows, [None] * len(rows), names_of(X))
    sample_weight = _like(sample_weight, X)
    if sample_weight.npartitions != X.npartitions:
        raise ValueError(
            f"sample_weight must have the partitions of X, {X.npartitions}; got "
            f"{sample_weight.npartitions}. Use X.repartition or X.rechunk."
        )
    rows, weights = _delayed(X), _delayed(sample_weight)
    if len(rows) != len(weights):  # Dask has joined partitions of one of them
        rows, weights = _delayed(X, optimize=False), _delayed(sample_weight, optimize=False)
    return Partitions(rows, weights, names_of(X))


def _delayed(collection: Any, optimize: bool = True) -> list[Any]:
    """One task per partition."""
    return list(np.ravel(collection.to_delayed(optimize_graph=optimize)))


def names_of(X: Any) -> list[str] | None:
    """Column names of a frame, where they are strings."""
    return string_names(list(X.columns)) if hasattr(X, "columns") else None


def array_of(X: Any) -> Any:
    """Return a Dask array whose blocks are whole rows."""
    return _in_one_column(X.to_dask_array() if hasattr(X, "to_dask_array") else X)


def _in_one_column(X: Any) -> Any:
    """Return a frame, or an array whose blocks are whole rows."""
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, (n, d); got {X.ndim}.")
    return X.rechunk({1: -1}) if hasattr(X, "rechunk") else X


def _like(sample_weight: Any, X: Any) -> Any:
    """Weights in the partitions of the rows, where these lengths are known."""
    import dask.array

    lengths = X.chunks[0] if hasattr(X, "chunks") else (np.nan,)
    are_known = not np.isnan(lengths).any()
    if not is_dask(sample_weight):
        if not are_known:
            raise ValueError(
                "The partitions of X have unknown lengths, so that weights in memory cannot "
                "be split like them. Pass a Dask series or array."
            )
        checked = check_sample_weight(sample_weight, len(X))
        return dask.array.from_array(checked, chunks=(lengths,))
    if are_known and hasattr(sample_weight, "rechunk"):
        return sample_weight.rechunk((lengths,))
    return sample_weight
