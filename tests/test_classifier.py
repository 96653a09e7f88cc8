"""Classification by mixtures of classes, as scikit-learn's users know classifiers; and mclust's."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from pandas import DataFrame, Series
from scipy.stats import multivariate_normal
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmmfast import (
    CollapsedComponentWarning,
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    chunks,
)
from gmmfast.data.constraints import MODEL_CODES

# the check has a class of one row, repeated or of weight 3: no mixture can be fitted to it
ONE_ROW = {
    "check_sample_weight_equivalence_on_dense_data": "a mixture per class needs two rows of each"
}
SEARCH = GaussianMixtureIC([1, 2], covariance_types=["EII", "VVV"], prior="mclust", random_state=0)

with warnings.catch_warnings():
    # gmmfast works without scikit-learn, and so has its own base class
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst")
    all_checks = parametrize_with_checks(
        [
            GaussianMixtureClassifier(GaussianMixture(max_iter=5)),
            GaussianMixtureClassifier(SEARCH),
            GaussianMixtureClassifier(kind="edda"),
        ],
        expected_failed_checks=lambda own: ONE_ROW if own.kind == "mclustda" else {},
    )


@all_checks
@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
def test_estimator_checks(estimator, check):
    check(estimator)


def blobs(n=40, seed=0):
    """Rows of three classes; the first is in two parts."""
    rng = np.random.default_rng(seed)
    centers = np.array([[-4.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 5.0]])
    X = np.concatenate([rng.normal(center, 0.7, size=(n, 2)) for center in centers])
    return X, np.repeat([0, 0, 1, 2], n)


X, Y = blobs()
ONE = GaussianMixture(1)


# against plain NumPy


def reference_posterior(model, rows):
    """Bayes' rule with the densities of SciPy."""
    density = np.zeros((len(rows), len(model.classes_)))
    for c, mixture in enumerate(model.mixtures_):
        full = mixture._model().matrices(mixture.covariances_, len(mixture.weights_), 2)
        for w, m, S in zip(mixture.weights_, mixture.means_, full, strict=True):
            density[:, c] += w * multivariate_normal(m, S).pdf(rows)
    joint = density * model.priors_
    return joint / joint.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("priors", [None, [0.2, 0.5, 0.3], [0.5, 0.5, 0.0]])
@pytest.mark.parametrize(
    ("template", "kind"),
    [(GaussianMixture(2, random_state=0), "mclustda"), (GaussianMixture(1), "edda")],
)
def test_predict_proba__is_bayes_rule(template, kind, priors):
    model = GaussianMixtureClassifier(template, kind=kind, priors=priors).fit(X, Y)
    resp = model.predict_proba(X)
    np.testing.assert_allclose(resp, reference_posterior(model, X), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), resp.argmax(axis=1))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(model.predict_log_proba(X), np.log(resp), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.priors_, [0.5, 0.25, 0.25] if priors is None else priors)


def test_predict_log_proba__is_finite_far_from_all_classes():
    model = GaussianMixtureClassifier(ONE, kind="edda").fit(X, Y)
    found = model.predict_log_proba([[1e6, -1e6]])
    assert np.isfinite(found).all() and np.exp(found).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("weights", [None, 1.0 + np.arange(len(X)) % 3], ids=["", "weighted"])
def test_edda__vvv_is_quadratic_and_eee_linear_discriminant_analysis(weights):
    own = np.ones(len(X)) if weights is None else weights
    moments = []
    for c in range(3):
        rows, w = X[Y == c], own[Y == c]
        mean = w @ rows / w.sum()
        moments.append((w.sum(), mean, (w[:, None] * (rows - mean)).T @ (rows - mean)))
    pooled = sum(scatter for _, _, scatter in moments) / own.sum()
    for code in ("VVV", "EEE"):
        template = GaussianMixture(1, covariance_type=code, reg_covar=0.0)
        model = GaussianMixtureClassifier(template, kind="edda").fit(X, Y, weights)
        for (mass, mean, scatter), mixture in zip(moments, model.mixtures_, strict=True):
            expected = scatter / mass if code == "VVV" else pooled
            np.testing.assert_allclose(mixture.means_[0], mean, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(mixture.covariances_[0], expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(model.priors_, [m / own.sum() for m, _, _ in moments])
        together = np.log(sum_of_densities(model, X)) @ own
        assert model.log_likelihood_ == pytest.approx(together, rel=1e-10)
        n_parameters = 6 + (9 if code == "VVV" else 3)
        assert model.n_parameters_ == n_parameters
        assert model.bic_ == pytest.approx(n_parameters * np.log(own.sum()) - 2 * together)


def sum_of_densities(model, rows):
    return sum(
        prior * np.exp(mixture.score_samples(rows))
        for prior, mixture in zip(model.priors_, model.mixtures_, strict=True)
    )


@pytest.mark.parametrize("code", ["full", "tied", "diag", "spherical", *MODEL_CODES])
def test_edda__is_an_m_step_from_the_labels(code):
    template = GaussianMixture(1, covariance_type=code, reg_covar=0.0)
    model = GaussianMixtureClassifier(template, kind="edda").fit(X, Y)
    step = GaussianMixture(3, covariance_type=code, reg_covar=0.0, max_iter=0, init_params=Y).fit(X)
    for c, mixture in enumerate(model.mixtures_):
        own = step.covariances_ if code == "tied" else step.covariances_[c : c + 1]
        np.testing.assert_allclose(mixture.means_[0], step.means_[c], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(mixture.covariances_, own, rtol=1e-9, atol=1e-12)
    assert model.log_likelihood_ == pytest.approx(step.score(X) * len(X), rel=1e-10)


def test_edda__chooses_the_model_by_bic():
    fits = [
        GaussianMixtureClassifier(GaussianMixture(1, covariance_type=c, reg_covar=0.0), kind="edda")
        for c in MODEL_CODES
    ]
    best = min((fit.fit(X, Y) for fit in fits), key=lambda fit: fit.bic_)
    chosen = GaussianMixtureClassifier(kind="edda").fit(X, Y)
    assert chosen.bic_ == pytest.approx(best.bic_)
    assert {m.covariance_type for m in chosen.mixtures_} == {best.mixtures_[0].covariance_type}


def test_edda__of_one_column_and_of_a_class_with_one_row():
    model = GaussianMixtureClassifier(kind="edda").fit(X[:, :1], Y)
    assert {m.covariance_type for m in model.mixtures_} <= {"E", "V"}
    rows, labels = np.concatenate([X, [[9.0, 9.0]]]), np.append(Y, 3)
    shared = GaussianMixtureClassifier(kind="edda").fit(rows, labels)
    assert shared.predict([[9.0, 9.0]]) == [3]


def test_mclustda__fits_each_class_alone():
    template = GaussianMixture(2, random_state=0)
    model = GaussianMixtureClassifier(template).fit(X, Y)
    for c, mixture in enumerate(model.mixtures_):
        alone = clone(template).fit(X[Y == c])
        np.testing.assert_array_equal(mixture.means_, alone.means_)
    assert model.n_parameters_ == 3 * (2 * 2 + 2 * 3 + 1)
    together = np.log(sum_of_densities(model, X)).sum()
    assert model.log_likelihood_ == pytest.approx(together, rel=1e-10)
    assert not hasattr(template, "means_")


def test_mclustda__chooses_k_of_each_class():
    search = GaussianMixtureIC([1, 2], covariance_types=["EII", "VVV"], random_state=0)
    model = GaussianMixtureClassifier(search).fit(X, Y)
    assert [len(mixture.weights_) for mixture in model.mixtures_] == [2, 1, 1]
    assert model.score(X, Y) > 0.99


# against mclust

STORED = json.loads((Path(__file__).parent / "mclust" / "discriminant.json").read_text())


def of_mclust(name):
    stored = json.loads((Path(__file__).parent / "mclust" / f"{name}.json").read_text())
    return np.array(stored["data"], float), np.array(stored["labels"])


@pytest.mark.parametrize("name", ["iris", "diabetes", "faithful"])
def test_edda__is_mclusts(name):
    rows, labels = of_mclust(name)
    theirs = STORED[name]["EDDA"]
    model = GaussianMixtureClassifier(kind="edda").fit(rows, labels)
    assert [m.covariance_type for m in model.mixtures_] == theirs["models"]
    assert model.n_parameters_ == theirs["df"]
    # of VVE mclust's common axes have not converged: the likelihood is lower, by 0.06
    slack = 0.1 if theirs["models"][0] == "VVE" else 1e-6
    assert -1e-6 < model.log_likelihood_ - theirs["loglik"] < slack
    assert -2e-6 < -model.bic_ - theirs["bic"] < 2 * slack
    assert 1 - model.score(rows, labels) == pytest.approx(theirs["training_error"])
    atol = 1e-2 if slack > 1e-3 else 1e-8
    np.testing.assert_allclose(model.predict_proba(rows), theirs["posterior"], atol=atol)


@pytest.mark.parametrize("name", ["iris", "faithful"])
def test_mclustda__with_the_models_of_mclust_is_its_fit(name):
    rows, labels = of_mclust(name)
    theirs = STORED[name]["MclustDA"]
    # one component is fitted alike by all models without constraints: EEE is XXX
    types = sorted({"EEE" if code == "XXX" else code for code in theirs["models"]})
    search = GaussianMixtureIC([1, 2], covariance_types=types, tol=1e-8, random_state=0)
    model = GaussianMixtureClassifier(search).fit(rows, labels)
    assert [len(m.weights_) for m in model.mixtures_] == theirs["G"]
    assert model.n_parameters_ == theirs["df"]
    assert model.log_likelihood_ == pytest.approx(theirs["loglik"], abs=0.1)
    assert -model.bic_ == pytest.approx(theirs["bic"], abs=0.2)
    assert 1 - model.score(rows, labels) == pytest.approx(theirs["training_error"])
    np.testing.assert_allclose(model.predict_proba(rows), theirs["posterior"], atol=0.02)


@pytest.mark.parametrize("name", ["iris", "diabetes", "faithful"])
def test_mclustda__over_all_models_is_as_good_as_mclust(name):
    rows, labels = of_mclust(name)
    search = GaussianMixtureIC(range(1, 6), random_state=0)
    model = GaussianMixtureClassifier(search).fit(rows, labels)
    assert model.bic_ <= -STORED[name]["MclustDA"]["bic"] + 0.2
    error = STORED[name]["MclustDA"]["training_error"]
    assert 1 - model.score(rows, labels) == pytest.approx(error)


@pytest.mark.parametrize("code", STORED["iris"]["MclustSSC"])
def test_edda__with_unknown_classes_is_mclusts(code):
    rows, labels = of_mclust("iris")
    labels = labels - labels.min()
    labels[np.arange(len(rows)) % 5 != 0] = -1
    theirs = STORED["iris"]["MclustSSC"][code]
    given = {"covariance_type": code, "reg_covar": 0.0, "tol": 1e-9, "max_iter": 1000}
    model = GaussianMixtureClassifier(GaussianMixture(1, **given), kind="edda").fit(rows, labels)
    assert model.n_parameters_ == theirs["df"]
    assert model.log_likelihood_ == pytest.approx(theirs["loglik"], abs=1e-4)
    assert -model.bic_ == pytest.approx(theirs["bic"], abs=2e-4)
    np.testing.assert_allclose(model.priors_, theirs["weights"], atol=5e-4)


# unknown classes


def hidden(labels, every=4):
    return np.where(np.arange(len(labels)) % every == 0, labels, -1)


@pytest.mark.parametrize("priors", [None, [0.25] * 4])
def test_unknown__both_kinds_agree_on_one_component(priors):
    """EM of one full component per class is the same by either way, from other starts."""
    own = GaussianMixture(1, tol=1e-9, max_iter=500, reg_covar=0.0)
    labels = hidden(np.repeat(np.arange(4), len(X) // 4))
    fits = [
        GaussianMixtureClassifier(own, kind=kind, priors=priors).fit(X, labels)
        for kind in ("edda", "mclustda")
    ]
    assert fits[0].log_likelihood_ == pytest.approx(fits[1].log_likelihood_, abs=1e-5)
    assert [fit.n_parameters_ for fit in fits] == [20 + (3 if priors is None else 0)] * 2
    np.testing.assert_allclose(fits[0].priors_, fits[1].priors_, atol=1e-5)
    for a, b in zip(fits[0].mixtures_, fits[1].mixtures_, strict=True):
        np.testing.assert_allclose(a.covariances_, b.covariances_, rtol=1e-4, atol=1e-5)


def test_unknown__a_mixture_per_class():
    own = GaussianMixture(2, tol=1e-6, max_iter=200, random_state=0)
    model = GaussianMixtureClassifier(own).fit(X, hidden(Y))
    assert list(model.classes_) == [0, 1, 2] and model.score(X, Y) > 0.98
    known = hidden(Y) >= 0
    joint = np.log(sum_of_densities(model, X[~known])).sum()
    for c, mixture in enumerate(model.mixtures_):
        rows = X[known & (hidden(Y) == c)]
        joint += (np.log(model.priors_[c]) + mixture.score_samples(rows)).sum()
        assert not mixture.warm_start
    assert model.log_likelihood_ == pytest.approx(joint, rel=1e-9)


@pytest.mark.filterwarnings("ignore:EM over rows of unknown class")
def test_unknown__steps_never_lower_the_likelihood():
    found = []
    for steps in range(8):
        own = GaussianMixture(1, max_iter=steps, tol=0.0, reg_covar=0.0)
        model = GaussianMixtureClassifier(own, kind="edda").fit(X, hidden(Y, 8))
        found.append(model.log_likelihood_)
    assert (np.diff(found) > 0).all()


def test_unknown__the_last_iteration_warns():
    own = GaussianMixture(1, max_iter=1, tol=1e-12)
    with pytest.warns(ConvergenceWarning, match="rows of unknown class"):
        GaussianMixtureClassifier(own, kind="edda").fit(X, hidden(Y))


def test_unknown__under_a_prior():
    model = GaussianMixtureClassifier(SEARCH).fit(X, hidden(Y))
    assert model.score(X, Y) > 0.98


def test_edda__classes_without_spread_warn():
    rows = np.concatenate([X, np.tile([[9.0, 9.0]], (3, 1))])
    with pytest.warns(CollapsedComponentWarning, match=r"Classes without spread.*: 3\. Their"):
        GaussianMixtureClassifier(ONE, kind="edda").fit(rows, np.append(Y, [3] * 3))


def test_unknown__minus_one_beside_one_label_is_a_class():
    model = GaussianMixtureClassifier(ONE).fit(X, np.where(Y == 0, -1, 1))
    assert list(model.classes_) == [-1, 1]


# labels, weights, and what scikit-learn's users do


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "c"])[Y],
        np.array(["a", "b", "c"], object)[Y],
        Y == 0,
        Y.astype(float),
        Series(np.array(["a", "b", "c"])[Y]),
        Series(np.array(["a", "b", "c"])[Y], dtype="category"),
        (Y + 5).astype(np.uint8),
    ],
    ids=["strings", "objects", "bool", "floats", "series", "category", "bytes"],
)
def test_labels__of_any_kind(labels):
    model = GaussianMixtureClassifier(ONE, kind="edda").fit(X, labels)
    assert set(model.predict(X)) == set(np.asarray(labels))
    assert model.score(X, labels) > 0.85


def test_weights__are_repetitions_and_zero_leaves_out():
    weights = np.arange(len(X)) % 3
    for kind in ("edda", "mclustda"):
        weighted = GaussianMixtureClassifier(ONE, kind=kind).fit(X, Y, weights)
        repeated = GaussianMixtureClassifier(ONE, kind=kind).fit(
            np.repeat(X, weights, axis=0), np.repeat(Y, weights)
        )
        expected = repeated.predict_proba(X)
        np.testing.assert_allclose(weighted.predict_proba(X), expected, rtol=1e-8, atol=1e-12)
        assert weighted.bic_ == pytest.approx(repeated.bic_)
    without = GaussianMixtureClassifier(ONE).fit(X, Y, Y != 2)
    assert list(without.classes_) == [0, 1]
    assert without.score(X, Y, Y != 2) == without.score(X[Y != 2], Y[Y != 2])


@pytest.mark.parametrize("kind", ["edda", "mclustda"])
def test_float32__rows_are_classified_alike(kind):
    narrow = X.astype(np.float32)
    expected = GaussianMixtureClassifier(ONE, kind=kind).fit(X, Y).predict_proba(X)
    found = GaussianMixtureClassifier(ONE, kind=kind).fit(narrow, Y).predict_proba(narrow)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_cross_validation_and_grid_search():
    model = GaussianMixtureClassifier(GaussianMixture(random_state=0))
    assert cross_val_score(model, X, Y, cv=3).min() > 0.9
    grid = {"classifier__kind": ["mclustda"], "classifier__mixture__n_components": [1, 2]}
    pipeline = Pipeline([("scale", StandardScaler()), ("classifier", model)])
    assert GridSearchCV(pipeline, grid, cv=3).fit(X, Y).best_score_ > 0.95
    assert is_classifier(model)
    copy = pickle.loads(pickle.dumps(model.fit(X, Y)))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_frames__keep_their_names():
    frame = DataFrame(X, columns=["a", "b"])
    model = GaussianMixtureClassifier(ONE).fit(frame, Y)
    assert list(model.feature_names_in_) == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a"]])


def test_representations():
    model = GaussianMixtureClassifier(ONE, kind="edda")
    expected = "GaussianMixtureClassifier(kind='edda', mixture=GaussianMixture())"
    assert repr(model) == expected
    assert "not fitted" in model._repr_html_()
    page = model.fit(X, Y)._repr_html_()
    assert page.count("<table") >= 2 and "prior" in page


# errors


@pytest.mark.parametrize(
    ("params", "labels", "message"),
    [
        ({}, None, "requires y to be passed"),
        ({}, np.zeros(len(X), int), "at least two classes"),
        ({}, Y[:-1], "inconsistent numbers of samples"),
        ({}, Y + 0.5, "Unknown label type: continuous"),
        ({}, np.where(Y == 0, np.nan, Y), "Input y contains NaN"),
        ({}, np.where(Y == 0, None, "b"), "Input y contains NaN"),
        ({}, np.stack([Y, Y], axis=1), "1d array of labels"),
        ({}, Y.astype("datetime64[s]"), "Unknown label type"),
        ({"kind": "qda"}, Y, "The 'kind' parameter"),
        ({"priors": [0.5, 0.5]}, Y, "priors must be 3 non-negative numbers"),
        ({"priors": [0.5, 0.6, 0.1]}, Y, "priors must be 3 non-negative numbers"),
        ({"priors": "many"}, Y, "priors must be 3 non-negative numbers"),
        ({}, np.where(np.arange(len(X)) == 0, 9, Y), "class '9' has one"),
        (
            {"mixture": GaussianMixture(99)},
            Y,
            r"The \d+ rows of class '0' cannot be fitted: .* n_components = 99, .* Lower n_comp",
        ),
        (
            {"mixture": GaussianMixture(1, means_init=[[0.0]])},
            Y,
            r"class '0' cannot be fitted: The parameter 'means' should .* one column per feature",
        ),
        ({"mixture": GaussianMixture(tol=-1)}, Y, "^The 'tol' parameter of GaussianMixture must"),
        ({"mixture": GaussianMixtureIC(tol=-1)}, Y, "^The 'tol' parameter of GaussianMixtureIC"),
        ({"mixture": GaussianMixture(means_init=X[:1]), "kind": "edda"}, Y, "got means_init="),
        ({"mixture": GaussianMixture(3), "kind": "edda"}, Y, "one component per class"),
        ({"mixture": GaussianMixture(noise=True), "kind": "edda"}, Y, "got noise=True"),
        ({"mixture": GaussianMixture(noise=[True, False]), "kind": "edda"}, Y, "got noise="),
        ({"mixture": GaussianMixtureIC(prior="mclust"), "kind": "edda"}, Y, "got prior='mclust'"),
    ],
)
def test_errors(params, labels, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureClassifier(**params).fit(X, labels)


def test_errors__of_types_and_mixed_labels():
    with pytest.raises(TypeError, match="mixture must be a GaussianMixture"):
        GaussianMixtureClassifier(3).fit(X, Y)
    with pytest.raises(TypeError, match="needs rows in memory"):
        GaussianMixtureClassifier(ONE).fit(chunks([X, X]), Y)
    mixed = Y.astype(object)
    mixed[0] = "a"
    with pytest.raises(ValueError, match="Unknown label type: mixed"):
        GaussianMixtureClassifier(ONE).fit(X, mixed)
    with pytest.raises(NotFittedError):
        GaussianMixtureClassifier(ONE).predict(X)


def test_errors__singular_rows():
    rows = np.column_stack([X[:, 0], X[:, 0]])
    template = GaussianMixture(1, reg_covar=0.0)
    with pytest.raises(ValueError, match="column 1 follows from column 0"):
        GaussianMixtureClassifier(template, kind="edda").fit(rows, Y)
