"""The 14 models of Celeux & Govaert: against mclust, and what holds of every family."""

import json
from pathlib import Path

import numpy as np
import pytest
import reference
from data import mixture

import gmmfast
from gmmfast import GaussianMixture, em
from gmmfast.data.constraints import MODEL_CODES, TYPES_WITHOUT_FACTORS
from gmmfast.em.stepwise import Stream
from gmmfast.models import MODELS, square_roots
from gmmfast.rows import MemoryRows

pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

ITERATIVE = ("VEI", "VEE", "VEV", "EVE", "VVE")
DATA = ("iris", "diabetes", "faithful")


def stored(name):
    """Rows, the partition to start from, and what mclust 6.0.0 makes of it for each model."""
    found = json.loads((Path(__file__).parent / "mclust" / f"{name}.json").read_text())
    labels = np.array(found["labels"])
    return np.array(found["data"], float), labels - labels.min(), found["models"]


STORED = {name: stored(name) for name in DATA}


def after_m_step(X, labels, code):
    """Rows and parameters after an M step of a partition."""
    model = MODELS[code]()
    rows = MemoryRows(X)
    means = np.array([X[labels == k].mean(axis=0) for k in range(labels.max() + 1)]) - rows.center
    statistics = rows.partition(rows.tiled(labels), means, model.scatter)
    return rows, model, model.maximization(statistics)


def complete_log_likelihood(X, labels, covariances):
    """Of rows about their components' means, but for a constant."""
    total = 0.0
    for k, covariance in enumerate(covariances):
        residual = X[labels == k] - X[labels == k].mean(axis=0)
        scatter = residual.T @ residual
        log_det = np.linalg.slogdet(covariance)[1]
        total -= (len(residual) * log_det + np.trace(np.linalg.solve(covariance, scatter))) / 2
    return total


def fitted(X, code, K=3, **params):
    """A fit by plain EM, from a start that is the same for every copy of the rows."""
    defaults = {"reg_covar": 0.0, "tol": 0.0, "max_iter": 30, "random_state": 0}
    defaults["means_init"] = X[np.linspace(0, len(X) - 1, K).astype(int)]
    return GaussianMixture(K, covariance_type=code, **defaults | params)


def test_names_and_models_are_the_same():
    assert tuple(MODELS) == TYPES_WITHOUT_FACTORS


# --------------------------------------------------------------------------- against mclust


PLAIN = pytest.param("faithful", marks=pytest.mark.plain)


@pytest.mark.parametrize("code", MODEL_CODES)
@pytest.mark.parametrize("name", ["iris", "diabetes", PLAIN])
def test_m_step(name, code):
    X, labels, models = STORED[name]
    rows, _, parameters = after_m_step(X, labels, code)
    theirs = {key: np.array(value) for key, value in models[code]["mstep"].items()}
    gain = complete_log_likelihood(X, labels, parameters.covariances) - complete_log_likelihood(
        X, labels, theirs["covariances"]
    )
    assert gain > -1e-8
    np.testing.assert_allclose(parameters.weights, theirs["weights"], rtol=1e-12)
    np.testing.assert_allclose(parameters.means + rows.center, theirs["means"], rtol=1e-10)
    if code == "VVE" and gain > 1e-2:
        return  # mclust's common axes are not at the maximum
    tolerance = 1e-5 if code in ITERATIVE else 1e-8
    scale = np.abs(theirs["covariances"]).max()
    np.testing.assert_allclose(
        parameters.covariances, theirs["covariances"], rtol=0, atol=tolerance * scale
    )


@pytest.mark.parametrize("code", MODEL_CODES)
@pytest.mark.parametrize("name", DATA)
def test_em_from_the_same_partition(name, code):
    X, labels, models = STORED[name]
    theirs = models[code]["em"]
    rows, model, parameters = after_m_step(X, labels, code)
    result = em.run(rows, parameters, model, em.Control(tol=1e-12, max_iter=5000))
    gain = result.lower_bound * len(X) - theirs["loglik"]
    assert gain >= -1e-4
    if gain > 1e-4:
        assert code == "VVE"  # as above: another optimum, and a better one
        return
    found = result.parameters
    for ours, key in (
        (found.weights, "weights"),
        (found.means + rows.center, "means"),
        (found.covariances, "covariances"),
    ):
        scale = np.abs(theirs[key]).max()
        np.testing.assert_allclose(ours, np.array(theirs[key]), rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("code", MODEL_CODES)
@pytest.mark.parametrize("name", DATA)
def test_criteria(name, code):
    X, _, models = STORED[name]
    theirs = models[code]["em"]
    parameters = [np.array(theirs[key]) for key in ("weights", "means", "covariances")]
    ours = GaussianMixture.from_parameters(*parameters, covariance_type=code)
    assert ours._n_parameters() == models[code]["df"]
    assert ours.bic(X) == pytest.approx(-theirs["bic"], abs=1e-6)
    assert ours.icl(X) == pytest.approx(-theirs["icl"], abs=1e-6)


# ------------------------------------------------------------------------------- the families


def parts(covariances):
    """Volumes, and shapes and axes by falling variance."""
    values, axes = np.linalg.eigh(covariances)
    volumes = np.exp(np.log(values).mean(axis=1))
    return volumes, values[:, ::-1] / volumes[:, None], axes[:, :, ::-1]


@pytest.mark.parametrize("reg_covar", [0.0, 0.3])
@pytest.mark.parametrize("code", MODEL_CODES)
def test_covariances_are_of_the_family(code, reg_covar):
    X = mixture(400, 4, 3, separation=1.5, seed=2)[0] * [1, 2, 3, 4]
    covariances = fitted(X, code, reg_covar=reg_covar).fit(X).covariances_
    assert covariances.shape == (3, 4, 4)
    np.testing.assert_array_equal(covariances, covariances.swapaxes(1, 2))
    volume, shape, axes = code
    volumes, _, _ = parts(covariances)
    assert (np.ptp(volumes) < 1e-9 * volumes.max()) == (volume == "E")
    scaled = covariances / volumes[:, None, None]
    if axes == "I":
        assert not (covariances * (1 - np.eye(4))).any()
        variances = np.einsum("kii->ki", scaled)  # a common shape is one in the same order
        assert (np.abs(variances - 1) < 1e-9).all() == (shape == "I")
    else:
        variances = parts(covariances)[1]
        commuting = scaled[0] @ scaled[1] - scaled[1] @ scaled[0]
        assert (np.abs(commuting).max() < 1e-6) == (axes == "E")
    assert (np.ptp(variances, axis=0).max() < 1e-7) == (shape != "V")


@pytest.mark.parametrize("code", MODEL_CODES)
def test_likelihood_never_falls(code):
    for seed in range(4):
        X, _ = mixture(400, 3, 3, separation=0.8, seed=seed)
        bounds = fitted(X, code, max_iter=60, means_init=None).fit(X).lower_bounds_
        assert len(bounds) == 60 and np.diff(bounds).min() > -1e-12 and np.ptp(bounds) > 1e-5


@pytest.mark.parametrize("code", [c for c in MODEL_CODES if c[2] != "I" or c[1] == "I"])
def test_rotated_rows_give_rotated_mixtures(code):
    X, _ = mixture(300, 3, 3, separation=1.5, seed=5)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    plain, rotated = fitted(X, code).fit(X), fitted(X @ rotation, code).fit(X @ rotation)
    assert rotated.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-8)
    expected = rotation.T @ plain.covariances_ @ rotation
    np.testing.assert_allclose(rotated.covariances_, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("code", ["EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVV", "VVV"])
def test_scaled_features_give_scaled_mixtures(code):
    X, _ = mixture(300, 3, 3, separation=1.5, seed=6)
    scales, labels = np.array([1e-2, 1.0, 50.0]), np.arange(300) % 3
    _, _, plain = after_m_step(X, labels, code)
    _, _, scaled = after_m_step(X * scales, labels, code)
    expected = plain.covariances * scales[:, None] * scales
    np.testing.assert_allclose(scaled.covariances, expected, rtol=1e-7, atol=1e-12 * 50**2)


@pytest.mark.parametrize("code", MODEL_CODES)
def test_one_feature_and_one_component(code):
    X, _ = mixture(200, 1, 2, seed=7)
    ours = fitted(X, code, K=2).fit(X)
    twin = fitted(X, "VVI" if code[0] == "V" else "EII", K=2).fit(X)
    assert ours.lower_bound_ == pytest.approx(twin.lower_bound_, abs=1e-10)
    X, _ = mixture(200, 3, 1, seed=8)
    ours = fitted(X, code, K=1).fit(X)
    structure = {"II": "EII", "EI": "VVI", "VI": "VVI"}.get(code[1:], "VVV")
    twin = fitted(X, structure, K=1).fit(X)
    np.testing.assert_allclose(ours.covariances_, twin.covariances_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("code", MODEL_CODES)
def test_weights_are_repetitions(code):
    X, _ = mixture(150, 3, 3, separation=1.5, seed=9)
    counts = np.random.default_rng(0).integers(0, 4, len(X))
    init = {"means_init": X[counts > 0][:3], "precisions_init": np.stack([np.eye(3)] * 3)}
    init["weights_init"] = np.full(3, 1 / 3)
    params = {"covariance_type": code, "tol": 0.0, "max_iter": 20, "reg_covar": 0.0}
    weighted = GaussianMixture(3, **init, **params).fit(X, sample_weight=counts)
    repeated = GaussianMixture(3, **init, **params).fit(np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, atol=1e-11)
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, atol=1e-8)


@pytest.mark.parametrize("code", MODEL_CODES)
def test_precisions_of_the_start_may_be_outside_of_the_family(code):
    X, _ = mixture(200, 3, 2, seed=10)
    rng = np.random.default_rng(1)
    roots = np.eye(3) + 0.3 * rng.normal(size=(2, 3, 3))
    precisions, means, weights = roots @ roots.swapaxes(1, 2), X[:2], np.array([0.3, 0.7])
    ours = GaussianMixture(
        2, covariance_type=code, weights_init=weights, means_init=means,
        precisions_init=precisions, reg_covar=0.0, max_iter=1,
    ).fit(X)  # fmt: skip
    log_density, _ = reference.e_step(X, weights, means, np.linalg.inv(precisions))
    assert ours.lower_bounds_[0] == pytest.approx(log_density.mean(), abs=1e-11)


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.parametrize("code", MODEL_CODES)
def test_a_component_without_rows(code):
    X, _ = mixture(200, 3, 2, seed=11)
    start = {"means_init": [X[0], X[1], [1e6, 1e6, 1e6]], "weights_init": [0.5, 0.5, 0.0]}
    start["precisions_init"] = np.stack([np.eye(3)] * 3)
    with_empty = GaussianMixture(3, covariance_type=code, reg_covar=1e-3, tol=0.0, **start).fit(X)
    start = {name: value[:2] for name, value in start.items()}
    without = GaussianMixture(2, covariance_type=code, reg_covar=1e-3, tol=0.0, **start).fit(X)
    assert with_empty.weights_[2] == 0 and with_empty.degenerate_[2]
    np.testing.assert_allclose(with_empty.lower_bounds_, without.lower_bounds_, atol=1e-9)
    np.testing.assert_allclose(with_empty.covariances_[:2], without.covariances_, atol=1e-7)


# ---------------------------------------------------------------------------- using a fit


@pytest.mark.parametrize("code", MODEL_CODES)
def test_densities_of_a_fit(code, tmp_path):
    X, _ = mixture(300, 3, 3, separation=1.5, seed=12)
    ours = fitted(X, code).fit(X)
    log_density, resp = reference.e_step(X, ours.weights_, ours.means_, ours.covariances_)
    np.testing.assert_allclose(ours.score_samples(X), log_density, rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), resp, atol=1e-9)
    identity = ours.covariances_ @ ours.precisions_
    np.testing.assert_allclose(identity, np.stack([np.eye(3)] * 3), atol=1e-7)
    ours.save(tmp_path / "model.npz")
    again = gmmfast.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.score_samples(X), ours.score_samples(X))
    theirs = ours.to_sklearn()
    np.testing.assert_allclose(theirs.score_samples(X), log_density, rtol=1e-9)
    assert ours.sample(50)[0].shape == (50, 3)


@pytest.mark.parametrize("code", MODEL_CODES)
def test_acceleration_stays_in_the_family(code):
    X, _ = mixture(400, 3, 3, separation=0.9, seed=13)
    plain = fitted(X, code, tol=1e-10, max_iter=5000).fit(X)
    ours = fitted(X, code, tol=1e-10, max_iter=5000, acceleration="auto").fit(X)
    assert ours.converged_ and plain.converged_
    assert ours.lower_bound_ > plain.lower_bound_ - 1e-7
    assert ours.n_iter_ < plain.n_iter_
    model, parameters = MODELS[code](), ours._parameters(np.zeros(3))
    averages = Stream.of_mixture(parameters, model, 1.0).averages
    step = model.maximization(averages, parameters)
    np.testing.assert_allclose(step.covariances, ours.covariances_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("code", ["VEE", "EVE", "VVE"])
def test_a_step_from_earlier_axes__raises_the_likelihood_towards_the_whole_step(code):
    X, labels, _ = STORED["iris"]
    rows, model, whole = after_m_step(X, labels, code)
    *_, other = after_m_step(X, np.arange(len(X)) % 3, code)  # another partition
    means = np.array([X[labels == k].mean(axis=0) for k in range(3)]) - rows.center
    statistics, values = rows.partition(rows.tiled(labels), means, model.scatter), []
    for _ in range(30):
        other = model.maximization(statistics, other)
        values.append(complete_log_likelihood(X, labels, other.covariances))
    most = complete_log_likelihood(X, labels, whole.covariances)
    assert most - values[0] > 1e-6  # one step does not reach it
    assert np.diff(values).min() > -1e-9
    assert values[-1] == pytest.approx(most, rel=1e-12)


@pytest.mark.parametrize("code", MODEL_CODES)
def test_a_singular_scatter_has_one_clear_error(code):
    X = np.zeros((20, 2))
    with pytest.raises(ValueError, match="reg_covar"):
        GaussianMixture(1, covariance_type=code, reg_covar=0.0).fit(X)


@pytest.mark.plain
def test_square_roots__do_not_depend_on_the_signs_of_eigenvectors(monkeypatch):
    covariances = np.array([[[4.0, 1.0], [1.0, 2.0]], [[3.0, 0.0], [0.0, 3.0]]])
    expected, eigh = square_roots(covariances), np.linalg.eigh
    np.testing.assert_allclose(expected @ expected.transpose(0, 2, 1), covariances)

    def turned(matrices):
        values, vectors = eigh(matrices)
        return values, vectors * [-1.0, 1.0]

    monkeypatch.setattr(np.linalg, "eigh", turned)
    np.testing.assert_allclose(square_roots(covariances), expected, rtol=1e-14, atol=1e-15)
