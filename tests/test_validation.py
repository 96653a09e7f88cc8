"""Input checks, held against scikit-learn's own: the same class, and its sentence first."""

import re
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.mixture import GaussianMixture as TheirMixture
from sklearn.mixture import _gaussian_mixture as theirs
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    check_array,
)
from sklearn.utils.validation import check_random_state as their_random_state

from gmmfast import GaussianMixture, GaussianMixtureIC
from gmmfast.data.constraints import (
    FACTOR_MODELS,
    MIXTURE,
    MODEL_CODES,
    ONE_COLUMN,
    Constraint,
    check_constructor,
    integer,
)
from gmmfast.data.given import check_means_init, check_precisions_init, check_weights_init
from gmmfast.data.validation import (
    check_features,
    check_random_state,
    check_rows,
    check_sample_weight,
)
from gmmfast.errors import InvalidParameterError

pytestmark = [pytest.mark.quick, pytest.mark.plain]

FLOATS = [np.float64, np.float32]
ONES = np.ones((3, 2))


def raised(call):
    with pytest.raises(Exception) as info:  # noqa: B017, PT011
        call()
    return info.value


def assert_same_error(ours, theirs, until=None):
    """The same class; their text first, as far as `until`."""
    expected, error = raised(theirs), raised(ours)
    assert type(error).__name__ == type(expected).__name__
    text = str(expected)
    if until is not None:
        assert until in text
        text = text[: text.index(until) + len(until)]
    assert str(error).startswith(text)


def with_value(value, dtype=np.float64, order="C"):
    X = np.ones((4, 2), dtype, order)
    X[2, 1] = value
    return X


def their_rows(X):
    return check_array(X, dtype=FLOATS, estimator="GaussianMixture", input_name="X")


# ----------------------------------------------------------------------------------- the rows

REFUSED = {
    "a number": 3.0,
    "a list": [1.0, 2.0],
    "a 1-D array": np.ones(3),
    "a 3-D array": np.ones((2, 2, 2)),
    "no rows": np.empty((0, 3)),
    "no columns": np.empty((3, 0)),
    "an empty list": [],
    "a list of nothing": [[]],
    "infinity": with_value(np.inf),
    "minus infinity in float32": with_value(-np.inf, np.float32),
    "infinity in columns": with_value(np.inf, order="F"),
    "half infinity": with_value(np.inf, np.float16),
    "complex": np.ones((3, 2), complex),
    "an object": np.array([[1, {}], [3, 4]], object),
    "a string": "hello",
    "strings": [["a", "b"]],
    "a string among numbers": np.array([[1, "a"], [3, 4]], object),
    "a ragged list": [[1, 2], [3]],
    "sparse rows": sp.csr_array(ONES),
    "a sparse matrix": sp.csc_matrix(ONES),
    "coordinates": sp.coo_array(ONES),
    "a dictionary of keys": sp.dok_array(ONES),
    "a sparse frame": pd.DataFrame.sparse.from_spmatrix(sp.csr_array(ONES)),
    "a pandas series": pd.Series([1.0, 2.0]),
    "a polars series": pl.Series([1.0, 2.0]),
    "text in pandas": pd.DataFrame({"a": ["x", "y"]}),
    "text in polars": pl.DataFrame({"a": ["x"]}),
    "text in Arrow": pa.table({"a": ["x"]}),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
}


@pytest.mark.parametrize("X", REFUSED.values(), ids=REFUSED)
def test_check_rows__refuses(X):
    assert_same_error(lambda: check_rows(X), lambda: their_rows(X))


def test_check_rows__refuses_np_matrix():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        X = np.matrix(ONES)
    assert_same_error(lambda: check_rows(X), lambda: their_rows(X))


NAN = {
    "float64": with_value(np.nan),
    "float32": with_value(np.nan, np.float32),
    "big-endian": with_value(np.nan, ">f8"),
    "in columns": with_value(np.nan, order="F"),
    "an object": np.array([[1, None], [3, 4]], object),
    "strided": with_value(np.nan)[::2],
    "pandas": pd.DataFrame({"a": [1.0, None]}),
    "pandas nullable": pd.DataFrame({"a": pd.array([1, None], "Int64")}),
    "polars": pl.DataFrame({"a": [1.0, None]}),
    "Arrow": pa.table({"a": [1.0, None]}),
}


@pytest.mark.parametrize("X", NAN.values(), ids=NAN)
def test_check_rows__refuses_nan(X):
    # what theirs adds is for supervised learning
    assert_same_error(lambda: check_rows(X), lambda: their_rows(X), until="NaN natively.")
    with pytest.raises(ValueError, match="Drop the rows that have them, or impute them first"):
        check_rows(X)


@pytest.mark.parametrize("X", [[["1", "2"]], np.array([[b"1"]])], ids=["str", "bytes"])
def test_check_rows__refuses_digits_in_strings(X):
    # scikit-learn parses them here; this is its sentence elsewhere
    assert_same_error(lambda: check_rows(X), lambda: check_array(np.array(X)))


@pytest.mark.parametrize(("dtype", "what"), [("M8[D]", "dates"), ("m8[s]", "durations")])
def test_check_rows__refuses_dates(dtype, what):
    with pytest.raises(ValueError, match=f"X must hold numbers; got {what}"):
        check_rows(np.zeros((2, 2), dtype))


@pytest.mark.parametrize("rows", [0, 1])
def test_check_rows__wants_enough_rows(rows):
    X = np.ones((rows, 3))
    assert_same_error(
        lambda: check_rows(X, name="Model", min_rows=2),
        lambda: check_array(X, ensure_min_samples=2, estimator="Model"),
    )


ACCEPTED = {
    "lists": [[1, 2], [3, 4]],
    "tuples": ((1, 2), (3, 4)),
    "arrays in a list": [np.ones(2), np.zeros(2)],
    "int": ONES.astype(int),
    "bool": ONES > 0,
    "half": ONES.astype(np.float16),
    "long double": ONES.astype(np.longdouble),
    "object": np.array([[1, 2.5], [3, 4]], object),
    "big-endian": ONES.astype(">f8"),
    "masked": np.ma.masked_array(ONES, mask=ONES > 2),
    "huge": np.full((4, 2), 1e308),
    "huge float32": np.full((4, 2), 3e38, np.float32),
    "pandas": pd.DataFrame(ONES),
    "polars": pl.DataFrame(ONES),
    "Arrow": pa.table({"a": [1.0, 2.0], "b": [3, 4]}),
}


@pytest.mark.parametrize("X", ACCEPTED.values(), ids=ACCEPTED)
def test_check_rows__converts_as_scikit_learn(X):
    rows, _ = check_rows(X)
    expected = their_rows(X)
    assert type(rows) is np.ndarray
    assert rows.dtype == expected.dtype and rows.dtype.isnative
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_check_rows__does_not_copy_floats(dtype, order):
    X = np.ones((8, 4), dtype, order[0].replace("s", "C"))
    X = X[::2, 1:] if order == "strided" else X
    X.flags.writeable = False
    assert check_rows(X)[0] is X


def test_check_rows__does_not_copy_a_memmap(tmp_path):
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=(50, 3))
    assert np.shares_memory(check_rows(X)[0], X)


@pytest.mark.parametrize(
    ("shape", "order"),
    [((1_000_000, 4), "C"), ((1_000_000, 4), "F"), ((4, 1_000_000), "C"), ((4, 1_000_000), "F")],
)
def test_check_rows__looks_for_nan_in_little_memory(shape, order):
    X = np.zeros(shape, order=order)
    X[-1, -1] = np.nan
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="NaN"):
            check_rows(X)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_check_rows__refuses_a_frame_without_columns():
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\) \(shape=\(3, 0\)\)"):
        check_rows(pd.DataFrame(index=range(3)))


def test_check_rows__refuses_infinities_whose_sum_is_nan():
    with pytest.raises(ValueError, match="Input X contains infinity"):
        check_rows([[np.inf, -np.inf]])


def test_check_rows__finds_nan_in_every_block():
    X = np.zeros((300, 4000))
    for row, column in [(0, 0), (0, 3999), (150, 1234), (299, 0), (299, 3999)]:
        for value, what in ((np.nan, "NaN"), (np.inf, "infinity")):
            X[row, column] = value
            for view in (X, X.T, X[::-1]):
                with pytest.raises(ValueError, match=f"contains {what}"):
                    check_rows(view)
            X[row, column] = 0


# --------------------------------------------------------------------------------- the columns


def frame(*names):
    return pd.DataFrame(np.ones((2, len(names))), columns=list(names))


def ours_then(estimator, X, reset):
    rows, names = check_rows(X)
    check_features(estimator, names, rows.shape[1], reset=reset)


def theirs_then(estimator, X, reset):
    _check_feature_names(estimator, X, reset=reset)
    _check_n_features(estimator, X, reset=reset)


def seen(check, *data):
    """Attributes and warnings after a fit to the first and a use of the second."""

    class GaussianMixture:
        pass

    estimator = GaussianMixture()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number, X in enumerate(data):
            check(estimator, X, reset=number == 0)
    names = getattr(estimator, "feature_names_in_", None)
    dtype = None if names is None else names.dtype
    told = [(warning.category, str(warning.message)) for warning in caught]
    return estimator.n_features_in_, dtype, None if names is None else list(names), told


@pytest.mark.parametrize(
    "data",
    [
        (ONES, ONES),
        (frame("a", "b"), frame("a", "b")),
        (frame("a", "b"), ONES),
        (ONES, frame("a", "b")),
        (frame(0, 1), frame(0, 1)),
        (frame("a", "b"), frame(0, 1)),
        (pl.DataFrame({"a": [1.0]}), pa.table({"a": [2.0]})),
    ],
)
def test_check_features__sets_and_warns(data):
    assert seen(ours_then, *data) == seen(theirs_then, *data)


@pytest.mark.parametrize(
    "data",
    [
        (ONES, np.ones((3, 3))),
        (frame("a", "b", "c"), frame("a", "c", "b")),
        (frame("a", "b", "c"), frame("a", "b", "d")),
        (frame("a", "b", "c"), frame("a", "b")),
        (frame("a", "b", "c"), frame("a", "b", "c", "d")),
        (frame(*"abcdefgh"), frame(*"ijklmnop")),
        (frame(1, "a"), ONES),
        (ONES, frame(1, "a")),
        (pl.DataFrame({"a": [1.0]}), pa.table({"b": [2.0]})),
    ],
)
def test_check_features__refuses(data):
    assert_same_error(lambda: seen(ours_then, *data), lambda: seen(theirs_then, *data))


def test_check_features__forgets_names_of_an_earlier_fit():
    mixture = GaussianMixture()
    check_features(mixture, ["a"], 1, reset=True)
    check_features(mixture, None, 2, reset=True)
    assert mixture.n_features_in_ == 2 and not hasattr(mixture, "feature_names_in_")


def test_warnings_point_at_the_caller():
    mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]], feature_names=["a"])
    with pytest.warns(UserWarning, match="does not have valid feature names") as caught:
        mixture.score([[0.0]])
    assert caught[0].filename == __file__


# --------------------------------------------------------------------------------- the weights


def their_weights(weights):
    return _check_sample_weight(
        weights, ONES, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=False
    )


@pytest.mark.parametrize(
    "weights",
    [
        [1, 2, 3],
        (1.0, 0.0, 0.5),
        2,
        2.5,
        np.float32(0.5),
        True,
        [True, False, True],
        np.array([1, 2, 3], np.float32),
        np.array([1, 2, 3], object),
        pd.Series([1, 2, 3]),
        pd.Series([1, 2, 3], dtype="Int64"),
        pd.Series([1, 2, 3], dtype="Sparse[float]"),
        pl.Series([1, 2, 3]),
        pa.array([1, 2, 3]),
        [-0.0, 1, 1],
        [1e-12, 1, 1e12],
    ],
)
def test_check_sample_weight__converts_as_scikit_learn(weights):
    result = check_sample_weight(weights, 3)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, their_weights(weights))


def test_check_sample_weight__none_stays_none():
    assert check_sample_weight(None, 3) is None


@pytest.mark.parametrize(
    "weights",
    [
        [1, 2],
        [[1, 2, 3]],
        np.ones((3, 1)),
        pd.DataFrame({"w": [1, 2, 3]}),
        [1, -1, 1],
        -1.0,
        [0, 0, 0],
        0,
        [1, np.nan, 1],
        [1, np.inf, 1],
        pd.Series([1, None, 3], dtype="Float64"),
        ["a", "b", "c"],
        sp.csr_array([[1, 2, 3]]),
        np.ones(3, complex),
    ],
)
def test_check_sample_weight__refuses(weights):
    assert_same_error(lambda: check_sample_weight(weights, 3), lambda: their_weights(weights))


@pytest.mark.parametrize("weights", [np.nan, np.inf, 1j])
def test_check_sample_weight__refuses_numbers_that_scikit_learn_lets_through(weights):
    with pytest.raises(ValueError, match="sample_weight contains|Complex data not supported"):
        check_sample_weight(weights, 3)


SUMS = [[1e308] * 3, [1e251, 0, 0], [5e-324, 0, 0], [1e-320] * 3, [1e-251] * 3]


@pytest.mark.parametrize("weights", SUMS)
def test_check_sample_weight__refuses_sums_out_of_range(weights):
    with pytest.raises(
        ValueError, match="sum of `sample_weight` must be between 1e-250 and 1e\\+250"
    ):
        check_sample_weight(weights, 3)


@pytest.mark.parametrize("unit", [1e-249, 1e249])
@pytest.mark.parametrize("dtype", FLOATS)
def test_fit__of_weights_in_any_unit_that_is_let_through(dtype, unit):
    X = np.random.default_rng(0).normal(size=(40, 2)).astype(dtype)
    X[:, 1] += X[:, 0]  # no covariance is near zero
    X[20:] += 9
    plain = GaussianMixture(2, random_state=0).fit(X, sample_weight=np.ones(40) / 40)
    fitted = GaussianMixture(2, random_state=0).fit(X, sample_weight=np.full(40, unit / 40))
    np.testing.assert_allclose(fitted.covariances_, plain.covariances_, rtol=1e-6)
    assert fitted.score(X, sample_weight=np.full(40, unit / 40)) == pytest.approx(plain.score(X))
    fitted.partial_fit(X, sample_weight=np.full(40, unit / 40))


# ------------------------------------------------------------------------------ the constructor

WRONG = [
    *(("n_components", value) for value in (0, -1, 2.0, "a", None, np.bool_(True), [1])),
    *(("max_iter", value) for value in (-1, 1.5, np.nan)),
    *(("n_init", value) for value in (0, None)),
    *(("verbose_interval", value) for value in (0, "a")),
    *(("tol", value) for value in (-1, -1e-9, np.inf, np.nan, "a", None, np.array(1.0), 1j)),
    *(("reg_covar", value) for value in (-1, np.inf, None)),
    *(("weights_init", value) for value in (1, "abc", b"x", iter([1]), sp.csr_array([[1.0]]))),
    *(("means_init", value) for value in (1.0, "abc")),
    *(("precisions_init", value) for value in (True, "abc")),
    *(("warm_start", value) for value in (0, 1, None, "a")),
    *(("verbose", value) for value in (-1, 1.5, None, "a")),
]


def their_constructor(**params):
    TheirMixture(**params)._validate_params()


def our_constructor(**params):
    check_constructor(GaussianMixture(**params))


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_check_constructor__refuses(name, value):
    params = {name: value}
    assert_same_error(lambda: our_constructor(**params), lambda: their_constructor(**params))
    error = raised(lambda: our_constructor(**params))
    assert isinstance(error, ValueError) and isinstance(error, TypeError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("covariance_type", "x"),
        ("covariance_type", None),
        *(("init_params", value) for value in ("x", None, 0, sp.csr_array([[1.0]]))),
    ],
)
def test_check_constructor__refuses_other_strings(name, value):
    def words(constructor):
        # theirs lists a set, in an order that changes from process to process
        text = str(raised(lambda: constructor(**{name: value})))
        return sorted(re.split("[{}, ]+", text.replace(", an array-like or a callable", "")))

    more = {
        "covariance_type": [*MODEL_CODES, *ONE_COLUMN, *FACTOR_MODELS],
        "init_params": ["hierarchical"],
    }[name]
    assert words(our_constructor) == sorted([*words(their_constructor), *map(repr, more)])


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "a", [1], np.bool_(True), np.random])
def test_check_constructor__refuses_seeds(seed):
    expected = str(raised(lambda: their_constructor(random_state=seed)))
    text = str(raised(lambda: our_constructor(random_state=seed)))
    generator = ", an instance of 'numpy.random.Generator' or None"  # scikit-learn takes none
    assert text == expected.replace(" or None", generator)


NUMBERS = {
    GaussianMixture: "n_components tol reg_covar max_iter n_init random_state verbose_interval "
    "n_jobs",
    GaussianMixtureIC: "n_components cv tol reg_covar max_iter max_seconds random_state n_jobs",
}


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls, names in NUMBERS.items() for name in names.split()]
)
def test_fit__takes_no_bool_for_a_number(cls, name, value):
    """scikit-learn takes True for 1."""
    with pytest.raises(InvalidParameterError, match=f"'{name}' .* must be .*Got {value} instead"):
        cls(**{name: value}).fit(ONES)


@pytest.mark.parametrize("name", ["decay", "forgetting"])
def test_partial_fit__takes_no_bool_for_a_number(name):
    with pytest.raises(InvalidParameterError, match=f"'{name}' .* must be a float"):
        GaussianMixture().partial_fit(ONES, **{name: name == "decay"})


HUGE = [(GaussianMixture, "tol"), (GaussianMixtureIC, "max_seconds"), (GaussianMixtureIC, "tol")]


@pytest.mark.parametrize(("cls", "name"), [*HUGE, (GaussianMixtureIC, "n_components")])
def test_check_constructor__refuses_numbers_that_no_float_or_array_holds(cls, name):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of {cls.__name__} must"):
        cls(**{name: 10**400}).fit(ONES)


@pytest.mark.parametrize("folds", ["abc", b"ab", [1, 2], [[1, 2, 3]], {1: 2}, [], 1, 2.0])
def test_check_constructor__refuses_folds(folds):
    with pytest.raises(InvalidParameterError, match="'cv' parameter of GaussianMixtureIC must be"):
        GaussianMixtureIC(criterion="cv", cv=folds).fit(ONES)


def test_check_constructor__takes_an_array_of_no_dimension_for_no_list():
    with pytest.raises(InvalidParameterError, match="'n_components' parameter of"):
        GaussianMixtureIC(np.array(2.5)).fit(ONES)


@pytest.mark.parametrize("jobs", [0, 1.5, "a", 2.0])
def test_check_constructor__refuses_jobs(jobs):
    with pytest.raises(InvalidParameterError, match="'n_jobs' parameter of GaussianMixture must"):
        our_constructor(n_jobs=jobs)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_components": np.int64(3), "max_iter": 0, "n_init": np.int8(1)},
        {"tol": 0, "reg_covar": np.float32(0)},
        {"weights_init": [1], "means_init": np.ones(2), "precisions_init": pd.DataFrame([1])},
        {"warm_start": np.bool_(True), "verbose": True, "verbose_interval": np.int64(1)},
        {"random_state": np.random.RandomState(0), "init_params": "k-means++"},
        {"random_state": 2**32 - 1, "covariance_type": np.str_("diag")},
    ],
)
def test_check_constructor__accepts(params):
    their_constructor(**params)
    our_constructor(**params)


def test_check_constructor__accepts_what_only_we_know():
    our_constructor(random_state=np.random.default_rng(0), n_jobs=-1)
    our_constructor(n_jobs=2)
    for memberships in ([0, 1], np.eye(2), pd.Series([0, 1]), lambda X, n_components, rng: X):
        our_constructor(init_params=memberships)


def test_check_constructor__table_names_every_parameter():
    assert set(MIXTURE) == set(GaussianMixture().get_params())


def test_check_constructor__serves_other_estimators():
    class Search:
        def __init__(self, folds, free=None):
            self.folds, self.free = folds, free

        def get_params(self, deep=True):
            return {"folds": self.folds, "free": self.free}

    table = {"folds": Constraint("an even int", lambda value: value % 2 == 0)}
    check_constructor(Search(2, free="anything"), table)
    with pytest.raises(InvalidParameterError, match="'folds' parameter of Search must be an even"):
        check_constructor(Search(3), table)
    with pytest.raises(InvalidParameterError, match=r"must be an int in the range \[2, inf\)"):
        check_constructor(Search(1), {"folds": integer(2)})


@pytest.mark.parametrize("seed", [None, 0, 2**32 - 1, np.int64(3), np.random.RandomState(0)])
def test_check_random_state__as_scikit_learn(seed):
    ours, theirs = check_random_state(seed), their_random_state(seed)
    if seed is None or isinstance(seed, np.random.RandomState):
        assert ours is theirs
    else:
        assert ours.randint(1 << 30) == theirs.randint(1 << 30)


def test_check_random_state__keeps_a_generator():
    rng = np.random.default_rng(0)
    assert check_random_state(rng) is rng


@pytest.mark.parametrize("seed", [1.5, "a", [1, 2], [], np.array([1, 2]), -1, 2**32])
def test_check_random_state__refuses(seed):
    assert_same_error(lambda: check_random_state(seed), lambda: their_random_state(seed))


# ------------------------------------------------------------------------------- given starts


@pytest.mark.parametrize("weights", [[0.5, 0.5], np.array([0.5, 0.5], np.float32), [1, 0]])
def test_check_weights_init__accepts(weights):
    result = check_weights_init(weights, 2)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, theirs._check_weights(weights, 2, xp=np))


@pytest.mark.parametrize(
    "weights",
    [[1.0], [[0.5, 0.5]], [0.5, 0.6], [0.5, 0.5 + 2e-8], [0.5, np.nan], [np.inf, 0], ["a", "b"]],
)
def test_check_weights_init__refuses(weights):
    assert_same_error(
        lambda: check_weights_init(weights, 2), lambda: theirs._check_weights(weights, 2, xp=np)
    )


def test_check_weights_init__names_the_range():
    weights = [-1, 2]
    # theirs calls the least the max, and the other way round
    assert_same_error(
        lambda: check_weights_init(weights, 2),
        lambda: theirs._check_weights(weights, 2, xp=np),
        until="in the range [0, 1], but got max value ",
    )
    with pytest.raises(ValueError, match=r"max value 2\.00000, min value -1\.00000"):
        check_weights_init(weights, 2)


@pytest.mark.parametrize(
    "means",
    [
        np.ones((2, 3), np.float32),
        [[1, 2, 3], [4, 5, 6]],
        pd.DataFrame(np.ones((2, 3))).convert_dtypes(),
        pl.DataFrame(np.ones((2, 3))),
    ],
)
def test_check_means_init__accepts(means):
    result = check_means_init(means, 2, 3)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, theirs._check_means(means, 2, 3))


@pytest.mark.parametrize(
    "means",
    [
        np.ones((3, 2)),
        [1, 2],
        np.full((2, 3), np.nan),
        np.full((2, 3), np.inf),
        [["a"]],
        np.ones((2, 3), complex),
        [[1, 2], [1]],
        pd.DataFrame([[1, 2, None], [1, 2, 3]], dtype="Float64"),
    ],
)
def test_check_means_init__refuses(means):
    assert_same_error(
        lambda: check_means_init(means, 2, 3), lambda: theirs._check_means(means, 2, 3)
    )


SHAPES = {"full": (3, 2, 2), "tied": (2, 2), "diag": (3, 2), "spherical": (3,)}


def precisions(covariance_type):
    if covariance_type in ("full", "tied"):
        return np.broadcast_to(np.eye(2), SHAPES[covariance_type]).copy()
    return np.ones(SHAPES[covariance_type])


@pytest.mark.parametrize("scale", [1e-100, 1, 1e100])
@pytest.mark.parametrize("covariance_type", SHAPES)
def test_check_precisions_init__accepts(covariance_type, scale):
    given = scale * precisions(covariance_type)
    result = check_precisions_init(given.tolist(), covariance_type, 3, 2)
    np.testing.assert_array_equal(result, theirs._check_precisions(given, covariance_type, 3, 2))


@pytest.mark.parametrize("value", [-1, 0, np.nan, np.inf])
@pytest.mark.parametrize("covariance_type", SHAPES)
def test_check_precisions_init__refuses_values(covariance_type, value):
    given = precisions(covariance_type)
    given.flat[0] = value
    assert_same_error(
        lambda: check_precisions_init(given, covariance_type, 3, 2),
        lambda: theirs._check_precisions(given, covariance_type, 3, 2),
    )


@pytest.mark.parametrize("shape", [(1,), (3, 3), (1, 1)])
@pytest.mark.parametrize("covariance_type", SHAPES)
def test_check_precisions_init__refuses_shapes(covariance_type, shape):
    given = np.ones(shape)
    assert_same_error(
        lambda: check_precisions_init(given, covariance_type, 3, 2),
        lambda: theirs._check_precisions(given, covariance_type, 3, 2),
    )


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("off_diagonal", [0.3, 2.0])
def test_check_precisions_init__refuses_other_matrices(covariance_type, off_diagonal):
    given = precisions(covariance_type)
    given[..., 0, 1] = off_diagonal
    if off_diagonal > 1:  # symmetric, but indefinite
        given[..., 1, 0] = off_diagonal
    assert_same_error(
        lambda: check_precisions_init(given, covariance_type, 3, 2),
        lambda: theirs._check_precisions(given, covariance_type, 3, 2),
    )


def test_check_precisions_init__sees_asymmetry_at_any_scale():
    lopsided = np.array([[2.0, 1.0], [0.0, 2.0]])
    for scale in (1e-100, 1e-20, 1e100):
        with pytest.raises(ValueError, match="'tied precision' should be symmetric, positive"):
            check_precisions_init(scale * lopsided, "tied", 1, 2)


def test_check_precisions_init__names_covariances():
    with pytest.raises(ValueError, match="'diag covariance' should be positive"):
        check_precisions_init([[0.0]], "diag", 1, 1, name="covariance")


# ------------------------------------------------------------------------ without scikit-learn


def test_checks_do_not_import_scikit_learn_or_frame_libraries():
    code = """
import sys
for name in ("sklearn", "pandas", "polars", "pyarrow", "scipy"):
    sys.modules[name] = None
import gmmfast
from gmmfast.data import constraints
from gmmfast.data import given
from gmmfast.data import validation as v
v.check_rows([[1, 2]])
v.check_sample_weight([1], 1)
constraints.check_constructor(gmmfast.GaussianMixture(random_state=0))
given.check_precisions_init([[[1.0]]], "full", 1, 1)
try:
    v.check_rows(__import__("numpy").full((1, 1), float("nan")))
except ValueError:
    pass
"""
    subprocess.run([sys.executable, "-c", code], check=True)
