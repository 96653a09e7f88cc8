"""How a text file separates its cells, and how its cells write numbers.

The dialect follows from the first lines alone, so that a file is read alike whole, in pieces, or
again for a prediction. A later cell that contradicts it is an error, never another number.
"""

import csv
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gmmfast.tables.base import CURRENCY, is_missing_cell, plain_number

Row = list[str]  # cells without the white space around them

DELIMITERS = ("\t", ";", "|", ",", " ")  # in this order; a blank stands for any white space
DECIMALS = (".", ",")
EVEN = 0.8  # of the lines are alike at least, if a fault in the others shall be found
NAMES = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "white space"}

_SPACES = "\u00a0\u202f\u2009"  # no-break, narrow no-break and thin, beside the plain one
_ADORNED = re.compile(
    rf"(?P<open>\()?\s*(?P<minus>[+-]?)\s*(?P<before>{CURRENCY})?\s*(?P<inner>[+-]?)"
    rf"(?P<body>[0-9.,][0-9.,'’ {_SPACES}]*?)\s*(?P<after>{CURRENCY}|%|‰)?\s*(?P<close>\))?"
)
_GROUPS = {  # whole numbers with separators of thousands, such as 1.234.567 and 12,34,567
    mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:[{mark}][0-9]{{2,3}})*[{mark}][0-9]{{3}}")
    for mark in (".", ",", "'", "’", " ", *_SPACES)
}
_MONTH = re.compile(r"(?:0[1-9]|1[0-2])[.,](?:19|20)[0-9]{2}")  # 02.2026 is a date
_HUNDREDS = re.compile(r"[1-9][0-9]{2}")
_FEW_THOUSANDS = re.compile(r"[1-9][0-9]?[.,][0-9]{3}")
_UNCLEAR = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")  # a decimal, or thousands


@dataclass(frozen=True)
class Dialect:
    """Separators of a text file.

    Attributes
    ----------
    delimiter : str
        Character between cells; a blank stands for any white space.
    decimal : str
        Decimal mark, point or comma.
    thousands : str
        Marks that are known to separate thousands. One point or comma before three digits is read
        so only if it is among them.
    is_sure : bool
        Whether the decimal mark is known: given, or seen. Otherwise one point or comma before three
        digits is no number.
    """

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    is_sure: bool = True

    def records(self, lines: Iterable[str], *, strict: bool = False) -> Iterable[list[str]]:
        """Cells of each record, as a reader of `csv`, which has the attribute `line_num`.

        If `strict`, quotes that are not closed, or are closed within a cell, are a `csv.Error`.
        """
        if self.delimiter != " ":
            return csv.reader(lines, delimiter=self.delimiter, strict=strict)
        bare = (line.replace("\t", " ").strip() for line in lines)
        return csv.reader(bare, delimiter=" ", skipinitialspace=True, strict=strict)

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, or None."""
        return self.amount(cell)[0]

    def amount(self, cell: str) -> tuple[float | None, str]:
        """Return the number in a cell, or None, and its sign: a currency, ``%`` or nothing."""
        text = cell.strip().replace("−", "-")  # the minus sign
        if not self.is_sure and _UNCLEAR.fullmatch(text):
            return None, ""
        if self.decimal == ".":
            value = plain_number(text)
        else:
            value = None if "." in text else plain_number(text.replace(",", "."))
        if value is not None:
            return value, ""
        match = _ADORNED.fullmatch(text)
        if match is None or bool(match["open"]) != bool(match["close"]):
            return None, ""
        value = self._unsigned(match["body"])
        if value is None or (match["before"] and match["after"]):
            return None, ""
        marks = match["minus"] + match["inner"] + ("-" if match["open"] else "")
        if len(marks) > 1:
            return None, ""
        return -value if "-" in marks else value, match["before"] or match["after"] or ""

    def _unsigned(self, text: str) -> float | None:
        """Return the number in digits, separators of thousands and a decimal mark."""
        whole, mark, fraction = text.partition(self.decimal)
        if not (fraction.isascii() and (fraction.isdigit() or not fraction)):
            return None
        separators = set(whole) - set("0123456789")
        if separators:
            separator = separators.pop()
            if separators or separator == self.decimal or not _GROUPS[separator].fullmatch(whole):
                return None
            alone = whole.count(separator) == 1 and not mark and separator in DECIMALS
            if alone and separator not in self.thousands:
                return None
            whole = whole.replace(separator, "")
        return plain_number(f"{whole}.{fraction}" if fraction else whole)


def found(lines: Sequence[str], delimiter: str | None, decimal: str | None) -> Dialect:
    """Return the dialect of the first lines of a file; what is given is taken as it is."""
    if delimiter is None:
        delimiter = _delimiter(lines)
    columns = _columns(lines, Dialect(delimiter))
    if decimal is not None:  # who names it means it
        return _lenient(delimiter, decimal)
    decimal = decimal_of(columns, delimiter)
    thousands = _thousands(columns, decimal)
    dialect = Dialect(delimiter, decimal, thousands)
    is_sure = any(_is_marked(cell, dialect) for column in columns for cell in column)
    return replace(dialect, is_sure=is_sure)


def is_unclear(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether all decimal marks of the first lines could separate thousands instead."""
    cells = (cell for column in _columns(lines, dialect) for cell in column)
    numbers = [cell for cell in cells if dialect.decimal in cell and _is_marked(cell, dialect)]
    return bool(numbers) and not dialect.thousands and all(map(_UNCLEAR.fullmatch, numbers))


def _is_marked(cell: str, dialect: Dialect) -> bool:
    """Whether a cell is a number with a point or a comma."""
    return ("." in cell or "," in cell) and dialect.number(cell) is not None


def share_of_numbers(cells: Iterable[str], dialect: Dialect) -> float:
    """Return the share of numbers among the cells that are not missing; 0 if all are."""
    there = [cell for cell in cells if not is_missing_cell(cell)]
    return sum(dialect.number(cell) is not None for cell in there) / max(1, len(there))


def _columns(lines: Sequence[str], dialect: Dialect) -> list[Row]:
    """Columns of the first lines, without the first record, which may be a header."""
    rows = [[cell.strip() for cell in cells] for cells in dialect.records(lines)]
    rows = [row for row in rows if any(row)]
    below = rows[1:] or rows
    width = max((len(row) for row in below), default=0)
    return [[row[j] for row in below if j < len(row)] for j in range(width)]


def _delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that splits all lines alike, and gives the largest share of numbers."""
    widths = {mark: _widths(lines, mark) for mark in DELIMITERS}
    evenness = {mark: _evenness(widths[mark], mark) for mark in DELIMITERS}
    for least in (1.0, EVEN):
        even = [mark for mark in DELIMITERS if evenness[mark] >= least]
        if even:
            return max(even, key=lambda mark: _share(lines, mark))
    single = [mark for mark in DELIMITERS if set(widths[mark]) == {1}]
    if single and widths[","][0] == 1:  # one column, with decimal commas or without
        return single[0]
    return max((",", "|", ";", "\t"), key=lambda mark: widths[mark][0])


def _widths(lines: Sequence[str], delimiter: str) -> list[int]:
    return [len(cells) for cells in Dialect(delimiter).records(lines) if cells] or [1]


def _evenness(widths: list[int], delimiter: str) -> float:
    """Share of lines with as many cells as the first, more than one; R names no row names.

    Lines above with fewer than half as many cells as most lines are titles.
    """
    usual = max(widths, key=widths.count)
    first, *rest = itertools.dropwhile(lambda width: 2 * width < usual, widths)
    shares = [rest.count(width) / max(1, len(rest)) for width in (first, first + 1)]
    alike = (shares[0] if rest else 1.0) if first > 1 else 0.0
    without_name = shares[1] if first > 1 or delimiter != "," else 0.0  # or a decimal comma
    return max(alike, without_name)


def _share(lines: Sequence[str], delimiter: str) -> float:
    """Share of the columns that hold numbers, with the better decimal mark."""
    columns = _columns(lines, Dialect(delimiter))
    shares = []
    for decimal in DECIMALS:
        dialect = _lenient(delimiter, decimal)
        shares.append(sum(share_of_numbers(column, dialect) >= 0.5 for column in columns))
    return max(shares) / len(columns) if columns else 0.0


def _lenient(delimiter: str, decimal: str) -> Dialect:
    """Any separators of thousands."""
    return Dialect(delimiter, decimal, "".join(_GROUPS).replace(decimal, ""))


def decimal_of(columns: list[Row], delimiter: str) -> str:
    """Return the decimal mark with which more cells are numbers.

    Where 1,234 could be either, it is thousands where each such column also holds whole numbers
    from 100 to 999, and none else. Otherwise commas are decimal in a file that separates cells by
    semicolons, as spreadsheets do where commas are decimal; and in any other file but one with
    commas, where all numbers of the column are of this kind, as decimals of one length are.
    """
    columns = [column for column in columns if not are_months(column)]
    counts = {
        decimal: sum(
            _lenient(delimiter, decimal).number(cell) is not None for c in columns for cell in c
        )
        for decimal in DECIMALS
    }
    if counts["."] != counts[","]:
        return max(DECIMALS, key=lambda decimal: counts[decimal])
    for mark, other in (DECIMALS, DECIMALS[::-1]):
        marked = [column for column in columns if any(_is_unclear(cell, mark) for cell in column)]
        if marked and other != delimiter and all(_are_thousands(c, mark) for c in marked):
            return other
    unclear = [column for column in columns if any(_is_unclear(cell, ",") for cell in column)]
    if not unclear or delimiter == ",":
        return "."
    uniform = all(
        _is_unclear(cell, ",") for column in unclear for cell in column if not is_missing_cell(cell)
    )
    return "," if delimiter == ";" or uniform else "."


def _is_unclear(cell: str, mark: str) -> bool:
    return mark in cell and _UNCLEAR.fullmatch(cell) is not None


def are_months(cells: Iterable[str]) -> bool:
    """Whether all cells that are not missing are months, such as 02.2026 and 11.2026."""
    there = [cell for cell in cells if not is_missing_cell(cell)]
    return any(cell[0] == "0" for cell in there) and all(map(_MONTH.fullmatch, there))


def _are_thousands(cells: Row, mark: str) -> bool:
    """Whether each number is 100 to 999, or below 100,000 with this mark before three digits."""
    there = [cell for cell in cells if not is_missing_cell(cell)]
    marked = [cell for cell in there if mark in cell and _FEW_THOUSANDS.fullmatch(cell)]
    plain = [cell for cell in there if _HUNDREDS.fullmatch(cell)]
    return len(plain) > 1 and len(marked) + len(plain) == len(there)


def _thousands(columns: list[Row], decimal: str) -> str:
    """Return the marks that separate thousands in the first lines."""
    (mark,) = set(DECIMALS) - {decimal}
    dialect = Dialect(decimal=decimal, thousands=mark)
    cells = (cell for column in columns for cell in column if mark in cell)
    return mark if any(dialect.number(cell) is not None for cell in cells) else ""
