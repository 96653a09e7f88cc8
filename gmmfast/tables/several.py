"""Several files as one table: lists, folders, and patterns such as ``data/*.csv``."""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gmmfast.tables.base import READ_SUFFIXES, Piece, TableFile, Watch, joined, unwatched
from gmmfast.tables.opening import kind_of

_LOCK = "~$"  # of Excel
_HIDDEN = (".", "_", _LOCK)  # leftovers of writers
_PATTERN = set("*?[")


class SeveralFiles(TableFile):
    """Files with the same columns, one below the other.

    Parameters
    ----------
    what : Path
        The folder or the pattern, for messages.
    files : sequence of TableFile
        At least one.
    """

    def __init__(self, what: Path, files: Sequence[TableFile]) -> None:
        self.path, self.files = what, files
        first = self.files[0]
        self.names, self.has_names, self.index = first.names, first.has_names, first.index
        self.text = list(dict.fromkeys(name for file in self.files for name in file.text))
        self.empty = [name for name in first.empty if all(name in f.empty for f in self.files)]
        self.signs = first.signs
        self.padded = list(dict.fromkeys(name for file in self.files for name in file.padded))
        self.notes = self._notes()

    @property
    def n_bytes(self) -> float:
        """Size of all."""
        return sum(file.n_bytes for file in self.files)

    def _notes(self) -> list[str]:
        """Notes on the files; a note that several share is said once."""
        paths: dict[str, list[Path]] = {}
        for file in self.files:
            for note in file.notes:
                paths.setdefault(note.removeprefix(f"{file.path}: "), []).append(file.path)
        return [
            f"{where[0] if len(where) == 1 else f'{self.path} ({len(where)} files)'}: {text}"
            for text, where in paths.items()
        ]

    def require_columns(self, names: Sequence[str], *, no_others: bool) -> None:
        """Raise ValueError unless every file has these columns, and no other numbers if asked."""
        first = self.files[0]
        known = {*names, *self.index, *self.text, *self.empty}
        for file in self.files[1:]:
            others = {*file.names} - {*file.index} - known if no_others else set()
            missing = {*names} - {*file.names}
            if others or missing or file.has_names != first.has_names:
                raise ValueError(
                    f"{file.path}: every file must have the columns {', '.join(names)}, as "
                    f"{first.path} has; got {', '.join(file.names)}. Choose them with --columns "
                    "(columns= in Python)."
                )
        for name in names:
            signs = {file.signs[name] for file in self.files if file.signs}
            if len(signs) > 1:
                shown = ", ".join(sign or "no sign" for sign in sorted(signs))
                raise ValueError(
                    f"{self.path}, column {name!r}: the numbers of a column must have one unit in "
                    f"all files; got {shown}. Convert them to one unit."
                )

    def read(self, picked: list[int], kept: Sequence[int] = (), watch: Watch = unwatched) -> Piece:
        """Return the picked columns of all files, each read as a whole."""
        whole = self._each(picked, kept, lambda file, p, k: iter([file.read(p, k, watch)]))
        return joined(list(whole), len(picked), len(kept))

    def pieces(
        self, picked: list[int], n_rows: int | None = None, kept: Sequence[int] = ()
    ) -> Iterator[Piece]:
        """Yield some rows at a time."""
        return self._each(picked, kept, lambda file, p, k: file.pieces(p, n_rows, k))

    def _each(
        self,
        picked: list[int],
        kept: Sequence[int],
        take: Callable[[TableFile, list[int], list[int]], Iterator[Piece]],
    ) -> Iterator[Piece]:
        for file in self.files:
            place = {name: i for i, name in enumerate(file.names)}
            there = [[place[self.names[i]] for i in which] for which in (picked, kept)]
            for piece in take(file, *there):
                yield piece._replace(lines=None)  # of which file, a number would not say


def files_of(path: Path) -> list[Path]:
    """Return the files of a folder and the folders in it, or of a pattern, by name; or one file.

    A folder gives its Parquet files; or all others that can be read, if of one kind.
    """
    if str(path).startswith(("http:", "https:", "ftp:", "s3:", "gs:")):
        raise ValueError(
            f"{path}: the data must be a file on this machine; got an address. Download it first."
        )
    if path.is_dir():
        found = [each for each in sorted(path.rglob("*")) if each.is_file()]
        found = [p for p in found if not _is_hidden(p.relative_to(path))]
        found = [each for each in found if kind_of(each)[0] in READ_SUFFIXES]
        kinds = sorted({kind_of(each)[0] for each in found})
        if ".parquet" in kinds:  # writers leave other files beside these
            return [each for each in found if kind_of(each)[0] == ".parquet"]
        if len(kinds) > 1:
            raise ValueError(
                f"{path}: the files of a folder must be of one kind; got {', '.join(kinds)}. Name "
                f"those that you mean, such as {path}/*{kinds[0]}."
            )
        if not found:
            raise ValueError(
                f"{path}: the folder must hold files that end in one of "
                f"{', '.join(READ_SUFFIXES)}; got none."
            )
        return found
    if path.exists() or not _PATTERN & {*str(path)}:
        return [path]
    found = [Path(name) for name in sorted(glob.glob(os.fspath(path), recursive=True))]
    found = [each for each in found if each.is_file() and not each.name.startswith(_LOCK)]
    if not found:
        raise FileNotFoundError(f"{path}: no file matches this pattern.")
    return found


def require_each_once(paths: Sequence[Path]) -> None:
    """Raise ValueError if rows would count twice: of a file, or of one and its compressed copy."""
    seen: dict[str, Path] = {}
    for path in paths:
        copy = path.with_suffix("") if kind_of(path)[1] else path
        before = seen.setdefault(os.path.realpath(copy), path)
        if before is not path:
            got = f"{path} twice" if before == path else f"{before} and {path}"
            raise ValueError(
                f"The rows of a file can be used once; got {got}. Leave one out, or rename it if "
                "it holds other rows."
            )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(_HIDDEN) for part in path.parts)
