"""Files before their cells are read: encodings, compression, kinds, quotes."""

import bz2
import gzip
import lzma
import os

import numpy as np
import pytest
from data import refusal

from gmmfast.tables import read_pieces, read_table

pytestmark = pytest.mark.quick


# Encodings


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", "\ufeff"),
        ("utf-16-be", "\ufeff"),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        ("cp1252", ""),
    ],
)
def test_read_table__of_encodings(write, encoding, mark):
    path = write((mark + "größe;€\n1,5;2\n3,5;4\n").encode(encoding))
    table = read_table(path)
    assert (table.names, table.values.tolist()) == (["größe", "€"], [[1.5, 2], [3.5, 4]])
    assert (" text. " in table.notes[0]) == (not encoding.startswith("utf-8"))
    text = refusal(read_table, write("a,b\n1,2\n".encode("utf-16")), encoding="utf-8")
    assert "the text must be utf-8; got byte 0xff" in text and "--encoding" in text


# Compressed text


def zstandard(data):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow writes .zst")
    return bytes(pyarrow.compress(data, codec="zstd", asbytes=True))


COMPRESSORS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard,
}


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_read_table__of_compressed_text(write, suffix):
    data = b"a,b\n" + b"1,2\n3,4\n" * 500
    for name in ("x.csv", "x.tsv", "x"):
        path = write(COMPRESSORS[suffix](data), name + suffix)
        assert read_table(path).values.tolist() == [[1, 2], [3, 4]] * 500
        pieces = [piece.values for piece in read_pieces(path, n_rows=300)]
        assert np.concatenate(pieces).tolist() == [[1, 2], [3, 4]] * 500
    whole = COMPRESSORS[suffix](data)
    for content in (b"garbage" * 9, whole[: len(whole) // 2]):
        text = refusal(read_table, write(content, "bad.csv" + suffix))
        assert f"a {suffix} file is required" in text or "at least one row" in text
    assert "or of compressed text" in refusal(read_table, write(whole, "x.npy" + suffix))


# Names that do not say what a file is


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "x.csv",
            gzip.compress(b"a\n1\n", mtime=0),
            "compressed by gzip. Rename it to end in .csv.gz.",
        ),
        ("x.csv.gz", bz2.compress(b"a\n1\n"), "says .gz, its content is compressed by bzip2."),
        ("x.csv", b"PK\x03\x04rest", "unpack an archive first."),
        ("x.xls", b"PK\x03\x04rest", "Rename it to end in .xlsx if it is"),
        ("x.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "without a password"),
        ("x.xls", b"\n<HTML><table><tr><td>1", "a page of HTML or XML."),
        ("x.csv", b"\xef\xbb\xbf<!DOCTYPE html>", "save it as .xlsx or CSV."),
        ("x.txt", b"%PDF-1.4", "a PDF document"),
        ("x.csv", b"PAR1\x15rest", "Rename it to end in .parquet."),
        ("x.parquet", b"\x93NUMPYrest", "Rename it to end in .npy."),
    ],
)
def test_read_table__names_the_true_kind_of_a_file(write, name, content, words):
    path = write(content, name)
    text = refusal(read_table, path)
    assert text.startswith(f"{path}: its name says .") and words in text


@pytest.mark.parametrize("content", [b'{"a": 1}\n{"a": 2}\n', b'\n[{"a": 1}]'])
def test_read_table__refuses_json(write, content):
    text = refusal(read_table, write(content, "x.csv"))
    assert "the content is JSON. Write it as CSV or Parquet" in text


def test_read_table__refuses_a_pipe(tmp_path):
    """Which would wait for ever: a file is opened more than once."""
    os.mkfifo(tmp_path / "x.csv")
    assert "this is a pipe" in refusal(read_table, tmp_path / "x.csv")


def test_read_table__of_names_that_look_like_the_first_bytes_of_a_kind(write):
    assert read_table(write("PAR1,BZh\n1,2\n3,4\n")).names == ["PAR1", "BZh"]


@pytest.mark.parametrize("url", ["https://example.org/x.csv?a=1", "s3://bucket/x.parquet"])
def test_read_table__of_an_address(url):
    text = refusal(read_table, url)
    assert "must be a file on this machine; got an address. Download it first." in text


# Stray quotes


@pytest.mark.parametrize(
    ("text", "line", "end"),
    [
        ('a;b;c\n1;2;x\n3;4;"y\n5;6;z\n7;8;"w\n9;1;v\n', 3, 5),  # in a column of text
        ('a;b;c\n1;2;x\n3;4;"y\n5;6;z\n7;8;w\n', 3, 5),  # up to the end of the file
        ('a;b;c\n1;2;x\n3;4;"y\n5;6;12"\n7;8;w\n', 3, 4),  # closed by a sign for inches
        ('a,b\n1,2\n3,"4\n5,6\n7,8\n', 3, 5),
    ],
)
def test_read_table__names_a_stray_quote(write, text, line, end):
    path = write(text)
    for call in (read_table, lambda path: list(read_pieces(path, n_rows=2))):
        message = refusal(call, path)
        assert f'line {line}: a quote (") must be closed in its own cell' in message
        assert f"goes on to line {end}. Remove the quote or close it" in message


def test_read_table__a_stray_quote_below_the_first_lines(write):
    text = "a,b,c\n" + "1,2,x\n" * 300 + '3,4,"y\n' + "5,6,z\n" * 3 + '7,8,"w\n' + "1,2,x\n" * 9
    assert "line 302: a quote" in refusal(read_table, write(text))


def test_read_table__cells_in_quotes_may_hold_lines(write):
    path = write('a;b;c\n1;2;"one\ntwo; and three; four"\n3;4;"5"" pipe"\n5;6;7" pipe\n')
    assert read_table(path).values.tolist() == [[1, 2], [3, 4], [5, 6]]
