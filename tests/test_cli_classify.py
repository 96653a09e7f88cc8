"""``gmmfast classify``: classes of a file, learned and predicted."""

import json

import numpy as np
import pandas
import pytest

from gmmfast import GaussianMixtureClassifier, GaussianMixtureIC
from gmmfast.data.classes import stratified_folds
from gmmfast.tables import write_table


def rows_of(n, seed):
    rng = np.random.default_rng(seed)
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    X = np.concatenate([rng.normal(center, 1.0, size=(n, 2)) for center in centers])
    return X, np.repeat(["ant", "bee", "cow"], n)


X, Y = rows_of(20, 0)
NEW, TRUTH = rows_of(7, 1)
FAST = "-k", 1, "--covariance", "EII"


@pytest.fixture(name="train")
def train_file(tmp_path):
    path = tmp_path / "train.csv"
    write_table(path, [{"a": X[:, 0], "b": X[:, 1], "kind": Y, "id": np.arange(len(X))}])
    return path


def test_classify__prints_accuracy_and_models(run, train):
    code, out, err = run("classify", train, "--target", "kind", "--exclude", "id", *FAST)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == f"{train}: 60 rows, 2 columns; 3 classes of 'kind', mclustda"
    assert lines[2].split() == ["class", "rows", "prior", "components", "covariance"]
    assert lines[3].split() == ["ant", "20", "0.333", "1", "EII"]
    assert lines[7].startswith("accuracy") and lines[7].endswith("in 5 held-out folds")
    assert float(lines[7].split()[1]) > 0.9


def test_classify__json_agrees_with_the_library(run, train):
    options = "--kind", "edda", "--folds", 0, "--exclude", "id", "--json"
    code, out, _ = run("classify", train, "--target", "kind", *options)
    assert code == 0
    found, model = json.loads(out), GaussianMixtureClassifier(kind="edda").fit(X, Y)
    assert found["classes"] == ["ant", "bee", "cow"] and found["accuracy"] is None
    assert found["bic"] == pytest.approx(model.bic_)
    assert found["accuracy_of_fit"] == model.score(X, Y)
    assert found["covariances"] == [m.covariance_type for m in model.mixtures_]


def test_classify__labels_other_rows(run, train, tmp_path):
    test, out = tmp_path / "test.csv", tmp_path / "labels.csv"
    write_table(test, [{"id": np.arange(len(NEW)), "b": NEW[:, 1], "a": NEW[:, 0]}])
    asked = "--target", "kind", "--id", "id", "--test", test, "--out", out
    assert run("classify", train, *asked, *FAST)[0] == 0
    table = pandas.read_csv(out)
    search = GaussianMixtureIC(1, covariance_types=["EII"], prior="mclust", random_state=0)
    model = GaussianMixtureClassifier(search).fit(X, Y)
    names = ["row", "id", "class", *(f"probability_{name}" for name in model.classes_)]
    assert list(table.columns) == names
    np.testing.assert_allclose(table[names[3:]], model.predict_proba(NEW), rtol=1e-9)
    assert table["class"].tolist() == model.predict(NEW).tolist()


def test_classify__numbers_are_classes_and_minus_one_is_unknown(run, tmp_path):
    path, labels = tmp_path / "some.csv", np.repeat([4, 5, 6], 20)
    labels[::3] = -1
    write_table(path, [{"a": X[:, 0], "b": X[:, 1], "kind": labels}])
    code, out, err = run("classify", path, "--target", "kind", "--kind", "edda")
    assert code == 0 and "20 rows have the label -1" in err
    assert [line.split()[0] for line in out.splitlines()[3:6]] == ["4", "5", "6"]


def test_classify__few_rows_have_no_folds(run, train):
    few = "--folds", 15, "--exclude", "id"
    code, out, err = run("classify", train, "--target", "kind", *few, *FAST)
    assert code == 0 and "held-out" not in out
    assert "no cross-validation: 15 folds need at least 30 rows of each class" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "knid"], "there is no column 'knid'"),
        (["--target", "a", "--exclude", "kind"], "must hold classes, as text or whole numbers"),
        ([], "the following arguments are required: --target"),
        (["--target", "kind", "--test", "x.csv"], "use both or neither"),
        (["--target", "kind", "--folds", 1], "--folds must be at least 2, or 0"),
        (["--target", "kind", "--kind", "edda", "-k", 2], "one component per class; got -k 2"),
        (["--target", "kind", "-k", 99, "--folds", 0], "rows of class 'ant' cannot be fitted"),
        (["--target", "kind", "--covariance", "E"], "one column"),
    ],
)
def test_classify__errors_are_one_line(run, train, options, message):
    code, out, err = run("classify", train, *options)
    assert (code, out) == (2, "") and message in err
    assert err.splitlines()[-1].startswith("gmmfast: error: ")


def test_classify__one_class_or_missing_labels(run, tmp_path):
    path = tmp_path / "one.csv"
    for labels, message in ((["x"] * 60, "at least two classes"), (["", *Y[1:]], "needs a label")):
        write_table(path, [{"a": X[:, 0], "b": X[:, 1], "kind": np.array(labels)}])
        code, _, err = run("classify", path, "--target", "kind")
        assert code == 2 and message in err and err.count("\n") == 1
    code, _, err = run("classify", "--example", "sensors", "--target", "kind")
    assert code == 2 and "--target needs a data file" in err


def test_stratified_folds__spread_each_class_evenly():
    numbers = np.repeat([0, 1, 2], [7, 20, 4])
    folds = stratified_folds(numbers, 4, np.random.default_rng(0))
    for number in range(3):
        counts = np.bincount(folds[numbers == number], minlength=4)
        assert counts.max() - counts.min() <= 1
