"""Bootstrap: standard errors and intervals of all parameters of a fitted mixture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.constraints import (
    FACTOR_MODELS,
    JOBS,
    RANDOM,
    check_parameters,
    fraction,
    integer,
    one_of,
)
from gmmfast.data.validation import check_features, check_rows, check_sample_weight
from gmmfast.em.replicates import Refitted, Refitting
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.inference.matching import matched
from gmmfast.inference.replicates import Drawing, counted, drawing_of, in_blocks, refitting_of
from gmmfast.models import Model
from gmmfast.parameters import Floats
from gmmfast.reporting.outcome import feature_names
from gmmfast.reporting.report import Summary, significant
from gmmfast.reporting.table import table
from gmmfast.rows import MemoryRows
from gmmfast.rows.sources import is_elsewhere

Kind = Literal["nonparametric", "weighted", "parametric"]
KINDS = "nonparametric", "weighted", "parametric"
LEVEL = fraction("(0.0, 1.0)", lambda value: 0 < value < 1)
OPTIONS = {
    "n_resamples": integer(2),
    "kind": one_of(*KINDS),
    "confidence_level": LEVEL,
    "random_state": RANDOM,
    "n_jobs": JOBS,
}
MAX_LINES = 60  # of the table of a result


class Estimates(NamedTuple):
    """One number per parameter of a mixture, or one per parameter and replicate."""

    weights: Any  # ndarray (K,)
    means: Any  # ndarray (K, d)
    covariances: Any  # ndarray in the shape of `covariances_`
    noise_weight: Any = None  # ndarray () with noise
    degrees_of_freedom: Any = None  # ndarray (K,) of t components

    def each(self, function: Callable[[Floats], Any]) -> Estimates:
        """Return the results of a function of each array."""
        return Estimates(*(None if own is None else function(own) for own in self))


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap:
    """Standard errors and intervals of the parameters of a mixture.

    Attributes
    ----------
    kind : str
        "nonparametric", "weighted" or "parametric".
    n_resamples : int
        Replicates that were fitted.
    n_collapsed : int
        Replicates whose fit failed, or ended with a collapsed component. They are left out.
    confidence_level : float
        Share of the replicates between `low` and `high`.
    estimates, standard_errors, low, high : Estimates
        The fitted parameters, their standard errors (standard deviations over the replicates), and
        the ends of percentile intervals: `weights` (K,), `means` (K, d), `covariances` in the shape
        of `covariances_`, `noise_weight` (with noise) and `degrees_of_freedom` (of t components).
    replicates : Estimates
        Parameters of the replicates, with a leading axis of length ``n_resamples - n_collapsed``.
    covariance_type : str
        Of the mixture.
    feature_names : list of str
        One per column.
    """

    kind: str
    n_resamples: int
    n_collapsed: int
    confidence_level: float
    estimates: Estimates
    standard_errors: Estimates
    low: Estimates
    high: Estimates
    replicates: Estimates
    covariance_type: str
    feature_names: list[str]

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def summary(self) -> Summary:
        """Return the estimates, standard errors and intervals as a table.

        Of the covariances, it holds the variances.

        Returns
        -------
        str
            A notebook shows it as it is printed.
        """
        every = self.lines()
        shown = every[:MAX_LINES]
        headings = ["estimate", "std. error", *self._headings()]
        cells = [[significant(line[i]) for line in shown] for i in range(1, 5)]
        names = [line[0] for line in shown]
        lines = table("parameter", names, list(zip(headings, cells, strict=True)))
        left_out = len(every) - len(shown)
        more = [f"{left_out} more are in standard_errors, low and high."] if left_out else []
        return Summary("\n".join([self._title(), "", *lines, *more]))

    def lines(self, names: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
        """Return the table as values: name, estimate, standard error, and ends of the interval.

        Parameters
        ----------
        names : sequence of str, optional
            Of the columns, instead of `feature_names`.

        Returns
        -------
        list of (str, float, float, float, float)
        """
        four = self.estimates, self.standard_errors, self.low, self.high
        own = [_lines(each, self.covariance_type, names or self.feature_names) for each in four]
        return [(same[0][0], *(value for _, value in same)) for same in zip(*own, strict=True)]

    def reordered(self, order: ArrayLike) -> Bootstrap:
        """Return the same results with the components in another order.

        Parameters
        ----------
        order : array-like of int of shape (K,)
            The component that comes first, second, and so on.

        Returns
        -------
        Bootstrap
        """
        picked, is_tied = np.asarray(order), self.covariance_type == "tied"

        def own(values: Estimates, axis: int) -> Estimates:
            taken = values.each(partial(np.take, indices=picked, axis=axis))
            shared = values.covariances if is_tied else taken.covariances
            return taken._replace(covariances=shared, noise_weight=values.noise_weight)

        four = self.estimates, self.standard_errors, self.low, self.high
        estimates, errors, low, high = (own(each, 0) for each in four)
        return replace(
            self, estimates=estimates, standard_errors=errors, low=low, high=high,
            replicates=own(self.replicates, 1),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the results but for the replicates, as plain values for JSON.

        Returns
        -------
        dict
        """
        names = "standard_errors", "low", "high"
        own = {name: getattr(self, name).each(np.ndarray.tolist)._asdict() for name in names}
        known = {
            name: {key: value for key, value in values.items() if value is not None}
            for name, values in own.items()
        }
        counts = {"n_resamples": self.n_resamples, "n_collapsed": self.n_collapsed}
        return {"kind": self.kind, **counts, "confidence_level": self.confidence_level, **known}

    def _headings(self) -> tuple[str, str]:
        tail = 50 * (1 - self.confidence_level)
        return f"{tail:g} %", f"{100 - tail:g} %"

    def _title(self) -> str:
        title = f"{self.kind} bootstrap, {self.n_resamples} replicates"
        if self.n_collapsed:
            title += f"; {self.n_collapsed} collapsed and are left out"
        return title


def bootstrap(
    mixture: GaussianMixture,
    X: ArrayLike,
    n_resamples: int = 999,
    *,
    kind: Kind = "nonparametric",
    confidence_level: float = 0.95,
    sample_weight: ArrayLike | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> Bootstrap:
    """Standard errors and percentile intervals of all parameters of a fitted mixture.

    Each replicate is fitted from the parameters of the mixture, until the log-likelihood of all
    rows changes by less than 1e-4 nats, or by less than `tol` per row, if that is less. Its
    components get the labels of the fitted ones: squared distances of the means, in standard
    deviations of the features, have the smallest sum.

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted to `X`.
    X : array-like or frame of shape (n, d)
        The rows of the fit.
    n_resamples : int, default=999
        Number of replicates, at least 2. A standard error from B replicates has itself a relative
        error of about ``1 / sqrt(2 B)``: 2 % for 999.
    kind : {"nonparametric", "weighted", "parametric"}, default="nonparametric"
        "nonparametric" draws rows with replacement (Efron 1979). "weighted" gives all rows weights
        from a Dirichlet distribution, so that none is left out and fewer replicates collapse
        (Newton & Raftery 1994). "parametric" draws new rows from the mixture.
    confidence_level : float, default=0.95
        Share of the replicates within the intervals.
    sample_weight : array-like of shape (n,), optional
        Row weights of the fit. A row takes its weight along each time it is drawn. Not for
        "parametric".
    random_state : int, RandomState, Generator or None, default=None
        The only source of chance.
    n_jobs : int or None, default=None
        Number of threads. Results are the same to the last bit for any number.

    Returns
    -------
    Bootstrap

    Raises
    ------
    TypeError
        If `mixture` is another estimator, or rows are not in memory.
    ValueError
        If the mixture trims rows or fits missing values, or has collapsed components; if the rows
        have other features; or if fewer than two replicates are left.
    InvalidParameterError
        If another parameter is out of range.

    References
    ----------
    Efron, B. (1979). Bootstrap methods: another look at the jackknife. Annals of Statistics 7(1),
    1-26.

    Newton, M. A., Raftery, A. E. (1994). Approximate Bayesian inference with the weighted
    likelihood bootstrap. JRSS B 56(1), 3-48.

    O'Hagan, A., Murphy, T. B., Scrucca, L., Gormley, I. C. (2019). Investigation of parameter
    uncertainty in clustering using a Gaussian mixture model via jackknife, bootstrap and weighted
    likelihood bootstrap. Computational Statistics 34, 1779-1813.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.inference import bootstrap
    >>> X = np.random.default_rng(0).normal([0.0, 9.0], size=(100, 2)).reshape(-1, 1)
    >>> mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> found = bootstrap(mixture, X, random_state=0)
    >>> found.standard_errors.means.round(1)
    array([[0.1],
           [0.1]])
    """
    options = {
        "n_resamples": n_resamples, "kind": kind, "confidence_level": confidence_level,
        "random_state": random_state, "n_jobs": n_jobs,
    }  # fmt: skip
    check_parameters("bootstrap", options, OPTIONS)
    if kind == "parametric" and sample_weight is not None:
        raise ValueError(
            "A parametric bootstrap draws rows, which have no weights; got sample_weight. Leave it "
            "out, or use kind='weighted'."
        )
    rows = rows_of(mixture, X, sample_weight)
    refitting, model = refitting_of(mixture, rows)
    if refitting.result.degenerate.any():
        raise ValueError(
            "The mixture has collapsed components, whose parameters mean nothing (see "
            "degenerate_). Fit fewer components, or raise reg_covar."
        )
    shares = rows.sample_weight / rows.weight
    own: dict[str, Callable[[np.random.Generator, int], Refitted]] = {
        "nonparametric": partial(_resampled, refitting, shares),
        "weighted": partial(_with_weights, refitting, shares),
    }
    n, d = rows.array.shape
    draw = own.get(kind)
    if draw is None:
        drawing = drawing_of(mixture, refitting, model, rows.center)
        draw = partial(_redrawn, refitting, drawing, n)
    n_values = n * (1 if kind in own else d)
    blocks = in_blocks(draw, n_resamples, n_values, random_state, n_jobs)
    replicates = _replicates(mixture, model, rows, blocks)
    return _result(mixture, replicates, kind, n_resamples, confidence_level)


def rows_of(mixture: GaussianMixture, X: Any, sample_weight: Any) -> MemoryRows:
    """Return the rows of a fit, in float64 and without rows of weight 0."""
    if not isinstance(mixture, GaussianMixture):
        raise TypeError(
            f"bootstrap needs a fitted GaussianMixture; got {type(mixture).__name__}. Of a "
            "search, pass its best_estimator_."
        )
    if is_elsewhere(X):
        raise TypeError(
            f"bootstrap needs rows in memory; got {type(X).__name__}. Pass an array of them, or of "
            "a sample to which the mixture is fitted."
        )
    mixture._check_fitted()
    if mixture.covariance_type in FACTOR_MODELS:
        raise ValueError(
            "bootstrap has no intervals for loadings, which are determined up to rotations; got "
            f"covariance_type={mixture.covariance_type!r}. Fit with another covariance_type."
        )
    if mixture.trim or mixture.missing_values == "marginalize":
        given = f"trim={mixture.trim} and missing_values={mixture.missing_values!r}"
        raise ValueError(
            f"bootstrap needs a mixture of all rows, which lack no value; got {given}. Fit "
            "complete rows with trim=0 and missing_values='raise'."
        )
    array, names = check_rows(X, name="bootstrap", min_rows=2)
    check_features(mixture, names, array.shape[1], reset=False)
    weights = check_sample_weight(sample_weight, len(array))
    if weights is not None:
        array, weights = array[weights > 0], weights[weights > 0]
    return MemoryRows(array.astype(np.float64, copy=False), weights, n_jobs=1)


def _resampled(
    refitting: Refitting, shares: Floats, rng: np.random.Generator, count: int
) -> Refitted:
    """Fit to rows that are drawn with replacement."""
    return refitting.reweighted(_times(shares, counted(rng, count, shares.size), refitting))


def _with_weights(
    refitting: Refitting, shares: Floats, rng: np.random.Generator, count: int
) -> Refitted:
    """Fit to all rows, with weights from a Dirichlet distribution: shares of exponential ones."""
    drawn = rng.standard_exponential(size=(count, shares.size))
    return refitting.reweighted(_times(shares, drawn, refitting))


def _times(shares: Floats, drawn: Floats, refitting: Refitting) -> Floats:
    """Return row weights, of which all have the sum of the original ones."""
    weights = drawn * shares
    return np.asarray(weights * (refitting.weight / weights.sum(axis=1, keepdims=True)))


def _redrawn(
    refitting: Refitting, drawing: Drawing, n_rows: int, rng: np.random.Generator, count: int
) -> Refitted:
    """Fit to rows that are drawn from the mixture."""
    return refitting.redrawn(drawing.rows(rng, count, n_rows))


def _replicates(
    mixture: GaussianMixture, model: Model, rows: MemoryRows, blocks: list[Refitted]
) -> Estimates:
    """Return the parameters of all sound replicates, their components in the mixture's order."""
    parts = [[own[block.are_sound] for own in block.mixtures] for block in blocks]
    found = type(blocks[0].mixtures)(*map(np.concatenate, zip(*parts, strict=True)))
    means = found.means + rows.center
    order = matched(means, mixture.means_, np.sqrt(rows.variances) + (rows.variances == 0))
    K = means.shape[1]
    covariances = np.array([model.structured(own, K) for own in found.covariances])

    def ordered(array: NDArray[Any]) -> Floats:
        places = order.reshape(*order.shape, *[1] * (array.ndim - 2))
        return np.asarray(np.take_along_axis(array, places, axis=1), np.float64)

    return Estimates(
        ordered(found.weights),
        ordered(means),
        covariances if mixture.covariance_type == "tied" else ordered(covariances),
        found.noise[:, 0] if found.noise.size else None,
        ordered(found.degrees) if found.degrees.size else None,
    )


def _result(
    mixture: GaussianMixture, replicates: Estimates, kind: str, n_resamples: int, level: float
) -> Bootstrap:
    n_sound = len(replicates.weights)
    if n_sound < 2:
        raise ValueError(
            f"Of {n_resamples} replicates, {n_resamples - n_sound} collapsed; a standard error "
            "needs two others. Use kind='weighted', fit fewer components, or raise reg_covar."
        )
    others = (getattr(mixture, name, None) for name in ("noise_weight_", "degrees_of_freedom_"))
    estimates = Estimates(mixture.weights_, mixture.means_, mixture.covariances_, *others)
    estimates = estimates.each(np.asarray)
    tail = 0.5 * (1 - level)
    errors, low, high = (
        replicates.each(function)
        for function in (
            lambda own: np.asarray(own.std(axis=0, ddof=1)),
            lambda own: np.asarray(np.quantile(own, tail, axis=0)),
            lambda own: np.asarray(np.quantile(own, 1 - tail, axis=0)),
        )
    )
    n_collapsed = n_resamples - n_sound
    own = estimates, errors, low, high, replicates, mixture.covariance_type, feature_names(mixture)
    return Bootstrap(kind, n_resamples, n_collapsed, level, *own)


def _lines(
    values: Estimates, covariance_type: str, names: Sequence[str]
) -> list[tuple[str, float]]:
    """Return the name and the number of each line of the table."""
    (K, d), variances = values.means.shape, values.covariances
    if variances.ndim == 3 or covariance_type == "tied":
        variances = np.einsum("...jj->...j", variances)
    is_one_each = covariance_type == "spherical"
    variances = np.broadcast_to(variances[:, None] if is_one_each else variances, (K, d))
    lines = [(f"weight {k}", values.weights[k]) for k in range(K)]
    if values.noise_weight is not None:
        lines.append(("weight of noise", values.noise_weight))
    for what, array in (("mean", values.means), ("variance", variances)):
        lines += [(f"{what} {k}, {names[j]}", array[k, j]) for k in range(K) for j in range(d)]
    if values.degrees_of_freedom is not None:
        lines += [(f"degrees of freedom {k}", values.degrees_of_freedom[k]) for k in range(K)]
    return [(name, float(value)) for name, value in lines]
