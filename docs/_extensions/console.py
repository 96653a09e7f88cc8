"""``console`` blocks: commands with their output, which the build runs and compares.

A line ``$ command`` is run by the shell; the lines below it are what it prints. The commands of a
page run one after the other in a temporary folder of that page. ``...`` stands for any text, and
numbers are compared to six digits, and the help of a command without its white space, which
depends on the version of Python. What differs is a warning, which ``-W`` makes an error.
"""

import os
import re
import subprocess
import sys
import tempfile
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

NUMBER = re.compile(r"[-+]?\d+\.\d+(e[-+]?\d+)?")
TIMEOUT = 600  # seconds; the first command of a fresh checkout compiles
COMPILING = "gmmfast: note: compiling "  # which only some builds do


def shell(command: str, folder: str) -> str:
    """Run a command in a folder and return all that it prints but a note of compiling."""
    scripts = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": scripts + os.pathsep + os.environ["PATH"],
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
    )
    lines = done.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(COMPILING))


@cache
def folder_of(page: str) -> tempfile.TemporaryDirectory[str]:
    """Return the folder in which the commands of a page run."""
    return tempfile.TemporaryDirectory()


def examples(lines: list[str]) -> list[tuple[str, str]]:
    """Return the commands of a block, and what each is said to print."""
    found: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            command, output = found.pop()
            found.append((command, f"{output}{line}\n"))
    return found


def same(command: str, want: str, got: str) -> bool:
    """Whether two outputs of a command agree, numbers to six digits."""

    def rounded(text: str) -> str:
        lines = [line.rstrip() for line in text.strip().split("\n")]
        return NUMBER.sub(lambda match: f"{float(match[0]):.6g}", "\n".join(lines))

    options = ELLIPSIS | (NORMALIZE_WHITESPACE if "--help" in command else 0)
    return OutputChecker().check_output(rounded(want), rounded(got), options)


class Console(SphinxDirective):
    """A block of commands."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        page = self.env.current_document.docname
        for command, want in examples(list(self.content)):
            got = shell(command, folder_of(page).name)
            if not same(command, want, got):
                logger.warning(
                    "%s does not print what the page says, but:\n%s",
                    command,
                    got,
                    location=self.get_location(),
                )
        text = "\n".join(self.content)
        return [nodes.literal_block(text, text, language="console")]


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("console", Console)
    return {"parallel_read_safe": False}
