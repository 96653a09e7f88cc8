"""Columns that follow from others: no model, in no path, takes rounding for a variance."""

import itertools

import numpy as np
import pytest
from data import EVERY, mixture

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.models import MODELS
from gmmfast.parameters import Scatter
from gmmfast.rows import MemoryRows, open_rows
from gmmfast.rows.dependence import Dependence, dependent_columns

pytestmark = pytest.mark.quick

FREE = [name for name in EVERY if MODELS[name]().scatter is not Scatter.DIAGONAL]
OTHERS = [name for name in EVERY if name not in FREE]
A = np.random.default_rng(0).normal(size=(60, 3))
SHARES = np.exp(A) / np.exp(A).sum(axis=1, keepdims=True)

DEPENDENT = {  # rows, and which columns follow from which
    "sum": (np.c_[A, A.sum(axis=1)], {3: [0, 1, 2]}),
    "meters and feet": (np.c_[A[:, :2] + 1.7, (A[:, 0] + 1.7) / 0.3048], {2: [0]}),
    "percentages": (100 * SHARES, {2: [0, 1]}),
    "large and small units": (
        np.c_[1e5 * A[:, 0], 1e-5 * A[:, 1], A[:, 0] + A[:, 1]],
        {2: [0, 1]},
    ),
    "twice": (np.c_[A, A[:, :2]], {3: [0], 4: [1]}),
    "difference, off center": (np.c_[A + 1e5, A[:, 0] - A[:, 2]], {3: [0, 2]}),
}
NAMES = [*DEPENDENT]
ROWS = {
    "array": lambda X: X,
    "float32": lambda X: X.astype(np.float32),
    "chunks": lambda X: chunks(X, chunk_rows=17),
    "dask": lambda X: pytest.importorskip("dask.array").from_array(X, chunks=(17, -1)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("covariance_type", FREE)
def test_one_component__is_refused_with_the_columns(name, covariance_type):
    X, _ = DEPENDENT[name]
    kind = [*ROWS][(NAMES.index(name) + FREE.index(covariance_type)) % len(ROWS)]
    if kind == "float32" and name != "sum":  # the others are not dependent any more, rounded
        kind = "array"
    mixture = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0)
    with pytest.raises(ValueError, match="not positive definite") as caught:
        mixture.fit(ROWS[kind](X))
    assert "Leave out columns that follow from others, or raise reg_covar: column" in str(
        caught.value
    )
    assert "number of components" not in str(caught.value)
    assert "n_components" not in str(caught.value)
    assert not hasattr(mixture, "weights_")


@pytest.mark.parametrize("covariance_type", FREE)
def test_several_components__are_refused(covariance_type):
    X, _ = DEPENDENT["sum"]
    with pytest.raises(ValueError, match="column 3 follows from columns 0, 1 and 2"):
        GaussianMixture(2, covariance_type=covariance_type, reg_covar=0, random_state=0).fit(X)


@pytest.mark.parametrize("covariance_type", OTHERS)
def test_models_without_correlations__take_the_rows(covariance_type):
    for X, _ in DEPENDENT.values():
        fitted = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0).fit(X)
        assert np.isfinite(fitted.lower_bound_)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [kind for kind in ROWS if kind != "float32"])
def test_search__ranks_no_singular_mixture_and_names_the_columns(name, kind):
    X, follows = DEPENDENT[name]
    search = GaussianMixtureIC([1, 2], random_state=0)
    with pytest.warns(UserWarning, match="No model with free correlations could be fitted"):
        search.fit(ROWS[kind](X))
    results = search.results_
    free = np.isin(results["covariance_type"], FREE)
    assert (results["failure"][free] == "a covariance is not positive definite").all()
    assert search.best_covariance_type_ in OTHERS
    assert dependent_columns(np.cov(X.T)) == follows


def test_search__of_many_rows():
    """Beyond the compiled fits of few rows."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(2500, 2)), rng.normal(size=(2500, 2)) + 8])
    X = np.c_[X, X @ [1.0, 2.0]]
    search = GaussianMixtureIC([2], covariance_types=["VEE", "VVV", "VVI"], random_state=0)
    with pytest.warns(UserWarning, match="column 2 follows from columns 0 and 1"):
        search.fit(X)
    assert search.best_covariance_type_ == "VVI"


def test_search__without_any_other_model_is_an_error():
    import pandas as pd

    X = pd.DataFrame(DEPENDENT["sum"][0], columns=["north", "east", "south", "total"])
    search = GaussianMixtureIC([1, 2], covariance_types=["VEE", "VVV"], random_state=0)
    with pytest.raises(ValueError, match="None of 4 candidates .* 'total' follows from"):
        search.fit(X)


def test_search__with_reg_covar_says_nothing():
    GaussianMixtureIC([1], reg_covar=1e-3, random_state=0).fit(DEPENDENT["sum"][0])


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize("covariance_type", FREE)
@pytest.mark.parametrize("exponent", [-9, -7, -6.5, -6, -5, -3])
def test_likelihood__never_falls_where_columns_nearly_follow(covariance_type, exponent):
    """Down to the last share of variance that is let through."""
    X = nearly_dependent(exponent)
    fitted = GaussianMixture(
        2, covariance_type=covariance_type, reg_covar=0, tol=0, max_iter=60, random_state=0
    )
    try:
        fitted.fit(X)
    except ValueError as error:
        assert "not positive definite" in str(error)
        assert exponent <= -7
        return
    bounds = np.array(fitted.lower_bounds_)
    assert (np.diff(bounds) >= -1e-9 * np.abs(bounds[1:])).all()
    assert fitted.score(X) >= bounds[-1] - 1e-9 * abs(bounds[-1])
    if "rounding" in fitted.stop_reason_:
        assert fitted.converged_
        assert fitted.score(X) == pytest.approx(bounds[-1], rel=1e-12)


def test_columns_of_equal_values__are_named():
    import pandas as pd

    X = pd.DataFrame({"a": A[:, 0], "unit": np.full(60, 0.1), "b": A[:, 1]})
    for covariance_type in ("full", "diag", "VVE", "EEI"):
        mixture = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0)
        with pytest.raises(ValueError, match="Leave out column 'unit', whose values are all equal"):
            mixture.fit(X)


@pytest.mark.parametrize("seed", range(3))
def test_columns_of_many_rows__are_named(seed):
    """As many as are summed one by one; rounding must stay below what counts as singular."""
    A = np.random.default_rng(seed).normal(size=(100_000, 2))
    X = np.c_[A, A[:, 0] + 2 * A[:, 1]]
    assert Dependence.of(MemoryRows(X)).follows == {2: [0, 1]}
    X = np.c_[A[:, 0], A[:, 0] / 0.3048]
    assert Dependence.of(MemoryRows(X)).follows == {1: [0]}


def test_rows_that_are_not_singular__have_no_remedy():
    assert Dependence.of(MemoryRows(A)).remedy() == ""


@pytest.mark.parametrize("scale", [1e-165, 1e-160, 1e160])
def test_scales_without_squares__are_to_be_rescaled(scale):
    for covariance_type in ("full", "tied", "diag", "spherical", "VEE"):
        mixture = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0)
        with pytest.raises(ValueError, match="Rescale the columns"):
            mixture.fit(A * scale)


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_singular__does_not_depend_on_the_order_of_columns(order):
    X = DEPENDENT["sum"][0][:, [*order, 3]][:, ::-1]
    for code in set(MODEL_CODES) & set(FREE):
        with pytest.raises(ValueError, match="not positive definite"):
            GaussianMixture(1, covariance_type=code, reg_covar=0).fit(X)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "VVV", "EEE"])
def test_from_parameters__refuses_what_is_singular_to_rounding(covariance_type):
    covariance = np.array([[1.0, 1.0], [1.0, 1.0 + 2e-15]])
    given = covariance if covariance_type == "tied" else covariance[None]
    with pytest.raises(ValueError, match="positive definite") as caught:
        GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], given, covariance_type=covariance_type)
    assert "Fitting" not in str(caught.value)


FAR = {
    "two clusters": np.r_[A[:, :2], A[:30, :2] + 1e9],
    "one row": np.r_[A[:, :2], np.full((1, 2), 1e20)],
}


@pytest.mark.parametrize("name", FAR)
def test_far_clusters__are_no_dependent_columns(name):
    """Their covariance together is singular to rounding; that of each is not."""
    X = FAR[name]
    assert dependent_columns(np.cov(X.T))
    for kind in ("array", "chunks"):
        rows, _ = open_rows(ROWS[kind](X), None, name="", n_jobs=None)
        assert Dependence.of(rows).remedy() == ""


@pytest.mark.parametrize("covariance_type", FREE)
def test_far_clusters__have_sound_components(covariance_type):
    fitted = GaussianMixture(2, covariance_type=covariance_type, reg_covar=0, random_state=0)
    assert not fitted.fit(FAR["two clusters"]).degenerate_.any()


def test_search__of_far_clusters():
    search = GaussianMixtureIC([1, 2], random_state=0).fit(FAR["two clusters"])
    assert search.best_n_components_ == 2
    two = search.results_[search.results_["n_components"] == 2]
    assert not two["failure"].any()
    assert not two["degenerate"][np.isin(two["covariance_type"], FREE)].any()


def nearly_dependent(exponent):
    X = mixture(150, 2, 2, separation=2.0, seed=1)[0]
    noise = 10.0**exponent * np.random.default_rng(0).normal(size=150)
    return np.c_[X, X.sum(axis=1) + noise]


@pytest.mark.parametrize("acceleration", ["none", "auto"])
def test_rounded__the_loop_keeps_the_best(acceleration, tmp_path):
    """The fit ends where the likelihood falls, with what it was the largest of."""
    X, path = nearly_dependent(-6), tmp_path / "fit.npz"
    fitted = GaussianMixture(
        2, covariance_type="VEV", reg_covar=0, tol=0, max_iter=200, random_state=0,
        acceleration=acceleration,
    ).fit(X, checkpoint=path)  # fmt: skip
    assert fitted.converged_ and "rounding" in fitted.stop_reason_
    assert fitted.n_iter_ == len(fitted.lower_bounds_) < 200
    assert fitted.score(X) == pytest.approx(fitted.lower_bound_, rel=1e-9)
    again = GaussianMixture.resume(path).fit(X)
    assert again.stop_reason_ == fitted.stop_reason_
    np.testing.assert_array_equal(again.lower_bounds_, fitted.lower_bounds_)


def test_rounded__a_compiled_fit_keeps_the_best():
    search = GaussianMixtureIC([2], covariance_types=["VEV"], tol=0, random_state=0)
    best = search.fit(nearly_dependent(-6)).best_estimator_
    assert best.converged_ and "rounding" in best.stop_reason_
    log_likelihood = search.results_["log_likelihood"][0]
    assert log_likelihood / 150 == pytest.approx(best.lower_bound_, rel=1e-9)
