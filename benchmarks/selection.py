"""Choosing K and the model: against R's mclust, and a loop over scikit-learn's mixtures."""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture as ScikitLearnMixture

from benchmarks.cases import generated
from benchmarks.everyday import R_DATA, from_r
from benchmarks.packages import quietly
from benchmarks.tables import Goal, number, spread, table
from benchmarks.timing import Plan, seconds_of, spread_of
from gmmfast import GaussianMixture, GaussianMixtureIC

Array = NDArray[Any]

STORED = Path(__file__).parents[1] / "tests" / "mclust"
REPEATS = 3
SEEDS = range(10)
AS_GOOD = 1e-2  # of a BIC
LUCK = 0.5  # by which the chosen BIC may depend on the seed
MCLUST = """
suppressMessages(library(mclust))
X <- as.matrix(read.csv("{rows}", header = FALSE))
for (repetition in 1:{repeats}) {{
  seconds <- system.time(fit <- Mclust(X, G = 1:9, verbose = FALSE))["elapsed"]
  cat(seconds, -fit$bic, fit$modelName, fit$G, "\\n")
}}
"""
TYPES = ("full", "tied", "diag", "spherical")
LOOP = f"4 models, K=1 to 20, {100_000:,} x 8"
UPWARD = f"14 models, K upward without a limit, {1_000_000:,} x 10; the other: one fit of the best"
FITS = 15.0  # of one fit's time that a search without a limit may take


@dataclass(frozen=True)
class Found:
    """Result of a search, and its time in each repetition."""

    seconds: list[float]
    bic: float
    model: str
    worst_bic: float = np.nan  # of all seeds; `bic` is that of the first
    spread: float = np.nan  # of the BIC, over all seeds


@dataclass(frozen=True)
class Search:
    """A search by gmmfast and its rival."""

    name: str
    ours: Found
    theirs: Found | None  # None where R or mclust is missing

    @property
    def ratio(self) -> float | None:
        if self.theirs is None:
            return None
        return spread_of(self.theirs.seconds).median / spread_of(self.ours.seconds).median


def stored(name: str) -> Array:
    return np.array(json.loads((STORED / f"{name}.json").read_text())["data"], float)


def cases() -> dict[str, Callable[[], Array]]:
    """Return rows for a search among 14 models with K = 1 to 9: eight real sets and a drawn one."""
    of_r = ("crabs", "quakes", "skulls", "wavesurge", "Prestige")
    return {
        "iris": lambda: stored("iris"),
        "faithful": lambda: stored("faithful"),
        "diabetes": lambda: stored("diabetes"),
        **{name: partial(from_r, name, R_DATA[name]) for name in of_r},
        "10,000 x 5, six components": lambda: generated(10_000, 5, 6, seed=0),
    }


def measure(plan: Plan) -> list[Search]:
    """Search all cases with both packages, one after the other."""
    results = []
    for name, rows in list(cases().items())[: 1 if plan.quick else None]:
        X = rows()
        repeats = 1 if len(X) > 1000 else REPEATS
        ours = _with_all_seeds(_ours(X, repeats + 1), X, SEEDS[: 2 if plan.quick else None])
        results.append(Search(name, ours, _mclust(X, repeats)))
        print(f"search  {'  '.join(_row(results[-1]))}", file=sys.stderr, flush=True)
    if not plan.quick:
        for compare in (_against_the_loop, _against_one_fit):
            results.append(compare())
            print(f"search  {'  '.join(_row(results[-1]))}", file=sys.stderr, flush=True)
    return results


def _ours(X: Array, repeats: int, **params: Any) -> Found:
    """Search with gmmfast; the first repetition, which may compile, is not counted."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        search = GaussianMixtureIC(random_state=0, **params).fit(X)
        seconds.append(time.perf_counter() - begin)
    best = search.results_[search.results_.ranking("bic")[0]]
    model = f"{best['covariance_type']} {best['n_components']}"
    return Found(seconds[1:] or seconds, float(best["bic"]), model)


def _with_all_seeds(first: Found, X: Array, seeds: range) -> Found:
    """Search with all seeds, for the BIC alone."""
    bics = []
    for seed in seeds:
        search = GaussianMixtureIC(random_state=seed).fit(X)
        bics.append(float(search.results_["bic"][search.results_.ranking("bic")[0]]))
    return replace(first, worst_bic=max(bics), spread=max(bics) - min(bics))


def _mclust(X: Array, repeats: int) -> Found | None:
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.csv"
        np.savetxt(rows, X, delimiter=",")
        script = MCLUST.format(rows=rows, repeats=repeats)
        done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True)
    if done.returncode:
        print(f"mclust is left out: {done.stderr.strip()}", file=sys.stderr)
        return None
    lines = [line.split() for line in done.stdout.splitlines()]
    _, bic, model, n_components = lines[-1]
    return Found([float(line[0]) for line in lines], float(bic), f"{model} {n_components}")


def _against_the_loop() -> Search:
    """Search scikit-learn's four models, also by a loop over its mixtures."""
    X = generated(100_000, 8, 8, seed=0)
    counts = range(1, 21)
    ours = _ours(X, 1, n_components=counts, covariance_types=TYPES, reg_covar=1e-6, tol=1e-5)
    begin = time.perf_counter()
    best = (np.inf, "")
    with quietly():
        for k in counts:
            for name in TYPES:
                mixture = ScikitLearnMixture(k, covariance_type=name, random_state=0).fit(X)
                best = min(best, (mixture.bic(X), f"{name} {k}"))
    theirs = Found([time.perf_counter() - begin], *best)
    return Search(LOOP, ours, theirs)


def _against_one_fit() -> Search:
    """Search upward among a million rows, and fit the chosen model alone."""
    X = generated(1_000_000, 10, 10, seed=0)
    ours = _ours(X, 1 + REPEATS, n_components="auto")
    model, K = ours.model.split()
    one = GaussianMixture(
        int(K), covariance_type=model, tol=1e-6, max_iter=1000, acceleration="auto", random_state=0
    )
    seconds = [seconds_of(lambda: one.fit(X)) for _ in range(1 + REPEATS)]
    return Search(UPWARD, ours, Found(seconds[1:], one.bic(X), ours.model))


def goals(results: Sequence[Search]) -> list[Goal]:
    """Return target ratios to mclust and to the loop, and the number of BICs as low."""
    found = []
    own = (LOOP, UPWARD)
    against = [s.ratio for s in results if s.name not in own and s.ratio is not None]
    if against:
        mean = statistics.geometric_mean(against)
        found.append(Goal("search, geometric mean: mclust / gmmfast", mean, 15.0))
        found.append(Goal("search, least: mclust / gmmfast", min(against), 10.0))
    loop = [s.ratio for s in results if s.name == LOOP and s.ratio is not None]
    found += [Goal(f"search, {LOOP}: scikit-learn / gmmfast", ratio, 50.0) for ratio in loop]
    upward = [s.ratio for s in results if s.name == UPWARD and s.ratio is not None]
    text = "search upward, 1,000,000 x 10: gmmfast / one fit"
    found += [Goal(text, 1 / ratio, FITS, is_limit=True) for ratio in upward]
    compared = [s for s in results if s.theirs is not None and s.name != UPWARD]
    as_low = sum(_worst(s.ours) <= s.theirs.bic + AS_GOOD for s in compared if s.theirs)
    text = f"searches, of {len(compared)} with a BIC as low from every seed"
    found.append(Goal(text, as_low, len(compared)))
    seeded = [s.ours.spread for s in results if not np.isnan(s.ours.spread)]
    lucky = sum(each >= LUCK for each in seeded)
    found.append(Goal(f"searches whose BIC depends on the seed by {LUCK}", lucky, 0, is_limit=True))
    return found


def _worst(found: Found) -> float:
    return found.bic if np.isnan(found.worst_bic) else found.worst_bic


def section(results: Sequence[Search]) -> str:
    header = ["rows", "gmmfast, s", "the other, s", "ratio", "gmmfast finds", "BIC",
              "differs by seed", "the other finds", "BIC"]  # fmt: skip
    missing = "" if all(s.theirs for s in results) else "\n\nR or mclust is missing here: no rival."
    return table(header, [_row(search) for search in results]) + missing


def _row(search: Search) -> list[str]:
    ours, theirs = search.ours, search.theirs
    row = [search.name, spread(spread_of(ours.seconds))]
    differs = "" if np.isnan(ours.spread) else f"{ours.spread:.3f}"
    if theirs is None or search.ratio is None:
        return [*row, "-", "", ours.model, f"{ours.bic:.3f}", differs, "", ""]
    row += [spread(spread_of(theirs.seconds)), f"**{number(search.ratio)}**"]
    return [*row, ours.model, f"{ours.bic:.3f}", differs, theirs.model, f"{theirs.bic:.3f}"]
