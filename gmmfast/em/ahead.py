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
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from gmmfast.em.state import new_fit, rule_of
from gmmfast.kernels.caching import is_only_helper, on_first_miss
from gmmfast.kernels.compiling import listed
from gmmfast.kernels.loop import EXPECT
from gmmfast.kernels.threads import TEAM_WORK, current_stop, thread_count
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows, Rows
from gmmfast.rows.passes import address_of_loop, new_pass, parallel

SWITCH = "GMMFAST_HELPER"  # environment variable; 0 turns helpers off
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
    compiled. The helper ends with the context.

    Parameters
    ----------
    n_jobs : int or None
        Threads of the caller; with one thread there is no helper.
    function : callable
        What the helper calls: a function of a module, which compiles in another order.
    *arguments
        Its arguments, as JSON can hold them.
    """
    if _is_helped.get():
        yield
        return
    helpers: list[subprocess.Popen[bytes]] = []
    task = [sys.path, function.__module__, function.__name__, arguments]

    def start() -> None:
        if thread_count(n_jobs) > 1 and _is_possible():
            with contextlib.suppress(OSError):  # no process can be started: compile alone
                helpers.append(_start(task))

    token = _is_helped.set(True)
    with on_first_miss(start):
        try:
            yield
        finally:
            _is_helped.reset(token)
            for helper in helpers:
                helper.kill()
                helper.communicate()


def _is_possible() -> bool:
    """Whether this process can start another Python, on another processor."""
    is_python = bool(sys.executable) and not getattr(sys, "frozen", False)
    return is_python and (os.cpu_count() or 1) > 1 and os.environ.get(SWITCH) != "0"


def _start(task: Sequence[object]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, json.dumps(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, SWITCH: "0"},
    )


def help_with(module: str, function: str, arguments: Sequence[Any]) -> None:
    """Call a function, as the helper; end with the process that started this one."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if is_only_helper():
        getattr(importlib.import_module(module), function)(*arguments)


def _end_with_parent() -> None:
    sys.stdin.read()  # until the other end is closed
    os._exit(0)


def is_parallel(rows: Rows, n_components: int) -> bool:
    """Whether passes over rows are likely to use several threads."""
    return rows.n_rows * n_components * rows.n_features**2 >= TEAM_WORK


def compile_passes(
    covariance_types: Sequence[str], dtype: str, is_accelerated: bool, is_parallel: bool
) -> None:
    """Compile the passes of fits, those that are needed last first."""
    rng = np.random.default_rng(0)
    rows = MemoryRows(rng.standard_normal((9, 2)).astype(dtype), n_jobs=1)
    with listed() as kernels:
        for covariance_type in covariance_types:
            model = MODELS[covariance_type](0.0)
            fit = new_fit(model, rows, 2, -math.inf)
            rule = rule_of(model, rows, fit, 0.0, 0.0, is_accelerated)
            passes = new_pass(rows, fit, 0, rows.hints().guesses)
            if is_parallel:
                passes = parallel(passes)
            address_of_loop(rule, passes, fit, EXPECT, current_stop())
    for function, signature in reversed(kernels):
        function.compile(signature)
