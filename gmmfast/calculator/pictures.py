"""Numbers for the charts of the page: rows and a mixture along one, two or several columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.calculator.data import known
from gmmfast.marginals import Mixture
from gmmfast.models.base import square_roots

MOST_POINTS = 5000  # per chart; more rows are sampled
MOST_PAIRED = 5  # columns of a matrix of pairs
PAIRED_POINTS = 500  # per pair
UNCERTAIN = 0.1  # probability of other components, from which a row counts as uncertain
SIGMAS = (1, 2, 3)
CORNERS = 72  # of an ellipse
GRID = 90  # points of the density along an axis
LINE = 400  # points of a curve
MARGIN = 0.06  # of the range, around the rows

Floats = NDArray[np.float64]


def sampled(n_rows: int, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Return the rows that a chart draws."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(0).choice(n_rows, most, replace=False))


def complete(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rows that a chart draws, of those that have all its values."""
    present = np.flatnonzero(~np.isnan(values).any(axis=1))
    return present[sampled(len(present))]


def plane(
    values: NDArray[Any], labels: NDArray[Any], mixture: Mixture, with_density: bool
) -> dict[str, Any]:
    """Return points, ellipses and, if asked for, the density, of two columns.

    Parameters
    ----------
    values : ndarray of shape (n, 2)
        The rows.
    labels : ndarray of shape (n,)
        The likeliest component of each; -1 for noise.
    mixture : Mixture
        Of the two columns.
    with_density : bool
        Whether the density is wanted.
    """
    drawn = complete(values)
    picked = groups(labels, drawn, len(mixture.weights))
    found: dict[str, Any] = {
        "points": [values[rows].T.tolist() for rows in picked],
        "n_components": len(mixture.weights),
        "n_drawn": len(drawn),
        "n_rows": len(values),
        "means": mixture.means.tolist(),
        "ellipses": ellipses(mixture, SIGMAS),
        "sigmas": list(SIGMAS),
        "coverage": coverage(mixture, SIGMAS),
    }
    if with_density:
        x, y = (_range(values[:, j], GRID) for j in range(2))
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        z = mixture.densities(grid).sum(axis=0).reshape(GRID, GRID)
        shade = np.cbrt(z / max(z.max(), 1e-300))  # of 0 to 1; small densities can be seen too
        found["density"] = {"x": x.tolist(), "y": y.tolist(), "z": shade.tolist()}
    return found


def coverage(mixture: Mixture, sigmas: Sequence[float]) -> list[Any]:
    """Return the shares of a component within its ellipses; of t components, one list for each."""
    shares = np.column_stack([mixture.coverage(s) for s in sigmas]).tolist()
    own: list[Any] = shares[0] if mixture.degrees is None else shares
    return own


def groups(labels: NDArray[Any], drawn: NDArray[np.int64], K: int) -> list[NDArray[np.int64]]:
    """Return the drawn rows of each component; then the rows of noise, if there are any."""
    found = [drawn[labels[drawn] == k] for k in [*range(K), -1]]
    return found if len(found[-1]) else found[:-1]


def ellipses(mixture: Mixture, sigmas: Sequence[float]) -> list[list[list[list[float]]]]:
    """Return the outlines of two-dimensional components, by component and standard deviations."""
    angles = np.linspace(0, 2 * np.pi, CORNERS + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    roots = square_roots(mixture.covariances)
    return [
        [(mean[:, None] + s * root @ circle).tolist() for s in sigmas]
        for mean, root in zip(mixture.means, roots, strict=True)
    ]


def pairs(values: NDArray[Any], labels: NDArray[Any], mixture: Mixture) -> dict[str, Any]:
    """Return a matrix of charts: each pair of columns, with the ellipses of 2 sigma.

    Parameters
    ----------
    values : ndarray of shape (n, d)
        The rows, of few columns.
    labels : ndarray of shape (n,)
        The likeliest component of each.
    mixture : Mixture
        Of these columns.
    """
    d, K = values.shape[1], len(mixture.weights)
    drawn = sampled(len(values), PAIRED_POINTS)
    return {
        "points": [known(values[rows].T) for rows in groups(labels, drawn, K)],
        "n_components": K,
        "n_drawn": len(drawn),
        "n_rows": len(values),
        "histograms": [histogram(values[:, j]) for j in range(d)],
        "pairs": [
            {
                "x": i,
                "y": j,
                "ellipses": [outlines[0] for outlines in ellipses(mixture.along([i, j]), [2])],
            }
            for i in range(d)
            for j in range(i + 1, d)
        ],
    }


def uncertainty(
    values: NDArray[Any], labels: NDArray[Any], probabilities: NDArray[Any], K: int
) -> dict[str, Any]:
    """Return points with the probability that they belong to another component.

    Parameters
    ----------
    values : ndarray of shape (n, 1) or (n, 2)
        The rows.
    labels, probabilities : ndarray of shape (n,)
        The likeliest component of each, and its probability.
    K : int
        Number of components.
    """
    drawn = complete(values)
    doubt = 1.0 - probabilities
    picked = groups(labels, drawn, K)
    return {
        "n_components": K,
        "points": [values[rows].T.tolist() for rows in picked],
        "uncertainty": [doubt[rows].tolist() for rows in picked],
        "n_drawn": len(drawn),
        "n_rows": len(values),
        "limit": UNCERTAIN,
        "n_uncertain": int(np.count_nonzero(doubt > UNCERTAIN)),
    }


def histogram(values: NDArray[Any]) -> dict[str, list[float]]:
    """Return the edges of bins, and the density of rows in each."""
    values = values[~np.isnan(values)]
    counts, edges = np.histogram(values, bins=_bins(values))
    heights = counts / (counts.sum() * np.diff(edges))
    return {"edges": edges.tolist(), "heights": heights.tolist()}


def line(values: NDArray[Any], mixture: Mixture) -> dict[str, Any]:
    """Return a histogram and the densities of the components, of one column.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The rows.
    mixture : Mixture
        Of the one column.
    """
    x = _range(values, LINE)
    curves = mixture.densities(x[:, None])
    return {
        **histogram(values),
        "x": x.tolist(),
        "components": curves.tolist(),
        "density": curves.sum(axis=0).tolist(),
        "n_rows": len(values),
    }


def _range(values: NDArray[Any], count: int) -> Floats:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = MARGIN * (high - low) or 1.0
    return np.linspace(low - room, high + room, count)


def _bins(values: NDArray[Any]) -> int:
    """Between 5 and 200, by Freedman and Diaconis' rule."""
    low, high = np.quantile(values, [0.25, 0.75])
    width = 2 * (high - low) / len(values) ** (1 / 3)
    span = float(values.max() - values.min())
    return int(np.clip(np.ceil(span / width) if width > 0 else 5, 5, 200))
