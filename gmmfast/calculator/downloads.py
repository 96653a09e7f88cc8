"""The files that the page offers: the model, the result, the data, and all rows with results."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gmmfast.calculator.data import columns_beside
from gmmfast.calculator.sessions import Job
from gmmfast.calculator.settings import OUTLIER_RATE
from gmmfast.estimators.mixture import load
from gmmfast.tables import write_table
from gmmfast.tables.base import is_missing_cell, plain_number
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
    write_table(path, [dict(zip(table.names, np.asarray(table.values).T, strict=True))])


def _write_csv(job: Job, path: Path) -> None:
    write_table(path, map(_as_text, rows_with_results(job)))


def _write_excel(job: Job, path: Path) -> None:
    write_table(path, rows_with_results(job))


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
    """Yield all columns of the data in their order, and the results, some rows at a time."""
    folder, loaded = job.session.folder, job.loaded
    labels = np.load(folder / "labels.npy")
    probabilities = np.load(folder / "probabilities.npy")
    log_densities = np.load(folder / "log_densities.npy")
    outlier = log_densities < load(folder / "model.npz").log_density_quantile(OUTLIER_RATE)
    results = {
        "component": labels,
        "probability": probabilities,
        "log_density": log_densities,
        "outlier": outlier.astype(np.int8),
    }
    start = 0
    for count, kept in columns_beside(loaded):
        rows = slice(start, start + count)
        numbers = dict(zip(loaded.table.names, loaded.table.values[rows].T, strict=True))
        columns = {name: kept[name] if name in kept else numbers[name] for name in loaded.order}
        for name, values in results.items():
            while name in columns:  # of the data, which keep their names
                name += "_"
            columns[name] = values[rows]
        yield columns
        start += count


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
    >>> [plain(cell) for cell in ("=1+1", "-1.5", "-", "a=b", None)]
    ["'=1+1", '-1.5', '-', 'a=b', None]
    """
    if not (isinstance(cell, str) and cell.startswith(FORMULA)):
        return cell
    is_plain = plain_number(cell) is not None or is_missing_cell(cell)
    return cell if is_plain else f"'{cell}"
