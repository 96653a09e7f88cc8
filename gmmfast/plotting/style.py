"""The look of all pictures: colors, symbols, axes, legends."""

from __future__ import annotations

from typing import Any

from gmmfast.plotting.view import View

# Okabe and Ito's colors first; apart from each other in full color vision, and from white.
COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
    "#7d5a14", "#7f7f7f", "#5b2a9d", "#a3123a", "#a0bf1e", "#1b3a4b",
)  # fmt: skip
MARKERS = "os^DvPX*<p>d"
FEW = 6  # entries of a legend that find room within the axes
TIGHT = {"labelspacing": 0.25, "handlelength": 1.4, "handletextpad": 0.5}
SMALL = {"fontsize": "small", "title_fontsize": "small"}


def look(k: int) -> dict[str, str]:
    """Return the color and the marker of the k-th component, or curve.

    No two of twelve share a color or a marker, and no two of 144 share both.
    """
    n = len(COLORS)
    return {"color": COLORS[k % n], "marker": MARKERS[(k + k // n) % n]}


def pyplot() -> Any:
    """Return matplotlib's pyplot, or raise ImportError that says how to get it."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("Pictures need matplotlib: pip install 'gmmfast[plot]'") from None
    return pyplot


def axes_of(ax: Any) -> Any:
    """Return the axes to draw on, new ones where there are none."""
    return pyplot().subplots(layout="constrained")[1] if ax is None else ax


def finish(
    ax: Any, view: View, quantity: str, *, legend: str = "component", beside: bool = False
) -> Any:
    """Name the axes, add title and legend, and return the axes.

    The axes are named by the features; of one feature, the vertical axis by a quantity.
    """
    ax.set_xlabel(view.names[0])
    ax.set_ylabel(quantity if len(view.names) == 1 else view.names[1])
    ax.set_title(view.title)
    draw_legend(ax, legend, beside=beside)
    return ax


def draw_legend(ax: Any, title: str = "component", *, beside: bool = False) -> None:
    """Add a legend: within the axes where it is short, else, or if `beside`, to the right."""
    style = {"title": title, **SMALL, **TIGHT}
    handles, labels = ax.get_legend_handles_labels()
    if len(handles) <= FEW and not beside:
        ax.legend(framealpha=0.8, edgecolor="none", **style)
        return
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.0}
    ax.legend(handles, labels, frameon=False, **place, **style)
