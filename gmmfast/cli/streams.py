"""Standard input and output, named ``-``, in place of files."""

import argparse
import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gmmfast.tables import WRITE_SUFFIXES, require_writable, write_csv, write_table

STANDARD = Path("-")
_RENAME = re.compile(r"Rename it to end in \.(\w+(?:\.\w+)?)")
_SHOWN: dict[str, str] = {}  # names in messages of temporary files, also once they are gone


def shown(text: str) -> str:
    """Return a text with the names that users know; standard input has a format in place of one."""
    for path, name in _SHOWN.items():
        if path in text:
            text = text.replace(path, name).replace("its name says .", "--format says ")
            text = _RENAME.sub(r"Use --format \1", text)
    return text


@contextlib.contextmanager
def spooled_input(arguments: argparse.Namespace) -> Iterator[None]:
    """Copy standard input to a file, if it is among the data: fits read it again and again."""
    paths: list[Path] = getattr(arguments, "data", None) or []
    if STANDARD not in paths:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="gmmfast-") as folder:
        path = Path(folder, f"input.{arguments.format}")
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        arguments.data = [path if each == STANDARD else each for each in paths]
        _SHOWN[str(path)] = "standard input"
        yield


def require_model_output(arguments: argparse.Namespace) -> None:
    """Raise before a long run if saving its model after it would fail."""
    if arguments.out == STANDARD:
        raise ValueError(
            "--out needs a .npz file for the model; got standard output. Save it to a file, and "
            "print that with gmmfast export."
        )
    if arguments.out is not None:
        require_writable(arguments.out, (".npz",))


def writes_rows(arguments: argparse.Namespace) -> bool:
    """Whether a command writes a row for each row of the data, as predict and score do."""
    return hasattr(arguments, "keep")


def require_output(arguments: argparse.Namespace) -> None:
    """Raise before a long run if writing its output after it would fail."""
    if arguments.out in (None, STANDARD):
        require_writable(Path(f"standard output.{arguments.to or 'csv'}"), WRITE_SUFFIXES)
        return
    if arguments.to is not None:
        raise ValueError(
            "--to is the format of standard output; the suffix of --out says that of a file. "
            "Leave one of them out."
        )
    require_writable(arguments.out, WRITE_SUFFIXES)


def write_output(pieces: Iterable[Mapping[str, Any]], arguments: argparse.Namespace) -> None:
    """Write columns to `--out`, or to standard output as `--to` says."""
    if arguments.out not in (None, STANDARD):
        write_table(arguments.out, pieces)
    elif arguments.to in (None, "csv"):
        write_csv(sys.stdout, pieces)
    else:
        with tempfile.TemporaryDirectory(prefix="gmmfast-") as folder:
            path = Path(folder, f"output.{arguments.to}")
            write_table(path, pieces)
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
