"""Who uses the calculator: a session has one table, one fit, and a folder for both."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gmmfast.calculator.data import Loaded
from gmmfast.calculator.settings import Settings
from gmmfast.calculator.worker import CancelledFitError, Worker, WorkerError

MOST_SESSIONS = 32  # the one that was used longest ago makes room
MOST_WAITING = 8  # fits in the queue

BUSY = ("waiting", "running")


class QueueFullError(Exception):
    """The queue is full."""


class BusyError(Exception):
    """The session has a fit that has not ended."""


@dataclass
class Session:
    """What a page has sent, and what became of it."""

    id: str
    folder: Path
    loaded: Loaded | None = None
    settings: Settings | None = None
    state: str = "idle"  # or waiting, running, done, failed, cancelled
    progress: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    error: str | None = None
    began: float = 0.0

    def take(self, loaded: Loaded) -> None:
        """Use other data from now on."""
        if self.state in BUSY:
            raise BusyError
        np.save(self.folder / "data.npy", loaded.table.values)
        self.loaded, self.settings, self.result = loaded, None, None
        self.state, self.progress, self.error = "idle", {}, None

    def status(self) -> dict[str, Any]:
        """Return what a page has to know; the result once there is one."""
        return {
            "state": self.state,
            "progress": self.progress,
            "seconds": time.monotonic() - self.began if self.state in BUSY else None,
            "error": self.error,
            "result": self.result if self.state == "done" else None,
        }


class Sessions:
    """All sessions, the queue of their fits, and the worker."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gmmfast-"))
        self._all: OrderedDict[str, Session] = OrderedDict()
        self._worker = Worker()
        self._queue: asyncio.Queue[Session] = asyncio.Queue(MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work off the queue."""
        self._worker.start()
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """End everything, and remove the files."""
        if self._task is not None:
            self._task.cancel()
        await asyncio.to_thread(self._worker.cancel)
        shutil.rmtree(self._folder, ignore_errors=True)

    def new(self) -> Session:
        """Return a new session."""
        while len(self._all) >= MOST_SESSIONS:
            idle = [s for s in self._all.values() if s.state not in BUSY]
            oldest = idle[0] if idle else next(iter(self._all.values()))
            del self._all[oldest.id]
            shutil.rmtree(oldest.folder, ignore_errors=True)
        session = Session(secrets.token_urlsafe(12), Path(tempfile.mkdtemp(dir=self._folder)))
        self._all[session.id] = session
        return session

    def get(self, id: str) -> Session | None:
        """Return a session; None where there is none of that id."""
        session = self._all.get(id)
        if session is not None:
            self._all.move_to_end(id)
        return session

    def submit(self, session: Session, settings: Settings) -> None:
        """Put a fit into the queue.

        Raises
        ------
        BusyError, QueueFullError
        """
        if session.state in BUSY:
            raise BusyError
        session.settings, session.result, session.error = settings, None, None
        session.progress, session.state, session.began = {}, "waiting", time.monotonic()
        try:
            self._queue.put_nowait(session)
        except asyncio.QueueFull:
            session.state = "idle"
            raise QueueFullError from None

    async def cancel(self, session: Session) -> None:
        """End the fit of a session, if it has one."""
        if session.state == "running":
            await asyncio.to_thread(self._worker.cancel)
        if session.state in BUSY:
            session.state = "cancelled"

    async def _work(self) -> None:
        while True:
            session = await self._queue.get()
            if session.state == "waiting":
                await self._fit(session)

    async def _fit(self, session: Session) -> None:
        loaded, settings = session.loaded, session.settings
        assert loaded is not None and settings is not None
        table = loaded.table
        order = (session.folder, table.names, table.has_names, loaded.source, settings)
        session.state = "running"

        def tell(progress: dict[str, Any]) -> None:
            session.progress = progress

        try:
            session.result = await asyncio.to_thread(self._worker.compute, order, tell)
            session.state = "done"
        except WorkerError as error:
            session.state, session.error = "failed", str(error)
        except CancelledFitError:
            session.state = "cancelled"
        await asyncio.to_thread(self._worker.start)  # ready for the next one
