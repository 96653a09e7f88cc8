"""``gmmfast select``."""

import argparse
import json
import sys
from collections.abc import Callable

from gmmfast.cli.data import note, read, source, warnings_as_notes
from gmmfast.cli.fitting import NOT_CONVERGED, may_miss, prior_of, require_rows, resumes
from gmmfast.cli.pictures import draw_criterion, require_picture
from gmmfast.cli.streams import require_model_output
from gmmfast.cli.words import own_warnings
from gmmfast.data.constraints import Criterion, as_list, require_columns
from gmmfast.data.factors import require_factor_model
from gmmfast.data.validation import check_features
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.reporting.outcome import report_of, saved_form
from gmmfast.reporting.report import fit_as_json, fit_as_text
from gmmfast.reporting.scaling import Scaling
from gmmfast.search.best import Best, named
from gmmfast.search.candidates import CandidateFit


def select(arguments: argparse.Namespace) -> int:
    """Fit all candidates, print their ranking and the best, save and draw it."""
    require_model_output(arguments)
    is_resumed = resumes(arguments)
    require_picture(arguments.plot)
    data = read(arguments, arguments.weight_column, may_miss=may_miss(arguments))
    require_columns(as_list(arguments.covariance), len(data.names))
    require_factor_model(arguments.factors, as_list(arguments.covariance))
    require_rows(data, 1, arguments)
    scaling = Scaling.of(data, data.names) if arguments.standardize else None
    search = GaussianMixtureIC()
    rows = data.scaled(scaling)
    if is_resumed:
        search = GaussianMixtureIC.resume(arguments.checkpoint)
        # rows in memory are an array without names, where those in pieces may have them
        check_features(search, getattr(rows, "names", None), search.n_features_in_, reset=True)
    search.set_params(
        n_components=arguments.components,
        covariance_types=arguments.covariance,
        n_factors=arguments.factors or [1],
        criterion=arguments.criterion,
        tol=arguments.tol,
        reg_covar=arguments.reg_covar,
        covariance_ratio=arguments.covariance_ratio,
        noise=arguments.noise,
        noise_volume=arguments.noise_volume,
        component=arguments.component,
        degrees_of_freedom=arguments.degrees_of_freedom,
        max_iter=arguments.max_iter,
        max_seconds=arguments.max_seconds,
        patience=arguments.patience,
        exhaustive=arguments.exhaustive,
        prior=prior_of(arguments),
        missing_values=arguments.missing,
        on_interrupt="keep",
        random_state=arguments.seed,
    )
    with warnings_as_notes(), own_warnings():
        search.fit(
            rows,
            sample_weight=data.weights,
            callback=_printer(arguments.criterion) if arguments.verbose else None,
            progress=sys.stderr.isatty() and not arguments.verbose,
            checkpoint=arguments.checkpoint,
        )
    best = search.best_estimator_
    report = report_of(best, rows, data.weights, data.names, scaling, source(arguments))
    try:
        if arguments.json:
            print(_as_json(search, fit_as_json(report)), flush=True)
        else:
            ranking = search.results_.summary(search.criterion, arguments.best)
            print(ranking, fit_as_text(report), sep="\n\n", flush=True)
    finally:  # whoever reads the output may leave early, as head does
        if arguments.out is not None:
            given = data.rows, data.weights
            saved = saved_form(report, best, scaling, *given, has_names=data.has_names)
            saved.save(arguments.out)
        if arguments.plot is not None:
            draw_criterion(search, arguments.plot)
    if scaling is not None and not arguments.json:
        note("the ranking is of the standardized columns; the best is reported in the data's units")
    if search.interrupted_:
        raise KeyboardInterrupt  # everything is written: end as other commands do
    return NOT_CONVERGED if arguments.strict and not best.converged_ else 0


def _printer(criterion: Criterion) -> Callable[[CandidateFit], None]:
    """Return a function that prints a line about a candidate, and the best one so far."""
    best = Best(criterion)

    def print_line(fit: CandidateFit) -> None:
        best.add(fit)
        outcome = fit.failure or f"log-likelihood {fit.log_likelihood:.2f}"
        line = f"{named(fit.candidate)}: {outcome} ({fit.seconds:.2f} s); {best}"
        print(line, file=sys.stderr)

    return print_line


def _as_json(search: GaussianMixtureIC, best: str) -> str:
    """One object: the criterion, all candidates, and the best fit as by ``fit --json``."""
    rows = ",\n".join(f"    {json.dumps(one)}" for one in search.results_.to_dicts())
    inner = best.replace("\n", "\n  ")
    criterion = json.dumps(search.criterion)
    return (
        f'{{\n  "criterion": {criterion},\n  "candidates": [\n{rows}\n  ],\n  "best": {inner}\n}}'
    )
