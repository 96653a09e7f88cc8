"""Trimming: the likelihood of all but the least likely rows."""

import warnings

import numpy as np
import pytest
from data import EVERY
from pandas import DataFrame
from reference import e_step
from scipy.optimize import linear_sum_assignment

from gmmfast import GaussianMixture, chunks, criteria, load
from gmmfast.rows.trimmed import kept_weights

pytestmark = pytest.mark.filterwarnings("ignore:Best performing")  # many are stopped by max_iter

N, N_OUTLIERS = 570, 30  # 5 %
CENTERS = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 12.0]])


def contaminated(kind, seed=0):
    """Rows of three groups and 5 % outliers at the end, and the means of the groups."""
    rng = np.random.default_rng(seed)
    labels = np.arange(N) % 3
    X = CENTERS[labels] + rng.normal(size=(N, 2)) * [1.0, 0.5]
    outliers = {
        "box": rng.uniform(-200, 200, size=(N_OUTLIERS, 2)),
        "clump": 80 + rng.normal(size=(N_OUTLIERS, 2)),
        "far": 1e6 * rng.normal(size=(N_OUTLIERS, 2)),
        "point": np.full((N_OUTLIERS, 2), 50.0),
    }
    return np.concatenate([X, outliers[kind]]), np.array([X[labels == k].mean(0) for k in range(3)])


X, MEANS = contaminated("box")
WEIGHTS = 1 + np.arange(len(X)) % 3


def fitted(X=X, weights=None, **changes):
    settings = {"trim": 0.05, "random_state": 0, "tol": 1e-6, "max_iter": 200}
    return GaussianMixture(3, **settings | changes).fit(X, sample_weight=weights)


def largest_shift(mixture, means=MEANS):
    """Distance of the farthest fitted mean from its own one."""
    apart = np.linalg.norm(means[:, None] - mixture.means_, axis=2)
    return apart[linear_sum_assignment(apart)].max()


# ------------------------------------------------------------------------------ which rows are kept


@pytest.mark.plain
@pytest.mark.parametrize("seed", range(8))
def test_kept_weights__leave_out_exactly_the_share_of_the_least_likely(seed):
    rng = np.random.default_rng(seed)
    n, trim = int(rng.integers(1, 80)), rng.choice([0.01, 0.1, 0.25, 0.49])
    log_density = rng.integers(0, [3, 1000][seed % 2], size=n).astype(float)  # ties in half of them
    weights = rng.choice([0.0, 1.0, 2.5, 40.0], size=n)
    weights[0] = 1.0
    kept = kept_weights(log_density, weights, trim)
    assert kept.sum() == pytest.approx((1 - trim) * weights.sum())
    assert ((kept >= 0) & (kept <= weights)).all()
    order = np.lexsort((np.arange(n), log_density))  # of ties the first are left out
    order = order[weights[order] > 0]
    shares = kept[order] / weights[order]
    assert (np.diff(shares) >= 0).all()
    assert ((shares > 0) & (shares < 1)).sum() <= 1


@pytest.mark.plain
def test_kept_weights__whole_rows_stay_whole():
    for n in range(1, 200):  # 0.07 * 100 is 7.000000000000001, and 0.29 * 100 is below 29
        kept = kept_weights(np.arange(100.0), np.ones(100), n / 400)
        np.testing.assert_allclose(kept[-(100 - -(-n // 4)) :], 1.0)
        assert set(kept.round(9)) <= {0.0, 0.25, 0.5, 0.75, 1.0}


# ------------------------------------------------------------------------------------------- fits


@pytest.mark.parametrize("kind", ["box", "clump", "far", "point"])
def test_fit__outliers_do_not_move_the_means(kind):
    rows, means = contaminated(kind)
    mixture = fitted(rows)
    assert largest_shift(mixture, means) < 0.05  # of standard deviations of 0.5 and 1
    np.testing.assert_array_equal(np.flatnonzero(mixture.trimmed_), np.arange(N, N + N_OUTLIERS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of components that collapse
        assert largest_shift(fitted(rows, trim=0.0, reg_covar=1e-3), means) > 1


@pytest.mark.parametrize("init_params", ["k-means++", "random_from_data", "hierarchical"])
def test_fit__all_starts_are_robust(init_params):
    assert largest_shift(fitted(init_params=init_params)) < 0.05


def test_fit__starts_on_a_sample_are_robust():
    rng = np.random.default_rng(0)
    many = np.concatenate([CENTERS[np.arange(9500) % 3] + rng.normal(size=(9500, 2))])
    many = np.concatenate([many, rng.uniform(-500, 500, size=(500, 2))])
    assert largest_shift(fitted(many), CENTERS) < 0.1


@pytest.mark.parametrize(
    ("covariance_type", "acceleration"), [*zip(EVERY, ["none", "auto"] * 9, strict=True)]
)
def test_fit__the_trimmed_likelihood_never_falls(covariance_type, acceleration):
    start = {"weights_init": [0.5, 0.3, 0.2], "means_init": X[[0, 3, 1]]}
    settings = {"covariance_type": covariance_type, "reg_covar": 0.0, "acceleration": acceleration}
    mixture = fitted(**settings, **start, max_iter=60, tol=1e-9)
    bounds = np.array(mixture.lower_bounds_)
    assert (np.diff(bounds) > -1e-11 * np.abs(bounds[1:])).all()
    assert len(bounds) > 3


@pytest.mark.plain
def test_fit__is_plain_em_on_the_rows_that_are_kept():
    rows = X[::6]
    weights, means, covariances = (
        np.full(3, 1 / 3),
        CENTERS + 0.5,
        np.tile(4 * np.eye(2), (3, 1, 1)),
    )
    start = {"weights_init": weights, "means_init": means}
    start["precisions_init"] = np.linalg.inv(covariances)
    mixture = fitted(rows, **start, max_iter=4, tol=0.0, reg_covar=0.0)
    for i in range(4):
        log_density, resp = e_step(rows, weights, means, covariances)
        kept = np.ones(len(rows))
        kept[np.argsort(log_density)[:5]] = 0.0  # 5 % of 100 rows
        assert mixture.lower_bounds_[i] == pytest.approx(log_density @ kept / 95)
        r = resp * kept[:, None]
        weights, means = r.sum(axis=0) / 95, r.T @ rows / r.sum(axis=0)[:, None]
        residuals = rows[:, None] - means
        covariances = np.einsum("nk,nki,nkj->kij", r, residuals, residuals)
        covariances /= r.sum(axis=0)[:, None, None]
    np.testing.assert_allclose(mixture.covariances_, covariances, rtol=1e-9)
    np.testing.assert_allclose(mixture.means_, means, rtol=1e-9)


def test_fit__integer_weights_repeat_rows():
    start = {"means_init": CENTERS, "tol": 1e-9}
    weighted = fitted(weights=WEIGHTS, **start)
    repeated = fitted(np.repeat(X, WEIGHTS, axis=0), **start)
    np.testing.assert_allclose(weighted.means_, repeated.means_, atol=1e-9)
    np.testing.assert_allclose(weighted.weights_, repeated.weights_)
    assert weighted.n_samples_seen_ == pytest.approx(0.95 * WEIGHTS.sum())
    assert weighted.bic(X, WEIGHTS) == pytest.approx(repeated.bic(np.repeat(X, WEIGHTS, axis=0)))


def test_fit__without_trimming_is_that_of_today():
    assert not hasattr(fitted(trim=0), "trimmed_")
    clean = X[:N]
    plain = GaussianMixture(3, random_state=0, tol=1e-6, max_iter=200).fit(clean)
    none = fitted(clean, trim=0.0)
    assert none.lower_bounds_ == plain.lower_bounds_
    np.testing.assert_array_equal(none.covariances_, plain.covariances_)


def test_fit__threads_do_not_change_a_bit_and_float32_hardly_does():
    one, two = fitted(n_jobs=1), fitted(n_jobs=2)
    np.testing.assert_array_equal(one.means_, two.means_)
    narrow = fitted(X.astype(np.float32))
    assert narrow.means_.dtype == np.float32
    np.testing.assert_allclose(narrow.means_, one.means_, atol=1e-4)
    np.testing.assert_array_equal(narrow.trimmed_, one.trimmed_)


@pytest.mark.parametrize("sentinel", [1e20, 1e200, 1e300])
def test_fit__placeholders_of_any_size_are_left_out(sentinel):
    rows = X.copy()
    rows[N:] = [sentinel, -sentinel]
    mixture = fitted(rows)
    assert largest_shift(mixture) < 0.05
    assert mixture.trimmed_[N:].all()
    assert np.isfinite([mixture.bic(rows), mixture.icl(rows), mixture.score(rows)]).all()


def test_fit__from_labels_and_from_an_earlier_fit():
    labels = np.minimum(np.arange(len(X)), N - 1) % 3
    labels[N:] = 0  # the first M step takes all rows
    mixture = fitted(init_params=labels)
    assert largest_shift(mixture) < 0.05
    n_iter = mixture.n_iter_
    assert mixture.set_params(warm_start=True).fit(X).n_iter_ < n_iter


def test_fit__with_a_bounded_ratio():
    mixture = fitted(covariance_ratio=2.0)
    eigenvalues = np.linalg.eigvalsh(mixture.covariances_)
    assert eigenvalues.max() == pytest.approx(2 * eigenvalues.min())
    assert largest_shift(mixture) < 0.05


# ---------------------------------------------------------------------- the use of a fitted mixture


def test_criteria__are_of_the_rows_that_are_kept():
    mixture = fitted(tol=1e-9)
    kept = np.sort(mixture.score_samples(X))[N_OUTLIERS:]
    assert mixture.score(X) == pytest.approx(kept.mean())
    assert mixture.score(X) == pytest.approx(mixture.lower_bound_, abs=1e-6)
    assert mixture.bic(X) == pytest.approx(criteria.bic(kept.sum(), 17, N))
    assert mixture.aic(X) == pytest.approx(criteria.aic(kept.sum(), 17))
    largest = mixture.predict_proba(X).max(axis=1)[~mixture.trimmed_]
    doubt = criteria.doubt(largest, np.ones(N))
    assert mixture.icl(X) == pytest.approx(criteria.icl(mixture.bic(X), doubt))
    assert "600 rows, 5 % left out" in mixture.summary(X)


def test_outliers__are_judged_by_the_rows_that_are_kept():
    mixture = fitted()
    found = mixture.is_outlier(X, rate=0.01)
    assert found[N:].all()
    assert 0 < found[:N].sum() < 12


def test_predict__labels_trimmed_rows_like_all_others():
    mixture = fitted(DataFrame(X, columns=["a", "b"]))
    labels = mixture.predict(DataFrame(X, columns=["a", "b"]))
    assert set(labels[mixture.trimmed_]) <= {0, 1, 2}


def test_save__keeps_the_share_but_not_the_rows(tmp_path):
    fitted().save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert loaded.trim == 0.05
    assert not hasattr(loaded, "trimmed_")
    assert loaded.score(X) == fitted().score(X)
    assert not hasattr(fitted().set_params(trim=0).fit(X[:N]), "trimmed_")


def test_resume__reaches_the_same_end(tmp_path):
    path, start = tmp_path / "fit.npz", {"means_init": X[[0, 3, 1]], "tol": 1e-9}
    whole = fitted(**start)
    interrupted = GaussianMixture(3, trim=0.05, random_state=0, max_iter=200, **start)
    interrupted.fit(X, callback=lambda i, _: i == 3, checkpoint=path)
    with pytest.raises(ValueError, match=r"trim=0\.05; got 0\.1"):
        GaussianMixture.resume(path).set_params(trim=0.1).fit(X)
    resumed = GaussianMixture.resume(path).fit(X)
    np.testing.assert_allclose(resumed.means_, whole.means_, rtol=1e-9)
    np.testing.assert_array_equal(resumed.trimmed_, whole.trimmed_)


# ------------------------------------------------------------------------------------------ errors


def test_trim__what_it_does_not_go_with():
    with pytest.raises(ValueError, match="complete rows in memory"):
        fitted(chunks([X, X]))
    gaps = X.copy()
    gaps[0, 0] = np.nan
    with pytest.raises(ValueError, match="complete rows in memory"):
        fitted(gaps, missing_values="marginalize")
    with pytest.raises(ValueError, match="complete rows in memory"):
        fitted().score(chunks([X, X]))
    with pytest.raises(ValueError, match="partial_fit sees each row once"):
        GaussianMixture(3, trim=0.05).partial_fit(X)


@pytest.mark.parametrize("trim", [-0.1, 0.5, 1, np.nan, "0.1", None])
def test_trim__is_refused_out_of_range(trim):
    with pytest.raises(ValueError, match=r"'trim' parameter .* range \[0\.0, 0\.5\)"):
        fitted(trim=trim)
