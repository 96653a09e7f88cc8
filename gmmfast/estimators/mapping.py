"""Results of a fitted mixture for rows in memory, read in pieces, or in a Dask collection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.dask import array_of, is_dask, names_of
from gmmfast.data.validation import check_features
from gmmfast.parameters import Parameters
from gmmfast.rows.evaluation import Evaluable
from gmmfast.rows.incomplete import KnownValues
from gmmfast.rows.sources import Chunks, chunks, is_source
from gmmfast.tables import TEXT_SUFFIXES, column_names, kind_of

if TYPE_CHECKING:
    from gmmfast.estimators.fitted import FittedMixture

Evaluate = Callable[[Evaluable, Parameters], Any]


def map_rows(mixture: FittedMixture, X: Any, evaluate: Evaluate) -> Any:
    """Evaluate arrays at once, sources one chunk after the other, Dask collections lazily.

    Parameters
    ----------
    mixture : FittedMixture
        Fitted.
    X : array-like, frame, source or Dask collection of shape (n, d)
        The rows.
    evaluate : callable
        Returns one result per row (m,) or (m, K), given rows and the fitted parameters.

    Returns
    -------
    ndarray, iterator of ndarray, or Dask array
    """
    mixture._check_fitted()
    if is_dask(X):
        return _of_blocks(mixture, X, evaluate)
    if is_source(X):
        return _of_chunks(mixture, chunks(with_header(mixture, X)), evaluate)
    return _of_rows(mixture, evaluate, X)


def _of_rows(
    mixture: FittedMixture,
    evaluate: Evaluate,
    X: Any,
    names: list[str] | None = None,
    first: int = 0,
) -> Any:
    """Evaluate rows in memory; where values are missing, by the mixture of the others."""
    rows, parameters = mixture._rows(X, names, first)
    if mixture._may_miss and np.isnan(rows.array).any():
        known = KnownValues(rows.array, rows.center, rows.sample_weight, mixture.n_jobs)
        return evaluate(known, parameters)
    return evaluate(rows, parameters)


def with_header(mixture: FittedMixture, X: Any) -> Any:
    """Open a text file, whose first line is a header if it holds the names of the features."""
    names = getattr(mixture, "feature_names_in_", None)
    path = Path(X) if isinstance(X, str | os.PathLike) else None
    if names is None or path is None or kind_of(path)[0] not in TEXT_SUFFIXES:
        return X
    return chunks(path, header=column_names(path, list(names)) is not None)


def _of_chunks(mixture: FittedMixture, source: Chunks, evaluate: Evaluate) -> Iterator[Any]:
    for chunk in source.read(may_miss=mixture._may_miss):
        yield _of_rows(mixture, evaluate, chunk.X, source.names, chunk.first)


def _of_blocks(mixture: FittedMixture, X: Any, evaluate: Evaluate) -> Any:
    """Return a Dask array; the threads of its workers compute it, each with a serial kernel."""
    names, blocks, serial = names_of(X), array_of(X), copy(mixture)
    serial.n_jobs = 1
    check_features(mixture, names, blocks.shape[1], reset=False)
    meta = _of_rows(serial, evaluate, np.zeros((1, blocks.shape[1]), blocks.dtype), names)[:0]

    def of_block(block: Any) -> Any:
        return _of_rows(serial, evaluate, block, names) if len(block) else meta

    if meta.ndim == 1:
        return _by_rows(of_block, blocks, meta)
    columns = (blocks.chunks[0], (meta.shape[1],))
    return blocks.map_blocks(of_block, dtype=meta.dtype, chunks=columns, meta=meta)


def _by_rows(of_block: Callable[[Any], Any], blocks: Any, meta: NDArray[Any]) -> Any:
    """Return a Dask array with one value per row; `map_blocks` would copy, and drop units."""
    import dask.array

    def of_only(parts: list[Any]) -> Any:
        return of_block(parts[0])

    return dask.array.blockwise(
        of_only, "i", blocks, "ij", concatenate=False, dtype=meta.dtype, meta=meta
    )
