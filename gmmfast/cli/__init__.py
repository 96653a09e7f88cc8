"""The command ``gmmfast``: fit a mixture to a file, and use a fitted one.

Results go to standard output, everything else to standard error. Exit codes: 0, 2 for an error
that one line explains, 3 with ``--strict`` for a fit that has not converged, 129, 130 and 143 when
a signal ends the command, 141 when the reader of the output has gone.
"""

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence

from gmmfast.cli.arguments import parser, require_files_apart
from gmmfast.cli.data import compilation_as_note
from gmmfast.cli.signals import Ended, raised_signals
from gmmfast.cli.streams import shown, spooled_input
from gmmfast.cli.words import in_own_words
from gmmfast.kernels.threads import set_thread_count, thread_count

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default the process's own.

    Returns
    -------
    int
        The exit code.
    """
    code = _run(argv)
    if argv is None and any(not thread.daemon for thread in _other_threads()):
        # of an interrupted search: Python would wait until they have compiled
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    return code


def _other_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


def _run(argv: Sequence[str] | None) -> int:
    try:
        with raised_signals():
            try:
                arguments = parser().parse_args(argv)
                require_files_apart(arguments)
                with (
                    _quiet(arguments),
                    _threads(arguments),
                    compilation_as_note(),
                    spooled_input(arguments),
                ):
                    code = int(arguments.run(arguments) or 0)
            except Ended as end:
                print(f"gmmfast: ended by {end.name}", file=sys.stderr)
                code = int(end.code or 0)
            except SystemExit as stop:  # --help and --version
                code = int(stop.code or 0)
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        print("gmmfast: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _discard_output()
        return 141
    except (ValueError, OSError, ImportError, MemoryError) as error:
        print(f"gmmfast: error: {_one_line(error)}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _quiet(arguments: argparse.Namespace) -> Iterator[None]:
    """Drop notes and progress with ``--quiet``; errors are printed outside of this context."""
    if not getattr(arguments, "quiet", False):
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


@contextlib.contextmanager
def _threads(arguments: argparse.Namespace) -> Iterator[None]:
    """Compute with the threads of ``--threads``."""
    wanted, before = getattr(arguments, "threads", None), thread_count(None)
    if wanted is None:
        yield
        return
    set_thread_count(thread_count(wanted))
    try:
        yield
    finally:
        set_thread_count(before)


def _one_line(error: Exception) -> str:
    """Return the message of an error in one line, with the file that the system means."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror and text.startswith("[Errno"):
        name = "reading or writing" if error.filename is None else error.filename
        text = f"{name}: {error.strerror[0].lower()}{error.strerror[1:]}."
    return shown(in_own_words(" ".join(text.split()))) or type(error).__name__


def _discard_output() -> None:
    """Discard the buffer of stdout, so that the exit is silent."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
