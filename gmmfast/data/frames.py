"""Data frames into arrays and column names.

pandas, polars and pyarrow are never imported here: without the package no object of its types
can exist.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]

FRAMES = {"pandas": ("DataFrame",), "polars": ("DataFrame",), "pyarrow": ("Table", "RecordBatch")}
COLUMNS = {"pandas": ("Series",), "polars": ("Series",), "pyarrow": ("Array", "ChunkedArray")}


def from_frame(X: object) -> tuple[Floats, list[str] | None] | None:
    """Turn a data frame into an array and column names; anything else is None.

    Parameters
    ----------
    X : object
        A ``pandas.DataFrame``, ``polars.DataFrame``, ``pyarrow.Table`` or
        ``pyarrow.RecordBatch``, or anything else.

    Returns
    -------
    (ndarray of shape (n_rows, n_columns), list of str or None) or None
        float32 where every column is float32, else float64; missing values are NaN. The names are
        None where none of them is a string. The array may be a view of the frame.

    Raises
    ------
    ValueError
        If a column does not hold numbers; the message names it.
    TypeError
        If some column names are strings and some are not.
    """
    package, frame = _package_of(X), X
    if package is None:
        return None
    return _values(package, frame), string_names(column_names(frame) or [])


def from_series(column: Any, name: str) -> Floats | None:
    """Turn a column of a frame into an array, as `from_frame`; anything else is None.

    Parameters
    ----------
    column : object
        A ``Series`` of pandas or polars, a ``pyarrow.Array`` or ``ChunkedArray``, or anything else.
    name : str
        Its name, for messages.
    """
    package = _package_of(column, COLUMNS)
    if package is None:
        return None
    if package.__name__ == "pyarrow":
        return _values(package, package.table({name: column}))[:, 0]
    return _values(package, column.rename(name).to_frame())[:, 0]


def is_missing(cell: object) -> bool:
    """Whether a cell is a missing value of Python or pandas that is no float."""
    pandas = sys.modules.get("pandas")
    return cell is None or (pandas is not None and (cell is pandas.NA or cell is pandas.NaT))


def _values(package: Any, frame: Any) -> Floats:
    convert = {"pandas": _from_pandas, "polars": _from_polars, "pyarrow": from_arrow}
    return convert[package.__name__](package, frame)


def column_names(X: Any) -> list[Any] | None:
    """Names of the columns of a frame, None of anything else."""
    package = _package_of(X)
    if package is None:
        return None
    return list(X.schema.names if package.__name__ == "pyarrow" else X.columns)


def with_columns(frame: Any, names: list[str]) -> Any:
    """Return a frame of some of the columns."""
    return frame.select(names) if _package_of(frame).__name__ == "pyarrow" else frame[names]


def _package_of(X: object, kinds_of: dict[str, tuple[str, ...]] = FRAMES) -> Any:
    """The package whose frame X is, or None."""
    if type(X) is np.ndarray:
        return None
    for name, kinds in kinds_of.items():
        package = sys.modules.get(name)
        if package is not None and isinstance(X, tuple(getattr(package, k, ()) for k in kinds)):
            return package
    return None


def string_names(names: Sequence[object]) -> list[str] | None:
    """Names that are all strings; None where none is, TypeError for a mixture, as scikit-learn."""
    strings = [name for name in names if isinstance(name, str)]
    if strings and len(strings) < len(names):
        kinds = sorted({type(name).__name__ for name in names})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your "
            f"input has {kinds} as feature name / column name types. If you want feature names to "
            "be stored and validated, you must convert them all to strings, by using X.columns = "
            "X.columns.astype(str) for example. Otherwise you can remove feature / column names "
            "from your input data, or convert them all to a non-string data type."
        )
    return strings or None


def _text_column(name: object, value: object) -> ValueError:
    what, got = "", value
    if isinstance(value, str | bytes):  # in NumPy's words, and ours
        what, got = f"could not convert string to float: {value!r}. ", "text"
    remedy = "Leave it out, or turn it into numbers."
    return ValueError(f"{what}Column {name!r} must hold numbers; got {got}. {remedy}")


def _empty(shape: tuple[int, int], single: bool) -> Floats:
    """Return an array to fill column by column."""
    return np.empty(shape, np.float32 if single else np.float64, order="F")


def _from_pandas(pandas: Any, frame: Any) -> Floats:
    dtypes = list(frame.dtypes)
    if dtypes and (all(t == np.float64 for t in dtypes) or all(t == np.float32 for t in dtypes)):
        array: Floats = frame.to_numpy()  # no copy where the frame is one block
        return array
    single = bool(dtypes) and all(str(t).lower() in ("float32", "float[pyarrow]") for t in dtypes)
    values = _empty(frame.shape, single)
    for j, (name, dtype) in enumerate(zip(frame.columns, dtypes, strict=True)):
        column = frame.iloc[:, j]
        if getattr(dtype, "kind", "O") == "c":
            raise ValueError(f"Complex data not supported\nColumn {name!r} is complex.")
        if isinstance(dtype, pandas.CategoricalDtype):
            text = [label for label in dtype.categories if isinstance(label, str)]
            raise _text_column(name, text[0] if text else dtype)
        if getattr(dtype, "units", None) is not None:  # of pint-pandas
            raise _text_column(name, dtype)
        if pandas.api.types.is_numeric_dtype(dtype):
            values[:, j] = column.to_numpy(dtype=values.dtype, na_value=np.nan)
        else:
            cells = np.asarray(column, dtype=object)
            values[:, j] = [_float_of(name, dtype, cell) for cell in cells]
    return values


def _float_of(name: object, dtype: object, cell: object) -> float:
    """Return the number in a cell of a column whose type is not numeric."""
    if is_missing(cell):
        return math.nan
    if isinstance(cell, str | bytes):
        raise _text_column(name, cell)
    try:
        number: Any = cell
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    except (TypeError, ValueError):
        raise _text_column(name, dtype) from None


def _from_polars(polars: Any, frame: Any) -> Floats:
    single = frame.width > 0 and all(dtype == polars.Float32 for dtype in frame.dtypes)
    kind = polars.Float32 if single else polars.Float64
    values = _empty(frame.shape, single)
    for j, column in enumerate(frame.iter_columns()):
        dtype = column.dtype
        if not (dtype.is_numeric() or dtype in (polars.Boolean, polars.Null)):
            cells = column.drop_nulls()
            text = dtype == polars.String and len(cells) > 0
            raise _text_column(column.name, cells[0] if text else dtype)
        values[:, j] = column.cast(kind).to_numpy()
    return values


def from_arrow(arrow: Any, table: Any) -> Floats:
    """Return the columns of a ``pyarrow.Table`` as an array; `arrow` is the package."""
    types = arrow.types
    fields = list(table.schema)
    single = bool(fields) and all(types.is_float32(field.type) for field in fields)
    kind = arrow.float32() if single else arrow.float64()
    values = _empty((table.num_rows, len(fields)), single)
    numeric = (types.is_floating, types.is_integer, types.is_boolean, types.is_decimal)
    for j, field in enumerate(fields):
        column = table.column(j)
        if not (any(test(field.type) for test in numeric) or types.is_null(field.type)):
            text = types.is_string(field.type) or types.is_large_string(field.type)
            cells: Any = column.drop_null() if text else ()
            raise _text_column(field.name, cells[0].as_py() if len(cells) else field.type)
        values[:, j] = column.cast(kind, safe=False).to_numpy(zero_copy_only=False)
    return values
