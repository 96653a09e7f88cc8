"""What a file is: its kind by its first bytes, its compression and its encoding."""

import bz2
import codecs
import contextlib
import gzip
import importlib
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from gmmfast.tables.base import COMPRESSIONS, EXCEL_SUFFIXES, READ_SUFFIXES, TEXT_SUFFIXES

CHECKED = 1 << 24  # bytes whose encoding is checked before a file is read
DENSITY = 6  # bytes of text per byte of a compressed file, for estimates
FALLBACK = "cp1252"  # of Windows in Western Europe and America, if text is not UTF-8
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SPACE = codecs.BOM_UTF8 + b" \t\r\n"
_PAGES = (b"<!doctype", b"<html", b"<table", b"<?xml", b"<head", b"<meta")
_OBJECTS = (b'{"', b"[{")
_RENAME = "Rename it to end in {}."
_SAVE = "Save it as CSV in the program that it belongs to."
# first bytes: what they begin, suffixes that say so, and the remedy for another one
_KINDS: dict[bytes, tuple[str, tuple[str, ...], str]] = {
    b"\x1f\x8b": ("compressed by gzip", (".gz",), _RENAME.format(".csv.gz")),
    b"BZh91AY&SY": ("compressed by bzip2", (".bz2",), _RENAME.format(".csv.bz2")),
    b"\xfd7zXZ\0": ("compressed by xz", (".xz",), _RENAME.format(".csv.xz")),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", (".zst",), _RENAME.format(".csv.zst")),
    b"PK\x03\x04": (
        "a spreadsheet or a .zip archive",
        (".xlsx", ".xlsm", ".ods"),
        "Rename it to end in .xlsx if it is a spreadsheet; unpack an archive first.",
    ),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "an old or password-protected Excel workbook",
        EXCEL_SUFFIXES,
        "Save it as .xlsx without a password, or as CSV.",
    ),
    b"PAR1\x15": ("a Parquet file", (".parquet",), _RENAME.format(".parquet")),
    b"ARROW1\0\0": ("an Arrow file", (".arrow", ".feather"), _RENAME.format(".arrow")),
    b"\x93NUMPY": ("a NumPy array", (".npy",), _RENAME.format(".npy")),
    b"%PDF-": ("a PDF document", (), _SAVE),
}


def kind_of(path: Path) -> tuple[str, str]:
    """Return the suffix of a file without a compression, and the compression, or nothing.

    A compressed file without another suffix is text.
    """
    suffix = path.suffix.lower()
    if suffix not in COMPRESSIONS:
        return suffix, ""
    inner = path.with_suffix("").suffix.lower()
    return inner or TEXT_SUFFIXES[0], suffix


def require_named_kind(path: Path) -> None:
    """Raise ValueError if the first bytes of a file are of another kind than its name says."""
    suffix, compression = kind_of(path)
    named = compression or suffix
    if path.is_fifo():
        raise ValueError(
            f"{path}: a file is required, which can be read more than once; this is a pipe. Read "
            "standard input instead, named -, or write the data to a file first."
        )
    with path.open("rb") as file:
        start = file.read(512)
    for mark, (what, suffixes, remedy) in _KINDS.items():
        if start.startswith(mark) and named not in suffixes:
            raise ValueError(f"{path}: its name says {named}, its content is {what}. {remedy}")
    if start.lstrip(_SPACE).lower().startswith(_PAGES) and suffix in READ_SUFFIXES:
        raise ValueError(
            f"{path}: its name says {named}, its content is a page of HTML or XML. Open it in a "
            "spreadsheet program, and save it as .xlsx or CSV."
        )
    if start.lstrip(_SPACE).startswith(_OBJECTS) and suffix in TEXT_SUFFIXES:
        raise ValueError(
            f"{path}: a table is required; the content is JSON. Write it as CSV or Parquet, for "
            "instance with pandas.read_json(file, lines=True).to_csv(...)."
        )


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, decompressed; ImportError if that needs pyarrow."""
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    _, compression = kind_of(path)
    if compression == ".zst":
        return _open_zstandard(path)
    return cast(IO[bytes], openers.get(compression, open)(path, "rb"))


def _open_zstandard(path: Path) -> IO[bytes]:
    try:
        arrow: Any = importlib.import_module("pyarrow")
    except ImportError:
        raise ImportError(
            f"{path}: reading .zst files needs pyarrow, which is not installed. "
            'Install it with: pip install "gmmfast[io]"'
        ) from None
    return cast(IO[bytes], arrow.input_stream(str(path), compression="zstd"))


def encoding_of(path: Path) -> str:
    """Return the encoding of text by its byte order mark, or by the bytes of its first part."""
    with open_bytes(path) as file:
        start = file.read(CHECKED)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" in start[:1000]:  # every other byte of Latin letters and digits in UTF-16
        return "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < CHECKED)
    except UnicodeDecodeError:
        return FALLBACK
    return "utf-8"


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file for reading; line ends are left as they are."""
    codecs.lookup(encoding)  # or LookupError, before a file is open
    return io.TextIOWrapper(cast(Any, open_bytes(path)), encoding=encoding, newline="")


@contextlib.contextmanager
def explained(path: Path, encoding: str) -> Iterator[None]:
    """Turn errors of decoding and decompressing into sentences."""
    try:
        yield
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ValueError(
            f"{path}: the text must be {encoding}; got byte {byte:#04x}. Name its encoding with "
            f"--encoding, such as {FALLBACK} (encoding= in Python), or save it as CSV UTF-8."
        ) from None
    except LookupError:
        raise ValueError(
            f"{path}: --encoding (encoding= in Python) must be a name that Python knows, such as "
            f"utf-8, cp1252 or utf-16; got {encoding!r}."
        ) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile):
        raise _damaged(path) from None
    except OSError as error:
        if error.errno is None and kind_of(path)[1]:  # of bz2 and pyarrow
            raise _damaged(path) from None
        raise


def _damaged(path: Path) -> ValueError:
    suffix = kind_of(path)[1]
    return ValueError(
        f"{path}: a {suffix} file is required; this one is damaged or something else. Write it "
        "again."
    )
