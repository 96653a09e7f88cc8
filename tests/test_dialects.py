"""Text and spreadsheets as people have them: their dialects and their gaps."""

import numpy as np
import pytest
from data import refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmfast import GaussianMixture, chunks
from gmmfast.errors import MissingValuesError
from gmmfast.tables import Reading, choose_columns, read_pieces, read_table
from gmmfast.tables.dialect import Dialect, found

pytestmark = pytest.mark.quick


# Numbers in cells


@pytest.mark.parametrize(
    ("decimal", "cell", "value", "sign"),
    [
        (".", "1234.5", 1234.5, ""),
        (".", "1,234.5", 1234.5, ""),
        (".", "1,234,567", 1234567, ""),
        (".", "12,34,567", 1234567, ""),  # as in India
        (".", "1 234 567.25", 1234567.25, ""),
        (".", "1'234", 1234, ""),
        (".", "-$1,234.50", -1234.5, "$"),
        (".", "$-1,234.50", -1234.5, "$"),
        (".", "($1,234.50)", -1234.5, "$"),
        (".", "(3)", -3, ""),
        (".", "12 %", 12, "%"),
        (".", "12.5%", 12.5, "%"),
        (".", "USD 7", 7, "USD"),
        (".", "7 kr", 7, "kr"),
        (".", "\u22123.5", -3.5, ""),
        (".", " 2e3 ", 2000, ""),
        (".", "1,5", None, ""),
        (".", "1,23,4", None, ""),
        (".", "1234,567", None, ""),
        (".", "0,123", None, ""),
        (".", "1,234", None, ""),  # thousands, or a decimal comma: only if the first lines say so
        (",", "1234,5", 1234.5, ""),
        (",", "1.234,5", 1234.5, ""),
        (",", "1.234.567", 1234567, ""),
        (",", "1\u00a0234,5", 1234.5, ""),
        (",", "1\u202f234\u202f567", 1234567, ""),
        (",", "1.234,50 €", 1234.5, "€"),
        (",", "-5,5 %", -5.5, "%"),
        (",", "1,5e3", 1500, ""),
        (",", "7", 7, ""),
        (",", "1.5", None, ""),
        (",", "1.234", None, ""),
        (",", "1,2,3", None, ""),
        *((mark, cell, None, "") for mark in ".," for cell in ("", "x", "1_0", "(1", "1)", "--1")),
        *((mark, cell, None, "") for mark in ".," for cell in ("$", "$1€", "2024-1-1", "1 2", "٣")),
    ],
)  # fmt: skip
def test_amount__of_a_cell(decimal, cell, value, sign):
    assert Dialect(";", decimal).amount(cell) == (value, sign)


@pytest.mark.parametrize(("decimal", "mark"), [(".", ","), (",", ".")])
def test_amount__of_one_separator_that_is_known(decimal, mark):
    dialect = Dialect(";", decimal, mark)
    assert dialect.number(f"1{mark}234") == 1234
    assert dialect.number(f"1{mark}23") is None


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-1e12, 1e12, allow_nan=False).map(lambda x: round(x, 3)),
    st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (",", "\u00a0")]),
    st.sampled_from(["{} €", "{}", "{}%", " {} "]),
)
def test_amount__of_numbers_as_locales_write_them(x, marks, form):
    decimal, thousands = marks
    written = f"{x:,.3f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
    assert Dialect(";", decimal, thousands).number(form.format(written)) == x


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789.,'eE+-()$€% \u00a0x", max_size=12), st.sampled_from(".,"))
def test_amount__of_any_text_is_a_number_or_none(text, decimal):
    value, sign = Dialect(";", decimal, ".,".replace(decimal, "")).amount(text)
    assert value is None or isinstance(value, float)
    assert value is not None or sign == ""


# The dialect of a file


@pytest.mark.parametrize(
    ("text", "delimiter", "decimal", "thousands"),
    [
        ("a;b\n1,5;2\n", ";", ",", ""),
        ("a\tb\n1,5\t2\n", "\t", ",", ""),
        ("a|b\n1.5|2\n", "|", ".", ""),
        ("a b\n1.5 2\n", " ", ".", ""),
        ("1,5 2,5\n3,5 4,5\n", " ", ",", ""),
        ("  1.5   2\n 10.5  20\n", " ", ".", ""),
        ('a,b\n"1,5",2\n', ",", ",", ""),
        ('a,b\n"1,234.5",2\n', ",", ".", ","),
        ('a,b\n"1,234",2\n', ",", ".", ","),
        ("a;b\n1,234;2\n", ";", ",", ""),
        ("a\tb\n1,234\t2\n950\t3\n", "\t", ".", ","),
        ("a\tb\n1,234\t2\n9,500\t3\n", "\t", ",", ""),
        ("a;b\n1.234,5;2\n", ";", ",", "."),
        ("a;b\n1.234;2,5\n", ";", ",", "."),
        ("a;b\n1.234;2\n", ";", ".", ""),
        ("a\n1,5\n2,5\n", "\t", ",", ""),
        ("a;b, c\n1,5;2\n", ";", ",", ""),
        ("when;x\n01.02.2024;1,5\n02.02.2024;2,5\n", ";", ",", ""),
        ("a,b\nx;y,1\nx;z,2\n", ",", ".", ""),
        ("a,b\n1,2\n3\n", ",", ".", ""),
    ],
)
def test_found__dialect(text, delimiter, decimal, thousands):
    lines = text.splitlines(keepends=True)
    dialect = found(lines, None, None)
    assert (dialect.delimiter, dialect.decimal, dialect.thousands) == (
        delimiter,
        decimal,
        thousands,
    )


VALUES = [[1234.5, 2.25], [0.5, -3.0], [12.0, 1e6]]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a;b\n1.234,5;2,25\n0,5;-3\n12;1.000.000\n", "decimal commas, points between thousands."),
        ("a;b\n1234,5;2,25\n0,5;-3\n12;1000000\n", "decimal commas."),
        ("a\tb\n1 234,5\t2,25\n0,5\t-3\n12\t1 000 000\n", "decimal commas."),
        ('a,b\n"1,234.50",2.25\n.5,-3\n12,"1,000,000"\n', "commas between thousands."),
        ("a|b\n1234.5|2.25\n0.5|-3\n12|1e6\n", "bars between cells."),
        ("a b\n1234.5 2.25\n0.5  -3\n12   1e6\n", "white space between cells."),
        ("a;b\n1.234,50 €;2,25 %\n0,50 €;-3 %\n12 €;1.000.000 %\n",
         "decimal commas, points between thousands, %, € beside numbers, which are left out."),
        ("a,b\n$1234.5,2.25\n$.5,(3)\n$12,1e6\n", "$ beside numbers, which are left out."),
        ("sep=;\na;b\n1234,5;2,25\n0,5;-3\n12;1e6\n", "decimal commas."),
        ("sep=|\na|b\n1234.5|2.25\n0.5|-3\n12|1e6\n", None),
        ("# made by hand\n#\na,b\n1234.5,2.25\n0.5,-3\n12,1e6\n", None),
        ("# a,b\n1234.5,2.25\n0.5,-3\n12,1e6\n", None),
        ("#a,b\n1234.5,2.25\n0.5,-3\n12,1e6\n", None),
        ("a,b,\n1234.5,2.25,\n0.5,-3,\n12,1e6,\n", None),
        ("a,b\n1234.5,2.25,\n0.5,-3,\n12,1e6,\n", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_read_table__of_dialects(write, text, note, end):
    path = write(text.replace("\n", end))
    table = read_table(path)
    assert (table.names, table.values.tolist()) == (["a", "b"], VALUES)
    if note is None:
        assert table.notes == []
    else:
        assert table.notes[0] == (
            f"{path}: read with {note} To change that, use --delimiter, --decimal or --encoding "
            "(the same names in Python)."
        )
    pieces = [piece.values for piece in read_pieces(path, n_rows=1)]
    assert np.concatenate(pieces).tolist() == VALUES
    assert read_table(path, ["b"]).values[:, 0].tolist() == [row[1] for row in VALUES]


@pytest.mark.parametrize("mark", ["#", "# "])
def test_read_table__leaves_out_comments_between_rows(write, mark):
    path = write(f"a,b\n1,2\n{mark}made by hand\n3,4\n{mark}the end\n")
    table = read_table(path)
    assert table.values.tolist() == [[1, 2], [3, 4]]
    assert table.notes == [f"{path}: lines that begin with # are left out as comments."]
    text = refusal(read_table, write(f"a,b\n1,2\n{mark}a comment\n3,x\n4,5\n"))
    assert "line 4, column 'b'" in text
    late = "a,b\n" + "1,2\n" * 300 + f"{mark}a comment\n3,4\n"
    assert len(read_table(write(late)).values) == 301
    text = refusal(read_table, write(f"a,b\n1,2\n{mark}5,6\n3,4\n"))
    assert f"line 3, column 'a': every cell must be a number; got '{mark}5'" in text


def test_read_table__a_long_line_makes_no_rows_comments(write):
    path = write("id;a\nA1;3,5\n#A2;4,5\nA3;5;6\n" + "A4;7\n" * 20)
    assert "line 4: every row must have 2 cells" in refusal(read_table, path)
    table = read_table(write(path.read_text().replace(";5;6", ";5")))
    assert len(table.values) == 23


def test_read_table__rows_may_begin_with_a_number_sign(write):
    table = read_table(write("id;a\nA1;3,5\n#A2;4,5\nA3;5\n#DIV/0!;6\n"), drop_missing=True)
    assert table.values[:, 0].tolist() == [3.5, 4.5, 5, 6]
    assert table.rows.tolist() == [1, 2, 3, 4]


def test_read_table__of_a_column_of_hashtags(write):
    table = read_table(write("tag,a,b\n#x,1,2\n#y,3,4\n#z,5,6\n"))
    assert (table.names, len(table.values)) == (["a", "b"], 3)


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("sep", [" ", ";", "\t"])
def test_read_table__of_row_names_as_r_writes_them(write, sep, quote):
    rows = [["a", "b"], [f"{quote}r1{quote}", "1.5", "2"], [f"{quote}r2{quote}", "3.5", "4"]]
    rows[0] = [f"{quote}{name}{quote}" for name in rows[0]]
    table = read_table(write("".join(sep.join(row) + "\n" for row in rows)))
    assert (table.names, table.values.tolist()) == (["a", "b"], [[1.5, 2], [3.5, 4]])
    assert "the index of the rows ('index') is left out" in table.notes[-1]


def test_read_table__says_what_is_unclear(write):
    path = write("a;b\n1,234;2\n5,678;3\n")
    table = read_table(path)
    assert table.values.tolist() == [[1.234, 2], [5.678, 3]]
    assert table.notes[-1] == (
        f"{path}: its numbers have a comma before three digits, which is read as the decimal mark. "
        "If that is wrong, use --decimal (decimal= in Python)."
    )
    other = read_table(path, decimal=".")
    assert (other.values.tolist(), other.notes) == ([[1234, 2], [5678, 3]], [])
    table = read_table(write("a\n1.234\n5.678\n"))
    assert "a point before three digits" in table.notes[-1]
    assert read_table(write("a\n1.234\n5.67\n")).notes == []


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a;b\n" + "5;1\n" * 300 + "5;1,5\n", "1,5"),
        ("a;b\n" + "5;1\n" * 300 + "5;1,500\n", "1,500"),
        ("a;b\n" + "5;1\n" * 300 + "5;1.500\n", "1.500"),
        ("a;b\n" + "5;1,5\n" * 300 + "5;1.500\n", "1.500"),
        ("a;b\n" + "5;1,5\n" * 300 + "5;1.5\n", "1.5"),
        ("a,b\n" + "5,1.5\n" * 300 + '5,"1,500"\n', "1,500"),
    ],
)
def test_read_table__refuses_a_cell_that_contradicts_the_first_lines(write, text, cell):
    path = write(text)
    for call in (read_table, lambda path: list(read_pieces(path, n_rows=100))):
        message = refusal(call, path)
        assert f"line 302, column 'b': every cell must be a number; got '{cell}'" in message
        assert "use --decimal (decimal= in Python)" in message


def test_read_table__refuses_two_units_in_a_column(write):
    text = refusal(read_table, write("a,b\n$1,2\n€3,4\n"))
    assert "line 3, column 'a': the numbers of a column must have one unit; got '€3'" in text
    text = refusal(read_table, write("a,b\n" + "1,2\n" * 300 + "3,4%\n"))
    assert "got '4%' where those above have no sign" in text
    assert read_table(write("a,b\n$1,2\n0,4\n")).values[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("decimal", [None, ",", "."])
@pytest.mark.parametrize("delimiter", [None, ";"])
@pytest.mark.parametrize("encoding", [None, "cp1252"])
def test_read_table__takes_what_is_given(write, decimal, delimiter, encoding):
    path = write("größe;b\n1,5;2\n3,5;4\n".encode("cp1252"))
    given = {"decimal": decimal, "delimiter": delimiter, "encoding": encoding}
    if decimal == ".":
        assert "every cell must be a number; got '1,5'" in refusal(
            read_table, path, ["größe"], **given
        )
        return
    table = read_table(path, **given)
    assert (table.names, table.values.tolist()) == (["größe", "b"], [[1.5, 2], [3.5, 4]])
    said = "".join(table.notes)
    assert ("decimal commas" in said) == (decimal is None)
    assert ("cp1252 text" in said) == (encoding is None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimiter": ";;"}, "must be one character"),
        ({"decimal": "'"}, 'must be . or a comma; got "\'"'),
        ({"decimal": ",", "delimiter": ","}, "must be two characters"),
        ({"encoding": "klingon"}, "must be a name that Python knows"),
        ({"encoding": "ascii"}, "the text must be ascii; got byte 0xc3"),
        ({"sheet": "1"}, "--sheet (sheet= in Python) is for spreadsheets; got a .csv file"),
    ],
)
def test_read_table__refuses_options_that_cannot_be(write, options, words):
    assert words in refusal(read_table, write("ä,b\n1,2\n"), **options)


# Spreadsheets


@pytest.fixture
def workbook(tmp_path):
    """Write sheets of rows to a file of that name."""
    xlsxwriter = pytest.importorskip("xlsxwriter", reason="xlsxwriter writes .xlsx")
    pytest.importorskip("python_calamine", reason="python-calamine reads .xlsx")

    def save(sheets, name="book.xlsx"):
        with xlsxwriter.Workbook(tmp_path / name) as book:
            day = book.add_format({"num_format": "yyyy-mm-dd"})
            for title, rows in sheets.items():
                sheet = book.add_worksheet(title)
                for i, row in enumerate(rows):
                    for j, cell in enumerate(row):
                        if cell is not None:
                            sheet.write(i, j, cell, *([day] if hasattr(cell, "year") else []))
        return tmp_path / name

    return save


def test_read_table__of_a_spreadsheet(workbook):
    import datetime

    when = datetime.date(2024, 5, 1)
    rows = [[None], ["id", "when", "a", "b"], ["u", when, 1.5, 2], [], ["v", when, -3, "1,234.5"]]
    path = workbook({"First": rows, "Second one": [["c"], [7], [8.25]]})
    table = read_table(path)
    assert (table.names, table.values.tolist()) == (["a", "b"], [[1.5, 2], [-3, 1234.5]])
    assert table.notes == [
        f"{path}: sheet 'First' of 2 is read. To read another one, use --sheet (sheet= in Python).",
        f"{path}: the columns without numbers ('id', 'when') are left out.",
    ]
    assert read_table(path, sheet="Second one").values.tolist() == [[7], [8.25]]
    assert "the sheets are First, Second one" in refusal(read_table, path, sheet="2")
    pieces = list(read_pieces(path, ["b"], n_rows=1, keep=["id", "when"]))
    assert [piece.kept for piece in pieces] == [
        {"id": ["u"], "when": ["2024-05-01"]},
        {"id": ["v"], "when": ["2024-05-01"]},
    ]


def test_read_table__of_numbers_that_a_spreadsheet_holds_as_text(workbook):
    path = workbook({"S": [["x", "y"], ["1.295,84", 29.8], ["3,5", 5.123], [7, 8]]})
    values = [[1295.84, 29.8], [3.5, 5.123], [7, 8]]
    assert read_table(path).values.tolist() == values
    assert read_table(path, decimal=",").values.tolist() == values


def test_read_table__of_a_spreadsheet_that_it_cannot_use(workbook, write, monkeypatch):
    path = workbook({"S": [["a", "b"], [1, 2], [3, "four"], [4, 5]]})
    assert "row 3, column 'b': every cell must be a number; got 'four'" in refusal(read_table, path)
    path = workbook({"S": [["a", "b"], [1, 2], [3, None], [4, 5]]})
    text = refusal(read_table, path)
    assert "1 of 3 rows has missing values (b: 1), first in row 3." in text
    assert read_table(path, drop_missing=True).values.tolist() == [[1, 2], [4, 5]]
    assert "at least one row" in refusal(read_table, workbook({"S": []}))
    assert "damaged" in refusal(read_table, write(b"garbage", "bad.xlsx"))
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    assert 'pip install "gmmfast[excel]"' in refusal(read_table, path, error=ImportError)


# Columns without numbers, and ids


def test_read_table__leaves_out_columns_without_numbers(write):
    path = write("id;city;when;a;empty;b\n1;Bern;2024-01-02;1,5;;2\n2;Ulm;2024-01-03;2,5;;3\n")
    table = read_table(path)
    assert (table.names, table.values.tolist()) == (["id", "a", "b"], [[1, 1.5, 2], [2, 2.5, 3]])
    assert table.notes[-1] == (
        f"{path}: the columns without numbers in the first rows ('city', 'when', 'empty') are left "
        "out."
    )
    table = read_table(path, exclude=["id", "city"])
    assert table.names == ["a", "b"]
    assert "('when', 'empty')" in table.notes[-1]
    assert read_table(path, ["b"]).notes[-1].startswith(f"{path}: read with")
    assert "no column 'none'" in refusal(read_table, path, exclude=["none"])
    assert "line 2, column 'city'" in refusal(read_table, path, ["city", "a"])


def test_read_table__leaves_out_no_column_that_holds_numbers(write):
    """Of another dialect, or beside much text: it is a fault that the user wants to know."""
    for text, cell in (
        ("a\tb\n1295.84\t29,8\n3.5\t30,1\n4.25\t31,7\n", "29,8"),
        ("when;x\n01.02;2,5\n03.02;3\n04.02;1,7\n", "2,5"),
        ("a;b\n1;x\n2;y\n3;z\n4;u\n5;7\n", "x"),
    ):
        assert f"every cell must be a number; got '{cell}'" in refusal(read_table, write(text))


def test_read_table__names_the_line_that_is_not_like_the_others(write):
    lines = ["a;b;c", *["1,5;2;3"] * 9, "4;5", *["1,5;2;3"] * 9]
    text = refusal(read_table, write("\n".join(lines)))
    assert "line 11: every row must have 3 cells, as the header line has; got 2" in text


def test_read_table__of_text_alone(write):
    text = refusal(read_table, write("a,b\nx,y\nz,w\n"))
    assert "needs at least one column of numbers; the columns 'a', 'b' hold none" in text


# Missing values


GAPS = "id,a,b\nu,1,2\nv,,3\nw,4,NA\nx,5,6\ny,n/a,\nz,7,8\n"


@pytest.mark.parametrize(
    "cell", ["", "NA", "n/a", "NaN", "nan", "null", "?", "-", "#N/A", " ", "."]
)
def test_missing__cells_of_text(write, cell):
    path = write(f"a,b\n1,2\n3,{cell}\n5,6\n")
    text = refusal(read_table, path, error=MissingValuesError)
    assert text == (
        f"{path}: 1 of 3 rows has missing values (b: 1), first in line 3. Fill the cells, or "
        "leave the rows out with --drop-missing (drop_missing=True in Python), or fit what is "
        "known with --missing marginalize (missing_values= in Python)."
    )
    table = read_table(path, drop_missing=True)
    assert (table.values.tolist(), table.rows.tolist()) == ([[1, 2], [5, 6]], [1, 3])
    assert table.notes == [f"{path}: 1 of 3 rows has missing values, and is left out."]


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet", "x.feather", "x.npy"])
def test_missing__rows_are_counted_or_left_out(tmp_path, name):
    pandas = pytest.importorskip("pandas", reason="pandas writes these files")
    values = np.arange(40.0).reshape(20, 2)
    values[[3, 7, 7], [0, 0, 1]] = np.nan
    frame, path = pandas.DataFrame(values, columns=["x1", "x2"]), tmp_path / name
    save = {".csv": frame.to_csv, ".gz": frame.to_csv, ".parquet": frame.to_parquet}
    if name == "x.npy":
        np.save(path, values)
    elif name == "x.feather":
        frame.to_feather(path)
    else:
        save[path.suffix](path, index=False)
    there = ~np.isnan(values).any(axis=1)
    for call in (read_table, lambda path: list(read_pieces(path, n_rows=3))):
        with pytest.raises(MissingValuesError, match=r"2 of 20 rows have .* \(x1: 2, x2: 1\)") as e:
            call(path)
        assert e.value.n_rows == 2
        assert "first in line 5." in str(e.value) or "first in row 4." in str(e.value)
    table = read_table(path, drop_missing=True)
    np.testing.assert_array_equal(table.values, values[there])
    np.testing.assert_array_equal(table.rows, np.flatnonzero(there) + 1)
    pieces = list(read_pieces(path, n_rows=3, drop_missing=True))
    np.testing.assert_array_equal(np.concatenate([p.values for p in pieces]), values[there])
    np.testing.assert_array_equal(np.concatenate([p.rows for p in pieces]), table.rows)
    source = chunks(path, drop_missing=True, chunk_rows=3)
    for each in (source, source.again()):
        found = [(chunk.X, chunk.rows) for chunk in each]
        np.testing.assert_array_equal(np.concatenate([X for X, _ in found]), values[there])
        np.testing.assert_array_equal(np.concatenate([rows for _, rows in found]), table.rows)
    mixture = GaussianMixture(1).fit(source)
    np.testing.assert_allclose(mixture.means_[0], values[there].mean(axis=0))


def test_missing__in_weights_and_labels(write):
    path = write("a,w,g\n1,1,u\n2,,v\n3,1,NA\n4,2,u\n")
    assert "(w: 1), first in line 3" in refusal(read_table, path, ["a"], "w")
    table = read_table(path, ["a"], "w", label_column="g", drop_missing=True)
    assert (table.values[:, 0].tolist(), table.weights.tolist()) == ([1, 4], [1, 2])
    assert (table.labels.tolist(), table.rows.tolist()) == (["u", "u"], [1, 4])


def test_missing__infinity_is_not(write):
    path = write("a,b\n1,2\n3,inf\n,4\n")
    for options in ({}, {"drop_missing": True}):
        assert "line 3, column 'b': every number must be finite" in refusal(
            read_table, path, **options
        )


def test_missing__everywhere(write):
    text = refusal(read_table, write("a,b\n1,\n,2\n"), ["a", "b"], drop_missing=True)
    assert "at least one row without missing values" in text


def test_kept__columns_go_with_their_rows(write):
    pieces = list(read_pieces(write(GAPS), n_rows=2, keep=["id", "b"], drop_missing=True))
    found = [
        (*row, number)
        for piece in pieces
        for *row, number in zip(*piece.kept.values(), piece.rows.tolist(), strict=True)
    ]
    assert found == [("u", "2", 1), ("x", "6", 4), ("z", "8", 6)]


# Any text


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                ["1", "1,5", "1.234", "2.5", "-3", "", "NA", "x", "#", "€4", "5 %", '"', "a b", "|"]
            ),
            min_size=1,
            max_size=4,
        ),
        max_size=6,
    ),
    st.sampled_from(";,\t| "),
    st.booleans(),
)
def test_read_table__of_any_text_is_a_table_or_a_sentence(tmp_path_factory, rows, delimiter, drop):
    path = tmp_path_factory.mktemp("fuzz") / "x.csv"
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    try:
        table = read_table(path, drop_missing=drop)
    except ValueError as error:
        assert str(error).endswith((".", ")")) and "\n" not in str(error)
        return
    assert np.isfinite(table.values).all() and len(table.values) > 0
    assert table.values.shape[1] == len(table.names)
    pieces = list(read_pieces(path, n_rows=2, drop_missing=drop))
    np.testing.assert_array_equal(np.concatenate([p.values for p in pieces]), table.values)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["x.csv", "x.csv.gz", "x.xlsx", "x.parquet"]))
def test_read_table__of_any_bytes_is_a_table_or_a_sentence(tmp_path_factory, data, name):
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(data)
    try:
        assert np.isfinite(read_table(path).values).all()
    except ValueError as error:
        assert str(path) in str(error)


def test_choice__of_a_model_decides_the_columns_of_other_dialects(write):
    path = write("when;b;a\nMon;1,5;2\nTue;2,5;3\n")
    choice = choose_columns(path, ["a", "b"], reading=Reading(decimal=","))
    assert choice.table().values.tolist() == [[2, 1.5], [3, 2.5]]
