"""``gmmfast fit``."""

import argparse
import sys

import numpy as np

from gmmfast.cli.data import announce_compilation, read, source, warnings_as_notes
from gmmfast.mixture import GaussianMixture
from gmmfast.outcome import report_of, saved_form
from gmmfast.report import fit_as_json, fit_as_text
from gmmfast.scaling import Scaling
from gmmfast.tables import Table, require_writable


def fit(arguments: argparse.Namespace) -> None:
    """Fit a mixture of a given number of components, print and save it."""
    if arguments.out is not None:
        require_writable(arguments.out, (".npz",))
    table = read(arguments, arguments.weight_column)
    _require_rows(table, arguments)
    scaling = Scaling.of(table) if arguments.standardize else None
    model = GaussianMixture(
        arguments.components,
        covariance_type=arguments.covariance,
        tol=arguments.tol,
        max_iter=arguments.max_iter,
        n_init=arguments.n_init,
        init_params=arguments.init,
        reg_covar=arguments.reg_covar,
        random_state=arguments.seed,
        acceleration="auto",
    )
    values = table.values if scaling is None else scaling.apply(table.values)
    announce_compilation()
    with warnings_as_notes():
        model.fit(values, sample_weight=table.weights, progress=sys.stderr.isatty())
    report = report_of(model, values, table, scaling, source(arguments))
    if arguments.out is not None:
        saved_form(report, model, scaling, table).save(arguments.out)
    print(fit_as_json(report) if arguments.json else fit_as_text(report))


def _require_rows(table: Table, arguments: argparse.Namespace) -> None:
    weights = table.weights
    n_rows = len(table.values) if weights is None else int(np.count_nonzero(weights))
    if 1 < n_rows < arguments.components:
        raise ValueError(
            f"{source(arguments)}: -k {arguments.components} components need at least as many "
            f"rows; got {n_rows}. Lower -k."
        )
