"""Options that change the likelihood, with each other: none lowers its objective."""

import itertools

import numpy as np
import pytest

from gmmfast import GaussianMixture, Prior

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

RNG = np.random.default_rng(0)
GROUPS = [RNG.normal(0.0, 1.0, (40, 2)), RNG.normal(5.0, 1.0, (40, 2))]
X = np.concatenate([*GROUPS, RNG.uniform(-10.0, 15.0, (6, 2))])
MASK = (RNG.uniform(size=X.shape) < 0.2) & [True, False]
GAPS = np.where(MASK, np.nan, X)
OPTIONS = {
    "noise": {"noise": True},
    "prior": {"prior": Prior(concentration=2.0)},
    "ratio": {"covariance_ratio": 3.0},
    "trim": {"trim": 0.1},
    "tails": {"component": "t", "degrees_of_freedom": 4.0},
    "missing": {"missing_values": "marginalize"},
    "fixed": {"fixed": {"weights": [True, False]}, "weights_init": [0.45, np.nan]},
}
APART = {("noise", "missing"): "without missing values", ("trim", "missing"): "trim needs complete"}


@pytest.mark.parametrize("pair", [*itertools.combinations(OPTIONS, 2)], ids="-".join)
@pytest.mark.parametrize("acceleration", ["none", "auto"])
def test_objective__is_never_lowered(pair, acceleration):
    rows = GAPS if "missing" in pair else X
    options = OPTIONS[pair[0]] | OPTIONS[pair[1]] | {"acceleration": acceleration}
    mixture = GaussianMixture(2, random_state=0, tol=1e-9, max_iter=200, reg_covar=0.0, **options)
    if pair in APART:
        with pytest.raises(ValueError, match=APART[pair]):
            mixture.fit(rows)
        return
    mixture.fit(rows)
    assert mixture.converged_ and np.diff(mixture.lower_bounds_).min() > -1e-10
    means = mixture.means_[mixture.means_[:, 0].argsort()]
    np.testing.assert_allclose(means, [[0, 0], [5, 5]], atol=1.0)
    total = mixture.weights_.sum() + getattr(mixture, "noise_weight_", 0.0)
    assert total == pytest.approx(1.0, abs=1e-12)
    if "fixed" in pair:
        assert mixture.weights_[0] == 0.45


EMPTY = {
    "weights_init": [0.5, 0.5, 0.0],
    "means_init": [[0.0, 0.0], [5.0, 5.0], [2.0, 2.0]],
    "precisions_init": np.tile(np.eye(2), (3, 1, 1)),
}


@pytest.mark.filterwarnings("ignore::gmmfast.errors.CollapsedComponentWarning")
@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
def test_ratio__a_component_without_rows_moves_no_other(reg_covar):
    options = {"covariance_ratio": 3.0, "max_iter": 20, "reg_covar": reg_covar}
    mixture = GaussianMixture(3, **options, **EMPTY).fit(X)
    start = {"weights_init": [0.5, 0.5], "means_init": EMPTY["means_init"][:2]}
    start |= {"precisions_init": EMPTY["precisions_init"][:2]}
    other = GaussianMixture(2, **options, **start).fit(X)
    np.testing.assert_allclose(mixture.covariances_[:2], other.covariances_, atol=1e-9)


@pytest.mark.parametrize("name", ["full", "VEV", "EEE", "VVI", "VII", "EVE"])
def test_prior__a_component_without_rows_has_a_finite_covariance(name):
    options = {"prior": Prior(concentration=2.0), "reg_covar": 0.0, "max_iter": 5}
    mixture = GaussianMixture(3, covariance_type=name, **options, **EMPTY).fit(X)
    assert np.isfinite(mixture.lower_bounds_).all() and not mixture.degenerate_.any()
    sizes = np.abs(np.asarray(mixture.covariances_).reshape(3, -1)).max(axis=1)
    assert sizes.max() < 100


def test_noise__without_a_density_of_some_features():
    mixture = GaussianMixture(2, noise=True, missing_values="marginalize", random_state=0).fit(X)
    for use in (mixture.predict, mixture.predict_proba, mixture.score_samples, mixture.impute):
        with pytest.raises(ValueError, match="needs rows without missing values"):
            use([[1.0, np.nan], [0.0, 0.0]])


def test_noise__columns_that_follow_from_others_have_a_volume():
    rows = np.column_stack([X, X.sum(axis=1)])
    mixture = GaussianMixture(2, noise=True, random_state=0).fit(rows)
    assert mixture.noise_volume_ == pytest.approx(np.prod(np.ptp(rows, axis=0)))
    assert mixture.noise_weight_ < 0.2


@pytest.mark.parametrize("flag", [np.True_, np.False_])
def test_noise__takes_numpys_truth_values(flag):
    one, other = (
        GaussianMixture(2, noise=own, random_state=0).fit(X) for own in (flag, bool(flag))
    )
    np.testing.assert_array_equal(one.means_, other.means_)
    assert hasattr(one, "noise_weight_") == bool(flag)


def test_noise__keeps_its_box_as_a_stream_goes_on():
    mixture = GaussianMixture(2, noise=True, random_state=0).partial_fit(X)
    box = mixture.noise_box_
    np.testing.assert_array_equal(mixture.partial_fit(X + 0.1).noise_box_, box)
    assert mixture.sample(5)[0].shape == (5, 2)


def test_noise__a_volume_alone_is_refused():
    with pytest.raises(ValueError, match="there is none; got noise=None and noise_volume=3.0"):
        GaussianMixture(2, noise_volume=3.0).fit(X)
