"""Standard errors and tests of K by the bootstrap, against R's mclust."""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.selection import stored
from benchmarks.tables import Goal, against, milliseconds, number, table
from benchmarks.timing import Plan, Spread, ratios, seconds_of, spread_of
from gmmfast import GaussianMixture
from gmmfast.inference import bootstrap, likelihood_ratio_test

Array = NDArray[np.float64]

ROWS, MODEL, K = "iris", "VVV", 3
SEEDS = range(5)  # one per repetition
REPLICATES, TESTED = 999, 499
KINDS = {"nonparametric": "bs", "weighted": "wlbs", "parametric": "pb"}
TEST = "likelihood ratio tests"
SLOW = ("weighted",)  # 20 s in mclust: one seed
LEAST = {"nonparametric": 15.0, TEST: 10.0}
BOOTSTRAP = """
suppressMessages(library(mclust))
X <- as.matrix(read.csv("{rows}", header = FALSE))
fit <- Mclust(X, G = {K}, modelNames = "{model}", verbose = FALSE)
for (seed in 0:{last}) {{
  set.seed(seed)
  seconds <- system.time(
    found <- MclustBootstrap(fit, nboot = {n}, type = "{kind}", verbose = FALSE)
  )["elapsed"]
  cat(seconds, sort(apply(found$mean, 2:3, sd)[1, ]), "\\n")
}}
"""
LRT = """
suppressMessages(library(mclust))
X <- as.matrix(read.csv("{rows}", header = FALSE))
for (seed in 0:{last}) {{
  set.seed(seed)
  seconds <- system.time(
    found <- mclustBootstrapLRT(X, modelName = "{model}", nboot = {n}, verbose = FALSE)
  )["elapsed"]
  cat(seconds, found$p.value, "\\n")
}}
"""


@dataclass(frozen=True)
class Compared:
    """Seconds of both packages, one per seed, and the numbers that each of them finds."""

    name: str
    seconds: list[float]
    found: Array  # (seeds, m)
    theirs: list[float]  # none where R or mclust is missing
    theirs_found: Array

    @property
    def ratio(self) -> Spread | None:
        return ratios(self.theirs, self.seconds) if self.theirs else None


def measure(plan: Plan) -> list[Compared]:
    """Run the three bootstraps and the tests with both packages."""
    X, seeds = stored(ROWS), SEEDS[: 2 if plan.quick else None]
    own = {"covariance_type": MODEL, "reg_covar": 0.0, "tol": 1e-5, "max_iter": 1000}
    mixture = GaussianMixture(K, random_state=0, **own).fit(X)
    found = []
    for kind, name in KINDS.items():
        own = seeds[:1] if kind in SLOW else seeds
        found.append(
            _compared(kind, BOOTSTRAP, X, own, REPLICATES, name, _errors(mixture, X, kind))
        )
    found.append(_compared(TEST, LRT, X, seeds, TESTED, "", _p_values(X)))
    return found


def _errors(mixture, X, kind):
    """Return a function of the seed: standard errors of the means of the first column, sorted."""

    def errors(seed: int) -> Array:
        found = bootstrap(mixture, X, REPLICATES, kind=kind, random_state=seed)
        return np.sort(found.standard_errors.means[:, 0])

    return errors


def _p_values(X):
    def p_values(seed: int) -> Array:
        found = likelihood_ratio_test(X, MODEL, 9, TESTED, random_state=seed, reg_covar=0.0)
        return found.p_values

    return p_values


def _compared(name, script, X, seeds, n, kind, run) -> Compared:
    run(0)  # compiles
    seconds, found = [], []
    for seed in seeds:
        seconds.append(seconds_of(lambda seed=seed: found.append(run(seed))))
    values = {"K": K, "model": MODEL, "n": n, "kind": kind, "last": seeds[-1]}
    theirs = _in_r(script, X, values)
    times, numbers = [line[0] for line in theirs], np.array([line[1:] for line in theirs])
    one = Compared(name, seconds, np.array(found), times, numbers)
    print(f"inference  {'  '.join(_row(one))}", file=sys.stderr, flush=True)
    return one


def _in_r(script: str, X: Array, values: dict) -> list[list[float]]:
    """Return the numbers of each line that R prints; none where it is missing."""
    if shutil.which("Rscript") is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.csv"
        np.savetxt(rows, X, delimiter=",")
        own = script.format(rows=rows, **values)
        done = subprocess.run(["Rscript", "-e", own], capture_output=True, text=True)
    if done.returncode:
        print(f"mclust is left out: {done.stderr.strip()}", file=sys.stderr)
        return []
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


def goals(results: list[Compared]) -> list[Goal]:
    """Return the targets, and what was reached."""
    return [
        Goal(f"{each.name}: mclust / gmmfast", each.ratio.median, LEAST[each.name])
        for each in results
        if each.name in LEAST and each.ratio is not None
    ]


def section(results: list[Compared]) -> str:
    """Return the table."""
    header = ["", "gmmfast, ms", "mclust, ms", "mclust / gmmfast", "gmmfast finds", "mclust finds"]
    return table(header, [_row(each) for each in results])


def _row(each: Compared) -> list[str]:
    row = [each.name, milliseconds(spread_of(each.seconds))]
    if each.ratio is None:
        return [*row, "-", "", _numbers(each.found), ""]
    row += [milliseconds(spread_of(each.theirs)), against(each.ratio)]
    return [*row, _numbers(each.found), _numbers(each.theirs_found)]


def _numbers(found: Array) -> str:
    return ", ".join(number(value) for value in np.median(found, axis=0))
