"""Checkpoints of searches: the outcomes of candidates, in a file, to go on from."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gmmfast.data.constraints import SEARCH, as_list, check_parameters, is_int
from gmmfast.data.validation import Random
from gmmfast.em.starts import SMALLEST_SAMPLE
from gmmfast.files import archive
from gmmfast.files.archive import Arrays, Form, Found, Header, plain, require
from gmmfast.files.checkpoint import require_possible
from gmmfast.files.entries import (
    Extra,
    arrays_of,
    checked_entries,
    entries_of,
    layout_of,
    outcomes_of,
)
from gmmfast.files.generators import generator_of, state_of
from gmmfast.files.seen import MismatchError, Seen, less_likely, other_rows
from gmmfast.models import Model, maker_of
from gmmfast.parameters import Floats
from gmmfast.rows import Rows
from gmmfast.search.candidates import CandidateFit
from gmmfast.search.scope import Scope
from gmmfast.search.store import Outcomes

FIXED = (
    "criterion",
    "tol",
    "reg_covar",
    "covariance_ratio",
    "noise",
    "noise_volume",
    "component",
    "degrees_of_freedom",
    "max_iter",
    "acceleration",
    "exhaustive",
    "missing_values",
    "prior",
    "random_state",
)
ROUNDING = 1e-4  # nats per row and feature: another order of sums changes a likelihood by less
ANY_FOLDS = 5  # of a search by another criterion
SET_BACK = "Set it back, or begin a new search."


@dataclass(frozen=True)
class SearchCheckpoint:
    """The outcomes of candidates so far, and facts about the search and its rows."""

    settings: dict[str, Any]  # the estimator's parameters
    seen: Seen  # of the rows
    state: dict[str, Any]  # of the random generator at the beginning
    outcomes: Outcomes

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file at once or not at all; ValueError if `read` would refuse it."""
        manifest = {
            "parameters": self.settings,
            **self.seen.manifest(),
            "state": self.state,
            "outcomes": [[*entry] for entry in entries_of(self.outcomes)],
        }
        arrays = self.seen.arrays() | arrays_of(self.outcomes, len(self.seen.center))
        archive.write(path, FORM, manifest, arrays)

    def latest(self) -> list[CandidateFit]:
        """Return the last outcome of each candidate, in the order in which a search tries them."""
        models = Scope.of(self.settings, len(self.seen.center)).models
        keys = sorted(self.outcomes, key=lambda key: (key[0] < 0, abs(key[0])))
        last = {candidate: self.outcomes[number, candidate] for number, candidate in keys}
        order = sorted(last, key=lambda own: (own.n_components, models.index(own.covariance_type)))
        return [last[candidate] for candidate in order]

    def generator(self) -> Random:
        """Return the random generator of the search, as it was at the beginning."""
        return generator_of(self.state)

    def outcomes_for(self, settings: Mapping[str, Any], rows: Rows) -> Outcomes:
        """Return the outcomes that a search of these rows with these parameters goes on from.

        If it has other candidates or ends elsewhere, leaders are fitted again anew. So is what
        began on samples: the best candidate decides how far, and the patience from which starts.

        Raises
        ------
        ValueError
            If the search would not be the same, or the rows are not.
        """
        d = len(self.seen.center)
        if rows.n_features != d:
            raise other_rows(f"they have {rows.n_features} columns, and had {d}")
        before, now = (Scope.of(own, rows.n_features) for own in (self.settings, settings))
        self._require_settings(settings, before, now)
        shift = self._shift_to(rows)
        most = math.inf  # number of an outcome that depends on its candidate alone
        if rows.n_rows > SMALLEST_SAMPLE:
            most = -1 if (now.patience is None) != (before.patience is None) else 0
        return {
            (number, candidate): fit.moved(shift)
            for (number, candidate), fit in self.outcomes.items()
            if 0 <= number <= most or now == before
        }

    def _require_settings(self, settings: Mapping[str, Any], before: Scope, now: Scope) -> None:
        """Raise ValueError unless a search with `settings` would come by the same outcomes."""
        has_folds = self.settings["criterion"] == "cv"  # drawn after the starts of all counts
        for name in (*FIXED, *(["cv"] if has_folds else [])):
            if plain(settings[name]) != plain(self.settings[name]):
                raise _other(name, self.settings[name], settings[name])
        if now.models != before.models:
            raise _other("covariance_types", before.models, now.models)
        is_at_once = now.patience is None or before.patience is None
        if has_folds and is_at_once and now.patience != before.patience:
            raise _other("patience", before.patience, now.patience)
        if not now.is_as_patient_as(before.patience):
            remedy = "Set it back or higher, or begin a new search."
            raise _other("patience", before.patience, now.patience, remedy)
        can_grow = not (has_folds and is_at_once)
        if now.counts != before.counts and not (can_grow and now.begins_with(before.counts)):
            remedy = "Set it back, add larger numbers only, or begin a new search."
            shown = self.settings["n_components"], kept(settings)["n_components"]
            raise _other("n_components", *shown, remedy if can_grow else SET_BACK)

    def _shift_to(self, rows: Rows) -> Floats:
        """Return the way from the center of these rows, if they are the same, to the old one."""
        d, shift = rows.n_features, self.seen.center - rows.center
        fits = [fit for fit in self.outcomes.values() if fit.result is not None]
        if not fits:
            self.seen.require_same(rows, 0.0)
            return shift
        fit = max(fits, key=lambda fit: _model_of(fit).n_parameters(fit.candidate.n_components, d))
        model, mixture = _model_of(fit), fit.moved(shift).mixture
        self.seen.require_same(rows, float(np.sqrt(mixture.variances().max())))
        found = rows.expectation(mixture, model.scatter).log_likelihood
        bounds = found / rows.weight, fit.log_likelihood / rows.weight
        if not math.isclose(*bounds, rel_tol=0, abs_tol=ROUNDING * d):
            raise less_likely(*bounds)
        return shift


def _model_of(fit: CandidateFit) -> Model:
    return maker_of(fit.candidate.covariance_type)()


def _other(name: str, before: Any, now: Any, remedy: str = SET_BACK) -> MismatchError:
    return MismatchError(f"a search with {name}={before!r}; got {now!r}", remedy)


def kept(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a search as a manifest can hold them: no random generators."""
    values = {name: plain(settings[name]) for name in SEARCH}
    for name in ("n_components", "covariance_types"):
        if not isinstance(values[name], str):
            values[name] = [plain(value) for value in as_list(values[name])]
    if not isinstance(values["random_state"], int):
        values["random_state"] = None
    if not is_int(values["cv"]):
        values["cv"] = ANY_FOLDS
    return values


def check_possible(
    path: str | os.PathLike[str], settings: Mapping[str, Any], data: Path | None
) -> None:
    """Raise before any row is read if a checkpoint would fail or overwrite `data`."""
    if settings["criterion"] == "cv" and not is_int(settings["cv"]):
        raise ValueError(
            f"A checkpoint needs a number of folds; got cv={settings['cv']!r}. Set cv to an int, "
            "or search without a checkpoint."
        )
    if not (settings["noise"] is None or np.isscalar(settings["noise"])):
        raise ValueError(
            "A checkpoint of a search cannot hold labels; got noise=labels. Give noise=True or a "
            "share, or search without a checkpoint."
        )
    require_possible(path, data)


def require_no_other(path: str | os.PathLike[str], settings: Mapping[str, Any], rows: Rows) -> None:
    """Raise before a search of these rows would overwrite a file that it could not go on from.

    Raises
    ------
    ValueError
        If there is a file, and it is not a checkpoint of this search.
    """
    if not Path(path).exists():
        return
    try:
        read(path).outcomes_for(kept(settings), rows)
    except MismatchError as error:
        reason = f"{path} is the checkpoint of {error.args[0]}"
    except ValueError as error:
        reason = str(error)
    else:
        return
    raise ValueError(f"{reason.rstrip('.')}. Remove the file, or write to another one.")


def keeper(
    path: str | os.PathLike[str], settings: Mapping[str, Any], seen: Seen, random: Random
) -> Callable[[Outcomes], None]:
    """Return a function that writes a checkpoint of outcomes; `random` has not been used yet."""
    facts = kept(settings), seen, state_of(random)
    return lambda outcomes: SearchCheckpoint(*facts, outcomes).write(path)


def read(path: str | os.PathLike[str]) -> SearchCheckpoint:
    """Read what `SearchCheckpoint.write` wrote.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is damaged or not a checkpoint of a search.
    """
    return archive.read(path, FORM)


def _layout(manifest: dict[str, Any], found: Found) -> dict[str, Header]:
    """Arrays of a file: what follows from its outcomes, and from the number of columns."""
    shape = found["mean"].shape
    require(len(shape) == 1 and shape[0] > 0, "the mean is not a vector")
    seen = {name: Header(shape, np.dtype(float)) for name in ("mean", "center")}
    extra = Extra.of_settings(manifest["parameters"])
    return seen | layout_of(checked_entries(manifest), shape[0], extra)


def _rebuild(manifest: dict[str, Any], arrays: Arrays) -> SearchCheckpoint:
    settings, state = manifest["parameters"], manifest["state"]
    require(settings.keys() == SEARCH.keys(), "its parameters are incomplete")
    check_parameters("GaussianMixtureIC", settings, SEARCH)
    for name in ("mean", "center"):
        sound = bool(np.isfinite(arrays[name]).all())
        require(sound, f"{name} holds values that are not finite")
    generator_of(state)
    seen = Seen.in_file(manifest, arrays)
    scope, entries = Scope.of(settings, len(seen.center)), checked_entries(manifest)
    are_tried = all(
        e.n_components in scope.counts and e.covariance_type in scope.models for e in entries
    )
    require(are_tried, "an outcome is of a candidate that the search does not try")
    outcomes = outcomes_of(entries, arrays, len(seen.center), Extra.of_settings(settings))
    return SearchCheckpoint(settings, seen, state, outcomes)


FORM = Form(
    program="gmmfast search checkpoint",
    versions=(2,),
    source="Checkpoints of searches are written by GaussianMixtureIC.fit(checkpoint=) and gmmfast "
    "select --checkpoint.",
    remedy="Rescale the columns, or search without a checkpoint",
    layout=_layout,
    rebuild=_rebuild,
)
