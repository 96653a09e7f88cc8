"""The calculator's parts: settings, data, the fit, its words and pictures; and the server's API."""

import contextlib
import io
import json
import shlex
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numba
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
import scipy.stats
from data import mixture
from starlette.testclient import TestClient

import gmmfast
from gmmfast import GaussianMixture, GaussianMixtureIC
from gmmfast.calculator import app, data, pictures, sessions
from gmmfast.calculator.app import LARGEST_JSON, make_app
from gmmfast.calculator.data import Loaded, Origin, columns_beside, read_upload
from gmmfast.calculator.downloads import rows_with_results
from gmmfast.calculator.guard import is_known_host
from gmmfast.calculator.new_rows import read_new_rows
from gmmfast.calculator.reproduce import command_line, python_lines
from gmmfast.calculator.sessions import MOST_SESSIONS, MOST_WAITING
from gmmfast.calculator.settings import read_settings
from gmmfast.calculator.words import Columns, Findings, advice, portraits, sentences
from gmmfast.calculator.work import compiling, compute
from gmmfast.cli import main
from gmmfast.datasets import load_customers, load_sensors
from gmmfast.errors import MissingValuesError
from gmmfast.marginals import Mixture
from gmmfast.reporting.report import FitReport
from gmmfast.tables import Table
from gmmfast.tables.arrow import ArrowFile

TOKEN = "secret"
SAMPLE = "x,y\n1.0,1.1\n1.5,1.4\n5.0,4.8\n5.5,5.2\n1.2,0.9\n5.1,5.0\n"
NAMES = ["a", "b", "c"]


# ---------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "must be a JSON object"),
        ({"n_component": 2}, "There is no setting 'n_component'."),
        ({"columns": []}, "Choose at least one column."),
        ({"columns": ["a", "d"]}, "There is no column 'd'; the columns are a, b, c."),
        ({"columns": ["a", "a"]}, "A column can be used once."),
        ({"columns": ["a", ["a"]]}, "There is no column ['a']; the columns are a, b, c."),
        ({"n_dimensions": 2}, "D is 2, but 3 columns are chosen. Set D to 3"),
        ({"n_components": 0}, "must be a whole number, or a list of some, from 1 to 200; got 0."),
        ({"n_components": []}, "from 1 to 200"),
        ({"n_components": 2.5}, "got 2.5"),
        ({"n_components": True}, "got True"),
        ({"criterion": "cv"}, "criterion (criterion) must be one of bic, aic, icl; got 'cv'."),
        (
            {"covariance_type": "round"},
            "model (covariance_type) must be one of full, tied",
        ),
        (
            {"max_iter": "many"},
            "Maximum iterations (max_iter) must be a whole number",
        ),
        ({"tol": -1}, "tolerance (tol) must be a number of at least 0; got -1."),
        ({"tol": None}, "got None"),
        ({"tol": 10**400}, "tolerance (tol) must be a number"),
        ({"reg_covar": True}, "(reg_covar) must be a number"),
        ({"trim": 0.5}, "to leave out (trim) must be below 0.5; got 0.5."),
        ({"n_components": [1, 2], "trim": 0.1}, "Rows are left out for one number of components"),
        ({"standardize": 1}, "(standardize) must be true or false; got 1."),
        ({"prior": "mclust"}, "few rows (prior) must be true or false; got 'mclust'."),
        ({"random_state": 2**32}, "The seed (random_state) must be a whole number"),
        ({"covariance_type": "E"}, "The model E is for one column; got 3 columns."),
        ({"n_components": [1, 2], "n_init": 3}, "Restarts are for one number of components"),
    ],
)
def test_settings_that_are_refused(body, sentence):
    with pytest.raises(ValueError) as error:
        read_settings(body, NAMES)
    assert sentence in str(error.value)


def test_settings():
    settings = read_settings({"columns": ["c", "a"], "n_dimensions": 2}, NAMES)
    assert settings.columns == ("c", "a") and settings.components == (2,)
    assert (settings.max_iter, settings.tol, settings.is_choice) == (100, 1e-4, False)
    assert read_settings({"n_components": [3, 1, 3]}, NAMES).components == (1, 3)
    assert read_settings({"n_components": [2], "covariance_type": "all"}, NAMES).is_choice
    assert read_settings({"columns": ["b"], "covariance_type": "V"}, NAMES).covariance_type == "V"


# -------------------------------------------------------------------------------------- data


def test_columns_of_text_are_left_out(tmp_path):
    path = tmp_path / "upload.csv"
    path.write_text("id,height,who,mass\nA,1.8,x,80\nB,1.6,y,55\n")
    loaded = read_upload(path, "people.csv")
    assert (loaded.table.names, loaded.left_out) == (["height", "mass"], ["id", "who"])
    assert loaded.summary()["rows"] == [[1.8, 80.0], [1.6, 55.0]]


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_columns_of_text_of_other_files_are_left_out_too(tmp_path, suffix):
    frame = pd.DataFrame({"who": ["x", "y"], "height": [1.8, 1.6], "n": [1, 2]})
    path = tmp_path / f"upload{suffix}"
    (frame.to_parquet if suffix == ".parquet" else frame.to_feather)(path)
    loaded = read_upload(path, "people")
    assert (loaded.table.names, loaded.left_out) == (["height", "n"], ["who"])
    assert loaded.summary()["rows"] == [[1.8, 1.0], [1.6, 2.0]]


@pytest.mark.parametrize(
    ("text", "names", "notes"),
    [
        ("a,b\n1,2\n", ["a", "b"], []),
        (
            "0,1\n0.5,2.5\n",
            ["0", "1"],
            ["is read as the names of the columns. If it is a row, put"],
        ),
        (
            "5.5,7\n0.5,2\n",
            ["x1", "x2"],
            ["a row of numbers. If it holds the names of the columns"],
        ),
        (",a\n0,2.5\n1,3.5\n", ["a"], ["index of the rows ('index') is left out. To use it, give"]),
        (",who,a\n0,x,2.5\n1,y,3.5\n", ["a"], ["('index') is left out"]),
        (
            "0,1.5\n1,2.5\n2,3.5\n",
            ["x1", "x2"],
            [
                "a row of numbers",
                "'x1' counts the rows, and is read as data. To leave it out, untick",
            ],
        ),
    ],
)
def test_what_could_be_read_otherwise_is_told(tmp_path, text, names, notes):
    path = tmp_path / "upload.csv"
    path.write_text(text)
    summary = read_upload(path, "rows.csv").summary()
    assert summary["columns"] == names
    for told, part in zip(summary["notes"], notes, strict=True):
        assert told.startswith("rows.csv: ") and part in told
        assert "--" not in told and "Python" not in told


@pytest.mark.parametrize("names", ["5,7", "0,1", "Unnamed: 0,a"])
def test_typed_columns_may_have_any_names(tmp_path, names):
    path = tmp_path / "typed.csv"
    path.write_text(f"{names}\n1,2\n3,4\n")
    loaded = read_upload(path, "typed.csv", typed=True)
    assert (loaded.table.names, loaded.notes) == (names.split(","), [])


@pytest.mark.parametrize(
    ("text", "order", "note"),
    [
        ("who,a\nx,1\ny,2\n", ["who", "a"], ""),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b"], ""),
        ("a,,who\n1,x,y\n2,z,w\n", ["a", "who"], "1 column has an empty or repeated name"),
        ("a,who,who,\n1,x,y,\n2,z,w,\n", ["a"], "2 columns have an empty or repeated name"),
        ("who,who,a,,\nx,y,1,p,q\n", ["a"], "4 columns have an empty or repeated name"),
    ],
)
def test_columns_without_a_name_of_their_own__are_told(tmp_path, text, order, note):
    path = tmp_path / "upload.csv"
    path.write_text(text)
    loaded = read_upload(path, "rows.csv")
    assert loaded.order == order
    told = [one for one in loaded.notes if "empty or repeated" in one]
    assert [one.startswith(f"rows.csv: {note}") for one in told] == [True] * bool(note)


def test_typed_columns_aside__need_not_be_numbers(tmp_path):
    path = tmp_path / "typed.csv"
    path.write_text("who,a,b\nAnn,1,\nBob,2,x\n")
    loaded = read_upload(path, "typed.csv", typed=True, aside=["who", "b"])
    assert (loaded.table.names, loaded.order) == (["a"], ["who", "a", "b"])
    ((rows, beside),) = columns_beside(loaded, ["a"])
    assert (rows.tolist(), beside) == ([1, 2], {"who": ["Ann", "Bob"], "b": ["", "x"]})
    with pytest.raises(ValueError, match="^Row 2, column 'b': every cell must be a number"):
        read_upload(path, "typed.csv", typed=True, aside=["who"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n3,x\n", "rows.csv, line 3, column 'b': every cell must be a number; got 'x'."),
        ("a,b\n1,2\n3,x\n", "got 'x'. Correct it there, and load it again."),
        ("a,b\n1,2\n,4\n", "1 of 2 rows has missing values (a: 1), first in line 3. "),
        (
            "a,b\n,2\n3,4\n",
            "Fill the cells, or leave these rows out, or use what is known",
        ),
        ("a,b\n1,2,3,4\n", "rows.csv, line 2: every row must have 2 cells"),
        ("", "rows.csv: a table needs at least one row"),
        ("a,,b\n1,2,3\n", "must have a name; column 2 has none. Name it."),
        ("who\nx\n", "at least one column of numbers; the columns 'who' hold none."),
    ],
)
def test_files_that_are_refused(text, sentence, tmp_path):
    path = tmp_path / "upload.csv"
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        read_upload(path, "rows.csv")
    assert sentence in str(error.value)
    assert str(tmp_path) not in str(error.value) and "--columns" not in str(error.value)


def pasted(folder, text, **how):
    path = folder / "upload.csv"
    path.write_text(text)
    return read_upload(path, "pasted.csv", pasted=True, **how)


@pytest.mark.parametrize(
    ("text", "names", "first", "told"),
    [
        ("Umsatz\r\n3498,37\r\n1000,50\r\n", ["Umsatz"], [3498.37], "decimal commas"),
        ("3498,37\r\n1000,50\r\n", ["x1"], [3498.37], "decimal commas"),
        ("1.234,56\n-2.000,5\n", ["x1"], [1234.56], "decimal commas, points between thousands"),
        ("1,234.56\n2,345.67\n", ["x1"], [1234.56], "commas between thousands"),
        ("1,886\n2,114\n", ["x1"], [1.886], "a comma before three digits"),
        ("Wert\tn\n1.886\t1\n2.114\t5\n", ["Wert", "n"], [1.886, 1], "a point before three"),
        ("a b\tc d\t\n1 000\t2\t\n2 000\t3\t\n", ["a b", "c d"], [1000, 2], ""),
        ("x,y\n1,5\n2,5\n", ["x", "y"], [1, 5], ""),
        ("1,5,2\n2,5,3\n", ["x1", "x2", "x3"], [1, 5, 2], ""),
        ("1;2\n3;4\n", ["x1", "x2"], [1, 2], ""),
    ],
)
def test_pastes__are_read_as_spreadsheets_copy_cells(tmp_path, text, names, first, told):
    """Without a tab they are one column, if each line is a number; otherwise text as in a file."""
    loaded = pasted(tmp_path, text)
    assert (loaded.table.names, loaded.table.values[0].tolist()) == (names, first)
    assert told in " ".join(loaded.notes)


def test_pastes__with_an_empty_last_cell_or_column(tmp_path):
    assert pasted(tmp_path, "a\tb\tnote\n1\t2,5\t\n3\t4\t\n").left_out == ["note"]
    with pytest.raises(MissingValuesError, match=r"1 of 2 rows has missing values \(b: 1\)"):
        pasted(tmp_path, "who\ta\tb\nx\t1\t2,5\ny\t3\t\n")
    loaded = pasted(tmp_path, "who\ta\tb\nx\t1\t2,5\ny\t3\t\n", drop_missing=True)
    assert loaded.table.values.tolist() == [[1, 2.5]]


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [("a\tb\n1\t2\n", True), ("who\ta\nx\t1\n", False), ("\ta\n0\t1\n1\t5\n", False)],
)
def test_summary__says_whether_it_has_all_cells(tmp_path, monkeypatch, text, is_whole):
    assert pasted(tmp_path, text).summary()["is_whole"] == is_whole
    assert not pasted(tmp_path, text, drop_missing=True).summary()["is_whole"]
    monkeypatch.setattr(data, "PREVIEW", 0)
    assert not pasted(tmp_path, text).summary()["is_whole"]


GERMAN = (
    "Nr;Umsatz;Menge;Rabatt\n00101;3.498,37 €;10;5,3 %\n00102;-1.000,00 €;3;2 %\n"
    "20103;2.000,50 €;4;1,5 %\n"
)
USED = ["Umsatz", "Menge", "Rabatt"]


@pytest.fixture
def german(tmp_path):
    path = tmp_path / "german.csv"
    path.write_text(GERMAN, "utf-8")
    return read_upload(path, "german.csv")


def new_rows(loaded, text, columns):
    path = loaded.file.with_name("new.csv")
    path.write_text(text, "utf-8")
    values, notes = read_new_rows(path, loaded, columns)
    return values.tolist(), " ".join(notes)


@pytest.mark.parametrize(
    ("text", "row", "note"),
    [
        ("3.498;10;5\n", [3498, 10, 5], "Read with decimal commas, like the data."),
        ("3.498,5 €;10;5\n", [3498.5, 10, 5], "Read with decimal commas, points"),
        ("3498.5;10;5\n", [3498.5, 10, 5], ""),
        ("00104\t900 €\t4\t2 %\n", [900, 4, 2], "Read with %, €"),
        ("K4\t900\t4\t2\n", [900, 4, 2], ""),
        ("Rabatt\tMenge\tUmsatz\n1,5\t3\t1.000\n", [1000, 3, 1.5], ""),
    ],
)
def test_new_rows__are_read_like_the_data(german, text, row, note):
    values, told = new_rows(german, text, USED)
    assert values == [row]
    assert told.startswith(note) if note else "like the data" not in told


def test_new_rows__say_how_they_are_read_if_the_data_do_not(tmp_path):
    (tmp_path / "whole.csv").write_text("a,b\n1,2\n3,5\n")
    loaded = read_upload(tmp_path / "whole.csv", "whole.csv")
    values, told = new_rows(loaded, "1.886;2\n", ["a", "b"])
    assert values == [[1.886, 2]] and "a point before three digits" in told
    assert new_rows(loaded, "1,2\n3,5\n", ["a", "b"])[0] == [[1, 2], [3, 5]]
    assert new_rows(loaded, "1,5\n2,5\n", ["b"])[0] == [[1.5], [2.5]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "900\t4\tabc\n",
            "new rows, line 1, column 'Rabatt': every cell must be a number; got 'abc'",
        ),
        ("900\t4\tabc\n901\t5\t6\n", "new rows, line 1, column 'Rabatt': every cell must be"),
        ("900\tabc\t5\n", "got 'abc'. Correct it, or delete the row."),
        ("900\t4\tN/A\n", "1 of 1 rows has missing values (Rabatt: 1), first in line 1."),
        ("900\t4\t\n", "1 of 1 rows has missing values (Rabatt: 1)"),
        ("K4\t900\t4\tN/A\n", "1 of 1 rows has missing values (Rabatt: 1)"),
        ("Umsatz\tMenge\n900\t4\n", "there is no column 'Rabatt'; the columns are Umsatz, Menge."),
        (
            "900\t4\n",
            "New rows need 3 columns: Umsatz, Menge, Rabatt, or all 4 columns of the data",
        ),
    ],
)
def test_new_rows__say_what_is_wrong(german, text, sentence):
    with pytest.raises(ValueError) as error:
        new_rows(german, text, USED)
    assert sentence in str(error.value)


def test_files_without_a_complete_row(tmp_path):
    path = tmp_path / "upload.csv"
    path.write_text("a,b\n1,\n,4\n")
    with pytest.raises(ValueError, match=r"got none\. Fill cells there, or delete columns, and "):
        read_upload(path, "rows.csv", drop_missing=True)


def test_rows_with_missing_values_are_counted_or_left_out(tmp_path):
    path = tmp_path / "upload.csv"
    path.write_text("a;b;who\n1,5;2;x\n;3;y\n4;;z\n5,5;6;w\n")
    with pytest.raises(MissingValuesError) as error:
        read_upload(path, "rows.csv")
    assert error.value.n_rows == 2
    loaded = read_upload(path, "rows.csv", drop_missing=True)
    assert loaded.table.values.tolist() == [[1.5, 2], [5.5, 6]]
    assert loaded.left_out == ["who"] and loaded.origin.drop_missing
    assert [note.split(": ", 1)[1] for note in loaded.notes] == [
        "read with decimal commas. If that is wrong, write decimal points, commas between cells, "
        "and names above them.",
        "2 of 4 rows have missing values, and are left out.",
    ]
    settings = read_settings({"n_components": 1}, ["a", "b"])
    lines = python_lines(settings, loaded.origin, loaded.table)
    assert "read_table('rows.csv', drop_missing=True)" in lines
    assert "--drop-missing" in command_line(settings, loaded.origin)


# ------------------------------------------------------------- small files that become large

PIECE = pyarrow.record_batch({"a": np.zeros(1 << 20)})  # of a table of 560 MB


def parquet_of_zeros(path):
    with pyarrow.parquet.ParquetWriter(path, PIECE.schema) as writer:
        for _ in range(70):
            writer.write_batch(PIECE)


def arrow_of_zeros(path, new=pyarrow.ipc.new_file, codec="zstd"):
    options = pyarrow.ipc.IpcWriteOptions(compression=codec)
    with new(str(path), PIECE.schema, options=options) as writer:
        for _ in range(70):
            writer.write_batch(PIECE)


def nothing_in_many_rows(path):
    table = pyarrow.table({"a": pyarrow.nulls(70 << 20)})
    pyarrow.feather.write_feather(table, path)


def bytes_of_zeros(path):
    """Which are converted to float64."""
    with path.open("wb") as file:
        description = {"descr": "|u1", "fortran_order": False, "shape": (70 << 20, 1)}
        np.lib.format.write_array_header_1_0(file, description)
        file.truncate(file.tell() + (70 << 20))


def short_lines(path):
    with path.open("wb") as file:
        for _ in range(70):
            file.write(b"1\n" * (1 << 20))


def a_long_line(path):
    path.write_bytes(b"1\n" * 9 + b"1;" * (4 << 20) + b"1\n")


BECOME_LARGE = {
    "Parquet": (parquet_of_zeros, ".parquet", "got 560 MB"),
    "Arrow, ZSTD": (arrow_of_zeros, ".arrow", "got 560 MB"),
    "Feather, LZ4": (partial(arrow_of_zeros, codec="lz4"), ".feather", "got 560 MB"),
    "a stream": (partial(arrow_of_zeros, new=pyarrow.ipc.new_stream), ".arrow", "got 560 MB"),
    "null": (nothing_in_many_rows, ".feather", "got 560 MB"),
    "small integers": (bytes_of_zeros, ".npy", "got 560 MB"),
    "short lines": (short_lines, ".csv", "got 560 MB"),
    "a long line": (a_long_line, ".csv", "at most 10000 columns; got 4194305"),
}


@pytest.mark.parametrize("kind", BECOME_LARGE)
def test_uploads_that_become_large__are_refused_before_they_are_read(kind, tmp_path):
    make, suffix, sentence = BECOME_LARGE[kind]
    path = tmp_path / f"upload{suffix}"
    make(path)
    pool = pyarrow.default_memory_pool()
    before = max(pool.max_memory(), 64 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"^rows: the table must .*{sentence}.* gmmfast fit"):
            read_upload(path, "rows")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert pool.max_memory() <= before


def test_uploads_of_the_largest_size(tmp_path, monkeypatch):
    """The limit is on what they become, to the byte."""
    frame = pd.DataFrame({"a": np.zeros(1000), "b": np.ones(1000), "who": "x"})
    frame.to_parquet(tmp_path / "a.parquet")
    frame[["a", "b"]].to_feather(tmp_path / "a.feather")
    np.save(tmp_path / "a.npy", np.zeros((1000, 2), np.int8))
    frame[["a", "b"]].to_csv(tmp_path / "a.csv", index=False)
    for suffix, header in ((".parquet", 0), (".feather", 0), (".npy", 0), (".csv", 24)):
        for room, is_large in ((16_000 + header, False), (15_999 + header, True)):
            monkeypatch.setattr(data, "LARGEST_TABLE", room)
            if is_large:
                with pytest.raises(ValueError, match="must take at most 0 MB of memory"):
                    read_upload(tmp_path / f"a{suffix}", "rows")
            else:
                loaded = read_upload(tmp_path / f"a{suffix}", "rows")
                assert loaded.table.values.shape == (1000, 2)


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv", ".npy"])
def test_uploads_of_too_many_columns(suffix, tmp_path):
    path, names = tmp_path / f"upload{suffix}", [f"c{j}" for j in range(10_001)]
    X = np.zeros((2, len(names)))
    table = pyarrow.table(dict(zip(names, X.T, strict=True)))
    {
        ".parquet": lambda: pyarrow.parquet.write_table(table, path),
        ".feather": lambda: pyarrow.feather.write_feather(table, path),
        ".csv": lambda: path.write_text(csv_text(X, names)),
        ".npy": lambda: np.save(path, X),
    }[suffix]()
    with pytest.raises(ValueError, match=r"^rows: .* at most 10000 columns; got 10001\. Leave"):
        read_upload(path, "rows")


def csv_text(X, names):
    return "\n".join([",".join(names), *(",".join(map(repr, row)) for row in X.tolist()), ""])


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_text_columns_of_arrow_files__are_known_without_their_rows(suffix, tmp_path, monkeypatch):
    """One long word may stand in millions of them."""
    frame = pd.DataFrame({"a": [1.0, 2.0], "word": ["x", "x"]})
    path, read = tmp_path / f"upload{suffix}", []
    (frame.to_parquet if suffix == ".parquet" else frame.to_feather)(path)
    whole = ArrowFile.read
    monkeypatch.setattr(
        ArrowFile, "read", lambda file, p, *more: read.append(p) or whole(file, p, *more)
    )
    assert read_upload(path, "words").left_out == ["word"]
    assert read == [[0]]


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (
            (1000, 2),
            r"shape \(1000, 2\) and type float64, which takes 16000 bytes; the file holds 80",
        ),
        ((1 << 62, 2), "It was cut short: copy or write it again."),
        ((-5, 2), "damaged or something else"),
    ],
)
def test_arrays_that_are_shorter_than_their_header_says(shape, sentence, tmp_path):
    path = tmp_path / "upload.npy"
    with path.open("wb") as file:
        description = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, description)
        file.write(bytes(80))
    with pytest.raises(ValueError, match=f"^rows.npy: .*{sentence}"):
        read_upload(path, "rows.npy")


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npy"])
def test_damaged_files__end_in_a_sentence(suffix, tmp_path):
    """Whichever byte is another one, and wherever the file ends."""
    path, rng = tmp_path / f"upload{suffix}", np.random.default_rng(0)
    table = pyarrow.table({"a": np.arange(50.0), "b": np.ones(50)})
    {
        ".parquet": lambda: pyarrow.parquet.write_table(table, path),
        ".arrow": lambda: pyarrow.feather.write_feather(table, path, compression="zstd"),
        ".npy": lambda: np.save(path, np.arange(100.0).reshape(50, 2)),
    }[suffix]()
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(whole))] if rng.random() < 0.2 else damaged)
        with contextlib.suppress(ValueError):
            assert read_upload(path, "rows").table.values.dtype == np.float64


# ----------------------------------------------------------------------------------- the fit


def computed(folder, values, names, source="rows.csv", left_out=(), **body):
    told = []
    np.save(folder / "data.npy", values)
    origin = Origin(source, names, True, list(left_out))
    return compute(folder, origin, read_settings(body, names), told.append), told


def written(folder, values, names):
    """The rows with results, which are few enough for one piece."""
    loaded = Loaded("rows.csv", Table(values, names), [], [], order=names, names=names)
    job = sessions.Job(sessions.Session("", folder), loaded, read_settings({}, names))
    (piece,) = rows_with_results(job)
    return piece


def by_weight(model):
    return np.argsort(-model.weights_, kind="stable")


def test_a_fit_is_that_of_the_library(tmp_path):
    X = load_sensors().data
    found, told = computed(tmp_path, X, ["t", "p"], n_components=4, tol=1e-6)
    direct = GaussianMixture(4, tol=1e-6, random_state=0, acceleration="auto").fit(X)
    order, report = by_weight(direct), found["report"]
    np.testing.assert_array_equal(report["weights"], direct.weights_[order])
    np.testing.assert_array_equal(report["means"], direct.means_[order])
    np.testing.assert_array_equal(found["matrices"], direct.covariances_[order])
    assert report["bic"] == direct.bic(X) and found["curve"] == direct.lower_bounds_
    assert found["sizes"] == np.bincount(direct.predict(X), minlength=4)[order].tolist()
    told = [one for one in told if "compiling" not in one]
    assert told[0]["iteration"] == 1 and told[0]["curve"] == direct.lower_bounds_[:1]
    saved = gmmfast.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(saved.means_, report["means"])
    rows = written(tmp_path, X, ["t", "p"])
    assert list(rows) == ["row", "t", "p", "component", "probability", "log_density", "outlier"]
    np.testing.assert_array_equal(np.column_stack([rows["t"], rows["p"]]), X)
    np.testing.assert_array_equal(rows["component"], np.argsort(order)[direct.predict(X)])
    np.testing.assert_allclose(rows["probability"], direct.predict_proba(X).max(axis=1), atol=1e-12)
    np.testing.assert_allclose(rows["log_density"], direct.score_samples(X), atol=1e-9)
    outlier = saved.is_outlier(pd.DataFrame(X, columns=["t", "p"]), 0.01)
    np.testing.assert_array_equal(rows["outlier"], outlier)
    assert rows["outlier"].any()
    assert "components" in found["text"]


def test_a_choice_is_that_of_the_library(tmp_path):
    X = load_customers().data
    found, told = computed(
        tmp_path, X, ["a", "b"], n_components=[1, 2, 3], covariance_type="all", criterion="icl"
    )
    search = GaussianMixtureIC(
        [1, 2, 3], criterion="icl", tol=1e-4, max_iter=100, reg_covar=1e-6, random_state=0
    ).fit(X)
    assert found["report"]["covariance_type"] == search.best_covariance_type_
    assert found["report"]["n_components"] == search.best_n_components_
    assert len(found["candidates"]) == 42 and found["criterion"] == "icl"
    assert told[-1]["candidates"] == told[-1]["of"] == 42


def test_a_choice_of_one_column_is_of_two_models(tmp_path):
    X = load_customers().data[:, :1]
    found, told = computed(tmp_path, X, ["a"], n_components=[1, 2], covariance_type="all")
    assert [one["covariance_type"] for one in found["candidates"]] == ["E", "V"] * 2
    assert told[-1]["candidates"] == told[-1]["of"] == 4


def test_standardized_columns_are_told_in_their_own_units(tmp_path):
    X = mixture(300, 2, 2, separation=8.0)[0] * [1.0, 1000.0]
    found, _ = computed(tmp_path, X, ["a", "b"], n_components=2, standardize=True)
    np.testing.assert_allclose(
        np.array(found["report"]["weights"]) @ found["report"]["means"], X.mean(axis=0), atol=1e-9
    )
    plain, _ = computed(tmp_path, X, ["a", "b"], n_components=2, tol=1e-9)
    assert found["report"]["log_likelihood"] == pytest.approx(
        plain["report"]["log_likelihood"], abs=0.1
    )


def test_fewer_rows_than_components(tmp_path):
    with pytest.raises(ValueError, match="5 components need at least as many rows; got 3. Lower K"):
        computed(tmp_path, np.eye(3), NAMES, n_components=5)


def test_noise__is_drawn_and_its_rows_are_outliers(tmp_path):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(100, 2)), 6 + rng.normal(size=(100, 2))])
    X = np.concatenate([X, rng.uniform(-50, 50, size=(10, 2))])
    found, _ = computed(tmp_path, X, ["a", "b"], n_components=2, noise=True)
    weight = found["report"]["noise_weight"]
    assert 0.03 < weight < 0.06
    n_noise = 210 - sum(found["sizes"])
    told = f"{100 * weight:.1f} % of the weight is noise; {n_noise} rows most likely belong to it."
    assert told in found["sentences"]
    assert "noise=0.05" in found["python"] and found["command"].endswith("--noise")
    rows = written(tmp_path, X, ["a", "b"])
    assert (rows["component"] == -1).sum() == n_noise > 5
    assert rows["outlier"][rows["component"] == -1].all()
    labels = np.load(tmp_path / "labels.npy")
    model = Mixture(np.array([0.5, 0.5]), np.zeros((2, 2)), np.stack([np.eye(2)] * 2))
    for drawn in (pictures.plane(X, labels, model, False), pictures.pairs(X, labels, model)):
        assert drawn["n_components"] == 2 and len(drawn["points"]) == 3
        assert len(drawn["points"][2][0]) == n_noise


def test_a_constant_column_cannot_be_standardized(tmp_path):
    with pytest.raises(ValueError, match="^Standardizing needs columns that vary; column 'b'") as e:
        X = np.column_stack([np.arange(9.0), np.ones(9)])
        computed(tmp_path, X, ["a", "b"], standardize=True)
    assert "--" not in str(e.value)


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("sensors", {"n_components": 3, "tol": 1e-5}),
        ("sensors", {"n_components": 2, "columns": ["pressure"], "standardize": True}),
        ("rows.csv", {"n_components": 2, "covariance_type": "VEV", "columns": ["b", "a"]}),
        ("rows.csv", {"n_components": [1, 2, 3], "covariance_type": "all", "criterion": "aic"}),
        ("rows.csv", {"n_components": [2, 3], "covariance_type": "VVI", "prior": True}),
        ("rows.csv", {"n_components": 2, "left_out": ["who"]}),
        ("rows.csv", {"n_components": 2, "names": ["7", "3"]}),
        ("typed.csv", {"n_components": 2, "n_init": 3, "random_state": 7, "prior": True}),
        ("typed.csv", {"n_components": 2, "random_state": 7, "trim": 0.1}),
    ],
)
def test_the_lines_reproduce_the_result(source, body, tmp_path, monkeypatch, capsys):
    """Python's prints, and the command's JSON, have the numbers of the report."""
    X = {"sensors": load_sensors().data, "typed.csv": mixture(30, 2, 2)[0]}.get(source)
    X = mixture(200, 2, 2, separation=4.0)[0] if X is None else X
    body = dict(body)
    names = body.pop("names", ["temperature", "pressure"] if source == "sensors" else ["a", "b"])
    left_out = body.pop("left_out", ())
    found, _ = computed(tmp_path, X, names, source, left_out, **body)
    monkeypatch.chdir(tmp_path)
    if source != "sensors":
        lines = [",".join(["A", *map(repr, row)]) for row in X.tolist()]
        header = ",".join(["who", *names])
        if not left_out:
            lines, header = [line[2:] for line in lines], header[4:]
        (tmp_path / source).write_text("\n".join([header, *lines, ""]))
    space = {}
    exec(found["python"], space)
    report = found["report"]
    weights = space["mixture"].weights_[space["order"]]
    np.testing.assert_array_equal(weights, report["weights"])
    assert "[" in capsys.readouterr().out
    assert main([*shlex.split(found["command"])[1:], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    told = told.get("best", told)
    for name in ("weights", "means", "covariances", "log_likelihood", "n_iter"):
        assert told[name] == report[name]


# ------------------------------------------------------------------------- words and pictures


def findings(weights, means, variances, sizes, overlaps, n_rows=1000, **changes):
    K, d = np.shape(means)
    report = FitReport(
        "rows", n_rows, float(n_rows), [f"x{j}" for j in range(d)], "full", "full", False,
        np.array(weights), np.array(means, float), np.array([v * np.eye(d) for v in variances]),
        changes.pop("degenerate", np.zeros(K, bool)), -1.0, 2.0, 3.0, 7,
        changes.pop("converged", True), "why",
    )  # fmt: skip
    settings = read_settings({}, report.names)
    return Findings(report, np.array(sizes), np.array(overlaps), changes.pop("q", 11), settings)


def test_sentences():
    said = sentences(
        findings([0.7, 0.3], [[0, 0], [9, 9]], [1.0, 16.0], [690, 310], [[1, 0.2], [0.2, 1]])
    )
    assert said == [
        "The 1000 rows fall into 2 components.",
        "Component 0 has 70 % of the weight (690 rows) and component 1 has 30 % of the weight "
        "(310 rows).",
        "Component 1 is the widest: 4.0 times as wide as component 0.",
        "Components overlap, so that rows could belong to either: 0 and 1 (20 % of their rows).",
    ]
    apart = sentences(findings([0.5, 0.5], [[0], [9]], [1, 1], [500, 500], np.eye(2)))
    assert "about equally wide" in apart[2] and "clearly apart" in apart[3]
    assert sentences(findings([1.0], [[0]], [1], [9], [[1]])) == [
        "All 1000 rows are described by one component."
    ]


def test_words__of_one_row():
    alone = findings([1.0], [[0.0]], [1.0], [1], np.zeros((1, 1)), n_rows=1, q=2)
    assert sentences(alone) == ["The only row is described by one component."]
    assert advice(alone)[-1].startswith("1 row for 2 free parameters is few:")
    two = findings([0.7, 0.3], [[0.0], [9.0]], [1.0, 1.0], [2, 1], np.zeros((2, 2)), n_rows=3)
    assert "component 1 has 30 % of the weight (1 row)." in sentences(two)[1]


def test_portraits__name_the_columns_that_differ_most():
    report = findings(
        [0.5, 0.4, 0.1], [[0, 0], [9, 1], [0, 1]], [1, 1, 0.01], [5, 4, 1], np.eye(3)
    ).report
    rows = Columns(np.array([0.0, 0.2]), np.array([1.0, 1.0]), np.zeros(2), np.ones(2))
    told = portraits(report, rows)
    assert [one["sentence"] for one in told] == [
        "much like all rows",
        "very high x0, high x1",
        "high x1",
    ]
    assert told[1]["order"] == [0, 1] and told[2]["order"] == [1, 0]
    assert told[2]["deviations"] == pytest.approx([0.1, 0.1])
    near = Columns(np.array([0.0, 1.0]), np.array([9.0, 1.0]), np.zeros(2), np.ones(2))
    assert portraits(report, near)[2]["sentence"] == "little spread in x0, little spread in x1"


def test_columns_of_all_rows():
    X = np.array([[1, 2], [3, 6]], np.float32)
    rows = Columns.of(X)
    assert [value.tolist() for value in vars(rows).values()] == [[2, 4], [1, 2], [1, 2], [3, 6]]


def test_advice():
    sound = findings([0.5, 0.5], [[0, 0], [9, 9]], [1, 1], [500, 500], np.eye(2))
    assert advice(sound) == []
    said = advice(
        findings([0.5, 0.5], [[0, 0], [9, 9000]], [1, 1], [40, 0], np.eye(2), n_rows=40,
                 converged=False, degenerate=np.array([False, True]))
    )  # fmt: skip
    for words in (
        "before it had converged",
        "Component 1 nearly lost all spread",
        "40 rows for 11 free parameters are few",
        "No row is likeliest to be of component 1",
    ):
        assert sum(words in line for line in said) == 1
    wide = findings([0.5, 0.5], [[0, 0], [9, 90000]], [1, 1], [500, 500], np.eye(2))
    assert "very different scales" in advice(wide)[0]


def test_a_plane():
    X, labels = mixture(6000, 2, 2, seed=1)
    covariances = np.array([[[4.0, 1.0], [1.0, 2.0]], np.eye(2)])
    model = Mixture(np.array([0.5, 0.5]), np.zeros((2, 2)), covariances)
    found = pictures.plane(X, labels, model, True)
    assert (found["n_drawn"], found["n_rows"]) == (pictures.MOST_POINTS, 6000)
    assert sum(len(x) for x, _ in found["points"]) == pictures.MOST_POINTS
    for k in range(2):
        for sigma, outline in zip((1, 2, 3), found["ellipses"][k], strict=True):
            outline = np.array(outline)
            distances = (outline * np.linalg.solve(covariances[k], outline)).sum(axis=0)
            np.testing.assert_allclose(distances, sigma**2, rtol=1e-9)
    np.testing.assert_allclose(found["coverage"], scipy.stats.chi2(2).cdf([1, 4, 9]), rtol=1e-12)
    shade = np.array(found["density"]["z"])
    assert shade.shape == (pictures.GRID, pictures.GRID) and 0 <= shade.min() < shade.max() == 1


def test_pairs_and_uncertainty():
    X, labels = mixture(900, 3, 2, seed=1)
    covariances = np.array([np.diag([4.0, 1.0, 9.0]), np.eye(3)])
    model = Mixture(np.array([0.5, 0.5]), np.zeros((2, 3)), covariances)
    found = pictures.pairs(X, labels, model)
    assert [(one["x"], one["y"]) for one in found["pairs"]] == [(0, 1), (0, 2), (1, 2)]
    assert sum(len(own[0]) for own in found["points"]) == found["n_drawn"] == 500
    outline = np.array(found["pairs"][1]["ellipses"][0])  # 2 sigma along the first and third column
    np.testing.assert_allclose(np.abs(outline).max(axis=1), [4, 6], rtol=1e-2)
    doubt = pictures.uncertainty(X[:, :1], labels, np.where(labels == 0, 0.6, 1.0), 2)
    assert doubt["n_uncertain"] == np.count_nonzero(labels == 0)
    assert {*doubt["uncertainty"][0]} == {0.4} and {*doubt["uncertainty"][1]} == {0.0}


def test_bins__follow_freedman_and_diaconis():
    values = np.random.default_rng(0).normal(size=4000)
    edges = pictures.histogram(values)["edges"]
    assert len(edges) == len(np.histogram_bin_edges(values, bins="fd"))
    assert len(pictures.histogram(np.ones(9))["edges"]) == 6


def test_columns_that_are_named_like_those_of_the_result(tmp_path):
    X = mixture(50, 2, 2, separation=9.0)[0]
    computed(tmp_path, X, ["component", "row"], n_components=2)
    rows = written(tmp_path, X, ["component", "row"])
    names = ["row_", "component", "row", "component_", "probability", "log_density", "outlier"]
    assert list(rows) == names
    np.testing.assert_array_equal(rows["component"], X[:, 0])
    np.testing.assert_array_equal(rows["row_"], np.arange(1, 51))


def test_compiling__is_told_once():
    told = []
    with compiling(told.append):
        for _ in range(2):
            numba.njit(lambda x: x + 1)(1.0)
    assert told == [{"compiling": True}]


def test_a_line():
    values = np.concatenate([np.random.default_rng(0).normal(size=500), [4.0]])
    model = Mixture(np.array([0.4, 0.6]), np.array([[0.0], [1.0]]), np.ones((2, 1, 1)))
    found = pictures.line(values, model)
    assert np.sum(np.diff(found["edges"]) * found["heights"]) == pytest.approx(1)
    np.testing.assert_allclose(np.sum(found["components"], axis=0), found["density"])
    assert pictures.line(np.ones(9), model)["n_rows"] == 9


# ------------------------------------------------------------------------------------ the API


@pytest.fixture(scope="module")
def server():
    with TestClient(make_app(TOKEN, 80), base_url="http://localhost") as client:
        client.cookies.set("gmmfast-80", TOKEN)
        yield client


@pytest.fixture
def ask(server):
    session = server.post("/api/session").json()["session"]

    def request(method, path, **options):
        params = {"session": session, **options.pop("params", {})}
        return server.request(method, f"/api/{path}", params=params, **options)

    return request


def waited(ask, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = ask("GET", "fit").json()
        if status["state"] not in ("waiting", "running"):
            return status
        time.sleep(0.02)
    raise AssertionError("the fit has not ended")


def fitted(ask, text=SAMPLE, **settings):
    assert ask("POST", "data", content=text, params={"name": "s.csv"}).status_code == 200
    assert ask("POST", "fit", json=settings).status_code == 202
    return waited(ask)


def test_api__the_sample(ask):
    status = fitted(ask, n_components=2, n_dimensions=2)
    assert (status["state"], status["error"]) == ("done", None)
    X = np.loadtxt(io.StringIO(SAMPLE), delimiter=",", skiprows=1)
    direct = GaussianMixture(2, tol=1e-4, random_state=0, acceleration="auto").fit(X)
    report = status["result"]["report"]
    np.testing.assert_array_equal(report["means"], direct.means_[by_weight(direct)])
    assert report["log_likelihood"] == direct.score(X) * 6


def test_api__pictures_rows_and_downloads(ask, tmp_path):
    fitted(ask, n_components=2)
    plane = ask("POST", "picture", json={"columns": ["x", "y"], "density": True}).json()
    assert plane["n_rows"] == 6 and "density" in plane
    line = ask("POST", "picture", json={"columns": ["y"]}).json()
    assert len(line["components"]) == 2
    used = ask("POST", "rows", content="x,y\n1.1,1\n90,90\n", params={"rate": "0.2"}).json()
    assert used["outlier"] == [False, True] and used["n_outliers"] == 1
    assert used["label"][0] == 1 and sum(used["probabilities"][0]) == pytest.approx(1)
    turned = ask("POST", "rows", content="y,x\n1,1.1\n").json()
    assert turned["log_density"] == used["log_density"][:1]
    assert ask("POST", "rows", content="1.1,1\n").json()["log_density"] == turned["log_density"]
    (tmp_path / "model.npz").write_bytes(ask("GET", "download/model.npz").content)
    assert gmmfast.load(tmp_path / "model.npz").n_components == 2
    assert ask("GET", "download/result.json").json()["n_components"] == 2
    rows = ask("GET", "download/rows.csv").text
    assert rows.startswith("row,x,y,component,probability,log_density,outlier\n")
    pairs = ask("POST", "picture", json={"columns": ["x", "y"], "kind": "pairs"}).json()
    assert len(pairs["pairs"]) == 1 and len(pairs["histograms"]) == 2
    doubt = ask("POST", "picture", json={"columns": ["y"], "kind": "uncertainty"}).json()
    assert doubt["n_uncertain"] == 0 and max(map(max, doubt["uncertainty"])) < 1e-3
    data = ask("GET", "download/data.csv")
    assert 'filename="s.csv"' in data.headers["content-disposition"]
    assert data.text == SAMPLE


MIXED = pd.DataFrame(
    {
        "id": ["A1", "=1+1", "A3", "@home", "A5", "A6", "A7"],
        "x": [1.0, 1.5, 5.0, 5.5, 1.2, 5.1, None],
        "note": ["", "-", "-b", "+49 1", "-a", "a, b", "c"],
        "y": [1.1, 1.4, 4.8, 5.2, 0.9, 5.0, 1.0],
        "site": list("nnssnsn"),
    }
)


def upload(ask, frame, suffix):
    """Send a frame as a file, without the rows that have missing values."""
    body = io.BytesIO()
    if suffix == ".csv":
        frame.to_csv(body, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(body)
    else:
        options = {"strings_to_formulas": False}
        with pd.ExcelWriter(body, "xlsxwriter", engine_kwargs={"options": options}) as book:
            frame.to_excel(book, index=False)
    params = {"name": f"mixed{suffix}", "drop_missing": "yes"}
    return ask("POST", "data", content=body.getvalue(), params=params)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_api__rows_keep_columns_of_text_in_their_order(ask, suffix):
    assert upload(ask, MIXED, suffix).json()["left_out"] == ["id", "note", "site"]
    ask("POST", "fit", json={"n_components": 2, "columns": ["y"]})
    assert waited(ask)["state"] == "done"
    kept = MIXED.iloc[:6]
    content = ask("GET", "download/rows.csv").content
    rows = pd.read_csv(io.BytesIO(content), keep_default_na=False)
    assert [*rows] == ["row", *MIXED, "component", "probability", "log_density", "outlier"]
    assert rows["id"].tolist() == ["A1", "'=1+1", "A3", "'@home", "A5", "A6"]
    assert rows["note"].tolist() == ["", "-", "'-b", "'+49 1", "'-a", "a, b"]
    assert rows["site"].tolist() == kept["site"].tolist()
    np.testing.assert_array_equal(rows[["x", "y"]], kept[["x", "y"]])
    a, b, c, d, e, f = rows["component"]
    assert a == b == e != c == d == f
    content = ask("GET", "download/rows.xlsx").content
    sheet = pd.read_excel(io.BytesIO(content), engine="calamine", keep_default_na=False)
    assert [*sheet] == [*rows] and sheet["id"].tolist() == kept["id"].tolist()
    np.testing.assert_allclose(sheet["log_density"], rows["log_density"], rtol=1e-14)


def test_api__rows_keep_typed_columns_aside(ask):
    text = "who,x,x_\n=A,1,\nB,1.5,-\nC,5,z\nD,5.5,1\n"
    params = {"name": "typed.csv", "typed": "yes", "aside": ["who", "x_"]}
    assert ask("POST", "data", content=text, params=params).json()["columns"] == ["x"]
    ask("POST", "fit", json={"n_components": 2})
    assert waited(ask)["state"] == "done"
    rows = pd.read_csv(
        io.StringIO(ask("GET", "download/rows.csv").text), dtype=str, keep_default_na=False
    )
    assert [*rows][:5] == ["row", "who", "x", "x_", "component"]
    assert rows["who"].tolist() == ["'=A", "B", "C", "D"]
    assert rows["x_"].tolist() == ["", "-", "z", "1"]
    assert rows["x"].astype(float).tolist() == [1, 1.5, 5, 5.5]


def downloaded(ask):
    """Cells of the rows as text, and the same of the sheet, which may hold numbers."""
    content = ask("GET", "download/rows.csv").content
    rows = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    content = ask("GET", "download/rows.xlsx").content
    return rows, pd.read_excel(io.BytesIO(content), engine="calamine", dtype=object)


def test_api__columns_that_are_not_used_come_back_as_they_were(ask):
    ask("POST", "data", content=GERMAN, params={"name": "german.csv"})
    ask("POST", "fit", json={"n_components": 1, "columns": ["Menge"]})
    assert waited(ask)["state"] == "done"
    rows, sheet = downloaded(ask)
    assert rows["Nr"].tolist() == ["00101", "00102", "20103"] == sheet["Nr"].tolist()
    assert rows["Umsatz"].tolist() == ["3.498,37 €", "-1.000,00 €", "2.000,50 €"]
    assert sheet["Umsatz"].tolist() == rows["Umsatz"].tolist()
    assert rows["Menge"].tolist() == ["10.0", "3.0", "4.0"]


def test_api__rows_are_numbered_as_in_the_file(ask, monkeypatch):
    monkeypatch.setattr(data, "BLOCK", 2)
    text = "a;b\n1;5\n;6\n3;7\n4;\n5;1.5\n"
    params = {"name": "gaps.csv", "drop_missing": "yes"}
    ask("POST", "data", content=text, params=params)
    ask("POST", "fit", json={"n_components": 1, "columns": ["a"]})
    assert waited(ask)["state"] == "done"
    rows, sheet = downloaded(ask)
    assert [*rows][:3] == ["row", "a", "b"]
    assert rows["row"].tolist() == ["1", "3", "5"] and sheet["row"].tolist() == [1, 3, 5]
    assert rows["b"].tolist() == ["5", "7", "1.5"] and sheet["b"].tolist() == [5, 7, 1.5]


def test_api__ids_that_are_text_in_a_sheet_stay_text(ask):
    frame = pd.DataFrame({"id": ["00001", "00002", "10003"], "x": [1.5, 2, 4]})
    upload(ask, frame, ".xlsx")
    ask("POST", "fit", json={"n_components": 1, "columns": ["x"]})
    assert waited(ask)["state"] == "done"
    for rows in downloaded(ask):
        assert rows["id"].tolist() == ["00001", "00002", "10003"]


def test_api__rows_of_many_blocks(ask, monkeypatch):
    monkeypatch.setattr(data, "BLOCK", 4)
    fitted(ask, "who," + SAMPLE.replace("\n", "\nA,")[:-2], n_components=2)
    rows = pd.read_csv(io.StringIO(ask("GET", "download/rows.csv").text))
    assert rows[["x", "y"]].to_csv(index=False) == SAMPLE
    a, b, c, d, e, f = rows["component"]
    assert a == b == e != c == d == f
    monkeypatch.setattr(data, "LARGEST_TABLE", 5)
    answer = ask("GET", "download/rows.csv")
    assert answer.status_code == 400 and "columns of text must take at" in answer.json()["error"]


def test_api__downloads_and_uploads_leave_no_files(ask, server):
    upload(ask, MIXED, ".csv")
    session = server.app.state.sessions.get(ask("GET", "options").request.url.params["session"])
    kept = session.loaded.file
    assert kept.exists()
    ask("POST", "fit", json={})
    waited(ask)
    before = {*session.folder.iterdir()}
    with ThreadPoolExecutor() as pool:
        found = [*pool.map(lambda _: ask("GET", "download/rows.csv").text, range(4))]
    assert len(set(found)) == 1 and {*session.folder.iterdir()} == before
    assert ask("POST", "data", content="a\nb\n", params={"name": "bad.csv"}).status_code == 400
    assert {*session.folder.iterdir()} == before
    ask("POST", "example", json={"name": "sensors"})
    assert not kept.exists()


def test_api__sheets_that_cannot_be_written(ask, monkeypatch):
    assert ask("GET", "options").json()["excel_rows"] == 1_048_575
    fitted(ask, n_components=2)
    monkeypatch.setattr("gmmfast.tables.excel.MOST_ROWS", 5)
    answer = ask("GET", "download/rows.xlsx")
    assert answer.status_code == 400 and "holds at most 5 rows" in answer.json()["error"]


def test_sheets__take_no_rows_without_xlsxwriter():
    code = "import sys; sys.modules['xlsxwriter'] = None; from gmmfast.calculator import downloads"
    command = [sys.executable, "-c", f"{code}; print(downloads.EXCEL_ROWS)"]
    assert subprocess.run(command, check=True, capture_output=True).stdout.strip() == b"0"


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "sentence"),
    [
        ("GET", "nothing", {}, 404, "Not Found"),
        ("GET", "fit", {"params": {"session": "x"}}, 404, "This session has ended"),
        ("PUT", "fit", {}, 405, "Method Not Allowed"),
        ("POST", "fit", {"json": {}}, 409, "There are no data yet"),
        ("POST", "example", {"content": "{}"}, 415, "must be JSON"),
        ("POST", "example", {"json": {"name": "x"}}, 400, "There is no example 'x'"),
        ("POST", "example", {"json": []}, 400, "must be a JSON object"),
        (
            "POST",
            "example",
            {"content": "{", "headers": {"content-type": "application/json"}},
            400,
            "is not JSON",
        ),
        ("POST", "data", {"params": {"name": "x.exe"}}, 400, "the file must end in .csv"),
        ("POST", "data", {"params": {"name": "../x.csv"}, "content": "q"}, 400, "x.csv: a table"),
        ("POST", "data", {"params": {"name": "x.npy"}, "content": b"\x93NUMPY"}, 400, "x.npy"),
        ("POST", "picture", {"json": {}}, 409, "There is no result yet"),
        ("POST", "rows", {"content": "1"}, 409, "There is no result yet"),
        ("GET", "download/model.npz", {}, 409, "There is no result yet"),
        (
            "POST",
            "example",
            {"content": b" " * (LARGEST_JSON + 1), "headers": {"content-type": "application/json"}},
            413,
            "That is more than 1 MB",
        ),
    ],
)
def test_api__bad_requests(ask, method, path, options, status, sentence):
    answer = ask(method, path, **options)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"} and sentence in answer.json()["error"]
    assert ask("GET", "options").status_code == 200  # it lives on


def test_api__a_body_without_length_is_limited(server):
    session = server.post("/api/session").json()["session"]

    pieces = (b" " * 65536 for _ in range(LARGEST_JSON // 65536 + 2))
    answer = server.post(
        "/api/example", params={"session": session}, content=pieces,
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 413


def test_api__a_file_that_is_too_large(ask, monkeypatch):
    monkeypatch.setattr(app, "LARGEST_FILE", app.MEGABYTE)
    answer = ask("POST", "data", content=b"1\n" * app.MEGABYTE, params={"name": "x.csv"})
    assert answer.status_code == 413
    assert answer.json() == {"error": "That is more than 1 MB. Send less."}


def test_api__a_small_file_that_becomes_large(ask, tmp_path):
    arrow_of_zeros(tmp_path / "zeros.arrow")
    content = (tmp_path / "zeros.arrow").read_bytes()
    answer = ask("POST", "data", content=content, params={"name": "zeros.arrow"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("zeros.arrow: the table must take at most 512 MB")


def test_api__too_little_memory_is_a_message(ask, monkeypatch):
    def none(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(app, "read_upload", none)
    answer = ask("POST", "data", content=SAMPLE, params={"name": "s.csv"})
    assert answer.status_code == 413 and "There is not enough memory" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        ("picture", {"json": {"columns": ["z"]}}, "columns must be 1 to 2 of x, y"),
        ("picture", {"json": {"columns": [["x"]]}}, "columns must be 1 to 2 of x, y"),
        ("picture", {"json": {"columns": ["x"], "kind": "pairs"}}, "must be 2 to 5 of x, y"),
        (
            "picture",
            {"json": {"columns": ["x"], "kind": "pie"}},
            "kind must be components, pairs or",
        ),
        ("rows", {"content": "a,b,c\n1,2,3\n"}, "there is no column 'x'; the columns are a, b, c"),
        ("rows", {"content": "1,2,3\n"}, "New rows need 2 columns: x, y; got 3."),
        ("rows", {"content": "x,y\n1,oops\n"}, "new rows, line 2, column 'y'"),
        ("rows", {"content": "x,y\n1,2\n", "params": {"rate": "2"}}, "between 0 and 1; got '2'"),
    ],
)
def test_api__bad_requests_of_a_result(ask, path, options, sentence):
    fitted(ask, n_components=2)
    answer = ask("POST", path, **options)
    assert answer.status_code == 400 and sentence in answer.json()["error"]
    assert ask("GET", "download/missing.txt").status_code == 404


def test_api__a_fit_that_fails_says_why(ask):
    status = fitted(ask, n_components=9)
    assert status["state"] == "failed" and "9 components need at least" in status["error"]
    status = fitted(ask, "a,b\n1,2\n1,2\n1,2\n", n_components=2, reg_covar=0)
    assert status["state"] == "failed" and "reg_covar" in status["error"]
    assert fitted(ask, n_components=1)["state"] == "done"


def slow_fit(ask):
    X, _ = mixture(20_000, 8, 2, separation=0.1)
    text = "\n".join([",".join("abcdefgh"), *(",".join(map(repr, row)) for row in X.tolist()), ""])
    ask("POST", "data", content=text, params={"name": "slow.csv"})
    settings = {"n_components": 40, "tol": 0, "max_iter": 100_000}
    assert ask("POST", "fit", json=settings).status_code == 202


def until(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.02)


def test_api__canceling_a_fit(ask):
    slow_fit(ask)
    until(lambda: ask("GET", "fit").json()["progress"].get("iteration"))
    assert ask("POST", "fit", json={}).status_code == 409  # one at a time
    assert ask("POST", "data", content=SAMPLE, params={"name": "s.csv"}).status_code == 409
    assert ask("DELETE", "fit").json()["state"] == "canceled"
    assert waited(ask)["state"] == "canceled"
    assert fitted(ask, n_components=2)["state"] == "done"
    assert ask("DELETE", "fit").json()["state"] == "done"  # nothing is left to cancel


def test_api__a_worker_that_dies_is_a_message(ask, server):
    slow_fit(ask)
    until(lambda: ask("GET", "fit").json()["progress"].get("iteration"))
    server.app.state.sessions._worker._process.kill()
    assert "ended by the system" in waited(ask)["error"]
    assert fitted(ask, n_components=2)["state"] == "done"


def test_api__the_queue_has_a_limit(ask, server):
    def other():
        session = server.post("/api/session").json()["session"]
        params = {"session": session}
        server.post("/api/data", params={**params, "name": "s.csv"}, content=SAMPLE)
        return params

    slow_fit(ask)
    until(lambda: ask("GET", "fit").json()["state"] == "running")
    waiting = [other() for _ in range(MOST_WAITING)]
    for params in waiting:
        assert server.post("/api/fit", params=params, json={}).status_code == 202
    assert server.get("/api/fit", params=waiting[0]).json()["state"] == "waiting"
    full = server.post("/api/fit", params=other(), json={})
    assert full.status_code == 503 and "Too many fits" in full.json()["error"]
    gone = server.delete("/api/fit", params=waiting[0]).json()
    assert gone["state"] == "canceled"
    ask("DELETE", "fit")
    last = waiting[-1]
    until(lambda: server.get("/api/fit", params=last).json()["state"] == "done")
    assert server.get("/api/fit", params=waiting[0]).json()["state"] == "canceled"


def test_api__canceled_fits_leave_the_queue(ask, server):
    slow_fit(ask)
    until(lambda: ask("GET", "fit").json()["state"] == "running")
    params = {"session": server.post("/api/session").json()["session"]}
    server.post("/api/data", params={**params, "name": "s.csv"}, content=SAMPLE)
    for _ in range(2 * MOST_WAITING):
        assert server.post("/api/fit", params=params, json={}).status_code == 202
        assert server.delete("/api/fit", params=params).json()["state"] == "canceled"
    assert server.post("/api/fit", params=params, json={}).status_code == 202
    ask("DELETE", "fit")
    until(lambda: server.get("/api/fit", params=params).json()["state"] == "done")


def test_api__a_fit_that_nobody_asks_about_is_ended(ask, server, monkeypatch):
    monkeypatch.setattr(sessions, "ABANDONED", 0.5)
    slow_fit(ask)
    session = server.app.state.sessions._all
    job = next(reversed(session.values())).job
    until(lambda: job.ended.is_set())
    assert job.state == "canceled"
    monkeypatch.setattr(sessions, "ABANDONED", 60.0)
    assert fitted(ask, n_components=2)["state"] == "done"


def test_api__whatever_goes_wrong_the_next_fit_has_its_turn(ask, server, monkeypatch):
    def broken(*arguments):
        raise OSError("no more processes")

    worker = server.app.state.sessions._worker
    with monkeypatch.context() as patch:
        patch.setattr(worker, "compute", broken)
        status = fitted(ask, n_components=2)
    assert status["state"] == "failed" and "no more processes" in status["error"]
    assert fitted(ask, n_components=2)["state"] == "done"


def test_api__two_files_at_once_do_not_meet(server):
    params = {"session": server.post("/api/session").json()["session"]}

    def send(name):
        text = f"{name}\n" + "1.5\n" * 50_000
        return name, server.post("/api/data", params={**params, "name": "x.csv"}, content=text)

    with ThreadPoolExecutor(4) as pool:
        for name, answer in pool.map(send, ["a", "b", "c", "d"] * 3):
            assert answer.status_code == 200 and answer.json()["columns"] == [name]


def test_api__old_sessions_make_room():
    with TestClient(make_app(TOKEN, 80), base_url="http://localhost") as client:
        client.cookies.set("gmmfast-80", TOKEN)
        ids = [client.post("/api/session").json()["session"] for _ in range(MOST_SESSIONS + 1)]
        states = [client.get("/api/fit", params={"session": id}).status_code for id in ids]
    assert states == [404] + [200] * MOST_SESSIONS


# --------------------------------------------------------------------------------- the guard


def test_guard__the_token_becomes_a_cookie():
    client = TestClient(make_app(TOKEN, 80), base_url="http://127.0.0.1", follow_redirects=False)
    assert client.get("/").status_code == 401
    assert client.get("/api/options").json() == {
        "error": "Open the calculator with the address that the terminal shows."
    }
    assert client.get("/", params={"token": "wrong"}).status_code == 401
    admitted = client.get("/", params={"token": TOKEN})
    assert (admitted.status_code, admitted.headers["location"]) == (303, "/")
    cookie = admitted.headers["set-cookie"]
    for part in (f"gmmfast-80={TOKEN}", "HttpOnly", "SameSite=strict"):
        assert part in cookie
    page = client.get("/")
    assert page.status_code == 200 and "Gaussian mixture calculator" in page.text


def test_guard__headers_and_files(server):
    for path in ("/", "/static/main.js", "/api/options", "/api/nothing", "/static/nothing"):
        headers = server.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
    assert len(server.get("/plotly.js").content) > 1_000_000
    assert server.get("/static/%2e%2e/app.py").status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "localhost.evil.example"}, 421),
        ({"host": "10.0.0.1:80"}, 421),
        ({"host": "127.0.0.1:80"}, 200),
        ({"host": "[::1]:80"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost"}, 200),
    ],
)
def test_guard__hosts_and_origins(server, headers, status):
    answer = server.get("/api/options", headers=headers)
    assert answer.status_code == status
    assert status == 200 or set(answer.json()) == {"error"}


def test_guard__other_addresses_only_when_asked_for():
    assert is_known_host("192.168.0.7:8423", any_address=True)
    assert not is_known_host("192.168.0.7:8423", any_address=False)
    assert not is_known_host("mine.example:8423", any_address=True)


# --------------------------------------------------------------------------------- the command


def test_command__listens_and_ends_with_ctrl_c():
    process = subprocess.Popen(
        [sys.executable, "-m", "gmmfast", "calculator", "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    address = process.stdout.readline().split()[-1]
    assert address.startswith("http://127.0.0.1:") and "/?token=" in address
    port = address.split(":")[2].split("/")[0]
    taken = subprocess.run(
        [sys.executable, "-m", "gmmfast", "calculator", "--no-browser", "--port", port],
        capture_output=True, text=True,
    )  # fmt: skip
    assert taken.returncode == 2 and f"Port {port} is taken" in taken.stderr
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors


def test_command__other_machines_need_a_flag(run):
    code, _, err = run("calculator", "--host", "0.0.0.0")
    assert code == 2 and "add --i-know" in err
    code, _, err = run("calculator", "--host", "somewhere")
    assert code == 2 and "must be an address such as 127.0.0.1" in err


def test_command__says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, err = run("calculator", "--no-browser")
    assert code == 2 and "pip install 'gmmfast[calculator]'" in err


def test_command__warns_where_other_machines_can_reach_it():
    process = subprocess.Popen(
        [sys.executable, "-m", "gmmfast", "calculator", "--no-browser", "--port", "0",
         "--host", "0.0.0.0", "--i-know"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline().startswith("gmmfast calculator: http://0.0.0.0:")
    assert "everyone who can reach this machine" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
