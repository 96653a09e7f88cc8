"""Parameters that stay: their values, and the best of the others."""

import numpy as np
import pandas as pd
import pytest
from data import EVERY, mixture, refusal
from reference import e_step, m_step
from sklearn.mixture import GaussianMixture as TheirMixture

from gmmfast import GaussianMixture, Prior, chunks, load

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

X, LABELS = mixture(60, 2, 3, seed=2)
MEANS = np.array([X[LABELS == k].mean(axis=0) for k in range(3)]) + [0.5, -0.5]
FIRST = [True, False, False]
GAP = np.nan


def fit(fixed, X=X, K=3, **params):
    """A fit of some passes, from a start of its own."""
    own = {"tol": 0.0, "reg_covar": 0, "max_iter": 10, "random_state": 0, "fixed": fixed, **params}
    return GaussianMixture(K, **own).fit(X)


def rises(fitted):
    return bool((np.diff(fitted.lower_bounds_) >= -1e-13).all())


@pytest.mark.parametrize("covariance_type", EVERY)
def test_means_and_weights__stay_in_all_models(covariance_type):
    init = {"weights_init": [0.2, 0.3, 0.5], "means_init": MEANS, "init_params": LABELS}
    fixed = {"weights": [False, True, False], "means": FIRST}
    fitted = fit(fixed, covariance_type=covariance_type, **init)
    assert fitted.weights_[1] == 0.3 and fitted.weights_.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(fitted.means_[0], MEANS[0], rtol=1e-15)
    assert np.abs(fitted.means_[1:] - MEANS[1:]).min() > 1e-3
    assert rises(fitted)


@pytest.mark.plain
def test_one_step__is_the_best_of_what_is_free():
    """Weights in proportion to the mass, and second moments about the fixed mean."""
    covariances = np.stack([np.eye(2), 2 * np.eye(2), 3 * np.eye(2)])
    init = {
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": MEANS,
        "precisions_init": np.linalg.inv(covariances),
    }
    fixed = {"weights": FIRST, "means": FIRST, "covariances": [False, False, True]}
    fitted = fit(fixed, max_iter=1, **init)
    resp = e_step(X, init["weights_init"], MEANS, covariances)[1]
    _, means, free = m_step(X, resp, "full")
    mass = resp.sum(axis=0)
    np.testing.assert_allclose(fitted.weights_[1:], 0.8 * mass[1:] / mass[1:].sum(), rtol=1e-12)
    np.testing.assert_allclose(fitted.means_[1:], means[1:], rtol=1e-12)
    shift = means[0] - MEANS[0]
    np.testing.assert_allclose(fitted.covariances_[0], free[0] + np.outer(shift, shift), rtol=1e-12)
    np.testing.assert_allclose(fitted.covariances_[1], free[1], rtol=1e-12)
    np.testing.assert_allclose(fitted.covariances_[2], covariances[2], rtol=1e-15)


@pytest.mark.plain
@pytest.mark.parametrize(
    ("covariance_type", "precisions"),
    [
        ("full", np.stack([[[2.0, 0.5], [0.5, 1.0]]] + 2 * [np.full((2, 2), GAP)])),
        ("diag", [[2.0, 1.0], [GAP, GAP], [GAP, GAP]]),
        ("spherical", [2.0, GAP, GAP]),
        ("VVI", np.stack([np.diag([2.0, 1.0])] + 2 * [np.full((2, 2), GAP)])),
    ],
)
def test_covariances__of_a_component_stay(covariance_type, precisions):
    fixed = {"covariances": FIRST}
    fitted = fit(fixed, covariance_type=covariance_type, precisions_init=precisions)
    np.testing.assert_allclose(fitted.precisions_[0], precisions[0], rtol=1e-14)
    assert np.abs(np.subtract(fitted.precisions_[1:], precisions[0])).max() > 1e-2
    assert rises(fitted)


@pytest.mark.parametrize("covariance_type", ["tied", "EEE", "VEV", "EII"])
def test_covariances__all_of_them_stay_in_any_model(covariance_type):
    matrix = np.eye(2) * 2 if covariance_type == "tied" else np.stack([np.eye(2) * 2] * 3)
    fitted = fit({"covariances": True}, covariance_type=covariance_type, precisions_init=matrix)
    np.testing.assert_allclose(fitted.precisions_, matrix, rtol=1e-14)
    assert rises(fitted)


@pytest.mark.plain
def test_everything__stays():
    init = {
        "weights_init": [0.2, 0.3, 0.5], "means_init": MEANS,
        "precisions_init": np.stack([np.eye(2)] * 3),
    }  # fmt: skip
    fitted = fit({"weights": True, "means": True, "covariances": True}, **init)
    np.testing.assert_array_equal(fitted.weights_, init["weights_init"])
    np.testing.assert_allclose(fitted.means_, MEANS, rtol=1e-15)
    assert np.ptp(fitted.lower_bounds_) == 0


@pytest.mark.plain
def test_prior__leaves_fixed_means_and_never_falls():
    prior = Prior(mean=[2.0, 2.0], shrinkage=5.0, concentration=4.0)
    init = {"weights_init": [0.6, GAP, GAP], "means_init": [MEANS[0], [GAP] * 2, [GAP] * 2]}
    for name in ("full", "EVI"):
        fixed = {"weights": FIRST, "means": FIRST}
        fitted = fit(fixed, covariance_type=name, prior=prior, **init)
        assert fitted.weights_[0] == 0.6
        np.testing.assert_allclose(fitted.means_[0], MEANS[0], rtol=1e-15)
        assert rises(fitted)


def test_acceleration__keeps_what_is_fixed():
    rows, _ = mixture(120, 2, 3, separation=1.0, seed=5)
    init = {"means_init": [[0.0, 0.0], [GAP] * 2, [GAP] * 2], "tol": 1e-9, "max_iter": 3000}
    plain, fast = (fit({"means": FIRST}, rows, acceleration=a, **init) for a in ("none", "auto"))
    assert fast.converged_ and fast.n_iter_ < plain.n_iter_
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-5)
    np.testing.assert_allclose(fast.means_[0], 0, atol=1e-15)


def test_others__start_where_known_components_are_not():
    """Two known groups of four are not found again."""
    rng = np.random.default_rng(0)
    centers = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    rows = centers[np.arange(80) % 4] + rng.normal(size=(80, 2))
    known = GaussianMixture.from_parameters([0.5, 0.5], centers[:2], np.stack([np.eye(2)] * 2))
    fitted = GaussianMixture.beside(known, 4, random_state=0).fit(rows)
    np.testing.assert_array_equal(fitted.means_[:2], centers[:2])
    np.testing.assert_array_equal(fitted.covariances_[:2], known.covariances_)
    found = fitted.means_[2:][fitted.means_[2:, 0].argsort()]
    np.testing.assert_allclose(found, centers[2:], atol=1.5)
    np.testing.assert_allclose(fitted.weights_, 0.25, atol=0.01)


def test_chunks_and_gaps__keep_what_is_fixed():
    fixed, init = {"means": FIRST}, {"means_init": [MEANS[0], [GAP] * 2, [GAP] * 2]}
    gaps = X.copy()
    gaps[::5, 0] = GAP
    for rows, params in ((chunks(X, chunk_rows=17), {}), (gaps, {"missing_values": "marginalize"})):
        fitted = fit(fixed, rows, **init, **params)
        np.testing.assert_allclose(fitted.means_[0], MEANS[0], rtol=1e-15)
        assert rises(fitted)


def test_checkpoint__goes_on_with_what_is_fixed(tmp_path):
    path, init = tmp_path / "fit.npz", {"means_init": [MEANS[0], [GAP] * 2, [GAP] * 2]}
    own = {"tol": 0.0, "reg_covar": 0, "max_iter": 9, "random_state": 0, "fixed": {"means": FIRST}}
    whole = GaussianMixture(3, **own, **init).fit(X)
    stopped = GaussianMixture(3, **own, **init)
    stopped.fit(X, callback=lambda i, _: i == 4, checkpoint=path)
    assert GaussianMixture.resume(path).fixed["means"] == FIRST
    resumed = GaussianMixture.resume(path).fit(X)
    np.testing.assert_allclose(resumed.lower_bounds_, whole.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(resumed.means_[0], MEANS[0], rtol=1e-14)


def test_files__do_not_keep_what_belongs_to_the_fit(tmp_path):
    fitted = fit({"means": FIRST}, means_init=MEANS, max_iter=1)
    fitted.save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").fixed is None


WRONG = [
    ({"means": True}, {}, "fixed={'means': ...} needs means_init, the values that stay; got None."),
    ({"mean": True}, {}, "must be a dict with some of 'weights', 'means' and 'covariances', or"),
    ({"means": [True]}, {"means_init": MEANS}, "True or one bool per component, 3 in all"),
    ({"means": [1, 0, 0]}, {"means_init": MEANS}, "True or one bool per component, 3 in all"),
    ({"means": FIRST}, {"means_init": MEANS * GAP}, "component 0 is NaN."),
    ({"weights": FIRST}, {"weights_init": [1.5, GAP, GAP]}, "should be in the range [0, 1]"),
    (
        {"covariances": FIRST},
        {"precisions_init": np.stack([np.eye(2)] * 3), "covariance_type": "VEV"},
        "can only stay where each component has its own: full, diag, spherical, VVV, VVI, VII",
    ),
    (
        {"covariances": True},
        {"precisions_init": np.stack([np.eye(2) * s for s in (1, 2, 3)]), "covariance_type": "EEE"},
        "Covariances of the model EEE must have",
    ),
]


@pytest.mark.parametrize(("fixed", "params", "sentence"), WRONG)
def test_fit__refuses(fixed, params, sentence):
    assert sentence in refusal(fit, fixed, **params)


def test_gaps__are_refused_where_nothing_is_fixed():
    assert "NaN" in refusal(fit, None, means_init=[MEANS[0], [GAP] * 2, [GAP] * 2])


def test_partial_fit__keeps_nothing():
    own = GaussianMixture(3, means_init=MEANS, fixed={"means": True})
    assert "partial_fit changes all parameters" in refusal(own.partial_fit, X)


def test_beside__refuses():
    known = GaussianMixture(2, covariance_type="tied", random_state=0).fit(X)
    assert "each component has its own" in refusal(GaussianMixture.beside, known, 3)
    assert "2 components are known" in refusal(GaussianMixture.beside, known, 1)


# ----------------------------------------------------------------------------------- known mixtures


def known_mixture(**params):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    return GaussianMixture(1, random_state=0, **params).fit(frame), frame


@pytest.mark.plain
def test_beside__takes_the_columns_of_the_known_mixture():
    known, frame = known_mixture()
    made = GaussianMixture.beside(known, 2, random_state=0)
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        made.fit(frame[["b", "a"]])
    made.fit(frame)
    np.testing.assert_array_equal(made.means_[0], known.means_[0])


@pytest.mark.plain
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"covariance_type": "diag"}, "covariance_type follows from the known mixture"),
        ({"fixed": {"means": True}}, "fixed follows from the known mixture"),
        ({"component": "t"}, "needs Gaussian components, known and others"),
    ],
)
def test_beside__refuses_what_contradicts_the_known_mixture(params, message):
    known, _ = known_mixture()
    with pytest.raises(ValueError, match=message):
        GaussianMixture.beside(known, 2, **params)


@pytest.mark.plain
def test_beside__says_what_does_not_stay():
    noisy, _ = known_mixture(noise=True)
    with pytest.raises(ValueError, match="has noise, which does not stay"):
        GaussianMixture.beside(noisy, 2)
    assert GaussianMixture.beside(noisy, 2, noise=None).noise is None
    heavy, _ = known_mixture(component="t", degrees_of_freedom=5.0)
    with pytest.raises(ValueError, match="got t components"):
        GaussianMixture.beside(heavy, 2)
    with pytest.raises(TypeError, match="by GaussianMixture.from_sklearn"):
        GaussianMixture.beside(TheirMixture(), 2)


@pytest.mark.plain
def test_fixed_covariances__are_not_bounded():
    _, frame = known_mixture()
    params = {"covariance_ratio": 2.0, "fixed": {"covariances": True}}
    with pytest.raises(ValueError, match="covariance_ratio bounds all covariances"):
        GaussianMixture(1, precisions_init=[np.eye(2)], **params).fit(frame)
