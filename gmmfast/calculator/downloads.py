"""The files that the page offers: the model, the result, the data, and all rows with results."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.calculator.data import DIALECTS, columns_beside, known
from gmmfast.calculator.sessions import Job
from gmmfast.calculator.settings import OUTLIER_RATE
from gmmfast.estimators.mixture import load
from gmmfast.rows.evaluation import are_outliers
from gmmfast.tables import write_table
from gmmfast.tables.base import free_name, is_missing_cell, plain_number
from gmmfast.tables.excel import MOST_ROWS

Columns = dict[str, Any]  # arrays, or lists of cells, by name

EXCEL_ROWS = MOST_ROWS if importlib.util.find_spec("xlsxwriter") else 0  # that a sheet can take
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets calculate begins with one of these


def write_download(job: Job, name: str) -> Path:
    """Write a file of the result into a new folder, which the caller removes.

    Parameters
    ----------
    job : Job
        A fit that is done.
    name : str
        One of `DOWNLOADS`.

    Raises
    ------
    ValueError
        If a sheet cannot hold the rows.
    ImportError
        If it needs xlsxwriter, and that is not installed.
    """
    path = Path(tempfile.mkdtemp(dir=job.session.folder)) / name
    try:
        DOWNLOADS[name][1](job, path)
    except BaseException:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    return path


def _write_model(job: Job, path: Path) -> None:
    shutil.copyfile(job.session.folder / "model.npz", path)


def _write_result(job: Job, path: Path) -> None:
    assert job.result is not None
    path.write_text(json.dumps(job.result["report"], indent=2), "utf-8")


def _write_data(job: Job, path: Path) -> None:
    table = job.loaded.table
    write_table(path, [dict(zip(table.names, map(_blanks, table.values.T), strict=True))])


def _write_csv(job: Job, path: Path) -> None:
    write_table(path, map(_as_text, rows_with_results(job)))


def _write_excel(job: Job, path: Path) -> None:
    loaded = job.loaded
    numbers = [name for name in loaded.table.names if name not in loaded.codes]
    write_table(path, (_as_numbers(columns, numbers) for columns in rows_with_results(job)))


DOWNLOADS: dict[str, tuple[str, Callable[[Job, Path], None]]] = {  # by name: type, and writer
    "model.npz": ("application/octet-stream", _write_model),
    "result.json": ("application/json", _write_result),
    "rows.csv": ("text/csv", _write_csv),
    "rows.xlsx": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _write_excel,
    ),
    "data.csv": ("text/csv", _write_data),
}


def rows_with_results(job: Job) -> Iterator[Columns]:
    """Yield numbers of rows, all columns of the data in their order, and the results.

    Columns that the model does not use are as they were in the file.
    """
    folder, loaded = job.session.folder, job.loaded
    labels = np.load(folder / "labels.npy")
    probabilities = np.load(folder / "probabilities.npy")
    log_densities = np.load(folder / "log_densities.npy")
    cut = load(folder / "model.npz").log_density_quantile(OUTLIER_RATE)
    outlier = are_outliers(log_densities, labels, cut)
    results = {
        "component": labels,
        "probability": probabilities,
        "log_density": log_densities,
        "outlier": outlier.astype(np.int8),
    }
    start = 0
    for of_file, kept in columns_beside(loaded, job.settings.columns):
        rows = slice(start, start + len(of_file))
        own = map(_blanks, loaded.table.values[rows].T)
        numbers = dict(zip(loaded.table.names, own, strict=True))
        columns: Columns = {free_name("row", loaded.order): of_file}  # the data keep their names
        columns |= {name: kept[name] if name in kept else numbers[name] for name in loaded.order}
        for name, values in results.items():
            columns[free_name(name, columns)] = values[rows]
        yield columns
        start += len(of_file)


def _blanks(column: NDArray[Any]) -> Any:
    """Return a column, in which cells of missing values stay empty."""
    return known(column) if np.isnan(column).any() else np.asarray(column)


def _as_numbers(columns: Columns, names: Container[str]) -> Columns:
    """Return columns of which those with `names` hold numbers where nothing is lost by that."""
    return {
        name: list(map(_as_number, cells)) if name in names and isinstance(cells, list) else cells
        for name, cells in columns.items()
    }


def _as_number(cell: Any) -> Any:
    """Return the number that is written as a cell is, or the cell."""
    value = plain_number(cell) if isinstance(cell, str) else None
    if value is None or not math.isfinite(value):
        return cell
    whole = int(value) if value.is_integer() else value
    return next((number for number in (whole, value) if str(number) == cell), cell)


def _as_text(columns: Columns) -> Columns:
    """Return columns whose text is no formula where a spreadsheet opens it."""
    return {
        plain(name): list(map(plain, cells)) if isinstance(cells, list) else cells
        for name, cells in columns.items()
    }


def plain(cell: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would calculate.

    Examples
    --------
    >>> [plain(cell) for cell in ("=1+1", "-1.234,56 €", "-", "a=b", None)]
    ["'=1+1", '-1.234,56 €', '-', 'a=b', None]
    """
    if not (isinstance(cell, str) and cell.startswith(FORMULA)):
        return cell
    is_number = any(dialect.number(cell) is not None for dialect in DIALECTS)
    return cell if is_number or is_missing_cell(cell) else f"'{cell}"
