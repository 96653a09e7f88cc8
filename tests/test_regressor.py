"""Regression by a mixture of features and targets, as scikit-learn's users know regressors."""

import pickle
import warnings

import numpy as np
import pytest
from pandas import DataFrame, Series
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmmfast import GaussianMixture, GaussianMixtureIC, GaussianMixtureRegressor, chunks

with warnings.catch_warnings():
    # gmmfast works without scikit-learn, and so has its own base class
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst")
    all_checks = parametrize_with_checks(
        [GaussianMixtureRegressor(GaussianMixture(max_iter=5)), GaussianMixtureRegressor()]
    )


@all_checks
@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
def test_estimator_checks(estimator, check):
    check(estimator)


def curve(n=300, seed=0):
    """Rows of a bent curve of two features, whose spread grows; and a second target."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3, 3, size=(n, 2))
    y = np.abs(X[:, 0]) + 0.5 * X[:, 1] + (0.1 + 0.1 * (X[:, 0] > 0)) * rng.normal(size=n)
    return X, y, np.column_stack([y, -X[:, 1]]) + 0.1 * rng.normal(size=(n, 1))


X, Y, BOTH = curve()
TEMPLATE = GaussianMixture(3, random_state=0)


def test_predict__is_the_conditional_mean_of_the_mixture():
    model = GaussianMixtureRegressor(TEMPLATE).fit(X, Y)
    means, deviations = model.predict(X, return_std=True)
    expected = model.mixture_.predict_features(X, target=2, return_std=True)
    np.testing.assert_array_equal(means, expected[0][:, 0])
    np.testing.assert_array_equal(deviations, expected[1][:, 0])
    np.testing.assert_array_equal(model.predict(X), means)
    same = GaussianMixture(3, random_state=0).fit(np.column_stack([X, Y]))
    np.testing.assert_array_equal(model.mixture_.means_, same.means_)
    assert not hasattr(TEMPLATE, "means_")


def test_predict__of_one_component_is_least_squares():
    design = np.column_stack([np.ones(len(X)), X])
    model = GaussianMixtureRegressor(GaussianMixture(1, reg_covar=0.0)).fit(X, Y)
    coefficients, residuals = np.linalg.lstsq(design, Y)[:2]
    means, deviations = model.predict(X, return_std=True)
    np.testing.assert_allclose(means, design @ coefficients, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(deviations, np.sqrt(residuals[0] / len(X)), rtol=1e-9)


def test_predict__has_the_shape_of_the_targets():
    for y, shape in ((Y, (9,)), (Y[:, None], (9, 1)), (BOTH, (9, 2))):
        model = GaussianMixtureRegressor(TEMPLATE).fit(X, y)
        means, deviations = model.predict(X[:9], return_std=True)
        assert means.shape == deviations.shape == shape


@pytest.mark.parametrize("y", [Y, BOTH], ids=["one target", "two targets"])
@pytest.mark.parametrize("weights", [None, 1.0 + np.arange(len(X)) % 3], ids=["", "weighted"])
def test_score__is_that_of_scikit_learn(y, weights):
    model = GaussianMixtureRegressor(TEMPLATE).fit(X, y, weights)
    expected = r2_score(y, model.predict(X), sample_weight=weights)
    assert model.score(X, y, weights) == pytest.approx(expected, rel=1e-12)
    assert expected > 0.9


def test_score__of_targets_that_do_not_vary_and_of_one_row():
    model = GaussianMixtureRegressor(TEMPLATE).fit(X, Y)
    constant = np.full(9, 2.0)
    assert model.score(X[:9], constant) == r2_score(constant, model.predict(X[:9])) == 0
    with pytest.warns(UserWarning, match="less than two samples"):
        assert np.isnan(model.score(X[:1], Y[:1]))


def test_weights__are_repetitions():
    counts = 1 + np.arange(len(X)) % 2
    weighted = GaussianMixtureRegressor(GaussianMixture(1)).fit(X, Y, sample_weight=counts)
    repeated = GaussianMixtureRegressor(GaussianMixture(1)).fit(
        np.repeat(X, counts, axis=0), np.repeat(Y, counts)
    )
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-10)


def test_default__chooses_components_whatever_the_units():
    model = GaussianMixtureRegressor().fit(X, Y)
    assert len(model.mixture_.weights_) > 1 and model.score(*curve(seed=1)[:2]) > 0.9
    scale, shift = np.array([1e-6, 1e6]), np.array([1e-3, -1e7])
    other = GaussianMixtureRegressor().fit(X * scale + shift, 1e4 * Y)
    score = other.score(X * scale + shift, 1e4 * Y)  # other starts, but as good
    assert score == pytest.approx(model.score(X, Y), abs=0.01)
    means, deviations = model.predict(np.array([[-2.0, 0.0], [2.0, 0.0]]), return_std=True)
    np.testing.assert_allclose(means, 2.0, atol=0.15)
    assert deviations[1] > 1.4 * deviations[0]


def test_default__fits_targets_without_noise():
    model = GaussianMixtureRegressor().fit(X, 2 * X[:, 0] - X[:, 1])
    assert model.score(X, 2 * X[:, 0] - X[:, 1]) > 0.999


def test_search__as_template():
    search = GaussianMixtureIC([1, 3], covariance_types=["full"], random_state=0)
    model = GaussianMixtureRegressor(search).fit(X, Y)
    assert isinstance(model.mixture_, GaussianMixture) and len(model.mixture_.weights_) == 3
    assert not hasattr(search, "best_estimator_")


def test_names__of_features_and_targets():
    frame = DataFrame(X, columns=["a", "b"])
    model = GaussianMixtureRegressor(TEMPLATE).fit(frame, Series(Y, name="height"))
    assert list(model.feature_names_in_) == ["a", "b"] and model.n_features_in_ == 2
    assert list(model.mixture_.feature_names_in_) == ["a", "b", "height"]
    assert "height" in model._repr_html_()
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(frame[["b", "a"]])
    model.fit(frame, BOTH)
    assert list(model.mixture_.feature_names_in_) == ["a", "b", "y0", "y1"]
    model.fit(frame, Series(Y, name="a"))  # no name is left for the joint mixture
    assert not hasattr(model.mixture_, "feature_names_in_")


def test_conventions__of_scikit_learn():
    model = GaussianMixtureRegressor(TEMPLATE)
    assert is_regressor(model) and not hasattr(model, "fit_predict")
    assert clone(model).mixture is not model.mixture
    assert "GaussianMixtureRegressor(mixture=GaussianMixture(n_components=3" in repr(model)
    pipeline = make_pipeline(StandardScaler(), model)
    grid = {"gaussianmixtureregressor__mixture__n_components": [1, 3]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert search.best_params_ == {"gaussianmixtureregressor__mixture__n_components": 3}
    fitted = model.fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    ("mixture", "error", "sentence"),
    [
        (3, TypeError, "mixture must be a GaussianMixture, .* or None; got int"),
        (GaussianMixture(noise=True), ValueError, "needs a mixture without noise, .* got noise=Tr"),
        (GaussianMixture(noise=[True]), ValueError, r"got noise=\[True\]"),
        (GaussianMixture(tol=-1), ValueError, "^The 'tol' parameter of GaussianMixture must be"),
        (
            GaussianMixture(1, means_init=[[0.0]]),
            ValueError,
            r"columns of X and y together, \d \+ 1, cannot be fitted: The parameter 'means' should",
        ),
        (GaussianMixture(999), ValueError, "cannot be fitted: .* got n_components = 999"),
    ],
)
def test_errors__of_the_template(mixture, error, sentence):
    with pytest.raises(error, match=sentence):
        GaussianMixtureRegressor(mixture).fit(X, Y)


@pytest.mark.parametrize(
    ("rows", "y", "error", "sentence"),
    [
        (X, None, ValueError, "requires y to be passed, but the target y is None"),
        (X, Y[:-1], ValueError, r"inconsistent numbers of samples: \[300, 299\]"),
        (
            X,
            np.ones((300, 2, 2)),
            ValueError,
            r"y should be a 1d array, .* got shape \(300, 2, 2\)",
        ),
        (X, np.ones((300, 0)), ValueError, r"got shape \(300, 0\)"),
        (X, np.full(300, np.inf), ValueError, "Input y contains infinity"),
        (X, np.full(300, np.nan), ValueError, "Input y contains NaN"),
        (X, ["a"] * 300, ValueError, "could not convert string to float"),
        (X * np.nan, Y, ValueError, "Input X contains NaN"),
        (X[:1], Y[:1], ValueError, r"Found array with 1 sample\(s\)"),
        (chunks([X]), Y, TypeError, "needs rows in memory; got Chunks"),
    ],
)
def test_errors__of_rows(rows, y, error, sentence):
    with pytest.raises(error, match=sentence):
        GaussianMixtureRegressor(TEMPLATE).fit(rows, y)


def test_errors__of_predictions():
    with pytest.raises(NotFittedError, match="This GaussianMixtureRegressor instance is not fit"):
        GaussianMixtureRegressor().predict(X)
    model = GaussianMixtureRegressor(TEMPLATE).fit(X, Y)
    with pytest.raises(ValueError, match="X has 1 features, but GaussianMixtureRegressor is expec"):
        model.predict(X[:, :1])
    with pytest.raises(ValueError, match="y has 2 targets, but .* was fitted to 1"):
        model.score(X, BOTH)
    with pytest.raises(ValueError, match="'return_std' parameter of predict must be"):
        model.predict(X, return_std="yes")
