"""Standard input and output, named ``-``, in place of files."""

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gmmfast.tables import WRITE_SUFFIXES, require_writable, write_csv, write_table

STANDARD = Path("-")
_SHOWN: dict[str, str] = {}  # names in messages of temporary files, also once they are gone


def shown(text: str) -> str:
    """Return a text with the names that users know."""
    for path, name in _SHOWN.items():
        text = text.replace(path, name)
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


def require_output(arguments: argparse.Namespace) -> None:
    """Raise before a long run if writing its output after it would fail."""
    if arguments.out == STANDARD:
        require_writable(Path(f"x.{arguments.format}"), WRITE_SUFFIXES)
    elif arguments.out is not None:
        require_writable(arguments.out, WRITE_SUFFIXES)


def write_output(pieces: Iterable[Mapping[str, Any]], arguments: argparse.Namespace) -> None:
    """Write columns to `--out`, or to standard output, there as CSV or in the `--format`."""
    if arguments.out is None or (arguments.out == STANDARD and arguments.format == "csv"):
        write_csv(sys.stdout, pieces)
    elif arguments.out != STANDARD:
        write_table(arguments.out, pieces)
    else:
        with tempfile.TemporaryDirectory(prefix="gmmfast-") as folder:
            path = Path(folder, f"output.{arguments.format}")
            write_table(path, pieces)
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
