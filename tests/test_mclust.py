"""Every line of the table "Coming from mclust", with what mclust 6.0.0 makes of the iris data."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from gmmfast import (
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    inference,
    plotting,
)
from gmmfast.analysis import merge_components

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "mclust.md"
INDEX = (TESTS / "mclust" / "index.txt").read_text().split()
# endings of names: of models, of datasets in series, and of methods
MODEL, SERIES = r"([EV]|X|XII|XXI|XXX|[EV][EIV][EIV])$", r"(\.[a-z0-9.]+|_[a-z]+|\d+cycle)$"
METHODS = r"(print|summary|plot|predict|as)\."
K = 3  # species; the best model has two components


def stored(name):
    return json.loads((TESTS / "mclust" / f"{name}.json").read_text())


def table():
    """The cells of the page's first table: mclust's call, and the Python code of the other."""
    lines = re.findall(r"^\| (`.*) \| (.*) \|$", PAGE.read_text().split("## ")[0], re.MULTILINE)
    return {theirs: re.findall("`([^`]+)`", ours) for theirs, ours in lines}


IRIS, CHOSEN = stored("iris"), stored("iris-chosen")
X = np.array(IRIS["data"], float)
LABELS = np.array(IRIS["labels"]) - min(IRIS["labels"])
VEV = IRIS["models"]["VEV"]
POSTERIOR, BEST = np.array(CHOSEN["posterior"]), CHOSEN["parameters"]
LINE = stored("describing")["line"]  # mclust's numbers for the mixture of one column
EDDA = np.array(stored("discriminant")["iris"]["EDDA"]["posterior"])
BIC, ICL = -561.7284, -561.7289  # of the best, mclust's sign; ICL from BIC and the posterior


@pytest.fixture(scope="module", name="names")
def names_of_the_page():
    """What the page's code may name: its imports, data, and a fit whose components are mclust's."""
    fit = GaussianMixtureIC(random_state=0).fit(X)
    order = [0, 1] if fit.predict(X)[0] == POSTERIOR[0].argmax() else [1, 0]
    best = fit.best_estimator_
    fit.best_estimator_ = GaussianMixture.from_parameters(
        best.weights_[order], best.means_[order], best.covariances_[order], covariance_type="VEV"
    )
    fit.best_estimator_.n_samples_seen_ = best.n_samples_seen_
    line = GaussianMixture.from_parameters([0.4, 0.6], [[1.4], [4.9]], [[[0.03]], [[0.7]]])
    return {
        "GaussianMixture": GaussianMixture, "GaussianMixtureIC": GaussianMixtureIC,
        "inference": inference,
        "plotting": plotting, "X": X, "new": X[::7], "n": 50, "fit": fit, "labels": LABELS,
        "merge_components": merge_components, "combi": merge_components(fit, X),
        "line": line, "p": LINE["shares"], "q": LINE["values"],
        "z": np.eye(K)[LABELS], "weights": np.repeat([1.0, 2.0], len(X) // 2),
        "noise": np.isin(np.arange(len(X)), stored("noise")["iris"]["noise_rows"]),
        "GaussianMixtureClassifier": GaussianMixtureClassifier, "cross_val_score": cross_val_score,
        "some": np.where(np.arange(len(X)) % 5 == 0, LABELS, -1),
        "Vinv": stored("noise")["iris"]["volume_reciprocal"],
    }  # fmt: skip


def is_best(search):
    """The search has found mclust's model, at its BIC."""
    assert (search.best_covariance_type_, search.best_n_components_) == ("VEV", 2)
    assert search.bic(X) == pytest.approx(-BIC, abs=2e-3)


def is_icl(bic, icl):
    is_best(bic)
    assert icl.icl(X) <= -ICL + 2e-3


def is_vev(mixture):
    """The mixture has the criteria and the parameters that mclust's EM ends with."""
    theirs = VEV["em"]
    assert mixture.bic(X) == pytest.approx(-theirs["bic"], abs=1e-3)
    assert mixture.icl(X) == pytest.approx(-theirs["icl"], abs=1e-2)
    ours, means = np.sort(mixture.means_, axis=0), np.sort(theirs["means"], axis=0)
    np.testing.assert_allclose(ours, means, atol=1e-3)


def is_vev_with_prior(mixture):
    theirs = stored("iris-prior")["prior"]["VEV"]["em"]
    assert mixture.score(X) * len(X) == pytest.approx(theirs["loglik"], abs=0.1)
    for key in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(mixture, f"{key}_"), theirs[key], atol=5e-3)


def is_vev_with_noise(mixture):
    theirs = stored("noise")["iris"]["models"]["VEV"]
    weights = [*mixture.weights_, mixture.noise_weight_]
    np.testing.assert_allclose(weights, theirs["weights"], atol=5e-3)
    np.testing.assert_allclose(mixture.means_, theirs["means"], atol=1e-2)
    assert mixture.bic(X) == pytest.approx(-theirs["bic"], abs=0.05)


def is_m_step(mixture):
    for key in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(mixture, f"{key}_"), VEV["mstep"][key], atol=1e-6)


def is_weighted(mixture):
    """A weight of 2 repeats a row."""
    repeated = np.concatenate([X, X[75:]])
    resp = np.eye(K)[np.concatenate([LABELS, LABELS[75:]])]
    params = {"covariance_type": "VEV", "reg_covar": 0, "tol": 1e-6, "init_params": resp}
    expected = GaussianMixture(K, **params).fit(repeated)
    np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-9)


def is_log_density(found):
    """Of the chosen parameters, by the formula."""
    terms = []
    for weight, mean, covariance in zip(*BEST.values(), strict=True):
        z = np.linalg.solve(np.linalg.cholesky(covariance), (X[::7] - mean).T)
        log_det = np.linalg.slogdet(2 * np.pi * np.array(covariance))[1]
        terms.append(np.log(weight) - (log_det + (z**2).sum(axis=0)) / 2)
    np.testing.assert_allclose(found, np.logaddexp(*terms), atol=1e-2)


def is_near(*expected, atol=1e-3):
    """Return a test of the values of a line."""

    def check(*found):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=atol)

    return check


def is_chosen(n_components, model):
    assert (n_components, model) == (CHOSEN["G"], CHOSEN["model"])


def is_summary(bic, summary):
    assert bic.shape == (14 * 9,) and np.nanmin(bic) == pytest.approx(-BIC, abs=2e-3)
    assert re.search(r"2 +VEV .* 561\.73", summary)


def is_of_few(search):
    assert {*search.results_["covariance_type"]} == {"EII", "VVV"}
    assert {*search.results_["n_components"]} == {*range(1, 6)}
    assert search.results_["bic"][search.results_["covariance_type"] == "VVV"][1] == pytest.approx(
        574.0178, abs=1e-3
    )


def is_of_one_column(search):
    """The free parameters are mclust's nMclustParams(modelName, d = 1, G)."""
    counts = {"E": [2 * K for K in range(1, 10)], "V": [3 * K - 1 for K in range(1, 10)]}
    for name, expected in counts.items():
        own = search.results_[search.results_["covariance_type"] == name]
        assert own["n_parameters"].tolist() == expected
    assert len(search.results_) == 18


def is_sample(found):
    rows, labels = found
    assert rows.shape == (50, 4) and {*labels} <= {0, 1}


def is_combined(merging):
    """The hierarchy is mclust's: two components in one, and entropies to the fit's tolerance."""
    theirs = stored("combining")["iris"]
    np.testing.assert_array_equal(merging.matrix(1), theirs["combiM"][0])
    np.testing.assert_allclose(merging.entropies, theirs["entropy"], atol=1e-4)


def is_elbow(n_clusters):
    """Two components have no elbow, and stay."""
    assert n_clusters == 2


def is_levels(levels):
    """mclust's are quantiles of the densities of 150 rows, which vary by 0.1 to 0.2."""
    theirs = np.log(stored("describing")["levels"]["densities"])
    np.testing.assert_allclose(levels, theirs, atol=0.3)


def is_line(cdf, quantile):
    np.testing.assert_allclose(cdf, LINE["cdf"], atol=1e-14)
    np.testing.assert_allclose(quantile, LINE["quantiles"], atol=1e-9)  # mclust's tolerance


def is_fit_of_classes(kind):
    """Return a test of a classifier."""
    theirs = stored("discriminant")["iris"][kind]

    def check(model):
        assert model.log_likelihood_ == pytest.approx(theirs["loglik"], abs=1e-2)
        assert model.n_parameters_ == theirs["df"]
        assert -model.bic_ == pytest.approx(theirs["bic"], abs=2e-2)

    return check


def is_accuracy(found):
    """mclust's cvMclustDA has an error of 0.02 to 0.027, by the seed of its folds."""
    assert found.shape == (10,) and 0.96 < found.mean() < 0.99


def is_fit_of_some_classes(model):
    theirs = stored("discriminant")["iris"]["MclustSSC"]["VEV"]
    assert model.mixtures_[0].covariance_type == "VEV"
    assert -model.bic_ == pytest.approx(theirs["bic"], abs=2e-2)


def has_errors(found):
    """The component of 50 rows stands alone: its weight is binomial; 13 % are 4 sigma."""
    errors = found.standard_errors.weights
    np.testing.assert_allclose(errors, np.sqrt(2 / 9 / 150), rtol=0.13)


def chooses_three(test):
    """As in tests/mclust/iris-bootstrap.json."""
    assert test.best_n_components == 3


@pytest.mark.parametrize("name", INDEX)
def test_index__each_function_has_a_line(name):
    """Under its own name, or without the name of a model or of a method's class."""
    page = set(re.findall(r"[\w.]+", PAGE.read_text()))
    own = {name, re.sub(MODEL, "", name), re.sub(SERIES, "", name)}
    own |= {each + ".1" for each in own} | {each + ".control" for each in own}
    if method := re.match(METHODS, name):
        own.add(method[1])
    assert own & page


def is_drawn(*axes):
    """There are axes, one or a grid; they are closed, as warnings are errors."""
    for each in axes:
        assert np.ravel(each)[0].has_data()
    plt.close("all")


CHECKS = {
    "fit <- Mclust(X)": is_best,
    'Mclust(X, G = 1:5, modelNames = c("EII", "VVV"))': is_of_few,
    'Mclust(X, G = 3, modelNames = "VEV")': is_vev,
    'Mclust(X[, 3], modelNames = c("E", "V"))': is_of_one_column,
    'me(X, modelName = "VEV", z = z)': is_vev,
    'me(X, modelName = "VEV", z = unmap(labels))': is_vev,
    'me.weighted(X, modelName = "VEV", z = z, weights = weights)': is_weighted,
    'mstep(X, modelName = "VEV", z = z)': is_m_step,
    'me(X, modelName = "VEV", z = z, prior = priorControl())': is_vev_with_prior,
    'me(X, modelName = "VEV", z = cbind(z, noise), Vinv = Vinv)': is_vev_with_noise,
    "mclustBIC(X), mclustICL(X)": is_icl,
    "fit$G, fit$modelName": is_chosen,
    "fit$bic, fit$icl": is_near(BIC, ICL, atol=2e-3),
    "fit$loglik": is_near((BIC + 26 * np.log(150)) / 2),
    "fit$classification, fit$z": is_near(POSTERIOR.argmax(axis=1), POSTERIOR),
    "fit$uncertainty": is_near(1 - POSTERIOR.max(axis=1)),
    "clustCombi(fit)": is_combined,
    "clustCombiOptim(combi)": is_elbow,
    "entPlot(combi$MclustOutput$z, combi$combiM)": is_drawn,
    "hdrlevels(predict(densityMclust(X), X), prob = c(0.25, 0.5, 0.75))": is_levels,
    "cdfMclust(densityMclust(X[, 3]), new), quantileMclust(densityMclust(X[, 3]), p)": is_line,
    "fit$parameters$pro": is_near(BEST["weights"]),
    "fit$parameters$mean": is_near(np.transpose(BEST["means"])),
    "fit$parameters$variance$sigma": is_near(BEST["covariances"]),
    "fit$BIC, summary(fit$BIC)": is_summary,
    "predict(fit, new)": is_near(POSTERIOR[::7].argmax(axis=1), POSTERIOR[::7]),
    "predict(densityMclust(X), new, logarithm = TRUE)": is_log_density,
    "sim(modelName, parameters, n)": is_sample,
    "MclustDA(X, labels)": is_fit_of_classes("MclustDA"),
    'MclustDA(X, labels, modelType = "EDDA")': is_fit_of_classes("EDDA"),
    'predict(MclustDA(X, labels, modelType = "EDDA"), new)': is_near(
        EDDA[::7].argmax(axis=1), EDDA[::7]
    ),
    'cvMclustDA(MclustDA(X, labels, modelType = "EDDA"))': is_accuracy,
    "MclustSSC(X, some)": is_fit_of_some_classes,
    "MclustBootstrap(fit)": has_errors,
    'MclustBootstrap(fit, type = "wlbs")': has_errors,
    'mclustBootstrapLRT(X, modelName = "VVV")': chooses_three,
    'plot(fit, what = "BIC")': is_drawn,
    'plot(fit, what = "classification")': is_drawn,
    'plot(fit, what = "uncertainty")': is_drawn,
    'plot(fit, what = "density")': is_drawn,
}


def test_table__every_line_has_a_test():
    assert [line.replace("`", "") for line in table()] == [*CHECKS]


@pytest.mark.parametrize("line", table())
def test_table__python_does_what_mclust_does(line, names):
    found = [eval(code.removeprefix("fit = "), dict(names)) for code in table()[line]]
    CHECKS[line.replace("`", "")](*found)


def test_tol__the_default_is_too_coarse_for_the_bic_of_mclust():
    params = {"covariance_type": "VEV", "reg_covar": 0, "random_state": 0}
    assert GaussianMixture(K, **params).fit(X).bic(X) > -VEV["em"]["bic"] + 0.1
