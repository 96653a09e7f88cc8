"""Commands on tables as people have them: ids, text, gaps, pipes, several files."""

import json
import subprocess
import sys

import numpy as np
import pytest
from data import columns_of, load_unnamed

from gmmfast import GaussianMixture
from gmmfast.datasets import load_customers, load_sensors
from gmmfast.tables import read_table, write_table


@pytest.fixture
def visitors(tmp_path, model):
    """Rows with ids, text, gaps and decimal commas, for the model of customers."""
    path = tmp_path / "visitors.csv"
    rows = ["u7;40,5;Bern;4,5", "u8;;Ulm;5", "007;101;Graz;1,5"]
    path.write_text("\n".join(["id;value;city;rate", *rows, ""]))
    return path


@pytest.mark.parametrize("command", ["predict", "score"])
def test_predict__writes_columns_of_the_data_beside_the_results(run, visitors, model, command):
    args = (command, model, visitors, "--drop-missing")
    own = ["component", "probability", "log_density"] if command == "predict" else ["log_density"]
    for options, kept in (
        ((), []),
        (("--id", "id"), ["id"]),
        (("--keep", "city,value"), ["city", "value"]),
        (("--id", "id", "--keep", "city"), ["id", "city"]),
        (("--keep-all",), ["id", "value", "city", "rate"]),
        (("--id", "city", "--keep-all"), ["city", "id", "value", "rate"]),
    ):
        code, out, err = run(*args, *options)
        assert code == 0 and "1 of 3 rows has missing values" in err
        header, *lines = [
            line.split(",") for line in out.replace('"40,5"', "40;5").split("\n")[:-1]
        ]
        assert header == ["row", *kept, *own]
        cells = {"id": ["u7", "007"], "value": ["40;5", "101"], "city": ["Bern", "Graz"]}
        for j, name in enumerate(kept, 1):
            if name in cells:
                assert [line[j] for line in lines] == cells[name]
        assert [line[0] for line in lines] == ["1", "3"]
        density = load_unnamed(model).score_samples([[40.5, 4.5], [101, 1.5]])
        np.testing.assert_array_equal([float(line[-1]) for line in lines], density)


def test_predict__keeps_columns_of_examples_and_of_their_names(run, model, tmp_path):
    names = "average_order_value,orders_per_month"
    args = ("predict", model, "--example", "customers", "--columns", names)
    code, out, _ = run(*args, "--keep", "orders_per_month")
    assert code == 0
    np.testing.assert_array_equal(columns_of(out)["orders_per_month"], load_customers().data[:, 1])
    path = tmp_path / "x.csv"
    path.write_text("row,component,rate,value\na,b,1,2\n")
    out = run("predict", model, path, "--keep-all")[1]
    first = "row,row_,component,rate,value,component_,probability,log_density"
    assert out.splitlines()[0] == first


def test_predict__text_does_not_go_into_npy(run, visitors, model, tmp_path):
    args = ("predict", model, visitors, "--drop-missing", "--keep", "city", "--out")
    code, out, err = run(*args, tmp_path / "x.npy")
    assert (code, out) == (2, "")
    assert "holds numbers; got a column of text. Write .csv" in err.splitlines()[-1]
    assert not (tmp_path / "x.npy").exists()
    assert run(*args, tmp_path / "x.parquet")[0] == 0
    table = read_table(tmp_path / "x.parquet")
    assert "('city') is left out" in table.notes[0] and table.values[:, 0].tolist() == [1, 3]


@pytest.mark.parametrize("form", ["csv", "tsv", "npy", "parquet"])
def test_streams__standard_input_and_output(customers, model, tmp_path, form):
    """In a process of its own, whose streams hold bytes."""
    table = read_table(customers, ["value", "rate"])
    columns = dict(zip(table.names, table.values.T, strict=True))
    write_table(tmp_path / f"in.{form}", [columns])
    done = subprocess.run(
        [sys.executable, "-m", "gmmfast", "predict", model, "-", "--format", form, "--to", form],
        input=(tmp_path / f"in.{form}").read_bytes(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    (tmp_path / f"out.{form}").write_bytes(done.stdout)
    found = read_table(tmp_path / f"out.{form}").values
    np.testing.assert_array_equal(found[:, 1], load_unnamed(model).predict(table.values))


def test_streams__messages_name_standard_input(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gmmfast", "fit", "-", "-k", "1"],
        input=b"a;b\n1,5;2\n3;x\n4;5\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == b""
    text = done.stderr.decode()
    assert "standard input, line 3, column 'b': every cell must be a number; got 'x'" in text
    assert "input.csv" not in text


def test_fit__of_several_files(run, tmp_path):
    X = load_sensors().data
    for i, part in enumerate(np.array_split(X, 3)):
        write_table(tmp_path / f"{i}.csv", [{"a": part[:, 0], "b": part[:, 1]}])
    paths = [tmp_path / f"{i}.csv" for i in range(3)]
    whole = GaussianMixture(2, random_state=0, acceleration="auto").fit(X)
    for way in (paths, [tmp_path / "*.csv"], [tmp_path]):
        code, out, err = run("fit", *way, "-k", 2, "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
        np.testing.assert_array_equal(found["weights"], np.sort(whole.weights_)[::-1])
    assert found["n_rows"] == len(X)


@pytest.mark.parametrize("pattern", ["*.csv", "?.csv", "[12].csv"])
def test_predict__overwrites_no_file_of_a_pattern(fails, model, tmp_path, pattern):
    for name in ("1.csv", "2.csv"):
        (tmp_path / name).write_text("value,rate\n1,2\n3,4\n")
    text = fails("predict", model, tmp_path / pattern, "--out", tmp_path / "2.csv")
    assert "must be two files" in text
    assert (tmp_path / "2.csv").read_text() == "value,rate\n1,2\n3,4\n"


def test_fit__leaves_out_columns(run, fails, visitors):
    args = ("fit", visitors, "-k", 1, "--drop-missing", "--json")
    assert json.loads(run(*args, "--id", "id")[1])["columns"] == ["value", "rate"]
    assert json.loads(run(*args, "--exclude", "rate,id")[1])["columns"] == ["value"]
    assert json.loads(run(*args, "--id", "id,value")[1])["columns"] == ["rate"]
    assert "column 'id': every cell must be a number; got 'u7'" in fails("fit", visitors, "-k", 1)
    code, _, err = run("fit", visitors, "-k", 1, "--id", "id")
    text = err.splitlines()[-1]
    assert code == 2
    assert "1 of 3 rows has missing values (value: 1), first in line 3." in text
    assert "--id needs a data file" in fails("fit", "--example", "sensors", "-k", 1, "--id", "x")
    text = fails("fit", "--example", "sensors", "-k", 1, "--decimal", ",")
    assert "--decimal needs a data file" in text
