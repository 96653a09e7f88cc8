"""Sessions of the calculator: each has one table, one fit, and a folder for both."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmfast.calculator.data import Loaded
from gmmfast.calculator.settings import Settings
from gmmfast.calculator.worker import CanceledFitError, Worker, WorkerError
from gmmfast.tables import Table

MOST_SESSIONS = 32  # beyond which the least recently used one is dropped
MOST_WAITING = 8  # fits in the queue
ABANDONED = 60.0  # seconds without a question about a fit, which is then ended


class QueueFullError(Exception):
    """The queue is full."""


class BusyError(Exception):
    """The session has a fit that has not ended."""


@dataclass(eq=False)
class Job:
    """A fit, from the moment it is requested."""

    session: Session
    loaded: Loaded
    settings: Settings
    state: str = "waiting"  # then running; then done, failed or canceled
    progress: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    error: str | None = None
    began: float = field(default_factory=time.monotonic)
    asked: float = field(default_factory=time.monotonic)  # time of the last question about it
    is_canceled: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody seems to be waiting for it."""
        return time.monotonic() - self.asked > ABANDONED

    def end(self, state: str, error: str | None = None) -> None:
        """Record the outcome."""
        self.state, self.error = state, error
        self.ended.set()


@dataclass
class Session:
    """The data that a page has sent, and its last fit."""

    id: str
    folder: Path
    loaded: Loaded | None = None
    job: Job | None = None

    @property
    def is_busy(self) -> bool:
        """Whether its fit has not ended."""
        return self.job is not None and not self.job.ended.is_set()

    def take(self, loaded: Loaded) -> None:
        """Replace the data, which are kept in a file, and remove the earlier upload."""
        if self.is_busy:
            raise BusyError
        path, table = self.folder / "data.npy", loaded.table
        new = self.folder / f"{secrets.token_hex(8)}.npy"
        np.save(new, table.values)
        new.replace(path)  # readers of the old file keep it
        values = np.load(path, mmap_mode="r")
        earlier = self.loaded
        self.loaded = replace(loaded, table=Table(values, table.names, table.has_names))
        self.job = None
        if earlier is not None and earlier.file is not None:
            earlier.file.unlink(missing_ok=True)

    def status(self) -> dict[str, Any]:
        """Return the status for the page, with the result once there is one."""
        job = self.job
        if job is None:
            return {"state": "idle", "progress": {}, "seconds": None, "error": None, "result": None}
        job.asked = time.monotonic()
        return {
            "state": job.state,
            "progress": job.progress,
            "seconds": time.monotonic() - job.began if self.is_busy else None,
            "error": job.error,
            "result": job.result,
        }


class Sessions:
    """All sessions, the queue of their fits, and the worker."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gmmfast-"))
        self._all: OrderedDict[str, Session] = OrderedDict()
        self._worker = Worker()
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to process the queue."""
        self._worker.start()
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """End everything, and remove the files."""
        if self._task is not None:
            self._task.cancel()
        await asyncio.to_thread(self._worker.stop)
        shutil.rmtree(self._folder, ignore_errors=True)

    def new(self) -> Session:
        """Return a new session."""
        while len(self._all) >= MOST_SESSIONS:  # of which few can be busy
            oldest = next(session for session in self._all.values() if not session.is_busy)
            del self._all[oldest.id]
            shutil.rmtree(oldest.folder, ignore_errors=True)
        session = Session(secrets.token_urlsafe(12), Path(tempfile.mkdtemp(dir=self._folder)))
        self._all[session.id] = session
        return session

    def get(self, id: str) -> Session | None:
        """Return the session with an id, or None."""
        session = self._all.get(id)
        if session is not None:
            self._all.move_to_end(id)
        return session

    def submit(self, session: Session, loaded: Loaded, settings: Settings) -> None:
        """Put a fit into the queue.

        Raises
        ------
        BusyError, QueueFullError
        """
        if session.is_busy:
            raise BusyError
        jobs = [other.job for other in self._all.values() if other.job is not None]
        if sum(job.state == "waiting" for job in jobs) >= MOST_WAITING:
            raise QueueFullError
        session.job = Job(session, loaded, settings)
        self._queue.put_nowait(session.job)

    async def cancel(self, session: Session) -> None:
        """End the fit of a session, if it has one, and wait until it has ended."""
        job = session.job
        if job is None or job.ended.is_set():
            return
        job.is_canceled = True
        if job.state == "waiting":
            job.end("canceled")
        else:
            await asyncio.to_thread(self._worker.cancel, job)
            await job.ended.wait()

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            if job.is_abandoned:
                job.is_canceled = True
            if job.is_canceled:
                job.end("canceled")
            else:
                await self._fit(job)

    async def _fit(self, job: Job) -> None:
        order = (job.session.folder, job.loaded.origin, job.settings)
        job.state = "running"

        def tell(progress: dict[str, Any]) -> None:
            job.progress = progress
            if job.is_abandoned:
                job.is_canceled = True
                self._worker.cancel(job)

        try:
            job.result = await asyncio.to_thread(self._worker.compute, job, order, tell)
            job.end("done")
        except CanceledFitError:
            job.end("canceled")
        except WorkerError as error:
            job.end("failed", str(error))
        except Exception as error:  # whatever it is, the next fit must have its turn
            job.end("failed", f"The fit could not be made: {error}. Try again.")
