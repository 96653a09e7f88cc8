"""Outcomes of candidates as a file holds them: entries of its manifest, and long arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from gmmfast.data.factors import is_model
from gmmfast.em.loop import EMResult, Status
from gmmfast.files.archive import Arrays, Header, require
from gmmfast.models import maker_of
from gmmfast.parameters import Parameters
from gmmfast.search.candidates import Candidate, CandidateFit
from gmmfast.search.store import Outcomes

NUMBERS = ("seconds", "log_likelihood", "bic", "aic", "aicc", "icl", "nec", "cv")


class Extra(NamedTuple):
    """What the mixtures of a search have besides Gaussian components."""

    has_noise: bool
    has_tails: bool

    @classmethod
    def of(cls, mixture: Parameters) -> Extra:
        """Return what a mixture has."""
        return cls(mixture.noise is not None, mixture.degrees is not None)

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> Extra:
        """Return what the parameters of a search say."""
        has_noise = settings.get("noise") not in (None, False)
        return cls(has_noise, settings.get("component", "gaussian") == "t")


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
        known = is_model(entry.covariance_type) and entry.status in Status.__members__
        least = min(entry.n_iter, entry.n_components - 1)
        require(known and least >= 0, "an outcome is of no candidate")
        return entry

    def shapes(self, d: int, extra: Extra) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays of its `Parameters`, if it has any."""
        if self.failure:
            return {}
        K, model = self.n_components, maker_of(self.covariance_type)()
        shapes = model.shapes(K, d) | {"factors": (K, d) if self.has_diagonals else (K, d, d)}
        shapes |= {"whitening": (d, d)} if self.has_whitening else {}
        shapes |= {"noise": (2,)} if extra.has_noise else {}
        return shapes | ({"degrees": (K,)} if extra.has_tails else {})

    def size(self, d: int, extra: Extra) -> int:
        """Return the number of values of its parameters."""
        return sum(math.prod(shape) for shape in self.shapes(d, extra).values())


def entries_of(outcomes: Outcomes) -> list[Entry]:
    """Describe outcomes."""
    return [Entry.of(number, fit) for (number, _), fit in outcomes.items()]


def arrays_of(outcomes: Outcomes, d: int) -> Arrays:
    """Return the arrays of outcomes for rows of d columns, one array of each kind."""
    fits = list(outcomes.values())
    results = [fit.result for fit in fits if fit.result is not None]
    mixtures = [entry for entry in entries_of(outcomes) if not entry.failure]
    ordered = (
        getattr(result.parameters, name).ravel()
        for entry, result in zip(mixtures, results, strict=True)
        for name in entry.shapes(d, Extra.of(result.parameters))
    )
    numbers = [[getattr(fit, name) for name in NUMBERS] for fit in fits]
    return {
        "numbers": np.reshape(np.array(numbers, float), (len(fits), len(NUMBERS))),
        "values": _joined(ordered, float),
        "lower_bounds": _joined((result.lower_bounds for result in results), float),
        "last_bounds": np.array([result.lower_bound for result in results], float),
        "degenerate": _joined((result.degenerate for result in results), bool),
    }


def _joined(parts: Iterator[Any], dtype: type) -> np.ndarray[Any, np.dtype[Any]]:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)


def checked_entries(manifest: dict[str, Any]) -> list[Entry]:
    """Return the entries in a manifest, if they can be."""
    require(isinstance(manifest["outcomes"], list), "the outcomes are damaged")
    return [Entry.checked(values) for values in manifest["outcomes"]]


def layout_of(entries: Sequence[Entry], d: int, extra: Extra) -> dict[str, Header]:
    """Return the headers of the arrays of outcomes for rows of d columns."""
    mixtures = [entry for entry in entries if not entry.failure]
    lengths = {
        "values": sum(entry.size(d, extra) for entry in mixtures),
        "lower_bounds": sum(entry.n_iter for entry in mixtures),
        "last_bounds": len(mixtures),
    }
    shapes: dict[str, tuple[int, ...]] = {name: (n,) for name, n in lengths.items()}
    shapes["numbers"] = len(entries), len(NUMBERS)
    n_flags = sum(entry.n_components for entry in mixtures)
    headers = {name: Header(shape, np.dtype(float)) for name, shape in shapes.items()}
    return headers | {"degenerate": Header((n_flags,), np.dtype(bool))}


def outcomes_of(entries: Sequence[Entry], arrays: Arrays, d: int, extra: Extra) -> Outcomes:
    """Return the outcomes that entries and arrays describe; ValueError if they are damaged."""
    for name in ("values", "lower_bounds", "last_bounds"):
        sound = bool(np.isfinite(arrays[name]).all())
        require(sound, f"{name} holds values that are not finite")
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
            shapes = entry.shapes(d, extra)
            parts = {name: values.next(shape) for name, shape in shapes.items()}
            parameters = Parameters.from_arrays(parts)
            weights = np.append(parameters.weights, parts["noise"][0] if extra.has_noise else 0.0)
            are_shares = math.isclose(weights.sum(), 1, abs_tol=1e-8) and weights.min() >= 0
            require(are_shares, "the weights of an outcome do not sum to one")
            are_positive = parameters.degrees is None or bool((parameters.degrees > 0).all())
            require(are_positive, "the degrees of freedom of an outcome are not positive")
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
