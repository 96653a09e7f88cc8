"""The compiled loop: blocks of passes change no bit, and kernels are compiled once per kind."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from data import TYPES, mixture

from gmmfast import GaussianMixture, em
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.em.kmeans import partition_around
from gmmfast.em.trials import _likeliest_of_few, likeliest, tried
from gmmfast.em.trials import begun as begin
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.loop import iterate
from gmmfast.kernels.maximization import maximize
from gmmfast.kernels.passes import TRIANGLES, WIDE, find_layout
from gmmfast.models import MODELS
from gmmfast.models.step import load_mixture, new_state, new_work
from gmmfast.rows import MemoryRows

X = mixture(500, 3, 3, separation=1.2, seed=5)[0]
EVERY = [*TYPES, *MODEL_CODES]


def bits(result):
    """Everything that a fit has found, as bytes."""
    arrays = result.parameters.to_arrays().values()
    return [array.tobytes() for array in arrays], result.lower_bounds, result.status


def begun(code, dtype, reg_covar):
    start = GaussianMixture(3, covariance_type=code, max_iter=0, random_state=0)
    rows, model = MemoryRows(X.astype(dtype)), MODELS[code](reg_covar)
    return rows, start.fit(X)._parameters(rows.center), model


WAYS = [("f8", "none", 0.0), ("f4", "auto", 1e-6), ("f8", "auto", 0.0), ("f4", "none", 0.0)]
CASES = [(code, *way) for code, way in zip(EVERY * 2, itertools.cycle(WAYS), strict=False)]


@pytest.mark.parametrize(("code", "dtype", "acceleration", "reg_covar"), CASES)
def test_blocks__change_no_bit(code, dtype, acceleration, reg_covar, monkeypatch):
    rows, parameters, model = begun(code, dtype, reg_covar)
    control = em.Control(tol=1e-7, max_iter=60, acceleration=acceleration)
    found = []
    for block in (1, 2, 7, 10**9):
        monkeypatch.setattr(MemoryRows, "passes_at_once", lambda self, fit, block=block: block)
        found.append(bits(em.run(rows, parameters, model, control)))
    assert len(found[0][1]) > 7
    assert found[1:] == found[:1] * 3


def test_passes_of_python__find_what_the_compiled_loop_finds(monkeypatch):
    for code in EVERY:
        rows, parameters, model = begun(code, "f8", 1e-6)
        control = em.Control(tol=0, max_iter=20)
        compiled = em.run(rows, parameters, model, control)
        with monkeypatch.context() as patch:
            patch.setattr("gmmfast.rows.memory.SLICE", 0)
            patch.setattr(MemoryRows, "passes_at_once", lambda self, fit: 3)
            sliced = em.run(rows, parameters, model, control)
        np.testing.assert_allclose(sliced.lower_bounds, compiled.lower_bounds, rtol=1e-12)
        for name, array in sliced.parameters.to_arrays().items():
            expected = compiled.parameters.to_arrays()[name]
            np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.skipif(not hasattr(maximize, "signatures"), reason="kernels are plain Python here")
def test_m_step__is_compiled_once_per_kind_of_arrays():
    for code in EVERY:
        for dtype in ("f4", "f8"):
            rows, parameters, model = begun(code, dtype, 0)
            em.run(rows, parameters, model, em.Control(tol=0, max_iter=2))
    kinds = set()
    for _, totals, found, _ in maximize.signatures:
        scatter, factors = totals.fields.index("scatter"), found.fields.index("factors")
        kinds.add((totals.types[scatter].ndim, found.types[factors].ndim))
    assert kinds == {(3, 3), (2, 2), (3, 2)}
    assert len(maximize.signatures) == len(kinds)


@pytest.mark.parametrize("code", ["full", "tied", "VVE"])
def test_passes_of_python__have_the_same_bits_for_any_threads(code, monkeypatch):
    many = mixture(40_000, 3, 3, separation=1.2, seed=1)[0]
    start = GaussianMixture(3, covariance_type=code, max_iter=0, random_state=0).fit(many)
    monkeypatch.setattr("gmmfast.rows.memory.SLICE", 1000)
    found = []
    for n_jobs in (1, 2):
        rows, model = MemoryRows(many, n_jobs=n_jobs), MODELS[code](0.0)
        parameters = start._parameters(rows.center)
        arranged = rows.arranged_for(parameters)
        found.append(bits(em.run(arranged, parameters, model, em.Control(tol=0, max_iter=5))))
    assert found[0] == found[1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("code", EVERY)
def test_starts_of_few_rows__are_those_of_the_loop(code, weighted):
    few = X[:300]
    weights = np.random.default_rng(0).integers(0, 3, len(few)) * 1e-3 if weighted else None
    rows, model = MemoryRows(few, weights), MODELS[code](1e-6)
    rng = np.random.default_rng(1)
    ways = [partition_around(rows, few[rng.integers(0, 300, 3)] - rows.center) for _ in range(3)]
    found = _likeliest_of_few(rows, model, ways, 0, 1.0)
    total = rows.total(model.scatter)
    expected = None
    for way in ways:
        trial = tried(begin(rows, model, way), model, total)
        expected = trial if trial.beats(expected) else expected
    assert found.is_sound == expected.is_sound
    assert found.lower_bound == pytest.approx(expected.lower_bound, rel=1e-12)
    np.testing.assert_allclose(found.fit.flat, expected.fit.flat, rtol=1e-7, atol=1e-10)


def test_starts_of_few_rows__that_cannot_be_fitted():
    rows, model = MemoryRows(np.zeros((50, 2))), MODELS["full"](0.0)
    with pytest.raises(IllDefinedCovarianceError):
        likeliest(rows, model, [partition_around(rows, np.zeros((1, 2)))])


@pytest.mark.parametrize("code", ["EVE", "VVE", "EEV", "VEV", "EVV", "VEI", "EII"])
def test_starts_outside_of_the_family__may_lose_likelihood_in_the_first_step(code):
    full = GaussianMixture(3, tol=1e-8, max_iter=500, random_state=0).fit(X)
    given = {"means_init": full.means_, "precisions_init": full.precisions_}
    params = {"covariance_type": code, "weights_init": full.weights_, "reg_covar": 0, **given}
    fitted = GaussianMixture(3, max_iter=300, **params).fit(X)
    assert "rounding" not in fitted.stop_reason_
    assert np.diff(fitted.lower_bounds_)[1:].min() >= -1e-12
    again = GaussianMixture.from_parameters(
        fitted.weights_, fitted.means_, fitted.covariances_, covariance_type=code
    )
    assert again.score(X) == pytest.approx(fitted.score(X))  # the covariances are of the model


@pytest.mark.skipif(not hasattr(maximize, "signatures"), reason="kernels are plain Python here")
def test_integers_from_users__compile_nothing_again():
    counts = []
    for number in (float, int):
        params = {"tol": number(0), "reg_covar": number(0), "random_state": 0}
        for max_iter in (3, np.int32(3)):
            mixture = GaussianMixture(2, max_iter=max_iter, **params)
            with pytest.warns(UserWarning, match="did not converge"):
                mixture.fit(X)
        counts.append((len(maximize.signatures), len(iterate.signatures)))
    assert counts[0] == counts[1]


SCRIPT = """
import hashlib, sys, warnings
import numpy as np
from gmmfast import GaussianMixture, GaussianMixtureIC
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 12)) @ rng.normal(size=(12, 12)) + 5 * rng.integers(0, 3, (3000, 1))
digest = hashlib.sha256()
for kind in ("full", "tied", "diag", "VVE"):
    fitted = GaussianMixture(3, covariance_type=kind, random_state=0, acceleration="auto").fit(X)
    digest.update(fitted.means_.tobytes() + fitted.covariances_.tobytes())
for init in ("hierarchical", "random"):
    fitted = GaussianMixture(3, init_params=init, random_state=0).fit(X)
    digest.update(fitted.means_.tobytes() + fitted.covariances_.tobytes())
search = GaussianMixtureIC([1, 2, 3], covariance_types=["VVV", "VVI"], random_state=0).fit(X[:600])
digest.update(search.results_["bic"].tobytes())
print(digest.hexdigest())
"""


def test_results__do_not_depend_on_the_threads_of_blas():
    found = set()
    for count in ("1", "2"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": count}
        run = [sys.executable, "-c", SCRIPT]
        result = subprocess.run(run, capture_output=True, text=True, env=env, check=True)
        found.add(result.stdout)
    assert len(found) == 1


def test_starts_of_few_rows__that_need_another_layout():
    """Whitened rows of clusters far apart would be too coarse."""
    few = mixture(200, 2, 2, separation=3.0, seed=0)[0]
    few[100:] += 1e8
    rows, model = MemoryRows(few), MODELS["tied"](0.0)
    ways = [partition_around(rows, few[[0, 150]] - rows.center)]
    assert _likeliest_of_few(rows, model, ways, 0, 1.0) is None
    assert likeliest(rows, model, ways).is_sound


@pytest.mark.parametrize("code", EVERY)
def test_layouts__follow_one_rule_in_the_loop_and_in_python(code):
    """The loop reads it from its arrays, passes made by Python from `Parameters`."""
    rng, model, found = np.random.default_rng(0), MODELS[code](0.0), set()
    for i in range(60):
        spread, far = 10.0 ** rng.uniform(-7, 0), 10.0 ** rng.uniform(0, 9) * (i % 3)
        rows = rng.normal(size=(60, 3))
        rows[:, 1] = rows[:, 0] + spread * rows[:, 1]
        rows[30:] += far
        packed = MemoryRows(rows, center=np.zeros(3))
        labels = packed.tiled(np.repeat([0, 1], 30))
        statistics = packed.partition(labels, rows[[0, 30]], model.scatter)
        parameters = model.maximization(statistics)
        state = new_state(model, 2, 3)
        load_mixture(model, parameters, state.mixture, new_work(model, state))
        narrow = np.dtype("f4")
        for is_narrow, dtype in ((True, parameters.dtype_for(narrow)), (False, np.dtype("f8"))):
            layout = find_layout(is_narrow, state.mixture)
            assert bool(layout & WIDE) == (is_narrow and dtype == np.float64)
            if model.is_whitened:
                assert bool(layout & TRIANGLES) == (parameters.density(dtype).whitening is None)
            found.add(int(layout))
    assert {0, WIDE} <= found
    assert not model.is_whitened or len(found) > 2
