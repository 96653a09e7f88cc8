"""Files that hold more than measurements: titles, ids, dates, codes, totals; and no rows at all."""

import gzip

import numpy as np
import pytest

from gmmfast.tables import read_table, write_table
from gmmfast.tables.base import EmptyTableError
from gmmfast.tables.text import LONGEST

pytestmark = pytest.mark.quick

SALES = "value,rate\n10,1.5\n12,2.5\n11,0.5\n"


@pytest.fixture
def write(tmp_path):
    """Write text to a file and return its path."""

    def write_file(text, name="data.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def notes(path, **options):
    return [note.removeprefix(f"{path}: ") for note in read_table(path, **options).notes]


# Columns


@pytest.mark.parametrize(
    ("name", "cells", "text"),
    [
        ("zip", ["01067", "99084", "04109"], "has numbers with leading zeros, as codes do"),
        ("n", ["1", "2", "3"], "counts the rows"),
        ("n", ["0", "1", "2"], "counts the rows"),
        ("day", ["20240131", "20240229", "19991231"], "holds dates written as numbers"),
        *(
            (name, ["731", "204", "555"], "is named as ids and codes are")
            for name in (
                "customer_id",
                "orderID",
                "ID",
                "Customer ID",
                "Kundennummer",
                "KdNr",
                "Kunden-Nr.",
                "Invoice No",
                "Order #",
                "ZIP Code",
                "PLZ",
                "Phone",
                "SKU",
                "accountNumber",
            )
        ),
        ("n", ["1", "2", "4"], None),
        ("n", ["2", "3", "4"], None),
        ("day", ["20241331", "20240229", "19991231"], None),
        ("PLZ", ["731", "204", "731"], "is named as ids and codes are"),
        ("visits", ["731", "204", "555"], None),
        ("id_customer", ["731", "204", "555"], "is named as ids and codes are"),
        ("NO", ["731", "204", "555"], None),
        ("NO2", ["731", "204", "555"], None),
        ("PSNR", ["731", "204", "555"], None),
        ("smoker_yes_no", ["731", "204", "555"], None),
        ("idle", ["731", "204", "555"], None),
        ("customer_id", ["7.5", "2", "3"], None),
        ("solid", ["731", "204", "555"], None),
        ("zero", ["0", "0.5", "1"], None),
    ],
)
def test_columns__that_are_no_measurements(write, name, cells, text):
    path = write(
        f"{name},x\n" + "".join(f"{cell},{10 - i * i}.5\n" for i, cell in enumerate(cells))
    )
    table = read_table(path)
    assert table.names == [name, "x"] and table.values[:, 0].tolist() == list(map(float, cells))
    expected = [f"column '{name}' {text}, and is read as data. To leave it out, use --exclude"]
    assert [note.removesuffix(" (exclude= in Python).") for note in notes(path)] == (
        expected if text else []
    )
    assert notes(path, exclude=[name]) == notes(path, columns=[name, "x"]) == []


def test_columns__of_one_kind_share_a_note(write):
    path = write("from_id,to_id,x\n7,4,0.5\n9,1,0.25\n8,2,0.75\n")
    (note,) = notes(path)
    assert note.startswith("each of the columns 'from_id', 'to_id' is named as ids and")


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".xlsx"])
def test_columns__of_every_kind_of_file(tmp_path, suffix):
    pytest.importorskip({".parquet": "pyarrow", ".xlsx": "xlsxwriter"}.get(suffix, "numpy"))
    path = tmp_path / f"data{suffix}"
    days = np.array([20240131, 20240229, 20240331])
    write_table(path, [{"day": days, "x": np.array([0.5, 0.25, 0.75])}])
    assert any("holds dates written as numbers" in note for note in notes(path))


def test_columns__of_few_values(write):
    rows = [f"{i % 5 + 1},{i * i}.5,{i % 8}\n" for i in range(60)]
    (note,) = notes(write("rating,x,y\n" + "".join(rows)))
    assert note.startswith(
        "column 'rating' takes at most 7 different values, too few for a Gaussian"
    )
    assert notes(write("rating,x,y\n" + "".join(rows[:40]))) == []
    years = [f"{2000 + i // 60},{i * i}.5\n" for i in range(1200)]  # few in the first rows alone
    assert notes(write("year,x\n" + "".join(years))) == []


# Rows


@pytest.mark.parametrize(
    ("last", "found"),
    [("33,4.5", "'value', 'rate'"), ("33,9", None), ("-33,-4.5", None), ("12,9", None)],
)
def test_totals__are_noted(write, last, found):
    path = write(SALES + last + "\n")
    expected = f"row 4 holds the sum of those above ({found}), and is read as data. Delete"
    assert [note[: len(expected)] for note in notes(path)] == ([expected] if found else [])


def test_totals__of_one_column_need_rows_enough(write):
    rows = [f"{i * i + 3},{-i}\n" for i in range(12)]
    total = sum(i * i + 3 for i in range(12))
    assert notes(write("a,b\n" + "".join(rows) + f"{total},5\n"))[0].startswith("row 13 holds")


def test_totals__above_other_summaries(write):
    path = write(SALES + "33,4.5\n11,1.5\n")
    assert notes(path)[0].startswith("row 4 holds the sum of those above ('value', 'rate')")
    gap = write(SALES.replace("12,2.5", "12,") + "9,3\n30,5\n7,1\n")
    assert notes(gap, drop_missing=True)[-1].startswith("row 5 holds the sum of those above")


def test_totals__are_no_indicator_columns(write):
    assert notes(write("a,b\n0,1.5\n1,2.25\n0,3.75\n1,9.5\n")) == []


@pytest.mark.parametrize(
    "title",
    [
        "Sales\n",
        "Sales, north\n",
        "Sales\n\nin thousands\n",
        ",,,,\nSales,,,,\n",
        '"Sales\n2024"\n',
    ],
)
def test_titles__are_left_out_with_a_note(write, title):
    path = write(f"{title}a,b,c,d,e\n1,2.5,4,7,3\n4,5.5,8,2,1\n")
    table = read_table(path)
    assert table.names == list("abcde")
    assert table.values.tolist() == [[1, 2.5, 4, 7, 3], [4, 5.5, 8, 2, 1]]
    assert "(Sales" in notes(path)[0] and "above the names of the columns" in notes(path)[0]


def test_titles__of_a_sheet(tmp_path):
    xlsxwriter = pytest.importorskip("xlsxwriter")
    path = tmp_path / "report.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        rows = [["Report of May"], [], ["value", "rate"], [1, 2.5], [4, 5.5]]
        for i, row in enumerate(rows):
            sheet.write_row(i, 0, row)
    assert read_table(path).names == ["value", "rate"]
    assert notes(path)[0].startswith("the first row (Report of May) stands above")


def test_sheets__a_cover_is_passed_over(tmp_path):
    xlsxwriter = pytest.importorskip("xlsxwriter")
    path = tmp_path / "report.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for i, text in enumerate(["Report of 2026", "", "Figures of all shops"]):
            (book.get_worksheet_by_name("Info") or book.add_worksheet("Info")).write(i, 0, text)
        sheet = book.add_worksheet("Data")
        for i, row in enumerate([["value", "rate"], [1, 2.5], [4, 5.5]]):
            sheet.write_row(i, 0, row)
    assert read_table(path).values.tolist() == [[1, 2.5], [4, 5.5]]
    assert notes(path)[0].startswith("sheet 'Data' of 2 is read.")
    assert read_table(path, sheet="Data").names == ["value", "rate"]


@pytest.mark.parametrize(
    "rows",
    [
        [["value", "rate"], ["1,5", "2,5"], ["4", "5"]],  # numbers as text
        [["value", "rate"], [1, 2]],
        [["value", "rate"]],
    ],
)
def test_sheets__a_table_is_no_cover(tmp_path, rows):
    xlsxwriter = pytest.importorskip("xlsxwriter")
    path = tmp_path / "report.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for name, content in (("Data", rows), ("Codes", [["code", "x"], [1, 2.5], [2, 3.5]])):
            sheet = book.add_worksheet(name)
            for i, row in enumerate(content):
                sheet.write_row(i, 0, row)
    if len(rows) == 1:
        with pytest.raises(EmptyTableError, match="Sheet 'Data' of 2 is read. To read another"):
            read_table(path)
    else:
        assert read_table(path).names == ["value", "rate"]


def test_titles__lines_keep_their_numbers(write):
    path = write("Sales\na,b,c\n1,2,3\n4,x,6\n")
    with pytest.raises(ValueError, match="line 4, column 'b': every cell must be a number"):
        read_table(path)


@pytest.mark.parametrize("text", ["x\n1,5\n2,5\n", "x,y\na,1.5,2\nb,2.5,4\n"])
def test_titles__are_not_names_of_fewer_columns(write, text):
    assert "above the names" not in " ".join(notes(write(text), columns=["x"]))


def test_titles__are_not_the_header_above_gaps(write):
    path = write('"","x"\n"a",NA\n"b",1.5\n"c",2.5\n')
    table = read_table(path, drop_missing=True)
    assert table.names == ["x"] and table.values.ravel().tolist() == [1.5, 2.5]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_footnotes__do_not_change_the_delimiter(write, mark):
    rows = "".join(f"{i},{i * i},{i % 7}\n" for i in range(30)).replace(",", mark)
    path = write(f"a{mark}b{mark}c\n{rows}Source: statistical office of the country\n")
    with pytest.raises(ValueError, match="line 32: every row must have 3 cells.*footnote"):
        read_table(path)


def test_lines__with_one_long_number_are_one_column(write):
    assert read_table(write("value\n1\n2\n3\n4\n1,234,567\n")).values.sum() == 1234577


# Cells


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a;b\n1.886;x\n987;y\n321;y\n2.001;z\n", [1886, 987, 321, 2001]),
        ("a;b\n1,886;x\n987;y\n321;y\n2,001;z\n", [1886, 987, 321, 2001]),
        ("a;b\n1.886;x\n98;y\n321;y\n2.001;z\n", [1.886, 98, 321, 2.001]),
        ("a;b\n1.886;x\n987.5;y\n321;y\n2.001;z\n", [1.886, 987.5, 321, 2.001]),
        ("a,b\n123.457,x\n250,y\n300,y\n310.125,z\n", [123.457, 250, 300, 310.125]),
        ("a b\n123.457 x\n250 y\n300 y\n310.125 z\n", [123.457, 250, 300, 310.125]),
        ("a;b\n1.250;12.5\n100;13.5\n300;14.25\n", [1.25, 12.5, 100, 13.5, 300, 14.25]),
    ],
)
def test_cells__thousands_beside_hundreds(write, text, values):
    table = read_table(write(text))
    assert table.values.ravel().tolist() == values
    assert any("between thousands" in note for note in table.notes) == (values[0] == 1886)


def test_cells__months_have_a_leading_zero(write):
    path = write("a,rate\n7,11.2034\n3,11.2051\n5,11.1987\n")
    assert read_table(path).names == ["a", "rate"]


@pytest.mark.parametrize("months", [["01.2026", "02.2026", "12.2025"], ["01,2026", "", "11,2026"]])
def test_cells__months_are_dates(write, months):
    rows = [f"{month};{x},5\n" for month, x in zip(months, (7, 3, 4), strict=True)]
    table = read_table(write("month;value\n" + "".join(rows)))
    assert table.names == ["value"] and table.values.ravel().tolist() == [7.5, 3.5, 4.5]


@pytest.mark.parametrize("cell", ["#WERT!", "#REF!", "n.v.", "—"])
def test_cells__errors_of_spreadsheets_are_missing(write, cell):
    assert len(read_table(write(f"a,b\n1,3\n{cell},4\n"), drop_missing=True).values) == 1


@pytest.mark.parametrize("cell", ["- €", "-\u00a0€", "$ -", "-", "– €", "- EUR", "- %", "-- $"])
def test_cells__a_dash_beside_a_sign_is_missing(write, cell):
    table = read_table(write(f"a;b\n1,5;3\n{cell};4\n2,5;5\n"), drop_missing=True)
    assert table.values.tolist() == [[1.5, 3], [2.5, 5]]


def test_cells__a_stray_quote_does_not_read_the_rest_of_the_file(write, monkeypatch):
    lines = ["1.5,2.5\n"] * (3 * LONGEST)
    lines[5] = '1.5,"2.5\n'
    path = write("a,b\n" + "".join(lines))
    monkeypatch.setattr("gmmfast.tables.text.rows_of", lambda *_: 10)
    last = 10 + LONGEST + 1
    with pytest.raises(ValueError, match=f"line 7: a quote .* goes on to line {last}"):
        read_table(path)


# Files


def test_files__without_rows_among_others_are_left_out(write, tmp_path):
    write(SALES, "1.csv"), write("value,rate\n", "2.csv"), write(SALES, "3.csv"), write("", "0.csv")
    table = read_table(tmp_path / "*.csv")
    assert len(table.values) == 6
    shown = f"'{tmp_path}/0.csv', '{tmp_path}/2.csv'"
    assert table.notes == [f"{tmp_path}/*.csv: 2 files have no rows ({shown})."]
    with pytest.raises(EmptyTableError, match="none of 2 files has one"):
        read_table([tmp_path / "2.csv", write("value,rate\n", "4.csv")])


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".npy"])
def test_files__of_other_kinds_without_rows(tmp_path, suffix):
    path = tmp_path / f"empty{suffix}"
    if suffix == ".feather":
        pyarrow = pytest.importorskip("pyarrow")
        feather = pytest.importorskip("pyarrow.feather")
        feather.write_feather(pyarrow.table({"value": np.zeros(0), "rate": np.zeros(0)}), path)
    else:
        write_table(path, [{"value": np.zeros(0), "rate": np.zeros(0)}])
    with pytest.raises(EmptyTableError, match="at least one row") as caught:
        read_table(path)
    assert caught.value.names == (["x1", "x2"] if suffix == ".npy" else ["value", "rate"])


def test_files__count_once(write, tmp_path):
    path = write(SALES)
    copy = tmp_path / "data.csv.gz"
    copy.write_bytes(gzip.compress(SALES.encode()))
    for paths, got in (
        ([path, path], f"{path} twice"),
        ([tmp_path / "*.csv", path], f"{path} twice"),
        ([tmp_path / "data.*"], f"{path} and {copy}"),
        ([path, copy], f"{path} and {copy}"),
    ):
        with pytest.raises(ValueError, match="can be used once; got") as caught:
            read_table(paths)
        assert got in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.bz2", ".txt.xz"])
def test_files__compressed_text_is_written(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write_table(path, [{"a": np.array([0.1, 0.2]), "b": np.array([1, 2])}])
    assert read_table(path).values.tolist() == [[0.1, 1], [0.2, 2]]


@pytest.mark.parametrize("name", ["out.parquet.gz", "out.csv.zst", "out.json"])
def test_files__that_cannot_be_written(tmp_path, name):
    with pytest.raises(ValueError, match="file suffix must be one of"):
        write_table(tmp_path / name, [{"a": np.zeros(2)}])
