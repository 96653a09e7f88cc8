"""Commands on files that are read in pieces print and write what they do of files in memory."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data import mixture

from gmmfast import GaussianMixture, load

NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(3000, 3, 3, separation=3.0, seed=1)[0] + 10.0


@pytest.fixture(name="files")
def data_files(X, tmp_path):
    w = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    np.save(tmp_path / "rows.npy", X)
    table = pa.table({**dict(zip(NAMES, X.T, strict=True)), "w": w})
    pq.write_table(table, tmp_path / "rows.parquet")
    table.to_pandas().to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


@pytest.fixture(name="short")
def short_of_memory(monkeypatch):
    """Call it, and there is hardly any memory left."""
    return lambda: monkeypatch.setattr("gmmfast.data.free_memory.free", lambda: 100e3)


@pytest.fixture
def fails(run):
    """Run a command that must fail, and return its error text, which follows the notes."""

    def run_failing(*arguments):
        code, out, err = run(*arguments)
        *notes, error = err.splitlines()
        assert (code, out) == (2, "")
        assert all(note.startswith("gmmfast: note: ") for note in notes)
        assert error.startswith("gmmfast: error: ")
        return error

    return run_failing


@pytest.mark.parametrize(
    "arguments",
    [
        ["rows.npy", "-k", "3"],
        ["rows.npy", "-k", "2", "--columns", "x3,x1"],
        ["rows.parquet", "-k", "3", "--columns", "c,a", "--covariance", "diag"],
        ["rows.parquet", "-k", "3", "--weight-column", "w"],
        ["rows.parquet", "-k", "3", "--weight-column", "w", "--standardize"],
        ["rows.csv", "-k", "3", "--columns", "c,a"],
        ["rows.csv", "-k", "3", "--weight-column", "w", "--standardize"],
    ],
)
def test_fit(run, files, short, arguments, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setattr("gmmfast.data.free_memory.CHUNK_BYTES", 1 << 13)
    code, inside, err = run("fit", *arguments, "--json", "--out", "inside.npz")
    assert (code, err) == (0, "")
    short()
    code, outside, err = run("fit", *arguments, "--json", "--out", "outside.npz")
    assert code == 0
    faster = ", which is faster from .npy or .parquet" if arguments[0].endswith("csv") else ""
    assert err == (
        f"gmmfast: note: {arguments[0]} would take 0.0 GB of memory, and 0.0 GB are free: it is "
        f"read in pieces, once an iteration{faster}\n"
    )
    inside, outside = json.loads(inside), json.loads(outside)
    assert inside.keys() == outside.keys()
    for key, value in inside.items():
        if isinstance(value, float | list) and key != "columns":
            np.testing.assert_allclose(outside[key], value, rtol=1e-9, atol=1e-11)
        else:
            assert outside[key] == value
    one, two = load("inside.npz"), load("outside.npz")
    np.testing.assert_allclose(two.covariances_, one.covariances_, rtol=1e-9, atol=1e-11)
    assert getattr(two, "feature_names_in_", None) is None or list(two.feature_names_in_) == list(
        one.feature_names_in_
    )
    assert two.n_samples_seen_ == one.n_samples_seen_


def test_a_folder_of_parquet_files(run, fails, files, X):
    folder, model = files / "parts", files / "model.npz"
    folder.mkdir()
    assert "the folder must hold files that end in" in fails("fit", folder, "-k", 3)
    for i, part in enumerate(np.array_split(X, 3)):
        pq.write_table(pa.table(dict(zip(NAMES, part.T, strict=True))), folder / f"{i}.parquet")
    code, out, err = run("fit", folder, "-k", 3, "--json", "--out", model)
    assert (code, err) == (0, "")
    assert json.loads(out)["n_rows"] == len(X)
    assert json.loads(out)["columns"] == NAMES
    code, _, err = run("predict", model, folder, "--out", files / "labels.npy")
    assert (code, err) == (0, "")
    labels = load(model).predict(pa.table(dict(zip(NAMES, X.T, strict=True))))
    np.testing.assert_array_equal(np.load(files / "labels.npy")[:, 1], labels)


def test_a_checkpoint_of_rows_in_memory_goes_on_in_pieces_and_back(run, files, short, monkeypatch):
    monkeypatch.chdir(files)
    fit = ["fit", "rows.parquet", "-k", "3", "--columns", "a,b", "--tol", "1e-9", "--json"]
    _, whole, _ = run(*fit)
    fit += ["--checkpoint", "c.npz", "--resume"]
    run(*fit, "--max-iter", "2")
    with monkeypatch.context():
        short()
        code, _, err = run(*fit, "--max-iter", "3")
    assert code == 0 and "feature names" not in err
    code, resumed, err = run(*fit)
    assert code == 0 and "feature names" not in err
    assert json.loads(resumed)["n_iter"] == json.loads(whole)["n_iter"]


@pytest.mark.parametrize("name", ["rows.npy", "rows.parquet", "rows.csv"])
@pytest.mark.parametrize("out", ["out.csv", "out.tsv", "out.npy", "out.parquet", None])
@pytest.mark.parametrize("command", ["predict", "score", "score --outliers 0.01"])
def test_uses(run, files, X, short, name, out, command, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setattr("gmmfast.data.free_memory.CHUNK_BYTES", 1 << 13)
    GaussianMixture(3, random_state=0).fit(X).save("model.npz")
    command, *options = command.split()
    columns = [] if name == "rows.npy" else ["--columns", "a,b,c"]

    def result():
        target = [] if out is None else ["--out", out]
        code, printed, _ = run(command, "model.npz", name, *columns, *options, *target)
        assert code == 0
        if out == "out.parquet":
            return pq.read_table(files / out).to_pydict()
        return printed if out is None else (files / out).read_bytes()

    inside = result()
    short()
    assert result() == inside
    if out == "out.npy":
        assert np.load(out).shape[0] == len(X)


@pytest.mark.parametrize("options", [[], ["--no-header"], ["--header"]])
def test_the_first_line_is_read_alike(run, files, X, short, options, monkeypatch):
    monkeypatch.chdir(files)
    np.savetxt("x.csv", X, "%.17g", ",", header="0,1,2", comments="")
    fit = ["fit", "x.csv", "-k", "1", "--json", *options]
    code, inside, notes = run(*fit)
    assert (code, json.loads(inside)["n_rows"]) == (0, 3001 if options == ["--no-header"] else 3000)
    short()
    _, outside, more = run(*fit)
    assert json.loads(outside)["columns"] == json.loads(inside)["columns"]
    assert json.loads(outside)["n_rows"] == json.loads(inside)["n_rows"]
    assert more.startswith(notes) and "it is read in pieces" in more.removeprefix(notes)
    assert ("is read as the names of the columns" in notes) == (not options)


def test_search(run, files, short, monkeypatch):
    monkeypatch.chdir(files)
    command = ["select", "rows.npy", "-k", "2:3", "--covariance", "EEE,VVV"]
    code, inside, _ = run(*command)
    assert code == 0
    short()
    code, outside, err = run(*command)
    assert (code, outside) == (0, inside)
    assert "it is read in pieces" in err


def test_a_bad_cell_late_in_the_file(fails, files, X, short):
    broken = X.copy()
    broken[2900, 1] = np.nan
    np.save(files / "rows.npy", broken)
    GaussianMixture(3, random_state=0).fit(X).save(files / "model.npz")
    short()
    for command in (
        ["fit", files / "rows.npy", "-k", 3, "--out", files / "none.npz"],
        ["predict", files / "model.npz", files / "rows.npy", "--out", files / "none.csv"],
        ["predict", files / "model.npz", files / "rows.npy", "--out", files / "none.npy"],
    ):
        assert "1 of 3000 rows has missing values (x2: 1), first in row 2901." in fails(*command)
    assert not list(files.glob("*none*"))


def test_checkpoints(run, fails, files, short, monkeypatch):
    monkeypatch.chdir(files)
    fit = ["fit", "rows.npy", "-k", "3", "--init", "random_from_data", "--tol", "1e-9"]
    code, whole, _ = run(*fit, "--json")
    assert code == 0
    for where in (lambda: None, short):
        where()
        code, _, err = run(*fit, "--checkpoint", "c.npz", "--max-iter", "3")
        assert code == 0 and "did not converge" in err
        err = fails(*fit, "--checkpoint", "c.npz")
        assert "the checkpoint exists already. Resume from it with --resume, or remove it" in err
        err = fails(*fit, "--covariance", "diag", "--checkpoint", "c.npz", "--resume")
        assert "the checkpoint is of a fit with --covariance full; got diag" in err
        err = fails(*fit, "--seed", "3", "--checkpoint", "c.npz", "--resume")
        assert "the checkpoint is of a fit with --seed 0; got 3" in err
        code, resumed, _ = run(*fit, "--json", "--checkpoint", "c.npz", "--resume")
        assert code == 0
        found, expected = json.loads(resumed), json.loads(whole)
        assert found["n_iter"] == expected["n_iter"]
        for key in ("weights", "means", "covariances", "log_likelihood"):
            np.testing.assert_allclose(found[key], expected[key], rtol=1e-8, atol=1e-10)
        (files / "c.npz").unlink()
    assert "--resume needs a --checkpoint" in fails(*fit, "--resume")
    assert "must be two files" in fails(*fit, "--checkpoint", "d.npz", "--out", "d.npz")
    code, anew, _ = run(*fit, "--json", "--checkpoint", "c.npz", "--resume")
    assert code == 0 and json.loads(anew)["n_iter"] == json.loads(whole)["n_iter"]


def test_notes__of_ids_and_dates_in_pieces(run, tmp_path, monkeypatch):
    path = tmp_path / "data.csv"
    path.write_text(
        "customer_id,x,y\n" + "".join(f"{7 * i},{i % 5}.5,{i % 3}\n" for i in range(90))
    )
    monkeypatch.setattr("gmmfast.data.free_memory.is_large", lambda n_bytes: True)
    text = "column 'customer_id' is named as ids and codes are in the first rows, and is"
    assert text in run("fit", path, "-k", 1)[2]
    assert text not in run("fit", path, "-k", 1, "--id", "customer_id")[2]
