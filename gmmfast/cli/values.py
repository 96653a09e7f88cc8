"""Values of options, from their text."""

import argparse
import csv
import math

from gmmfast.data.constraints import COVARIANCE_TYPES, ESTIMATES

COUNTS = "must be auto, or numbers from 1 such as 1:9 or 2,4; got {!r}"


def names(text: str) -> list[str]:
    """Names with commas between."""
    return [name.strip() for name in next(csv.reader([text]), [])]


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number; got {text!r}") from None


def counts(text: str) -> list[int] | str:
    """Numbers of components: ``3``, ``1:9`` with both ends, ``2,4,8``, or ``auto``."""
    if text == "auto":
        return text
    found: list[int] = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        if not (first.isdecimal() and (last.isdecimal() or not colon)):
            raise argparse.ArgumentTypeError(COUNTS.format(text))
        if colon and whole(last) < whole(first):
            raise argparse.ArgumentTypeError(
                f"the first number of a range must not be the larger one; got {part}. Use "
                f"{last}:{first}."
            )
        found += range(whole(first), whole(last) + 1) if colon else [whole(first)]
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(COUNTS.format(text))
    return found


def factors(text: str) -> list[int]:
    """Numbers of factors, as of components; no ``auto``."""
    if text == "auto":
        raise argparse.ArgumentTypeError("must be numbers from 1, such as 1:9 or 2,4; got 'auto'")
    found = counts(text)
    assert isinstance(found, list)
    return found


def models(text: str) -> str | list[str]:
    """``all``, or names of covariance models."""
    if text == "all":
        return text
    picked = names(text)
    for name in picked:
        if name not in COVARIANCE_TYPES:
            known = ", ".join(COVARIANCE_TYPES)
            raise argparse.ArgumentTypeError(f"there is no model {name!r}; there are {known}")
    return picked


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {text}")
    return number


def port(text: str) -> int:
    """The number of a port; 0 is any."""
    number = whole(text)
    if not 0 <= number < 1 << 16:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 65535; got {text}")
    return number


def seed(text: str) -> int:
    """A seed that NumPy's generators take."""
    number = whole(text)
    if not 0 <= number < 1 << 32:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 4294967295; got {text}")
    return number


def finite(text: str) -> float:
    """A finite number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number; got {text!r}")
    return number


def degrees(text: str) -> float | str:
    """Degrees of freedom: a number, or how they are estimated."""
    if text in ESTIMATES:
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be a positive number, {' or '.join(ESTIMATES)}; got {text!r}"
        )
    return number


def fraction(text: str) -> float:
    """A number between 0 and 1, without these."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, such as 0.01; got {text!r}")
    return number
