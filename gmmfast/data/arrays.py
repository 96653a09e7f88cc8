"""Array-likes to arrays of floats; masks and units are refused, as they would be lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.frames import from_series, is_missing

BLOCK = 1 << 18  # values per step of a scan for NaN
NO_UNITS = ("", "dimensionless")


class Place(NamedTuple):
    """How messages name a value of an array."""

    first: int = 0  # number of the first row
    columns: Sequence[object] | None = None  # their names; by default they are counted

    def of(self, index: tuple[int, ...]) -> str:
        """Name the value at an index: ``row 7, column 'b' (counted from 0)``."""
        row, *rest = index
        names = [f"row {self.first + row}"]
        if len(rest) == 1:
            column = rest[0] if self.columns is None else self.columns[rest[0]]
            names.append(f"column {column!r}")
        elif rest:
            names = [f"index {(self.first + row, *rest)}"]
        return f"{', '.join(names)} (counted from 0)"


def to_floats(values: Any, name: str, place: Place = Place()) -> NDArray[Any]:  # noqa: B008
    """Return values as float64, or as float32 if they are float32.

    Parameters
    ----------
    values : array-like, or a column of a frame
        Arrays of float64 and float32 are not copied. Missing values become NaN, and
        values too large for float64 become infinity.
    name : str
        Their name, for messages.
    place : Place
        How messages name a value.

    Raises
    ------
    TypeError, ValueError
        If they are not numbers, or are sparse, masked or have units.
    """
    refuse_sparse(values, name)
    if isinstance(values, np.matrix):
        raise TypeError(
            "np.matrix is not supported. Please convert to a numpy array with np.asarray. For more "
            "information see: https://numpy.org/doc/stable/reference/generated/numpy.matrix.html"
        )
    if isinstance(values, Iterator):
        raise TypeError(
            f"{name} must be an array; got the iterator {type(values).__name__}. Make a list of "
            "it, or pass gmmfast.chunks of an object that can be iterated over again and again."
        )
    column = from_series(values, name)
    if column is not None:
        return column
    _refuse_masks_and_units(values, name, place)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise _explained(error, f"{name} must be an array of numbers{_lengths(values)}.") from None
    if array.dtype == object:
        if array.ndim == 0:
            raise _no_array(values, name)
        _refuse_masks_and_units(array.tolist(), name, place)
    if array.dtype.names is not None:
        raise TypeError(
            f"{name} must be a plain array of numbers; got a structured array with the fields "
            f"{', '.join(array.dtype.names)}. Use "
            "numpy.lib.recfunctions.structured_to_unstructured."
        )
    if np.iscomplexobj(array):
        raise ValueError(f"Complex data not supported\n{array}\n")
    if array.dtype.kind in "mM":
        got = "dates" if array.dtype.kind == "M" else "durations"
        raise ValueError(f"{name} must hold numbers; got {got}. Convert them to numbers first.")
    return array if array.dtype == np.float32 else _as_float64(array, values, name, place)


def _as_float64(array: NDArray[Any], values: Any, name: str, place: Place) -> NDArray[Any]:
    is_text = array.dtype.kind in "SU"
    try:
        with np.errstate(over="ignore", under="ignore"):  # of long doubles
            floats = np.asarray(values if is_text else array, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        return _cell_by_cell(array, error, name, place)
    if is_text:  # digits only: any other text has just raised NumPy's sentence
        raise ValueError(
            "dtype='numeric' is not compatible with arrays of bytes/strings.Convert your data to "
            f"numeric values explicitly instead. {name} must hold numbers; use astype(float)."
        )
    return floats


def _cell_by_cell(
    array: NDArray[Any], error: Exception, name: str, place: Place
) -> NDArray[np.float64]:
    """Convert the cells that NumPy could not, missing values and huge ints; name any other."""
    floats = np.empty(array.shape)
    for index, cell in np.ndenumerate(array):
        try:
            floats[index] = math.nan if is_missing(cell) else float(cell)
        except OverflowError:
            floats[index] = math.inf if cell > 0 else -math.inf
        except (TypeError, ValueError):
            plain = cell.item() if isinstance(cell, np.generic) else cell  # 'a', not np.str_('a')
            got = repr(plain) if isinstance(plain, str | bytes) else _a(type(cell).__name__)
            where = f" in {place.of(index)}" if index else ""
            raise _explained(error, f"{name} must hold numbers; got {got}{where}.") from None
    return floats


def _explained(error: Exception, sentence: str) -> TypeError | ValueError:
    """NumPy's sentence, which people search for, followed by ours."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{str(error).rstrip('.')}. {sentence}")


def _lengths(values: Any) -> str:
    """Say how the lengths of rows differ, if they do."""
    rows = values if isinstance(values, list | tuple) else []
    lengths = [len(row) if hasattr(row, "__len__") else 1 for row in rows]
    for i, length in enumerate(lengths):
        if length != lengths[0]:
            return f", with rows of one length; row 0 has {lengths[0]} and row {i} has {length}"
    return ""


def _no_array(values: Any, name: str) -> Exception:
    if values is None:  # of scikit-learn's class
        return ValueError(f"{name} must be an array or a frame of numbers; got None.")
    remedy = ""
    if isinstance(values, Mapping):
        remedy = " Make a frame of its columns, for instance with pandas.DataFrame."
    elif hasattr(values, "collect"):
        remedy = " It holds no rows yet: pass what its collect() returns."
    return TypeError(
        f"{name} must be an array or a frame of numbers; got {_a(type(values).__name__)}.{remedy}"
    )


def _a(word: str) -> str:
    return f"{'an' if word[:1] in 'aeiouAEIOU' else 'a'} {word}"


def require_length(rows: Any) -> int:
    """Return the number of rows of a piece of data; an error where it cannot have any."""
    if not hasattr(rows, "__len__") or isinstance(rows, str | bytes | Mapping | Set):
        raise _no_array(rows, "a chunk")
    return len(rows)


# ------------------------------------------------------------------- sparse, masked, with units


def refuse_sparse(X: Any, name: str) -> None:
    """Raise TypeError for sparse matrices and frames."""
    matrix = hasattr(X, "nnz") and (hasattr(X, "toarray") or hasattr(X, "todense"))
    # pandas has `sparse` where all columns are, also where there are none
    frame = hasattr(getattr(X, "sparse", None), "to_coo") and len(getattr(X, "columns", ())) > 0
    if matrix or frame:
        raise TypeError(
            f"Sparse data was passed for {name}, but dense data is required. Use '.toarray()' to "
            "convert to a dense numpy array." + " For a frame, use X.sparse.to_dense()." * frame
        )


def _refuse_masks_and_units(
    values: Any, name: str, place: Place, outer: tuple[int, ...] = ()
) -> None:
    """Raise where `np.asarray` would drop a mask or units, also inside lists."""
    if isinstance(values, list | tuple):
        if any(map(_may_mean_more, {*map(type, values)})):
            for i, item in enumerate(values):
                _refuse_masks_and_units(item, name, place, (*outer, i))
        return
    if not _may_mean_more(type(values)):
        return
    mask = getattr(values, "mask", False)
    if not callable(mask) and np.any(mask):
        mask = np.broadcast_to(mask, np.shape(values))
        index = (*outer, *map(int, np.unravel_index(int(np.argmax(mask)), mask.shape)))
        raise ValueError(
            f"Input {name} contains masked values. The first is in {place.of(index)}. Missing "
            "values are not supported: drop the rows that have them, or fill them first."
        )
    if isinstance(values, np.recarray):  # its fields are attributes, whatever they are called
        return
    for unit in (getattr(values, "unit", None), getattr(values, "units", None)):
        is_unit = not (unit is None or callable(unit) or isinstance(unit, str))
        if is_unit and str(unit) not in NO_UNITS:
            raise TypeError(
                f"{name} must hold plain numbers; got {_a(type(values).__name__)} in {unit}, and "
                "results would lose the unit. Convert it, and pass its value or magnitude."
            )


def _may_mean_more(kind: type) -> bool:
    """Whether objects of a type, or their items, may have a mask or units."""
    if issubclass(kind, np.ndarray | list | tuple):
        return kind is not np.ndarray
    return any(hasattr(kind, name) for name in ("mask", "unit", "units"))


# ------------------------------------------------------------------------ non-finite values


class NonFinite(NamedTuple):
    """The first value that is not finite: its kind and its place."""

    what: str
    where: tuple[int, ...]


def first_non_finite(array: NDArray[Any], is_missing_allowed: bool = False) -> NonFinite | None:
    """Return the first NaN of an array (n, ...), unless it is allowed, else the first infinity."""
    if _is_finite(array):
        return None
    step = max(1, BLOCK // max(1, math.prod(array.shape[1:])))
    infinite = None
    for start in range(0, len(array), step):
        block = array[start : start + step]
        where = None if is_missing_allowed else _first(np.isnan(block), start)
        if where is not None:
            return NonFinite("NaN", where)
        if infinite is None:
            infinite = _first(np.isinf(block), start)
    if infinite is None:
        return None
    return NonFinite(f"infinity or a value too large for {array.dtype!r}", infinite)


def _first(marks: NDArray[np.bool_], start: int) -> tuple[int, ...] | None:
    if not marks.any():
        return None
    row, *rest = map(int, np.unravel_index(int(marks.argmax()), marks.shape))
    return start + row, *rest


def _is_finite(array: NDArray[Any]) -> bool:
    """Whether all values are finite; False also where a sum of finite ones overflows."""
    flat = array.reshape(-1, order="A") if array.flags.forc else array  # in memory's order: a view
    step = max(1, BLOCK // max(1, math.prod(flat.shape[1:])))
    with np.errstate(over="ignore", invalid="ignore"):
        return all(bool(np.isfinite(flat[i : i + step].sum())) for i in range(0, len(flat), step))
