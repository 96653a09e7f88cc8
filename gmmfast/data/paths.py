"""Checks of output files: a writable folder, and no file that is an input or another output."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def require_apart(inputs: Mapping[str, Path | None], outputs: Mapping[str, Path | None]) -> None:
    """Raise ValueError if a file would be both read and written, or written twice.

    Files are compared, not their names: links and other ways to the same file are seen.

    Parameters
    ----------
    inputs, outputs : mapping of str to Path or None
        By their names in messages. An input may be a folder of files.
    """
    read = [(name, path) for name, path in inputs.items() if path is not None]
    written: list[tuple[str, Path]] = []
    for name, path in outputs.items():
        if path is None:
            continue
        for other, there in [*read, *written]:
            if _is_part(path, there):
                how = "which are one file"
                how = "which is a folder that holds it" if there.is_dir() else how
                got = f"{path} for both" if path == there else f"{path} and {there}, {how}"
                raise ValueError(
                    f"{name} and {other} must be two files; got {got}. Write to another file."
                )
        written.append((name, path))


def _is_part(path: Path, whole: Path) -> bool:
    """Whether a path is this file, or is or would be a file of data in this folder."""
    if not whole.is_dir():
        return _are_same(path, whole)
    folder, target = Path(os.path.realpath(whole)), Path(os.path.realpath(path))
    files = [each for each in whole.rglob("*") if each.suffix != ".npz"]  # models are no data
    would_be = folder in target.parents and target.suffix in {each.suffix for each in files}
    return would_be or any(_are_same(path, each) for each in files)


def _are_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there yet
        targets = [os.path.normcase(os.path.realpath(path)) for path in (one, other)]
        return targets[0] == targets[1]


def require_folder(path: str | os.PathLike[str]) -> None:
    """Raise before a long run if writing a file after it would fail."""
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path}: a file is required; this is a directory.")
    if not Path(path).resolve().parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder must exist. Create it first.")
    if not os.access(Path(path).resolve().parent, os.W_OK):
        raise PermissionError(f"{path}: the folder must be writable. Choose another.")


@contextmanager
def naming(path: Path, temporary: Path) -> Iterator[None]:
    """Make errors of the temporary file beside `path` name `path` instead."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
