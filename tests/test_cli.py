"""The command line, in process, but for what only a process can show."""

import json
import signal
import subprocess
import sys
import time
import types
import warnings

import numpy as np
import pytest
from data import columns_of, load_unnamed

from gmmfast import GaussianMixture, Prior, load
from gmmfast.datasets import load_customers, load_sensors
from gmmfast.kernels.caching import on_first_miss, report_miss
from gmmfast.tables import read_table, write_table

COVARIANCES = ("full", "tied", "diag", "spherical")


# fit


def test_fit__example_prints_two_segments(run):
    code, out, _ = run("fit", "--example", "customers", "-k", 2)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "customers: 350 rows, 2 columns; 2 components, full covariance"
    assert lines[2].split() == ["component", "weight", "average_order_value", "orders_per_month"]
    first, second = (np.array(line.split(), dtype=float) for line in lines[3:5])
    np.testing.assert_allclose(first, [0, 0.657, 39.8, 4.6], rtol=0.02)
    np.testing.assert_allclose(second, [1, 0.343, 98.4, 1.51], rtol=0.02)
    for heading in ("log-likelihood", "BIC", "AIC", "iterations", "stopped"):
        assert sum(line.startswith(heading) for line in lines) == 1


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_fit__json_agrees_with_the_library(run, covariance):
    code, out, _ = run(
        "fit", "--example", "sensors", "-k", 3, "--covariance", covariance, "--seed", 3, "--json"
    )
    assert code == 0
    found = json.loads(out)
    data = load_sensors().data
    fitted = GaussianMixture(
        3, covariance_type=covariance, random_state=3, acceleration="auto"
    ).fit(data)
    order = np.argsort(-fitted.weights_)
    assert found["weights"] == sorted(found["weights"], reverse=True)
    np.testing.assert_allclose(found["weights"], fitted.weights_[order])
    np.testing.assert_allclose(found["means"], fitted.means_[order])
    expected = fitted.covariances_ if covariance == "tied" else fitted.covariances_[order]
    np.testing.assert_allclose(found["covariances"], expected)
    np.testing.assert_allclose(found["log_likelihood_per_row"], fitted.score(data))
    np.testing.assert_allclose(found["log_likelihood"], fitted.score(data) * len(data))
    np.testing.assert_allclose([found["bic"], found["aic"]], [fitted.bic(data), fitted.aic(data)])
    assert (found["n_iter"], found["converged"]) == (fitted.n_iter_, fitted.converged_)
    assert found["stop_reason"] == fitted.stop_reason_
    assert found["columns"] == ["temperature", "pressure"]


def test_fit__passes_every_option_on(run, monkeypatch):
    seen = {}

    class Recorder(GaussianMixture):
        def fit(self, X, y=None, sample_weight=None, **kwargs):
            seen.update(self.get_params(), **kwargs)
            return super().fit(X, y, sample_weight, **kwargs)

    monkeypatch.setattr("gmmfast.cli.fitting.GaussianMixture", Recorder)
    options = "--covariance diag --tol 1e-5 --max-iter 50 --n-init 2 --init random_from_data"
    options += " --reg-covar 1e-4 --covariance-ratio 100 --trim 0.1 --seed 5 --prior mclust"
    options += " --prior-shrinkage 0.1 --prior-dof 9 --prior-scale 2 --prior-concentration 3"
    assert run("fit", "--example", "customers", "-k", 2, *options.split())[0] == 0
    expected = dict(
        n_components=2,
        covariance_type="diag",
        tol=1e-5,
        max_iter=50,
        n_init=2,
        init_params="random_from_data",
        reg_covar=1e-4,
        covariance_ratio=100,
        trim=0.1,
        random_state=5,
        acceleration="auto",
        prior=Prior(None, 0.1, 9, 2, 3),
        progress=False,  # standard error is not a terminal here
    )
    assert expected.items() <= seen.items()


@pytest.mark.plain
def test_fit__columns_and_weights_of_a_file(run, customers):
    args = ("fit", customers, "-k", 2, "--columns", "rate,value", "--weight-column", "w", "--json")
    code, out, _ = run(*args)
    assert code == 0
    found = json.loads(out)
    table = read_table(customers, columns=["rate", "value"], weight_column="w")
    fitted = GaussianMixture(2, random_state=0, acceleration="auto")
    fitted.fit(table.values, sample_weight=table.weights)
    order = np.argsort(-fitted.weights_)
    assert found["columns"] == ["rate", "value"]
    assert (found["n_rows"], found["total_weight"]) == (350, table.weights.sum())
    np.testing.assert_allclose(found["means"], fitted.means_[order])
    np.testing.assert_allclose(found["bic"], fitted.bic(table.values, sample_weight=table.weights))


GROUPS = np.array(["north", "south", "east"])


@pytest.fixture
def grouped():
    """Rows of three clusters, their groups, and weights."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, 90)
    return rng.normal(size=(90, 2)) + 5 * groups[:, None], groups, rng.integers(1, 4, 90)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        *((name, GROUPS) for name in ("x.csv", "x.tsv", "x.parquet")),
        *((name, np.array([10, 9, -1])) for name in ("x.csv", "x.parquet", "x.npy")),
        ("x.csv", np.array([0.5, 2.5, 1.5])),
    ],
)
def test_fit__starts_from_a_column_of_labels(run, tmp_path, grouped, name, names):
    X, groups, weights = grouped
    columns = {"x1": X[:, 0], "x2": names[groups], "x3": X[:, 1], "x4": weights}
    write_table(tmp_path / name, [columns])
    options = ("--weight-column", "x4", "--max-iter", 0, "--json", "--n-init", 3)
    for more in ((), ("-k", 3)):
        code, out, _ = run("fit", tmp_path / name, "--init-labels", "x2", *options, *more)
        assert code == 0
        found = json.loads(out)
        assert found["columns"] == ["x1", "x3"]
        share = np.bincount(groups, weights) / weights.sum()
        order = np.argsort(-share)
        means = [np.average(X[groups == k], axis=0, weights=weights[groups == k]) for k in order]
        np.testing.assert_allclose(found["weights"], share[order], rtol=1e-12)
        np.testing.assert_allclose(found["means"], means, rtol=1e-10)
        assert found["init_labels"] == [str(names[k]) for k in order]
    _, out, _ = run("fit", tmp_path / name, "--init-labels", "x2", *options[:4])
    began = ", ".join(f"{i} from {names[k]}" for i, k in enumerate(order))
    assert f"\nstarted         {began}\n" in out


def test_fit__labels_of_all_rows_with_other_options(run, tmp_path, grouped):
    X, groups, _ = grouped
    path, point = tmp_path / "x.csv", tmp_path / "fit.npz"
    write_table(path, [{"g": GROUPS[groups], "a": X[:, 0], "text": GROUPS[groups], "b": X[:, 1]}])
    args = ("fit", path, "--init-labels", "g", "--columns", "b,a", "--standardize", "--json")
    code, out, _ = run(*args)
    whole = json.loads(out)
    assert (code, whole["columns"]) == (0, ["b", "a"])
    for more in (("--max-iter", 1), ("--resume",)):
        code, out, _ = run(*args, "--checkpoint", point, *more)
        assert code == 0
    np.testing.assert_allclose(json.loads(out)["means"], whole["means"], rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-k", 2], ["-k 2, but column 'g' has 3 different labels (east, north, south)", "out -k"]),
        (["--columns", "g,a"], ["A column can be used once; 'g' is asked for 2 times"]),
        (["--init", "random"], ["not allowed with argument"]),
        (["--weight-column", "h"], ["no column 'h'"]),
    ],
)
def test_fit__labels_that_it_cannot_use(fails, tmp_path, grouped, arguments, parts):
    X, groups, _ = grouped
    write_table(tmp_path / "x.csv", [{"g": GROUPS[groups], "a": X[:, 0]}])
    text = fails("fit", tmp_path / "x.csv", "--init-labels", "g", *arguments)
    assert all(part in text for part in parts)


@pytest.mark.parametrize("cell", ["", "NA", " ", "nan"])
def test_fit__a_missing_label(fails, tmp_path, cell):
    path = tmp_path / "x.csv"
    path.write_text(f"g,a\nx,1\ny,2\n{cell},3\nx,5\n")
    text = fails("fit", path, "--init-labels", "g")
    assert "row 3, column 'g': every row needs a label" in text and "Label the row or drop" in text


def test_fit__labels_need_a_file_in_memory(fails, tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("g,a\nx,1\ny,2\n")
    assert "needs a data file" in fails("fit", "--example", "sensors", "--init-labels", "g")
    assert "or --init-labels" in fails("fit", path)
    monkeypatch.setattr("gmmfast.data.free_memory.is_large", lambda n_bytes: True)
    assert "read in pieces" in fails("fit", path, "--init-labels", "g")


@pytest.mark.plain
def test_fit__columns_of_an_example(run):
    args = ("fit", "--example", "sensors", "-k", 2, "--json", "--columns", "pressure")
    assert json.loads(run(*args)[1])["columns"] == ["pressure"]


def test_fit__saves_the_model_with_names_and_in_order(run, customers, tmp_path):
    out = tmp_path / "m.npz"
    args = ("fit", customers, "-k", 2, "--columns", "value,rate", "--out", out, "--json")
    code, text, _ = run(*args)
    assert code == 0
    found, saved = json.loads(text), load(out)
    np.testing.assert_array_equal(saved.weights_, found["weights"])
    np.testing.assert_array_equal(saved.means_, found["means"])
    np.testing.assert_allclose(saved.covariances_, found["covariances"], rtol=1e-12)
    assert list(saved.feature_names_in_) == ["value", "rate"]
    assert (saved.converged_, saved.n_iter_) == (found["converged"], found["n_iter"])
    assert saved.stop_reason_ == found["stop_reason"]


def test_fit__of_an_array_has_no_names(run, tmp_path):
    np.save(tmp_path / "x.npy", load_sensors().data[:200].astype(np.float32))
    args = ("fit", tmp_path / "x.npy", "-k", 2, "--out", tmp_path / "m.npz")
    code, out, _ = run(*args)
    assert code == 0
    assert "x1" in out and "x2" in out
    assert not hasattr(load(tmp_path / "m.npz"), "feature_names_in_")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_fit__standardize_gives_results_in_the_units_of_the_data(
    run, customers, tmp_path, covariance, weighted
):
    args = ["fit", customers, "-k", 2, "--columns", "value,rate", "--covariance", covariance]
    args += ["--standardize", "--json", "--reg-covar", 0, "--out", tmp_path / "m.npz"]
    if weighted:
        args += ["--weight-column", "w"]
    code, out, _ = run(*args)
    assert code == 0
    found, saved = json.loads(out), load_unnamed(tmp_path / "m.npz")
    table = read_table(customers, ["value", "rate"], "w" if weighted else None)
    X, w = table.values, table.weights
    mass = np.ones(len(X)) if w is None else w
    center = np.average(X, axis=0, weights=mass)
    scale = np.sqrt(np.average((X - center) ** 2, axis=0, weights=mass))
    fitted = GaussianMixture(
        2, covariance_type=covariance, reg_covar=0, random_state=0, acceleration="auto"
    )
    fitted.fit((X - center) / scale, sample_weight=w)
    order = np.argsort(-fitted.weights_)
    np.testing.assert_allclose(found["means"], fitted.means_[order] * scale + center)
    np.testing.assert_array_equal(saved.means_, found["means"])
    # The saved mixture has the printed log-likelihood on the data as they are: the Jacobian is in.
    total = float(saved.score(X, sample_weight=w)) * mass.sum()
    np.testing.assert_allclose(found["log_likelihood"], total, rtol=1e-9)
    bounds = np.array(fitted.lower_bounds_) - np.log(scale).sum()
    np.testing.assert_allclose(saved.lower_bounds_, bounds)
    np.testing.assert_allclose(saved.lower_bound_, bounds[-1])
    # BIC counts the parameters of the model that was fitted.
    penalty = fitted.bic((X - center) / scale, sample_weight=w)
    penalty += 2 * mass.sum() * fitted.score((X - center) / scale, sample_weight=w)
    np.testing.assert_allclose(found["bic"], penalty - 2 * total, rtol=1e-9)
    assert found["standardized"] is True
    assert found["covariance_type"] == covariance
    assert found["covariance_structure"] == ("diag" if covariance == "spherical" else covariance)


def test_fit__standardize_refuses_columns_and_weights_it_cannot_scale(fails, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b,w\n1,0.1,0\n2,0.1,0\n3,0.1,0\n")
    text = fails("fit", path, "-k", 1, "--standardize", "--columns", "a,b")
    assert "column 'b'" in text and "vary" in text
    args = ("fit", path, "-k", 1, "--standardize", "--columns", "a", "--weight-column", "w")
    assert "not all zero" in fails(*args)


def test_main__says_once_that_it_compiles(run, monkeypatch):
    """Also in a later run, that needs other kernels than the first."""

    def compile_two(*args):
        report_miss()
        report_miss()

    monkeypatch.setattr("gmmfast.cli.data.on_first_miss", on_first_miss)
    monkeypatch.setattr("gmmfast.cli.fitting.require_rows", compile_two)
    args = ("fit", "--example", "customers", "-k", 2)
    assert run(*args)[2].count("note: compiling code that is not in the cache") == 1
    assert run(*args, "--quiet")[2] == ""


def test_fit__warnings_are_notes(run):
    args = ("fit", "--example", "sensors", "-k", 3, "--max-iter", 1, "--tol", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code, out, err = run(*args)
    assert code == 0
    notes = [line for line in err.splitlines() if "converge" in line]
    assert len(notes) == 1 and notes[0].startswith("gmmfast: note: ")
    assert "ConvergenceWarning" not in err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["-k", "2"], "Name a data file or an --example"),
        (["x.csv", "--example", "sensors", "-k", "2"], "got both"),
        (["--example", "customers"], "-k/--components"),
        (["--example", "customers", "-k", "two"], "must be a whole number; got"),
        (["--example", "customers", "-k", "0"], "-k must be an int"),
        (["--example", "customers", "-k", "999"], "Lower -k"),
        (["--example", "customers", "-k", "2", "--tol", "-1"], "tol"),
        (["--example", "customers", "-k", "2", "--seed", "-1"], "4294967295"),
        (["--example", "customers", "-k", "2", "--covariance", "round"], "invalid choice"),
        (["--example", "customers", "-k", "2", "--columns", "city"], "no column 'city'"),
        (["--example", "customers", "-k", "2", "--weight-column", "w"], "--weight-column"),
        (["--example", "customers", "-k", "2", "--prior-dof", "9"], "--prior-dof needs --prior"),
        (["--example", "customers", "-k", "2", "--out", "m.csv"], ".npz"),
        (["--example", "customers", "-k", "2", "--out", "none/m.npz"], "folder"),
        (["none.csv", "-k", "2"], "no such file"),
        (["customers.csv", "-k", "2", "--columns", "id,value"], "column 'id'"),
        (["customers.csv", "-k", "2", "--columns", "valeu"], "Did you mean 'value'?"),
        (["customers.csv", "-k", "2", "--columns", ""], "at least one column"),
    ],
)
def test_fit__errors_are_one_line(fails, customers, monkeypatch, arguments, part):
    monkeypatch.chdir(customers.parent)
    assert part in fails("fit", *arguments)


def test_fit__that_fails_overwrites_nothing(fails, tmp_path):
    (tmp_path / "m.npz").write_text("old")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3\n")
    assert "line 3" in fails("fit", tmp_path / "x.csv", "-k", 1, "--out", tmp_path / "m.npz")
    fails("fit", "--example", "customers", "-k", 999, "--out", tmp_path / "m.npz")
    assert (tmp_path / "m.npz").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"m.npz", "x.csv"}


# The first line of a file, and an index of the rows


@pytest.fixture
def clusters():
    """Two clusters of fifty rows, far apart."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 8])


@pytest.mark.parametrize(
    ("header", "index"), [("0,1", False), ("1,2", False), ("2019,2020", False), ("0,1", True)]
)
def test_header__of_numbers_is_read_alike_by_all_commands(
    run, tmp_path, monkeypatch, clusters, header, index
):
    monkeypatch.chdir(tmp_path)
    np.savetxt("bare.csv", clusters, "%.17g", ",")
    columns = np.column_stack([np.arange(100), clusters]) if index else clusters
    kinds = ["%d", "%.17g", "%.17g"] if index else ["%.17g", "%.17g"]
    first = "," * index + header
    np.savetxt("x.csv", columns, kinds, ",", header=first, comments="")
    code, out, err = run("fit", "x.csv", "-k", 2, "--out", "m.npz", "--json")
    found = json.loads(out)
    assert (code, found["n_rows"], found["columns"]) == (0, 100, header.split(","))
    notes = err.splitlines()
    assert notes[0] == (
        f"gmmfast: note: x.csv: the first line ({first}) is read as the names of the columns. "
        "If it is a row, use --no-header."
    )
    assert len(notes) == 1 + index
    assert not index or "the index of the rows ('index') is left out" in notes[1]
    assert run("select", "x.csv", "-k", "1:2", "--covariance", "EII")[1].split()[6] == "2"
    assert list(load("m.npz").feature_names_in_) == header.split(",")
    code, labels, err = run("predict", "m.npz", "x.csv")
    assert (code, len(labels.splitlines())) == (0, 101)
    assert "is read as the names of the columns" in err
    code, bare, err = run("predict", "m.npz", "bare.csv")  # by position
    assert (code, bare) == (0, labels)
    assert "is read as a row of numbers. If it holds the names" in err
    assert len(run("score", "m.npz", "x.csv")[1].splitlines()) == 101


def test_header__names_of_the_model_decide(run, tmp_path, monkeypatch, clusters):
    """A line that would be a row of its own."""
    monkeypatch.chdir(tmp_path)
    np.savetxt("x.csv", clusters, "%.17g", ",", header="2019,2020", comments="")
    assert run("fit", "x.csv", "-k", 2, "--out", "m.npz")[0] == 0
    (tmp_path / "new.csv").write_text("2020,2019\n2018,2017\n2000,2001\n")
    assert len(run("predict", "m.npz", "new.csv")[1].splitlines()) == 3
    assert len(run("predict", "m.npz", "new.csv", "--no-header")[1].splitlines()) == 4


def test_header__options(run, fails, tmp_path, monkeypatch, clusters):
    monkeypatch.chdir(tmp_path)
    np.savetxt("x.csv", clusters, "%.17g", ",", header="0,1", comments="")
    np.savetxt("y.csv", clusters, "%.17g", ",", header="0.5,7", comments="")
    np.save("x.npy", clusters)
    fit = ("fit", "x.csv", "-k", 1, "--json", "--out", "m.npz")
    code, out, err = run(*fit, "--no-header")
    assert (code, json.loads(out)["n_rows"], err) == (0, 101, "")
    for command in (("predict", "m.npz"), ("score", "m.npz")):
        assert len(run(*command, "x.csv", "--no-header")[1].splitlines()) == 102
        assert len(run(*command, "y.csv", "--header")[1].splitlines()) == 101
    code, out, err = run("select", "y.csv", "--header", "-k", 1, "--covariance", "VVV", "--json")
    assert (code, json.loads(out)["best"]["n_rows"], err) == (0, 100, "")
    assert "are for text files" in fails("fit", "x.npy", "-k", 1, "--header")
    text = fails("fit", "--example", "customers", "-k", 1, "--no-header")
    assert "--header and --no-header need a data file" in text


# predict and score


def test_predict__prints_components_and_probabilities(run, customers, model):
    code, out, err = run("predict", model, customers, "--probabilities")
    assert (code, err) == (0, "")
    names = "row,component,probability,log_density,probability_0,probability_1"
    assert out.splitlines()[0] == names
    found = columns_of(out)
    X = read_table(customers, columns=["value", "rate"]).values
    mixture = load_unnamed(model)
    np.testing.assert_array_equal(found["component"], mixture.predict(X))
    np.testing.assert_array_equal(found["log_density"], mixture.score_samples(X))
    expected = mixture.predict_proba(X)
    np.testing.assert_array_equal(found["probability"], expected.max(axis=1))
    np.testing.assert_array_equal(found["probability_0"], expected[:, 0])
    np.testing.assert_array_equal(found["probability_1"], expected[:, 1])


@pytest.mark.plain
def test_predict__clusters_are_of_the_model_whatever_the_data(run, fails, customers, model):
    """One cluster holds all rows; as many clusters as components are the components."""
    whole = columns_of(run("predict", model, customers, "--clusters", 1, "--probabilities")[1])
    assert {*whole["cluster"]} == {0} and (whole["probability_0"] == whole["probability"]).all()
    assert "component" not in whole.dtype.names
    np.testing.assert_allclose(whole["probability"], 1, rtol=1e-14)
    same = columns_of(run("predict", model, customers, "--clusters", 2)[1])
    plain = columns_of(run("predict", model, customers)[1])
    np.testing.assert_array_equal(same["cluster"], plain["component"])
    error = fails("predict", model, customers, "--clusters", 3)
    assert "--clusters must be an int in the range [1, 2]. Got 3 instead." in error


def test_predict__picks_columns_by_name_in_any_order(run, customers, model, tmp_path):
    table = read_table(customers, columns=["rate", "w", "value"])
    other = tmp_path / "other.csv"
    columns = dict(zip(table.names, table.values.T, strict=True))
    write_table(other, [columns])
    assert run("predict", model, other) == run("predict", model, customers)
    reordered = ["--columns", "rate,value"]
    assert run("predict", model, other, *reordered) == run("predict", model, customers)


def test_predict__by_position_where_the_file_has_no_names(run, customers, model, tmp_path):
    table = read_table(customers, columns=["value", "rate"])
    np.save(tmp_path / "x.npy", table.values)
    assert run("predict", model, tmp_path / "x.npy") == run("predict", model, customers)


def test_predict__columns_override_the_names_of_the_model(run, model):
    names = "average_order_value,orders_per_month"
    code, out, _ = run("predict", model, "--example", "customers", "--columns", names)
    assert code == 0
    expected = load_unnamed(model).predict(load_customers().data)
    np.testing.assert_array_equal(columns_of(out)["component"], expected)


@pytest.mark.parametrize("name", ["labels.csv", "labels.npy"])
def test_predict__writes_a_file(run, customers, model, tmp_path, name):
    code, out, err = run("predict", model, customers, "--out", tmp_path / name)
    assert (code, out, err) == (0, "", "")
    X = read_table(customers, columns=["value", "rate"]).values
    mixture = load_unnamed(model)
    resp = mixture.predict_proba(X)
    expected = [np.arange(1, 351), mixture.predict(X), resp.max(axis=1), mixture.score_samples(X)]
    np.testing.assert_array_equal(read_table(tmp_path / name).values, np.column_stack(expected))


def test_predict__errors_are_one_line(fails, customers, model, tmp_path):
    text = fails("predict", model, "--example", "customers")
    assert "needs the columns value, rate; missing: value, rate" in text
    (tmp_path / "half.csv").write_text("value,other\n1,2\n")
    assert "missing: rate." in fails("predict", model, tmp_path / "half.csv")
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    assert "2 columns; got 3" in fails("predict", model, tmp_path / "x.npy")
    assert "2 columns; got 1" in fails("predict", model, customers, "--columns", "rate")
    assert "none.npz" in fails("predict", tmp_path / "none.npz", customers)
    assert "customers.csv" in fails("predict", customers, customers)
    whole = model.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    assert "cut.npz" in fails("predict", tmp_path / "cut.npz", customers)
    assert ".parquet" in fails("predict", model, customers, "--out", tmp_path / "x.feather")
    assert "neither" in fails("predict", model)


def test_score__prints_row_numbers_and_log_densities(run, customers, model):
    code, out, err = run("score", model, customers)
    assert (code, err) == (0, "")
    found = columns_of(out)
    assert found.dtype.names == ("row", "log_density")
    X = read_table(customers, columns=["value", "rate"]).values
    np.testing.assert_array_equal(found["row"], np.arange(1, 351))
    np.testing.assert_array_equal(found["log_density"], load_unnamed(model).score_samples(X))


@pytest.mark.plain
def test_score__finds_the_planted_anomalies_and_flags_no_clean_rows(run, tmp_path):
    path = tmp_path / "m.npz"
    assert run("fit", "--example", "sensors", "-k", 3, "--out", path)[0] == 0
    args = ("score", path, "--example", "sensors", "--outliers", "0.01")
    for more in ((), ("--relative",)):
        code, out, err = run(*args, *more)
        assert code == 0
        assert err.startswith("gmmfast: note: 20 of 2000 rows have a log density below -")
        np.testing.assert_array_equal(columns_of(out)["outlier"] == 1, load_sensors().anomaly)
    write_table(
        tmp_path / "c.csv", [{"temperature": np.full(9, 63.0), "pressure": np.full(9, 5.6)}]
    )
    args = ("score", path, tmp_path / "c.csv", "--outliers", 0.01)
    assert columns_of(run(*args)[1])["outlier"].sum() == 0
    assert columns_of(run(*args, "--relative")[1])["outlier"].sum() > 0


@pytest.mark.parametrize("more", [(), ("--standardize",), ("--standardize", "--weight-column=w")])
def test_score__cut_of_the_model_is_in_the_units_of_the_data(run, customers, tmp_path, more):
    path = tmp_path / "m.npz"
    assert run("fit", customers, "-k", 2, "--columns=value,rate", "--out", path, *more)[0] == 0
    found = columns_of(run("score", path, customers, "--outliers", 0.1)[1])
    weights = 1.0 + np.arange(350) % 3 if len(more) == 2 else np.ones(350)
    share = weights[found["outlier"] == 1].sum() / weights.sum()
    assert share == pytest.approx(0.1, abs=3 / weights.sum())
    cut = load(path).log_density_quantile(0.1)
    np.testing.assert_array_equal(found["outlier"] == 1, found["log_density"] < cut)


def test_score__threshold(run, customers, model):
    code, out, err = run("score", model, customers, "--threshold", "-8.5")
    found = columns_of(out)
    assert code == 0
    assert 0 < found["outlier"].sum() < 350
    np.testing.assert_array_equal(found["outlier"] == 1, found["log_density"] < -8.5)
    assert err.endswith("rows have a log density below -8.5\n")


def test_score__flags_at_least_one_row(run, customers, model):
    out = run("score", model, customers, "--outliers", "0.0001", "--relative")[1]
    assert columns_of(out)["outlier"].sum() == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--outliers", 0.01], "Fit again with gmmfast fit --out, or use --threshold or"),
        (["--outliers", 0.01, "--threshold", -3], "two cuts"),
        (["--relative"], "goes with --outliers"),
        (["--threshold", "nan"], "must be a number; got 'nan'"),
    ],
)
def test_score__cuts_that_it_cannot_use(fails, customers, model, arguments, part):
    assert part in fails("score", model, customers, *arguments)


@pytest.mark.parametrize("fraction", ["0", "1", "-0.1", "x"])
def test_score__refuses_other_fractions(fails, customers, model, fraction):
    assert "--outliers" in fails("score", model, customers, f"--outliers={fraction}")


# sample, info, warmup


def test_sample__draws_the_same_rows_for_the_same_seed(run, model):
    code, out, _ = run("sample", model, "-n", 5)
    assert code == 0
    assert out.splitlines()[0] == "value,rate"
    assert len(out.splitlines()) == 6
    assert run("sample", model, "-n", 5, "--seed", 0)[1] == out
    assert run("sample", model, "-n", 5, "--seed", 1)[1] != out


def test_sample__follows_the_mixture(run, model, tmp_path):
    args = ("sample", model, "-n", 20_000, "--labels", "--out", tmp_path / "s.csv")
    assert run(*args) == (0, "", "")
    table = read_table(tmp_path / "s.csv")
    assert table.names == ["value", "rate", "component"]
    first = table.values[table.values[:, 2] == 0]
    assert abs(len(first) / 20_000 - 0.75) < 0.02
    np.testing.assert_allclose(first[:, :2].mean(axis=0), [40, 4.6], rtol=0.02)


def test_sample__names_of_a_model_without_names(run, tmp_path):
    path = tmp_path / "m.npz"
    GaussianMixture.from_parameters(np.ones(1), np.zeros((1, 2)), np.eye(2)[None]).save(path)
    assert run("sample", path)[1].splitlines()[0] == "x1,x2"


def test_sample__label_column_does_not_hide_a_feature(run, tmp_path):
    path = tmp_path / "m.npz"
    GaussianMixture.from_parameters(
        np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)), feature_names=["component"]
    ).save(path)
    assert run("sample", path, "--labels")[1].splitlines()[0] == "component,component_"


def test_sample__refuses_no_rows(fails, model):
    assert "at least 1" in fails("sample", model, "-n", 0)


def test_info__tells_versions_and_machine(run):
    code, out, _ = run("info")
    assert code == 0
    facts = dict(line.split("  ", 1) for line in out.splitlines())
    assert facts["numpy"].strip() == np.__version__
    assert {"gmmfast", "Python", "numpy", "numba", "llvmlite"} < set(facts)


# The process


def test_main__version_and_help(run):
    code, out, _ = run("--version")
    assert code == 0 and out.startswith("gmmfast ") and out.split()[1][0].isdigit()
    code, out, _ = run("--help")
    assert code == 0
    for command in ("fit", "predict", "score", "sample", "info", "warmup"):
        assert command in out
        assert run(command, "--help")[0] == 0


def test_main__refuses_other_commands(fails):
    assert "'guess'" in fails("guess")
    assert "--frobnicate" in fails("info", "--frobnicate")


def test_main__interrupt_is_one_line(run, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gmmfast.cli.data.choose_columns", interrupt)
    assert run("fit", "x.csv", "-k", 2) == (130, "", "gmmfast: interrupted\n")


def test_main__interrupt_in_a_callback_of_the_compiler_is_not_lost(run, monkeypatch):
    def drop_an_interrupt(*args, **kwargs):
        sys.unraisablehook(types.SimpleNamespace(exc_type=KeyboardInterrupt))
        for _ in range(500):
            time.sleep(0.01)

    hook = sys.unraisablehook
    monkeypatch.setattr("gmmfast.cli.data.choose_columns", drop_an_interrupt)
    # a job in the background of a shell ignores interrupts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run("fit", "x.csv", "-k", 2) == (130, "", "gmmfast: interrupted\n")
    finally:
        signal.signal(signal.SIGINT, before)
    assert sys.unraisablehook is hook


def test_main__other_dropped_errors_stay_visible(run, monkeypatch):
    seen = []

    def drop_an_error(*args, **kwargs):
        sys.unraisablehook(types.SimpleNamespace(exc_type=ZeroDivisionError))
        raise ValueError("the end")

    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    monkeypatch.setattr("gmmfast.cli.data.choose_columns", drop_an_error)
    assert run("fit", "x.csv", "-k", 2)[0] == 2
    assert [dropped.exc_type for dropped in seen] == [ZeroDivisionError]


def test_main__errors_without_text_have_their_name(fails, monkeypatch):
    def exhaust(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("gmmfast.cli.data.choose_columns", exhaust)
    assert "MemoryError" in fails("fit", "x.csv", "-k", 2)


def test_main__closed_output_is_silent(model):
    command = [sys.executable, "-m", "gmmfast", "sample", str(model), "-n", "200000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"value,rate\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.plain
def test_main__as_a_module():
    command = [sys.executable, "-m", "gmmfast", "fit", "--example", "customers", "-k", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("customers: 350 rows, 2 columns; 2 components")
    done = subprocess.run([*command, "--init", "guess"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("gmmfast: error: ") and done.stderr.count("\n") == 1
