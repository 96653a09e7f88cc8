"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 100  # characters per line; wider tables continue below
MAX_NAME = 24  # characters of a column name


def table(
    corner: str,
    row_labels: Sequence[str],
    columns: Sequence[tuple[str, list[str]]],
    width: int = WIDTH,
) -> list[str]:
    """Lines of a table with labels at the left and cells to the right.

    Parameters
    ----------
    corner : str
        Heading of the labels.
    row_labels : sequence of str
        One per line.
    columns : sequence of (str, list of str)
        Heading and cells of each column.
    width : int
        Characters per line; columns that do not fit continue in a block below.

    Returns
    -------
    list of str
    """
    labels = [corner, *map(short, row_labels)]
    margin = max(map(len, labels))
    blocks: list[list[str]] = []
    room = 0
    for heading, cells in columns:
        size = max(len(heading), *map(len, cells))
        if room < size + 2:
            if blocks:
                blocks.append([])
            blocks.append([label.ljust(margin) for label in labels])
            room = width - margin
        room -= size + 2
        block = blocks[-1]
        for i, cell in enumerate([heading, *cells]):
            block[i] += "  " + cell.rjust(size)
    return [line.rstrip() for block in blocks for line in (block or [""])]


def short(name: str) -> str:
    """Return a name on one line, cut where it is long."""
    flat = " ".join(name.split())
    return flat if len(flat) <= MAX_NAME else flat[: MAX_NAME - 3] + "..."
