"""Checkpoints of searches: the outcomes of candidates, in a file, to go on from."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gmmfast.data.constraints import COVARIANCE_TYPES, SEARCH, as_list, check_parameters, is_int
from gmmfast.data.validation import Random
from gmmfast.em.loop import EMResult, Status
from gmmfast.files import archive
from gmmfast.files.archive import Arrays, Form, Found, Header, plain, require
from gmmfast.files.checkpoint import require_possible
from gmmfast.files.seen import MismatchError, Seen, less_likely, other_rows
from gmmfast.models import MODELS, Model
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import Rows
from gmmfast.search.candidates import Candidate, CandidateFit
from gmmfast.search.scope import Scope
from gmmfast.search.store import Outcomes

FIXED = (
    "criterion",
    "tol",
    "reg_covar",
    "max_iter",
    "acceleration",
    "exhaustive",
    "random_state",
)
NUMBERS = ("seconds", "log_likelihood", "bic", "aic", "aicc", "icl", "nec", "cv")
ROUNDING = 1e-4  # nats per row and feature: another order of sums changes a likelihood by less
ANY_FOLDS = 5  # of a search by another criterion
SOURCES = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # NumPy's
SET_BACK = "Set it back, or begin a new search."


class Entry(NamedTuple):
    """What the manifest says of an outcome."""

    number: int  # as the keys of `Outcomes`
    n_components: int
    covariance_type: str
    failure: str  # empty if there is a mixture, which the other values describe
    status: str
    stopped: bool
    n_iter: int
    has_diagonals: bool  # whether the factors are diagonals
    has_whitening: bool
    finished: bool

    @classmethod
    def of(cls, number: int, fit: CandidateFit) -> Entry:
        """Describe an outcome."""
        K, name = fit.candidate
        result, begin = fit.result, (number, int(K), str(name), fit.failure)
        if result is None:
            return cls(*begin, Status.FAILED.name, False, 0, False, False, fit.finished)
        end = result.status.name, result.stopped, len(result.lower_bounds)
        shape = result.parameters.factors.ndim == 2, result.parameters.whitening is not None
        return cls(*begin, *end, *shape, fit.finished)

    @classmethod
    def checked(cls, values: Any) -> Entry:
        """Return what a file holds, if it can be."""
        kinds = int, int, str, str, str, bool, int, bool, bool, bool
        are_right = isinstance(values, list) and [type(value) for value in values] == [*kinds]
        require(are_right, "an outcome is incomplete")
        entry = cls(*values)
        known = entry.covariance_type in COVARIANCE_TYPES and entry.status in Status.__members__
        least = min(entry.n_iter, entry.n_components - 1)
        require(known and least >= 0, "an outcome is of no candidate")
        return entry

    def shapes(self, d: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays of its `Parameters`, if it has any."""
        if self.failure:
            return {}
        K, model = self.n_components, MODELS[self.covariance_type]()
        shapes: dict[str, tuple[int, ...]] = {
            "weights": (K,),
            "means": (K, d),
            "covariances": model.covariance_shape(K, d),
            "factors": (K, d) if self.has_diagonals else (K, d, d),
            "log_dets": (K,),
        }
        return shapes | ({"whitening": (d, d)} if self.has_whitening else {})

    def size(self, d: int) -> int:
        """Return the number of values of its parameters."""
        return sum(math.prod(shape) for shape in self.shapes(d).values())


@dataclass(frozen=True)
class SearchCheckpoint:
    """The outcomes of candidates so far, and facts about the search and its rows."""

    settings: dict[str, Any]  # the estimator's parameters
    seen: Seen  # of the rows
    state: dict[str, Any]  # of the random generator at the beginning
    outcomes: Outcomes

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file at once or not at all; ValueError if `read` would refuse it."""
        fits = list(self.outcomes.values())
        entries = [Entry.of(number, fit) for (number, _), fit in self.outcomes.items()]
        results = [fit.result for fit in fits if fit.result is not None]
        mixtures = [result.parameters.to_arrays() for result in results]
        d = len(self.seen.center)
        ordered = (
            mixture[name].ravel()
            for entry, mixture in zip((e for e in entries if not e.failure), mixtures, strict=True)
            for name in entry.shapes(d)
        )
        manifest = {
            "parameters": self.settings,
            **self.seen.manifest(),
            "state": self.state,
            "outcomes": [[*entry] for entry in entries],
        }
        numbers = [[getattr(fit, name) for name in NUMBERS] for fit in fits]
        arrays = self.seen.arrays() | {
            "numbers": np.reshape(np.array(numbers, float), (len(fits), len(NUMBERS))),
            "values": _joined(ordered, float),
            "lower_bounds": _joined((result.lower_bounds for result in results), float),
            "last_bounds": np.array([result.lower_bound for result in results], float),
            "degenerate": _joined((result.degenerate for result in results), bool),
        }
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
        return _generator(self.state)

    def outcomes_for(self, settings: Mapping[str, Any], rows: Rows) -> Outcomes:
        """Return the outcomes that a search of these rows with these parameters goes on from.

        If it has other candidates or ends elsewhere, leaders are fitted again anew.

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
        return {
            (number, candidate): fit.moved(shift)
            for (number, candidate), fit in self.outcomes.items()
            if number >= 0 or now == before
        }

    def _require_settings(self, settings: Mapping[str, Any], before: Scope, now: Scope) -> None:
        """Raise ValueError unless a search with `settings` would come by the same outcomes."""
        has_folds = self.settings["criterion"] == "cv"  # drawn after the starts of all counts
        for name in (*FIXED, *(["cv"] if has_folds else [])):
            if plain(settings[name]) != self.settings[name]:
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
        variances = model.matrices(mixture.covariances, *mixture.means.shape)
        self.seen.require_same(rows, float(np.sqrt(variances.max())))
        found = rows.expectation(mixture, model.scatter).log_likelihood
        bounds = found / rows.weight, fit.log_likelihood / rows.weight
        if not math.isclose(*bounds, rel_tol=0, abs_tol=ROUNDING * d):
            raise less_likely(*bounds)
        return shift


def _model_of(fit: CandidateFit) -> Model:
    return MODELS[fit.candidate.covariance_type]()


def _other(name: str, before: Any, now: Any, remedy: str = SET_BACK) -> MismatchError:
    return MismatchError(f"a search with {name}={before!r}; got {now!r}", remedy)


def _joined(parts: Iterator[Any], dtype: type) -> np.ndarray[Any, np.dtype[Any]]:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)


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
    raise ValueError(f"{reason}. Remove the file, or write to another one.")


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


def state_of(random: Random) -> dict[str, Any]:
    """Return the state of a random generator, as JSON can hold it."""
    state: Any
    if isinstance(random, np.random.RandomState):
        state = {"kind": "RandomState", **random.get_state(legacy=False)}
    else:
        state = {"kind": "Generator", **random.bit_generator.state}
    return {name: _plain(value) for name, value in state.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else plain(value)


def _generator(state: dict[str, Any]) -> Random:
    source = state["bit_generator"]
    require(source in SOURCES, f"its random generator is none of {', '.join(SOURCES)}")
    bits, values = getattr(np.random, source)(0), _arrays(state)
    kind = values.pop("kind")
    require(kind in ("RandomState", "Generator"), "its random generator is damaged")
    if kind == "Generator":
        bits.state = values
        return np.random.Generator(bits)
    random = np.random.RandomState(bits)
    random.set_state(values)
    return random


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _arrays(item) for name, item in value.items()}
    return np.array(value, np.uint64) if isinstance(value, list) else value


def _entries(manifest: dict[str, Any]) -> list[Entry]:
    require(isinstance(manifest["outcomes"], list), "the outcomes are damaged")
    return [Entry.checked(values) for values in manifest["outcomes"]]


def _layout(manifest: dict[str, Any], found: Found) -> dict[str, Header]:
    """Arrays of a file: what follows from its outcomes, and from the number of columns."""
    shape = found["mean"].shape
    require(len(shape) == 1 and shape[0] > 0, "the mean is not a vector")
    (d,), entries = shape, _entries(manifest)
    mixtures = [entry for entry in entries if not entry.failure]
    lengths = {
        "values": sum(entry.size(d) for entry in mixtures),
        "lower_bounds": sum(entry.n_iter for entry in mixtures),
        "last_bounds": len(mixtures),
    }
    shapes: dict[str, tuple[int, ...]] = {name: (n,) for name, n in lengths.items()}
    shapes |= {"mean": (d,), "center": (d,), "numbers": (len(entries), len(NUMBERS))}
    n_flags = sum(entry.n_components for entry in mixtures)
    headers = {name: Header(shape, np.dtype(float)) for name, shape in shapes.items()}
    return headers | {"degenerate": Header((n_flags,), np.dtype(bool))}


def _rebuild(manifest: dict[str, Any], arrays: Arrays) -> SearchCheckpoint:
    settings, state = manifest["parameters"], manifest["state"]
    require(settings.keys() == SEARCH.keys(), "its parameters are incomplete")
    check_parameters("GaussianMixtureIC", settings, SEARCH)
    for name in ("mean", "center", "values", "lower_bounds", "last_bounds"):
        sound = bool(np.isfinite(arrays[name]).all())
        require(sound, f"{name} holds values that are not finite")
    _generator(state)
    seen = Seen.in_file(manifest, arrays)
    scope, entries = Scope.of(settings, len(seen.center)), _entries(manifest)
    are_tried = all(
        e.n_components in scope.counts and e.covariance_type in scope.models for e in entries
    )
    require(are_tried, "an outcome is of a candidate that the search does not try")
    outcomes = _outcomes(entries, arrays, len(seen.center))
    return SearchCheckpoint(settings, seen, state, outcomes)


def _outcomes(entries: list[Entry], arrays: Arrays, d: int) -> Outcomes:
    outcomes: Outcomes = {}
    values, bounds, flags = (
        _Reader(arrays[name]) for name in ("values", "lower_bounds", "degenerate")
    )
    last = iter(arrays["last_bounds"].tolist())
    for entry, numbers in zip(entries, arrays["numbers"].tolist(), strict=True):
        own = dict(zip(NUMBERS, numbers, strict=True))
        candidate = Candidate(entry.n_components, entry.covariance_type)  # type: ignore[arg-type]
        require((entry.number, candidate) not in outcomes, "two outcomes are of one candidate")
        require(own["seconds"] >= 0, "the time of an outcome is damaged")
        fit = CandidateFit(candidate, failure=entry.failure, finished=entry.finished, **own)
        if not entry.failure:
            require(math.isfinite(own["log_likelihood"]), "a log-likelihood is damaged")
            parts = {name: values.next(shape) for name, shape in entry.shapes(d).items()}
            parameters = Parameters.from_arrays(parts)
            total = float(parameters.weights.sum())
            are_shares = math.isclose(total, 1, abs_tol=1e-8) and parameters.weights.min() >= 0
            require(are_shares, "the weights of an outcome do not sum to one")
            degenerate = flags.next((entry.n_components,))
            result = EMResult(
                parameters=parameters,
                lower_bounds=bounds.next((entry.n_iter,)).tolist(),
                status=Status[entry.status],
                lower_bound=next(last),
                statistics=None,
                stopped=entry.stopped,
                degenerate=degenerate,
            )
            fit = replace(fit, result=result, degenerate=bool(degenerate.any()))
        outcomes[entry.number, candidate] = fit
    return outcomes


class _Reader:
    """Cuts arrays of given shapes from one long array, one after the other."""

    def __init__(self, array: np.ndarray[Any, np.dtype[Any]]) -> None:
        self._array, self._done = array, 0

    def next(self, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[Any]]:
        """Return the next array."""
        begin, self._done = self._done, self._done + math.prod(shape)
        return self._array[begin : self._done].reshape(shape)


FORM = Form(
    program="gmmfast search checkpoint",
    versions=(1,),
    source="Checkpoints of searches are written by GaussianMixtureIC.fit(checkpoint=) and gmmfast "
    "select --checkpoint.",
    remedy="Rescale the columns, or search without a checkpoint",
    layout=_layout,
    rebuild=_rebuild,
)
