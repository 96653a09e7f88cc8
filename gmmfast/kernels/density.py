"""The E step of one tile: log densities of its rows, pruned, and responsibilities.

A tile is ``x (d, TILE)``: feature-major, so that the lanes of a vector are rows. A component is
skipped once it is negligible for every row of the tile. That is exact: its log density,
``constant - |factor @ (x - mean)|^2 / 2``, only falls as rows of the triangle are added, and the
length of a vector is at least its projection on any direction (`kernels.separation`). That of a t
component, ``constant - (nu + d) / 2 log(1 + |factor @ (x - mean)|^2 / nu)``, falls as well: it is
negligible beyond a squared distance, its reach. Of factor analyzers, the triangle is a filter
(`kernels.filters`).
"""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import kernel
from gmmfast.kernels.distances import (
    DEGREES,
    distance_of,
    reach_of,
    subtract,
    whiten,
)
from gmmfast.kernels.simd import (
    any_reaches,
    exp,
    fma,
    lanes,
    load,
    log,
    lowest,
    maximum,
    splat,
    store,
    where_above,
)
from gmmfast.kernels.tiles import TILE


@kernel
def is_near(
    constant,  # in
    gap,  # in: gmmfast.kernels.separation
    direction,  # in (d,)
    owned,  # in (d, TILE)
    best,  # in (TILE,)
    cut,  # in
    reach,  # in: of `reach_of`
):
    """Whether a component can matter, by the rows' distances along one direction.

    If the first row could matter at the owner's mean, some row probably does: no more is computed.
    Two vectors at once: one sum alone would wait for each of its additions.
    """
    if reach is not None:
        if gap * gap <= reach:
            return True
    elif not constant - 0.5 * gap * gap - best[0] < cut:
        return True
    n = lanes(best)
    for p in range(0, TILE, 2 * n):
        z0 = splat(gap, best)
        z1 = z0
        for j in range(direction.size):
            u = splat(direction[j], best)
            z0, z1 = fma(u, load(owned, (j, p)), z0), fma(u, load(owned, (j, p + n)), z1)
        if is_any_near(z0, p, constant, best, cut, reach):
            return True
        if is_any_near(z1, p + n, constant, best, cut, reach):
            return True
    return False


@kernel
def is_any_near(
    z,  # in: a vector of distances along a direction, negative beyond the mean
    p,  # in: its first row
    constant,  # in
    best,  # in (TILE,)
    cut,  # in
    reach,  # in: of `reach_of`
):
    """Whether a component can matter to some row of a vector."""
    z = maximum(z, splat(0.0, best))
    if reach is not None:
        return any_reaches(splat(reach, best) - z * z, splat(0.0, best))
    c, limit, half = splat(constant, best), splat(cut, best), splat(-0.5, best)
    return any_reaches(fma(half * z, z, c) - load(best, (p,)), limit)


@kernel
def is_within_reach(
    gap,  # in: gmmfast.kernels.separation
    spread,  # in
    radius,  # in: of the tile, about its owner
    constant,  # in
    constant_of_owner,  # in
    cut,  # in
    reach,  # in: of `reach_of`
):
    """Whether a component can matter to rows that are no farther than `radius` from the owner."""
    least = max(gap - spread * radius, 0.0)
    if reach is not None:
        return least * least <= reach
    best = constant_of_owner - 0.5 * radius * radius
    return not constant - 0.5 * least * least - best < cut


@kernel
def radius_of(
    distance,  # in (TILE,): squared
    scratch,  # scratch (TILE,)
):
    """The largest distance; infinite if one is not finite."""
    most = splat(0.0, distance)
    for p in range(0, TILE, lanes(distance)):
        v = load(distance, (p,))
        if any_reaches(v, splat(np.inf, distance)):
            return np.inf
        most = maximum(v, most)
    store(scratch, (0,), most)
    square = 0.0
    for p in range(lanes(distance)):
        square = max(square, scratch[p])
    return np.sqrt(square)


@kernel
def put_log_densities(
    tails,  # in: of a Density
    k,  # in: component
    d,  # in: features
    constant,  # in
    a,  # in: the component's place
    work,  # in: distance; in, out: best; out: resp, and latent and logs of t components, at a
):
    """Log densities from distances; returns the smallest best one of the tile, of t components."""
    if tails is not None:
        return put_tails(tails[k, DEGREES], d, constant, a, work)
    for p in range(0, TILE, lanes(work.best)):
        v = fma(splat(-0.5, work.best), load(work.distance, (p,)), splat(constant, work.best))
        v = maximum(v, lowest(work.best))  # stands for -inf: far rows stay finite
        store(work.resp, (a, p), v)
        store(work.best, (p,), maximum(v, load(work.best, (p,))))
    return -np.inf


@kernel
def put_tails(
    degrees,  # in: nu
    d,  # in: features
    constant,  # in
    a,  # in: the component's place
    work,  # in: distance; in, out: best; out: resp, latent and logs, at a
):
    """Log densities of a t component, ``E[u] = (nu + d) / (nu + distance)``, and `logs`.

    Returns the smallest best log density of the tile. With q = distance / nu, what rounding takes
    from ``1 + q`` is added to its logarithm: many degrees of freedom multiply it.
    """
    like, half = work.best, 0.5 * (degrees + d)
    one, largest = splat(1.0, like), splat(0.0, like) - lowest(like)
    least = splat(np.inf, like)
    for p in range(0, TILE, lanes(like)):
        q = load(work.distance, (p,)) * splat(1 / degrees, like)
        q = where_above(largest, q, q, largest)  # far rows stay finite
        y = one + q
        inverse = one / y
        logarithm = fma(q - (y - one), inverse, log(y))
        v = fma(splat(-half, like), logarithm, splat(constant, like))
        v = maximum(v, lowest(like))
        best = maximum(v, load(work.best, (p,)))
        store(work.resp, (a, p), v)
        store(work.best, (p,), best)
        store(work.latent, (a, p), inverse * splat(1 + d / degrees, like))
        store(work.logs, (a, p), logarithm)
        least = where_above(least, best, best, least)
    store(work.inverse, (0,), least)  # as scratch
    smallest = np.inf
    for p in range(lanes(like)):
        smallest = min(smallest, work.inverse[p])
    return smallest


@kernel
def log_densities(
    x,  # in (d, TILE)
    density,  # in: gmmfast.parameters.Density
    separation,  # in: gmmfast.kernels.separation.Separation
    guess,  # in: likely owner of the tile, evaluated first to prune the others
    cut,  # in
    work,  # out: best (TILE,), active and resp[:n_active] = log weighted densities
):
    """Log weighted densities of the components that matter to the tile; returns their number.

    The noise has the same density everywhere: it is the best to begin with, and the last in `resp`.
    """
    y = whiten(x, density.whitening, work.whitened)
    constants, gaps, directions = density.constants, separation.gaps, separation.directions
    for p in range(0, TILE, lanes(x)):
        store(work.best, (p,), splat(density.noise[0], x))  # without noise, the first one matters
    n_active, has_radius, has_directions, radius = 0, False, False, np.inf
    d, least = x.shape[0], np.float64(density.noise[0])
    for turn in range(constants.size):
        k = guess if turn == 0 else (0 if turn == guess else turn)
        constant = constants[k]
        if constant == -np.inf:
            continue
        reach = reach_of(density.tails, k, d, constant, least, cut)
        if has_radius and not is_within_reach(
            gaps[guess, k], separation.spreads[guess, k], radius, constant, constants[guess], cut,
            reach,
        ):  # fmt: skip
            continue
        if has_directions and not is_near(
            constant, gaps[guess, k], directions[guess, k], work.owned, work.best, cut, reach
        ):
            continue
        if not distance_of(density.filters, work.scores, k, y, density, cut, reach, work):
            continue
        least = put_log_densities(density.tails, k, d, constant, n_active, work)
        work.active[n_active] = k
        n_active += 1
        if turn == 0 and gaps.shape[0] > 0:
            radius = radius_of(work.distance, work.log_density)
            has_radius = radius < np.inf
            has_directions = has_radius and directions.shape[0] > 0
            if has_directions:
                subtract(y, density.means[k], work.owned)
    if density.noise[0] > -np.inf:
        for p in range(0, TILE, lanes(x)):
            store(work.resp, (n_active, p), splat(density.noise[0], x))
        work.active[n_active] = constants.size
        n_active += 1
    return n_active


@kernel
def relative_densities(
    n_active,  # in
    p,  # in: first row of the vector
    work,  # in, out: resp[:n_active], log weighted densities -> relative ones; out: inverse
):
    """Densities relative to the best, of a vector of rows; returns their sum."""
    peak, s = load(work.best, (p,)), splat(0.0, work.best)
    for a in range(n_active):
        e = exp(load(work.resp, (a, p)) - peak)
        store(work.resp, (a, p), e)
        s = s + e
    store(work.inverse, (p,), splat(1.0, work.best) / s)
    return s


@kernel
def log_sum_exp(
    n_active,  # in
    work,  # in, out: resp[:n_active], log weighted densities -> relative ones; out: the rest
):
    """Log densities of the mixture; `inverse` gets the factor that normalizes `resp`."""
    for p in range(0, TILE, lanes(work.best)):
        s = relative_densities(n_active, p, work)
        store(work.log_density, (p,), load(work.best, (p,)) + log(s))
