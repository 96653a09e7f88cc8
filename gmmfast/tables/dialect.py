"""How a text file separates its cells, and how its cells write numbers.

The dialect follows from the first lines alone, so that a file is read alike whole, in pieces, or
again for a prediction. A later cell that contradicts it is an error, never another number.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gmmfast.tables.base import is_missing_cell, plain_number

Row = list[str]  # cells without the white space around them

DELIMITERS = ("\t", ";", "|", ",", " ")  # in this order; a blank stands for any white space
DECIMALS = (".", ",")
NAMES = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "white space"}

_CURRENCY = "[$€£¥₹₽₩₺₪₫฿]|kr|zł|Kč|EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|AUD|CAD"
_SPACES = "\u00a0\u202f\u2009"  # no-break, narrow no-break and thin, beside the plain one
_ADORNED = re.compile(
    rf"(?P<open>\()?\s*(?P<minus>[+-]?)\s*(?P<before>{_CURRENCY})?\s*(?P<inner>[+-]?)"
    rf"(?P<body>[0-9.,][0-9.,'’ {_SPACES}]*?)\s*(?P<after>{_CURRENCY}|%|‰)?\s*(?P<close>\))?"
)
_GROUPS = {  # whole numbers with separators of thousands, such as 1.234.567 and 12,34,567
    mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:[{mark}][0-9]{{2,3}})*[{mark}][0-9]{{3}}")
    for mark in (".", ",", "'", "’", " ", *_SPACES)
}
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
    """

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""

    def records(self, lines: Iterable[str]) -> Iterable[list[str]]:
        """Cells of each record, as a reader of `csv`, which has the attribute `line_num`."""
        if self.delimiter != " ":
            return csv.reader(lines, delimiter=self.delimiter)
        bare = (line.replace("\t", " ").strip() for line in lines)
        return csv.reader(bare, delimiter=" ", skipinitialspace=True)

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, or None."""
        return self.amount(cell)[0]

    def amount(self, cell: str) -> tuple[float | None, str]:
        """Return the number in a cell, or None, and its sign: a currency, ``%`` or nothing."""
        text = cell.strip().replace("−", "-")  # the minus sign
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
    decimal = _decimal(columns, delimiter)
    return Dialect(delimiter, decimal, _thousands(columns, decimal))


def is_unclear(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether all decimal marks of the first lines could separate thousands instead."""
    marked = [c for column in _columns(lines, dialect) for c in column if set(c) & {".", ","}]
    numbers = [cell for cell in marked if dialect.number(cell) is not None]
    return bool(numbers) and all(map(_UNCLEAR.fullmatch, numbers))


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
    even = [mark for mark in DELIMITERS if _is_even(widths[mark], mark)]
    if even:
        return max(even, key=lambda mark: _share(lines, mark))
    single = [mark for mark in DELIMITERS if set(widths[mark]) == {1}]
    if single and widths[","][0] == 1:  # one column, with decimal commas or without
        return single[0]
    return max((",", "|", ";", "\t"), key=lambda mark: widths[mark][0])


def _widths(lines: Sequence[str], delimiter: str) -> list[int]:
    return [len(cells) for cells in Dialect(delimiter).records(lines) if cells] or [1]


def _is_even(widths: list[int], delimiter: str) -> bool:
    """Whether all lines have as many cells, more than one; R writes no name above row names."""
    first, *rest = widths
    without_name = {*rest} == {first + 1} and (first > 1 or delimiter != ",")  # a decimal comma
    return (first > 1 and {*rest} <= {first}) or without_name


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


def _decimal(columns: list[Row], delimiter: str) -> str:
    """Return the decimal mark with which more cells are numbers.

    Where 1,234 could be either, commas are decimal in a file that separates cells by semicolons,
    as spreadsheets do where commas are decimal; and in any other file but one with commas, where
    all numbers of the column are of this kind, as decimals of one length are.
    """
    counts = {
        decimal: sum(
            _lenient(delimiter, decimal).number(cell) is not None for c in columns for cell in c
        )
        for decimal in DECIMALS
    }
    if counts["."] != counts[","]:
        return max(DECIMALS, key=lambda decimal: counts[decimal])
    unclear = [c for c in columns if any("," in cell and _UNCLEAR.fullmatch(cell) for cell in c)]
    if not unclear or delimiter == ",":
        return "."
    uniform = all(
        "," in cell and _UNCLEAR.fullmatch(cell)
        for column in unclear
        for cell in column
        if not is_missing_cell(cell)
    )
    return "," if delimiter == ";" or uniform else "."


def _thousands(columns: list[Row], decimal: str) -> str:
    """Return the marks that separate thousands in the first lines."""
    (mark,) = set(DECIMALS) - {decimal}
    dialect = Dialect(decimal=decimal, thousands=mark)
    cells = (cell for column in columns for cell in column if mark in cell)
    return mark if any(dialect.number(cell) is not None for cell in cells) else ""
