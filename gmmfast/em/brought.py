"""Starts that users bring: labels or responsibilities of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmfast.data.given import check_memberships
from gmmfast.em.kmeans import Random
from gmmfast.em.noise import first_guess
from gmmfast.em.state import fit_after_m_step
from gmmfast.errors import EmptyComponentError
from gmmfast.kernels.loop import Fit
from gmmfast.models import Model
from gmmfast.models.step import EMPTY_MASS
from gmmfast.rows import IncompleteRows, MemoryRows, Rows


def brought(rows: Rows, model: Model, n_components: int, init_params: Any, rng: Random) -> Fit:
    """Return a fit after the M step from the memberships to start from.

    With noise, the memberships of rows that count as noise are not used.

    Parameters
    ----------
    rows : Rows
        The data; must be in memory, and not sorted.
    model : Model
        The covariance model.
    n_components : int
        K.
    init_params : array-like of shape (n,) or (n, K), or callable
        Labels or responsibilities, or a function of X (n, d), K and a random generator that
        returns either.
    rng : Generator or RandomState
        For a callable.

    Raises
    ------
    ValueError
        If the rows are not in memory, or the memberships are neither labels nor responsibilities.
    EmptyComponentError
        If a component has no rows.
    """
    if not isinstance(rows, MemoryRows | IncompleteRows):
        raise ValueError(
            "Labels, responsibilities or a callable in 'init_params' need rows in memory; "
            "got rows that are read in pieces or lie on a cluster. Use init_params='kmeans' or "
            "another name, or give weights_init, means_init and precisions_init."
        )
    X, K, own, source = rows.array, n_components, init_params, "'init_params'"
    if callable(init_params):
        own, source = init_params(X, K, rng), "what init_params(X, n_components, rng) returned"
    memberships = check_memberships(own, len(X), K, source)
    if isinstance(rows, MemoryRows) and model.noise is not None:
        is_noise = first_guess(rows, K, model.noise, rng)
        memberships = memberships.copy()
        memberships[is_noise] = -1 if memberships.ndim == 1 else 0
    statistics = rows.memberships(memberships, K, model.scatter)
    empty = np.flatnonzero(statistics.mass < EMPTY_MASS * rows.weight / rows.n_rows)
    if empty.size:
        among = " that does not count as noise" if model.noise is not None else ""
        remedy = "; or say in noise= which rows are noise" if model.noise is not None else ""
        raise EmptyComponentError(
            f"Each of the {K} components needs a row of positive weight{among} to start from; "
            f"component {empty[0]} has none in {source}. Assign rows to it, or lower "
            f"n_components{remedy}."
        )
    return fit_after_m_step(model, rows, statistics)
