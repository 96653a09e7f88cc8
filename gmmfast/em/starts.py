"""Starts of a fit: partitions of the rows, random memberships, or given parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from gmmfast.em.brought import brought
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
from gmmfast.em.state import (
    fit_after_m_step,
    ill_defined,
    new_fit,
    new_trials,
    restarted,
    rule_of,
)
from gmmfast.em.trees import trees
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.loop import LOWER_BOUND, STATUS, UNDER_WAY, Fit
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
EARLY = 5  # passes of each trial where there are more than FINALISTS
FINALISTS = 3  # trials that go on to the end of TRIAL
TRIALS = 3  # starts where there are no rounds of moves
MOVES = 8  # tried in a round
ROUNDS = 5  # at most
BUDGET = 5 << 20  # rounds times the multiplications of a pass over the sample: some 0.1 s in all
WORTH = 1e-3  # nats per row, the default `tol`: a smaller gain ends the rounds
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
    rows: Rows, model: Model, n_components: int, init_params: Any, rng: Random, given: Given
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
        the rows. The first three assign each row to the nearest of K seeds: k-means centers, or
        rows drawn by k-means++ or at random; "random" draws responsibilities; "hierarchical" cuts
        Ward's trees. Labels, responsibilities or a callable are taken as they are; see
        `gmmfast.em.brought`.
    rng : Generator or RandomState
        The only source of randomness.
    given : Given
        Parameters that replace the estimates.

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
    weights, means, covariances = given
    if weights is not None and means is not None and covariances is not None:
        return _at(rows, model.of_covariances(weights, means, covariances))
    if isinstance(init_params, str):
        points, found = _tried_on_sample(rows, model, n_components, init_params, rng, means)
    else:
        points, statistics = brought(rows, model, n_components, init_params, rng)
        found = begun(points, model, statistics)
    if weights is None and means is None and covariances is None:
        return on_all(rows, points, model, found)
    estimate = parameters_from(model, found.fit.mixture)
    make = model.parameters if covariances is None else model.of_covariances
    own = zip(given, (estimate.weights, estimate.means, estimate.covariances), strict=True)
    return _at(rows, make(*(fixed if fixed is not None else free for fixed, free in own)))


def _tried_on_sample(
    rows: Rows,
    model: Model,
    n_components: int,
    init_params: str,
    rng: Random,
    means: Floats | None,
) -> tuple[MemoryRows, Trial]:
    """Return all rows or a sample, and a trial of them, which begins around any given means."""
    size = SMALLEST_SAMPLE  # a tree takes quadratic time
    if init_params != "hierarchical":
        size = sample_size(model, n_components, rows.n_features)
    points = rows.all_or_sample(size, rng)
    if means is not None:
        return points, begun(points, model, partition_around(points, means))
    ways = memberships(points, model, n_components, init_params, rng)
    return points, improved(points, model, likeliest(points, model, ways))


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
    total, limit = points.total(model.scatter), TRIAL
    if len(ways) > FINALISTS:
        limit = replace(TRIAL, max_iter=EARLY)
    trials: list[Trial] = []
    failure: IllDefinedCovarianceError | None = None
    for way in ways:
        if trials and current_stop()[0] == END:
            break
        try:
            trials.append(tried(begun(points, model, way), model, total, limit))
        except IllDefinedCovarianceError as error:
            failure = error
    if limit is not TRIAL:
        bounds = {i: own.lower_bound for i, own in enumerate(trials) if own.fit.is_under_way}
        for i in _finalists(bounds, lambda i: trials[i].is_sound):
            if current_stop()[0] == END:
                break
            try:
                trials[i] = tried(trials[i], model, total)
            except IllDefinedCovarianceError as error:
                trials[i], failure = trials[i]._replace(lower_bound=-math.inf), error
    best: Trial | None = None
    for trial in trials:
        if trial.lower_bound > -math.inf and trial.beats(best):
            best = trial
    if best is None:
        assert failure is not None
        raise failure
    return best


def _finalists(bounds: Mapping[int, float], is_sound: Callable[[int], bool]) -> list[int]:
    """Return the numbers of the trials that go on: the likeliest, collapsed ones last."""
    sound: list[int] = []
    collapsed: list[int] = []
    for i in sorted(bounds, key=lambda i: -bounds[i]):
        (sound if is_sound(i) else collapsed).append(i)
        if len(sound) == FINALISTS:
            break
    return [*sound, *collapsed][:FINALISTS]


def _likeliest_of_few(
    points: MemoryRows, model: Model, partitions: Sequence[Partition]
) -> Trial | None:
    """`likeliest` for few rows, in compiled calls; None if they need another layout."""
    P, K = len(partitions), len(partitions[0].means)
    fit = new_fit(model, points, K, -math.inf)
    rule, hints = rule_of(model, points, fit, TRIAL.tol, TRIAL.share, False), points.hints()
    trials, total = new_trials(fit, partitions), points.total(model.scatter)

    def is_sound(p: int) -> bool:
        fit.flat[...] = trials.found[p]
        mixture = parameters_in(model, fit.mixture)
        return not model.collapsed(mixture, points.n_rows, total).any()

    last = EARLY if P > FINALISTS else TRIAL.max_iter
    points.try_partitions(rule, fit, hints, trials, range(P), last)
    failed, bounds = trials.failed, trials.numbers[:, LOWER_BOUND]
    if last == EARLY:
        are_under_way = (failed == FINE) & (trials.counts[:, STATUS] == UNDER_WAY)
        going_on = {int(p): float(bounds[p]) for p in np.flatnonzero(are_under_way)}
        chosen = _finalists(going_on, is_sound)
        points.try_partitions(rule, fit, hints, trials, chosen, TRIAL.max_iter)
    if UNFINISHED in failed and current_stop()[0] != END:
        return None
    best: Trial | None = None
    number = 0
    for p in np.flatnonzero(failed == FINE):
        trial = Trial(points, fit, True, float(bounds[p]), hints)
        if trial.beats(best):  # else it does not matter whether it has collapsed
            trial = trial._replace(is_sound=is_sound(int(p)))
            if trial.beats(best):
                best, number = trial, int(p)
    fit.flat[...] = trials.found[number]
    if best is None and UNFINISHED not in failed:
        raise ill_defined(failed[-1])
    return best


def n_rounds(points: MemoryRows, model: Model, n_components: int) -> int:
    """Return the number of rounds of moves, at most: from the shapes alone."""
    if n_components == 1:
        return 0
    return min(ROUNDS, BUDGET // model.pass_work(points.n_rows, n_components, points.n_features))


def improved(points: MemoryRows, model: Model, trial: Trial) -> Trial:
    """Move components of a trial for as long as that pays."""
    for _ in range(n_rounds(points, model, len(trial.fit.mixture.weights))):
        if current_stop()[0] == END:
            break
        ways = moves(points, model, parameters_in(model, trial.fit.mixture), MOVES)
        try:
            found = likeliest(points, model, ways) if ways else trial
        except IllDefinedCovarianceError:
            break
        if not found.beats(trial):
            break
        gain = found.lower_bound - trial.lower_bound
        is_last = found.is_sound == trial.is_sound and gain < WORTH
        trial = found
        if is_last:
            break
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
