"""Signals that end a command: temporary files are removed, and one line says why it ended."""

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

ENDING = ("SIGTERM", "SIGHUP")  # by name: Windows has no SIGHUP


class Ended(SystemExit):
    """A signal has ended the command; `code` is 128 and its number, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


@contextlib.contextmanager
def raised_signals() -> Iterator[None]:
    """Raise `Ended` at signals that would end the process bare, and repeat what is dropped.

    A signal that is ignored, as `nohup` does, stays so. An exception that arrives in a callback of
    the compiler, which drops it, is raised again once the callback is left.
    """
    hook = sys.unraisablehook

    def repeat(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _later(signal.SIGINT)
        elif issubclass(unraisable.exc_type, Ended):
            _later(signal.Signals[unraisable.exc_value.name])
        else:
            hook(unraisable)

    sys.unraisablehook = repeat
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
        bare = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
        before = {number: signal.signal(number, _end) for number in bare}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


def _later(number: signal.Signals) -> None:
    threading.Timer(0.01, _thread.interrupt_main, [number]).start()
