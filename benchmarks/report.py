"""Run all comparisons and write docs/performance.md: ``python -m benchmarks.report [--quick]``.

``--only everyday latency`` runs some of them, and replaces their sections of the page alone. Each
section says on what machine and when it was measured.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import (
    acceleration,
    bayesian,
    classify,
    components,
    evaluations,
    everyday,
    factors,
    fits,
    gaps,
    growth,
    inference,
    iterations,
    large_starts,
    latency,
    limits,
    machine,
    memory,
    optimum,
    regression,
    robust,
    selection,
    tried,
)
from benchmarks.cases import SHRINK
from benchmarks.fresh import ROOT
from benchmarks.tables import Goal, table
from benchmarks.timing import QUICK, Plan

PAGE = """\
# Performance

This page is written by `python -m benchmarks.report`; only what was tried and did not help, at the
end, was measured before.
{warning}
## How to read it

Each section was measured in one run. gmmfast and the packages that it is compared with take turns:
each repetition runs all of them once, one after the other, so that whatever else the machine does
falls upon all. A cell gives the median of the repetitions and, in brackets, the smallest and the
largest. **The ratios are the result**: they are taken repetition by repetition and carry over to
other machines better than milliseconds do. A ratio of 10 means that the other package takes ten
times as long.

- **The same work.** All packages start from the same weights, means and covariances and do the
  same number of iterations; tolerances that would stop a fit are off. The mean log-likelihoods
  at the end are compared below. The start is where EM is some iterations after beginning at rows
  drawn at random, so that an iteration is of the kind that most of a fit consists of.
- **An iteration** is the difference between a long and a short fit, divided by the difference
  of their numbers of iterations. So it is free of what a fit does once: checks, the packed copy,
  sorting. For gmmfast that is the column *set-up*.
- **Data** are generated, with means `3 N(0, I)` and random covariances near the identity, unless
  a case has a name: the pixels of scikit-learn's `china.jpg`, 8 x 8 gray patches of `china.jpg`
  and `flower.jpg`, the digits. Images are scaled to 0 to 1. `reg_covar` is 1e-6, for the digits,
  three of whose pixels never change, 0.1. Rows are float64; *float64 / float32* is how many times
  faster gmmfast is on the same rows in float32.
- **Threads** are as many as each package takes by default; gmmfast's are OpenMP's where
  there is OpenMP, also when oneDAL has loaded TBB. Kernels are compiled before any clock starts,
  except where compiling is what is measured.
- A dash: the package does not finish the case; [the same iterations](#the-same-iterations) says
  why. "noise": the difference of the two fits was lost in it, as is a time below zero.

{parts}

## What was tried and did not help

{tried}"""


@dataclass(frozen=True)
class Part:
    """A section of the page."""

    title: str
    module: Any  # with `measure(plan)`, `goals(results)` and `section(results)`
    text: str = ""  # how to read the table

    def lines(self, results: Any) -> str:
        """Return the section: how to read it, its tables, its targets, and the machine."""
        parts = [f"## {self.title}", self.text, self.module.section(results)]
        parts += [_goals(self.module.goals(results)), machine.line()]
        return "\n\n".join(part for part in parts if part)


PARTS = {
    "iterations": Part(
        "One EM iteration",
        iterations,
    ),
    "limits": Part(
        "How far the limit is",
        limits,
        f"""\
Passes over packed rows that give up no component, nor skip one for want of mass: the rows are of
components that overlap. Such a pass for full covariances is two triangles for each row and
component, `2 d (d + 1)` additions and multiplications; their speed is held against that of
OpenBLAS on two matrices of {limits.ORDER} x {limits.ORDER}. The last column is how long one `exp`
for each row and component takes, of a pass.""",
    ),
    "fits": Part(
        "A whole fit",
        fits,
        f"""\
From nothing, with default arguments but for the covariances and `reg_covar`: own start by k-means,
until the mean log-likelihood changes by less than 1e-3, at most 100 iterations. Medians of the
seeds; pairs are gmmfast, scikit-learn. *Share of the start* is how much of a fit of gmmfast passes
until its first iteration over all rows begins: checks, starts tried on a sample, the packed copy.
*Degenerate* are the fits with a component that has collapsed; they are left out of the
log-likelihoods. Of the patches there are {fits.FEWER_PATCHES:,} here.""",
    ),
    "everyday": Part(
        "Everyday data",
        everyday,
        f"""\
Default fits, `GaussianMixture(K, covariance_type=..., random_state=0)` of both packages, of real
data of fewer than 25,000 rows in their own units: scikit-learn's own, and R's data sets listed
in `benchmarks/everyday.py`. A ratio is the median of {everyday.OFTEN.least} to
{everyday.OFTEN.most} repetitions. Each package makes its own start, so log-likelihoods differ
either way; *likelier* counts the cases in which gmmfast's fit is likelier by more than
{everyday.SAME:g} nats per row, *as likely* the cases in which neither is.""",
    ),
    "optimum": Part(
        "How good a default fit is",
        optimum,
        f"""\
One default fit of gmmfast (`random_state=0`) against the best of {len(optimum.SEEDS)} of
scikit-learn (`random_state` 0 to {len(optimum.SEEDS) - 1}), of the same data, in nats per row. Fits
with a component that has collapsed are left out on both sides. *As likely* is the share of cases in
which gmmfast's fit is at least as likely, within {optimum.SAME:g}; *speed* how many times one of
its fits is faster than one of scikit-learn's.""",
    ),
    "large_starts": Part(
        "Starts with many components",
        large_starts,
        f"""\
Seconds of `KMeans(K, n_init=1)` of scikit-learn, and of everything in a fit of gmmfast with
default arguments before its first iteration (`max_iter=0`); of random_state 0 to
{len(large_starts.SEEDS) - 1}. Then the log-likelihood per row after {large_starts.ITERATIONS} EM
iterations of gmmfast, full covariances, from either start; of scikit-learn's, from the M step of
its parts.""",
    ),
    "growth": Part(
        "Growth",
        growth,
        f"""\
Time of one E and M step over packed rows in memory, from the typical start of the case.

![Time of a pass by rows and by components]({growth.PICTURE})""",
    ),
    "components": Part(
        "Many components",
        components,
        f"""\
Time of one E pass over packed rows on one thread, with full covariances, divided by rows and
components; from k-means and {components.BURN_IN} EM iterations. *float64 / float32* is how many
times faster the same pass is in float32.""",
    ),
    "acceleration": Part(
        "Iterations to the same answer",
        acceleration,
        """\
Iterations until the mean log-likelihood of a row is within 1e-8 of where the fit ends, of plain EM
and with `acceleration="auto"`, in the median of five starts; the ratio of the two, start by start;
and from how many starts acceleration ended more than 1e-6 lower.""",
    ),
    "selection": Part(
        "Choosing a model",
        selection,
        """\
The whole search of `GaussianMixtureIC`, among 14 models with 1 to 9 components, against `Mclust()`
of R's mclust; the last line but one against a loop over scikit-learn's four models with 1 to 20
components, and the last, with `n_components="auto"`, against one fit of the chosen model with the
same tolerance. Own starts, default arguments, but for gmmfast `tol=1e-5` against the loop
(scikit-learn's is 1e-3); BIC as here, lower is better. *Differs by seed* is the largest BIC of ten
seeds minus the smallest one.""",
    ),
    "evaluations": Part(
        "Using a fitted mixture",
        evaluations,
        """\
Full covariances. The last column is the largest difference of the results of the two packages; for
labels, the share of rows labeled otherwise.""",
    ),
    "gaps": Part(
        "Missing values",
        gaps,
        """\
One pass with full covariances, on the same rows complete and with values that are missing
completely at random; *patterns* are the sets of missing columns that occur. Then fits with
independent columns, of which a tenth of the values is missing, against `gaussian_diag_nan` of
StepMix: from the same start, with the same number of iterations. StepMix's M step takes only the
values that are known, a step of another EM algorithm with the same maxima, so log-likelihoods
differ before convergence.""",
    ),
    "robust": Part(
        "Noise and heavy tails",
        robust,
        f"""\
One pass with uniform noise, and one with t components of {robust.DEGREES:g} degrees of freedom,
against the pass of the same Gaussian components alone: {robust.CASE.title()}, means at random with
standard deviations of 3 (*separated*) and 0.5 (*overlapping*). *Active* are the components that
matter to a row: with more than 1e-16 of its density. Heavy tails reach farther. Where groups are
apart, a pass of t components therefore computes all of them and one of Gaussian components a few;
with overlapping groups both compute the same ones.""",
    ),
    "inference": Part(
        "Standard errors and tests",
        inference,
        f"""\
{inference.REPLICATES} bootstrap replicates of {inference.ROWS}, {inference.MODEL} with
{inference.K} components, by `bootstrap` and mclust's `MclustBootstrap`, with as many threads as
each takes by default (mclust: one), with the seeds 0 to {inference.SEEDS[-1]}. Both find the
standard errors of the means of the first column; a cell has the medians over the seeds. Then
`likelihood_ratio_test` and `mclustBootstrapLRT` for one component against two, two against three
and three against four, with {inference.TESTED} replicates each, and their p values.""",
    ),
    "bayesian": Part(
        "Variational Bayes",
        bayesian,
        f"""\
One iteration with the prior of a Dirichlet process, from the same labels, against scikit-learn's
`BayesianGaussianMixture`. Fits of scikit-learn differ by {bayesian.LONG - bayesian.SHORT}
iterations, fits of gmmfast by {bayesian.MORE} times as many, and of digits both. The last column
is the relative difference of the lower bounds after {bayesian.LONG} iterations.""",
    ),
    "factors": Part(
        "Factor analyzers",
        factors,
        f"""\
One iteration of {factors.N_ROWS:,} rows of {factors.D} columns, K={factors.K}, with
{factors.Q} factors, and with full covariances: from the same mixture, whose lower bounds differ by
the last column, relatively. The means of the components are drawn with the standard deviation in
the first column; standard deviations within components are about 2. Below, minus the mean log
density of held-out digits ({factors.FOLDS} folds, {len(factors.SEEDS)} seeds; median, best and
worst): K={factors.COMPONENTS}, {factors.FACTORS} factors, ``reg_covar={factors.REG_COVAR}``.""",
    ),
    "regression": Part(
        "Predicting columns",
        regression,
        """\
Conditional means of the other features given the first ones (*known*), of the same mixture with
full covariances: `predict_features`, also with standard deviations, and gmr's `GMM.predict`. The
last column is the largest difference of the two, in standard deviations of the target.""",
    ),
    "classify": Part(
        "Classification",
        classify,
        """\
Fit and prediction of classifiers, and the accuracy on rows that the fit has not seen: of digits
reduced to 20 columns by PCA (30 percent held out, mean of three splits), and of generated rows
whose classes are three components each, with the class shares of the covertype data (100,000 held
out). `QuadraticDiscriminantAnalysis` (QDA) is scikit-learn's. Below, mclust's `MclustDA` on its own
data sets, with all models and up to 5 components per class, without a prior; BIC has
scikit-learn's sign.""",
    ),
    "memory": Part(
        "Peak memory",
        memory,
        """\
Resident memory of a fit at its peak, from its own start, above a warm interpreter that holds the
data. The limit is one packed copy of the data, 24 bytes per row and 100 MB.""",
    ),
    "latency": Part(
        "Latency",
        latency,
        """\
*Ever* is with an empty cache of machine code, *in a new process* with what an earlier process
left there; both without the import. Commands are with the import, each in a new process with an
empty cache; `select` tries K = 1 to 9 on the customers that come with gmmfast. Where a number of
rows is not given there are 20,000, enough for gmmfast to compile for, and use, all threads. Iris
has 150 rows and 4 columns; ten iterations start from the same weights, means and covariances.
*Outside its passes*: the time of a default search in one thread, less that of the compiled loops,
per candidate.""",
    ),
}

QUICK_WARNING = f"""
```{{warning}}
A quick run: {SHRINK} times fewer rows, few repetitions. It shows that the report works; the
figures mean nothing.
```
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 if gmmfast and scikit-learn disagree."""
    options = _parser().parse_args(arguments)
    plan = QUICK if options.quick else Plan()
    sections = _sections(options.out)
    different: list[str] = []
    for name in options.only:
        part = PARTS[name]
        results = part.module.measure(plan)
        sections[part.title] = part.lines(results)
        _write(options.out, sections, options.quick)  # the next part may fail
        if part.module is growth:
            growth.draw(results, options.out.parent / growth.PICTURE)
        if part.module in (iterations, bayesian):
            different += part.module.disagreements(results)
    for line in different:
        print(line, file=sys.stderr)
    return 1 if different else 0


def _sections(page: Path) -> dict[str, str]:
    """Return the sections of an earlier page by their titles."""
    text = page.read_text("utf-8") if page.exists() else ""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return {part[3:].partition("\n")[0]: part.rstrip() for part in parts if part[:3] == "## "}


def _write(out: Path, sections: Mapping[str, str], quick: bool) -> None:
    """Write the page, with the parts in their order."""
    there = [sections[part.title] for part in PARTS.values() if part.title in sections]
    page = PAGE.format(
        warning=QUICK_WARNING if quick else "", parts="\n\n".join(there), tried=tried.section()
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="small sizes, to test the report")
    help = "run these parts, and leave the rest of the page as it is"
    add("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART", help=help)
    out = ROOT / "docs" / "performance.md"
    add("--out", type=Path, default=out, help="default: %(default)s")
    return parser


def _goals(goals: Sequence[Goal]) -> str:
    """Return the table of targets; empty if a part has none."""
    if not goals:
        return ""
    return table(["target of", "reached", "target", "met"], [goal.cells() for goal in goals])


if __name__ == "__main__":
    sys.exit(main())
