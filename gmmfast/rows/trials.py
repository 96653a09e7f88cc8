"""Rows of short fits: trials of starts in compiled calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import address_of
from gmmfast.kernels.loop import Fit, Rule
from gmmfast.kernels.moves import propose
from gmmfast.kernels.partitions import divide
from gmmfast.kernels.threads import current_pace, current_stop, require_somebody, team
from gmmfast.kernels.trials import TrialRule, Trials, seek_start
from gmmfast.rows.base import Hints
from gmmfast.rows.memory import MemoryRows
from gmmfast.rows.passes import address_of_loop, kind_of, parallel, work_of_loop


def for_trials(
    points: MemoryRows, labels: NDArray[np.int32] | None, n_labels: int
) -> tuple[MemoryRows, NDArray[np.int64] | None]:
    """Return rows for short fits, and their order in a packed copy; None if it is the same.

    They are float64, and sorted by the labels if that pays.

    Parameters
    ----------
    points : MemoryRows
        The rows, unsorted.
    labels : ndarray of shape (n_tiles, TILE), optional
        Labels of their packed copy.
    n_labels : int
        Number of labels.
    """
    is_sorted = labels is not None and points.are_worth_sorting(n_labels)
    if points.dtype == np.float64 and not is_sorted:
        return points, None
    order = np.arange(points.n_rows)
    if labels is not None and is_sorted:
        order = labels.ravel()[: points.n_rows].argsort(kind="stable")
    return points.in_float64(order), order


def arguments(
    points: MemoryRows, rule: Rule, trial_rule: TrialRule, fit: Fit, hints: Hints, trials: Trials
) -> tuple[Any, ...]:
    """Return arguments of `gmmfast.kernels.trials.seek_start` for the rows, and compile its parts.

    Parameters
    ----------
    points : MemoryRows
        Of `for_trials`.
    rule, hints
        As in `MemoryRows.iterate`.
    trial_rule : TrialRule
        Without addresses.
    fit : Fit
        Scratch.
    trials : Trials
        To be updated.
    """
    rows, stop, place = points.pass_in(fit, hints, 0), current_stop(), np.zeros(2, np.int64)
    parts = rows.tiles, rows.row_weights, trials.labels[0]
    like = fit.totals.scatter.ndim
    split = address_of(divide, like, *parts, fit.shifts, trials.means[0], fit.totals)
    loop = address_of_loop(rule, rows, fit, 0, stop)
    kind = kind_of(rows.density)
    moved = trial_rule.scales, trial_rule.least_rows, trials.labels, trials.means
    shards = rows.tiles, rows.row_weights, rows.density, rows.separation, rows.guesses
    move = address_of(propose, kind, *shards, fit.mixture.means, *moved)
    own = trial_rule._replace(divide=split, iterate=loop, propose=move)
    return rule, rows, own, points.passes_at_once(fit), stop, place, fit, trials


def run_trials(
    points: MemoryRows, rule: Rule, trial_rule: TrialRule, fit: Fit, hints: Hints, trials: Trials
) -> None:
    """Try starts, then moves from the best; parameters as in `arguments`."""
    rule, rows, *others = arguments(points, rule, trial_rule, fit, hints, trials)
    work, has_ended = work_of_loop(points.n_rows, fit), False
    while not has_ended:
        require_somebody()
        with team(points.n_jobs, rows.n_shards, work) as count:
            own = rows if count == 1 or current_pace().is_alone else parallel(rows)
            has_ended = seek_start(rule, own, *others)
