"""Files of arrays: ``.npz`` with a JSON manifest, no pickle, written at once or not at all."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")

VERSION = 2  # of what the files hold


def write(
    path: str | os.PathLike[str],
    program: str,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Write a file beside the path, and put it in its place.

    Parameters
    ----------
    path : path-like
        What is there is replaced.
    program : str
        What the file is; `read` asks for the same.
    manifest : mapping
        Everything but the arrays, as JSON can hold it.
    arrays : mapping of str to ndarray
        By name.
    """
    require_folder(path)
    text = json.dumps({"format": program, "version": VERSION, **manifest}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, manifest=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]
    path = Path(path).resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path, temporary):
            temporary.write_bytes(buffer.getvalue())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def require_folder(path: str | os.PathLike[str]) -> None:
    """Raise, before a long run, what would make writing a file fail after it."""
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path}: a file is required; this is a directory.")
    if not Path(path).resolve().parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder must exist. Create it first.")
    if not os.access(Path(path).resolve().parent, os.W_OK):
        raise PermissionError(f"{path}: the folder must be writable. Choose another.")


@contextmanager
def naming(path: Path, temporary: Path) -> Iterator[None]:
    """Let errors of a file that is written beside `path` name that one: they say what is wrong."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def read(
    path: str | os.PathLike[str],
    program: str,
    rebuild: Callable[[dict[str, Any], Arrays], T],
    remedy: str,
) -> T:
    """Read a file, and make of its manifest and arrays what they stand for.

    Parameters
    ----------
    path : path-like
        File.
    program : str
        What it must be.
    rebuild : callable
        Makes something of the manifest and the arrays, and checks them with `require`.
    remedy : str
        How such a file is made.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is something else, is damaged, or is of another version.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            require(zipfile.is_zipfile(stream), f"it is no .npz file. {remedy}")
            with np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        return rebuild(_manifest(arrays.pop("manifest"), program), arrays)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file. {remedy}") from None
    except PermissionError:
        raise
    except Exception as error:  # a damaged file can raise anything that a reader can
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is not a {program}, or is damaged: {reason}") from None


def _manifest(raw: NDArray[Any], program: str) -> dict[str, Any]:
    require(isinstance(raw, np.ndarray) and raw.dtype == np.uint8, "the manifest is not text")
    manifest = json.loads(raw.tobytes().decode())
    require(isinstance(manifest, dict), "the manifest is not one of gmmfast")
    require(manifest["format"] == program, f"it is a {manifest['format']}")
    version = manifest["version"]
    require(
        version == VERSION,
        f"its format is {version}, this gmmfast reads {VERSION}; use the one that wrote it",
    )
    require(isinstance(manifest["parameters"], dict), "the manifest is incomplete")
    return manifest  # type: ignore[no-any-return]


def under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return arrays by their names with a prefix."""
    return {prefix + name: array for name, array in arrays.items()}


def found_under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return those whose names have a prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def kept_parameters(estimator: Any) -> dict[str, Any]:
    """Parameters of a constructor that a manifest can hold: no arrays, no random generators."""
    values = {name: plain(value) for name, value in estimator.get_params(deep=False).items()}
    kinds = bool | int | float | str | None
    return {name: value for name, value in values.items() if isinstance(value, kinds)}


def require(condition: bool, otherwise: str) -> None:
    """Raise ValueError unless something holds of a file."""
    if not condition:
        raise ValueError(otherwise)
