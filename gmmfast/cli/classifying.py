"""``gmmfast classify``."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.cli import values
from gmmfast.cli.data import Data, note, read, source, warnings_as_notes
from gmmfast.cli.words import own_warnings
from gmmfast.data.classes import UNKNOWN, stratified_folds
from gmmfast.data.constraints import COVARIANCE_TYPES, FACTOR_MODELS, require_columns
from gmmfast.data.factors import require_factor_model
from gmmfast.estimators.classifier import KINDS, GaussianMixtureClassifier
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.reporting.classes import ClassReport, classes_as_json, classes_as_text
from gmmfast.tables import WRITE_SUFFIXES, require_writable, write_table
from gmmfast.tables.base import free_name

MOST = 5  # components per class that are tried


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("--target", metavar="NAME", required=True, help="column of the classes, no feature")
    help = "a mixture per class, or one component per class with shared structure (mclustda)"
    add("--kind", choices=KINDS, default="mclustda", help=help)
    help = f"components per class (the best of 1 to {MOST} by BIC, under mclust's prior)"
    add("-k", "--components", type=values.positive, metavar="K", help=help)
    help = "covariance model (the best by BIC)"
    add("--covariance", choices=COVARIANCE_TYPES, metavar="MODEL", help=help)
    help = "numbers of factors to try with --covariance factor or factor-tied (1)"
    add("--factors", type=values.factors, metavar="A:B", help=help)
    add("--reg-covar", type=float, default=0.0, metavar="R", help="added to variances (0)")
    help = "folds of cross-validation, 0 for none (5)"
    add("--folds", type=values.whole, default=5, metavar="N", help=help)
    add("--seed", type=values.seed, default=0, help="seed of the starts and the folds (0)")
    add("--weight-column", metavar="NAME", help="column with the weight of each row")
    add("--test", type=Path, metavar="FILE", help="label the rows of this file")
    help = "with --test: write classes and probabilities to this file"
    add("--out", type=Path, metavar="FILE", help=help)
    add("--json", action="store_true", help="print JSON instead of tables")


def classify(arguments: argparse.Namespace) -> None:
    """Fit a classifier, print its accuracy and its mixtures, and label other rows."""
    _require_possible(arguments)
    data = read(arguments, arguments.weight_column, arguments.target)
    assert isinstance(data.rows, np.ndarray) and data.labels is not None
    if arguments.covariance is not None:
        require_columns([arguments.covariance], len(data.names))
    require_factor_model(arguments.factors, [arguments.covariance or "all"])
    labels, origin = _labels(data.labels, arguments), source(arguments)
    model = _classifier(arguments)
    with warnings_as_notes(), own_warnings():
        try:
            model.fit(data.rows, labels, data.weights)
        except ValueError as error:
            raise ValueError(f"{origin}: {error}") from error
        accuracy = _cross_validated(model, data, labels, arguments)
    report = _report(model, data, labels, arguments, accuracy)
    print(classes_as_json(report) if arguments.json else classes_as_text(report), flush=True)
    if arguments.test is not None:
        write_table(arguments.out, _labeled(model, data.names, arguments))


def _require_possible(arguments: argparse.Namespace) -> None:
    if (arguments.test is None) != (arguments.out is None):
        raise ValueError(
            "--test names the rows to label, and --out the file for their classes: use both or "
            "neither."
        )
    if arguments.out is not None:
        require_writable(arguments.out, WRITE_SUFFIXES)
    if arguments.folds < 0 or arguments.folds == 1:
        raise ValueError(f"--folds must be at least 2, or 0 for none; got {arguments.folds}.")
    if arguments.kind == "edda" and arguments.components not in (None, 1):
        raise ValueError(
            f"--kind edda has one component per class; got -k {arguments.components}. Leave it "
            "out, or use --kind mclustda."
        )


def _classifier(arguments: argparse.Namespace) -> GaussianMixtureClassifier:
    """Return the classifier that the options describe."""
    counts: Any = range(1, MOST + 1) if arguments.components is None else arguments.components
    types: Any = "all" if arguments.covariance is None else [arguments.covariance]
    own: dict[str, Any] = {"reg_covar": arguments.reg_covar, "random_state": arguments.seed}
    if arguments.kind == "mclustda" and arguments.covariance not in FACTOR_MODELS:
        own["prior"] = "mclust"
    n_factors = arguments.factors or [1]
    search = GaussianMixtureIC(counts, covariance_types=types, n_factors=n_factors, **own)
    return GaussianMixtureClassifier(search, kind=arguments.kind)


def _labels(labels: NDArray[Any], arguments: argparse.Namespace) -> NDArray[Any]:
    """Return text, or whole numbers."""
    if labels.dtype.kind != "f":
        return labels
    whole = labels == np.floor(labels)
    if not whole.all():
        raise ValueError(
            f"{source(arguments)}: --target {arguments.target} must hold classes, as text or whole "
            f"numbers; got {labels[whole.argmin()]:g} in row {whole.argmin() + 1}."
        )
    return labels.astype(np.int64)


def _cross_validated(
    model: GaussianMixtureClassifier,
    data: Data,
    labels: NDArray[Any],
    arguments: argparse.Namespace,
) -> float:
    """Return the accuracy of held-out rows of known class; NaN where there are too few rows."""
    rows, known = np.asarray(data.rows), np.isin(labels, model.classes_)
    counts = np.unique(labels[known], return_counts=True)[1]
    if not arguments.folds:
        return float("nan")
    least = arguments.folds * (1 if arguments.kind == "edda" else 2)
    if counts.min() < least:
        note(
            f"no cross-validation: {arguments.folds} folds need at least {least} rows of each "
            f"class, and one has {counts.min()}; use --folds for fewer"
        )
        return float("nan")
    numbers = np.where(known, np.searchsorted(model.classes_, labels), -1)
    folds = stratified_folds(numbers, arguments.folds, np.random.default_rng(arguments.seed))
    weights = np.ones(len(rows)) if data.weights is None else data.weights
    right = np.zeros(len(rows), bool)
    for fold in range(arguments.folds):
        held = known & (folds == fold)
        part = _classifier(arguments)
        try:
            part.fit(rows[~held], labels[~held], weights[~held])
        except ValueError as error:
            note(f"no cross-validation: without fold {fold + 1}, {error}")
            return float("nan")
        right[held] = part.predict(rows[held]) == labels[held]
    return float(np.average(right[known], weights=weights[known]))


def _report(
    model: GaussianMixtureClassifier,
    data: Data,
    labels: NDArray[Any],
    arguments: argparse.Namespace,
    accuracy: float,
) -> ClassReport:
    rows, known = np.asarray(data.rows), np.isin(labels, model.classes_)
    weights = None if data.weights is None else data.weights[known]
    mixtures: list[GaussianMixture] = model.mixtures_
    unknown = int(np.count_nonzero(~known & (labels == UNKNOWN))) if not known.all() else 0
    if unknown:
        note(f"{unknown} rows have the label -1: their class is unknown, and EM estimates it")
    return ClassReport(
        source=source(arguments),
        target=arguments.target,
        kind=arguments.kind,
        n_rows=len(rows),
        columns=data.names,
        classes=[str(label) for label in model.classes_],
        counts=[int(np.count_nonzero(labels == label)) for label in model.classes_],
        priors=model.priors_.tolist(),
        n_components=[len(mixture.weights_) for mixture in mixtures],
        covariances=[mixture.covariance_type for mixture in mixtures],
        n_folds=0 if np.isnan(accuracy) else arguments.folds,
        accuracy=accuracy,
        accuracy_of_fit=model.score(rows[known], labels[known], weights),
        log_likelihood=model.log_likelihood_,
        n_parameters=model.n_parameters_,
        bic=model.bic_,
    )


def _labeled(
    model: GaussianMixtureClassifier, names: list[str], arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield numbers of rows, ids, classes and their probabilities, some rows at a time."""
    own = {"data": [arguments.test], "columns": names, "exclude": [], "keep": [], "keep_all": False}
    for part in read(argparse.Namespace(**(vars(arguments) | own))).parts():
        resp, first = model.predict_proba(part.X), part.first + 1
        numbers = np.arange(first, first + len(part.X)) if part.rows is None else part.rows
        columns: dict[str, Any] = {"row": numbers}
        found = {"class": model.classes_[resp.argmax(axis=1)]}
        found |= {f"probability_{c}": p for c, p in zip(model.classes_, resp.T, strict=True)}
        for name, cells in (*part.kept.items(), *found.items()):
            columns[free_name(name, columns)] = cells
        yield columns
