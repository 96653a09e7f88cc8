"""The Python lines and the command that give the same result."""

from __future__ import annotations

import shlex

from gmmfast.calculator.data import Origin
from gmmfast.calculator.settings import Settings
from gmmfast.datasets import EXAMPLES
from gmmfast.tables import Table
from gmmfast.tables.base import plain_number

INLINE = 50  # rows that are written into the lines where there is no file
UNSAVED = ("typed.csv", "pasted.csv")  # names of rows that are in no file


def python_lines(settings: Settings, origin: Origin, table: Table) -> str:
    """Return a script that prints the weights and means of the report."""
    lines, imports = _reading(settings, origin, table)
    values = "X"
    if settings.standardize:
        moments = "X.mean(axis=0), X.std(axis=0)"
        if origin.keep_missing:
            moments = "np.nanmean(X, axis=0), np.nanstd(X, axis=0)"
        lines += [f"center, scale = {moments}", "Z = (X - center) / scale"]
        values = "Z"
    options = [
        f"tol={settings.tol!r}",
        f"reg_covar={settings.reg_covar!r}",
        f"max_iter={settings.max_iter}",
        'acceleration="auto"',
        f"random_state={settings.random_state}",
        *(['prior="mclust"'] if settings.prior else []),
        *(["noise=0.05"] if settings.noise else []),
        *(['component="t"'] if settings.component == "t" else []),
    ]
    trim = [f"trim={settings.trim!r}"] if settings.trim else []
    if origin.keep_missing:
        options.append('missing_values="marginalize"')
    if settings.is_choice:
        imports.append("from gmmfast import GaussianMixtureIC")
        types = '"all"' if settings.covariance_type == "all" else f'["{settings.covariance_type}"]'
        lines += [
            "search = GaussianMixtureIC(",
            f"    {list(settings.components)!r}, covariance_types={types}, "
            f'criterion="{settings.criterion}",',
            f"    {', '.join(options)},",
            f").fit({values})",
            "mixture = search.best_estimator_",
        ]
    else:
        imports.append("from gmmfast import GaussianMixture")
        lines += [
            "mixture = GaussianMixture(",
            f'    {settings.components[0]}, covariance_type="{settings.covariance_type}", '
            f"n_init={settings.n_init},",
            f"    {', '.join(options + trim)},",
            f").fit({values})",
        ]
    lines += ["order = (-mixture.weights_).argsort()", "print(mixture.weights_[order])"]
    back = " * scale + center" if settings.standardize else ""
    lines.append(f"print(mixture.means_[order]{back})")
    return "\n".join([*imports, "", *lines, ""])


def _reading(settings: Settings, origin: Origin, table: Table) -> tuple[list[str], list[str]]:
    """Lines that make X, and what they import."""
    source, chosen = origin.source, list(settings.columns)
    if source in EXAMPLES:
        indices = [origin.names.index(name) for name in chosen]
        picked = "" if chosen == origin.names else f"[:, {indices!r}]"
        imports = [f"from gmmfast.datasets import load_{source}"]
        return [f"X = load_{source}().data{picked}"], imports
    if source in UNSAVED and len(table.values) <= INLINE:
        rows = [f"    {row!r},".replace("nan", "np.nan") for row in table.values.tolist()]
        return ["X = np.array([", *rows, "])"], ["import numpy as np"]
    columns = "" if _is_whole(settings, origin) else f", columns={chosen!r}"
    drop = ", drop_missing=True" if origin.drop_missing else ""
    drop += ", keep_missing=True" if origin.keep_missing else ""
    imports = ["from gmmfast.tables import read_table"]
    if origin.keep_missing and settings.standardize:
        imports.insert(0, "import numpy as np")
    return [f"X = read_table({source!r}{columns}{drop}).values"], imports


def _is_whole(settings: Settings, origin: Origin) -> bool:
    """Whether all columns of the file are used, and none has a name that could be a number."""
    is_plain = all(plain_number(name) is None for name in origin.names)
    return list(settings.columns) == origin.names and is_plain


def command_line(settings: Settings, origin: Origin) -> str:
    """Return the command that prints the report."""
    source = origin.source
    command = ["gmmfast", "select" if settings.is_choice else "fit"]
    command += ["--example", source] if source in EXAMPLES else [source]
    counts = settings.components
    whole = list(counts) == list(range(counts[0], counts[-1] + 1)) and len(counts) > 1
    command += ["-k", f"{counts[0]}:{counts[-1]}" if whole else ",".join(map(str, counts))]
    command += ["--covariance", settings.covariance_type]
    if settings.is_choice:
        command += ["--criterion", settings.criterion]
    else:
        command += ["--n-init", str(settings.n_init)]
    command += ["--tol", repr(settings.tol), "--max-iter", str(settings.max_iter)]
    command += ["--reg-covar", repr(settings.reg_covar), "--seed", str(settings.random_state)]
    if not _is_whole(settings, origin):
        command += ["--columns", ",".join(settings.columns)]
    if origin.drop_missing:
        command.append("--drop-missing")
    if settings.noise:
        command.append("--noise")
    if settings.component == "t":
        command += ["--component", "t"]
    if settings.trim:
        command += ["--trim", repr(settings.trim)]
    if origin.keep_missing:
        command += ["--missing", "marginalize"]
    if settings.standardize:
        command.append("--standardize")
    if settings.prior:
        command += ["--prior", "mclust"]
    return shlex.join(command)
