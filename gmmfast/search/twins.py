"""Models that are one and the same where there is one component: fitted once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from gmmfast.data.constraints import SKLEARN_TYPES, CovarianceType
from gmmfast.data.factors import type_and_factors
from gmmfast.models import Model, maker_of
from gmmfast.search.candidates import Candidate, CandidateFit


def twins_of(
    covariance_types: Sequence[CovarianceType], n_features: int
) -> dict[CovarianceType, list[CovarianceType]]:
    """Return the models to fit with one component, and which others each stands for."""
    firsts: dict[Hashable, CovarianceType] = {}
    found: dict[CovarianceType, list[CovarianceType]] = {}
    for name in covariance_types:
        count = maker_of(name)().n_parameters(1, n_features)
        first = firsts.setdefault(model_of(Candidate(1, name), count), name)
        found.setdefault(first, [])
        if name != first:
            found[first].append(name)
    return found


def model_of(candidate: Candidate, n_parameters: int) -> Hashable:
    """Return an object that is equal for candidates that are one and the same model.

    Without other components to differ from, models differ by their free parameters alone.
    scikit-learn's names store covariances in other shapes, and factor analyzers have loadings, so
    they stand for themselves.
    """
    (K, name), (_, n_factors) = candidate, type_and_factors(candidate.covariance_type)
    is_alone = K > 1 or name in SKLEARN_TYPES or n_factors > 0
    return candidate if is_alone else n_parameters


def as_twin(fit: CandidateFit, covariance_type: CovarianceType, model: Model) -> CandidateFit:
    """Return the fit of one component as that of another model."""
    candidate = Candidate(fit.candidate.n_components, covariance_type)
    if fit.result is None:
        return replace(fit, candidate=candidate, seconds=0.0)
    own = fit.mixture
    mixture = model.of_covariances(own.weights, own.means, own.covariances)
    mixture = replace(mixture, noise=own.noise, degrees=own.degrees)
    result = replace(fit.result, parameters=mixture)
    return replace(fit, candidate=candidate, seconds=0.0, result=result)
