"""Open files, each by its kind, and several as one."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from gmmfast.tables.arrow import ArrowFile
from gmmfast.tables.base import (
    EXCEL_SUFFIXES,
    READ_SUFFIXES,
    TEXT_SUFFIXES,
    EmptyTableError,
    Reading,
    TableFile,
    listed,
)
from gmmfast.tables.excel import ExcelFile
from gmmfast.tables.npy import NpyFile
from gmmfast.tables.opening import kind_of, require_named_kind
from gmmfast.tables.several import SeveralFiles, files_of, require_each_once
from gmmfast.tables.text import TextFile

Paths: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
FIND_OUT = Reading()


def open_file(path: Paths, asked: list[str], reading: Reading = FIND_OUT) -> TableFile:
    """Open a file, or several as one, far enough to know its columns."""
    if not isinstance(path, str | os.PathLike):
        paths = [Path(each) for each in path]
        if not paths:
            raise ValueError("a table needs at least one file; got none.")
        what = paths[0] if len(paths) == 1 else Path(f"{paths[0]} and {len(paths) - 1} more")
        paths = [each for one in paths for each in files_of(one)]
    else:
        what = Path(path)
        paths = files_of(what)
    if len(paths) == 1 and not what.is_dir():
        return _open_one(paths[0], asked, reading)
    require_each_once(paths)
    files, empty = _open_each(paths, asked, reading)
    decimals = {f.dialect.decimal for f in files if isinstance(f, TextFile) and not f.is_open}
    if len(decimals) == 1:  # one file tells what another leaves open
        known = replace(reading, decimal=decimals.pop())
        for i, file in enumerate(files):
            if isinstance(file, TextFile) and file.is_open:
                files[i] = _open_one(file.path, asked, known)
    source = SeveralFiles(what, files)
    if empty:
        which = "file has" if len(empty) == 1 else "files have"
        shown = listed([str(each) for each in empty])
        source.notes.append(f"{what}: {len(empty)} {which} no rows ({shown}).")
    return source


def _open_each(
    paths: Sequence[Path], asked: list[str], reading: Reading
) -> tuple[list[TableFile], list[Path]]:
    """Open files; return those with rows, at least one, and the paths of the others."""
    files, empty, names = list[TableFile](), list[Path](), list[str]()
    for path in paths:
        try:
            files.append(_open_one(path, asked, reading))
        except EmptyTableError as error:
            empty.append(path)
            names = error.names
    if not files:
        text = f"{paths[0]}: a table needs at least one row; none of {len(paths)} files has one."
        raise EmptyTableError(text, names)
    return files, empty


def _open_one(path: Path, asked: list[str], reading: Reading) -> TableFile:
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    suffix, compression = kind_of(path)
    if suffix not in READ_SUFFIXES or (compression and suffix not in TEXT_SUFFIXES):
        got = repr(path.suffix) if path.suffix else "none"
        raise ValueError(
            f"{path}: the file suffix must be one of {', '.join(READ_SUFFIXES)}, or of compressed "
            f"text such as .csv.gz; got {got}."
        )
    require_named_kind(path)
    _require_options(path, suffix, reading)
    if suffix in TEXT_SUFFIXES:
        return TextFile(path, asked, reading)
    if suffix in EXCEL_SUFFIXES:
        return ExcelFile(path, asked, reading)
    return NpyFile(path) if suffix == ".npy" else ArrowFile(path)


def _require_options(path: Path, suffix: str, reading: Reading) -> None:
    """Raise ValueError for an option that this kind of file has no use for."""
    kinds: dict[str, tuple[str, ...]] = {
        "header": (*TEXT_SUFFIXES, *EXCEL_SUFFIXES),
        "decimal": (*TEXT_SUFFIXES, *EXCEL_SUFFIXES),
        "delimiter": TEXT_SUFFIXES,
        "encoding": TEXT_SUFFIXES,
        "sheet": EXCEL_SUFFIXES,
    }
    for name, suffixes in kinds.items():
        if getattr(reading, name) is not None and suffix not in suffixes:
            options = f"--{name} and --no-{name}" if name == "header" else f"--{name}"
            of = "spreadsheets" if name == "sheet" else "text files"
            raise ValueError(
                f"{path}: {options} ({name}= in Python) {'are' if name == 'header' else 'is'} for "
                f"{of}; got a {suffix} file. Leave the option out."
            )
