"""One process that computes, so that a fit can be ended and a crash is a message."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gmmfast.calculator.data import Origin
from gmmfast.calculator.settings import Settings

Order = tuple[Path, Origin, Settings]  # arguments of `work.compute`


class CanceledFitError(Exception):
    """The fit was canceled."""


class WorkerError(Exception):
    """The request cannot be fulfilled; the message is for the user."""


class Worker:
    """A spawned process, replaced by a new one when it has ended."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._process: Any = None
        self._job: Any = None  # the current job
        self._connection: Connection

    def start(self) -> None:
        """Start the process, if there is none."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        if self._process is None or not self._process.is_alive():
            self._connection, theirs = self._context.Pipe()
            self._process = self._context.Process(target=serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()

    def compute(
        self, job: Any, order: Order, tell: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Do one fit, and wait for it.

        Parameters
        ----------
        job : object
            Identifies the fit for `cancel`; its `is_canceled` explains the end of the process.
        order : Order
            Arguments of `work.compute`.
        tell : callable
            Called with the progress.

        Raises
        ------
        WorkerError
            If the fit fails, or the process ends.
        CanceledFitError
            If it was canceled.
        """
        with self._lock:
            if job.is_canceled:
                raise CanceledFitError
            self._start()
            self._job = job
        try:
            self._connection.send(order)
            while True:
                kind, value = self._connection.recv()
                if kind == "progress":
                    tell(value)
                elif kind == "failed":
                    raise WorkerError(value)
                else:
                    found: dict[str, Any] = value
                    return found
        except (EOFError, ConnectionError):
            self._process.join()
            if job.is_canceled:
                raise CanceledFitError from None
            raise WorkerError(_why_it_ended(self._process.exitcode)) from None
        finally:
            with self._lock:
                self._job = None

    def cancel(self, job: Any) -> None:
        """End the process, if this is its current job."""
        with self._lock:
            if self._job is job:
                self._process.kill()

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.join()


def serve(connection: Connection) -> None:
    """Run the process: compute orders until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    from gmmfast.calculator.work import compute

    while True:
        try:
            order: Order = connection.recv()
        except EOFError:
            return
        try:
            found = compute(*order, lambda state: connection.send(("progress", state)))
            connection.send(("done", found))
        except (ValueError, ArithmeticError, OSError) as error:
            connection.send(("failed", str(error)))
        except MemoryError:
            text = "There is not enough memory for this fit. Use fewer rows or components."
            connection.send(("failed", text))


def _why_it_ended(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "The computation was ended by the system, probably for lack of memory."
    return f"The computation ended unexpectedly (exit code {code}). Please try again."
