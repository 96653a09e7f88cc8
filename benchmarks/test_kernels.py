"""Passes over packed rows, by structure of the covariances and shape of the data."""

import numpy as np
import pytest

from benchmarks.cases import Case, typical_start
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

SHAPES = [(20_000, 2, 5), (10_000, 10, 10), (5_000, 32, 8)]
STRUCTURES = ["full", "tied", "diag", "spherical"]

by_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
by_structure = pytest.mark.parametrize("structure", STRUCTURES)
by_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def prepared(shape, structure, dtype):
    """Rows sorted by their component, the model and the parameters of a typical iteration."""
    case = Case("", *shape, 0, 0, burn_in=3)
    X = case.data()
    start = typical_start(X, case, structure)
    rows = MemoryRows(X.astype(dtype))
    model = MODELS[structure](case.reg_covar)
    parameters = model.parameters(start.weights, start.means - rows.center, start.covariances)
    return rows.arranged_for(parameters), model, parameters


@by_dtype
@by_shape
@by_structure
def test_expectation(benchmark, structure, shape, dtype):
    benchmark.group = f"expectation, {shape}"
    rows, model, parameters = prepared(shape, structure, dtype)
    hints = rows.hints()
    statistics = benchmark(rows.expectation, parameters, model.scatter, hints)
    assert np.isclose(statistics.mass.sum(), shape[0])


@by_shape
@by_structure
def test_maximization(benchmark, structure, shape):
    benchmark.group = f"maximization, {shape}"
    rows, model, parameters = prepared(shape, structure, "float64")
    statistics = rows.expectation(parameters, model.scatter)
    found = benchmark(model.maximization, statistics, parameters)
    assert np.isclose(found.weights.sum(), 1.0)


@by_shape
@pytest.mark.parametrize("what", ["labels", "responsibilities", "log_densities"])
@by_structure
def test_evaluation(benchmark, structure, what, shape):
    benchmark.group = f"{what}, {shape}"
    rows, _, parameters = prepared(shape, structure, "float64")
    assert len(benchmark(getattr(rows, what), parameters)) == shape[0]


@by_shape
def test_packing(benchmark, shape):
    benchmark.group = "packing"
    X = Case("", *shape, 0, 0).data()
    labels = np.random.default_rng(0).integers(0, shape[2], len(X))
    packed = benchmark(lambda: MemoryRows(X, labels=labels).packed)
    assert packed.row_weights.sum() == len(X)
