"""Arguments of the commands."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from gmmfast.calculator.launch import PORT
from gmmfast.cli import (
    calculating,
    classifying,
    completing,
    fitting,
    machine,
    models,
    selecting,
    using,
    values,
)
from gmmfast.cli.streams import STANDARD
from gmmfast.data.constraints import (
    COMPONENTS,
    COVARIANCE_TYPES,
    CRITERIA,
    KINDS,
    MISSING,
    STARTS,
)
from gmmfast.data.paths import require_apart
from gmmfast.datasets import EXAMPLES
from gmmfast.files.exports import EXPORTS
from gmmfast.tables import COMPRESSIONS, READ_SUFFIXES, WRITE_SUFFIXES, files_of
from gmmfast.version import __version__

DATA = (
    "files (.csv, .tsv, .txt, also compressed; .xlsx, .npy, .parquet, .feather, .arrow), a folder, "
    "a pattern such as 'data/*.csv', or - for standard input; several are one table"
)
COMPRESSED = tuple(f"csv{suffix}" for suffix in COMPRESSIONS)
FORMATS = (*(suffix[1:] for suffix in READ_SUFFIXES), *COMPRESSED)
OUTPUTS = tuple(suffix[1:] for suffix in WRITE_SUFFIXES)

WRITTEN = ("out", "plot", "checkpoint")  # options for files


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, printed like all others."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; its result has `run`, the command's function."""
    parser = _Parser(
        prog="gmmfast",
        description="Fit Gaussian mixtures to the rows of a file, and use fitted ones.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gmmfast {__version__}")
    parser.set_defaults(run=lambda arguments: parser.print_help())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_fit(commands)
    _add_select(commands)
    _add_predict(commands)
    _add_score(commands)
    _add_impute(commands)
    _add_sample(commands)
    _add_classify(commands)
    _add_calculator(commands)
    _add_info(commands)
    _add_export(commands)
    help = "compile everything now, so that no later run has to"
    _add_command(commands, "warmup", help, machine.warmup)
    help = "print the script with which a shell completes gmmfast commands"
    completion = _add_command(commands, "completion", help, completing.complete)
    completion.add_argument("shell", choices=completing.SHELLS)
    completion.set_defaults(whole=parser)
    return parser


def require_files_apart(arguments: argparse.Namespace) -> None:
    """Raise ValueError if a command would overwrite its input, or write one file twice.

    Standard output may have been redirected to one of the command's files.
    """
    data = [each for path in getattr(arguments, "data", None) or () for each in _files(path)]
    read = {"the model": getattr(arguments, "model", None)}
    read["the rows of --test"] = getattr(arguments, "test", None)
    read |= {f"the data ({path})" if i else "the data": path for i, path in enumerate(data)}
    written = {f"--{name}": getattr(arguments, name, None) for name in WRITTEN}
    written = {name: path for name, path in written.items() if path != STANDARD}
    require_apart(read, written | {"standard output": Path("/dev/stdout")})


def _files(path: Path) -> list[Path]:
    """Return a folder, or the files that a pattern matches."""
    return [path] if path.is_dir() else files_of(path)


def _add_command(commands: Any, name: str, help: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(run=run)
    parser.add_argument("--quiet", action="store_true", help="print no notes and no progress")
    return parser


def _add_threads(parser: argparse.ArgumentParser) -> None:
    help = "threads; as many as there are processors by default"
    parser.add_argument("--threads", type=values.positive, metavar="N", help=help)


def _add_prior(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    help = "fit under a prior, so that no component collapses, with mclust's defaults"
    add("--prior", choices=("mclust",), help=help)
    help = "with --prior: rows that the mean of all rows counts for (0.01)"
    add("--prior-shrinkage", type=float, metavar="N", help=help)
    help = "with --prior: degrees of freedom of the covariances (columns + 2)"
    add("--prior-dof", type=float, metavar="N", help=help)
    help = "with --prior: sum of squares it adds per column (from the covariance of the rows)"
    add("--prior-scale", type=float, metavar="S", help=help)
    help = "with --prior: Dirichlet concentration of the weights, at least 1 (1)"
    add("--prior-concentration", type=float, metavar="N", help=help)


def _add_verbose(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument("--verbose", action="store_true", help=help)


def _add_ratio(parser: argparse.ArgumentParser) -> None:
    help = "upper bound (at least 1) on the ratio of the largest variance to the smallest"
    parser.add_argument("--covariance-ratio", type=float, metavar="R", help=help)


def _add_control(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _add_threads(parser)
    _add_verbose(parser, "print rows read, and a line per iteration or candidate, to stderr")
    add("--strict", action="store_true", help="exit with code 3 if the fit has not converged")


def _add_missing(parser: argparse.ArgumentParser) -> None:
    help = "refuse rows with missing values, or fit what is known of them (raise)"
    parser.add_argument("--missing", choices=MISSING, default="raise", help=help)


def _add_fit(commands: Any) -> None:
    parser = _add_command(commands, "fit", "fit a mixture and print what it found", fitting.fit)
    _add_data(parser)
    add = parser.add_argument
    add(
        "-k",
        "--components",
        type=values.whole,
        metavar="K",
        help="number of components; required without --init-labels",
    )
    help = "covariance model; E and V are for one column (full)"
    add("--covariance", choices=COVARIANCE_TYPES, default="full", help=help)
    help = "factors of each component, with --covariance factor or factor-tied (1)"
    add("--factors", type=values.positive, metavar="Q", help=help)
    add(
        "--tol",
        type=float,
        default=1e-3,
        help="stop when the mean log density changes by less (1e-3)",
    )
    add(
        "--max-iter",
        type=values.whole,
        default=100,
        metavar="N",
        help="stop after N iterations (100)",
    )
    add("--n-init", type=values.whole, default=1, metavar="N", help="keep the best of N starts (1)")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--init", choices=STARTS, default="kmeans", help="how to start (kmeans)")
    start.add_argument(
        "--init-labels",
        metavar="NAME",
        help="start from the groups in this column, not a feature; -k is their number",
    )
    add("--reg-covar", type=float, default=1e-6, metavar="R", help="added to variances (1e-6)")
    _add_ratio(parser)
    _add_prior(parser)
    _add_noise(parser)
    _add_tails(parser)
    help = "leave out this share of the rows, the least likely ones (0)"
    add("--trim", type=float, default=0.0, metavar="SHARE", help=help)
    _add_missing(parser)
    add("--standardize", action="store_true", help="fit to columns of mean 0 and sd 1")
    add("--seed", type=values.seed, default=0, help="seed of the random starts (0)")
    add("--weight-column", metavar="NAME", help="column with the weight of each row")
    help = "print standard errors and intervals from N replicates of the rows, such as 999"
    add("--bootstrap", type=values.whole, metavar="N", help=help)
    help = "draw the components over the rows (.png, .svg or .pdf)"
    add("--plot", type=Path, metavar="PICTURE", help=help)
    add("--checkpoint", type=Path, metavar="FILE.npz", help="write checkpoints of the fit here")
    add("--resume", action="store_true", help="resume from --checkpoint, if it exists")
    add("--out", type=Path, metavar="MODEL.npz", help="save the model here")
    add("--json", action="store_true", help="print JSON instead of tables")
    _add_control(parser)


def _add_select(commands: Any) -> None:
    help = "choose the number of components and the covariance model"
    parser = _add_command(commands, "select", help, selecting.select)
    _add_data(parser)
    add = parser.add_argument
    help = "K to try (1:9), or auto: 1, 2, 3 and so on until --patience ends"
    add("-k", "--components", type=values.counts, default="1:9", metavar="A:B", help=help)
    add(
        "--covariance",
        type=values.models,
        default="all",
        metavar="MODELS",
        help=f"models to try, with commas between: {', '.join(COVARIANCE_TYPES)} (all codes; "
        "of one column E and V)",
    )
    help = "numbers of factors to try with factor and factor-tied (1)"
    add("--factors", type=values.factors, metavar="A:B", help=help)
    add("--criterion", choices=CRITERIA, default="bic", help="criterion to minimize (bic)")
    add("--tol", type=float, default=1e-6, help="stop a fit at a smaller gain per row (1e-6)")
    add(
        "--max-iter",
        type=values.whole,
        default=1000,
        metavar="N",
        help="stop a fit after N iterations",
    )
    add("--max-seconds", type=float, metavar="S", help="start no more fits after this time")
    help = "try no larger K after N in a row that are no better (none; 3 with -k auto)"
    add("--patience", type=values.positive, metavar="N", help=help)
    add("--exhaustive", action="store_true", help="complete all fits, also those that cannot win")
    add("--reg-covar", type=float, default=0.0, metavar="R", help="added to variances (0)")
    _add_ratio(parser)
    _add_prior(parser)
    _add_noise(parser)
    _add_tails(parser)
    _add_missing(parser)
    add("--standardize", action="store_true", help="fit to columns of mean 0 and sd 1")
    add("--seed", type=values.seed, default=0, help="seed of the random starts (0)")
    add("--weight-column", metavar="NAME", help="column with the weight of each row")
    add("--best", type=values.positive, default=10, metavar="N", help="lines of the ranking (10)")
    add("--plot", type=Path, metavar="PICTURE", help="draw the criterion (.png, .svg or .pdf)")
    help = "write candidates that are done here"
    add("--checkpoint", type=Path, metavar="FILE.npz", help=help)
    add("--resume", action="store_true", help="resume from --checkpoint, if it exists")
    add("--out", type=Path, metavar="MODEL.npz", help="save the best model here")
    add("--json", action="store_true", help="print JSON instead of tables")
    _add_control(parser)


def _add_predict(commands: Any) -> None:
    parser = _add_command(commands, "predict", "label rows and give probabilities", using.predict)
    _add_model(parser)
    _add_data(parser)
    _add_kept(parser)
    parser.add_argument(
        "--probabilities", action="store_true", help="write the probability of each component"
    )
    help = "merge the components of the model into N clusters, and write clusters in their place"
    parser.add_argument("--clusters", type=values.positive, metavar="N", help=help)
    _add_cut(parser)
    _add_threads(parser)
    _add_verbose(parser, "print rows read and written, to stderr")
    _add_output(parser)


def _add_score(commands: Any) -> None:
    parser = _add_command(commands, "score", "give the log density of each row", using.score)
    _add_model(parser)
    _add_data(parser)
    _add_kept(parser)
    _add_cut(parser)
    _add_threads(parser)
    _add_verbose(parser, "print rows read and written, to stderr")
    _add_output(parser)


def _add_impute(commands: Any) -> None:
    help = "write the data with missing values filled in from a model"
    parser = _add_command(commands, "impute", help, using.impute)
    parser.set_defaults(keep=[], keep_all=True)
    _add_model(parser)
    _add_data(parser)
    help = "conditional means, or draws for multiple imputation (mean)"
    parser.add_argument("--kind", choices=KINDS, default="mean", help=help)
    parser.add_argument("--seed", type=values.seed, default=0, help="seed of the draws (0)")
    _add_threads(parser)
    _add_verbose(parser, "print rows read and written, to stderr")
    _add_output(parser)


def _add_sample(commands: Any) -> None:
    parser = _add_command(commands, "sample", "draw rows from a model", using.sample)
    _add_model(parser)
    parser.add_argument(
        "-n", "--rows", type=values.positive, default=1, metavar="N", help="rows (1)"
    )
    parser.add_argument(
        "--seed", type=values.seed, default=0, help="seed of the random numbers (0)"
    )
    parser.add_argument("--labels", action="store_true", help="add a column with the component")
    _add_output(parser)


def _add_classify(commands: Any) -> None:
    help = "learn classes from labeled rows, and label others"
    parser = _add_command(commands, "classify", help, classifying.classify)
    _add_data(parser)
    classifying.add_options(parser)
    _add_threads(parser)
    _add_verbose(parser, "print rows read and written, to stderr")


def _add_info(commands: Any) -> None:
    help = "show what a model is; without one, versions, threads and folders"
    parser = _add_command(commands, "info", help, models.info)
    _add_model(parser, nargs="?")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.epilog = "Please add its output, without a model, to a bug report."


def _add_export(commands: Any) -> None:
    help = "write a model as JSON, as ONNX or for scikit-learn"
    parser = _add_command(commands, "export", help, models.export)
    _add_model(parser)
    parser.add_argument("--to", choices=tuple(EXPORTS), default="json", help="format (json)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to this file")


def _add_calculator(commands: Any) -> None:
    help = "open a page in the browser that fits and draws mixtures"
    parser = _add_command(commands, "calculator", help, calculating.calculate)
    add = parser.add_argument
    add(
        "--port",
        type=values.port,
        default=PORT,
        metavar="N",
        help=f"where to listen ({PORT}; 0: any)",
    )
    add("--no-browser", action="store_true", help="only print the address")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="listen here (127.0.0.1)")
    add("--i-know", action="store_true", help="let --host be reached from other machines")


def _add_data(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("data").add_argument
    add("data", nargs="*", type=Path, help=DATA)
    add("--example", choices=tuple(EXAMPLES), help="bundled data instead of a file")
    add("--columns", type=values.names, metavar="A,B", help="use these columns only")
    add("--exclude", type=values.names, default=[], metavar="A,B", help="leave these columns out")
    add(
        "--id",
        type=values.names,
        default=[],
        metavar="A,B",
        help="columns that name the rows: no features; predict and score write them",
    )
    add("--drop-missing", action="store_true", help="leave out rows with missing values")
    add(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line of a text file holds the names of the columns "
        "(detected by default)",
    )
    add("--delimiter", metavar="C", help="character between cells of text (detected)")
    add("--decimal", choices=(".", ","), help="decimal mark of text (detected)")
    add("--encoding", metavar="NAME", help="encoding of text, such as cp1252 (detected)")
    add("--sheet", metavar="NAME", help="sheet of a spreadsheet (the first with numbers)")
    help = f"format of standard input: {', '.join(FORMATS)} (csv)"
    add("--format", choices=FORMATS, default="csv", metavar="FORMAT", help=help)


def _add_noise(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    help = "add a uniform component for outliers"
    add("--noise", action="store_const", const=0.05, help=help)
    help = "the same, with this expected fraction of the rows (0.05)"
    add("--noise-share", dest="noise", type=values.fraction, metavar="F", help=help)
    add("--noise-volume", type=values.finite, metavar="V", help="volume of the noise (detected)")


def _add_tails(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    help = "distribution of each component; t has heavy tails, for outliers (gaussian)"
    add("--component", choices=COMPONENTS, default="gaussian", help=help)
    help = "of t components: a number, or how to estimate them: common to all, or own (common)"
    add("--degrees-of-freedom", type=values.degrees, default="common", metavar="NU", help=help)


def _add_model(parser: argparse.ArgumentParser, **options: Any) -> None:
    parser.add_argument("model", type=Path, help="model file, from gmmfast fit --out", **options)


def _add_kept(parser: argparse.ArgumentParser) -> None:
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--keep",
        type=values.names,
        default=[],
        metavar="A,B",
        help="write these columns of the data too",
    )
    kept.add_argument("--keep-all", action="store_true", help="write all columns of the data too")


def _add_cut(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    help = "flag rows as unlikely as this fraction of the rows of the fit"
    add("--outliers", type=values.fraction, metavar="F", help=help)
    add("--threshold", type=values.finite, metavar="T", help="flag rows of a log density below T")
    help = "with --outliers: flag this fraction of these rows, the least likely"
    add("--relative", action="store_true", help=help)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write to this .csv, .csv.gz, .tsv, .npy, .parquet or .xlsx, not to standard output",
    )
    help = f"format of standard output: {', '.join(OUTPUTS)} (csv)"
    parser.add_argument("--to", choices=OUTPUTS, metavar="FORMAT", help=help)
