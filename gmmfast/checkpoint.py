"""Where a fit stands after an iteration, in a file: enough to go on from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmfast import archive
from gmmfast.archive import Arrays, found_under, require, under
from gmmfast.em import Position, Status
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters

PROGRAM = "gmmfast checkpoint"
REMEDY = "Checkpoints are written by fit(checkpoint=) and gmmfast fit --checkpoint."
MIXTURE, STEPS = "mixture_", "steps_"  # begin the names of arrays


@dataclass(frozen=True)
class Checkpoint:
    """A fit on its way."""

    settings: dict[str, Any]  # the estimator's parameters
    names: list[str] | None  # of the columns
    centre: Floats  # (d,) of the rows
    dtype: np.dtype[Any]  # of the rows
    position: Position

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write all of it, at once or not at all."""
        position = self.position
        manifest = {
            "parameters": self.settings,
            "names": self.names,
            "dtype": self.dtype.name,
            "lower_bounds": [float(bound) for bound in position.lower_bounds],
            "status": position.status.name,
        }
        arrays = {"centre": self.centre}
        arrays |= under(MIXTURE, position.parameters.to_arrays()) | under(STEPS, position.memory)
        archive.write(path, PROGRAM, manifest, arrays)

    def require_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise ValueError unless a fit with `settings` may go on from here."""
        for name in ("n_components", "covariance_type", "acceleration"):
            if settings[name] != self.settings[name]:
                raise ValueError(
                    f"The checkpoint is of a fit with {name}={self.settings[name]!r}; got "
                    f"{settings[name]!r}. Set it back, or begin a new fit."
                )

    def position_about(self, centre: Floats, model: Model) -> Position:
        """Return the position relative to the centre of the same rows, as they are read now.

        Raises
        ------
        ValueError
            If it is too far from where it was for the same rows.
        """
        parameters = self.position.parameters
        spread = np.sqrt(model.matrices(parameters.covariances, *parameters.means.shape).max())
        if not np.allclose(centre, self.centre, rtol=1e-9, atol=1e-9 * spread):
            raise ValueError(
                f"The rows are not those of the checkpoint: their mean is {centre}, and was "
                f"{self.centre}. Fit the same rows, or start anew."
            )
        means = parameters.means + (self.centre - centre)
        return replace(self.position, parameters=replace(parameters, means=means))


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read what `Checkpoint.write` wrote.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is damaged or something else.
    """
    return archive.read(Path(path), PROGRAM, _rebuild, REMEDY)


def _rebuild(manifest: dict[str, Any], arrays: Arrays) -> Checkpoint:
    for name, array in arrays.items():
        require(array.dtype == np.float64 and not np.isnan(array).any(), f"{name} is damaged")
    lower_bounds = manifest["lower_bounds"]
    require(all(type(bound) is float for bound in lower_bounds), "lower_bounds are not floats")
    require(manifest["status"] in Status.__members__, "the status is unknown")
    require(manifest["dtype"] in ("float32", "float64"), "the type of the rows is unknown")
    parameters = Parameters.from_arrays(found_under(MIXTURE, arrays))
    K, d = parameters.means.shape
    require(arrays["centre"].shape == (d,) and parameters.weights.shape == (K,), "shapes differ")
    position = Position(
        parameters, lower_bounds, Status[manifest["status"]], found_under(STEPS, arrays)
    )
    return Checkpoint(
        settings=manifest["parameters"],
        names=manifest["names"],
        centre=arrays["centre"],
        dtype=np.dtype(manifest["dtype"]),
        position=position,
    )
