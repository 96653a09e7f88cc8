"""A bounded ratio of eigenvalues: the exact truncation, and fits that it makes sound."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks, load
from gmmfast.errors import CollapsedComponentWarning
from gmmfast.models import model_of
from gmmfast.parameters import SufficientStatistics

RNG = np.random.default_rng(0)
NEAR = 3 + 1e-5 * RNG.normal(size=(3, 2))  # nearly equal rows: without a bound a component's own
X = np.concatenate([RNG.normal(size=(60, 2)), [8, 0] + RNG.normal(size=(60, 2)) * [4, 0.5], NEAR])
BOUNDED = {"covariance_ratio": 20, "reg_covar": 0.0, "random_state": 0, "tol": 1e-6}


def fitted(covariance_type="full", X=X, weights=None, **changes):
    return GaussianMixture(
        3, covariance_type=covariance_type, **BOUNDED | {"max_iter": 300} | changes
    ).fit(X, sample_weight=weights)


def ratio_of(mixture):
    covariances = mixture._model().matrices(mixture.covariances_, *mixture.means_.shape)
    eigenvalues = np.linalg.eigvalsh(covariances)
    return eigenvalues.max() / eigenvalues.min()


def cost(mass, unbounded, bounded):
    """Twice the loss of log-likelihood."""
    return (mass[:, None] * (np.log(bounded) + unbounded / bounded)).sum()


def directly_bounded(ratio, mass, variances):
    """The best interval by a search over its lower end."""

    def bounded(log_least):
        return np.clip(variances, np.exp(log_least), ratio * np.exp(log_least))

    ends = np.log(np.concatenate([variances, variances / ratio]))
    found = minimize_scalar(
        lambda least: cost(mass, variances, bounded(least)),
        bounds=(ends.min(), ends.max()),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return bounded(found.x)


# ------------------------------------------------------------------------------------- truncation


def sums_of(mass, scatter):
    """Sums of rows about means of zero."""
    K, d = scatter.shape[:2]
    n, zeros = mass.sum(), np.zeros((K, d))
    return SufficientStatistics(0.0, 0.0, n, 10, zeros, mass, zeros.copy(), scatter.copy())


def bounded(ratio, mass, variances):
    """The M step's variances along the axes of the features."""
    sums = sums_of(mass, mass[:, None] * variances)
    return model_of("diag", 0.0, ratio).maximization(sums).covariances


@pytest.mark.plain
@pytest.mark.parametrize("seed", range(20))
def test_bound_ratio__equals_a_direct_minimization(seed):
    rng = np.random.default_rng(seed)
    shape, ratio = (1 + seed % 5, 1 + seed % 3), [1.0, 2.0, 10.0, 100.0][seed % 4]
    mass = rng.gamma(1, size=shape[0])
    variances = rng.gamma(0.5, size=shape) * 10.0 ** rng.integers(0, 4)
    found, is_within = bounded(ratio, mass, variances), variances.max() <= ratio * variances.min()
    assert found.max() <= ratio * found.min() * (1 + 1e-15)
    expected = variances if is_within else directly_bounded(ratio, mass, variances)
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # a flat minimum: half of the digits
    own, best = cost(mass, variances, found), cost(mass, variances, expected)
    assert own <= best + 1e-12 * abs(best)


@pytest.mark.plain
def test_bound_ratio__a_variance_of_zero():
    found = bounded(10.0, np.array([1.0, 2.0]), np.array([[0.0, 1.0], [4.0, 2.0]]))
    # one variance is moved up, and one down: least = (1 * 0 + 2 * 4 / 10) / (1 + 2)
    np.testing.assert_allclose(found, [[0.8 / 3, 1.0], [8 / 3, 2.0]])


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_m_step__is_the_best_of_bounded_covariances(kind):
    model, rng, mass = model_of(kind, 0.0, 3.0), np.random.default_rng(1), np.array([2.0, 5.0])
    roots = rng.normal(size=(2, 2, 2)) * [[[5.0]], [[1.0]]]
    scatter = roots @ roots.swapaxes(1, 2)
    own = scatter if kind == "full" else np.einsum("kii->ki", scatter)

    def loss(covariances):
        traces = np.einsum("kij,kji->k", np.linalg.inv(covariances), scatter)
        return (mass * np.linalg.slogdet(covariances)[1] + traces).sum()

    found = model.matrices(model.maximization(sums_of(mass, own)).covariances, 2, 2)
    values, axes = np.linalg.eigh(found)
    assert values.max() == pytest.approx(3 * values.min())
    for _ in range(200):
        turned = axes
        if kind == "full":
            turned = np.linalg.qr(axes + 0.1 * rng.normal(size=axes.shape))[0]
        others = values * np.exp(0.1 * rng.normal(size=values.shape))
        others = np.maximum(others, others.max() / 3)
        assert loss((turned * others[:, None]) @ turned.swapaxes(1, 2)) >= loss(found) - 1e-12


# ------------------------------------------------------------------------------------------- fits


@pytest.mark.parametrize("acceleration", ["none", "auto"])
@pytest.mark.parametrize("covariance_type", ["full", "VVI", "spherical"])
def test_fit__holds_the_ratio_and_never_falls(covariance_type, acceleration):
    ratio = 20 if covariance_type != "spherical" else 1.5
    mixture = fitted(covariance_type, covariance_ratio=ratio, acceleration=acceleration)
    assert ratio_of(mixture) == pytest.approx(ratio, rel=1e-12)
    assert (np.diff(mixture.lower_bounds_) > -1e-12).all()
    assert mixture.converged_


def test_fit__rules_out_a_component_of_a_few_nearly_equal_rows():
    at_near = np.array([[0.0, 0.0], [8.0, 0.0], [3.0, 3.0]])
    with pytest.warns(CollapsedComponentWarning):
        free = fitted(means_init=at_near, covariance_ratio=None, reg_covar=1e-12)
    spurious = np.linalg.eigvalsh(free.covariances_).min(axis=1)
    assert spurious.min() < 1e-9  # the likeliest mixture has a component of three rows
    mixture = fitted(means_init=at_near)
    assert np.linalg.eigvalsh(mixture.covariances_).min() > 0.1
    assert not mixture.degenerate_.any()


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_fit__a_bound_that_is_never_reached_changes_no_bit(covariance_type):
    settings = {"covariance_type": covariance_type, "reg_covar": 1e-6}
    bounded = fitted(**settings, covariance_ratio=1e9)
    free = fitted(**settings, covariance_ratio=None)
    assert bounded.lower_bounds_ == free.lower_bounds_
    np.testing.assert_array_equal(bounded.covariances_, free.covariances_)


def test_fit__a_ratio_of_one_makes_all_components_the_same_sphere():
    mixture = fitted(covariance_ratio=1)
    volume = mixture.covariances_[0, 0, 0]
    np.testing.assert_allclose(
        mixture.covariances_, np.tile(volume * np.eye(2), (3, 1, 1)), atol=1e-12
    )


def test_fit__starts_from_covariances_beyond_the_ratio():
    precisions = np.tile(np.diag([1.0, 1e4]), (3, 1, 1))
    mixture = fitted(precisions_init=precisions, means_init=[[0, 0], [8, 0], [3, 3]], tol=1e-9)
    assert ratio_of(mixture) == pytest.approx(20)
    assert mixture.converged_


def test_fit__integer_weights_repeat_rows_and_pieces_are_the_same():
    weights = 1 + np.arange(len(X)) % 3
    start = {"means_init": [[0, 0], [8, 0], [3, 3]], "tol": 1e-10}
    weighted = fitted(weights=weights, **start)
    repeated = fitted(X=np.repeat(X, weights, axis=0), **start)
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, atol=1e-6)
    whole, in_pieces = fitted(**start), fitted(X=chunks([X[:50], X[50:]]), **start)
    np.testing.assert_allclose(in_pieces.covariances_, whole.covariances_, atol=1e-6)


def test_search__tries_the_models_whose_ratio_can_be_bounded():
    search = GaussianMixtureIC([1, 3], covariance_ratio=20, random_state=0).fit(X)
    assert set(search.results_["covariance_type"]) == {"VII", "VVI", "VVV"}
    assert not search.results_["degenerate"].any()
    assert search.best_estimator_.covariance_ratio == 20
    assert ratio_of(search.best_estimator_) <= 20 * (1 + 1e-12)


def test_search__fits_full_covariances_of_dependent_columns():
    dependent = np.column_stack([X, X.sum(axis=1)])
    search = GaussianMixtureIC([2], covariance_ratio=1e3, random_state=0).fit(dependent)
    assert search.best_covariance_type_ == "VVV"


# --------------------------------------------------------------------------- parameters and files


@pytest.mark.parametrize("covariance_type", ["tied", "VEV", "EVI"])
def test_covariance_ratio__is_refused_where_variances_are_shared(covariance_type):
    with pytest.raises(ValueError, match=f"needs components.*got '{covariance_type}'"):
        fitted(covariance_type)
    with pytest.raises(ValueError, match=f"needs components.*got '{covariance_type}'"):
        GaussianMixtureIC([2], covariance_types=[covariance_type], covariance_ratio=5).fit(X)


@pytest.mark.parametrize("ratio", [0.5, np.inf, np.nan, "5", True])
def test_covariance_ratio__is_refused_unless_a_number_from_one_on(ratio):
    with pytest.raises(ValueError, match=r"'covariance_ratio' parameter.*\[1.0, inf\) or None"):
        fitted(covariance_ratio=ratio)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_resume__of_a_bounded_fit(covariance_type, tmp_path):
    path, settings = tmp_path / "fit.npz", {"covariance_type": covariance_type, "tol": 1e-9}
    whole = fitted(**settings)
    GaussianMixture(3, **BOUNDED | settings).fit(X, callback=lambda i, _: i == 4, checkpoint=path)
    other = GaussianMixture.resume(path).set_params(covariance_ratio=5)
    with pytest.raises(ValueError, match="covariance_ratio=20; got 5"):
        other.fit(X)
    resumed = GaussianMixture.resume(path).set_params(max_iter=300).fit(X)
    np.testing.assert_allclose(resumed.covariances_, whole.covariances_, rtol=1e-9)
    assert resumed.n_iter_ == whole.n_iter_


def test_save__keeps_the_ratio(tmp_path):
    fitted().save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").covariance_ratio == 20
