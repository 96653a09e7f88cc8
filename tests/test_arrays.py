"""What may be passed where an array is meant, and the sentences for what may not."""

import datetime
import decimal
import re
import warnings

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from data import mixture

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.data.arrays import to_floats
from gmmfast.data.validation import check_rows, check_sample_weight

pytestmark = pytest.mark.plain

X = mixture(60, 2, 2, seed=1)[0]
W = np.ones(60)
FITTED = GaussianMixture(2, random_state=0).fit(X)


def mixture_of(covariances, means=((0.0, 0.0), (3.0, 3.0))):
    return GaussianMixture.from_parameters([0.5, 0.5], means, covariances)


def in_pieces(rows):
    return chunks([X, rows])


def lazily(predicted):
    return predicted.compute(scheduler="synchronous")


def of_blocks(rows):
    """A Dask array whose second block is `rows`, whatever these are."""
    return da.concatenate([da.from_array(X), one_block(rows)])


def one_block(rows):
    return da.from_array(X).map_blocks(lambda block: rows, meta=X[:0])


# what takes rows, in every way that a user can pass them
DOORS = {
    "fit": lambda rows: GaussianMixture(2).fit(rows),
    "fit_predict": lambda rows: GaussianMixture(2).fit_predict(rows),
    "partial_fit": lambda rows: GaussianMixture(2).partial_fit(rows),
    "search": lambda rows: GaussianMixtureIC([1]).fit(rows),
    **{
        name: lambda rows, name=name: getattr(FITTED, name)(rows)
        for name in ("predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl")
    },
    "fit of chunks": lambda rows: GaussianMixture(2).fit(in_pieces(rows)),
    "predict of chunks": lambda rows: list(FITTED.predict(in_pieces(rows))),
    "score of chunks": lambda rows: FITTED.score(in_pieces(rows)),
    "chosen columns": lambda rows: list(chunks([X, rows], columns=["x1"])),
    "fit of Dask": lambda rows: GaussianMixture(2).fit(of_blocks(rows)),
    "predict of Dask": lambda rows: lazily(FITTED.predict(one_block(rows))),
}
WEIGHTS = {
    "fit": lambda weights: GaussianMixture(2).fit(X, sample_weight=weights),
    "partial_fit": lambda weights: GaussianMixture(2).partial_fit(X, sample_weight=weights),
    "search": lambda weights: GaussianMixtureIC([1]).fit(X, sample_weight=weights),
    "score": lambda weights: FITTED.score(X, sample_weight=weights),
    "icl": lambda weights: FITTED.icl(X, sample_weight=weights),
    "pairs": lambda weights: GaussianMixture(2).fit(chunks([(X, weights)])),
    "chunks": lambda weights: GaussianMixture(2).fit(chunks(X, sample_weight=weights)),
    "Dask": lambda weights: GaussianMixture(2).fit(da.from_array(X), sample_weight=weights),
}
STARTS = {
    "weights_init": lambda v: GaussianMixture(2, weights_init=v([0.5, 0.5])).fit(X),
    "means_init": lambda v: GaussianMixture(2, means_init=v(X[:2])).fit(X),
    "precisions_init": lambda v: GaussianMixture(2, precisions_init=v([np.eye(2)] * 2)).fit(X),
    "means": lambda v: mixture_of([np.eye(2)] * 2, v(X[:2])),
    "covariances": lambda v: mixture_of(v([np.eye(2)] * 2)),
}


# ------------------------------------------------------------------------- masks, units, kinds


def masked(values):
    """The same with its last value masked."""
    values = np.ma.array(values)
    values.mask = np.zeros(values.shape, bool)
    values.mask.flat[-1] = True
    return values


class Length(np.ndarray):
    """An array with units, as astropy's and unyt's are."""

    def __array_finalize__(self, other):
        self.units = Unit("m")


class Unit:
    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name


class Quantity:
    """A number or an array with units, as pint's are."""

    def __init__(self, magnitude, unit="m"):
        self.magnitude, self._unit = np.asarray(magnitude), unit
        self.shape, self.ndim = self.magnitude.shape, self.magnitude.ndim

    @property
    def units(self):
        return Unit(self._unit)

    def __len__(self):
        return len(self.magnitude)

    def __array__(self, dtype=None, copy=None):
        return self.magnitude

    def __getitem__(self, index):
        return Quantity(self.magnitude[index], self._unit)


MASKED = r"Input {} contains masked values. The first is in row {}.* \(counted from 0\)"


@pytest.mark.parametrize("door", DOORS)
def test_rows__keep_their_mask(door):
    row = 119 if re.search("fit of|score of|chunks|columns", door) else 59
    with pytest.raises(ValueError, match=MASKED.format("X", f"{row}, column 1")):
        DOORS[door](masked(X))


@pytest.mark.parametrize("door", WEIGHTS)
def test_weights__keep_their_mask(door):
    with pytest.raises(ValueError, match=MASKED.format("sample_weight", 59)):
        WEIGHTS[door](masked(W))


@pytest.mark.parametrize("door", STARTS)
def test_starts__keep_their_mask(door):
    with pytest.raises(ValueError, match="contains masked values"):
        STARTS[door](masked)


def test_masks_of_dask_arrays_are_kept():
    rows = da.ma.masked_greater(da.from_array(X, chunks=20), X.max() - 1e-9)
    row, column = np.unravel_index(X.argmax(), X.shape)
    with pytest.raises(ValueError, match=MASKED.format("X", f"{row}, column {column}")):
        GaussianMixture(2).fit(rows)
    with pytest.raises(ValueError, match="contains masked values"):
        lazily(FITTED.predict(rows))
    weights = da.ma.masked_array(da.from_array(W, chunks=20), mask=np.arange(60) == 41)
    with pytest.raises(ValueError, match=MASKED.format("sample_weight", 41)):
        GaussianMixture(2).fit(da.from_array(X, chunks=20), sample_weight=weights)


IN_LISTS = {
    "masked rows": ([np.ma.array([1.0, 2.0]), masked([1.0, 2.0])], "masked .* row 1, column 1"),
    "a masked cell": ([[1.0, 2.0], [np.ma.masked, 2.0]], "masked .* row 1, column 0"),
    "a masked object": (np.array([[1.0, np.ma.masked]], object), "masked .* row 0, column 1"),
    "rows with units": ([Quantity([1.0, 2.0])] * 2, "got a Quantity in m"),
    "cells with units": ([[Quantity(1.0), Quantity(2.0)]], "got a Quantity in m"),
}


@pytest.mark.parametrize(("rows", "sentence"), IN_LISTS.values(), ids=IN_LISTS)
def test_masks_and_units_of_what_lists_hold(rows, sentence):
    for door in (check_rows, in_pieces_and_read):
        with pytest.raises((ValueError, TypeError), match=sentence.replace("row 1", r"row \d+")):
            door(rows)


def in_pieces_and_read(rows):
    return list(chunks([rows]))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("make", [Quantity, lambda values: np.asarray(values).view(Length)])
def test_rows__keep_their_units(door, make):
    with pytest.raises((TypeError, ValueError), match="must hold plain numbers; got a .* in m"):
        DOORS[door](make(X))


@pytest.mark.parametrize("doors", [WEIGHTS, STARTS], ids=["weights", "starts"])
def test_weights_and_starts__keep_their_units(doors):
    for door in doors.values():
        with pytest.raises((TypeError, ValueError), match="must hold plain numbers"):
            door(Quantity if doors is STARTS else Quantity(W))


KEPT = {
    "nothing masked": np.ma.array(X, mask=np.zeros(X.shape, bool)),
    "no mask": np.ma.array(X),
    "no units": Quantity(X, "dimensionless"),
    "a subclass of ours": X.view(type("Rows", (np.ndarray,), {})),
    "records as an array": X.view(np.recarray),
    "decimals": [[decimal.Decimal(str(x)) for x in row] for row in X],
}


@pytest.mark.parametrize("rows", KEPT.values(), ids=KEPT)
def test_rows__without_further_meaning_are_numbers(rows):
    found, _ = check_rows(rows)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, X)


def test_rows__are_checked_without_warnings():
    with warnings.catch_warnings(action="error"):
        for rows in (np.array([["1e400", "1"]], np.longdouble), [[10**400, 1]], [[-(10**400), 1]]):
            with pytest.raises(ValueError, match="X contains infinity or a value too large for dt"):
                check_rows(rows)
        check_rows(np.array([["1e-4000", "1"]], np.longdouble))
        with pytest.raises(ValueError, match="sample_weight contains infinity"):
            check_sample_weight(10**400, 3)
        with pytest.raises(ValueError, match="sample_weight contains infinity"):
            check_sample_weight(np.array(["1e400"], np.longdouble), 1)
        with pytest.raises(ValueError, match="Input contains infinity"):
            GaussianMixture(1, means_init=[[10**400, 0]]).fit(X)


# ------------------------------------------------------------------------------- not an array

NO_ARRAY = {
    "None": (None, "X must be an array or a frame of numbers; got None"),
    "a dict": ({"a": [1.0], "b": [2.0]}, "got a dict. Make a frame of its columns"),
    "a set": ({1.0, 2.0}, "got a set"),
    "a view of a dict": ({"a": [1.0]}.values(), "got a dict_values"),
    "an object": (object(), "got an object"),
    "a LazyFrame": (
        pl.LazyFrame({"a": [1.0]}),
        r"got a LazyFrame. It .* pass what its collect\(\)",
    ),
    "a structured array": (
        np.zeros(3, [("a", float), ("b", int)]),
        "got a structured array with the fields a, b. Use .*structured_to_unstructured",
    ),
    "records": (np.rec.fromarrays([W, W], names="unit,b"), "structured array with the fields unit"),
    "one field": (np.zeros(3, [("a", float)]), "structured array with the fields a"),
    "dates": ([[datetime.date(2020, 1, 1), 1.0]], "got a date in row 0, column 0"),
    "times": ([[1.0, pd.Timestamp(0)]], "got a Timestamp in row 0, column 1"),
    "durations": ([[datetime.timedelta(1), 1.0]], "got a timedelta in row 0, column 0"),
    "NumPy's dates": ([[np.datetime64("2020-01-01")]], "must hold numbers; got dates"),
    "text": ([["1.0", "high"]], "'high'"),
    "text among objects": (np.array([[1.0, 2], [3, "high"]], object), "'high' in row 1, column 1"),
    "records of Python": ([{"a": 1.0}, {"a": 2.0}], "got a dict in row 0"),
    "ragged": ([[1.0, 2.0], [3.0]], "with rows of one length; row 0 has 2 and row 1 has 1"),
    "lists in cells": (np.array([[1, [2, 3]]], object), "got a list in row 0, column 1"),
}


@pytest.mark.parametrize("case", NO_ARRAY)
def test_rows__that_are_no_array(case):
    rows, sentence = NO_ARRAY[case]
    for door in ("fit", "predict", "partial_fit", "search"):
        with pytest.raises((TypeError, ValueError), match=sentence):
            DOORS[door](rows)


@pytest.mark.parametrize("case", NO_ARRAY)
def test_weights_and_starts__that_are_no_array(case):
    values, sentence = NO_ARRAY[case]
    for name in ("sample_weight", "means"):
        with pytest.raises(
            (TypeError, ValueError), match=sentence.replace("X must", f"{name} must")
        ):
            to_floats(values, name)


NO_CHUNK = {
    **NO_ARRAY,
    "a number": (3.0, "got a float"),
    "an empty dict": ({}, "got a dict"),
    "empty text": ("", "got a str"),
    "a triple": ((X, W, W), "a pair of rows and weights; got one of length 3"),
    "an empty tuple": ((), "a pair of rows and weights; got one of length 0"),
}


@pytest.mark.parametrize("case", NO_CHUNK)
def test_chunks__that_are_no_array(case):
    piece, sentence = NO_CHUNK[case]
    sentence = sentence.replace("X must", ".* must").replace("row ", r"row \d*")
    with pytest.raises(
        ValueError, match=rf"the list, chunk 1, from row 60 on: .*(?s:.*{sentence})"
    ):
        GaussianMixture(2).fit(chunks([X, piece, X]))


def test_chunks__none_is_no_end():
    """Neither the last chunk of a list nor the rows of a pair."""
    for bad in (None, (None, W)):
        for source in ([X, bad, X], [X, X, bad], [bad]):
            with pytest.raises(ValueError, match=r"chunk \d, from row \d+ on: .* got None"):
                list(chunks(source))
    with pytest.raises(ValueError, match="chunk 1, from row 60 on: .* got None"):
        GaussianMixture(2).fit(of_blocks(None))
    rows = chunks([(X, None), (X, W)])  # no weights, as in fit
    assert [chunk.weights is None for chunk in rows] == [True, False]


@pytest.mark.parametrize("data", [{"a": X}, {1, 2}, b"rows.npy", None, 3, pl.LazyFrame({"a": [1]})])
def test_chunks__of_nothing_that_can_be_read(data):
    with pytest.raises(TypeError, match=f"chunks needs a path, .* got {type(data).__name__}"):
        chunks(data)


# ---------------------------------------------------------------------------- where it is


def spoilt(value, dtype=float):
    rows = X.astype(dtype)
    rows[[7, 40], [1, 0]] = value
    return rows


SENTENCES = {np.nan: r"X contains NaN\.(.|\n)*", np.inf: r"X contains infinity(.|\n)*"}


@pytest.mark.parametrize("value", SENTENCES)
@pytest.mark.parametrize("door", DOORS)
def test_what_is_not_finite_is_found(door, value):
    row = 67 if re.search("fit of|score of|chunks", door) else 7
    place = f"row {row}, column ('x1'|1)"
    if door == "chosen columns":  # only what is chosen counts
        place = "row 100, column 'x1'"
    with pytest.raises(ValueError, match=rf"{SENTENCES[value]}is in {place} \(counted from 0\)"):
        DOORS[door](spoilt(value))


FRAMES = {
    "pandas": lambda rows: pd.DataFrame(rows, columns=["a", "b"]),
    "pandas, nullable": lambda rows: pd.DataFrame(rows, columns=["a", "b"]).convert_dtypes(),
    "pandas, objects": lambda rows: pd.DataFrame(rows, columns=["a", "b"], dtype=object),
    "polars": lambda rows: pl.DataFrame(rows, schema=["a", "b"]),
    "pyarrow": lambda rows: pa.table({"a": rows[:, 0], "b": rows[:, 1]}),
}


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("value", SENTENCES)
@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_what_is_not_finite_is_found_by_the_name_of_its_column(make, value, dtype):
    frame = make(spoilt(value, dtype))
    for door, row in (("fit", 7), ("partial_fit", 7), ("fit of chunks", 67)):
        call = DOORS[door] if row == 7 else lambda rows: list(chunks([make(X), rows]))
        with pytest.raises(ValueError, match=rf"{SENTENCES[value]}is in row {row}, column 'b'"):
            call(frame)


def test_missing_cells_are_nan():
    holes = [[1.0, 2.0], [3.0, None]]
    for rows in (
        *(holes, np.array(holes, object), [[1.0, 2.0], [3.0, pd.NA]], [[1, 2], [3, pd.NaT]]),
        *(pd.array([1, None], "Int64"), pa.array([1, None]), pl.Series([1, None])),
        *(pd.Series([1, None], dtype="Int64"), pd.Series([1, pd.NA], dtype=object)),
    ):
        assert np.isnan(to_floats(rows, "X").flat[-1])


@pytest.mark.parametrize("columns", [None, ["a"]])
def test_labels_of_columns_that_are_no_names(columns):
    with pytest.raises(ValueError, match="row 7, column 20"):
        check_rows(pd.DataFrame(spoilt(np.nan), columns=[10, 20]), columns=columns)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("door", WEIGHTS)
def test_weights_that_are_not_finite_are_found(door, value):
    weights = W.copy()
    weights[[5, 9]] = value
    with pytest.raises(ValueError, match=r"sample_weight contains .* first is in row 5 \(counted"):
        WEIGHTS[door](weights)


def test_weights_of_later_chunks_are_found():
    with pytest.raises(ValueError, match="chunk 1, .* sample_weight contains NaN.* row 62 "):
        list(chunks([(X, W), (X, np.where(np.arange(60) == 2, np.nan, W))]))


def test_partitions_of_nullable_columns():
    cells = pd.DataFrame(X, columns=["a", "b"]).convert_dtypes()
    cells.loc[41, "b"] = pd.NA
    frame = dd.from_pandas(cells, npartitions=2)
    with pytest.raises(ValueError, match="is in row 41, column 'b'"):
        GaussianMixture(2).fit(frame)
    with pytest.raises(ValueError, match="is in row 11, column 'b'"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names, which this mixture has not
        lazily(FITTED.predict(frame))


# --------------------------------------------------------------------------- columns of frames

COLUMNS = {
    "categories of numbers": pd.Series([1, 2] * 30, dtype="category"),
    "periods": pd.Series(pd.period_range("2020", periods=60, freq="D")),
    "dates": pd.Series(pd.date_range("2020", periods=60)),
    "durations": pd.Series(pd.to_timedelta(range(60), "s")),
    "intervals": pd.Series(pd.interval_range(0, 60)),
    "text": pd.Series(["a"] * 60),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_columns_that_are_no_numbers_are_named(column):
    frame = pd.DataFrame({"a": X[:, 0], "b": column})
    for rows in (frame, in_pieces_of(frame)):
        with pytest.raises(ValueError, match="Column 'b' must hold numbers"):
            GaussianMixture(2).fit(rows)
    with pytest.raises(ValueError, match="Column 'sample_weight' must hold numbers"):
        GaussianMixture(2).fit(X, sample_weight=column)


def in_pieces_of(frame):
    return chunks([frame[:30], frame[30:]])


# ------------------------------------------------------------------------------ weights, if any


def test_messages_speak_of_weights_only_where_there_are_some():
    empty = [X[:0]]
    for weights, phrase in ((None, ""), (np.zeros(60), " of positive weight")):
        weighted = [(X, weights)] if phrase else empty
        with pytest.raises(ValueError, match=f"at least one row{phrase}; the data have none"):
            GaussianMixture(2).fit(chunks(weighted))
    one = np.where(np.arange(60) == 0, 1.0, 0.0)
    for rows, weights, phrase in ((X[:2], None, r"2\. Lower"), (X, one, "1 of positive weight")):
        for source in (chunks([(rows, weights)]), rows):
            call = {} if isinstance(source, type(chunks([X]))) else {"sample_weight": weights}
            with pytest.raises(ValueError, match=f"n_samples = {phrase}"):
                GaussianMixture(3).fit(source, **call)
    search = GaussianMixtureIC([1], criterion="cv", cv=61)
    with pytest.raises(ValueError, match="need as many rows; got 60"):
        search.fit(X)
    with pytest.raises(ValueError, match="need as many rows of positive weight; got 60"):
        search.fit(X, sample_weight=W)


@pytest.mark.parametrize("weight", [5e-324, 1e-300, 1e251])
def test_weights_of_pieces_out_of_range(weight):
    with pytest.raises(ValueError, match="sum of `sample_weight` must be between 1e-250 and 1e"):
        GaussianMixture(1).fit(chunks([(X, W * weight)]))


# ------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize("n_samples", [True, False, "3", 3.0, None, [3], 10**400])
def test_sample__needs_an_int(n_samples):
    search = GaussianMixtureIC([1], covariance_types=["EII"]).fit(X)
    for fitted in (FITTED, search):
        with pytest.raises(ValueError, match="'n_samples' parameter of sample must be an int in"):
            fitted.sample(n_samples)


@pytest.mark.parametrize("n_samples", [0, -3, np.int64(0), -(10**400)])
def test_sample__needs_one_row_in_the_words_of_scikit_learn(n_samples):
    sentence = f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one sa"
    with pytest.raises(ValueError, match=sentence):
        FITTED.sample(n_samples)


# ---------------------------------------------------------------------- attributes set by hand


def by_hand(*names, **other):
    """A mixture some of whose attributes have been set, as lists."""
    mixture = GaussianMixture(2)
    for name in names:
        setattr(mixture, name, getattr(FITTED, name).tolist())
    for name, value in other.items():
        setattr(mixture, name, value)
    return mixture


ALL = ("weights_", "means_", "covariances_", "precisions_cholesky_")
CALLS = {
    **{name: (X,) for name in ("predict", "predict_proba", "score_samples", "score", "bic", "icl")},
    "sample": (3,),
}


@pytest.mark.parametrize("method", CALLS)
def test_attributes_set_by_hand__are_enough(method):
    needed = [name for name in ALL if method != "sample" or name != "precisions_cholesky_"]
    found = getattr(by_hand(*needed, random_state=0), method)(*CALLS[method])
    expected = getattr(FITTED, method)(*CALLS[method])
    found, expected = (got if method == "sample" else (got,) for got in (found, expected))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", CALLS)
def test_attributes_set_by_hand__names_the_one_that_is_missing(method):
    missing = "covariances_" if method == "sample" else "precisions_cholesky_"
    mixture = by_hand(*(name for name in ALL if name != missing))
    with pytest.raises(ValueError, match=f"but no {missing}. .* GaussianMixture.from_parameters"):
        getattr(mixture, method)(*CALLS[method])
    with pytest.raises(ValueError, match="but no means_"):
        getattr(by_hand("weights_"), method)(*CALLS[method])


@pytest.mark.parametrize("method", CALLS)
def test_attributes_set_by_hand__go_together(method):
    for name, value in (("means_", [[0.0, 0.0]]), ("means_", [0.0]), ("weights_", 1.0)):
        mixture = by_hand(*ALL, **{name: value})
        with pytest.raises(ValueError, match="do not go with covariance_type='full'"):
            getattr(mixture, method)(*CALLS[method])
    with pytest.raises(ValueError, match="'covariance_type' parameter of GaussianMixture must be"):
        getattr(by_hand(*ALL, covariance_type="round"), method)(*CALLS[method])


def test_from_sklearn__refuses_other_mixtures():
    from sklearn.mixture import BayesianGaussianMixture

    with pytest.raises(ValueError, match="needs a fitted sklearn.* got Bayesian"):
        GaussianMixture.from_sklearn(BayesianGaussianMixture(random_state=0).fit(X))
