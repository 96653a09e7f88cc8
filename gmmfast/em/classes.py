"""One component per class: one M step, or EM where the classes of some rows are unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.loop import Control, run
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows import MemoryRows
from gmmfast.rows.labeled import PartlyLabeledRows, narrowed


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
    if priors is not None:
        model = _with_priors(model, priors, data.rows.n_features)
    if data.unknown is not None:
        return _fit_partly_known(model, data, data.unknown, Control(tol, max_iter))
    parameters = model.maximization(narrowed(data.known, model.scatter))
    found = data.rows.expectation(parameters, Scatter.DIAGONAL)
    return ClassFit(parameters, found.log_likelihood, True, _collapsed(model, parameters, data))


def _fit_partly_known(
    model: Model, data: Classes, unknown: MemoryRows, control: Control
) -> ClassFit:
    # mclust's start, which also serves classes with fewer rows than columns
    shared = _in_equal_shares(unknown, len(data.known.mass))
    begin = data.known.about(shared.reference) + shared
    rows = PartlyLabeledRows(data.known, unknown)
    result = run(rows, model.maximization(narrowed(begin, model.scatter)), model, control)
    parameters = result.parameters
    log_likelihood = rows.expectation(parameters, model.scatter).log_likelihood
    collapsed = _collapsed(model, parameters, data)
    return ClassFit(parameters, log_likelihood, result.status.is_end, collapsed)


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


def _with_priors(model: Model, priors: Floats, d: int) -> Model:
    """Return a model whose M steps keep the weights."""
    return model.with_fixed(priors, np.full((len(priors), d), np.nan), None)


def _collapsed(model: Model, parameters: Parameters, data: Classes) -> NDArray[np.bool_]:
    """Return which components (C,) have collapsed, whatever the priors of their classes."""
    shares = data.known.mass / data.known.weight
    own = replace(parameters, weights=np.maximum(shares, parameters.weights))
    found = model.collapsed(own, data.rows.n_rows, data.rows.total(model.scatter))
    return np.array(np.broadcast_to(found, shares.shape))
