"""A model for other programs: dictionaries, JSON, ONNX, scikit-learn, and what info shows."""

import json
import sys

import numpy as np
import pytest
from data import EVERY, mixture

import gmmfast
from gmmfast import GaussianMixture
from gmmfast.files.attributes import FITTED

X = mixture(300, 2, 2, seed=4)[0]


def fitted(covariance_type="full", dtype="f8", **params):
    params = {"covariance_type": covariance_type, "random_state": 0, "max_iter": 500, **params}
    return GaussianMixture(2, **params).fit(X.astype(dtype))


@pytest.fixture(name="made")
def made_of_parameters():
    own = [0.25, 0.75], [[0.0, 1.0], [2.0, 3.0]], [[1.0, 0.5], [2.0, 0.1]]
    return GaussianMixture.from_parameters(*own, covariance_type="diag", feature_names=["a", "b"])


@pytest.fixture
def path(made, tmp_path):
    made.save(tmp_path / "m.npz")
    return tmp_path / "m.npz"


def assert_same(one, other):
    assert one.get_params() == other.get_params()
    for name in FITTED:
        assert hasattr(one, name) == hasattr(other, name)
        if hasattr(one, name):
            left, right = getattr(one, name), getattr(other, name)
            assert type(left) is type(right)
            assert getattr(left, "dtype", None) == getattr(right, "dtype", None)
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("covariance_type", EVERY)
def test_to_dict__comes_back_by_json_with_all_bits(covariance_type):
    model = fitted(covariance_type)
    text = json.dumps(model.to_dict(), allow_nan=False)
    assert_same(gmmfast.from_dict(json.loads(text)), model)


def test_to_dict__of_other_mixtures(made):
    streamed = GaussianMixture(2, random_state=0).partial_fit(X).partial_fit(X[:50])
    for model in (made, fitted(dtype="f4"), streamed):
        text = json.dumps(model.to_dict(), allow_nan=False)
        other = gmmfast.from_dict(json.loads(text))
        assert_same(other, model)
    going_on = other.partial_fit(X[50:90]).means_
    np.testing.assert_array_equal(going_on, streamed.partial_fit(X[50:90]).means_)


def test_from_dict__takes_whole_numbers_for_floats(made):
    """As JavaScript writes them."""
    document = json.loads(json.dumps(made.to_dict()).replace(".0,", ",").replace(".0]", "]"))
    assert_same(gmmfast.from_dict(document), made)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.pop("arrays"), "'arrays' is missing"),
        (lambda d: d["arrays"].pop("means_"), "'means_' is missing"),
        (lambda d: d.update(version=1), "its format is 1, and this gmmfast reads 2 and 3"),
        (lambda d: d.update(dtype="object"), "its dtype is unknown"),
        (lambda d: d.update(facts=3), "damaged"),
        (lambda d: d["facts"].update(n_samples_seen_="many"), "many"),
        (lambda d: d["arrays"].update(weights_=[1.0]), "weights_ has the shape (1,)"),
        (lambda d: d["arrays"].update(means_=[[1.0], [2.0, 3.0]]), "damaged"),
        (lambda d: d["arrays"].update(covariances_=[[1.0, -1.0]] * 2), "not positive"),
        (lambda d: d["parameters"].update(tol="x"), "'tol'"),
    ],
)
def test_from_dict__refuses_what_is_no_mixture(made, change, reason):
    document = made.to_dict()
    change(document)
    with pytest.raises(ValueError, match="dictionary is not a gmmfast model, or is") as error:
        gmmfast.from_dict(document)
    assert reason in str(error.value)


@pytest.mark.parametrize("value", [None, [], 3, "x", {}])
def test_from_dict__refuses_other_values(value):
    with pytest.raises(ValueError, match="is not a gmmfast model"):
        gmmfast.from_dict(value)


# -------------------------------------------------------------------------------------- export


def test_export__json_to_a_file_and_to_stdout(run, path, made, tmp_path):
    code, out, err = run("export", path)
    assert (code, err) == (0, "")
    assert_same(gmmfast.from_dict(json.loads(out)), made)
    assert run("export", path, "--to", "json", "--out", tmp_path / "m.json") == (0, "", "")
    assert (tmp_path / "m.json").read_text() == out


@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical", "full", "VEV", "EII"])
def test_export__to_scikit_learn(run, tmp_path, covariance_type):
    skops_io = pytest.importorskip("skops.io", reason="needs skops")
    model = fitted(covariance_type)
    model.save(tmp_path / "m.npz")
    out = tmp_path / "m.skops"
    assert run("export", tmp_path / "m.npz", "--to", "sklearn", "--out", out) == (0, "", "")
    other = skops_io.load(out)  # without trusting any type
    expected = "full" if covariance_type.isupper() else covariance_type
    assert other.covariance_type == expected
    np.testing.assert_allclose(other.score_samples(X), model.score_samples(X), rtol=1e-9)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical", "full", "VEV"])
def test_export__to_onnx(run, tmp_path, covariance_type, dtype):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("skl2onnx", reason="needs skl2onnx")
    model = fitted(covariance_type, dtype)
    model.save(tmp_path / "m.npz")
    out = tmp_path / "m.onnx"
    assert run("export", tmp_path / "m.npz", "--to", "onnx", "--out", out) == (0, "", "")
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    names = ["label", "probabilities", "score_samples"]
    label, probabilities, scores = session.run(names, {"X": X})
    np.testing.assert_array_equal(label.ravel(), model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-8)
    np.testing.assert_allclose(scores.ravel(), model.score_samples(X), rtol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--to", "onnx"], "--to onnx needs --out, a .onnx file"),
        (["--to", "sklearn", "--out", "m.pkl"], "--to sklearn writes .skops files"),
        (["--out", "none/m.json"], "the folder must exist"),
        (["--to", "xml"], "invalid choice"),
    ],
)
def test_export__refuses(fails, path, arguments, part):
    assert part in fails("export", path, *arguments)


@pytest.mark.parametrize(("to", "package"), [("onnx", "skl2onnx"), ("sklearn", "skops")])
def test_export__names_the_extra(fails, path, tmp_path, monkeypatch, to, package):
    for name in (package, f"{package}.io"):
        monkeypatch.setitem(sys.modules, name, None)
    suffix = {"onnx": ".onnx", "sklearn": ".skops"}[to]
    text = fails("export", path, "--to", to, "--out", tmp_path / f"x{suffix}")
    assert f"needs {package}; install it with: pip install 'gmmfast[{to}]'" in text
    assert not (tmp_path / f"x{suffix}").exists()


# ---------------------------------------------------------------------------------------- info


def test_info__of_a_model(run, path):
    code, out, err = run("info", path)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["components", "2"]
    assert lines[2].split() == ["columns", "a,", "b"]
    assert "outliers         no cut; use --threshold or --relative" in lines
    assert "component  weight       a       b" in lines
    assert "variances of components" in lines


def test_info__json_of_a_model(run, path, tmp_path):
    found = json.loads(run("info", path, "--json")[1])
    assert (found["n_components"], found["covariance_type"]) == (2, "diag")
    assert found["columns"] == ["a", "b"] and found["log_likelihood_per_row"] is None
    assert found["covariances"] == [[1.0, 0.5], [2.0, 0.1]] and found["outlier_cut"] is None
    model = fitted("VEV", "f4")
    model.save(tmp_path / "f.npz")
    found = json.loads(run("info", tmp_path / "f.npz", "--json")[1])
    assert found["outlier_cut"] == model.log_density_quantile(0.01)
    assert (found["dtype"], found["n_columns"], found["columns"]) == ("float32", 2, None)
    assert "covariance of component 1" in run("info", tmp_path / "f.npz")[1]


def test_info__without_a_model_is_of_the_machine(run):
    lines = run("info")[1].splitlines()
    assert lines[0].split() == ["gmmfast", gmmfast.__version__]
    assert json.loads(run("info", "--json")[1])["gmmfast"] == gmmfast.__version__


def test_info__of_another_file(fails, tmp_path):
    (tmp_path / "x.npz").write_bytes(b"x")
    assert "is not a gmmfast model" in fails("info", tmp_path / "x.npz")
