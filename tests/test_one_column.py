"""mclust's models of one column: E is EII, V is VII, to the last bit; of more columns an error."""

import json
import pickle

import dask.array as da
import numpy as np
import pytest
from data import refusal
from matplotlib.figure import Figure

import gmmfast
from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.data.constraints import COVARIANCE_TYPES, ONE_COLUMN
from gmmfast.files import checkpoint
from gmmfast.models import MODELS
from gmmfast.plotting import plot_criterion, plot_mixture

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(0, 1, (80, 1)), RNG.normal(9, 3, (40, 1))])
PAIRS = np.c_[X, RNG.normal(size=len(X))]
LABELS = np.repeat([0, 1], [80, 40])
FITTED = "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"
CODES = [*ONE_COLUMN]


def fitted(code, rows=X, **params):
    params = {"random_state": 0, "reg_covar": 0, "tol": 1e-6} | params
    return GaussianMixture(2, covariance_type=code, **params).fit(rows)


def assert_same(one, other):
    for name in FITTED:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def in_batches(code):
    return GaussianMixture(2, covariance_type=code, random_state=0).partial_fit(X).partial_fit(X)


WAYS = {
    "rows": fitted,
    "float32": lambda code: fitted(code, X.astype(np.float32)),
    "accelerated": lambda code: fitted(code, acceleration="auto"),
    "chunks": lambda code: fitted(code, chunks(X, chunk_rows=50)),
    "dask": lambda code: fitted(code, da.from_array(X, chunks=(50, 1))),
    "batches": in_batches,
    "precisions": lambda code: fitted(code, precisions_init=[[[1.0]], [[0.1]]]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("code", "same"), ONE_COLUMN.items())
def test_fit__has_the_bits_of_the_model_for_any_columns(code, same, way):
    found, expected = WAYS[way](code), WAYS[way](same)
    assert_same(found, expected)
    assert found.covariances_.shape == (2, 1, 1)
    assert found.bic(X) == expected.bic(X)
    for ours, theirs in zip(found.sample(9), expected.sample(9), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_m_step__is_the_formula():
    """mclust's mstepE and mstepV: one variance about the means of the groups, and one for each."""
    squares = [((X[k == LABELS] - X[k == LABELS].mean()) ** 2).sum() for k in (0, 1)]
    start = {"init_params": LABELS, "max_iter": 0}
    pooled, own = (fitted(code, **start).covariances_.ravel() for code in CODES)
    assert pooled == pytest.approx(np.full(2, sum(squares) / 120), rel=1e-12)
    assert own == pytest.approx([squares[0] / 80, squares[1] / 40], rel=1e-12)


def test_parameters__are_as_many_as_in_mclust():
    """Its nMclustParams(c("E", "V"), d = 1, G = 3)."""
    assert [MODELS[code]().n_parameters(3, 1) for code in CODES] == [6, 8]


# --------------------------------------------------------------------------- more columns


def sentence(code, columns=2):
    return (
        f"The model {code} is for one column; got {columns} columns. Choose one column, or use "
        f"{ONE_COLUMN[code]}, which is {code} for any number of columns."
    )


def by_hand(code):
    return fitted("full", PAIRS).set_params(covariance_type=code)


REFUSED = {
    "fit": lambda code: fitted(code, PAIRS),
    "fit of chunks": lambda code: fitted(code, chunks(PAIRS)),
    "partial_fit": lambda code: GaussianMixture(covariance_type=code).partial_fit(PAIRS),
    "search": lambda code: GaussianMixtureIC(2, covariance_types=["VVV", code]).fit(PAIRS),
    "from_parameters": lambda code: GaussianMixture.from_parameters(
        [1.0], [[0.0, 0.0]], [np.eye(2)], covariance_type=code
    ),
    "predict": lambda code: by_hand(code).predict(PAIRS),
    "bic": lambda code: by_hand(code).bic(PAIRS),
    "sample": lambda code: by_hand(code).sample(),
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("way", REFUSED)
def test_more_columns__are_refused(way, code):
    assert refusal(REFUSED[way], code) == sentence(code)


def test_more_columns__are_refused_before_any_work(tmp_path, monkeypatch):
    seen = []
    for name in ("fitting.helped_fits", "selection.helped_fits", "selection.Dependence.of"):
        monkeypatch.setattr(f"gmmfast.estimators.{name}", seen.append)
    mixture = GaussianMixture(2, covariance_type="E")
    refusal(mixture.fit, PAIRS, callback=seen.append, checkpoint=tmp_path / "c.npz")
    refusal(GaussianMixtureIC(2, covariance_types="E").fit, PAIRS, callback=seen.append)
    assert seen == [*tmp_path.iterdir()] == []


def test_from_parameters__names_the_model_that_allows_more():
    text = refusal(
        GaussianMixture.from_parameters, [0.5, 0.5], [[0.0], [1.0]], [[[1.0]], [[2.0]]],
        covariance_type="E",
    )  # fmt: skip
    assert "the model E must have equal volumes" in text
    assert "use covariance_type='V', which allows all covariances" in text


# ----------------------------------------------------------------------------- the search


def test_search__of_all_models_is_of_two():
    search = GaussianMixtureIC([1, 2, 3], random_state=0).fit(X)
    assert {*search.results_["covariance_type"]} == {*CODES}
    assert (search.best_n_components_, search.best_covariance_type_) == (2, "V")
    asked = GaussianMixtureIC([1, 2, 3], covariance_types=["EII", "VII"], random_state=0).fit(X)
    for name in ("log_likelihood", "n_parameters", "bic", "icl"):
        np.testing.assert_array_equal(search.results_[name], asked.results_[name])
    assert_same(search.estimator(3, "E"), asked.estimator(3, "EII"))


def test_search__by_chunks_and_in_cross_validation():
    names = {"covariance_types": CODES, "random_state": 0}
    found = GaussianMixtureIC([1, 2], **names).fit(chunks(X, chunk_rows=50))
    assert found.best_covariance_type_ == "V"
    found = GaussianMixtureIC([1, 2], criterion="cv", cv=2, **names).fit(X)
    assert found.best_covariance_type_ == "V"


def test_search__shows_the_codes():
    search = GaussianMixtureIC([1, 2], random_state=0).fit(X)
    ax = plot_criterion(search, Figure().add_subplot())
    assert [text.get_text() for text in ax.get_legend().texts] == CODES
    for text in (search.summary(), str(search.compare()), search.results_._repr_html_()):
        assert "E" in text.replace("<td>", " ").replace("</td>", " ").split()
    assert "V covariance" in search.best_estimator_.summary()
    assert plot_mixture(search.best_estimator_, X, ax=Figure().add_subplot()).has_data()


# ------------------------------------------------------------------------------- elsewhere


@pytest.mark.parametrize("code", CODES)
def test_files__bring_the_model_back(code, tmp_path):
    model = fitted(code)
    model.save(tmp_path / "m.npz")
    document = json.loads(json.dumps(model.to_dict()))
    for other in (
        gmmfast.load(tmp_path / "m.npz"),
        gmmfast.from_dict(document),
        pickle.loads(pickle.dumps(model)),
    ):
        assert other.covariance_type == code
        assert_same(other, model)


def test_files__of_more_columns_are_refused(tmp_path):
    document = fitted("EII", PAIRS).to_dict()
    document["parameters"]["covariance_type"] = "E"
    assert sentence("E") in refusal(gmmfast.from_dict, document)
    path = tmp_path / "c.npz"
    fitted("VII", PAIRS, max_iter=2, tol=0.1).fit(PAIRS, checkpoint=path)
    point = checkpoint.read(path, "GaussianMixture")
    point.settings["covariance_type"] = "V"
    assert sentence("V") in refusal(point.write, path)  # checked as by resume


def test_checkpoint__is_resumed(tmp_path):
    start = {"init_params": np.arange(120) % 2, "max_iter": 500}
    stopped = GaussianMixture(2, covariance_type="V", reg_covar=0, tol=1e-6, **start)
    stopped.fit(X, checkpoint=tmp_path / "c.npz", callback=lambda n, _: n == 3)
    resumed = GaussianMixture.resume(tmp_path / "c.npz")
    assert (resumed.covariance_type, resumed.n_iter_) == ("V", 3)
    assert_same(resumed.fit(X), fitted("V", **start))


def test_to_sklearn__is_full():
    model = fitted("V")
    other = model.to_sklearn()
    assert other.covariance_type == "full"
    np.testing.assert_allclose(other.score_samples(X), model.score_samples(X), rtol=1e-9)


# ----------------------------------------------------------------------- the command line


@pytest.mark.parametrize("scaled", [[], ["--standardize"]])
@pytest.mark.parametrize("code", CODES)
def test_gmmfast_fit__keeps_the_model(run, tmp_path, code, scaled):
    command = "fit", "--example", "customers", "--columns", "average_order_value", "-k", 2
    out = tmp_path / "m.npz"
    status, printed, err = run(*command, "--covariance", code, *scaled, "--json", "--out", out)
    assert (status, err) == (0, "")
    found = json.loads(printed)
    assert (found["covariance_type"], found["covariance_structure"]) == (code, code)
    model = gmmfast.load(out)
    assert model.covariance_type == code
    assert model.covariances_.tolist() == found["covariances"]
    assert run("predict", out, *command[1:5])[0] == 0
    assert f" {code} covariance" in run(*command, "--covariance", code, *scaled)[1]


def test_gmmfast_select__tries_the_two(run):
    command = (
        "select",
        "--example",
        "customers",
        "--columns",
        "average_order_value",
        "-k",
        2,
        "--json",
    )
    for models in ([], ["--covariance", "E,V"]):
        found = json.loads(run(*command, *models)[1])
        assert [one["covariance_type"] for one in found["candidates"]] == CODES


def test_gmmfast__refuses_more_columns(fails):
    """Before the columns are standardized, and before there is a search."""
    for command, model in (("fit", "E"), ("select", "VVV,E")):
        text = fails(command, "--example", "customers", "-k", 2, "--covariance", model)
        assert text == f"gmmfast: error: {sentence('E')}\n"


def test_gmmfast__offers_the_codes(run):
    pytest.importorskip("shtab", reason="needs shtab")
    assert f"({' '.join(COVARIANCE_TYPES)})" in run("completion", "bash")[1]
