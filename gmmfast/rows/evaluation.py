"""A mixture evaluated at rows where they lie, in the caller's order; nothing is packed or kept."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmfast import criteria
from gmmfast.kernels.expectation import negligible
from gmmfast.parameters import Floats, Parameters

BLOCK = 1 << 16  # responsibilities at once (512 KB), where only the largest are kept
ALL = slice(None)


class Evaluable(Protocol):
    """Rows in the caller's order."""

    @property
    def array(self) -> NDArray[Any]:
        """The rows (n, d), NaN where a value is missing."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of results."""
        ...

    @property
    def sample_weight(self) -> Floats:
        """Row weights (n,)."""
        ...

    def evaluate(
        self,
        parameters: Parameters,
        cut: float,
        part: slice,
        *,
        log_density: NDArray[Any] | None = None,
        resp: NDArray[Any] | None = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        """Fill the arrays that are given; densities `cut` below a row's best count as 0."""
        ...


def outputs(
    log_density: NDArray[Any] | None,
    resp: NDArray[Any] | None,
    labels: NDArray[np.int64] | None,
    dtype: np.dtype[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Return the arrays to fill, empty where there is none: the kernels are compiled once."""
    return (
        np.empty(0, dtype) if log_density is None else log_density,
        np.empty((0, 1), dtype) if resp is None else resp,
        np.empty(0, np.int64) if labels is None else labels,
    )


def with_noise_marked(labels: NDArray[np.int64], n_components: int) -> NDArray[np.int64]:
    """Change labels (n,) of the noise, which is the last column of responsibilities, to -1."""
    labels[labels == n_components] = -1
    return labels


def are_outliers(
    log_density: NDArray[Any], labels: NDArray[np.int64], cut: float
) -> NDArray[np.bool_]:
    """Return which rows (n,) are less likely than a cut, or noise, which is as likely anywhere."""
    return np.asarray((log_density < cut) | (labels < 0))


def labels_of(rows: Evaluable, parameters: Parameters) -> NDArray[np.int64]:
    """Return the likeliest component of each row (n,), the first of ties; -1 for noise."""
    labels = np.empty(len(rows.array), np.int64)
    rows.evaluate(parameters, 0.0, ALL, labels=labels)  # only the best counts; ties are kept
    return with_noise_marked(labels, len(parameters.weights))


def log_densities_of(rows: Evaluable, parameters: Parameters) -> NDArray[Any]:
    """Return the log density of the mixture at each row (n,), in nats."""
    log_density = np.empty(len(rows.array), rows.dtype)
    cut = negligible(len(parameters.weights), dtype=parameters.dtype_for(rows.dtype))
    rows.evaluate(parameters, cut, ALL, log_density=log_density)
    return log_density


def responsibilities_of(rows: Evaluable, parameters: Parameters, part: slice = ALL) -> NDArray[Any]:
    """Return the posterior probability of each component for each row of a part (m, K).

    With noise there is one column more, the last.
    """
    n_columns = len(parameters.weights) + (parameters.noise is not None)
    resp = np.empty((len(rows.array[part]), n_columns), rows.dtype)
    rows.evaluate(parameters, -np.inf, part, resp=resp)
    return resp


def entropy_of(rows: Evaluable, parameters: Parameters) -> float:
    """Return the entropy of the components given the rows, in nats, a block of rows at a time."""
    step, total = max(1, BLOCK // len(parameters.weights)), 0.0
    for start in range(0, len(rows.array), step):
        part = slice(start, start + step)
        resp = responsibilities_of(rows, parameters, part)
        total += criteria.entropy(resp, rows.sample_weight[part])
    return total


def certainties_of(rows: Evaluable, parameters: Parameters) -> NDArray[Any]:
    """Return the largest responsibility of each row (n,), a block of rows at a time."""
    largest = np.empty(len(rows.array), rows.dtype)
    step = max(1, BLOCK // len(parameters.weights))
    for start in range(0, len(largest), step):
        part = slice(start, start + step)
        largest[part] = responsibilities_of(rows, parameters, part).max(axis=1)
    return largest


def uncertainties_of(rows: Evaluable, parameters: Parameters) -> NDArray[Any]:
    """Return the probability of each row (n,) not to belong where it most likely does.

    The sum of all responsibilities but the largest, a block of rows at a time.
    """
    found = np.empty(len(rows.array), rows.dtype)
    step = max(1, BLOCK // len(parameters.weights))
    for start in range(0, len(found), step):
        part = slice(start, start + step)
        resp = np.sort(responsibilities_of(rows, parameters, part), axis=1)
        found[part] = resp[:, :-1].sum(axis=1)
    return found
