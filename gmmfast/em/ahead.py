"""A helper: a second process that compiles some kernels of a fit while this one compiles others."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import numba
import numpy as np

from gmmfast.em.state import new_fit, new_trials, rule_of
from gmmfast.em.trials import trial_rule_of
from gmmfast.kernels.caching import claim, give_back, on_first_miss
from gmmfast.kernels.compiling import listed
from gmmfast.kernels.degrees import GIVEN
from gmmfast.kernels.loop import EXPECT
from gmmfast.kernels.threads import TEAM_WORK, current_stop, thread_count
from gmmfast.kernels.trials import seek_start
from gmmfast.models import Model, Tails, maker_of, model_of
from gmmfast.rows import MemoryRows, Rows
from gmmfast.rows.passes import address_of_loop, new_pass, parallel
from gmmfast.rows.trials import arguments

SWITCH = "GMMFAST_HELPER"  # environment variable; 0 turns helpers off
HELPER = "helper"  # the claim of the only helper of a cache
COMMAND = """
import json, sys
sys.path, *task = json.loads(sys.argv[1])
from gmmfast.em.ahead import help_with
help_with(*task)
"""
_is_helped: ContextVar[bool] = ContextVar("is_helped", default=False)


@contextmanager
def helped(
    n_jobs: int | None, function: Callable[..., object], *arguments: object
) -> Iterator[None]:
    """Compile with a helper inside this context, if there is anything to compile.

    Each of the two processes claims what it compiles, and finds in the cache what the other has
    compiled. The helper ends with the context. Of nested contexts, the outer one has the helper.

    Parameters
    ----------
    n_jobs : int or None
        Threads of the caller; with one thread there is no helper.
    function : callable
        Module-level function that the helper calls. It should compile in another order than the
        caller.
    *arguments
        Its arguments; JSON types only.
    """
    if _is_helped.get():
        yield
        return
    helper = _Helper(n_jobs, [_path(), function.__module__, function.__name__, arguments])
    token = _is_helped.set(True)
    try:
        with on_first_miss(helper.start):
            yield
    finally:
        helper.end()
        _is_helped.reset(token)


def _path() -> list[str]:
    """Return where the helper finds modules; relative folders may have been others at import."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [*(entry for entry in sys.path if isinstance(entry, str) and os.path.isabs(entry)), here]


class _Helper:
    """A process that may be started, from any thread, and ended once."""

    def __init__(self, n_jobs: int | None, task: Sequence[object]) -> None:
        self._n_jobs, self._task = n_jobs, task
        self._lock, self._has_ended = threading.Lock(), False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, if it can help."""
        with self._lock:
            if self._has_ended or thread_count(self._n_jobs) == 1 or not _is_possible():
                return
            with contextlib.suppress(OSError):  # no process can be started: compile alone
                self._process = _start(self._task)

    def end(self) -> None:
        """End the process."""
        with self._lock:
            self._has_ended = True
            if self._process is not None:
                self._process.kill()
                self._process.communicate()


def _is_possible() -> bool:
    """Whether another Python can be started on another processor, and can claim kernels."""
    is_python = "python" in os.path.basename(sys.executable or "").lower()  # not embedded in it
    if not is_python or (os.cpu_count() or 1) == 1 or os.environ.get(SWITCH) == "0":
        return False
    is_alone = claim(HELPER)
    give_back(HELPER)
    return is_alone


def _start(task: Sequence[object]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", COMMAND, json.dumps(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, SWITCH: "0"},
    )


def help_with(module: str, function: str, arguments: Sequence[Any]) -> None:
    """Call a function, as the helper; end with the process that started this one."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if claim(HELPER):
        getattr(importlib.import_module(module), function)(*arguments)


def _end_with_parent() -> None:
    sys.stdin.read()  # until the other end is closed
    os._exit(0)


def helped_fits(
    n_jobs: int | None,
    rows: Rows,
    n_components: int,
    covariance_types: Sequence[str],
    is_accelerated: bool,
    has_tails: bool,
) -> AbstractContextManager[None]:
    """Return the context of fits to `rows` with up to `n_components`, compiled with a helper."""
    shapes = int(rows.n_rows), int(n_components), rows.n_features
    work = max(maker_of(name)(0.0).pass_work(*shapes) for name in covariance_types)
    kind = list(covariance_types), rows.dtype.name, is_accelerated, work >= TEAM_WORK, has_tails
    return helped(n_jobs, compile_passes, *kind)


def compile_passes(
    covariance_types: Sequence[str],
    dtype: str,
    is_accelerated: bool,
    has_threads: bool,
    has_tails: bool,
) -> None:
    """Compile the passes of fits, in reverse order of need."""
    kernels = passes_of(covariance_types, dtype, is_accelerated, has_threads, has_tails)
    for function, signature in reversed(kernels):
        function.compile(signature)


def passes_of(
    covariance_types: Sequence[str],
    dtype: str,
    is_accelerated: bool,
    has_threads: bool,
    has_tails: bool = False,
) -> list[tuple[Any, tuple[Any, ...]]]:
    """List the kernels of the passes of fits, with the types of their arguments.

    The bounds between components are left to the caller: few shapes need them.

    Parameters
    ----------
    covariance_types : sequence of str
        The models.
    dtype : str
        Element type of the rows.
    is_accelerated : bool
        Whether the fits extrapolate.
    has_threads : bool
        Whether passes use several threads.
    has_tails : bool
        Whether components are t distributions.
    """
    tails = Tails(1.0, GIVEN) if has_tails else None
    rng = np.random.default_rng(0)
    rows = MemoryRows(rng.standard_normal((9, 2)).astype(dtype), n_jobs=1)
    points = rows.in_float64(np.arange(9))
    with listed() as kernels:
        for covariance_type in covariance_types:
            model = model_of(covariance_type, tails=tails)
            kernels.append(_trials_of(model.of_starts, points))
            fit = new_fit(model, rows, 2, -math.inf)
            rule = rule_of(model, rows, fit, 0.0, 0.0, is_accelerated)
            passes = new_pass(rows, fit, 0, rows.hints().guesses)
            if has_threads:
                passes = parallel(passes)
            address_of_loop(rule, passes, fit, EXPECT, current_stop())
    return list(dict.fromkeys(kernels))


def _trials_of(model: Model, points: MemoryRows) -> tuple[Any, tuple[Any, ...]]:
    """List the kernels of trials; return their entry, with the types of its arguments."""
    fit = new_fit(model, points, 2, -math.inf)
    rule, hints = rule_of(model, points, fit, 0.0, 0.0, False), points.hints()
    trial_rule = trial_rule_of(model, points.n_rows, np.ones(2), np.ones(2), 0)
    trials = new_trials(fit, points, 1)
    own = arguments(points, rule, trial_rule, fit, hints, trials)
    return seek_start, tuple(map(numba.typeof, own))
