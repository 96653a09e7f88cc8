"""A walk through all of gmmfast on few rows: every module runs, whatever it is called."""

import sys
import threading
import time
from pathlib import Path
from unittest.mock import patch

import dask.array as da
import numpy as np
import pandas as pd
import pyarrow.feather
import pytest
from data import mixture
from distributed import Client
from matplotlib.figure import Figure
from numba.core import config
from starlette.testclient import TestClient

import gmmfast
from gmmfast import (
    BayesianGaussianMixture,
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    GaussianMixtureRegressor,
    Prior,
    chunks,
    inference,
    plotting,
)
from gmmfast.calculator.app import make_app
from gmmfast.calculator.data import Origin
from gmmfast.calculator.settings import read_settings
from gmmfast.calculator.work import compute
from gmmfast.datasets import generate
from gmmfast.em import trials
from gmmfast.rows import memory, places
from gmmfast.tables import read_table, write_table

PACKAGE = Path(gmmfast.__file__).parent
X = mixture(40, 2, 2, seed=1)[0]


def modules():
    """Names of all modules that define functions which can be seen to run."""
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(("gmmfast", *path.relative_to(PACKAGE).with_suffix("").parts))
        is_compiled = name.startswith("gmmfast.kernels.") and not config.DISABLE_JIT
        # run at import, the first two also where something is compiled
        others = "kernels.lowering", "kernels.claims", "plotting.descriptions"
        is_other = name.removeprefix("gmmfast.") in others
        if "def " in path.read_text() and not is_compiled and not is_other:
            yield name.removesuffix(".__init__")


class Walk:
    """Names of the modules whose functions run, in any thread."""

    def __enter__(self):
        self.seen = set()
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def _note(self, frame, event, argument):
        if event == "call" and frame.f_code.co_name != "<module>":
            self.seen.add(frame.f_globals.get("__name__"))

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)


def estimators(folder):
    few = {"max_iter": 3, "tol": 0, "random_state": 0}
    for covariance_type in ("full", "tied", "diag", "spherical", "VEV"):
        GaussianMixture(2, covariance_type=covariance_type, **few).fit(X)
    GaussianMixture(2, covariance_type="factor", **few).fit(X).covariances_.mean()
    GaussianMixture(2, init_params="hierarchical", acceleration="auto", **few).fit(X)
    GaussianMixture(2, init_params=np.arange(len(X)) % 2, **few).fit(X)
    with patch.object(trials, "ROUNDS", 1):
        GaussianMixture(2, **few).fit(X)
    with patch.object(trials, "BUDGET", 0):
        GaussianMixture(3, **few).fit(X)
    with patch.object(memory, "UNSORTED", 0), patch.object(places, "MANY", 2):
        GaussianMixture(2, **few).fit(X)
    GaussianMixture(2, covariance_ratio=2, trim=0.1, **few).fit(X)
    gaps = np.where(np.arange(X.size).reshape(X.shape) % 7 == 0, np.nan, X)
    GaussianMixture(2, missing_values="marginalize", **few).fit(gaps).impute(gaps)
    GaussianMixture(2, noise=True, **few).fit(X)
    GaussianMixture(2, component="t", **few).fit(X)
    GaussianMixture.beside(GaussianMixture(1, **few).fit(X), 2)
    GaussianMixture(2, prior=Prior(scale=1.0), **few).fit(X)
    GaussianMixtureRegressor(GaussianMixture(2, **few)).fit(X[:, :1], X[:, 1]).predict(X[:, :1])
    labels = np.arange(len(X)) % 3 - 1
    for kind in ("edda", "mclustda"):
        GaussianMixtureClassifier(GaussianMixture(1, **few), kind=kind).fit(X, labels).predict(X)
    inference.bootstrap(GaussianMixture(2, **few).fit(X), X, 2, random_state=0)
    inference.likelihood_ratio_test(X, max_components=2, n_resamples=2, random_state=0)
    inference.assignment([[1.0, 2.0], [1.0, 3.0]])
    frame = pd.DataFrame(X, columns=["a", "b"])
    whole = GaussianMixture(2, **few).fit(frame, checkpoint=folder / "fit.npz", progress=True)
    GaussianMixture.resume(folder / "fit.npz")
    whole.save(folder / "model.npz")
    GaussianMixture.from_sklearn(gmmfast.load(folder / "model.npz").to_sklearn()).bic(frame)
    GaussianMixture(2, **few).partial_fit(X)
    GaussianMixture(2, **few).fit(chunks([X, X]))
    blocks = da.from_array(X, chunks=(20, 2))
    GaussianMixture(2, **few).fit(blocks)
    with Client(processes=False, dashboard_address=":0"):
        GaussianMixture(2, **few).fit(blocks)
    with pytest.raises(ValueError, match="column 1 follows from column 0"):
        GaussianMixture(1, reg_covar=0).fit(X[:, [0, 0]])
    BayesianGaussianMixture(n_components=2, random_state=0).fit(X)
    search = GaussianMixtureIC([1, 2], covariance_types=["EII", "VVV"], random_state=0)
    search.fit(X, checkpoint=folder / "search.npz")
    assert search.summary() and search.compare().tied and search._repr_html_()
    folds = {"covariance_types": ["EII"], "criterion": "cv", "cv": 2}
    GaussianMixtureIC([1, 2], **folds, random_state=0).fit(X)
    assert "plotting" in dir(gmmfast)
    plotting.plot_criterion(search, Figure().subplots())
    for draw in (plotting.plot_mixture, plotting.plot_density, plotting.plot_uncertainty):
        draw(whole, frame, ax=Figure().subplots())
    plotting.plot_pairs(whole, frame, figure=Figure())
    plotting.plot_profile(search, ax=Figure().subplots())
    merging = gmmfast.analysis.merge_components(whole, frame)
    plotting.plot_entropy(merging, Figure().subplots())
    plotting.plot_clusters(merging, frame, ax=Figure().subplots())
    made = gmmfast.analysis.simulate(2, 1, average_overlap=0.1, random_state=0)
    assert gmmfast.analysis.overlap(made).average > 0.09 and made.cdf(made.quantile(0.5)) > 0.4
    smaller = gmmfast.analysis.reduce(made, 1)
    assert gmmfast.analysis.kl_divergence(made, smaller, n_samples=9).upper_bound > 0


def commands(run, folder):
    generate.main([folder])
    assert run("fit", folder / "sensors.csv", "-k", 2, "--standardize", "--json")[0] == 0
    assert run("fit", "--example", "customers", "-k", 2, "--plot", folder / "x.png")[0] == 0
    assert run("select", "--example", "customers", "-k", 2, "--covariance", "EII")[0] == 0
    rows = folder / "rows.csv"
    assert run("sample", folder / "model.npz", "-n", 9, "--out", rows)[0] == 0
    values = read_table(rows).values
    write_table(folder / "rows.xlsx", [{"a": values[:, 0], "b": values[:, 1]}])
    found = read_table([folder / "rows.xlsx"]).values
    np.testing.assert_allclose(found, values, rtol=1e-14)  # of 16 digits there
    labels = [{"a": values[:, 0], "b": values[:, 1], "c": np.arange(len(values)) % 2}]
    write_table(folder / "classes.csv", labels)
    asked = "--target", "c", "--kind", "edda", "--covariance", "EII", "--folds", 2
    assert run("classify", folder / "classes.csv", *asked)[0] == 0
    for suffix in (".npy", ".parquet"):
        write_table(folder / f"rows{suffix}", [{"a": values[:, 0], "b": values[:, 1]}])
        assert run("predict", folder / "model.npz", folder / f"rows{suffix}")[0] == 0
    assert run("info")[0] == 0
    assert run("info", folder / "model.npz")[0] == 0
    assert run("export", folder / "model.npz")[0] == 0
    assert run("completion", "bash")[0] == 0
    assert run("calculator", "--host", "192.0.2.1", "--i-know")[0] == 2  # no machine has it


def calculator(folder):
    pyarrow.feather.write_feather(pyarrow.table({"a": X[:, 0], "b": X[:, 1]}), folder / "x.arrow")
    with TestClient(make_app("secret", 80), base_url="http://localhost") as client:
        client.cookies.set("gmmfast-80", "secret")
        params = client.post("/api/session").json()
        upload = (folder / "x.arrow").read_bytes()
        answer = client.post("/api/data", params={**params, "name": "x.arrow"}, content=upload)
        assert answer.status_code == 200
        assert client.post("/api/fit", params=params, json={}).status_code == 202
        while client.get("/api/fit", params=params).json()["state"] in ("waiting", "running"):
            time.sleep(0.02)
        picture = client.post("/api/picture", params=params, json={"columns": ["a", "b"]})
        assert picture.json()["n_rows"] == len(X)
        rows = client.get("/api/download/rows.csv", params=params).text
        assert rows.startswith("row,a,b,component")
        assert client.post("/api/rows", params=params, content="1,2\n").json()["n_rows"] == 1
        assert client.post("/api/sureness", params=params).status_code in (200, 400)
    np.save(folder / "data.npy", X)  # the same as the server's other process does it
    origin = Origin("x.arrow", ["a", "b"], has_names=True, drop_missing=False)
    assert compute(folder, origin, read_settings({}, origin.names), lambda _: None)["report"]


@pytest.mark.quick
@pytest.mark.plain
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_package__every_module_runs(run, tmp_path):
    with Walk() as walk:
        estimators(tmp_path)
        commands(run, tmp_path)
        calculator(tmp_path)
    assert {*modules()} - walk.seen == set()
