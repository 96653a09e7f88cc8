"""Variances along given axes, under the 14 models' constraints on volumes and shapes.

They follow from the scatter along the axes, the *spread*, so one set of rules serves all axes.
"""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import kernel

ROUND, COMMON, OWN = 0, 1, 2  # kinds of shape
PRECISION = 1e-14  # relative: smaller changes are rounding
ITERATIONS = 1000  # at most


@kernel
def fill_variances(
    own_volumes,  # in: whether each component has its own
    shape,  # in: ROUND, COMMON or OWN
    spread,  # in (K, d): scatter along the axes
    mass,  # in (K,)
    is_first,  # in: whether to ignore earlier variances
    variances,  # in, out (K, d)
):
    """Variances along given axes that maximize the likelihood, by the kind of volume and shape."""
    if shape == ROUND:
        round_variances(own_volumes, spread, mass, variances)
    elif shape == COMMON:
        if own_volumes:
            proportional_variances(spread, mass, is_first, variances)
        else:
            equal_variances(spread, mass, variances)
    elif own_volumes:
        own_variances(spread, mass, variances)
    else:
        equal_volumes(spread, mass, variances)


@kernel
def round_variances(
    own_volumes,  # in: whether each component has its own
    spread,  # in (K, d)
    mass,  # in (K,)
    variances,  # out (K, d)
):
    """EII and VII: the mean along all axes, of all components or of each."""
    K, d = spread.shape
    total = total_mass = 0.0
    for k in range(K):
        own = 0.0
        for j in range(d):
            own += spread[k, j]
        for j in range(d):
            variances[k, j] = own / (mass[k] * d)
        total += own
        total_mass += mass[k]
    if not own_volumes:
        variances[:] = total / (total_mass * d)


@kernel
def own_variances(
    spread,  # in (K, d)
    mass,  # in (K,)
    variances,  # out (K, d)
):
    """VV: each component's own."""
    for k in range(spread.shape[0]):
        for j in range(spread.shape[1]):
            variances[k, j] = spread[k, j] / mass[k]


@kernel
def equal_variances(
    spread,  # in (K, d)
    mass,  # in (K,)
    variances,  # out (K, d)
):
    """EE: the same for all components."""
    K, d = spread.shape
    total_mass = 0.0
    for k in range(K):
        total_mass += mass[k]
    for j in range(d):
        total = 0.0
        for k in range(K):
            total += spread[k, j]
        for k in range(K):
            variances[k, j] = total / total_mass


@kernel
def equal_volumes(
    spread,  # in (K, d)
    mass,  # in (K,)
    variances,  # out (K, d)
):
    """EV: own shapes; the common volume is the mean of the components' geometric means."""
    K, d = spread.shape
    volume = total_mass = 0.0
    for k in range(K):
        size = geometric_mean(spread[k])
        volume += size
        total_mass += mass[k]
        for j in range(d):
            variances[k, j] = spread[k, j] / size
    volume /= total_mass
    for k in range(K):
        for j in range(d):
            variances[k, j] *= volume


@kernel
def geometric_mean(
    values,  # in (d,)
):
    """Geometric mean of a component's spread, proportional to its volume."""
    log_mean = 0.0
    for j in range(values.size):
        log_mean += np.log(values[j]) / values.size
    return np.exp(log_mean)


@kernel
def proportional_variances(
    spread,  # in (K, d)
    mass,  # in (K,)
    is_first,  # in: whether to ignore earlier variances
    variances,  # in, out (K, d)
):
    """VE: own volumes of a common shape, by proportional fitting.

    At the maximum ``spread / variances`` has the mean `mass` in each row, and sums to the total
    mass in each column. Columns and rows are scaled in turn until they do, which keeps a product
    of volumes and a shape. In their logarithms the likelihood is concave: it has one maximum,
    and earlier variances, along nearby axes, are closer to it than round ones.
    """
    K, d = spread.shape
    total_mass = 0.0
    for k in range(K):
        total_mass += mass[k]
    if is_first:
        round_variances(np.bool_(True), spread, mass, variances)
    for _ in range(ITERATIONS):
        change = 0.0
        for j in range(d):
            scale = 0.0
            for k in range(K):
                scale += spread[k, j] / variances[k, j] / total_mass
            change = max(change, abs(scale - 1))
            for k in range(K):
                variances[k, j] *= scale
        for k in range(K):
            scale = 0.0
            for j in range(d):
                scale += spread[k, j] / variances[k, j] / (d * mass[k])
            for j in range(d):
                variances[k, j] *= scale
        if not change > PRECISION:
            break
