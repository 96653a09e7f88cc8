"""The fit of a mixture: its input checked, EM run from several starts, its attributes set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast import em
from gmmfast.data.constraints import (
    Acceleration,
    Memberships,
    Start,
    check_constructor,
    require_columns,
)
from gmmfast.data.factors import require_possible
from gmmfast.data.validation import check_features, check_random_state
from gmmfast.em.ahead import helped_fits
from gmmfast.em.observers import Callback, Progress, Scaled, Verbose
from gmmfast.em.starts import Given, may_move, start
from gmmfast.errors import (
    CollapsedComponentWarning,
    IllDefinedCovarianceError,
    collapsed_components,
    convergence_warning_class,
    warn,
)
from gmmfast.estimators.fitted import FittedMixture
from gmmfast.files import checkpoint as checkpoints
from gmmfast.files.archive import kept_parameters
from gmmfast.files.attributes import COVARIANCES, LOADINGS, QUANTILES, TRIMMED
from gmmfast.files.checkpoint import Checkpoint
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import Origin, Rows, trimmed
from gmmfast.rows.dependence import IN_GENERAL, Dependence
from gmmfast.rows.opening import require_values
from gmmfast.rows.sources import Source, path_of


class FittingMixture(FittedMixture):
    """What the fits of all mixtures share; a mixture says what its model and its start are."""

    n_components: int
    tol: float
    max_iter: int
    n_init: int
    init_params: Start | Memberships | Callable[..., ArrayLike]
    warm_start: bool
    verbose: int
    verbose_interval: int
    acceleration: Acceleration
    n_iter_: int
    converged_: bool
    stop_reason_: str
    lower_bound_: float
    lower_bounds_: list[float]
    n_samples_seen_: float
    degenerate_: NDArray[np.bool_]
    _resumed: Checkpoint | None = None  # from which the next fit continues
    _is_beside = False  # whether a known mixture has set the features, before any fit
    _learned_type: str | None = None  # covariance_type of the attributes, where it is known
    _bound = em.BOUND  # what fits raise, for sentences

    def _model_for(self, rows: Rows) -> Model:
        """Return the model of a fit to rows."""
        raise NotImplementedError

    def _given(self, model: Model, rows: Rows) -> Given:
        """Return the parts of the start that the constructor gives."""
        return Given()

    def _settings(self, model: Model, n_features: int) -> dict[str, Any]:
        """Return the parameters that a checkpoint keeps."""
        return kept_parameters(self)

    def _unit_of_bounds(self, rows: Rows | Origin) -> float:
        """Return the weight of the rows that lower bounds and `tol` are of: one row."""
        return 1.0

    def _check_constructor(self) -> None:
        check_constructor(self)

    def _fit(
        self,
        X: ArrayLike | Source,
        sample_weight: ArrayLike | None,
        callback: Callable[[int, float], Any] | None,
        progress: bool,
        checkpoint: str | os.PathLike[str] | None,
    ) -> Self:
        """Estimate the parameters; arguments as of `GaussianMixture.fit`."""
        self._check_constructor()
        if checkpoint is not None:
            checkpoints.check_possible(checkpoint, self._n_starts(), path_of(X))
        rows, names = self._read(X, sample_weight)
        require_values(rows, names)
        rows = trimmed(rows, self.trim)
        warm = self.warm_start and hasattr(self, "converged_")
        goes_on = self._resumed is not None or warm
        if warm and self._resumed is None:
            self._require_same_model()
        check_features(self, names, rows.n_features, reset=not (goes_on or self._is_beside))
        self._require_size(rows)
        model, keep = self._model_for(rows), None
        if checkpoint is not None:
            settings = self._settings(model, rows.n_features)
            keep = checkpoints.keeper(checkpoint, settings, names, rows)
        control = self._control(self._unit_of_bounds(rows), callback, progress, keep)
        kind = [self._model_name()], control.is_accelerated, model.tails is not None
        helper = helped_fits(self.n_jobs, rows, self.n_components, *kind)
        with self._explained(rows, names), helper:
            result = self._run(rows, model, control)
        self._set_result(result, model, rows)
        self._calibrate(rows)
        self._warn(result)
        return self

    def _control(
        self,
        unit: float,
        callback: Callable[[int, float], Any] | None = None,
        progress: bool = False,
        keep: Callable[[em.Position], None] | None = None,
    ) -> em.Control:
        """Return the stopping criteria and observers of a fit; EM's bounds are per row."""
        observers: list[em.Observer] = []
        if self.verbose:
            observers.append(Verbose(self.verbose, self.verbose_interval))
        if progress:
            observers.append(Progress(self.max_iter))
        if callback is not None:
            observers.append(Callback(callback))
        if unit != 1:
            observers = [Scaled(own, unit) for own in observers]
        return em.Control(self.tol / unit, self.max_iter, self.acceleration, observers, keep)

    @contextmanager
    def _explained(self, rows: Rows, names: list[str] | None) -> Iterator[None]:
        """Add a remedy to the error of a covariance that is not positive definite."""
        try:
            yield
        except IllDefinedCovarianceError as error:
            is_single = self.n_components == 1
            remedy = Dependence.of(rows).remedy(names) or (IN_GENERAL if is_single else "")
            is_float32 = rows.dtype == np.float32
            raise error.during_fit(self.reg_covar, is_float32, remedy, is_single) from None

    def _require_size(self, rows: Rows) -> None:
        """Raise ValueError for fewer rows than components, or several columns where one is due."""
        require_columns([self.covariance_type], rows.n_features)
        require_possible(vars(self), [self.covariance_type], rows.n_features)
        if rows.n_rows < self.n_components:
            which = " of positive weight" if rows.is_weighted else ""
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {rows.n_rows}{which}. Lower n_components."
            )

    def _require_same_model(self) -> None:
        """Raise ValueError unless K and the covariance type match the last fit."""
        learned = len(self._attributes()[0]), self._learned_type or self.covariance_type
        wanted = self.n_components, self.covariance_type
        if learned != wanted:
            K, kind = learned
            raise ValueError(
                f"n_components={wanted[0]} and covariance_type={wanted[1]!r}, but the fitted "
                f"mixture has {K} components of covariance_type={kind!r}. Set them back, or start "
                "with a new mixture."
            )
        n_factors = self._model().n_factors
        if n_factors and self.loadings_.shape[2] != n_factors:
            raise ValueError(
                f"n_factors={n_factors}, but the fitted mixture has {self.loadings_.shape[2]} "
                "factors. Set it back, or start with a new mixture."
            )

    def _run(self, rows: Rows, model: Model, control: em.Control) -> em.EMResult:
        if self._resumed is not None:
            self._resumed.require_settings(self.get_params(deep=False))
            return self._resumed.go_on(rows, model, control)
        if self.warm_start and hasattr(self, "converged_"):
            parameters = model.adapted(self._parameters(rows.center))
            arranged = rows.arranged_for(parameters)
            before = self.lower_bound_ / self._unit_of_bounds(rows)
            return em.run(arranged, parameters, model, control, before)
        rng = check_random_state(self.random_state)
        given = self._given(model, rows)
        K, init_params = self.n_components, self.init_params
        make = partial(start, rows, model, K, init_params, rng, given)
        has_moves = may_move(rows, model, K, init_params, given)
        return em.best_of(self._n_starts(), make, model, control, has_moves)

    def _n_starts(self) -> int:
        """Number of starts; labels or responsibilities are one, however often they are tried."""
        is_drawn = isinstance(self.init_params, str) or callable(self.init_params)
        return self.n_init if is_drawn else 1

    def _set_result(self, result: em.EMResult, model: Model, rows: Rows | Origin) -> None:
        parameters = result.parameters
        means = parameters.means + rows.center
        self._set_parameters(parameters, model, means, rows.dtype, result.degenerate)
        self._set_progress(result, self._unit_of_bounds(rows))
        self.n_samples_seen_ = rows.weight
        for name in ("_stream", "_resumed", TRIMMED, QUANTILES):
            self.__dict__.pop(name, None)

    def _set_progress(self, result: em.EMResult | em.Position, unit: float = 1.0) -> None:
        self.converged_ = result.status.is_end
        self.stop_reason_ = result.status.sentence(self._bound)
        self.n_iter_ = len(result.lower_bounds)
        self.lower_bound_ = result.lower_bound * unit
        self.lower_bounds_ = [bound * unit for bound in result.lower_bounds]

    def _set_parameters(
        self,
        parameters: Parameters,
        model: Model,
        means: Floats,
        dtype: np.dtype[Any],
        degenerate: NDArray[np.bool_] | None = None,
    ) -> None:
        dtype = replace(parameters, means=means).dtype_to_keep(dtype)
        self._learned_type = self.covariance_type
        self.weights_ = parameters.weights.astype(dtype)
        self.means_ = means.astype(dtype)
        for name in (*COVARIANCES, *LOADINGS):
            self.__dict__.pop(name, None)  # of an earlier fit of another structure
        for name, values in model.attributes(parameters).items():
            setattr(self, name, values.astype(dtype))
        if degenerate is None:
            degenerate = model.degenerate(parameters, None)
        self.degenerate_ = degenerate

    def _warn(self, result: em.EMResult) -> None:
        if result.status is em.Status.MAX_ITER:
            warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data. "
                f"(max_iter={self.max_iter}, tol={self.tol})",
                convergence_warning_class(),
            )
        if result.statistics is None or not result.degenerate.any():
            return
        if not self._model().are_flat(result.parameters, result.statistics):
            text = collapsed_components(result.degenerate, self.reg_covar)
            warn(text, CollapsedComponentWarning)
