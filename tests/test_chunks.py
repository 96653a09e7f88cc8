"""Rows that are read in pieces: the answers of rows in memory, from any source; clear errors."""

import threading
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data import TYPES, mixture
from sklearn.base import clone

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.parameters import equal_spheres
from gmmfast.rows import ChunkRows, MemoryRows, open_rows
from gmmfast.rows.chunks import in_order

NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(3000, 3, 4, separation=3.0, seed=2)[0]


@pytest.fixture(scope="module", name="w")
def weights(X):
    return np.random.default_rng(0).integers(0, 4, len(X)) / 3


class Pairs:
    """Rows and weights, some at a time."""

    def __init__(self, X, w, size):
        self.X, self.w, self.size = X, w, size

    def __iter__(self):
        for start in range(0, len(self.X), self.size):
            part = slice(start, start + self.size)
            yield self.X[part] if self.w is None else (self.X[part], self.w[part])


def assert_same(found, expected, rtol=1e-10):
    assert found.n_iter_ == expected.n_iter_
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=rtol, atol=1e-12
        )


# ------------------------------------------------------------------------ the same as in memory


@pytest.mark.parametrize("size", [1, 64, 777, 5000])
@pytest.mark.parametrize("weighted", [False, True])
def test_chunks_of_any_size(X, w, size, weighted):
    X, w = (X[:600], w[:600]) if size == 1 else (X, w)
    w = w if weighted else None
    params = {"random_state": 0, "max_iter": 12, "tol": 0.0}
    with pytest.warns(Warning, match="did not converge"):
        expected = GaussianMixture(4, **params).fit(X, sample_weight=w)
    with pytest.warns(Warning, match="did not converge"):
        found = GaussianMixture(4, **params).fit(chunks(Pairs(X, w, size)))
    assert_same(found, expected)


@pytest.mark.parametrize("covariance_type", [*TYPES, *MODEL_CODES])
def test_all_covariance_models(X, covariance_type):
    params = {"covariance_type": covariance_type, "random_state": 0, "tol": 1e-5}
    expected = GaussianMixture(4, **params).fit(X)
    assert_same(GaussianMixture(4, **params).fit(chunks(X, chunk_rows=500)), expected)


def test_float32(X):
    small = X.astype(np.float32)
    expected = GaussianMixture(4, random_state=0).fit(small)
    found = GaussianMixture(4, random_state=0).fit(chunks(small, chunk_rows=1000))
    assert found.means_.dtype == np.float32
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-4)


def test_reruns_are_equal_to_the_bit(X):
    one, two = (GaussianMixture(4, random_state=0).fit(chunks(X, chunk_rows=333)) for _ in "ab")
    np.testing.assert_array_equal(one.means_, two.means_)
    np.testing.assert_array_equal(one.covariances_, two.covariances_)


def test_a_component_that_some_chunks_know_nothing_of():
    X, labels = mixture(2000, 2, 4, separation=30.0, seed=1)
    X = X[np.argsort(labels)]
    expected = GaussianMixture(4, random_state=0).fit(X)
    assert_same(GaussianMixture(4, random_state=0).fit(chunks(X, chunk_rows=250)), expected)


def test_weights_that_differ_between_chunks_alone():
    """A light chunk's component is not pruned away by the heavy chunk's rows."""
    X, labels = mixture(2000, 2, 2, separation=6.0, seed=1)
    order = np.argsort(labels, kind="stable")
    X, w = X[order], np.where(labels[order] == 0, 1.0, 1e-10)
    start = {"means_init": [X[w == 1].mean(axis=0), X[w < 1].mean(axis=0)], "tol": 1e-9}
    expected = GaussianMixture(2, **start).fit(X, sample_weight=w)
    assert_same(GaussianMixture(2, **start).fit(chunks(Pairs(X, w, 1000))), expected, rtol=1e-8)


def test_more_rows_than_a_sample_start_at_the_same_sample():
    X, _ = mixture(9000, 2, 3, separation=2.0, seed=3)
    w = np.random.default_rng(1).uniform(size=len(X))
    for weights in (None, w):
        inside = MemoryRows(X, weights)
        pieces = ChunkRows(chunks(Pairs(X, weights, 1234)))
        one = inside.all_or_sample(4096, np.random.default_rng(0))
        two = pieces.all_or_sample(4096, np.random.default_rng(0))
        np.testing.assert_allclose(one.present()[0], two.present()[0], atol=1e-12)


@pytest.mark.parametrize("many", [200_000, 1000])
def test_searches(X, w, many, monkeypatch):
    """Where many rows stay in pieces, the choice and its criteria are those of rows in memory."""
    monkeypatch.setattr("gmmfast.estimators.selection.MANY", many)
    monkeypatch.setattr("gmmfast.search.search.MANY", many)
    search = GaussianMixtureIC(
        range(3, 6), covariance_types=["EEE", "VVV"], tol=1e-9, exhaustive=True, random_state=0
    )
    pieces = clone(search).fit(chunks(Pairs(X, w, 700)))
    search.fit(X, sample_weight=w)
    assert (pieces.best_n_components_, pieces.best_covariance_type_) == (
        search.best_n_components_, search.best_covariance_type_,
    )  # fmt: skip
    # at the optimum the likelihood is flat, and the doubt is not
    for name, rtol in (("bic", 1e-6), ("aic", 1e-6), ("icl", 1e-4)):
        np.testing.assert_allclose(pieces.results_[name], search.results_[name], rtol=rtol)
    assert pieces.score(chunks(Pairs(X, w, 700))) == pytest.approx(search.score(X, sample_weight=w))


@pytest.mark.parametrize("weighted", [False, True])
def test_entropy__is_that_of_rows_in_memory(X, w, weighted):
    X, w = X + 50, w if weighted else None  # far enough from zero to be centered
    inside, outside = MemoryRows(X, w), ChunkRows(chunks(Pairs(X, w, 700)))
    parameters = equal_spheres(X[:3] - outside.center)
    expected = inside.entropy(parameters)
    assert expected > 50 and outside.center.all()
    assert outside.entropy(parameters) == pytest.approx(expected, rel=1e-12)


def test_searches_by_entropy(X, w, monkeypatch):
    params = {"covariance_types": ["EEE", "VVV"], "criterion": "nec", "tol": 1e-9}
    search = GaussianMixtureIC([1, 3], random_state=0, **params).fit(X, sample_weight=w)
    monkeypatch.setattr("gmmfast.estimators.selection.MANY", 1000)
    pieces = clone(search).fit(chunks(Pairs(X, w, 700)))
    np.testing.assert_allclose(pieces.results_["nec"], search.results_["nec"], rtol=1e-4)


# -------------------------------------------------------------------------------- every source


@pytest.fixture
def sources(X, tmp_path):
    """The same rows in every form."""
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(X))
    frame = pd.DataFrame(X, columns=NAMES)
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=700)
    frame.to_feather(tmp_path / "rows.feather")
    with pa.OSFile(str(tmp_path / "rows.arrow"), "wb") as file:
        table = pa.Table.from_pandas(frame)
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=900)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_csv(tmp_path / "nameless.txt", index=False, header=False, sep="\t")
    folder = tmp_path / "folder"
    names = ["0.parquet", "1.parquet/part-0.parquet", "year=2024/part-0.parquet"]
    for name, part in zip(names, np.array_split(X, [100, 2000]), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(dict(zip(NAMES, part.T, strict=True))), folder / name)
    for left_behind in ("_temporary", ".hidden"):
        (folder / left_behind).mkdir()
        (folder / left_behind / "part-0.parquet").write_text("half a file")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "rows.npy", "fortran.npy", "rows.parquet", "rows.feather", "rows.arrow", "folder",
        "rows.csv", "nameless.txt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("chunk_rows", [None, 450])
def test_files(sources, X, name, chunk_rows):
    source = chunks(sources / name, chunk_rows=chunk_rows)
    found = list(source)
    np.testing.assert_array_equal(np.concatenate([chunk.X for chunk in found]), X)
    assert [chunk.first for chunk in found] == np.cumsum([0, *map(len_of, found)])[:-1].tolist()
    assert chunk_rows is None or max(map(len_of, found)) <= 450
    expected = GaussianMixture(4, random_state=0).fit(X)
    fitted = GaussianMixture(4, random_state=0).fit(source)
    assert_same(fitted, expected)
    assert list(getattr(fitted, "feature_names_in_", [])) == (
        [] if name.endswith(("npy", "txt")) else NAMES
    )


def len_of(chunk):
    return len(chunk.X)


def test_paths_alone_are_sources(sources, X):
    expected = GaussianMixture(4, random_state=0).fit(X)
    assert_same(GaussianMixture(4, random_state=0).fit(sources / "rows.npy"), expected)
    assert_same(GaussianMixture(4, random_state=0).fit(str(sources / "rows.parquet")), expected)


def test_columns_and_weights_of_files_and_frames(sources, X, w, tmp_path):
    frame = pd.DataFrame(X, columns=NAMES).assign(w=w)
    frame.to_parquet(tmp_path / "weighted.parquet")
    frame.to_csv(tmp_path / "weighted.csv", index=False)
    expected = GaussianMixture(3, random_state=0).fit(frame[["c", "a"]], sample_weight=w)
    frames = [frame[:1000], frame[1000:]]
    for data in (tmp_path / "weighted.parquet", tmp_path / "weighted.csv", frames):
        source = chunks(data, columns=["c", "a"], weight_column="w")
        found = GaussianMixture(3, random_state=0).fit(source)
        assert_same(found, expected)
        assert list(found.feature_names_in_) == ["c", "a"]
    assert chunks(frames, weight_column="w").names is None
    (first, _) = chunks(frames, weight_column="w")
    np.testing.assert_array_equal(first.X, X[:1000])


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 7])
def test_a_cell_of_a_text_file_that_goes_over_several_lines(tmp_path, chunk_rows):
    path = tmp_path / "rows.csv"
    path.write_text('note,a,b\n"say ""hi""\n\nto Bo",1,2\n\n"5\n",3,4\nx,5,6\n\n"y\n\nz",7,8\n')
    found = list(chunks(path, columns=["b", "a"], chunk_rows=chunk_rows))
    rows = np.concatenate([chunk.X for chunk in found])
    np.testing.assert_array_equal(rows, [[2, 1], [4, 3], [6, 5], [8, 7]])


def test_a_memmap_and_a_list(X, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    expected = GaussianMixture(4, random_state=0).fit(X)
    assert_same(GaussianMixture(4, random_state=0).fit(chunks(mapped, chunk_rows=800)), expected)
    assert_same(GaussianMixture(4, random_state=0).fit(chunks([X[:9], X[9:]])), expected)


# ------------------------------------------------------------------------------- using a fit


def test_a_memmap_that_is_large_is_read_in_pieces(X, w, tmp_path, monkeypatch):
    """By itself, unless there is room for it; answers and shapes of results are the same."""
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    inside = GaussianMixture(3, random_state=0).fit(X, sample_weight=w)
    for free, kind in ((X.nbytes * 8.0, MemoryRows), (X.nbytes * 2.0, ChunkRows)):
        monkeypatch.setattr("gmmfast.data.free_memory.free", lambda free=free: free)
        rows, _ = open_rows(mapped, w, name="", n_jobs=None)
        assert type(rows) is kind
        assert_same(GaussianMixture(3, random_state=0).fit(mapped, sample_weight=w), inside)
        assert inside.predict(mapped).shape == (len(X),)


def test_a_zarr_array(X):
    zarr = pytest.importorskip("zarr")
    stored = zarr.array(X, chunks=(500, 3))
    inside = GaussianMixture(3, random_state=0).fit(X)
    assert_same(GaussianMixture(3, random_state=0).fit(stored), inside)
    labels = np.concatenate(list(inside.predict(stored)))
    np.testing.assert_array_equal(labels, inside.predict(X))


def test_weights_of_arrays(X, w):
    inside = GaussianMixture(3, random_state=0).fit(X, sample_weight=w)
    pieces = chunks(X, sample_weight=w, chunk_rows=700)
    assert_same(GaussianMixture(3, random_state=0).fit(pieces), inside)
    assert pieces.n_rows == len(X)
    with pytest.raises(ValueError, match="the length of the data, 3000; got 5"):
        GaussianMixture(3).fit(chunks(X, sample_weight=w[:5]))
    with pytest.raises(ValueError, match="goes with arrays and Dask's collections"):
        chunks([X], sample_weight=w)


def test_columns_of_arrays(X, w, tmp_path):
    """They have the names that the command line gives them."""
    np.save(tmp_path / "rows.npy", np.column_stack([X, w]))
    pieces = chunks(tmp_path / "rows.npy", columns=["x3", "x1"], weight_column="x4")
    inside = GaussianMixture(3, random_state=0).fit(X[:, [2, 0]], sample_weight=w)
    assert_same(GaussianMixture(3, random_state=0).fit(pieces), inside)
    with pytest.raises(ValueError, match="there is no column 'b'; the columns are"):
        GaussianMixture(3).fit(chunks(X, columns=["b"]))


def test_criteria(X, w):
    mixture = GaussianMixture(3, random_state=0).fit(X)
    for name in ("score", "bic", "aic", "icl"):
        inside = getattr(mixture, name)(X, sample_weight=w)
        assert getattr(mixture, name)(chunks(X, sample_weight=w)) == pytest.approx(
            inside, rel=1e-12
        )


def test_results_come_in_pieces(sources, X):
    mixture = GaussianMixture(4, random_state=0).fit(sources / "rows.parquet")
    plain = GaussianMixture(4, random_state=0).fit(X)
    source = chunks(sources / "rows.parquet", chunk_rows=700)
    for method in ("predict", "predict_proba", "score_samples"):
        pieces = list(getattr(mixture, method)(source))
        assert len(pieces) > 3
        np.testing.assert_allclose(np.concatenate(pieces), getattr(plain, method)(X), atol=1e-9)
    for method in ("score", "bic", "aic"):
        assert getattr(mixture, method)(source) == pytest.approx(getattr(plain, method)(X))


def test_weighted_scores(X, w):
    mixture = GaussianMixture(4, random_state=0).fit(X)
    expected = mixture.score(X, sample_weight=w)
    assert mixture.score(chunks(Pairs(X, w, 500))) == pytest.approx(expected)


# ------------------------------------------------------------------------------------- errors


def test_iterators_are_refused_with_advice(X):
    for iterator in (iter([X]), (part for part in [X])):
        with pytest.raises(TypeError, match="got the iterator .* or pass gmmfast.chunks of"):
            GaussianMixture(2).fit(iterator)


def test_empty_chunks_are_passed_over(X):
    inside = GaussianMixture(3, random_state=0).fit(X)
    pieces = chunks([X[:0], X[:9], X[:0], X[9:], X[:0]])
    assert_same(GaussianMixture(3, random_state=0).fit(pieces), inside)


def test_frames_with_columns_in_another_order(X):
    parts = [
        pd.DataFrame(X[:1000], columns=NAMES),
        pd.DataFrame(X[1000:, ::-1], columns=NAMES[::-1]),
    ]
    with pytest.raises(ValueError, match=r"row 1000 on: .* a, b, c, in this order; got c, b, a"):
        GaussianMixture(3).fit(chunks(parts))
    inside = GaussianMixture(3, random_state=0).fit(X)
    assert_same(GaussianMixture(3, random_state=0).fit(chunks(parts, columns=NAMES)), inside)


@pytest.mark.parametrize("wrong", [0, -5, 2.0, "many"])
def test_chunk_rows_that_are_none(X, wrong):
    with pytest.raises(ValueError, match=r"chunk_rows must be an int in the range \[1, inf\)"):
        chunks(X, chunk_rows=wrong)


def test_columns_that_are_none(X, tmp_path):
    with pytest.raises(TypeError, match="columns must be a list of names; got 'abc'"):
        chunks(X, columns="abc")
    with pytest.raises(TypeError, match=r"columns must be a list of names; got \[0, 1\]"):
        chunks(X, columns=[0, 1])
    for options in ({"columns": ["x1", "x1"]}, {"columns": ["x1"], "weight_column": "x1"}):
        with pytest.raises(ValueError, match="can be used once; 'x1' is asked for 2 times"):
            chunks(X, **options)
    pq.write_table(pa.table(dict(zip(NAMES, X.T, strict=True))), tmp_path / "rows.parquet")
    for options in ({"columns": ["a", "z"]}, {"weight_column": "z"}):
        with pytest.raises(ValueError, match="no column 'z'; the columns are a, b, c"):
            chunks(tmp_path / "rows.parquet", **options)


def test_options_that_contradict(X, w):
    """None is dropped in silence."""
    for options in ({"columns": ["x1"]}, {"sample_weight": w}, {"chunk_rows": 5}):
        with pytest.raises(ValueError, match="Chunks take no more options"):
            chunks(chunks(X), **options)
    with pytest.raises(ValueError, match="Give either weight_column= or sample_weight=; got both"):
        chunks(X, weight_column="x3", sample_weight=w)
    with pytest.raises(ValueError, match="rows come with weights; got a weight_column= too"):
        list(chunks([(X, w)], weight_column="x3"))


def test_an_iterable_that_does_not_begin_anew(X):
    class Once:
        def __init__(self):
            self.rows = iter([X])

        def __iter__(self):
            return self.rows

    with pytest.raises(ValueError, match="an iterable must restart each time"):
        GaussianMixture(2).fit(chunks(Once()))


@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
def test_columns_of_text_may_be_left_out_of_frames(X, w, package):
    frame = pd.DataFrame(X, columns=NAMES).assign(city="Bern", w=w)
    piece = {"pandas": frame, "polars": pl.from_pandas(frame), "pyarrow": pa.table(frame)}[package]
    found = list(chunks([piece], columns=["c", "a"], weight_column="w"))
    np.testing.assert_array_equal(found[0].X, X[:, [2, 0]])
    np.testing.assert_array_equal(found[0].weights, w)
    with pytest.raises(ValueError, match="Column 'city' must hold numbers"):
        list(chunks([piece], weight_column="w"))


def test_files_of_a_folder_with_other_columns(sources, X):
    """The order does not matter; what is there does."""
    part = dict(zip(NAMES, X[:500].T, strict=True))
    reordered = pa.table({name: part[name] for name in ("c", "a", "b")})
    pq.write_table(reordered, sources / "folder" / "a.parquet")
    rows = np.concatenate([chunk.X for chunk in chunks(sources / "folder")])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, np.concatenate([X, X[:500]])))
    pq.write_table(pa.table({**part, "d": part["a"]}), sources / "folder" / "b.parquet")
    with pytest.raises(ValueError, match=r"b.parquet: every file .* a, b, c, as .* got a, b, c, d"):
        chunks(sources / "folder")
    assert chunks(sources / "folder", columns=["b"]).names == ["b"]


def test_an_index_is_left_out_of_every_file_of_a_folder(X, tmp_path):
    """Whether pandas wrote it as one or as a column, under whatever name."""
    frame = pd.DataFrame(X[:300], columns=NAMES)
    parts = [
        frame.iloc[:100],  # of a range, which is no column
        frame.iloc[100:150].set_axis(range(7, 57)).sample(frac=1, random_state=0),
        frame.iloc[150:200].set_axis([f"row {i}" for i in range(50)]),
        frame.iloc[200:300],
    ]
    for order in ([0, 1, 2, 3], [1, 2, 0, 3]):
        for i, k in enumerate(order):
            parts[k].to_parquet(tmp_path / f"{i}.parquet")
        source = chunks(tmp_path)
        assert source.names == NAMES
        found = np.concatenate([chunk.X for chunk in source])
        np.testing.assert_array_equal(found, np.concatenate([parts[k] for k in order]))
    named = parts[0].set_axis(pd.Index(np.arange(100) % 7, name="id"))
    named.to_parquet(tmp_path / "0.parquet")
    parts[1].assign(id=1.0).to_parquet(tmp_path / "1.parquet")
    assert chunks(tmp_path).names == NAMES


@pytest.mark.parametrize("header", [None, True, False])
def test_the_first_line_of_a_text_file(X, tmp_path, header):
    path = tmp_path / "x.csv"
    pd.DataFrame(X).to_csv(path, index=header is None)
    source = chunks(path, header=header, chunk_rows=700)
    assert source.names == (None if header is False else ["0", "1", "2"])
    assert sum(len(chunk.X) for chunk in source) == len(X) + (header is False)
    assert len(source.notes) == (2 if header is None else 0)
    again = chunks(path, columns=["2", "0"], header=None if header is False else header)
    np.testing.assert_array_equal(np.concatenate([chunk.X for chunk in again]), X[:, [2, 0]])


def test_names_of_the_model_decide_what_the_first_line_is(X, tmp_path):
    """A line that would be a row of its own: whole numbers above whole numbers."""
    path, new = tmp_path / "x.csv", tmp_path / "new.csv"
    pd.DataFrame(X[:500], columns=[7, 3, 5]).to_csv(path, index=False)
    with pytest.warns(UserWarning, match=r"first line \(7,3,5\) is read as the names"):
        mixture = GaussianMixture(1).fit(path)
    assert list(mixture.feature_names_in_) == ["7", "3", "5"]
    new.write_text("7,3,5\n1,2,3\n4,5,6\n")
    values = np.array([[1.0, 2, 3], [4, 5, 6]])
    named = pd.DataFrame(values, columns=["7", "3", "5"])
    for source in (new, str(new)):
        np.testing.assert_array_equal(np.concatenate([*mixture.predict(source)]), [0, 0])
        density = np.concatenate([*mixture.score_samples(source)])
        np.testing.assert_array_equal(density, mixture.score_samples(named))
        np.testing.assert_allclose(mixture.score(source), density.mean(), rtol=1e-12)
        np.testing.assert_allclose(mixture.bic(source), mixture.bic(named), rtol=1e-12)
    assert chunks(new).names is None


@pytest.mark.parametrize("data", [np.eye(3), [np.eye(3)]])
def test_header_is_of_text_files(data, tmp_path):
    with pytest.raises(ValueError, match="header= is for files"):
        chunks(data, header=True)
    np.save(tmp_path / "x.npy", np.eye(3))
    with pytest.raises(ValueError, match=r"header= in Python\) are for text files"):
        chunks(tmp_path / "x.npy", header=False)
    with pytest.raises(ValueError, match="take no more options"):
        chunks(chunks(np.eye(3)), header=True)


def test_not_a_source():
    with pytest.raises(TypeError, match="An iterator ends after one pass"):
        chunks(iter([np.eye(2)]))
    with pytest.raises(TypeError, match="chunks needs a path, a 2-D array .* got int"):
        chunks(3)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "missing.npy", "there is no such file"),
        (lambda folder: folder / "rows.doc", "suffix must be one of .csv, .tsv, .txt, .npy"),
        (lambda folder: folder / "nothing", "must hold files that end in one of .* got none"),
    ],
)
def test_files_that_are_refused(make, sentence, tmp_path):
    (tmp_path / "rows.doc").write_text("a\n1\n")
    (tmp_path / "nothing").mkdir()
    with pytest.raises((ValueError, OSError), match=sentence):
        chunks(make(tmp_path))


def test_a_file_that_ends_early(X, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    source = chunks(tmp_path / "rows.npy", chunk_rows=1000)
    pieces = iter(source)
    assert next(pieces).first == 0
    whole = (tmp_path / "rows.npy").read_bytes()
    (tmp_path / "rows.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="from row 1000 on: the file ends after row 14"):
        next(pieces)
    with pytest.raises(ValueError, match=r"^\S+rows.npy: .* It was cut short"):
        GaussianMixture(2).fit(source)


@pytest.mark.parametrize("bad", ["x", "nan", "", "inf"])
def test_a_bad_cell_of_a_file_is_named(tmp_path, bad):
    """By its line or row, however far down, once."""
    lines = ["a,b", *["1.5,2"] * 3000, "7," + bad, *["1.5,2"] * 9]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError) as caught:
        GaussianMixture(2).fit(chunks(path, chunk_rows=450))
    if bad in ("x", "inf"):
        assert str(caught.value).startswith(f"{path}, line 3002, column 'b': every ")
    else:
        gap = "1 of 3010 rows has missing values (b: 1), first in line 3002."
        assert str(caught.value).startswith(f"{path}: {gap}")
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": [1.5] * 3002, "b": [2.0] * 3001 + [np.inf]}), path)
    with pytest.raises(ValueError) as caught:
        GaussianMixture(2).fit(chunks(path, chunk_rows=450))
    words = "every number must be finite; got 'inf'"
    assert str(caught.value).startswith(f"{path}, row 3002, column 'b': {words}")


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (np.array([[1.0, np.nan, 2.0]]), "from row 3000 on: Input X contains NaN"),
        (
            np.eye(2),
            "from row 3000 on: every chunk must have as many columns as the first, 3; got 2",
        ),
        (np.array(["text"]), "from row 3000 on: "),
        (pd.DataFrame({"a": ["x"]}), "Column 'a' must hold numbers"),
    ],
)
def test_a_chunk_at_fault_is_named(X, second, sentence):
    with pytest.raises(ValueError, match=sentence):
        GaussianMixture(2).fit(chunks([X, second]))


def test_a_read_that_fails_in_mid_pass(X):
    """The error has its place; the estimator stays as it was; no thread is left behind."""
    mixture = GaussianMixture(2, random_state=0).fit(X)
    before = mixture.means_.copy()
    passes = []

    class Broken:
        def __iter__(self):
            passes.append(1)
            yield X[:2000]
            if len(passes) > 2:
                raise OSError("the disk is gone")
            yield X[2000:]

    threads = threading.active_count()
    with pytest.raises(OSError, match="from row 2000 on: the disk is gone"):
        mixture.fit(chunks(Broken()))
    np.testing.assert_array_equal(mixture.means_, before)
    assert threading.active_count() == threads


def test_data_that_change_between_passes(X):
    class Fickle:
        passes = 0

        def __iter__(self):
            self.passes += 1
            yield X if self.passes < 3 else X[:-1]

    with pytest.raises(ValueError, match="The data have changed since the fit began"):
        GaussianMixture(2).fit(chunks(Fickle()))


def test_nothing_to_fit(X):
    with pytest.raises(ValueError, match="the data have none"):
        GaussianMixture(2).fit(chunks([]))
    with pytest.raises(ValueError, match="the data have none"):
        GaussianMixture(2).fit(chunks(Pairs(X, np.zeros(len(X)), 1000)))
    with pytest.raises(ValueError, match="n_components = 5"):
        GaussianMixture(5).fit(chunks([X[:2], X[2:4]]))
    with pytest.raises(ValueError, match="come with the pieces"):
        GaussianMixture(2).fit(chunks([X]), sample_weight=np.ones(len(X)))


def test_chunks_in_order_and_no_thread_left():
    """Work that ends out of turn is handed out in turn; whoever leaves early ends the threads."""
    begun = threading.active_count()

    def work(number):
        time.sleep(0.02 if number % 2 == 0 else 0.0)
        return number

    assert list(in_order(work, iter(range(9)), 3)) == list(range(9))
    taken = []
    for number in in_order(work, iter(taken_of(range(1000), taken)), 2):
        assert number == 0
        break
    assert threading.active_count() == begun
    assert len(taken) <= 4  # no more are read ahead than there are threads


def taken_of(numbers, taken):
    for number in numbers:
        taken.append(number)
        yield number


@pytest.mark.parametrize("labels", [1 << 26, 0])
def test_rows_taken_by_component_or_as_they_are(X, labels, monkeypatch):
    """Labels of rows may be remembered as far as memory goes: they change only the order."""
    monkeypatch.setattr("gmmfast.rows.chunks.LABELS", labels)
    inside = GaussianMixture(4, random_state=0, tol=0, max_iter=5)
    pieces = GaussianMixture(4, random_state=0, tol=0, max_iter=5)
    with pytest.warns(Warning, match="did not converge"):
        assert_same(pieces.fit(chunks(X, chunk_rows=500)), inside.fit(X))


def test_large_chunks_are_taken_in_parts(X, monkeypatch):
    monkeypatch.setattr("gmmfast.data.free_memory.CHUNK_BYTES", 1 << 12)
    rows = ChunkRows(chunks([X[:10], X[10:]]))
    sizes = [len(part.X) for part in rows._parts()]
    assert sum(sizes) == len(X) and max(sizes) == (1 << 12) // (8 * 3)


def test_threads_change_no_bit(X):
    one, two = (
        GaussianMixture(3, random_state=0, n_jobs=jobs).fit(chunks(X, chunk_rows=100))
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.covariances_, two.covariances_)
    assert one.lower_bounds_ == two.lower_bounds_
