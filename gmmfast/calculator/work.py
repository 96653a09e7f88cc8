"""The work of the worker process: one fit, from a table to everything that the page shows."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numba.core import event
from numpy.typing import NDArray

from gmmfast.calculator.data import Origin
from gmmfast.calculator.reproduce import command_line, python_lines
from gmmfast.calculator.settings import Settings
from gmmfast.calculator.words import Columns, Findings, advice, portraits, sentences
from gmmfast.data.constraints import all_models
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.reporting.outcome import report_of, saved_form
from gmmfast.reporting.report import fit_as_json, fit_as_text, full_matrices
from gmmfast.reporting.scaling import Scaling
from gmmfast.rows.available import without_values
from gmmfast.rows.evaluation import with_noise_marked
from gmmfast.tables import Table

Tell = Callable[[dict[str, Any]], None]

OVERLAP_ROWS = 20_000  # rows to measure overlaps with
TELL_EVERY = 0.1  # seconds


def compute(folder: Path, origin: Origin, settings: Settings, tell: Tell) -> dict[str, Any]:
    """Fit a mixture and write its files.

    Parameters
    ----------
    folder : Path
        Holds ``data.npy``; receives ``model.npz``, ``labels.npy``, ``probabilities.npy`` and
        ``log_densities.npy``.
    origin : Origin
        Origin of the data.
    settings : Settings
        What to fit.
    tell : callable
        Called with the progress of the fit from time to time.

    Returns
    -------
    dict
        Plain values, for JSON.

    Raises
    ------
    ValueError
        If the data and the settings do not match.
    """
    table = _chosen(Table(np.load(folder / "data.npy"), origin.names, origin.has_names), settings)
    most = max(settings.components) if not settings.is_choice else 1
    if len(table.values) < most:
        raise ValueError(
            f"{most} components need at least as many rows; got {len(table.values)}. Lower K."
        )
    scaling = _scaling(table) if settings.standardize else None
    values = table.values if scaling is None else scaling.apply(table.values)
    begin = time.perf_counter()
    with (
        compiling(tell),
        warnings.catch_warnings(record=True),
    ):  # the page has its own words for them
        warnings.simplefilter("always")
        mixture, search = _fit(values, settings, origin.keep_missing, tell)
    seconds = time.perf_counter() - begin
    report = report_of(mixture, values, None, table.names, scaling, origin.source)
    saved = saved_form(report, mixture, scaling, table.values, None, has_names=table.has_names)
    saved.save(folder / "model.npz")
    labels, overlaps = _use(folder, saved, table)
    counted = (labels >= 0) & ~without_values(table.values)
    sizes = np.bincount(labels[counted], minlength=len(report.weights))
    n_parameters = mixture._n_parameters()
    rows = Columns.of(table.values)
    n_incomplete = int(np.isnan(table.values).any(axis=1).sum())
    findings = Findings(report, sizes, overlaps, n_parameters, settings, n_incomplete)
    return {
        "report": json.loads(fit_as_json(report)),
        "text": fit_as_text(report),
        "sizes": sizes.tolist(),
        "sentences": sentences(findings),
        "advice": advice(findings),
        "portraits": portraits(report, rows),
        "overall": {name: value.tolist() for name, value in vars(rows).items()},
        "curve": [float(bound) for bound in saved.lower_bounds_],
        "candidates": None if search is None else search.results_.to_dicts(),
        "criterion": None if search is None else settings.criterion,
        "matrices": full_matrices(report).tolist(),
        "seconds": seconds,
        "python": python_lines(settings, origin, table),
        "command": command_line(settings, origin),
    }


class _Compilations(event.Listener):
    """Tells when code is compiled, which is not so where the cache has it."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._has_told = False

    def on_start(self, event: Any) -> None:
        """Tell, once, and from the thread that tells everything else."""
        if not self._has_told and threading.current_thread() is threading.main_thread():
            self._has_told = True
            self._tell({"compiling": True})

    def on_end(self, event: Any) -> None:
        """Do nothing: the first iteration follows."""


def compiling(tell: Tell) -> AbstractContextManager[Any]:
    """Tell that the first use of code compiles it, if it does."""
    listening: AbstractContextManager[Any] = event.install_listener(
        "numba:compile", _Compilations(tell)
    )
    return listening


def _scaling(table: Table) -> Scaling:
    try:
        return Scaling.of([(table.values, None)], table.names)
    except ValueError as error:
        text = str(error).replace("--standardize", "Standardizing")
        raise ValueError(text.replace(" with --columns", ", or do not standardize")) from None


def _chosen(table: Table, settings: Settings) -> Table:
    order = [table.names.index(name) for name in settings.columns]
    return Table(
        np.ascontiguousarray(table.values[:, order]), list(settings.columns), table.has_names
    )


def _fit(
    values: NDArray[Any], settings: Settings, may_miss: bool, tell: Tell
) -> tuple[GaussianMixture, GaussianMixtureIC | None]:
    common: dict[str, Any] = {
        "tol": settings.tol,
        "max_iter": settings.max_iter,
        "reg_covar": settings.reg_covar,
        "random_state": settings.random_state,
        "acceleration": "auto",
        "prior": "mclust" if settings.prior else None,
        "noise": settings.noise,
        "component": settings.component,
        "missing_values": "marginalize" if may_miss else "raise",
    }
    if not settings.is_choice:
        curve: list[float] = []
        due = [0.0]

        def step(iteration: int, lower_bound: float) -> None:
            curve.append(lower_bound)
            if time.perf_counter() >= due[0]:
                due[0] = time.perf_counter() + TELL_EVERY
                tell({"iteration": iteration, "curve": curve[-500:]})

        mixture = GaussianMixture(
            settings.components[0],
            covariance_type=settings.covariance_type,
            n_init=settings.n_init,
            trim=settings.trim,
            **common,
        )
        return mixture.fit(values, callback=step), None
    types: Any = "all" if settings.covariance_type == "all" else [settings.covariance_type]
    search = GaussianMixtureIC(
        settings.components, covariance_types=types, criterion=settings.criterion, **common
    )
    done = []

    def one_more(fit: Any) -> None:
        done.append(fit.candidate)
        K, name = fit.candidate
        tell({"candidates": len(done), "of": search_size, "last": f"K={K} {name}"})

    n_models = len(all_models(values.shape[1])) if types == "all" else 1
    search_size = len(settings.components) * n_models
    search.fit(values, callback=one_more)
    return search.best_estimator_, search


def _use(
    folder: Path, saved: GaussianMixture, table: Table
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Label the rows and write the files; return the labels, and the overlaps of components."""
    model = copy(saved)
    vars(model).pop("feature_names_in_", None)  # the columns are in order: an array needs no names
    resp, K = model.predict_proba(table.values), len(model.weights_)
    labels = with_noise_marked(resp.argmax(axis=1), K)
    probabilities, log_densities = resp.max(axis=1), model.score_samples(table.values)
    np.save(folder / "labels.npy", labels.astype(np.int16))
    np.save(folder / "probabilities.npy", probabilities)
    np.save(folder / "log_densities.npy", log_densities)
    step = max(1, len(resp) // OVERLAP_ROWS)
    some = np.asarray(resp[::step, :K], np.float64)
    shared = np.array(
        [[np.minimum(some[:, i], some[:, j]).sum() for j in range(K)] for i in range(K)]
    )
    return labels, 2 * shared / np.maximum(some.sum(axis=0)[:, None] + some.sum(axis=0), 1e-300)
