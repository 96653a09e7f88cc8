"""The estimator's own promises: weights, criteria, starts, stopping, going on, showing."""

import inspect
import re
import sys
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
import reference
from data import TYPES, mixture, random_start
from sklearn.mixture import GaussianMixture as SklearnMixture

import gmmfast
from gmmfast import GaussianMixture
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.estimators.beginning import given_of
from gmmfast.files.attributes import FITTED, PARAMETERS

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

BOTH = (SklearnMixture, GaussianMixture)
X = mixture(300, 3, 3, separation=2.0, seed=6)[0]
SMALL = X[:70]


def start_of(covariance_type, rows=X, K=3):
    """A start, in the words of the constructor."""
    init = random_start(rows, K, covariance_type, seed=6)[3]
    return {"n_components": K, "covariance_type": covariance_type, **init}


def matrices(estimator):
    """Covariances of any structure as matrices (K, d, d)."""
    K, d = estimator.means_.shape
    covariances = estimator.covariances_
    if estimator.covariance_type == "tied":
        return np.stack([covariances] * K)
    return reference.full_covariances(covariances, K, d)


def log_joint(estimator, rows):
    return reference.log_prob(rows, estimator.weights_, estimator.means_, matrices(estimator))


def made(covariance_type, **params):
    """A mixture of given parameters, of two far components and one between."""
    means = np.array([[-6.0, 0.0], [0.0, 1.0], [7.0, -2.0]])
    matrix = np.array([[2.0, 0.6], [0.6, 1.0]])
    covariances = {
        "full": [matrix, np.eye(2), matrix[::-1, ::-1] / 2],
        "tied": matrix,
        "diag": [[1.0, 2.0], [3.0, 1.0], [0.5, 0.25]],
        "spherical": [1.0, 0.5, 2.0],
    }[covariance_type]
    return GaussianMixture.from_parameters(
        [0.5, 0.2, 0.3], means, covariances, covariance_type=covariance_type, **params
    )


# ---------------------------------------------------------------------------- from parameters


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_from_parameters(covariance_type):
    mixture = made(covariance_type, feature_names=["a", "b"], tol=0.5)
    rows = np.random.default_rng(0).normal(scale=5, size=(70, 2))
    log_density, resp = reference.e_step(rows, mixture.weights_, mixture.means_, matrices(mixture))
    mixture_of_arrays = made(covariance_type)  # without names, so that arrays do not warn
    # a condition number of 3 costs no digit: a few roundings of sums of d terms
    np.testing.assert_allclose(mixture_of_arrays.predict_proba(rows), resp, atol=1e-13)
    np.testing.assert_allclose(mixture_of_arrays.score_samples(rows), log_density, rtol=1e-13)
    np.testing.assert_array_equal(mixture_of_arrays.predict(rows), resp.argmax(axis=1))
    assert list(mixture.feature_names_in_) == ["a", "b"]
    assert (mixture.n_components, mixture.n_features_in_, mixture.tol) == (3, 2, 0.5)
    assert (mixture.n_iter_, mixture.converged_, mixture.lower_bounds_) == (0, False, [])
    assert "not fitted" in mixture.stop_reason_
    assert not mixture.degenerate_.any()


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_from_parameters_has_every_attribute_of_a_fit(covariance_type):
    fitted, mixture = GaussianMixture(**start_of(covariance_type)).fit(X), made(covariance_type)
    assert {*vars(mixture), "log_density_quantiles_"} == {*vars(fitted)}  # needs rows
    theirs = SklearnMixture(3, covariance_type=covariance_type).fit(X[:, :2])
    for name in PARAMETERS:
        assert getattr(mixture, name).shape == getattr(theirs, name).shape
    precision = mixture.precisions_
    if covariance_type in ("full", "tied"):
        identity = np.broadcast_to(np.eye(2), precision.shape)
        np.testing.assert_allclose(precision @ mixture.covariances_, identity, atol=1e-14)
        U = mixture.precisions_cholesky_
        np.testing.assert_allclose(U @ U.swapaxes(-1, -2), precision, rtol=1e-14)
    else:
        np.testing.assert_allclose(precision * mixture.covariances_, 1, rtol=1e-15)


def test_fitted_attributes__are_those_of_the_table():
    """What a fit sets and the documentation names, and nothing else."""
    rows = pandas.DataFrame(SMALL, columns=["a", "b", "c"])
    fitted = GaussianMixture(noise=True, trim=0.1).fit(rows)
    documented = re.findall(r"^(\w+_) : ", inspect.getdoc(GaussianMixture), re.MULTILINE)
    heavy = GaussianMixture(component="t").fit(rows)
    factor = GaussianMixture(covariance_type="factor").fit(rows)
    own = [*vars(fitted), *vars(heavy), *vars(factor)]
    attributes = {name for name in own if name.endswith("_")}
    assert sorted(attributes) == sorted(documented) == sorted(FITTED)


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.plain
def test_from_parameters_is_a_start_for_warm_start():
    mixture = made("full", warm_start=True, max_iter=3)
    other = GaussianMixture(
        3, max_iter=3, weights_init=mixture.weights_, means_init=mixture.means_,
        precisions_init=mixture.precisions_,
    ).fit(X[:, :2])  # fmt: skip
    np.testing.assert_allclose(mixture.fit(X[:, :2]).means_, other.means_, rtol=1e-11)


def test_from_parameters_makes_a_subclass():
    class Mine(GaussianMixture):
        pass

    assert type(Mine.from_parameters([1.0], [[0.0]], [[[1.0]]])) is Mine


# ------------------------------------------------------------------------------------ samples


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_moments_of_a_sample(covariance_type):
    n = 200_000
    mixture = made(covariance_type, random_state=0)
    rows, labels = mixture.sample(n)
    assert rows.shape == (n, 2) and labels.shape == (n,)
    assert (np.diff(labels) >= 0).all(), "in the order of components, as scikit-learn's"
    for k, covariance in enumerate(matrices(mixture)):
        own = rows[labels == k]
        m = len(own)
        # five standard errors: one in a million draws of each number lies outside
        deviation = np.sqrt(mixture.weights_[k] * (1 - mixture.weights_[k]) / n)
        assert abs(m / n - mixture.weights_[k]) < 5 * deviation
        variances = np.diag(covariance)
        error = np.abs(own.mean(axis=0) - mixture.means_[k])
        assert (error < 5 * np.sqrt(variances / m)).all()
        error = np.abs(np.cov(own.T) - covariance)
        assert (error < 5 * np.sqrt((np.outer(variances, variances) + covariance**2) / m)).all()


@pytest.mark.plain
def test_a_sample_of_columns_in_different_units():
    """The small column is not drawn with the rounding of the large one."""
    units = np.array([1e-9, 1e9])
    covariance = np.array([[1.0, 0.5], [0.5, 1.0]]) * np.outer(units, units)
    mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [covariance], random_state=0)
    rows, _ = mixture.sample(100_000)
    # five standard errors of a variance: 5 sqrt(2 / 100000)
    np.testing.assert_allclose(np.cov((rows / units).T), [[1.0, 0.5], [0.5, 1.0]], atol=0.023)


@pytest.mark.plain
def test_samples_are_reproducible():
    mixture = made("full", random_state=3)
    for a, b in zip(mixture.sample(50), mixture.sample(50), strict=True):
        np.testing.assert_array_equal(a, b)
    generator = made("full", random_state=np.random.default_rng(3))
    assert not np.array_equal(generator.sample(50)[0], generator.sample(50)[0])
    np.random.seed(0)
    first = made("full").sample(5)[0]
    np.random.seed(0)
    np.testing.assert_array_equal(made("full").sample(5)[0], first)


@pytest.mark.plain
def test_a_sample_of_one_row():
    rows, labels = made("diag").sample()
    assert rows.shape == (1, 2) and labels.shape == (1,)


@pytest.mark.plain
def test_a_component_of_weight_zero_is_not_drawn():
    mixture = made("full", random_state=0)
    mixture.weights_ = np.array([0.5, 0.0, 0.5])
    assert set(mixture.sample(1000)[1]) == {0, 2}


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_a_sample_where_float32_cannot_hold_the_covariance(covariance_type):
    """Rounded to float32, a covariance may not be one; scikit-learn draws from it all the same."""
    mixture = made(covariance_type, random_state=0)
    covariance = np.array([[4, 4 + 2.0**-21], [4 + 2.0**-21, 4]], np.float32)
    assert np.linalg.eigvalsh(covariance.astype(float))[0] < 0
    mixture.covariances_ = np.zeros_like(mixture.covariances_, np.float32) + covariance
    rows, labels = mixture.sample(1000)
    residuals = rows - mixture.means_[labels]
    # 1000 rows know a variance to 4.5 %, five standard errors; the square root of rounding: 1e-3
    np.testing.assert_allclose(np.cov(residuals.T), covariance, rtol=0.25)
    np.testing.assert_allclose(residuals[:, 0], residuals[:, 1], atol=5e-3)


# ----------------------------------------------------------------------------------- criteria


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_criteria(covariance_type, weighted):
    mixture = made(covariance_type)
    rng = np.random.default_rng(1)
    rows = rng.normal(scale=4, size=(70, 2))
    w = rng.uniform(size=70) * (np.arange(70) % 4 > 0) if weighted else None
    sample_weight = np.ones(70) if w is None else w
    joint = log_joint(mixture, rows)
    log_density, resp = reference.e_step(rows, mixture.weights_, mixture.means_, matrices(mixture))
    n = sample_weight.sum()
    log_likelihood = sample_weight @ log_density
    free = {"full": 9, "tied": 3, "diag": 6, "spherical": 3}[covariance_type] + 6 + 2
    bic = free * np.log(n) - 2 * log_likelihood
    icl = bic - 2 * sample_weight @ np.log(resp.max(axis=1))
    assert np.isfinite(joint).all()
    for value, expected in {
        mixture.score(rows, sample_weight=w): log_likelihood / n,
        mixture.bic(rows, sample_weight=w): bic,
        mixture.aic(rows, sample_weight=w): 2 * free - 2 * log_likelihood,
        mixture.icl(rows, sample_weight=w): icl,
    }.items():
        assert isinstance(value, float)
        assert abs(value - expected) <= 1e-12 * abs(expected)  # sums of 70 terms of one sign


@pytest.mark.plain
def test_icl_is_above_bic_unless_rows_are_clear():
    mixture = made("full")
    assert mixture.icl([[-3.0, 0.5], [3.0, 0.0]]) > mixture.bic([[-3.0, 0.5], [3.0, 0.0]]) + 0.1
    far = [[-60.0, 0.0], [70.0, 0.0]]
    assert mixture.icl(far) == mixture.bic(far)


def test_a_row_of_weight_zero_may_be_impossible():
    """Its log density is minus infinity, times zero: not NaN."""
    rows = np.array([[0.0], [1e200]])
    mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1e-250]]])
    assert mixture.score_samples(rows)[1] < -1e300
    for method in ("score", "bic", "aic", "icl"):
        value = getattr(mixture, method)(rows, sample_weight=[1.0, 0.0])
        assert value == getattr(mixture, method)(rows[:1])


# ------------------------------------------------------------------------------------ weights


def assert_same_fit(ours, expected, tolerance=1e-10):
    """Which is what the issue asks of weights."""
    assert ours.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(ours.lower_bounds_, expected.lower_bounds_, rtol=tolerance)
    for name in PARAMETERS:
        a, b = getattr(ours, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
    np.testing.assert_array_equal(ours.degenerate_, expected.degenerate_)


@pytest.mark.plain
@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_weight_zero_is_an_absent_row(covariance_type, dtype):
    rows = X[:150].astype(dtype)
    w = (np.arange(150) % 3 > 0).astype(float)
    params = {**start_of(covariance_type), "tol": 1e-8, "max_iter": 10}
    absent = GaussianMixture(**params).fit(rows[w > 0])
    # what lies anywhere else does not matter either, also not for the center
    rows = np.where(w[:, None] > 0, rows, rows.dtype.type(1e6))
    weighted = GaussianMixture(**params).fit(rows, sample_weight=w)
    # float32: the center is summed in another order and rounds every row anew
    assert_same_fit(weighted, absent, 1e-10 if dtype == "f8" else 2e-5)
    for method in ("score", "bic", "aic", "icl"):
        a, b = (
            getattr(weighted, method)(rows, sample_weight=w),
            getattr(absent, method)(rows[w > 0]),
        )
        assert abs(a - b) <= (1e-10 if dtype == "f8" else 1e-5) * abs(b)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_an_integer_weight_is_a_repeated_row(covariance_type):
    rows, w = X[:100], np.random.default_rng(2).integers(0, 5, 100)
    params = {**start_of(covariance_type), "tol": 1e-8, "max_iter": 10}
    repeated = GaussianMixture(**params).fit(np.repeat(rows, w, axis=0))
    weighted = GaussianMixture(**params).fit(rows, sample_weight=w)
    assert_same_fit(weighted, repeated)
    for method in ("score", "bic", "aic", "icl"):
        a = getattr(weighted, method)(rows, sample_weight=w)
        b = getattr(repeated, method)(np.repeat(rows, w, axis=0))
        assert abs(a - b) <= 1e-10 * abs(b)


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_weights_against_plain_numpy(covariance_type):
    w = np.random.default_rng(3).uniform(0, 2, 70)
    weights, means, covariances, init = random_start(SMALL, 2, covariance_type)
    ours = GaussianMixture(2, covariance_type=covariance_type, tol=0, max_iter=3, **init)
    ours.fit(SMALL, sample_weight=w)
    bounds, *expected = reference.em(
        SMALL, weights, means, covariances, covariance_type, 3, 1e-6, w
    )
    np.testing.assert_allclose(ours.lower_bounds_, bounds, rtol=1e-12)  # as without weights
    found = (ours.weights_, ours.means_, matrices(ours))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1e12])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_only_ratios_of_weights_matter(covariance_type, factor):
    w = np.random.default_rng(4).uniform(0.5, 2, 300)
    params = {**start_of(covariance_type), "tol": 1e-6}
    plain = GaussianMixture(**params).fit(X, sample_weight=w)
    assert_same_fit(GaussianMixture(**params).fit(X, sample_weight=factor * w), plain)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_own_starts_do_not_see_rows_of_weight_zero(init_params):
    w = np.ones(310)
    w[300:] = 0
    rows = np.concatenate([X, np.full((10, 3), 1e6)])
    for seed in range(3):
        fitted = GaussianMixture(3, init_params=init_params, random_state=seed)
        fitted.fit(rows, sample_weight=w)
        assert np.abs(fitted.means_).max() < 20


# ----------------------------------------------------------------------------- max_iter, warm


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_no_iterations_leave_the_start(covariance_type):
    params = {**start_of(covariance_type, SMALL, 2), "max_iter": 0}
    ours = GaussianMixture(**params).fit(SMALL)
    np.testing.assert_array_equal(ours.weights_, params["weights_init"])
    np.testing.assert_allclose(ours.means_, params["means_init"], rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(ours.precisions_, params["precisions_init"], rtol=1e-13)
    assert ours.stop_reason_.startswith("No iterations requested")
    # scikit-learn has an AttributeError for given precisions: it never sets covariances_
    del params["precisions_init"]
    theirs, ours = (cls(**params).fit(SMALL) for cls in BOTH)
    for name in ("n_iter_", "converged_", "lower_bound_", "lower_bounds_"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_no_iterations_do_not_warn(recwarn):
    GaussianMixture(3, max_iter=0, random_state=0).fit(X)
    assert not recwarn.list


@pytest.mark.parametrize("covariance_type", TYPES)
def test_warm_start(covariance_type):
    """Ignores the start and n_init, goes on from the attributes, compares with the stored bound."""
    params = {**start_of(covariance_type), "warm_start": True, "max_iter": 3, "tol": 1e-4}
    theirs, ours = (cls(**params, n_init=2) for cls in BOTH)
    for _ in range(40):
        theirs.fit(X)
        ours.fit(X)
        assert ours.n_iter_ == theirs.n_iter_
        assert ours.converged_ == theirs.converged_
        np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-10)
        if theirs.converged_:
            break
    assert theirs.converged_ and theirs.n_iter_ < 3, "the stored bound has decided"
    np.testing.assert_allclose(ours.means_, theirs.means_, atol=1e-9)


@pytest.mark.plain
def test_warm_start_equals_one_long_fit():
    whole = GaussianMixture(**start_of("full"), tol=0, max_iter=12).fit(X)
    parts = GaussianMixture(**start_of("full"), tol=0, max_iter=4, warm_start=True)
    bounds = [bound for _ in range(3) for bound in parts.fit(X).lower_bounds_]
    # attributes are rounded once a fit: to the data's units and back
    np.testing.assert_allclose(bounds, whole.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(parts.means_, whole.means_, rtol=1e-11)


def test_without_warm_start_a_fit_starts_anew():
    mixture = GaussianMixture(**start_of("full"), max_iter=3)
    first = mixture.fit(X).lower_bounds_
    assert mixture.fit(X).lower_bounds_ == first


def assert_refused(call, *args):
    with pytest.raises(ValueError):
        call(*args)


@pytest.mark.plain
@pytest.mark.parametrize("d", [1, 2, 4])
def test_warm_start_with_other_columns(d):
    mixture = GaussianMixture(3, warm_start=True, max_iter=2, random_state=0).fit(X)
    with pytest.raises(ValueError, match=f"X has {d} features"):
        mixture.fit(np.concatenate([X, X], axis=1)[:, :d])


CHANGES = [(a, b) for a in TYPES for b in TYPES if a != b]


@pytest.mark.parametrize(("before", "after"), CHANGES)
@pytest.mark.parametrize("method", ["predict", "score_samples", "predict_proba", "bic", "sample"])
def test_another_covariance_type_after_a_fit(before, after, method):
    """K = 5 and d = 3: no shape of one type passes for that of another."""
    mixture = GaussianMixture(5, covariance_type=before, random_state=0).fit(X)
    mixture.set_params(covariance_type=after)
    with pytest.raises(ValueError, match="do not go with covariance_type="):
        getattr(mixture, method)(*([] if method == "sample" else [X]))


def again(mixture, how, folder):
    """What goes on from a mixture that has been fitted: itself, or a copy by another way."""
    if how == "loaded":
        mixture.save(folder / "model.npz")
        return gmmfast.load(folder / "model.npz").set_params(warm_start=True)
    if how == "from scikit-learn":
        return GaussianMixture.from_sklearn(mixture.to_sklearn())
    return mixture


@pytest.mark.plain
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("how", ["fitted", "loaded", "from scikit-learn"])
@pytest.mark.parametrize(
    "change",
    [
        *({"n_components": 2}, {"n_components": 5}),
        *({"covariance_type": kind} for kind in ("VVV", "EII", "tied", "diag")),
    ],
)
def test_what_has_been_learned_goes_on_as_the_same_model(change, how, method, tmp_path):
    """A converged EII would pass for a converged VVV: the likelihood has not changed yet."""
    mixture = GaussianMixture(3, warm_start=True, random_state=0).fit(X)
    mixture = again(mixture, how, tmp_path).set_params(**change)
    means = mixture.means_
    with pytest.raises(ValueError, match="mixture has 3 components of covariance_type='full'"):
        getattr(mixture, method)(X)
    assert mixture.means_ is means
    mixture.set_params(n_components=3, covariance_type="full")
    getattr(mixture, method)(X)


# --------------------------------------------------------------------------------- observers


@pytest.mark.plain
def test_callback_sees_every_iteration():
    seen = []
    fitted = GaussianMixture(**start_of("full")).fit(X, callback=lambda *step: seen.append(step))
    assert [iteration for iteration, _ in seen] == list(range(1, fitted.n_iter_ + 1))
    assert [bound for _, bound in seen] == fitted.lower_bounds_
    assert fitted.converged_, "None is not a reason to stop"


@pytest.mark.plain
def test_callback_stops_and_keeps_what_there_is(recwarn):
    params = start_of("full")
    stopped = GaussianMixture(**params).fit(X, callback=lambda iteration, bound: iteration == 4)
    assert not recwarn.list, "who stops a fit knows that it has not converged"
    assert (stopped.n_iter_, stopped.converged_) == (4, False)
    assert stopped.stop_reason_ == "Stopped by the callback, a time limit or the end of a search."
    four = GaussianMixture(**params, max_iter=4).fit(X)
    for name in PARAMETERS:
        np.testing.assert_array_equal(getattr(stopped, name), getattr(four, name))


def test_callback_stops_all_starts():
    calls = []
    fitted = GaussianMixture(3, n_init=5, random_state=0, tol=0).fit(
        X, callback=lambda iteration, bound: calls.append(iteration) or len(calls) == 2
    )
    assert calls == [1, 2] and fitted.n_iter_ == 2


def test_callback_stops_all_starts_also_when_one_converges():
    """A request to stop is made once; it must not be lost because there was another reason."""
    first, calls = GaussianMixture(3, random_state=0).fit(X), []
    assert first.converged_

    def stop(iteration, bound):
        calls.append(iteration)
        return len(calls) == first.n_iter_

    fitted = GaussianMixture(3, n_init=3, random_state=0).fit(X, callback=stop)
    assert calls == list(range(1, first.n_iter_ + 1))
    assert fitted.lower_bounds_ == first.lower_bounds_


def test_callback_that_stops_when_it_converges_has_converged():
    params = start_of("full")
    last = GaussianMixture(**params).fit(X).n_iter_
    fitted = GaussianMixture(**params).fit(X, callback=lambda iteration, _: iteration == last)
    assert fitted.converged_


@pytest.mark.plain
def test_callback_may_raise():
    def interrupt(iteration, bound):
        raise KeyboardInterrupt

    mixture = GaussianMixture(**start_of("full"))
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(X, callback=interrupt)
    assert not hasattr(mixture, "weights_")
    mixture.fit(X)


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def advance(self, iteration, bound):
        self.now += 0.25


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("gmmfast.em.observers.time", SimpleNamespace(perf_counter=clock))
    return clock


SLOW = {"tol": 0, "max_iter": 10}


@pytest.mark.plain
def test_progress_in_plain_lines(clock, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    fitted = GaussianMixture(**start_of("full"), **SLOW)
    fitted.fit(X, progress=True, callback=clock.advance)
    out, err = capsys.readouterr()
    bounds = fitted.lower_bounds_
    assert out == ""
    assert err.splitlines() == [
        f"start 1: iteration {i} of at most 10, lower bound {bounds[i - 1]:.6g}" for i in (5, 9)
    ]


def test_progress_names_the_start(clock, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    mixture = GaussianMixture(3, n_init=2, random_state=0, tol=0, max_iter=6)
    mixture.fit(X, progress=True, callback=clock.advance)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" of ")[0] for line in lines] == [
        "start 1: iteration 5", "start 2: iteration 5",
    ]  # fmt: skip


@pytest.mark.parametrize("without_tqdm", [True, False])
def test_progress_of_a_short_fit_is_silent(without_tqdm, clock, monkeypatch, capsys):
    if without_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    else:
        pytest.importorskip("tqdm", reason="an extra")
    GaussianMixture(**start_of("full"), **SLOW).fit(X, progress=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.plain
def test_progress_as_a_bar(monkeypatch, capsys):
    pytest.importorskip("tqdm", reason="an extra")
    clock = Clock()
    monkeypatch.setattr("tqdm.std.time", clock)
    fitted = GaussianMixture(**start_of("full"), **SLOW)
    fitted.fit(X, progress=True, callback=clock.advance)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"start 1: +\d+%.*\| \d+/10 .*lower bound -\d", err)


def test_the_bar_is_closed_when_a_fit_fails(monkeypatch):
    closed = []
    bar = SimpleNamespace(close=lambda: closed.append(True))
    monkeypatch.setattr("gmmfast.em.observers._tqdm", lambda **options: bar)
    with pytest.raises(ValueError, match="ill-defined"):
        start = start_of("full") | {"reg_covar": 0.0}
        GaussianMixture(**start, **SLOW).fit(np.repeat(X[:1], 9, axis=0), progress=True)
    assert closed == [True]


def test_no_progress_unless_asked(clock, capsys):
    GaussianMixture(**start_of("full"), **SLOW).fit(X, callback=clock.advance)
    assert capsys.readouterr() == ("", "")


def printed(cls, capsys, **params):
    cls(**params).fit(X)
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


VERBOSE = {
    "converged": {"tol": 1e-3, "verbose_interval": 2},
    "every line": {"tol": 1e-3, "verbose_interval": 1},
    "not converged": {"tol": 0, "max_iter": 7, "verbose_interval": 3},
    "two starts": {"n_init": 2, "max_iter": 3},
    "no iterations": {"max_iter": 0, "precisions_init": None},
}


@pytest.mark.parametrize("verbose", [1, True, np.int64(1)])
@pytest.mark.parametrize("case", VERBOSE)
def test_verbose_prints_scikit_learns_lines(case, verbose, capsys):
    params = {**start_of("full"), **VERBOSE[case], "verbose": verbose}
    theirs, ours = (printed(cls, capsys, **params) for cls in BOTH)
    assert ours == theirs and theirs[0] == "Initialization 0"


@pytest.mark.parametrize("verbose", [2, 3])
@pytest.mark.parametrize("case", VERBOSE)
def test_more_verbose_also_prints_times(case, verbose, capsys):
    params = {**start_of("full"), **VERBOSE[case], "verbose": verbose}
    times = re.compile(r"time lapse \d+\.\d{5}s")
    theirs, ours = (
        [times.sub("time", line) for line in printed(cls, capsys, **params)] for cls in BOTH
    )
    assert ours == theirs


@pytest.mark.plain
def test_verbose_times(clock, capsys):
    fitted = GaussianMixture(**start_of("full"), tol=0, max_iter=4, verbose=2, verbose_interval=2)
    fitted.fit(X, callback=clock.advance)
    bounds = fitted.lower_bounds_
    assert capsys.readouterr().out.splitlines() == [
        "Initialization 0",
        f"  Iteration 2\t time lapse 0.25000s\t ll change {bounds[1] - bounds[0]:.5f}",
        f"  Iteration 4\t time lapse 0.50000s\t ll change {bounds[3] - bounds[2]:.5f}",
        f"Initialization did not converge. time lapse 1.00000s\t lower bound {bounds[3]:.5f}.",
    ]


def test_a_fit_is_silent(capsys):
    GaussianMixture(**start_of("full")).fit(X)
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------ attributes by hand


def by_hand(cls, names=PARAMETERS, **params):
    """A mixture that never saw `fit`: as scikit-learn's users make one."""
    source = made(params.get("covariance_type", "full"))
    mixture = cls(3, **params)
    for name in names:
        setattr(mixture, name, getattr(source, name).copy())
    return mixture


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("names", [PARAMETERS, ("weights_", "means_", "precisions_cholesky_")])
def test_attributes_set_by_hand(covariance_type, names):
    theirs, ours = (by_hand(cls, names, covariance_type=covariance_type) for cls in BOTH)
    rows = np.random.default_rng(0).normal(scale=4, size=(50, 2))
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))
    for method in ("predict_proba", "score_samples", "score", "bic", "aic"):
        a, b = getattr(ours, method)(rows), getattr(theirs, method)(rows)
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)  # theirs cancels more


@pytest.mark.plain
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_sample_of_attributes_set_by_hand(covariance_type):
    names = ("weights_", "means_", "covariances_")
    for cls in BOTH:
        rows, labels = by_hand(cls, names, covariance_type=covariance_type).sample(100)
        assert rows.shape == (100, 2) and labels.shape == (100,)


def test_attributes_set_by_hand_after_a_fit():
    """Means that are moved move the densities; the other attributes stay."""
    theirs, ours = (cls(**start_of("full")).fit(X) for cls in BOTH)
    for fitted in (theirs, ours):
        fitted.means_ = fitted.means_ + 1.0
    np.testing.assert_allclose(
        ours.predict_proba(X + 1.0), theirs.predict_proba(X + 1.0), atol=1e-7
    )
    unmoved = GaussianMixture(**start_of("full")).fit(X)
    np.testing.assert_allclose(ours.score(X + 1.0), unmoved.score(X), rtol=1e-12)


def test_a_model_set_by_hand_is_saved(tmp_path):
    import gmmfast

    mixture = by_hand(GaussianMixture)
    mixture.save(tmp_path / "model.npz")
    rows = np.zeros((1, 2))
    loaded = gmmfast.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.score_samples(rows), made("full").score_samples(rows))


@pytest.mark.plain
@pytest.mark.parametrize("name", ["weights_", "means_", "precisions_cholesky_"])
@pytest.mark.parametrize("change", ["fewer", "more", "narrower"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_attributes_that_do_not_belong_together(name, change, covariance_type):
    """Kernels do not look where arrays end: this is the last place that can."""
    mixture = by_hand(GaussianMixture, covariance_type=covariance_type)
    mixture.n_features_in_ = 2
    value = getattr(mixture, name)
    if change == "narrower" and value.ndim == 1:
        value = value[:, None]
    else:
        value = {
            "fewer": lambda a: a[:-1],
            "more": lambda a: np.concatenate([a, a]),
            "narrower": lambda a: a[..., :-1],
        }[change](value)
    setattr(mixture, name, value)
    for method in ("predict", "predict_proba", "score_samples"):
        assert_refused(getattr(mixture, method), np.zeros((5, 2)))


# -------------------------------------------------------------------------------- many starts


@pytest.mark.parametrize("init_params", ["random", "kmeans"])
def test_n_init_keeps_the_best(init_params):
    rng = np.random.RandomState(0)
    params = {"n_components": 6, "init_params": init_params, "max_iter": 30}
    singles = [GaussianMixture(**params, random_state=rng).fit(X) for _ in range(5)]
    bounds = [single.lower_bound_ for single in singles]
    assert len({round(bound, 9) for bound in bounds}) > 1, "all starts ended at the same place"
    several = GaussianMixture(**params, n_init=5, random_state=0).fit(X)
    best = singles[int(np.argmax(bounds))]
    assert several.lower_bound_ == best.lower_bound_ == max(bounds)
    for name in (*PARAMETERS, "lower_bounds_", "n_iter_", "converged_"):
        np.testing.assert_array_equal(getattr(several, name), getattr(best, name))


def failing(monkeypatch, *numbers):
    """Let the starts of these numbers collapse."""
    from gmmfast.em.starts import start

    made = []

    def sometimes(*args):
        made.append(len(made))
        if made[-1] in numbers:
            raise IllDefinedCovarianceError(component=made[-1])
        return start(*args)

    monkeypatch.setattr("gmmfast.estimators.fitting.start", sometimes)
    return made


@pytest.mark.parametrize("numbers", [(0,), (1,), (2,), (0, 1), (0, 2)])
def test_a_start_that_fails_is_passed_over(numbers, monkeypatch, recwarn):
    made = failing(monkeypatch, *numbers)
    fitted = GaussianMixture(3, n_init=3, random_state=0).fit(X)
    assert made == [0, 1, 2] and np.isfinite(fitted.lower_bound_)
    assert not recwarn.list


@pytest.mark.plain
def test_all_starts_fail(monkeypatch):
    failing(monkeypatch, 0, 1, 2)
    mixture = GaussianMixture(3, n_init=3, random_state=0)
    with pytest.raises(ValueError, match="covariance of component 0 is not positive definite at"):
        mixture.fit(X)
    assert not hasattr(mixture, "weights_")


@pytest.mark.plain
def test_a_fit_that_collapses_midway_is_passed_over(monkeypatch):
    """The first start gives one component a single row: without reg_covar it has no variance."""
    from gmmfast.em.starts import start

    sound, made = GaussianMixture(**start_of("full")), []

    def collapse_first(rows, model, K, init_params, rng, given):
        made.append(len(made))
        begun = start(rows, model, K, init_params, rng, given_of(sound, model, rows))
        if len(made) == 1:
            begun.begin.means[0] = 1e3  # far out, where one row only follows
        return begun

    rows = np.concatenate([X, [[1e3, 1e3, 1e3]]])
    monkeypatch.setattr("gmmfast.estimators.fitting.start", collapse_first)
    single = GaussianMixture(3, reg_covar=0, max_iter=2)
    with pytest.raises(ValueError, match="component 0 is not positive definite in iteration 1"):
        single.fit(rows)
    made.clear()
    assert np.isfinite(single.set_params(n_init=2).fit(rows).lower_bound_)
    assert made == [0, 1]


@pytest.mark.plain
def test_fit_predict_is_fit_and_predict():
    for weights in (None, np.linspace(0, 1, 300)):
        labels = GaussianMixture(3, random_state=0).fit_predict(X, sample_weight=weights)
        fitted = GaussianMixture(3, random_state=0).fit(X, sample_weight=weights)
        np.testing.assert_array_equal(labels, fitted.predict(X))
