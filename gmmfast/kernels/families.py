"""The constraints of the 14 models (Celeux & Govaert 1995): volumes, shapes and axes.

A covariance is ``volume * axes @ diag(shape) @ axes.T`` with ``prod(shape) = 1``. Each of the
three is a component's own, common to all, or absent (a shape of ones; the features' axes).
Volumes and shapes together are the variances along the axes (`kernels.variances`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import addressed_kernel, called_kernel, entry_kernel, kernel
from gmmfast.kernels.variances import ITERATIONS, PRECISION, fill_variances

NO_MORE = 1e-16  # correlation below the rounding of p and q: no rotation reduces it
AT_REST = 1e-10  # sine of an angle at convergence: the likelihood differs by its square
TRIAL_ITERATIONS = 3  # that decide which initial axes are best
LATER_ITERATIONS = 3  # of a step from earlier axes; EM does the rest


@kernel
def half_angle(
    y,  # in
    x,  # in
):
    """Cosine and sine of ``arctan2(y, x) / 2``."""
    scale = max(abs(x), abs(y))  # its square may overflow
    if scale == 0:
        return 1.0, 0.0
    x, y = x / scale, y / scale
    length = np.sqrt(x * x + y * y)
    larger = np.sqrt(0.5 * (1 + abs(x) / length))
    smaller = 0.5 * abs(y) / (length * larger)
    c, s = (larger, smaller) if x >= 0 else (smaller, larger)
    return c, np.copysign(s, y)


@called_kernel
def rotate(
    i,  # in
    j,  # in
    c,  # in: cosine of the angle from axis i to axis j
    s,  # in: its sine
    matrices,  # in, out (K, d, d): axes.T @ scatter @ axes
    axes,  # in, out (d, d): columns
):
    """Rotate two axes shared by some matrices."""
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


@entry_kernel
def diagonalize(
    matrices,  # in, out (1, d, d): positive semidefinite -> diagonal, descending
    axes,  # in, out (d, d): current axes -> eigenvectors, in columns
):
    """Eigenvalues and eigenvectors, by Jacobi rotations of each pair of axes in turn."""
    d = axes.shape[0]
    for _ in range(ITERATIONS):
        at_rest = True
        for i in range(d):
            for j in range(i + 1, d):
                p, q, r = matrices[0, i, i], matrices[0, j, j], matrices[0, i, j]
                if abs(r) > NO_MORE * np.sqrt(abs(p)) * np.sqrt(abs(q)) or p < q:
                    c, s = half_angle(2 * r, p - q)
                    rotate(i, j, c, s, matrices, axes)
                    at_rest = False
        if at_rest:
            break


@kernel
def turn_common_axes(
    variances,  # in (K, d)
    matrices,  # in, out (K, d, d): axes.T @ scatter @ axes
    axes,  # in, out (d, d)
):
    """Rotate each pair of axes to minimize ``sum(spread / variances)``.

    In a plane, that is a quadratic form of the first axis' direction. Returns the largest sine.
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
            c, s = half_angle(-2 * r, q - p)
            if abs(s) > PRECISION:
                rotate(i, j, c, s, matrices, axes)
                largest = max(largest, abs(s))
    return largest


@called_kernel
def fit_common_axes(
    family,  # in: Family
    scatter,  # in (K, d, d)
    mass,  # in (K,)
    is_first,  # in: whether to ignore earlier variances
    iterations,  # in: at most
    axes,  # in, out (d, d): initial axes -> fitted ones
    work,  # scratch: rotated, spread; out: variances
):
    """EVE, VVE and VEE: alternate variances along the axes and rotations, until convergence.

    Neither lowers the likelihood, so EM also converges if a step ends early (generalized EM:
    Dempster, Laird & Rubin 1977, section 1); rotations are exact in each plane, where Browne &
    McNicholas (2014) use a bound. Returns ``sum_k mass_k log |covariance_k|``, which is smallest
    where the likelihood is largest.
    """
    K, d = work.variances.shape
    for k in range(K):
        rotate_into(axes, scatter[k], work.one[0], work.rotated[k])
    for i in range(iterations):
        for k in range(K):
            for j in range(d):
                work.spread[k, j] = work.rotated[k, j, j]
        fill_variances(
            family.own_volumes, family.shape, work.spread, mass, is_first and i == 0, work.variances
        )
        if not turn_common_axes(work.variances, work.rotated, axes) > AT_REST:
            break
    log_dets = 0.0
    for k in range(K):
        for j in range(d):
            log_dets += mass[k] * np.log(work.variances[k, j])
    return log_dets


@kernel
def find_common_axes(
    family,  # in: Family
    scatter,  # in (K, d, d)
    mass,  # in (K,)
    work,  # scratch; out: axes
):
    """Best of several initial axes: of the total scatter, and of each component's."""
    K, d, _ = scatter.shape
    lowest = np.inf
    set_identity(work.axes)
    for c in range(K + 1):
        for i in range(d):
            for j in range(d):
                total = 0.0
                for k in range(K):
                    total += scatter[k, i, j] if c == K or c == k else 0.0
                work.one[0, i, j] = total
        set_identity(work.own_axes[0])
        diagonalize(work.one, work.own_axes[0])
        log_dets = fit_common_axes(
            family,
            scatter,
            mass,
            np.bool_(True),
            np.int64(TRIAL_ITERATIONS),
            work.own_axes[0],
            work,
        )
        if log_dets < lowest:
            lowest = log_dets
            copy_into(work.own_axes[0], work.axes)


@kernel
def copy_into(
    matrix,  # in (d, d)
    out,  # out (d, d)
):
    """Copy a matrix."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[i, j] = matrix[i, j]


@kernel
def rotate_into(
    axes,  # in (d, d)
    matrix,  # in (d, d), symmetric
    half,  # scratch (d, d)
    out,  # out (d, d)
):
    """``axes.T @ matrix @ axes``."""
    d = axes.shape[0]
    for i in range(d):
        for j in range(d):
            total = 0.0
            for r in range(d):
                total += matrix[i, r] * axes[r, j]
            half[i, j] = total
    for i in range(d):
        for j in range(d):
            total = 0.0
            for r in range(d):
                total += axes[r, i] * half[r, j]
            out[i, j] = total


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


@kernel
def divide_by_mass(
    scatter,  # in (K, d, d)
    mass,  # in (K,)
    covariances,  # out (K, d, d)
):
    """Each component's own covariance matrix."""
    for k in range(scatter.shape[0]):
        for i in range(scatter.shape[1]):
            for j in range(scatter.shape[1]):
                covariances[k, i, j] = scatter[k, i, j] / mass[k]


@kernel
def find_own_axes(
    is_first,  # in: whether to search for axes; else start from the earlier ones
    scatter,  # in (K, d, d)
    work,  # scratch; in, out: own axes; out: spread
):
    """Each component's own axes, and the scatter along them."""
    K, d, _ = scatter.shape
    for k in range(K):
        if is_first:
            set_identity(work.own_axes[k])
        rotate_into(work.own_axes[k], scatter[k], work.rotated[k], work.one[0])
        diagonalize(work.one, work.own_axes[k])
        for j in range(d):
            work.spread[k, j] = max(work.one[0, j, j], 0.0)


# ------------------------------------------------------------------------------ the three together


class Family(NamedTuple):
    """What the components of a model share."""

    own_volumes: bool  # whether each component has its own
    shape: int  # ROUND, COMMON or OWN
    ratio: float = math.inf  # of the largest variance along any axis to the smallest, at most


class FamilyWork(NamedTuple):
    """Scratch of an M step; the next step starts from its axes and variances.

    For families without a search for axes, all but `one` are empty.
    """

    axes: NDArray  # (d, d), shared by components
    own_axes: NDArray  # (K, d, d)
    rotated: NDArray  # (K, d, d) axes.T @ scatter @ axes
    one: NDArray  # (1, d, d)
    spread: NDArray  # (K, d) scatter along the axes
    variances: NDArray  # (K, d) along the axes


@addressed_kernel
def own_matrices(
    family,  # in: Family
    is_first,  # in
    scatter,  # in (K, d, d)
    mass,  # in (K,)
    work,  # scratch: FamilyWork
    covariances,  # out (K, d, d)
):
    """VVV: each component's own."""
    divide_by_mass(scatter, mass, covariances)
    return 0


@addressed_kernel
def pooled_matrix(
    family,  # in: Family
    is_first,  # in
    scatter,  # in (1, d, d)
    mass,  # in (K,)
    work,  # scratch: FamilyWork
    covariances,  # out (1, d, d)
):
    """EEE: one matrix for all components."""
    total = 0.0
    for k in range(mass.size):
        total += mass[k]
    for i in range(scatter.shape[1]):
        for j in range(scatter.shape[1]):
            covariances[0, i, j] = scatter[0, i, j] / total
    return 0


@addressed_kernel
def variances_of_features(
    family,  # in: Family
    is_first,  # in: whether to ignore earlier variances
    scatter,  # in (K, d)
    mass,  # in (K,)
    work,  # scratch: FamilyWork
    covariances,  # in, out (K, d)
):
    """EII to VVI: the axes are the features'."""
    fill_variances(family.own_volumes, family.shape, scatter, mass, is_first, covariances)
    return 0


@addressed_kernel
def matrices_of_common_axes(
    family,  # in: Family
    is_first,  # in: whether to search for axes; else start from the earlier ones
    scatter,  # in (K, d, d)
    mass,  # in (K,)
    work,  # scratch; in, out: axes, variances
    covariances,  # out (K, d, d)
):
    """VEE, EVE and VVE: axes in common."""
    iterations = np.int64(LATER_ITERATIONS)
    if is_first:
        find_common_axes(family, scatter, mass, work)
        iterations = np.int64(ITERATIONS)
    fit_common_axes(family, scatter, mass, is_first, iterations, work.axes, work)
    for k in range(scatter.shape[0]):
        compose(work.axes, work.variances[k], covariances[k])
    return 0


@addressed_kernel
def matrices_of_own_axes(
    family,  # in: Family
    is_first,  # in: whether to search for axes; else start from the earlier ones
    scatter,  # in (K, d, d)
    mass,  # in (K,)
    work,  # scratch; in, out: own axes
    covariances,  # out (K, d, d)
):
    """EEV, VEV and EVV: each component's own axes."""
    find_own_axes(is_first, scatter, work)
    fill_variances(
        family.own_volumes, family.shape, work.spread, mass, np.bool_(True), work.variances
    )
    for k in range(scatter.shape[0]):
        compose(work.own_axes[k], work.variances[k], covariances[k])
    return 0
