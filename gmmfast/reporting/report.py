"""The result of a fit, as text for a person and as plain values for JSON.

Pure functions: nothing here prints or computes on rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmfast.reporting.json_text import json_object
from gmmfast.reporting.table import short, table

MAX_FEATURES = 8  # up to here a component is one line of the table of means
MAX_MATRIX_LINES = 48  # more lines of covariance matrices than this are not readable

Array = NDArray[np.floating[Any]]


class Sureness(Protocol):
    """Standard errors and intervals of parameters, such as `gmmfast.inference.Bootstrap`."""

    def summary(self) -> str:
        """Return a table."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        ...


@dataclass(frozen=True, eq=False)
class FitReport:
    """A fitted mixture.

    Attributes
    ----------
    source : str
        Where the rows come from, or the name of the estimator.
    n_rows : int
        Rows; 0 where only the sum of their weights is known, which is no whole number.
    total_weight : float
        The sum of their weights (`n_rows` without weights); 0 of a mixture that was not fitted.
    names : list of str
        One per column.
    covariance_type : str
        The model that was fitted: ``full``, ``tied``, ``diag``, ``spherical``, or a code.
    structure : str
        The structure of `covariances`. A spherical model of standardized columns is ``diag`` in
        the units of the data.
    standardized : bool
        Whether the columns were scaled to mean 0 and standard deviation 1 for the fit.
    weights, means, covariances : ndarray
        Shapes (K,), (K, d) and, by structure, (K, d, d), (d, d), (K, d) or (K,).
    degenerate : ndarray of bool of shape (K,)
        Components that have collapsed.
    log_likelihood, bic, aic : float
        Of all rows; lower is better for the last two. NaN where no rows have been scored.
    n_iter, converged, stop_reason : int, bool, str
        How the fit ended.
    lower_bound : float
        Mean log-likelihood per row before the last M step.
    groups : tuple of str
        Label of the group of rows that each component started from; empty without labels.
    noise_weight : float or None
        Weight of the noise; None without.
    trim : float
        Share of the weight that the fit left out; `total_weight` is of the rest.
    degrees_of_freedom : ndarray of shape (K,) or None
        Of t components, whose `covariances` are scale matrices; None of Gaussian ones.
    loadings, specific_variances : ndarray of shape (K, d, q) and (K, d), or None
        Of factor analyzers, whose `covariances` are only the variances (K, d) of the columns.
    bootstrap : Sureness or None
        Standard errors and intervals of the parameters; None if there are none.
    """

    source: str
    n_rows: int
    total_weight: float
    names: list[str]
    covariance_type: str
    structure: str
    standardized: bool
    weights: Array
    means: Array
    covariances: Array
    degenerate: NDArray[np.bool_]
    log_likelihood: float
    bic: float
    aic: float
    n_iter: int
    converged: bool
    stop_reason: str
    lower_bound: float = math.nan
    groups: tuple[str, ...] = ()
    noise_weight: float | None = None
    trim: float = 0.0
    degrees_of_freedom: Array | None = None
    bootstrap: Sureness | None = None
    loadings: Array | None = None
    specific_variances: Array | None = None


class Advice(NamedTuple):
    """What to do, in the words of those who read the text."""

    whole_matrices: str
    factors: str
    degenerate: str


COMMAND_LINE = Advice(
    "The whole {matrices} are in the files of --out and in --json.",
    "Loadings and specific variances are in the files of --out and in --json.",
    "use fewer components (-k), leave out columns that follow from others, or raise --reg-covar",
)
PYTHON = Advice(
    "The whole {matrices} are in covariances_.",
    "Loadings are in loadings_, and the variances that they leave in specific_variances_.",
    "lower n_components, leave out columns that follow from others, or raise reg_covar",
)


class Spread(NamedTuple):
    """How the spread of components is called."""

    matrix: str
    matrices: str
    variance: str
    sd: str
    sds: str


GAUSSIAN = Spread("covariance", "covariance matrices", "variance", "sd", "standard deviations")
TAILED = Spread("scale matrix", "scale matrices", "squared scale", "scale", "scales")
TO_COVARIANCES = "A covariance is its scale matrix times df / (df - 2), for df above 2."


class Summary(str):
    """Text in lines and columns, which notebooks show as such."""

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self)}</pre>"


def full_matrices(report: FitReport) -> Array:
    """Return the covariances as matrices, whatever their structure.

    Parameters
    ----------
    report : FitReport
        The result of a fit.

    Returns
    -------
    ndarray of shape (K, d, d)
    """
    n_components, n_features = report.means.shape
    if report.loadings is not None and report.specific_variances is not None:
        diagonals = report.specific_variances[:, :, None] * np.eye(n_features)
        return np.asarray(report.loadings @ report.loadings.swapaxes(1, 2) + diagonals)
    if report.structure == "tied":
        return np.repeat(report.covariances[None], n_components, axis=0)
    if report.structure in ("diag", "spherical"):
        return report.covariances.reshape(n_components, -1, 1) * np.eye(n_features)
    return report.covariances


def fit_as_json(report: FitReport) -> str:
    """Return the report as a JSON object, one member per line; null for NaN and infinity."""
    members = {
        "source": report.source,
        "n_rows": report.n_rows,
        "total_weight": _plain(report.total_weight),
        **({"trim": report.trim} if report.trim else {}),
        "columns": report.names,
        "n_components": len(report.weights),
        "covariance_type": report.covariance_type,
        **({} if report.loadings is None else {"n_factors": report.loadings.shape[2]}),
        "covariance_structure": report.structure,
        "standardized": report.standardized,
        "weights": _plain(report.weights),
        **({} if report.noise_weight is None else {"noise_weight": report.noise_weight}),
        **tails_as_json(report.degrees_of_freedom),
        "means": _plain(report.means),
        **spread_as_json(report.covariances, report.loadings, report.specific_variances),
        "degenerate": report.degenerate.tolist(),
        **({"init_labels": report.groups} if report.groups else {}),
        "log_likelihood": _plain(report.log_likelihood),
        "log_likelihood_per_row": _plain(report.log_likelihood / report.total_weight),
        "bic": _plain(report.bic),
        "aic": _plain(report.aic),
        "n_iter": report.n_iter,
        "converged": report.converged,
        "stop_reason": report.stop_reason,
        **({} if report.bootstrap is None else {"bootstrap": report.bootstrap.to_dict()}),
    }
    return json_object(members)


def spread_as_json(
    covariances: Array, loadings: Array | None, specific_variances: Array | None
) -> dict[str, Any]:
    """Return the members of covariances in JSON, or of factor analyzers what they follow from."""
    if loadings is None or specific_variances is None:
        return {"covariances": _plain(covariances)}
    return {"loadings": _plain(loadings), "specific_variances": _plain(specific_variances)}


def tails_as_json(degrees_of_freedom: Array | None) -> dict[str, Any]:
    """Return the members of t components in JSON; none of Gaussian ones, given None."""
    if degrees_of_freedom is None:
        return {}
    return {"component": "t", "degrees_of_freedom": _plain(degrees_of_freedom)}


def _plain(value: Any) -> Any:
    """Python numbers in nested lists."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if math.isfinite(value) else None


def fit_as_text(report: FitReport, advice: Advice = COMMAND_LINE) -> Summary:
    """Return the report as text: what ``gmmfast fit`` and `GaussianMixture.summary` print."""
    outcome = "\n".join(_outcome(report, advice))
    parameters = parameters_as_text(report, advice)
    if report.bootstrap is not None:
        parameters += f"\n\n{report.bootstrap.summary()}"
    return Summary(f"{_title(report)}\n\n{parameters}\n\n{outcome}")


def parameters_as_text(report: FitReport, advice: Advice = COMMAND_LINE) -> str:
    """Return tables of weights, means and covariances."""
    sections = [*_means(report), *_covariances(report, advice)]
    if report.degrees_of_freedom is not None:
        sections.append([TO_COVARIANCES])
    return "\n\n".join("\n".join(lines) for lines in sections)


def _spread(report: FitReport) -> Spread:
    return GAUSSIAN if report.degrees_of_freedom is None else TAILED


def _title(report: FitReport) -> str:
    n_components, n_features = report.means.shape
    shape = ", ".join([*_rows(report), _count(n_features, "column")])
    scaled = ", fitted to standardized columns" if report.standardized else ""
    kind = "component" if report.degrees_of_freedom is None else "t component"
    return (
        f"{report.source}: {shape}; "
        f"{_count(n_components, kind)}, {covariance_words(report)}{scaled}"
    )


def covariance_words(report: FitReport) -> str:
    """Return the covariance model in words, with the number of factors."""
    words = f"{report.covariance_type} covariance"
    return words if report.loadings is None else f"{words} ({factor_words(report.loadings)})"


def factor_words(loadings: Array) -> str:
    """Return how many factors loadings (K, d, q) are of."""
    return _count(loadings.shape[2], "factor")


def weight_of_all(report: FitReport) -> float:
    """Return the weight of all rows, with those that the fit left out."""
    weight = report.total_weight / (1 - report.trim)
    return float(round(weight)) if math.isclose(weight, round(weight)) else weight


def _rows(report: FitReport) -> list[str]:
    """How many rows there are, as far as that is known, and how many of them are left out."""
    if report.trim and report.total_weight:
        left_out = f"{100 * report.trim:g} % left out"
        return [*_rows(replace(report, total_weight=weight_of_all(report), trim=0.0)), left_out]
    if 0 < report.total_weight == report.n_rows:
        return [_count(report.n_rows, "row")]
    if report.total_weight == 0:
        return []
    whole = report.total_weight == round(report.total_weight)
    total = f"{report.total_weight:.0f}" if whole else significant(report.total_weight)
    rows = _count(report.n_rows, "row") if report.n_rows else "rows"
    return [f"{rows} of total weight {total}"]


def _means(report: FitReport) -> list[list[str]]:
    labels, shown = _labels(report), report.weights[report.weights > 0]
    few = shown.size > 0 and shown.min() < 1e-3
    weights = align(report.weights, digits=4) if few else [f"{w:.4f}" for w in report.weights]
    noise = [] if report.noise_weight is None else [f"noise      {report.noise_weight:.4f}"]
    columns = [("weight", weights)]
    if report.degrees_of_freedom is not None:
        columns.append(("df", align(report.degrees_of_freedom)))
    if report.means.shape[1] > MAX_FEATURES:
        return [
            table("component", labels, columns) + noise,
            ["means of components", *_by_component("column", report.names, report.means)],
        ]
    columns += _by_feature(report.names, report.means)
    return [table("component", labels, columns) + noise]


def _covariances(report: FitReport, advice: Advice) -> list[list[str]]:
    """Return all covariances where they are readable, else standard deviations."""
    n_features, words = len(report.names), _spread(report)
    is_narrow = n_features <= MAX_FEATURES
    if report.structure == "spherical":
        sds = np.sqrt(report.covariances)
        columns = [(words.variance, align(report.covariances)), (words.sd, align(sds))]
        return [table("component", _labels(report), columns)]
    if report.loadings is not None:
        return [_deviations(report, report.covariances), [advice.factors]]
    if report.structure == "diag":
        return [_variances(report) if is_narrow else _deviations(report, report.covariances)]
    matrices = report.covariances[None] if report.structure == "tied" else report.covariances
    if is_narrow and len(matrices) * n_features <= MAX_MATRIX_LINES:
        return _matrices(report, matrices)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    whole = advice.whole_matrices.format(matrices=words.matrices)
    return [_deviations(report, variances), [whole]]


def _variances(report: FitReport) -> list[str]:
    """Return the table of a diagonal model with few features."""
    columns = _by_feature(report.names, report.covariances)
    title = f"{_spread(report).variance}s of components"
    return [title, *table("component", _labels(report), columns)]


def _matrices(report: FitReport, matrices: Array) -> list[list[str]]:
    """Return one table per matrix (d, d)."""
    name = _spread(report).matrix
    titles = [f"{name} of component {k}" for k in _labels(report)]
    if report.structure == "tied":
        titles = [f"{name} of every component"]
    return [
        table(title, report.names, _by_feature(report.names, matrix))
        for title, matrix in zip(titles, matrices, strict=True)
    ]


def _deviations(report: FitReport, variances: Array) -> list[str]:
    """Return the table of standard deviations, from variances (K, d), or (1, d) if tied."""
    sds, words = np.sqrt(variances), _spread(report)
    if report.structure == "tied":
        return table("column", report.names, [(f"{words.sd} of every component", align(sds[0]))])
    if len(report.names) <= MAX_FEATURES:
        body = table("component", _labels(report), _by_feature(report.names, sds))
    else:
        body = _by_component("column", report.names, sds)
    return [f"{words.sds} of components", *body]


def _labels(report: FitReport) -> list[str]:
    return [str(k) for k in range(len(report.weights))]


def _outcome(report: FitReport, advice: Advice) -> list[str]:
    entries = [*_scores(report), ("iterations", str(report.n_iter), "")]
    width = max(len(value) for _, value, _ in entries)
    lines = [f"{name:<16}{value:>{width}}  {note}".rstrip() for name, value, note in entries]
    lines.append(f"stopped         {report.stop_reason}")
    if report.groups:
        began = [f"{k} from {group}" for k, group in enumerate(report.groups)]
        lines.append(f"started         {', '.join(began)}")
    collapsed = [str(k) for k in np.flatnonzero(report.degenerate)]
    if collapsed:
        which = ("component " if len(collapsed) == 1 else "components ") + ", ".join(collapsed)
        lines.append(f"degenerate      {which}: no spread in some direction; {advice.degenerate}")
    return lines


def _scores(report: FitReport) -> list[tuple[str, str, str]]:
    """Name, value and note of what measures the fit."""
    if not math.isnan(report.log_likelihood):
        per_row = significant(report.log_likelihood / report.total_weight)
        per = "row" if weight_of_all(report) == report.n_rows else "unit of weight"
        return [
            ("log-likelihood", f"{report.log_likelihood:.2f}", f"({per_row} per {per})"),
            ("BIC", f"{report.bic:.2f}", "(lower is better)"),
            ("AIC", f"{report.aic:.2f}", "(lower is better)"),
        ]
    if math.isfinite(report.lower_bound):
        bound = significant(report.lower_bound)
        return [("lower bound", bound, "(per row, before the last M step)")]
    return []


def bound_name(mixture: Any) -> str:
    """Return what the lower bound of a mixture is: with a prior, its density is added."""
    return (
        "log-likelihood" if getattr(mixture, "prior", None) is None else "log-likelihood with prior"
    )


def _by_feature(names: Sequence[str], rows: Array) -> list[tuple[str, list[str]]]:
    """Return one aligned column per feature, of an array (rows, d)."""
    return [(short(name), align(rows[:, j])) for j, name in enumerate(names)]


def _by_component(corner: str, names: Sequence[str], rows: Array) -> list[str]:
    """Return a table with one line per feature, of an array (K, d)."""
    return table(corner, names, [(str(k), align(row)) for k, row in enumerate(rows)])


def align(values: Array, digits: int = 5) -> list[str]:
    """Write numbers with `digits` significant digits, padded so that their points align.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Any finite or infinite numbers.
    digits : int
        Significant digits.

    Returns
    -------
    list of str
        Equally long.

    Examples
    --------
    >>> import numpy as np
    >>> align(np.array([123.456789, -0.5]))
    ['123.46   ', ' -0.50000']
    """
    halves = [significant(float(value), digits).partition(".") for value in values]
    left = max(len(whole) for whole, _, _ in halves)
    right = max(len(point + rest) for _, point, rest in halves)
    return [whole.rjust(left) + (point + rest).ljust(right) for whole, point, rest in halves]


def significant(value: float, digits: int = 5) -> str:
    """Write a number with `digits` significant digits, as a decimal where that is readable.

    Parameters
    ----------
    value : float
        Any number.
    digits : int
        Significant digits; the digits before the decimal point are always shown.

    Returns
    -------
    str

    Examples
    --------
    >>> significant(39.797375), significant(273280.0), significant(1.5e-9)
    ('39.797', '273280', '1.5000e-09')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    scientific = f"{value:.{digits - 1}e}"
    exponent = int(scientific.partition("e")[2])
    if -5 <= exponent <= 6:
        return f"{value:.{max(0, digits - 1 - exponent)}f}"
    return scientific


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
