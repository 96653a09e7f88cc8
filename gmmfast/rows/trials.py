"""Rows of short fits: trials of starts in compiled calls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import address_of
from gmmfast.kernels.loop import Fit, Rule
from gmmfast.kernels.moves import propose
from gmmfast.kernels.threads import current_pace, current_stop, team
from gmmfast.kernels.trials import TrialRule, Trials, divide, seek_start
from gmmfast.rows.base import Hints
from gmmfast.rows.memory import MemoryRows
from gmmfast.rows.passes import address_of_loop, parallel, work_of_loop


def for_trials(
    points: MemoryRows, labels: NDArray[np.int32], n_labels: int
) -> tuple[MemoryRows, NDArray[np.int64] | None]:
    """Return rows for short fits, and their order in a packed copy; None if it is the same.

    They are float64, and sorted by the labels if that pays.

    Parameters
    ----------
    points : MemoryRows
        The rows, unsorted.
    labels : ndarray of shape (n_tiles, TILE)
        Labels of their packed copy.
    n_labels : int
        Number of labels.
    """
    is_sorted = points.are_worth_sorting(n_labels)
    if points.dtype == np.float64 and not is_sorted:
        return points, None
    order = np.arange(points.n_rows)
    if is_sorted:
        order = labels.ravel()[: points.n_rows].argsort(kind="stable")
    return points.in_float64(order), order


def seek(
    points: MemoryRows,
    rule: Rule,
    trial_rule: TrialRule,
    fit: Fit,
    hints: Hints,
    trials: Trials,
    place: NDArray[np.int64],
) -> bool:
    """Try starts for some passes; return whether the end is reached.

    See `gmmfast.kernels.trials.seek_start`.

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
        Updated.
    place : ndarray of shape (2,)
        Updated.
    """
    rows, stop, mixture = points.pass_in(fit, hints, 0), current_stop(), fit.mixture
    parts = rows.tiles, rows.row_weights, trials.labels[0], trials.sums
    like = fit.totals.scatter.ndim
    split = address_of(divide, like, *parts, fit.shifts, trials.means[0], fit.totals)
    loop = address_of_loop(rule, rows, fit, 0, stop)
    kind = mixture.factors.ndim, mixture.covariances.ndim, rows.density.whitening is None
    about = trial_rule.scales, trial_rule.least_rows
    move = address_of(propose, kind, rows, mixture, *about, trials.labels, trials.means)
    own_rule = trial_rule._replace(divide=split, iterate=loop, propose=move)
    n_passes = points.passes_at_once(fit)
    with team(points.n_jobs, rows.n_shards, work_of_loop(points.n_rows, fit)) as count:
        own = rows if count == 1 or current_pace().is_alone else parallel(rows)
        return bool(seek_start(rule, own, own_rule, n_passes, stop, place, fit, trials))
