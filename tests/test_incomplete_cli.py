"""Rows with missing values on the command line."""

import csv
import json

import numpy as np
import pytest
from test_incomplete import X, lacking

from gmmfast import GaussianMixture, load
from gmmfast.cli import data as cli_data
from gmmfast.tables import read_table

pytestmark = pytest.mark.filterwarnings(
    "ignore:X does not have valid feature names", "ignore:1 of 120 rows have no value"
)

ROWS = lacking(10 + X[:120, :3], 0.25)
ROWS[7] = np.nan
PRESENT = np.delete(ROWS, 7, axis=0)


@pytest.fixture(name="gaps")
def table_with_gaps(tmp_path):
    """Columns of text and of numbers, cells of which are empty or NA."""
    path = tmp_path / "gaps.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "a", "b", "group", "c"])
        for i, row in enumerate(ROWS):
            a, b, c = ("NA" if np.isnan(cell) else cell for cell in row)
            writer.writerow([f"row {i}", a, b, "xy"[i % 2], "" if c == "NA" else c])
    return path


def fitted(K, **params):
    defaults = {"random_state": 0, "acceleration": "auto", "missing_values": "marginalize"}
    return GaussianMixture(K, **defaults | params)


def test_fit__takes_what_is_known_and_the_model_takes_blanks(run, gaps, tmp_path):
    out = tmp_path / "model.npz"
    code, printed, notes = run(
        "fit", gaps, "-k", 2, "--missing", "marginalize", "--json", "--out", out
    )
    found, expected = json.loads(printed), fitted(2).fit(ROWS)
    assert code == 0 and "1 of 120 rows have no value; they are left out" in notes
    assert found["n_rows"] == 119
    np.testing.assert_allclose(found["log_likelihood_per_row"], expected.score(ROWS))
    np.testing.assert_allclose(found["bic"], expected.bic(ROWS))
    model = load(out)
    assert model.missing_values == "marginalize"
    code, printed, _ = run("score", out, gaps, "--id", "name")
    densities = [line.split(",")[-1] for line in printed.splitlines()[1:]]
    np.testing.assert_allclose(np.array(densities, float), model.score_samples(ROWS), rtol=1e-12)
    code, printed, _ = run("predict", out, gaps, "--outliers", 0.05)
    assert sum(line.endswith(",1") for line in printed.splitlines()) == 5


def test_fit__standardized_is_reported_in_the_units_of_the_data(run, gaps, tmp_path):
    out = tmp_path / "model.npz"
    options = "--missing", "marginalize", "--standardize", "--tol", "1e-9", "--max-iter", 1000
    _, printed, notes = run("fit", gaps, "-k", 2, *options, "--json", "--out", out)
    found, model = json.loads(printed), load(out)
    assert notes.count("note:") == 2  # of the columns of text, and of the row without values
    assert found["log_likelihood"] == pytest.approx(119 * model.score(PRESENT), rel=1e-9)
    assert model.lower_bound_ == pytest.approx(model.score(PRESENT), abs=1e-6)
    densities = np.sort(model.score_samples(PRESENT))
    assert model.log_density_quantile(0.0) == pytest.approx(densities[0], rel=1e-9)
    assert model.is_outlier(PRESENT, rate=0.05).sum() == 5


def test_fit__from_labels_and_in_pieces(run, gaps, monkeypatch):
    options = "--missing", "marginalize", "--covariance", "diag", "--tol", "1e-9", "--json"
    _, whole, _ = run("fit", gaps, "--init-labels", "group", *options)
    monkeypatch.setattr(cli_data.memory, "is_large", lambda n_bytes: True)
    code, pieces, _ = run("fit", gaps, "-k", 2, *options)
    assert code == 0 and json.loads(whole)["n_components"] == 2
    assert np.isfinite(json.loads(pieces)["log_likelihood"])


def test_select__compares_by_what_is_known(run, gaps):
    options = "--missing", "marginalize", "--covariance", "EII,VVI", "-k", "1:2", "--json"
    code, printed, _ = run("select", gaps, *options)
    found = json.loads(printed)
    assert code == 0 and len(found["candidates"]) == 4
    one = fitted(1, covariance_type="diag", reg_covar=0.0, tol=1e-6, max_iter=1000).fit(PRESENT)
    own = [
        c for c in found["candidates"] if (c["n_components"], c["covariance_type"]) == (1, "VVI")
    ]
    assert own[0]["log_likelihood"] == pytest.approx(119 * one.score(PRESENT), abs=1e-3)


def test_impute__keeps_all_columns_and_known_values(run, gaps, tmp_path):
    model, out = tmp_path / "model.npz", tmp_path / "filled.csv"
    run("fit", gaps, "-k", 2, "--missing", "marginalize", "--out", model)
    code, _, notes = run("impute", model, gaps, "--out", out)
    missing = int(np.isnan(ROWS).sum())
    rows = int(np.isnan(ROWS).any(axis=1).sum())
    assert code == 0 and f"{missing} missing values in {rows} rows are filled in" in notes
    with out.open() as file:
        cells = list(csv.DictReader(file))
    assert list(cells[0]) == ["name", "a", "b", "group", "c"]
    assert [cells[3]["name"], cells[3]["group"]] == ["row 3", "y"]
    filled = read_table(out, ["a", "b", "c"]).values
    np.testing.assert_array_equal(filled, load(model).impute(ROWS))
    one, two = (run("impute", model, gaps, "--kind", "sample", "--seed", n)[1] for n in (1, 2))
    assert one != two and one == run("impute", model, gaps, "--kind", "sample", "--seed", 1)[1]


def test_errors__say_which_option(run, gaps, tmp_path):
    _, _, error = run("fit", gaps, "-k", 1)
    assert "or fit what is known with --missing marginalize." in error
    _, _, error = run("fit", gaps, "-k", 1, "--missing", "marginalize", "--drop-missing")
    assert "Use one of the two" in error
    run("fit", gaps, "-k", 1, "--missing", "marginalize", "--out", tmp_path / "model.npz")
    _, _, error = run("impute", tmp_path / "model.npz", gaps, "--drop-missing")
    assert "--drop-missing leaves out the rows that impute fills in" in error


def test_read_table__keeps_missing_values_but_no_missing_weight(gaps):
    table = read_table(gaps, ["a", "b", "c"], keep_missing=True)
    np.testing.assert_array_equal(table.values, ROWS)
    with pytest.raises(ValueError, match="missing values \\(b: "):
        read_table(gaps, ["a"], "b", keep_missing=True)
    assert len(read_table(gaps, ["a"], drop_missing=True, keep_missing=True).values) < 120
