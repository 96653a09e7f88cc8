"""The page "Use a model elsewhere": its code scores rows as `score_samples` does."""

import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from data import mixture

from gmmfast import GaussianMixture

PAGE = (Path(__file__).parent.parent / "docs" / "elsewhere.md").read_text()
X = mixture(40, 2, 2, seed=4)[0]
KINDS = ("full", "tied", "diag", "spherical", "VEV")


def blocks(language):
    """Code of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(params=KINDS)
def densities(request, tmp_path, monkeypatch):
    """Log densities of the rows, by a mixture whose JSON is in the current folder."""
    monkeypatch.chdir(tmp_path)
    model = GaussianMixture(2, covariance_type=request.param, random_state=0, max_iter=500).fit(X)
    Path("model.json").write_text(json.dumps(model.to_dict()))
    return model.score_samples(X)


def test_numpy__scores_rows(densities):
    names = {}
    exec(blocks("python")[0], names)
    np.testing.assert_allclose([names["score"](x) for x in X], densities, rtol=1e-10)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_javascript__scores_rows(densities):
    [code] = blocks("javascript")
    Path("rows.json").write_text(json.dumps(X.tolist()))
    code += 'const rows = JSON.parse(require("fs").readFileSync("rows.json"));\n'
    code += "console.log(JSON.stringify(rows.map(score)));\n"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(json.loads(done.stdout), densities, rtol=1e-10)


def test_sql__scores_rows(densities):
    names = {}
    exec("".join(blocks("python")[:2]), names)
    with closing(names["database"]) as database:
        try:
            database.execute("SELECT LN(EXP(1.0))")
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no mathematical functions")
        cells = [(*at, x) for at, x in np.ndenumerate(X)]
        cells = [(int(row), int(column), float(x)) for row, column, x in cells]
        database.executemany("INSERT INTO cell VALUES (?, ?, ?)", cells)
        [query] = blocks("sql")
        found = database.execute(query).fetchall()
    np.testing.assert_array_equal([row for row, _ in found], np.arange(len(X)))
    np.testing.assert_allclose([value for _, value in found], densities, rtol=1e-10)
