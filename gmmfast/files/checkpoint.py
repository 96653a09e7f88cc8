"""Checkpoints: the state of a fit after an iteration, in a file, to resume it from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmfast.data.constraints import BAYESIAN, check_parameters, require_columns
from gmmfast.data.constraints import MIXTURE as CONSTRAINTS
from gmmfast.data.factors import model_name
from gmmfast.data.given import check_weights_init
from gmmfast.data.paths import require_apart, require_folder
from gmmfast.em.conjugate import conjugate_prior
from gmmfast.em.loop import Control, EMResult, Position, Status, run
from gmmfast.em.state import is_possible, memory_moved, reached_by_em, shapes_of_memory
from gmmfast.files import archive
from gmmfast.files.archive import (
    Arrays,
    Form,
    Found,
    Header,
    found_under,
    require,
    under,
)
from gmmfast.files.seen import Seen, less_likely
from gmmfast.kernels.degrees import GIVEN
from gmmfast.kernels.tiles import TILE
from gmmfast.models import Model, Noise, Tails, model_of
from gmmfast.models.variational import with_posterior
from gmmfast.parameters import Parameters, SufficientStatistics
from gmmfast.rows import Rows

MIXTURE, STEPS, ORDER = "mixture_", "steps_", "order_"  # begin the names of arrays
GUESSES = "guesses"
POSTERIOR = "weight_concentration_prior_type"  # a parameter that only fits of posteriors have
PRIOR = "mean_prior", "covariance_prior"  # whose values are arrays
SLACK = 0.02  # nats per feature: `reg_covar` and rounding lower a likelihood by less than this


# defaults of parameters that older files do not have
DEFAULTS: dict[str, Any] = {
    "covariance_ratio": None,
    "trim": 0.0,
    "prior": None,
    "noise_volume": None,
    "component": "gaussian",
    "degrees_of_freedom": "common",
}
# parameters that a fit must have to go on
SAME = (
    "n_components", "covariance_type", "covariance_ratio", "trim", "acceleration", "prior",
    "noise_volume", "component", "degrees_of_freedom", POSTERIOR, "weight_concentration_prior",
    "mean_precision_prior", "degrees_of_freedom_prior",
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """The state of a fit between two iterations, and facts about its rows."""

    settings: dict[str, Any]  # the estimator's parameters
    seen: Seen  # of the rows
    position: Position

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file at once or not at all; ValueError if `read` would refuse it."""
        position = self.position
        manifest = {
            "parameters": self.settings,
            **self.seen.manifest(),
            "lower_bounds": [float(bound) for bound in position.lower_bounds],
            "status": position.status.name,
        }
        arrays = self.seen.arrays()
        arrays |= under(MIXTURE, position.parameters.to_arrays()) | under(STEPS, position.memory)
        if position.arranged_by is not None:
            arrays |= under(ORDER, position.arranged_by.to_arrays())
        if position.guesses.size:
            arrays[GUESSES] = position.guesses.astype(np.float64)
        archive.write(path, FORM, manifest, arrays)

    def require_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise ValueError unless a fit with `settings` may go on from here."""
        before = DEFAULTS | self.settings
        for name in (*SAME, *PRIOR):
            if name in settings and not np.array_equal(settings[name], before[name]):
                raise ValueError(
                    f"The checkpoint is of a fit with {name}={before[name]!r}; got "
                    f"{settings[name]!r}. Set it back, or begin a new fit."
                )

    def go_on(self, rows: Rows, model: Model, control: Control) -> EMResult:
        """Finish the fit, with the same end as without the interruption.

        Raises
        ------
        ValueError
            If the rows are not the same.
        """
        if (model.noise is None) != (self.position.parameters.noise is None):
            which = "without" if model.noise else "with"
            raise ValueError(
                f"The checkpoint is of a fit {which} noise. Set noise= back, or begin a new fit."
            )
        position = self._position_about(rows, model)
        parameters, bounds = position.parameters, position.lower_bounds
        arranged = rows.arranged_for(position.arranged_by or parameters)
        reached = reached_by_em(model, parameters, position.memory)
        statistics = arranged.expectation(reached, model.scatter)
        self._require_objective(statistics, model.log_prior(reached))
        if position.status.is_end:
            return EMResult(
                parameters=parameters,
                lower_bounds=bounds,
                status=position.status,
                lower_bound=bounds[-1],
                statistics=statistics,
                stopped=False,
                degenerate=model.degenerate(parameters, statistics),
            )
        return run(arranged, parameters, model, control, position=position)

    def _require_objective(self, statistics: SufficientStatistics, log_prior: float) -> None:
        """Raise ValueError if the rows are less likely than the same rows can be after EM."""
        bound = statistics.log_likelihood / statistics.weight + log_prior
        before = self.position.lower_bound
        slack = SLACK * len(self.seen.center)
        is_more = bound > before + slack and self.position.status.is_end
        if bound < before - slack or is_more:
            raise less_likely(bound, before)

    def _position_about(self, rows: Rows, model: Model) -> Position:
        """The position relative to the center of the same rows, as they are read now."""
        parameters = self.position.parameters
        self.seen.require_same(rows, float(np.sqrt(parameters.variances().max())))
        shift = self.seen.center - rows.center
        memory = memory_moved(model, self.position.memory, parameters, shift)
        order = self.position.arranged_by
        return replace(
            self.position,
            parameters=parameters.moved(shift),
            memory=memory,
            arranged_by=None if order is None else order.moved(shift),
        )


def check_possible(path: str | os.PathLike[str], n_init: int, data: Path | None) -> None:
    """Raise before any row is read if a checkpoint would fail or overwrite `data`."""
    if n_init > 1:
        raise ValueError(
            f"A checkpoint is of one start; got n_init={n_init}. Set n_init=1, or fit several "
            "times and keep the best."
        )
    require_possible(path, data)


def require_possible(path: str | os.PathLike[str], data: Path | None) -> None:
    """Raise before any row is read if a file cannot be written, or would overwrite `data`."""
    require_apart({"X": data}, {"checkpoint": Path(path)})
    require_folder(path)


def keeper(
    path: str | os.PathLike[str], settings: dict[str, Any], names: list[str] | None, rows: Rows
) -> Callable[[Position], None]:
    """Return a function that writes a checkpoint of a position."""

    def keep(position: Position) -> None:
        Checkpoint(settings, Seen.of(rows, names), position).write(path)

    return keep


def read(path: str | os.PathLike[str], owner: str) -> Checkpoint:
    """Read what `Checkpoint.write` wrote, of an estimator of a name.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is damaged, not a checkpoint or one of another estimator.
    """
    point: Checkpoint = archive.read(path, FORM)
    own = _owner(point.settings)
    if owner != own:
        raise ValueError(f"{path}: the checkpoint is of a {own}. Use {own}.resume.")
    return point


def _owner(settings: Mapping[str, Any]) -> str:
    return "BayesianGaussianMixture" if POSTERIOR in settings else "GaussianMixture"


def _layout(manifest: dict[str, Any], found: Found) -> dict[str, Header]:
    """Arrays of a file: what follows from the settings, and from the columns of the means."""
    settings = manifest["parameters"]
    K, kind = settings["n_components"], settings["covariance_type"]
    is_posterior = POSTERIOR in settings
    constraints = BAYESIAN if is_posterior else CONSTRAINTS
    check_parameters(_owner(settings), settings, constraints)
    noise = Noise(0.0, 0.0) if f"{MIXTURE}noise" in found else None
    tails = Tails(1.0, GIVEN) if f"{MIXTURE}degrees" in found else None
    is_t = settings.get("component", "gaussian") == "t"
    require(is_t == (tails is not None), "its degrees of freedom do not go with its component")
    bounds = settings["reg_covar"], settings.get("covariance_ratio")
    model = model_of(model_name(kind, settings.get("n_factors", 1)), *bounds, noise, tails)
    if is_posterior:
        require(f"{MIXTURE}posterior" in found, "the rows of its components are missing")
    n_rows = manifest["n_rows"]
    require(type(n_rows) is int and n_rows > 0, "the number of rows is damaged")
    shape = found[f"{MIXTURE}means"].shape
    require(len(shape) == 2 and 0 not in shape, "the means are not a matrix")
    d = shape[1]
    require_columns([kind], d)
    if is_posterior:
        require(all(settings[name] is not None for name in PRIOR), "its prior is not in numbers")
        model = with_posterior(model, conjugate_prior(settings, d), np.zeros(d), 1.0)
    mixture = model.shapes(K, d)
    shapes: dict[str, tuple[int, ...]] = {"mean": (d,), "center": (d,)}
    shapes |= _named(MIXTURE, found, mixture, K, d)
    is_accelerated = settings["acceleration"] != "none" and model.can_leap
    has_before = settings["reg_covar"] == 0 and manifest["dtype"] == "float64" and not is_posterior
    steps = shapes_of_memory(model, K, d, is_accelerated, has_before)
    shapes |= {STEPS + name: shape for name, shape in steps.items()}
    if any(name.startswith(ORDER) for name in found):
        are_spheres = found[f"{ORDER}covariances"].shape == (K,)  # the order of an untried start
        order = mixture | {"covariances": (K,)} if are_spheres else mixture
        missing = [name for name in ("loadings", "filters") if f"{ORDER}{name}" not in found]
        order = {name: shape for name, shape in order.items() if name not in missing}
        own = _named(ORDER, found, order, K, d)
        is_round = own[f"{ORDER}factors"] == (K, d) and f"{ORDER}whitening" not in own
        require(is_round or not are_spheres, "the factors of its order are damaged")
        shapes |= own
    if GUESSES in found:
        shapes[GUESSES] = (-(-n_rows // TILE),)
    return {name: Header(shape, np.dtype(float)) for name, shape in shapes.items()}


def _named(
    prefix: str, found: Found, mixture: Mapping[str, tuple[int, ...]], K: int, d: int
) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of `Parameters`: with factors of either kind, whitened or not."""
    shapes = {prefix + name: shape for name, shape in mixture.items()}
    is_diagonal = found[f"{prefix}factors"].shape == (K, d)
    shapes[f"{prefix}factors"] = (K, d) if is_diagonal else (K, d, d)
    optional = {"whitening": (d, d), "noise": (2,), "degrees": (K,), "posterior": (K + 2,)}
    for name, shape in optional.items():
        if f"{prefix}{name}" in found:
            shapes[f"{prefix}{name}"] = shape
    return shapes


def _rebuild(manifest: dict[str, Any], arrays: Arrays) -> Checkpoint:
    for name, array in arrays.items():
        can_be_infinite = name.startswith(STEPS)  # before the first step
        sound = ~np.isnan(array) if can_be_infinite else np.isfinite(array)
        require(bool(sound.all()), f"{name} holds values that are not finite")
    lower_bounds = manifest["lower_bounds"]
    require(isinstance(lower_bounds, list) and lower_bounds != [], "there are no lower_bounds")
    require(all(type(bound) is float for bound in lower_bounds), "lower_bounds are not floats")
    require(manifest["status"] in Status.__members__, "the status is unknown")
    parameters = Parameters.from_arrays(found_under(MIXTURE, arrays))
    K, weights = len(parameters.weights), parameters.weights
    if parameters.noise is not None:
        weights = np.append(weights, parameters.noise[0])
    check_weights_init(weights, len(weights))
    if parameters.degrees is not None:
        require(bool((parameters.degrees > 0).all()), "the degrees of freedom are not positive")
    if parameters.posterior is not None:
        require(bool((parameters.posterior[:K] >= 0).all()), "the rows are negative")
    order, guesses = found_under(ORDER, arrays), arrays.get(GUESSES, np.zeros(0))
    require(bool(((guesses >= 0) & (guesses < K)).all()), "the guesses are no components")
    steps = found_under(STEPS, arrays)
    require(is_possible(steps), "the counts of its steps are damaged")
    position = Position(
        parameters,
        lower_bounds,
        Status[manifest["status"]],
        steps,
        guesses.astype(np.int64),
        Parameters.from_arrays(order) if order else None,
    )
    return Checkpoint(manifest["parameters"], Seen.in_file(manifest, arrays), position)


FORM = Form(
    program="gmmfast checkpoint",
    versions=(3,),
    source="Checkpoints are written by fit(checkpoint=) and gmmfast fit --checkpoint.",
    remedy="Rescale the columns, or fit without a checkpoint",
    layout=_layout,
    rebuild=_rebuild,
)
