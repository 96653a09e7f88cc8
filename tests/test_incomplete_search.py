"""Searches over rows with missing values."""

import numpy as np
import pytest
from data import mixture
from test_incomplete import lacking

from gmmfast import GaussianMixture, GaussianMixtureIC
from gmmfast.data.constraints import TYPES_WITHOUT_FACTORS
from gmmfast.rows import MemoryRows
from gmmfast.rows.dependence import Dependence
from gmmfast.rows.incomplete import IncompleteRows

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge", "ignore:The search ended")

X = mixture(200, 3, 2, separation=4.0, seed=5)[0]
GAPS = lacking(X, 0.25)
TYPES = [name for name in TYPES_WITHOUT_FACTORS if name not in ("E", "V")]
FEW = ["EII", "VVI", "VVV"]
CRITERIA = ("log_likelihood", "bic", "icl")


def searching(n_components, types=FEW, **params):
    defaults = {"random_state": 0, "missing_values": "marginalize"}
    return GaussianMixtureIC(n_components, covariance_types=types, **defaults | params)


def test_search__without_a_missing_value_is_as_without_the_option():
    one, other = searching([1, 2, 3]).fit(X), searching([1, 2, 3], missing_values="raise").fit(X)
    for name in CRITERIA:
        np.testing.assert_array_equal(one.results_[name], other.results_[name])


def test_search__reaches_the_likelihood_of_single_fits_by_all_models():
    found = searching([1, 2], TYPES, exhaustive=True).fit(GAPS)
    assert len(found.results_) == 2 * len(TYPES)
    for row in found.results_:
        one = GaussianMixture(
            row["n_components"],
            covariance_type=str(row["covariance_type"]),
            **{"reg_covar": 0.0, "tol": 1e-6, "max_iter": 1000, "acceleration": "auto"},
            **{"random_state": 0, "missing_values": "marginalize"},
        ).fit(GAPS)
        assert row["log_likelihood"] > len(GAPS) * one.score(GAPS) - 1e-3
        assert row["bic"] == pytest.approx(one.bic(GAPS), abs=2e-3)


def test_search__chooses_what_all_complete_fits_choose_and_is_ready_to_use():
    found, whole = searching([1, 2, 3]).fit(GAPS), searching([1, 2, 3], exhaustive=True).fit(GAPS)
    assert found.best_n_components_ == whole.best_n_components_ == 2
    assert found.best_covariance_type_ == whole.best_covariance_type_
    assert found.bic(GAPS) == pytest.approx(whole.results_["bic"].min(), abs=0.1)
    assert np.isfinite(found.impute(GAPS)).all()
    assert found.best_estimator_.missing_values == "marginalize"
    assert len(found.predict([[np.nan, 0.0, 1.0]])) == 1


def test_search__of_samples_compares_what_is_known():
    rows = lacking(mixture(6000, 3, 3, separation=3.0, seed=2)[0], 0.2)
    found = searching([2, 3, 4], ["EII", "VVV"]).fit(rows)
    assert (found.best_n_components_, found.results_["finished"].all()) == (3, False)
    # what a sample lets expect is near the likelihood, so it is of the values that are there
    one = GaussianMixture(2, covariance_type="EII", random_state=0, missing_values="marginalize")
    expected = one.fit(rows).score(rows)
    assert found.results_["log_likelihood"][0] / 6000 == pytest.approx(expected, abs=0.1)


@pytest.mark.filterwarnings("ignore:All known values of column 3 are equal")
def test_search__by_cross_validation_in_numbered_and_given_folds():
    pairs = [(np.arange(50, 200), np.arange(50)), (np.arange(150), np.arange(150, 200))]
    found = searching([1, 2], ["VVV"], criterion="cv", cv=pairs).fit(GAPS)
    total = 0.0
    for seen, held_out in pairs:
        one = GaussianMixture(
            1, reg_covar=0.0, tol=1e-6, max_iter=999, missing_values="marginalize"
        )
        total += one.fit(GAPS[seen]).score(GAPS[held_out])
    assert found.results_["cv"][0] == pytest.approx(-total / 2, abs=1e-3)
    assert searching([1, 2], ["VVV"], criterion="cv", cv=3).fit(GAPS).best_n_components_ == 2
    rare = np.column_stack([GAPS, np.where(np.arange(200) == 60, 1.0, np.nan)])
    with pytest.raises(ValueError, match="need a value in each column; .* is none in column 3"):
        searching([1], ["EII"], criterion="cv", cv=5).fit(rare)


def test_search__ended_by_patience_and_in_threads():
    one = searching("auto", patience=1, n_jobs=1).fit(GAPS)
    other = searching("auto", patience=1, n_jobs=2).fit(GAPS)
    assert one.best_n_components_ == 2 and one.results_["n_components"].max() == 3
    for name in CRITERIA:
        np.testing.assert_array_equal(one.results_[name], other.results_[name])


def test_search__resumed_ends_as_without_an_interruption(tmp_path):
    path, whole = tmp_path / "search.npz", searching([1, 2, 3]).fit(GAPS)
    seen = []
    searching([1, 2, 3]).fit(
        GAPS, callback=lambda fit: seen.append(fit) or len(seen) > 3, checkpoint=path
    )
    resumed = GaussianMixtureIC.resume(path)
    assert resumed.missing_values == "marginalize"
    resumed.fit(GAPS)
    for name in CRITERIA:
        np.testing.assert_allclose(resumed.results_[name], whole.results_[name], rtol=1e-12)
    with pytest.raises(ValueError, match="search with missing_values='marginalize'; got 'raise'"):
        GaussianMixtureIC.resume(path).set_params(missing_values="raise").fit(X)


def test_search__integer_weights_repeat_rows():
    counts = 1 + np.arange(len(GAPS)) % 2
    one = searching([1, 2], exhaustive=True).fit(GAPS, sample_weight=counts)
    other = searching([1, 2], exhaustive=True).fit(np.repeat(GAPS, counts, axis=0))
    for name in CRITERIA:
        np.testing.assert_allclose(one.results_[name], other.results_[name], atol=0.05)


def test_search__names_the_option_where_values_are_missing():
    with pytest.raises(ValueError, match="or set missing_values='marginalize'"):
        GaussianMixtureIC([1]).fit(GAPS)
    with pytest.raises(ValueError, match="missing_values"):
        GaussianMixtureIC([1], missing_values="drop").fit(X)


def test_dependence__is_found_in_rows_that_lack_no_value():
    sums = np.column_stack([X, X.sum(axis=1)])
    found = Dependence.of(IncompleteRows(lacking(sums, 0.1)))
    assert found.is_certain and found.follows.keys() == {3}
    constant = np.where(np.arange(3) == 1, 2.1, X)
    assert Dependence.of(IncompleteRows(lacking(constant, 0.3))).constant == [1]
    few = np.where(np.arange(200)[:, None] < 20, sums, lacking(sums, 0.9))
    assert not Dependence.of(IncompleteRows(few)).is_certain  # of few rows by chance
    assert not Dependence.of(IncompleteRows(GAPS)).is_certain


def test_rows__a_part_without_a_value_in_some_column_is_filled_in_at_the_center():
    rows = IncompleteRows(np.column_stack([GAPS, np.where(np.arange(200) == 60, 7.0, np.nan)]))
    filled = rows.part(slice(50)).filled(np.random.default_rng(0))
    assert isinstance(filled, MemoryRows) and np.isfinite(filled.array).all()
    assert abs(np.median(filled.array[:, 3]) - rows.center[3]) < 1
