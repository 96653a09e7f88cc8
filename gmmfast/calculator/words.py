"""A result in plain words, with warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.calculator.settings import Settings
from gmmfast.reporting.report import FitReport, full_matrices

OVERLAPPING = 0.05  # share of two components' rows that could belong to either
ROWS_PER_PARAMETER = 5  # fewer make parameters uncertain
WIDER = 1.5  # times the width of the narrowest
HIGH, VERY_HIGH = 0.5, 1.5  # standard deviations of all rows, from their mean
NARROW, WIDE = 0.6, 1.5  # times the standard deviation of all rows
MOST_TRAITS = 3  # that a sentence names
MANY_DEGREES = 30  # of freedom, with which a t distribution is nearly Gaussian
SETTLED = 1e-6  # tolerance at which estimates of degrees of freedom settle


@dataclass(frozen=True)
class Columns:
    """The columns of all rows.

    Attributes
    ----------
    mean, deviation, low, high : ndarray of shape (d,)
        Mean, standard deviation, least and greatest value, in the units of the data.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Columns:
        """Return the facts about rows of shape (n, d)."""
        moments = np.nanmean(values, 0, np.float64), np.nanstd(values, 0, np.float64)
        ends = np.nanmin(values, 0), np.nanmax(values, 0)
        return cls(*(np.asarray(own, np.float64) for own in (*moments, *ends)))


@dataclass(frozen=True)
class Findings:
    """The facts to describe."""

    report: FitReport
    sizes: NDArray[np.int64]  # (K,) rows of which each component is the likeliest
    overlaps: NDArray[np.float64]  # (K, K) share of the rows of two that could belong to either
    n_parameters: int
    settings: Settings
    n_incomplete: int = 0  # rows that lack a value


def sentences(findings: Findings) -> list[str]:
    """Describe the result for a person who knows the data but not the method."""
    report, sizes = findings.report, findings.sizes
    K = len(report.weights)
    if K == 1:
        rows = "The only row is" if report.n_rows == 1 else f"All {report.n_rows} rows are"
        said = [f"{rows} described by one component."]
        others = _noise(findings) + _tails(findings) + _left_out(findings)
        return said + others + _gaps(findings)
    said = [f"The {report.n_rows} rows fall into {K} components."]
    parts = [
        f"component {k} has {100 * weight:.0f} % of the weight ({counted(size, 'row')})"
        for k, (weight, size) in enumerate(zip(report.weights[:6], sizes, strict=False))
    ]
    said.append(_capital(_listed(parts)) + ("." if K <= 6 else "; the others have less."))
    said += _noise(findings) + _tails(findings) + _left_out(findings)
    said += _widths(report)
    said += _overlaps(findings.overlaps)
    return said + _gaps(findings)


def _gaps(findings: Findings) -> list[str]:
    n = findings.n_incomplete
    if not n:
        return []
    lack, count = ("lacks", "It counts") if n == 1 else ("lack", "They count")
    return [f"{counted(n, 'row')} {lack} values. {count} with what is known; nothing is filled in."]


def _noise(findings: Findings) -> list[str]:
    """How much of the data is noise."""
    weight = findings.report.noise_weight
    if weight is None:
        return []
    rows = counted(findings.report.n_rows - int(findings.sizes.sum()), "row")
    return [f"{100 * weight:.1f} % of the weight is noise; {rows} most likely belong to it."]


def _tails(findings: Findings) -> list[str]:
    """How heavy the tails of t components are."""
    degrees = findings.report.degrees_of_freedom
    if degrees is None:
        return []
    is_heavy = degrees[0] < MANY_DEGREES
    tails = "heavy tails" if is_heavy else "tails nearly as light as a Gaussian's"
    number = f"{degrees[0]:.{int(is_heavy)}f}"
    return [f"The components are t distributions with {number} degrees of freedom: {tails}."]


def _left_out(findings: Findings) -> list[str]:
    """Which share of the rows the fit left out."""
    share = findings.settings.trim
    if not share:
        return []
    return [
        f"The fit left out the least likely {100 * share:g} % of the rows, which have labels, too."
    ]


def portraits(report: FitReport, rows: Columns) -> list[dict[str, Any]]:
    """Return how each component differs from all rows.

    Parameters
    ----------
    report : FitReport
        The result of a fit.
    rows : Columns
        All rows.

    Returns
    -------
    list of dict
        ``sentence``, such as "high revenue, low visits"; ``deviations``, the standard deviations of
        its columns, or scales of t components; ``profile``, its means, in standard deviations of
        all rows from their mean; and ``order``, the indices of columns from the most different one
        on.
    """
    deviations = np.sqrt(np.einsum("kii->ki", full_matrices(report)))
    unit = np.where(rows.deviation > 0, rows.deviation, 1.0)
    distances, ratios = (report.means - rows.mean) / unit, deviations / unit
    if report.degrees_of_freedom is not None:  # standard deviations from scales, if they exist
        degrees = report.degrees_of_freedom[:, None]
        infinite = degrees <= 2
        inflation = np.sqrt(degrees / np.where(infinite, np.inf, degrees - 2))
        ratios = np.where(infinite, np.inf, ratios * inflation)
    orders = np.argsort(-np.abs(distances), axis=1, kind="stable")
    return [
        {
            "sentence": _traits(report.names, distances[k], ratios[k], order.tolist()),
            "deviations": deviations[k].tolist(),
            "profile": distances[k].tolist(),
            "order": order.tolist(),
        }
        for k, order in enumerate(orders)
    ]


def _traits(
    names: Sequence[str], distances: NDArray[Any], ratios: NDArray[Any], order: Sequence[int]
) -> str:
    traits = []
    for j in order:
        if abs(distances[j]) >= HIGH:
            very = "very " if abs(distances[j]) >= VERY_HIGH else ""
            traits.append(f"{very}{'high' if distances[j] > 0 else 'low'} {_readable(names[j])}")
    if not traits:
        for j in order:
            if not NARROW < ratios[j] < WIDE:
                spread = "little" if ratios[j] <= NARROW else "much"
                traits.append(f"{spread} spread in {_readable(names[j])}")
    return ", ".join(traits[:MOST_TRAITS]) or "much like all rows"


def counted(n: int, what: str) -> str:
    """Return a number of things, such as ``1 row``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def _readable(name: str) -> str:
    return name.replace("_", " ")


def advice(findings: Findings) -> list[str]:
    """Return warnings, each with what to do."""
    report, settings = findings.report, findings.settings
    found = []
    if not report.converged:
        steps = counted(report.n_iter, "iteration")
        found.append(
            f"The fit stopped after {steps}, before it had converged. Raise the maximum "
            "iterations, or the tolerance."
        )
    if report.degrees_of_freedom is not None and settings.tol > SETTLED:
        found.append(
            "Degrees of freedom change slowly, and may not have settled. Lower the convergence "
            "tolerance to 1e-6."
        )
    collapsed = [f"component {k}" for k in np.flatnonzero(report.degenerate)]
    if collapsed:
        found.append(
            f"{_capital(_listed(collapsed))} nearly lost all spread in some direction: the "
            "likelihood says little. Use fewer components, leave out columns that follow from "
            "others, or raise the regularization."
        )
    if report.n_rows < ROWS_PER_PARAMETER * findings.n_parameters:
        are = "is" if report.n_rows == 1 else "are"
        found.append(
            f"{counted(report.n_rows, 'row')} for {findings.n_parameters} free parameters {are} "
            "few: expect other data to give other values. Use fewer components or a simpler "
            "covariance model."
        )
    empty = [f"component {k}" for k in np.flatnonzero(findings.sizes == 0)]
    if empty and len(report.weights) > 1:
        found.append(f"No row is likeliest to be of {_listed(empty)}. Try fewer components.")
    spread = _spreads(report)
    if not settings.standardize and spread.max() > 1000 * spread.min():
        found.append(
            "The columns have very different scales. Standardizing them can make the start better."
        )
    return found


def _widths(report: FitReport) -> list[str]:
    """Which component is wide: by the geometric mean of its standard deviations."""
    logs = np.linalg.slogdet(full_matrices(report))[1]
    if not np.isfinite(logs).all():
        return []
    widths = np.exp((logs - logs.min()) / (2 * report.means.shape[1]))
    widest = int(widths.argmax())
    if widths[widest] < WIDER:
        return ["The components are about equally wide."]
    narrowest = int(widths.argmin())
    return [
        f"Component {widest} is the widest: {widths[widest]:.1f} times as wide as "
        f"component {narrowest}."
    ]


def _spreads(report: FitReport) -> NDArray[Any]:
    """Standard deviation of each column, of the whole mixture."""
    weights, means = report.weights / report.weights.sum(), report.means
    within = np.einsum("kii->ki", full_matrices(report))
    return np.asarray(np.sqrt(weights @ (within + (means - weights @ means) ** 2)))


def _overlaps(overlaps: NDArray[np.float64]) -> list[str]:
    pairs = [
        (overlaps[i, j], i, j)
        for i in range(len(overlaps))
        for j in range(i + 1, len(overlaps))
        if overlaps[i, j] >= OVERLAPPING
    ]
    if not pairs:
        return ["They are clearly apart: hardly any row could belong to another one."]
    pairs.sort(reverse=True)
    said = [f"{i} and {j} ({100 * share:.0f} % of their rows)" for share, i, j in pairs[:3]]
    rest = len(pairs) - len(said)
    more = f"; so do {rest} more pair{'' if rest == 1 else 's'}" if rest else ""
    return [f"Components overlap, so that rows could belong to either: {_listed(said)}{more}."]


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
