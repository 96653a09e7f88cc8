"""What a search tries: numbers of components, models, and the patience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from gmmfast.data.constraints import (
    BOUNDABLE,
    MOST,
    CovarianceType,
    all_models,
    as_list,
    require_boundable,
    require_columns,
)
from gmmfast.data.factors import models_of, require_possible

PATIENCE = 3  # of a search without a largest number of components
LIKELY = 32  # components, which such a search hardly goes beyond


class Scope(NamedTuple):
    """The candidates of a search, and when it ends before the last of them."""

    counts: Sequence[int]  # numbers of components, rising
    models: list[CovarianceType]  # each once
    patience: int | None

    @classmethod
    def of(cls, settings: Mapping[str, Any], n_features: int) -> Self:
        """Return the scope that the parameters of `GaussianMixtureIC` mean for d columns."""
        models = as_list(settings["covariance_types"])
        if models == ["all"]:
            models = all_models(n_features)
            if settings["covariance_ratio"] is not None:
                models = [name for name in models if name in BOUNDABLE]
        require_boundable(models, settings["covariance_ratio"])
        require_columns(models, n_features)
        require_possible(settings, models, n_features)
        models, patience = models_of(models, settings["n_factors"]), settings["patience"]
        if isinstance(settings["n_components"], str):
            return cls(range(1, MOST), models, patience or PATIENCE)
        return cls(sorted({int(k) for k in as_list(settings["n_components"])}), models, patience)

    @property
    def n_candidates(self) -> int | None:
        """Number of candidates; None if the patience decides."""
        return len(self.counts) * len(self.models) if self.patience is None else None

    @property
    def likely_most(self) -> int:
        """Number of components that the search hardly goes beyond."""
        last = self.counts[-1]
        return last if self.patience is None else min(last, LIKELY)

    def begins_with(self, counts: Sequence[int]) -> bool:
        """Whether these are the first numbers of components."""
        if self.counts == counts:
            return True
        return len(counts) <= len(self.counts) and list(self.counts[: len(counts)]) == list(counts)

    def is_as_patient_as(self, patience: int | None) -> bool:
        """Whether this search ends no sooner than one of that patience."""
        return self.patience is None or (patience is not None and patience <= self.patience)
