"""The constraints of the 14 models (Celeux & Govaert 1995): volumes, shapes and axes.

A covariance is ``volume * axes @ diag(shape) @ axes.T`` with ``prod(shape) = 1``. Of each of the
three, components have their own, or one in common, or none (a shape of ones; the features' axes).
Volumes and shapes together are the variances along the axes, and follow from the scatter along
them, its *spread*; so one set of rules serves all axes.
"""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.options import kernel

ROUND, COMMON, OWN = 0, 1, 2  # kinds of shape
PRECISION = 1e-14  # relative, of variances; in radians, of angles: what is less is rounding
AT_REST = 1e-9  # radians: the likelihood differs by the square
ITERATIONS = 1000  # at the most


@kernel
def fill_variances(
    own_volumes,  # in: whether each component has its own
    shape,  # in: ROUND, COMMON or OWN
    spread,  # in (K, d): scatter along the axes
    mass,  # in (K,)
    variances,  # out (K, d)
):
    """Variances along given axes that maximise the likelihood, by the kind of volume and shape."""
    if shape == ROUND:
        round_variances(own_volumes, spread, mass, variances)
    elif shape == COMMON:
        if own_volumes:
            proportional_variances(spread, mass, variances)
        else:
            equal_variances(spread, mass, variances)
    elif own_volumes:
        own_variances(spread, mass, variances)
    else:
        equal_volumes(spread, mass, variances)


@kernel
def round_variances(own_volumes, spread, mass, variances):
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
def own_variances(spread, mass, variances):
    """VV: each component's own."""
    for k in range(spread.shape[0]):
        for j in range(spread.shape[1]):
            variances[k, j] = spread[k, j] / mass[k]


@kernel
def equal_variances(spread, mass, variances):
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
def equal_volumes(spread, mass, variances):
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
    """Of a component's spread: what its volume is proportional to."""
    log_mean = 0.0
    for j in range(values.size):
        log_mean += np.log(values[j]) / values.size
    return np.exp(log_mean)


@kernel
def proportional_variances(spread, mass, variances):
    """VE: own volumes of a common shape, by proportional fitting.

    At the maximum ``spread / variances`` has the mean `mass` in each row, and sums to the total
    mass in each column. Columns and rows are scaled in turn until they do, which leaves a product
    of volumes and a shape. In their logarithms the likelihood is concave: it has one maximum.
    """
    K, d = spread.shape
    total_mass = 0.0
    for k in range(K):
        total_mass += mass[k]
    round_variances(True, spread, mass, variances)
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


# ---------------------------------------------------------------------------------------- axes


@kernel
def rotate(
    i,  # in
    j,  # in
    angle,  # in: from axis i towards axis j
    matrices,  # in, out (K, d, d): axes.T @ scatter @ axes
    axes,  # in, out (d, d): columns
):
    """Turn two axes that some matrices share."""
    c, s = np.cos(angle), np.sin(angle)
    K, d, _ = matrices.shape
    for k in range(K):
        for r in range(d):
            a, b = matrices[k, r, i], matrices[k, r, j]
            matrices[k, r, i], matrices[k, r, j] = c * a + s * b, c * b - s * a
        for r in range(d):
            a, b = matrices[k, i, r], matrices[k, j, r]
            matrices[k, i, r], matrices[k, j, r] = c * a + s * b, c * b - s * a
    for r in range(d):
        a, b = axes[r, i], axes[r, j]
        axes[r, i], axes[r, j] = c * a + s * b, c * b - s * a


@kernel
def set_identity(
    axes,  # out (d, d)
):
    """The features' axes."""
    axes[:] = 0.0
    for j in range(axes.shape[0]):
        axes[j, j] = 1.0


@kernel
def diagonalize(
    matrices,  # in, out (1, d, d): positive semidefinite -> diagonal, falling
    axes,  # out (d, d): eigenvectors in columns
):
    """Eigenvalues and eigenvectors, by Jacobi's rotations of each pair of axes in turn."""
    d = axes.shape[0]
    set_identity(axes)
    for _ in range(ITERATIONS):
        at_rest = True
        for i in range(d):
            for j in range(i + 1, d):
                p, q, r = matrices[0, i, i], matrices[0, j, j], matrices[0, i, j]
                if abs(r) > 1e-16 * np.sqrt(abs(p * q)) or p < q:
                    rotate(i, j, 0.5 * np.arctan2(2 * r, p - q), matrices, axes)
                    at_rest = False
        if at_rest:
            break


@kernel
def turn_common_axes(
    variances,  # in (K, d)
    matrices,  # in, out (K, d, d): axes.T @ scatter @ axes
    axes,  # in, out (d, d)
):
    """Turn each pair of axes to where ``sum(spread / variances)`` is least.

    In a plane, that is a quadratic form of the first axis' direction. Returns the largest angle.
    """
    K, d = variances.shape
    largest = 0.0
    for i in range(d):
        for j in range(i + 1, d):
            p = q = r = 0.0
            for k in range(K):
                gain = 1 / variances[k, i] - 1 / variances[k, j]
                p += gain * matrices[k, i, i]
                q += gain * matrices[k, j, j]
                r += gain * matrices[k, i, j]
            angle = 0.5 * np.arctan2(-2 * r, q - p)
            if abs(angle) > PRECISION:
                rotate(i, j, angle, matrices, axes)
                largest = max(largest, abs(angle))
    return largest


@kernel
def fit_common_axes(
    own_volumes,  # in
    shape,  # in
    mass,  # in (K,)
    matrices,  # in, out (K, d, d): scatter -> axes.T @ scatter @ axes
    axes,  # in, out (d, d)
    spread,  # out (K, d)
    variances,  # out (K, d)
):
    """EVE, VVE and VEE: turn the axes, take the variances along them, in turn until both rest.

    Neither step lowers the likelihood; the first is exact in every plane, where Browne & McNicholas
    (2014) bound it. Returns ``sum_k mass_k log |covariance_k|``, which is least where the
    likelihood is greatest.
    """
    K, d = variances.shape
    for _ in range(ITERATIONS):
        for k in range(K):
            for j in range(d):
                spread[k, j] = matrices[k, j, j]
        fill_variances(own_volumes, shape, spread, mass, variances)
        if not turn_common_axes(variances, matrices, axes) > AT_REST:
            break
    log_dets = 0.0
    for k in range(K):
        for j in range(d):
            log_dets += mass[k] * np.log(variances[k, j])
    return log_dets


@kernel
def compose(
    axes,  # in (d, d)
    variances,  # in (d,)
    covariance,  # out (d, d)
):
    """``axes @ diag(variances) @ axes.T``, symmetric to the last bit."""
    d = variances.size
    for i in range(d):
        for j in range(i + 1):
            total = 0.0
            for r in range(d):
                total += axes[i, r] * variances[r] * axes[j, r]
            covariance[i, j] = covariance[j, i] = total
