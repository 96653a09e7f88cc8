"""Files and frames as arrays: what is read, and one clear sentence for what cannot be."""

import decimal
import errno
import os
import sys
import zipfile

import numpy as np
import pytest

from gmmfast.data.frames import from_frame
from gmmfast.tables import (
    Reading,
    Table,
    choose_columns,
    column_names,
    read_pieces,
    read_table,
    write_table,
)

pytestmark = pytest.mark.quick


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas", reason="needs pandas frames")


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow reads Parquet and Arrow files")


def message(error, call, *args, **kwargs):
    """Text of the error that the call raises."""
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    return str(caught.value)


# Text files: what is read


@pytest.mark.parametrize(
    ("text", "names", "has_names"),
    [
        pytest.param("a,b\n1,2.5\n-3,4e2\n", ["a", "b"], True, id="comma"),
        pytest.param("a;b\n1;2.5\n-3;4e2\n", ["a", "b"], True, id="semicolon"),
        pytest.param("a\tb\n1\t2.5\n-3\t4e2\n", ["a", "b"], True, id="tab"),
        pytest.param("1,2.5\n-3,4e2\n", ["x1", "x2"], False, id="no header"),
        pytest.param('"a","b"\n"1","2.5"\n"-3","4e2"\n', ["a", "b"], True, id="quotes"),
        pytest.param('"a, or\nso",b\n1,2.5\n-3,4e2\n', ["a, or\nso", "b"], True, id="odd name"),
        pytest.param("\ufeffa,b\n1,2.5\n-3,4e2\n", ["a", "b"], True, id="byte order mark"),
        pytest.param("\ufeff1,2.5\n-3,4e2\n", ["x1", "x2"], False, id="mark, no header"),
        pytest.param("\n\na,b\n\n1,2.5\n\n\n-3,4e2\n\n", ["a", "b"], True, id="blank lines"),
        pytest.param(" \na,b\n  \n1,2.5\n\t\n-3,4e2\n ", ["a", "b"], True, id="spaces only"),
        pytest.param("a,b\r\n1,2.5\r\n-3,4e2\r\n", ["a", "b"], True, id="windows"),
        pytest.param("a,b\n1,2.5\n-3,4e2", ["a", "b"], True, id="no last newline"),
        pytest.param(" a , b\n 1 , 2.5\n -3, 4e2 \n", ["a", "b"], True, id="padded"),
        pytest.param("temp/°C,b\n1,2.5\n-3,4e2\n", ["temp/°C", "b"], True, id="unicode"),
    ],
)
def test_read_table__accepts_text(write, text, names, has_names):
    table = read_table(write(text))
    assert isinstance(table, Table)
    np.testing.assert_array_equal(table.values, [[1, 2.5], [-3, 400]])
    assert table.values.dtype == np.float64
    assert (table.names, table.has_names, table.weights) == (names, has_names, None)


@pytest.mark.parametrize("name", ["data.tsv", "data.TXT"])
def test_read_table__accepts_other_text_suffixes(write, name):
    assert read_table(write("a\tb\n1\t2\n", name)).values.tolist() == [[1, 2]]


@pytest.mark.parametrize("text", ["a\n1\n2\n", "1\n2\n", "a\n1\n\n2\n"])
def test_read_table__accepts_one_column(write, text):
    assert read_table(write(text)).values.tolist() == [[1], [2]]


def test_read_table__accepts_one_row(write):
    assert read_table(write("a,b\n1,2\n")).values.tolist() == [[1, 2]]


def test_read_table__tells_a_delimiter_from_a_comma_inside_a_name(write):
    table = read_table(write("a, so;b, too\n1;2\n3;4\n"))
    assert table.names == ["a, so", "b, too"]
    assert read_table(write('"a;b",c\n1,2\n')).names == ["a;b", "c"]


def test_read_table__picks_columns_in_the_order_asked(write):
    path = write('id,a,when,b\n"Ann, 1",1,Mon,2\n"Bo\nb",3,Tue,4\nÜlf,5,Wed,6\n')
    table = read_table(path, columns=["b", "a"])
    assert table.names == ["b", "a"]
    assert table.values.tolist() == [[2, 1], [4, 3], [6, 5]]


def test_read_table__picks_columns_by_default_names(write):
    assert read_table(write("1,2,3\n4,5,6\n"), columns=["x3"]).values.tolist() == [[3], [6]]


def test_read_table__ignores_faults_in_columns_it_does_not_need(write):
    path = write("a,a,b,\n1,2,3,x\n4,,6,\n")
    assert read_table(path, columns=["b"]).values.tolist() == [[3], [6]]


def test_read_table__pulls_out_the_weights(write):
    path = write("a,w,b\n1,0.5,2\n3,2,4\n")
    table = read_table(path, weight_column="w")
    assert table.names == ["a", "b"]
    assert table.values.tolist() == [[1, 2], [3, 4]]
    assert table.weights.tolist() == [0.5, 2]
    table = read_table(path, columns=["b"], weight_column="w")
    assert (table.values.tolist(), table.weights.tolist()) == ([[2], [4]], [0.5, 2])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a,g,b\n1,x y,2\n\n3, z,4\n", ["x y", "z"]),
        ('a,g,b\n1,"x,\ny",2\n3,z,4\n', ["x,\ny", "z"]),
        ("a;g;b\n1;10;2\n3;2.0;4\n", [10.0, 2.0]),
        ("a\tg\tb\n1\t7\t2\n3\tseven\t4\n", ["7", "seven"]),
    ],
)
def test_read_table__pulls_out_the_labels(write, text, labels):
    path = write(text)
    table = read_table(path, label_column="g")
    assert (table.names, table.values.tolist()) == (["a", "b"], [[1, 2], [3, 4]])
    assert table.labels.tolist() == labels
    table = read_table(path, ["b"], "a", label_column="g")
    assert (table.values.tolist(), table.weights.tolist()) == ([[2], [4]], [1, 3])
    assert table.labels.tolist() == labels


def test_read_table__labels_without_a_header_or_in_an_index(write):
    table = read_table(write("1,x,2\n3,y,4\n"), label_column="x2")
    assert (table.names, table.labels.tolist()) == (["x1", "x3"], ["x", "y"])
    table = read_table(write(",a\nx,1\ny,2\n"), label_column="index")
    assert (table.names, table.labels.tolist(), table.notes) == (["a"], ["x", "y"], [])


def test_read_table__labels_it_cannot_use(write):
    path = write("g,a\nx,1\n?,2\n")
    text = message(ValueError, read_table, path, label_column="g")
    assert "data.csv, row 2, column 'g': every row needs a label; got '?'" in text
    assert "no column 'h'" in message(ValueError, read_table, path, label_column="h")
    assert "2 times" in message(ValueError, read_table, path, ["a", "g"], label_column="g")
    text = message(ValueError, read_table, write("a,w\n1,2\n"), None, "a", label_column="w")
    assert "no column is left beside 'a' and 'w'" in text


@pytest.mark.parametrize("name", ["x.parquet", "x.feather", "x.arrow"])
def test_read_table__labels_of_arrow(arrow, tmp_path, name):
    texts = arrow.array(["v", "u", "v"])
    columns = {"text": texts, "category": texts.dictionary_encode(), "number": [3, 1, 3]}
    columns |= {"flag": [True, False, True], "a": [0.5, 1.5, 2.5], "no": ["u", None, "v"]}
    save_arrow(arrow, tmp_path / name, arrow.table(columns))
    for column in ("text", "category", "number", "flag"):
        table = read_table(tmp_path / name, ["a"], label_column=column)
        assert table.values.tolist() == [[0.5], [1.5], [2.5]]
        assert np.unique(table.labels, return_inverse=True)[1].tolist() == [1, 0, 1]
    text = message(ValueError, read_table, tmp_path / name, ["a"], label_column="no")
    assert "row 2, column 'no': every row needs a label; got None" in text


def test_read_table__labels_of_npy(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 5.0], [2.0, np.nan]]))
    text = message(ValueError, read_table, tmp_path / "x.npy", label_column="x2")
    assert "row 2, column 'x2': every row needs a label; got nan" in text
    np.save(tmp_path / "x.npy", np.array([[1, 5], [2, 7]]))
    table = read_table(tmp_path / "x.npy", label_column="x2")
    assert (table.values.tolist(), table.labels.tolist()) == ([[1], [2]], [5, 7])


def test_read_table__reads_back_each_bit(tmp_path):
    values = np.random.default_rng(0).standard_normal(2000) * 10.0 ** np.arange(-300, 300, 0.3)
    write_table(tmp_path / "x.csv", [{"a": values}])
    assert read_table(tmp_path / "x.csv").values[:, 0].tobytes() == values.tobytes()


def test_write_table__names_the_file_that_cannot_be_written(tmp_path, monkeypatch):
    """Not the one beside it; and nothing is left there."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gmmfast.tables.writing.write_csv", full)
    text = message(OSError, write_table, tmp_path / "x.csv", [{"a": np.ones(2)}])
    assert text == f"[Errno 28] No space left on device: '{tmp_path / 'x.csv'}'"
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("os.access", lambda path, mode: False)
    text = message(PermissionError, write_table, tmp_path / "x.csv", [{"a": np.ones(2)}])
    assert text.endswith("x.csv: the folder must be writable. Choose another.")


def test_column_names__of_each_kind_of_file(write, tmp_path):
    assert column_names(write("a;b\n1;2\n")) == ["a", "b"]
    assert column_names(write("1;2\n")) is None
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    assert column_names(tmp_path / "x.npy") is None


# Text files: headers of numbers


def below(first, kind, n=60):
    """Rows of text below a first line: as many columns of decimals, or of whole numbers."""
    rng, d = np.random.default_rng(0), len(first.split(","))
    rows = rng.integers(200, 900, (n, d)) if kind == "whole" else rng.normal(size=(n, d))
    return "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())


@pytest.mark.parametrize(
    ("first", "headers_above"),
    [
        ("0,1", "decimals whole"),  # as pandas writes columns without names
        ("1,2", "decimals whole"),
        ("0,1,2,3,4,5,6,7,8,9,10,11", "decimals whole"),
        ("1,2,3", "decimals whole"),
        ("0", "decimals"),
        ("1", "decimals"),
        ("5", ""),
        ("2019,2020,2021", "decimals whole"),
        ("2020,2010", "decimals whole"),
        ("2019", "decimals"),
        ("400,410", "decimals"),  # such as wavelengths
        ("1,0", "decimals"),
        ("0,2", "decimals"),
        ("01,02", ""),
        ("0.0,1.0", ""),
        ("400.5,410.5", ""),
        ("-1,0", ""),
        ("1e3,2e3", ""),
        ("nan,1", ""),
    ],
)
@pytest.mark.parametrize("kind", ["decimals", "whole"])
def test_header__of_numbers(write, first, headers_above, kind):
    path, names = write(f"{first}\n{below(first, kind)}"), first.split(",")
    is_header = kind in headers_above.split()
    assert column_names(path) == (names if is_header else None)
    [note] = choose_columns(path, None, None).notes
    assert f"data.csv: the first line ({first[:7]}" in note
    reading = "the names of the columns. If it is a row, use --no-header (header=False in Python)."
    other = "a row of numbers. If it holds the names of the columns, use --header (header=True in "
    assert (reading in note, other in note) == (is_header, not is_header)
    assert column_names(path, names[-1:]) == names
    assert column_names(path, ["x1"]) is None
    assert column_names(path, reading=Reading(header=True)) == names
    assert column_names(path, reading=Reading(header=False)) is None
    assert choose_columns(path, ["x1"], reading=Reading(header=False)).notes == []


@pytest.mark.parametrize(
    ("text", "is_header"),
    [
        pytest.param("0,1\n1,0\n0,0\n0,1\n1,1\n", False, id="the line occurs again"),
        pytest.param("1,2\n3,4\n5,6\n", False, id="rows count on"),
        pytest.param("0,1,2\n3,4,5\n", False, id="rows count on from 0"),
        pytest.param("1,2\n", False, id="nothing below"),
        pytest.param("0,1\n0,5\n7,5\n", True, id="whole numbers"),
        pytest.param("7,7\n0.5,1.5\n", False, id="equal numbers"),
        pytest.param("0\n1\n0\n", False, id="a column of whole numbers"),
        pytest.param("2019,2020\n2018,2021\n", False, id="years above years"),
        pytest.param("5,3,1\n4.9,3.0,1.4\n5.0,3,1.4\n", False, id="a whole number below"),
        pytest.param('"400.5","410.5"\n1,2\n3,4\n', True, id="in quotes"),
        pytest.param('"7","3"\n"1","2"\n', False, id="all in quotes"),
        pytest.param('"7",3\n1,2\n', False, id="some in quotes"),
        pytest.param('"a","400.5"\n1,2\n3,4\n', True, id="words in quotes"),
        pytest.param("x,2019,2020\n1,2,3\n", True, id="a word above numbers"),
        pytest.param("2019,total\n1,2\n", True, id="a word at the end"),
        pytest.param("x,7,3\n1,2,3\n", True, id="whole numbers beside a word"),
        pytest.param("x,5.1\n1,2\n", False, id="a decimal beside a word"),
        pytest.param("x,7,7\n1,2,3\n", False, id="equal numbers beside a word"),
        pytest.param("NA,7\n1,2\n", False, id="a missing number"),
        pytest.param("?,2\n1,3\n", False, id="a missing number, too"),
        pytest.param("1_000,7\n1,2\n", False, id="no name"),
        pytest.param("country,1990,1995\nFR,1,2\nDE,3,4\n", True, id="years beside labels"),
        pytest.param("who,1,2\nA,0.5,1.5\n", True, id="numbers beside labels"),
        pytest.param("FR,1,2\nDE,3,4\n", False, id="a row with a label"),
        pytest.param("FR,1,2\nFR,3.5,4.5\n", False, id="a label that occurs again"),
    ],
)
def test_header__of_numbers_is_told_from_a_row(write, text, is_header):
    assert (column_names(write(text)) is not None) == is_header


def test_header__asked_for(write):
    path = write("a,b\n1,2\n")
    assert read_table(path, header=True).values.tolist() == [[1, 2]]
    text = message(ValueError, read_table, path, header=False)
    assert "line 1, column 'x1'" in text and "use --header (header=True in Python)" in text
    text = message(ValueError, read_table, write(",5.5\n1.5,2\n"))
    assert "1 of 2 rows has missing values (x1: 1), first in line 1." in text
    path = write("5,6\n7,8\n")
    assert read_table(path, header=True).names == ["5", "6"]
    assert read_table(path, ["6"], "5", header=True).weights.tolist() == [7]
    text = message(ValueError, read_table, write("5,6\n"), header=True)
    assert "at least one row below the header line" in text
    for header in (0, "infer", 1):  # as pandas takes it
        text = message(TypeError, read_table, path, header=header)
        assert "header must be True" in text and f"got {header!r}" in text


def test_header__names_that_are_asked_for_occur_once(write):
    path = write("0,1,1\n1,0,1\n0,1,0\n")
    assert column_names(path, ["0"]) == ["0", "1", "1"]
    assert column_names(path, ["0", "1"]) is None


def test_header__is_that_of_text_files(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    for header in (True, False):
        text = message(ValueError, read_table, tmp_path / "x.npy", header=header)
        assert "--header and --no-header (header= in Python) are for text files" in text


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("names", [[0, 1], [1, 2], [2019, 2020], ["a", 2020], ["a", "b"]])
@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_header__of_what_pandas_writes(pandas, tmp_path, names, index, sep):
    values = np.random.default_rng(0).normal(size=(100, 2))
    path = tmp_path / "x.csv"
    pandas.DataFrame(values, columns=names).to_csv(path, index=index, sep=sep)
    table = read_table(path)
    assert table.names == list(map(str, names))
    np.testing.assert_array_equal(table.values, values)
    pieces = list(read_pieces(path, n_rows=30))
    np.testing.assert_array_equal(np.concatenate([piece.values for piece in pieces]), values)
    assert all(piece.notes == table.notes for piece in pieces)
    assert len(table.notes) == index + (names != ["a", "b"])


# An index of the rows


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (",a,b\n0,1.5,2\n1,3.5,4\n", ["index"]),
        (",a,b\n1,1.5,2\n2,3.5,4\n", ["index"]),
        (",a,b\n7,1.5,2\n3,3.5,4\n", ["index"]),  # of a frame whose rows were chosen
        (",0,1\n0,1.5,2\n1,3.5,4\n", ["index"]),
        (",0,1\n0.0,1.5,2\n1.0,3.5,4\n", ["index"]),
        (",2019,2020\nu,1.5,2\nv,3.5,4\n", ["index"]),
        ('"","a","b"\n"1",1.5,2\n"2",3.5,4\n', ["index"]),  # as R writes it
        ("Unnamed: 0,a,b\n0,1.5,2\n1,3.5,4\n", ["Unnamed: 0"]),
        (",Unnamed: 0,a,b\n0,0,1.5,2\n1,1,3.5,4\n", ["index", "Unnamed: 0"]),
        (",Unnamed: 0.1,Unnamed: 0,a,b\n0,0,0,1.5,2\n1,1,1,3.5,4\n",
         ["index", "Unnamed: 0.1", "Unnamed: 0"]),
        ("\tindex\tb\n0\t1.5\t2\n1\t3.5\t4\n", ["index_"]),
    ],
)  # fmt: skip
def test_index__is_left_out_with_a_note(write, text, index):
    path = write(text)
    table = read_table(path)
    np.testing.assert_array_equal(table.values, [[1.5, 2], [3.5, 4]])
    shown = ", ".join(map(repr, index))
    assert table.notes[-1] == (
        f"{path}: the index of the rows ({shown}) is left out. "
        "To use it, name it in --columns (columns= in Python)."
    )
    assert column_names(path) == table.names
    assert column_names(path, index[:1]) == [*index[:1], *table.names]
    if "u" not in text.split("\n")[1]:
        asked = read_table(path, [index[0], table.names[1]])
        assert asked.values[:, 1].tolist() == [2, 4]
        assert not any("left out" in note for note in asked.notes)
        assert read_table(path, weight_column=index[0]).names == table.names
    assert read_table(path, header=True).names == table.names


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (",a\n0.5,1\n1.5,2\n", 1),  # not whole
        (",a\n3,1\n3,2\n", 1),  # not distinct
        ("a,,b\n1,0,2\n3,1,4\n", 2),  # not the first
        ("a,\n1,0\n3,1\n", 2),
    ],
)
def test_index__other_columns_must_have_names(write, text, number):
    text = message(ValueError, read_table, write(text))
    assert f"every column must have a name; column {number} has none" in text


def test_index__is_not_all_there_is(write):
    assert read_table(write("Unnamed: 0\n0\n1\n")).names == ["Unnamed: 0"]


def test_index__of_a_file_without_names_is_read_as_data_with_a_note(write):
    path = write("0,1.5,2.5\n1,3.5,4.5\n2,5.5,6.5\n")
    table = read_table(path)
    assert table.names == ["x1", "x2", "x3"]
    assert "column 'x1' counts the rows, and is read as data" in table.notes[-1]
    assert not any("counts" in note for note in read_table(path, ["x2", "x3"]).notes)
    assert len(read_table(write("0,1.5\n2,3.5\n4,5.5\n")).notes) == 1


def index_frames(pandas):
    """Frames of two columns, with an index that is written as a column, and its name there."""
    frame = pandas.DataFrame({"a": [1.5, 3.5], "b": [2.0, 4.0]})
    yield frame.set_axis([7, 3]), "__index_level_0__"
    yield frame.set_axis(["u", "v"]), "__index_level_0__"
    yield frame.rename_axis("id").set_axis(pandas.Index([7, 3], name="id")), "id"
    yield frame.set_axis(pandas.Index([0, 1], name="__null_dask_index__")), "__null_dask_index__"


@pytest.mark.parametrize("kind", ["parquet", "feather"])
@pytest.mark.parametrize("case", range(4))
def test_index__of_pandas_in_arrow_files(pandas, arrow, tmp_path, kind, case):
    frame, name = list(index_frames(pandas))[case]
    path = tmp_path / f"x.{kind}"
    getattr(frame, f"to_{kind}")(path)
    table = read_table(path)
    assert (table.names, table.values.tolist()) == (["a", "b"], [[1.5, 2], [3.5, 4]])
    assert f"the index of the rows ({name!r}) is left out" in table.notes[0]
    assert column_names(path) == ["a", "b"]
    if case != 1:
        assert read_table(path, [name, "b"]).values[:, 1].tolist() == [2, 4]


def test_index__of_arrow_files_whose_metadata_are_lost_or_odd(arrow, tmp_path):
    columns = {"a": [1.5, 3.5], "__index_level_0__": [7, 3]}
    for text in (
        None,
        "{",
        "[]",
        '{"index_columns": "a"}',
        '{"index_columns": [{"kind": "range"}]}',
    ):
        table = arrow.table(columns).replace_schema_metadata(text and {"pandas": text})
        save_arrow(arrow, tmp_path / "x.parquet", table)
        assert read_table(tmp_path / "x.parquet").names == ["a"]
    table = arrow.table({"__index_level_0__": [7, 3]})
    save_arrow(arrow, tmp_path / "x.parquet", table)
    assert read_table(tmp_path / "x.parquet").names == ["__index_level_0__"]


# Text files: errors


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["data.csv", "at least one row", "empty"]),
        ("\n \n", ["at least one row", "empty"]),
        ("a,b\n", ["at least one row below the header line", "got none"]),
        ("a,b\n1,2\n3\n", ["line 3", "must have 2 cells", "header line", "got 1"]),
        ("1,2\n3,4\n\n5,6,7\n", ["line 4", "must have 2 cells", "line 1", "got 3"]),
        ("a,b,c\n1,2\n3,4\n", ["line 2", "must have 3 cells", "got 2"]),
        ("a,b\n1,2\n\n3,Paris\n", ["line 4", "column 'b'", "number", "'Paris'", "--exclude"]),
        ("a,b\n1,2\n3,1_000\n", ["line 3", "column 'b'", "'1_000'"]),
        ("a,b\n1,2\n1," + "z" * 99 + "\n", ["'" + "z" * 37 + "...'"]),
        ('a,b\n"1\n",2\nx,3\n', ["line 4", "column 'a'", "'x'"]),
        (
            "a,b\n1,2\n1,\n",
            ["1 of 2 rows has missing values (b: 1), first in line 3.", "or fit what is known"],
        ),
        ("a,b\n1,2\n,,\n", ["line 3", "must have 2 cells", "got 3"]),
        ("a,b\n1,nan\n2,3\n", ["1 of 2 rows has missing values (b: 1), first in line 2."]),
        ("1,NA\n2,\n3,4\n5,6\n", ["2 of 4 rows have missing values (x2: 2), first in line 1."]),
        ("a,b\n1,-inf\n", ["line 2", "column 'b'", "finite", "'-inf'"]),
        ("a,b\n1,1e999\n", ["line 2", "column 'b'", "finite", "'1e999'"]),
        ("a,b,a\n1,2,3\n", ["distinct", "'a'", "2 times"]),
        ("a,,b\n1,2,3\n", ["column 2 has none", "--columns"]),
        ('a,b\n1,"' + "z" * 140_000, ["CSV text", "field"]),
    ],
)
def test_read_table__names_what_is_wrong_in_text(write, text, parts):
    text = message(ValueError, read_table, write(text))
    for part in parts:
        assert part in text
    assert "\n" not in text


def test_read_pieces__of_empty_cells_in_quotes_only(write):
    pieces = [piece.values for piece in read_pieces(write('a\n1\n2\n""\n""\n3\n'), n_rows=2)]
    assert np.concatenate(pieces).tolist() == [[1], [2], [3]]


def test_read_table__checks_row_lengths_beside_the_columns_asked(write):
    text = message(ValueError, read_table, write("a,b,c\n1,2,3\n4,5\n"), columns=["a"])
    assert "line 3" in text and "3 cells" in text


def test_read_table__unknown_column_lists_and_suggests(write):
    path = write("height,weight\n1,2\n")
    text = message(ValueError, read_table, path, columns=["heigth"])
    assert "no column 'heigth'" in text
    assert "the columns are height, weight." in text
    assert "Did you mean 'height'?" in text
    assert "Did you mean" not in message(ValueError, read_table, path, columns=["zzz"])
    assert "'w'" in message(ValueError, read_table, path, weight_column="w")


def test_read_table__unknown_column_of_many_shows_the_first(write):
    names = [f"column_{i}" for i in range(30)]
    path = write(",".join(names) + "\n" + ",".join("1" * 30) + "\n")
    text = message(ValueError, read_table, path, columns=["zzz"])
    assert "column_19 and 10 more." in text and "column_20" not in text


def test_read_table__refuses_a_column_used_twice_or_none(write):
    path = write("a,b\n1,2\n")
    assert "'a' is asked for 2 times" in message(ValueError, read_table, path, columns=["a", "a"])
    assert "'a' is asked for 2 times" in message(
        ValueError, read_table, path, columns=["a"], weight_column="a"
    )
    assert "at least one column" in message(ValueError, read_table, path, columns=[])
    path = write("w\n1\n")
    assert "no column is left beside 'w'" in message(
        ValueError, read_table, path, weight_column="w"
    )


def test_read_table__refuses_paths_that_are_no_table(tmp_path, write):
    assert "no such file" in message(FileNotFoundError, read_table, tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "folder must hold" in message(ValueError, read_table, tmp_path / "folder.csv")
    text = message(ValueError, read_table, write("1", "book.doc"))
    assert ".csv" in text and ".parquet" in text and "got '.doc'" in text
    assert "got none" in message(ValueError, read_table, write("1", "plain"))
    assert "no such file" in message(FileNotFoundError, read_table, tmp_path / "none")


# NumPy files


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int32, np.bool_])
@pytest.mark.parametrize("order", ["C", "F"])
def test_read_table__accepts_npy(tmp_path, dtype, order):
    array = np.array([[1, 0, 1], [0, 1, 1]], dtype=dtype, order=order)
    np.save(tmp_path / "x.npy", array)
    table = read_table(tmp_path / "x.npy")
    np.testing.assert_array_equal(table.values, array)
    assert table.values.dtype == (np.float32 if dtype is np.float32 else np.float64)
    assert (table.names, table.has_names) == (["x1", "x2", "x3"], False)
    table = read_table(tmp_path / "x.npy", columns=["x3"], weight_column="x1")
    assert (table.values.tolist(), table.weights.tolist()) == ([[1], [1]], [1, 0])


def test_read_table__npy_values_do_not_depend_on_the_file(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((2, 2)))
    table = read_table(path)
    np.save(path, np.zeros((2, 2)))
    assert table.values.all() and table.values.flags.writeable


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.ones(3), ["(rows, columns)", "(3,)", "reshape(-1, 1)"]),
        (np.ones((2, 2, 2)), ["(rows, columns)", "(2, 2, 2)"]),
        (np.float64(1), ["(rows, columns)", "()"]),
        (np.ones((0, 3)), ["at least one row", "(0, 3)"]),
        (np.ones((3, 0)), ["at least one row and column", "(3, 0)"]),
        (np.array([["a"]]), ["real numbers", "<U1"]),
        (np.array([[1j]]), ["real numbers", "complex128"]),
        (np.array([[1, None]], dtype=object), ["Python objects", "never unpickles"]),
        (np.array([[1, 2], [np.nan, 3]]), ["row 2", "(x1: 1)", "missing values"]),
        (np.array([[1, 2], [3, np.inf]]), ["row 2", "column 'x2'", "finite"]),
    ],
)
def test_read_table__names_what_is_wrong_in_npy(tmp_path, array, parts):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    text = message(ValueError, read_table, tmp_path / "x.npy")
    assert "x.npy" in text
    for part in parts:
        assert part in text


def test_read_table__damaged_npy(tmp_path, write):
    np.save(tmp_path / "x.npy", np.ones((9, 9)))
    whole = (tmp_path / "x.npy").read_bytes()
    for content in [b"", b"garbage", whole[:4], whole[:40], whole[:-8], b"\x80\x04K\x01."]:
        assert "damaged" in message(ValueError, read_table, write(content, "bad.npy"))


# Parquet and Arrow files


def save_arrow(arrow, path, table):
    if path.suffix == ".parquet":
        from pyarrow import parquet

        parquet.write_table(table, path)
    elif path.suffix == ".feather":
        from pyarrow import feather

        feather.write_feather(table, path)
    else:
        with arrow.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)


@pytest.mark.parametrize("name", ["x.parquet", "x.feather", "x.arrow"])
def test_read_table__accepts_arrow(arrow, tmp_path, name):
    table = arrow.table({"id": ["u", "v"], "a": [1, 2], "b": [0.5, 1.5], "w": [1.0, 3.0]})
    save_arrow(arrow, tmp_path / name, table)
    assert column_names(tmp_path / name) == ["id", "a", "b", "w"]
    read = read_table(tmp_path / name, columns=["b", "a"], weight_column="w")
    assert (read.names, read.has_names) == (["b", "a"], True)
    assert read.values.tolist() == [[0.5, 1], [1.5, 2]]
    assert read.weights.tolist() == [1, 3]
    table = read_table(tmp_path / name)
    assert table.names == ["a", "b", "w"]
    assert table.notes == [f"{tmp_path / name}: the column without numbers ('id') is left out."]
    text = message(ValueError, read_table, tmp_path / name, ["id", "a"])
    assert name in text and "'id'" in text and "'u'" in text and "Leave it out" in text


def test_read_table__keeps_float32_of_arrow(arrow, tmp_path):
    values = arrow.array([1.5, 2.5], arrow.float32())
    save_arrow(arrow, tmp_path / "x.parquet", arrow.table({"a": values, "b": values}))
    assert read_table(tmp_path / "x.parquet").values.dtype == np.float32


def test_read_table__names_what_is_wrong_in_arrow(arrow, tmp_path, write):
    path = tmp_path / "x.parquet"
    save_arrow(arrow, path, arrow.table({"a": [1.0, 2.0], "b": [3.0, None]}))
    text = message(ValueError, read_table, path)
    assert "1 of 2 rows has missing values (b: 1), first in row 2." in text
    assert "no column 'c'" in message(ValueError, read_table, path, columns=["c"])
    save_arrow(arrow, path, arrow.table({"a": arrow.array([], arrow.float64())}))
    assert "at least one row" in message(ValueError, read_table, path)
    for name in ["bad.parquet", "bad.feather", "bad.arrow"]:
        assert "damaged" in message(ValueError, read_table, write(b"garbage", name))
        assert "damaged" in message(ValueError, read_table, write(b"", name))


def test_read_table__asks_for_pyarrow_where_it_is_missing(monkeypatch, write):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    text = message(ImportError, read_table, write(b"", "x.parquet"))
    assert 'pip install "gmmfast[io]"' in text and ".parquet" in text


# Frames


@pytest.mark.parametrize("X", [np.ones((2, 2)), [[1, 2]], None, "text", {"a": [1]}])
def test_from_frame__leaves_other_things_alone(X):
    assert from_frame(X) is None


def test_from_frame__imports_nothing(monkeypatch):
    for name in ("pandas", "polars", "pyarrow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert from_frame(np.ones((2, 2))) is None
    assert not {"pandas", "polars", "pyarrow"} & set(sys.modules)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_from_frame__pandas_of_one_dtype_is_not_copied(pandas, dtype):
    values = np.arange(6, dtype=dtype).reshape(3, 2)
    frame = pandas.DataFrame(values, columns=["a", "b"])
    array, names = from_frame(frame)
    assert array.dtype == dtype and names == ["a", "b"]
    assert np.shares_memory(array, frame.to_numpy())
    np.testing.assert_array_equal(array, values)


def test_from_frame__pandas_of_many_dtypes(pandas):
    frame = pandas.DataFrame(
        {
            "float": np.array([1.5, 2.5], dtype=np.float32),
            "int": np.array([1, 2], dtype=np.int8),
            "bool": [True, False],
            "object": np.array([decimal.Decimal("1.5"), None], dtype=object),
        }
    )
    array, names = from_frame(frame)
    assert names == list(frame.columns)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [[1.5, 1, 1, 1.5], [2.5, 2, 0, np.nan]])


@pytest.mark.parametrize("dtype", ["Float64", "Float32", "Int64", "UInt8", "boolean"])
def test_from_frame__pandas_nullable(pandas, dtype):
    frame = pandas.DataFrame({"a": pandas.array([1, None, 0], dtype=dtype)})
    array, _ = from_frame(frame)
    np.testing.assert_array_equal(array, [[1], [np.nan], [0]])
    assert array.dtype == (np.float32 if dtype == "Float32" else np.float64)


@pytest.mark.parametrize("dtype", ["double[pyarrow]", "float[pyarrow]", "int64[pyarrow]"])
def test_from_frame__pandas_over_arrow(pandas, arrow, dtype):
    frame = pandas.DataFrame({"a": pandas.array([1, None], dtype=dtype)})
    array, _ = from_frame(frame)
    np.testing.assert_array_equal(array, [[1], [np.nan]])
    assert array.dtype == (np.float32 if dtype == "float[pyarrow]" else np.float64)


def test_from_frame__pandas_names_that_are_not_all_strings(pandas):
    assert from_frame(pandas.DataFrame([[1.0, 2.0]]))[1] is None
    text = message(TypeError, from_frame, pandas.DataFrame([[1.0, 2.0]], columns=["a", 1]))
    assert text.startswith("Feature names are only supported if all input features have string")


def test_from_frame__pandas_names_that_repeat(pandas):
    frame = pandas.DataFrame([[1, 2.0]], columns=["a", "a"])
    assert from_frame(frame)[0].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        (["1.5", "Paris"], ["could not convert string to float: '1.5'", "text"]),
        (np.array([1, "x"], dtype=object), ["could not convert string to float: 'x'"]),
        (np.array([1, [2]], dtype=object), ["must hold numbers"]),
        (np.array(["2024", "2025"], dtype="M8[s]"), ["must hold numbers", "datetime64[s]"]),
        (np.array([1j, 2]), ["Complex data not supported"]),
    ],
)
def test_from_frame__pandas_column_without_numbers_is_named(pandas, column, parts):
    frame = pandas.DataFrame({"fine": [1.0, 2.0], "odd": column})
    text = message(ValueError, from_frame, frame)
    for part in [*parts, "'odd'"]:
        assert part in text


def test_from_frame__polars():
    polars = pytest.importorskip("polars", reason="needs polars frames")
    frame = polars.DataFrame({"a": [1, None, 3], "b": [0.5, 1.5, 2.5], "c": [True, False, None]})
    array, names = from_frame(frame)
    assert (array.dtype, names) == (np.float64, ["a", "b", "c"])
    np.testing.assert_array_equal(array, [[1, 0.5, 1], [np.nan, 1.5, 0], [3, 2.5, np.nan]])
    single = polars.DataFrame({"a": [1.5, None]}, schema={"a": polars.Float32})
    assert from_frame(single)[0].dtype == np.float32
    text = message(ValueError, from_frame, polars.DataFrame({"a": [1], "city": ["Paris"]}))
    assert "could not convert string to float: 'Paris'" in text and "'city'" in text
    text = message(ValueError, from_frame, polars.DataFrame({"l": [[1], [2]]}))
    assert "'l'" in text and "must hold numbers" in text


def test_from_frame__arrow(arrow):
    table = arrow.table(
        {"a": [1, None, 3], "b": [True, False, None], "d": [decimal.Decimal("1.5")] * 3}
    )
    array, names = from_frame(table)
    assert (array.dtype, names) == (np.float64, ["a", "b", "d"])
    expected = [[1, 1, 1.5], [np.nan, 0, 1.5], [3, np.nan, 1.5]]
    np.testing.assert_array_equal(array, expected)
    np.testing.assert_array_equal(from_frame(table.to_batches()[0])[0], expected)
    single = arrow.table({"a": arrow.array([1.5, None], arrow.float32())})
    assert from_frame(single)[0].dtype == np.float32
    text = message(ValueError, from_frame, arrow.table({"city": [None, "Paris"]}))
    assert "could not convert string to float: 'Paris'" in text and "'city'" in text
    text = message(ValueError, from_frame, arrow.table({"l": [[1], [2]]}))
    assert "'l'" in text and "must hold numbers" in text


# Output


COLUMNS = {
    "label": np.array([0, 1]),
    "p, or so": np.array([0.1, 1 / 3]),
    "single": np.array([0.1, 2], dtype=np.float32),
    "flag": np.array([True, False]),
}


@pytest.mark.parametrize(("name", "delimiter"), [("x.csv", ","), ("x.tsv", "\t")])
def test_write_table__text(tmp_path, name, delimiter):
    write_table(tmp_path / name, [COLUMNS])
    lines = (tmp_path / name).read_text().splitlines()
    quoted = '"p, or so"' if delimiter == "," else "p, or so"
    assert lines[0] == delimiter.join(["label", quoted, "single", "flag"])
    assert lines[1] == delimiter.join(["0", "0.1", "0.1", "True"])
    assert lines[2] == delimiter.join(["1", repr(1 / 3), "2.0", "False"])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_write_table__text_in_blocks(tmp_path):
    values = np.arange(200_000)
    write_table(tmp_path / "x.csv", [{"a": values}])
    np.testing.assert_array_equal(read_table(tmp_path / "x.csv").values[:, 0], values)


def test_write_table__npy(tmp_path):
    write_table(tmp_path / "x.npy", [{"a": np.array([1, 2]), "b": np.array([0.5, 1.5])}])
    assert np.load(tmp_path / "x.npy").tolist() == [[1, 0.5], [2, 1.5]]


def test_write_table__parquet(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow writes Parquet files")
    pieces = [{"a": np.array([1, 2]), "b": np.array([0.5, 1.5])}, {"a": [3], "b": [2.5]}]
    write_table(tmp_path / "x.parquet", pieces)
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.to_pydict() == {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}
    assert str(table.schema.field("a").type) == "int64"


def test_write_table__parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    text = message(ImportError, write_table, tmp_path / "x.parquet", [{"a": np.ones(1)}])
    assert "writing .parquet files needs pyarrow" in text and "gmmfast[io]" in text


def sheet_of(path):
    """Rows of the only sheet of a file, and the formulas in it."""
    calamine = pytest.importorskip("python_calamine", reason="python-calamine reads .xlsx")
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
        return calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(), [
            name for name in ("<f>", "<hyperlink") if name in xml
        ]


def test_write_table__spreadsheet(tmp_path):
    """Text stays text, also where a spreadsheet would take it for a formula or a link."""
    pytest.importorskip("xlsxwriter", reason="xlsxwriter writes .xlsx files")
    text = ["=1+1", "{=1+1}", "+1", "-2", "@x", "https://example.com", "007", "", None]
    values = np.arange(9) / 8
    pieces = [{"=a": text[i : i + 3], "b": values[i : i + 3]} for i in (0, 3, 6)]
    write_table(tmp_path / "x.xlsx", pieces)
    rows, active = sheet_of(tmp_path / "x.xlsx")
    assert rows == [
        ["=a", "b"],
        *([cell or "", value] for cell, value in zip(text, values, strict=True)),
    ]
    assert active == []


def test_write_table__spreadsheet_keeps_large_numbers_and_gaps(tmp_path):
    pytest.importorskip("xlsxwriter", reason="xlsxwriter writes .xlsx files")
    numbers = np.array([np.nan, np.inf, 0.5])
    columns = {"id": np.array([1 << 60, 12, -7]), "x": numbers, "y": np.ones(3)}
    write_table(tmp_path / "x.xlsx", [columns])
    rows, _ = sheet_of(tmp_path / "x.xlsx")
    assert rows[1:] == [[str(1 << 60), "", 1.0], [12.0, "inf", 1.0], [-7.0, 0.5, 1.0]]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({str(j): np.ones(1) for j in range((1 << 14) + 1)}, "at most 16384 columns"),
        ({"a": ["x" * 32768]}, "at most 32767 characters; row 1 has more in column 1"),
    ],
)
def test_write_table__spreadsheet_that_cannot_hold_it(tmp_path, columns, words):
    pytest.importorskip("xlsxwriter", reason="xlsxwriter writes .xlsx files")
    assert words in message(ValueError, write_table, tmp_path / "x.xlsx", [columns])


def test_write_table__spreadsheet_of_too_many_rows(tmp_path, monkeypatch):
    pytest.importorskip("xlsxwriter", reason="xlsxwriter writes .xlsx files")
    monkeypatch.setattr("gmmfast.tables.excel.MOST_ROWS", 3)
    write_table(tmp_path / "x.xlsx", [{"a": np.ones(3)}])
    text = message(ValueError, write_table, tmp_path / "x.xlsx", [{"a": np.ones(2)}] * 2)
    assert "an .xlsx file holds at most 3 rows. Write .csv or .parquet." in text


def test_write_table__spreadsheet_without_xlsxwriter(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    text = message(ImportError, write_table, tmp_path / "x.xlsx", [{"a": np.ones(1)}])
    assert "writing .xlsx files needs xlsxwriter" in text and "gmmfast[excel]" in text


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.parquet", "x.xlsx"])
def test_write_table__keeps_the_old_file_when_it_fails(tmp_path, name):
    (tmp_path / name).write_text("old")
    with pytest.raises(ValueError):
        write_table(tmp_path / name, [{"a": np.ones(2), "b": np.ones(3)}])
    assert (tmp_path / name).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    write_table(tmp_path / name, [{"a": np.ones(2)}])
    assert (tmp_path / name).read_bytes() != b"old"


def test_write_table__obeys_the_umask_and_follows_links(tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    old = os.umask(0o027)
    try:
        write_table(tmp_path / "link.csv", [{"a": np.ones(1)}])
    finally:
        os.umask(old)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o640


def test_write_table__refuses_paths_it_cannot_write(tmp_path):
    columns = {"a": np.ones(1)}
    assert "got '.feather'" in message(ValueError, write_table, tmp_path / "x.feather", columns)
    text = message(FileNotFoundError, write_table, tmp_path / "none" / "x.csv", columns)
    assert "folder" in text and "Create it" in text
    (tmp_path / "d.csv").mkdir()
    assert "directory" in message(IsADirectoryError, write_table, tmp_path / "d.csv", columns)


def test_write_csv__nothing_but_the_header_of_empty_columns(tmp_path):
    write_table(tmp_path / "x.csv", [{"a": np.ones(0)}])
    assert (tmp_path / "x.csv").read_text() == "a\n"
