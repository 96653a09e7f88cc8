"""How many components, and which covariance model: the search, as an estimator."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from numpy.typing import ArrayLike

from gmmfast import em
from gmmfast.data.constraints import (
    SEARCH,
    Acceleration,
    Component,
    CovarianceType,
    Criterion,
    Degrees,
    GivenPrior,
    MissingValues,
    OnInterrupt,
    check_constructor,
)
from gmmfast.data.factors import model_name, type_and_factors
from gmmfast.data.validation import Random, check_features, check_random_state
from gmmfast.em.ahead import helped_fits
from gmmfast.em.observers import Deadline, SearchBar
from gmmfast.errors import warn
from gmmfast.estimators.base import LabelingEstimator
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.noise import noise_of
from gmmfast.estimators.tails import tails_of
from gmmfast.files import outcomes
from gmmfast.files.outcomes import SearchCheckpoint
from gmmfast.files.seen import Seen
from gmmfast.kernels.threads import thread_count
from gmmfast.models import Noise, maker_of, model_of
from gmmfast.parameters import Scatter
from gmmfast.reporting.outcome import described, feature_names, scored
from gmmfast.reporting.report import PYTHON, Summary, fit_as_text
from gmmfast.rows import Origin, Rows, open_rows
from gmmfast.rows.dependence import Dependence
from gmmfast.rows.opening import require_values
from gmmfast.rows.sources import Source, path_of
from gmmfast.search.best import Best, named
from gmmfast.search.candidates import Candidate, CandidateFit
from gmmfast.search.comparison import Comparison
from gmmfast.search.failures import are_all_singular, why_none, why_not
from gmmfast.search.folds import folds_of
from gmmfast.search.results import Results
from gmmfast.search.scope import Scope
from gmmfast.search.search import MANY, Search
from gmmfast.search.store import Store

P = ParamSpec("P")  # arguments
R = TypeVar("R")  # result


def _of_best(
    method: Callable[Concatenate[GaussianMixture, P], R],
) -> Callable[Concatenate[GaussianMixtureIC, P], R]:
    """A method of the best mixture as one of the search: same signature, same documentation."""

    @wraps(method)
    def forward(search: GaussianMixtureIC, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(search._best(), *args, **kwargs)

    return forward


class GaussianMixtureIC(LabelingEstimator):
    """Gaussian mixture with a choice of the number of components and the covariance model.

    Every model is fitted with every number of components. The best fit by a criterion is kept, and
    used by `predict` and the other methods.

    Parameters
    ----------
    n_components : int, iterable of int or "auto", default=1 to 9
        Numbers of components to try; "auto" tries 1, 2, 3 and so on until `patience` ends.
    covariance_types : "all" or list of str, default="all"
        Models to try: mclust's codes, or the names of `GaussianMixture`. "all" are the 14 codes; of
        one column E and V, which the 14 would repeat.
    n_factors : int or iterable of int, default=1
        Numbers of factors to try, of "factor" and "factor-tied". In `results_` and for `estimator`,
        such models are named with it, as "factor(2)".
    criterion : {"bic", "aic", "aicc", "icl", "nec", "cv"}, default="bic"
        Criterion to minimize: one of `gmmfast.criteria`, or minus the mean log density of held-out
        rows (cross-validation).
    cv : int, splitter or iterable, default=5
        For ``criterion="cv"``: folds of shuffled rows, an object with scikit-learn's ``split``, or
        pairs of row indices to fit to and to hold out. The last two need X in memory.
    tol : float, default=1e-6
        A fit has converged once an EM step gains less, in nats per row.
    reg_covar : float, default=0.0
        Added to the diagonals of the covariances, in squared units of the data.
    covariance_ratio : float or None, default=None
        As in `GaussianMixture`; "all" are then the models that it goes with: VII, VVI and VVV, of
        one column V.
    noise : None, bool, float or array-like of bool of shape (n,), default=None
    noise_volume : float or None, default=None
        As in `GaussianMixture`: a uniform component of all candidates. It adds two parameters, its
        weight and its volume. With a checkpoint, no labels.
    component : {"gaussian", "t"}, default="gaussian"
    degrees_of_freedom : float, "common" or "own", default="common"
        As in `GaussianMixture`, for all candidates. Estimates add to the number of parameters.
    max_iter : int, default=1000
        EM iterations per fit, at most.
    acceleration : {"none", "auto"}, default="auto"
        As in `GaussianMixture`.
    max_seconds : float or None, default=None
        Start no more candidates after this time; running fits stop and keep their last parameters.
    patience : int or None, default=None
        Try no larger number of components after so many in a row that do not lower the criterion.
        None tries all, and is 3 for ``n_components="auto"``.
    exhaustive : bool, default=False
        Fit every candidate to full precision. By default a fit ends once its criterion is not
        expected to come within 10 of the best one; see Notes.
    prior : {"mclust"}, gmmfast.Prior or None, default=None
        As in `GaussianMixture`: all candidates are fitted under it. The criteria are of the
        likelihood, as mclust's.
    on_interrupt : {"raise", "keep"}, default="raise"
        What Ctrl-C does: raise, or choose among the candidates so far.
    random_state : int, RandomState, Generator or None, default=None
        The only source of chance; an int gives the same choice each time.
    n_jobs : int or None, default=None
        Threads, as in `GaussianMixture`.
    missing_values : {"raise", "marginalize"}, default="raise"
        As in `GaussianMixture`. BIC counts the rows that have a value, whatever they lack.

    Attributes
    ----------
    best_estimator_ : GaussianMixture
        The chosen mixture.
    best_n_components_ : int
        Its number of components.
    best_covariance_type_ : str
        Its covariance model; of factor analyzers, ``best_estimator_.n_factors`` is their number.
    results_ : Results
        Structured array with one row per candidate; ``results_.to_pandas()`` returns a data frame.
    interrupted_ : bool
        Whether Ctrl-C ended the search, with ``on_interrupt="keep"``.
    n_features_in_ : int
        d.
    feature_names_in_ : ndarray of str of shape (d,)
        Column names, where X was a frame that had them.

    Notes
    -----
    What a fit may still gain follows from the rate at which its gains shrink, times 4; on more than
    4096 rows candidates are compared on a sample first, and differences count from 3 standard
    errors. Fits that ended early are not ``finished`` in `results_`: their criteria are as of their
    last pass, or estimates. By "nec" and "cv", which do not follow from the likelihood, and
    by "aic" and "aicc", which choose large models that converge slowly, all fits are completed.

    A candidate that fails is recorded with the reason; the others are kept, for `estimator`. A
    candidate with a collapsed component (``degenerate_`` of `GaussianMixture`) is recorded but not
    ranked: its likelihood has no upper bound, so its criteria mean nothing.

    References
    ----------
    Fraley, C., Raftery, A. E. (2002). Model-based clustering, discriminant analysis, and density
    estimation. JASA 97(458), 611-631, section 2: the search, and BIC.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixtureIC
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(100, 2)), 5 + rng.normal(size=(100, 2))])
    >>> search = GaussianMixtureIC(range(1, 4), covariance_types=["EII", "VVV"], random_state=0)
    >>> search.fit(X).best_n_components_, search.best_covariance_type_
    (2, 'EII')
    """

    best_estimator_: GaussianMixture
    best_n_components_: int
    best_covariance_type_: str
    results_: Results
    interrupted_: bool
    n_features_in_: int
    _fits: dict[Candidate, tuple[CandidateFit, Origin]]  # candidates that have a mixture
    _begun_noise: Noise | None = None  # of the last fit
    _resumed: SearchCheckpoint | None = None  # from which the next fit continues

    def __init__(
        self,
        n_components: int | Iterable[int] | Literal["auto"] = tuple(range(1, 10)),
        *,
        covariance_types: Literal["all"] | CovarianceType | Iterable[CovarianceType] = "all",
        n_factors: int | Iterable[int] = 1,
        criterion: Criterion = "bic",
        cv: Any = 5,
        tol: float = 1e-6,
        reg_covar: float = 0.0,
        covariance_ratio: float | None = None,
        noise: float | ArrayLike | None = None,
        noise_volume: float | None = None,
        component: Component = "gaussian",
        degrees_of_freedom: float | Degrees = "common",
        max_iter: int = 1000,
        acceleration: Acceleration = "auto",
        max_seconds: float | None = None,
        patience: int | None = None,
        exhaustive: bool = False,
        prior: GivenPrior | None = None,
        on_interrupt: OnInterrupt = "raise",
        random_state: Any = None,
        n_jobs: int | None = None,
        missing_values: MissingValues = "raise",
    ) -> None:
        self.n_components = n_components
        self.covariance_types = covariance_types
        self.n_factors = n_factors
        self.criterion = criterion
        self.cv = cv
        self.tol = tol
        self.reg_covar = reg_covar
        self.covariance_ratio = covariance_ratio
        self.noise = noise
        self.noise_volume = noise_volume
        self.component = component
        self.degrees_of_freedom = degrees_of_freedom
        self.max_iter = max_iter
        self.acceleration = acceleration
        self.max_seconds = max_seconds
        self.patience = patience
        self.exhaustive = exhaustive
        self.prior = prior
        self.on_interrupt = on_interrupt
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.missing_values = missing_values

    def fit(
        self,
        X: ArrayLike | Source,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        callback: Callable[[CandidateFit], Any] | None = None,
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Fit all candidates, and keep the best.

        Parameters
        ----------
        X : array-like, frame or source of shape (n, d)
            The rows, as in `GaussianMixture.fit`.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n,), optional
            Row weights. Weight 0 leaves a row out; an integer weight repeats it.
        callback : callable, optional
            Called with the `CandidateFit` of each candidate; a true result ends the search, which
            then chooses among the candidates so far.
        progress : bool, default=False
            Show a bar on stderr once the search takes longer than a second.
        checkpoint : path-like, optional
            File to write the fits to that have ended, about once a second and at the end, for
            `resume`. It must not be the file of X, nor hold anything but a checkpoint of the same
            search, which a new one overwrites.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X is not finite and two-dimensional, if no candidate can be ranked, or if the
            checkpoint is of other rows or settings.
        InvalidParameterError
            If a parameter of the constructor is out of range.
        KeyboardInterrupt
            Unless ``on_interrupt="keep"`` and at least one candidate is done.

        Warns
        -----
        ConvergenceWarning
            If the best fit reached `max_iter`; scikit-learn's own class where scikit-learn is
            loaded.
        UserWarning
            If the search ended before its last candidate.
        """
        check_constructor(self, SEARCH)
        for name in ("best_estimator_", "best_n_components_", "best_covariance_type_", "_fits"):
            self.__dict__.pop(name, None)  # if this fit fails, nothing of an earlier one is left
        settings = self.get_params(deep=False)
        if checkpoint is not None:
            outcomes.check_possible(checkpoint, settings, path_of(X))
        rows, names, rng = self._opened(X, sample_weight)
        scope = Scope.of(settings, rows.n_features)
        noise = noise_of(self.noise, self.noise_volume, rows, scope.counts[0])
        tails = tails_of(self.component, self.degrees_of_freedom)
        deadline = Deadline(math.inf if self.max_seconds is None else float(self.max_seconds))
        control = em.Control(self.tol, self.max_iter, self.acceleration, [deadline])
        shape = rows, scope.likely_most, scope.models
        kind = control.is_accelerated, tails is not None
        helper = helped_fits(self.n_jobs, *shape, *kind)
        with SearchBar(scope.n_candidates, progress) as bar, helper:
            store = self._store(checkpoint, rows, names, rng)
            families = [maker_of(name)() for name in scope.models]
            has_matrices = any(own.scatter is not Scatter.DIAGONAL for own in families)
            dependence = Dependence.of(rows, has_matrices)
            has_floor = self.covariance_ratio is not None or self.prior is not None
            is_singular = dependence.is_certain and self.reg_covar == 0 and not has_floor
            search = Search(
                counts=scope.counts,
                covariance_types=scope.models,
                patience=scope.patience,
                rows=rows,
                criterion=self.criterion,
                exhaustive=self.exhaustive,
                folds=folds_of(self.cv, X, rows, rng) if self.criterion == "cv" else [],
                reg_covar=self.reg_covar,
                covariance_ratio=self.covariance_ratio,
                is_singular=is_singular,
                noise=noise,
                tails=tails,
                prior=self.prior,
                control=control,
                rng=rng,
                n_threads=thread_count(self.n_jobs),
                deadline=deadline,
                store=store,
            )
            fits = self._run(search, callback, bar)
            remedy = dependence.remedy(names) if are_all_singular(fits) else ""
        self.results_ = Results.of(search.candidates, fits, rows.n_features, noise, tails)
        check_features(self, names, rows.n_features, reset=True)
        self._begun_noise = noise
        self._choose(search, remedy)
        self.__dict__.pop("_resumed", None)
        return self

    def _opened(
        self, X: ArrayLike | Source, sample_weight: ArrayLike | None
    ) -> tuple[Rows, list[str] | None, Random]:
        """Return the rows, the names of their columns, and the random generator of the search."""
        name, may_miss = type(self).__name__, self.missing_values == "marginalize"
        rows, names = open_rows(X, sample_weight, name=name, n_jobs=self.n_jobs, may_miss=may_miss)
        require_values(rows, names)
        if self._resumed is None:
            rng = check_random_state(self.random_state)
        else:
            check_features(self, names, rows.n_features, reset=False)
            rng = self._resumed.generator()
        if rows.n_rows <= MANY:
            rows = rows.all_or_sample(MANY, rng)  # of a source: into memory
        return rows, names, rng

    def _store(
        self,
        checkpoint: str | os.PathLike[str] | None,
        rows: Rows,
        names: list[str] | None,
        rng: Random,
    ) -> Store:
        """Return the outcomes to go on from, and a place for others; `rng` has not been used."""
        settings, resumed = self.get_params(deep=False), self._resumed
        known = {} if resumed is None else resumed.outcomes_for(settings, rows)
        if checkpoint is None:
            return Store(known)
        outcomes.require_no_other(checkpoint, settings, rows)
        return Store(known, outcomes.keeper(checkpoint, settings, Seen.of(rows, names), rng))

    def _choose(self, search: Search, remedy: str) -> None:
        """Keep the best candidate, and warn; `remedy` is advice where columns are dependent."""
        fits, order = list(search.known.values()), self.results_.ranking(self.criterion)
        if not order.size:
            raise ValueError(why_none(fits, remedy))
        if remedy:
            warn(f"No model with free correlations could be fitted. {remedy}")
        best, rows = search.known[search.candidates[order[0]]], search.rows
        self._set_fits(fits, best.candidate, Origin(rows.center, rows.dtype, rows.weight))
        assert best.result is not None
        self.best_estimator_._calibrate(rows)
        self.best_estimator_._warn(best.result)

    def _set_fits(self, fits: Sequence[CandidateFit], best: Candidate, origin: Origin) -> None:
        self._fits = {fit.candidate: (fit, origin) for fit in fits if fit.result is not None}
        self.best_estimator_ = self._mixture(best)
        self.best_n_components_ = best.n_components
        self.best_covariance_type_ = self.best_estimator_.covariance_type

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> Self:
        """Resume an interrupted search from its checkpoint.

        Parameters
        ----------
        path : path-like
            File that ``fit(checkpoint=path)`` wrote.

        Returns
        -------
        GaussianMixtureIC
            With the parameters of that search, and the best of the candidates that were done, ready
            to use. Its next `fit`, with the same rows, fits the others, and has the same result as
            without an interruption.
            `callback` sees all of them. `max_seconds`, which counts anew, `n_jobs` and
            `on_interrupt` may be other ones; so may a larger `patience` and more, larger numbers of
            components, except with ``criterion="cv"`` where that draws other folds.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is damaged or not a checkpoint of a search.

        Examples
        --------
        >>> import numpy as np, tempfile, pathlib
        >>> from gmmfast import GaussianMixtureIC
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "search.npz"
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> search = GaussianMixtureIC([1, 2], covariance_types=["EII", "VVV"], random_state=0)
        >>> _ = search.fit(X, checkpoint=path)
        >>> longer = GaussianMixtureIC.resume(path).set_params(n_components=[1, 2, 3])
        >>> longer.fit(X, checkpoint=path).best_n_components_
        1
        """
        point = outcomes.read(path)
        search, seen, fits = cls(**point.settings), point.seen, point.latest()
        d = len(seen.center)
        check_features(search, seen.names, d, reset=True)
        has_noise = search.noise not in (None, False)
        noise = Noise(0.0, 0.0) if has_noise else None  # for numbers of parameters
        tails = tails_of(search.component, search.degrees_of_freedom)
        search.results_ = Results.of([fit.candidate for fit in fits], fits, d, noise, tails)
        order = search.results_.ranking(search.criterion)
        if order.size:
            origin = Origin(seen.center, seen.dtype, seen.weight)
            search._set_fits(fits, fits[order[0]].candidate, origin)
        search._resumed, search.interrupted_ = point, False
        return search

    def _run(
        self,
        search: Search,
        callback: Callable[[CandidateFit], Any] | None,
        bar: SearchBar,
    ) -> list[CandidateFit]:
        """Fit the candidates until none is left or the search is ended."""
        best, n_ended = Best(search.criterion), 0
        self.interrupted_ = False
        try:
            with closing(search.fits()) as candidates:
                for fit in candidates:
                    best.add(fit)
                    n_ended += fit.has_ended
                    bar.step(n_ended, f"{named(fit.candidate)}; {best}")
                    is_over = False
                    if callback is not None and fit.has_ended:
                        is_over = bool(callback(fit.moved(search.rows.center)))
                    if is_over or search.deadline.passed():
                        break
                else:
                    if not search.deadline.passed():
                        bar.step(n_ended, f"fitting the best again; {best}")
                        search.improve()
        except KeyboardInterrupt:
            if self.on_interrupt == "raise" or not search.known:
                raise
            self.interrupted_ = True
        finally:
            search.store.close()
        search.settle()
        fits = list(search.known.values())
        if search.patience is not None and not search.is_complete:
            warn(f"The search ended after {len(fits)} candidates, before its patience did.")
        elif len(fits) < len(search.candidates):
            warn(f"The search ended after {len(fits)} of {len(search.candidates)} candidates.")
        elif n_stopped := sum(fit.is_stopped for fit in fits):
            warn(f"The search ended before {n_stopped} of its {len(fits)} fits did.")
        return fits

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def _best(self) -> GaussianMixture:
        self._check_fitted()
        return self.best_estimator_

    def estimator(
        self, n_components: int, covariance_type: CovarianceType, n_factors: int | None = None
    ) -> GaussianMixture:
        """Return the mixture of a candidate, which need not be the best.

        Parameters
        ----------
        n_components : int
            Its number of components.
        covariance_type : str
            Its covariance model.
        n_factors : int, optional
            Of "factor" and "factor-tied"; else as in `results_`, part of the name: "factor(2)".

        Returns
        -------
        GaussianMixture
            Fitted; a new one by each call.

        Raises
        ------
        ValueError
            If there is no such candidate, or it could not be fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixtureIC
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> search = GaussianMixtureIC([1, 2], covariance_types=["EII", "VVV"]).fit(X)
        >>> search.estimator(2, "VVV").covariances_.shape
        (2, 2, 2)
        """
        self._check_fitted()
        name: Any = covariance_type
        if n_factors is not None:
            name = model_name(covariance_type, n_factors)
        candidate = Candidate(n_components, name)
        if candidate not in self._fits:
            raise ValueError(why_not(candidate, self.results_))
        return self._mixture(candidate)

    def _mixture(self, candidate: Candidate) -> GaussianMixture:
        fit, origin = self._fits[candidate]
        n_components, name = fit.candidate
        covariance_type, n_factors = type_and_factors(name)
        mixture = GaussianMixture(
            n_components,
            covariance_type=covariance_type,
            n_factors=n_factors or 1,
            tol=self.tol,
            reg_covar=self.reg_covar,
            covariance_ratio=self.covariance_ratio,
            noise=self.noise,
            noise_volume=self.noise_volume,
            component=self.component,
            degrees_of_freedom=self.degrees_of_freedom,
            max_iter=self.max_iter,
            acceleration=self.acceleration,
            prior=self.prior,
            random_state=self.random_state,
            n_jobs=self.n_jobs,
            missing_values=self.missing_values,
        )
        assert fit.result is not None
        tails = tails_of(self.component, self.degrees_of_freedom)
        own = self.reg_covar, self.covariance_ratio, self._begun_noise, tails
        mixture._set_result(fit.result, model_of(name, *own), origin)
        names = getattr(self, "feature_names_in_", None)
        d = self.n_features_in_
        check_features(mixture, None if names is None else list(names), d, reset=True)
        return mixture

    def summary(self, n_best: int = 5) -> Summary:
        """Return the ranking, and the parameters of the best candidate, as text.

        Parameters
        ----------
        n_best : int, default=5
            Number of candidates to list.

        Returns
        -------
        str
            A notebook shows it as it is printed.
        """
        best, results = self._best(), self.results_
        report = described(best, feature_names(best))
        log_likelihood = float(results["log_likelihood"][results.ranking(self.criterion)[0]])
        report = scored(report, log_likelihood, best._n_parameters())
        ranking = results.summary(self.criterion, n_best)
        return Summary(f"{ranking}\n\n{fit_as_text(report, PYTHON)}")

    def compare(self) -> Comparison:
        """Say how strong the evidence for the best candidate by BIC is, against each other one.

        A difference in BIC of 2 to 6 is positive evidence, of 6 to 10 strong, of more very strong.
        Candidates within 2 of the best are practically tied.

        Returns
        -------
        Comparison
            Printed as a table.

        References
        ----------
        Kass, R. E., Raftery, A. E. (1995). Bayes factors. JASA 90(430), 773-795, section 3.2: the
        grades; section 4.1.3: BIC as an approximation of twice the log of a Bayes factor.

        Examples
        --------
        >>> from gmmfast import GaussianMixtureIC
        >>> from gmmfast.datasets import load_customers
        >>> X = load_customers().data
        >>> models = ["EVI", "EVV", "VVV"]
        >>> search = GaussianMixtureIC([2, 3], covariance_types=models, random_state=0).fit(X)
        >>> print(search.compare())
        K  model      BIC  difference  probability     evidence
        3    EVI  4062.04        0.00        0.706         best
        2    EVV  4064.74        2.70        0.183     positive
        2    VVV  4065.92        3.88        0.102     positive
        2    EVI  4070.67        8.63        0.009       strong
        3   EVV*  4078.24       16.20        0.000  very strong
        3   VVV*  4091.30       29.26        0.000  very strong
        <BLANKLINE>
        No other candidate is within 2 of the best BIC
        * not completed: its likelihood may be higher
        """
        self._check_fitted()
        return Comparison.of(self.results_)

    predict = _of_best(GaussianMixture.predict)
    predict_proba = _of_best(GaussianMixture.predict_proba)
    score_samples = _of_best(GaussianMixture.score_samples)
    score = _of_best(GaussianMixture.score)
    bic = _of_best(GaussianMixture.bic)
    aic = _of_best(GaussianMixture.aic)
    aicc = _of_best(GaussianMixture.aicc)
    icl = _of_best(GaussianMixture.icl)
    impute = _of_best(GaussianMixture.impute)
    sample = _of_best(GaussianMixture.sample)
    marginal = _of_best(GaussianMixture.marginal)
    condition = _of_best(GaussianMixture.condition)
    predict_features = _of_best(GaussianMixture.predict_features)
    uncertainty = _of_best(GaussianMixture.uncertainty)
    cdf = _of_best(GaussianMixture.cdf)
    quantile = _of_best(GaussianMixture.quantile)
    highest_density_level = _of_best(GaussianMixture.highest_density_level)
    log_density_quantile = _of_best(GaussianMixture.log_density_quantile)
    is_outlier = _of_best(GaussianMixture.is_outlier)
    save = _of_best(GaussianMixture.save)
