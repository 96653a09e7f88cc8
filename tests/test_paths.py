"""Nothing that is read is written over, and no file is written twice."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gmmfast import GaussianMixture, chunks
from gmmfast.data.paths import require_apart
from gmmfast.tables import read_table, write_table

pytestmark = [pytest.mark.quick, pytest.mark.plain]


def one_file(path, way):
    """Another path to a file, in another folder unless it is the same path."""
    if way == "the same path":
        return path
    if way == "another path":
        return path.parent / "sub" / ".." / path.name
    link = path.parent / f"link{path.suffix}"
    (link.symlink_to if way == "a symbolic link" else link.hardlink_to)(path)
    return link


WAYS = ["the same path", "another path", "a symbolic link", "a hard link"]


@pytest.fixture
def files(tmp_path):
    """A data file, a model, and a folder."""
    (tmp_path / "sub").mkdir()
    X = np.random.default_rng(0).normal(size=(60, 2))
    write_table(tmp_path / "x.csv", [{"a": X[:, 0], "b": X[:, 1]}])
    GaussianMixture.from_parameters([1.0], np.zeros((1, 2)), np.eye(2)[None]).save(
        tmp_path / "m.npz"
    )
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("way", WAYS)
def test_require_apart__of_one_file(files, way):
    path = files / "x.csv"
    other = one_file(path, way)
    for inputs, outputs in (
        ({"the data": path}, {"--out": other}),
        ({"the data": other}, {"--out": path}),
        ({"the model": None, "the data": path}, {"--plot": None, "--out": other}),
        ({}, {"the data": other, "--out": path}),
    ):
        with pytest.raises(ValueError, match="--out and the data must be two files; got") as error:
            require_apart(inputs, outputs)
        assert ("for both" if other == path else "which are one file") in str(error.value)
    require_apart({"the data": path, "the model": other}, {})  # what is read may be read twice


def test_require_apart__of_files_that_are_not_there_yet(tmp_path):
    new = tmp_path / "new.npz"
    (tmp_path / "link.npz").symlink_to(new)
    for other in (new, tmp_path / "." / "new.npz", tmp_path / "link.npz"):
        with pytest.raises(ValueError, match="must be two files"):
            require_apart({}, {"--out": new, "--checkpoint": other})
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    require_apart({"the data": tmp_path / "none.csv"}, {"--out": new, "b": tmp_path / "loop.npz"})


@pytest.mark.parametrize("name", ["0.parquet", "sub/1.parquet", "new.parquet", "sub/new.parquet"])
def test_require_apart__of_a_folder(tmp_path, name):
    folder = tmp_path / "parts"
    (folder / "sub").mkdir(parents=True)
    for part in ("0.parquet", "sub/1.parquet"):
        (folder / part).touch()
    with pytest.raises(ValueError, match="which is a folder that holds it"):
        require_apart({"the data": folder}, {"--out": folder / name})
    (folder / "link.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(ValueError, match="which is a folder that holds it"):
        require_apart({"the data": folder}, {"--out": tmp_path / "elsewhere.parquet"})
    require_apart({"the data": folder}, {"--out": folder / "model.npz"})  # is not read


# The command line


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", ["predict m.npz x.csv", "score m.npz x.csv"])
def test_commands__out_is_not_the_data(fails, files, monkeypatch, command, way):
    monkeypatch.chdir(files)
    out = one_file(files / "x.csv", way)
    before = contents(files)
    text = fails(*command.split(), "--out", out)
    assert "--out and the data must be two files" in text and "Write to another file." in text
    assert contents(files) == before


def links_to(files, *names):
    for name in names:
        (files / f"data{name}").symlink_to(files / "x.csv")
        (files / f"model{name}").symlink_to(files / "m.npz")


@pytest.mark.parametrize(
    ("command", "pair"),
    [
        ("fit x.csv -k 1 --out data.npz", "--out and the data"),
        ("fit x.csv -k 1 --checkpoint data.npz", "--checkpoint and the data"),
        ("fit x.csv -k 1 --checkpoint c.npz --out c.npz", "--checkpoint and --out"),
        ("fit x.csv -k 1 --checkpoint c.npz --out sub/../c.npz", "--checkpoint and --out"),
        ("select x.csv --out data.npz", "--out and the data"),
        ("select x.csv --plot data.png", "--plot and the data"),
        ("select x.csv --plot model.png --out m.npz", "--plot and --out"),
        ("predict m.npz x.csv --out model.csv", "--out and the model"),
        ("score m.npz x.csv --out model.csv", "--out and the model"),
        ("sample m.npz --out model.csv", "--out and the model"),
        ("sample m.npz --out model.npy", "--out and the model"),
    ],
)
def test_commands__files_are_apart(fails, files, monkeypatch, command, pair):
    monkeypatch.chdir(files)
    links_to(files, ".npz", ".png", ".csv", ".npy")
    before = contents(files)
    assert f"{pair} must be two files" in fails(*command.split())
    assert contents(files) == before


def test_commands__a_result_is_not_added_to_a_folder_of_data(fails, files, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow writes Parquet files")
    monkeypatch.chdir(files)
    (files / "parts").mkdir()
    write_table("parts/0.parquet", [{"a": np.ones(3), "b": np.ones(3)}])
    for out in ("parts/0.parquet", "parts/new.parquet"):
        text = fails("predict", "m.npz", "parts", "--out", out)
        assert "--out and the data must be two files" in text
    assert [path.name for path in (files / "parts").iterdir()] == ["0.parquet"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="a system without /dev/stdout")
def test_commands__output_is_not_appended_to_the_data(files):
    before = contents(files)
    command = [sys.executable, "-m", "gmmfast", "predict", "m.npz", "x.csv"]
    with open(files / "x.csv", "a") as stream:
        done = subprocess.run(
            command, cwd=files, stdout=stream, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "standard output and the data must be two files" in done.stderr
    assert contents(files) == before


# Python


@pytest.mark.parametrize("form", [str, chunks, lambda path: np.load(path, mmap_mode="r")])
def test_fit__checkpoint_is_not_the_data(tmp_path, form):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 2)))
    before = path.read_bytes()
    (tmp_path / "link.npz").symlink_to(path)
    for checkpoint in (str(path), tmp_path / "link.npz"):
        with pytest.raises(ValueError, match="checkpoint and X must be two files"):
            GaussianMixture(1).fit(form(path), checkpoint=checkpoint)
    assert path.read_bytes() == before
    GaussianMixture(1).fit(form(path), checkpoint=tmp_path / "c.npz")


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet"])
def test_write_table__over_the_file_that_is_read_keeps_all_rows(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow reads Parquet files")
    path = tmp_path / f"x{suffix}"
    values = np.arange(300.0) + 0.5
    write_table(path, [{"a": values}])
    source = chunks(path, chunk_rows=7)
    write_table(path, ({"a": 2 * part.X[:, 0]} for part in source))
    np.testing.assert_array_equal(read_table(path).values[:, 0], 2 * values)
