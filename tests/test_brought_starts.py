"""Starts that users bring: labels, responsibilities, or a callable that returns either."""

import pickle

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pytest
import reference
from data import EVERY, TYPES, mixture
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_models import MODEL_CODES, STORED

import gmmfast
from gmmfast import GaussianMixture
from gmmfast.data.given import check_memberships
from gmmfast.rows import MemoryRows

K, D = 3, 2
ALL = sorted(EVERY)
FEW, MANY = 150, 40_000  # passes over many rows are long enough for sorting

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")


def data(n, d=D, seed=0):
    """Rows, labels, responsibilities and weights, some of them zero."""
    X, labels = mixture(n, d, K, separation=4.0, seed=seed)
    rng = np.random.default_rng(seed)
    resp = rng.dirichlet(np.full(K, 0.3), n)
    return X, labels, resp, rng.integers(0, 4, n).astype(float)


def started(X, init_params, covariance_type="full", sample_weight=None, **params):
    """A mixture at its start."""
    made = GaussianMixture(
        K, covariance_type=covariance_type, init_params=init_params, **{"max_iter": 0, **params}
    )
    return made.fit(X, sample_weight=sample_weight)


def matrices(fitted):
    covariances = fitted.covariances_
    if fitted.covariance_type == "tied":
        covariances = np.broadcast_to(covariances, (K, *covariances.shape))
    return reference.full_covariances(covariances, K, fitted.means_.shape[1])


def assert_close(fitted, expected, rtol):
    for found, other in zip(
        (fitted.weights_, fitted.means_, matrices(fitted)), expected, strict=True
    ):
        np.testing.assert_allclose(found, other, rtol=0, atol=rtol * np.abs(other).max())


# ------------------------------------------------------------------------------- one M step


def test_are_worth_sorting__many_rows_alone():
    for n in (FEW, MANY):
        assert MemoryRows(np.zeros((n, D))).are_worth_sorting(K) == (n == MANY)


@pytest.mark.parametrize("n", [FEW, MANY])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_start_is_the_m_step(covariance_type, dtype, weighted, n):
    X, labels, resp, weights = data(n)
    X, own = X.astype(dtype), weights if weighted else None
    for init_params, memberships in ((labels, np.eye(K)[labels]), (resp, resp)):
        start = started(X, init_params, covariance_type, own, reg_covar=0.01)
        wide = X.astype(np.float64)
        expected = reference.m_step(wide, memberships, covariance_type, 0.01, own)
        assert_close(start, expected, 1e-12 if dtype == np.float64 else 1e-6)


@pytest.mark.parametrize("code", MODEL_CODES)
@pytest.mark.parametrize("name", STORED)
def test_labels__the_start_is_that_of_mclust(name, code):
    X, labels, models = STORED[name]
    theirs = {key: np.array(value) for key, value in models[code]["mstep"].items()}
    params = {"covariance_type": code, "reg_covar": 0.0, "max_iter": 0}
    start = GaussianMixture(len(np.unique(labels)), init_params=labels, **params).fit(X)
    np.testing.assert_allclose(start.weights_, theirs["weights"], rtol=1e-12)
    np.testing.assert_allclose(start.means_, theirs["means"], rtol=1e-10)
    if code != "VVE":  # mclust's common axes are not at the maximum
        scale = np.abs(theirs["covariances"]).max()
        np.testing.assert_allclose(
            start.covariances_, theirs["covariances"], rtol=0, atol=1e-5 * scale
        )


@pytest.mark.parametrize("n", [FEW, MANY])
@pytest.mark.parametrize("covariance_type", ALL)
def test_responsibilities__are_weights_of_repeated_rows(covariance_type, n):
    X, _, resp, weights = data(n, d=3)
    soft = started(X, resp, covariance_type, weights)
    repeated, labels = np.repeat(X, K, axis=0), np.tile(np.arange(K), n)
    hard = started(repeated, labels, covariance_type, (weights[:, None] * resp).ravel())
    assert_close(soft, (hard.weights_, hard.means_, matrices(hard)), 1e-9)


@pytest.mark.parametrize("n", [FEW, MANY])
@pytest.mark.parametrize("covariance_type", ALL)
def test_labels__are_responsibilities_of_zero_and_one(covariance_type, n):
    X, labels, _, weights = data(n, d=3)
    hard = started(X, labels, covariance_type, weights)
    soft = started(X, np.eye(K)[labels], covariance_type, weights)
    assert_close(soft, (hard.weights_, hard.means_, matrices(hard)), 1e-9)


def test_responsibilities__far_clusters_keep_their_digits():
    """Moments are taken about the means, not about the middle of all rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, D)) + 1e7 * np.repeat([[-1.0], [0.0], [1.0]], 200, axis=0)
    resp = np.repeat(np.eye(K), 200, axis=0)
    expected = reference.m_step(X, resp, "full")
    start = started(X, resp, reg_covar=0.0)
    np.testing.assert_allclose(start.covariances_, expected[2], rtol=1e-7)


# ------------------------------------------------------------------------------- then EM


@pytest.mark.parametrize("n", [FEW, MANY])
@pytest.mark.parametrize("kind", ["labels", "responsibilities", "callable"])
def test_em_follows__as_the_reference(kind, n):
    X, labels, resp, weights = data(n)
    memberships = resp if kind == "responsibilities" else np.eye(K)[labels]
    init_params = {"labels": labels, "responsibilities": resp}.get(kind, lambda *_: labels)
    fitted = started(X, init_params, "full", weights, max_iter=4, tol=0.0)
    begin = reference.m_step(X, memberships, "full", 1e-6, weights)
    bounds, *expected = reference.em(X, *begin, "full", 4, 1e-6, weights)
    np.testing.assert_allclose(fitted.lower_bounds_, bounds, atol=1e-10)
    assert_close(fitted, expected, 1e-9)


@pytest.mark.parametrize("kind", ["labels", "responsibilities"])
def test_any_number_of_threads_gives_equal_bits(kind):
    X, labels, resp, _ = data(MANY)
    init_params = {"labels": labels, "responsibilities": resp}[kind]
    one, two = (started(X, init_params, max_iter=3, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one.means_, two.means_)
    assert one.lower_bounds_ == two.lower_bounds_


def test_labels__of_any_type_of_array():
    X, labels, _, _ = data(FEW)
    expected = started(X, labels).means_
    kinds = (list, pd.Series, pl.Series, np.float32, np.uint8, lambda values: values.astype(object))
    for kind in kinds:
        np.testing.assert_array_equal(started(X, kind(labels)).means_, expected)
    names = np.array(["setosa", "versicolor", "virginica"])[labels]
    named = started(X, np.unique(names, return_inverse=True)[1])
    np.testing.assert_array_equal(named.means_, expected)
    halves = GaussianMixture(2, init_params=labels > 0, max_iter=0).fit(X)
    np.testing.assert_allclose(halves.means_[0], X[labels == 0].mean(axis=0), rtol=1e-12)


def test_responsibilities__of_any_type_of_array():
    X, _, resp, _ = data(FEW)
    expected = started(X, resp).means_
    for kind in (np.ndarray.tolist, pd.DataFrame, pl.DataFrame, np.asfortranarray):
        np.testing.assert_array_equal(started(X, kind(resp)).means_, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_responsibilities__of_a_fit_lead_to_its_next_step(dtype):
    X = data(FEW)[0].astype(dtype)
    params = {"random_state": 0, "tol": 0.0}
    fitted = GaussianMixture(K, max_iter=1, **params).fit(X)
    after = GaussianMixture(K, max_iter=2, **params).fit(X)
    start = started(X, fitted.predict_proba(X))
    np.testing.assert_allclose(start.means_, after.means_, rtol=1e-9 if dtype == "f8" else 1e-4)


def test_given_parameters_replace_the_estimates():
    X, labels, _, _ = data(FEW)
    plain, means = started(X, labels), X[:K]
    start = started(X, labels, means_init=means)
    np.testing.assert_allclose(start.means_, means, rtol=1e-12)
    np.testing.assert_allclose(start.weights_, plain.weights_, rtol=1e-12)
    np.testing.assert_allclose(start.covariances_, plain.covariances_, rtol=1e-12)
    start = started(X, labels, weights_init=[0.5, 0.3, 0.2], precisions_init=[np.eye(D)] * K)
    np.testing.assert_allclose(start.weights_, [0.5, 0.3, 0.2])
    np.testing.assert_allclose(start.means_, plain.means_, rtol=1e-12)
    np.testing.assert_allclose(start.covariances_, [np.eye(D)] * K)


# ------------------------------------------------------------------------------- callables


class Recorder:
    """Random labels, and what it was called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, X, n_components, rng):
        labels = rng.permutation(len(X)) % n_components
        self.calls.append((X, n_components, rng, labels))
        return labels


@pytest.mark.parametrize("seed", [3, np.random.RandomState(3), np.random.default_rng(3)])
def test_callable__gets_the_rows_and_the_generator(seed):
    X, _, _, weights = data(FEW)
    frame, recorder = pd.DataFrame(X, columns=["a", "b"]), Recorder()
    started(frame, recorder, sample_weight=weights, random_state=seed)
    [(rows, n_components, rng, _)] = recorder.calls
    np.testing.assert_array_equal(rows, X)
    assert n_components == K and not rows.flags.writeable
    kind = np.random.Generator if isinstance(seed, np.random.Generator) else np.random.RandomState
    assert isinstance(rng, kind)


def test_callable__is_called_for_each_start_and_the_best_is_kept():
    X, recorder = data(FEW)[0], Recorder()
    fitted = started(X, recorder, n_init=4, random_state=0, max_iter=5)
    assert len(recorder.calls) == 4
    labels = [call[3] for call in recorder.calls]
    assert len({own.tobytes() for own in labels}) == 4
    bounds = [started(X, own, max_iter=5).lower_bound_ for own in labels]
    assert fitted.lower_bound_ == max(bounds)


def test_callable__a_start_that_leaves_a_component_empty_is_passed_over():
    X, labels, _, _ = data(FEW)
    own = iter([labels % 2, labels, labels % 2])
    fitted = started(X, lambda *_: next(own), n_init=3)
    np.testing.assert_array_equal(fitted.means_, started(X, labels).means_)
    with pytest.raises(gmmfast.errors.EmptyComponentError, match="component 2 has none"):
        started(X, lambda *_: labels % 2, n_init=3)
    with pytest.raises(ValueError, match="should have the shape"):  # an error in the callable
        started(X, lambda *_: labels[1:], n_init=3)


def test_array__is_one_start():
    X, labels, _, _ = data(FEW)
    iterations = []
    made = GaussianMixture(K, init_params=labels, n_init=5, max_iter=2, tol=0.0)
    made.fit(X, callback=lambda *_: iterations.append(1))
    assert len(iterations) == 2


def by_first_feature(X, n_components, rng):
    """Equal numbers of rows, by their first feature."""
    return X[:, 0].argsort().argsort() * n_components // len(X)


def test_callable__works_for_folds_and_any_number_of_components():
    X = data(FEW)[0]
    search = GridSearchCV(
        GaussianMixture(init_params=by_first_feature), {"n_components": [1, 2, 3]}
    )
    assert search.fit(X).best_estimator_.converged_


# ------------------------------------------------------------------------------- conventions


def test_parameters_stay_as_they_are():
    _, labels, resp, _ = data(FEW)
    for init_params in (labels, resp, labels.tolist(), by_first_feature):
        made = GaussianMixture(K, init_params=init_params)
        assert made.get_params()["init_params"] is init_params is made.init_params
        assert made.set_params(init_params=resp).init_params is resp
        copy = clone(made.set_params(init_params=init_params))
        np.testing.assert_array_equal(copy.init_params, init_params)


def test_repr__is_short():
    text = repr(GaussianMixture(K, init_params=np.zeros(10_000, int)))
    assert "init_params=array([0, 0, 0" in text and len(text) < 500
    assert len(repr(GaussianMixture(K, init_params=[0] * 10_000))) < 500


def test_pickle__keeps_the_start():
    X, labels, _, _ = data(FEW)
    for init_params in (labels, by_first_feature):
        copy = pickle.loads(pickle.dumps(started(X, init_params, max_iter=5)))
        np.testing.assert_array_equal(copy.init_params, init_params)
        np.testing.assert_array_equal(
            copy.fit(X).means_, started(X, init_params, max_iter=5).means_
        )


def test_save__keeps_the_mixture_without_its_start(tmp_path):
    X, labels, _, _ = data(FEW)
    for init_params in (labels, by_first_feature):
        fitted = started(X, init_params, max_iter=5)
        fitted.save(tmp_path / "model.npz")
        loaded = gmmfast.load(tmp_path / "model.npz")
        assert loaded.init_params == "kmeans"
        np.testing.assert_array_equal(loaded.means_, fitted.means_)


@pytest.mark.parametrize("n", [FEW, MANY])
def test_checkpoint__is_resumed_to_the_same_bits(tmp_path, n):
    X, _, resp, _ = data(n)
    path, params = tmp_path / "fit.npz", {"max_iter": 8, "tol": 0.0}
    whole = started(X, resp, **params)
    made = GaussianMixture(K, init_params=resp, n_init=2, **params)
    made.fit(X, callback=lambda iteration, _: iteration == 3, checkpoint=path)
    resumed = GaussianMixture.resume(path)
    assert resumed.init_params == "kmeans"
    np.testing.assert_array_equal(resumed.fit(X).means_, whole.means_)


def test_to_sklearn__has_a_start_that_scikit_learn_knows():
    X, labels, _, _ = data(FEW)
    for init_params in (labels, by_first_feature, "hierarchical"):
        theirs = started(X, init_params, max_iter=5).to_sklearn()
        assert theirs.init_params == "kmeans" and theirs.fit(X).n_iter_ > 1


def test_warm_start__goes_on_without_the_labels():
    X, labels, _, _ = data(FEW)
    made = started(X, labels, max_iter=2, tol=0.0, warm_start=True).fit(X)
    whole = started(X, labels, max_iter=4, tol=0.0)
    np.testing.assert_allclose(made.means_, whole.means_, rtol=1e-12)


def test_partial_fit__of_the_first_batch():
    X, labels, _, _ = data(FEW)
    params = {"init_params": labels, "max_iter": 3}
    learned = GaussianMixture(K, **params).partial_fit(X)
    np.testing.assert_array_equal(learned.means_, GaussianMixture(K, **params).fit(X).means_)
    assert learned.partial_fit(X[:20]).n_samples_seen_ == FEW + 20


# ------------------------------------------------------------------------------- errors


def with_value(values, row, value):
    values = np.array(values, float)
    values[row] = value
    return values


_, LABELS, RESP, _ = data(FEW)
WRONG = {
    "a label too many": (
        with_value(LABELS, 7, 3),
        ["got 3 in row 7", "4 different", "n_components=4"],
    ),
    "a negative label": (with_value(LABELS, 7, -1), ["got -1 in row 7", "np.unique"]),
    "a fraction": (with_value(LABELS, 7, 0.5), ["integers", "got 0.5 in row 7"]),
    "a missing label": (with_value(LABELS, 7, np.nan), ["got nan in row 7"]),
    "text": (np.array(["a", "b", "c"])[LABELS], ["from 0 to 2", "got 'a'", "np.unique"]),
    "too many groups": (np.array(["a", "b", "c", "d"])[np.arange(FEW) % 4], ["n_components=4"]),
    "text objects": (pd.Series(["x"] * FEW), ["got 'x'", "return_inverse"]),
    "digits": ([str(label) for label in LABELS], ["np.unique"]),
    "an unused label": (LABELS % 2, ["Each of the 3 components", "component 2 has none", "lower"]),
    "too few labels": (LABELS[:-1], ["(150,) for labels or (150, 3)", "got (149,)", "a callable"]),
    "another K": (RESP[:, :2], ["(150, 3) for responsibilities", "got (150, 2)"]),
    "a negative value": (with_value(RESP, 7, [1.5, -0.5, 0]), ["non-negative", "-0.5 in row 7"]),
    "a sum": (with_value(RESP, 7, [1, 1, 0]), ["sum 1 in each row", "got the sum 2", "by its sum"]),
    "not a number": (with_value(RESP, 7, np.nan), ["got the sum nan", "row 7"]),
    "no responsibility": (with_value(RESP, slice(None), [0.5, 0, 0.5]), ["component 1 has none"]),
    "a column of labels": (LABELS[:, None], ["(150,) for labels", "(150, 1)", "labels.ravel()"]),
    "nothing": (lambda *_: None, ["must be an array"]),
    "a masked array": (np.ma.masked_equal(LABELS, 1), ["init_params", "masked"]),
}


@pytest.mark.parametrize("as_callable", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_errors(name, as_callable):
    wrong, parts = WRONG[name]
    init_params = (lambda *_: wrong) if as_callable and not callable(wrong) else wrong
    with pytest.raises(ValueError) as caught:
        started(data(FEW)[0], init_params)
    for part in parts:
        assert part in str(caught.value)
    is_named = "init_params(X, n_components, rng) returned" in str(caught.value)
    assert is_named == callable(init_params)


def test_labels__may_be_categories_of_numbers():
    X, labels, _, _ = data(FEW)
    as_categories = started(X, pd.Series(pd.Categorical(labels)))
    np.testing.assert_array_equal(as_categories.means_, started(X, labels).means_)


@pytest.mark.parametrize("n_components", [2, 6, 16])
def test_responsibilities__may_be_rounded_to_three_digits(n_components):
    rng = np.random.default_rng(0)
    resp = rng.dirichlet(np.ones(n_components), 200)
    resp[0] = 1 / n_components
    rounded = check_memberships(resp.round(3), 200, n_components)
    np.testing.assert_allclose(rounded.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(rounded, resp, atol=0.01)


@pytest.mark.parametrize("n_components", [3, 3000])
def test_responsibilities__rows_of_zeros_are_refused(n_components):
    resp = np.zeros((4, n_components))
    resp[:3, 0] = 1
    with pytest.raises(ValueError, match="got the sum 0 and .* in row 3"):
        check_memberships(resp, 4, n_components)


def test_errors__a_component_whose_rows_have_no_weight():
    X, labels, _, _ = data(FEW)
    for init_params in (labels, np.eye(K)[labels]):
        with pytest.raises(ValueError, match="component 1 has none"):
            started(X, init_params, sample_weight=(labels != 1).astype(float))


def test_errors__a_covariance_that_is_not_positive_definite():
    X, labels, _, _ = data(FEW)
    labels[labels == 1] = 0
    labels[:1] = 1
    for init_params in (labels, lambda *_: labels):
        with pytest.raises(
            gmmfast.errors.IllDefinedCovarianceError,
            match="component 1 .* at the start: raise reg_covar",
        ):
            started(X, init_params, reg_covar=0.0)
    assert started(X, labels).degenerate_.tolist() == [False, True, False]


@pytest.mark.parametrize("kind", ["labels", "callable"])
@pytest.mark.parametrize("source", [gmmfast.chunks, da.from_array])
def test_errors__rows_elsewhere(source, kind):
    X, labels, _, _ = data(FEW)
    init_params = labels if kind == "labels" else by_first_feature
    with pytest.raises(ValueError, match="need rows in memory; got .* or give weights_init"):
        started(source(X), init_params)
