"""Folds of cross-validation."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import Random
from gmmfast.rows import IncompleteRows, MemoryRows, Rows
from gmmfast.rows.base import RowsElsewhere
from gmmfast.rows.sources import is_elsewhere

BLOCK = 4096  # rows that are shuffled among themselves

Fold = tuple[Rows, Rows]  # rows to fit to, and rows that are held out


def folds_of(cv: Any, X: Any, rows: Rows, rng: Random) -> list[Fold]:
    """Return the rows to fit to and the rows that are held out, for each fold.

    Parameters
    ----------
    cv : int, splitter or iterable
        Number of folds of shuffled rows, an object with scikit-learn's ``split``, or pairs of row
        indices.
    X : array-like, frame, source or Dask collection of shape (n, d)
        The rows as they were given, for ``split``.
    rows : Rows
        The same rows, checked.
    rng : Generator or RandomState
        Shuffles the rows.

    Raises
    ------
    ValueError
        If there are fewer rows than folds, if X is not in memory and `cv` is not a number, or if
        the rows to fit to have a column without any value.
    """
    found = _folds_of(cv, X, rows, rng)
    for seen, _ in found:
        if seen.lack_values:
            _require_values(seen)
    return found


def _folds_of(cv: Any, X: Any, rows: Rows, rng: Random) -> list[Fold]:
    if isinstance(cv, numbers.Integral):
        count = int(cv)
        if count > rows.n_rows:
            which = " of positive weight" if rows.is_weighted else ""
            raise ValueError(
                f"cv={count} folds need as many rows{which}; got {rows.n_rows}. Lower cv."
            )
        shuffled = Shuffled(count, rows.n_rows, int.from_bytes(rng.bytes(8), "little"))
        return [
            (rows.masked(partial(shuffled.outside, f)), rows.masked(partial(shuffled.inside, f)))
            for f in range(count)
        ]
    if is_elsewhere(X) or not isinstance(rows, MemoryRows | IncompleteRows):
        raise ValueError(
            "A splitter or pairs of row indices as cv need X in memory; got rows that are read in "
            "pieces or lie on a cluster. Use a number of folds, such as cv=5."
        )
    pairs = cv.split(X) if hasattr(cv, "split") else cv
    return [(rows.part(seen), rows.part(held_out)) for seen, held_out in pairs]


def _require_values(rows: Rows) -> None:
    assert isinstance(rows, RowsElsewhere)
    empty = np.flatnonzero(rows.extent.low > rows.extent.high)
    if empty.size:
        raise ValueError(
            "The rows outside each fold need a value in each column; outside one fold there is "
            f"none in column {empty[0]}. Raise cv, or leave the column out."
        )


@dataclass(frozen=True)
class Shuffled:
    """Folds of shuffled rows, equal in size to within one row.

    The fold of a row follows from its number and the seed alone, so that every pass finds the same
    rows in it: in pieces of any size, and in any process. Rows are shuffled in blocks, of which
    all but the last have as many rows of each fold.

    Parameters
    ----------
    count : int
        Number of folds.
    n_rows : int
        Number of rows of positive weight.
    seed : int
        Not negative.
    """

    count: int
    n_rows: int
    seed: int

    def of(self, first: int, n: int) -> NDArray[np.int64]:
        """Return the folds of `n` rows (n,), from number `first` on."""
        size = self.count * max(1, BLOCK // self.count)
        begin, end = first // size, (first + n - 1) // size
        folds = [self._of_block(i, size) for i in range(begin, end + 1)]
        return np.concatenate(folds)[first - begin * size :][:n]

    def _of_block(self, number: int, size: int) -> NDArray[np.int64]:
        n = min(size, self.n_rows - number * size)
        order: NDArray[np.int64] = np.random.default_rng([self.seed, number]).permutation(n)
        return order % self.count

    def inside(self, fold: int, first: int, n: int) -> NDArray[np.bool_]:
        """Return which of `n` rows, from number `first` on, are in a fold (n,)."""
        return np.equal(self.of(first, n), fold)

    def outside(self, fold: int, first: int, n: int) -> NDArray[np.bool_]:
        """Return which of `n` rows, from number `first` on, are in other folds (n,)."""
        return np.not_equal(self.of(first, n), fold)
