"""Parameters, results and errors that several functions share, described once."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from string import Template
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

SHARED = {
    "mixture": """
mixture : GaussianMixture or GaussianMixtureIC
    Fitted; of a search, its best candidate is drawn.""",
    "merging": """
merging : Merging
    Of `gmmfast.analysis.merge_components`.""",
    "X": """
X : array-like of shape (n, d), optional
    Rows to show; of more than 5000, an even sample.""",
    "features": """
features : pair of int or str, default=(0, 1)
    Features to show, by number or column name; or one.""",
    "sigmas": """
sigmas : sequence of float
    Standard deviations of the ellipses; of t components, scales.""",
    "ax": """
ax : matplotlib Axes, optional
    Where to draw; new ones by default.""",
    "errors": """
ImportError
    If matplotlib is not installed.
NotFittedError
    If the mixture has not been fitted.
ValueError
    If there is no such feature.
TypeError
    If `mixture` is neither a mixture nor a search, or `X` is a source or a Dask collection.""",
}


def with_shared(function: F) -> F:
    """Put what is shared in the place of ``$name`` in the docstring of a function."""
    text = Template(cleandoc(function.__doc__ or ""))  # no docstrings under python -OO
    function.__doc__ = text.substitute({name: own.strip() for name, own in SHARED.items()})
    return function
