"""Vectors: how exact `exp` and `log` are, and which arrays may be loaded from."""

import numpy as np
import pytest
from numba import config
from numba.core.errors import TypingError

from gmmfast.kernels.options import kernel
from gmmfast.kernels.simd import exp, lanes, load, log, store

ROWS = 4096


@kernel
def exp_of(x, y):
    for p in range(0, ROWS, lanes(x)):
        store(y, (p,), exp(load(x, (p,))))


@kernel
def log_of(x, y):
    for p in range(0, ROWS, lanes(x)):
        store(y, (p,), log(load(x, (p,))))


@pytest.mark.plain
@pytest.mark.parametrize(("dtype", "floor", "error"), [("f8", 708, 3.2e-16), ("f4", 87, 1.7e-7)])
def test_exp(dtype, floor, error):
    x = -np.linspace(0, floor - 1, ROWS).astype(dtype)
    y = np.empty_like(x)
    exp_of(x, y)
    np.testing.assert_allclose(y.astype(np.longdouble), np.exp(x.astype(np.longdouble)), rtol=error)
    x[:] = np.linspace(-floor - 1, -1e6, ROWS)
    exp_of(x, y)
    np.testing.assert_array_equal(y, 0)


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
