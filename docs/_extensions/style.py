"""How pictures look, in pages and in the gallery."""

from typing import Any

import matplotlib

RCPARAMS = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.figsize": (7.0, 4.4),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "gmmfast",
}


def apply(gallery_conf: dict[str, Any], name: str) -> None:
    """Before and after each example of the gallery."""
    matplotlib.rcParams.update(RCPARAMS)
