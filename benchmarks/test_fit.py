"""gmmfast and its rivals, grouped by structure and shape; and the time of compiling."""

import pytest

from benchmarks.cases import Case, typical_start
from benchmarks.fresh import probe
from benchmarks.packages import GMMFAST, ONEDAL, SCIKIT_LEARN, available
from gmmfast import GaussianMixture

SHAPES = [(20_000, 2, 5), (10_000, 10, 10), (5_000, 32, 8)]
STRUCTURES = ["full", "tied", "diag", "spherical"]
ITERATIONS = 5
TOLERANCES = {SCIKIT_LEARN: 1e-8, ONEDAL: 1e-5}  # oneDAL regularizes differently

by_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
by_structure = pytest.mark.parametrize("structure", STRUCTURES)


@by_shape
@by_structure
@pytest.mark.parametrize("package", [GMMFAST, SCIKIT_LEARN, ONEDAL])
def test_fit(benchmark, package, structure, shape):
    benchmark.group = f"{ITERATIONS} iterations, {structure}, {shape}"
    packages = available(structure)
    if package not in packages:
        pytest.skip(f"{package} is not installed, or has no such covariances")
    case = Case("", *shape, 0, 0, burn_in=1)
    X = case.data()
    start = typical_start(X, case, structure)
    expected = packages[GMMFAST](X, start, ITERATIONS)
    packages[package](X, start, ITERATIONS)
    found = benchmark(packages[package], X, start, ITERATIONS)
    assert found == pytest.approx(expected, rel=TOLERANCES.get(package, 0.0))


@by_shape
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples"])
@pytest.mark.parametrize("package", [GMMFAST, SCIKIT_LEARN])
def test_evaluation(benchmark, package, method, shape):
    benchmark.group = f"{method}, {shape}"
    case = Case("", *shape, 0, 0, burn_in=1)
    X = case.data()
    start = typical_start(X, case, "full")
    mixture = GaussianMixture.from_parameters(start.weights, start.means, start.covariances)
    if package == SCIKIT_LEARN:
        mixture = mixture.to_sklearn()
    evaluate = getattr(mixture, method)
    evaluate(X)
    assert len(benchmark(evaluate, X)) == len(X)


def test_first_fit__compiles(benchmark, tmp_path):
    benchmark.group = "first fit in a process"
    benchmark.pedantic(first_fit, args=(str(tmp_path),), rounds=1)


def test_first_fit__finds_machine_code(benchmark, tmp_path):
    benchmark.group = "first fit in a process"
    first_fit(str(tmp_path))
    benchmark.pedantic(first_fit, args=(str(tmp_path),), rounds=3)


def first_fit(cache):
    assert probe("first_fit", "gmmfast", "large", cache=cache)["fit"] > 0
