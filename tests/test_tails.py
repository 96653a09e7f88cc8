"""Components with t distributions: as their definition says, wherever rows lie."""

from dataclasses import replace

import numpy as np
import pytest
import reference
from data import EVERY, TYPES, copies_of, mixture, random_start
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, logsumexp
from scipy.stats import kstest, multivariate_t, t

from gmmfast import GaussianMixture, GaussianMixtureIC, Prior, chunks, from_dict, load
from gmmfast.errors import InvalidParameterError
from gmmfast.kernels.compiling import entry_kernel
from gmmfast.kernels.degrees import FEWEST, MOST, solve_degrees
from gmmfast.models import MODELS
from gmmfast.parameters import Scatter
from gmmfast.rows import MemoryRows
from gmmfast.tails import log_less_digamma, log_normalizer

LIMITS = [0.3, 1.0, 4.5, 30.0, 1e4, 1e10]


@entry_kernel
def estimate(surplus):
    return solve_degrees(surplus)


def heavy(n=120, d=2, degrees=4.0, seed=0):
    """Rows of two t distributions."""
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((n, d)) / np.sqrt(rng.chisquare(degrees, n) / degrees)[:, None]
    return draws + np.where(np.arange(n) % 2, 4.0, -4.0)[:, None]


def fitted(X, **params):
    own = {"reg_covar": 0, "tol": 1e-9, "max_iter": 500, "random_state": 0, "component": "t"}
    return GaussianMixture(**{"n_components": 2, **own, **params}).fit(X)


# ------------------------------------------------------------------------------------------ terms


@pytest.mark.plain
@pytest.mark.parametrize("degrees", LIMITS[:-1])
@pytest.mark.parametrize("d", [1, 7, 60])
def test_log_normalizer__is_that_of_gamma_functions(degrees, d):
    half = degrees / 2
    expected = gammaln(half + d / 2) - gammaln(half) - d / 2 * np.log(degrees * np.pi)
    assert log_normalizer(degrees, d) == pytest.approx(expected, rel=1e-12, abs=1e-10)


@pytest.mark.plain
def test_log_normalizer__of_many_degrees_is_the_normal_one():
    assert log_normalizer(1e14, 5) == pytest.approx(-2.5 * np.log(2 * np.pi), rel=1e-13)


@pytest.mark.plain
@pytest.mark.parametrize("y", [0.05, 0.9, 3.0, 16.0, 200.0])
def test_log_less_digamma__and_its_slope(y):
    value, slope = log_less_digamma(y)
    assert value == pytest.approx(np.log(y) - digamma(y), rel=1e-12)
    step = 1e-4 * y
    rise = log_less_digamma(y + step)[0] - log_less_digamma(y - step)[0]
    assert slope == pytest.approx(rise / (2 * step), rel=1e-6)


@pytest.mark.parametrize("degrees", [1.0, 2.5, 9.0, 120.0, 999.0])
def test_degrees__solve_their_equation(degrees):
    surplus = log_less_digamma(degrees / 2)[0]
    assert estimate(surplus) == pytest.approx(degrees, rel=1e-9)


@pytest.mark.plain
@pytest.mark.parametrize(("surplus", "degrees"), [(5.0, FEWEST), (1e-9, MOST), (-1.0, MOST)])
def test_degrees__stay_within_bounds(surplus, degrees):
    assert estimate(surplus) == degrees


# -------------------------------------------------------------------------------------- densities


@pytest.mark.plain
@pytest.mark.parametrize("kind", ["full", "diag"])
def test_t__densities_of_its_definition(kind):
    """Rows far away included, with few and many degrees of freedom."""
    X = np.vstack([heavy(60), [[300.0, -5.0], [1e9, 1e9]]])
    weights, means, scales, _ = random_start(X[:60], 2, kind)
    given = scales if kind == "full" else np.einsum("kii->ki", scales)
    found = GaussianMixture.from_parameters(
        weights, means, given, covariance_type=kind, component="t", degrees_of_freedom=3.0
    )
    found.degrees_of_freedom_ = np.array([1.5, 60.0])
    scales = reference.full_covariances(given, 2, 2)
    own = weights, means, scales, found.degrees_of_freedom_
    joint = reference.t_log_prob(X, *own)
    expected = logsumexp(joint, axis=1)
    np.testing.assert_allclose(found.score_samples(X), expected, rtol=1e-11)
    resp = np.exp(joint - expected[:, None])
    np.testing.assert_allclose(found.predict_proba(X), resp, atol=1e-12)
    np.testing.assert_array_equal(found.predict(X), joint.argmax(axis=1))


@pytest.mark.parametrize(("d", "n_components"), [(3, 5), (9, 20)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_t__sums_of_a_pass(d, n_components, dtype):
    """Sorted and pruned, near and far components, with few and many degrees of freedom."""
    X, _ = mixture(3000, d, n_components, separation=8.0)
    X = X.astype(dtype)
    weights, means, matrices, _ = random_start(X.astype(float), n_components, "full")
    degrees = np.geomspace(1.5, 200, n_components)
    plain = MODELS["full"]().parameters(weights, means, matrices)
    parameters = replace(plain, degrees=degrees)
    rows = MemoryRows(X, center=np.zeros(d))
    bound, *_, count, surplus = reference.t_step(X.astype(float), weights, means, matrices, degrees)
    residuals = X.astype(float)[:, None] - means
    distance = np.einsum("nki,kij,nkj->nk", residuals, np.linalg.inv(matrices), residuals)
    joint = reference.t_log_prob(X.astype(float), weights, means, matrices, degrees)
    latent = (degrees + d) / (degrees + distance)
    resp = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    expected = reference.moments(X.astype(float), resp * latent, means, np.ones(len(X)))
    rtol = 1e-9 if dtype == np.float64 else 2e-3
    for own in (rows, rows.arranged_for(parameters)):
        found = own.expectation(parameters, Scatter.FULL)
        assert found.log_likelihood / len(X) == pytest.approx(bound, rel=rtol)
        np.testing.assert_allclose(found.tails[0], count, rtol=rtol)
        ours = found.mass - found.tails[1] - found.tails[0]
        np.testing.assert_allclose(ours, surplus, rtol=rtol, atol=rtol * len(X))
        moved = found.about(means)
        for ours, theirs in zip((moved.mass, moved.first, moved.scatter), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())


@pytest.mark.plain
def test_t__of_many_degrees_is_gaussian():
    X = heavy(60, degrees=30.0)
    start = {"tol": 1e-5}
    plain = fitted(X, component="gaussian", **start)
    found = fitted(X, degrees_of_freedom=1e12, **start)
    np.testing.assert_allclose(found.means_, plain.means_, rtol=1e-8)
    np.testing.assert_allclose(found.covariances_, plain.covariances_, rtol=1e-8)
    np.testing.assert_allclose(found.score_samples(X), plain.score_samples(X), rtol=1e-8)


# ------------------------------------------------------------------------------------------- fits


@pytest.mark.parametrize("degrees", [3.0, "common", "own"])
def test_t__steps_are_those_of_the_reference(degrees):
    X, weight = heavy(90), np.random.default_rng(1).integers(1, 4, 90).astype(float)
    weights, means, scales, init = random_start(X, 2, "full")
    nu = np.full(2, 3.0 if degrees == 3.0 else 10.0)
    bounds = []
    for _ in range(6):
        bound, weights, means, scales, count, surplus = reference.t_step(
            X, weights, means, scales, nu, weight
        )
        bounds.append(bound)
        if degrees == "own":
            nu = np.array([reference.likely_degrees(own) for own in surplus / count])
        elif degrees == "common":
            nu[:] = reference.likely_degrees(surplus.sum() / count.sum())
    params = {"component": "t", "degrees_of_freedom": degrees, "reg_covar": 0, "tol": 0}
    found = GaussianMixture(2, max_iter=6, **params, **init)
    with pytest.warns(match="did not converge"):
        found.fit(X, sample_weight=weight)
    np.testing.assert_allclose(found.lower_bounds_, bounds, rtol=1e-10)
    np.testing.assert_allclose(found.means_, means, rtol=1e-9)
    np.testing.assert_allclose(found.covariances_, scales, rtol=1e-9)
    np.testing.assert_allclose(found.degrees_of_freedom_, nu, rtol=1e-8)


def observed_likelihood(X, values, degrees=None):
    """Log-likelihood of one t distribution, of the values that are there."""
    d = X.shape[1]
    root = np.zeros((d, d))
    root[np.tril_indices(d)] = values[d : d + d * (d + 1) // 2]
    scale, nu = root @ root.T, np.exp(values[-1]) if degrees is None else degrees
    total = 0.0
    for pattern in np.unique(~np.isnan(X), axis=0):
        own = X[(~np.isnan(X) == pattern).all(axis=1)][:, pattern]
        if pattern.any():
            part = scale[np.ix_(pattern, pattern)]
            total += multivariate_t(values[:d][pattern], part, df=nu).logpdf(own).sum()
    return total / len(X)


@pytest.mark.plain
@pytest.mark.parametrize("lacks", [False, True])
@pytest.mark.parametrize("degrees", [3.0, "common"])
def test_t__one_component_maximizes_the_likelihood(lacks, degrees):
    """Held against a general optimizer, also where values are missing."""
    X = heavy(60, 2, 3.0) @ np.array([[1.0, 0.6], [0.0, 1.0]])
    X[1::2] -= X[1::2].mean(axis=0) - X[::2].mean(axis=0)
    if lacks:
        lacking = np.random.default_rng(3).uniform(size=X.shape) < 0.2
        X[lacking & ~lacking.all(axis=1, keepdims=True)] = np.nan
    params = {"n_components": 1, "tol": 1e-13, "max_iter": 3000, "missing_values": "marginalize"}
    found = fitted(X, degrees_of_freedom=degrees, acceleration="auto", **params)
    root = np.linalg.cholesky(found.covariances_[0])
    own = np.concatenate([found.means_[0], root[np.tril_indices(2)]])
    own = np.append(own, np.log(found.degrees_of_freedom_[0]))
    given = None if degrees == "common" else degrees
    start = own + np.array([0.3, -0.2, 0.2, 0.1, 0.2, 0.4])
    best = minimize(lambda v: -observed_likelihood(X, v, given), start, tol=1e-12)
    assert found.lower_bound_ == pytest.approx(observed_likelihood(X, own, given), rel=1e-9)
    assert found.lower_bound_ >= -best.fun - 1e-9
    rest = slice(None) if given is None else slice(-1)
    np.testing.assert_allclose(own[rest], best.x[rest], atol=2e-4)


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize("kind", EVERY)
def test_t__likelihood_never_falls(kind):
    X = heavy(200, 3, 3.0, seed=2)
    *_, params = random_start(X, 2, kind)
    params["degrees_of_freedom"] = ["own", "common", 2.5][EVERY.index(kind) % 3]
    params["means_init"] = [[-3.0, -3.0, -3.0], [3.0, 3.0, 3.0]]
    for acceleration in ("none", "auto"):
        own = {"acceleration": acceleration, "max_iter": 60}
        found = fitted(X, covariance_type=kind, **own, **params)
        assert np.diff(found.lower_bounds_).min() > -1e-11
        assert np.abs(np.sort(found.means_[:, 0]) - [-4, 4]).max() < 0.5


@pytest.mark.parametrize(("kind", "degrees"), [("full", "own"), ("tied", "common")])
def test_t__acceleration_ends_at_the_same_optimum(kind, degrees):
    X = heavy(300, seed=1)
    *_, params = random_start(X, 2, kind)
    params |= {"covariance_type": kind, "degrees_of_freedom": degrees, "tol": 1e-12}
    plain = fitted(X, max_iter=5000, **params)
    fast = fitted(X, acceleration="auto", **params)
    assert fast.n_iter_ < plain.n_iter_
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-8)
    np.testing.assert_allclose(fast.means_, plain.means_, atol=1e-4)


@pytest.mark.plain
def test_t__with_a_prior_never_lowers_its_objective():
    found = fitted(heavy(40), prior=Prior(), degrees_of_freedom="own", tol=1e-5)
    assert np.diff(found.lower_bounds_).min() > -1e-11


@pytest.mark.parametrize(
    ("params", "far"),
    [({"degrees_of_freedom": 4}, 200), ({}, 200), ({"degrees_of_freedom": "own"}, 200), ({}, 1e4)],
)
def test_t__means_stay_where_outliers_move_gaussian_ones(params, far):
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(400, 2)) + np.where(np.arange(400) % 2, 4.0, -4.0)[:, None]
    X = np.vstack([clean, rng.uniform(-far, far, size=(20, 2))])

    def moved(mixture):
        centers = [own.mean(axis=0) for own in (clean[::2], clean[1::2])]
        return np.abs(mixture.means_[mixture.means_[:, 0].argsort()] - centers).max()

    assert moved(fitted(X, component="gaussian")) > 1
    assert moved(fitted(X, acceleration="auto", **params)) < 0.1


# ---------------------------------------------------------------------------------- missing values


@pytest.mark.plain
def test_t__missing_values_leave_the_density_of_known_ones():
    X, full = heavy(40), heavy(40)
    X[::3, 1] = np.nan
    found = fitted(X, degrees_of_freedom=3.0, missing_values="marginalize", tol=1e-3)
    parts = zip(found.weights_, found.means_, found.covariances_, strict=True)
    own = [w * t(3.0, m[0], np.sqrt(s[0, 0])).pdf(full[::3, 0]) for w, m, s in parts]
    np.testing.assert_allclose(found.score_samples(X)[::3], np.log(np.sum(own, axis=0)), rtol=1e-10)


@pytest.mark.plain
@pytest.mark.parametrize("kind", TYPES)
def test_t__a_step_with_missing_values(kind):
    """Against sums over rows: the conditional mean of each, and what its covariance adds."""
    X, lacks = heavy(40, 3), np.random.default_rng(5).uniform(size=(40, 3)) < 0.25
    lacks[lacks.all(axis=1)] = False
    weights, means, scales, init = random_start(X, 2, kind)
    nu = np.array([10.0, 10.0])
    known = np.where(lacks, np.nan, X)
    log_joint, latent, logs = np.empty((40, 2)), np.empty((40, 2)), np.empty((40, 2))
    filled, extra = np.empty((40, 2, 3)), np.zeros((40, 2, 3, 3))
    for i, k in np.ndindex(40, 2):
        o, m = ~lacks[i], lacks[i]
        S, r = scales[k], X[i, o] - means[k, o]
        slope = S[np.ix_(m, o)] @ np.linalg.inv(S[np.ix_(o, o)])
        delta = r @ np.linalg.solve(S[np.ix_(o, o)], r)
        density = multivariate_t(means[k, o], S[np.ix_(o, o)], df=nu[k])
        log_joint[i, k] = np.log(weights[k]) + density.logpdf(X[i, o])
        latent[i, k] = (nu[k] + o.sum()) / (nu[k] + delta)
        logs[i, k] = digamma((nu[k] + o.sum()) / 2) - np.log((nu[k] + delta) / 2)
        filled[i, k, o], filled[i, k, m] = X[i, o], means[k, m] + slope @ r
        extra[i, k][np.ix_(m, m)] = S[np.ix_(m, m)] - slope @ S[np.ix_(o, m)]
    resp = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
    pull, count = resp * latent, resp.sum(axis=0)
    centers = np.einsum("nk,nkd->kd", pull, filled) / pull.sum(axis=0)[:, None]
    residuals = filled - centers
    scatter = np.einsum("nk,nki,nkj->kij", pull, residuals, residuals)
    scatter += np.einsum("nk,nkij->kij", resp, extra)
    own = {"tied": scatter.sum(axis=0) / 40, "full": scatter / count[:, None, None]}
    variances = np.einsum("kii->ki", scatter) / count[:, None]
    own |= {"diag": variances, "spherical": variances.mean(axis=1)}
    surplus = (resp * (latent - logs - 1)).sum(axis=0) / count
    params = {"component": "t", "degrees_of_freedom": "own", "missing_values": "marginalize"}
    with pytest.warns(match="did not converge"):
        found = GaussianMixture(
            2, covariance_type=kind, max_iter=1, tol=0, reg_covar=0, **params, **init
        ).fit(known)
    np.testing.assert_allclose(found.weights_, count / 40, rtol=1e-10)
    np.testing.assert_allclose(found.means_, centers, rtol=1e-9)
    np.testing.assert_allclose(found.covariances_, own[kind], rtol=1e-9, atol=1e-12)
    expected = [np.clip(reference.likely_degrees(each), FEWEST, MOST) for each in surplus]
    np.testing.assert_allclose(found.degrees_of_freedom_, expected, rtol=1e-7)


@pytest.mark.plain
def test_t__draws_of_missing_values_vary_with_the_distance():
    one = GaussianMixture.from_parameters(
        [1.0], [[0.0, 0.0]], [[[1.0, 0.6], [0.6, 1.0]]], component="t", degrees_of_freedom=4.0
    )
    rows = np.tile([[5.0, np.nan]], (2000, 1))
    drawn = one.impute(rows, kind="sample", random_state=0)[:, 1]
    scale = np.sqrt((4 + 25) / (4 + 1) * (1 - 0.36))
    assert kstest((drawn - 3.0) / scale, t(5.0).cdf).pvalue > 1e-3


# ------------------------------------------------------------------------ samples, criteria, files


@pytest.mark.plain
def test_t__samples_have_heavy_tails():
    mixture = GaussianMixture.from_parameters(
        [0.4, 0.6], [[0.0], [100.0]], [[[4.0]], [[1.0]]], component="t", degrees_of_freedom=3.0
    )
    X, y = mixture.set_params(random_state=0).sample(4000)
    assert kstest(X[y == 0, 0] / 2, t(3.0).cdf).pvalue > 1e-3
    assert kstest(X[y == 1, 0] - 100, t(3.0).cdf).pvalue > 1e-3


@pytest.mark.plain
@pytest.mark.parametrize(("degrees", "count"), [(4.0, 0), ("common", 1), ("own", 2)])
def test_t__criteria_count_estimated_degrees(degrees, count):
    X = heavy(60)
    found = fitted(X, degrees_of_freedom=degrees, tol=1e-2)
    n_parameters = 2 * 3 + 2 * 2 + 1 + count
    expected = n_parameters * np.log(60) - 2 * 60 * found.score(X)
    assert found.bic(X) == pytest.approx(expected, rel=1e-12)


@pytest.mark.plain
def test_t__is_kept_in_files(tmp_path):
    X = heavy(60)
    found = fitted(X, degrees_of_freedom="own", tol=1e-3)
    for same in copies_of(found, tmp_path):
        np.testing.assert_array_equal(same.score_samples(X), found.score_samples(X))
        np.testing.assert_array_equal(same.degrees_of_freedom_, found.degrees_of_freedom_)
        assert same.bic(X) == found.bic(X)
    with pytest.raises(ValueError, match="Gaussian components; got t"):
        found.to_sklearn()


@pytest.mark.plain
@pytest.mark.parametrize("acceleration", ["none", "auto"])
def test_t__resumes_from_a_checkpoint(tmp_path, acceleration):
    X, path = heavy(60), tmp_path / "fit.npz"
    params = {"degrees_of_freedom": "own", "acceleration": acceleration, "tol": 1e-5}
    expected = fitted(X, **params)
    own = {"reg_covar": 0, "random_state": 0, "component": "t", "max_iter": 500, **params}
    GaussianMixture(2, **own).fit(X, checkpoint=path, callback=lambda i, _: i == 3)
    resumed = GaussianMixture.resume(path)
    assert resumed.degrees_of_freedom_.shape == (2,)
    resumed.fit(X)
    np.testing.assert_allclose(resumed.degrees_of_freedom_, expected.degrees_of_freedom_, rtol=1e-6)
    assert resumed.n_iter_ == expected.n_iter_
    with pytest.raises(ValueError, match="a fit with component='t'; got 'gaussian'"):
        other = {"component": "gaussian", "degrees_of_freedom": "common"}
        GaussianMixture.resume(path).set_params(**other).fit(X)


@pytest.mark.plain
def test_t__of_a_mixture_that_goes_on():
    X = heavy(60, degrees=2.0)
    params = {"degrees_of_freedom": "own", "acceleration": "auto"}
    whole = fitted(X, **params, tol=1e-7)
    again = fitted(X, **params, tol=1e-2, warm_start=True).set_params(tol=1e-7).fit(X)
    np.testing.assert_allclose(again.degrees_of_freedom_, whole.degrees_of_freedom_, rtol=1e-2)
    plain = again.set_params(component="gaussian", degrees_of_freedom="common", tol=1e-2).fit(X)
    assert not hasattr(plain, "degrees_of_freedom_")
    heavier = plain.set_params(component="t", degrees_of_freedom=2.0).fit(X)
    np.testing.assert_array_equal(heavier.degrees_of_freedom_, 2.0)


@pytest.mark.plain
def test_t__learns_from_a_stream(tmp_path):
    """A whole step with the same rows is a step of EM; a file keeps the stream."""
    X = heavy(60)
    first = fitted(X, degrees_of_freedom="own", tol=1e-3)
    with pytest.warns(match="did not converge"):
        step = from_dict(first.to_dict()).set_params(warm_start=True, max_iter=1, tol=0).fit(X)
    stream = from_dict(first.to_dict()).partial_fit(X, forgetting=1 - 1e-12)
    np.testing.assert_allclose(stream.means_, step.means_, rtol=1e-9)
    np.testing.assert_allclose(stream.covariances_, step.covariances_, rtol=1e-9)
    np.testing.assert_allclose(stream.degrees_of_freedom_, step.degrees_of_freedom_, rtol=1e-9)
    stream.save(tmp_path / "stream.npz")
    kept = load(tmp_path / "stream.npz").partial_fit(X[30:])
    expected = stream.partial_fit(X[30:]).degrees_of_freedom_
    np.testing.assert_array_equal(kept.degrees_of_freedom_, expected)


@pytest.mark.plain
@pytest.mark.parametrize("component", ["gaussian", "t"])
def test_t__a_stream_keeps_its_component(component):
    mixture = fitted(heavy(30), component=component, tol=1e-2)
    mixture.set_params(component={"gaussian": "t", "t": "gaussian"}[component])
    with pytest.raises(ValueError, match="Set it back, or start with a new mixture"):
        mixture.partial_fit(heavy(30))


# ------------------------------------------------------------------------- wherever the rows lie


def test_t__weights_repeat_rows_and_pieces_are_the_rows():
    X, weights = heavy(300), np.random.default_rng(0).integers(0, 3, 300)
    _, _, _, init = random_start(X, 2, "full", seed=1)
    own = {"reg_covar": 0, "tol": 1e-8, "max_iter": 300, "component": "t", **init}
    own["degrees_of_freedom"] = "own"
    repeated = np.repeat(X, weights, axis=0)
    expected = GaussianMixture(2, **own).fit(repeated)
    weighted = GaussianMixture(2, **own).fit(X, sample_weight=weights)
    pieces = GaussianMixture(2, **own).fit(chunks([repeated[:100], repeated[100:]]))
    for found in (weighted, pieces):
        np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-9)
        np.testing.assert_allclose(
            found.degrees_of_freedom_, expected.degrees_of_freedom_, rtol=1e-7
        )
    narrow = GaussianMixture(2, **{**own, "tol": 1e-5}).fit(repeated.astype(np.float32))
    np.testing.assert_allclose(narrow.means_, expected.means_, rtol=1e-2, atol=1e-2)


def test_t__search_finds_the_groups(tmp_path):
    X = heavy(400, degrees=3.0, seed=3)
    params = {"covariance_types": ["EVV", "VVV"], "random_state": 0}
    found = GaussianMixtureIC([1, 2, 3], component="t", **params).fit(X)
    assert (found.best_n_components_, found.best_covariance_type_) == (2, "EVV")
    direct = fitted(X, covariance_type="EVV", acceleration="auto", tol=1e-8)
    degrees = found.best_estimator_.degrees_of_freedom_
    np.testing.assert_allclose(degrees, direct.degrees_of_freedom_, rtol=1e-2)
    best = found.results_[found.results_.ranking("bic")[0]]
    assert best["n_parameters"] == 5 + 4 + 1 + 1
    assert best["bic"] == pytest.approx(found.bic(X), rel=1e-9)
    without = GaussianMixtureIC([1, 2, 3], **params).fit(X)
    assert without.bic(X) > found.bic(X)


@pytest.mark.parametrize("extra", [{"component": "t"}, {"noise": True}])
def test_search__twins_of_one_component_have_their_noise_and_degrees(extra, tmp_path):
    X = heavy(60)
    params = {"covariance_types": ["EEE", "VVV", "EVV"], "random_state": 0, "tol": 1e-3, **extra}
    found = GaussianMixtureIC([1], **params).fit(X, checkpoint=tmp_path / "search.npz")
    for row in found.results_:
        twin = found.estimator(1, str(row["covariance_type"]))
        assert twin.bic(X) == pytest.approx(row["bic"], abs=1e-6)


def test_t__search_resumes_from_a_checkpoint(tmp_path):
    X = heavy(400, degrees=3.0, seed=3)
    params = {"covariance_types": ["EVV", "VVV"], "random_state": 0}
    found = GaussianMixtureIC([1, 2, 3], component="t", **params).fit(X)
    path = tmp_path / "search.npz"
    GaussianMixtureIC([1, 2], component="t", **params).fit(X, checkpoint=path)
    resumed = GaussianMixtureIC.resume(path)
    np.testing.assert_array_equal(resumed.predict(X), found.predict(X))
    resumed.set_params(n_components=[1, 2, 3]).fit(X)
    np.testing.assert_array_equal(resumed.results_["bic"], found.results_["bic"])


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.plain
@pytest.mark.parametrize("degrees", [0.0, -1, "all", None, np.inf, np.nan, True])
def test_t__degrees_out_of_range(degrees):
    with pytest.raises(InvalidParameterError, match="a positive float, 'common' or 'own'. Got"):
        GaussianMixture(2, component="t", degrees_of_freedom=degrees).fit(heavy(30))


@pytest.mark.plain
@pytest.mark.parametrize("kind", [GaussianMixture, GaussianMixtureIC])
def test_t__degrees_without_tails(kind):
    with pytest.raises(ValueError, match="Gaussian components have no degrees of freedom"):
        kind(2, degrees_of_freedom=4.0).fit(heavy(30))
