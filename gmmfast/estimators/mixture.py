"""The estimator: scikit-learn's interface to the EM loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast import em
from gmmfast.data.constraints import (
    STEPWISE,
    Acceleration,
    Component,
    CovarianceType,
    Degrees,
    GivenPrior,
    Memberships,
    MissingValues,
    Start,
    check_constructor,
    check_parameters,
    require_columns,
)
from gmmfast.data.factors import check_loadings, require_loadings, require_possible
from gmmfast.data.fixed import (
    first_components,
    settled,
    starting_values,
)
from gmmfast.data.given import (
    check_covariances,
    check_means_init,
    check_weights_init,
    given_array,
)
from gmmfast.data.validation import (
    check_feature_names,
    check_features,
    check_rows,
    check_sample_weight,
)
from gmmfast.em.starts import Given
from gmmfast.em.state import reached_by_em
from gmmfast.em.stepwise import Stream
from gmmfast.estimators.beginning import given_of, model_for, require_streamable
from gmmfast.estimators.conditional import ConditionalMixture
from gmmfast.estimators.describing import DescribedMixture
from gmmfast.estimators.fitted import FittedMixture
from gmmfast.estimators.fitting import FittingMixture
from gmmfast.estimators.known import known_of, with_features_of
from gmmfast.estimators.made import set_parameters
from gmmfast.estimators.noise import set_noise, warn_of_noise
from gmmfast.estimators.penalized import PenalizedMixture
from gmmfast.estimators.tails import given_degrees, set_degrees, tails_of
from gmmfast.files import checkpoint as checkpoints
from gmmfast.files import document, sklearn
from gmmfast.files import model as files
from gmmfast.files.archive import kept_parameters
from gmmfast.models import Model, Noise, model_of
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import Rows
from gmmfast.rows.incomplete import in_memory
from gmmfast.rows.opening import require_values
from gmmfast.rows.sources import Source, is_elsewhere


class GaussianMixture(FittingMixture, DescribedMixture, PenalizedMixture, ConditionalMixture):
    """Gaussian mixture, fitted by Expectation-Maximization.

    ``p(x) = sum_k weights_k N(x | means_k, covariances_k)``. A drop-in for
    ``sklearn.mixture.GaussianMixture``: the same parameters and attributes, and from the same
    start the same iterates.

    Parameters
    ----------
    n_components : int, default=1
        K, the number of components.
    covariance_type : str, default="full"
        "full", "tied", "diag" or "spherical": one matrix per component, one matrix for all, one
        variance per component and feature, or one variance per component. "factor": correlations by
        `n_factors`, for many features, or more features than rows; "factor-tied" has the same
        specific variances in all components. Or one of mclust's codes for volume, shape and axes (E
        equal, V varying, I of the unit matrix): "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE",
        "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"; for one column also "E" and "V", which are
        EII and VII.
    tol : float, default=1e-3
        A fit has converged once the mean log-likelihood per row changes by less, in nats.
    reg_covar : float, default=1e-6
        Added to the diagonals of the covariances, in squared units of the data.
    max_iter : int, default=100
        EM iterations, at most. 0 keeps the start.
    n_init : int, default=1
        Number of starts. The fit with the largest lower bound is kept, of those without a collapsed
        component if there are any. Labels or responsibilities in `init_params` are one start,
        whatever `n_init`.
    init_params : str, array-like of shape (n,) or (n, K), or callable, default="kmeans"
        "kmeans", "k-means++" and "random_from_data" assign each row to the nearest of K seeds: the
        centers that k-means finds, rows drawn by k-means++, rows drawn at random. "random" draws
        responsibilities; "hierarchical" cuts two of Ward's trees. After up to ten EM passes, on all
        rows or a sample of at most ``max(4096, 128 K)`` (full covariances: at least ``4 K d``;
        trees: 4096), components are moved to where the rows are described worst, as long as that
        makes the mixture likelier (Ueda et al. 2000). Where passes are long, "kmeans" splits and
        merges its parts before EM instead (Kaukoranta et al. 1998), and of "k-means++",
        "random_from_data" and "random" the likeliest of three starts is kept (K > 170: of two;
        K > 256: there is one). There, a single start by seeds has no passes on a sample unless
        there are more than eight times as many rows. `n_iter_` counts the passes after these. If
        all starts with moves end with some components collapsed, up to two more follow, beyond
        `n_init`, whose moves keep away from narrow components (not with a checkpoint).

        An array holds the memberships of the rows of `fit` to start from, by position, also for
        rows of weight 0: labels (n,), integers from 0 to K - 1, or responsibilities (n, K), whose
        rows sum to one. A callable ``f(X, n_components, rng)`` returns either; it is called once
        per start, with the rows as a read-only array and the generator of `random_state`. Such a
        start stays as it is: one M step on all rows, no trials, no moves. It needs rows in memory,
        and at least one row for each component. `init_params` is not used where weights, means
        and precisions are all given, or where `warm_start` continues a fit.
    weights_init : array-like of shape (K,), default=None
        Mixing weights to start from; with noise, shares of what it leaves.
    means_init : array-like of shape (K, d), default=None
        Means to start from; weights and covariances that are not given start from the rows nearest
        to each mean, or from the memberships in `init_params`. A component without rows near its
        mean gets weight 0 and keeps it.
    precisions_init : array-like, default=None
        Inverses of the covariances to start from, in the shape of ``precisions_``. They need not
        satisfy the constraint of the model; the first M step enforces it.
    random_state : int, RandomState, Generator or None, default=None
        The only source of chance; an int gives the same fit each time.
    warm_start : bool, default=False
        Continue from the last fit instead of starting anew; `n_components` and `covariance_type`
        must be unchanged.
    verbose : int, default=0
        1 prints iterations, 2 also times and changes.
    verbose_interval : int, default=10
        Iterations between printed lines.
    n_jobs : int or None, default=None
        Number of threads. None uses as many as Numba is set to, -1 as many as it started with.
        Results are the same to the last bit for any number.
    acceleration : {"none", "auto"}, default="none"
        "none" takes plain EM steps, with scikit-learn's iterates. "auto" extrapolates them once EM
        has settled into its linear rate, which saves most iterations where components overlap and
        `tol` is small. It stops on the gain of an EM step, and no step gains less than EM's (see
        `gmmfast.kernels.anderson`).
    missing_values : {"raise", "marginalize"}, default="raise"
        What to do with NaN, masked values and the missing values of frames. "marginalize" maximizes
        the likelihood of the values that are there (Little & Rubin 2019, section 11.2), in float64;
        labels, densities and probabilities follow from the mixture of a row's
        known features. Rows without any value are left out of a fit.
    covariance_ratio : float or None, default=None
        Upper bound (at least 1) on the ratio of the largest variance along any axis to the
        smallest, over all components: of the eigenvalues of the covariances (Fritz et al. 2013). No
        component can then shrink onto a few nearly equal rows. For "full", "diag", "spherical",
        "VVV", "VVI", "VII" and "V"; the ratio depends on the units of the columns. None is no
        bound.
    noise : None, bool, float or array-like of bool of shape (n,), default=None
        A further component that is uniform over the volume of the data, for outliers (Banfield &
        Raftery 1993). It starts from the rows that are farthest from their neighbors, twice as many
        as the share that is given, or as 5 % for True; or from the rows that an array marks, by
        position. Labels are -1 for noise, and `predict_proba` has a last column for it. Not with
        missing values.
    noise_volume : float or None, default=None
        Volume of the noise, in the units of the data. None takes the smaller of the boxes along the
        features and along the principal axes, as mclust does.
    component : {"gaussian", "t"}, default="gaussian"
        Distribution of each component. "t" has heavy tails, so that rows far from all components
        hardly move them (Peel & McLachlan 2000). Starts leave out the tenth of the rows that is
        farthest from its neighbors. `covariances_` are then scale matrices: covariances divided by
        ``nu / (nu - 2)``.
    degrees_of_freedom : float, "common" or "own", default="common"
        Degrees of freedom nu of t components: a number, or estimated, one for all components or one
        for each (Andrews & McNicholas 2012). Few make heavy tails, many make them Gaussian.
        Estimates lie between 1 and 1000.
    prior : {"mclust"}, gmmfast.Prior or None, default=None
        Fit the most probable parameters under a prior instead of the likeliest: no component can
        collapse then. "mclust" is ``Prior()``, with mclust's defaults. `lower_bound_` includes the
        log density of the prior; `score` and the criteria do not. Not for `partial_fit`.
    trim : float, default=0.0
        Share of the rows, by weight and below 0.5, that each pass leaves out: the least likely ones
        (Garcia-Escudero et al. 2008). `lower_bound_`, `score` and the criteria are means and sums
        over the other rows, and n is their weight. It needs complete rows in memory; see Notes.
    fixed : dict, default=None
        Parameters that keep their starting values: "weights", "means" and "covariances", each True
        or one bool per component. The values are in `weights_init`, `means_init` and
        `precisions_init`; there, components that are not fixed may be NaN, and start as usual.
        Other weights share what fixed ones leave. Some covariances, and not all, can only be fixed
        in "full", "diag", "spherical", "VVV", "VVI" and "VII". Not for `partial_fit`.

    n_factors : int, default=1
        Of "factor" and "factor-tied": q, the number of factors of each component, less than d
        (McLachlan & Peel 2000). A covariance is ``loadings @ loadings.T`` and a diagonal, so that
        time and memory grow with q d, not with d^2. Fits begin with independent features, and with
        the principal components of the rows of each component. Steps are EM's, with any
        `acceleration`. Not with missing values, a prior, fixed parameters, `precisions_init` or
        `partial_fit`.

    Attributes
    ----------
    weights_ : ndarray of shape (K,)
        Mixing weights; they sum to one, or with noise to one minus its weight.
    means_ : ndarray of shape (K, d)
        Means, in units of the data.
    covariances_ : ndarray of shape (K, d, d), (d, d), (K, d) or (K,)
        Covariances, in the shape of `covariance_type`; (K, d, d) for mclust's codes. Scale matrices
        of t components. Of factor analyzers, these and the next two are dense, and made each time
        they are asked for.
    precisions_ : ndarray
        Their inverses, in the same shape.
    precisions_cholesky_ : ndarray
        Upper triangular U with ``U @ U.T = precision``; reciprocal standard deviations for "diag"
        and "spherical".
    loadings_ : ndarray of shape (K, d, q)
        Of factor analyzers: covariances of features and factors. Factors are independent given the
        features, the most informative first; in units of the specific deviations, the largest
        loading of each is positive.
    specific_variances_ : ndarray of shape (K, d)
        Of factor analyzers: variances of the features given the factors.
    converged_ : bool
        Whether the best start converged.
    stop_reason_ : str
        Why the fit ended, in a sentence.
    n_iter_ : int
        EM iterations of the best start.
    lower_bound_ : float
        Mean log-likelihood per row before the last M step; with a prior, plus the log density of
        the parameters, up to a constant, per row.
    lower_bounds_ : list of float
        The same before each M step.
    degenerate_ : ndarray of bool of shape (K,)
        Components that have collapsed: their smallest variance in any direction is at
        `reg_covar`, or below 1e-6 of that of all the data if they have fewer than 10 (d + 1) rows
        (1e-24 if they have more). Their density means nothing.
    n_samples_seen_ : float
        Total weight of the rows that the mixture has learned from.
    noise_weight_ : float
        Weight of the noise; like the next two only where there is noise.
    noise_volume_ : float
        Its volume, so that its density is ``1 / noise_volume_``.
    noise_box_ : ndarray of shape (d + 1, d)
        A corner of its box, and the d edges that begin there.
    degrees_of_freedom_ : ndarray of shape (K,)
        Degrees of freedom of t components; only where there are any.
    log_density_quantiles_ : ndarray of shape (47,)
        Quantiles of the log densities of the rows of `fit`, for `log_density_quantile` and
        `is_outlier`. `partial_fit` keeps none; see `calibrate`.
    trimmed_ : ndarray of bool of shape (n,)
        With `trim`: the rows of `fit` that were left out (of the row at the threshold, more than
        half of its weight). `predict` labels such rows like all others. Not kept by `save`.
    n_features_in_ : int
        Number of features d.
    feature_names_in_ : ndarray of str of shape (d,)
        Column names, where X was a frame with names.

    Notes
    -----
    With `trim`, starts are made, tried and moved without the same share of rows: those farthest
    from their neighbors. Each start draws other neighbors, so that several (`n_init`) may differ.
    The first M step from labels or responsibilities takes all rows.

    References
    ----------
    Andrews, J. L., McNicholas, P. D. (2012). Model-based clustering, classification, and
    discriminant analysis via mixtures of multivariate t-distributions. Statistics and Computing
    22(5), 1021-1029: the models with t components.

    Banfield, J. D., Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering.
    Biometrics 49(3), 803-821: the noise.

    Bishop, C. M. (2006). Pattern Recognition and Machine Learning, section 9.2.2.

    Celeux, G., Govaert, G. (1995). Gaussian parsimonious clustering models. Pattern Recognition
    28(5), 781-793: the models that the codes name.

    Dempster, A. P., Laird, N. M., Rubin, D. B. (1977). Maximum likelihood from incomplete data
    via the EM algorithm. JRSS B 39(1), 1-38.

    Fritz, H., Garcia-Escudero, L. A., Mayo-Iscar, A. (2013). A fast algorithm for robust
    constrained clustering. Computational Statistics & Data Analysis 61, 124-136.

    Garcia-Escudero, L. A., Gordaliza, A., Matran, C., Mayo-Iscar, A. (2008). A general trimming
    approach to robust cluster analysis. Annals of Statistics 36(3), 1324-1345.

    Kaukoranta, T., Franti, P., Nevalainen, O. (1998). Iterative split-and-merge algorithm for
    vector quantization codebook generation. Optical Engineering 37(10), 2726-2732.

    McLachlan, G. J., Peel, D. (2000). Finite Mixture Models, chapter 8: factor analyzers.

    Peel, D., McLachlan, G. J. (2000). Robust mixture modelling using the t distribution. Statistics
    and Computing 10, 339-348.

    Ueda, N., Nakano, R., Ghahramani, Z., Hinton, G. E. (2000). SMEM algorithm for mixture models.
    Neural Computation 12, 2109-2128, section 3: components that are split and merged.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixture
    >>> X = np.array([[1, 2], [2, 4], [1, 0], [10, 2], [11, 4], [10, 0]])
    >>> mixture = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> mixture.means_[mixture.means_[:, 0].argsort()].round(3)
    array([[ 1.333,  2.   ],
           [10.333,  2.   ]])
    >>> labels = mixture.predict([[0, 0], [12, 3]])
    >>> bool(labels[0] != labels[1])
    True

    A start from known groups:

    >>> groups = np.array(["low", "low", "low", "high", "high", "high"])
    >>> names, labels = np.unique(groups, return_inverse=True)
    >>> mixture = GaussianMixture(n_components=2, init_params=labels).fit(X)
    >>> names[mixture.predict([[0, 0], [12, 3]])]
    array(['low', 'high'], dtype='<U4')
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: CovarianceType = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: Start | Memberships | Callable[..., ArrayLike] = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        n_jobs: int | None = None,
        acceleration: Acceleration = "none",
        missing_values: MissingValues = "raise",
        covariance_ratio: float | None = None,
        noise: float | ArrayLike | None = None,
        noise_volume: float | None = None,
        component: Component = "gaussian",
        degrees_of_freedom: float | Degrees = "common",
        prior: GivenPrior | None = None,
        trim: float = 0.0,
        fixed: Mapping[str, ArrayLike] | None = None,
        n_factors: int = 1,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_jobs = n_jobs
        self.acceleration = acceleration
        self.missing_values = missing_values
        self.covariance_ratio = covariance_ratio
        self.noise = noise
        self.noise_volume = noise_volume
        self.component = component
        self.degrees_of_freedom = degrees_of_freedom
        self.prior = prior
        self.trim = trim
        self.fixed = fixed
        self.n_factors = n_factors

    _stream: Stream | None = None  # of a mixture that has learned by partial_fit

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
        """Estimate the parameters.

        Parameters
        ----------
        X : array-like, frame or source of shape (n, d)
            float32 rows are computed in float32, with float64 sums; everything else in float64.
            Paths and `gmmfast.chunks` are read in pieces, in every iteration.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n,), optional
            Row weights. Weight 0 leaves a row out; an integer weight repeats it.
        callback : callable, optional
            Called as ``callback(iteration, lower_bound)`` after every iteration; a true result
            stops the fit, which keeps its last parameters.
        progress : bool, default=False
            Show a bar on stderr once the fit takes longer than a second.
        checkpoint : path-like, optional
            File to write after each iteration, for `resume`. It must not be the file of X. There
            is one start then, even if it ends with a collapsed component.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X is not finite, two-dimensional and of at least K rows; if `init_params` holds no
            memberships of these rows in K components; or if a covariance is not positive definite
            (raise `reg_covar`).
        InvalidParameterError
            If a parameter of the constructor is out of range.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` was reached; scikit-learn's own class where scikit-learn is loaded.
        CollapsedComponentWarning
            If components have collapsed; see `degenerate_`. Not where all rows together vary no
            more than `reg_covar` in some direction: any fit collapses there.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> X = np.array([[0.0], [0.2], [5.0], [5.2]])
        >>> GaussianMixture(2, random_state=0).fit(X, sample_weight=[1, 1, 2, 2]).weights_.max()
        np.float64(0.666...)
        """
        return self._fit(X, sample_weight, callback, progress, checkpoint)

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> Self:
        """Resume an interrupted fit from its checkpoint.

        Parameters
        ----------
        path : path-like
            File that ``fit(checkpoint=path)`` wrote.

        Returns
        -------
        GaussianMixture
            The mixture after the last iteration, ready to use. Its next `fit`, with the same rows,
            continues from there and ends where the interrupted fit would have ended, to rounding.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is damaged or not a checkpoint.

        Examples
        --------
        >>> import numpy as np, tempfile, pathlib
        >>> from gmmfast import GaussianMixture
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "fit.npz"
        >>> X = np.random.default_rng(0).normal(size=(1000, 2))
        >>> whole = GaussianMixture(2, random_state=0).fit(X)
        >>> stop = lambda iteration, lower_bound: iteration == 2
        >>> _ = GaussianMixture(2, random_state=0).fit(X, callback=stop, checkpoint=path)
        >>> resumed = GaussianMixture.resume(path).fit(X, checkpoint=path)
        >>> bool(np.allclose(resumed.means_, whole.means_, rtol=1e-10))
        True
        """
        point = checkpoints.read(path, "GaussianMixture")
        mixture = cls(**point.settings)
        check_constructor(mixture)
        position = point.position
        tails = tails_of(mixture.component, mixture.degrees_of_freedom)
        own = mixture.reg_covar, mixture.covariance_ratio, Noise.of(position.parameters), tails
        model = model_of(mixture._model_name(), *own)
        parameters = reached_by_em(model, position.parameters, position.memory)
        seen, means = point.seen, parameters.means + point.seen.center
        mixture._set_parameters(parameters, model, means, seen.dtype)
        mixture._set_progress(position)
        mixture.n_samples_seen_ = seen.weight
        check_features(mixture, seen.names, len(seen.center), reset=True)
        if mixture.fixed is not None:
            precisions = model.precisions(model.precisions_cholesky(parameters))
            values = {"weights": parameters.weights, "means": means, "covariances": precisions}
            mixture.set_params(**settled(mixture.fixed, values))
        mixture._resumed = point
        return mixture

    def partial_fit(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        decay: float = 0.8,
        forgetting: float = 0.0,
    ) -> Self:
        """Learn from rows that arrive in batches and are seen once: stepwise EM.

        The first batch is fitted as by `fit`. Each later batch moves the sufficient statistics,
        which are averages over all rows, toward its own by a step of ``(w / W) ** decay``, but at
        least `forgetting`; w is the weight of the batch and W that of all rows so far. A mixture
        that was fitted, or made from parameters, continues from there. `lower_bound_` is the mean
        log-likelihood of the last batch before it was learned; `n_iter_` counts steps.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The next rows; at least K in the first batch.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n,), optional
            Row weights.
        decay : float, default=0.8
            Above 0.5 and at most 1. Small values forget the first parameters sooner; large values
            average over more rows.
        forgetting : float, default=0.0
            For data that drift: the share of the statistics that each call replaces at least. In
            the long run about ``1 / forgetting`` calls are remembered.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in `fit`; the mixture is unchanged then.

        References
        ----------
        Cappe, O., Moulines, E. (2009). On-line expectation-maximization algorithm for latent data
        models. JRSS B 71(3), 593-613, section 2.

        Liang, P., Klein, D. (2009). Online EM for unsupervised models. NAACL, section 3.2.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> mixture, rng = GaussianMixture(1), np.random.default_rng(0)
        >>> for _ in range(20):
        ...     mixture = mixture.partial_fit(rng.normal(size=(500, 2)))
        >>> bool(abs(mixture.means_).max() < 0.05)
        True
        """
        check_constructor(self)
        steps = {"decay": decay, "forgetting": forgetting}
        check_parameters("partial_fit", steps, STEPWISE)
        require_streamable(self)
        if is_elsewhere(X):
            raise TypeError(
                "partial_fit needs rows in memory, one batch at a time; got "
                f"{type(X).__name__}. Pass its pieces one after the other, or use fit."
            )
        name = f"{type(self).__name__}.partial_fit"
        X, names = check_rows(X, name=name, is_missing_allowed=self._may_miss)
        rows = in_memory(X, check_sample_weight(sample_weight, len(X)), n_jobs=self.n_jobs)
        if hasattr(self, "weights_"):
            self._require_same_model()
            check_features(self, names, rows.n_features, reset=False)
            return self._go_on_with(rows, names, **steps)
        require_values(rows, names)
        return self._begin_with(rows, names)

    def _begin_with(self, rows: Rows, names: list[str] | None) -> Self:
        """Fit the first rows of a stream."""
        self._require_size(rows)
        model = model_for(self, rows)
        with self._explained(rows, names):
            result = self._run(rows, model, em.Control(self.tol, self.max_iter, self.acceleration))
            statistics = rows.expectation(result.parameters, model.scatter)
        check_features(self, names, rows.n_features, reset=True)
        self._set_result(result, model, rows)
        self._stream = Stream.of(statistics.moved(rows.center))
        return self

    def _go_on_with(
        self, rows: Rows, names: list[str] | None, decay: float, forgetting: float
    ) -> Self:
        """Take one step with the next rows of a stream."""
        if not rows.n_rows:
            raise ValueError(
                "A batch needs a row that has a value; this one has none. Leave it out."
            )
        model = self._model()
        before, n_iter = self._parameters(np.zeros_like(rows.center)), self.n_iter_ + 1
        with self._explained(rows, names):
            stream, result = self._stream_so_far(model).step(rows, before, model, decay, forgetting)
        self._set_result(result, model, rows)
        self._stream, self.n_samples_seen_, self.n_iter_ = stream, stream.seen, n_iter
        return self

    def _stream_so_far(self, model: Model) -> Stream:
        """Return the stream that `partial_fit` continues."""
        if self._stream is not None:
            return self._stream
        parameters = self._parameters(np.zeros(self.means_.shape[1]))
        return Stream.of_mixture(parameters, model, self.n_samples_seen_)

    def _model_for(self, rows: Rows) -> Model:
        return model_for(self, rows)

    def _given(self, model: Model, rows: Rows) -> Given:
        return given_of(self, model, rows)

    def _settings(self, model: Model, n_features: int) -> dict[str, Any]:
        own = starting_values(vars(self), self.n_components, n_features)
        settings = kept_parameters(self) | {"fixed": own.kept()}
        if model.noise is not None:
            settings["noise"] = model.noise.share  # labels belong to the start
        return settings

    def _set_parameters(
        self,
        parameters: Parameters,
        model: Model,
        means: Floats,
        dtype: np.dtype[Any],
        degenerate: NDArray[np.bool_] | None = None,
    ) -> None:
        set_noise(self, Noise.of(parameters), model.noise)
        set_degrees(self, parameters.degrees)
        super()._set_parameters(parameters, model, means, dtype, degenerate)

    def _warn(self, result: em.EMResult) -> None:
        warn_of_noise(result.parameters)
        super()._warn(result)

    @classmethod
    def from_parameters(
        cls,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        covariance_type: CovarianceType = "full",
        loadings: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        **params: Any,
    ) -> Self:
        """Make a mixture from its parameters, to predict, score and sample without a fit.

        Parameters
        ----------
        weights : array-like of shape (K,)
            Mixing weights; they sum to one.
        means : array-like of shape (K, d)
            Means.
        covariances : array-like of shape (K, d, d), (d, d), (K, d) or (K,)
            Covariances, by `covariance_type`; scale matrices of t components. With `loadings`, the
            specific variances, of shape (K, d) or (d,).
        covariance_type : str, default="full"
            Structure of the covariances, as in the constructor.
        loadings : array-like of shape (K, d, q), optional
            Of "factor" and "factor-tied", which need them; their last axis is `n_factors`.
        feature_names : sequence of str, optional
            Column names.
        **params
            Further parameters of the constructor. With ``component="t"``, `degrees_of_freedom` is a
            number.

        Returns
        -------
        GaussianMixture

        Raises
        ------
        ValueError
            If a shape is wrong, the weights do not sum to one, a covariance is not symmetric and
            positive definite, or the covariances violate the model beyond the seventh digit: "EII",
            for instance, requires one multiple of the unit matrix.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> mixture.score_samples([[0.0]]).round(6)
        array([-0.918939])
        """
        means = given_array(means, "means")
        n_components, d = means.shape if means.ndim == 2 else (means.size, 1)
        mixture = cls(n_components, covariance_type=covariance_type, **params)
        check_constructor(mixture)
        require_columns([covariance_type], d)
        require_loadings(covariance_type, loadings is not None)
        degrees = given_degrees(mixture.component, mixture.degrees_of_freedom, n_components)
        means = check_means_init(means, n_components, d)
        weights = check_weights_init(weights, n_components)
        if loadings is None:
            covariances = check_covariances(covariances, covariance_type, n_components, d)
        else:
            loadings, covariances = check_loadings(
                loadings, covariances, covariance_type, n_components, d
            )
            mixture.n_factors = loadings.shape[2]
            require_possible(vars(mixture), [covariance_type], d)
        names = None if feature_names is None else check_feature_names(feature_names, d)
        own = weights / weights.sum(), means, covariances, degrees, names
        set_parameters(mixture, *own, loadings)
        return mixture

    @classmethod
    def beside(cls, known: FittedMixture, n_components: int, **params: Any) -> Self:
        """Make a mixture to fit, whose first components are a known mixture's and stay.

        Their weights are free, and share the rows with the other components.

        Parameters
        ----------
        known : GaussianMixture or GaussianMixtureIC
            Fitted, or made from parameters; of "full", "diag" or "spherical" covariances, or the
            codes VVV, VVI and VII.
        n_components : int
            Number of all components, the known ones included.
        **params
            Further parameters of the constructor.

        Returns
        -------
        GaussianMixture
            Not fitted.

        Raises
        ------
        ValueError
            If there are fewer components than known ones, if they share covariances, if there are t
            components, if the known mixture has noise and `params` say nothing of it, or if they
            contradict the known mixture.

        Examples
        --------
        >>> import numpy as np
        >>> from gmmfast import GaussianMixture
        >>> X = np.random.default_rng(0).normal([[0, 0], [9, 9]], size=(50, 2, 2)).reshape(-1, 2)
        >>> known = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [np.eye(2)])
        >>> GaussianMixture.beside(known, 2, random_state=0).fit(X).means_.round(0)
        array([[0., 0.],
               [9., 9.]])
        """
        known = known_of(known, params)
        kind, (_, means, precisions) = known.covariance_type, known._attributes("precisions_")
        first = first_components(means, precisions, kind, n_components)
        made = cls(n_components, covariance_type=kind, **first, **params)
        return with_features_of(made, known)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted mixture to an ``.npz`` file, for `gmmfast.load`.

        Parameters that are arrays, callables or random generators (`weights_init`, `random_state`,
        `init_params` where it is no name, ...) belong to the fit and are not kept, so that the
        loaded mixture has their defaults; an int `random_state` is.

        Parameters
        ----------
        path : path-like
            Written to a temporary file beside it and then put in its place, so that a failure
            loses nothing.

        Raises
        ------
        ValueError
            If `gmmfast.load` would refuse the file: attributes are not finite, do not have the
            shapes that the parameters require, or contradict each other. Nothing is written then.

        Examples
        --------
        >>> import tempfile, pathlib, gmmfast
        >>> mixture = gmmfast.GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
        >>> mixture.save(path)
        >>> gmmfast.load(path).means_
        array([[0.]])
        """
        files.save(self, path, GaussianMixture)

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted mixture as plain values, for JSON; `gmmfast.from_dict` is the inverse.

        Numbers keep all bits, also as JSON. What `save` does not keep is not in it either.

        Returns
        -------
        dict
            ``format``, ``version``: "gmmfast model" and the version of these members.
            ``parameters``: of the constructor. ``feature_names``: list of str or None.
            ``n_features``: int or None. ``dtype``: "float64" or "float32". ``facts``:
            `converged_`, `stop_reason_`, `n_iter_`, `lower_bound_` (None for minus infinity),
            `lower_bounds_` and `n_samples_seen_`. ``arrays``: the other fitted attributes as nested
            lists in their shapes, and ``stream_...`` for `partial_fit`.

        Examples
        --------
        >>> import gmmfast, json
        >>> mixture = gmmfast.GaussianMixture.from_parameters([1.0], [[0.5]], [[[4.0]]])
        >>> document = mixture.to_dict()
        >>> document["arrays"]["means_"], document["arrays"]["precisions_cholesky_"]
        ([[0.5]], [[[0.5]]])
        >>> gmmfast.from_dict(json.loads(json.dumps(document))).means_
        array([[0.5]])
        """
        return document.to_dict(self, GaussianMixture)

    def to_sklearn(self) -> Any:
        """Return a fitted ``sklearn.mixture.GaussianMixture`` with the same parameters.

        Models named by mclust's codes, which scikit-learn does not know, become "full"; starts that
        it does not know become "kmeans".

        Returns
        -------
        sklearn.mixture.GaussianMixture

        Raises
        ------
        ImportError
            If scikit-learn is not installed.
        """
        return sklearn.to_sklearn(self)

    @classmethod
    def from_sklearn(cls, mixture: Any) -> Self:
        """Make a mixture from a fitted ``sklearn.mixture.GaussianMixture``.

        Parameters
        ----------
        mixture : sklearn.mixture.GaussianMixture
            Fitted.

        Returns
        -------
        GaussianMixture

        Raises
        ------
        ValueError
            If it is not fitted, or not a Gaussian mixture.
        """
        made: Self = sklearn.from_sklearn(cls, mixture)
        return made


def load(path: str | os.PathLike[str]) -> GaussianMixture:
    """Read a mixture that `GaussianMixture.save` wrote; everything in the file is checked.

    Parameters
    ----------
    path : path-like
        File.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a gmmfast model, is damaged, or has another format.
    """
    return files.load(path, GaussianMixture)


def from_dict(values: Mapping[str, Any]) -> GaussianMixture:
    """Make a mixture from the values of `GaussianMixture.to_dict`; all of them are checked.

    Parameters
    ----------
    values : mapping
        As `to_dict` returns them, or as JSON has kept them.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    ValueError
        If a value is missing or invalid.

    Examples
    --------
    >>> import gmmfast
    >>> mixture = gmmfast.GaussianMixture.from_parameters([1.0], [[0.5]], [[[4.0]]])
    >>> gmmfast.from_dict(mixture.to_dict()).covariances_
    array([[[4.]]])
    """
    return document.from_dict(values, GaussianMixture)
