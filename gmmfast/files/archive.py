"""Files of arrays: ``.npz`` with a JSON manifest, no pickle, written at once or not at all."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.paths import naming, require_folder
from gmmfast.data.prior import Prior

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")

# Limits of what a file may take in memory. gmmfast stores arrays uncompressed; a file that was
# compressed by another program may expand.
SMALL = 1 << 28  # bytes of arrays that any file may hold
RATIO = 16  # bytes of arrays per byte of a larger file
MANIFEST_BYTES = 1 << 25
MANIFEST_VALUES = 1 << 20  # numbers, names and lists: each takes up to 100 bytes in memory


class Header(NamedTuple):
    """Shape and type of an array, known before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


Found = Mapping[str, Header | NDArray[Any]]  # both have a shape and a dtype


@dataclass(frozen=True)
class Form(Generic[T]):
    """A kind of file: its contents, and the object that they stand for."""

    program: str  # name of the kind, in the file and in messages
    versions: tuple[int, ...]  # that can be read; the last is written
    source: str  # how such files are made, for messages about other files
    remedy: str  # what to do if a file cannot be written
    layout: Callable[[dict[str, Any], Found], dict[str, Header]]  # arrays that must be there
    rebuild: Callable[[dict[str, Any], Arrays], T]  # checks the values with `require`


def write(
    path: str | os.PathLike[str],
    form: Form[Any],
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Write a file beside the path, and put it in its place.

    Parameters
    ----------
    path : path-like
        An existing file is replaced.
    form : Form
        Kind of the file, the same as for `read`.
    manifest : mapping
        Everything but the arrays, as JSON can hold it.
    arrays : mapping of str to ndarray
        By name.

    Raises
    ------
    ValueError
        If `read` would refuse the file; nothing is written.
    """
    require_folder(path)
    try:
        text = json.dumps({**kind_of(form), **manifest}).encode()
        rebuilt(form, text, arrays)
    except Exception as error:  # attributes that were set by hand can be anything
        reason = _reason(error)
        raise ValueError(
            f"{path}: cannot write this {form.program}: {reason}. {form.remedy}"
        ) from None
    buffer = io.BytesIO()
    np.savez(buffer, manifest=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]
    put(path, buffer.getvalue())


def put(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file beside the path, and put it in its place."""
    path = Path(path).resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path, temporary):
            temporary.write_bytes(content)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def kind_of(form: Form[Any]) -> dict[str, Any]:
    """Return the first entries of a manifest."""
    return {"format": form.program, "version": form.versions[-1]}


def rebuilt(form: Form[T], text: bytes, arrays: Mapping[str, NDArray[Any]]) -> T:
    """Rebuild the object that the text of a manifest and arrays stand for, checked as by `read`."""
    manifest = _manifest(text, form)
    _require_layout(arrays, form.layout(manifest, arrays))
    return form.rebuild(manifest, dict(arrays))


def read(path: str | os.PathLike[str], form: Form[T]) -> T:
    """Read a file, and rebuild the object that its manifest and arrays stand for.

    No array is read before the headers of all of them agree with the manifest.

    Parameters
    ----------
    path : path-like
        File.
    form : Form
        Kind of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged or of another kind or version, or would take much more memory than disk.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            require(zipfile.is_zipfile(stream), f"it is not an .npz file. {form.source}")
            with zipfile.ZipFile(stream) as file:
                members = _members(file, path.stat().st_size)
                manifest = _manifest(_text(file, members.pop("manifest")), form)
                headers = {name: _header(file, info) for name, info in members.items()}
                _require_layout(headers, form.layout(manifest, headers))
                arrays = {name: _array(file, info) for name, info in members.items()}
        return form.rebuild(manifest, arrays)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file. {form.source}") from None
    except PermissionError:
        raise
    except Exception as error:  # a damaged file can raise anything that a reader can
        raise damaged(str(path), form, error) from None


def damaged(what: str, form: Form[Any], error: Exception) -> ValueError:
    """Return the error for a file or object that cannot be understood."""
    return ValueError(f"{what} is not a {form.program}, or is damaged: {_reason(error)}")


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _members(file: zipfile.ZipFile, n_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by their names, if all of them may be read."""
    members = file.infolist()
    for info in members:
        require(info.filename.endswith(".npy"), f"{info.filename!r} is not an array")
        # zipfile limits the output of a read for these methods only
        known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        require(known, f"{info.filename!r} is compressed by another method than numpy's")
    named = {info.filename.removesuffix(".npy"): info for info in members}
    require(len(named) == len(members), "two of its arrays have the same name")
    total, most = sum(info.file_size for info in members), max(SMALL, RATIO * n_bytes)
    require(
        total <= most,
        f"its arrays would take {total / 1e6:.0f} MB of memory, more than the {most / 1e6:.0f} MB "
        f"that a file of {n_bytes / 1e6:.1f} MB may hold. Save it without compression",
    )
    return named


def _header(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Header:
    """Read the header of an array, and hold it against the size of the member."""
    with file.open(info) as member:
        return _header_of(member, info)


def _header_of(member: IO[bytes], info: zipfile.ZipInfo) -> Header:
    version = np.lib.format.read_magic(member)
    require(version == (1, 0), f"{info.filename} is of another version of numpy's format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    n_bytes = info.file_size - member.tell()
    is_plain = not dtype.hasobject and min(shape, default=0) >= 0
    require(
        is_plain and n_bytes == math.prod(shape) * dtype.itemsize,
        f"{info.filename} has {n_bytes} bytes for an array of shape {shape} and type {dtype}",
    )
    return Header(shape, dtype)


def _array(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with file.open(info) as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        return array


def _text(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read the bytes of the manifest."""
    require(info.file_size <= MANIFEST_BYTES, "the manifest is too long")
    with file.open(info) as member:
        shape, dtype = _header_of(member, info)
        require(len(shape) == 1 and dtype == np.uint8, "the manifest is not text")
        return member.read()


def _manifest(text: bytes, form: Form[Any]) -> dict[str, Any]:
    most_values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
    require(
        len(text) <= MANIFEST_BYTES and most_values <= MANIFEST_VALUES,
        f"its lists (lower_bounds_, names of columns) have more than {MANIFEST_VALUES} entries",
    )
    manifest = json.loads(text.decode())
    require(isinstance(manifest, dict), "the manifest is not one of gmmfast")
    require(manifest["format"] == form.program, f"it is a {manifest['format']}")
    version = manifest["version"]
    require(
        version in form.versions,
        f"its format is {version}, and this gmmfast reads {' and '.join(map(str, form.versions))}. "
        "Use the version that wrote it",
    )
    require(isinstance(manifest["parameters"], dict), "the manifest is incomplete")
    prior = manifest["parameters"].get("prior")
    if isinstance(prior, dict):
        manifest["parameters"]["prior"] = Prior(**prior)
    return manifest  # type: ignore[no-any-return]


def _require_layout(found: Found, expected: Mapping[str, Header]) -> None:
    """Raise ValueError unless the arrays, or their headers, are as expected."""
    for name, (shape, dtype) in expected.items():
        array = found[name]
        require(array.dtype == dtype, f"{name} is of type {array.dtype} instead of {dtype}")
        require(array.shape == shape, f"{name} has the shape {array.shape} instead of {shape}")
    unknown = sorted(set(found) - set(expected))
    require(not unknown, f"it has unexpected arrays: {', '.join(unknown)}")


def under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return arrays by their names with a prefix."""
    return {prefix + name: array for name, array in arrays.items()}


def found_under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the arrays whose names have a prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's, and a prior as JSON can hold it."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Prior):
        return value.to_dict()
    return value.item() if isinstance(value, np.generic) else value


def kept_parameters(estimator: Any) -> dict[str, Any]:
    """Parameters of a constructor that a manifest can hold: no arrays, no random generators."""
    kinds = bool | int | float | str | np.generic | Prior | None
    values = estimator.get_params(deep=False).items()
    return {name: plain(value) for name, value in values if isinstance(value, kinds)}


def require(condition: bool, otherwise: str) -> None:
    """Raise ValueError unless a condition holds."""
    if not condition:
        raise ValueError(otherwise)
