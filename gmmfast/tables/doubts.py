"""Numbers that are probably no measurements: counts of the rows, ids, dates, codes and totals.

They are read as data all the same, and a note says so: only the user knows.
"""

import re
from collections.abc import Sequence

import numpy as np

from gmmfast.tables.base import Floats

HEAD = 200  # rows that are looked at
_ID = re.compile(r"(.*[\W_])?(id|ID|Id)|.*[a-z](Id|ID)")  # customer_id, id, customerID
_EARLIEST, _LATEST = 19000101, 21001231  # dates as year, month and day


def doubtful(head: Floats, names: Sequence[str], padded: Sequence[str]) -> dict[str, list[str]]:
    """Return what columns look like, and which.

    Parameters
    ----------
    head : ndarray of shape (m, n_columns)
        The first rows.
    names : sequence of str
        Names of the columns.
    padded : sequence of str
        Names of columns of text whose numbers begin with zeros.
    """
    found: dict[str, list[str]] = {}
    if len(head) < 3 or len(names) < 2:
        return found
    for name, column in zip(names, head.T, strict=True):
        whole = np.isfinite(column).all() and (column == np.floor(column)).all()
        if name in padded:
            text = "begins its numbers with zeros, as codes do"
        elif whole and _counts(column):
            text = "counts the rows"
        elif whole and _are_dates(column):
            text = "holds dates written as numbers"
        elif whole and _ID.fullmatch(name) and len(np.unique(column)) == len(column):
            text = "is named as ids are"
        else:
            continue
        found.setdefault(text, []).append(name)
    return found


def _counts(column: Floats) -> bool:
    """Whether whole numbers go on by one from 0 or 1."""
    return column[0] in (0, 1) and bool((np.diff(column) == 1).all())


def _are_dates(column: Floats) -> bool:
    """Whether whole numbers are dates such as 20240131."""
    if column.min() < _EARLIEST or column.max() > _LATEST:
        return False
    days = column.astype(np.int64)
    month, day = days // 100 % 100, days % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def totals(values: Floats, names: Sequence[str]) -> list[str]:
    """Return the columns whose last number is the sum of those above, of which there are three."""
    if len(values) < 4:
        return []
    above, last = values[:-1], values[-1]
    sums = above.sum(axis=0, dtype=np.float64)
    is_total = np.isclose(last, sums, rtol=1e-6, atol=0.0)
    is_total &= np.abs(last) > np.maximum(above.max(axis=0), -above.min(axis=0))  # not 0, 0, 1, 1
    return [name for name, flag in zip(names, is_total, strict=True) if flag]
