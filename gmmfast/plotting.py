"""Pictures of a search and of a mixture, with matplotlib (the extra ``[plot]``).

Every function draws on `ax`, or on new axes, and returns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.estimators.fitted import is_elsewhere
from gmmfast.parameters import Floats

if TYPE_CHECKING:
    from gmmfast.estimators.mixture import GaussianMixture
    from gmmfast.estimators.selection import GaussianMixtureIC

SIGMAS = (1.0, 2.0, 3.0)
MOST_POINTS = 5000  # to draw; more would hide each other
MARKERS = "osD^v<>phXP*d8"
GRID = 200  # points of a density along an axis


def plot_criterion(search: GaussianMixtureIC, ax: Any = None) -> Any:
    """Draw the criterion of a search against K, one curve per model.

    Candidates that are not ranked leave a gap; the best is ringed.

    Parameters
    ----------
    search : GaussianMixtureIC
        Fitted.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError
        If the search has not been fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixtureIC
    >>> from gmmfast.plotting import plot_criterion
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> search = GaussianMixtureIC([1, 2], covariance_types=["EII", "VVV"]).fit(X)
    >>> plot_criterion(search).get_xlabel()
    'number of components'
    """
    search._check_fitted()
    ax = _axes(ax)
    results, criterion = search.results_, search.criterion
    ranked = np.zeros(len(results), bool)
    ranked[results.ranking(criterion)] = True
    values = np.where(ranked, results[criterion], np.nan)
    for number, name in enumerate(dict.fromkeys(results["covariance_type"])):
        own = results["covariance_type"] == name
        marker = MARKERS[number % len(MARKERS)]
        color = f"C{number % 10}"
        ax.plot(
            results["n_components"][own], values[own], marker=marker, color=color, label=name,
            markersize=4, linewidth=1,
        )  # fmt: skip
    best = results.ranking(criterion)[0]
    ax.plot(
        results["n_components"][best], values[best], "o", markersize=13, markerfacecolor="none",
        markeredgecolor="black", zorder=3,
    )  # fmt: skip
    ax.set_xticks(np.unique(results["n_components"]))
    ax.set_xlabel("number of components")
    ax.set_ylabel(f"{criterion.upper()} (lower is better)")
    ax.legend(ncols=2, fontsize="small", frameon=False)
    return ax


def plot_mixture(
    mixture: GaussianMixture,
    X: ArrayLike | None = None,
    *,
    features: Sequence[int] = (0, 1),
    sigmas: Sequence[float] = SIGMAS,
    ax: Any = None,
) -> Any:
    """Draw components as ellipses over the rows, or in one dimension as densities.

    Of more than two features the marginal distribution of two is shown. In two dimensions, the
    ellipses of 1, 2 and 3 standard deviations hold 39, 86 and 99 % of their component.

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted.
    X : array-like of shape (n, d), optional
        Rows to show, colored by component; of more than 5000, an even sample.
    features : pair of int, default=(0, 1)
        Which features to show; one, for a density.
    sigmas : sequence of float, default=(1, 2, 3)
        Standard deviations of the ellipses.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no such feature.
    TypeError
        If the rows are a source or a Dask collection.
    """
    mixture._check_fitted()
    d = mixture.means_.shape[1]
    shown = list(features)[:d] if d == 1 else list(features)
    if not 1 <= len(shown) <= 2 or not all(0 <= j < d for j in shown):
        raise ValueError(f"features must be one or two numbers from 0 to {d - 1}; got {features}.")
    if is_elsewhere(X):
        raise TypeError(
            f"plot_mixture draws rows in memory; got {type(X).__name__}. Pass some of the rows."
        )
    ax = _axes(ax)
    rows = None if X is None else np.asarray(X)
    labels = None if X is None else mixture.predict(X)
    if rows is not None and labels is not None and len(rows) > MOST_POINTS:
        picked = np.linspace(0, len(rows) - 1, MOST_POINTS).astype(int)
        rows, labels = rows[picked], labels[picked]
    names = getattr(mixture, "feature_names_in_", [f"feature {j}" for j in range(d)])
    covariances = marginals(mixture, shown)
    draw = _draw_density if len(shown) == 1 else _draw_ellipses
    draw(ax, mixture, covariances, shown, rows, labels, sigmas)
    ax.set_xlabel(names[shown[0]])
    ax.set_ylabel("density" if len(shown) == 1 else names[shown[1]])
    return ax


def marginals(mixture: GaussianMixture, features: Sequence[int]) -> Floats:
    """Return the covariances of some features, as matrices (K, f, f)."""
    K, d = mixture.means_.shape
    matrices = mixture._model().matrices(np.asarray(mixture.covariances_, np.float64), K, d)
    return matrices[:, features][:, :, features]


def _draw_ellipses(
    ax: Any,
    mixture: GaussianMixture,
    covariances: Floats,
    features: Sequence[int],
    rows: NDArray[Any] | None,
    labels: NDArray[np.int64] | None,
    sigmas: Sequence[float],
) -> None:
    from matplotlib.patches import Ellipse

    for k, (mean, covariance) in enumerate(
        zip(mixture.means_[:, features], covariances, strict=True)
    ):
        color = f"C{k % 10}"
        if rows is not None:
            own = rows[labels == k]
            ax.scatter(*own[:, features].T, s=8, color=color, alpha=0.5, linewidths=0)
        variances, axes = np.linalg.eigh(covariance)
        angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        for sigma in sigmas:
            height, width = 2 * sigma * np.sqrt(np.maximum(variances, 0))
            ax.add_patch(
                Ellipse(mean, width, height, angle=angle, fill=False, color=color, linewidth=1.2)
            )
        ax.plot(*mean, "+", color="black", markersize=9, zorder=3)
    ax.autoscale_view()


def _draw_density(
    ax: Any,
    mixture: GaussianMixture,
    covariances: Floats,
    features: Sequence[int],
    rows: NDArray[Any] | None,
    labels: NDArray[np.int64] | None,
    sigmas: Sequence[float],
) -> None:
    means, deviations = mixture.means_[:, features[0]], np.sqrt(covariances[:, 0, 0])
    reach = max(sigmas, default=3.0) * deviations
    x = np.linspace((means - reach).min(), (means + reach).max(), GRID)
    residuals = (x - means[:, None]) / deviations[:, None]
    heights = mixture.weights_ / (deviations * np.sqrt(2 * np.pi))
    densities = heights[:, None] * np.exp(-0.5 * residuals**2)
    if rows is not None:
        ax.hist(rows[:, features[0]], bins="auto", density=True, color="0.85")
    for k, density in enumerate(densities):
        ax.plot(x, density, color=f"C{k % 10}", linewidth=1.2)
    ax.plot(x, densities.sum(axis=0), color="black", linewidth=1.2)
    ax.set_ylim(bottom=0)


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("Pictures need matplotlib: pip install 'gmmfast[plot]'") from None
    return pyplot.subplots(layout="constrained")[1]
