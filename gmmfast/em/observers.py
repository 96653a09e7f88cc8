"""Observers of a fit: scikit-learn's verbose lines, a callback, a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Self

from gmmfast.em.loop import Observer, Status

BAR_DELAY = 1.0  # seconds before a bar appears: short fits stay silent


class Verbose:
    """Prints what scikit-learn's `verbose` prints."""

    def __init__(self, verbose: int, interval: int) -> None:
        self._with_times = verbose >= 2
        self.every: int | None = interval

    def begin(self, start: int) -> None:
        """Announce a start."""
        print(f"Initialization {start}")
        self._began = self._last = time.perf_counter()

    def step(self, iteration: int, lower_bound: float, change: float) -> bool:
        """Print a line."""
        line = f"  Iteration {iteration}"
        if self._with_times:
            now = time.perf_counter()
            line += f"\t time lapse {now - self._last:.5f}s\t ll change {change:.5f}"
            self._last = now
        print(line)
        return False

    def end(self, lower_bound: float, status: Status) -> None:
        """Print the outcome, unless the start failed or did no iterations."""
        if status in (Status.NOT_STARTED, Status.FAILED):
            return
        outcome = "converged" if status.is_end else "did not converge"
        line = f"Initialization {outcome}."
        if self._with_times:
            lapse = time.perf_counter() - self._began
            line += f" time lapse {lapse:.5f}s\t lower bound {lower_bound:.5f}."
        print(line)


class Callback:
    """Calls ``callback(iteration, lower_bound)``; a true result stops the fit."""

    every: int | None = 1

    def __init__(self, callback: Callable[[int, float], Any]) -> None:
        self._callback = callback

    def begin(self, start: int) -> None:
        """Nothing to do."""

    def step(self, iteration: int, lower_bound: float, change: float) -> bool:
        """Call the callback."""
        return bool(self._callback(iteration, lower_bound))

    def end(self, lower_bound: float, status: Status) -> None:
        """Nothing to do."""


class Scaled:
    """Shows another observer lower bounds in another unit: of all rows instead of one."""

    def __init__(self, observer: Observer, unit: float) -> None:
        self._observer, self._unit = observer, unit
        self.every = observer.every

    def begin(self, start: int) -> None:
        """Begin a start."""
        self._observer.begin(start)

    def step(self, iteration: int, lower_bound: float, change: float) -> bool:
        """Show an iteration."""
        return self._observer.step(iteration, lower_bound * self._unit, change * self._unit)

    def end(self, lower_bound: float, status: Status) -> None:
        """End the start."""
        self._observer.end(lower_bound * self._unit, status)


class Deadline:
    """Stops a fit after a time limit."""

    every: int | None = None

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    def begin(self, start: int) -> None:
        """Nothing to do."""

    def step(self, iteration: int, lower_bound: float, change: float) -> bool:
        """Return True once the time is up."""
        return self.passed()

    def end(self, lower_bound: float, status: Status) -> None:
        """Nothing to do."""

    def passed(self) -> bool:
        """Return whether the time is up."""
        return time.perf_counter() > self._end


class SearchBar:
    """Progress of a long search on stderr: tqdm's bar if installed, else plain lines.

    A thread shows it each second, so that the time goes on while a candidate takes long.
    """

    def __init__(self, total: int | None, shown: bool) -> None:
        self._total, self._done, self._label = total, 0, "none done yet"
        self._began, self._end, self._lock = time.perf_counter(), Event(), Lock()
        self._bar = _tqdm(total=total, desc="candidates", miniters=0) if shown else None
        self._thread = Thread(target=self._watch, daemon=True) if shown else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        if self._bar is not None:
            self._bar.close()

    def _watch(self) -> None:
        while not self._end.wait(BAR_DELAY):
            with self._lock:
                self._show(0, is_line=True)

    def _show(self, n: int, is_line: bool = False) -> None:
        """Show the state after `n` more candidates."""
        if self._bar is not None:
            self._bar.set_postfix_str(self._label, refresh=False)
            self._bar.update(n)
        elif is_line:
            of = "" if self._total is None else f" of {self._total}"
            seconds = time.perf_counter() - self._began
            line = f"{self._done}{of} candidates, {seconds:.0f} s: {self._label}"
            print(line, file=sys.stderr, flush=True)

    def step(self, done: int, label: str) -> None:
        """Show how many candidates have ended.

        The last one never counts: the best are fitted again.
        """
        with self._lock:
            done = done if self._total is None else min(done, self._total - 1)
            n, self._done, self._label = done - self._done, done, label
            self._show(n)


class Progress:
    """Progress of a long fit on stderr: tqdm's bar if installed, else plain lines."""

    every: int | None = None

    def __init__(self, max_iter: int) -> None:
        self._max_iter = max_iter

    def begin(self, start: int) -> None:
        """Start the clock."""
        self._label = f"start {start + 1}"
        self._shown, self._done = time.perf_counter() + BAR_DELAY, 0
        self._bar = _tqdm(total=self._max_iter, desc=self._label)

    def step(self, iteration: int, lower_bound: float, change: float) -> bool:
        """Show the iteration and its lower bound."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"lower bound {lower_bound:.6g}", refresh=False)
            self._bar.update(iteration - self._done)
            self._done = iteration
        elif time.perf_counter() >= self._shown:
            self._shown += BAR_DELAY
            line = f"{self._label}: iteration {iteration} of at most {self._max_iter}"
            print(f"{line}, lower bound {lower_bound:.6g}", file=sys.stderr, flush=True)
        return False

    def end(self, lower_bound: float, status: Status) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


def _tqdm(**options: Any) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(unit="it", delay=BAR_DELAY, leave=False, **options)
