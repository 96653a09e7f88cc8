"""Rows of one component are sorted along its longest axis, where that pays."""

import numpy as np
import pytest
from data import mixture, random_start

from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows
from gmmfast.rows.places import EXTENT, are_worth_places, longest_axes, places_of

K, D = 64, 4
X = mixture(3000, D, K, separation=3.0, seed=0)[0] + 100.0


def parameters_of(rows, covariance_type="full"):
    weights, means, _, init = random_start(X, K, covariance_type)
    model = MODELS[covariance_type]()
    covariances = model.covariances_from(init["precisions_init"])
    return model.parameters(weights, means - rows.center, covariances)


@pytest.mark.plain
def test_longest_axes__are_near_the_leading_eigenvectors():
    rng = np.random.default_rng(0)
    rotations = np.linalg.qr(rng.normal(size=(5, D, D)))[0]
    covariances = np.einsum("kij,j,klj->kil", rotations, [9.0, 2.0, 1.0, 0.5], rotations)
    axes, deviations = longest_axes(covariances)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1.0)
    assert np.abs(np.einsum("kj,kj->k", axes, rotations[:, :, 0])).min() > 0.999
    np.testing.assert_allclose(deviations, 3.0, rtol=1e-3)


@pytest.mark.plain
def test_places__are_deviations_along_the_axes_and_limited():
    rows = MemoryRows(X)
    parameters = parameters_of(rows)
    labels = np.arange(len(X)) % K
    points = X.copy()
    points[:2] = [[1e9], [-1e9]]
    places = places_of(points, rows.center, parameters, labels)
    axes, deviations = longest_axes(parameters.covariances)
    z = np.einsum("ij,ij->i", points - rows.center - parameters.means[labels], axes[labels])
    expected = np.clip(z / deviations[labels], -EXTENT, EXTENT)
    found = places / 65535 * 2 * EXTENT - EXTENT
    np.testing.assert_allclose(found, expected, atol=2 * EXTENT / 65535)
    assert {int(places[0]), int(places[1])} <= {0, 65535}


@pytest.mark.parametrize("is_weighted", [False, True])
def test_arranged_rows__are_sorted_by_component_then_place(is_weighted, monkeypatch):
    w = np.where(np.arange(len(X)) % 3 == 0, 0.0, 2.0) if is_weighted else None
    rows = MemoryRows(X, w)
    parameters = parameters_of(rows)
    monkeypatch.setattr(MemoryRows, "are_worth_sorting", lambda *_: True)
    arranged = rows.arranged_for(parameters)
    n, packed = arranged.n_rows, arranged.packed
    labels = packed.labels.ravel()[:n]
    points = packed.tiles.transpose(0, 2, 1).reshape(-1, D)[:n] + rows.center
    places = places_of(points, rows.center, parameters, labels).astype(np.int64)
    keys = labels * 65536 + places
    assert np.all(np.diff(keys) >= -1)  # to rounding of the packed rows
    assert len(np.unique(places)) > 100
    kept = X if w is None else X[w > 0]
    np.testing.assert_allclose(np.sort(points[:, 0]), np.sort(kept[:, 0]))


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical"])
def test_places__are_not_worth_it_without_axes_of_ones_own(covariance_type):
    rows = MemoryRows(X)
    assert are_worth_places(parameters_of(rows))
    assert not are_worth_places(parameters_of(rows, covariance_type))
