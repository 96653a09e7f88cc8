"""The outcomes of candidates, kept for a search that goes on later."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock

from gmmfast.search.candidates import Candidate, CandidateFit

EVERY = 1.0  # seconds between two writes, at least,
REST = 20  # and this many times as long as the last one took

# Fits that have ended. By the number of heats of the race in which a candidate has gone on, and the
# candidate: such an outcome depends on the candidate and its starts alone, unless it began on
# samples. Later, where leaders are fitted again, by minus the number of the round: these depend on
# all candidates.
Outcomes = dict[tuple[int, Candidate], CandidateFit]


class Store:
    """Outcomes that are known already, and a place for others.

    Parameters
    ----------
    known : mapping, optional
        Outcomes of the search that goes on.
    write : callable, optional
        Gets all outcomes, now and then and at the end, from one thread at a time. Without it, no
        outcome is kept.
    """

    def __init__(
        self,
        known: Mapping[tuple[int, Candidate], CandidateFit] | None = None,
        write: Callable[[Outcomes], None] | None = None,
    ) -> None:
        self._outcomes: Outcomes = dict(known or {})
        self._write, self._lock, self._has_more = write, Lock(), bool(known)
        self._due = time.perf_counter() + EVERY

    @property
    def is_written(self) -> bool:
        """Whether outcomes are written now and then, which Ctrl-C must not interrupt."""
        return self._write is not None

    def get(self, number: int, candidate: Candidate) -> CandidateFit | None:
        """Return the outcome of a candidate, if it is known."""
        return self._outcomes.get((number, candidate))

    def put(self, number: int, fit: CandidateFit) -> None:
        """Keep the outcome of a candidate; any thread may call this."""
        if self._write is None:
            return
        self._outcomes[number, fit.candidate] = fit
        self._has_more = True
        if time.perf_counter() >= self._due and self._lock.acquire(blocking=False):
            try:
                self._write_more()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Write what is not written; threads that are still at work add nothing from now on."""
        with self._lock:
            self._write_more()
            self._write = None

    def _write_more(self) -> None:
        if self._write is None or not self._has_more:
            return
        begin, self._has_more = time.perf_counter(), False
        self._write(self._outcomes.copy())
        end = time.perf_counter()
        self._due = end + max(EVERY, REST * (end - begin))
