"""Starts of a fit: partitions of the rows, random memberships, or given parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from gmmfast.em.brought import brought
from gmmfast.em.factors import with_loadings
from gmmfast.em.kmeans import (
    SAMPLE_PASSES,
    Partition,
    Random,
    improved_parts,
    k_means,
    many_centers,
    partition_around,
    partition_of,
    plus_plus,
)
from gmmfast.em.noise import first_guess, left_out, lifted, without
from gmmfast.em.state import fit_after_m_step, fitting, restarted
from gmmfast.em.trees import trees
from gmmfast.em.trials import ROUNDS, Trial, begun, likeliest, n_rounds
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.loop import Fit
from gmmfast.models import FactorAnalyzers, Model
from gmmfast.models.base import least_rows
from gmmfast.models.step import parameters_from
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics, equal_spheres
from gmmfast.rows import Hints, MemoryRows, Rows, TrimmedRows

ROWS_PER_COMPONENT = 128  # starts are tried on a sample of this many rows per component,
ROWS_PER_FEATURE = 4  # or this many per component and feature for full covariances,
SMALLEST_SAMPLE = 4096  # and at least this many in all
TRIALS = 3  # starts where there are no moves,
SOLE = 512  # or SOLE // K, if fewer: starts differ less where K is large (one for K > 256)
SEEDED = ("kmeans", "k-means++", "random_from_data")  # starts that divide the rows among seeds
SAVING = 8  # a sole start is tried on a sample if there are this many times more rows


class Start(NamedTuple):
    """Rows, and the state from which EM on them starts."""

    rows: Rows
    begin: Fit | Parameters
    hints: Hints | None = None  # scratch of passes over these rows


class Given(NamedTuple):
    """Parameters given by the caller, NaN in components that start as usual.

    Means are relative to the rows' center.
    """

    weights: Floats | None = None
    means: Floats | None = None
    covariances: Floats | None = None

    @property
    def are_whole(self) -> bool:
        """Whether all components have the values that are given."""
        return not any(own is not None and np.isnan(own).any() for own in self)


def start(
    rows: Rows,
    model: Model,
    n_components: int,
    init_params: Any,
    rng: Random,
    given: Given,
    caution: float = 1.0,
) -> Start:
    """Return rows sorted for speed, and the state from which EM on them starts.

    Parameters
    ----------
    rows : Rows
        The data.
    model : Model
        The covariance model.
    n_components : int
        K.
    init_params : {"kmeans", "k-means++", "random_from_data", "random", "hierarchical"} or other
        Unless means are given, starts of this kind are tried for a few EM passes over a sample of
        the rows (unless `is_untried`). The first three assign each row to the nearest of
        K seeds: k-means centers, or rows drawn by k-means++ or at random; "random" draws
        responsibilities; "hierarchical" cuts Ward's trees. Labels, responsibilities or a callable
        are taken as they are; see `gmmfast.em.brought`.
    rng : Generator or RandomState
        The only source of randomness.
    given : Given
        Parameters that replace the estimates.
    caution : float, default=1.0
        How far moves keep away from narrow components; see `gmmfast.em.trials.likeliest`.

    Raises
    ------
    IllDefinedCovarianceError
        If no trial leads to positive definite covariances.
    ValueError
        If memberships are unusable.

    References
    ----------
    Biernacki, C., Celeux, G., Govaert, G. (2003). Choosing starting values for the EM algorithm
    for getting the highest likelihood in multivariate Gaussian mixture models. Computational
    Statistics & Data Analysis 41, 561-575, section 3: short runs of EM and their stopping rule.
    """
    if isinstance(model, FactorAnalyzers):
        begun = start(rows, model.of_starts, n_components, init_params, rng, given, caution)
        return _with_loadings(begun, model, rng)
    weights, means, covariances = given
    if weights is not None and means is not None and covariances is not None and given.are_whole:
        return _at(rows, model.adapted(model.of_covariances(weights, means, covariances)))
    is_free = weights is None and means is None and covariances is None
    if isinstance(init_params, str):
        if is_free and isinstance(rows, MemoryRows) and init_params in SEEDED:
            if is_untried(rows, model, n_components, init_params):
                return untried(rows, model, n_components, init_params, rng)
        found = _tried_on_sample(rows, model, n_components, init_params, rng, means, caution)
    else:
        whole = rows.whole if isinstance(rows, TrimmedRows) else rows
        found = Trial(whole, brought(whole, model, n_components, init_params, rng))
    if is_free:
        return on_all(rows, model, found)
    estimate = parameters_from(model, found.fit.mixture)
    make = model.parameters if covariances is None else model.of_covariances
    own = zip(given, (estimate.weights, estimate.means, estimate.covariances), strict=True)
    parameters = make(*(own_or_given(*both) for both in own))
    if estimate.noise is not None:
        parameters = parameters.with_noise(estimate.noise)
    return _at(rows, replace(parameters, degrees=estimate.degrees))


def _with_loadings(begun: Start, model: FactorAnalyzers, rng: Random) -> Start:
    """Return a start of factor analyzers, from one of independent features."""
    own = begun.begin
    if isinstance(own, Fit):
        own = parameters_from(model.of_starts, own.mixture)
    size = max(SMALLEST_SAMPLE, len(own.weights) * ROWS_PER_COMPONENT)
    points = begun.rows.all_or_sample(size, rng)
    return Start(begun.rows, with_loadings(own, model, points))


def own_or_given(given: Floats | None, own: Floats) -> Floats:
    """Return what is given of a parameter, and its estimate elsewhere."""
    return own if given is None else np.where(np.isnan(given), own, given)


def _tried_on_sample(
    rows: Rows,
    model: Model,
    n_components: int,
    init_params: str,
    rng: Random,
    means: Floats | None,
    caution: float,
) -> Trial:
    """Return a trial of all rows or a sample, which begins around any given means."""
    points = rows.all_or_sample(_size(rows, model, n_components, init_params), rng).filled(rng)
    is_noise = first_guess(points, n_components, left_out(model.noise, model.tails), rng)
    clean = without(points, is_noise)
    if means is not None:
        seeds = [means]
        if np.isnan(means).any():
            seeds = [seeds_beside(clean, means, rng) for _ in range(TRIALS)]
        ways = [lifted(partition_around(clean, own), points, is_noise) for own in seeds]
        return begun(points, model, ways[0]) if len(ways) == 1 else likeliest(points, model, ways)
    ways = memberships(clean, model, n_components, init_params, rng)
    ways = [lifted(way, points, is_noise) for way in ways]
    rounds = n_rounds(model, points.n_rows, n_components, points.n_features)
    return likeliest(points, model, ways, rounds, caution)


def seeds_beside(points: MemoryRows, means: Floats, rng: Random) -> Floats:
    """Return means (K, d) without gaps: rows that are drawn by their squared distance from others.

    The k-means++ seeds of Arthur & Vassilvitskii (2007), beside means that are given.
    """
    rows, weights = points.present()
    seeds = means.copy()
    for k in np.flatnonzero(np.isnan(means[:, 0])):
        known = seeds[~np.isnan(seeds[:, 0])]
        nearest = np.full(len(rows), np.inf)
        for own in known:
            nearest = np.minimum(nearest, ((rows - own) ** 2).sum(axis=1))
        chances = weights * nearest if len(known) and nearest.any() else weights
        seeds[k] = rows[np.searchsorted(np.cumsum(chances), rng.uniform() * chances.sum())]
    return seeds


def _size(rows: Rows, model: Model, n_components: int, init_params: str) -> int:
    """Return the largest number of rows that starts of a kind are tried on."""
    if init_params == "hierarchical":
        return SMALLEST_SAMPLE  # a tree takes quadratic time
    return sample_size(model, n_components, rows.n_features)


def may_move(rows: Rows, model: Model, n_components: int, init_params: Any, given: Given) -> bool:
    """Whether a start is followed by moves of components: from the shapes alone."""
    if not isinstance(init_params, str) or any(fixed is not None for fixed in given):
        return False
    own = model.of_starts
    n_points = min(rows.n_rows, _size(rows, own, n_components, init_params))
    return n_rounds(own, n_points, n_components, rows.n_features) > 0


def _at(rows: Rows, parameters: Parameters) -> Start:
    return Start(rows.arranged_for(parameters), parameters)


def on_all(rows: Rows, model: Model, trial: Trial) -> Start:
    """Return the start on all rows of a fit that was tried on some or all of them."""
    fit = restarted(trial.fit)
    if isinstance(rows, MemoryRows) and trial.points is rows:
        if not rows.are_worth_sorting(len(fit.mixture.weights)):
            return Start(rows, fit, trial.hints)
    arranged = rows.arranged_for(parameters_from(model, fit.mixture))
    return Start(arranged, fitting(fit, model, arranged))


def is_untried(rows: MemoryRows, model: Model, n_components: int, init_params: str) -> bool:
    """Whether a start by seeds is not tried: it is the only one, and a sample would save little.

    With noise or heavy tails all starts are tried: what they leave out is found in a sample.
    """
    if model.noise is not None or model.tails is not None:
        return False
    size, d = sample_size(model, n_components, rows.n_features), rows.n_features
    if n_rounds(model, min(rows.n_rows, size), n_components, d) > 0:
        return False
    is_sole = n_starts(n_components, init_params) == 1 and n_components > 1
    return is_sole and rows.n_rows <= SAVING * size and rows.are_worth_sorting(n_components)


def untried(
    rows: MemoryRows, model: Model, n_components: int, init_params: str, rng: Random
) -> Start:
    """Return a start without trials: the rows sorted by the nearest center, and one M step.

    Where that has no positive definite covariances, another one is drawn, up to TRIALS in all.
    """
    failure: IllDefinedCovarianceError | None = None
    for _ in range(TRIALS):
        try:
            return _untried(rows, model, n_components, init_params, rng)
        except IllDefinedCovarianceError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _untried(
    rows: MemoryRows, model: Model, n_components: int, init_params: str, rng: Random
) -> Start:
    least = least_rows(model, rows.n_features)
    if init_params == "random_from_data":
        means = _distinct(rows, n_components, rng)
    elif init_params == "k-means++":
        means = many_centers(rows, n_components, rng)
    else:
        means = many_centers(rows, n_components, rng, SAMPLE_PASSES, least)
    arranged, labels = rows.arranged_for(equal_spheres(means)), None
    if init_params == "kmeans":
        labels, means = improved_parts(arranged, means, least)
    statistics = arranged.partition(labels, means, model.scatter)
    return Start(arranged, fit_after_m_step(model, arranged, statistics))


def n_starts(n_components: int, init_params: str) -> int:
    """Return the number of starts to try where there are no moves.

    One of k-means, which splits and merges parts of its own where there are three or more.
    """
    if n_components == 1 or (init_params == "kmeans" and n_components > 2):
        return 1
    return max(1, min(TRIALS, SOLE // n_components))


def sample_size(model: Model, n_components: int, n_features: int) -> int:
    """Return the largest number of rows that starts are tried on."""
    per_component = ROWS_PER_COMPONENT
    if model.scatter is Scatter.FULL:
        per_component = max(per_component, ROWS_PER_FEATURE * n_features)
    return max(SMALLEST_SAMPLE, n_components * per_component)


def memberships(
    points: MemoryRows, model: Model, n_components: int, init_params: str, rng: Random
) -> list[Partition | SufficientStatistics]:
    """Return the memberships of the starts to try."""
    K, d = n_components, points.n_features
    rounds = n_rounds(model, points.n_rows, K, d)
    count = 1 if rounds > 0 else n_starts(K, init_params)
    if init_params == "hierarchical":
        hierarchies = trees(*points.present())
        return [partition_of(points, points.of_all(own.labels(K)), K) for own in hierarchies]
    if init_params == "random":
        return [points.random_memberships(K, model.scatter, rng) for _ in range(count)]
    if init_params == "random_from_data":
        return [partition_around(points, _distinct(points, K, rng)) for _ in range(count)]
    if init_params == "k-means++":
        return list(plus_plus(points, K, rng, count))
    least = least_rows(model, d) if rounds < ROUNDS else 0
    return [k_means(points, K, rng, least) for _ in range(count)]


def _distinct(points: MemoryRows, n_components: int, rng: Random, draws: int = 20) -> Floats:
    """Draw K distinct rows; after `draws` attempts, allow duplicates."""
    drawn = points.sample(n_components, rng)
    for _ in range(draws):
        _, first = np.unique(drawn, axis=0, return_index=True)
        if first.size >= n_components:
            break
        kept = drawn[np.sort(first)]
        drawn = np.concatenate([kept, points.sample(n_components - len(kept), rng)])
    return drawn
