"""Data that collapse components: never NaN, never a crash, and the model knows."""

import functools
import warnings

import numpy as np
import pytest
from data import TYPES, mixture, random_start
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from gmmfast import CollapsedComponentWarning, GaussianMixture
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.models import MODELS

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*did not converge"),
    pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning"),
]

INITS = ("kmeans", "k-means++", "random", "random_from_data", "hierarchical")
X = mixture(90, 3, 2, seed=4)[0]


def precisions(covariance_type, K, d, value=1.0):
    """Multiples of the identity, in the structure of a type."""
    full = value * np.stack([np.eye(d)] * K)
    return {"full": full, "tied": full[0], "diag": np.full((K, d), value)}.get(
        covariance_type, np.full(K, value)
    )


def start_at(means, covariance_type, value=1.0, **params):
    K, d = np.shape(means)
    return GaussianMixture(
        K, covariance_type=covariance_type, means_init=means, weights_init=np.full(K, 1 / K),
        precisions_init=precisions(covariance_type, K, d, value), **params,
    )  # fmt: skip


def matrices(fitted):
    K, d = fitted.means_.shape
    c = fitted.covariances_
    return {
        "full": lambda: c,
        "tied": lambda: np.stack([c] * K),
        "diag": lambda: c[:, :, None] * np.eye(d),
        "spherical": lambda: c[:, None, None] * np.eye(d),
    }[fitted.covariance_type]()


def assert_sound(fitted, rows, reg_covar=1e-6):
    """Finite, normalized, positive definite, and of use."""
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert np.isfinite(getattr(fitted, name)).all(), name
    assert np.isfinite(fitted.lower_bounds_).all()
    assert fitted.weights_.min() >= 0 and abs(fitted.weights_.sum() - 1) < 1e-12
    for matrix in matrices(fitted).astype(float):
        scale = np.sqrt(np.diag(matrix))
        assert (scale >= np.sqrt(reg_covar) * 0.999).all()
        assert np.linalg.eigvalsh(matrix / np.outer(scale, scale))[0] > 0
    resp = fitted.predict_proba(rows)
    np.testing.assert_allclose(resp.sum(axis=1), 1, atol=1e-12)
    assert np.isfinite(fitted.score_samples(rows)).all()
    assert np.isfinite(fitted.sample(5)[0]).all()


# ------------------------------------------------------------------------ emptied components


@pytest.mark.plain
@pytest.mark.parametrize("reg_covar", [1e-6, 0.25])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_an_emptied_component(covariance_type, reg_covar):
    """It keeps its mean and gets weight zero and the covariance ``reg_covar * I``."""
    means = [X[0], [300.0, 0.0, 0.0]]
    fitted = start_at(means, covariance_type, reg_covar=reg_covar, max_iter=3, tol=0).fit(X)
    assert_sound(fitted, X, reg_covar)
    np.testing.assert_array_equal(fitted.weights_, [1.0, 0.0])
    np.testing.assert_allclose(fitted.means_[1], means[1], rtol=1e-14)  # to the center and back
    alone = GaussianMixture(covariance_type=covariance_type, reg_covar=reg_covar).fit(X)
    np.testing.assert_allclose(fitted.means_[0], alone.means_[0], atol=1e-13)
    if covariance_type == "tied":
        np.testing.assert_allclose(fitted.covariances_, alone.covariances_, rtol=1e-12)
    else:
        np.testing.assert_allclose(fitted.covariances_[:1], alone.covariances_, rtol=1e-12)
        np.testing.assert_array_equal(matrices(fitted)[1], reg_covar * np.eye(3))
    np.testing.assert_array_equal(fitted.degenerate_, [False, True])
    np.testing.assert_array_equal(fitted.predict([[300.0, 0.0, 0.0]]), [0])
    assert fitted.predict_proba(X)[:, 1].max() == 0


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_component_that_starts_empty(covariance_type):
    fitted = start_at(X[:3], covariance_type).set_params(weights_init=[0.5, 0.0, 0.5]).fit(X)
    assert_sound(fitted, X)
    assert fitted.weights_[1] == 0 and fitted.degenerate_[1]
    np.testing.assert_allclose(fitted.means_[1], X[1], rtol=1e-14, atol=1e-14)
    two = start_at(X[[0, 2]], covariance_type).fit(X)
    np.testing.assert_allclose(fitted.lower_bounds_, two.lower_bounds_, rtol=1e-13)


@pytest.mark.parametrize("factor", [1e-12, 1.0, 1e12])
def test_empty_is_relative_to_the_weight_of_a_row(factor):
    """One row of a million is no empty component, whatever rows weigh."""
    rows = np.concatenate([X, [[50.0, 50.0, 50.0], [50.1, 50.0, 50.0]]])
    w = factor * np.r_[np.full(90, 1e3), 1e-3, 1e-3]
    fitted = start_at([X[0], rows[-1]], "spherical").fit(rows, sample_weight=w)
    np.testing.assert_allclose(fitted.weights_[1], 2e-3 / (9e4 + 2e-3), rtol=1e-9)
    assert not fitted.degenerate_[0]


@pytest.mark.plain
def test_an_emptied_component_has_no_covariance_without_reg_covar():
    with pytest.raises(IllDefinedCovarianceError, match="component 1 .* in iteration 1"):
        start_at([X[0], X[0] + 300], "full", reg_covar=0).fit(X)


def test_an_emptied_component_shares_the_covariance_that_is_tied():
    fitted = start_at([X[0], X[0] + 300], "tied", reg_covar=0).fit(X)
    np.testing.assert_allclose(fitted.covariances_, np.cov(X.T, bias=True), rtol=1e-12)
    np.testing.assert_array_equal(fitted.weights_, [1.0, 0.0])


# ----------------------------------------------------------------- covariances that collapse

COLLAPSED = np.concatenate([X, np.full((20, 3), 40.0)])  # 20 equal rows


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_collapsed_component_raises_without_reg_covar(covariance_type):
    """With the component, the iteration and what to do."""
    mixture = start_at([X[0], COLLAPSED[-1]], covariance_type, reg_covar=0)
    with pytest.raises(ValueError) as caught:
        mixture.fit(COLLAPSED)
    assert str(caught.value).endswith(
        "The covariance of component 1 is not positive definite in iteration 1: raise reg_covar "
        "(now 0), lower n_components, or standardize the columns."
    )
    assert (caught.value.component, caught.value.iteration) == (1, 1)
    assert not hasattr(mixture, "weights_")


def test_the_iteration_that_fails_is_the_one_named():
    """The second component needs some passes before it has lost all other rows."""
    mixture = start_at([X[0], COLLAPSED[-1] - 15], "full", value=0.01, reg_covar=0)
    seen = []
    with pytest.raises(IllDefinedCovarianceError) as caught:
        mixture.fit(COLLAPSED, callback=lambda iteration, bound: seen.append(iteration))
    assert caught.value.iteration == len(seen) + 1
    assert f"in iteration {len(seen) + 1}:" in str(caught.value)


@pytest.mark.plain
def test_a_start_that_has_collapsed():
    rows = np.repeat([[0.0, 0.0], [1.0, 1.0]], 30, axis=0)
    with pytest.raises(
        ValueError, match="at the start. Leave out .* or raise reg_covar: column 1 follows"
    ):
        GaussianMixture(2, reg_covar=0, random_state=0).fit(rows)


@pytest.mark.plain
def test_a_tied_covariance_that_is_singular():
    rows = np.c_[X, X[:, 0]]
    follows = "or raise reg_covar: column 3 follows from column 0"
    with pytest.raises(ValueError, match=f"Fitting the mixture model failed .* {follows}"):
        GaussianMixture(2, covariance_type="tied", reg_covar=0, random_state=0).fit(rows)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_collapsed_component_with_reg_covar(covariance_type):
    fitted = start_at([X[0], COLLAPSED[-1]], covariance_type).fit(COLLAPSED)
    assert_sound(fitted, COLLAPSED)
    np.testing.assert_allclose(fitted.weights_, [90 / 110, 20 / 110], rtol=1e-12)
    np.testing.assert_allclose(fitted.means_[1], COLLAPSED[-1], rtol=1e-13)
    collapsed = covariance_type != "tied"
    np.testing.assert_array_equal(fitted.degenerate_, [False, collapsed])
    if collapsed:
        # the rows are equal, their mean is rounded: (eps * 40)^2 is nothing beside 1e-6
        np.testing.assert_allclose(matrices(fitted)[1], 1e-6 * np.eye(3), atol=1e-12)


# --------------------------------------------------------------------------- never not a number


def one_far_row(rows, distance=1e8):
    rows = rows.copy()
    rows[0] = distance
    return rows


HARD = {
    "all rows equal": np.full((30, 3), 7.0),
    "all rows zero": np.zeros((30, 2)),
    "two distinct rows": np.repeat([[0.0, 1.0], [2.0, 3.0]], 15, axis=0),
    "fewer distinct rows than components": np.repeat(X[:3], 10, axis=0),
    "as many rows as components": X[:5],
    "duplicates": np.repeat(X[:10], 6, axis=0),
    "a constant column": np.c_[X, np.full(90, 3.0)],
    "only constant columns but one": np.c_[X[:, :1], np.full((90, 2), -1e6)],
    "a column twice": np.c_[X, X[:, 1]],
    "more columns than rows": np.random.default_rng(0).normal(size=(12, 20)),
    "one far row": one_far_row(X),
    "whole numbers": np.random.default_rng(0).integers(0, 2, (60, 3)).astype(float),
    "far from the origin": X + 1e8,
    "two clusters far apart": np.concatenate([X, X + 1e8]),
    "very small": X * 1e-8,
    "very large": X * 1e8,
    "columns of different scales": X * [1e-8, 1.0, 1e8],
}


@pytest.mark.parametrize("init_params", ["kmeans", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("case", HARD)
def test_never_not_a_number(case, covariance_type, init_params):
    rows = HARD[case]
    fitted = GaussianMixture(
        5, covariance_type=covariance_type, init_params=init_params, random_state=0
    )
    try:
        fitted.fit(rows)
    except IllDefinedCovarianceError:
        # only where adding reg_covar rounds to nothing may a covariance be singular
        assert rows.var(axis=0).max() * np.finfo(float).eps > fitted.reg_covar
    else:
        assert_sound(fitted, rows)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("case", ["all rows equal", "as many rows as components", "one far row"])
def test_never_not_a_number_in_float32(case, covariance_type):
    rows = HARD[case].astype(np.float32)
    fitted = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(rows)
    for name in ("weights_", "means_", "covariances_", "precisions_", "lower_bounds_"):
        assert np.isfinite(getattr(fitted, name)).all(), name
    assert np.isfinite(fitted.predict_proba(rows)).all()


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("case", HARD)
def test_without_reg_covar_a_fit_or_an_error(case, covariance_type):
    """Nothing between: no warning, no NaN."""
    rows = HARD[case]
    mixture = GaussianMixture(3, covariance_type=covariance_type, reg_covar=0, random_state=0)
    with warnings.catch_warnings(action="error"):
        warnings.filterwarnings("ignore", message=".*did not converge")
        try:
            mixture.fit(rows)
        except ValueError as error:
            assert "Fitting the mixture model failed" in str(error)
        else:
            assert_sound(mixture, rows, reg_covar=0)


@pytest.mark.parametrize("init_params", INITS)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e160, 1e300])
def test_scales_whose_squares_do_not_exist(scale, dtype, init_params):
    """Outside of what is promised: a fit, or an error that says what to do."""
    largest = np.abs(X).max() * (1 if dtype == "f8" else 1e270)
    with np.errstate(under="ignore"):
        rows = (X * min(scale, 1e308 / largest)).astype(dtype)
    mixture = GaussianMixture(3, init_params=init_params, random_state=0)
    try:
        mixture.fit(rows)
    except ValueError as error:
        assert "scale the " in str(error)
    else:
        for name in ("weights_", "means_", "covariances_", "precisions_"):
            assert np.isfinite(getattr(mixture, name)).all()


def test_weights_too_large_for_their_sum():
    with pytest.raises(ValueError, match="(?i)weight"):
        GaussianMixture(2).fit(X, sample_weight=np.full(90, 1e308))


@pytest.mark.parametrize("K", [1, 45, 90])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_up_to_a_component_a_row(covariance_type, K):
    fitted = GaussianMixture(K, covariance_type=covariance_type, random_state=0).fit(X)
    assert_sound(fitted, X)


@pytest.mark.plain
def test_every_row_its_own_component():
    fitted = start_at(X[:5] * 100, "full").fit(X[:5] * 100)
    np.testing.assert_allclose(fitted.means_, X[:5] * 100, rtol=1e-12)
    np.testing.assert_allclose(fitted.weights_, 0.2, rtol=1e-12)
    # (eps * 400)^2 of rounding in the means is nothing beside 1e-6
    np.testing.assert_allclose(fitted.covariances_, [1e-6 * np.eye(3)] * 5, atol=1e-12)
    assert fitted.degenerate_.all()


# ------------------------------------------------------------------------------------- scales

ROWS = mixture(300, 2, 3, separation=5.0, seed=0)[0]


@functools.cache
def fit_scaled(scale, covariance_type, init_params="kmeans", dtype=np.float64):
    """A fit of rows times `scale`, in the units of the rows."""
    fitted = GaussianMixture(
        3, covariance_type=covariance_type, init_params=init_params, reg_covar=0, random_state=0,
        tol=0, max_iter=20,
    ).fit((ROWS * scale).astype(dtype))  # fmt: skip
    order = np.argsort(fitted.means_[:, 0])  # of equal starts, rounding may choose either
    labels = np.argsort(order)[fitted.predict((ROWS * scale).astype(dtype))]
    bounds = np.array(fitted.lower_bounds_) + 2 * np.log(scale)
    means = fitted.means_.astype(float) / scale
    matrix = matrices(fitted)[order].astype(float) / scale / scale
    return labels, means[order], matrix, bounds


POWERS = [2.0**e for e in (-332, -40, -20, 40, 332)]  # 332: 1e100


@pytest.mark.parametrize("init_params", INITS)
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("scale", POWERS)
def test_scales_from_the_own_start(scale, covariance_type, init_params):
    """A power of two rounds nothing: means times it, covariances times its square, labels equal.

    What differs are the log determinants, by an ulp of some hundred: 1e-13 a pass.
    """
    plain = fit_scaled(1.0, covariance_type, init_params)
    scaled = fit_scaled(scale, covariance_type, init_params)
    np.testing.assert_array_equal(scaled[0], plain[0])
    for a, b in zip(scaled[1:], plain[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("init_params", INITS)
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("scale", [2.0**e for e in (-40, -20, -10, 40)])
def test_scales_in_float32(scale, covariance_type, init_params):
    plain = fit_scaled(1.0, covariance_type, init_params, np.float32)
    scaled = fit_scaled(scale, covariance_type, init_params, np.float32)
    assert (scaled[0] == plain[0]).mean() > 0.99  # a row on the border may go either way
    for a, b in zip(scaled[1:], plain[1:], strict=True):
        # log determinants of float32 are rounded to 1e-5 of a nat at 1e12, over 20 passes
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scale", [1e-100, 1e-8, 3.0, 1e100])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_any_scale(covariance_type, scale):
    """Rows are rounded anew: some ulps, and what twenty passes make of them."""
    plain, scaled = fit_scaled(1.0, covariance_type), fit_scaled(scale, covariance_type)
    np.testing.assert_array_equal(scaled[0], plain[0])
    for a, b in zip(scaled[1:], plain[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
@pytest.mark.parametrize("ratio", [2.0**20, 2.0**40, 2.0**100])
def test_columns_in_different_units(covariance_type, ratio):
    """From a given start EM does not see the units of a column, and neither do the flags."""
    units = np.array([1 / ratio, 1.0, ratio])
    rows = X @ np.array([[1.0, 0.5, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    init = random_start(rows, 2, covariance_type)[3]
    params = {"covariance_type": covariance_type, "reg_covar": 0, "tol": 0, "max_iter": 10}
    plain = GaussianMixture(2, **params, **init).fit(rows)
    init["means_init"] = init["means_init"] * units
    init["precisions_init"] = init["precisions_init"] / (
        units**2 if covariance_type == "diag" else np.outer(units, units)
    )
    scaled = GaussianMixture(2, **params, **init).fit(rows * units)
    np.testing.assert_allclose(scaled.lower_bounds_, plain.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(scaled.means_ / units, plain.means_, rtol=1e-9, atol=1e-9)
    back = matrices(scaled) / np.outer(units, units)
    np.testing.assert_allclose(back, matrices(plain), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(scaled.predict(rows * units), plain.predict(rows))
    assert not plain.degenerate_.any() and not scaled.degenerate_.any()


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_one_far_row_costs_the_others_no_digits(covariance_type):
    """It moves the center by 1e6: rows are then known to 1e-10 of a standard deviation."""
    rows = np.concatenate([ROWS, [[1e8, 1e8]]])
    means = [ROWS[0], ROWS[1], rows[-1]]
    fitted = start_at(means, covariance_type, max_iter=10, tol=0).fit(rows)
    alone = start_at(means[:2], covariance_type, max_iter=10, tol=0).fit(ROWS)
    np.testing.assert_allclose(fitted.means_[:2], alone.means_, atol=1e-8)
    np.testing.assert_allclose(fitted.weights_[:2] * 301 / 300, alone.weights_, rtol=1e-8)
    np.testing.assert_allclose(matrices(fitted)[:2], matrices(alone), rtol=1e-8, atol=1e-8)
    assert fitted.predict(rows)[-1] == 2


@pytest.mark.parametrize("distance", [1e4, 1e6, 1e8, 1e12])
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++"])
def test_own_starts_find_clusters_beside_a_far_row(init_params, distance):
    """The far row is a component; the other three still start from clusters, not from ties."""
    rows = np.concatenate([ROWS, [[distance, distance]]])
    params = {"init_params": init_params, "n_init": 3, "random_state": 0}
    alone = GaussianMixture(3, **params).fit(ROWS)
    fitted = GaussianMixture(4, **params).fit(rows)
    labels = fitted.predict(rows)
    assert (labels == labels[-1]).sum() == 1
    assert fitted.score(ROWS) > alone.score(ROWS) - np.log(301 / 300) - 0.02


# -------------------------------------------------------------------------------------- flags


@pytest.mark.plain
def test_flags_of_iris():
    """Petal widths are rounded to 0.1: 21 flowers of 0.2 are a plane, not a cluster."""
    iris = load_iris().data
    flat = iris[:, 3] == 0.2
    assert 21 <= flat.sum() < 50
    plane = np.flatnonzero(flat)[:21]
    others = np.setdiff1d(np.arange(150), plane)
    versicolor = others[others < 100]
    virginica = others[others >= 100]
    parts = [iris[plane], iris[versicolor], iris[virginica]]
    covariances = np.stack([np.cov(part.T) for part in parts]) + 1e-6 * np.eye(4)
    fitted = GaussianMixture(
        3, means_init=[part.mean(axis=0) for part in parts], weights_init=[0.14, 0.52, 0.34],
        precisions_init=np.linalg.inv(covariances),
    ).fit(iris)  # fmt: skip
    np.testing.assert_array_equal(fitted.degenerate_, [True, False, False])
    assert np.linalg.eigvalsh(fitted.covariances_[0])[0] < 1.001e-6


HEALTHY = {
    "iris": (load_iris().data, 3),
    "wine": (load_wine().data, 3),
    "cancer": (load_breast_cancer().data[:, :8], 2),
    "overlap": (mixture(500, 4, 4, separation=0.5, seed=1)[0], 4),
    "small": (1e-2 * mixture(500, 4, 3, seed=1)[0], 3),
    "far": (1e6 + mixture(500, 4, 3, seed=1)[0], 3),
    "different units": (mixture(500, 3, 3, seed=1)[0] * [1e8, 1.0, 1e3], 3),
}


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("name", HEALTHY)
def test_no_flags_on_healthy_fits(name, covariance_type):
    rows, K = HEALTHY[name]
    fitted = GaussianMixture(K, covariance_type=covariance_type, random_state=0).fit(rows)
    assert fitted.degenerate_.shape == (K,) and fitted.degenerate_.dtype == bool
    assert not fitted.degenerate_.any()


def test_flags_what_is_a_millionth_as_wide_as_the_data():
    """Few rows, below 1e-6 of the smallest variance of the data, well above `reg_covar`."""
    rng = np.random.default_rng(0)
    for count, factor, flagged in ((25, 1.0, True), (25, 30.0, False), (50, 1.0, False)):
        narrow, wide = rng.normal(size=(count, 2)), 1e4 * rng.normal(size=(200, 2))
        rows = np.concatenate([narrow * factor, wide])
        smallest = np.linalg.eigvalsh(np.cov(rows.T))[0]
        fitted = GaussianMixture(
            2, means_init=[[0.0, 0.0], [0.0, 0.0]], weights_init=[0.2, 0.8],
            precisions_init=[np.eye(2) / factor**2, np.eye(2) * 1e-8],
        ).fit(rows)  # fmt: skip
        own = np.linalg.eigvalsh(fitted.covariances_[0])[0]
        assert own > 0.1 and (own < 1e-6 * smallest and count == 25) == flagged
        np.testing.assert_array_equal(fitted.degenerate_, [flagged, False])


@pytest.mark.parametrize("width, flagged", [(1e-5, False), (1e-11, True)])
def test_flags__compare_with_the_smallest_variance_in_any_direction(width, flagged):
    """Not with that of a feature, which is larger where features are correlated."""
    total = np.array([[1.0, 1 - 1e-8], [1 - 1e-8, 1.0]])  # smallest variance 1e-8
    model = MODELS["full"](0.0)
    covariances = width**2 * np.array([np.eye(2), np.eye(2) / width**2])
    parameters = model.parameters(np.array([0.1, 0.9]), np.zeros((2, 2)), covariances)
    np.testing.assert_array_equal(model.collapsed(parameters, 100, total), [flagged, False])


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_flags_what_is_as_narrow_as_reg_covar(covariance_type):
    rows = np.repeat(X[:4], 10, axis=0)
    fitted = GaussianMixture(4, covariance_type=covariance_type, random_state=0).fit(rows)
    assert fitted.degenerate_.all()


def test_flags_follow_the_weights():
    """Rows of weight zero, however far, are no part of the data's covariance."""
    rows = np.concatenate([X, 1e9 * X[:10]])
    w = np.r_[np.ones(90), np.zeros(10)]
    fitted = GaussianMixture(2, random_state=0).fit(rows, sample_weight=w)
    assert not fitted.degenerate_.any()


# ------------------------------------------------------------------------- starts that collapse


def collapses(seed, tmp_path):
    """Fit five components to iris from one start, which may move them toward a collapse."""
    path = tmp_path / f"{seed}.npz"  # with a checkpoint there is no second start
    return GaussianMixture(5, random_state=seed).fit(load_iris().data, checkpoint=path)


@pytest.mark.filterwarnings("error::gmmfast.CollapsedComponentWarning")
@pytest.mark.parametrize(("columns", "K"), [([0, 1, 2, 3], 5), ([2, 3], 4)])
@pytest.mark.parametrize("n_init", [1, 3])
def test_fit__does_not_end_in_a_collapse_of_rounded_rows(columns, K, n_init):
    """scikit-learn's default fits do not collapse here."""
    rows = load_iris().data[:, columns]
    for seed in range(4):
        fitted = GaussianMixture(K, n_init=n_init, random_state=seed).fit(rows)
        assert not fitted.degenerate_.any()


def test_fit__cautious_starts_follow_a_collapse(tmp_path):
    rows, once, helped = load_iris().data, [], 0
    for seed in range(4):
        once.append(collapses(seed, tmp_path))
        again = GaussianMixture(5, random_state=seed).fit(rows)
        if once[-1].degenerate_.any():
            helped += not again.degenerate_.any()
        else:
            assert again.lower_bounds_ == once[-1].lower_bounds_
    assert helped == sum(fitted.degenerate_.any() for fitted in once) > 0


def test_fit__labels_that_collapse_stay_the_only_start():
    """A start that the user gives is not replaced."""
    labels, begun = np.array([0] * 87 + [1] * 3), []
    rows = np.vstack([X[:87], np.ones((3, 3))])
    mixture = GaussianMixture(2, init_params=labels, tol=0.0, max_iter=5)
    with pytest.warns(CollapsedComponentWarning):
        mixture.fit(rows, callback=lambda iteration, _: begun.append(iteration))
    assert begun == [1, 2, 3, 4, 5] and mixture.degenerate_.tolist() == [False, True]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "covariance_type", ["full", "diag", "spherical", "VII", "VEI", "VVI", "VEE", "VVV"]
)
def test_n_init__prefers_a_start_without_a_collapsed_component(covariance_type, dtype):
    """The collapsed one is likelier. In the other models components do not collapse singly."""
    starts = iter([np.array([0] * 87 + [1] * 3), np.arange(90) % 2, np.array([0] * 87 + [1] * 3)])
    rows = np.vstack([X[:87], np.ones((3, 3))]).astype(dtype)
    params = {"covariance_type": covariance_type, "tol": 0.0, "max_iter": 3}
    mixture = GaussianMixture(2, n_init=3, init_params=lambda *_: next(starts), **params).fit(rows)
    collapsed = GaussianMixture(2, init_params=np.array([0] * 87 + [1] * 3), **params).fit(rows)
    assert collapsed.degenerate_.any() and not mixture.degenerate_.any()
    assert collapsed.lower_bound_ > mixture.lower_bound_


def test_warning__names_the_components_and_the_remedy():
    rows = np.vstack([X[:87], np.ones((3, 3))])
    text = r"^Component 1 has collapsed.* is meaningless\. Lower n_components.*\(now 1e-06\)"
    with pytest.warns(CollapsedComponentWarning, match=text) as caught:
        GaussianMixture(2, init_params=np.array([0] * 87 + [1] * 3)).fit(rows)
    assert caught[0].filename == __file__
    rows[:3] = 2
    with pytest.warns(CollapsedComponentWarning, match=r"^Components 0, 2 have collapsed"):
        GaussianMixture(3, init_params=np.array([0] * 3 + [1] * 84 + [2] * 3)).fit(rows)


@pytest.mark.filterwarnings("error::gmmfast.CollapsedComponentWarning")
def test_warning__is_not_for_columns_that_are_constant():
    """All components have collapsed then, from any start."""
    fitted = GaussianMixture(2, random_state=0).fit(np.column_stack([X, np.ones(90)]))
    assert fitted.degenerate_.all()


def test_warning__is_for_clusters_of_equal_rows():
    """All components have collapsed, but not the columns."""
    with pytest.warns(CollapsedComponentWarning, match=r"^Components 0, 1 have"):
        GaussianMixture(2, random_state=0).fit(np.repeat([[0.0], [1.0]], 50, axis=0))
