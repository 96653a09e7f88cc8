"""Starts of a fit: partitions of the rows, random memberships, or given parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gmmfast.em.kmeans import (
    Partition,
    Random,
    k_means,
    partition_around,
    partition_of,
    plus_plus,
)
from gmmfast.em.loop import Control, Course
from gmmfast.em.moves import moves
from gmmfast.em.state import fit_after_m_step, ill_defined, new_fit, restarted, rule_of
from gmmfast.em.trees import trees
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.loop import LOWER_BOUND, Fit
from gmmfast.kernels.maximization import FINE
from gmmfast.kernels.threads import END, current_stop
from gmmfast.kernels.trials import UNFINISHED
from gmmfast.models import Model
from gmmfast.models.step import parameters_from, parameters_in
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows import Hints, MemoryRows, Rows

ROWS_PER_COMPONENT = 128  # starts are tried on a sample of this many rows per component,
ROWS_PER_FEATURE = 4  # or this many per component and feature for full covariances,
SMALLEST_SAMPLE = 4096  # and at least this many in all
TRIAL = Control(tol=0.0, max_iter=10, share=0.01)  # ends when a pass gains at most 1 % of the total
EARLY = replace(TRIAL, max_iter=5)  # of more trials than
FINALISTS = 3  # which continue
TRIALS = 3  # starts tried where passes are too long for moves, else one; the likeliest is kept
MOVES = 8  # tried at a time; the likeliest is kept,
ROUNDS = 5  # for as long as it gains, at most so often,
BUDGET = 5 << 20  # or this divided by the multiplications of a pass: then rounds take about 0.1 s
WORTH = 1e-3  # nats per row: the default `tol`; a smaller gain ends the moves
SAME = 1e-6  # nats per row: smaller gains may be rounding; the first of ties is kept


class Start(NamedTuple):
    """Rows, and the state from which EM on them starts."""

    rows: Rows
    begin: Fit | Parameters
    hints: Hints | None = None  # scratch of passes over these rows


class Trial(NamedTuple):
    """A fit to a sample after a few passes."""

    points: MemoryRows  # in the order used by the trial
    fit: Fit
    is_sound: bool = False  # no component has collapsed; else the likelihood is meaningless
    lower_bound: float = -math.inf
    hints: Hints | None = None  # scratch that the fit can reuse

    def beats(self, other: Trial | None) -> bool:
        """Whether to prefer this trial to an earlier one."""
        if other is None or self.is_sound != other.is_sound:
            return other is None or self.is_sound
        return self.lower_bound - SAME > other.lower_bound


class Given(NamedTuple):
    """Parameters fixed by the caller; means relative to the rows' center."""

    weights: Floats | None = None
    means: Floats | None = None
    covariances: Floats | None = None


def start(
    rows: Rows, model: Model, n_components: int, init_params: str, rng: Random, given: Given
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
    init_params : {"kmeans", "k-means++", "random_from_data", "random", "hierarchical"}
        Unless means are given, starts of this kind are tried for a few EM passes over a sample of
        the rows. The first three assign each row to the nearest of K seeds: k-means centers, or
        rows drawn by k-means++ or at random; "random" draws responsibilities; "hierarchical" cuts
        Ward's trees.
    rng : Generator or RandomState
        The only source of randomness.
    given : Given
        Parameters that replace the estimates.

    Raises
    ------
    IllDefinedCovarianceError
        If no trial leads to positive definite covariances.

    References
    ----------
    Biernacki, C., Celeux, G., Govaert, G. (2003). Choosing starting values for the EM algorithm
    for getting the highest likelihood in multivariate Gaussian mixture models. Computational
    Statistics & Data Analysis 41, 561-575, section 3: short runs of EM and their stopping rule.
    """
    weights, means, covariances = given
    if weights is not None and means is not None and covariances is not None:
        return _at(rows, model.of_covariances(weights, means, covariances))
    size = SMALLEST_SAMPLE  # a tree takes quadratic time
    if init_params != "hierarchical":
        size = sample_size(model, n_components, rows.n_features)
    points = rows.all_or_sample(size, rng)
    if means is None:
        ways = memberships(points, model, n_components, init_params, rng)
        found = improved(points, model, likeliest(points, model, ways))
    else:
        found = begun(points, model, partition_around(points, means))
    if weights is None and means is None and covariances is None:
        return on_all(rows, points, model, found)
    estimate = parameters_from(model, found.fit.mixture)
    make = model.parameters if covariances is None else model.of_covariances
    own = zip(given, (estimate.weights, estimate.means, estimate.covariances), strict=True)
    return _at(rows, make(*(fixed if fixed is not None else free for fixed, free in own)))


def _at(rows: Rows, parameters: Parameters) -> Start:
    return Start(rows.arranged_for(parameters), parameters)


def on_all(rows: Rows, points: MemoryRows, model: Model, trial: Trial) -> Start:
    """Return the start on all rows of a fit tried on `points`, which may be all rows."""
    fit = restarted(trial.fit)
    if points is rows and not points.are_worth_sorting(len(fit.mixture.weights)):
        return Start(points, fit, trial.hints)
    return Start(rows.arranged_for(parameters_from(model, fit.mixture)), fit)


def sample_size(model: Model, n_components: int, n_features: int) -> int:
    """Return the largest number of rows that starts are tried on."""
    per_component = ROWS_PER_COMPONENT
    if model.scatter is Scatter.FULL:
        per_component = max(per_component, ROWS_PER_FEATURE * n_features)
    return max(SMALLEST_SAMPLE, n_components * per_component)


def likeliest(
    points: MemoryRows, model: Model, ways: Sequence[Partition | SufficientStatistics]
) -> Trial:
    """Return the likeliest start after a few EM passes.

    Parameters
    ----------
    points : MemoryRows
        Rows to try the starts on.
    model : Model
        The covariance model.
    ways : sequence of Partition or SufficientStatistics
        Memberships to start from.

    Raises
    ------
    IllDefinedCovarianceError
        If none leads to positive definite covariances.
    """
    partitions = [way for way in ways if isinstance(way, Partition)]
    if len(partitions) == len(ways) and points.are_few(len(partitions[0].means)):
        found = _likeliest_of_few(points, model, partitions)
        if found is not None:
            return found
    total, control = points.total(model.scatter), _first_passes(len(ways))
    trials: list[Trial] = []
    failure: IllDefinedCovarianceError | None = None
    for way in ways:
        if trials and current_stop()[0] == END:
            break
        try:
            trials.append(tried(begun(points, model, way), model, total, control))
        except IllDefinedCovarianceError as error:
            failure = error
    if not trials:
        assert failure is not None
        raise failure
    if control is EARLY:
        trials.sort(key=lambda trial: -trial.lower_bound)
        for i, trial in enumerate(trials[:FINALISTS]):
            with suppress(IllDefinedCovarianceError):
                trials[i] = tried(trial, model, total, TRIAL)
    best = trials[0]
    for trial in trials[1:]:
        if trial.beats(best):
            best = trial
    return best


def _first_passes(n_ways: int) -> Control:
    """Return when the passes end after which the finalists are chosen."""
    return EARLY if n_ways > FINALISTS else TRIAL


def _likeliest_of_few(
    points: MemoryRows, model: Model, partitions: Sequence[Partition]
) -> Trial | None:
    """`likeliest` for few rows, in one compiled call; None if they need another layout."""
    fit = new_fit(model, points, len(partitions[0].means), -math.inf)
    rule = rule_of(model, points, fit, TRIAL.tol, TRIAL.share, False)
    hints = points.hints()
    labels, means = map(np.array, zip(*partitions, strict=True))
    ends = _first_passes(len(labels)).max_iter, FINALISTS, TRIAL.max_iter
    trials = points.try_partitions(rule, fit, hints, *ends, labels, means)
    found, failed = trials.found, trials.failed
    if UNFINISHED in failed and current_stop()[0] != END:
        return None
    best: Trial | None = None
    chosen = 0
    total = points.total(model.scatter)
    for p in np.flatnonzero(failed == FINE):
        trial = Trial(points, fit, True, float(trials.numbers[p, LOWER_BOUND]), hints)
        if not trial.beats(best):
            continue  # whether it has collapsed or not
        fit.flat[...] = found[p]
        collapsed = model.collapsed(parameters_in(model, fit.mixture), points.n_rows, total)
        trial = trial._replace(is_sound=not collapsed.any())
        if trial.beats(best):
            best, chosen = trial, int(p)
    fit.flat[...] = found[chosen]
    if best is None and UNFINISHED not in failed:
        raise ill_defined(failed[-1])
    return best


def n_rounds(points: MemoryRows, model: Model, n_components: int) -> int:
    """Return the number of rounds of moves, at most: from the shapes alone."""
    if n_components == 1:
        return 0
    d = points.n_features
    work = points.n_rows * n_components * d * (1 if model.scatter is Scatter.DIAGONAL else d)
    return int(min(ROUNDS, BUDGET // work))


def improved(points: MemoryRows, model: Model, trial: Trial) -> Trial:
    """Move components of a trial for as long as that pays."""
    for _ in range(n_rounds(points, model, len(trial.fit.mixture.weights))):
        parameters = parameters_in(model, trial.fit.mixture)
        ways = moves(points, model, parameters, MOVES)
        if not ways or current_stop()[0] == END:
            break
        try:
            found = likeliest(points, model, ways)
        except IllDefinedCovarianceError:
            break
        if not found.beats(trial):
            break
        gain = found.lower_bound - trial.lower_bound
        if found.is_sound == trial.is_sound and gain < WORTH:
            return found
        trial = found
    return trial


def begun(points: MemoryRows, model: Model, way: Partition | SufficientStatistics) -> Trial:
    """Return a trial after the M step from given memberships."""
    if isinstance(way, Partition):
        points = points.arrange(way.labels, len(way.means))
        way = points.partition(way.labels, way.means, model.scatter)
    return Trial(points, fit_after_m_step(model, points, way))


def tried(trial: Trial, model: Model, total: Floats, control: Control = TRIAL) -> Trial:
    """Run the first EM passes of a start, or more of them."""
    course = Course(trial.points, trial.fit, model, control)
    course.complete()
    parameters = parameters_in(model, trial.fit.mixture)
    collapsed = model.collapsed(parameters, trial.points.n_rows, total)
    return trial._replace(is_sound=not collapsed.any(), lower_bound=course.lower_bound)


def memberships(
    points: MemoryRows, model: Model, n_components: int, init_params: str, rng: Random
) -> list[Partition | SufficientStatistics]:
    """Return the memberships of the starts to try."""
    K = n_components
    count = TRIALS if K > 1 and n_rounds(points, model, K) == 0 else 1
    if init_params == "hierarchical":
        hierarchies = trees(*points.present())
        return [partition_of(points, points.of_all(own.labels(K)), K) for own in hierarchies]
    if init_params == "random":
        return [points.random_memberships(K, model.scatter, rng) for _ in range(count)]
    if init_params == "random_from_data":
        return [partition_around(points, _distinct(points, K, rng)) for _ in range(count)]
    return list((k_means if init_params == "kmeans" else plus_plus)(points, K, rng, count))


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
