"""Variational Bayes: scikit-learn's numbers from the same start, and what its bound promises."""

import json
import pickle
import warnings

import dask.array
import numpy as np
import pytest
from data import mixture as rows_of
from data import refusal
from reference import evidence_bound
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.mixture import BayesianGaussianMixture as TheirMixture
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmmfast import BayesianGaussianMixture, GaussianMixture, chunks
from gmmfast.data.constraints import SKLEARN_TYPES, WEIGHT_PRIORS
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows, open_rows

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

X = load_iris().data
RESP = np.random.default_rng(0).dirichlet(np.ones(4), len(X))
FEW, LABELS = rows_of(60, 2, 3, seed=2)
ATTRIBUTES = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_",
    "mean_precision_", "degrees_of_freedom_", "weight_concentration_prior_",
    "mean_precision_prior_", "mean_prior_", "degrees_of_freedom_prior_", "covariance_prior_",
)  # fmt: skip
GIVEN = {
    "weight_concentration_prior": 0.02,
    "mean_precision_prior": 0.5,
    "mean_prior": [5.0, 3.0, 4.0, 1.0],
    "degrees_of_freedom_prior": 6.5,
}
COVARIANCES_OF_TWO = {"full": np.eye(2), "diag": [1.0, 1.0], "spherical": 1.0}
SPREAD = np.array([0.5, 0.2, 1.0, 0.3])
COVARIANCES = {
    "full": np.diag(SPREAD) + 0.1, "tied": np.diag(SPREAD) + 0.1, "diag": SPREAD, "spherical": 0.4,
}  # fmt: skip


def theirs(resp, **params):
    """scikit-learn's fit from responsibilities."""

    class FromMemberships(TheirMixture):
        def _initialize_parameters(self, X, random_state, xp=None):
            self._initialize(X, resp)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FromMemberships(n_components=resp.shape[1], **params).fit(X)


# ------------------------------------------------------------------------- scikit-learn's numbers


@pytest.mark.parametrize("has_prior", [False, True], ids=["defaults", "given"])
@pytest.mark.parametrize("prior_type", WEIGHT_PRIORS)
@pytest.mark.parametrize("covariance_type", SKLEARN_TYPES)
def test_fit__is_scikit_learns_from_the_same_start(covariance_type, prior_type, has_prior):
    params = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    if has_prior:
        params |= GIVEN | {"covariance_prior": COVARIANCES[covariance_type]}
    params |= {"max_iter": 200, "tol": 1e-3}
    expected = theirs(RESP, **params)
    found = BayesianGaussianMixture(n_components=4, init_params=RESP, **params).fit(X)
    assert found.n_iter_ == expected.n_iter_ and found.converged_ == expected.converged_
    for name in ATTRIBUTES:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-8, atol=1e-10, err_msg=name
        )
    own = np.array(found.weight_concentration_)
    np.testing.assert_allclose(own, np.array(expected.weight_concentration_), rtol=1e-9)
    bounds = np.ravel(expected.lower_bounds_)
    np.testing.assert_allclose(found.lower_bounds_, bounds, rtol=1e-10)
    assert found.lower_bound_ == found.lower_bounds_[-1]
    np.testing.assert_allclose(found.score_samples(X), expected.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-9)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_parameters_and_their_defaults__are_scikit_learns():
    own = {"n_jobs": None, "acceleration": "none"}
    assert BayesianGaussianMixture().get_params() == TheirMixture().get_params() | own


with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst")
    all_checks = parametrize_with_checks(
        [
            BayesianGaussianMixture(max_iter=20),
            BayesianGaussianMixture(n_components=2, covariance_type="diag", max_iter=20),
        ],
        expected_failed_checks=lambda own: (
            {} if own.n_components == 1 else {
                "check_sample_weight_equivalence_on_dense_data": "rows in another order draw other "
                "starts, and number the components otherwise"
            }
        ),
    )  # fmt: skip


@all_checks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
def test_estimator_checks(estimator, check):
    check(estimator)


# ------------------------------------------------------------------------------- the lower bound


@pytest.mark.plain
@pytest.mark.parametrize("prior_type", WEIGHT_PRIORS)
@pytest.mark.parametrize("covariance_type", SKLEARN_TYPES)
def test_bounds__of_accelerated_fits_are_the_evidence_less_the_divergence(
    covariance_type, prior_type
):
    """But for a constant of the prior."""
    params = {
        "n_components": 3, "covariance_type": covariance_type, "init_params": LABELS, "tol": 0.0,
        "weight_concentration_prior_type": prior_type, "reg_covar": 0.0,
    }  # fmt: skip
    leaping = BayesianGaussianMixture(acceleration="auto", max_iter=4, **params).fit(FEW)
    plain = [BayesianGaussianMixture(max_iter=i, **params).fit(FEW) for i in (1, 2, 3)]
    rest = np.array(leaping.lower_bounds_[1:]) - [evidence_bound(each, FEW) for each in plain]
    np.testing.assert_allclose(rest, rest[0], rtol=1e-11)


@pytest.mark.plain
@pytest.mark.parametrize("prior_type", WEIGHT_PRIORS)
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_bounds__before_and_after_a_step_alternate(covariance_type, prior_type):
    """An accelerated fit reports the bound of a mixture, another one what its M step makes of it.

    Both are lower bounds of the evidence, so they only rise.
    """
    params = {
        "n_components": 3, "covariance_type": covariance_type, "init_params": LABELS, "tol": 0.0,
        "weight_concentration_prior_type": prior_type, "max_iter": 4, "reg_covar": 0.0,
    }  # fmt: skip
    after = BayesianGaussianMixture(**params).fit(FEW).lower_bounds_
    before = BayesianGaussianMixture(acceleration="auto", **params).fit(FEW).lower_bounds_
    both = np.ravel(np.column_stack([before, after]))
    assert (np.diff(both) > -1e-9).all() and both[-1] - both[0] > 1e-3


@pytest.mark.parametrize("covariance_type", SKLEARN_TYPES)
def test_one_component__has_one_bound(covariance_type):
    """Its responsibilities never change: the bound of its posterior is that after the step."""
    params = {"covariance_type": covariance_type, "tol": 0.0, "max_iter": 2, "reg_covar": 0.0}
    plain = BayesianGaussianMixture(**params).fit(FEW)
    leaping = BayesianGaussianMixture(acceleration="auto", **params).fit(FEW)
    np.testing.assert_allclose(plain.lower_bounds_, leaping.lower_bounds_[1], rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical"])
def test_acceleration__finds_the_same_posterior(covariance_type):
    params = {"n_components": 4, "covariance_type": covariance_type, "init_params": RESP}
    params |= {"tol": 1e-9, "max_iter": 5000, "reg_covar": 0.0}
    plain = BayesianGaussianMixture(**params).fit(X)
    leaping = BayesianGaussianMixture(acceleration="auto", **params).fit(X)
    assert leaping.n_iter_ < plain.n_iter_
    assert abs(leaping.lower_bound_ - plain.lower_bound_) < 1e-5
    np.testing.assert_allclose(leaping.means_, plain.means_, atol=1e-3)


def test_components_that_are_not_needed__get_no_weight():
    groups = np.repeat([[0.0, 0.0], [9.0, 0.0]], 100, axis=0)
    rows = np.random.default_rng(0).normal(size=(200, 2)) + groups
    for prior_type in WEIGHT_PRIORS:
        params = {"weight_concentration_prior_type": prior_type, "random_state": 0}
        found = BayesianGaussianMixture(
            n_components=6, weight_concentration_prior=1e-3, max_iter=500, **params
        ).fit(rows)
        assert (found.weights_ > 0.01).sum() == 2
        np.testing.assert_allclose(found.weights_.sum(), 1)


def test_sticks__may_be_too_long_for_a_float():
    rows = np.random.default_rng(0).normal(size=(400, 1))
    found = BayesianGaussianMixture(
        n_components=300, weight_concentration_prior=1e-3, max_iter=30, random_state=0
    ).fit(rows)
    assert np.isfinite(found.lower_bound_) and (found.weights_ > 0).all()
    assert np.isfinite(found.score(rows))


# ----------------------------------------------------------------------- rows of all kinds


@pytest.mark.parametrize("prior_type", WEIGHT_PRIORS)
@pytest.mark.parametrize("covariance_type", SKLEARN_TYPES)
def test_weights__repeat_rows(covariance_type, prior_type):
    counts = np.random.default_rng(1).integers(1, 4, len(FEW))
    params = {"n_components": 3, "covariance_type": covariance_type, "max_iter": 5, "tol": 0.0}
    params["weight_concentration_prior_type"] = prior_type
    weighted = BayesianGaussianMixture(init_params=LABELS, **params).fit(FEW, sample_weight=counts)
    labels = np.repeat(LABELS, counts)
    repeated = BayesianGaussianMixture(init_params=labels, **params).fit(np.repeat(FEW, counts, 0))
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, rtol=1e-9)


@pytest.mark.parametrize("kind", ["chunks", "dask"])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_rows_elsewhere__go_on_like_rows_in_memory(covariance_type, kind):
    begun = BayesianGaussianMixture(
        n_components=3, covariance_type=covariance_type, init_params=LABELS, max_iter=2, tol=0.0,
        warm_start=True,
    ).fit(FEW)  # fmt: skip
    elsewhere = {
        "chunks": lambda: chunks([FEW[:25], FEW[25:]]),
        "dask": lambda: dask.array.from_array(FEW, chunks=(30, 2)),
    }[kind]()
    with_chunks = pickle.loads(pickle.dumps(begun)).fit(elsewhere)
    in_memory = begun.fit(FEW)
    np.testing.assert_allclose(with_chunks.lower_bounds_, in_memory.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(with_chunks.means_, in_memory.means_, rtol=1e-9)


def test_float32__stays_near_float64():
    params = {"n_components": 3, "init_params": LABELS, "max_iter": 5, "tol": 0.0}
    wide = BayesianGaussianMixture(**params).fit(FEW)
    narrow = BayesianGaussianMixture(**params).fit(FEW.astype(np.float32))
    assert narrow.means_.dtype == np.float32
    np.testing.assert_allclose(narrow.lower_bounds_, wide.lower_bounds_, rtol=1e-5)


def test_threads__change_no_bit():
    rows = np.random.default_rng(0).normal(size=(5000, 3))
    params = {"n_components": 5, "random_state": 0, "max_iter": 10}
    one, two = (BayesianGaussianMixture(n_jobs=n, **params).fit(rows) for n in (1, 2))
    np.testing.assert_array_equal(one.means_, two.means_)
    assert one.lower_bounds_ == two.lower_bounds_


@pytest.mark.parametrize("kind", ["memory", "chunks"])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_component_of_one_row__needs_no_second_pass(covariance_type, kind):
    """Its mean stays between the row and the prior's, whatever the moments are taken about."""
    rows, labels = np.concatenate([FEW, [[1e5, 1e5]]]), np.append(LABELS, 3)
    mixture = BayesianGaussianMixture(
        n_components=4, covariance_type=covariance_type, init_params=labels, max_iter=3,
        covariance_prior=COVARIANCES_OF_TWO[covariance_type], mean_prior=[0.0, 0.0],
    ).fit(rows)  # fmt: skip
    data = (
        MemoryRows(rows)
        if kind == "memory"
        else open_rows(chunks([rows]), None, name="X", n_jobs=1)[0]
    )
    parameters = mixture._parameters(data.center)
    found = data.expectation(parameters, MODELS[covariance_type]().scatter)
    np.testing.assert_array_equal(found.reference, parameters.means)
    np.testing.assert_allclose(parameters.posterior[3], 1.0, rtol=1e-3)
    assert np.abs(parameters.means[3] + data.center - 1e5).max() > 1e4


# ------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("acceleration", ["none", "auto"])
@pytest.mark.parametrize("covariance_type", SKLEARN_TYPES)
def test_resume__ends_where_the_whole_fit_ends(covariance_type, acceleration, tmp_path):
    path, params = tmp_path / "fit.npz", {"n_components": 4, "init_params": RESP, "tol": 1e-6}
    params |= {"covariance_type": covariance_type, "acceleration": acceleration, "max_iter": 300}
    whole = BayesianGaussianMixture(**params).fit(X)

    def stop(iteration, lower_bound):
        return iteration == 7

    BayesianGaussianMixture(**params).fit(X, callback=stop, checkpoint=path)
    resumed = BayesianGaussianMixture.resume(path)
    assert resumed.n_iter_ == 7 and np.isfinite(resumed.score(X))
    resumed.fit(X)
    assert resumed.n_iter_ == whole.n_iter_
    np.testing.assert_allclose(resumed.lower_bounds_, whole.lower_bounds_, rtol=1e-9)
    np.testing.assert_allclose(resumed.means_, whole.means_, rtol=1e-8)


def test_resume__is_of_the_same_kind_of_fit(tmp_path):
    bayesian, other = tmp_path / "bayesian.npz", tmp_path / "other.npz"
    BayesianGaussianMixture(max_iter=2).fit(FEW, checkpoint=bayesian)
    GaussianMixture(max_iter=2).fit(FEW, checkpoint=other)
    with pytest.raises(ValueError, match="is of a BayesianGaussianMixture. Use Bayes"):
        GaussianMixture.resume(bayesian)
    with pytest.raises(ValueError, match="is of a GaussianMixture. Use GaussianMixture.resume"):
        BayesianGaussianMixture.resume(other)
    resumed = BayesianGaussianMixture.resume(bayesian)
    resumed.set_params(weight_concentration_prior=0.1)
    with pytest.raises(ValueError, match="with weight_concentration_prior=1.0; got 0.1. Set it"):
        resumed.fit(FEW)
    resumed = BayesianGaussianMixture.resume(bayesian).set_params(mean_prior=[100.0, 100.0])
    with pytest.raises(ValueError, match=r"of a fit with mean_prior=.* got \[100.0, 100.0\]. Set"):
        resumed.fit(FEW)


def test_failed_fit__changes_nothing():
    mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(FEW)
    before = dict(vars(mixture))
    mixture.set_params(weight_concentration_prior=7.0, reg_covar=0.0)
    with pytest.raises(ValueError, match="ill-defined"):
        mixture.fit(np.repeat(FEW[:1], 60, axis=0))
    for name in ATTRIBUTES:
        assert getattr(mixture, name) is before[name]


def test_sklearns_methods__are_there():
    public = {name for name in dir(TheirMixture) if not name.startswith("_")}
    assert public <= {name for name in dir(BayesianGaussianMixture)}
    assert not {"bic", "aic", "cdf"} & {*dir(BayesianGaussianMixture)}


def test_notebook__shows_the_bound_of_all_rows():
    mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(FEW)
    assert "of all rows" in mixture._repr_html_() and "log-likelihood" not in mixture._repr_html_()
    assert mixture.stop_reason_ == "Converged: the lower bound changed by less than tol."


# -------------------------------------------------------------------------------------- the rest


def test_callback_and_verbose__show_the_bound_of_all_rows(capsys):
    seen = []
    mixture = BayesianGaussianMixture(n_components=3, init_params=LABELS, verbose=2, max_iter=20)
    mixture.set_params(verbose_interval=1).fit(FEW, callback=lambda i, bound: seen.append(bound))
    np.testing.assert_allclose(seen, mixture.lower_bounds_)
    printed = capsys.readouterr().out
    assert f"lower bound {mixture.lower_bound_:.5f}" in printed
    change = mixture.lower_bounds_[1] - mixture.lower_bounds_[0]
    assert f"ll change {change:.5f}" in printed


def test_copies__predict_alike():
    mixture = BayesianGaussianMixture(n_components=3, random_state=0).fit(FEW)
    copy = pickle.loads(pickle.dumps(mixture))
    np.testing.assert_array_equal(copy.predict_proba(FEW), mixture.predict_proba(FEW))
    again = clone(mixture).fit(FEW)
    np.testing.assert_array_equal(again.means_, mixture.means_)
    json.dumps(mixture.lower_bounds_)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"covariance_type": "VVV"}, "must be a str among {'diag', 'full', 'spherical', 'tied'}"),
        ({"weight_concentration_prior": 0.0}, "must be a positive float or None. Got 0.0"),
        ({"weight_concentration_prior_type": "sticks"}, "must be a str among {'dirichlet_distrib"),
        ({"mean_prior": [1.0]}, "'mean_prior' should have the shape of (2,), but got (1,)"),
        ({"mean_prior": [1.0, np.nan]}, "Input contains NaN. The parameter 'mean_prior' must be"),
        ({"degrees_of_freedom_prior": 1.0}, "should be greater than 1, but got 1.000. Use 2, the"),
        ({"covariance_prior": 2.0}, "'covariance_prior' should have the shape of (2, 2), but got"),
        ({"covariance_prior": -np.eye(2)}, "should be symmetric, positive-definite; got the small"),
        (
            {"covariance_type": "diag", "covariance_prior": [1.0, -1.0]},
            "'covariance_prior' should be positive; got -1. Give variances.",
        ),
        ({"covariance_type": "spherical", "covariance_prior": [1.0]}, "shape of (), but got (1,)"),
    ],
)  # fmt: skip
def test_bad_priors__get_one_sentence(params, text):
    mixture = BayesianGaussianMixture(n_components=2, **params)
    assert text in refusal(lambda: mixture.fit(FEW))
