"""scikit-learn's conventions, held against its own base class; and the errors."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture as TheirMixture
from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from gmmfast import GaussianMixture, errors
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.estimators.base import Estimator

pytestmark = [pytest.mark.quick, pytest.mark.plain]


def outcome(call):
    """What a call returns, or the class and text of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def pair(base):
    """An estimator that has another one as parameter, on one base class or the other."""

    class Outer(base):
        def __init__(self, inner=None, *, rate=0.5, label="x"):
            self.inner, self.rate, self.label = inner, rate, label

    return Outer


Ours, Theirs = pair(Estimator), pair(BaseEstimator)

# ---------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("deep", [True, False])
def test_get_params__as_scikit_learn(deep):
    ours, theirs = (kind(kind(rate=1), label=int) for kind in (Ours, Theirs))
    params, expected = ours.get_params(deep), theirs.get_params(deep)
    assert list(params) == list(expected)
    assert params.pop("inner") is ours.inner and expected.pop("inner") is theirs.inner
    assert params == expected
    own = {"n_jobs", "acceleration", "missing_values", "covariance_ratio", "trim"}
    own |= {"noise", "noise_volume", "prior", "fixed", "component", "degrees_of_freedom"}
    own |= {"n_factors"}
    names = [name for name in GaussianMixture().get_params() if name not in own]
    assert list(TheirMixture().get_params()) == names


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"rate": 2, "label": "y"},
        {"inner__rate": 3},
        {"inner__inner__rate": 4},
        {"nothing": 1},
        {"nothing__rate": 1},
        {"rate__deep": 1},
        {"inner__nothing": 1},
    ],
)
def test_set_params__as_scikit_learn(params):
    def after(kind):
        return repr(kind(kind(kind())).set_params(**params))

    assert outcome(lambda: after(Ours)) == outcome(lambda: after(Theirs))


def test_set_params__sets_a_nested_estimator_before_its_parameters():
    inner = Ours()
    outer = Ours().set_params(inner__rate=2, inner=inner)
    assert outer.inner is inner and inner.rate == 2


def test_set_params__sets_all_or_none():
    mixture = GaussianMixture()
    with pytest.raises(
        ValueError, match=r"Invalid parameter 'k' for estimator GaussianMixture\(\)"
    ):
        mixture.set_params(n_components=3, k=3)
    assert mixture.n_components == 1


def test_get_params__leaves_out_keywords_without_a_name():
    class Open(Estimator):
        def __init__(self, rate=1, **rest):
            self.rate = rate

    assert Open(other=3).get_params() == {"rate": 1}


# ------------------------------------------------------------------------------ representation


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_components": 1, "tol": 1e-3, "verbose": 0},
        {"n_components": 3, "tol": 1e-2},
        {"n_components": 1.0},
        {"verbose": False},
        {"warm_start": True, "random_state": 0},
        {"random_state": np.random.RandomState(0)},
        {"weights_init": np.ones(3) / 3},
        {"means_init": np.arange(40.0).reshape(4, 10)},
        {"means_init": [[1, 2], [3, 4]], "covariance_type": "diag"},
        {
            "covariance_type": "diag",
            "init_params": "random_from_data",
            "max_iter": 1000,
            "means_init": [[1, 2], [3, 4]],
            "reg_covar": 0,
            "verbose": 2,
            "verbose_interval": 3,
        },
    ],
)
def test_repr__as_scikit_learn(params):
    assert repr(GaussianMixture(**params)) == repr(TheirMixture(**params))


def test_repr__shortens():
    text = repr(GaussianMixture(weights_init=np.random.default_rng(0).uniform(size=500)))
    assert len(text) < 450 and "..." in text


# -------------------------------------------------------------------------------------- fitted


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "score", "score_samples", "bic", "aic", "sample"]
)
def test_unfitted__as_scikit_learn(method):
    arguments = [] if method == "sample" else [[[1.0]]]
    ours = outcome(lambda: getattr(GaussianMixture(), method)(*arguments))
    theirs = outcome(lambda: getattr(TheirMixture(), method)(*arguments))
    assert ours == theirs
    assert ours[0] is NotFittedError


def test_check_is_fitted():
    fitted = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    check_is_fitted(fitted)
    with pytest.raises(NotFittedError):
        check_is_fitted(GaussianMixture())


def test_tags__as_scikit_learn():
    assert get_tags(GaussianMixture()) == get_tags(TheirMixture())


# -------------------------------------------------------------------------------- pickled


def test_pickle__keeps_everything():
    mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [[[2.0]]], feature_names=["a"])
    for other in (pickle.loads(pickle.dumps(mixture)), copy.deepcopy(mixture), copy.copy(mixture)):
        assert vars(other).keys() == vars(mixture).keys()
        np.testing.assert_array_equal(other.covariances_, mixture.covariances_)
        assert other.get_params() == mixture.get_params()


def test_pickle__warns_about_another_version(monkeypatch):
    stored = pickle.dumps(GaussianMixture(2))
    monkeypatch.setattr("gmmfast.estimators.base.__version__", "99.0")
    with pytest.warns(UserWarning, match=r"GaussianMixture from gmmfast \S+ with gmmfast 99\.0"):
        assert pickle.loads(stored).n_components == 2


# ------------------------------------------------------------------------------------ metadata


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def requests(estimator, method="fit"):
    return getattr(estimator.get_metadata_routing(), method).requests


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    "alias", [True, False, None, "w", "sample_weight", "$WARN$", "$UNUSED$", "1a", "", 5, [1]]
)
@pytest.mark.parametrize("method", ["fit", "score"])
def test_set_request__as_scikit_learn(method, alias):
    def after(kind):
        return requests(getattr(kind(), f"set_{method}_request")(sample_weight=alias), method)

    assert outcome(lambda: after(GaussianMixture)) == outcome(lambda: after(LinearRegression))


@pytest.mark.usefixtures("routing")
def test_set_request__default_changes_nothing():
    mixture = GaussianMixture().set_fit_request(sample_weight="w").set_fit_request()
    assert requests(mixture) == {"sample_weight": "w"}
    assert requests(mixture, "score") == {"sample_weight": None}


@pytest.mark.usefixtures("routing")
def test_set_request__survives_clone_pickle_and_copy():
    mixture = GaussianMixture(3).set_fit_request(sample_weight="w")
    mixture.set_score_request(sample_weight=False)
    copies = [
        clone(mixture),
        clone(clone(mixture)),
        pickle.loads(pickle.dumps(mixture)),
        copy.deepcopy(mixture),
    ]
    for other in copies:
        assert other.n_components == 3
        assert requests(other) == {"sample_weight": "w"}
        assert requests(other, "score") == {"sample_weight": False}
    copies[0].set_fit_request(sample_weight=True)
    assert requests(mixture) == {"sample_weight": "w"}


@pytest.mark.usefixtures("routing")
def test_set_request__is_for_sample_weight_only():
    with pytest.raises(TypeError, match="unexpected keyword argument 'bad'"):
        GaussianMixture().set_fit_request(bad=True)


def test_set_request__wants_routing_enabled():
    assert outcome(lambda: GaussianMixture().set_fit_request(sample_weight=True)) == outcome(
        lambda: LinearRegression().set_fit_request(sample_weight=True)
    )


def test_clone__without_requests():
    assert requests(clone(GaussianMixture())) == {"sample_weight": None}


# -------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ill_defined_covariance__as_scikit_learn(dtype):
    with pytest.raises(ValueError, match="ill-defined") as expected:
        _compute_precision_cholesky(-np.eye(2, dtype=dtype)[None], "full")
    error = IllDefinedCovarianceError(2, 7, 1e-6, is_float32=dtype == np.float32)
    assert isinstance(error, ValueError)
    assert str(error) == (
        f"{expected.value} The covariance of component 2 is not positive definite in iteration 7: "
        "raise reg_covar (now 1e-06), lower n_components, or standardize the columns."
    )


@pytest.mark.parametrize("component", [1, None])
def test_ill_defined_covariance__says_what_it_knows(component):
    text = str(IllDefinedCovarianceError(component))
    which = "shared covariance" if component is None else "covariance of component 1"
    assert f" The {which} is not positive definite at the start: raise reg_covar, " in text


def test_ill_defined_covariance__is_completed_and_pickled():
    error = IllDefinedCovarianceError(1).at(3).during_fit(0.0, True, "Wait.", False)
    stored = pickle.loads(pickle.dumps(error))
    assert type(stored) is IllDefinedCovarianceError
    assert (stored.component, stored.iteration) == (1, 3)
    assert str(stored) == str(error)
    assert str(error) == str(IllDefinedCovarianceError(1, 3, 0.0, True, "Wait."))


def test_classes_are_scikit_learns_where_it_is_loaded():
    assert errors.convergence_warning_class() is ConvergenceWarning
    assert errors.not_fitted_error_class() is NotFittedError


def test_classes_are_ours_without_scikit_learn():
    code = """
import sys
sys.modules["sklearn"] = None
from gmmfast import GaussianMixture, NotFittedError, errors
assert errors.convergence_warning_class() is errors.ConvergenceWarning
assert issubclass(errors.ConvergenceWarning, UserWarning)
mixture = GaussianMixture(2).set_fit_request(sample_weight=True)
assert repr(mixture.set_params(tol=1)) == "GaussianMixture(n_components=2, tol=1)"
try:
    mixture.predict([[1.0]])
except NotFittedError as error:
    assert isinstance(error, ValueError) and isinstance(error, AttributeError)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_warn__points_at_the_caller():
    with pytest.warns(RuntimeWarning, match="careful") as caught:
        errors.warn("careful", RuntimeWarning)
    assert caught[0].filename == __file__
