"""The cache of the kernels' machine code, which processes share."""

from __future__ import annotations

import hashlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import llvmlite
import numba
from numba.core import caching, config

from gmmfast import kernels
from gmmfast.kernels.claims import Claims
from gmmfast.kernels.simd import HAS_FMA, REGISTER_BYTES


def _source(module: str) -> str | None:
    """Source of a module, also in a zip file; None if only its bytecode is installed."""
    loader: Any = getattr(importlib.util.find_spec(module), "loader", None)
    try:
        return cast("str | None", loader.get_source(module))
    except (AttributeError, ImportError, OSError):
        return None


def _digest() -> str | None:
    """Hash of all that the machine code depends on: the kernels' sources and the compiler.

    None if a source cannot be read; then nothing is cached on disk.
    """
    versions = f"{numba.__version__} {llvmlite.__version__} {REGISTER_BYTES} {HAS_FMA}"
    state = hashlib.sha256(versions.encode())
    found = sorted(module.name for module in pkgutil.iter_modules(kernels.__path__))
    names = [f"gmmfast.kernels.{name}" for name in found]
    for name in (*names, "gmmfast.parameters"):  # Density
        source = _source(name)
        if source is None or not names:
            return None
        state.update(source.encode())
    return state.hexdigest()


DIGEST = _digest()


class _OfAllSources:
    """A cache folder whose entries go stale when any kernel changes, not only their own file."""

    def get_source_stamp(self) -> str | None:
        return DIGEST


class _AlsoOfZip(_OfAllSources):
    """The same for sources in a zip file."""

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Any:
        """Return the folder; None if it cannot be written."""
        folder: Any = cls(function, file)  # type: ignore[call-arg]
        try:
            folder.ensure_cache_path()
        except OSError:
            return None
        return folder


class _UserProvided(_AlsoOfZip, caching.UserProvidedCacheLocator):
    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Any:
        """Return the folder below ``NUMBA_CACHE_DIR``, if that is set."""
        return super().from_function(function, file) if config.CACHE_DIR else None


class _InTree(_OfAllSources, caching.InTreeCacheLocator):
    pass


class _UserWide(_AlsoOfZip, caching.UserWideCacheLocator):
    pass


class _Entries(caching.CompileResultCacheImpl):
    _locator_classes = [_UserProvided, _InTree, _UserWide]


class _Files(caching.IndexDataCacheFile):
    """Files of machine code, labeled with their key.

    The index alone is not reliable: processes that compile at the same time give their files the
    same numbers, and write the index before the file.
    """

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (DIGEST, key, data))

    def load(self, key: Any) -> Any:
        *meant, data = super().load(key) or (None,)
        return data if meant == [DIGEST, key] else None


_actions: list[Callable[[], None]] = []  # when a kernel has to be compiled
_known_claims: dict[str, Claims] = {}  # by folder


class KernelCache(caching.FunctionCache):
    """Numba's cache on disk; an unreadable or read-only cache only costs compile time."""

    _impl_class = _Entries

    def __init__(self, function: Callable[..., Any], options: str = "") -> None:
        if DIGEST is None:
            raise RuntimeError("cannot cache: the sources of the kernels cannot be read")
        super().__init__(function)
        self._options = options  # of the compiler
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, DIGEST)

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return *super()._index_key(sig, codegen), self._options

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the stored machine code; None if the caller has to compile it.

        If another process is compiling it, wait for that.
        """
        found = self._stored(sig, target_context)
        if found is not None or not self._enabled:
            return found
        try:
            unit = self._unit(sig, target_context.codegen())
            self._claims().take(unit)
            found = self._stored(sig, target_context)
            if found is None:
                report_miss()
            else:
                self._claims().give_back(unit)
            return found
        except BaseException:  # Ctrl-C
            give_claims_back()
            raise

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store machine code where possible; an unreadable index is replaced."""
        index = "index", self._impl.filename_base  # two processes would each drop an entry
        try:
            self._claims().take(index)
            self._save(sig, data)
        finally:
            self._claims().give_back(index)
            self._claims().give_back(self._unit(sig, data.codegen))

    def _save(self, sig: Any, data: Any) -> None:
        for prepare in (lambda: None, self.flush):
            try:
                prepare()
                super().save_overload(sig, data)
                return
            except Exception:  # a damaged index can raise anything; or the disk is full
                continue
        self.disable()

    def _stored(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged entry can raise anything that unpickling can
            return None

    def _unit(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return self._impl.filename_base, str(sig), codegen.magic_tuple(), self._options, DIGEST

    def _claims(self) -> Claims:
        return _claims_in(self._cache_path)


class NoCache(caching.NullCache):
    """What a kernel has where no folder is writable: every process compiles it anew."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Report that the caller has to compile."""
        report_miss()


def _claims_in(folder: str) -> Claims:
    return _known_claims.setdefault(folder, Claims(folder))


@contextmanager
def on_first_miss(action: Callable[[], None]) -> Iterator[None]:
    """Call a function the first time that a kernel has to be compiled, if one has to."""
    _actions.append(action)
    try:
        yield
    finally:
        with suppress(ValueError):  # it has been called
            _actions.remove(action)


def report_miss() -> None:
    """Call the functions registered by `on_first_miss`."""
    with suppress(IndexError):  # none is left
        while True:
            _actions.pop()()


def claim(what: str) -> bool:
    """Claim something in this cache, without waiting; return whether this process has it."""
    folder = cache_folder()
    return folder is not None and _claims_in(folder).take(what, patience=0)


def give_back(what: str) -> None:
    """End a claim in this cache."""
    folder = cache_folder()
    if folder is not None:
        _claims_in(folder).give_back(what)


def give_claims_back() -> None:
    """End this process's claims, after a compilation that failed or was interrupted."""
    for claims in _known_claims.values():
        claims.give_all_back()


def cache_folder() -> str | None:
    """Return the folder of the machine code; None if no folder is writable."""
    try:
        return str(KernelCache(_digest).cache_path)
    except (RuntimeError, OSError):
        return None
