"""Numbers that are probably no measurements: counts, ids, codes, dates, ratings and totals.

They are read as data all the same, and a note says so: only the user knows.
"""

import re
from collections.abc import Sequence

import numpy as np

from gmmfast.tables.base import HEAD, Floats

FEW, MANY = 7, 50  # at most FEW distinct values in at least MANY rows: a rating, not a measurement
ENDS = 3  # rows from the end: means or counts may stand below a total
SUMMED = 10  # rows above a total, if it is of one column: few small numbers add up by chance
_EARLIEST, _LATEST = 19000101, 21001231  # dates as year, month and day
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|#")
_IDS = frozenset(  # last words of names
    "id nr no num number nummer numero key code zip zipcode plz postcode barcode phone telephone "
    "telefon tel sku ean isbn iban account konto uuid customerid userid #".split()
)
_NOT_ALONE = frozenset(["no", "num", "number", "key", "code"])  # names of measurements, too
_COMPOUND = re.compile(r".*(?:nummer|kennung|[a-z]{3}nr)")  # one word in German


def odd_columns(
    values: Floats, names: Sequence[str], padded: Sequence[str]
) -> dict[str, list[str]]:
    """Return what columns look like, and which.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        All rows, or the first ones.
    names : sequence of str
        Names of the columns.
    padded : sequence of str
        Names of columns of text whose numbers have leading zeros.
    """
    found: dict[str, list[str]] = {}
    if len(values) < 3 or len(names) < 2:
        return found
    for name, whole in zip(names, values.T, strict=True):
        column = whole[~np.isnan(whole)]
        if len(column) < 3:
            continue
        text = "has numbers with leading zeros, as codes do"
        if name not in padded:
            text = _oddity(column[:HEAD], name)
            if text and len(column) > HEAD and _oddity(column, name) != text:
                continue
        if text:
            found.setdefault(text, []).append(name)
    return found


def _oddity(column: Floats, name: str) -> str:
    """Return what a column looks like, if not like a measurement."""
    is_whole = bool(np.isfinite(column).all() and (column == np.floor(column)).all())
    if is_whole and column[0] in (0, 1) and bool((np.diff(column) == 1).all()):
        return "counts the rows"
    if is_whole and _are_dates(column):
        return "holds dates written as numbers"
    is_rating = len(column) >= MANY and len(np.unique(column)) <= FEW
    if is_whole and _is_id(name) and not is_rating:
        return "is named as ids and codes are"
    return f"takes at most {FEW} different values, too few for a Gaussian" if is_rating else ""


def _is_id(name: str) -> bool:
    """Whether a name is one of ids or codes, such as customer_id, KdNr and Order #."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-2:] == ["yes", "no"]:
        return False
    if len(words) == 1 and words[0] in _NOT_ALONE:
        return False
    return words[0] == "id" or words[-1] in _IDS or bool(_COMPOUND.fullmatch(words[-1]))


def _are_dates(column: Floats) -> bool:
    """Whether whole numbers are dates such as 20240131."""
    if column.min() < _EARLIEST or column.max() > _LATEST:
        return False
    days = column.astype(np.int64)
    month, day = days // 100 % 100, days % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def total_row(values: Floats, names: Sequence[str]) -> tuple[int, list[str]]:
    """Return the row that holds sums of those above it, and the columns that it sums.

    It is one of the last rows, and sums two columns, or one of at least `SUMMED` rows. Without
    such a row, its number is -1.
    """
    first = max(3, len(values) - ENDS)
    above = values[:first].sum(axis=0, dtype=np.float64)
    for row in range(first, len(values)):
        own = np.isclose(values[row], above, rtol=1e-6, atol=0.0).nonzero()[0]
        sums = [j for j in own if abs(values[row, j]) > np.abs(values[:row, j]).max()]
        if len(sums) > 1 or (sums and row >= SUMMED):
            return row, [names[j] for j in sums]
        above += values[row]
    return -1, []
