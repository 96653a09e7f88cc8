"""A classifier as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gmmfast.reporting.json_text import json_object
from gmmfast.reporting.table import table


class ClassReport(NamedTuple):
    """What a fitted classifier is, in plain values."""

    source: str  # origin of the rows
    target: str  # column of the classes
    kind: str
    n_rows: int
    columns: list[str]
    classes: list[str]
    counts: list[int]  # rows of each class
    priors: list[float]
    n_components: list[int]
    covariances: list[str]
    n_folds: int  # of cross-validation; 0 where there was none
    accuracy: float  # of held-out rows; NaN without folds
    accuracy_of_fit: float
    log_likelihood: float
    n_parameters: int
    bic: float


def classes_as_text(report: ClassReport) -> str:
    """Return a classifier as lines of text."""
    columns: Sequence[tuple[str, list[str]]] = [
        ("rows", [str(count) for count in report.counts]),
        ("prior", [f"{prior:.3f}" for prior in report.priors]),
        ("components", [str(count) for count in report.n_components]),
        ("covariance", list(report.covariances)),
    ]
    lines = [
        f"{report.source}: {report.n_rows} rows, {len(report.columns)} columns; "
        f"{len(report.classes)} classes of {report.target!r}, {report.kind}",
        "",
        *table("class", report.classes, columns),
        "",
    ]
    if report.n_folds:
        lines.append(f"accuracy        {report.accuracy:.4f} in {report.n_folds} held-out folds")
    lines += [
        f"accuracy        {report.accuracy_of_fit:.4f} of the rows of the fit",
        f"log-likelihood  {report.log_likelihood:.3f}",
        f"parameters      {report.n_parameters}",
        f"BIC             {report.bic:.3f}",
    ]
    return "\n".join(lines)


def classes_as_json(report: ClassReport) -> str:
    """Return a classifier as JSON; what is not known is null."""
    values: dict[str, Any] = report._asdict()
    values["accuracy"] = report.accuracy if report.n_folds else None
    return json_object(values)
