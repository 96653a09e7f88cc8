"""How many rows have been read or written so far, on stderr."""

import argparse
import sys
import time

from gmmfast.cli.streams import shown

EVERY = 0.5  # seconds between two counts; shorter runs stay silent


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
        self._what, self._n, self._width = shown(what), 0, 0
        self._is_verbose: bool = arguments.verbose
        self._is_line = sys.stderr.isatty() and not self._is_verbose
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
            if self._is_line:
                text = f"\r{text:<{self._width}}"
                self._width = len(text) - 1
            print(text, end="" if self._is_line else "\n", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line to other messages."""
        if self._width:
            print("\r" + " " * self._width, end="\r", file=sys.stderr, flush=True)
            self._width = 0

    def end(self) -> None:
        """Clear the line; with ``--verbose`` say how long it took."""
        self.clear()
        if self._is_verbose:
            seconds = time.perf_counter() - self._began
            print(f"{self._what}: {self._n} rows in {seconds:.2f} s", file=sys.stderr)
