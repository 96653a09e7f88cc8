"""``gmmfast fit``."""

import argparse
import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gmmfast.cli.data import Data, note, read, source, warnings_as_notes
from gmmfast.cli.pictures import draw_components, require_picture
from gmmfast.cli.streams import require_model_output
from gmmfast.cli.words import OPTIONS, own_warnings
from gmmfast.data.constraints import FACTOR_MODELS, require_columns
from gmmfast.data.factors import require_factor_model
from gmmfast.data.prior import Prior
from gmmfast.data.validation import check_features
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.inference import Bootstrap, bootstrap
from gmmfast.reporting.outcome import report_of, saved_form
from gmmfast.reporting.report import fit_as_json, fit_as_text
from gmmfast.reporting.scaling import Scaling
from gmmfast.rows.sources import Chunks
from gmmfast.tables import require_writable

NOT_CONVERGED = 3  # exit code of --strict


def fit(arguments: argparse.Namespace) -> int:
    """Fit a mixture of a given number of components, print and save it; return the exit code."""
    require_model_output(arguments)
    is_resumed = resumes(arguments)
    require_picture(arguments.plot)
    require_bootstrap(arguments)
    if arguments.components is None and arguments.init_labels is None:
        raise ValueError(
            "-k/--components is required, the number of components; or --init-labels, a column of "
            "labels (see gmmfast fit --help)"
        )
    columns = arguments.weight_column, arguments.init_labels
    data = read(arguments, *columns, may_miss=may_miss(arguments))
    require_columns([arguments.covariance], len(data.names))
    require_factor_model(arguments.factors, [arguments.covariance])
    if arguments.bootstrap is not None and not isinstance(data.rows, np.ndarray):
        raise ValueError(
            "--bootstrap needs rows in memory, and these are read in pieces. Fit a sample of them, "
            "or leave it out."
        )
    n_components, groups, labels = _groups(data, arguments)
    require_rows(data, n_components, arguments)
    scaling = Scaling.of(data, data.names) if arguments.standardize else None
    settings = {
        "n_components": n_components,
        "covariance_type": arguments.covariance,
        "n_factors": arguments.factors or 1,
        "tol": arguments.tol,
        "max_iter": arguments.max_iter,
        "n_init": arguments.n_init,
        "init_params": arguments.init,
        "reg_covar": arguments.reg_covar,
        "covariance_ratio": arguments.covariance_ratio,
        "noise": arguments.noise,
        "noise_volume": arguments.noise_volume,
        "component": arguments.component,
        "degrees_of_freedom": arguments.degrees_of_freedom,
        "trim": arguments.trim,
        "missing_values": arguments.missing,
        "random_state": arguments.seed,
        "acceleration": "auto",
        "prior": prior_of(arguments),
    }
    model = GaussianMixture(**settings)
    if labels is not None:
        model.set_params(init_params=labels)
    rows = data.scaled(scaling)
    if is_resumed:
        model = _resumed(arguments.checkpoint, settings)
        # rows in memory are an array without names, where those in pieces may have them
        check_features(model, getattr(rows, "names", None), model.n_features_in_, reset=True)
    model.set_params(verbose=2 if arguments.verbose else 0, verbose_interval=1)
    # iterations are printed to stdout, which is for results
    with warnings_as_notes(), own_warnings(), contextlib.redirect_stdout(sys.stderr):
        model.fit(
            rows,
            sample_weight=data.weights,
            progress=sys.stderr.isatty() and not arguments.verbose,
            checkpoint=arguments.checkpoint,
        )
    result = model, rows, data.weights, data.names, scaling
    report = report_of(*result, source(arguments), groups)
    if arguments.bootstrap is not None:
        try:
            report = replace(report, bootstrap=_bootstrap(model, data, arguments))
        except ValueError as error:  # the fit itself is not lost
            note(f"no standard errors: {error}")
    try:
        print(fit_as_json(report) if arguments.json else fit_as_text(report), flush=True)
    finally:  # whoever reads the output may leave early, as head does
        given = data.rows, data.weights
        saved = saved_form(report, model, scaling, *given, has_names=data.has_names)
        if arguments.out is not None:
            saved.save(arguments.out)
        if arguments.plot is not None:
            in_memory = None if isinstance(data.rows, Chunks) else data.rows
            draw_components(saved, in_memory, arguments.plot)
    return NOT_CONVERGED if arguments.strict and not model.converged_ else 0


def require_bootstrap(arguments: argparse.Namespace) -> None:
    """Raise ValueError, before the fit, for a bootstrap that the other options rule out."""
    if arguments.bootstrap is None:
        return
    if arguments.bootstrap < 2:
        raise ValueError(
            f"--bootstrap needs at least 2 replicates; got {arguments.bootstrap}. Use 999, for "
            "standard errors that are accurate to 2 percent."
        )
    if arguments.standardize:
        raise ValueError(
            "--bootstrap gives standard errors in the units of the fit, which --standardize "
            "changes. Leave out one of the two."
        )
    if arguments.covariance in FACTOR_MODELS:
        raise ValueError(
            "--bootstrap has no intervals for loadings, which are determined up to rotations; got "
            f"--covariance {arguments.covariance}. Leave out one of the two."
        )
    if arguments.trim or may_miss(arguments):
        option = "--trim" if arguments.trim else "--missing marginalize"
        raise ValueError(
            "--bootstrap needs a fit to all rows, of which none lacks a value; got "
            f"{option}. Leave out one of the two."
        )


def _bootstrap(model: GaussianMixture, data: Data, arguments: argparse.Namespace) -> Bootstrap:
    """Return the bootstrap of a fit, its components in the order of the report."""
    rows: Any = data.rows
    own = bootstrap(
        model,
        rows,
        arguments.bootstrap,
        sample_weight=data.weights,
        random_state=arguments.seed,
        n_jobs=arguments.threads,
    )
    named = replace(own, feature_names=data.names)
    return named.reordered(np.argsort(-model.weights_, kind="stable"))


def prior_of(arguments: argparse.Namespace) -> Prior | Literal["mclust"] | None:
    """Return the prior of a fit, from its options."""
    options = {
        "--prior-shrinkage": ("shrinkage", arguments.prior_shrinkage),
        "--prior-dof": ("degrees_of_freedom", arguments.prior_dof),
        "--prior-scale": ("scale", arguments.prior_scale),
        "--prior-concentration": ("concentration", arguments.prior_concentration),
    }
    given = {option: own for option, own in options.items() if own[1] is not None}
    if arguments.prior is None and given:
        raise ValueError(f"{next(iter(given))} needs --prior mclust, whose number it replaces.")
    return Prior(**dict(given.values())) if given else arguments.prior


def may_miss(arguments: argparse.Namespace) -> bool:
    """Whether the rows to fit may lack values."""
    found = bool(arguments.missing == "marginalize")
    if found and arguments.drop_missing:
        raise ValueError(
            "--drop-missing leaves out the rows that --missing marginalize would fit. Use one of "
            "the two."
        )
    return found


def resumes(arguments: argparse.Namespace) -> bool:
    """Whether there is something to resume; an existing file is not overwritten by accident."""
    path = arguments.checkpoint
    if path is None:
        if arguments.resume:
            raise ValueError("--resume needs a --checkpoint to resume from.")
        return False
    require_writable(path, (".npz",))
    if path.exists() and not arguments.resume:
        raise ValueError(
            f"{path}: the checkpoint exists already. Resume from it with --resume, or remove it."
        )
    return bool(path.exists())


def _resumed(path: Path, settings: dict[str, Any]) -> GaussianMixture:
    """Resume a fit, whose options must be the same; only the iterations may differ."""
    model = GaussianMixture.resume(path)
    for name, value in settings.items():
        if name != "max_iter" and getattr(model, name) != value:
            option, before = OPTIONS.get(name, name), getattr(model, name)
            raise ValueError(
                f"{path}: the checkpoint is of a fit with {option} {before}; got {value}. "
                "Use the same options, or another --checkpoint."
            )
    return model.set_params(max_iter=settings["max_iter"])


def _groups(
    data: Data, arguments: argparse.Namespace
) -> tuple[int, NDArray[Any], NDArray[np.intp] | None]:
    """Return K; and where a column of labels names groups, these and the labels as integers."""
    if data.labels is None:
        return arguments.components, np.empty(0, str), None
    names, labels = np.unique(data.labels, return_inverse=True)
    if arguments.components not in (None, len(names)):
        shown = ", ".join(map(str, names[:5])) + ", ..." * (len(names) > 5)
        raise ValueError(
            f"{source(arguments)}: -k {arguments.components}, but column {arguments.init_labels!r} "
            f"has {len(names)} different labels ({shown}). Leave out -k, or change the labels."
        )
    return len(names), names, labels


def require_rows(data: Data, n_components: int, arguments: argparse.Namespace) -> None:
    """Raise ValueError for fewer than two rows, or fewer than components."""
    if isinstance(data.rows, Chunks):
        return  # their number is not known before the fit has read them
    if len(data.rows) < 2:
        raise ValueError(f"{source(arguments)}: a fit needs at least two rows; got 1.")
    n_rows = len(data.rows) if data.weights is None else int(np.count_nonzero(data.weights))
    if 1 < n_rows < n_components:
        raise ValueError(
            f"{source(arguments)}: -k {n_components} components need at least as many "
            f"rows; got {n_rows}. Lower -k."
        )
