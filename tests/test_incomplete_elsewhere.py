"""Rows with missing values that are read in pieces, lie on a cluster or arrive in batches."""

import numpy as np
import pytest
from data import mixture
from test_incomplete import GAPS, LABELS, MODEL_TYPES, WEIGHTS, X, lacking, marginalizing

from gmmfast import GaussianMixtureIC, chunks
from gmmfast.models import MODELS
from gmmfast.rows import ChunkRows, IncompleteRows

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

PLACES = [slice(0, 90), slice(90, 95), slice(95, 300)]


def pieces(rows, weights=None):
    """Rows in pieces, one of which lacks nothing, and one of which has no value in a column."""
    if weights is None:
        return chunks([rows[place] for place in PLACES])
    return chunks([(rows[place], weights[place]) for place in PLACES])


ROWS = GAPS.copy()
ROWS[PLACES[0]] = X[PLACES[0]]
ROWS[PLACES[1], 2] = np.nan
ROWS[92] = np.nan  # no value at all


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_pieces__have_the_statistics_of_rows_in_memory(name):
    model, weights = MODELS[name](0.0), np.arange(300) % 3 * 1.0
    rows = ChunkRows(pieces(ROWS, weights), may_miss=True)
    whole = IncompleteRows(ROWS, weights, center=rows.center)
    repeated = IncompleteRows(np.repeat(ROWS, weights.astype(int), axis=0), center=rows.center)
    assert rows.lack_values and rows.n_rows == whole.n_rows and rows.n_without == 1
    np.testing.assert_allclose(rows.mean, whole.mean, rtol=1e-12)
    parameters = model.maximization(whole.memberships(LABELS, 3, model.scatter))
    for arranged in (rows, rows.arranged_for(parameters)):
        found = arranged.expectation(parameters, model.scatter)
        for other in (whole, repeated):
            same = other.expectation(parameters, model.scatter).about(found.reference)
            assert found.log_likelihood == pytest.approx(same.log_likelihood, rel=1e-12)
            np.testing.assert_allclose(found.first, same.first, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(found.scatter, same.scatter, rtol=1e-9, atol=1e-9)
    assert rows.entropy(parameters) == pytest.approx(whole.entropy(parameters), rel=1e-9)


def test_pieces__are_fitted_searched_and_evaluated_as_rows_in_memory():
    fit = marginalizing(3, tol=1e-8, max_iter=500)
    with pytest.warns(UserWarning, match="1 of 300 rows have no value; they are left out"):
        means = fit.fit(pieces(ROWS)).means_
    with pytest.warns(UserWarning, match="1 of 300"):
        other = marginalizing(3, tol=1e-8, max_iter=500).fit(ROWS)
    np.testing.assert_allclose(means, other.means_, rtol=1e-6)
    rows = np.delete(ROWS, 92, axis=0)
    for one, whole in zip(fit.predict_proba(pieces(ROWS)), PLACES, strict=True):
        np.testing.assert_allclose(one, fit.predict_proba(ROWS[whole]), atol=1e-12)
    assert fit.score(chunks([rows[:9], rows[9:]])) == pytest.approx(fit.score(rows), rel=1e-12)
    assert fit.bic(chunks([rows[:9], rows[9:]])) == pytest.approx(fit.bic(rows), rel=1e-12)
    quantiles = fit.log_density_quantiles_
    np.testing.assert_allclose(quantiles, other.log_density_quantiles_, rtol=1e-5)
    settings = {"covariance_types": ["EII", "VVV"], "random_state": 0, "criterion": "cv", "cv": 3}
    search = GaussianMixtureIC([1, 2], missing_values="marginalize", **settings)
    np.testing.assert_allclose(
        search.fit(chunks([rows])).results_["cv"], search.fit(rows).results_["cv"], rtol=1e-6
    )


def test_pieces__of_many_rows_start_from_a_sample_with_gaps():
    rows = lacking(mixture(6000, 3, 2, separation=4.0, seed=2)[0], 0.2)
    one = marginalizing(2, covariance_type="diag").fit(chunks([rows[:2500], rows[2500:]]))
    other = marginalizing(2, covariance_type="diag").fit(rows)
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, abs=1e-3)


def test_pieces__of_files(tmp_path):
    np.savetxt(tmp_path / "gaps.csv", GAPS, delimiter=",", header="a,b,c,d", comments="")
    read = marginalizing(2, covariance_type="diag").fit(str(tmp_path / "gaps.csv"))
    assert list(read.feature_names_in_) == list("abcd") and read.n_samples_seen_ == 300
    with pytest.raises(ValueError, match="rows have missing values"):
        read.set_params(missing_values="raise").fit(str(tmp_path / "gaps.csv"))
    empty = np.column_stack([GAPS, np.full(300, np.nan)])
    with pytest.raises(ValueError, match="column 4 has none. Leave it out"):
        marginalizing(2).fit(chunks([empty]))


def test_partial_fit__learns_from_batches_with_gaps():
    rows = lacking(mixture(6000, 3, 2, separation=4.0, seed=2)[0], 0.3)
    learned = marginalizing(2, covariance_type="diag")
    for start in range(0, 6000, 500):
        learned.partial_fit(rows[start : start + 500])
    whole = marginalizing(2, covariance_type="diag").fit(rows)
    assert learned.score(rows) == pytest.approx(whole.score(rows), abs=0.01)
    without = rows[:50].copy()
    without[:, 1] = np.nan  # no value in a column
    assert np.isfinite(learned.partial_fit(without).means_).all()
    with pytest.raises(ValueError, match="A batch needs a row that has a value"):
        learned.partial_fit(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="needs a value in each column; column 1 has none"):
        marginalizing(2).partial_fit(without)


def test_partial_fit__of_repeated_and_weighted_rows():
    counts = 1 + np.arange(300) % 3
    one, other = (
        marginalizing(3, init_params=labels) for labels in (LABELS, np.repeat(LABELS, counts))
    )
    one.partial_fit(GAPS, sample_weight=counts)
    other.partial_fit(np.repeat(GAPS, counts, axis=0))
    one.partial_fit(GAPS[:100], sample_weight=WEIGHTS[:100])
    other.partial_fit(GAPS[:100], sample_weight=WEIGHTS[:100])
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-6)
