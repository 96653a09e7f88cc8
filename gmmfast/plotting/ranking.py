"""The criterion of a search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.constraints import SEARCH, Criterion, check_parameters
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.style import axes_of, draw_legend, look
from gmmfast.search.results import Results


@with_shared
def plot_criterion(
    search: GaussianMixtureIC | Results, ax: Any = None, *, criterion: Criterion | None = None
) -> Any:
    """Draw the criterion of a search against K, one curve per model.

    Candidates that are not ranked leave a gap; the best is ringed. The axis shows the better half
    of the candidates.

    Parameters
    ----------
    search : GaussianMixtureIC or Results
        Fitted, or its ``results_``.
    $ax
    criterion : {"bic", "aic", "aicc", "icl", "nec", "cv"}, optional
        Criterion to draw; by default that of the search, or "bic" for results.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError
        If the search has not been fitted.
    TypeError
        If `search` is neither a search nor its results.
    ValueError
        If no candidate can be ranked by the criterion.

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
    results, criterion = _results_of(search, criterion)
    order = results.ranking(criterion)
    if not order.size:
        raise ValueError(f"No candidate is ranked by {criterion.upper()}. Draw another criterion.")
    ax = axes_of(ax)
    values = np.full(len(results), np.nan)
    values[order] = results[criterion][order]
    for number, name in enumerate(dict.fromkeys(results["covariance_type"])):
        own = results["covariance_type"] == name
        ax.plot(
            results["n_components"][own], values[own], label=name, markersize=4, linewidth=1,
            **look(number),
        )  # fmt: skip
        left = own & ~results["finished"]
        hollow = look(number) | {"linestyle": "none", "markerfacecolor": "white"}
        ax.plot(results["n_components"][left], values[left], markersize=4, **hollow)
    best = results[order[0]]
    ax.plot(
        best["n_components"], values[order[0]], "o", markersize=13, markerfacecolor="none",
        markeredgecolor="black", zorder=3,
    )  # fmt: skip
    ax.set_xticks(np.unique(results["n_components"]))
    ax.set_ylim(*_near_the_best(values[order]))
    ax.set_xlabel("number of components")
    ax.set_ylabel(f"{criterion.upper()} (lower is better)")
    ax.set_title(f"best: {best['covariance_type']}, K = {best['n_components']}")
    is_complete = bool(results["finished"][order].all())
    draw_legend(ax, "model" if is_complete else "model (hollow: not completed)")
    return ax


def _near_the_best(ranked: NDArray[np.float64]) -> tuple[float, float]:
    """Return the part of the axis that shows the differences in the better half of the values."""
    best = float(ranked[0])
    span = float(ranked[(len(ranked) - 1) // 2] - best or ranked[-1] - best or 1)
    return best - 0.1 * span, best + 1.15 * span


def _results_of(
    search: GaussianMixtureIC | Results, criterion: Criterion | None
) -> tuple[Results, Criterion]:
    """Return the results, and the criterion to draw."""
    if isinstance(search, Results):
        results, criterion = search, criterion or "bic"
    elif isinstance(search, GaussianMixtureIC):
        search._check_fitted()
        results, criterion = search.results_, criterion or search.criterion
    else:
        raise TypeError(
            "plot_criterion needs a GaussianMixtureIC or its results_; got "
            f"{type(search).__name__}. A single mixture has no candidates to compare."
        )
    check_parameters("plot_criterion", {"criterion": criterion}, SEARCH)
    return results, criterion
