"""Mixtures of classes: one mixture per class, or one component per class with shared structure."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast import criteria
from gmmfast.data.constraints import FACTOR_MODELS, all_models, as_list, require_columns
from gmmfast.em.classes import Classes, ClassFit, classes_of, fit_classes
from gmmfast.errors import (
    CollapsedComponentWarning,
    IllDefinedCovarianceError,
    convergence_warning_class,
    warn,
)
from gmmfast.estimators.made import set_parameters
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.estimators.template import Template, copied, fitted
from gmmfast.models import Model, maker_of
from gmmfast.parameters import Floats
from gmmfast.rows import MemoryRows
from gmmfast.rows.dependence import Dependence

# parameters of a template that one component per class has no use for
UNUSED = (
    "noise", "component", "prior", "trim", "fixed", "covariance_ratio",
    "weights_init", "means_init", "precisions_init",
)  # fmt: skip


class LabeledRows(NamedTuple):
    """Rows of classes; none has weight zero."""

    X: NDArray[Any]  # (n, d)
    weights: Floats | None  # (n,)
    labels: NDArray[np.int64]  # (n,) from 0 to C - 1; -1 where the class is unknown
    classes: NDArray[Any]  # (C,) names of the classes

    @property
    def weight(self) -> float:
        """Sum of the row weights."""
        return float(len(self.X) if self.weights is None else self.weights.sum())

    def part(self, which: NDArray[np.bool_]) -> tuple[NDArray[Any], Floats]:
        """Return some rows and their weights."""
        weights = np.ones(int(which.sum())) if self.weights is None else self.weights[which]
        return self.X[which], weights

    def shares(self) -> Floats:
        """Return the share (C,) of each class in the rows of known class."""
        known = self.labels >= 0
        own = None if self.weights is None else self.weights[known]
        mass = np.bincount(self.labels[known], own, len(self.classes)).astype(np.float64)
        return np.asarray(mass / mass.sum())


class Discriminant(NamedTuple):
    """Densities of classes, and how well they describe the rows of the fit."""

    mixtures: list[GaussianMixture]  # one per class
    priors: Floats  # (C,)
    log_likelihood: float  # of all rows, in nats
    n_parameters: int

    def bic(self, weight: float) -> float:
        """Return BIC for rows of a total weight."""
        return criteria.bic(self.log_likelihood, self.n_parameters, weight)


def joint_log_densities(mixtures: list[GaussianMixture], priors: Floats, X: Any) -> Floats:
    """Return the log of prior times density (n, C) of each class, in nats."""
    with np.errstate(divide="ignore"):  # a class of prior zero is never predicted
        log_priors = np.log(priors)
    densities = [mixture.score_samples(X).astype(np.float64) for mixture in mixtures]
    return np.asarray(np.stack(densities, axis=1) + log_priors)


# -------------------------------------------------------------------- one component per class


def one_component_each(
    template: Template, rows: LabeledRows, priors: Floats | None
) -> Discriminant:
    """Fit one component per class, of the covariance model that BIC prefers.

    Raises
    ------
    ValueError
        If the template has parameters of no use here, or no model can be fitted.
    """
    n_classes, d = len(rows.classes), rows.X.shape[1]
    models = _models_of(template, d)
    packed = MemoryRows(rows.X, rows.weights, n_jobs=template.n_jobs, labels=rows.labels)
    data = classes_of(packed, rows.labels, n_classes)
    name, fit, found = _best_fit(models, data, template, priors, rows)
    if fit.collapsed.any():
        which = ", ".join(str(each) for each in rows.classes[fit.collapsed])
        warn(
            f"Classes without spread in some direction: {which}. Their densities are meaningless. "
            "Leave out columns that follow from others, take a model with common covariances, "
            f"such as 'EEE', or raise reg_covar (now {template.reg_covar:g}).",
            CollapsedComponentWarning,
        )
    if not fit.has_converged:
        _warn_of_end(template)
    model, means = models[name], fit.parameters.means + packed.center
    mixtures = []
    for k in range(n_classes):
        covariances = fit.parameters.covariances
        own = covariances if name == "tied" else covariances[k : k + 1]
        mixture = GaussianMixture(
            1, covariance_type=name, reg_covar=model.reg_covar, n_jobs=template.n_jobs
        )
        set_parameters(mixture, np.ones(1), means[k : k + 1], own, None, None)
        mixtures.append(mixture)
    return found._replace(mixtures=mixtures)


def _best_fit(
    models: dict[Any, Model],
    data: Classes,
    template: Template,
    priors: Floats | None,
    rows: LabeledRows,
) -> tuple[Any, ClassFit, Discriminant]:
    """Return the best model by BIC; models without a collapsed component come first."""
    fits, failure = [], None
    for name, model in models.items():
        try:
            fit = fit_classes(model, data, priors, template.tol, template.max_iter)
        except IllDefinedCovarianceError as error:
            failure = failure or error
            continue
        K, d = fit.parameters.means.shape
        # priors count where they are estimated together with classes, as in mclust
        is_estimated = data.unknown is not None and priors is None
        n_parameters = model.n_parameters(K, d) - (0 if is_estimated else K - 1)
        own = Discriminant([], fit.parameters.weights, fit.log_likelihood, int(n_parameters))
        fits.append((name, fit, own))
    if not fits:
        assert failure is not None
        remedy = Dependence.of(data.rows).remedy(None)
        raise failure.during_fit(template.reg_covar, False, remedy, False) from None
    return min(fits, key=lambda own: (own[1].collapsed.any(), own[2].bic(rows.weight)))


def _models_of(template: Template, n_features: int) -> dict[Any, Model]:
    """Return the models to try, by name."""
    defaults = inspect.signature(type(template)).parameters
    for name in UNUSED:
        value = getattr(template, name, None)
        if not _is_default(value, defaults[name].default if name in defaults else None):
            raise ValueError(
                "kind='edda' fits one normal component per class, without noise, prior, trimming, "
                f"fixed or first parameters, or a bound; got {name}={value!r}. Leave it out, or "
                "use kind='mclustda'."
            )
    if isinstance(template, GaussianMixtureIC):
        types = template.covariance_types
        names = all_models(n_features) if types == "all" else as_list(types)
    else:
        names = [template.covariance_type]
        if template.n_components != 1:
            raise ValueError(
                "kind='edda' has one component per class; got a mixture with "
                f"n_components={template.n_components}. Use GaussianMixture(1, covariance_type=...)"
                ", or kind='mclustda'."
            )
    require_columns(names, n_features)
    for name in names:
        if name in FACTOR_MODELS:
            raise ValueError(
                "kind='edda' takes its covariances from one M step, and factor analyzers need "
                f"several; got {name!r}. Use another covariance_type, or kind='mclustda'."
            )
    return {name: maker_of(name)(template.reg_covar) for name in names}


def _is_default(value: Any, default: Any) -> bool:
    return value is None or value is False or bool(np.ndim(value) == 0 and value == default)


# -------------------------------------------------------------------------- one mixture per class


def one_mixture_each(template: Template, rows: LabeledRows, priors: Floats | None) -> Discriminant:
    """Fit one mixture per class; EM over all rows follows where some classes are unknown."""
    mixtures = [_of_class(template, rows, number) for number in range(len(rows.classes))]
    own = rows.shares() if priors is None else priors
    n_parameters = sum(int(mixture._n_parameters()) for mixture in mixtures)
    is_unknown = rows.labels < 0
    if is_unknown.any():
        n_parameters += 0 if priors is not None else len(own) - 1
        found = _with_unknown(mixtures, own, template, rows, is_given=priors is not None)
        return found._replace(n_parameters=n_parameters)
    log_density = np.logaddexp.reduce(joint_log_densities(mixtures, own, rows.X), axis=1)
    weights = 1.0 if rows.weights is None else rows.weights
    return Discriminant(mixtures, own, float((weights * log_density).sum()), n_parameters)


def _of_class(template: Template, rows: LabeledRows, number: int) -> GaussianMixture:
    """Fit a copy of the template to the rows of one class."""
    X, weights = rows.part(rows.labels == number)
    name = str(rows.classes[number])
    if len(X) < 2:
        raise ValueError(
            f"A mixture per class needs at least two rows of each class; class {name!r} has one. "
            "Use kind='edda', whose classes can share their covariance, or leave the class out."
        )
    own = copied(template)
    assert own is not None
    own_weights = None if rows.weights is None else weights
    return fitted(own, X, own_weights, f"The {len(X)} rows of class {name!r}")


def _with_unknown(
    mixtures: list[GaussianMixture],
    priors: Floats,
    template: Template,
    rows: LabeledRows,
    is_given: bool,
) -> Discriminant:
    """EM over rows of known and of unknown class, from mixtures of the known ones.

    An E step over components of all classes is one over classes and one within each: a step of a
    class's mixture, in which rows of unknown class have the weight of their responsibility.
    """
    unknown, unknown_weights = rows.part(rows.labels < 0)
    parts = [rows.part(rows.labels == number) for number in range(len(mixtures))]
    together = [np.concatenate([X, unknown]) for X, _ in parts]
    for mixture in mixtures:
        mixture.set_params(warm_start=True)
    log_likelihood = -np.inf
    for iteration in range(template.max_iter + 1):
        joint = joint_log_densities(mixtures, priors, unknown)
        log_density, before = np.logaddexp.reduce(joint, axis=1), log_likelihood
        log_likelihood = float(unknown_weights @ log_density)
        for number, (mixture, (X, weights)) in enumerate(zip(mixtures, parts, strict=True)):
            own = joint_log_densities([mixture], priors[number : number + 1], X)
            log_likelihood += float(weights @ own[:, 0])
        # under a prior the likelihood may fall
        has_converged = abs(log_likelihood - before) < template.tol * rows.weight
        if has_converged or iteration == template.max_iter:
            break
        resp = unknown_weights[:, None] * np.exp(joint - log_density[:, None])
        for number, mixture in enumerate(mixtures):
            weights = np.concatenate([parts[number][1], resp[:, number]])
            mixture.fit(together[number], sample_weight=weights, callback=lambda *_: True)
        if not is_given:
            mass = np.array([weights.sum() for _, weights in parts]) + resp.sum(axis=0)
            priors = mass / mass.sum()
    for mixture in mixtures:
        mixture.set_params(warm_start=False)
    if not has_converged:
        _warn_of_end(template)
    return Discriminant(mixtures, priors, log_likelihood, 0)


def _warn_of_end(template: Template) -> None:
    """Warn that EM has reached the last iteration."""
    warn(
        f"EM over rows of unknown class did not converge in {template.max_iter} iterations. "
        "Increase max_iter or tol of the template.",
        convergence_warning_class(),
    )
