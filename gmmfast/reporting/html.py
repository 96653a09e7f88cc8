"""Estimators and results as HTML, for notebooks and for the diagrams of scikit-learn.

Text has the color of the page, so that tables can be read on light and on dark ground.
"""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from gmmfast.reporting.outcome import feature_names
from gmmfast.reporting.report import bound_name, factor_words, significant
from gmmfast.reporting.table import short

MOST_COMPONENTS = 12  # lines of a table
MOST_FEATURES = 8  # columns of a table
N_BEST = 5  # candidates of a search

# Notebooks color tables, and their odd lines, by rules that are more specific than one class.
STYLE = """<style>
.gmmfast { color: inherit; font-size: 0.9rem; line-height: 1.4; text-align: left; }
.gmmfast summary { cursor: pointer; font-family: monospace; padding: 0.2rem 0; }
.gmmfast table { border-collapse: collapse; color: inherit !important; margin: 0.3rem 0 0.6rem; }
.gmmfast caption { caption-side: bottom; color: inherit; opacity: 0.75; padding: 0.3rem 0.6rem;
  text-align: left; }
.gmmfast tr { background: none !important; }
.gmmfast :is(th, td) { background: none !important; border: 0; color: inherit !important;
  border-bottom: 1px solid rgba(128, 128, 128, 0.35); padding: 0.2rem 0.6rem;
  font-variant-numeric: tabular-nums; text-align: right !important; white-space: nowrap; }
.gmmfast :is(th:first-child, .gmmfast-text) { text-align: left !important; }
.gmmfast th { font-weight: normal; opacity: 0.75; }
.gmmfast .gmmfast-set :is(th, td) { font-weight: bold; opacity: 1; }
</style>"""

_shorten = reprlib.Repr()
_shorten.maxlist = _shorten.maxtuple = _shorten.maxarray = 6
_shorten.maxstring = _shorten.maxother = 80


class Fragment(str):
    """Part of a page, which a diagram of scikit-learn takes as it is."""

    def _repr_html_inner(self) -> str:
        return str(self)


def page_of(estimator: Any) -> str:
    """Return an estimator as a notebook shows it: its parameters, and its fit."""
    return (
        f'<div class="gmmfast">{STYLE}{_parameters(estimator, repr(estimator))}'
        f"{''.join(_fit(estimator)) or '<div>not fitted</div>'}</div>"
    )


def parameters_of(estimator: Any) -> Fragment:
    """Return all parameters of an estimator, folded; those that are not the default are bold."""
    return Fragment(f'<div class="gmmfast">{STYLE}{_parameters(estimator, "Parameters")}</div>')


def fit_of(estimator: Any) -> Fragment:
    """Return the results of a fit, folded; nothing where there is none."""
    tables = "".join(_fit(estimator))
    if not tables:
        return Fragment()
    return Fragment(
        f'<div class="gmmfast"><details><summary>Fitted mixture</summary>{tables}</details></div>'
    )


def results_of(results: Any, criterion: str) -> str:
    """Return the best candidates of a search as a table."""
    return f'<div class="gmmfast">{STYLE}{_ranking(results, criterion)}</div>'


def table(
    corner: str,
    row_labels: Sequence[str],
    columns: Sequence[tuple[str, Sequence[str]]],
    caption: Iterable[str] = (),
) -> str:
    """Return a table with labels at the left and cells to the right, all of them escaped.

    Parameters
    ----------
    corner : str
        Heading of the labels.
    row_labels : sequence of str
        One per line.
    columns : sequence of (str, sequence of str)
        Heading and cells of each column.
    caption : iterable of str
        Lines below the table.
    """
    below = "<br>".join(map(escape, caption))
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in (corner, *(c[0] for c in columns)))
    lines = [
        f'<tr><th scope="row">{escape(label)}</th>'
        + "".join(f"<td>{escape(cells[i])}</td>" for _, cells in columns)
        + "</tr>"
        for i, label in enumerate(row_labels)
    ]
    return (
        f"<table>{f'<caption>{below}</caption>' if below else ''}"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


def _parameters(estimator: Any, title: str) -> str:
    defaults = inspect.signature(type(estimator)).parameters
    lines = []
    for name, value in estimator.get_params(deep=False).items():
        shown = _shorten.repr(value)
        is_set = shown != _shorten.repr(defaults[name].default)
        lines.append(
            f"<tr{' class=gmmfast-set' if is_set else ''}>"
            f'<th scope="row">{escape(name)}</th><td class="gmmfast-text">{escape(shown)}</td></tr>'
        )
    return (
        f"<details><summary>{escape(title)}</summary>"
        f"<table><tbody>{''.join(lines)}</tbody></table></details>"
    )


def _fit(estimator: Any) -> list[str]:
    """Tables of a fit: the ranking of a search, and the mixture."""
    if not estimator.__sklearn_is_fitted__():
        return []
    if hasattr(estimator, "best_estimator_"):
        ranking = _ranking(estimator.results_, estimator.criterion)
        return [ranking, _mixture(estimator.best_estimator_)]
    if hasattr(estimator, "mixtures_"):
        return [_classes(estimator)]
    return [_mixture(getattr(estimator, "mixture_", estimator))]


def _classes(classifier: Any) -> str:
    shown = classifier.mixtures_[:MOST_COMPONENTS]
    labels = [short(str(label)) for label in classifier.classes_[: len(shown)]]
    columns = [
        ("prior", [f"{prior:.4f}" for prior in classifier.priors_[: len(shown)]]),
        ("components", [str(len(mixture.weights_)) for mixture in shown]),
        ("covariance", [mixture.covariance_type for mixture in shown]),
    ]
    lines = [f"{len(shown)} of {len(classifier.classes_)} classes", f"BIC {classifier.bic_:.3f}"]
    return table("class", labels, columns, lines)


def _ranking(results: Any, criterion: str) -> str:
    best = results._listed(criterion)[:N_BEST]
    labels, columns = best._columns(criterion)
    return table("K", labels, columns, results._notes(best, criterion))


def _mixture(mixture: Any) -> str:
    try:
        weights, means = mixture._attributes()
    except ValueError as error:  # set by hand, and not complete
        return f"<div>{escape(str(error))}</div>"
    (K, d), names = means.shape, feature_names(mixture)
    shown = range(min(K, MOST_COMPONENTS))
    columns = [("weight", [f"{weights[k]:.4f}" for k in shown])]
    degrees = mixture._degrees()
    if degrees is not None:
        columns.append(("df", [significant(float(degrees[k])) for k in shown]))
    for j in range(min(d, MOST_FEATURES)):
        columns.append((short(names[j]), [significant(float(means[k, j])) for k in shown]))
    return table("component", [str(k) for k in shown], columns, _caption(mixture, K, d))


def _caption(mixture: Any, K: int, d: int) -> list[str]:
    shown = "weights and means"
    if mixture._degrees() is not None:
        shown = "weights, degrees of freedom (df) and means of t components"
    covariance = f"{mixture.covariance_type} covariance"
    if hasattr(mixture, "loadings_"):
        covariance += f" ({factor_words(mixture.loadings_)})"
    lines = [f"{shown}, {covariance}"]
    if K > MOST_COMPONENTS or d > MOST_FEATURES:
        lines.append(
            f"{min(K, MOST_COMPONENTS)} of {K} components, {min(d, MOST_FEATURES)} of {d} features"
        )
    bound = float(getattr(mixture, "lower_bound_", -math.inf))
    if math.isfinite(bound):
        name, of = bound_name(mixture), "per row"
        if hasattr(mixture, "weight_concentration_"):
            name, of = "lower bound", "of all rows"
        lines.append(f"{name} {significant(bound)} {of}, {mixture.n_iter_} iterations")
    return [*lines, str(getattr(mixture, "stop_reason_", ""))]
