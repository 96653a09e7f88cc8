"""``gmmfast completion``."""

import argparse
from collections.abc import Iterator
from pathlib import Path

SHELLS = ("bash", "zsh", "fish", "tcsh")


def complete(arguments: argparse.Namespace) -> None:
    """Print the script with which a shell completes commands, options and files."""
    try:
        import shtab
    except ImportError:
        raise ImportError(
            "gmmfast completion needs shtab; install it with: pip install 'gmmfast[completion]'"
        ) from None
    for action in _actions(arguments.whole):
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(arguments.whole, arguments.shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
