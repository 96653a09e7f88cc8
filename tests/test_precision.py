"""Wide ranges cost no digits: float32 agrees with float64, and float64 with extended precision."""

import functools

import extended
import numpy as np
import pytest
from data import EVERY, TYPES

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.rows import MemoryRows
from gmmfast.rows.extent import Extent, center_near

pytestmark = pytest.mark.filterwarnings("ignore:.*(did not converge|collapsed, without)")


def clusters(*parts, d=2, seed=0):
    """Rows of ``(n, mean, deviation)``, alike in all features but for chance."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean, deviation, (n, d)) for n, mean, deviation in parts])


WIDE = {  # rows, and a row of each cluster
    "near zero and far": (clusters((300, 3, 1), (200, 2e8, 2e7)), [0, 300]),
    "a third at one value": (clusters((210, 0.01, 0.98), (90, 1e9, 0)), [0, 210]),
    "one far row": (np.r_[clusters((500, 0, 1)), np.full((1, 2), 1e20)], [0, 500]),
    "a value for no data": (np.r_[clusters((500, 0, 1)), np.full((1, 2), -3.4e38)], [0, 500]),
    "off center": (clusters((150, 1e8, 1), (150, 1e8 + 4, 1)), [0, 150]),
    "off center, and zeros": (clusters((150, 1e6, 1), (150, 1e6 + 3, 1), (2, 0, 0)), [0, 150, 300]),
    "two in one place, and far ones": (
        clusters((200, 5, 1), (200, 8, 1), (100, -4e7, 3e5)),
        [0, 200, 400],
    ),
}
# half of the digits of 1e8 +- 1 are lost before float32 rows reach us
SINGLE = [name for name in WIDE if name != "off center"]


def fitted(X, seeds, covariance_type, rows=lambda X: X):
    mixture = GaussianMixture(
        len(seeds), covariance_type=covariance_type, means_init=np.asarray(X[seeds], np.float64),
        tol=0, max_iter=5,
    )  # fmt: skip
    return mixture.fit(rows(X))


def matrices(mixture):
    K, d = mixture.means_.shape
    return mixture._model().matrices(mixture.covariances_.astype(np.float64), K, d)


def assert_close(found, expected, rtol):
    """Means in units of the deviations, covariances on the scale of correlations."""
    a, b = matrices(found), matrices(expected)
    deviations = np.sqrt(np.einsum("kii->ki", b))
    assert (np.abs(found.weights_ - expected.weights_) <= rtol).all()
    slack = rtol * (deviations + np.abs(expected.means_))
    assert (np.abs(found.means_.astype(np.float64) - expected.means_) <= slack).all()
    scales = deviations[:, :, None] * deviations[:, None, :]
    np.testing.assert_allclose(a / scales, b / scales, rtol=0, atol=rtol)
    np.testing.assert_allclose(found.lower_bounds_, expected.lower_bounds_, rtol=rtol)


def of_dask(X):
    array = pytest.importorskip("dask.array")
    return array.from_array(X, chunks=(130, -1))


ROWS = {
    "array": lambda X: X,
    "Fortran order": np.asfortranarray,
    "chunks": lambda X: chunks(X, chunk_rows=97),
    "dask": of_dask,
}
KINDS = [*ROWS]


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("covariance_type", EVERY)
def test_float32__agrees_with_float64(name, covariance_type):
    X, seeds = WIDE[name]
    X = X.astype(np.float32)
    kind = KINDS[(SINGLE.index(name) + EVERY.index(covariance_type)) % len(KINDS)]
    found = fitted(X, seeds, covariance_type, ROWS[kind])
    expected = fitted(X.astype(np.float64), seeds, covariance_type)
    assert_close(found, expected, 1e-5)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    np.testing.assert_allclose(
        found.score_samples(X), expected.score_samples(X), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-4)


@functools.cache
def exact(name, covariance_type, n_iter=5):
    """The same iterations in extended precision, from the first M step of ours."""
    X, seeds = WIDE[name]
    start = fitted_for(X, seeds, covariance_type, 1)
    return start, extended.em(
        X, start.weights_, start.means_, matrices(start), covariance_type, n_iter, 1e-6
    )


def fitted_for(X, seeds, covariance_type, max_iter):
    return GaussianMixture(
        len(seeds), covariance_type=covariance_type, means_init=X[seeds], tol=0, max_iter=max_iter
    ).fit(X)


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("kind", ["array", "chunks"])
def test_float64__agrees_with_extended_precision(name, covariance_type, kind):
    X, _ = WIDE[name]
    start, (bounds, weights, means, covariances) = exact(name, covariance_type)
    found = GaussianMixture(
        len(start.weights_), covariance_type=covariance_type, weights_init=start.weights_,
        means_init=start.means_, precisions_init=start.precisions_, tol=0, max_iter=5,
    ).fit(ROWS[kind](X))  # fmt: skip
    deviations = np.sqrt(np.einsum("kii->ki", covariances).astype(np.float64))
    assert (np.abs(found.weights_ - weights) <= 1e-10).all()
    assert (np.abs(found.means_ - means) <= 1e-10 * deviations + 1e-15 * np.abs(means)).all()
    scales = deviations[:, :, None] * deviations[:, None, :]
    difference = (matrices(found) - covariances.astype(np.float64)) / scales
    assert np.abs(difference).max() <= 1e-10
    np.testing.assert_allclose(found.lower_bounds_, np.float64(bounds), rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_given_mixture__scores_rows_near_and_far(covariance_type, dtype):
    """Densities in closed form: of one feature, by the same mixture written about zero."""
    means, deviation = np.array([[0.0], [1e9]]), 3.0
    covariances = {"tied": [[deviation**2]], "spherical": [deviation**2] * 2}.get(
        covariance_type, np.full((2, 1), deviation**2)
    )
    if covariance_type == "full":
        covariances = np.full((2, 1, 1), deviation**2)
    mixture = GaussianMixture.from_parameters(
        [0.5, 0.5], means, covariances, covariance_type=covariance_type
    )
    X = np.array([[-1.5], [0.0], [2.7], [1e9], [1e9 + 64]], dtype)
    z = (X.astype(np.float64) - means.T) / deviation
    expected = np.log(0.5) - 0.5 * np.log(2 * np.pi * deviation**2) - 0.5 * np.min(z**2, axis=1)
    rtol = 1e-12 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(mixture.score_samples(X), expected, rtol=rtol)
    np.testing.assert_array_equal(mixture.predict(X), [0, 0, 0, 1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_fit__learns_rows_near_and_far(dtype):
    """A stream that has begun near zero takes rows at 2e8 for what they are, and back."""
    rng = np.random.default_rng(0)
    mixture = GaussianMixture(
        2, means_init=[[3.0], [2e8]], reg_covar=1e-6, covariance_type="diag", max_iter=5
    )
    seen = []
    for begins in (np.r_[rng.normal(3, 1, 300), rng.normal(2e8, 2e7, 20)], rng.normal(3, 1, 300)):
        seen.append(begins.astype(dtype))
        mixture.partial_fit(seen[-1][:, None], decay=1.0)
    near = np.concatenate([seen[0][:300], seen[1]]).astype(np.float64)
    assert mixture.means_[0, 0] == pytest.approx(near.mean(), rel=1e-5)
    assert mixture.covariances_[0, 0] == pytest.approx(near.var(), rel=1e-5)
    assert mixture.weights_[0] == pytest.approx(600 / 620, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-22, 1e-12, 1e12, 1e22])
@pytest.mark.parametrize("kind", KINDS)
def test_float32__whose_squares_are_too_large_or_small(kind, scale):
    X = (scale * clusters((100, 0, 1), (100, 6, 1))).astype(np.float32)
    params = {"means_init": X[[0, 100]].astype(np.float64), "reg_covar": 0.0, "max_iter": 5}
    found = GaussianMixture(2, **params).fit(ROWS[kind](X))
    expected = GaussianMixture(2, **params).fit(X.astype(np.float64))
    assert_close(found, expected, 1e-5)
    assert np.isfinite(found.precisions_).all() and (found.covariances_[:, 0, 0] > 0).all()


# --------------------------------------------------------------------------------- the center


def extent(values, dtype=np.float64):
    values = np.asarray(values, dtype).astype(np.float64)
    return Extent(*(np.array([f(values)]) for f in (np.mean, np.min, np.max)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("values", "is_subtracted"),
    [
        ([10, 11, 12], True),
        ([-10, -11, -12], True),
        ([1e8 - 1, 1e8, 1e8 + 1], True),
        ([5, 10, 10.5], True),
        ([4, 10, 16], False),
        ([1, 1, 1, 7], False),
        ([-1, 1], False),
        ([0, 0], False),
        ([0.1, 0.1, 0.1], True),
    ],
)
def test_center__is_subtracted_only_where_that_is_exact(values, is_subtracted, dtype):
    center = extent(values, dtype).center_for(np.dtype(dtype))[0]
    assert (center != 0) == is_subtracted
    for value in np.asarray(values, dtype):
        exactly = np.longdouble(value) - np.longdouble(center)
        assert dtype(float(value) - center) == exactly


def test_center__of_equal_values_leaves_nothing():
    X = np.full((7, 1), 0.1)
    rows = MemoryRows(X)
    assert rows.center[0] == 0.1
    assert not rows.packed.tiles.any()


def test_center__ignores_rows_without_weight():
    X = np.array([[1e8], [1e8 + 1], [0.0]])
    assert MemoryRows(X, np.array([1.0, 1.0, 0.0])).center[0] > 9e7
    assert MemoryRows(X).center[0] == 0


@pytest.mark.parametrize(
    ("means", "expected"), [([[1e8], [1.2e8]], 1.1e8), ([[0.0], [1e8]], 0.0), ([[-1.0], [1.0]], 0)]
)
def test_center__of_rows_to_evaluate_follows_from_the_means(means, expected):
    assert center_near(np.array(means), np.dtype(np.float64))[0] == expected


@pytest.mark.parametrize("covariance_type", EVERY)
@pytest.mark.parametrize("share", [1e-1, 1e-3, 1e-4])
def test_attributes__of_float32_rows_make_the_same_mixture_again(covariance_type, share):
    """Also where one column nearly follows from another: covariances stay positive definite."""
    rng = np.random.default_rng(0)
    X = clusters((150, 0, 1), (150, 8, 1))
    X = np.c_[X, X @ [1.0, 1.0] + share * rng.normal(size=300)].astype(np.float32)
    found = fitted(X, [0, 150], covariance_type)
    again = GaussianMixture.from_parameters(
        found.weights_ / found.weights_.sum(), found.means_, found.covariances_,
        covariance_type=covariance_type,
    )  # fmt: skip
    np.testing.assert_allclose(again.score_samples(X), found.score_samples(X), rtol=0.02, atol=0.02)
    if share == 1e-1:
        assert found.covariances_.dtype == np.float32


# --------------------------------------------------------------------------- means that move far


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "VVE"])
def test_a_far_start__costs_no_digits(covariance_type, kind, dtype):
    """The first M step from means a hundred thousand deviations away: the moments of the rows."""
    X = (clusters((600, 0, 1)) @ [[1.0, 0.3], [0.0, 0.8]] + [3.0, -2.0]).astype(dtype)
    fitted = GaussianMixture(
        1, covariance_type=covariance_type, means_init=[[1e5, 1e5]], max_iter=1, reg_covar=0,
        precisions_init=GaussianMixture(1, covariance_type=covariance_type).fit(X).precisions_,
    ).fit(ROWS[kind](X))  # fmt: skip
    rtol = 1e-5 if dtype == np.float32 else 1e-10
    rows = X.astype(np.float64)
    np.testing.assert_allclose(fitted.means_[0], rows.mean(axis=0), rtol=rtol)
    expected = np.cov(rows.T, bias=True)
    if covariance_type == "diag":
        expected = np.diag(expected.diagonal())
    np.testing.assert_allclose(matrices(fitted)[0], expected, rtol=rtol, atol=rtol)


def test_warm_start__on_rows_that_have_moved():
    X = clusters((300, 0, 1))
    fitted = GaussianMixture(1, warm_start=True).fit(X).fit(X + 1e8)
    np.testing.assert_allclose(fitted.covariances_[0], np.cov(X.T, bias=True), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["two far clusters", "near zero and far", "a third far"])
def test_search__finds_clusters_that_are_far_apart(name):
    """A narrow cluster of many rows has not collapsed, however far the others are."""
    X = {
        "two far clusters": clusters((300, 0, 0.8), (300, 1e8, 0.8)),
        "near zero and far": clusters((300, 3, 1), (200, 2e8, 2e7)),
        "a third far": clusters((210, 0, 1), (90, 1e9, 10)),
    }[name]
    search = GaussianMixtureIC(
        [1, 2], covariance_types=["EII", "VII", "VVI", "VVV"], random_state=0
    )
    search.fit(X)
    assert search.best_n_components_ == 2
    assert search.best_covariance_type_ in ("EII", "VII", "VVI", "VVV")
    two = search.results_[search.results_["n_components"] == 2]
    assert not two["failure"].any() and not two["degenerate"].any()
    direct = GaussianMixture(2, covariance_type="VVV", reg_covar=0, random_state=0, tol=1e-6).fit(X)
    assert not direct.degenerate_.any()
    assert search.best_estimator_.bic(X) <= direct.bic(X) + 1e-6


@pytest.mark.parametrize("noise", [1e-2, 1e-3])
@pytest.mark.parametrize(
    "code", ["full", "tied", *(code for code in MODEL_CODES if not code.endswith("I"))]
)
def test_float32_of_correlated_features__is_fitted_like_float64(code, noise):
    """Sums of products in float32 would lose the variance across the line."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, (400, 1))
    t = rng.normal(size=(400, 1)) * 3 + z * 4
    across = z * noise * 3 + rng.normal(size=(400, 1)) * noise
    rows = np.c_[t, t + across, rng.normal(size=(400, 1))].astype("f4")
    options = {
        "weights_init": [0.5, 0.5], "means_init": rows[[0, 5]].astype("f8"),
        "precisions_init": np.eye(3) if code == "tied" else np.array([np.eye(3)] * 2),
        "covariance_type": code, "tol": 1e-4, "max_iter": 300, "reg_covar": 0,
    }  # fmt: skip
    narrow = GaussianMixture(2, **options).fit(rows)
    wide = GaussianMixture(2, **options).fit(rows.astype("f8"))
    assert abs(narrow.n_iter_ - wide.n_iter_) <= 1 + 0.05 * wide.n_iter_
    assert narrow.lower_bound_ == pytest.approx(wide.lower_bound_, abs=1e-3)
    pieces = GaussianMixture(2, **options | {"max_iter": 5}).fit(chunks([rows[:150], rows[150:]]))
    # the first pass, at the unit matrix, is in float32
    assert pieces.lower_bound_ == pytest.approx(narrow.lower_bounds_[4], abs=1e-3)
    scores = wide.score_samples(rows), wide.score_samples(rows.astype("f8"))
    np.testing.assert_allclose(*scores, rtol=1e-6, atol=1e-6)  # returned in float32
    falls = -np.diff(narrow.lower_bounds_)[2:]  # the first steps may leave float32 and the family
    assert falls.max() < 1e-3
