"""Missing values: the likelihood of what is known of each row."""

import warnings

import numpy as np
import pyarrow
import pytest
from data import mixture
from pandas import DataFrame
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

import gmmfast
from gmmfast import GaussianMixture
from gmmfast.data.constraints import TYPES_WITHOUT_FACTORS
from gmmfast.models import MODELS
from gmmfast.parameters import Scatter
from gmmfast.rows import MemoryRows
from gmmfast.rows.incomplete import IncompleteRows

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

X, LABELS = mixture(300, 4, 3, separation=2.0, seed=5)[:2]
WEIGHTS = 0.5 + np.arange(len(X)) % 3
MODEL_TYPES = [name for name in TYPES_WITHOUT_FACTORS if name not in ("E", "V")]


def lacking(X, share, seed=0):
    """Rows in which values are missing at random; each has at least one."""
    rng = np.random.default_rng(seed)
    mask = rng.uniform(size=X.shape) < share
    mask[np.arange(len(X)), rng.integers(X.shape[1], size=len(X))] = False
    return np.where(mask, np.nan, X)


GAPS = lacking(X, 0.3)


def marginalizing(K, **params):
    defaults = {"random_state": 0, "missing_values": "marginalize"}
    return GaussianMixture(K, **defaults | params)


def observed_log_density(row, weights, means, matrices):
    """Log densities (K,) of the known values of a row, with weights."""
    known = ~np.isnan(row)
    return np.array(
        [
            np.log(w) + multivariate_normal.logpdf(row[known], m[known], S[np.ix_(known, known)])
            for w, m, S in zip(weights, means, matrices, strict=True)
        ]
    )


def expected_row(row, mean, matrix):
    """Expectation of a row and of its square, given its known values."""
    known, own = ~np.isnan(row), np.array(row)
    second = np.zeros((len(row), len(row)))
    if not known.all():
        slopes = np.linalg.solve(matrix[np.ix_(known, known)], matrix[np.ix_(known, ~known)]).T
        own[~known] = mean[~known] + slopes @ (row[known] - mean[known])
        rest = matrix[np.ix_(~known, ~known)] - slopes @ matrix[np.ix_(known, ~known)]
        second[np.ix_(~known, ~known)] = rest
    return own, second


# -------------------------------------------------------------------------------------- the E step


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "EEE", "VEI", "EVE", "VEE"])
def test_statistics__are_the_expectations_of_whole_rows(name, weights):
    complete, model = MemoryRows(X), MODELS[name](0.0)
    start = complete.memberships(LABELS, 3, model.scatter)
    parameters = model.maximization(start).moved(complete.center)
    rows = IncompleteRows(GAPS, weights)
    found = rows.expectation(parameters.moved(-rows.center), model.scatter)
    matrices = model.matrices(parameters.covariances, 3, 4)
    about = found.reference + rows.center
    mass, first = np.zeros(3), np.zeros((3, 4))
    scatter, log_likelihood = np.zeros((3, 4, 4)), 0.0
    for row, w in zip(GAPS, np.ones(len(X)) if weights is None else weights, strict=True):
        logs = observed_log_density(row, parameters.weights, parameters.means, matrices)
        total = np.logaddexp.reduce(logs)
        log_likelihood += w * total
        for k, share in enumerate(w * np.exp(logs - total)):
            own, second = expected_row(row, parameters.means[k], matrices[k])
            residual = own - about[k]
            mass[k] += share
            first[k] += share * residual
            scatter[k] += share * (np.outer(residual, residual) + second)
    if found.scatter.ndim == 2:
        scatter = np.einsum("kii->ki", scatter)
    elif len(found.scatter) == 1:
        scatter = scatter.sum(axis=0, keepdims=True)
    assert found.log_likelihood == pytest.approx(log_likelihood, rel=1e-12)
    np.testing.assert_allclose(found.mass, mass, rtol=1e-11)
    np.testing.assert_allclose(found.first, first, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.scatter, scatter, rtol=1e-9, atol=1e-9)


def test_statistics__of_complete_rows_are_those_of_rows_in_memory():
    for name in ("full", "tied", "diag"):
        model, rows = MODELS[name](0.0), MemoryRows(X)
        parameters = model.maximization(rows.memberships(LABELS, 3, model.scatter))
        one, other = (r.expectation(parameters, model.scatter) for r in (rows, IncompleteRows(X)))
        assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
        np.testing.assert_allclose(one.scatter, other.scatter, rtol=1e-12)


# ------------------------------------------------------------------------------------------- fits


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_fit__never_lowers_the_likelihood(name):
    found = marginalizing(3, covariance_type=name, reg_covar=0.0, tol=1e-7, max_iter=60).fit(GAPS)
    assert len(found.lower_bounds_) > 5
    assert np.diff(found.lower_bounds_).min() > -1e-12
    assert found.score(GAPS) == pytest.approx(found.lower_bound_, abs=1e-5)


def test_fit__of_one_component_maximizes_the_likelihood_of_what_is_known():
    rows = lacking(X[:30, :3], 0.3, seed=1)
    found = marginalizing(1, reg_covar=0.0, tol=1e-15, max_iter=5000).fit(rows)
    lower = np.tril_indices(3)

    def cost(values):
        factor = np.zeros((3, 3))
        factor[lower] = values[3:]
        matrix = factor @ factor.T
        logs = (observed_log_density(row, [1.0], [values[:3]], [matrix]) for row in rows)
        return -float(np.sum([*logs])) / len(rows)

    start = np.concatenate([np.nanmean(rows, axis=0), np.diag(np.nanstd(rows, axis=0))[lower]])
    best = minimize(cost, start, method="BFGS", options={"gtol": 1e-8})
    assert found.score(rows) == pytest.approx(-best.fun, abs=1e-8)
    np.testing.assert_allclose(found.means_[0], best.x[:3], atol=1e-4)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "VEV"])
def test_fit__of_complete_rows_is_as_without_the_option(name):
    one = GaussianMixture(3, covariance_type=name, random_state=0).fit(X)
    other = marginalizing(3, covariance_type=name).fit(X)
    np.testing.assert_array_equal(one.covariances_, other.covariances_)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_fit__integer_weights_repeat_rows():
    counts = np.arange(len(X)) % 3
    start = {"means_init": [X[LABELS == k].mean(axis=0) for k in range(3)]}
    start |= {"weights_init": np.full(3, 1 / 3), "precisions_init": np.tile(np.eye(4), (3, 1, 1))}
    one = marginalizing(3, max_iter=20, tol=0.0, **start).fit(GAPS, sample_weight=counts)
    other = marginalizing(3, max_iter=20, tol=0.0, **start).fit(np.repeat(GAPS, counts, axis=0))
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-8)
    np.testing.assert_allclose(one.covariances_, other.covariances_, rtol=1e-7)


def test_fit__recovers_means_where_filling_in_column_means_does_not():
    rows, labels = mixture(4000, 3, 2, separation=3.0, seed=2)[:2]
    gaps = lacking(rows, 0.3, seed=3)
    true = np.array([rows[labels == k].mean(axis=0) for k in range(2)])
    filled = np.where(np.isnan(gaps), np.nanmean(gaps, axis=0), gaps)

    def distance(means):
        near = min(np.abs(means - true).max(), np.abs(means[::-1] - true).max())
        return near / rows[labels == 0].std(axis=0).max()

    assert distance(marginalizing(2).fit(gaps).means_) < 4 / np.sqrt(2000 * 0.7)
    assert distance(GaussianMixture(2, random_state=0).fit(filled).means_) > 0.2


def test_fit__accelerated_weighted_and_resumed(tmp_path):
    plain = marginalizing(3, tol=1e-10, max_iter=3000, reg_covar=0.0).fit(
        GAPS, sample_weight=WEIGHTS
    )
    fast = marginalizing(3, tol=1e-10, max_iter=3000, reg_covar=0.0, acceleration="auto")
    fast.fit(GAPS, sample_weight=WEIGHTS)
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-7)
    path = tmp_path / "fit.npz"
    stop = lambda iteration, lower_bound: iteration == 3  # noqa: E731
    marginalizing(3, tol=1e-6).fit(GAPS, callback=stop, checkpoint=path)
    resumed = GaussianMixture.resume(path).fit(GAPS)
    whole = marginalizing(3, tol=1e-6).fit(GAPS)
    np.testing.assert_allclose(resumed.means_, whole.means_, rtol=1e-9)


# ----------------------------------------------------------------------------- starts of users


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_start__from_labels_with_integer_weights_repeats_rows(name):
    counts = np.arange(len(X)) % 3
    settings = {"covariance_type": name, "max_iter": 5, "tol": 0.0}
    one = marginalizing(3, init_params=LABELS, **settings).fit(GAPS, sample_weight=counts)
    other = marginalizing(3, init_params=np.repeat(LABELS, counts), **settings)
    other.fit(np.repeat(GAPS, counts, axis=0))
    np.testing.assert_allclose(one.lower_bounds_, other.lower_bounds_, rtol=1e-9)
    np.testing.assert_allclose(one.covariances_, other.covariances_, rtol=1e-6, atol=1e-8)


def test_start__from_memberships_takes_moments_by_the_rows_that_have_the_columns():
    rows, groups = IncompleteRows(GAPS, WEIGHTS), np.eye(3)[LABELS]
    found = rows.memberships(LABELS, 3, Scatter.FULL)
    np.testing.assert_allclose(found.mass, WEIGHTS @ groups)
    own = np.where(LABELS == 1, WEIGHTS, 0.0)
    known = ~np.isnan(GAPS)
    for j in range(4):
        mean = np.average(GAPS[known[:, j], j], weights=own[known[:, j]])
        assert found.reference[1, j] + rows.center[j] == pytest.approx(mean, rel=1e-12)
    both = known[:, 0] & known[:, 2]
    residuals = GAPS - (found.reference[1] + rows.center)
    product = np.average((residuals[:, 0] * residuals[:, 2])[both], weights=own[both])
    assert found.scatter[1, 0, 2] / found.mass[1] == pytest.approx(product, rel=0.02)
    same = rows.memberships(groups, 3, Scatter.POOLED)
    np.testing.assert_allclose(same.scatter[0], found.scatter.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        rows.memberships(groups, 3, Scatter.DIAGONAL).scatter,
        np.einsum("kii->ki", found.scatter),
        rtol=1e-12,
    )


def test_start__from_labels_callables_and_means_leads_to_the_same_mixture():
    settings = {"tol": 1e-9, "max_iter": 2000}
    one = marginalizing(3, init_params=LABELS, **settings).fit(GAPS)

    def known(rows, n_components, rng):
        assert np.isnan(rows).any() and n_components == 3
        return np.eye(3)[LABELS]

    other = marginalizing(3, init_params=known, **settings).fit(GAPS)
    np.testing.assert_array_equal(one.means_, other.means_)
    third = marginalizing(3, means_init=one.means_, **settings).fit(GAPS)
    assert third.lower_bound_ == pytest.approx(one.lower_bound_, abs=1e-4)


def test_start__from_labels_of_a_group_without_values_in_a_column():
    rows = GAPS.copy()
    rows[LABELS == 2, 3] = np.nan
    rows = rows[~np.isnan(rows).all(axis=1)]
    labels = LABELS[
        ~np.isnan(np.where(LABELS[:, None] == 2, GAPS * [1, 1, 1, np.nan], GAPS)).all(1)
    ]
    found = marginalizing(3, init_params=labels, max_iter=20).fit(rows)
    assert np.isfinite(found.means_).all() and not found.degenerate_.any()


# ------------------------------------------------------------------------------ after the fit


FITTED = GaussianMixture(3, random_state=0, missing_values="marginalize").fit(GAPS)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "EEE"])
def test_densities__are_those_of_what_is_known(name):
    found = marginalizing(3, covariance_type=name).fit(GAPS)
    model = MODELS[name]()
    matrices = model.matrices(np.asarray(found.covariances_), 3, 4)
    logs = np.array(
        [observed_log_density(row, found.weights_, found.means_, matrices) for row in GAPS]
    )
    total = np.logaddexp.reduce(logs, axis=1)
    np.testing.assert_allclose(found.score_samples(GAPS), total, rtol=1e-10)
    np.testing.assert_allclose(found.predict_proba(GAPS), np.exp(logs - total[:, None]), atol=1e-10)
    np.testing.assert_array_equal(found.predict(GAPS), logs.argmax(axis=1))
    assert found.bic(GAPS) == pytest.approx(
        model.n_parameters(3, 4) * np.log(300) - 2 * total.sum(), rel=1e-12
    )


def test_rows_without_values__have_the_weights_and_count_as_absent():
    rows = np.vstack([GAPS, np.full(4, np.nan)])
    np.testing.assert_allclose(FITTED.predict_proba(rows)[-1], FITTED.weights_, rtol=1e-12)
    assert FITTED.predict(rows)[-1] == FITTED.weights_.argmax()
    assert FITTED.score_samples(rows)[-1] == pytest.approx(0.0, abs=1e-12)
    for measure in (FITTED.score, FITTED.bic, FITTED.icl):
        assert measure(rows) == pytest.approx(measure(GAPS), rel=1e-12)
    with pytest.warns(UserWarning, match="1 of 301 rows have no value; they are left out"):
        same = marginalizing(3).fit(rows)
    assert same.n_samples_seen_ == 300


def test_impute__means():
    means, known = FITTED.impute(GAPS), ~np.isnan(GAPS)
    np.testing.assert_array_equal(means[known], GAPS[known])
    np.testing.assert_array_equal(FITTED.impute(X), X)
    resp = FITTED.predict_proba(GAPS)
    components = list(zip(FITTED.means_, FITTED.covariances_, strict=True))
    for row in (3, 50, 200):
        own = [expected_row(GAPS[row], *component)[0] for component in components]
        np.testing.assert_allclose(means[row], resp[row] @ own, rtol=1e-9)


def test_impute__refuses_rows_elsewhere():
    with pytest.raises(TypeError, match="impute needs rows in memory; got Chunks"):
        FITTED.impute(gmmfast.chunks([GAPS]))


def test_impute__draws_vary_about_the_means():
    rows, rng, n = GAPS[:20], np.random.default_rng(0), 400
    lack = np.isnan(rows)
    draws = np.array(
        [FITTED.impute(rows, kind="sample", random_state=rng) for _ in range(n)]
    )  # fmt: skip
    assert (draws[:, ~lack] == rows[~lack]).all()
    spread = draws.std(axis=0)[lack]
    assert (spread > 0.1).all()
    errors = (draws.mean(axis=0) - FITTED.impute(rows))[lack] / (spread / np.sqrt(n))
    assert np.abs(errors).max() < 5


def test_impute__draws_where_a_feature_follows_from_another():
    covariances = [[[1.0, 1.0], [1.0, 1.0 + 1e-12]]]
    exact = GaussianMixture.from_parameters([1.0], [[0.0, 1.0]], covariances)
    drawn = exact.impute([[2.0, np.nan], [np.nan, 0.5]], kind="sample", random_state=0)
    np.testing.assert_allclose(drawn, [[2.0, 3.0], [-0.5, 0.5]], atol=1e-5)


def test_missing_values__of_frames_and_masks():
    expected, mask = FITTED.score_samples(GAPS), np.isnan(GAPS)
    frame = DataFrame(GAPS, columns=list("abcd")).convert_dtypes()
    assert frame.isna().to_numpy().sum() == mask.sum()
    columns = {n: pyarrow.array(GAPS[:, j], from_pandas=True) for j, n in enumerate("abcd")}
    kinds = np.ma.MaskedArray(X, mask), frame.to_numpy(object), frame, pyarrow.table(columns)
    for rows in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names
            np.testing.assert_allclose(FITTED.score_samples(rows), expected, rtol=1e-12)


def test_model_file__keeps_the_option(tmp_path):
    path = tmp_path / "model.npz"
    FITTED.save(path)
    loaded = gmmfast.load(path)
    assert loaded.missing_values == "marginalize"
    np.testing.assert_array_equal(loaded.predict(GAPS), FITTED.predict(GAPS))


def test_outliers__are_cut_by_the_known_values_of_the_fit():
    assert FITTED.is_outlier(GAPS, rate=0.05).sum() == 15


# ------------------------------------------------------------------------------------- errors


def test_errors__say_what_to_do():
    with pytest.raises(ValueError, match="or set missing_values='marginalize'"):
        GaussianMixture(2).fit(GAPS)
    with pytest.raises(ValueError, match="infinity"):
        marginalizing(2).fit(np.where(np.isnan(GAPS), np.inf, GAPS))
    empty = np.column_stack([GAPS, np.full(len(GAPS), np.nan)])
    with pytest.raises(ValueError, match="column 4 has none. Leave it out"):
        marginalizing(2).fit(empty)
    with pytest.raises(ValueError, match="missing_values"):
        GaussianMixture(2, missing_values="drop").fit(X)


def test_rows__masked_and_their_entropy():
    rows = IncompleteRows(GAPS, WEIGHTS)
    parameters = FITTED._parameters(rows.center)
    first = rows.masked(lambda start, n: np.arange(start, start + n) < 100)
    assert first.n_rows == 100 and first.weight == WEIGHTS[:100].sum()
    resp = FITTED.predict_proba(GAPS[:100])
    expected = -np.sum(WEIGHTS[:100, None] * resp * np.log(resp))
    assert first.entropy(parameters) == pytest.approx(expected, rel=1e-9)


def test_rows__a_sample_is_filled_in_and_keeps_what_is_known():
    rows = IncompleteRows(GAPS)
    rng = np.random.default_rng(0)
    points = rows.all_or_sample(50, rng).filled(rng)
    assert points.n_rows == 50 and np.isfinite(points.array).all()
    known = np.isin(points.array, GAPS).mean()
    assert 0.6 < known < 0.85  # about 0.7
