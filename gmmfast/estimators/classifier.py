"""Classification by the mixtures of classes."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.classes import check_labels, check_priors, numbered, positive
from gmmfast.data.constraints import check_parameters, one_of
from gmmfast.data.validation import check_features, check_sample_weight
from gmmfast.estimators.base import Estimator
from gmmfast.estimators.discriminant import (
    LabeledRows,
    joint_log_densities,
    one_component_each,
    one_mixture_each,
)
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.estimators.template import copied, rows_in_memory
from gmmfast.parameters import Floats

KINDS = "mclustda", "edda"


class GaussianMixtureClassifier(Estimator):
    """Classification by a Gaussian mixture per class.

    The density of each class is a mixture; a row goes to the class with the largest posterior
    probability, ``prior_c p_c(x) / sum_b prior_b p_b(x)``.

    Parameters
    ----------
    mixture : GaussianMixture, GaussianMixtureIC or None, default=None
        What is fitted to the rows of each class, in their units; it is copied. None is
        ``GaussianMixtureIC(range(1, 6), prior="mclust", random_state=0)``: 1 to 5 components and
        all covariance models, chosen by BIC for each class; the prior keeps components of few rows
        from collapsing. By "edda" only `covariance_type` or `covariance_types`, `reg_covar`, `tol`,
        `max_iter` and `n_jobs` count, and None is ``GaussianMixtureIC()``.
    kind : {"mclustda", "edda"}, default="mclustda"
        "mclustda": a mixture per class, fitted to its rows alone. "edda": one component per class,
        whose covariances share the structure of one model for all classes: one of the template, or
        the best by BIC. "VVV" is quadratic, "EEE" linear discriminant analysis.
    priors : array-like of shape (C,) or None, default=None
        Class priors, in the order of `classes_`. None is the share of each class.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        Labels of the classes, sorted.
    mixtures_ : list of GaussianMixture
        The density of each class, in the order of `classes_`.
    priors_ : ndarray of shape (C,)
        Class priors.
    log_likelihood_ : float
        Of the rows of the fit under the mixture of all classes, in nats. Rows of known class count
        with the joint density of row and class where others are unknown.
    n_parameters_ : int
        Free parameters of all classes; of priors, only where rows of unknown class take part.
    bic_ : float
        BIC of all classes together; lower is better.
    n_features_in_ : int
        d.
    feature_names_in_ : ndarray of str of shape (d,)
        Column names of X, where it was a frame with names.

    Notes
    -----
    Rows of unknown class have the integer label -1, beside at least two classes. Then EM goes over
    all rows: known rows keep their class, and the others share in all classes (as in mclust's
    MclustSSC). By "mclustda" the known rows alone choose K and the model of each class. Labels that
    are strings or floats have no such value, and -1 beside one other label is a class.

    References
    ----------
    Bensmail, H., Celeux, G. (1996). Regularized Gaussian discriminant analysis through eigenvalue
    decomposition. JASA 91(436), 1743-1748: "edda".

    Fraley, C., Raftery, A. E. (2002). Model-based clustering, discriminant analysis, and density
    estimation. JASA 97(458), 611-631, section 4: "mclustda".

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixture, GaussianMixtureClassifier
    >>> rng = np.random.default_rng(0)
    >>> ring = np.array([[-4.0, 0.0], [4.0, 0.0]])[np.arange(200) % 2]
    >>> X = rng.normal(size=(400, 2)) + np.concatenate([ring, np.zeros((200, 2))])
    >>> y = np.repeat(["outside", "inside"], 200)
    >>> model = GaussianMixtureClassifier(GaussianMixture(2, random_state=0)).fit(X, y)
    >>> model.predict([[4.0, 0.0], [0.0, 0.0]])
    array(['outside', 'inside'], dtype='<U7')
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    mixtures_: list[GaussianMixture]
    classes_: NDArray[Any]
    priors_: Floats
    log_likelihood_: float
    n_parameters_: int
    bic_: float
    n_features_in_: int

    def __init__(
        self,
        mixture: GaussianMixture | GaussianMixtureIC | None = None,
        *,
        kind: Literal["mclustda", "edda"] = "mclustda",
        priors: ArrayLike | None = None,
    ) -> None:
        self.mixture = mixture
        self.kind = kind
        self.priors = priors

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the density of each class.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.
        y : array-like of shape (n,)
            Labels: integers, booleans or strings. The integer -1 means an unknown class, if there
            are two others.
        sample_weight : array-like of shape (n,), optional
            Row weights. Weight 0 leaves a row out; an integer weight repeats it.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If `mixture` is no mixture, or the rows are a source or a Dask collection.
        ValueError
            If X is not finite, y holds no labels or one class only, the priors are none, or the
            rows of a class cannot be fitted.

        Warns
        -----
        ConvergenceWarning
            If EM reached `max_iter` of the template.
        CollapsedComponentWarning
            If components have collapsed.
        """
        own = type(self).__name__
        check_parameters(own, {"kind": self.kind}, {"kind": one_of(*KINDS)})
        template = copied(self.mixture)
        if template is None and self.kind == "edda":
            template = GaussianMixtureIC()
        elif template is None:
            template = GaussianMixtureIC(range(1, 6), prior="mclust", random_state=0)
        X, names = self._checked(X, min_rows=2)
        labels = check_labels(y, len(X), own)
        kept, weights = positive(labels, sample_weight)
        n_features = X.shape[1]
        if not kept.all():
            X, labels = X[kept], labels[kept]
        numbers, classes = numbered(labels, own)
        priors = check_priors(self.priors, len(classes))
        rows = LabeledRows(X, weights, numbers, classes)
        fit = one_component_each if self.kind == "edda" else one_mixture_each
        found = fit(template, rows, priors)
        self.classes_, self.mixtures_, self.priors_ = classes, found.mixtures, found.priors
        self.log_likelihood_, self.n_parameters_ = found.log_likelihood, found.n_parameters
        self.bic_ = found.bic(rows.weight)
        check_features(self, names, n_features, reset=True)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Label rows with their likeliest class.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.

        Returns
        -------
        ndarray of shape (n,)
            Labels of `classes_`, the first of equals.
        """
        joint = self._joint(X)
        labels: NDArray[Any] = self.classes_[joint.argmax(axis=1)]
        return labels

    def predict_log_proba(self, X: ArrayLike) -> Floats:
        """Log of the posterior probability of each class, in nats.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.

        Returns
        -------
        ndarray of shape (n, C)
            In the order of `classes_`; minus infinity for a class of prior zero.
        """
        joint = self._joint(X)
        return np.asarray(joint - np.logaddexp.reduce(joint, axis=1)[:, None])

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Posterior probability of each class.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.

        Returns
        -------
        ndarray of shape (n, C)
            In the order of `classes_`; each row sums to one.
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy: the share of rows whose class is predicted.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            Features.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        float
            Between 0 and 1.
        """
        predicted = self.predict(X)
        labels = check_labels(y, len(predicted), type(self).__name__)
        weights = check_sample_weight(sample_weight, len(predicted))
        return float(np.average(predicted == labels, weights=weights))

    def _joint(self, X: Any) -> Floats:
        """Return the log of prior times density (n, C) of each class."""
        self._check_fitted()
        X, names = self._checked(X)
        check_features(self, names, X.shape[1], reset=False)
        return joint_log_densities(self.mixtures_, self.priors_, X)

    def _checked(self, X: Any, min_rows: int = 1) -> tuple[NDArray[Any], list[str] | None]:
        """Return the features of rows in memory, and the names of their columns."""
        remedy = "Fit a GaussianMixture to the rows of each class."
        return rows_in_memory(X, type(self).__name__, remedy, min_rows)

    # ------------------------------------------------------------------ scikit-learn's conventions

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "mixtures_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, TargetTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.target_tags = TargetTags(required=True)
        return tags
