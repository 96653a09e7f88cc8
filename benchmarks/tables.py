"""Targets and tables in Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.timing import Spread

LEAST = 1e-4  # smaller numbers have an exponent


@dataclass(frozen=True)
class Goal:
    """A target: a ratio to exceed, or a limit to stay below."""

    what: str
    reached: float
    target: float
    is_limit: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the target was reached; values lost in noise do not reach it."""
        if not math.isfinite(self.reached):
            return False
        if self.is_limit:
            return self.reached <= self.target
        return self.reached >= self.target

    def cells(self) -> list[str]:
        bound = "at most" if self.is_limit else "at least"
        reached = f"{number(self.reached)} {self.unit}".strip()
        target = f"{bound} {self.target:.3g} {self.unit}".strip()
        return [self.what, reached, target, "yes" if self.met else "**no**"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table: the first column to the left, the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def aim(target: float | None) -> str:
    """Return a target as text, empty for None."""
    return "" if target is None else f"{target:g}"


def number(value: float) -> str:
    """Format three significant digits, without exponent if large; infinite values are noise."""
    if not math.isfinite(value):
        return "noise"
    if value == 0:
        return "0"
    if abs(value) < LEAST:
        return f"{value:.2e}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def spread(values: Spread, scale: float = 1.0) -> str:
    """``median (low to high)``."""
    if not math.isfinite(values.median):
        return "noise"
    low, median, high = (number(v * scale) for v in (values.low, values.median, values.high))
    return f"{median} ({low} to {high})"


def milliseconds(seconds: Spread) -> str:
    return spread(seconds, 1e3)


def against(ratio: Spread) -> str:
    """A ratio, which is the result, in bold."""
    median, _, rest = spread(ratio).partition(" ")
    return f"**{median}** {rest}".strip()
