"""Checkpoints of searches: an interrupted search goes on to the very same result."""

import json
from dataclasses import replace

import numpy as np
import pytest
from data import mixture, refusal
from sklearn.exceptions import NotFittedError

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.files import generators, outcomes
from gmmfast.search import store
from gmmfast.search.candidates import SINGULAR, Candidate, CandidateFit
from gmmfast.search.search import Search
from gmmfast.search.store import Store

FEW = ["EII", "VVI", "VVV"]


@pytest.fixture(scope="module", name="X")
def rows():
    X = mixture(300, 2, 3, separation=4.0, seed=1)[0]
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.fixture(name="path")
def checkpoint(tmp_path):
    return tmp_path / "search.npz"


@pytest.fixture(scope="module", name="stopped")
def stopped_search(X, tmp_path_factory):
    """A checkpoint of a search that was interrupted after four candidates."""
    path = tmp_path_factory.mktemp("stopped") / "search.npz"
    interrupt(search(exhaustive=True), X, path, 4)
    return path


def search(counts=(1, 2, 3), **settings):
    return GaussianMixtureIC(counts, **{"covariance_types": FEW, "random_state": 0} | settings)


def interrupt(model, X, path, after, **options):
    """Fit, press Ctrl-C after some candidates, and forget what threads have done beyond them."""
    seen = []

    def press(fit):
        seen.append(fit)
        if len(seen) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, callback=press, checkpoint=path, **options)
    point = outcomes.read(path)
    names = {fit.candidate for fit in seen}
    known = {key: fit for key, fit in point.outcomes.items() if key[1] in names}
    replace(point, outcomes=known).write(path)


def assert_same(found, expected):
    """To the last bit, except for the time."""
    for name in set(expected.results_.dtype.names) - {"seconds"}:
        np.testing.assert_array_equal(found.results_[name], expected.results_[name])
    for K, name in expected._fits:
        mine, other = found.estimator(K, name), expected.estimator(K, name)
        for attribute in ("weights_", "means_", "covariances_", "lower_bounds_", "stop_reason_"):
            np.testing.assert_array_equal(getattr(mine, attribute), getattr(other, attribute))
    best, other = found.best_estimator_, expected.best_estimator_
    assert found.best_covariance_type_ == expected.best_covariance_type_
    np.testing.assert_array_equal(best.log_density_quantiles_, other.log_density_quantiles_)


@pytest.mark.parametrize(
    ("criterion", "patience", "is_weighted", "in_pieces", "n_sampled", "random_state", "after"),
    [
        ("bic", None, False, False, 4096, 0, 1),
        ("icl", 2, True, False, 150, np.random.default_rng, 4),
        ("aicc", None, True, True, 150, np.random.RandomState, 5),
        ("bic", 2, False, True, 4096, 0, 6),
        ("nec", 1, True, False, 4096, 0, 4),
        ("cv", 2, True, True, 150, np.random.default_rng, 4),
        ("cv", None, False, False, 4096, 0, 7),
    ],
)
def test_resumed__the_result_of_a_search_without_an_interruption(
    X,
    path,
    monkeypatch,
    criterion,
    patience,
    is_weighted,
    in_pieces,
    n_sampled,
    random_state,
    after,
):
    monkeypatch.setattr("gmmfast.estimators.selection.MANY", 100)  # more are read in pieces
    monkeypatch.setattr("gmmfast.search.starts.SMALLEST_SAMPLE", n_sampled)
    settings = {"criterion": criterion, "patience": patience, "cv": 3}
    weights = {"sample_weight": 0.5 + np.arange(len(X)) % 3} if is_weighted else {}

    def make():
        seed = random_state(5) if callable(random_state) else random_state
        rows = chunks(X, chunk_rows=170, **weights) if in_pieces else X
        return search(random_state=seed, **settings), rows, {} if in_pieces else weights

    model, rows, options = make()
    expected = model.fit(rows, **options)
    model, rows, options = make()
    interrupt(model, rows, path, after, **options)
    resumed = GaussianMixtureIC.resume(path).fit(rows, checkpoint=path, **options)
    assert_same(resumed, expected)
    assert_same(GaussianMixtureIC.resume(path).fit(rows, **options), expected)


def test_resumed__on_two_samples(path, monkeypatch):
    """The first fit that ends has gone on from both, each after as many passes."""
    monkeypatch.setattr("gmmfast.search.starts.SMALLEST_SAMPLE", 64)
    monkeypatch.setattr("gmmfast.search.fitting.SAMPLE_PASSES", 4)
    X = mixture(1100, 2, 3, separation=3.0, seed=1)[0]
    expected = search().fit(X)
    interrupt(search(), X, path, 1)
    ((number, _),) = outcomes.read(path).outcomes
    assert number == 2
    assert_same(GaussianMixtureIC.resume(path).fit(X), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumed__with_the_same_rows_from_another_source(X, path, tmp_path, dtype):
    """Sums in another order move the center by rounding."""
    X = X.astype(dtype) + dtype(3)
    expected = search().fit(X)
    interrupt(search(), X, path, 5)
    np.save(tmp_path / "rows.npy", X)
    resumed = GaussianMixtureIC.resume(path)
    resumed.fit(chunks(tmp_path / "rows.npy", chunk_rows=110), checkpoint=path)
    np.testing.assert_allclose(resumed.results_["bic"], expected.results_["bic"], rtol=1e-6)
    assert resumed.best_estimator_.means_.dtype == dtype


def test_resumed__fits_what_was_not_done(X, stopped, path, monkeypatch):
    seen, fitted, begin = [], [], Search._open
    path.write_bytes(stopped.read_bytes())

    def count(self, most, candidate):
        fitted.append(candidate)
        return begin(self, most, candidate)

    monkeypatch.setattr(Search, "_open", count)
    GaussianMixtureIC.resume(path).fit(X, checkpoint=path, callback=seen.append)
    assert len(seen) == 9 and [fit.candidate for fit in seen[4:]] == sorted(fitted)
    fitted.clear()
    monkeypatch.setattr(Search, "_again", lambda *_: pytest.fail("was done before"))
    again = GaussianMixtureIC.resume(path).fit(X)
    assert not fitted
    monkeypatch.undo()
    assert len(again.set_params(n_components=[1]).fit(X).results_) == 3  # starts anew


def test_resumed__the_best_so_far_is_ready_to_use(X, stopped, path):
    resumed, expected = GaussianMixtureIC.resume(stopped), search(exhaustive=True).fit(X)
    first = expected.results_[:4]
    for name in ("n_components", "covariance_type", "bic", "n_iter", "converged"):
        np.testing.assert_array_equal(resumed.results_[name], first[name])
    K, name = resumed.best_n_components_, resumed.best_covariance_type_
    assert (K, name) == tuple(first[first.ranking("bic")[0]])[:2]
    np.testing.assert_array_equal(resumed.predict(X), expected.estimator(K, name).predict(X))
    with pytest.raises(ValueError, match="None of 1 candidates can be ranked"):
        search([400], covariance_types=["EII"]).fit(X, checkpoint=path)
    resumed = GaussianMixtureIC.resume(path)
    assert resumed.results_["failure"] == ["fewer rows than components"]
    with pytest.raises(NotFittedError):
        resumed.predict(X)


def test_resumed__in_the_last_round(X, path, monkeypatch):
    again, calls = Search._again, []

    def interrupted(self, leader):
        calls.append(leader)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return again(self, leader)

    expected = search().fit(X)
    monkeypatch.setattr(Search, "_again", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(n_jobs=1).fit(X, checkpoint=path)
    assert -1 in {number for number, _ in outcomes.read(path).outcomes}
    assert_same(GaussianMixtureIC.resume(path).fit(X), expected)


def test_resumed__after_an_interrupted_one_that_kept_its_best(X, path):
    kept, seen = search(on_interrupt="keep"), []

    def press(fit):
        seen.append(fit)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="ended after 5 of 9"):
        kept.fit(X, callback=press, checkpoint=path)
    finished = {fit.candidate for fit in seen if fit.finished}
    assert finished <= {candidate for _, candidate in outcomes.read(path).outcomes}
    assert_same(GaussianMixtureIC.resume(path).fit(X), search().fit(X))


def test_resumed__fits_that_the_time_cut_off_are_fitted_anew(X, path):
    with pytest.warns(UserWarning, match="ended after 1 of 9"):
        search(max_seconds=1e-9).fit(X, checkpoint=path)
    assert not path.exists()
    interrupt(search(max_seconds=1000.0), X, path, 2)
    resumed = GaussianMixtureIC.resume(path).set_params(max_seconds=None, n_jobs=1)
    assert_same(resumed.fit(X), search().fit(X))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"n_components": [1, 2, 3, 4]}),
        ({"patience": 1, "n_components": [1, 2]}, {"patience": 2, "n_components": range(1, 5)}),
        ({"patience": 1}, {"patience": None}),
        ({"patience": 1, "criterion": "cv"}, {"patience": 2, "n_components": "auto"}),
    ],
)
def test_resumed__a_longer_search(X, path, before, after):
    """As if it had been that long from the beginning; later rounds depend on all candidates."""
    search().set_params(**before).fit(X, checkpoint=path)
    resumed = GaussianMixtureIC.resume(path).set_params(**after)
    expected = search().set_params(**before | after).fit(X)
    assert_same(resumed.fit(X, checkpoint=path), expected)
    assert_same(GaussianMixtureIC.resume(path).fit(X), expected)


@pytest.mark.parametrize(
    ("setting", "got"),
    [
        ({"criterion": "icl"}, "criterion='bic'; got 'icl'. Set it back, or begin a new search."),
        ({"exhaustive": False}, "exhaustive=True; got False"),
        ({"tol": 1e-3}, "tol=1e-06; got 0.001"),
        ({"max_iter": 2000}, "max_iter=1000; got 2000"),
        ({"random_state": None}, "random_state=0; got None"),
        ({"covariance_types": ["EII"]}, "covariance_types=['EII', 'VVI', 'VVV']; got ['EII']"),
        ({"n_components": [2, 3]}, "n_components=[1, 2, 3]; got [2, 3]. Set it back, add"),
        ({"n_components": [1, 2, 4, 5]}, "add larger numbers only, or begin a new search."),
        ({"patience": 1}, "patience=None; got 1. Set it back or higher"),
    ],
)
def test_other_settings_are_refused(X, stopped, setting, got):
    resumed = GaussianMixtureIC.resume(stopped).set_params(**setting)
    assert got in refusal(resumed.fit, X)


def test_other_settings_are_refused__where_folds_depend_on_them(X, path):
    whole = search([1, 2], criterion="cv", cv=2, covariance_types=["EII"]).fit(X, checkpoint=path)
    for setting in ({"n_components": [1, 2, 3]}, {"cv": 3}, {"patience": 2}):
        resumed = GaussianMixtureIC.resume(path).set_params(**setting)
        assert "Set it back, or begin a new search." in refusal(resumed.fit, X)
    assert_same(GaussianMixtureIC.resume(path).fit(X), whole)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda X: X[:-1], "there are 299 of total weight 299, and were 300 of 300"),
        (lambda X: X + [0.0, 1e-6], "is of other rows: the mean of feature 1 is"),
        (lambda X: X[:, ::-1], "is of other rows: their mean log-likelihood is"),
        (lambda X: 3 * X, "is of other rows: their mean log-likelihood is"),
        (lambda X: X[:, :1], "X has 1 features, but GaussianMixtureIC is expecting 2"),
    ],
)
def test_other_rows_are_refused(X, stopped, change, sentence):
    before, resumed = stopped.read_bytes(), GaussianMixtureIC.resume(stopped)
    assert sentence in refusal(resumed.fit, change(X), checkpoint=stopped)
    assert stopped.read_bytes() == before and resumed._resumed is not None


def test_other_weights_are_refused(X, path):
    weights = 0.5 + np.arange(len(X)) % 3
    search([1, 2]).fit(X, sample_weight=weights, checkpoint=path)
    resumed = GaussianMixtureIC.resume(path)
    for other in (None, 2 * weights, weights[::-1]):
        assert "is of other rows" in refusal(resumed.fit, X, sample_weight=other)


@pytest.mark.parametrize(
    ("settings", "change", "reason"),
    [
        ({"tol": 1e-3}, lambda X: X, "of a search with tol=1e-06; got 0.001"),
        ({"counts": (1, 2)}, lambda X: X, "of a search with n_components=[1, 2, 3]; got [1, 2]"),
        ({"random_state": None}, lambda X: X, "of a search with random_state=0; got None"),
        ({}, lambda X: X[:-1], "of other rows: there are 299 of total weight 299"),
        ({}, lambda X: X[:, ::-1], "of other rows: their mean log-likelihood is"),
        ({}, lambda X: X[:, :1], "of other rows: they have 1 columns, and had 2"),
    ],
)
def test_checkpoint__of_another_search_is_not_overwritten(
    X, stopped, settings, change, reason, monkeypatch
):
    before, model = stopped.read_bytes(), search(**{"exhaustive": True} | settings)
    monkeypatch.setattr(Search, "fits", lambda self: pytest.fail("has computed"))
    text = refusal(model.fit, change(X), checkpoint=stopped)
    assert text.startswith(f"{stopped} is the checkpoint {reason}")
    assert text.endswith(". Remove the file, or write to another one.")
    assert stopped.read_bytes() == before


def test_checkpoint__is_not_written_over_another_kind_of_file(X, path):
    GaussianMixture(2, random_state=0).fit(X).save(path)
    before = path.read_bytes()
    text = refusal(search().fit, X, checkpoint=path)
    assert "is not a gmmfast search checkpoint, or is damaged: it is a gmmfast" in text
    assert "Remove the file, or write to another one." in text and path.read_bytes() == before


def test_checkpoint__of_one_search_is_not_overwritten_by_another_that_is_resumed(X, stopped, path):
    search([1], covariance_types=["EII"]).fit(X, checkpoint=path)
    before = path.read_bytes()
    text = refusal(GaussianMixtureIC.resume(stopped).fit, X, checkpoint=path)
    assert f"{path} is the checkpoint of a search with exhaustive=False; got True" in text
    assert path.read_bytes() == before


@pytest.mark.parametrize("random_state", [0, None, np.random.default_rng])
def test_checkpoint__of_the_same_search_is_begun_anew(X, path, random_state):
    def make(counts, **settings):
        seed = random_state(5) if callable(random_state) else random_state
        return search(counts, random_state=seed, exhaustive=True, **settings)

    interrupt(make([1, 2]), X, path, 2)
    anew = make([1, 2, 3], n_jobs=1).fit(X, checkpoint=path)
    assert len(GaussianMixtureIC.resume(path).results_) == len(anew.results_) == 9


def test_names_of_columns_are_kept(X, path):
    import pandas

    frame = pandas.DataFrame(X, columns=["a", "b"])
    search([1, 2]).fit(frame, checkpoint=path)
    resumed = GaussianMixtureIC.resume(path)
    assert "feature names should match" in refusal(resumed.fit, frame[["b", "a"]])
    assert list(resumed.fit(frame).feature_names_in_) == ["a", "b"]


def test_files_that_are_no_checkpoints_of_searches(X, stopped, tmp_path):
    none = refusal(GaussianMixtureIC.resume, tmp_path / "none.npz", error=FileNotFoundError)
    assert "no such file. Checkpoints of searches are written by GaussianMixtureIC.fit" in none
    GaussianMixture(2, random_state=0).fit(X, checkpoint=tmp_path / "fit.npz")
    text = refusal(GaussianMixtureIC.resume, tmp_path / "fit.npz")
    assert "is not a gmmfast search checkpoint, or is damaged: it is a gmmfast checkpoint" in text
    text = refusal(GaussianMixture.resume, stopped)
    assert "is not a gmmfast checkpoint, or is damaged: it is a gmmfast search checkpoint" in text
    whole = stopped.read_bytes()
    for length in range(0, len(whole), 997):
        (tmp_path / "half.npz").write_bytes(whole[:length])
        text = refusal(GaussianMixtureIC.resume, tmp_path / "half.npz")
        assert "is not a gmmfast search checkpoint, or is damaged" in text


def swapped(position, value):
    """Change a value of the first outcome."""
    return lambda entries: [
        [*entries[0][:position], value, *entries[0][position + 1 :]],
        *entries[1:],
    ]


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("parameters", lambda a: a | {"tol": -1.0}, "The 'tol' parameter of GaussianMixtureIC"),
        ("parameters", lambda a: {}, "its parameters are incomplete"),
        ("outcomes", swapped(1, 10**15), "has the shape"),
        ("outcomes", swapped(1, 0), "an outcome is of no candidate"),
        ("parameters", lambda a: a | {"covariance_types": ["VVV"]}, "the search does not try"),
        ("parameters", lambda a: a | {"n_components": [2]}, "the search does not try"),
        ("outcomes", swapped(2, "XYZ"), "an outcome is of no candidate"),
        ("outcomes", swapped(4, "HAPPY"), "an outcome is of no candidate"),
        ("outcomes", swapped(6, 1.5), "an outcome is incomplete"),
        ("outcomes", lambda a: [*a[:-1], a[0]], "has the shape|two outcomes are of one"),
        ("outcomes", lambda a: 7, "the outcomes are damaged"),
        ("state", lambda a: a | {"bit_generator": "default_rng"}, "its random generator is none"),
        ("state", lambda a: a | {"kind": "x"}, "its random generator is damaged"),
        ("state", lambda a: a | {"state": 3}, "'int' object"),
        ("n_rows", lambda a: -1, "the number of rows is damaged"),
        ("values", lambda a: np.full_like(a, np.nan), "values holds values that are not finite"),
        ("values", lambda a: 2 * a, "the weights of an outcome do not sum to one"),
        ("values", lambda a: a[1:], "values has the shape"),
        ("numbers", lambda a: np.full_like(a, np.nan), "the time of an outcome is damaged"),
        ("degenerate", lambda a: a.astype(float), "degenerate is of type float64"),
    ],
)
def test_values_that_contradict_each_other(stopped, path, name, change, sentence):
    with np.load(stopped) as file:
        arrays = dict(file)
    manifest = json.loads(arrays.pop("manifest").tobytes())
    changed = manifest if name in manifest else arrays
    changed[name] = change(changed[name])
    np.savez(path, manifest=np.frombuffer(json.dumps(manifest).encode(), np.uint8), **arrays)
    with pytest.raises(ValueError, match=f"is not a gmmfast search checkpoint.*{sentence}"):
        GaussianMixtureIC.resume(path)


def test_what_a_checkpoint_cannot_hold(X, tmp_path):
    folds = [(np.arange(200), np.arange(200, 300))]
    model, path = search([1], criterion="cv", cv=folds), tmp_path / "search.npz"
    assert "Set cv to an int, or search without" in refusal(model.fit, X, checkpoint=path)
    model.set_params(criterion="bic").fit(X, checkpoint=path)
    GaussianMixtureIC.resume(path).fit(X)
    np.save(tmp_path / "rows.npy", X)
    text = refusal(search().fit, tmp_path / "rows.npy", checkpoint=tmp_path / "rows.npy")
    assert "must be two files" in text
    nowhere = tmp_path / "none" / "search.npz"
    refusal(search().fit, X, checkpoint=nowhere, error=FileNotFoundError)


def test_candidates_without_a_mixture_are_kept(path):
    X = np.repeat(np.arange(5.0), 2).reshape(5, 2) + [[0.0, 1e-3]] * 5
    settings = {"counts": [1, 2], "covariance_types": ["EII", "VVV"]}
    with pytest.warns(UserWarning, match="No model with free correlations"):
        expected = search(**settings).fit(X, checkpoint=path)
    known = outcomes.read(path).outcomes
    assert {fit.failure for fit in known.values()} == {"", SINGULAR}
    with pytest.warns(UserWarning, match="No model with free correlations"):
        assert_same(GaussianMixtureIC.resume(path).fit(X), expected)


@pytest.mark.parametrize("source", generators.SOURCES)
def test_state__of_all_generators(source):
    for make in (np.random.Generator, np.random.RandomState):
        random = make(getattr(np.random, source)(3))
        random.normal(size=3)
        again = generators.generator_of(json.loads(json.dumps(generators.state_of(random))))
        np.testing.assert_array_equal(again.normal(size=9), random.normal(size=9))


# ------------------------------------------------------------------------------------ the store


def test_store__writes_now_and_then_and_at_the_end(monkeypatch):
    now, written = [0.0], []
    monkeypatch.setattr(store.time, "perf_counter", lambda: now[0])

    def write(found):
        now[0] += 0.25
        written.append(len(found))

    kept = Store({}, write)
    for K in range(1, 200):
        now[0] += 0.1
        kept.put(0, CandidateFit(Candidate(K, "EII"), 0.1))
    assert 3 <= len(written) <= 5  # writing takes at most a 20th of the time
    assert written[-1] < 199
    kept.close()
    assert written[-1] == 199
    kept.put(0, CandidateFit(Candidate(200, "EII"), 0.1))  # by a thread that nobody waits for
    kept.close()
    assert written[-1] == 199


def test_store__without_a_file_keeps_nothing():
    kept = Store()
    kept.put(0, CandidateFit(Candidate(1, "EII"), 0.1))
    assert kept.get(0, Candidate(1, "EII")) is None
