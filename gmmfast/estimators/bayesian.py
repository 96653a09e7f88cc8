"""Variational Bayes: the posterior of a mixture's parameters instead of one estimate."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.constraints import (
    BAYESIAN,
    Acceleration,
    Memberships,
    MissingValues,
    SklearnModel,
    Start,
    WeightPrior,
    check_constructor,
)
from gmmfast.data.validation import check_features
from gmmfast.em.conjugate import conjugate_prior
from gmmfast.em.state import reached_by_em
from gmmfast.estimators.fitting import FittingMixture
from gmmfast.files import checkpoint as checkpoints
from gmmfast.models import Model
from gmmfast.models.variational import with_posterior
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import Origin, Rows
from gmmfast.rows.sources import Source


class BayesianGaussianMixture(FittingMixture):
    """Gaussian mixture whose parameters have a posterior, found by variational inference.

    A drop-in for ``sklearn.mixture.BayesianGaussianMixture``: the same parameters and attributes,
    and from the same start the same iterates. Components that the data do not need get weights
    near zero, so that `n_components` is an upper bound.

    Parameters
    ----------
    n_components : int, default=1
        K, the largest number of components.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Structure of the covariances, as in `GaussianMixture`.
    tol : float, default=1e-3
        A fit has converged once the lower bound, a sum over all rows, changes by less, in nats.
    reg_covar : float, default=1e-6
        Added to the diagonals of the covariances of the rows, in squared units of the data.
    max_iter : int, default=100
        Iterations, at most.
    n_init : int, default=1
        Number of starts; the fit with the largest lower bound is kept.
    init_params : str, array-like of shape (n,) or (n, K), or callable, default="kmeans"
        As in `GaussianMixture`.
    weight_concentration_prior_type : str, default="dirichlet_process"
        "dirichlet_process", of broken sticks, where early components may take most of the weight,
        or "dirichlet_distribution", which is symmetric in the components.
    weight_concentration_prior : float or None, default=None
        Concentration of the process (gamma), or of the distribution (alpha_0): the prior count of
        rows per component. Small values leave more components empty. None is ``1 / n_components``.
    mean_precision_prior : float or None, default=None
        Rows that `mean_prior` counts for (beta_0). None is 1.
    mean_prior : array-like of shape (d,), default=None
        Prior mean of the means; None is the mean of X.
    degrees_of_freedom_prior : float or None, default=None
        Degrees of freedom of the precisions' Wishart prior (nu_0), more than d - 1; None is d.
    covariance_prior : float or array-like, default=None
        Inverse of the scale matrix of that prior: (d, d) of "full" and "tied", (d,) of "diag", a
        number of "spherical". None is the covariance of X, or its variances, or their mean.
    random_state : int, RandomState, Generator or None, default=None
        The only source of chance; an int gives the same fit each time.
    warm_start : bool, default=False
        Continue from the last fit instead of starting anew.
    verbose : int, default=0
        1 prints iterations, 2 also times and changes.
    verbose_interval : int, default=10
        Iterations between printed lines.
    n_jobs : int or None, default=None
        Number of threads, as in `GaussianMixture`.
    acceleration : {"none", "auto"}, default="none"
        "auto" extrapolates the iterations, as in `GaussianMixture`. The lower bounds are then of
        the mixture before an iteration, not after it.

    Attributes
    ----------
    weights_ : ndarray of shape (K,)
        Expected weights.
    means_ : ndarray of shape (K, d)
        Expected means.
    covariances_, precisions_, precisions_cholesky_ : ndarray
        Inverses of the expected precisions, these, and their Cholesky factors, as in
        `GaussianMixture`.
    weight_concentration_ : ndarray of shape (K,), or tuple of two
        Posterior of the weights: of a Dirichlet distribution; or beta distributions of the sticks.
    mean_precision_ : ndarray of shape (K,)
        Rows that each mean has seen, with the prior's (beta_k).
    degrees_of_freedom_ : ndarray of shape (K,), or float if tied
        Degrees of freedom of the precisions (nu_k).
    weight_concentration_prior_, mean_precision_prior_, degrees_of_freedom_prior_ : float
        The prior in use, like the next two.
    mean_prior_ : ndarray of shape (d,)
        Prior mean.
    covariance_prior_ : ndarray or float
        Inverse of the Wishart distribution's scale matrix.
    converged_ : bool
        Whether the fit ended by `tol`.
    stop_reason_ : str
        Why the fit ended, as one sentence.
    n_iter_ : int
        Iterations of the best fit.
    lower_bound_ : float
        Lower bound of the evidence, up to a constant, in nats: a sum over all rows.
    lower_bounds_ : list of float
        The same after each iteration.
    n_samples_seen_ : float
        Total weight of the rows.
    log_density_quantiles_ : ndarray of shape (47,)
        Quantiles of the log densities of the rows, as in `GaussianMixture`.
    n_features_in_ : int
        Number of features d.
    feature_names_in_ : ndarray of str of shape (d,)
        Column names, where X was a frame with names.

    Notes
    -----
    `score_samples` and `predict_proba` take expected log densities, as scikit-learn does, not the
    predictive density of the posterior; `sample` and `impute` take the expected parameters.

    For "diag" and "spherical", scikit-learn's lower bound takes Wishart's normalizer for that of
    independent precisions; so does this one, and it may fall slightly.

    References
    ----------
    Bishop, C. M. (2006). Pattern Recognition and Machine Learning, section 10.2.

    Blei, D. M., Jordan, M. I. (2006). Variational inference for Dirichlet process mixtures.
    Bayesian Analysis 1(1), 121-143.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import BayesianGaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(400, 1)) + np.repeat([0, 9], 200)[:, None]
    >>> mixture = BayesianGaussianMixture(n_components=5, random_state=0).fit(X)
    >>> int((mixture.weights_ > 0.01).sum())
    2
    """

    trim = 0.0  # no rows are left out,
    missing_values: MissingValues = "raise"  # and none lack values
    covariance_ratio = None
    _bound = "lower bound"

    def __init__(
        self,
        *,
        n_components: int = 1,
        covariance_type: SklearnModel = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: Start | Memberships | Callable[..., ArrayLike] = "kmeans",
        weight_concentration_prior_type: WeightPrior = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: ArrayLike | None = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        n_jobs: int | None = None,
        acceleration: Acceleration = "none",
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_jobs = n_jobs
        self.acceleration = acceleration

    def fit(
        self,
        X: ArrayLike | Source,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        callback: Callable[[int, float], Any] | None = None,
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Find the posterior.

        Parameters
        ----------
        X : array-like, frame or source of shape (n, d)
            The rows, as of `GaussianMixture.fit`.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n,), optional
            Row weights. Weight 0 leaves a row out; an integer weight repeats it. The prior does
            not scale with the weights, so their sum matters.
        callback : callable, optional
            Called as ``callback(iteration, lower_bound)`` after every iteration; a true result
            stops the fit.
        progress : bool, default=False
            Show a bar on stderr once the fit takes longer than a second.
        checkpoint : path-like, optional
            File to write after each iteration, for `resume`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X is not finite, two-dimensional and of at least K rows, if the prior does not go
            with its features, or if a covariance is not positive definite (raise `reg_covar`).
        InvalidParameterError
            If a parameter of the constructor is out of range.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` was reached; scikit-learn's own class where scikit-learn is loaded.
        """
        return self._fit(X, sample_weight, callback, progress, checkpoint)

    def _check_constructor(self) -> None:
        check_constructor(self, BAYESIAN)

    def _unit_of_bounds(self, rows: Rows | Origin) -> float:
        """Return the weight of all rows, whose bound is scikit-learn's."""
        return rows.weight

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> Self:
        """Resume an interrupted fit from its checkpoint.

        Parameters
        ----------
        path : path-like
            File that ``fit(checkpoint=path)`` wrote.

        Returns
        -------
        BayesianGaussianMixture
            The mixture after the last iteration, ready to use; its prior is given by numbers. Its
            next `fit`, with the same rows, continues from there and ends where the interrupted fit
            would have ended, to rounding.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is damaged or not a checkpoint of this estimator.
        """
        point = checkpoints.read(path, "BayesianGaussianMixture")
        mixture, seen, position = cls(**point.settings), point.seen, point.position
        mixture._check_constructor()
        prior = conjugate_prior(point.settings, len(seen.center))
        model = with_posterior(mixture._model(), prior, seen.center, seen.weight)
        parameters = reached_by_em(model, position.parameters, position.memory)
        mixture._set_parameters(parameters, model, parameters.means + seen.center, seen.dtype)
        mixture._set_progress(position, seen.weight)
        mixture.n_samples_seen_ = seen.weight
        check_features(mixture, seen.names, len(seen.center), reset=True)
        mixture._resumed = point
        return mixture

    def _model_for(self, rows: Rows) -> Model:
        prior = conjugate_prior(vars(self), rows.n_features, rows)
        return with_posterior(self._model(), prior, rows.center, rows.weight)

    def _settings(self, model: Model, n_features: int) -> dict[str, Any]:
        """Return the parameters of a checkpoint, and the prior in numbers."""
        assert model.variational is not None
        prior = model.variational.prior
        return super()._settings(model, n_features) | {
            "weight_concentration_prior": prior.concentration,
            "mean_precision_prior": prior.mean_precision,
            "mean_prior": prior.mean.tolist(),
            "degrees_of_freedom_prior": prior.degrees,
            "covariance_prior": prior.covariance.tolist(),
        }

    def _set_parameters(
        self,
        parameters: Parameters,
        model: Model,
        means: Floats,
        dtype: np.dtype[Any],
        degenerate: NDArray[np.bool_] | None = None,
    ) -> None:
        super()._set_parameters(parameters, model, means, dtype, degenerate)
        assert parameters.posterior is not None and model.variational is not None
        rows, prior = parameters.posterior[: len(means)], model.variational.prior
        self.weight_concentration_prior_ = prior.concentration
        self.mean_precision_prior_ = prior.mean_precision
        self.mean_prior_ = prior.mean
        self.degrees_of_freedom_prior_ = prior.degrees
        self.covariance_prior_ = prior.covariance
        self.weight_concentration_ = prior.concentrations(rows)
        self.mean_precision_ = prior.mean_precision + rows
        is_tied = self.covariance_type == "tied"
        self.degrees_of_freedom_ = prior.degrees_of_freedom(rows, is_tied)
        self._expected = parameters.log_dets, parameters.posterior

    def _parameters(self, center: Floats) -> Parameters:
        """Return the fitted attributes, with the expected log densities of the posterior."""
        log_dets, posterior = self._expected
        own = super()._parameters(center)
        return replace(own, log_dets=log_dets, posterior=posterior)

    def _degrees(self) -> None:
        """Return None: components are Gaussian, and `degrees_of_freedom_` the precisions'."""
