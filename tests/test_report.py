"""The text and JSON of a fit, from plain arrays."""

import dataclasses
import json

import numpy as np
import pytest

from gmmfast.reporting.report import (
    PYTHON,
    FitReport,
    align,
    fit_as_json,
    fit_as_text,
    significant,
)
from gmmfast.reporting.table import table

pytestmark = [pytest.mark.quick, pytest.mark.plain]

REPORT = FitReport(
    source="data.csv",
    n_rows=100,
    total_weight=100.0,
    names=["height", "mass"],
    covariance_type="full",
    structure="full",
    standardized=False,
    weights=np.array([0.75, 0.25]),
    means=np.array([[1.75, 80.0], [1.5, 50.0]]),
    covariances=np.array([[[0.01, 0.1], [0.1, 64.0]], [[0.02, 0.0], [0.0, 16.0]]]),
    degenerate=np.array([False, False]),
    log_likelihood=-250.0,
    bic=550.123,
    aic=520.0,
    n_iter=7,
    converged=True,
    stop_reason="It converged.",
)


def report_of(n_components, n_features, structure):
    """Report with covariances that are easy to tell apart, and its plain matrices."""
    rng = np.random.default_rng(0)
    shapes = {
        "full": (n_components, n_features, n_features),
        "tied": (n_features, n_features),
        "diag": (n_components, n_features),
        "spherical": (n_components,),
    }
    return dataclasses.replace(
        REPORT,
        names=[f"feature_{j}" for j in range(n_features)],
        covariance_type=structure,
        structure=structure,
        weights=np.full(n_components, 1 / n_components),
        means=rng.standard_normal((n_components, n_features)),
        covariances=rng.uniform(1, 2, shapes[structure]),
        degenerate=np.zeros(n_components, dtype=bool),
    )


def test_fit_as_text__is_what_a_person_reads():
    assert fit_as_text(REPORT).splitlines() == [
        "data.csv: 100 rows, 2 columns; 2 components, full covariance",
        "",
        "component  weight  height    mass",
        "0          0.7500  1.7500  80.000",
        "1          0.2500  1.5000  50.000",
        "",
        "covariance of component 0    height      mass",
        "height                     0.010000   0.10000",
        "mass                       0.10000   64.000",
        "",
        "covariance of component 1    height    mass",
        "height                     0.020000   0",
        "mass                       0         16.000",
        "",
        "log-likelihood  -250.00  (-2.5000 per row)",
        "BIC              550.12  (lower is better)",
        "AIC              520.00  (lower is better)",
        "iterations            7",
        "stopped         It converged.",
    ]


def test_fit_as_text__tells_weights_scaling_and_degenerate_components():
    text = fit_as_text(
        dataclasses.replace(
            REPORT, total_weight=12.5, standardized=True, degenerate=np.array([False, True])
        )
    )
    assert "100 rows of total weight 12.500, 2 columns" in text
    assert "100 rows of total weight 250, 2" in fit_as_text(
        dataclasses.replace(REPORT, total_weight=250.0)
    )
    assert "fitted to standardized columns" in text
    assert "(-20.000 per unit of weight)" in text
    assert "degenerate      component 1: " in text and "--reg-covar" in text
    both = fit_as_text(dataclasses.replace(REPORT, degenerate=np.array([True, True])))
    assert "degenerate      components 0, 1: " in both


def test_fit_as_text__weights_have_four_decimals_unless_one_is_small():
    for small, text in ((0.05, "0.0500"), (0.0, "0.0000"), (1.25e-5, "0.00001250")):
        report = dataclasses.replace(REPORT, weights=np.array([1 - small, small]))
        assert fit_as_text(report).splitlines()[4].split()[:2] == ["1", text]


def test_fit_as_text__singular_words():
    report = dataclasses.replace(report_of(1, 1, "full"), n_rows=1, total_weight=1.0)
    assert fit_as_text(report).startswith("data.csv: 1 row, 1 column; 1 component, full")


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(("n_components", "n_features"), [(3, 2), (2, 8), (2, 9), (3, 30), (40, 3)])
def test_fit_as_text__shows_every_spread(structure, n_components, n_features):
    report = report_of(n_components, n_features, structure)
    text = fit_as_text(report)
    covariances = report.covariances
    few = n_features <= 8
    if structure == "spherical":
        shown, whole = covariances, True
    elif structure == "diag":
        shown, whole = covariances if few else np.sqrt(covariances), True
    else:
        matrices = covariances if structure == "full" else covariances[None]
        whole = few and len(matrices) * n_features <= 48
        variances = np.diagonal(matrices, axis1=1, axis2=2)
        shown = matrices if whole else np.sqrt(variances)
    for value in [*shown.ravel(), *report.means.ravel()]:
        assert significant(value) in text
    assert ("--json" in text) is not whole
    assert max(map(len, text.splitlines())) <= 100
    for name in report.names:
        assert name in text


def test_fit_as_json__holds_all_in_plain_values():
    values = json.loads(fit_as_json(REPORT))
    assert values["columns"] == ["height", "mass"]
    assert values["weights"] == [0.75, 0.25]
    assert values["means"] == REPORT.means.tolist()
    assert values["covariances"] == REPORT.covariances.tolist()
    assert values["log_likelihood_per_row"] == -2.5
    assert values["bic"] == 550.123
    assert values["degenerate"] == [False, False]
    assert (values["n_iter"], values["converged"]) == (7, True)
    assert len(fit_as_json(REPORT).splitlines()) == len(values) + 2


def test_fit_as_json__what_is_not_finite_is_null():
    report = dataclasses.replace(REPORT, bic=float("inf"), means=np.full((2, 2), np.nan))
    values = json.loads(fit_as_json(report), parse_constant=pytest.fail)
    assert values["bic"] is None
    assert values["means"] == [[None, None], [None, None]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.0000"),
        (-39.797375, "-39.797"),
        (9.999996, "10.000"),
        (99999.6, "100000"),
        (1234567.0, "1234567"),
        (12345678.0, "1.2346e+07"),
        (0.000123456, "0.00012346"),
        (-1.5e-9, "-1.5000e-09"),
        (np.inf, "inf"),
        (np.nan, "nan"),
    ],
)
def test_significant(value, text):
    assert significant(value) == text


def test_align__points_are_in_one_column():
    cells = align(np.array([123.456, -0.5, 0.0, 250000.0, np.inf, 1e-12]), digits=3)
    assert {len(cell) for cell in cells} == {len(cells[0])}
    points = {cell.index(".") for cell in cells if "." in cell}
    assert len(points) == 1
    assert [cell.strip() for cell in cells] == ["123", "-0.500", "0", "250000", "inf", "1.00e-12"]


def test_table__continues_below_where_it_is_too_wide():
    columns = [(f"c{i}", ["1", "2"]) for i in range(4)]
    assert table("x", ["a", "b"], columns, width=10) == [
        "x  c0  c1",
        "a   1   1",
        "b   2   2",
        "",
        "x  c2  c3",
        "a   1   1",
        "b   2   2",
    ]


def test_table__one_column_is_never_split():
    assert table("x", ["a"], [("long heading", ["1"])], width=5)[0] == "x  long heading"


def test_table__long_names_are_cut():
    name = "a very long name of a column\nin two lines"
    lines = table("x", [name], [("c", ["1"])])
    assert lines[1] == "a very long name of a...  1"


def test_fit_as_text__of_an_estimator_without_rows():
    """What is not known is left out, and advice names parameters in place of options."""
    bare = dataclasses.replace(
        REPORT,
        n_rows=0,
        total_weight=0.0,
        log_likelihood=np.nan,
        degenerate=np.array([True, False]),
    )
    text = fit_as_text(bare, PYTHON)
    assert text.startswith("data.csv: 2 columns; 2 components")
    assert "log-likelihood" not in text and "BIC" not in text and "lower bound" not in text
    assert "raise reg_covar" in text and "--" not in text
    bound = fit_as_text(dataclasses.replace(bare, lower_bound=-2.5, total_weight=12.5), PYTHON)
    assert "lower bound     -2.5000  (per row, before the last M step)" in bound
    assert bound.startswith("data.csv: rows of total weight 12.500, 2 columns")


def test_fit_as_text__in_a_notebook_keeps_lines_and_escapes():
    text = fit_as_text(dataclasses.replace(REPORT, source="<b>&"))
    html = text._repr_html_()
    assert html.startswith("<pre>&lt;b&gt;&amp;: 100 rows") and html.count("\n") == text.count("\n")
