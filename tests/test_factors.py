"""Factor analyzers: covariances of few factors, in time linear in the columns."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
from data import copies_of, load_unnamed, refusal
from extended import L, inverse_cholesky
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.decomposition import FactorAnalysis

from gmmfast import (
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    Prior,
    chunks,
    em,
    from_dict,
    inference,
)
from gmmfast.cli import main
from gmmfast.em.factors import principal
from gmmfast.kernels.filters import BLOCK, filter_shape, set_filters
from gmmfast.kernels.separation import separated
from gmmfast.models.factors import FactorAnalyzers, smallest_eigenvalue
from gmmfast.parameters import Scatter
from gmmfast.rows import MemoryRows

SHAPES = [(2, 1, 1), (5, 1, 2), (7, 2, 3), (9, 4, 2), (13, 5, 2)]  # d, q, K


def drawn(d, q, K, n=300, seed=0, apart=2.0):
    """Rows of a mixture of factor analyzers, and another one near it."""
    rng = np.random.default_rng(seed)
    loadings, variances = rng.normal(size=(K, q, d)), rng.uniform(0.2, 1.0, size=(K, d))
    means, labels = rng.normal(size=(K, d)) * apart, np.arange(n) % K
    noise = rng.normal(size=(n, d)) * np.sqrt(variances[labels])
    X = means[labels] + np.einsum("nq,nqd->nd", rng.normal(size=(n, q)), loadings[labels]) + noise
    model = FactorAnalyzers(q, is_common=False)
    own = means + 0.1, variances * 1.3, loadings + 0.1 * rng.normal(size=loadings.shape)
    return SimpleNamespace(X=X, model=model, own=own, rows=MemoryRows(X), K=K, d=d, q=q)


def start_of(case, model=None):
    """A mixture near that of the rows, about their center."""
    means, variances, loadings = case.own
    if model is not None and model.is_common:
        variances = np.broadcast_to(variances.mean(axis=0), variances.shape)
    own = np.full(case.K, 1 / case.K), means - case.rows.center, variances, loadings
    return (model or case.model).of_loadings(*own)


def log_densities(X, parameters):
    matrices = parameters.matrices()
    own = zip(parameters.means, matrices, strict=True)
    found = np.column_stack([multivariate_normal(*each).logpdf(X).reshape(-1) for each in own])
    return found + np.log(parameters.weights)


def step(X, weights, parameters, model):
    """One step of EM for factor analyzers, with whole matrices; also the log-likelihood."""
    log_prob = log_densities(X, parameters)
    log_density = logsumexp(log_prob, axis=1)
    resp = np.exp(log_prob - log_density[:, None]) * weights[:, None]
    mass = resp.sum(axis=0)
    means = resp.T @ X / mass[:, None]
    loadings, variances = [], []
    for k, old in enumerate(parameters.loadings):
        residuals = X - means[k]
        scatter = residuals.T @ (residuals * resp[:, [k]]) / mass[k]
        scatter += model.reg_covar * np.eye(X.shape[1])
        regression = old @ np.linalg.inv(parameters.matrices()[k])
        left = np.eye(len(old)) - regression @ old.T + regression @ scatter @ regression.T
        new = np.linalg.solve(left, regression @ scatter)
        loadings.append(new)
        variances.append(np.diagonal(scatter - new.T @ regression @ scatter))
    variances = np.array(variances)
    if model.is_common:
        variances[...] = mass @ variances / mass.sum()
    new = model.of_loadings(mass / mass.sum(), means, variances, np.array(loadings))
    return weights @ log_density, new


# ----------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize(("d", "q", "K"), SHAPES)
def test_density__is_that_of_the_covariances(d, q, K):
    case = drawn(d, q, K)
    parameters = start_of(case)
    found = case.rows.expectation(parameters, Scatter.DIAGONAL)
    expected = logsumexp(log_densities(case.X - case.rows.center, parameters), axis=1).sum()
    assert found.log_likelihood == pytest.approx(expected, rel=1e-12)
    assert_allclose(parameters.log_dets, np.linalg.slogdet(parameters.matrices())[1], rtol=1e-12)


@pytest.mark.plain
def test_filter__is_the_inverse_cholesky_factor():
    d, q = 7, 3
    rng = np.random.default_rng(1)
    loading, variances = rng.normal(size=(q, d)), rng.uniform(0.1, 1, size=d)
    filters, log_dets = np.empty(filter_shape(1, q, d)), np.empty(1)
    set_filters(loading[None], variances[None], filters, log_dets, np.empty((2, q)))
    covariance = loading.T @ loading + np.diag(variances)
    assert log_dets[0] == pytest.approx(np.linalg.slogdet(covariance)[1], rel=1e-12)
    root = filters[0, d:, :q]
    posterior = np.linalg.inv(np.eye(q) + loading / variances @ loading.T)
    assert_allclose(root @ root.T, posterior, rtol=1e-11, atol=1e-13)
    # the innovations of a unit vector are a column of the inverse Cholesky factor
    own, expected = filters[0], np.linalg.inv(np.linalg.cholesky(covariance))
    for j, residual in enumerate(np.eye(d)):
        scores, found = np.zeros(q), []
        for begin in (0, *range(BLOCK, d)):  # one block, and the features that are left over
            rows = own[begin : begin + BLOCK] if begin == 0 else own[begin : begin + 1]
            triangle = rows[:, :BLOCK] if begin == 0 else rows[:, :1]
            part = residual[begin : begin + len(rows)]
            innovations = triangle @ part + rows[:, BLOCK : BLOCK + q] @ scores
            scores = scores + innovations @ rows[:, BLOCK + q : BLOCK + 2 * q]
            found.extend(innovations)
        assert_allclose(found, expected[:, j], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-4, 1e-8])
def test_density__keeps_its_digits_where_the_noise_is_small(scale):
    rng = np.random.default_rng(2)
    d, q = 9, 3
    loadings, variances = rng.normal(size=(1, q, d)), scale * rng.uniform(0.5, 1, size=(1, d))
    X = rng.normal(size=(40, q)) @ loadings[0] + rng.normal(size=(40, d)) * np.sqrt(variances)
    model = FactorAnalyzers(q, is_common=False)
    parameters = model.of_loadings(np.ones(1), np.zeros((1, d)), variances, loadings)
    rows = MemoryRows(X, center=np.zeros(d))
    found = rows.expectation(parameters, Scatter.DIAGONAL).log_likelihood
    wide = loadings[0].astype(L)
    factor = inverse_cholesky(wide.T @ wide + np.diag(variances[0].astype(L)))
    log_det = -2 * np.log(np.diagonal(factor)).sum()
    squares = ((X.astype(L) @ factor.T) ** 2).sum()
    expected = -0.5 * (squares + len(X) * (log_det + d * np.log(2 * L(np.pi))))
    assert found == pytest.approx(float(expected), rel=1e-9)


def test_separation__holds_the_distances_of_means():
    case = drawn(9, 2, 3, apart=4.0)
    parameters = start_of(case)
    table = separated(parameters.density(np.dtype(np.float64)), 10_000)
    matrices = parameters.matrices()
    for o in range(3):
        for k in range(3):
            apart = parameters.means[o] - parameters.means[k]
            direction = np.linalg.solve(matrices[k], apart)
            gap = np.sqrt(apart @ direction)
            assert table.gaps[o, k] == pytest.approx(gap, rel=1e-10, abs=1e-12)
            if o != k:
                assert_allclose(table.directions[o, k], direction / gap, rtol=1e-9, atol=1e-12)
                spread = np.sqrt(direction @ matrices[o] @ direction) / gap
                assert spread <= table.spreads[o, k] <= 1.02 * spread


# --------------------------------------------------------------------------------------------- EM


@pytest.mark.parametrize("is_common", [False, True])
@pytest.mark.parametrize(("d", "q", "K"), SHAPES)
def test_loop__takes_the_steps_of_whole_matrices(d, q, K, is_common):
    case = drawn(d, q, K)
    weights = np.random.default_rng(3).uniform(0.5, 2.0, size=len(case.X))
    case.rows = MemoryRows(case.X, weights)
    model = FactorAnalyzers(q, is_common, reg_covar=1e-3)
    start = expected = start_of(case, model)
    result = em.run(case.rows, start, model, em.Control(tol=0, max_iter=8))
    bounds = []
    for _ in range(8):
        bound, expected = step(case.X - case.rows.center, weights, expected, model)
        bounds.append(bound / weights.sum())
    assert_allclose(result.lower_bounds, bounds, rtol=1e-11)
    assert_allclose(result.parameters.matrices(), expected.matrices(), rtol=1e-9, atol=1e-11)
    assert_allclose(result.parameters.means, expected.means, atol=1e-11)
    assert np.diff(result.lower_bounds).min() > 0


def test_loop__of_t_components_takes_the_steps_of_whole_matrices():
    case = drawn(5, 2, 2)
    X, center = case.X, case.rows.center
    mixture = GaussianMixture.from_parameters(
        np.full(2, 0.5), case.own[0], case.own[1], loadings=case.own[2].swapaxes(1, 2),
        covariance_type="factor", component="t", degrees_of_freedom=5.0,
    )  # fmt: skip
    shapes = zip(case.own[0], mixture.covariances_, strict=True)
    log_prob = np.log(0.5) + np.column_stack(
        [multivariate_t(mean, scale, 5.0).logpdf(X) for mean, scale in shapes]
    )
    assert_allclose(mixture.score_samples(X), logsumexp(log_prob, axis=1), rtol=1e-11)
    mixture.set_params(warm_start=True, max_iter=1, tol=0, reg_covar=0)
    before = mixture._parameters(center)
    with pytest.warns(match="did not converge"):
        mixture.fit(X)
    resp = np.exp(log_prob - logsumexp(log_prob, axis=1)[:, None])
    precisions = np.linalg.inv(before.matrices())
    for k in range(2):
        residuals = X - center - before.means[k]
        distances = np.einsum("ni,ij,nj->n", residuals, precisions[k], residuals)
        own = resp[:, k] * (5 + 5) / (5 + distances)
        mean = own @ X / own.sum()
        scatter = (X - mean).T @ ((X - mean) * own[:, None]) / resp[:, k].sum()
        loading = before.loadings[k]
        regression = loading @ precisions[k]
        left = np.eye(2) - regression @ loading.T + regression @ scatter @ regression.T
        new = np.linalg.solve(left, regression @ scatter)
        noise = np.diagonal(scatter - new.T @ regression @ scatter)
        assert_allclose(mixture.means_[k], mean, rtol=1e-10)
        assert_allclose(mixture.covariances_[k], new.T @ new + np.diag(noise), rtol=1e-9)


def test_fit__of_one_component_is_scikit_learns_factor_analysis():
    X = drawn(8, 2, 1, n=400).X
    ours = GaussianMixture(
        1, covariance_type="factor", n_factors=2, tol=1e-12, max_iter=5000, reg_covar=0
    ).fit(X)
    theirs = FactorAnalysis(2, svd_method="lapack", tol=1e-12, max_iter=5000).fit(X)
    assert ours.score(X) == pytest.approx(theirs.score(X), abs=1e-8)
    assert_allclose(ours.covariances_[0], theirs.get_covariance(), atol=1e-4)
    assert_allclose(ours.specific_variances_[0], theirs.noise_variance_, atol=1e-4)


def test_fit__with_enough_factors_is_as_likely_as_full_covariances():
    X = drawn(3, 1, 1, n=500).X  # one factor has as many parameters as three columns need
    own = {"tol": 1e-13, "max_iter": 20_000, "reg_covar": 0}
    factor = GaussianMixture(1, covariance_type="factor", n_factors=1, **own).fit(X)
    assert factor._n_parameters() == GaussianMixture(1).fit(X)._n_parameters()
    assert factor.score(X) == pytest.approx(GaussianMixture(1, **own).fit(X).score(X), abs=1e-7)


def test_fit__finds_the_factors_that_made_the_rows():
    case = drawn(20, 3, 3, n=3000, apart=3.0)
    own = {"n_factors": 3, "random_state": 0, "tol": 1e-5, "max_iter": 500}
    mixture = GaussianMixture(3, covariance_type="factor", **own).fit(case.X)
    labels = np.arange(3000) % 3
    order = [np.bincount(labels[mixture.predict(case.X) == k]).argmax() for k in range(3)]
    assert sorted(order) == [0, 1, 2]
    assert_allclose(mixture.specific_variances_, case.own[1][order] / 1.3, atol=0.15)
    scale = np.sqrt(mixture.specific_variances_)[:, :, None]
    products = np.einsum("kdq,kdr->kqr", mixture.loadings_ / scale, mixture.loadings_ / scale)
    strengths = np.einsum("kqq->kq", products)
    assert_allclose(products, strengths[:, :, None] * np.eye(3), atol=1e-8)
    assert (np.diff(strengths) < 0).all()
    scaled = mixture.loadings_ / scale
    largest = np.abs(scaled).argmax(axis=1)[:, None]
    assert (np.take_along_axis(scaled, largest, axis=1) > 0).all()


def test_fit__of_fewer_rows_than_columns():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 90)) + 0.3 * rng.normal(size=(30, 90))
    mixture = GaussianMixture(1, covariance_type="factor", n_factors=2, reg_covar=1e-3).fit(X)
    diag = GaussianMixture(1, covariance_type="diag", reg_covar=1e-3).fit(X)
    assert mixture.converged_ and not mixture.degenerate_.any()
    assert mixture.score(X) > diag.score(X) + 50


def test_fit__needs_no_array_of_columns_squared():
    d = 20_000  # a matrix of so many columns would take 3 GB
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, 1)) * rng.normal(size=d) + rng.normal(size=(40, d))
    mixture = GaussianMixture(1, covariance_type="factor", n_factors=1, max_iter=5, tol=0.1).fit(X)
    assert mixture.loadings_.shape == (1, d, 1)
    assert mixture.sample(3)[0].shape == (3, d)
    assert "standard deviations" in mixture.summary()


@pytest.mark.parametrize("covariance_type", ["factor", "factor-tied"])
def test_fit__with_noise_weights_trimming_and_threads(covariance_type):
    X = np.concatenate([drawn(6, 2, 2, apart=4.0).X, np.full((6, 6), 60.0)])
    weights = 1.0 + np.arange(len(X)) % 3
    own = {"covariance_type": covariance_type, "n_factors": 2, "random_state": 0}
    one = GaussianMixture(2, n_jobs=1, noise=True, **own).fit(X, sample_weight=weights)
    two = GaussianMixture(2, n_jobs=2, noise=True, **own).fit(X, sample_weight=weights)
    assert np.array_equal(one.loadings_, two.loadings_)
    assert (one.predict(X)[-6:] == -1).all()
    repeated = np.repeat(X, weights.astype(int), axis=0)
    start = {"weights_init": [0.5, 0.5], "means_init": one.means_, "max_iter": 1000, "tol": 1e-7}
    a = GaussianMixture(2, **own, **start).fit(X[:-6], sample_weight=weights[:-6])
    b = GaussianMixture(2, **own, **start).fit(np.repeat(X[:-6], weights[:-6].astype(int), axis=0))
    assert_allclose(a.lower_bound_, b.lower_bound_, atol=1e-5)
    trimmed = GaussianMixture(2, trim=0.02, **own).fit(repeated)
    assert trimmed.trimmed_[-6:].any()


def test_fit__in_float32_is_near_float64():
    case = drawn(7, 2, 2)
    own = {"covariance_type": "factor", "n_factors": 2, "random_state": 0}
    wide = GaussianMixture(2, **own).fit(case.X)
    narrow = GaussianMixture(2, **own).fit(case.X.astype(np.float32))
    assert narrow.loadings_.dtype == np.float32
    assert narrow.lower_bound_ == pytest.approx(wide.lower_bound_, abs=1e-4)
    assert_allclose(narrow.covariances_, wide.covariances_, atol=1e-2)


def test_dtype__is_float64_where_the_factors_explain_almost_all():
    model = FactorAnalyzers(1, is_common=False)
    one, d = np.ones(1), 4
    sound = model.of_loadings(one, np.zeros((1, d)), np.ones((1, d)), np.ones((1, 1, d)))
    hidden = model.of_loadings(one, np.zeros((1, d)), np.full((1, d), 1e-8), np.ones((1, 1, d)))
    assert sound.dtype_for(np.dtype(np.float32)) == np.float32
    assert hidden.dtype_for(np.dtype(np.float32)) == np.float64


def test_fit__of_rows_in_pieces_is_that_of_the_rows():
    case = drawn(6, 2, 2)
    own = {"covariance_type": "factor", "n_factors": 2, "max_iter": 1000, "tol": 1e-5}
    start = {"weights_init": [0.5, 0.5], "means_init": case.own[0]}
    whole = GaussianMixture(2, **own, **start, random_state=0).fit(case.X)
    pieces = chunks(case.X, chunk_rows=70)
    parts = GaussianMixture(2, **own, **start, random_state=0).fit(pieces)
    assert_allclose(parts.lower_bounds_, whole.lower_bounds_, rtol=1e-9)
    assert_allclose(parts.covariances_, whole.covariances_, rtol=1e-6, atol=1e-8)


def test_fit__resumes_and_goes_on(tmp_path):
    case, path = drawn(6, 2, 2), tmp_path / "fit.npz"
    own = {"covariance_type": "factor", "n_factors": 2, "random_state": 0, "tol": 1e-7}
    whole = GaussianMixture(2, **own).fit(case.X)
    stop = {"callback": lambda iteration, _: iteration == 3, "checkpoint": path}
    GaussianMixture(2, **own).fit(case.X, **stop)
    resumed = GaussianMixture.resume(path).fit(case.X)
    assert_allclose(resumed.lower_bounds_, whole.lower_bounds_, rtol=1e-12)
    assert_allclose(resumed.covariances_, whole.covariances_, rtol=1e-10)
    warm = GaussianMixture(2, **own, warm_start=True).fit(case.X)
    assert warm.fit(case.X).n_iter_ < whole.n_iter_
    with pytest.raises(ValueError, match="n_factors=1, but the fitted mixture has 2 factors"):
        warm.set_params(n_factors=1).fit(case.X)


# -------------------------------------------------------------------------------------- the rest


@pytest.fixture(scope="module")
def fitted():
    X = drawn(6, 2, 2).X
    return X, GaussianMixture(2, covariance_type="factor", n_factors=2, random_state=0).fit(X)


def test_copies__are_the_mixture(fitted, tmp_path):
    X, mixture = fitted
    expected = mixture.score_samples(X)
    for same in copies_of(mixture, tmp_path):
        assert np.array_equal(same.score_samples(X), expected)
    dense = mixture.to_sklearn()
    assert_allclose(dense.score_samples(X), expected, rtol=1e-10)
    own = mixture.weights_, mixture.means_, mixture.specific_variances_
    kind = {"covariance_type": "factor", "loadings": mixture.loadings_}
    made = GaussianMixture.from_parameters(*own, **kind)
    assert made.n_factors == 2
    assert_allclose(made.score_samples(X), expected, rtol=1e-12)


def test_dense_forms__follow_from_the_loadings(fitted):
    _, mixture = fitted
    noise = mixture.specific_variances_[:, :, None] * np.eye(6)
    assert_allclose(mixture.covariances_, mixture.loadings_ @ mixture.loadings_.mT + noise)
    assert_allclose(mixture.precisions_ @ mixture.covariances_, [np.eye(6)] * 2, atol=1e-10)
    upper = mixture.precisions_cholesky_
    assert_allclose(upper @ upper.mT, mixture.precisions_, rtol=1e-9)
    assert not hasattr(GaussianMixture(covariance_type="factor"), "covariances_")
    refitted = mixture.__sklearn_clone__().set_params(covariance_type="diag").fit(fitted[0])
    assert not hasattr(refitted, "loadings_") and refitted.covariances_.shape == (2, 6)


def test_other_methods__take_the_covariances(fitted):
    X, mixture = fitted
    kept = mixture.covariances_[:, :2, :2]
    assert_allclose(mixture.marginal([0, 1]).covariances_, kept)
    assert mixture.condition({0: X[0, 0]}).means_.shape == (2, 5)
    rows, _ = mixture.set_params(random_state=1).sample(40_000)
    assert_allclose(np.cov(rows.T), np.cov(GaussianMixture(1).fit(X).sample(40_000)[0].T), atol=0.6)
    free = 2 * (6 * 2 - 1 + 6) + 2 * 6 + 1
    assert mixture.bic(X) == pytest.approx(
        -2 * mixture.score(X) * len(X) + free * np.log(len(X)), rel=1e-12
    )
    tied = GaussianMixture(2, covariance_type="factor-tied", n_factors=2)
    assert tied.fit(X)._n_parameters() == free - 6
    assert np.ptp(tied.specific_variances_, axis=0).max() == 0


def test_search__chooses_the_number_of_factors():
    X = drawn(12, 2, 2, n=800, apart=3.0).X
    search = GaussianMixtureIC(
        [1, 2, 3], covariance_types=["factor", "factor-tied", "VVI"], n_factors=[1, 2, 3],
        random_state=0,
    ).fit(X)  # fmt: skip
    best = search.best_estimator_
    assert (search.best_n_components_, search.best_covariance_type_) == (2, "factor")
    assert best.n_factors == 2
    assert len(search.results_) == 3 * 7
    names = set(search.results_["covariance_type"])
    assert names == {*(f"factor({q})" for q in (1, 2, 3)), "VVI"} | {
        f"factor-tied({q})" for q in (1, 2, 3)
    }
    other = search.estimator(2, "factor", n_factors=3)
    assert np.array_equal(other.means_, search.estimator(2, "factor(3)").means_)
    assert other.n_factors == 3 and other.loadings_.shape == (2, 12, 3)
    row = search.results_[search.results_["covariance_type"] == "factor(2)"][1]
    assert best.bic(X) == pytest.approx(row["bic"], rel=1e-9)


def test_search__resumes(tmp_path):
    X, path = drawn(6, 2, 2).X, tmp_path / "search.npz"
    own = {"covariance_types": ["factor"], "n_factors": [1, 2], "random_state": 0}
    whole = GaussianMixtureIC([1, 2], **own).fit(X, checkpoint=path)
    again = GaussianMixtureIC.resume(path).fit(X)
    assert again.best_estimator_.n_factors == whole.best_estimator_.n_factors
    assert_allclose(again.results_["bic"], whole.results_["bic"], rtol=1e-10)


def test_search__over_many_columns_makes_no_matrix():
    d = 8000  # with matrices, this takes minutes
    rng = np.random.default_rng(9)
    X = rng.normal(size=(40, 1)) * rng.normal(size=d) + rng.normal(size=(40, d))
    own = {"covariance_types": ["factor", "diag"], "reg_covar": 0.1, "max_iter": 3, "tol": 0.1}
    search = GaussianMixtureIC([1], **own).fit(X)
    assert search.best_covariance_type_ == "factor"
    X[:, 7] = 1.0
    search.set_params(reg_covar=0.0)
    assert "Leave out column 7, whose values are all equal" in refusal(search.fit, X)


def test_command_line__fits_selects_and_classifies(tmp_path, capsys):
    X, labels = drawn(6, 2, 2, apart=4.0).X, np.arange(300) % 2
    table = tmp_path / "rows.csv"
    header = ",".join(f"x{j}" for j in range(6)) + ",kind"
    np.savetxt(table, np.c_[X, labels], delimiter=",", header=header, comments="")
    columns = ["--columns", "x0,x1,x2,x3,x4,x5"]
    kind = ["--covariance", "factor", "--factors", "2"]
    out = str(tmp_path / "model.npz")
    command = [str(table), *columns, "-k", "2", *kind, "--standardize", "--json", "--out", out]
    main(["fit", *command])
    report = json.loads(capsys.readouterr().out)
    saved = load_unnamed(out)
    assert report["n_factors"] == saved.n_factors == 2
    assert_allclose(saved.loadings_, report["loadings"], rtol=1e-10)
    plain = GaussianMixture(2, covariance_type="factor", n_factors=2, random_state=0).fit(X)
    assert saved.score(X) == pytest.approx(plain.score(X), abs=0.1)
    main(["info", out])
    assert "factors" in capsys.readouterr().out
    models = ["--covariance", "factor,VVI", "--factors", "1:2"]
    main(["select", str(table), *columns, "-k", "1:2", *models])
    assert "factor(2)" in capsys.readouterr().out
    main(["classify", str(table), "--target", "kind", "-k", "1", *kind, "--folds", "0"])
    assert "factor" in capsys.readouterr().out
    unused = ["fit", *command[:1], "-k", "2", "--factors", "2"]
    command.remove("--standardize")
    for wrong in (unused, ["fit", *command, "--bootstrap", "9"]):
        assert main(wrong) == 2
        assert "factor" in capsys.readouterr().err


def test_principal__has_as_many_loadings_as_factors():
    rng = np.random.default_rng(6)
    residuals = np.outer(rng.normal(size=3), np.ones(5))
    loadings = principal(residuals, np.ones(3), 4)
    assert loadings.shape == (4, 5)
    assert np.linalg.matrix_rank(loadings) == 4
    assert principal(np.empty((0, 5)), np.empty(0), 2).shape == (2, 5)


def test_filters__hold_nothing_that_is_not_written():
    rubbish = np.full(200_000, np.nan)  # memory that is given back
    del rubbish
    model = FactorAnalyzers(3, is_common=False)
    own = np.full(5, 0.2), np.zeros((5, 200)), np.ones((5, 200)), np.ones((5, 3, 200))
    assert np.isfinite(model.of_loadings(*own).filters).all()


@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_smallest_eigenvalue__is_that_of_the_covariance(scale):
    rng = np.random.default_rng(7)
    loadings, variances = rng.normal(size=(3, 12)), rng.uniform(0.2, 1, 12)
    variances[:2] *= scale
    expected = np.linalg.eigvalsh(loadings.T @ loadings + np.diag(variances))[0]
    assert smallest_eigenvalue(loadings, variances) == pytest.approx(expected, rel=1e-6)


def test_degenerate__is_not_a_feature_that_is_a_factor():
    specific = [[1e-9, 1.0, 1.0, 1.0]]  # below the floor that `reg_covar` sets
    make = {"covariance_type": "factor", "feature_names": list("abcd")}
    for loadings, is_flat in [([1.0, 0.8, 0.5, 0.3], False), ([0.0, 0.8, 0.5, 0.3], True)]:
        own = [1.0], np.zeros((1, 4)), specific
        mixture = GaussianMixture.from_parameters(*own, loadings=[np.c_[loadings]], **make)
        assert mixture.degenerate_.tolist() == [is_flat]


def test_impute__takes_the_correlations(fitted):
    X, mixture = fitted
    gaps = X[:5].copy()
    gaps[:, 2] = np.nan
    own = mixture.weights_, mixture.means_, mixture.covariances_
    dense = GaussianMixture.from_parameters(*own)
    assert_allclose(mixture.impute(gaps), dense.impute(gaps), rtol=1e-9)


def test_parameters__that_are_changed_after_the_fit_are_refused(fitted):
    X, mixture = fitted
    for change, match in [
        ({"missing_values": "marginalize"}, "do not go with missing_values"),
        ({"covariance_type": "full"}, "do not go with"),
        ({"n_factors": 3}, "do not go with"),
        ({"n_factors": 0}, "must be an int"),
    ]:
        other = copy.copy(mixture).set_params(**change)
        with pytest.raises(ValueError, match=match):
            other.score(X)
    plain = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="do not go with"):
        plain.set_params(covariance_type="factor").score(X)
    with pytest.raises(ValueError, match="covariance_type='factor', but"):
        plain.set_params(warm_start=True).fit(X)


def test_load__refuses_as_many_factors_as_columns(fitted):
    document = fitted[1].to_dict()
    document["parameters"]["n_factors"] = 6
    with pytest.raises(ValueError, match="Factors must be fewer than columns"):
        from_dict(document)


def test_summary__of_attributes_set_by_hand():
    mixture = GaussianMixture()
    mixture.weights_, mixture.means_ = np.ones(1), np.zeros((1, 2))
    mixture.covariances_ = np.eye(2)[None]
    assert "1 component" in mixture.summary()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_factors": 3}, "fewer than columns; got n_factors=3 and 3 columns"),
        ({"prior": Prior()}, "do not go with prior; got Prior"),
        ({"missing_values": "marginalize"}, "not go with missing_values; got 'marginalize'"),
        ({"fixed": {"means": True}, "means_init": [[0, 0, 0]]}, "not go with fixed; got a value"),
        ({"precisions_init": [np.eye(3)]}, "not go with precisions_init; got a value"),
        ({"covariance_ratio": 3.0}, "covariance_ratio"),
        ({"n_factors": 0}, "'n_factors' parameter of GaussianMixture must be an int"),
    ],
)
def test_fit__names_what_factors_do_not_go_with(params, match):
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match=match):
        GaussianMixture(1, covariance_type="factor", **params).fit(X)


@pytest.mark.quick
def test_refusals__say_what_to_do():
    X = np.random.default_rng(0).normal(size=(20, 3))
    mixture = GaussianMixture(1, covariance_type="factor")
    assert "Use fit" in refusal(mixture.partial_fit, X)
    edda = GaussianMixtureClassifier(mixture, kind="edda")
    assert "mclustda" in refusal(edda.fit, X, np.arange(20) % 2)
    own = [1.0], [[0.0, 0.0]], [[1.0, 1.0]]
    make = GaussianMixture.from_parameters
    assert "Give them" in refusal(make, *own, covariance_type="factor")
    loadings = [[[1.0], [1.0]]]
    assert "Leave them out" in refusal(make, *own, covariance_type="diag", loadings=loadings)
    kind = {"covariance_type": "factor"}
    assert "(1, 2, q)" in refusal(make, *own, **kind, loadings=[[1.0]])
    wrong = [1.0], [[0.0, 0.0]], [[-1.0, 1.0]]
    assert "positive; got -1" in refusal(make, *wrong, **kind, loadings=loadings)
    assert "finite; got nan" in refusal(make, *own, **kind, loadings=[[[1.0], [np.nan]]])
    two = [0.5, 0.5], np.zeros((2, 2)), [[1.0, 1.0], [2.0, 1.0]]
    tied = {"covariance_type": "factor-tied", "loadings": np.ones((2, 2, 1))}
    assert "the same in all components" in refusal(make, *two, **tied)
    made = make(*own, **kind, loadings=loadings)
    assert "up to rotations" in refusal(inference.bootstrap, made, X[:, :2])
    assert "cannot stay" in refusal(GaussianMixture.beside, made, 2)
