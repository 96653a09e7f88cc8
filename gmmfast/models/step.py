"""Arrays of the compiled M step, and conversions between them and the package's values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import address_of
from gmmfast.kernels.degrees import GIVEN, move_degrees
from gmmfast.kernels.families import FamilyWork, diagonalize
from gmmfast.kernels.filters import filter_shape
from gmmfast.kernels.loadings import move_loadings, scratch_shape
from gmmfast.kernels.maximization import (
    Fixed,
    Mixture,
    Posterior,
    StepRule,
    StepWork,
    Totals,
    maximize,
)
from gmmfast.kernels.variational import expect
from gmmfast.models.conjugate import ConjugatePrior
from gmmfast.models.prior import times
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics

if TYPE_CHECKING:
    from gmmfast.models.base import Model


class Variational(NamedTuple):
    """Mixtures that stand for a posterior, with the prior of their model."""

    weight: float  # of all rows
    prior: ConjugatePrior


class Tails(NamedTuple):
    """Components with t distributions."""

    degrees: float  # of freedom: given, or to begin with
    estimate: int  # as in `gmmfast.kernels.degrees`


N_OF_MIXTURE = len(Mixture._fields)  # arrays of a state
EMPTY_MASS = 10 * np.finfo(np.float64).eps  # in rows of average weight


class State(NamedTuple):
    """State after an M step for the next E and M steps, as views of one array."""

    flat: Floats
    mixture: Mixture
    axes: Floats  # (d, d), shared by components
    own_axes: Floats  # (K, d, d), or empty
    variances: Floats  # (K, d) along the axes, or empty


def state_shapes(model: Model, n_components: int, n_features: int) -> list[tuple[int, ...]]:
    """Return the shapes of a state's arrays, in their order."""
    K, d, axes = n_components, n_features, n_components if model.needs_axes else 0
    matrices = model.scatter.shape(K, d)
    factors = (K, d) if model.is_whitened else matrices
    noise, degrees = 0 if model.noise is None else 2, 0 if model.tails is None else K
    posterior = 0 if model.variational is None else K + 2
    mixture = [(K,), (K, d), matrices, (K,), factors, (int(model.is_whitened), d, d)]
    q = model.n_factors
    loadings, filters = ((K, q, d), filter_shape(K, q, d)) if q else ((0, 0, 0), (0, 0, 0))
    optional = [(noise,), (degrees,), (posterior,), loadings, filters]
    return [*mixture, *optional, (d if axes else 0, d), (axes, d, d), (axes, d)]


def new_state(model: Model, n_components: int, n_features: int) -> State:
    """Allocate a state."""
    shapes = state_shapes(model, n_components, n_features)
    state = state_in(np.zeros(sum(map(math.prod, shapes))), shapes)
    if model.noise is not None:
        state.mixture.noise[1] = model.noise.log_density
    if model.tails is not None:
        state.mixture.degrees[...] = model.tails.degrees
    return state


def state_in(flat: Floats, shapes: Sequence[tuple[int, ...]]) -> State:
    """Return a state of views of one array."""
    views, begin = [], 0
    for shape in shapes:
        end = begin + math.prod(shape)
        views.append(flat[begin:end].reshape(shape))
        begin = end
    return State(flat, Mixture(*views[:N_OF_MIXTURE]), *views[N_OF_MIXTURE:])


def new_totals(
    means: NDArray[Any], scatter: tuple[int, ...], has_tails: bool = False, n_factors: int = 0
) -> Totals:
    """Allocate the sums of a pass, given means (K, d) and the shape of the second moments."""
    K, d = means.shape
    scores = (K, n_factors, d + 1) if n_factors else (0, 0, 0)
    return Totals(
        np.empty(1), np.empty(1), np.empty((K, d)), np.empty(K), np.empty((K, d)),
        np.empty(scatter), np.empty((2, K if has_tails else 0)), np.empty(scores),
    )  # fmt: skip


def new_work(model: Model, state: State) -> StepWork:
    """Allocate the scratch of an M step."""
    (K, d), axes = state.mixture.means.shape, len(state.own_axes)
    scratch = scratch_shape(model.n_factors, d) if model.n_factors else (d, d)
    return StepWork(
        np.ones(1, np.int64), np.empty(K), np.empty(model.scatter.shape(K, d)), np.empty(scratch),
        FamilyWork(
            state.axes, state.own_axes, np.empty((axes, d, d)), np.empty((1, d, d)),
            np.empty((axes, d)), state.variances,
        ),
    )  # fmt: skip


def step_rule_of(
    model: Model, weight: float, n_rows: int, totals: Totals, mixture: Mixture, work: StepWork
) -> StepRule:
    """Return the M step's rule for a family and rows of a total weight; compile its kernel."""
    if model.n_factors:
        constrain = 0
        given = model.family, float(model.reg_covar), totals, work.scatter, work.mass, mixture
        move_factors = address_of(move_loadings, None, *given, work.upper)
    else:
        move_factors = 0
        constrain = address_of(
            model.constrain, len(model.scatter.shape(1, 1)), model.family, True, work.scatter,
            work.mass, work.family, mixture.covariances,
        )  # fmt: skip
    prior, least_mass = times(model.prior, weight), EMPTY_MASS * weight / n_rows
    reg_covar, fixed = float(model.reg_covar), model.fixed
    if fixed is None:
        fixed = Fixed(False, mixture.weights[:0], mixture.means[:0], mixture.covariances[:0])
    own = reg_covar, least_mass, weight, *_rule_of_degrees(model, least_mass, totals, mixture)
    posterior, variational = Posterior(0, False, 1.0), model.variational
    rule = StepRule(model.family, constrain, *own, prior, fixed, posterior, move_factors)
    if variational is None:
        return rule
    kind, unit = (model.scatter is Scatter.DIAGONAL, model.is_whitened), variational.weight / weight
    posterior = Posterior(
        address_of(expect, kind, rule, mixture, work.upper[0]), variational.prior.is_process, unit
    )
    return rule._replace(posterior=posterior)


def _rule_of_degrees(
    model: Model, least_mass: float, totals: Totals, mixture: Mixture
) -> tuple[int, float, int]:
    """Return the part of a step's rule for degrees of freedom; compile its kernel."""
    if model.tails is None:
        return 0, math.inf, GIVEN
    degrees, estimate = model.tails
    kind, own = totals.scatter.ndim, (degrees, estimate, least_mass, totals, mixture.degrees)
    return address_of(move_degrees, kind, *own), degrees, estimate


def load_totals(statistics: SufficientStatistics, totals: Totals, unit: float = 1.0) -> None:
    """Write statistics to the M step's input, with row weights in the given unit."""
    totals.log_likelihood[0] = statistics.log_likelihood / unit
    totals.best[0] = (statistics.log_likelihood - statistics.doubt) / unit
    totals.reference[...] = statistics.reference
    np.divide(statistics.mass, unit, out=totals.mass)
    np.divide(statistics.first, unit, out=totals.first)
    np.divide(statistics.scatter, unit, out=totals.scatter)
    if totals.scores.size:
        assert statistics.scores is not None
        np.divide(statistics.scores, unit, out=totals.scores)
    if not totals.tails.size:
        return
    if statistics.tails is not None:
        np.divide(statistics.tails, unit, out=totals.tails)
    else:
        totals.tails[...] = totals.mass, np.full_like(totals.mass, np.nan)


def statistics_from(
    totals: Totals, weight: float, n_rows: int, unit: float = 1.0
) -> SufficientStatistics:
    """Return the statistics of a compiled pass, with row weights in the given unit."""
    log_likelihood = float(totals.log_likelihood[0])
    doubt = log_likelihood - float(totals.best[0]) if log_likelihood > -np.inf else 0.0
    statistics = SufficientStatistics(
        log_likelihood, doubt, weight / unit, n_rows, totals.reference, totals.mass,
        totals.first, totals.scatter, totals.tails if totals.tails.size else None,
        totals.scores if totals.scores.size else None,
    )  # fmt: skip
    return statistics if unit == 1 else statistics.times(unit)


def parameters_in(model: Model, mixture: Mixture) -> Parameters:
    """Return a mixture as parameters, in views of its arrays."""
    return Parameters(
        mixture.weights,
        mixture.means,
        model.structured(mixture.covariances, len(mixture.weights)),
        mixture.factors,
        mixture.log_dets,
        mixture.whitening[0] if model.is_whitened else None,
        None if model.noise is None else mixture.noise,
        None if model.tails is None else mixture.degrees,
        None if model.variational is None else mixture.posterior,
        mixture.loadings if model.n_factors else None,
        mixture.filters if model.n_factors else None,
    )


def parameters_from(model: Model, mixture: Mixture) -> Parameters:
    """Return a copy of a mixture as parameters."""
    own = vars(parameters_in(model, mixture)).values()
    copies: list[Any] = [None if array is None else array.copy() for array in own]
    return Parameters(*copies)


def load_mixture(model: Model, parameters: Parameters, mixture: Mixture, work: StepWork) -> bool:
    """Write a mixture to the loop's arrays; return whether its factors fit the family.

    Covariances outside the family may have other factors: then only the means can be used.
    """
    d = mixture.means.shape[1]
    mixture.weights[...], mixture.means[...] = parameters.weights, parameters.means
    if model.noise is not None and parameters.noise is not None:
        mixture.noise[...] = parameters.noise
    if model.tails is not None and parameters.degrees is not None:
        mixture.degrees[...] = parameters.degrees
    if model.variational is not None and parameters.posterior is not None:
        mixture.posterior[...] = parameters.posterior
    work.is_first[0] = 1
    if model.needs_axes:
        work.is_first[0] = 0
        work.family.own_axes[...], work.family.variances[...] = np.eye(d), 1.0
        pooled = np.tensordot(parameters.weights, parameters.covariances, axes=1)
        work.family.axes[...] = np.eye(len(pooled))
        diagonalize(pooled[None].copy(), work.family.axes)
    own = parameters.factors, parameters.whitening
    if own[0].shape != mixture.factors.shape or (own[1] is not None) != model.is_whitened:
        return False
    if model.n_factors:
        if parameters.loadings is None or parameters.loadings.shape != mixture.loadings.shape:
            return False
        mixture.loadings[...], mixture.filters[...] = parameters.loadings, parameters.filters
    work.is_first[0] = 0
    mixture.covariances[...] = model.unstructured(parameters.covariances, d)
    mixture.log_dets[...], mixture.factors[...] = parameters.log_dets, parameters.factors
    if parameters.whitening is not None:
        mixture.whitening[0] = parameters.whitening
    return True


def take_m_step(
    model: Model, statistics: SufficientStatistics, totals: Totals, mixture: Mixture, work: StepWork
) -> int:
    """M step; return FINE, SHARED or the failed component.

    Parameters
    ----------
    model : Model
        The covariance model.
    statistics : SufficientStatistics
        From an E pass or from memberships.
    totals : Totals
        Out: the statistics, as input of the kernel.
    mixture : Mixture
        In: the means of empty components. Out: the result.
    work : StepWork
        In: the initial state of the step. Scratch.
    """
    load_totals(statistics, totals)
    rule = step_rule_of(model, statistics.weight, statistics.n_rows, totals, mixture, work)
    return int(maximize(rule, totals, mixture, work))


def address_of_maximize(
    model: Model, rule: StepRule, totals: Totals, mixture: Mixture, work: StepWork
) -> int:
    """Compile the M step for a kind of family, and return its address."""
    kind = model.scatter is Scatter.DIAGONAL, model.is_whitened
    address: int = address_of(maximize, kind, rule, totals, mixture, work)
    return address
