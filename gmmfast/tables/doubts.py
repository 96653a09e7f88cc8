"""Numbers that are probably no measurements: counts of the rows, ids, dates, codes and totals.

They are read as data all the same, and a note says so: only the user knows.
"""

import re
from collections.abc import Sequence

import numpy as np

from gmmfast.tables.base import Floats

HEAD = 200  # rows that are looked at
FEW, MANY = 7, 50  # different values among so many rows that hardly are a measurement
ENDS = 3  # last rows among which a total may be: of sums and means, or of counts
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|#")
_IDS = frozenset(  # last words of names of ids and codes
    "id ids nr no num number nummer numero key code zip plz postcode phone telephone telefon tel "
    "sku ean isbn iban account konto #".split()
)
_ENDINGS = ("nummer", "nr", "kennung")  # of names in German, which are one word
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
        elif whole and _is_id(name):
            text = "is named as ids and codes are"
        elif len(column) >= MANY and len(np.unique(column)) <= FEW:
            text = f"takes at most {FEW} different values, which no Gaussian describes well"
        else:
            continue
        found.setdefault(text, []).append(name)
    return found


def _is_id(name: str) -> bool:
    """Whether a name is one of ids or codes, such as customer_id, KdNr and Order #."""
    words = _WORD.findall(name)
    last = words[-1].lower() if words else ""
    return last in _IDS or last.endswith(_ENDINGS)


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


def total(values: Floats, names: Sequence[str]) -> tuple[int, list[str]]:
    """Return the row that holds sums of at least three above it, and the columns that it sums.

    It is one of the last rows; without one, the row is -1.
    """
    for row in range(len(values) - 1, max(2, len(values) - 1 - ENDS), -1):
        above, last = values[:row], values[row]
        sums = above.sum(axis=0, dtype=np.float64)
        is_sum = np.isclose(last, sums, rtol=1e-6, atol=0.0)
        is_sum &= np.abs(last) > np.maximum(above.max(axis=0), -above.min(axis=0))  # not 0, 0, 1, 1
        if is_sum.any():
            return row, [name for name, flag in zip(names, is_sum, strict=True) if flag]
    return -1, []
