"""Where a fit starts from: a partition of the rows, random memberships, or given parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.hierarchy import trees
from gmmfast.kernels.density import TILE
from gmmfast.kernels.options import slices
from gmmfast.kernels.seeding import add_nearest, add_potentials, move_centres
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows import MemoryRows, Rows

Random = np.random.Generator | np.random.RandomState
Start = tuple[MemoryRows, Parameters]  # rows sorted for speed, and where EM begins

ROWS_A_COMPONENT = 128  # starts are sought on a sample of this many rows a component,
ROWS_A_FEATURE = 4  # of this many for each feature where its covariances are its own and full,
SMALLEST_SAMPLE = 4096  # and of no fewer than this many in all
TRIALS = 3  # starts that are tried; the likeliest is kept
TRIAL_PASSES = 10
TRIAL_GAIN = 0.01  # of what a trial has gained so far: a pass that gains less is its last
SAME = 1e-6  # nats a row: what is less may be rounding, and the first of equals is kept
LLOYD_PASSES = 100
LLOYD_TOLERANCE = 1e-4  # of the mean variance: scikit-learn's


@dataclass(frozen=True)
class Given:
    """What the caller has fixed of the start; means relative to the rows' centre."""

    weights: Floats | None = None
    means: Floats | None = None
    covariances: Floats | None = None


def start(
    rows: Rows, model: Model, n_components: int, init_params: str, rng: Random, given: Given
) -> tuple[Rows, Parameters]:
    """Return rows sorted for speed, and the parameters to start EM from.

    Parameters
    ----------
    rows : Rows
        The data.
    model : Model
        The covariance model.
    n_components : int
        K.
    init_params : {"kmeans", "k-means++", "random_from_data", "random", "hierarchical"}
        Where means are not given, starts of this kind are tried for a few EM passes over a sample
        of the rows. The first three assign each row to the nearest of K seeds: the centres that
        k-means finds, or rows drawn by k-means++ or at random; "random" draws responsibilities;
        "hierarchical" cuts Ward's trees.
    rng : Generator or RandomState
        The only source of chance.
    given : Given
        What takes the place of the estimates.

    Raises
    ------
    IllDefinedCovarianceError
        If no trial leads to positive definite covariances.

    References
    ----------
    Biernacki, C., Celeux, G., Govaert, G. (2003). Choosing starting values for the EM algorithm
    for getting the highest likelihood in multivariate Gaussian mixture models. Computational
    Statistics & Data Analysis 41, 561-575, section 3: short runs of EM, and when they end.
    """
    weights, means, covariances = given.weights, given.means, given.covariances
    if weights is None or means is None or covariances is None:
        if init_params == "hierarchical":
            points = rows.all_or_sample(SMALLEST_SAMPLE, rng)  # a tree takes the square
        else:
            points = rows.all_or_sample(sample_size(model, n_components, rows.n_features), rng)
        if means is None:
            tries = _tries(points, model, n_components, init_params, rng)
            _, estimate = likeliest(tries, model)
        else:
            _, estimate = _around(points, model, means)
        weights = estimate.weights if weights is None else weights
        means = estimate.means if means is None else means
        covariances = estimate.covariances if covariances is None else covariances
    make = model.parameters if given.covariances is None else model.of_covariances
    parameters = make(weights, means, covariances)
    return rows.arranged_for(parameters), parameters


def sample_size(model: Model, n_components: int, n_features: int) -> int:
    """Rows that a start is sought on; all, where there are no more."""
    a_component = ROWS_A_COMPONENT
    if model.scatter is Scatter.FULL:
        a_component = max(a_component, ROWS_A_FEATURE * n_features)
    return max(SMALLEST_SAMPLE, n_components * a_component)


def likeliest(tries: Iterable[Callable[[], Start]], model: Model) -> Start:
    """Return the start that is likeliest after a few EM passes.

    One in which a component has collapsed ranks behind all others: its likelihood means nothing.

    Parameters
    ----------
    tries : iterable of callable
        Each returns rows, sorted for speed, and parameters.
    model : Model
        The covariance model.

    Raises
    ------
    IllDefinedCovarianceError
        If none leads to positive definite covariances.
    """
    best, highest = None, (False, -math.inf)
    for attempt in tries:
        try:
            arranged, parameters = attempt()
            parameters, statistics = _short_run(arranged, parameters, model)
        except IllDefinedCovarianceError as error:
            failure = error
            continue
        sound = not model.degenerate(parameters, statistics).any()
        bound = statistics.log_likelihood / statistics.weight
        if best is None or (sound, bound - SAME) > highest:
            best, highest = (arranged, parameters), (sound, bound)
    if best is None:
        raise failure
    return best


def _short_run(
    rows: Rows, parameters: Parameters, model: Model
) -> tuple[Parameters, SufficientStatistics]:
    """Do a few EM passes: what they lead to, and the statistics of the last."""
    hints = rows.hints()
    bounds: list[float] = []
    for _ in range(TRIAL_PASSES):
        statistics = rows.expectation(parameters, model.scatter, hints)
        parameters = model.maximization(statistics, parameters)
        bounds.append(statistics.log_likelihood / statistics.weight)
        if len(bounds) > 1 and bounds[-1] - bounds[-2] <= TRIAL_GAIN * (bounds[-1] - bounds[0]):
            break
    return parameters, statistics


def _tries(
    points: MemoryRows, model: Model, n_components: int, init_params: str, rng: Random
) -> list[Callable[[], Start]]:
    """Starts to choose among."""
    if init_params != "hierarchical":
        return [partial(_draw, points, model, n_components, init_params, rng)] * TRIALS
    return [
        partial(after_m_step, points, points.of_all(tree.labels(n_components)), n_components, model)
        for tree in trees(*points.present())
    ]


def after_m_step(
    rows: MemoryRows, labels: NDArray[np.int64], n_components: int, model: Model
) -> Start:
    """M step of a partition."""
    arranged, means = rows.arrange(labels), rows.means_of(labels, n_components)
    return arranged, model.maximization(arranged.partition(means, model.scatter))


def _draw(
    points: MemoryRows, model: Model, n_components: int, init_params: str, rng: Random
) -> Start:
    """Draw one start: rows sorted for speed, and the parameters of the first M step."""
    if init_params == "random":
        memberships = points.random_memberships(n_components, model.scatter, rng)
        return points, model.maximization(memberships)
    if init_params == "random_from_data":
        return _around(points, model, _distinct(points, n_components, rng))
    seeds = plus_plus(points, n_components, rng)
    return _around(points, model, lloyd(points, seeds) if init_params == "kmeans" else seeds)


def _around(points: MemoryRows, model: Model, seeds: Floats) -> Start:
    """M step of the partition that gives each row to the nearest seed."""
    arranged = points.arrange(points.nearest(seeds))
    return arranged, model.maximization(arranged.partition(seeds, model.scatter))


def _distinct(points: MemoryRows, n_components: int, rng: Random, draws: int = 20) -> Floats:
    """Draw rows until there are K different ones; after some draws, take equal ones."""
    drawn = points.sample(n_components, rng)
    for _ in range(draws):
        _, first = np.unique(drawn, axis=0, return_index=True)
        if first.size >= n_components:
            break
        kept = drawn[np.sort(first)]
        drawn = np.concatenate([kept, points.sample(n_components - len(kept), rng)])
    return drawn


def plus_plus(points: MemoryRows, n_components: int, rng: Random) -> Floats:
    """Seeds, each drawn in proportion to the squared distance from those before it.

    Of ``2 + log K`` draws the one that comes nearest to all rows is taken.

    Parameters
    ----------
    points : MemoryRows
        All of them are used.
    n_components : int
        K.
    rng : Generator or RandomState
        Draws the seeds.

    Returns
    -------
    ndarray of shape (K, d)
        Relative to the centre of `points`.

    References
    ----------
    Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA,
    section 2.2; the several draws: section 4 (there without a bound).
    """
    tiles, row_weights, _ = points.packed
    n_tiles, d, _ = tiles.shape
    seeds = np.empty((n_components, d), tiles.dtype)
    nearest = np.full((n_tiles, TILE), np.inf, tiles.dtype)
    chances = row_weights.astype(np.float64)
    for k in range(n_components):
        draws = 1 if k == 0 else 2 + int(math.log(n_components))
        cumulated = np.cumsum(chances)
        drawn = np.searchsorted(cumulated, rng.uniform(size=draws) * cumulated[-1], "right")
        drawn = np.minimum(drawn, cumulated.size - 1)
        candidates = np.ascontiguousarray(tiles[drawn // TILE, :, drawn % TILE])
        distances, potentials = potentials_with(points, candidates, nearest)
        best = int(potentials.argmin())
        seeds[k], nearest = candidates[best], distances[best]
        with np.errstate(invalid="ignore"):  # where squares overflow, no start is found anyway
            chances = row_weights * nearest.astype(np.float64)
    return seeds.astype(np.float64)


def potentials_with(
    points: MemoryRows, centres: Floats, nearest: NDArray[Any]
) -> tuple[NDArray[Any], Floats]:
    """Return what distances to the nearest centre would be with one of `centres`, and their sums.

    Parameters
    ----------
    points : MemoryRows
        All of them are used.
    centres : ndarray of shape (C, d)
        Relative to the centre of `points`.
    nearest : ndarray of shape (n_tiles, TILE)
        Squared distances so far.

    Returns
    -------
    ndarray of shape (C, n_tiles, TILE), ndarray of shape (C,)
        Squared distances, and their weighted sums.
    """
    tiles, row_weights, _ = points.packed
    distances = np.empty((len(centres), *nearest.shape), tiles.dtype)
    potentials = np.zeros(len(centres))
    add_potentials(tiles, row_weights, centres, nearest, distances, potentials)
    return distances, potentials


def lloyd(points: MemoryRows, centres: Floats) -> Floats:
    """k-means: move each centre to the mean of the rows nearest to it, until they stand still.

    Parameters
    ----------
    points : MemoryRows
        All of them are used, in every pass.
    centres : ndarray of shape (K, d)
        Where to start, relative to the centre of `points`.

    Returns
    -------
    ndarray of shape (K, d)
        Centres.

    References
    ----------
    Lloyd, S. (1982). Least squares quantization in PCM. IEEE Trans. Information Theory 28(2),
    129-137, section II.
    """
    tiles, row_weights, _ = points.packed
    centres = np.array(centres, tiles.dtype, order="C")  # a copy: passes move it
    mass, sums = np.empty(len(centres)), np.empty(centres.shape)
    nearest = np.full(row_weights.shape, np.inf, tiles.dtype)
    mean = (points.mean - points.centre).astype(tiles.dtype)
    _, squares = potentials_with(points, mean[None], nearest)
    variance = squares[0] / row_weights.sum(dtype=np.float64) / points.n_features
    tolerance = LLOYD_TOLERANCE * variance
    for _ in range(LLOYD_PASSES):
        mass[:], sums[:] = 0.0, 0.0
        for part in slices(len(tiles), TILE * centres.size):
            add_nearest(tiles[part], row_weights[part], centres, mass, sums, nearest[0])
        if move_centres(mass, sums, centres) <= tolerance:
            break
    return centres.astype(np.float64)
