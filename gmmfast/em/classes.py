"""One component per class: parameters from rows of known classes, and EM where some are unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows import MemoryRows
from gmmfast.tails import LOG_TWO_PI


class Classes(NamedTuple):
    """Rows, of which some have a class."""

    rows: MemoryRows
    known: SufficientStatistics  # of the rows that have a class, with all second moments
    unknown: MemoryRows | None  # the other rows


class ClassFit(NamedTuple):
    """A mixture with one component per class."""

    parameters: Parameters  # relative to the rows' center; the weights are the class priors
    log_likelihood: float  # of all rows, in nats
    has_converged: bool
    collapsed: NDArray[np.bool_]  # (C,)


def classes_of(rows: MemoryRows, labels: NDArray[np.integer], n_classes: int) -> Classes:
    """Return rows with the moments of their classes.

    Parameters
    ----------
    rows : MemoryRows
        All rows, sorted by their classes; none of weight zero.
    labels : ndarray of shape (n,)
        From 0 to C - 1; -1 where the class is unknown.
    n_classes : int
        C.
    """
    moments = rows.partition(None, rows.means_of(labels, n_classes), Scatter.FULL)
    is_known = labels >= 0
    known = replace(moments, weight=float(moments.mass.sum()), n_rows=int(is_known.sum()))
    return Classes(rows, known, None if is_known.all() else rows.part(~is_known))


def fit_classes(
    model: Model, data: Classes, priors: Floats | None, tol: float, max_iter: int
) -> ClassFit:
    """Fit one component per class.

    Where all classes are known, this is one M step (Bensmail & Celeux 1996), and the likelihood is
    of the mixture. Otherwise it is EM: rows of known class keep it, and count with the joint
    density of row and class.

    Parameters
    ----------
    model : Model
        The covariance model.
    data : Classes
        The rows.
    priors : ndarray of shape (C,) or None
        Class priors; None estimates them.
    tol : float
        EM has converged once a step gains less, in nats per row.
    max_iter : int
        Steps of EM, at most.

    Raises
    ------
    IllDefinedCovarianceError
        If a covariance is not positive definite.
    """
    if data.unknown is not None:
        return _fit_partly_known(model, data, data.unknown, priors, tol, max_iter)
    statistics = narrowed(data.known, model.scatter)
    parameters = _with_priors(model.maximization(statistics), priors)
    found = data.rows.expectation(parameters, Scatter.DIAGONAL)
    return ClassFit(parameters, found.log_likelihood, True, _collapsed(model, parameters, data))


def _fit_partly_known(
    model: Model,
    data: Classes,
    unknown: MemoryRows,
    priors: Floats | None,
    tol: float,
    max_iter: int,
) -> ClassFit:
    known = narrowed(data.known, model.scatter)

    def step(found: SufficientStatistics, previous: Parameters | None = None) -> Parameters:
        total = known.about(found.reference) + found
        return _with_priors(model.maximization(total, previous), priors)

    # mclust's start, which also serves classes with fewer rows than columns
    parameters = step(narrowed(_in_equal_shares(unknown, len(known.mass)), model.scatter))
    log_likelihood, hints = -np.inf, unknown.hints()
    for iteration in range(max_iter + 1):
        found = unknown.expectation(parameters, model.scatter, hints)
        before = log_likelihood
        log_likelihood = found.log_likelihood + joint_log_likelihood(parameters, data.known)
        has_converged = log_likelihood - before < tol * data.rows.weight
        if has_converged or iteration == max_iter:
            break
        parameters = step(found, parameters)
    collapsed = _collapsed(model, parameters, data)
    return ClassFit(parameters, log_likelihood, has_converged, collapsed)


def _in_equal_shares(rows: MemoryRows, n_classes: int) -> SufficientStatistics:
    """Return the statistics of rows that are of all classes alike."""
    labels = np.zeros(rows.packed.labels.shape, np.int32)
    one = rows.partition(labels, (rows.mean - rows.center)[None], Scatter.FULL)
    tiled = (n_classes, 1)
    return replace(
        one,
        reference=np.tile(one.reference, tiled),
        mass=np.repeat(one.mass / n_classes, n_classes),
        first=np.tile(one.first / n_classes, tiled),
        scatter=np.tile(one.scatter / n_classes, (n_classes, 1, 1)),
    )


def _with_priors(parameters: Parameters, priors: Floats | None) -> Parameters:
    return parameters if priors is None else replace(parameters, weights=priors)


def _collapsed(model: Model, parameters: Parameters, data: Classes) -> NDArray[np.bool_]:
    """Return which components (C,) have collapsed, whatever the priors of their classes."""
    shares = data.known.mass / data.known.weight
    own = replace(parameters, weights=np.maximum(shares, parameters.weights))
    found = model.collapsed(own, data.rows.n_rows, data.rows.total(model.scatter))
    return np.array(np.broadcast_to(found, shares.shape))


def narrowed(statistics: SufficientStatistics, scatter: Scatter) -> SufficientStatistics:
    """Return statistics with the second moments that a model needs, from all of them."""
    moments = statistics.scatter
    if scatter is Scatter.DIAGONAL:
        return replace(statistics, scatter=np.einsum("kii->ki", moments).copy())
    if scatter is Scatter.POOLED:
        # one reference per component: the sum is of moments about different means
        return replace(statistics, scatter=moments.sum(axis=0, keepdims=True))
    return statistics


def joint_log_likelihood(parameters: Parameters, known: SufficientStatistics) -> float:
    """Log-likelihood of rows and their components, from moments alone.

    ``sum_k m_k (log w_k - log det(2 pi S_k) / 2) - trace(S_k^-1 T_k) / 2``, where ``m_k`` is the
    mass and ``T_k`` the scatter about the mean.
    """
    about, triangles = known.about(parameters.means), parameters.triangles()
    with np.errstate(divide="ignore"):
        constants = np.log(parameters.weights)
    d = parameters.means.shape[1]
    constants = constants - 0.5 * (parameters.log_dets + d * LOG_TWO_PI)
    squares = np.einsum("kij,kjl,kil->k", triangles, about.scatter, triangles, optimize=True)
    present = known.mass > 0
    return float((known.mass * constants)[present].sum() - 0.5 * squares.sum())
