"""Pictures that commands draw: the components of a fit, and the criterion of a search."""

import warnings
from pathlib import Path
from typing import Any

from gmmfast.cli.data import Array
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.tables import require_writable

PICTURES = (".png", ".svg", ".pdf")
MOST = 6  # columns of which all pairs are drawn
DPI = 150


def require_picture(path: Path | None) -> None:
    """Raise before a long run if drawing a picture after it would fail."""
    if path is None:
        return
    require_writable(path, PICTURES)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            "--plot needs matplotlib; install it with: pip install 'gmmfast[plot]'"
        ) from None


def draw_components(mixture: GaussianMixture, rows: Array | None, path: Path) -> None:
    """Draw the components over the rows: one or two columns, or all pairs of up to `MOST`."""
    from gmmfast.plotting import plot_mixture, plot_pairs

    d = mixture.means_.shape[1]
    side = 2.6 * min(d, MOST)
    figure = _figure(side, side) if d > 2 else _figure(8, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows without names: their columns are in order
        if d > 2:
            plot_pairs(mixture, rows, figure=figure)
        else:
            plot_mixture(mixture, rows, features=range(d), ax=figure.subplots())
    figure.savefig(path, dpi=DPI)


def draw_criterion(search: GaussianMixtureIC, path: Path) -> None:
    """Draw the criterion against the number of components, one curve per model."""
    from gmmfast.plotting import plot_criterion

    figure = _figure(8, 5)
    plot_criterion(search, figure.subplots())
    figure.savefig(path, dpi=DPI)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
