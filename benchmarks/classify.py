"""Classifiers: against scikit-learn's quadratic discriminant analysis, and mclust's MclustDA."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.model_selection import train_test_split

from benchmarks.tables import Goal, against, milliseconds, number, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, seconds_of, spread_of
from gmmfast import GaussianMixture, GaussianMixtureClassifier, GaussianMixtureIC

# The cases: rows, columns and classes, and the seeds of the split or of the rows.
DIGITS, COVERTYPE = "digits, 1,797 x 20, 10 classes", "generated, 500,000 x 20, 7 classes"
SEEDS = {DIGITS: range(3), COVERTYPE: range(1)}
EXAMPLES = ("iris", "diabetes", "faithful", "wdbc")  # data sets that come with mclust
WDBC = "mean texture", "worst area", "worst smoothness"  # as in the example of Scrucca et al. 2016
QUADRATIC, CHOSEN, MIXTURES = "edda, VVV", "edda, 14 models", "3 components per class"
THEIRS, FASTER = "QDA", 10.0
MCLUST = """
suppressMessages(library(mclust))
rows <- as.matrix(read.csv("{rows}", header = FALSE)); labels <- scan("{labels}", quiet = TRUE)
for (i in 1:{repeats}) {{
  s <- system.time(fit <- MclustDA(rows, labels, modelType = "{kind}", verbose = FALSE))
  cat(s[["elapsed"]], fit$bic, mean(predict(fit)$classification != labels), "\\n")
}}
"""


@dataclass(frozen=True)
class Classifier:
    """A classifier on the cases of scikit-learn."""

    case: str
    name: str
    accuracy: float  # of held-out rows
    fit: Spread
    predict: Spread


@dataclass(frozen=True)
class Example:
    """A fit of mclust, and ours."""

    case: str
    kind: str
    seconds: Spread
    theirs: Spread
    ratio: float
    bic: float
    bic_theirs: float
    error: float  # of the rows of the fit
    error_theirs: float


@dataclass(frozen=True)
class Results:
    """All comparisons."""

    classifiers: list[Classifier]
    examples: list[Example]


def measure(plan: Plan) -> Results:
    """Time fits and predictions."""
    classifiers = []
    for case, seeds in SEEDS.items():
        classifiers += compare(case, seeds, plan)
    examples = [] if shutil.which("Rscript") is None else of_mclust(plan)
    return Results(classifiers, examples)


def compare(case: str, seeds: range, plan: Plan) -> list[Classifier]:
    """Compare classifiers on one case; accuracies are means over the seeds."""
    one = GaussianMixture(1, reg_covar=0.0)
    models: Mapping[str, Any] = {
        THEIRS: QuadraticDiscriminantAnalysis(),
        QUADRATIC: GaussianMixtureClassifier(one, kind="edda"),
        CHOSEN: GaussianMixtureClassifier(kind="edda"),
        MIXTURES: GaussianMixtureClassifier(GaussianMixture(3, prior="mclust", random_state=0)),
    }
    right: dict[str, list[float]] = {name: [] for name in models}
    for seed in seeds:
        X, y, new, truth = rows_of(case, seed, 100 if plan.quick else 1)
        for name, model in models.items():
            right[name].append(float(np.mean(model.fit(X, y).predict(new) == truth)))
    fits = in_turn({name: partial(model.fit, X, y) for name, model in models.items()}, plan)
    uses = in_turn({name: partial(model.predict, new) for name, model in models.items()}, plan)
    found = [
        Classifier(
            case, name, float(np.mean(right[name])), *map(spread_of, (fits[name], uses[name]))
        )
        for name in models
    ]
    for each in found:
        print(f"{case:36}{each.name:24}{each.accuracy:.4f}", file=sys.stderr, flush=True)
    return found


def rows_of(case: str, seed: int, shrink: int) -> tuple[Any, Any, Any, Any]:
    """Return rows and labels of a training set and of a test set."""
    if case == DIGITS:
        X, y = load_digits(return_X_y=True)
        X, new, y, truth = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
        axes = PCA(20, random_state=0).fit(X)
        return axes.transform(X), y, axes.transform(new), truth
    X, y = generated_classes(600_000 // shrink, 20, 7, seed)
    n = 500_000 // shrink
    return X[:n], y[:n], X[n:], y[n:]


def generated_classes(n: int, d: int, n_classes: int, seed: int) -> tuple[Any, Any]:
    """Draw classes of three normal components each, with the class shares of covertype."""
    rng = np.random.default_rng(seed)
    shares = np.array([0.365, 0.488, 0.062, 0.005, 0.016, 0.030, 0.034])[:n_classes]
    y = rng.choice(n_classes, size=n, p=shares / shares.sum())
    part, X = rng.integers(3, size=n), rng.normal(size=(n, d))
    for c in range(n_classes):
        for k in range(3):
            mixing = np.eye(d) + 0.15 * rng.normal(size=(d, d))
            own = (y == c) & (part == k)
            X[own] = X[own] @ mixing + rng.normal(scale=0.7, size=d)
    return X, y


def of_mclust(plan: Plan) -> list[Example]:
    """Fit mclust's examples in R and here."""
    found = []
    search = GaussianMixtureIC(range(1, 6), random_state=0)
    models = {
        "MclustDA": GaussianMixtureClassifier(search),
        "EDDA": GaussianMixtureClassifier(kind="edda"),
    }
    for case in EXAMPLES:
        for kind, model in models.items():
            X, y = example(case)
            theirs = fit_in_r(X, y, kind, plan.least)
            model.fit(X, y)
            ours = [seconds_of(partial(model.fit, X, y)) for _ in range(plan.least)]
            seconds, bic, error = zip(*theirs, strict=True)
            ratio = ratios(list(seconds), ours)
            found.append(
                Example(
                    case,
                    kind,
                    spread_of(ours),
                    spread_of(list(seconds)),
                    ratio.median,
                    model.bic_,
                    -bic[0],
                    1 - model.score(X, y),
                    error[0],
                )  # fmt: skip
            )
            print(f"{case} {kind:12}{against(ratio)}", file=sys.stderr, flush=True)
    return found


def example(name: str) -> tuple[Any, Any]:
    """Return the rows and the classes of one of mclust's data sets."""
    if name == "wdbc":
        data = load_breast_cancer()
        return data.data[:, np.isin(data.feature_names, WDBC)], data.target
    path = Path(__file__).parents[1] / "tests" / "mclust" / f"{name}.json"
    stored = json.loads(path.read_text())
    return np.array(stored["data"], float), np.array(stored["labels"])


def fit_in_r(X: Any, y: Any, kind: str, repeats: int) -> list[tuple[float, float, float]]:
    """Return seconds, BIC (mclust's sign) and training error of each fit."""
    with tempfile.TemporaryDirectory() as folder:
        rows, labels = Path(folder, "rows.csv"), Path(folder, "labels.txt")
        np.savetxt(rows, X, delimiter=",")
        np.savetxt(labels, y, fmt="%d")
        script = MCLUST.format(rows=rows, labels=labels, kind=kind, repeats=1 + repeats)
        done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    lines = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    return [(line[0], line[1], line[2]) for line in lines[1:]]


def goals(results: Results) -> list[Goal]:
    """Return the goals, and what was reached."""
    found = []
    for case in SEEDS:
        own = {each.name: each.accuracy for each in results.classifiers if each.case == case}
        ours = max(value for name, value in own.items() if name != THEIRS)
        found.append(Goal(f"accuracy, {case}", ours, own[THEIRS]))
    found += [
        Goal(f"mclust / gmmfast, {each.case}, {each.kind}", each.ratio, FASTER)
        for each in results.examples
    ]
    return found


def section(results: Results) -> str:
    """Return the tables."""
    rows = [
        [each.case, each.name, f"{each.accuracy:.4f}", milliseconds(each.fit)]
        + [milliseconds(each.predict)]
        for each in results.classifiers
    ]
    first = table(["rows", "classifier", "accuracy", "fit, ms", "predict, ms"], rows)
    rows = [
        [f"{each.case}, {each.kind}", milliseconds(each.seconds), milliseconds(each.theirs)]
        + [f"**{number(each.ratio)}**", f"{each.bic:.2f}", f"{each.bic_theirs:.2f}"]
        + [f"{each.error:.4f}", f"{each.error_theirs:.4f}"]
        for each in results.examples
    ]
    header = ["rows", "gmmfast, ms", "mclust, ms", "ratio", "BIC", "mclust's BIC"]
    second = table([*header, "training error", "mclust's"], rows)
    return f"{first}\n\n{second}" if results.examples else first
