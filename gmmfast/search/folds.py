"""Folds of cross-validation."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from gmmfast.em.kmeans import Random
from gmmfast.rows import MemoryRows, Rows


def folds_of(cv: Any, X: Any, rows: Rows, rng: Random) -> list[tuple[MemoryRows, MemoryRows]]:
    """Return the rows to fit to and the rows that are held out, for each fold.

    Parameters
    ----------
    cv : int, splitter or iterable
        Number of folds of shuffled rows, an object with scikit-learn's ``split``, or pairs of row
        indices.
    X : array-like of shape (n, d)
        The rows as they were given, for ``split``.
    rows : Rows
        The same rows, checked and in memory.
    rng : Generator or RandomState
        Shuffles the rows.

    Raises
    ------
    ValueError
        If there are fewer rows than folds.
    """
    assert isinstance(rows, MemoryRows)
    if isinstance(cv, numbers.Integral):
        count, present = int(cv), np.flatnonzero(rows.sample_weight)
        if count > len(present):
            which = " of positive weight" if rows.is_weighted else ""
            raise ValueError(
                f"cv={count} folds need as many rows{which}; got {len(present)}. Lower cv."
            )
        fold = rng.permutation(len(present)) % count
        cv = [(present[fold != f], present[fold == f]) for f in range(count)]
    elif hasattr(cv, "split"):
        cv = cv.split(X)
    return [(rows.part(seen), rows.part(held_out)) for seen, held_out in cv]
