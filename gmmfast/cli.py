"""The command ``gmmfast``: fit a mixture to a file, and use a fitted one.

Results go to standard output, everything else to standard error. Exit codes: 0, 2 for an error
that one line explains, 130 when interrupted, 141 when the reader of the output has gone.
"""

import _thread
import argparse
import contextlib
import csv
import os
import platform
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from gmmfast import __version__
from gmmfast.datasets import load_customers, load_sensors
from gmmfast.kernels.options import describe, is_cached
from gmmfast.mixture import GaussianMixture
from gmmfast.persistence import load
from gmmfast.report import FitReport, fit_as_json, fit_as_text
from gmmfast.scaling import Scaling
from gmmfast.tables import (
    WRITE_SUFFIXES,
    Table,
    column_names,
    read_table,
    require_writable,
    write_csv,
    write_table,
)

__all__ = ["main"]

COVARIANCES = ("full", "tied", "diag", "spherical")
STARTS = ("kmeans", "k-means++", "random", "random_from_data")
EXAMPLES = {"customers": load_customers, "sensors": load_sensors}

Array = NDArray[np.floating[Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    try:
        with _interrupts_in_compiler():
            try:
                arguments = _parser().parse_args(argv)
                arguments.run(arguments)
                code = 0
            except SystemExit as stop:  # --help and --version
                code = int(stop.code or 0)
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        print("gmmfast: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _discard_output()
        return 141
    except (ValueError, OSError, ImportError, MemoryError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"gmmfast: error: {text}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _interrupts_in_compiler() -> Iterator[None]:
    """Repeat an interrupt that came in a callback of the compiler, where it would be dropped."""
    hook = sys.unraisablehook

    def repeat(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            threading.Timer(0.01, _thread.interrupt_main).start()  # once the callback is left
        else:
            hook(unraisable)

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _discard_output() -> None:
    """Send what is still in the buffer of stdout nowhere, so that the exit is silent."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


# Arguments


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, told like all others."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gmmfast",
        description="Fit Gaussian mixtures to the rows of a file, and use fitted ones.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gmmfast {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_fit(commands)
    _add_predict(commands)
    _add_score(commands)
    _add_sample(commands)
    info = _add_command(commands, "info", "show versions, threads and folders", _info)
    info.epilog = "Please add its output to a bug report."
    _add_command(commands, "warmup", "compile everything now, so that no later run has to", _warmup)
    return parser


def _add_command(commands: Any, name: str, help: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(run=run)
    return parser


def _add_fit(commands: Any) -> None:
    parser = _add_command(commands, "fit", "fit a mixture and print what it found", _fit)
    _add_data(parser)
    add = parser.add_argument
    add("-k", "--components", type=int, required=True, metavar="K", help="number of components")
    add("--covariance", choices=COVARIANCES, default="full", help="covariance model (full)")
    add(
        "--tol",
        type=float,
        default=1e-3,
        help="stop when the mean log density changes by less (1e-3)",
    )
    add("--max-iter", type=int, default=100, metavar="N", help="stop after N iterations (100)")
    add("--n-init", type=int, default=1, metavar="N", help="keep the best of N starts (1)")
    add("--init", choices=STARTS, default="kmeans", help="how to start (kmeans)")
    add("--reg-covar", type=float, default=1e-6, metavar="R", help="added to variances (1e-6)")
    add("--standardize", action="store_true", help="fit to columns of mean 0 and sd 1")
    add("--seed", type=_seed, default=0, help="seed of the random starts (0)")
    add("--weight-column", metavar="NAME", help="column with the weight of each row")
    add("--out", type=Path, metavar="MODEL.npz", help="save the model here")
    add("--json", action="store_true", help="print JSON instead of tables")


def _add_predict(commands: Any) -> None:
    parser = _add_command(commands, "predict", "label rows and give probabilities", _predict)
    _add_model(parser)
    _add_data(parser)
    _add_output(parser)


def _add_score(commands: Any) -> None:
    parser = _add_command(commands, "score", "give the log density of each row", _score)
    _add_model(parser)
    _add_data(parser)
    parser.add_argument(
        "--outliers", type=_fraction, metavar="F", help="flag this fraction of least likely rows"
    )
    _add_output(parser)


def _add_sample(commands: Any) -> None:
    parser = _add_command(commands, "sample", "draw rows from a model", _sample)
    _add_model(parser)
    parser.add_argument("-n", "--rows", type=_positive, default=1, metavar="N", help="rows (1)")
    parser.add_argument("--seed", type=_seed, default=0, help="seed of the random numbers (0)")
    parser.add_argument("--labels", action="store_true", help="add a column with the component")
    _add_output(parser)


def _add_data(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("data", nargs="?", type=Path, help=".csv, .tsv, .npy, .parquet, .feather or .arrow")
    add("--example", choices=tuple(EXAMPLES), help="bundled data instead of a file")
    add("--columns", type=_names, metavar="A,B", help="use these columns only")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="model file of: gmmfast fit --out")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write to this .csv, .tsv or .npy, not to stdout"
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([text]), [])]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {text}")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 1 << 32:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 4294967295; got {text}")
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1; got {text}")
    return number


# Data


def _read(arguments: argparse.Namespace, weight_column: str | None = None) -> Table:
    """Read the table that `data`, `--example`, `--columns` and `--weight-column` name."""
    columns: list[str] | None = arguments.columns
    path = _data_path(arguments)
    if path is not None:
        return read_table(path, columns, weight_column)
    example = EXAMPLES[arguments.example]()
    names = example.feature_names
    picked = names if columns is None else columns
    for name in picked:
        if name not in names:
            raise ValueError(f"There is no column {name!r}; the columns are {', '.join(names)}.")
    if weight_column is not None:
        raise ValueError("--weight-column needs a data file; the examples have no weights.")
    return Table(example.data[:, [names.index(name) for name in picked]], picked)


def _data_path(arguments: argparse.Namespace) -> Path | None:
    """Path of the data file, None for an example."""
    path: Path | None = arguments.data
    if (path is None) == (arguments.example is None):
        given = "neither" if path is None else "both"
        raise ValueError(f"Name a data file or an --example, one of the two; got {given}.")
    return path


def _source(arguments: argparse.Namespace) -> str:
    return str(arguments.data or arguments.example)


def _read_for(model: GaussianMixture, arguments: argparse.Namespace) -> Array:
    """Rows in the order of the model's features: by name where both have names."""
    expected = _feature_names(model)
    if arguments.columns is None and expected:
        path = _data_path(arguments)
        there = _read(arguments).names if path is None else column_names(path, expected)
        if there is not None:
            missing = [name for name in expected if name not in there]
            if missing:
                raise ValueError(
                    f"{_source(arguments)}: the model needs the columns {', '.join(expected)}; "
                    f"missing: {', '.join(missing)}. "
                    "Rename the columns, or choose others with --columns."
                )
            arguments.columns = expected
    values = _read(arguments).values
    n_features = model.means_.shape[1]
    if values.shape[1] != n_features:
        raise ValueError(
            f"{_source(arguments)}: the model was fitted to {n_features} columns; "
            f"got {values.shape[1]}. Choose the columns with --columns."
        )
    return values


def _feature_names(model: GaussianMixture) -> list[str]:
    """Names of the model's features; empty where it has none."""
    return [str(name) for name in getattr(model, "feature_names_in_", ())]


# Commands


def _fit(arguments: argparse.Namespace) -> None:
    if arguments.out is not None:
        require_writable(arguments.out, (".npz",))
    table = _read(arguments, arguments.weight_column)
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
    _announce_compilation()
    with _warnings_as_notes():
        model.fit(values, sample_weight=table.weights, progress=sys.stderr.isatty())
    report = _report(model, values, table, scaling, arguments)
    if arguments.out is not None:
        _saved_form(report, model, scaling, table).save(arguments.out)
    print(fit_as_json(report) if arguments.json else fit_as_text(report))


def _require_rows(table: Table, arguments: argparse.Namespace) -> None:
    weights = table.weights
    n_rows = len(table.values) if weights is None else int(np.count_nonzero(weights))
    if 1 < n_rows < arguments.components:
        raise ValueError(
            f"{_source(arguments)}: -k {arguments.components} components need at least as many "
            f"rows; got {n_rows}. Lower -k."
        )


def _report(
    model: GaussianMixture,
    values: Array,
    table: Table,
    scaling: Scaling | None,
    arguments: argparse.Namespace,
) -> FitReport:
    """Take the results from the model, in the units of the data, heaviest component first."""
    order = np.argsort(-model.weights_, kind="stable")
    structure = arguments.covariance
    means = model.means_[order]
    covariances = model.covariances_ if structure == "tied" else model.covariances_[order]
    weights = table.weights
    total = float(len(values)) if weights is None else float(weights.sum(dtype=np.float64))
    shift = 0.0
    if scaling is not None:
        means = scaling.means(means)
        structure, covariances = scaling.covariances(structure, covariances)
        shift = total * scaling.log_volume()
    return FitReport(
        source=_source(arguments),
        n_rows=len(values),
        total_weight=total,
        names=table.names,
        covariance_type=arguments.covariance,
        structure=structure,
        standardized=scaling is not None,
        weights=model.weights_[order],
        means=means,
        covariances=covariances,
        degenerate=model.degenerate_[order],
        log_likelihood=float(model.score(values, sample_weight=weights)) * total - shift,
        bic=float(model.bic(values, sample_weight=weights)) + 2 * shift,
        aic=float(model.aic(values, sample_weight=weights)) + 2 * shift,
        n_iter=int(model.n_iter_),
        converged=bool(model.converged_),
        stop_reason=str(model.stop_reason_),
    )


def _saved_form(
    report: FitReport, model: GaussianMixture, scaling: Scaling | None, table: Table
) -> GaussianMixture:
    """Make the mixture of the report, which remembers how the fit went."""
    mixture = GaussianMixture.from_parameters(
        report.weights,
        report.means,
        report.covariances,
        covariance_type=report.structure,
        feature_names=table.names if table.has_names else None,
    )
    shift = 0.0 if scaling is None else scaling.log_volume()
    mixture.degenerate_ = report.degenerate
    mixture.converged_ = report.converged
    mixture.stop_reason_ = report.stop_reason
    mixture.n_iter_ = report.n_iter
    mixture.lower_bounds_ = [float(bound) - shift for bound in model.lower_bounds_]
    mixture.lower_bound_ = float(model.lower_bound_) - shift
    return mixture


def _predict(arguments: argparse.Namespace) -> None:
    model, values = _open(arguments)
    columns: dict[str, NDArray[Any]] = {"label": model.predict(values)}
    probabilities = model.predict_proba(values)
    for k in range(probabilities.shape[1]):
        columns[f"probability_{k}"] = probabilities[:, k]
    _write(columns, arguments.out)


def _score(arguments: argparse.Namespace) -> None:
    model, values = _open(arguments)
    densities = model.score_samples(values)
    columns: dict[str, NDArray[Any]] = {
        "row": np.arange(1, len(densities) + 1),
        "log_density": densities,
    }
    note = None
    if arguments.outliers is not None:
        count = max(1, round(arguments.outliers * len(densities)))
        cut = np.partition(densities, count - 1)[count - 1]
        flagged = densities <= cut
        columns["outlier"] = flagged.astype(np.int8)
        note = f"{flagged.sum()} of {len(densities)} rows have a log density of {cut:.5g} or less"
    _write(columns, arguments.out)
    if note is not None:
        _note(note)


def _sample(arguments: argparse.Namespace) -> None:
    if arguments.out is not None:
        require_writable(arguments.out, WRITE_SUFFIXES)
    model = load(arguments.model).set_params(random_state=arguments.seed)
    rows, labels = model.sample(arguments.rows)
    names = _feature_names(model) or [f"x{j + 1}" for j in range(rows.shape[1])]
    columns: dict[str, NDArray[Any]] = {name: rows[:, j] for j, name in enumerate(names)}
    if arguments.labels:
        name = "component"
        while name in columns:
            name += "_"
        columns[name] = labels
    _write(columns, arguments.out)


def _open(arguments: argparse.Namespace) -> tuple[GaussianMixture, Array]:
    """Model and rows of a command that applies one to the other."""
    if arguments.out is not None:
        require_writable(arguments.out, WRITE_SUFFIXES)
    model = load(arguments.model)
    values = _read_for(model, arguments)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # the columns are in order: an array needs no names
    _announce_compilation()
    return model, values


def _write(columns: Mapping[str, NDArray[Any]], out: Path | None) -> None:
    if out is None:
        write_csv(sys.stdout, columns)
    else:
        write_table(out, columns)


def _info(arguments: argparse.Namespace) -> None:
    facts = {
        "gmmfast": __version__,
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "llvmlite")},
        **describe(),
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")


def _warmup(arguments: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.standard_normal((20_000, 2)) + centre for centre in (0.0, 9.0)])
    begin = time.perf_counter()
    for covariance in COVARIANCES:
        for dtype in (np.float64, np.float32):
            start = time.perf_counter()
            values = rows.astype(dtype)
            for n_jobs in (None, 1):  # the parallel kernels, and those of a thread of its own
                model = GaussianMixture(
                    2, covariance_type=covariance, random_state=0, n_jobs=n_jobs
                ).fit(values)
                model.predict(values)
                model.predict_proba(values)
                model.score_samples(values)
            seconds = time.perf_counter() - start
            print(f"{covariance:<10} {np.dtype(dtype).name:<8} {seconds:6.1f} s", flush=True)
    print(f"{'all':<19} {time.perf_counter() - begin:6.1f} s")


# Messages


def _note(text: str) -> None:
    print(f"gmmfast: note: {' '.join(text.split())}", file=sys.stderr)


def _announce_compilation() -> None:
    if not is_cached():
        _note("compiling once for this machine, which can take 20 seconds ...")


@contextlib.contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Tell warnings in one line each, without a place in the source."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        _note(text)
