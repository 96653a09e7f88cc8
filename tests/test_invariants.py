"""What must hold for any mixture and any rows, sought by Hypothesis."""

import numpy as np
import pytest
from data import TYPES, random_start
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba.core import config

from gmmfast import GaussianMixture
from gmmfast.data.constraints import MODEL_CODES

pytestmark = [
    pytest.mark.quick,
    pytest.mark.plain,
    pytest.mark.filterwarnings("ignore:.*did not converge"),
]

few = settings(
    max_examples=5 if config.DISABLE_JIT else 40,  # plain Python takes a thousand times longer
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def problems(draw, max_components=4, min_rows=20):
    """Rows of a mixture of unit size, and a start: what a fit from there may meet."""
    d = draw(st.integers(1, 4))
    K = draw(st.integers(1, max_components))
    n = draw(st.integers(min_rows, 70))
    separation = draw(st.sampled_from([0.0, 1.0, 5.0]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    shape = np.eye(d) + 0.5 * rng.normal(size=(d, d)) / d
    centers = separation * rng.normal(size=(K, d))
    rows = rng.normal(size=(n, d)) @ shape + centers[rng.integers(0, K, n)]
    return rows, K


types = st.sampled_from([*TYPES, *MODEL_CODES])


def started(rows, K, covariance_type, **params):
    """A mixture with a start that depends on the rows, and no regularization of its own."""
    init = random_start(rows, K, covariance_type, seed=1)[3]
    defaults = {"tol": 0, "max_iter": 4, "reg_covar": 1e-6}
    return GaussianMixture(K, covariance_type=covariance_type, **{**defaults, **init, **params})


def matrices(fitted):
    K, d = fitted.means_.shape
    c = fitted.covariances_
    if c.ndim == 3:
        return c
    if fitted.covariance_type == "tied":
        return np.stack([c] * K)
    return np.stack([np.eye(d) * variances for variances in c])


@few
@given(problem=problems(), covariance_type=types)
def test_responsibilities_sum_to_one(problem, covariance_type):
    rows, K = problem
    fitted = started(rows, K, covariance_type).fit(rows)
    for resp in (fitted.predict_proba(rows), fitted.predict_proba(1e3 * rows)):
        assert resp.shape == (len(rows), K)
        assert resp.min() >= 0
        np.testing.assert_allclose(resp.sum(axis=1), 1, rtol=1e-14 * K)  # K roundings
    np.testing.assert_array_equal(fitted.predict(rows), fitted.predict_proba(rows).argmax(axis=1))


@few
@given(problem=problems(), covariance_type=types, weighted=st.booleans())
def test_likelihood_never_falls(problem, covariance_type, weighted):
    """Without regularization: with it, EM climbs another function."""
    rows, K = problem
    weights = np.random.default_rng(0).uniform(0.1, 3, len(rows)) if weighted else None
    fitted = started(rows, K, covariance_type, reg_covar=0, max_iter=6)
    try:
        fitted.fit(rows, sample_weight=weights)
    except ValueError as error:
        assert "ill-defined empirical covariance" in str(error)  # a component has collapsed
        return
    bounds = np.array(fitted.lower_bounds_)
    if covariance_type in MODEL_CODES:
        bounds = bounds[1:]  # the start may lie outside of the family
    # a sum of 70 log densities is rounded to some ulps
    assert (np.diff(bounds) >= -1e-13 * np.maximum(1, np.abs(bounds[1:]))).all()
    last = fitted.score(rows, sample_weight=weights)
    assert last >= bounds[-1] - 1e-13 * max(1, abs(last)), "the M step made it worse"


@few
@given(problem=problems(), covariance_type=types, seed=st.integers(0, 99))
def test_components_may_be_renamed(problem, covariance_type, seed):
    rows, K = problem
    order = np.random.default_rng(seed).permutation(K)
    mixture = started(rows, K, covariance_type)
    fitted = mixture.fit(rows)
    structured = mixture.precisions_init
    renamed = started(
        rows, K, covariance_type,
        weights_init=mixture.weights_init[order],
        means_init=mixture.means_init[order],
        precisions_init=structured if covariance_type == "tied" else structured[order],
    ).fit(rows)  # fmt: skip
    # sums over components are taken in another order: some ulps a pass
    np.testing.assert_allclose(renamed.lower_bounds_, fitted.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(renamed.weights_, fitted.weights_[order], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(renamed.means_, fitted.means_[order], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(matrices(renamed), matrices(fitted)[order], rtol=1e-8, atol=1e-9)


@few
@given(problem=problems(), covariance_type=types, shift=st.sampled_from([-1e6, 0.5, 1e3]))
def test_rows_may_be_shifted(problem, covariance_type, shift):
    rows, K = problem
    shifted = rows + shift
    rows = shifted - shift  # what rounding has left of them, so that both are the same rows
    fitted = started(rows, K, covariance_type).fit(rows)
    init = {"means_init": fitted.means_init + shift, "precisions_init": fitted.precisions_init}
    moved = started(rows, K, covariance_type, **init).fit(shifted)
    # the center, and with it each row about it, is rounded to 1e-16 of the shift: 1e-10
    np.testing.assert_allclose(moved.lower_bounds_, fitted.lower_bounds_, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(moved.means_ - shift, fitted.means_, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(matrices(moved), matrices(fitted), rtol=1e-6, atol=1e-6)


@few
@given(problem=problems(), covariance_type=types, exponent=st.sampled_from([-300, -7, 3, 300]))
def test_rows_may_be_scaled(problem, covariance_type, exponent):
    """By a power of two, which rounds nothing; `reg_covar` is in squared units of the data."""
    rows, K = problem
    scale = 2.0**exponent
    fitted = started(rows, K, covariance_type).fit(rows)
    scaled = started(
        rows, K, covariance_type,
        means_init=fitted.means_init * scale,
        precisions_init=fitted.precisions_init / scale**2,
        reg_covar=1e-6 * scale**2,
    ).fit(rows * scale)  # fmt: skip
    d = rows.shape[1]
    bounds = np.array(scaled.lower_bounds_) + d * np.log(scale)
    # bounds of size 800 are rounded to 1e-13, as are the constants of the densities
    np.testing.assert_allclose(bounds, fitted.lower_bounds_, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(scaled.means_ / scale, fitted.means_, rtol=1e-8, atol=1e-8)
    back = matrices(scaled) / scale / scale
    np.testing.assert_allclose(back, matrices(fitted), rtol=1e-8, atol=1e-8)


@few
@given(problem=problems(), seed=st.integers(0, 99))
def test_full_covariances_follow_any_linear_map(problem, seed):
    """Also tied ones; the others are bound to the axes."""
    rows, K = problem
    d = rows.shape[1]
    linear = np.eye(d) + 0.3 * np.random.default_rng(seed).normal(size=(d, d)) / d
    inverse = np.linalg.inv(linear)
    for covariance_type in ("full", "tied"):
        fitted = started(rows, K, covariance_type, reg_covar=0, max_iter=2)
        precisions = inverse @ fitted.precisions_init @ inverse.T
        mapped = started(
            rows, K, covariance_type, reg_covar=0, max_iter=2,
            means_init=fitted.means_init @ linear,
            precisions_init=0.5 * (precisions + precisions.swapaxes(-1, -2)),
        )  # fmt: skip
        try:
            fitted.fit(rows)
        except ValueError:  # a component has collapsed
            continue
        mapped.fit(rows @ linear)
        bounds = np.array(mapped.lower_bounds_) + np.linalg.slogdet(linear)[1]
        # condition numbers of the map are below 100, of collapsing covariances larger
        np.testing.assert_allclose(bounds, fitted.lower_bounds_, rtol=1e-9, atol=1e-9)


@few
@given(problem=problems(), covariance_type=types, times=st.integers(2, 4))
def test_a_row_twice_is_a_row_of_weight_two(problem, covariance_type, times):
    rows, K = problem
    some = np.random.default_rng(0).integers(1, times + 1, len(rows))
    repeated = started(rows, K, covariance_type).fit(np.repeat(rows, some, axis=0))
    weighted = started(rows, K, covariance_type).fit(rows, sample_weight=some)
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-11)
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-8, atol=1e-8)


@few
@given(problem=problems(), covariance_type=types, weighted=st.booleans())
def test_one_component_has_the_moments_of_the_sample(problem, covariance_type, weighted):
    rows, _ = problem
    n, d = rows.shape
    w = np.random.default_rng(0).uniform(0.1, 3, n) if weighted else np.ones(n)
    fitted = GaussianMixture(covariance_type=covariance_type, reg_covar=0.5)
    fitted.fit(rows, sample_weight=w if weighted else None)
    mean = w @ rows / w.sum()
    covariance = (rows - mean).T @ (w[:, None] * (rows - mean)) / w.sum() + 0.5 * np.eye(d)
    diagonal, round_ = np.diag(np.diag(covariance)), np.trace(covariance) / d * np.eye(d)
    expected = {
        "tied": covariance,
        "diag": np.diag(covariance)[None],
        "spherical": np.array([np.trace(covariance) / d]),
        "EII": round_[None],
        "VII": round_[None],
        **dict.fromkeys(("EEI", "VEI", "EVI", "VVI"), diagonal[None]),
    }.get(covariance_type, covariance[None])
    # sums of 70 terms
    np.testing.assert_allclose(fitted.means_, [mean], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(fitted.covariances_, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(fitted.weights_, [1.0])


@few
@given(problem=problems(min_rows=6), covariance_type=types)
def test_covariances_are_positive_definite(problem, covariance_type):
    """From the own start, also where components get few rows."""
    rows, K = problem
    fitted = GaussianMixture(K, covariance_type=covariance_type, random_state=0).fit(rows)
    for matrix in matrices(fitted):
        np.testing.assert_array_equal(matrix, matrix.T)
        least = 0 if covariance_type in MODEL_CODES else 0.99e-6  # reg_covar
        assert np.linalg.eigvalsh(matrix)[0] > least
    if covariance_type in ("diag", "spherical"):
        inverse = fitted.precisions_ * fitted.covariances_
    else:
        inverse = fitted.precisions_ @ fitted.covariances_ - np.eye(rows.shape[1]) + 1
    # a condition number of 1e7 costs seven of sixteen digits
    np.testing.assert_allclose(inverse, 1, atol=1e-7)
    assert abs(fitted.weights_.sum() - 1) < 1e-14 * K and fitted.weights_.min() >= 0


@few
@given(problem=problems(), covariance_type=types)
def test_the_order_of_rows_does_not_matter(problem, covariance_type):
    rows, K = problem
    order = np.random.default_rng(0).permutation(len(rows))
    fitted = started(rows, K, covariance_type).fit(rows)
    other = started(rows, K, covariance_type, **{
        name: getattr(fitted, name) for name in ("weights_init", "means_init", "precisions_init")
    }).fit(rows[order])  # fmt: skip
    # sums in another order
    np.testing.assert_allclose(other.lower_bounds_, fitted.lower_bounds_, rtol=1e-11)
    np.testing.assert_allclose(other.means_, fitted.means_, rtol=1e-8, atol=1e-8)
    resp = fitted.predict_proba(rows)
    np.testing.assert_array_equal(fitted.predict_proba(rows[order]), resp[order])
    np.testing.assert_array_equal(fitted.predict_proba(rows[:1]), resp[:1])
