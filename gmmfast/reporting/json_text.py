"""Plain values as JSON that can be read and compared line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_object(members: Mapping[str, Any]) -> str:
    """Return a JSON object with one member per line.

    Parameters
    ----------
    members : mapping of str to plain value
        In the order of the lines.

    Returns
    -------
    str

    Examples
    --------
    >>> print(json_object({"weights": [0.25, 0.75], "converged": True}))
    {
      "weights": [0.25, 0.75],
      "converged": true
    }
    """
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in members.items()]
    return "{\n" + ",\n".join(lines) + "\n}"
