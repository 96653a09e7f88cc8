"""State of a fit in arrays: made, read and written here, updated by `gmmfast.kernels.loop`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import Partition
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.anderson import (
    HAS_INPUTS,
    IS_SETTLED,
    LONGEST_PAUSE,
    MEMORY,
    N_COUNTS,
    N_GAINS,
    N_POINTS,
    PAUSE,
    WAIT,
    Leap,
    extrapolate,
    leap_in,
    leap_size,
)
from gmmfast.kernels.compiling import address_of
from gmmfast.kernels.loop import (
    BROKEN,
    CONVERGED,
    FAILED,
    HAS_BEFORE,
    N_PASSES,
    ON_TRIAL,
    ROUNDED,
    STATUS,
    UNDER_WAY,
    Fit,
    Rule,
)
from gmmfast.kernels.maximization import FINE, SHARED
from gmmfast.kernels.trials import UNFINISHED, States, Trials
from gmmfast.kernels.variational import step_posterior
from gmmfast.models import Model
from gmmfast.models.step import (
    N_OF_MIXTURE,
    address_of_maximize,
    new_state,
    new_totals,
    new_work,
    parameters_from,
    state_in,
    state_shapes,
    step_rule_of,
    take_m_step,
)
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows import EMRows, MemoryRows, Rows

BLOCK = 512  # passes whose lower bounds are stored between calls of observers


def new_fit(model: Model, rows: EMRows, n_components: int, lower_bound: float) -> Fit:
    """Allocate a fit that has no mixture yet.

    Parameters
    ----------
    model : Model
        The covariance model.
    rows : EMRows
        The data.
    n_components : int
        K.
    lower_bound : float
        Lower bound of the earlier fit that this one continues; else minus infinity.
    """
    K, d = n_components, rows.n_features
    state = new_state(model, K, d)
    n_before = state.flat.size if is_exact(model, rows) else 0
    return Fit(
        state.flat, state.mixture, np.zeros(n_before),
        new_totals(
            state.mixture.means, model.scatter.shape(K, d), model.tails is not None, model.n_factors
        ),
        np.empty((K, d)), new_work(model, state), np.empty(BLOCK),
        np.array([lower_bound, 0.0, math.inf]), np.array([0, UNDER_WAY, FINE, 0]),
        np.zeros(0), np.zeros(N_COUNTS, np.int64),
    )  # fmt: skip


def new_trials(fit: Fit, rows: MemoryRows, count: int) -> Trials:
    """Allocate trials that have not begun, given a fit of the same shapes."""
    (K, d), n_states, tiled = fit.shifts.shape, count + 1, rows.packed.row_weights.shape
    states = States(
        np.empty((n_states, fit.flat.size)), np.full((n_states, fit.numbers.size), -math.inf),
        np.zeros((n_states, fit.counts.size), np.int64), np.full(n_states, UNFINISHED),
        np.ones(n_states, np.int64),
    )  # fmt: skip
    labels, means = np.empty((count, *tiled), np.int32), np.empty((count, K, d))
    return Trials(labels, means, states, np.zeros(count, np.int64))


def load_start(
    model: Model,
    rows: MemoryRows,
    way: Partition | SufficientStatistics,
    fit: Fit,
    trials: Trials,
    p: int,
) -> None:
    """Begin trial `p` from given memberships; a failed M step leaves it out."""
    trials.is_chosen[p] = 1
    if isinstance(way, Partition):
        trials.labels[p], trials.means[p] = way.labels, way.means
        return
    restarted(fit).mixture.means[...], fit.work.is_first[0] = way.reference, 1
    states = trials.states
    states.failed[p] = take_m_step(model, way, fit.totals, fit.mixture, fit.work)
    trials.is_chosen[p] = states.failed[p] == FINE
    states.found[p], states.numbers[p], states.counts[p] = fit.flat, fit.numbers, fit.counts


def fitting(fit: Fit, model: Model, rows: Rows) -> Fit:
    """Return a fit that can go on with other rows, of another element type."""
    n_before = fit.flat.size if is_exact(model, rows) else 0
    return fit if fit.before.size == n_before else fit._replace(before=np.zeros(n_before))


def is_exact(model: Model, rows: EMRows) -> bool:
    """Whether only rounding can make the likelihood fall."""
    is_likelihood = model.variational is None  # of some models the bound is approximate
    return is_likelihood and model.reg_covar == 0 and rows.dtype == np.float64


def rule_of(
    model: Model, rows: EMRows, fit: Fit, tol: float, share: float, is_accelerated: bool
) -> Rule:
    """Return the rule of steps and stopping, and compile its kernels."""
    weight = rows.weight / rows.weight_unit
    step_rule = step_rule_of(model, weight, rows.n_rows, fit.totals, fit.mixture, fit.work)
    step = address_of_maximize(model, step_rule, fit.totals, fit.mixture, fit.work)
    ends = float(tol), float(share), is_exact(model, rows)
    rule, own = Rule(step_rule, step, step, True, *ends), None
    if is_accelerated and model.can_leap:
        own = extrapolate
    elif model.variational is not None:
        own = step_posterior
    if own is None:
        return rule
    kind = model.scatter is Scatter.DIAGONAL, model.is_whitened
    return rule._replace(take_step=address_of(own, kind, rule, 1.0, fit, 0.0), is_plain=False)


def fit_after_m_step(model: Model, rows: Rows, statistics: SufficientStatistics) -> Fit:
    """Return a fit that begins with the M step of given memberships.

    Raises
    ------
    IllDefinedCovarianceError
        If a covariance is not positive definite.
    """
    fit = new_fit(model, rows, len(statistics.mass), -math.inf)
    fit.mixture.means[...] = statistics.reference
    failed = take_m_step(model, statistics, fit.totals, fit.mixture, fit.work)
    if failed != FINE:
        raise ill_defined(failed)
    return fit


def restarted(fit: Fit) -> Fit:
    """Restart a fit from its current mixture, and return it."""
    fit.numbers[...] = -math.inf, 0.0, math.inf
    fit.counts[...] = 0, UNDER_WAY, FINE, 0
    return fit


def with_leap(fit: Fit) -> Fit:
    """Return a fit with memory for leaps."""
    K, d = fit.shifts.shape
    size = leap_size(K, d, fit.totals.scatter.size, fit.totals.tails.size, fit.flat.size)
    return fit._replace(leap=np.zeros(size))


def require_definite(fit: Fit) -> None:
    """Raise IllDefinedCovarianceError if the last M step failed."""
    if fit.counts[STATUS] == FAILED:
        raise ill_defined(int(fit.counts[BROKEN])).at(fit.n_passes + 1)


def ill_defined(failed: int) -> IllDefinedCovarianceError:
    """Return the error for a failure code of the M step."""
    return IllDefinedCovarianceError(None if failed == SHARED else int(failed))


# ---------------------------------------------------------------------------------- checkpoints


def memory_of(fit: Fit) -> dict[str, NDArray[Any]]:
    """Return the state that the next steps need besides the mixture, by name."""
    kept = {name: array for name, array in _places(fit).items() if array.size}
    return {name: array.astype(np.float64) for name, array in kept.items()}


def _places(fit: Fit) -> dict[str, NDArray[Any]]:
    family = fit.work.family
    return {
        "before": fit.before, "numbers": fit.numbers, "counts": fit.counts, "leap": fit.leap,
        "leap_counts": fit.leap_counts, "is_first": fit.work.is_first, "axes": family.axes,
        "own_axes": family.own_axes, "variances": family.variances,
    }  # fmt: skip


def recall(fit: Fit, memory: Mapping[str, NDArray[Any]]) -> None:
    """Restore the memory of another fit."""
    for name, place in _places(fit).items():
        if name in memory and memory[name].shape == place.shape:
            place[...] = memory[name]
    if "before" not in memory or memory["before"].shape != fit.before.shape:
        fit.counts[HAS_BEFORE] = 0  # `reg_covar` or the type of the rows has changed


def is_possible(memory: Mapping[str, NDArray[Any]]) -> bool:
    """Whether the counts of a memory are valid; compiled code does not check them."""
    counts, leaps, first = memory["counts"], memory["leap_counts"], memory["is_first"]
    flags = [counts[HAS_BEFORE], first[0], *leaps[[ON_TRIAL, HAS_INPUTS, IS_SETTLED]]]
    numbers = np.concatenate([counts, leaps, first])
    return bool(
        (np.abs(numbers) < 2**31).all()
        and (numbers == np.floor(numbers)).all()
        and all(flag in (0, 1) for flag in flags)
        and counts[N_PASSES] >= 0
        and counts[STATUS] in (UNDER_WAY, CONVERGED, ROUNDED)
        and leaps[ON_TRIAL] <= leaps[N_POINTS] <= MEMORY
        and leaps[N_GAINS] >= 0
        and 0 <= leaps[WAIT] <= leaps[PAUSE] <= LONGEST_PAUSE
    )


def fall_back(fit: Fit) -> None:
    """Replace a leap that no pass has tested by the result of plain EM's last step."""
    K, d = fit.shifts.shape
    totals = fit.totals
    own = totals.scatter, totals.tails.size, fit.flat.size
    leap = leap_in(fit.leap, np.empty((K, d)), *own)
    fit.flat[...], fit.leap_counts[ON_TRIAL] = leap.fallback, 0


def shapes_of_memory(
    model: Model, n_components: int, n_features: int, is_accelerated: bool, has_before: bool
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of `memory_of`."""
    K, d = n_components, n_features
    states = state_shapes(model, K, d)
    size = sum(map(math.prod, states))
    n_scatter = math.prod(model.scatter.shape(K, d))
    n_leap = leap_size(K, d, n_scatter, _n_tails(model, K), size) if is_accelerated else 0
    shapes: dict[str, tuple[int, ...]] = {"before": (size if has_before else 0,)}
    shapes |= {"numbers": (3,), "counts": (4,), "leap": (n_leap,), "leap_counts": (N_COUNTS,)}
    shapes |= {"is_first": (1,), **dict(zip(_AXES, states[N_OF_MIXTURE:], strict=True))}
    return {name: shape for name, shape in shapes.items() if math.prod(shape)}


_AXES = ("axes", "own_axes", "variances")


def _n_tails(model: Model, n_components: int) -> int:
    return 0 if model.tails is None else 2 * n_components


def reached_by_em(
    model: Model, parameters: Parameters, memory: Mapping[str, NDArray[Any]]
) -> Parameters:
    """Return the mixture of the last EM step, the fallback of a leap on trial."""
    if "leap" not in memory or not memory["leap_counts"][ON_TRIAL]:
        return parameters
    state = state_in(
        views_of_leap(model, memory["leap"], parameters).fallback, _shapes(model, parameters)
    )
    return parameters_from(model, state.mixture)


def memory_moved(
    model: Model, memory: Mapping[str, NDArray[Any]], like: Parameters, shift: Floats
) -> dict[str, NDArray[Any]]:
    """Return the memory of a fit to the rows shifted by a vector (d,)."""
    moved = {name: array.copy() for name, array in memory.items()}
    states = [moved["before"]] if "before" in moved else []
    if "leap" in moved:
        views_of_leap(model, moved["leap"], like).reference[...] += shift
        states.append(views_of_leap(model, moved["leap"], like).fallback)
    for flat in states:
        state_in(flat, _shapes(model, like)).mixture.means[...] += shift
    return moved


def _shapes(model: Model, like: Parameters) -> list[tuple[int, ...]]:
    return state_shapes(model, *like.means.shape)


def views_of_leap(model: Model, memory: Floats, like: Parameters) -> Leap:
    """Return views of the memory of an accelerated fit."""
    scatter = np.empty(model.scatter.shape(*like.means.shape))
    n_flat = sum(map(math.prod, _shapes(model, like)))
    n_tails = _n_tails(model, len(like.means))
    leap: Leap = leap_in(memory, like.means, scatter, n_tails, n_flat)
    return leap
