"""Moves of components: from where one is needed least to where the fit is worst."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import allocating_kernel, kernel
from gmmfast.kernels.density import log_densities, log_sum_exp
from gmmfast.kernels.tiles import TILE, make_work

DOUBT = 1e-12  # least posterior probability of the other components, in what is lost
NO_VARIANCE = 1e-12  # relative: a smaller one is rounding
MASS, FIRST, SECOND = range(3)  # in `Halves.sums`
DISSOLVED, CUT, FEATURE = range(3)  # in a move


class Halves(NamedTuple):
    """Rows by their likeliest component, and its two halves across each feature."""

    labels: NDArray  # (n_tiles, TILE): likeliest component; -1 for noise
    seconds: NDArray  # (n_tiles, TILE): the component that a row joins without it; likewise
    losses: NDArray  # (K,): log-likelihood that the rows lose without each component
    sums: NDArray  # (3, 2, K, d): mass and moments about the component's mean, by half and feature
    gains: NDArray  # (K, d): classification log-likelihood gained by two halves


@kernel
def nearest_other(
    x,  # in (d, TILE)
    p,  # in: the row
    label,  # in: a component that does not count
    means,  # in (K, d)
    scales,  # in (d,): 1 / standard deviations of the features
):
    """Component with the nearest mean, other than `label`; the first of ties."""
    nearest, smallest = -1, np.inf
    for k in range(means.shape[0]):
        distance = 0.0
        for j in range(means.shape[1]):
            z = (x[j, p] - means[k, j]) * scales[j]
            distance += z * z
        if k != label and (nearest < 0 or distance < smallest):
            nearest, smallest = k, distance
    return nearest


@kernel
def find_owner(
    p,  # in: the row
    row_weight,  # in
    n_active,  # in
    work,  # in: active, resp, inverse
    losses,  # in, out (K,)
):
    """Likeliest and second likeliest component of a row; -1 if no other has any probability.

    The first of ties; K for noise, which is never left out. ``1 - r`` of the likeliest is the sum
    of the others, with all its digits.
    """
    label, largest = -1, 0.0
    for a in range(n_active):
        k, r = work.active[a], work.resp[a, p]
        if label < 0 or r > largest or (r == largest and k < label):
            label, largest = k, r
    second, largest, rest = -1, 0.0, 0.0
    for a in range(n_active):
        k, r = work.active[a], work.resp[a, p] * work.inverse[p]
        if k != label and r > 0:
            rest += r
            if k < losses.size:
                losses[k] -= row_weight * np.log1p(-r)
            if r > largest or (r == largest and k < second):
                second, largest = k, r
    if label < losses.size:
        losses[label] -= row_weight * np.log(max(rest, DOUBT))
    return label, second


@kernel
def add_to_halves(
    x,  # in (d, TILE)
    p,  # in: the row
    row_weight,  # in
    k,  # in: its likeliest component
    means,  # in (K, d)
    sums,  # in, out (3, 2, K, d)
):
    """Add a row to a half of its component, for each feature."""
    for j in range(means.shape[1]):
        residual = x[j, p] - means[k, j]
        half = 1 if residual > 0 else 0
        sums[MASS, half, k, j] += row_weight
        sums[FIRST, half, k, j] += row_weight * residual
        sums[SECOND, half, k, j] += row_weight * residual * residual


@kernel
def gain_of_cut(
    sums,  # in (3, 2): mass and moments of two halves
    least,  # in: smallest mass of a half
):
    """Classification log-likelihood gained by two normal distributions of a feature over one.

    Minus infinity if a half has too few rows, or the feature does not vary in it.
    """
    total = sums[MASS, 0] + sums[MASS, 1]
    if not min(sums[MASS, 0], sums[MASS, 1]) >= least:
        return -np.inf
    middle = (sums[FIRST, 0] + sums[FIRST, 1]) / total  # small: about the mean of the component
    whole = 0.0
    for h in range(2):
        share, mean = sums[MASS, h] / total, sums[FIRST, h] / sums[MASS, h]
        variance = sums[SECOND, h] / sums[MASS, h] - mean * mean
        whole += share * (variance + (mean - middle) * (mean - middle))
    halved = 0.0
    for h in range(2):
        share, mean = sums[MASS, h] / total, sums[FIRST, h] / sums[MASS, h]
        variance = sums[SECOND, h] / sums[MASS, h] - mean * mean
        if not variance > NO_VARIANCE * whole:
            return -np.inf
        halved += share * (0.5 * np.log(variance) - np.log(share))
    gain = total * (0.5 * np.log(whole) - halved)
    return gain if abs(gain) < np.inf else -np.inf


@kernel
def divide_in_halves(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    density,  # in: Density
    separation,  # in: Separation
    guesses,  # in (n_tiles,): likely owner of each tile
    means,  # in (K, d)
    scales,  # in (d,): 1 / standard deviations of the features
    least_rows,  # in: fewest rows of a half
    work,  # scratch
    halves,  # out: Halves
):
    """Label the rows, and find what is lost and gained without a component and by a cut.

    A row of the smallest weight counts once, others in proportion: so integer weights are
    repetitions, and the unit of weights means nothing.
    """
    halves.losses[:] = 0.0
    halves.sums[:] = 0.0
    smallest, K = np.inf, means.shape[0]
    for t in range(tiles.shape[0]):
        x, row_weight = tiles[t], row_weights[t]
        # no cut: of components far away, too, the likeliest is the second
        n_active = log_densities(x, density, separation, guesses[t], -np.inf, work)
        log_sum_exp(n_active, work)
        for p in range(TILE):
            w = row_weight[p]  # zero in the padding
            label, second = find_owner(p, w, n_active, work, halves.losses)
            if second < 0:
                second = nearest_other(x, p, label, means, scales)
            halves.labels[t, p] = label if label < K else -1
            halves.seconds[t, p] = second if second < K else -1
            if label < K:
                add_to_halves(x, p, w, label, means, halves.sums)
            if 0 < w < smallest:
                smallest = w
    for k in range(K):
        for j in range(means.shape[1]):
            halves.gains[k, j] = gain_of_cut(halves.sums[:, :, k, j], least_rows * smallest)


@kernel
def rank_moves(
    halves,  # in: losses; in, out: gains, of which those used become minus infinity
    features,  # scratch (K,)
    scores,  # scratch (P,)
    moves,  # out (P, 3): DISSOLVED, CUT, FEATURE
):
    """Find the P best moves, best first, the first of ties; return their number.

    First with the best cut of each component, then with the second best, and so on.
    """
    K, d = halves.gains.shape
    n = 0
    for _ in range(d):
        for k in range(K):
            features[k] = 0
            for j in range(d):
                if halves.gains[k, j] > halves.gains[k, features[k]]:
                    features[k] = j
        begin = n
        for dissolved in range(K):
            for cut in range(K):
                score = halves.gains[cut, features[cut]] - halves.losses[dissolved]
                if dissolved == cut or not score > -np.inf:
                    continue
                at = n
                while at > begin and score > scores[at - 1]:
                    at -= 1
                if at == scores.size:
                    continue
                n = min(n + 1, scores.size)
                for i in range(n - 1, at, -1):
                    scores[i] = scores[i - 1]
                    for part in range(moves.shape[1]):
                        moves[i, part] = moves[i - 1, part]
                scores[at] = score
                moves[at, DISSOLVED], moves[at, CUT] = dissolved, cut
                moves[at, FEATURE] = features[cut]
        if n == scores.size:
            break
        for k in range(K):
            halves.gains[k, features[k]] = -np.inf
    return n


@kernel
def make_move(
    move,  # in (3,)
    tiles,  # in (n_tiles, d, TILE)
    halves,  # in: labels, seconds
    means,  # in (K, d)
    labels,  # out (n_tiles, TILE)
    new_means,  # out (K, d): of the parts, approximate
):
    """Partition in which one component is dissolved and another one cut in two at its mean."""
    dissolved, cut, j = move[DISSOLVED], move[CUT], move[FEATURE]
    for t in range(tiles.shape[0]):
        for p in range(TILE):
            k = halves.labels[t, p]
            if k == dissolved:
                labels[t, p] = halves.seconds[t, p]
            elif k == cut and tiles[t, j, p] - means[cut, j] > 0:
                labels[t, p] = dissolved
            else:
                labels[t, p] = k
    for k in range(means.shape[0]):
        of = cut if k == dissolved else k
        for i in range(means.shape[1]):
            new_means[k, i] = means[of, i]


@allocating_kernel
def propose(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    density,  # in: Density
    separation,  # in: Separation
    guesses,  # in (n_tiles,): likely owner of each tile
    means,  # in (K, d): of the mixture
    scales,  # in (d,): 1 / standard deviations of the features
    least_rows,  # in: fewest rows of a half
    labels,  # out (P, n_tiles, TILE); -1 for noise
    new_means,  # out (P, K, d)
):
    """Partitions by the best P moves from a mixture; return their number.

    Ueda et al. (2000), section 3, merge and split at the same time; Zhao et al. (2012), section 3,
    move components until no move helps. Moves are ranked by what the cut gains in likelihood less
    what the rows lose without the dissolved component, both before any further pass.
    """
    (n_tiles, d, _), K = tiles.shape, means.shape[0]
    halves = Halves(
        np.empty((n_tiles, TILE), np.int32), np.empty((n_tiles, TILE), np.int32), np.empty(K),
        np.empty((3, 2, K, d)), np.empty((K, d)),
    )  # fmt: skip
    work = make_work(K, tiles[0], density.tails, density.filters)
    divide_in_halves(
        tiles, row_weights, density, separation, guesses, means, scales, least_rows, work, halves
    )
    moves = np.empty((labels.shape[0], 3), np.int64)
    n = rank_moves(halves, np.empty(K, np.int64), np.empty(labels.shape[0]), moves)
    for i in range(n):
        make_move(moves[i], tiles, halves, means, labels[i], new_means[i])
    return n
