"""Vectors: how exact `exp` and `log` are, and which arrays may be loaded from."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import config
from numba.core.errors import TypingError

from gmmfast.kernels.compiling import entry_kernel as kernel
from gmmfast.kernels.simd import HAS_FMA, abilities, exp, lanes, load, log, store

ROWS = 4096


@kernel
def exp_of(x, y):
    for p in range(0, ROWS, lanes(x)):
        store(y, (p,), exp(load(x, (p,))))


@kernel
def log_of(x, y):
    for p in range(0, ROWS, lanes(x)):
        store(y, (p,), log(load(x, (p,))))


@pytest.mark.quick
@pytest.mark.plain
@pytest.mark.parametrize(
    ("dtype", "floor", "error"),
    [("f8", 708, 3.2e-16 if HAS_FMA else 3.7e-16), ("f4", 87, 1.7e-7)],
)
def test_exp(dtype, floor, error):
    x = -np.linspace(0, floor - 1, ROWS).astype(dtype)
    y = np.empty_like(x)
    exp_of(x, y)
    np.testing.assert_allclose(y.astype(np.longdouble), np.exp(x.astype(np.longdouble)), rtol=error)
    x[:] = np.linspace(-floor - 1, -1e6, ROWS)
    exp_of(x, y)
    np.testing.assert_array_equal(y, 0)


@pytest.mark.skipif(config.DISABLE_JIT, reason="NumPy's own exp has other errors")
@pytest.mark.parametrize(
    ("dtype", "floor", "error"),
    [("f8", 708, 3.6e-16 if HAS_FMA else 4.1e-16), ("f4", 87, 1.1e-7)],
)
def test_exp__documented_error(dtype, floor, error):
    """Over many values, some of which are rarer than one in ten thousand."""
    for part in np.array_split(-np.linspace(0, floor - 1, 64 * ROWS).astype(dtype), 64):
        y = np.empty_like(part)
        exp_of(part, y)
        true = np.exp(part.astype(np.longdouble))
        np.testing.assert_allclose(y.astype(np.longdouble), true, rtol=error)


@pytest.mark.quick
@pytest.mark.plain
@pytest.mark.parametrize(("dtype", "error"), [("f8", 2.3e-16), ("f4", 1.2e-7)])
def test_log(dtype, error):
    """Relative, or absolute near 1, where the logarithm is 0."""
    x = np.concatenate([np.geomspace(1e-30, 1e30, ROWS // 2), np.linspace(0.5, 2, ROWS // 2)])
    x = x.astype(dtype)
    y = np.empty_like(x)
    log_of(x, y)
    true = np.log(x.astype(np.longdouble))
    np.testing.assert_array_less(np.abs(y - true), error * np.maximum(np.abs(true), 1))


@pytest.mark.skipif(config.DISABLE_JIT, reason="the compiler says so, and there is none")
def test_vectors_need_c_order():
    x = np.zeros((2, ROWS))[:, ::2]
    with pytest.raises(TypingError, match="in C order"):
        exp_of(x[0], np.empty(ROWS))


# ----------------------------------------------------------------------------- other processors

on_x86 = pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="not x86")
PASS = """
import numpy as np
import reference
from gmmfast.kernels import expectation, simd
from gmmfast.models import MODELS
from gmmfast.parameters import Scatter
from gmmfast.rows import MemoryRows

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 6)).astype({dtype!r})
means, weights = rng.normal(size=(3, 6)), np.array([0.2, 0.3, 0.5])
covariances = np.stack([np.cov(rng.normal(size=(6, 9))) for _ in range(3)])
rows = MemoryRows(X, n_jobs=1)
parameters = MODELS["full"]().parameters(weights, means - rows.center, covariances)
statistics = rows.expectation(parameters, Scatter.FULL)
log_density, resp = reference.e_step(X.astype("f8"), weights, means, covariances)
tolerance = {{"f8": 1e-12, "f4": 1e-4}}[{dtype!r}]
np.testing.assert_allclose(statistics.log_likelihood, log_density.sum(), rtol=tolerance)
np.testing.assert_allclose(statistics.mass, resp.sum(axis=0), rtol=tolerance)
(assembly,) = expectation.em_shards.inspect_asm().values()
print(simd.REGISTER_BYTES, simd.HAS_FMA, "vfmadd" in assembly, "fma" in assembly)
"""


@pytest.mark.quick
@on_x86
@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        ("generic", "", (16, False)),
        ("nehalem", "", (16, False)),
        ("sandybridge", "", (32, False)),
        ("haswell", "", (32, True)),
        ("haswell", "-fma", (32, False)),
        ("znver3", "", (32, True)),
        ("skylake-avx512", "", (64, True)),
        ("skylake-avx512", "-avx512f", (32, True)),
    ],
)
def test_abilities__follow_the_target(name, features, expected):
    assert abilities(name, features) == expected


@on_x86
@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize(("name", "dtype"), [("nehalem", "f8"), ("generic", "f4")])
def test_pass_without_fma__calls_no_library_and_agrees(name, dtype, tmp_path):
    environment = {
        "NUMBA_CPU_NAME": name,
        "NUMBA_CACHE_DIR": str(tmp_path),  # in one folder it would displace what others compile
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    result = subprocess.run(
        [sys.executable, "-c", PASS.format(dtype=dtype)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["16", "False", "False", "False"]
