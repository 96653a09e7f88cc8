"""`GaussianMixture` beside scikit-learn's: the same mistakes refused, the same input accepted."""

import inspect
import re
import warnings

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse
from data import TYPES, mixture
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.utils.validation import _check_sample_weight

from gmmfast import GaussianMixture
from gmmfast.data.constraints import FACTOR_MODELS, MODEL_CODES, ONE_COLUMN
from gmmfast.data.validation import check_rows
from gmmfast.errors import IllDefinedCovarianceError

pytestmark = pytest.mark.plain

BOTH = (SklearnMixture, GaussianMixture)
X = mixture(60, 2, 2, seed=1)[0]
EYE = np.eye(2)


def raised(call, *args, **kwargs):
    with pytest.raises(Exception) as caught:  # noqa: PT011, B017 - which one is the question
        call(*args, **kwargs)
    return caught.value


def assert_as_theirs(ours, theirs, sentence=None):
    """Whoever catches scikit-learn's error catches ours, and first reads the same sentence."""
    for base in type(theirs).__mro__:
        if base.__module__ == "builtins":
            assert isinstance(ours, base)
    if type(theirs).__module__ != "builtins":
        assert type(ours).__name__ == type(theirs).__name__
    # what scikit-learn says of NaN ends with advice to use other estimators
    sentence = sentence or str(theirs).split(" For supervised learning")[0]
    assert str(ours).startswith(sentence), f"\nours: {ours}\ntheirs: {theirs}"


def fitted(cls, rows=X, **params):
    return cls(2, random_state=0, **params).fit(rows)


# --------------------------------------------------------------------------------- bad rows


def spoilt(value, dtype=np.float64):
    rows = X.astype(dtype)
    rows[7, 1] = value
    return rows


ROWS = {
    "NaN": spoilt(np.nan),
    "NaN in float32": spoilt(np.nan, np.float32),
    "NaN among objects": spoilt(np.nan, object),
    "None among objects": spoilt(None, object),
    "a string among objects": spoilt("a", object),
    "a dict among objects": spoilt({}, object),
    "infinity": spoilt(-np.inf),
    "infinity in float32": spoilt(np.inf, np.float32),
    "a number": np.float64(3.0),
    "1-d": X[:, 0],
    "3-d": X.reshape(5, 12, 2),
    "no rows": np.empty((0, 2)),
    "no columns": np.empty((60, 0)),
    "empty list": [],
    "list of an empty list": [[]],
    "ragged": [[1.0, 2.0], [3.0]],
    "complex": X + 1j,
    "csr": scipy.sparse.csr_matrix(X),
    "coo": scipy.sparse.coo_array(X),
    "dia": scipy.sparse.dia_matrix(EYE),
}
ONLY_FIT = {
    "one row": X[:1],
    "strings": np.array([["a", "b"], ["c", "d"]]),
}


@pytest.mark.parametrize("case", [*ROWS, *ONLY_FIT])
def test_fit_refuses_rows(case):
    theirs, ours = (raised(cls(2).fit, {**ROWS, **ONLY_FIT}[case]) for cls in BOTH)
    assert_as_theirs(ours, theirs)


METHODS = ("predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl")


@pytest.mark.parametrize("method", ["predict", "score"])
@pytest.mark.parametrize("case", ROWS)
def test_methods_refuse_rows(case, method):
    theirs, ours = (raised(getattr(fitted(cls), method), ROWS[case]) for cls in BOTH)
    assert_as_theirs(ours, theirs)


@pytest.mark.parametrize("method", ["fit_predict", *METHODS])
def test_every_method_looks_at_its_rows(method):
    with pytest.raises(ValueError, match="Input X contains NaN"):
        getattr(fitted(GaussianMixture), method)(ROWS["NaN"])


def test_text_is_no_number_even_where_it_spells_one():
    digits = np.array([["1", "2"], ["3", "4.5"]])
    for rows in (digits, digits.astype(bytes)):
        theirs, ours = (raised(fitted(cls).predict, rows) for cls in BOTH)
        assert_as_theirs(ours, theirs)
        with pytest.raises(ValueError, match="not compatible with arrays of bytes/strings"):
            GaussianMixture(2).fit(rows)


def test_fewer_rows_than_components():
    theirs, ours = (raised(cls(61).fit, X) for cls in BOTH)
    assert_as_theirs(ours, theirs)
    weights = np.zeros(60)
    weights[:2] = 1
    with pytest.raises(ValueError, match="n_components = 3, n_samples = 2"):
        GaussianMixture(3).fit(X, sample_weight=weights)  # rows of weight zero are absent


def test_a_refused_fit_leaves_no_fit():
    estimator = GaussianMixture(2)
    raised(estimator.fit, ROWS["NaN"])
    with pytest.raises(NotFittedError):
        estimator.predict(X)


# ------------------------------------------------------------------------------ bad weights

WEIGHTS = {
    "negative": np.linspace(-1, 1, 60),
    "all zero": np.zeros(60),
    "too few": np.ones(59),
    "too many": np.ones(61),
    "2-d": np.ones((60, 1)),
    "NaN": np.r_[np.nan, np.ones(59)],
    "infinity": np.r_[np.inf, np.ones(59)],
    "complex": np.ones(60) + 1j,
    "strings": ["a"] * 60,
    "objects": np.array([{}] * 60, object),
    "sparse": scipy.sparse.csr_matrix(np.ones((1, 60))),
    "the number 0": 0,
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_fit_refuses_weights(case):
    theirs = raised(_check_sample_weight, WEIGHTS[case], X, ensure_non_negative=True)
    ours = raised(GaussianMixture(2).fit, X, sample_weight=WEIGHTS[case])
    assert_as_theirs(ours, theirs)


@pytest.mark.parametrize("method", ["fit_predict", "score", "bic", "aic", "icl"])
def test_every_method_looks_at_its_weights(method):
    call = getattr(fitted(GaussianMixture), method)
    for case, sentence in (("negative", "Negative values"), ("too few", "expected")):
        with pytest.raises(ValueError, match=sentence):
            call(X, sample_weight=WEIGHTS[case])


def test_one_number_weighs_every_row():
    plain, weighted = fitted(GaussianMixture), GaussianMixture(2, random_state=0)
    weighted.fit(X, sample_weight=2)
    np.testing.assert_allclose(weighted.means_, plain.means_, rtol=1e-12)  # sums round otherwise
    assert abs(weighted.score(X, sample_weight=0.5) - weighted.score(X)) < 1e-12


# ------------------------------------------------------------------------------- bad starts

GIVEN = {
    "weights of 3": {"weights_init": [0.2, 0.3, 0.5]},
    "weights 2-d": {"weights_init": [[0.5, 0.5]]},
    "weights sum to 1.1": {"weights_init": [0.5, 0.6]},
    "weights off by 1e-7": {"weights_init": [0.5, 0.5 + 1e-7]},
    "weights with NaN": {"weights_init": [np.nan, 0.5]},
    "weights are a number": {"weights_init": 3},
    "weights are a string": {"weights_init": "abc"},
    "weights are strings": {"weights_init": ["a", "b"]},
    "weights are sparse": {"weights_init": scipy.sparse.csr_matrix([[0.5, 0.5]])},
    "means of 3": {"means_init": np.zeros((3, 2))},
    "means of 3 columns": {"means_init": np.zeros((2, 3))},
    "means 1-d": {"means_init": [1.0, 2.0]},
    "means ragged": {"means_init": [[1.0], [1.0, 2.0]]},
    "means infinite": {"means_init": [[np.inf, 0.0], [0.0, 0.0]]},
    "means are a number": {"means_init": 3},
    "precisions with NaN": {"precisions_init": [EYE, EYE * np.nan]},
    "precisions are a number": {"precisions_init": 3},
}


@pytest.mark.parametrize("case", GIVEN)
def test_fit_refuses_starts(case):
    theirs, ours = (raised(cls(2, **GIVEN[case]).fit, X) for cls in BOTH)
    assert_as_theirs(ours, theirs)


def test_range_of_weights():
    """scikit-learn's sentence calls the smallest value the largest; ours does not."""
    theirs, ours = (raised(cls(2, weights_init=[-0.5, 1.5]).fit, X) for cls in BOTH)
    sentence = "The parameter 'weights' should be in the range [0, 1], but got max value "
    assert str(theirs) == sentence + "-0.50000, min value 1.50000"
    assert_as_theirs(ours, theirs, sentence + "1.50000, min value -0.50000")


SKEW = np.array([[1.0, 0.5], [0.0, 1.0]])
ONES = np.ones((2, 2))
PRECISIONS = {
    "full": [
        *(EYE, [EYE] * 3, [np.eye(3)] * 2),
        *([EYE, SKEW], [EYE, -EYE], [EYE, ONES], [EYE, 0 * EYE]),
    ],
    "tied": [np.eye(3), [1.0, 1.0], SKEW, -EYE, ONES],
    "diag": [[1.0, 1.0], np.ones((2, 3)), [[1, 1], [1, -1]], [[1, 1], [1, 0]]],
    "spherical": [EYE, np.ones(3), [1.0, -1.0], [1.0, 0.0]],
}


@pytest.mark.parametrize(
    ("covariance_type", "precisions"), [(t, p) for t in TYPES for p in PRECISIONS[t]]
)
def test_fit_refuses_precisions(covariance_type, precisions):
    params = {"covariance_type": covariance_type, "precisions_init": precisions}
    theirs, ours = (raised(cls(2, **params).fit, X) for cls in BOTH)
    assert_as_theirs(ours, theirs)


@pytest.mark.parametrize("ratio", [1e6, 1e10, 1e20])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_positive_definite_whatever_the_units(covariance_type, ratio):
    """Columns in bytes beside columns in seconds are as well-defined as in the same unit."""
    units = np.array([1.0, ratio])
    matrix = np.array([[1.0, 0.6], [0.6, 1.0]])
    precision = matrix / np.outer(units, units)
    start = GaussianMixture(
        2,
        covariance_type=covariance_type,
        max_iter=0,
        weights_init=[0.5, 0.5],
        means_init=X[:2] * units,
        precisions_init=precision if covariance_type == "tied" else [precision] * 2,
    ).fit(X * units)
    covariance = start.covariances_ if covariance_type == "tied" else start.covariances_[0]
    expected = np.linalg.inv(matrix) * np.outer(units, units)
    np.testing.assert_allclose(covariance, expected, rtol=1e-12)  # condition 4, a few roundings


MEANS = [[0.0, 0.0], [1.0, 1.0]]
NOT_PARAMETERS = [
    ("should be normalized", [0.5, 0.6], MEANS, [EYE, EYE]),
    ("'weights' should have the shape of (2,)", [0.5, 0.25, 0.25], MEANS, [EYE, EYE]),
    ("'means' should have the shape of (2, 1)", [0.5, 0.5], [0.0, 1.0], [EYE, EYE]),
    ("'full covariance' should be symmetric, pos", [0.5, 0.5], MEANS, [EYE, -EYE]),
    ("'full covariance' should be symmetric, pos", [0.5, 0.5], MEANS, [EYE, SKEW]),
    ("'full covariance' should have the shape of (2, 2, 2)", [0.5, 0.5], MEANS, EYE),
    ("contains NaN", [0.5, 0.5], MEANS, [EYE, EYE * np.nan]),
    ("contains NaN", [0.5, 0.5], [[0.0, np.nan], [1.0, 1.0]], [EYE, EYE]),
    ("Complex data not supported", [0.5, 0.5], [[0.0, 1j], [1.0, 1.0]], [EYE, EYE]),
]


@pytest.mark.parametrize(("sentence", "weights", "means", "covariances"), NOT_PARAMETERS)
def test_from_parameters_refuses(sentence, weights, means, covariances):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        GaussianMixture.from_parameters(weights, means, covariances)


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], [1, 2], ["a", None]])
def test_from_parameters_refuses_names(names):
    with pytest.raises((ValueError, TypeError), match="(?i)feature.names"):
        GaussianMixture.from_parameters(
            [0.5, 0.5], MEANS, [1.0, 1.0], covariance_type="spherical", feature_names=names
        )


def test_from_parameters_refuses_parameters_of_the_constructor():
    with pytest.raises(ValueError, match="The 'covariance_type' parameter of GaussianMixture"):
        GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]], covariance_type="round")
    with pytest.raises(TypeError, match="unexpected keyword argument 'k'"):
        GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]], k=3)


# ------------------------------------------------------------ parameters of the constructor

OUT_OF_RANGE = {
    "n_components": [0, -1, 1.5, "2", None, np.nan],
    "covariance_type": ["round", None, 3],
    "tol": [-1.0, np.nan, np.inf, None, "a"],
    "reg_covar": [-1e-9, np.nan, np.inf, "a"],
    "max_iter": [-1, 1.5, None],
    "n_init": [0, 2.0, None],
    "init_params": ["means", None, 0],
    "random_state": [-1, 1 << 32, 1.5, "a"],
    "warm_start": ["yes", 1, None],
    "verbose": [-1, 1.5, "a"],
    "verbose_interval": [0, 1.5, None],
}


def without_order(text):
    """Choices in a sorted order (scikit-learn's is that of a set), and none that are ours alone."""
    ours = {repr(name) for name in (*MODEL_CODES, *ONE_COLUMN, *FACTOR_MODELS, "hierarchical")}
    text = re.sub(r"{(.*)}", lambda m: str(sorted(set(m[1].split(", ")) - ours)), text)
    text = text.replace(", an array-like or a callable", "")
    return text.replace(", an instance of 'numpy.random.Generator' or", " or")


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in OUT_OF_RANGE.items() for value in values]
)
def test_constructor_parameters(name, value):
    estimators = [cls(**{name: value}) for cls in BOTH]  # which does not look at them
    theirs, ours = (raised(estimator.fit, X) for estimator in estimators)
    assert type(theirs).__name__ == type(ours).__name__ == "InvalidParameterError"
    assert isinstance(ours, ValueError) and isinstance(ours, TypeError)
    assert without_order(str(ours)) == without_order(str(theirs))


@pytest.mark.parametrize("n_jobs", [0, 1.5, "all"])
def test_n_jobs(n_jobs):
    with pytest.raises(ValueError, match="The 'n_jobs' parameter of GaussianMixture must be"):
        GaussianMixture(n_jobs=n_jobs).fit(X)


def test_every_parameter_is_held_against_its_range():
    elsewhere = {"weights_init", "means_init", "precisions_init"}
    elsewhere |= {"n_jobs", "acceleration", "missing_values", "covariance_ratio", "prior", "trim"}
    elsewhere |= {"noise", "noise_volume", "fixed", "component", "degrees_of_freedom", "n_factors"}
    assert {*inspect.signature(GaussianMixture).parameters} - elsewhere == {*OUT_OF_RANGE}


# -------------------------------------------------------------------------- use without a fit


@pytest.mark.parametrize("method", [*METHODS[:-1], "sample"])
def test_unfitted(method):
    args = (5,) if method == "sample" else (X,)
    theirs, ours = (raised(getattr(cls(), method), *args) for cls in BOTH)
    assert type(ours) is type(theirs) is NotFittedError
    assert str(ours) == str(theirs)


@pytest.mark.parametrize(("method", "args"), [("icl", (X,)), ("save", ("m",)), ("to_sklearn", ())])
def test_unfitted_beyond_the_drop_in(method, args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFittedError, match="not fitted yet. Call 'fit'"):
        getattr(GaussianMixture(), method)(*args)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n_samples", [0, -1])
def test_sample_needs_a_number_of_rows(n_samples):
    theirs, ours = (raised(fitted(cls).sample, n_samples) for cls in BOTH)
    # scikit-learn prints n_components, here 2, in place of what was asked for
    assert_as_theirs(ours, theirs, str(theirs).replace(": 2 ", f": {n_samples} "))


@pytest.mark.parametrize("method", METHODS[:-1])
def test_other_feature_count(method):
    theirs, ours = (raised(getattr(fitted(cls), method), np.zeros((3, 3))) for cls in BOTH)
    assert_as_theirs(ours, theirs)


# ------------------------------------------------------------------------------ column names


def frame(*names):
    return pandas.DataFrame(X[:, : len(names)], columns=list(names))


@pytest.mark.parametrize("names", ["ba", "ac", "cd", "a", "abc", "cdefghi"])
def test_other_feature_names(names):
    other = pandas.DataFrame(np.zeros((3, len(names))), columns=list(names))
    theirs, ours = (raised(fitted(cls, frame("a", "b")).predict, other) for cls in BOTH)
    assert_as_theirs(ours, theirs)


@pytest.mark.parametrize("with_names", [True, False])
@pytest.mark.parametrize("method", METHODS[:-1])
def test_names_on_one_side_only(method, with_names):
    seen, used = (frame("a", "b"), X) if with_names else (X, frame("a", "b"))
    texts = []
    for cls in BOTH:
        estimator = fitted(cls, seen)
        with pytest.warns(UserWarning, match="feature names") as caught:
            getattr(estimator, method)(used)
        texts.append([str(warning.message) for warning in caught])
    assert texts[0] == texts[1]
    assert caught[0].filename == __file__, "the warning points at who called"


def test_mixed_kinds_of_names():
    theirs, ours = (raised(cls(2).fit, frame("a", 1)) for cls in BOTH)
    assert_as_theirs(ours, theirs)


def test_names_that_are_no_text_are_none():
    for cls in BOTH:
        assert not hasattr(fitted(cls, frame(0, 1)), "feature_names_in_")


def test_a_second_fit_forgets_names():
    estimator = fitted(GaussianMixture, frame("a", "b"))
    np.testing.assert_array_equal(estimator.feature_names_in_, ["a", "b"])
    assert not hasattr(estimator.fit(X), "feature_names_in_")
    with warnings.catch_warnings(action="error"):
        estimator.predict(X)


def test_a_column_of_text_is_named():
    mixed = frame("a", "b").assign(b=["x"] * 60)
    for table in (mixed, polars.from_pandas(mixed), pyarrow.Table.from_pandas(mixed)):
        with pytest.raises(ValueError, match="could not convert string to float: 'x'.*Column 'b'"):
            GaussianMixture(2).fit(table)


def test_a_missing_cell_of_a_frame_is_not_a_number():
    cells = frame("a", "b").convert_dtypes()
    cells.loc[3, "b"] = pandas.NA
    with pytest.raises(ValueError, match="Input X contains NaN"):
        GaussianMixture(2).fit(cells)


# ------------------------------------------------------------------------ what is let through


def digest(rows, dtype):
    """All that a fit finds, and predictions on the same rows."""
    estimator = GaussianMixture(2, max_iter=4, tol=0, random_state=0)
    with pytest.warns(match="did not converge"):
        estimator.fit(rows)
    for name in ("weights_", "means_", "covariances_", "precisions_"):
        assert getattr(estimator, name).dtype == dtype
    return [
        *(estimator.weights_, estimator.means_, estimator.covariances_, estimator.lower_bounds_),
        *(estimator.predict_proba(rows), estimator.score_samples(rows), estimator.predict(rows)),
    ]


def assert_same_bits(rows, others, dtype="f8"):
    for a, b in zip(digest(rows, dtype), digest(others, dtype), strict=True):
        np.testing.assert_array_equal(a, b)


def packed_records(rows, folder):
    records = np.zeros(len(rows), [("flag", "i1"), ("x", rows.dtype, rows.shape[1:])])
    records["x"] = rows
    return records["x"]  # whose numbers do not start at multiples of their size


def read_only(rows, folder):
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


def memory_map(rows, folder):
    rows.tofile(folder / "rows")
    return np.memmap(folder / "rows", rows.dtype, "r", shape=rows.shape)


KEPT = {
    "C order": lambda rows, folder: rows.copy(),
    "Fortran order": lambda rows, folder: np.asfortranarray(rows),
    "every second row": lambda rows, folder: np.repeat(rows, 2, axis=0)[::2],
    "every second column": lambda rows, folder: np.repeat(rows, 2, axis=1)[:, ::2],
    "backwards": lambda rows, folder: rows[::-1].copy()[::-1],
    "mirrored": lambda rows, folder: rows[:, ::-1].copy()[:, ::-1],
    "read-only": read_only,
    "memory map": memory_map,
    "packed records": packed_records,
    "frame": lambda rows, folder: pandas.DataFrame(rows, columns=["a", "b"]),
}


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("kind", KEPT)
def test_floats_are_not_copied_and_give_the_same_bits(kind, dtype, tmp_path):
    plain = X.astype(dtype)
    rows = KEPT[kind](plain, tmp_path)
    writeable = np.asarray(rows).flags.writeable
    taken, _ = check_rows(rows)
    assert taken.dtype == dtype
    assert np.shares_memory(taken, np.asarray(rows))
    assert_same_bits(rows, plain, dtype)
    np.testing.assert_array_equal(np.asarray(rows), plain)
    assert np.asarray(rows).flags.writeable == writeable, "the caller's array stays as it was"


class Convertible:
    def __array__(self, dtype=None, copy=None):
        return X


CONVERTED = {
    "list": X.tolist(),
    "tuple": tuple(map(tuple, X)),
    "objects": X.astype(object),
    "__array__": Convertible(),
    "other byte order": X.astype(X.dtype.newbyteorder()),
    "extended precision": X.astype(np.longdouble),
    "masked array without a mask": np.ma.masked_array(X),
    "polars": polars.DataFrame(X, schema=["a", "b"]),
    "pyarrow": pyarrow.table({"a": X[:, 0], "b": X[:, 1]}),
    "two blocks": pandas.DataFrame({"a": X[:, 0]}).assign(b=X[:, 1]),
    "nullable": frame("a", "b").convert_dtypes(),
}


@pytest.mark.parametrize("kind", CONVERTED)
def test_conversions_give_the_same_bits(kind):
    assert_same_bits(CONVERTED[kind], X)


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.parametrize("dtype", ["i8", "i4", "u1", "f2", "?"])
def test_other_numbers_are_computed_in_float64(dtype):
    rows = np.abs(X * 10).astype(dtype) if dtype != "?" else X > 0
    assert_same_bits(rows, rows.astype(float))
    assert_same_bits(rows.tolist(), rows)


def test_weights_of_any_kind():
    w = np.random.default_rng(0).uniform(size=60)
    plain = GaussianMixture(2, random_state=0).fit(X, sample_weight=w)
    kinds = [w.tolist(), np.repeat(w, 2)[::2], w[::-1].copy()[::-1], read_only(w, None)]
    for weights in [*kinds, pandas.Series(w), polars.Series(w)]:
        same = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
        np.testing.assert_array_equal(same.means_, plain.means_)
        assert same.bic(X, sample_weight=weights) == plain.bic(X, sample_weight=w)


@pytest.mark.parametrize("convert", [np.asarray, np.float32, np.asfortranarray, np.ndarray.tolist])
def test_given_starts_of_any_kind(convert):
    start = {"weights_init": [0.25, 0.75], "means_init": X[:2], "precisions_init": [EYE, 2 * EYE]}
    kept = {name: convert(np.array(value)) for name, value in start.items()}
    started = GaussianMixture(2, max_iter=0, **kept).fit(X)
    for name, value in kept.items():
        assert getattr(started, name) is value, "a fit changes no parameter"
    np.testing.assert_array_equal(started.weights_, [0.25, 0.75])
    np.testing.assert_allclose(started.means_, X[:2], rtol=1e-6)  # eps of float32: 1e-7
    np.testing.assert_array_equal(started.covariances_, [EYE, EYE / 2])


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_ill_defined_covariances(dtype):
    """scikit-learn's sentence, for float32 with its advice, and then ours."""
    rows = np.repeat([[0.0, 0.0], [1.0, 1.0]], 30, axis=0).astype(dtype)
    start = {"means_init": rows[[0, -1]], "weights_init": [0.5, 0.5]}
    start["precisions_init"] = [EYE * 100] * 2
    theirs, ours = (raised(cls(2, reg_covar=0, **start).fit, rows) for cls in BOTH)
    assert isinstance(ours, IllDefinedCovarianceError)
    assert_as_theirs(ours, theirs)
