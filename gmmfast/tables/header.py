"""Whether the first line of a text file is a header, and which columns are an index of the rows.

The format of the file says neither. Both follow from the first lines alone, so that a file is read
alike whole, in pieces, or again for a prediction.
"""

import re
from collections.abc import Sequence

from gmmfast.tables.base import default_names, is_missing_cell, plain_number
from gmmfast.tables.dialect import Dialect, Row

_NUMBER = re.compile(r"[+-]?[0-9]+(\.0*)?")  # of a row
_WHOLE = re.compile(r"[+-]?[0-9]+")
_PLAIN = re.compile(r"0|[1-9][0-9]*")  # as names are written: no sign, no leading zeros
_YEAR = re.compile(r"1[89][0-9][0-9]|20[0-9][0-9]|2100")
_UNNAMED = re.compile(r"|Unnamed: [0-9.]+")  # pandas calls unnamed columns so when it reads them


def is_header(
    first: Row, below: list[Row], asked: Sequence[str], is_quoted: bool, dialect: Dialect
) -> bool:
    """Whether the first line holds the names of the columns.

    Requested names decide if they can: the line holds all of them, or they are default names such
    as ``x1``. Otherwise a line without numbers is a header. So is a line of
    numbers that are 0, 1, ..., d - 1 or 1, 2, ..., d, unless the rows below go on counting or
    hold the same line again; a line of distinct whole numbers where no cell below is one; a line
    of years where no cell below is one; and a line in quotes above numbers without. A line of
    words and numbers is a header where its words look like names, and stand above numbers or
    beside numbers that are a header.

    Parameters
    ----------
    first : list of str
        Cells of the line.
    below : list of list of str
        Rows that follow, as long as the line: some or none.
    asked : sequence of str
        Names of columns that are wanted.
    is_quoted : bool
        Whether all cells of the line are in quotes, and of no row below.
    dialect : Dialect
        How cells write numbers.
    """
    if asked and all(first.count(name) == 1 for name in asked):
        return True
    numbers = [j for j, cell in enumerate(first) if dialect.number(cell) is not None]
    if not numbers:
        return any(first)
    if (asked and set(asked) <= set(default_names(len(first)))) or not below:
        return False
    if is_quoted:
        return True
    words = sorted({*range(len(first))} - {*numbers})
    if words:
        return _is_mixed_header(first, below, words, numbers, dialect)
    return _counts(first, below) or _stands_out(first, below)


def count_index(names: Row, below: list[Row]) -> int:
    """Return the number of leading columns that are an index of the rows.

    Such a column has no name, and holds distinct whole numbers or no numbers at all.
    """
    count = 0
    while count < len(names) - 1 and _UNNAMED.fullmatch(names[count]):
        column = [row[count] for row in below]
        labels = all(cell and plain_number(cell) is None for cell in column)
        numbered = all(map(_NUMBER.fullmatch, column)) and len(set(column)) == len(column)
        if not (column and (labels or numbered)):
            break
        count += 1
    return count


def title_length(records: list[Row], dialect: Dialect) -> int:
    """Return the number of records above the names of the columns, such as a title.

    Each begins in the first column, and fills at most half as many cells as the fullest record,
    the first of which is the header: it has names alone, and rows below it have numbers.
    """
    filled = [sum(map(bool, record)) for record in records]
    header = filled.index(max(filled))
    above = [record for record in records[:header] if any(record)]
    if not above or 2 * max(filled[:header]) > filled[header] or not all(r[0] for r in above):
        return 0
    has_numbers = [any(dialect.number(c) is not None for c in r) for r in records[header:]]
    has_names = not any(is_missing_cell(cell) for cell in records[header] if cell)
    return header if has_names and not has_numbers[0] and any(has_numbers[1:]) else 0


def is_name(word: str) -> bool:
    """Whether a cell could be a name: it begins with a letter and does not say "missing"."""
    return (word[:1].isalpha() or word[:1] == "_") and not is_missing_cell(word)


def _is_mixed_header(
    first: Row, below: list[Row], words: list[int], numbers: list[int], dialect: Dialect
) -> bool:
    """Whether words and numbers in a line are names; a row may have a label or a fault."""
    if not all(is_name(first[j]) for j in words):
        return False
    if any(row[j] == first[j] for row in below for j in words):
        return False
    figures = [first[j] for j in numbers]
    if any(all(dialect.number(row[j]) is not None for row in below) for j in words):
        return _are_names(figures)
    return _stands_out(figures, [[row[j] for j in numbers] for row in below])


def _are_names(figures: Row) -> bool:
    """Whether numbers could be names: distinct whole numbers."""
    return all(map(_PLAIN.fullmatch, figures)) and len(set(figures)) == len(figures)


def _counting(cells: Row, start: int) -> bool:
    return cells == [str(i) for i in range(start, start + len(cells))]


def _counts(first: Row, below: list[Row]) -> bool:
    """Whether a line is 0, 1, ... or 1, 2, ..., and is not the first row of such a table."""
    d = len(first)
    if d == 1 or first in below:
        return False
    return any(_counting(first, s) and not _counting(below[0], s + d) for s in (0, 1))


def _stands_out(first: Row, below: list[Row]) -> bool:
    """Whether numbers could be names, and are of a kind that does not occur below.

    One number alone is a header only where it is 0, 1 or a year, above numbers that are not whole.
    """
    if not _are_names(first):
        return False
    whole = [cell for row in below for cell in row if _WHOLE.fullmatch(cell)]
    are_years = all(map(_YEAR.fullmatch, first))
    if len(first) == 1 and not are_years and first[0] not in ("0", "1"):
        return False
    if are_years and len(first) > 1:
        return not any(map(_YEAR.fullmatch, whole))
    return not whole
