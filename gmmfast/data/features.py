"""Features as users name them, by number or by column name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gmmfast.data.constraints import as_list, is_int


def feature_indices(
    features: Any, names: Sequence[str], has_names: bool, what: str = "features"
) -> list[int]:
    """Return the indices of features that are given by number or by name.

    Parameters
    ----------
    features : int, str or sequence of int or str
        One or several.
    names : sequence of str
        Names of all features.
    has_names : bool
        Whether the names are the user's.
    what : str
        Name of the argument, for messages.

    Raises
    ------
    ValueError
        If there is no such feature.
    """
    found, d = [], len(names)
    for feature in as_list(features):
        if isinstance(feature, str) and feature in names:
            found.append(list(names).index(feature))
        elif is_int(feature) and 0 <= int(feature) < d:
            found.append(int(feature))
        else:
            known = ", ".join(map(repr, names[:8])) + ", ..." * (d > 8)
            named = f", or column names ({known})" if has_names else ""
            raise ValueError(f"{what} must be numbers from 0 to {d - 1}{named}; got {feature!r}.")
    return found
