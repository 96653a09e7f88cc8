"""Priors: mclust's numbers, the objective of the fit, and mixtures that never collapse."""

import json
from pathlib import Path

import numpy as np
import pytest
from data import EVERY, mixture, refusal
from reference import e_step
from scipy.optimize import approx_fprime, minimize
from scipy.stats import dirichlet, invwishart, multivariate_normal

import gmmfast
from gmmfast import GaussianMixture, GaussianMixtureIC, Prior, chunks
from gmmfast.em.prior import PriorOfRows
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

MCLUST = Path(__file__).parent / "mclust"
X, LABELS = mixture(60, 2, 3, seed=2)
STRONG = Prior(mean=[1.0, -1.0], shrinkage=2.0, degrees_of_freedom=7, concentration=3.0)


def stored(name):
    """Rows, labels and mclust's results with its default prior, by model."""
    base = json.loads((MCLUST / f"{name}.json").read_text())
    labels = np.array(base["labels"]) - min(base["labels"])
    own = json.loads((MCLUST / f"{name}-prior.json").read_text())
    return np.array(base["data"], float), labels, own


def m_step(X, memberships, K, covariance_type, prior):
    """Weights, means and matrices after one M step."""
    rows, model = MemoryRows(X), MODELS[covariance_type]()
    model = PriorOfRows(prior, rows, [model]).of(model, K)
    found = model.maximization(rows.memberships(memberships, K, model.scatter))
    matrices = model.matrices(found.covariances, *found.means.shape)
    return found.weights, found.means + rows.center, matrices


def errors(found, theirs, X):
    """Largest differences of weights, means and covariances, in standard deviations."""
    weights, means, covariances = found
    expected = np.array(theirs["covariances"])
    deviations = np.sqrt(np.einsum("kii->ki", expected))
    scales = deviations[:, :, None] * deviations[:, None, :]
    return (
        np.abs(weights - theirs["weights"]).max(),
        np.abs((means - theirs["means"]) / X.std(axis=0)).max(),
        np.abs((covariances - expected) / scales).max(),
    )


# ------------------------------------------------------------------------------- mclust's numbers


@pytest.mark.plain
@pytest.mark.parametrize("name", ["iris", "faithful", "diabetes"])
def test_m_step__is_mclusts(name):
    X, labels, own = stored(name)
    K = labels.max() + 1
    for code, theirs in own["prior"].items():
        # mclust's M step leaves out EEV's shrinkage, that of EEI's means, and EII's scale
        prior = Prior(shrinkage=0) if code == "EEV" else "mclust"
        weights, means, covariances = errors(m_step(X, labels, K, code, prior), theirs["mstep"], X)
        assert weights < 1e-12
        assert means < (1e-3 if code == "EEI" else 1e-8)
        assert covariances < (1e-2 if code == "EII" else 1e-8)


@pytest.mark.plain
@pytest.mark.parametrize("name", ["iris", "faithful", "diabetes"])
def test_em__mclusts_result_is_a_fixed_point(name):
    X, labels, own = stored(name)
    K, dof = labels.max() + 1, own["prior_default"]["dof"]
    for code, theirs in own["prior"].items():
        prior = {  # its EM counts no row for the mean of EEI and EVI, and leaves out EII's scale
            "EEI": Prior(degrees_of_freedom=dof - K),
            "EVI": Prior(degrees_of_freedom=dof - K),
            "EII": Prior(scale=1e-100),
        }.get(code, "mclust")
        theirs = theirs["em"]
        resp = e_step(X, *(np.array(theirs[key]) for key in ("weights", "means", "covariances")))[1]
        weights, means, covariances = errors(m_step(X, resp, K, code, prior), theirs, X)
        assert weights < 1e-8
        assert means < (1e-2 if code == "EEI" else 1e-8)  # its means are not shrunk
        assert covariances < 1e-8


def test_defaults__are_mclusts():
    X, _, own = stored("iris")
    default = own["prior_default"]
    given = Prior(default["mean"], default["shrinkage"], default["dof"], default["scale"])
    expected = m_step(X, np.arange(150) % 3, 3, "VVV", "mclust")
    for ours, theirs in zip(m_step(X, np.arange(150) % 3, 3, "VVV", given), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_fit__is_mclusts():
    X, labels, own = stored("faithful")
    theirs = own["prior"]["VVV"]["em"]
    fitted = GaussianMixture(
        2, reg_covar=0, tol=1e-12, max_iter=500, init_params=labels, prior="mclust"
    ).fit(X)
    found = fitted.weights_, fitted.means_, fitted.covariances_
    assert max(errors(found, theirs, X)) < 1e-6
    assert fitted.score(X) * len(X) == pytest.approx(theirs["loglik"], abs=1e-6)


# ----------------------------------------------------------------------------------- the objective


def log_prior(weights, means, covariances, prior, scale):
    """Log density of the prior of free covariances, from SciPy."""
    total = dirichlet(np.full(len(weights), prior.concentration)).logpdf(weights)
    for mean, covariance in zip(means, covariances, strict=True):
        total += invwishart(prior.degrees_of_freedom, scale).logpdf(covariance)
        total += multivariate_normal(prior.mean, covariance / prior.shrinkage).logpdf(mean)
    return total


def test_lower_bounds__are_the_log_posterior_up_to_a_constant():
    scale = np.array([[2.0, 0.3], [0.3, 1.0]])
    prior = Prior(STRONG.mean, 2.0, 7, scale, 3.0)
    found = []
    for n in (2, 5):
        fitted = fit("full", prior, max_iter=n)
        own = log_prior(fitted.weights_, fitted.means_, fitted.covariances_, prior, scale)
        bound = fit("full", prior, max_iter=n + 1).lower_bounds_[n]
        found.append(len(X) * (bound - fitted.score(X)) - own)
    assert found[0] == pytest.approx(found[1], abs=1e-8)


def fit(covariance_type, prior, X=X, sample_weight=None, **params):
    """A fit to the clusters, unless parameters say otherwise."""
    own = {"n_components": 3, "tol": 0.0, "reg_covar": 0, "init_params": LABELS, "max_iter": 10}
    own |= {"covariance_type": covariance_type, "prior": prior, **params}
    return GaussianMixture(**own).fit(X, sample_weight=sample_weight)


@pytest.mark.parametrize("covariance_type", EVERY)
def test_objective__never_falls(covariance_type):
    start = np.where(np.arange(60) % 4, LABELS, (LABELS + 1) % 3)
    fitted = fit(covariance_type, STRONG, init_params=start, max_iter=25)
    assert (np.diff(fitted.lower_bounds_) >= -1e-13).all()
    assert fitted.lower_bounds_[-1] > fitted.lower_bounds_[0] + 1e-4


@pytest.mark.plain
def test_m_step__maximizes_the_expected_log_posterior():
    """Nothing that SciPy finds is better, and the gradient is zero."""
    K, scale, n = 2, np.array([[2.0, 0.5], [0.5, 1.0]]), 20
    prior = Prior([1.0, -1.0], 2.0, 7, scale, 3.0)
    resp = np.random.default_rng(0).dirichlet([1, 1], n)

    def unpacked(flat):
        weight, triangles = 1 / (1 + np.exp(-flat[0])), np.zeros((K, 2, 2))
        triangles[:, [0, 1, 1], [0, 0, 1]] = flat[5:].reshape(K, 3)
        return np.array([weight, 1 - weight]), flat[1:5].reshape(K, 2), triangles

    def loss(flat):
        weights, means, triangles = unpacked(flat)
        covariances = triangles @ triangles.swapaxes(1, 2)
        total = log_prior(weights, means, covariances, prior, scale)
        for k in range(K):
            density = multivariate_normal(means[k], covariances[k]).logpdf(X[:n])
            total += resp[:, k] @ (np.log(weights[k]) + density)
        return -total

    weights, means, covariances = m_step(X[:n], resp, K, "VVV", prior)
    triangles = np.linalg.cholesky(covariances)[:, [0, 1, 1], [0, 0, 1]]
    own = np.concatenate([[np.log(weights[0] / weights[1])], means.ravel(), triangles.ravel()])
    assert np.abs(approx_fprime(own, loss)).max() < 1e-4
    start = own + 0.1 * np.random.default_rng(1).normal(size=own.size)
    best = minimize(loss, start, method="BFGS")
    assert loss(own) <= best.fun + 1e-9
    np.testing.assert_allclose(best.x, own, atol=1e-4)


@pytest.mark.parametrize(
    "pair", [("full", "VVV"), ("tied", "EEE"), ("diag", "VVI"), ("spherical", "VII")]
)
def test_names_of_scikit_learn__are_mclusts_models(pair):
    bounds = [fit(name, STRONG).lower_bounds_ for name in pair]
    np.testing.assert_allclose(*bounds, rtol=1e-12)


@pytest.mark.plain
def test_strong_prior__sets_the_parameters():
    fitted = fit("full", Prior([1.0, 2.0], 1e9, 1e9, 1e9 * np.eye(2), 1e9))
    np.testing.assert_allclose(fitted.means_, [[1.0, 2.0]] * 3, atol=1e-6)
    np.testing.assert_allclose(fitted.weights_, 1 / 3, atol=1e-6)
    np.testing.assert_allclose(fitted.covariances_, [np.eye(2)] * 3, atol=1e-6)


def test_scale__a_number_its_diagonal_and_its_matrix_are_equal():
    fits = [fit("full", Prior(scale=own)) for own in (2.0, [2.0, 2.0], 2 * np.eye(2))]
    for other in fits[1:]:
        np.testing.assert_array_equal(other.covariances_, fits[0].covariances_)


def test_criteria__are_of_the_likelihood():
    fitted = fit("full", "mclust")
    own = e_step(X, fitted.weights_, fitted.means_, fitted.covariances_)[0]
    assert fitted.score(X) == pytest.approx(own.mean(), rel=1e-12)
    assert fitted.bic(X) == pytest.approx(17 * np.log(60) - 2 * own.sum(), rel=1e-12)


# ------------------------------------------------------------------------------------- no collapse

FEW = {  # rows, K
    "k near n": (X[:12], 10),
    "five different rows": (np.repeat(X[:5], 10, axis=0), 5),
    "one row again and again": (np.ones((20, 3)), 3),
    "a constant column": (np.c_[X, np.full(60, 7.0)], 3),
    "columns that follow": (np.c_[X, X.sum(axis=1)], 3),
    "more columns than rows": (np.random.default_rng(0).normal(size=(8, 12)), 2),
}
SOME = ("full", "tied", "diag", "spherical", "EVI", "EII", "VEE", "EVV", "VEV")


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("number", range(3))
def test_few_rows__make_sound_mixtures(name, number):
    rows, K = FEW[name]
    covariance_type = SOME[(3 * [*FEW].index(name) + 2 * number) % len(SOME)]
    init = np.arange(len(rows)) * K // len(rows)
    fitted = fit(covariance_type, "mclust", rows, n_components=K, init_params=init, tol=1e-6)
    assert not fitted.degenerate_.any()
    matrices = MODELS[covariance_type]().matrices(fitted.covariances_, *fitted.means_.shape)
    assert np.linalg.eigvalsh(matrices).min() > 1e-4
    assert np.isfinite(fitted.score_samples(rows)).all()
    assert (np.diff(fitted.lower_bounds_) >= -1e-12).all()


# ---------------------------------------------------------------------------- with everything else


def test_weights__repeat_rows():
    counts = np.arange(60) % 3
    weighted = fit("VEE", "mclust", sample_weight=counts)
    repeated = fit("VEE", "mclust", np.repeat(X, counts, axis=0), init_params=LABELS.repeat(counts))
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-11)


def test_acceleration__finds_the_same_mixture_in_fewer_passes():
    rows, _ = mixture(120, 2, 3, separation=1.0, seed=5)
    init = np.arange(120) % 3
    own = {"init_params": init, "max_iter": 3000, "tol": 1e-9}
    plain, fast = (fit("full", STRONG, rows, acceleration=a, **own) for a in ("none", "auto"))
    assert fast.converged_ and plain.converged_ and 2 * fast.n_iter_ < plain.n_iter_
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-6)
    assert (np.diff(fast.lower_bounds_) >= -1e-9).sum() > 0.8 * fast.n_iter_


def test_start_outside_the_family__has_its_own_objective():
    """The first lower bound is of the given matrices, of which EEE has no factors."""
    given = {
        "weights_init": [0.5, 0.5],
        "means_init": [[0.0, 0.0], [1.0, 1.0]],
        "precisions_init": [np.eye(2), [[2.0, 0.5], [0.5, 1.0]]],
    }
    prior = Prior([0.0, 0.0], 1.0, 5, 2.0)
    own = {**given, "n_components": 2, "init_params": "kmeans", "max_iter": 1}
    first = [fit(name, prior, **own).lower_bounds_[0] for name in ("VVV", "EEE")]
    model = [PriorOfRows(prior, MemoryRows(X), []).of(MODELS[n](), 2) for n in ("VVV", "EEE")]
    mixture = MODELS["VVV"]().parameters(
        np.array([0.5, 0.5]), np.array(given["means_init"]),
        np.linalg.inv(np.array(given["precisions_init"])),
    ).moved(-MemoryRows(X).center)  # fmt: skip
    free, tied = (each.log_prior(mixture) for each in model)
    assert first[1] - first[0] == pytest.approx(tied - free, abs=1e-12)


def test_warm_start__goes_on():
    first = fit("full", "mclust", max_iter=6)
    again = fit("full", "mclust", max_iter=2, warm_start=True).set_params(max_iter=4).fit(X)
    np.testing.assert_allclose(again.lower_bound_, first.lower_bound_, rtol=1e-12)


def test_missing_values__objective_never_falls():
    gaps = X.copy()
    gaps[::5, 0] = gaps[2::7, 1] = np.nan
    gaps[[35, 30]] = X[[35, 30]]
    own = {"init_params": "random_from_data", "random_state": 0, "missing_values": "marginalize"}
    for name in ("full", "EVI"):
        fitted = fit(name, "mclust", gaps, **own)
        assert (np.diff(fitted.lower_bounds_) >= -1e-12).all()


@pytest.mark.parametrize("make", ["chunks", "dask"])
def test_rows_elsewhere__make_the_same_mixture(make):
    pieces = chunks(X, chunk_rows=17)
    if make == "dask":
        pieces = pytest.importorskip("dask.array").from_array(X, chunks=(17, -1))
    own = {"init_params": "kmeans", "means_init": X[:3]}
    here, there = (fit("full", "mclust", rows, **own) for rows in (X, pieces))
    np.testing.assert_allclose(here.lower_bounds_, there.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(here.covariances_, there.covariances_, rtol=1e-8)


@pytest.mark.parametrize("acceleration", ["none", "auto"])
def test_checkpoint__ends_as_without_an_interruption(acceleration, tmp_path):
    path, own = tmp_path / "fit.npz", {"acceleration": acceleration, "max_iter": 9}
    whole = fit("full", STRONG, **own)
    stopped = GaussianMixture(3, prior=STRONG, tol=0.0, reg_covar=0, init_params=LABELS, **own)
    stopped.fit(X, callback=lambda i, _: i == 4, checkpoint=path)
    resumed = GaussianMixture.resume(path)
    assert resumed.prior == STRONG
    np.testing.assert_array_equal(resumed.fit(X).lower_bounds_, whole.lower_bounds_)
    other = GaussianMixture.resume(path).set_params(prior=None)
    assert "The checkpoint is of a fit with prior=Prior(" in refusal(other.fit, X)


def test_files__keep_the_prior(tmp_path):
    for prior in ("mclust", STRONG, Prior(scale=np.eye(2))):
        fitted, path = fit("full", prior, max_iter=1), tmp_path / "model.npz"
        fitted.save(path)
        document = json.loads(json.dumps(fitted.to_dict()))
        for again in (gmmfast.load(path), gmmfast.from_dict(document)):
            assert again.prior == prior
            np.testing.assert_array_equal(again.means_, fitted.means_)


# -------------------------------------------------------------------------------------- the search


def test_search__ranks_what_would_collapse_without_a_prior(tmp_path):
    rows, path = np.repeat(X[:6], 3, axis=0), tmp_path / "search.npz"
    own = {"covariance_types": ["EII", "VVV", "VEV"], "prior": "mclust", "random_state": 0}
    search = GaussianMixtureIC([1, 4, 6], **own).fit(rows, checkpoint=path)
    assert not search.results_["failure"].any() and not search.results_["degenerate"].any()
    for row in search.results_:
        fitted = search.estimator(int(row["n_components"]), str(row["covariance_type"]))
        assert fitted.prior == "mclust"
        assert fitted.bic(rows) == pytest.approx(row["bic"], rel=1e-9)
        again = fitted.set_params(warm_start=True, max_iter=3).fit(rows)
        assert again.lower_bound_ == pytest.approx(fitted.lower_bound_, abs=1e-6)
    resumed = GaussianMixtureIC.resume(path).fit(rows)
    np.testing.assert_array_equal(resumed.results_["bic"], search.results_["bic"])
    message = refusal(GaussianMixtureIC([1, 4, 6], **own | {"prior": None}).fit, rows, None, None,
                      checkpoint=path)  # fmt: skip
    assert "a search with prior='mclust'; got None" in message


def test_search__of_columns_that_follow_ranks_all_models():
    rows = FEW["columns that follow"][0]
    search = GaussianMixtureIC([2], covariance_types=["VVV", "EEE", "VVI"], prior="mclust")
    assert not search.set_params(random_state=0).fit(rows).results_["failure"].any()


def test_search__cross_validates_under_the_prior():
    search = GaussianMixtureIC(
        [2], covariance_types=["VVV"], criterion="cv", cv=3, prior="mclust", random_state=0
    )
    assert np.isfinite(search.fit(X[:12]).results_["cv"]).all()


# ---------------------------------------------------------------------------------------- messages

WRONG = [
    ({"shrinkage": -1}, "shrinkage of Prior must be a number, not negative; got -1."),
    ({"shrinkage": None}, "shrinkage of Prior must be a number, not negative; got None."),
    ({"degrees_of_freedom": 0}, "degrees_of_freedom of Prior must be a number, positive; got 0."),
    ({"concentration": 0.5}, "concentration of Prior must be a number, at least 1; got 0.5."),
    ({"mean": [np.nan, 0]}, "mean of Prior must be one finite number per feature"),
    ({"mean": [[1.0]]}, "mean of Prior must be one finite number per feature"),
    ({"scale": 0}, "scale of Prior must be a positive number"),
    ({"scale": [[1.0, 2.0], [2.0, 1.0]]}, "symmetric positive definite matrix; got [[1.0, 2.0]"),
]


@pytest.mark.parametrize(("fields", "sentence"), WRONG)
def test_prior__refuses(fields, sentence):
    assert sentence in refusal(Prior, **fields)


UNFIT = [
    (Prior(mean=[1.0]), "mean of the prior must be 2 numbers, one per feature; got (1,)."),
    (Prior(degrees_of_freedom=1), "degrees_of_freedom of the prior must be more than 1"),
    (Prior(scale=[1.0, 1.0, 1.0]), "scale of the prior must be a number, or of shape (2,)"),
    ("mclusst", "The 'prior' parameter of GaussianMixture must be 'mclust', a gmmfast.Prior"),
]


@pytest.mark.parametrize(("prior", "sentence"), UNFIT)
def test_fit__refuses_a_prior(prior, sentence):
    assert sentence in refusal(fit, "full", prior)


def test_partial_fit__takes_no_prior():
    assert "partial_fit takes no prior" in refusal(
        GaussianMixture(2, prior="mclust").partial_fit, X
    )


def test_prior__is_a_value():
    assert Prior(mean=np.array([1.0, 2.0])) == Prior(mean=[1, 2]) != Prior()
    assert len({Prior(scale=np.eye(2)), Prior(scale=[[1, 0], [0, 1]])}) == 1
    assert "scale=((1.0, 0.0), (0.0, 1.0))" in repr(Prior(scale=np.eye(2)))
