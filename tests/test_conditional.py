"""Some features of a mixture: alone, given others, and predicted from others."""

import json

import numpy as np
import pytest
from data import EVERY, mixture
from numba.core import config
from pandas import DataFrame
from scipy.stats import multivariate_normal, multivariate_t

import gmmfast
from gmmfast import GaussianMixture, GaussianMixtureIC
from gmmfast.data.given import require_family
from gmmfast.estimators.tails import set_degrees
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

pytestmark = [pytest.mark.quick, pytest.mark.plain]

X, LABELS = mixture(120, 4, 3, separation=1.0, seed=5)
KNOWN, TARGET = [3, 0], [1, 2]
NAMES = list("abcd")
DEGREES = np.array([1.5, 4.0, 30.0])


def of_kind(name, degrees=None, **params):
    """A mixture of three components whose covariances are of a family."""
    model = MODELS[name](0.0)
    found = model.maximization(MemoryRows(X).memberships(LABELS, 3, model.scatter))
    means = found.means + MemoryRows(X).center
    given = found.weights, means, found.covariances
    if degrees is None:
        return GaussianMixture.from_parameters(*given, covariance_type=name, **params)
    params |= {"component": "t", "degrees_of_freedom": 5.0}
    made = GaussianMixture.from_parameters(*given, covariance_type=name, **params)
    made.degrees_of_freedom = "own"
    set_degrees(made, degrees)
    return made


def matrices_of(mixture):
    return mixture._model().matrices(mixture.covariances_, *mixture.means_.shape)


def given(mixture, known, target, values):
    """Weights, means, scale matrices and degrees of freedom of the targets, in plain NumPy."""
    degrees, parts = getattr(mixture, "degrees_of_freedom_", None), []
    for k, (mean, S) in enumerate(zip(mixture.means_, matrices_of(mixture), strict=True)):
        own, cross = S[np.ix_(known, known)], S[np.ix_(target, known)]
        slopes = np.linalg.solve(own, cross.T).T
        rest = S[np.ix_(target, target)] - slopes @ cross.T
        residual = values - mean[known]
        if degrees is None:
            log_density, nu = multivariate_normal.logpdf(values, mean[known], own), np.inf
        else:
            log_density = multivariate_t.logpdf(values, mean[known], own, degrees[k])
            nu = degrees[k] + len(known)
            rest = rest * (degrees[k] + residual @ np.linalg.solve(own, residual)) / nu
        parts.append((log_density, mean[target] + slopes @ residual, rest, nu))
    logs, means, rests, nus = map(np.array, zip(*parts, strict=True))
    logs = logs + np.log(mixture.weights_)
    weights = np.exp(logs - logs.max())
    return weights / weights.sum(), means, rests, nus


def moments(weights, means, rests, nus):
    """Means and standard deviations of a mixture given by `given`."""
    mean = weights @ means
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.where(np.isinf(nus), 1.0, np.where(nus > 2, nus / (nus - 2), np.inf))
    variances = np.einsum("kjj->kj", rests) * factors[:, None]
    return mean, np.sqrt(weights @ (variances + (means - mean) ** 2))


# ----------------------------------------------------------------------------------------- marginal

ALONG = {"EVI": "VVI", **dict.fromkeys(["EVE", "VVE", "EEV", "VEV", "EVV"], "VVV")}
RESCALED = {"tied": "full", "EII": "VII", "EEI": "VEI", "EEE": "VEE"}


@pytest.mark.parametrize("name", EVERY)
def test_marginal__has_the_parameters_of_the_features(name):
    whole = of_kind(name)
    part = whole.marginal(KNOWN)
    assert part.covariance_type == ALONG.get(name, name)
    np.testing.assert_allclose(part.weights_, whole.weights_, rtol=1e-14)
    np.testing.assert_allclose(part.means_, whole.means_[:, KNOWN], rtol=1e-12)
    expected = matrices_of(whole)[np.ix_(range(3), KNOWN, KNOWN)]
    np.testing.assert_allclose(matrices_of(part), expected, rtol=1e-12)
    require_family(part.covariances_, part.covariance_type)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "EEE"])
def test_marginal__of_t_components_is_of_t_components(name):
    whole = of_kind(name, DEGREES)
    part = whole.marginal([2])
    assert part.component == "t" and part.degrees_of_freedom == "own"
    np.testing.assert_array_equal(part.degrees_of_freedom_, DEGREES)
    expected = sum(
        w * multivariate_t.pdf(X[:9, 2], m[2], S[2, 2], nu)
        for w, m, S, nu in zip(
            whole.weights_, whole.means_, matrices_of(whole), DEGREES, strict=True
        )
    )
    np.testing.assert_allclose(part.score_samples(X[:9, 2:3]), np.log(expected), rtol=1e-10)


def test_marginal__of_one_feature_and_of_all():
    whole = of_kind("VVV", feature_names=NAMES)
    np.testing.assert_array_equal(whole.marginal("b").means_, whole.means_[:, [1]])
    turned = whole.marginal([3, 2, 1, 0])
    assert list(turned.feature_names_in_) == NAMES[::-1]
    np.testing.assert_allclose(
        turned.score_samples(DataFrame(X[:, ::-1], columns=NAMES[::-1])),
        whole.score_samples(DataFrame(X, columns=NAMES)),
        rtol=1e-12,
    )


@pytest.mark.parametrize("code", ["E", "V"])
def test_marginal__of_the_only_column(code):
    given = [0.5, 0.5], [[0.0], [3.0]], [[[1.0]], [[1.0]]]
    whole = GaussianMixture.from_parameters(*given, covariance_type=code)
    assert whole.marginal(0).covariance_type == code


# ---------------------------------------------------------------------------------------- condition


@pytest.mark.parametrize("name", EVERY)
def test_condition__as_reference(name):
    whole = of_kind(name)
    found = whole.condition({3: X[0, 3], 0: X[0, 0]})
    weights, means, rests, _ = given(whole, KNOWN, TARGET, X[0, KNOWN])
    assert found.covariance_type == ALONG.get(name, name)
    np.testing.assert_allclose(found.weights_, weights, rtol=1e-10)
    np.testing.assert_allclose(found.means_, means, rtol=1e-10)
    np.testing.assert_allclose(matrices_of(found), rests, rtol=1e-10, atol=1e-12)
    require_family(found.covariances_, found.covariance_type)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "EII", "EEI", "EEE", "VEV"])
def test_condition__of_t_components_as_reference(name):
    whole = of_kind(name, DEGREES)
    found = whole.condition({3: X[0, 3], 0: X[0, 0]})
    weights, means, rests, degrees = given(whole, KNOWN, TARGET, X[0, KNOWN])
    assert found.covariance_type == RESCALED.get(name, ALONG.get(name, name))
    np.testing.assert_allclose(found.weights_, weights, rtol=1e-10)
    np.testing.assert_allclose(found.means_, means, rtol=1e-10)
    np.testing.assert_allclose(matrices_of(found), rests, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(found.degrees_of_freedom_, degrees)
    require_family(found.covariances_, found.covariance_type)


@pytest.mark.parametrize("degrees", [None, DEGREES], ids=["gaussian", "t"])
def test_condition__has_the_density_of_the_rest_of_a_row(degrees):
    whole = of_kind("full", degrees)
    found = whole.condition(dict(zip(KNOWN, X[7, KNOWN], strict=True)))
    expected = whole.score_samples(X[7:8]) - whole.marginal(KNOWN).score_samples(X[7:8, KNOWN])
    np.testing.assert_allclose(found.score_samples(X[7:8, TARGET]), expected, rtol=1e-10)


def test_condition__on_a_feature_after_another_is_on_both():
    whole = of_kind("full", feature_names=NAMES)
    both = whole.condition({"a": 0.3, "c": -1.0})
    after = whole.condition({"c": -1.0}).condition({"a": 0.3})
    assert list(after.feature_names_in_) == list(both.feature_names_in_) == ["b", "d"]
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_allclose(getattr(after, name), getattr(both, name), rtol=1e-9)


@pytest.mark.parametrize("degrees", [None, DEGREES], ids=["gaussian", "t"])
def test_condition__far_from_all_components_has_finite_weights(degrees):
    found = of_kind("full", degrees).condition({0: 1e6, 1: -1e6})
    assert np.isfinite(found.weights_).all() and found.weights_.sum() == pytest.approx(1)
    assert np.isfinite(found.means_).all()


@pytest.mark.parametrize("degrees", [None, DEGREES], ids=["gaussian", "t"])
@pytest.mark.parametrize("name", ["full", "tied", "spherical", "VEV"])
def test_parts__are_whole_mixtures(name, degrees, tmp_path):
    whole = of_kind(name, degrees, random_state=0)
    for part in (whole.marginal([1, 2]), whole.condition({0: 0.0, 3: 1.0})):
        rows, labels = part.sample(20)
        assert rows.shape == (20, 2) and part.predict(rows).shape == labels.shape
        assert np.isfinite(part.bic(rows))
        part.save(tmp_path / "part.npz")
        again = gmmfast.load(tmp_path / "part.npz")
        np.testing.assert_array_equal(again.score_samples(rows), part.score_samples(rows))
        gmmfast.from_dict(json.loads(json.dumps(part.to_dict())))
        assert part.summary()


# --------------------------------------------------------------------------------- predict_features


@pytest.mark.parametrize("degrees", [None, DEGREES], ids=["gaussian", "t"])
@pytest.mark.parametrize("name", ["full", "tied", "diag", "VEV"])
def test_predict_features__as_reference(name, degrees):
    whole = of_kind(name, degrees)
    for known, target in ((KNOWN, TARGET), ([1], [3, 0, 2]), ([0, 1, 2], [3]), ([2], [0])):
        rows = X[:70, known]
        means, deviations = whole.predict_features(
            rows, known=known, target=target, return_std=True
        )
        expected = [moments(*given(whole, known, target, row)) for row in rows]
        np.testing.assert_allclose(means, [m for m, _ in expected], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(deviations, [s for _, s in expected], rtol=1e-10)
        alone = whole.predict_features(rows, known=known, target=target)
        np.testing.assert_array_equal(alone, means)


def test_predict_features__is_the_mean_of_condition():
    whole = of_kind("full")
    found = whole.condition({1: 0.5})
    means, deviations = whole.predict_features([[0.5]], known=1, return_std=True)
    np.testing.assert_allclose(means[0], found.weights_ @ found.means_, rtol=1e-12)
    spread = np.einsum("kjj->kj", found.covariances_) + (found.means_ - means[0]) ** 2
    np.testing.assert_allclose(deviations[0] ** 2, found.weights_ @ spread, rtol=1e-12)


def test_predict_features__of_heavy_tails_has_no_finite_spread():
    whole = of_kind("full", np.array([0.5, 1.0, 0.9]))
    means, deviations = whole.predict_features(X[:5, :1], known=0, return_std=True)
    assert np.isfinite(means).all() and np.isposinf(deviations).all()
    deviations = whole.predict_features(X[:5, :2], known=[0, 1], return_std=True)[1]
    assert np.isfinite(deviations).all()  # nu + 2 is above 2


def test_predict_features__loses_no_digits_far_from_the_origin():
    whole, shift = of_kind("full"), np.array([1e8, -1e8, 3e8, 1e8])
    far = GaussianMixture.from_parameters(whole.weights_, whole.means_ + shift, whole.covariances_)
    rows = np.round(X[:20, KNOWN], 2)
    near = whole.predict_features(rows, known=KNOWN, return_std=True)
    moved = far.predict_features(rows + shift[KNOWN], known=KNOWN, return_std=True)
    np.testing.assert_allclose(moved[0] - shift[TARGET], near[0], atol=1e-6)
    np.testing.assert_allclose(moved[1], near[1], rtol=1e-6)


def test_predict_features__far_from_all_components_is_finite():
    whole = of_kind("full")
    found = whole.predict_features([[1e6, -1e6]], known=[0, 1], return_std=True)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("degrees", [None, DEGREES], ids=["gaussian", "t"])
@pytest.mark.parametrize("value", [1e160, -1e300])
def test_known_values__whose_squares_overflow_are_refused(value, degrees):
    """The components would count alike, however wide they are."""
    whole, sentence = of_kind("full", degrees), "within 1e150 standard deviations of a component"
    with pytest.raises(ValueError, match=f"{sentence}, .* got the values "):
        whole.condition({0: value, 1: 0.0})
    rows = np.vstack([X[:3, :2], [0.0, value], X[:3, :2]])
    with pytest.raises(ValueError, match=f"{sentence}, .* got row 3 "):
        whole.predict_features(rows, known=[0, 1])


def test_known_values__at_the_limit_go_to_the_widest_component():
    whole = GaussianMixture.from_parameters([0.9, 0.1], np.eye(2), [np.eye(2), 4 * np.eye(2)])
    assert whole.condition({0: 1e150}).weights_.tolist() == [0.0, 1.0]
    assert whole.predict_features([[1e150]], known=0).item() == whole.means_[1, 1]


def test_predict_features__of_other_kinds_of_arrays():
    whole = of_kind("full")
    expected = whole.predict_features(X[:20, KNOWN], known=KNOWN)
    single = X[:20, KNOWN].astype(np.float32)
    np.testing.assert_allclose(whole.predict_features(single, known=KNOWN), expected, atol=1e-4)
    for rows in (X[:20, KNOWN].tolist(), np.asfortranarray(X[:20, KNOWN])):
        np.testing.assert_array_equal(whole.predict_features(rows, known=KNOWN), expected)


def test_predict_features__by_names():
    whole, frame = of_kind("full", feature_names=NAMES), DataFrame(X[:9], columns=NAMES)
    expected = of_kind("full").predict_features(X[:9, KNOWN], known=KNOWN)
    np.testing.assert_array_equal(whole.predict_features(frame[["d", "a"]]), expected)
    found = whole.predict_features(frame[["d", "a"]], known=["d", "a"], target=["c", "b"])
    np.testing.assert_array_equal(found, expected[:, ::-1])
    found = whole.predict_features(frame[["a", "d"]], target=["b", "c"])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        whole.predict_features(frame[["a", "d"]], known=["d", "a"])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        whole.predict_features(X[:9, KNOWN], known=["d", "a"])


def test_features__are_positions_where_columns_are_named_by_integers():
    frame = DataFrame(X, columns=[1, 0, 3, 2])
    by_number = GaussianMixture(1).fit(frame)
    np.testing.assert_array_equal(by_number.marginal(1).means_, by_number.means_[:, 1:2])
    assert by_number.condition({1: 0.0}).means_.shape == (1, 3)
    expected = by_number.predict_features(X[:3, 1:2], known=1)
    np.testing.assert_array_equal(by_number.predict_features(frame[[0]][:3], known=1), expected)


def test_predict_features__have_the_same_bits_with_any_number_of_threads():
    n = 100 if config.DISABLE_JIT else 50_000
    rows = np.random.default_rng(0).normal(size=(n, 2))
    one, two = (
        of_kind("full", n_jobs=n_jobs).predict_features(rows, known=KNOWN, return_std=True)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_search__has_them_of_its_best_mixture():
    search = GaussianMixtureIC([1], covariance_types=["VVV"]).fit(X)
    best, rows = search.best_estimator_, X[:3, :1]
    np.testing.assert_array_equal(search.marginal(0).means_, best.means_[:, :1])
    np.testing.assert_array_equal(
        search.condition({0: 0.0}).means_, best.condition({0: 0.0}).means_
    )
    np.testing.assert_array_equal(
        search.predict_features(rows, known=0), best.predict_features(rows, known=0)
    )


# ------------------------------------------------------------------------------------------- errors

FULL = of_kind("full", feature_names=NAMES)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: FULL.marginal([4]), "features must be numbers from 0 to 3, or column names"),
        (lambda: FULL.marginal(["e"]), "got 'e'"),
        (lambda: FULL.marginal([-1]), "got -1"),
        (lambda: FULL.marginal([True]), "got True"),
        (lambda: FULL.marginal([]), "one or more different features; got none"),
        (lambda: FULL.marginal([1, "b"]), "different features; got 'b', 'b'"),
        (lambda: FULL.condition({}), "one or more different features; got none"),
        (lambda: FULL.condition(dict.fromkeys(NAMES, 0.0)), "No feature is left to be target"),
        (lambda: FULL.condition({"a": np.nan}), "must be a finite number; got nan for 'a'"),
        (lambda: FULL.condition({"a": "1"}), "must be a finite number; got '1'"),
        (lambda: FULL.condition({"a": [1.0]}), r"must be a finite number; got \[1.0\]"),
        (lambda: FULL.condition({"a": 1j}), "must be a finite number; got 1j"),
        (lambda: FULL.predict_features(X), "needs known=.* or target=.*; got neither"),
        (lambda: FULL.predict_features(X, known=NAMES), "No feature is left to be target: all 4"),
        (lambda: FULL.predict_features(X, target=NAMES), "No feature is left to be known: all 4"),
        (lambda: FULL.predict_features(X, known="a", target=[0]), "not both; got 'a' in both"),
        (lambda: of_kind("full").predict_features(X, known=0), "per known feature .*; got 4 colu"),
        (lambda: FULL.predict_features(X[:, 0], known=0), "Expected 2D array, got 1D"),
        (
            lambda: of_kind("full").predict_features([[np.nan]], known=0),
            "needs the values of all known features; got rows that lack",
        ),
    ],
)
def test_errors(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_errors__of_types():
    with pytest.raises(TypeError, match=r"needs a dict .*; got list"):
        FULL.condition([1.0])
    with pytest.raises(TypeError, match=r"predict_features needs rows in memory; got Chunks"):
        FULL.predict_features(gmmfast.chunks([X]), known=0)


def test_errors__of_missing_values_and_noise():
    lacking = of_kind("full", missing_values="marginalize")
    with pytest.raises(ValueError, match="Use impute, which takes each row as it is"):
        lacking.predict_features([[np.nan]], known=0)
    noisy = GaussianMixture(1, noise=0.1, random_state=0, max_iter=2, tol=1.0).fit(X)
    for call in (
        lambda: noisy.marginal(0),
        lambda: noisy.condition({0: 0.0}),
        lambda: noisy.predict_features(X[:, :1], known=0),
    ):
        with pytest.raises(ValueError, match="Noise is uniform over a region of all features"):
            call()


def test_errors__of_a_mixture_that_is_not_fitted():
    for call in (lambda own: own.marginal(0), lambda own: own.condition({0: 0.0})):
        with pytest.raises(gmmfast.errors.not_fitted_error_class(), match="is not fitted yet"):
            call(GaussianMixture())


def test_predict_features__frames_say_what_is_known():
    """The columns of a frame are what is known, whatever is the target."""
    mixture = GaussianMixture.from_parameters(
        [1.0], np.zeros((1, 3)), [np.eye(3) + 0.5], feature_names=["x", "z", "y"]
    )
    frame = DataFrame({"x": [1.0, -1.0]})
    expected = mixture.predict_features(frame, known="x", target="y")
    np.testing.assert_array_equal(mixture.predict_features(frame, target="y"), expected)
    turned = DataFrame({"y": [1.0], "x": [2.0]})
    same = mixture.predict_features(turned[["x", "y"]])
    np.testing.assert_allclose(mixture.predict_features(turned), same)
    with pytest.raises(ValueError, match="not both; got 'y' in both"):
        mixture.predict_features(turned, target="y")
