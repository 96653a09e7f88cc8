"""Statistics of partitions against plain NumPy."""

import numpy as np
import pytest
import reference
from data import mixture

from gmmfast.parameters import Scatter
from gmmfast.rows import MemoryRows

pytestmark = [pytest.mark.quick, pytest.mark.plain]


def expected_of(X, labels, weights, n_labels, means, scatter):
    """Mass, first and second moments about the means, of the kind that a model needs."""
    resp = (labels[:, None] == np.arange(n_labels)).astype(float)
    mass, first, second = reference.moments(X, resp, means, weights)
    if scatter is Scatter.DIAGONAL:
        second = np.einsum("kii->ki", second)
    return mass, first, second.sum(axis=0)[None] if scatter is Scatter.POOLED else second


@pytest.mark.parametrize("scatter", Scatter)
@pytest.mark.parametrize(
    ("n", "n_labels", "dtype", "is_weighted"),
    [(1, 1, "f8", False), (64, 3, "f8", True), (65, 3, "f4", False), (200, 5, "f8", True),
     (5000, 3, "f4", True), (5000, 2, "f8", False)],
)  # fmt: skip
def test_partition__is_the_sum_over_its_rows(n, n_labels, dtype, is_weighted, scatter):
    """With rows of weight zero, and a part without rows."""
    X = mixture(n, 3, 2, seed=n)[0].astype(dtype)
    rng = np.random.default_rng(n)
    labels = rng.integers(0, max(1, n_labels - 1), n)
    weights = rng.integers(0, 3, n) + (np.arange(n) == 0) if is_weighted else np.ones(n)
    rows = MemoryRows(X, weights.astype(float) if is_weighted else None)
    about = X[:n_labels] if n >= n_labels else X
    means = np.asarray(about - rows.center, np.float64)
    found = rows.partition(rows.tiled(labels), means, scatter)
    reached = (found.mass, found.first, found.scatter)
    own = expected_of(
        np.asarray(X - rows.center, np.float64), labels, weights, n_labels, found.reference, scatter
    )
    for value, expected in zip(reached, own, strict=True):
        size = np.abs(expected).max()
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12 * size)


@pytest.mark.parametrize("scatter", Scatter)
def test_partition__of_distant_means_loses_no_digits(scatter):
    """The moments are about means that are nearer."""
    X, labels = mixture(300, 3, 2, seed=0)
    rows = MemoryRows(X)
    exact = np.stack([X[labels == k].mean(axis=0) for k in range(2)]) - rows.center
    found = rows.partition(rows.tiled(labels), exact + 1e7, scatter).about(exact)
    near = rows.partition(rows.tiled(labels), exact, scatter)
    np.testing.assert_allclose(found.scatter, near.scatter, rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(found.reference + found.first / found.mass[:, None], exact)
