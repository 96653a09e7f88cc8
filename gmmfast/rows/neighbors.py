"""Distances from neighbors, by which starts leave out rows that are far from others."""

from __future__ import annotations

import numpy as np

from gmmfast.parameters import Floats

DISTANCES = 1 << 18  # at once (2 MB)


def neighbor_distances(X: Floats, others: Floats, place: int) -> Floats:
    """Return the squared distance (n,) of each row from the neighbor at a place, from 0.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows.
    others : ndarray of shape (m, d)
        Rows among which neighbors are sought; a row is a neighbor of itself.
    place : int
        Below m. Rows that are infinitely far are the last.
    """
    found, step = np.empty(len(X)), max(1, DISTANCES // len(others))
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nd,nd->n", others, others)
        for start in range(0, len(X), step):
            part = X[start : start + step]
            products = np.einsum("nd,md->nm", part, others)  # BLAS may round by threads
            own = np.einsum("nd,nd->n", part, part)[:, None] + squares - 2 * products
            found[start : start + step] = np.partition(own, place, axis=1)[:, place]
    return np.where(np.isnan(found), np.inf, found)
