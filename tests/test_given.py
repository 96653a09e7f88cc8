"""Given parameters: covariances are of the model that they are said to be of."""

import itertools
import pickle

import numpy as np
import pytest
from data import EVERY, mixture

from gmmfast import GaussianMixture
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.data.given import require_family

pytestmark = pytest.mark.quick

K, D = 3, 4


def member(code, d=D, seed=0):
    """Covariances (K, d, d) of a model and of no smaller one."""
    rng = np.random.default_rng(seed)
    volumes = rng.uniform(0.5, 2.0, K if code[0] == "V" else 1)
    shapes = np.exp(rng.normal(size=({"I": 1, "E": 1, "V": K}[code[1]], d)))
    if code[1] == "I":
        shapes[:] = 1.0
    shapes /= np.exp(np.log(shapes).mean(axis=1, keepdims=True))
    axes = np.eye(d)[None]
    if code[2] != "I":
        axes = np.linalg.qr(rng.normal(size=(K if code[2] == "V" else 1, d, d)))[0]
    found = volumes[:, None, None] * (axes * shapes[:, None]) @ axes.swapaxes(1, 2)
    return np.array(np.broadcast_to(found, (K, d, d)))


def is_within(small, large):
    """Whether all covariances of a model are also of another one."""
    is_round = small[1] == "I"  # which has no axes
    return (
        "EV".index(small[0]) <= "EV".index(large[0])
        and "IEV".index(small[1]) <= "IEV".index(large[1])
        and (is_round or "IEV".index(small[2]) <= "IEV".index(large[2]))
    )


def made(covariances, code, **params):
    d = np.shape(covariances)[1]
    return GaussianMixture.from_parameters(
        np.full(K, 1 / K), np.zeros((K, d)), covariances, covariance_type=code, **params
    )


@pytest.mark.parametrize(
    ("dtype", "unit"), [("f8", 1e-150), ("f8", 1.0), ("f8", 1e150), ("f4", 1e-9), ("f4", 1e9)]
)
@pytest.mark.parametrize("code", MODEL_CODES)
def test_require_family__refuses_members_of_other_models(code, dtype, unit):
    for other in MODEL_CODES:
        covariances = (unit * member(other)).astype(dtype).astype(np.float64)
        if is_within(other, code):
            require_family(covariances, code)
        else:
            with pytest.raises(ValueError, match=f"the model {code} must have .* violates this"):
                require_family(covariances, code)


@pytest.mark.parametrize("code", ["EEI", "VEI", "EVI", "EEE", "VEE", "EVV"])
def test_require_family__sees_features_in_small_units(code):
    """Of these models a feature may be scaled alone, and counts as much as another."""
    scales = np.array([1.0, 1e3, 1e-6, 1.0])
    scaled = member(code) * np.outer(scales, scales)
    require_family(scaled, code)
    scaled[1, 2, 2] *= 1.01
    with pytest.raises(ValueError, match="component 1 violates this"):
        require_family(scaled, code)


@pytest.mark.parametrize("code", ["EVE", "VVE"])
def test_require_family__sees_axes_of_covariances_that_are_almost_round(code):
    almost = np.eye(D) + 1e-4 * member("VVV")
    almost /= np.linalg.det(almost)[:, None, None] ** (1 / D)
    with pytest.raises(ValueError, match="common eigenvectors"):
        require_family(almost, code)


def test_require_family__takes_seven_digits():
    """What is printed or rounded to float32 is still of its model."""
    for code in MODEL_CODES:
        require_family(np.vectorize(lambda x: float(f"{x:.7g}"))(member(code)), code)


@pytest.mark.parametrize(("code", "d"), [*itertools.product(MODEL_CODES, [1, 2])])
def test_require_family__of_few_features(code, d):
    require_family(member(code, d), code)
    require_family(member(code, d)[:1], code)


def scaled_rows(kind):
    """Rows of three clusters, in units that differ or with columns that nearly agree."""
    X, _ = mixture(300, 3, K, seed=4)
    if kind == "units":
        return X * [1e-3, 1.0, 1e4]
    return np.c_[X, X.sum(axis=1) + 0.01 * np.random.default_rng(0).normal(size=300)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["units", "dependent"])
@pytest.mark.parametrize("code", EVERY)
def test_from_parameters__takes_what_a_fit_returns(code, kind, dtype):
    X = scaled_rows(kind).astype(dtype)
    fitted = GaussianMixture(K, covariance_type=code, random_state=0, tol=0.1).fit(X)
    found = fitted.weights_, fitted.means_, fitted.covariances_
    again = GaussianMixture.from_parameters(*found, covariance_type=code)
    np.testing.assert_array_equal(again.covariances_, fitted.covariances_)
    tolerance = 1e-8 if dtype is np.float64 else 1e-2
    assert again.score(X) == pytest.approx(fitted.score(X), abs=tolerance)
    assert np.isfinite(pickle.loads(pickle.dumps(fitted)).bic(X))


def test_from_parameters__refuses_covariances_of_another_model():
    eye = np.eye(2)
    for code, covariances in (
        ("EII", [eye, 2 * eye]),
        ("EEE", [eye, np.diag([2.0, 0.5])]),
        ("VVI", [eye, [[2.0, 0.5], [0.5, 1.0]]]),
    ):
        with pytest.raises(ValueError, match=f"the model {code} must have .*covariance_type='VVV'"):
            GaussianMixture.from_parameters(
                [0.5, 0.5], np.zeros((2, 2)), covariances, covariance_type=code
            )


@pytest.mark.parametrize("code", [code for code in MODEL_CODES if code != "VVV"])
def test_precisions_init__may_lie_outside_of_the_model(code):
    X, _ = mixture(300, D, K, seed=0)
    start = {"precisions_init": member("VVV"), "means_init": X[:K]}
    fitted = GaussianMixture(K, covariance_type=code, **start).fit(X)
    require_family(fitted.covariances_, code)
    left = GaussianMixture(K, covariance_type=code, max_iter=0, **start).fit(X)
    with pytest.raises(ValueError, match=f"Covariances of the model {code}"):
        left.bic(X)  # would count the parameters of the model


@pytest.mark.parametrize("method", ["bic", "aic", "icl"])
def test_criteria__refuse_covariances_set_by_hand_outside_of_the_model(method):
    set_by_hand = made(member("VVV"), "VVV").set_params(covariance_type="EEE")
    with pytest.raises(ValueError, match="Covariances of the model EEE must have one matrix"):
        getattr(set_by_hand, method)(np.eye(D))
