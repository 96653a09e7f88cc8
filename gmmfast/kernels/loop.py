"""The EM loop (Dempster, Laird & Rubin 1977): E pass, M step, test of convergence."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from gmmfast.kernels.compiling import entry_kernel, invoke, kernel
from gmmfast.kernels.maximization import FINE, Mixture, StepRule, StepWork, Totals, penalty
from gmmfast.kernels.passes import e_step, layout_of

UNDER_WAY, CONVERGED, ROUNDED, FAILED = 0, 1, 2, 3
EXPECT = -1  # value of `last` in `iterate` for an E pass without a step
FALL = 1e-9  # relative fall of the likelihood that ends a fit: only rounding causes one


class Rule(NamedTuple):
    """Steps and stopping criteria of a fit."""

    step: StepRule
    maximize: Any  # address of `maximize`
    take_step: Any  # address of `extrapolate` or `step_posterior`, or of `maximize`
    is_plain: bool  # whether steps are plain EM's, by `maximize` alone
    tol: float  # gain of a pass below which a fit ends, in nats per row
    share: float  # the same, as a share of the total gain; 0: off
    is_exact: bool  # whether only rounding can make the likelihood fall


LOWER_BOUND, FIRST_BOUND, GAIN = range(3)  # in Fit.numbers
N_PASSES, STATUS, BROKEN, HAS_BEFORE = range(4)  # in Fit.counts
ON_TRIAL = 0  # in Fit.leap_counts


class Fit(NamedTuple):
    """Everything that a fit changes.

    Few arrays: each further one makes a call from Python, and its compilation, one percent slower.
    """

    flat: NDArray  # (m,): the whole mixture
    mixture: Mixture  # views of it
    before: NDArray  # (m,), or (0,): the mixture of the last E pass
    totals: Totals  # of the last E pass
    shifts: NDArray  # (K, d) scratch
    work: StepWork
    bounds: NDArray  # (B,): bounds[i % B] is the lower bound before M step i
    numbers: NDArray  # (3,): the last lower bound (initially of the fit that this one continues),
    # the first one, and the gain of the last EM step (infinite after another kind of step)
    counts: NDArray  # (4,): passes; UNDER_WAY, or why the fit has ended; FINE, SHARED or the failed
    # component, as in `kernels.maximization`; 1 once `before` holds a mixture
    leap: NDArray  # (n,), or (0,): memory of an accelerated fit; see `kernels.anderson`
    leap_counts: NDArray  # (7,) likewise

    @property
    def is_under_way(self) -> bool:
        """Whether the fit has not ended."""
        return bool(self.counts[STATUS] == UNDER_WAY)

    @property
    def n_passes(self) -> int:
        """Passes so far."""
        return int(self.counts[N_PASSES])


@kernel
def copy_flat(
    source,  # in (m,)
    out,  # out (m,)
):
    """Copy a mixture."""
    for i in range(source.size):
        out[i] = source[i]


@kernel
def objective(
    rule,  # in: Rule
    scale,  # in: factor from a sum over rows to their mean
    fit,  # in: Fit, with the totals of an E pass
):
    """Mean log-likelihood of the mixture; with a prior, plus its log density per row."""
    return (
        fit.totals.log_likelihood[0] + penalty(rule.step, fit.mixture, fit.work.upper[0])
    ) * scale


@kernel
def step(
    rule,  # in: Rule
    fit,  # in, out: Fit
    reached,  # in: objective of the mixture
):
    """EM step; return FINE, SHARED or the failed component."""
    fit.numbers[GAIN] = reached - fit.numbers[LOWER_BOUND]
    fit.numbers[LOWER_BOUND] = reached
    if fit.before.size > 0:
        copy_flat(fit.flat, fit.before)
        fit.counts[HAS_BEFORE] = 1
    return invoke(rule.maximize, (rule.step, fit.totals, fit.mixture, fit.work))


@kernel
def has_converged(
    rule,  # in: Rule
    fit,  # in: Fit
):
    """Whether the gain of the last pass is too small to continue."""
    gain = fit.numbers[GAIN]
    if abs(gain) < rule.tol:
        return True
    total = fit.numbers[LOWER_BOUND] - fit.numbers[FIRST_BOUND]
    return rule.share > 0 and fit.counts[N_PASSES] > 1 and gain <= rule.share * total


@kernel
def advance(
    rule,  # in: Rule
    scale,  # in: factor from a sum over rows to their mean
    fit,  # in, out: Fit, with the totals of an E pass
):
    """Step and stopping test after an E pass, wherever the rows are stored."""
    reached, before = objective(rule, scale, fit), fit.numbers[LOWER_BOUND]
    has_fallen = reached < before - FALL * abs(before)
    is_on_trial = fit.leap_counts[ON_TRIAL] != 0  # a leap, which may be rejected
    if has_fallen and rule.is_exact and fit.counts[HAS_BEFORE] != 0 and not is_on_trial:
        copy_flat(fit.before, fit.flat)
        fit.counts[STATUS] = ROUNDED
        return
    if rule.is_plain:
        failed = step(rule, fit, reached)
    else:
        failed = invoke(rule.take_step, (rule, scale, fit, reached))
    if failed != FINE:
        fit.counts[BROKEN] = failed
        fit.counts[STATUS] = FAILED
        return
    if fit.counts[N_PASSES] == 0:
        fit.numbers[FIRST_BOUND] = fit.numbers[LOWER_BOUND]
    fit.bounds[fit.counts[N_PASSES] % fit.bounds.size] = fit.numbers[LOWER_BOUND]
    fit.counts[N_PASSES] += 1
    if has_converged(rule, fit):
        fit.counts[STATUS] = CONVERGED


@entry_kernel
def advance_elsewhere(rule, scale, fit):
    """`advance`, for Python."""
    advance(rule, scale, fit)
    return 0


@entry_kernel
def iterate(
    rule,  # in: Rule
    rows,  # in, out: Pass
    fit,  # in, out: Fit
    last,  # in: number of the pass to stop after, or EXPECT: an E pass alone
    stop,  # in (1,): another thread sets it to end the fit after the current pass
):
    """EM passes until the fit ends, `last` is done, or rows are needed in another layout."""
    mixture = fit.mixture
    while last == EXPECT or (fit.counts[STATUS] == UNDER_WAY and fit.counts[N_PASSES] < last):
        layout = layout_of(
            rows.is_narrow, mixture.weights, mixture.means, mixture.covariances, mixture.factors,
            mixture.whitening, mixture.loadings,
        )  # fmt: skip
        if rows.layout != layout:
            break
        e_step(rows, mixture, fit.shifts, fit.totals)
        if last == EXPECT:
            break
        advance(rule, rows.scale, fit)
        if stop[0] != 0:
            break
    return 0
