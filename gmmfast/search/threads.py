"""Calls in several threads, while the caller's waits for results, Ctrl-C or a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from gmmfast.em.observers import Deadline
from gmmfast.kernels.threads import (
    ABANDON,
    END,
    limit_team,
    new_stop,
    obey,
    set_thread_count,
    thread_count,
)

TICK = 0.1  # seconds between checks for results and for the deadline

T = TypeVar("T")  # argument
R = TypeVar("R")  # result


def in_threads(
    function: Callable[[T], R],
    arguments: Sequence[T],
    at_once: int,
    n_threads: int,
    deadline: Deadline,
) -> Iterator[R]:
    """Call a function with each argument, in threads; this one only waits, so Ctrl-C acts at once.

    Parameters
    ----------
    function : callable
        Its computations must obey `current_stop`.
    arguments : sequence
        The argument of each call.
    at_once : int
        Results that a thread hands over together, unless they take longer than a `TICK`.
    n_threads : int
        Calls at the same time.
    deadline : Deadline
        Once it has passed, calls end early, and only the first one still begins.

    Yields
    ------
    object
        Results, in the order of the arguments.
    """
    stop, allowed = new_stop(), thread_count(None)

    def begin_thread() -> None:
        obey(stop)
        set_thread_count(allowed)  # the setting belongs to a thread
        limit_team(max(1, allowed // min(n_threads, len(tasks))))

    def work(task: range, results: list[R]) -> None:
        for i in task:
            if i and deadline.passed():
                break
            results.append(function(arguments[i]))

    n = len(arguments)
    tasks = [range(i, min(i + at_once, n)) for i in range(0, n, at_once)]
    pool, futures = ThreadPoolExecutor(n_threads, initializer=begin_thread), []
    try:
        found: list[list[R]] = [[] for _ in tasks]
        futures = [pool.submit(work, *both) for both in zip(tasks, found, strict=True)]
        for task, results, future in zip(tasks, found, futures, strict=True):
            done, ended = 0, False
            while not ended:
                ended = future in wait([future], TICK).done
                if deadline.passed():
                    stop[0] = END
                while done < len(results):
                    yield results[done]
                    done += 1
            future.result()  # raises what the task raised
            if done < len(task):
                break
    finally:
        stop[0] = ABANDON
        pool.shutdown(wait=all(future.done() for future in futures), cancel_futures=True)
