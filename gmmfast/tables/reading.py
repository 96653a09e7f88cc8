"""The numeric columns of a file, by name."""

from collections.abc import Iterator, Sequence

from gmmfast.tables.base import Reading, Table
from gmmfast.tables.choosing import choose_columns
from gmmfast.tables.files import FIND_OUT, Paths, open_file


def read_table(
    path: Paths,
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    *,
    label_column: str | None = None,
    exclude: Sequence[str] = (),
    drop_missing: bool = False,
    keep_missing: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Table:
    r"""Read the numeric columns of a file.

    Parameters
    ----------
    path : path or sequence of paths
        A file: separated text (``.csv``, ``.tsv``, ``.txt``, also with ``.gz``, ``.bz2``, ``.xz``
        or ``.zst`` behind), ``.npy`` (2-D), ``.parquet``, ``.feather`` or ``.arrow`` (pyarrow, the
        extra ``[io]``), or a spreadsheet (``.xlsx``, ``.xls``, ``.ods``; python-calamine, the extra
        ``[excel]``). A folder, a pattern such as ``"data/*.csv"`` or several paths are one table:
        files with the same columns, one below the other.
    columns : sequence of str, optional
        The columns to read, in this order. By default all columns of numbers but the weight column,
        the label column and an index of the rows. An index is a column that pandas or Dask wrote as
        one, or the first column of a text file if it has no name in the header and holds distinct
        whole numbers or text; that column is called ``index``. A column holds numbers if at least
        a tenth of the cells among the first 200 rows that are not missing do.
    weight_column : str, optional
        The column with the weight of each row.
    label_column : str, optional
        A column of text or numbers with the group of each row.
    exclude : sequence of str, optional
        Columns to leave out.
    drop_missing : bool, optional
        Leave out rows with missing values; by default they are an error. Missing are empty cells,
        ``NA``, ``N/A``, ``NaN``, ``null``, ``none``, ``?``, ``-`` and similar, and the null values
        of Arrow.
    keep_missing : bool, optional
        Read missing values as NaN, unless rows that have some are left out. Weights and labels
        must not be missing.
    header : bool, optional
        Whether the first line of a text file, or row of a sheet, holds the names of the columns. By
        default it does where it holds all the names in `columns`; where none of its cells is a
        number; and where it looks like names that are numbers: ``0, 1, ..., d - 1`` or ``1, 2, ...,
        d``, distinct whole numbers above numbers none of which is whole, years (1800 to 2100) above
        numbers none of which is a year, or cells in quotes above cells without. `Table.notes` says
        what was decided of a line of numbers.
    delimiter : str, optional
        Character between cells of text, a blank for any white space. By default tab, semicolon,
        bar, comma or blank, whichever splits the first 200 lines alike and gives the most numbers.
    decimal : {".", ","}, optional
        Decimal mark; by default the one with which more of the first 200 lines are numbers. The
        other mark, blanks and apostrophes may separate thousands, and one currency or percent sign
        per column is left out: ``"1.234,50 €"`` is 1234.5, and ``"5 %"`` is 5.
    encoding : str, optional
        Of text; by default UTF-8 or UTF-16, or cp1252 (Windows) if the text is neither.
    sheet : str, optional
        Name of the sheet of a spreadsheet; by default the first with rows of numbers.

    Returns
    -------
    Table
        Finite numbers only, unless missing values are kept.

    Raises
    ------
    OSError
        If the file is missing or cannot be read.
    ValueError
        If the content cannot be used: empty, ragged, not numeric, missing values or labels, unknown
        columns.
    ImportError
        If the file needs pyarrow or python-calamine, and that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "data.csv")
    ...     _ = path.write_text("id;height;mass\nA;1,8;80\nB;1,6;\nC;1,7;65\n")
    ...     table = read_table(path, drop_missing=True)
    >>> table.values
    array([[ 1.8, 80. ],
           [ 1.7, 65. ]])
    >>> table.rows
    array([1, 3])
    """
    reading = Reading(
        header=header, delimiter=delimiter, decimal=decimal, encoding=encoding, sheet=sheet
    )
    choice = choose_columns(
        path,
        columns,
        weight_column,
        label_column=label_column,
        exclude=exclude,
        drop_missing=drop_missing,
        keep_missing=keep_missing,
        reading=reading,
    )
    return choice.table()


def read_pieces(
    path: Paths,
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    n_rows: int | None = None,
    *,
    keep: Sequence[str] = (),
    exclude: Sequence[str] = (),
    drop_missing: bool = False,
    keep_missing: bool = False,
    reading: Reading = FIND_OUT,
    is_checked: bool = False,
) -> Iterator[Table]:
    """Read the numeric columns of a file, some rows at a time.

    Parameters
    ----------
    path, columns, weight_column, exclude, drop_missing, keep_missing
        As for :func:`read_table`.
    n_rows : int, optional
        Rows per piece.
    keep : sequence of str, optional
        Columns to keep as they are.
    reading : Reading, optional
        How to read the file.
    is_checked : bool, optional
        Whether all rows have been read before, and hold numbers.

    Yields
    ------
    Table
    """
    choice = choose_columns(
        path,
        columns,
        weight_column,
        exclude=exclude,
        keep=keep,
        drop_missing=drop_missing,
        keep_missing=keep_missing,
        reading=reading,
    )
    yield from choice.tables(n_rows, is_checked=is_checked)


def column_names(
    path: Paths, expected: Sequence[str] = (), *, reading: Reading = FIND_OUT
) -> list[str] | None:
    """Return the names of a file's columns, or None if it holds none.

    Parameters
    ----------
    path, reading
        As for :func:`read_pieces`.
    expected : sequence of str
        Names that decide whether a first line with numbers is a header. An index of the rows is
        left out where they do not name it.

    Returns
    -------
    list of str or None
    """
    source = open_file(path, list(expected), reading)
    if not source.has_names:
        return None
    return [name for name in source.names if name not in source.index or name in expected]
