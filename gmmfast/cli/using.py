"""``gmmfast predict``, ``score``, ``impute`` and ``sample``."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.analysis.merging import joined, merge_components
from gmmfast.cli.data import (
    Data,
    feature_names,
    kept_columns,
    note,
    read_for,
    require_columns,
)
from gmmfast.cli.progress import RowsSoFar
from gmmfast.cli.streams import require_output, write_output
from gmmfast.data.validation import check_random_state
from gmmfast.estimators.mixture import GaussianMixture, load
from gmmfast.files.attributes import NOISE, QUANTILES
from gmmfast.rows.evaluation import are_outliers, with_noise_marked
from gmmfast.rows.sources import Chunk
from gmmfast.tables import EmptyTableError
from gmmfast.tables.base import free_name

Columns = dict[str, NDArray[Any]]
FAR, SEVERAL = 0.1, 9  # share and number of rows unlike all of the fit, above which a note asks why
DRAWN = 1 << 14  # rows from which the entropies of clusters are estimated
BLOCK = 1 << 18  # rows in memory whose results are computed and written at once


def predict(arguments: argparse.Namespace) -> None:
    """Write components or clusters of several, their probabilities and log densities."""
    found: list[NDArray[np.int64]] = []

    def assign(model: GaussianMixture, rows: NDArray[Any]) -> Columns:
        if not found:
            found.append(_clusters(model, arguments.clusters))
        n, resp = int(found[0].max()) + 1, joined(model.predict_proba(rows), found[0])
        labels = with_noise_marked(resp.argmax(axis=1), n)
        entry = "component" if arguments.clusters is None else "cluster"
        columns = {entry: labels, "probability": resp.max(axis=1)}
        columns["log_density"] = model.score_samples(rows)
        if arguments.probabilities:
            names = [*range(n), "noise"]
            columns |= {f"probability_{name}": p for name, p in zip(names, resp.T, strict=False)}
        return columns

    _write_rows(arguments, assign)


def _clusters(model: GaussianMixture, n_clusters: int | None) -> NDArray[np.int64]:
    """Return the cluster of each component (K,), its own where none are asked for.

    Entropies are of rows drawn from the model, so that clusters do not depend on the data.
    """
    if n_clusters is None:
        return np.arange(len(model.weights_))
    rows = model._drawn(DRAWN, check_random_state(0))
    return merge_components(model, rows, n_clusters=n_clusters).membership()


def score(arguments: argparse.Namespace) -> None:
    """Write log densities."""
    _write_rows(arguments, lambda model, rows: {"log_density": model.score_samples(rows)})


def _write_rows(
    arguments: argparse.Namespace, results: Callable[[GaussianMixture, NDArray[Any]], Columns]
) -> None:
    """Write results beside numbers of rows and columns that are kept, and mark outliers."""
    _require_one_cut(arguments)
    require_output(arguments)
    model = load(arguments.model)
    found = _results(model, arguments, results)
    if arguments.relative:
        parts = list(found)  # a quantile needs all of them
        cut: float | None = _relative_cut(parts, arguments.outliers)
        found = (part for part in parts)
    else:
        cut = _cut(model, arguments)
    counts = np.zeros(2, np.int64)
    if cut is None:
        least = float(model.log_density_quantile(0.0)) if hasattr(model, QUANTILES) else -np.inf
        write_output(_counting(found, least, counts), arguments)
        if counts[0] > max(SEVERAL, FAR * counts[1]):
            note(
                f"{counts[0]} of {counts[1]} rows are less likely than each row of the fit. Are "
                "the columns and their units the same?"
            )
        return
    write_output(_flagged(model, found, cut, counts), arguments)
    if not counts[1]:
        return
    of_fit = ""
    if arguments.outliers is not None and not arguments.relative:
        of_fit = f", as {arguments.outliers:g} of the rows of the fit have"
    or_noise = ", or are noise" if hasattr(model, NOISE[0]) else ""
    note(f"{counts[0]} of {counts[1]} rows have a log density below {cut:.5g}{of_fit}{or_noise}")


def _results(
    model: GaussianMixture,
    arguments: argparse.Namespace,
    results: Callable[[GaussianMixture, NDArray[Any]], Columns],
) -> Iterator[tuple[Chunk, Columns]]:
    """Return the rows and their results, some at a time; of a day without rows, none."""
    try:
        data = read_for(model, arguments)
    except EmptyTableError as error:
        if not error.names:  # a file without anything is no table
            raise
        require_columns(error.names, model, arguments)
        note(str(error))
        kept = kept_columns(arguments, [name for name in error.names if name])
        _prepare(model)
        return iter([_no_rows(model, kept, results)])
    _prepare(model)
    count = RowsSoFar(f"{arguments.model} applied to", arguments)
    return _counted(((part, results(model, part.X)) for part in _blocks(data)), count)


def _prepare(model: GaussianMixture) -> None:
    """Take rows without names, whose columns are in the order of the model."""
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_


def _no_rows(
    model: GaussianMixture,
    kept: list[str],
    results: Callable[[GaussianMixture, NDArray[Any]], Columns],
) -> tuple[Chunk, Columns]:
    """Return the columns of results, and those that are kept, without rows."""
    columns = {name: column[:0] for name, column in results(model, model.means_[:1]).items()}
    return Chunk(model.means_[:0], None, 0, None, {name: [] for name in kept}), columns


def _blocks(data: Data) -> Iterator[Chunk]:
    """Yield the rows of a command, at most `BLOCK` at a time."""
    for part in data.parts():
        for start in range(0, len(part.X), BLOCK):
            rows = slice(start, start + BLOCK)
            kept = {name: cells[rows] for name, cells in part.kept.items()}
            numbers = None if part.rows is None else part.rows[rows]
            yield Chunk(part.X[rows], None, part.first + start, numbers, kept)


def _counted(
    found: Iterable[tuple[Chunk, Columns]], count: RowsSoFar
) -> Iterator[tuple[Chunk, Columns]]:
    """Yield results, and count their rows once they are written."""
    try:
        for part, columns in found:
            yield part, columns
            count.add(len(part.X))
    finally:
        count.clear()
    count.end()


def _require_one_cut(arguments: argparse.Namespace) -> None:
    if arguments.threshold is not None and arguments.outliers is not None:
        raise ValueError("--threshold and --outliers are two cuts for outliers. Leave one out.")
    if arguments.relative and arguments.outliers is None:
        raise ValueError("--relative goes with --outliers, the fraction of these rows to flag.")


def _cut(model: GaussianMixture, arguments: argparse.Namespace) -> float | None:
    """Return the log density below which rows are outliers, or None to mark none."""
    if arguments.threshold is not None or arguments.outliers is None:
        threshold: float | None = arguments.threshold
        return threshold
    if not hasattr(model, QUANTILES):
        raise ValueError(
            f"{arguments.model}: the model has no cut for outliers, because it was saved by an "
            "earlier version, or not fitted to rows at once. Fit again with gmmfast fit --out, or "
            "use --threshold or --relative."
        )
    return float(model.log_density_quantile(arguments.outliers))


def _relative_cut(parts: list[tuple[Chunk, Columns]], rate: float) -> float:
    """Return the log density below which this fraction of the rows lies, at least one row."""
    densities = np.concatenate([columns["log_density"] for _, columns in parts])
    if not len(densities):
        return -np.inf
    count = max(1, round(rate * len(densities)))
    return float(np.nextafter(np.partition(densities, count - 1)[count - 1], np.inf))


def _counting(
    found: Iterable[tuple[Chunk, Columns]], cut: float, counts: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """Yield columns; add the numbers of rows below a cut and of all rows."""
    for part, columns in found:
        counts += np.array([np.count_nonzero(columns["log_density"] < cut), len(part.X)])
        yield _beside(part, columns)


def _flagged(
    model: GaussianMixture,
    found: Iterable[tuple[Chunk, Columns]],
    cut: float,
    counts: NDArray[np.int64],
) -> Iterator[dict[str, Any]]:
    """Yield columns with flags of outliers; add the numbers of outliers and of rows."""
    for part, columns in found:
        flags = columns["log_density"] < cut
        if hasattr(model, NOISE[0]) and len(part.X):
            labels = columns["component"] if "component" in columns else model.predict(part.X)
            flags = are_outliers(columns["log_density"], labels, cut)
        counts += np.array([np.count_nonzero(flags), len(flags)])
        yield _beside(part, columns | {"outlier": flags.astype(np.int8)})


def _beside(part: Chunk, found: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return numbers of rows, columns that are kept, and results, under distinct names."""
    numbers = part.rows
    if numbers is None:
        numbers = np.arange(part.first + 1, part.first + 1 + len(part.X))
    columns: dict[str, Any] = {"row": numbers}
    for whose, named in (("data", part.kept), ("results", found)):
        for name, cells in named.items():
            free = free_name(name, columns)
            if free != name and not part.first:
                note(f"column {name!r} of the {whose} is written as {free!r}")
            columns[free] = cells
    return columns


def impute(arguments: argparse.Namespace) -> None:
    """Write all columns of the data, with missing values of the model's features filled in."""
    if arguments.drop_missing:
        raise ValueError("--drop-missing leaves out the rows that impute fills in. Leave it out.")
    require_output(arguments)
    model = load(arguments.model)
    data = read_for(model, arguments, may_miss=True)
    _prepare(model)
    rng, counts = np.random.default_rng(arguments.seed), np.zeros(2, np.int64)

    def filled() -> Iterator[tuple[Chunk, Columns]]:
        for part in _blocks(data):
            gaps = np.isnan(part.X)
            counts[:] += gaps.sum(), gaps.any(axis=1).sum()
            values = model.impute(part.X, kind=arguments.kind, random_state=rng)
            yield part, dict(zip(data.names, values.T, strict=True))

    found = _counted(filled(), RowsSoFar(f"{arguments.model} applied to", arguments))
    write_output(({**part.kept, **columns} for part, columns in found), arguments)
    note(f"{counts[0]} missing values in {counts[1]} rows are filled in")


def sample(arguments: argparse.Namespace) -> None:
    """Write rows drawn from a model."""
    require_output(arguments)
    model = load(arguments.model).set_params(random_state=arguments.seed)
    rows, labels = model.sample(arguments.rows)
    names = feature_names(model) or [f"x{j + 1}" for j in range(rows.shape[1])]
    columns: dict[str, NDArray[Any]] = {name: rows[:, j] for j, name in enumerate(names)}
    if arguments.labels:
        columns[free_name("component", columns)] = labels
    write_output([columns], arguments)
