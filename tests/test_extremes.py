"""Values at the ends of what a number can be: a result or one of our errors, and no warning."""

import numpy as np
import pytest
from data import EVERY, mixture

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks, load

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

X = mixture(120, 2, 2, seed=4)[0]


def with_one(value):
    rows = X.copy()
    rows[7] = value
    return rows


EXTREMES = {
    "1e160": X * 1e160,
    "1e300": X / np.abs(X).max() * 1e300,
    "largest": X / np.abs(X).max() * np.finfo(np.float64).max,
    "one of 1e155": with_one(1e155),
    "one of 1e300": with_one(-1e300),
    "1e-160": X * 1e-160,
    "1e-310": X * 1e-310,
    "one column of 1e-200": X * [1.0, 1e-200],
    "one column of 1e200": X * [1.0, 1e200],
    "offset": X * 1e-3 + 1e13,
    "equal": np.full((120, 2), 0.1),
    "float32 1e-20": (X * 1e-20).astype(np.float32),
    "float32 1e-40": (X * 1e-40).astype(np.float32),
    "float32 1e30": (X * 1e30).astype(np.float32),
    "float32 largest": (X / np.abs(X).max() * 3.4e38).astype(np.float32),
}
NAMES = [*EXTREMES]
PAIRS = [(name, EVERY[(3 * i + j) % len(EVERY)]) for i, name in enumerate(NAMES) for j in range(3)]
GIVEN = {
    covariance_type: GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    for covariance_type in ("full", "tied", "diag", "spherical", "VEE", "VVE")
}


def fails_well(call):
    """Whether a call ends with an error of ours; another error is let through."""
    try:
        call()
    except ValueError as error:
        assert "positive definite" in str(error) or "can be ranked" in str(error), error
        return True
    return False


def assert_numbers(fitted):
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert np.isfinite(getattr(fitted, name)).all(), name
    for name in ("covariances_", "precisions_"):
        values = getattr(fitted, name)
        is_matrix = values.ndim == 3 or fitted.covariance_type == "tied"
        diagonal = np.diagonal(values, axis1=-2, axis2=-1) if is_matrix else values
        assert (diagonal > 0).all(), name


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
@pytest.mark.parametrize(("name", "covariance_type"), PAIRS)
def test_fit__finds_numbers_or_says_what_to_do(name, covariance_type, reg_covar, tmp_path):
    rows = EXTREMES[name]
    fitted = GaussianMixture(
        2, covariance_type=covariance_type, reg_covar=reg_covar, random_state=0
    )
    if fails_well(lambda: fitted.fit(rows)):
        assert not hasattr(fitted, "weights_")
        return
    assert_numbers(fitted)
    use(fitted, rows)
    fitted.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(load(tmp_path / "model.npz").means_, fitted.means_)


def use(fitted, rows):
    """Every public method: nothing is not a number."""
    fitted.predict(rows)
    assert np.isfinite(fitted.predict_proba(rows)).all()
    assert not np.isnan(fitted.score_samples(rows)).any()
    for criterion in (fitted.score, fitted.bic, fitted.aic, fitted.icl):
        assert not np.isnan(criterion(rows))
        assert not np.isnan(criterion(chunks(rows, chunk_rows=50)))
    fitted.sample(3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("covariance_type", GIVEN)
def test_a_mixture__of_ordinary_rows_meets_extreme_ones(name, covariance_type):
    use(GIVEN[covariance_type].fit(X), EXTREMES[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "VEV", "EVE"])
def test_partial_fit__after_ordinary_rows(name, covariance_type):
    fitted = GaussianMixture(2, covariance_type=covariance_type, random_state=0).partial_fit(X)
    if not fails_well(lambda: fitted.partial_fit(EXTREMES[name])):
        assert_numbers(fitted)


@pytest.mark.filterwarnings("ignore:No model with free correlations")
@pytest.mark.parametrize("name", NAMES)
def test_search__ranks_numbers_or_says_what_to_do(name):
    search = GaussianMixtureIC([1, 2], random_state=0)
    if not fails_well(lambda: search.fit(EXTREMES[name])):
        assert_numbers(search.best_estimator_)
        use(search, EXTREMES[name])


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("name", NAMES)
def test_starts__of_every_kind(name, init_params):
    fitted = GaussianMixture(2, init_params=init_params, random_state=0)
    if not fails_well(lambda: fitted.fit(EXTREMES[name])):
        assert_numbers(fitted)


@pytest.mark.parametrize("unit", [1e-250, 1e-100, 1e247])
@pytest.mark.parametrize("covariance_type", ["full", "VVE"])
def test_weights__in_extreme_units(covariance_type, unit):
    counts = np.random.default_rng(0).integers(0, 4, len(X)).astype(float)
    fitted, expected = (
        GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X, None, own)
        for own in (counts * unit, counts)
    )
    np.testing.assert_allclose(fitted.means_, expected.means_, rtol=1e-6)
    np.testing.assert_allclose(
        fitted.score(X, None, counts * unit), expected.score(X, None, counts)
    )
    fitted.bic(X, counts * unit)
    fitted.icl(X, counts * unit)
