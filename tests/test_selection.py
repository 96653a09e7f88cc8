"""The search over K and covariance models."""

import inspect
import io
import json
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas
import pytest
from data import mixture
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.em.starts import SMALLEST_SAMPLE
from gmmfast.em.trees import Tree, standardized, whitened
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows
from gmmfast.search.neighbors import merges, splits
from gmmfast.search.results import NOT_REACHED
from gmmfast.search.search import Search
from gmmfast.search.starts import Starts, different

FEW = ["EII", "VVI", "VVV"]

# what mclust 6.0.0 chooses among 14 models and K = 1 to 9: model, K, BIC with our sign
CHOSEN = {
    "iris": ("VEV", 2, 561.728),
    "faithful": ("EEE", 3, 2314.316),
    "diabetes": ("VVV", 3, 4751.316),
}


def rows_of(name):
    path = Path(__file__).parent / "mclust" / f"{name}.json"
    return np.array(json.loads(path.read_text())["data"], float)


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(300, 2, 3, separation=4.0, seed=1)[0]


# ----------------------------------------------------------------------------- what it finds


@pytest.mark.parametrize("name", CHOSEN)
def test_the_choice_of_mclust_or_a_better_one(name):
    search = GaussianMixtureIC(random_state=0).fit(rows_of(name))
    model, n_components, bic = CHOSEN[name]
    assert (search.best_covariance_type_, search.best_n_components_) == (model, n_components)
    best = search.results_[search.results_.ranking("bic")[0]]
    assert best["bic"] <= bic + 5e-4
    assert len(search.results_) == 14 * 9


@pytest.mark.parametrize("criterion", ["bic", "aic", "aicc", "icl"])
def test_results_are_those_of_the_mixtures(criterion, X):
    search = GaussianMixtureIC(range(1, 5), covariance_types=FEW, criterion=criterion,
                               random_state=0).fit(X)  # fmt: skip
    best = search.best_estimator_
    row = search.results_[search.results_.ranking(criterion)[0]]
    assert row["n_components"] == search.best_n_components_ == best.n_components
    assert row["covariance_type"] == search.best_covariance_type_ == best.covariance_type
    for name in ("bic", "aic", "aicc", "icl"):
        assert row[name] == pytest.approx(getattr(best, name)(X), abs=1e-8)
        assert getattr(search, name)(X) == getattr(best, name)(X)
    assert row["log_likelihood"] == pytest.approx(best.score(X) * len(X), abs=1e-8)
    assert row[criterion] == np.nanmin(search.results_[criterion])
    for method in ("predict", "predict_proba", "score_samples"):
        np.testing.assert_array_equal(getattr(search, method)(X), getattr(best, method)(X))
    assert search.score(X) == best.score(X)
    assert search.sample(7)[0].shape == (7, 2)


def test_three_clusters_are_found(X):
    search = GaussianMixtureIC(range(1, 7), covariance_types=FEW, random_state=0)
    labels = search.fit_predict(X)
    assert search.best_n_components_ == 3
    np.testing.assert_array_equal(labels, search.best_estimator_.predict(X))


def test_an_int_gives_the_same_choice_each_time(X):
    first, second = (
        GaussianMixtureIC(range(1, 4), covariance_types=FEW, random_state=3).fit(X)
        for _ in range(2)
    )
    for name in first.results_.dtype.names:
        if name != "seconds":
            np.testing.assert_array_equal(first.results_[name], second.results_[name])


def test_weights_are_repetitions():
    X = mixture(120, 2, 2, seed=4)[0]
    counts = np.random.default_rng(0).integers(0, 4, len(X))
    params = {"n_components": 2, "covariance_types": FEW, "random_state": 0, "tol": 1e-10}
    weighted = GaussianMixtureIC(**params).fit(X, sample_weight=counts)
    repeated = GaussianMixtureIC(**params).fit(np.repeat(X, counts, axis=0))
    for name in ("log_likelihood", "bic", "icl"):
        np.testing.assert_allclose(weighted.results_[name], repeated.results_[name], atol=1e-4)


def test_many_rows_start_from_a_sample():
    X = mixture(9000, 2, 3, separation=4.0, seed=6)[0]
    search = GaussianMixtureIC(range(1, 5), covariance_types=["VVV"], random_state=0).fit(X)
    assert search.best_n_components_ == 3
    points = Starts(MemoryRows(X), np.random.default_rng(0)).points
    assert points.n_rows == SMALLEST_SAMPLE
    row = search.results_[search.results_.ranking("bic")[0]]
    assert row["bic"] == pytest.approx(search.best_estimator_.bic(X), abs=1e-6)  # of all rows


# ------------------------------------------------------------------------- cross-validation


def held_out(X, folds, K, covariance_type):
    """Mean held-out log density, by scikit-learn's words and our mixture."""
    total = 0.0
    for seen, unseen in folds:
        search = GaussianMixtureIC(K, covariance_types=[covariance_type], random_state=0, tol=1e-10)
        total += search.fit(X[seen]).score_samples(X[unseen]).sum()
    return total / len(X)


def test_cross_validation_is_the_held_out_log_density(X):
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))
    params = {"covariance_types": ["EII", "VVV"], "criterion": "cv", "random_state": 0}
    params["tol"] = 1e-10
    search = GaussianMixtureIC([1, 3], cv=folds, **params).fit(X)
    for row in search.results_:
        expected = held_out(X, folds, row["n_components"], row["covariance_type"])
        assert -row["cv"] == pytest.approx(expected, abs=1e-4)
    splitter = KFold(4, shuffle=True, random_state=0)
    again = GaussianMixtureIC([1, 3], cv=splitter, **params).fit(X)
    np.testing.assert_array_equal(again.results_["cv"], search.results_["cv"])
    assert search.best_n_components_ == 3


def test_folds_are_shuffled_and_reproducible():
    X = np.sort(mixture(200, 1, 2, separation=9.0, seed=3)[0], axis=0)  # unshuffled folds differ
    params = {"covariance_types": ["VVV"], "criterion": "cv", "cv": 4, "random_state": 0}
    first, second = (GaussianMixtureIC([1, 2], **params).fit(X) for _ in range(2))
    np.testing.assert_array_equal(first.results_["cv"], second.results_["cv"])
    assert first.best_n_components_ == 2
    other = GaussianMixtureIC([1, 2], **params | {"random_state": 1}).fit(X)
    assert not np.array_equal(other.results_["cv"], first.results_["cv"])


# ------------------------------------------------------------ candidates that are no good


def test_a_failure_has_a_reason_and_ends_nothing():
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    search = GaussianMixtureIC(range(1, 7), covariance_types=["EII", "VVV"], random_state=0).fit(X)
    results = search.results_
    assert "fewer rows than components" in results["failure"][results["n_components"] > 4]
    assert "a covariance is not positive definite" in results["failure"]
    failed = results["failure"] != ""
    assert np.isnan(results["bic"][failed]).all() and np.isfinite(results["bic"][~failed]).all()
    assert "\nnot ranked: 4 without a mixture (fewer rows than components)\n" in search.summary()


def test_a_spike_is_flagged_and_not_ranked(monkeypatch):
    """From the iris of petal width 0.2 EM ends at a flat component: likely, and worthless."""
    X, species = load_iris(return_X_y=True)
    labels = np.where(X[:, 3] == 0.2, 0, np.where(species == 0, 1, 2))

    choice = Starts.choice
    monkeypatch.setattr(Starts, "choice", lambda self, _, K: choice(self, [labels], K))
    params = {"covariance_types": ["VVV", "VEE"], "reg_covar": 1e-6, "random_state": 0}
    search = GaussianMixtureIC([3], **params).fit(X)
    spike, sound = search.results_
    assert spike["bic"] == pytest.approx(419, abs=1)  # mclust's, of a sound one, is 562
    assert spike["degenerate"] and not sound["degenerate"] and spike["bic"] < sound["bic"]
    assert search.best_covariance_type_ == "VEE"
    assert "1 with a component that has collapsed" in search.summary()


@pytest.mark.parametrize(
    "name", ["predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl", "sample"]
)
def test_methods_of_the_best__are_documented_as_its_own(name):
    method, own = getattr(GaussianMixtureIC, name), getattr(GaussianMixture, name)
    assert inspect.getdoc(method) == inspect.getdoc(own)
    assert inspect.signature(method) == inspect.signature(own)


def test_a_best_that_has_not_converged_is_told(X):
    with pytest.warns(UserWarning, match="did not converge.*max_iter=2"):
        GaussianMixtureIC(5, covariance_types=["VVV"], max_iter=2, tol=0, random_state=0).fit(X)


def test_a_fit_that_fails_leaves_nothing_of_an_earlier_one(X):
    search = GaussianMixtureIC([1, 2], covariance_types=FEW, random_state=0).fit(X)
    with pytest.raises(ValueError, match="can be ranked"):
        search.fit(np.ones((30, 2)))
    with pytest.raises(ValueError, match="is not fitted yet"):
        search.predict(X)


def test_folds_are_of_rows_that_have_weight(X):
    weights = np.where(np.arange(len(X)) % 10 == 0, 1.0, 0.0)
    params = {"covariance_types": ["EII"], "criterion": "cv", "random_state": 0}
    search = GaussianMixtureIC([1, 2], cv=5, **params).fit(X, sample_weight=weights)
    assert np.isfinite(search.results_["cv"]).all()
    with pytest.raises(
        ValueError, match="cv=50 folds need as many rows of positive weight; got 30"
    ):
        GaussianMixtureIC([1, 2], cv=50, **params).fit(X, sample_weight=weights)


def test_few_rows_are_accelerated_by_default():
    X = mixture(2000, 2, 3, separation=0.7, seed=5)[0]
    params = {"covariance_types": ["VVV"], "tol": 1e-10, "random_state": 0}
    auto = GaussianMixtureIC(3, **params).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        none = GaussianMixtureIC(3, acceleration="none", **params).fit(X)
    assert auto.results_["n_iter"][0] < none.results_["n_iter"][0]


def test_nothing_to_rank():
    X = np.repeat([[1.0, 2.0]], 30, axis=0)
    search = GaussianMixtureIC([1, 2], random_state=0)
    with pytest.raises(
        ValueError, match="None of 28 candidates can be ranked.*all equal, or raise reg_"
    ):
        search.fit(X)


# ------------------------------------------------------------------------- ended before the end


def test_a_callback_sees_each_candidate_and_can_end_the_search(X):
    seen = []

    def callback(fit):
        seen.append(tuple(fit.candidate))
        return len(seen) == 4

    search = GaussianMixtureIC(range(1, 4), covariance_types=FEW, random_state=0)
    with pytest.warns(UserWarning, match="ended after 4 of 9 candidates"):
        search.fit(X, callback=callback)
    assert seen == [(1, "EII"), (1, "VVI"), (1, "VVV"), (2, "EII")]
    assert (search.results_["failure"] == NOT_REACHED).sum() == 5
    assert "\nnot ranked: 5 that the search did not reach before it ended\n" in search.summary()
    with pytest.raises(ValueError, match="has no mixture: the search ended before reaching it"):
        search.estimator(3, "VVV")
    assert search.best_n_components_ in (1, 2)


@pytest.mark.parametrize("is_read_in_pieces", [False, True])
def test_a_callback__gets_the_mixture_where_the_rows_are(X, is_read_in_pieces):
    far, seen = X + [1000.0, -50.0], {}

    def callback(fit):
        seen[fit.candidate] = fit

    search = GaussianMixtureIC([1, 2], covariance_types=["VVV"], random_state=0)
    search.fit(chunks(far, chunk_rows=170) if is_read_in_pieces else far, callback=callback)
    own = seen[1, "VVV"]
    np.testing.assert_allclose(own.mixture.means, [far.mean(axis=0)])
    np.testing.assert_allclose(own.mixture.means, search.estimator(1, "VVV").means_)
    if own.result.statistics is not None:
        np.testing.assert_allclose(own.result.statistics.reference, own.mixture.means, atol=1e-6)


def test_an_interrupt(X):
    def interrupt(fit):
        if fit.candidate.n_components == 2:
            raise KeyboardInterrupt

    search = GaussianMixtureIC(range(1, 4), covariance_types=FEW, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, callback=interrupt)
    assert not hasattr(search, "best_estimator_")
    search.set_params(on_interrupt="keep")
    with pytest.warns(UserWarning, match="ended after 4 of 9"):
        search.fit(X, callback=interrupt)
    assert search.best_n_components_ in (1, 2)
    assert search.interrupted_
    assert not search.fit(X).interrupted_


def test_a_time_budget(X):
    search = GaussianMixtureIC(range(1, 10), max_seconds=1e-9, random_state=0)
    with pytest.warns(UserWarning, match="ended after 2 of 126"):
        search.fit(X)
    assert (search.best_n_components_, search.best_covariance_type_) == (1, "EII")


def test_patience__ends_after_so_many_without_improvement(X):
    every = GaussianMixtureIC(range(1, 12), covariance_types=FEW, random_state=0).fit(X)
    least = [
        np.nanmin(every.results_["bic"][every.results_["n_components"] == K]) for K in range(1, 12)
    ]
    for patience in (1, 2, 4):
        search = GaussianMixtureIC(
            range(1, 12), covariance_types=FEW, patience=patience, random_state=0
        ).fit(X)
        vain = [K for K in range(2, 12) if least[K - 1] >= min(least[: K - 1])]
        runs = [K for K in vain if all(K - j in vain for j in range(patience))]
        assert search.results_["n_components"].max() == runs[0]
        assert (search.results_["failure"] == "").all()
        assert search.best_n_components_ == 3
        same = every.results_[: len(search.results_)]
        np.testing.assert_array_equal(search.results_["covariance_type"], same["covariance_type"])


def test_patience__a_search_that_is_ended_before_says_so(X):
    search = GaussianMixtureIC([1, 2, 3, 4], covariance_types=["EII"], patience=4, random_state=0)
    seen = []
    with pytest.warns(UserWarning, match="ended after 2 candidates, before its patience"):
        search.fit(X, callback=lambda fit: seen.append(fit) or len(seen) == 2)
    assert search.results_["n_components"].tolist() == [1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X)


def test_patience__auto_goes_up_from_one(X):
    search = GaussianMixtureIC("auto", covariance_types=FEW, random_state=0).fit(X)
    like = GaussianMixtureIC(range(1, 100), covariance_types=FEW, patience=3, random_state=0).fit(X)
    assert search.best_n_components_ == 3 and search.results_["n_components"].min() == 1
    np.testing.assert_array_equal(search.results_["bic"], like.results_["bic"])


def test_patience__auto_ends_at_the_number_of_rows():
    X = np.random.default_rng(0).normal(size=(7, 1))
    search = GaussianMixtureIC("auto", covariance_types=["EII"], patience=50, random_state=0).fit(X)
    assert search.results_["n_components"].tolist() == list(range(1, 8))


@pytest.mark.parametrize("criterion", ["cv", "icl", "nec"])
def test_patience__of_other_criteria(X, criterion):
    search = GaussianMixtureIC("auto", covariance_types=FEW, criterion=criterion, random_state=0)
    search.fit(X)
    values = search.results_[criterion]
    best = search.results_["n_components"][np.nanargmin(values)]
    assert search.results_["n_components"].max() >= best + 3


def wait_for(text, stream):
    """Wait until a thread has printed a line."""
    for _ in range(500):
        if text in stream.getvalue():
            return
        time.sleep(0.01)
    pytest.fail(f"{text} is not in {stream.getvalue()}")


@pytest.mark.parametrize("has_tqdm", [False, True])
def test_progress__names_the_best_so_far_and_the_last(X, monkeypatch, has_tqdm):
    stream, search = io.StringIO(), GaussianMixtureIC([1, 2], covariance_types=["EII", "VVV"])
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("gmmfast.em.observers.BAR_DELAY", 0.02)
    if not has_tqdm:
        monkeypatch.setattr("gmmfast.em.observers._tqdm", lambda **options: None)
    seen = []

    def callback(fit):
        seen.append(fit)
        best = min(seen, key=lambda other: other.bic)
        name, (K, model) = best.candidate.covariance_type, fit.candidate
        best = f"best {name} K={best.candidate.n_components}, BIC {best.bic:.2f}"
        begin = "/4 [" if has_tqdm else f"{min(len(seen), 3)} of 4 candidates, "
        wait_for(begin, stream)
        wait_for(f"{model} K={K}; {best}", stream)

    search.set_params(random_state=0).fit(X, progress=True, callback=callback)
    before = stream.getvalue()
    assert len(seen) == 4 and before.endswith("\r" if has_tqdm else "\n")
    assert "4/4" not in before
    search.fit(X)
    assert stream.getvalue() == before


def test_progress__counts_candidates_that_have_ended(monkeypatch):
    """Fits that pause are not counted, nor is the last candidate while the best go on."""
    X = mixture(300, 2, 3, separation=0.5, seed=1)[0]  # EM is slow
    stream, go_on, improve = io.StringIO(), Search._gone_on, Search.improve
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("gmmfast.em.observers.BAR_DELAY", 0.02)
    monkeypatch.setattr("gmmfast.em.observers._tqdm", lambda **options: None)
    at_pauses = []

    def slowly(self, *arguments):
        n = stream.getvalue().count("\n")
        for _ in range(500):
            lines = stream.getvalue().splitlines()[n + 1 : -1]  # of now
            if lines:
                break
            time.sleep(0.01)
        at_pauses.append(int(lines[0].split()[0]))
        return go_on(self, *arguments)

    def watched(self):
        wait_for("8 of 9 candidates, ", stream)
        wait_for("fitting the best again; best ", stream)
        improve(self)

    monkeypatch.setattr(Search, "_gone_on", slowly)
    monkeypatch.setattr(Search, "improve", watched)
    search = GaussianMixtureIC(range(1, 4), covariance_types=FEW, random_state=0)
    search.fit(X, progress=True)
    counts = [int(line.split()[0]) for line in stream.getvalue().splitlines()]
    assert counts == sorted(counts) and max(counts) == 8
    assert at_pauses[0] < 8


def test_progress__begins_before_the_first_candidate_and_ends_with_an_error(X, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("gmmfast.em.observers.BAR_DELAY", 0.02)
    monkeypatch.setattr("gmmfast.em.observers._tqdm", lambda **options: None)

    def fail(self):
        wait_for("0 of 9 candidates, 0 s: none done yet", stream)
        raise ValueError("enough")

    monkeypatch.setattr(Search, "_make_starts", fail)
    n_threads = threading.active_count()
    with pytest.raises(ValueError, match="enough"):
        GaussianMixtureIC(range(1, 4), covariance_types=FEW).fit(X, progress=True)
    assert threading.active_count() <= n_threads


# ------------------------------------------------------------------------------- as an estimator


def test_results_as_a_frame(X):
    search = GaussianMixtureIC([1, 2], covariance_types=FEW, random_state=0).fit(X)
    frame = search.results_.to_pandas()
    assert list(frame["covariance_type"]) == FEW * 2
    assert list(frame.columns) == list(search.results_.dtype.names)
    np.testing.assert_array_equal(frame["bic"], search.results_["bic"])


def test_names_are_handed_on(X):
    frame = pandas.DataFrame(X, columns=["a", "b"])
    search = GaussianMixtureIC([2], covariance_types=FEW, random_state=0).fit(frame)
    assert list(search.feature_names_in_) == list(search.best_estimator_.feature_names_in_)
    assert search.predict(frame).shape == (300,)


def test_clone(X):
    search = GaussianMixtureIC(range(2, 4), covariance_types=["VVV"], criterion="icl", cv=3)
    assert clone(search).get_params() == search.get_params()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0), ("n_components", []), ("n_components", "3"), ("n_components", [1.5]),
        ("covariance_types", "some"), ("covariance_types", ["VVX"]), ("covariance_types", []),
        ("criterion", "BIC"), ("cv", 1), ("cv", 2.5), ("max_seconds", 0), ("max_iter", 0),
        ("on_interrupt", "stop"), ("tol", -1.0), ("reg_covar", np.nan),
    ],
)  # fmt: skip
def test_parameters_out_of_range(name, value, X):
    with pytest.raises(ValueError, match=f"The {name!r} parameter of GaussianMixtureIC must be"):
        GaussianMixtureIC(**{name: value}).fit(X)


# the check shuffles the weighted rows; in their order it holds: see test_weights_are_repetitions
ORDERED = {
    "check_sample_weight_equivalence_on_dense_data": "rows in another order begin with other "
    "partitions, and rounding decides between them"
}

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst")
    checks = parametrize_with_checks(
        [GaussianMixtureIC((1, 2), covariance_types=["EII", "VVI"], max_iter=50, reg_covar=1e-6)],
        expected_failed_checks=lambda own: ORDERED,
    )


@checks
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*")
def test_estimator_checks(estimator, check):
    check(estimator)


# ----------------------------------------------------------------------------------- the tree


def ward(points, weights, n_clusters):
    """Merge the cheapest pair until there are so many; by their definition."""
    clusters = [[i] for i in range(len(points))]

    def cost(a, b):
        difference = center(a) - center(b)
        mass = weights[a].sum() * weights[b].sum() / weights[a + b].sum()
        return mass * difference @ difference

    def center(cluster):
        return weights[cluster] @ points[cluster] / weights[cluster].sum()

    while len(clusters) > n_clusters:
        pairs = [(i, j) for i in range(len(clusters)) for j in range(i)]
        i, j = min(pairs, key=lambda pair: cost(clusters[pair[0]], clusters[pair[1]]))
        clusters[j] = clusters[j] + clusters[i]
        del clusters[i]
    return {frozenset(cluster) for cluster in clusters}


@pytest.mark.plain
def test_the_tree_is_wards():
    rng = np.random.default_rng(0)
    points, weights = rng.normal(size=(40, 3)), rng.uniform(0.5, 2.0, 40)
    tree = Tree(points, weights)
    for n_clusters in (1, 2, 5, 17, 40):
        labels = tree.labels(n_clusters)
        assert set(labels) == set(range(n_clusters))
        found = {frozenset(np.flatnonzero(labels == k)) for k in range(n_clusters)}
        assert found == ward(points, weights, n_clusters)


def test_scales_for_the_tree():
    X = mixture(200, 3, 2, seed=1)[0] * [1.0, 100.0, 0.0]
    weights = np.ones(200)
    np.testing.assert_allclose(np.cov(whitened(X, weights).T, bias=True), np.eye(2), atol=1e-10)
    np.testing.assert_allclose(standardized(X, weights).std(axis=0), 1.0)
    wide = np.random.default_rng(0).normal(size=(7, 9))  # fewer rows than columns
    weights = np.arange(1.0, 8.0)
    found = np.cov(whitened(wide, weights).T, aweights=weights, bias=True)
    np.testing.assert_allclose(found, np.eye(6), atol=1e-10)


def test_all_codes_are_tried_by_default(X):
    search = GaussianMixtureIC(1, random_state=0).fit(X)
    assert tuple(search.results_["covariance_type"]) == MODEL_CODES


@pytest.mark.plain
def test_a_split_cuts_one_component_across_its_longest_axis():
    X, labels = mixture(200, 2, 2, separation=20.0, seed=1)
    X[labels == 1] *= [1.0, 5.0]
    weights = np.where(np.arange(200) % 5 == 0, 0.0, 1.0)
    rows, model = MemoryRows(X, weights), MODELS["VVV"]()
    means = rows.means_of(labels, 2)
    statistics = rows.partition(rows.tiled(labels), means, model.scatter)
    found = splits(rows, model.maximization(statistics))
    assert len(found) == 2
    for k, cut in enumerate(found):
        own = (labels == k) & (weights > 0)
        np.testing.assert_array_equal(cut[(labels != k) & (weights > 0)], 1 - k)
        assert set(cut[own]) == {k, 2}
    tall = (labels == 1) & (weights > 0)
    height = X[tall, 1] - X[tall, 1].mean()
    assert np.abs(np.corrcoef(found[1][tall] == 2, height)[0, 1]) > 0.7


@pytest.mark.plain
def test_components_that_share_rows_are_merged_first():
    X = np.concatenate([mixture(100, 2, 1, seed=s)[0] + [m, 0] for s, m in enumerate((0, 1, 50))])
    labels = np.repeat([2, 0, 1], 100)
    rows, model = MemoryRows(X), MODELS["VVV"]()
    means = rows.means_of(labels, 3)
    statistics = rows.partition(rows.tiled(labels), means, model.scatter)
    parameters = model.maximization(statistics)
    first = merges(rows, parameters)[0]
    assert set(first) == {0, 1}
    assert len(set(first[:200])) == len(set(first[200:])) == 1


def test_the_best_are_fitted_again_from_what_their_neighbors_found(monkeypatch):
    X = load_wine().data
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    again = GaussianMixtureIC([2, 3], covariance_types=["VVE", "EVE"], random_state=0)
    once = clone(again)
    again.fit(X)
    monkeypatch.setattr(Search, "improve", lambda self: None)
    once.fit(X)
    gain = again.results_["log_likelihood"] - once.results_["log_likelihood"]
    assert gain.min() == 0 and gain.max() > 1
    best = again.results_["bic"].argmin()
    assert again.best_estimator_.bic(X) == pytest.approx(again.results_["bic"][best], abs=1e-8)


def test_neighbors_lower_the_bic_of_wine(monkeypatch):
    """The figures of docs/selection.md."""
    X = load_wine().data
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    again = GaussianMixtureIC(range(1, 13), random_state=0)
    once = clone(again)
    assert again.fit(X).bic(X) < 5357.6
    monkeypatch.setattr(Search, "improve", lambda self: None)
    assert once.fit(X).bic(X) > 5383.5


def test_partitions_that_are_the_same_but_for_their_numbers():
    partitions = [np.array(p) for p in ([0, 0, 1, 2], [2, 2, 0, 1], [0, 1, 1, 2], [1, 1, 2, 0])]
    assert [p.tolist() for p in different(partitions)] == [[0, 0, 1, 2], [0, 1, 1, 2]]


def test_search__of_more_components_than_rows_says_so_alone():
    with pytest.raises(ValueError, match="fewer rows than components. Lower n_components, or"):
        GaussianMixtureIC([5]).fit(np.random.default_rng(0).normal(size=(3, 2)))
