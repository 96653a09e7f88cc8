"""Files and frames as arrays: what is read, and one clear sentence for what cannot be."""

import decimal
import errno
import os
import sys

import numpy as np
import pytest

from gmmfast.frames import from_frame
from gmmfast.tables import Table, column_names, read_table, write_table

pytestmark = pytest.mark.plain


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file of that name and return its path."""

    def write_file(content, name="data.csv"):
        path = tmp_path / name
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    return write_file


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


def test_read_table__knows_a_header_with_numbers_by_the_names_asked(write):
    path = write("country,1990,1995\nFR,1,2\nDE,3,4\n")
    assert read_table(path, columns=["1995"]).values.tolist() == [[2], [4]]
    assert column_names(path, ["1990"]) == ["country", "1990", "1995"]
    assert column_names(path) is None


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


def test_read_table__reads_back_each_bit(tmp_path):
    values = np.random.default_rng(0).standard_normal(2000) * 10.0 ** np.arange(-300, 300, 0.3)
    write_table(tmp_path / "x.csv", [{"a": values}])
    assert read_table(tmp_path / "x.csv").values[:, 0].tobytes() == values.tobytes()


def test_read_table__knows_a_header_of_numbers_by_the_names_asked(write):
    path = write("2019,2020,2021\n1,2,3\n4,5,6\n")
    assert read_table(path, columns=["2021", "2019"]).values.tolist() == [[3, 1], [6, 4]]
    assert len(read_table(path).values) == 3


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
        ("a,b\n1,2\n\n3,Paris\n", ["line 4", "column 'b'", "number", "'Paris'", "--columns"]),
        ("a,b\n1,2\n3,1_000\n", ["line 3", "column 'b'", "'1_000'"]),
        ("a;b\n1,5;2,5\n", ["line 2", "column 'a'", "'1,5'"]),
        ("a,b\n1," + "z" * 99 + "\n", ["'" + "z" * 37 + "...'"]),
        ('a,b\n"1\n",2\nx,3\n', ["line 4", "column 'a'", "'x'"]),
        ("a,b\n1,\n", ["line 2", "column 'b'", "empty", "missing values", "fill"]),
        ("a,b\n1,2\n,,\n", ["line 3", "must have 2 cells", "got 3"]),
        ("a,b\n1,nan\n", ["line 2", "column 'b'", "'nan'", "missing values"]),
        ("1,NA\n", ["line 1", "column 'x2'", "'NA'", "missing values"]),
        ("a,b\n1,-inf\n", ["line 2", "column 'b'", "finite", "'-inf'"]),
        ("a,b\n1,1e999\n", ["line 2", "column 'b'", "finite", "'1e999'"]),
        ("a,b,a\n1,2,3\n", ["distinct", "'a'", "2 times"]),
        ("a,,b\n1,2,3\n", ["column 2 has none", "--columns"]),
        (b"caf\xe9,b\n1,2\n", ["UTF-8", "0xe9"]),
        (b"a,b\n1,2\n1,\xe9\n", ["UTF-8", "0xe9"]),
        (b"\xff\xfea\0,\0b\0\n\0", ["UTF-8", "0xff"]),
        ('a,b\n1,"' + "z" * 140_000, ["CSV text", "field"]),
    ],
)
def test_read_table__names_what_is_wrong_in_text(write, text, parts):
    text = message(ValueError, read_table, write(text))
    for part in parts:
        assert part in text
    assert "\n" not in text


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
    assert "beside the weight column" in message(ValueError, read_table, path, weight_column="w")


def test_read_table__refuses_paths_that_are_no_table(tmp_path, write):
    assert "no such file" in message(FileNotFoundError, read_table, tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "directory" in message(IsADirectoryError, read_table, tmp_path / "folder.csv")
    text = message(ValueError, read_table, write("1", "book.xlsx"))
    assert ".csv" in text and ".parquet" in text and "got '.xlsx'" in text
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
        (np.array([[1, 2], [np.nan, 3]]), ["row 2", "column 'x1'", "missing values"]),
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


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow reads Parquet and Arrow files")


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
    text = message(ValueError, read_table, tmp_path / name)
    assert name in text and "'id'" in text and "'u'" in text and "--columns" in text


def test_read_table__keeps_float32_of_arrow(arrow, tmp_path):
    values = arrow.array([1.5, 2.5], arrow.float32())
    save_arrow(arrow, tmp_path / "x.parquet", arrow.table({"a": values, "b": values}))
    assert read_table(tmp_path / "x.parquet").values.dtype == np.float32


def test_read_table__names_what_is_wrong_in_arrow(arrow, tmp_path, write):
    path = tmp_path / "x.parquet"
    save_arrow(arrow, path, arrow.table({"a": [1.0, 2.0], "b": [3.0, None]}))
    text = message(ValueError, read_table, path)
    assert "row 2" in text and "column 'b'" in text and "missing values" in text
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


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas", reason="needs pandas frames")


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
            "category": pandas.Categorical([7, 8]),
        }
    )
    array, names = from_frame(frame)
    assert names == list(frame.columns)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [[1.5, 1, 1, 1.5, 7], [2.5, 2, 0, np.nan, 8]])


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


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.parquet"])
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
