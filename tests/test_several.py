"""Several files as one table: lists, folders and patterns."""

import numpy as np
import pytest
from data import refusal

from gmmfast import chunks
from gmmfast.tables import column_names, read_table

pytestmark = pytest.mark.quick


@pytest.fixture
def parts(write):
    """A folder of text files, the second with its columns in another order."""
    write("a,b,who\n1,2,u\n3,4,v\n", "parts/1.csv")
    write("who;b;a\nw;6,5;5\n", "parts/2.csv")
    return write("a,b,who\n7,8,x\n", "parts/3.csv").parent


ROWS = [[1, 2], [3, 4], [5, 6.5], [7, 8]]


def test_several__files_are_one_table(parts, monkeypatch):
    ways = [parts, str(parts), parts / "*.csv", [parts / f"{i}.csv" for i in (1, 2, 3)]]
    ways.append([parts / "[12].csv", parts / "3.csv"])
    for way in ways:
        table = read_table(way)
        assert (table.names, table.values.tolist()) == (["a", "b"], ROWS)
        assert "('who') is left out" in table.notes[-1]
        assert column_names(way) == ["a", "b", "who"]
        found = list(chunks(way, keep=["who"], chunk_rows=1))
        assert np.concatenate([chunk.X for chunk in found]).tolist() == ROWS
        assert [chunk.kept["who"][0] for chunk in found] == ["u", "v", "w", "x"]
    assert read_table([parts / "1.csv"]).values.tolist() == ROWS[:2]


def test_several__files_that_do_not_match(parts, write):
    write("a,b,c\n1,2,3\n", "parts/4.csv")
    text = refusal(read_table, parts)
    assert "4.csv: every file must have the columns a, b, as " in text and "got a, b, c" in text
    assert len(read_table(parts, ["b"]).values) == 5
    assert "no column 'd'" in refusal(read_table, parts, ["d"])
    write("1,2\n3,4\n", "parts/4.csv")
    assert "4.csv: every file must have the columns" in refusal(read_table, parts)
    write("a,b\n,2\n3,4\n", "parts/4.csv")
    text = refusal(read_table, parts)
    assert f"{parts}: 1 of 6 rows has missing values (a: 1), first in row 5." in text
    assert read_table(parts, drop_missing=True).rows.tolist() == [1, 2, 3, 4, 6]


def test_several__files_have_one_dialect_and_one_unit(write):
    write("z;x\nZ;1.234,5\nY;2\n", "d/1.csv")
    folder = write("z;x\nZ;985\nY;1.085\n", "d/2.csv").parent
    assert read_table(folder).values[:, 0].tolist() == [1234.5, 2, 985, 1085]
    write("a;b\n5,5 €;1\n", "e/1.csv")
    folder = write("a;b\n5,5 $;1\n", "e/2.csv").parent
    assert "must have one unit in all files; got $, €" in refusal(read_table, folder)
    write("a;b\n5,5;1\n6,5;2\n", "f/1.csv")
    folder = write("a;b\nn/a;1\n;2\n", "f/2.csv").parent
    assert "2 of 4 rows have missing values (a: 2)" in refusal(read_table, folder)


def test_several__files_that_are_not_there(tmp_path, write):
    assert "no file matches" in refusal(read_table, tmp_path / "*.csv", error=FileNotFoundError)
    assert "at least one file" in refusal(read_table, [])
    (tmp_path / "folder").mkdir()
    text = refusal(read_table, tmp_path / "folder")
    assert "the folder must hold files that end in one of .csv" in text
    write("a\n1\n", "folder/x.csv")
    write("a\n1\n", "folder/.y.csv")
    write("read me", "folder/README")
    assert read_table(tmp_path / "folder").values.tolist() == [[1]]
    write("a\n1\n", "folder/x.tsv")
    text = refusal(read_table, tmp_path / "folder")
    assert "must be of one kind; got .csv, .tsv" in text and "folder/*.csv" in text


def test_files_of__leaves_out_locks_of_excel(write):
    write("a\n1\n2\n", "more/x.csv")
    path = write("lock", "more/~$x.csv")
    for what in (path.parent, path.parent / "*.csv"):
        assert read_table(what).values.tolist() == [[1], [2]]


def test_read_table__says_a_note_on_several_files_once(write):
    paths = [write("a;b\n1,5;2\n", f"{i}.csv") for i in range(3)]
    notes = read_table(paths).notes
    assert len(notes) == 1
    assert notes[0].startswith(f"{paths[0]} and 2 more (3 files): read with decimal commas.")
