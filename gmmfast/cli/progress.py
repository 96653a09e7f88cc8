"""How many rows have been read or written so far, on stderr."""

import argparse
import sys
import time

from gmmfast.cli.streams import STANDARD, shown, writes_rows

EVERY = 0.5  # seconds between two counts; shorter runs stay silent
ERASE = "\r\033[K"  # what stands on the line, whoever wrote it


class RowsSoFar:
    """A count of rows: a line on a terminal that is replaced, or lines with ``--verbose``.

    Parameters
    ----------
    what : str
        What happens to the rows.
    arguments : argparse.Namespace
        Its `verbose` asks for lines.
    """

    def __init__(self, what: str, arguments: argparse.Namespace) -> None:
        self._what, self._n, self._is_shown = shown(what), 0, False
        self._is_verbose: bool = arguments.verbose
        self._is_line = sys.stderr.isatty() and not self._is_verbose and not _prints_rows(arguments)
        self._began = time.perf_counter()
        self._next = self._began + EVERY

    def add(self, n: int) -> None:
        """Count more rows."""
        self.show(self._n + n)

    def show(self, n: int) -> None:
        """Set the count; 0 is the end of a pass over the rows."""
        self._n = n
        now = time.perf_counter()
        if n == 0:
            self.clear()
        elif now >= self._next and (self._is_line or self._is_verbose):
            self._next = now + EVERY
            text = f"{self._what}: {n} rows"
            self._is_shown = self._is_line
            if self._is_line:
                print(ERASE + text, end="", file=sys.stderr, flush=True)
            else:
                print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line to other messages."""
        if self._is_shown:
            print(ERASE, end="", file=sys.stderr, flush=True)
            self._is_shown = False

    def end(self) -> None:
        """Clear the line; with ``--verbose`` say how long it took."""
        self.clear()
        if self._is_verbose:
            seconds = time.perf_counter() - self._began
            print(f"{self._what}: {self._n} rows in {seconds:.2f} s", file=sys.stderr)


def _prints_rows(arguments: argparse.Namespace) -> bool:
    """Whether a command writes rows to the terminal, which show how far it is."""
    to_output = writes_rows(arguments) and arguments.out in (None, STANDARD)
    return to_output and sys.stdout.isatty()
