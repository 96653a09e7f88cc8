"""Rows with missing values in the calculator, which uses what is known of them."""

import csv
import json
import shlex

import numpy as np
import pytest
from data import mixture
from test_incomplete import lacking

from gmmfast import GaussianMixture
from gmmfast.calculator import pictures, sessions
from gmmfast.calculator.data import read_upload
from gmmfast.calculator.downloads import write_download
from gmmfast.calculator.new_rows import read_new_rows
from gmmfast.calculator.settings import read_settings
from gmmfast.calculator.work import compute
from gmmfast.cli import main
from gmmfast.errors import MissingValuesError
from gmmfast.marginals import Mixture
from gmmfast.tables import read_table

ROWS = lacking(mixture(150, 3, 2, separation=4.0, seed=3)[0], 0.2)
NAMES = ["a", "b", "c"]


@pytest.fixture(name="loaded")
def upload_with_gaps(tmp_path):
    path = tmp_path / "upload.csv"
    with path.open("w", newline="") as file:
        cells = [["" if np.isnan(cell) else cell for cell in row] for row in ROWS]
        csv.writer(file).writerows(
            [["who", *NAMES], *([f"r{i}", *row] for i, row in enumerate(cells))]
        )
    return read_upload(path, "rows.csv", keep_missing=True)


def computed(folder, loaded, **body):
    np.save(folder / "data.npy", loaded.table.values)
    settings = read_settings(body, loaded.table.names)
    return compute(folder, loaded.origin, settings, lambda told: None)


def test_upload__keeps_gaps_only_where_that_is_asked(loaded):
    with pytest.raises(
        MissingValuesError, match="or leave these rows out, or use what is known of"
    ):
        read_upload(loaded.file, "rows.csv")
    np.testing.assert_array_equal(loaded.table.values, ROWS)
    summary = loaded.summary()
    assert not summary["is_whole"] and json.dumps(summary, allow_nan=False)
    assert [cell is None for cell in summary["rows"][4]] == np.isnan(ROWS[4]).tolist()


def test_fit__is_that_of_the_library_and_is_told_in_words(loaded, tmp_path):
    found = computed(tmp_path, loaded, n_components=2, tol=1e-6)
    direct = GaussianMixture(
        2, tol=1e-6, random_state=0, acceleration="auto", missing_values="marginalize"
    ).fit(ROWS)
    assert found["report"]["log_likelihood"] == pytest.approx(150 * direct.score(ROWS), rel=1e-9)
    assert sum(found["sizes"]) == 150 and json.dumps(found, allow_nan=False)
    n = int(np.isnan(ROWS).any(axis=1).sum())
    assert f"{n} rows lack values. They count with what is known" in found["sentences"][-1]
    np.testing.assert_allclose(found["overall"]["mean"], np.nanmean(ROWS, axis=0))
    choice = computed(tmp_path, loaded, n_components=[1, 2], covariance_type="VVI")
    assert choice["report"]["n_components"] == 2


@pytest.mark.parametrize(
    "body", [{"n_components": 2}, {"n_components": [1, 2], "standardize": True}]
)
def test_lines__reproduce_the_result(loaded, body, tmp_path, monkeypatch, capsys):
    found = computed(tmp_path, loaded, covariance_type="diag", **body)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_bytes(loaded.file.read_bytes())
    space = {}
    exec(found["python"], space)
    weights = space["mixture"].weights_[space["order"]]
    np.testing.assert_allclose(weights, found["report"]["weights"], rtol=1e-9)
    capsys.readouterr()
    assert main([*shlex.split(found["command"])[1:], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.get("best", told)["log_likelihood"] == found["report"]["log_likelihood"]


def test_pictures__draw_the_rows_that_have_the_values():
    labels, known = np.arange(150) % 2, ~np.isnan(ROWS)
    whole = Mixture(np.ones(2) / 2, np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1)))
    both = known[:, 0] & known[:, 1]
    plane = pictures.plane(ROWS[:, :2], labels, whole.along([0, 1]), with_density=True)
    assert (plane["n_drawn"], plane["n_rows"]) == (both.sum(), 150)
    np.testing.assert_array_equal(plane["points"][1], ROWS[both & (labels == 1), :2].T)
    doubt = pictures.uncertainty(ROWS[:, :2], labels, np.full(150, 0.8), 2)
    assert (doubt["n_drawn"], doubt["n_uncertain"]) == (both.sum(), 150)
    line = pictures.line(ROWS[:, 2], whole.along([2]))
    pairs = pictures.pairs(ROWS, labels, whole)
    assert [cell is None for cell in pairs["points"][0][2]] == (~known[labels == 0, 2]).tolist()
    for found in (plane, doubt, line, pairs):
        assert json.dumps(found, allow_nan=False)


def test_downloads__leave_gaps_empty(loaded, tmp_path):
    computed(tmp_path, loaded, n_components=2)
    job = sessions.Job(sessions.Session("", tmp_path), loaded, read_settings({}, NAMES))
    path = write_download(job, "rows.csv")
    table = read_table(path, NAMES, keep_missing=True)
    np.testing.assert_array_equal(table.values, ROWS)
    with path.open() as file:
        first = next(csv.DictReader(file))
    assert first["who"] == "r0" and list(first)[:5] == ["row", "who", *NAMES]
    assert [cell == "" for cell in map(first.get, NAMES)] == np.isnan(ROWS[0]).tolist()
    data = read_table(write_download(job, "data.csv"), NAMES, keep_missing=True)
    np.testing.assert_array_equal(data.values, ROWS)
    sheet = read_table(write_download(job, "rows.xlsx"), NAMES, keep_missing=True)
    np.testing.assert_allclose(sheet.values, ROWS, rtol=1e-15)


def test_new_rows__may_lack_values_too(loaded, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("a,b,c\n1,,2\n,3,4\n")
    values, _ = read_new_rows(path, loaded, NAMES)
    np.testing.assert_array_equal(values, [[1, np.nan, 2], [np.nan, 3, 4]])
