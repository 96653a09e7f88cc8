"""Which fits a search completes, and fits that pause."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from data import EVERY, mixture
from sklearn.datasets import load_iris

from gmmfast import GaussianMixtureIC
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.em import starts as em_starts
from gmmfast.em import trials
from gmmfast.em import whole as em_whole
from gmmfast.em.kmeans import partition_of
from gmmfast.em.loop import Control, Course, EMResult, Status
from gmmfast.em.observers import Deadline
from gmmfast.em.prior import PriorOfRows
from gmmfast.em.starts import on_all
from gmmfast.em.trials import likeliest
from gmmfast.em.whole import WholeFits
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.files import outcomes
from gmmfast.kernels.threads import END, new_stop, obey
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows
from gmmfast.search import fitting
from gmmfast.search import search as search_module
from gmmfast.search import starts as search_starts
from gmmfast.search.candidates import Candidate, CandidateFit
from gmmfast.search.fitting import FASTEST, SLOWEST, Fitting, Progress, Sample, missing
from gmmfast.search.race import MARGIN, Contender, Race
from gmmfast.search.search import Search
from gmmfast.search.starts import Starts
from gmmfast.search.store import Store

FEW = ["EII", "VVI", "EEE", "VVV"]
X = mixture(90, 2, 3, separation=2.0, seed=1)[0]
WEIGHTS = 0.5 + np.arange(len(X)) % 3
WEIGHTS[:7] = 0


# ----------------------------------------------------------------------------------- whole fits


def whole(X, counts, control, sample_weight=None):
    """Whole fits to rows, and the partitions that they start from."""
    rows = MemoryRows(X, sample_weight)
    starts = Starts(rows, np.random.default_rng(0))
    starts.make(counts)
    return WholeFits(rows, control), starts.choices, rows


def values(result, statistics):
    """All that a fit has come to, for comparison to the last bit."""
    return [
        result.status,
        result.stopped,
        result.lower_bounds,
        result.lower_bound,
        *(array.tobytes() for array in result.parameters.to_arrays().values()),
        result.degenerate.tobytes(),
        statistics.log_likelihood,
        statistics.doubt,
        statistics.mass.tobytes(),
    ]


def in_pieces(fits, model, ways, pauses):
    """A fit that pauses after each number of passes, and the number of its pauses."""
    stage, count = fits.begin(model, ways, pauses[0]), 0
    for pause in [*pauses[1:], 10**9]:
        if stage.rest is None:
            break
        assert stage.result.status is Status.UNDER_WAY
        count += 1
        stage = fits.go_on(model, stage.rest, pause)
    assert stage.rest is None
    return values(stage.result, stage.result.statistics), count


CASES = [  # rows, weights, models, components, tol, iterations, acceleration
    (X, None, EVERY, (3,), 1e-6, 1000, "auto"),
    (X, None, FEW, (1, 2, 5), 1e-6, 1000, "none"),
    (X, WEIGHTS, FEW, (4,), 1e-6, 1000, "auto"),
    (X, None, FEW, (3,), 0.0, 11, "auto"),
    (X[:, :1], None, ["E", "V"], (2, 3), 1e-6, 1000, "auto"),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_whole__is_the_same_fit_to_the_last_bit(case, monkeypatch):
    data, weights, names, counts, tol, max_iter, acceleration = CASES[case]
    control = Control(tol, max_iter, acceleration)
    fits, choices, rows = whole(data, counts, control, weights)
    n_paused = 0
    for K in counts:
        for name in names:
            model, ways = MODELS[name](0.0), choices[K]
            assert fits.are_possible(model, K)
            begin = on_all(rows, model, likeliest(rows, model, ways))
            course = Course(begin.rows, begin.begin, model, control, hints=begin.hints)
            try:
                course.complete()
            except IllDefinedCovarianceError as error:
                with pytest.raises(IllDefinedCovarianceError) as caught:
                    fits.begin(model, ways, max_iter)
                assert caught.value.args == error.args
                continue
            expected = values(course.result(), course.statistics())
            stage = fits.begin(model, ways, max_iter)
            assert values(stage.result, stage.result.statistics) == expected, (K, name)
            for pauses in ([3], [2, 5, 6, 9]):
                found, count = in_pieces(fits, model, ways, pauses)
                assert found == expected, (K, name, pauses)
                n_paused += count
    assert n_paused > len(names)


def test_whole__paused_fits_take_turns():
    control = Control(1e-6, 1000, "auto")
    fits, choices, _ = whole(X, (3,), control)
    models = [MODELS[name](0.0) for name in ("EVV", "VEV", "VVE")]  # they share a bench
    alone = [in_pieces(fits, model, choices[3], [1000])[0] for model in models]
    stages = [fits.begin(model, choices[3], 4) for model in models]
    found = []
    for model, stage in zip(models, stages, strict=True):
        stage = fits.go_on(model, stage.rest, 1000)
        found.append(values(stage.result, stage.result.statistics))
    assert found == alone


def test_whole__benches_are_kept_until_they_are_large(monkeypatch):
    fits, choices, _ = whole(X, (2, 3), Control(1e-6, 5, "auto"))

    def free():
        return [bench for benches in fits._free.values() for bench in benches]

    counts = []
    for name, K in (("VEV", 3), ("EVV", 3), ("EVV", 2)):
        fits.begin(MODELS[name](0.0), choices[K], 5)
        counts.append(len(free()))
    assert counts == [1, 1, 2]
    first = free()
    model = MODELS["EVV"](0.0)
    other = threading.Thread(target=fits.begin, args=(model, choices[2], 5))
    other.start()
    other.join()
    assert [*map(id, free())] == [*map(id, first)]  # another thread has used one of them
    with fits._bench(model, 2, 1), fits._bench(model, 2, 1):
        pass
    assert len(free()) == 3  # two at the same time
    monkeypatch.setattr(em_whole, "KEPT", 0)
    fits.begin(model, choices[2], 5)
    assert len(free()) == 3  # the second is lent again
    fits.begin(MODELS["VVI"](0.0), choices[2], 5)
    assert len(free()) == 1


def test_whole__covariances_that_fail():
    control, model = Control(1e-6, 1000, "auto"), MODELS["VVV"](0.0)
    fits, choices, rows = whole(X, (3,), control)
    labels = np.minimum(np.arange(len(X)), 2)  # the first component has one row
    failing = [partition_of(rows, labels, 3)]
    with pytest.raises(IllDefinedCovarianceError, match="component 0"):
        fits.begin(model, failing, 6)
    starts = Starts(rows, np.random.default_rng(0))
    with pytest.raises(IllDefinedCovarianceError):
        Fitting(rows, starts, control, PriorOfRows(None, rows, [])).begin(model, failing)
    found = fits.begin(model, choices[3], 1000)  # the bench can be used again
    new = whole(X, (3,), control)[0].begin(model, choices[3], 1000)
    expected = values(new.result, new.result.statistics)
    assert values(found.result, found.result.statistics) == expected


def test_whole__a_stop_ends_it_with_the_last_parameters():
    fits, choices, rows = whole(X, (3,), Control(1e-9, 1000, "none"))
    model, stages = MODELS["VVV"](0.0), []

    def fit_and_stop():
        obey(stop := new_stop())
        stages.append(fits.begin(model, choices[3], 4))
        stop[0] = END
        stages.append(fits.go_on(model, stages[0].rest, 1000))

    thread = threading.Thread(target=fit_and_stop)
    thread.start()
    thread.join()
    result = stages[1].result
    assert stages[1].rest is None and result.stopped and result.status is Status.STOPPED
    assert 4 <= len(result.lower_bounds) < 10
    found = rows.expectation(result.parameters, model.scatter).log_likelihood
    assert result.statistics.log_likelihood == pytest.approx(found, rel=1e-12)


def test_whole__not_of_float32_or_long_passes(monkeypatch):
    control = Control(1e-6, 1000, "auto")
    assert not WholeFits(MemoryRows(X.astype(np.float32)), control).are_possible(MODELS["VVV"](), 2)
    fits = WholeFits(MemoryRows(X), control)
    assert fits.are_possible(MODELS["VVV"](), 2)
    monkeypatch.setattr(trials, "BUDGET", 0)
    assert not fits.are_possible(MODELS["VVV"](), 2)


# ------------------------------------------------------------------------------ what is missing


@pytest.mark.parametrize("rate", [0.8, 0.95])
@pytest.mark.parametrize("n", [9, 40])
def test_missing__of_a_geometric_series_is_its_rest(rate, n):
    """The rate is that of several passes: what is missing is at least the rest."""
    bounds = [-(rate**i) for i in range(n)]
    gain = bounds[-1] - bounds[-1 - max(1, min(n // 3, 8))]
    steps = max(1, min(n // 3, 8))
    expected = min(max(rate**steps, FASTEST), SLOWEST)
    assert missing(bounds) == pytest.approx(gain * expected / (1 - expected))
    assert missing(bounds) >= -bounds[-1] * (1 - 1e-9)


def test_missing__rates_are_kept_within_limits():
    assert math.isinf(missing([])) and math.isinf(missing([-1.0]))
    assert missing([-2.0, -1.0]) == pytest.approx(SLOWEST / (1 - SLOWEST))
    growing = [-1 + 0.001 * 1.5**i for i in range(9)]  # leaves a plateau
    assert missing(growing) == pytest.approx((growing[-1] - growing[-4]) * SLOWEST / (1 - SLOWEST))
    fast = [-(0.01**i) for i in range(9)]
    assert missing(fast) == pytest.approx((fast[-1] - fast[-4]) * FASTEST / (1 - FASTEST))
    assert missing([-1.0, -2.0, -3.0, -4.0]) == 0


# ------------------------------------------------------------------------------------- the race


SETTLED = [-1.0] * 6  # nothing is missing
RISING = [-1.5, -1.3, -1.1, -1.0, -0.99, -0.98]  # in BIC of 100 rows, 27 may be missing


def contender(value, bounds=SETTLED, K=2, degenerate=False, samples=(), rest=True):
    """A candidate of this BIC, whose fit has come so far."""
    measured = {"log_likelihood": -value / 2, "bic": value, "degenerate": degenerate}
    fit = CandidateFit(Candidate(K, "VVV"), 0.0, **measured)
    result = EMResult(None, list(bounds), Status.UNDER_WAY, 0.0, None, False, np.zeros(1))
    going = trials.Trial(None, None) if samples else object()
    progress = Progress(result, -value / 2, 0.0, going if rest else None, tuple(samples))
    return Contender(replace(fit, result=result), progress)


def sampled(value, n_samples, K=2):
    """A candidate that has been fitted to so many samples."""
    one = Sample(-value / 2, 0.0, np.zeros(100))
    return contender(value, K=K, samples=[one] * n_samples)


def race(n_samples=0):
    return Race("bic", 100.0, n_samples, n_at_once=2)


def ids(contenders):
    """Numbers of components: candidates hold arrays, which `==` does not compare."""
    return [each.fit.candidate.n_components for each in contenders]


def test_race__a_candidate_goes_on_if_it_can_come_near_the_best():
    values = [500.0, 500 + MARGIN, 500 + MARGIN + 0.01]
    waiting = [contender(value, K=K) for K, value in enumerate(values)]
    assert ids(race().heat(waiting, is_last=True)) == [0, 1]
    more = contender(530.0, RISING, K=7), contender(550.0, RISING, K=8)
    assert ids(race().heat([*more, *waiting], is_last=True)) == [7, 0, 1]


def test_race__the_best_may_have_ended():
    contest, waiting = race(), [contender(500.0, K=3)]
    for poor in (contender(300.0, degenerate=True), contender(math.nan), contender(495.0)):
        contest.note(poor)
        assert ids(contest.heat(waiting, is_last=True)) == [3]
    contest.note(contender(480.0, rest=False))
    contest.note(contender(495.0, rest=False))  # is not better
    assert contest.heat(waiting, is_last=True) == []


def test_race__degenerate_candidates_neither_lead_nor_go_on():
    waiting = [contender(100.0, degenerate=True, K=1), contender(500.0, K=2)]
    assert ids(race().heat(waiting, is_last=True)) == [2]


def test_race__all_that_may_win_see_a_sample_before_any_sees_the_next():
    first, second, hopeless = sampled(500.0, 1, K=2), sampled(501.0, 2, K=3), sampled(900.0, 1, K=4)
    assert ids(race(2).heat([first, second, hopeless], is_last=True)) == [2]
    assert ids(race(2).heat([second], is_last=True)) == [3]


def test_race__the_likeliest_go_on_to_all_rows_a_few_at_a_time():
    waiting = [sampled(500.0 + K, 1, K=K) for K in (4, 2, 3, 5)]
    assert ids(race(1).heat(waiting, is_last=True)) == [2, 3]
    assert ids(race(1).heat([sampled(700.0, 1), sampled(500.0, 1, K=3)], is_last=True)) == [3]


def test_race__differences_on_a_sample_count_from_three_standard_errors():
    near, far = sampled(500.0, 1), sampled(515.0, 1, K=3)
    assert ids(race(1).heat([near, far], is_last=True)) == [2]
    wide = Sample(-515.0 / 2, 0.0, np.tile([-0.4, 0.4], 50))  # 2 * 100 rows * 3 * 0.04 = 24
    assert ids(race(1).heat([near, contender(515.0, K=3, samples=[wide])], is_last=True)) == [2, 3]
    missing = Sample(-515.0 / 2, 0.03, np.zeros(100))  # 2 * 100 rows * 0.03 = 6
    far = contender(515.0, K=3, samples=[missing])
    assert ids(race(1).heat([near, far], is_last=True)) == [2, 3]


def test_race__a_fit_on_all_rows_is_left_once_it_cannot_win():
    own = race(n_samples=1)
    own.note(contender(500.0, rest=False))
    samples = [Sample(-260.0, 0.0, np.zeros(100))]
    far, near = (contender(530.0, bounds)._replace(n_heats=1) for bounds in (SETTLED, RISING))
    far, near = (c._replace(progress=c.progress._replace(samples=samples)) for c in (far, near))
    threshold = own.threshold()
    assert threshold == 500 + MARGIN
    assert own.may_win(near, threshold) and not own.may_win(far, threshold)
    left = own.outdone(far)
    assert left.has_ended and not left.fit.finished and left.n_heats == 1
    assert left.fit.result.status is Status.OUTDONE


def test_race__a_sample_is_compared_with_the_same_sample_of_the_leader():
    """A sample of unlikely rows: on all rows the leader's BIC is 200 lower, as others' may be."""
    contest = race(1)
    unlikely = Sample(-250.0, 0.0, np.zeros(100))
    contest.note(contender(300.0, samples=[unlikely], rest=False))
    waiting = [sampled(500.0 + MARGIN / 2, 1, K=2), sampled(520.0, 1, K=3)]
    assert ids(contest.heat(waiting, is_last=True)) == [2]
    left = contest.left(waiting[1], Status.OUTDONE)
    assert (left.bic, left.log_likelihood) == (320.0, -160.0)


@pytest.mark.parametrize("status", [Status.STOPPED, Status.OUTDONE])
@pytest.mark.parametrize("found", [contender(500.0), sampled(500.0, 1)], ids=["all", "sample"])
def test_race__what_is_stopped_counts_unless_it_is_sampled(status, found):
    left = race(1).left(found, status)
    assert left.result.status is status
    assert left.finished is (status is Status.STOPPED and not found.is_sampled)


# ------------------------------------------------------------------------------------- searches


def search(**settings):
    settings = {"covariance_types": FEW, "random_state": 0} | settings
    return GaussianMixtureIC(settings.pop("n_components", range(1, 7)), **settings)


def check(found, complete, X):
    """A search comes to the choice of an exhaustive one, and says what it has left."""
    results, every = found.results_, complete.results_
    best = results.ranking(found.criterion)[0]
    assert complete.results_["finished"].all()
    assert results["finished"][best] and 0 < results["finished"].sum() < len(results)
    assert (found.best_n_components_, found.best_covariance_type_) == (
        complete.best_n_components_,
        complete.best_covariance_type_,
    )
    least = every[found.criterion][every.ranking(found.criterion)[0]]
    assert results[found.criterion][best] == pytest.approx(least, abs=0.01)
    left = ~results["finished"] & (results["failure"] == "")
    assert (results[found.criterion][left] > results[found.criterion][best]).all()
    assert not results["converged"][left].any()
    n_done = results["finished"][results["failure"] == ""].sum()
    n_all = (results["failure"] == "").sum()
    assert f"{n_done} of {n_all} fits completed; the others could not win" in found.summary()
    assert f"{n_done} of {n_all} fits completed" in found._repr_html_()
    assert "fits completed" not in complete.summary()
    row = results[left][0]
    estimator = found.estimator(int(row["n_components"]), str(row["covariance_type"]))
    assert estimator.stop_reason_ == Status.OUTDONE.value and not estimator.converged_
    return estimator.score(X) * len(X), row["log_likelihood"]


@pytest.mark.parametrize("data", ["generated", "iris"])
@pytest.mark.parametrize("criterion", ["bic", "icl"])
def test_search__leaves_fits_and_chooses_as_if_it_completed_all(data, criterion):
    rows = load_iris().data if data == "iris" else mixture(300, 3, 4, separation=2.0, seed=5)[0]
    names = list(MODEL_CODES) if data == "iris" and criterion == "bic" else FEW
    found, complete = (
        search(criterion=criterion, covariance_types=names, exhaustive=exhaustive).fit(rows)
        for exhaustive in (False, True)
    )
    total, expected = check(found, complete, rows)
    assert total == pytest.approx(expected, rel=1e-9)


@pytest.fixture
def samples(monkeypatch):
    """Fits of more than 128 rows begin on samples of 128 and 512 rows."""
    monkeypatch.setattr(em_starts, "SMALLEST_SAMPLE", 128)
    monkeypatch.setattr(search_starts, "SMALLEST_SAMPLE", 128)
    monkeypatch.setattr(search_starts, "LARGEST_SAMPLE", 512)
    monkeypatch.setattr(outcomes, "SMALLEST_SAMPLE", 128)


def test_search__on_samples_chooses_as_if_all_fits_saw_all_rows(samples):
    rows = mixture(2100, 2, 3, seed=2)[0]
    starts = Starts(MemoryRows(rows), np.random.default_rng(0))
    assert [own.n_rows for own in starts.samples] == [128, 512]
    assert [own.n_rows for own in starts.held_out] == [128, 512]
    found, complete = (search(exhaustive=exhaustive).fit(rows) for exhaustive in (False, True))
    total, expected = check(found, complete, rows)
    assert total == pytest.approx(expected, rel=0.1)  # expected of all rows, by a sample


def test_search__solutions_start_larger_ones():
    """Without a start from eleven components, twelve that overlap are taken for thirteen."""
    rng = np.random.default_rng(1)
    means, factors = rng.normal(size=(12, 6)), rng.normal(size=(12, 6, 6)) / 2
    labels = rng.integers(12, size=6000)
    rows = means[labels] + np.einsum("nij,nj->ni", factors[labels], rng.normal(size=(6000, 6)))
    for counts in ("auto", range(10, 15)):
        found = GaussianMixtureIC(counts, covariance_types=["VVV"], random_state=0).fit(rows)
        assert found.best_n_components_ == 12


def test_search__no_sample_makes_a_candidate_better_than_the_best(samples):
    rows = mixture(150, 5, 4, separation=1.0, seed=2)[0]  # of many parameters, few are held out
    found = search().fit(rows)
    left = found.results_[~found.results_["finished"]]
    best = found.results_["bic"][found.results_.ranking("bic")[0]]
    assert left.size and (left["bic"] > best + MARGIN / 2).all()
    assert (np.array([one.difference for one in found.compare().candidates]) >= 0).all()


def test_search__is_the_same_for_any_number_of_threads(samples):
    rows = mixture(2100, 2, 3, seed=2)[0]
    for own in (rows, rows[:128]):
        one, two = (search(n_jobs=n_jobs).fit(own).results_ for n_jobs in (1, 2))
        for name in set(one.dtype.names) - {"seconds"}:
            np.testing.assert_array_equal(one[name], two[name])


def test_search__models_of_one_component_are_fitted_once_for_their_twins():
    found = search(n_components=[1], covariance_types="all").fit(X)
    for name in MODEL_CODES:
        alone = search(n_components=[1], covariance_types=[name]).fit(X).best_estimator_
        twin = found.estimator(1, name)
        np.testing.assert_allclose(twin.means_, alone.means_, atol=1e-12)
        assert twin.covariances_.shape == alone.covariances_.shape
        np.testing.assert_allclose(twin.covariances_, alone.covariances_, rtol=1e-9)
        assert twin.bic(X) == pytest.approx(alone.bic(X), rel=1e-9)
        row = found.results_[[*found.results_["covariance_type"]].index(name)]
        assert row["bic"] == pytest.approx(alone.bic(X), rel=1e-9)
        assert row["n_parameters"] == alone._n_parameters()


@pytest.mark.parametrize("n_components", [range(1, 12), "auto"])
def test_search__with_patience_ends_where_an_exhaustive_one_does(n_components):
    found, complete = (
        search(n_components=n_components, patience=2, exhaustive=exhaustive).fit(X)
        for exhaustive in (False, True)
    )
    assert found.best_n_components_ == complete.best_n_components_
    assert len(found.results_) == len(complete.results_) < 4 * 11
    assert found.results_["finished"].sum() < len(found.results_)


def test_search__what_a_time_budget_stops_is_ranked_as_it_is(monkeypatch):
    """It ends after the first heat, before any but the smallest candidates have converged."""
    rows = load_iris().data
    heats, late = [], []
    heat, passed = Race.heat, Deadline.passed

    def noted(self, waiting, is_last):
        heats.append(waiting)
        late.append(True)
        return heat(self, waiting, is_last)

    monkeypatch.setattr(Race, "heat", noted)
    monkeypatch.setattr(Deadline, "passed", lambda self: bool(late) or passed(self))
    with pytest.warns(UserWarning, match="The search ended before [1-9][0-9]* of its 24 fits did"):
        found = search(max_seconds=1000).fit(rows)
    assert len(heats) == 1
    stopped = [each.fit for each in heats[0]]
    assert found.best_n_components_ > 1
    sound = [fit.bic for fit in stopped if not fit.degenerate]
    assert found.results_["bic"][found.results_.ranking("bic")[0]] <= min(sound)
    assert found.results_["finished"].all()
    assert "fits completed" not in found.summary()


def fitted_in(monkeypatch, X, **options):
    """Results of a search, without times, and the threads that fitted its candidates."""
    threads, fit = set(), Search._contender

    def noted(self, *arguments):
        threads.add(threading.current_thread())
        return fit(self, *arguments)

    monkeypatch.setattr(Search, "_contender", noted)
    results = search(**options).fit(X).results_
    return results[[name for name in results.dtype.names if name != "seconds"]].tolist(), threads


def test_search__tiny_fits_take_turns_in_the_caller_and_are_the_same_in_threads(monkeypatch):
    own = threading.current_thread()
    turns, threads = fitted_in(monkeypatch, X)
    assert threads == {own}
    monkeypatch.setattr(search_module, "TINY", 0)
    together, threads = fitted_in(monkeypatch, X)
    assert own not in threads
    assert str(turns) == str(together)  # with NaN


def test_search__a_checkpoint_is_not_written_by_the_thread_that_ctrl_c_interrupts(
    tmp_path, monkeypatch
):
    threads, put = set(), Store.put

    def noted(self, number, fit):
        threads.add(threading.current_thread())
        put(self, number, fit)

    monkeypatch.setattr(Store, "put", noted)
    search(n_components=[2]).fit(X, checkpoint=tmp_path / "search.npz")
    assert threads and threading.current_thread() not in threads


@pytest.mark.parametrize("options", [{}, {"noise": 0.1}])
def test_search__a_leader_of_one_normal_component_is_not_fitted_again(options, monkeypatch):
    counts, again = [], Search._again

    def noted(self, leader):
        counts.append(leader[0].candidate.n_components)
        return again(self, leader)

    monkeypatch.setattr(Search, "_again", noted)
    rows = np.random.default_rng(0).normal(size=(90, 2))
    assert search(**options).fit(rows).best_n_components_ == 1
    assert (1 in counts) == bool(options)


@pytest.mark.parametrize("criterion", ["aic", "aicc", "nec", "cv"])
def test_search__completes_all_fits_by_other_criteria(criterion):
    assert search(n_components=[2, 3], criterion=criterion, cv=2).fit(X).results_["finished"].all()


def test_search__that_ends_on_a_sample_measures_its_choice_on_all_rows(monkeypatch):
    rows = mixture(900, 2, 3, separation=2.0, seed=1)[0]
    for module in (em_starts, search_starts):
        monkeypatch.setattr(module, "SMALLEST_SAMPLE", 128)
    monkeypatch.setattr(search_starts, "LARGEST_SAMPLE", 128)
    seen, heat, passed = [], Race.heat, Deadline.passed

    def noted(self, waiting, is_last):
        seen.append(waiting)
        return heat(self, waiting, is_last)

    monkeypatch.setattr(Race, "heat", noted)
    monkeypatch.setattr(Deadline, "passed", lambda self: bool(seen) or passed(self))
    with pytest.warns(UserWarning, match="ended before"):
        found = search(n_components=[2, 3], max_seconds=1000).fit(rows)
    best = found.results_[found.results_.ranking("bic")[0]]
    assert best["finished"] and found.results_["finished"].sum() == 1
    assert found.bic(rows) == pytest.approx(best["bic"], rel=1e-12)


def test_search__of_models_that_may_pause_and_others(samples, monkeypatch):
    monkeypatch.setattr(fitting, "KEPT", 6000)  # bytes: only diagonal covariances may wait
    rows = mixture(2100, 4, 3, seed=2)[0]
    found = GaussianMixtureIC([3, 4], covariance_types=["VVI", "VVV"], random_state=0).fit(rows)
    assert found.best_n_components_ == 3
    assert found.bic(rows) == pytest.approx(np.nanmin(found.results_["bic"]), rel=1e-9)


@pytest.mark.parametrize(
    ("before", "after"),
    [({"n_components": [1, 2]}, {}), ({"patience": 9}, {"patience": None})],
    ids=["longer", "without patience"],
)
@pytest.mark.parametrize("exhaustive", [False, True])
def test_search__on_samples_that_goes_on_is_a_search_from_the_start(
    samples, tmp_path, before, after, exhaustive
):
    rows, path = mixture(2100, 2, 3, separation=0.8, seed=4)[0], tmp_path / "search.npz"
    settings = {"n_components": range(1, 7), "exhaustive": exhaustive} | after
    search(**settings | before).fit(rows, checkpoint=path)
    resumed = GaussianMixtureIC.resume(path).set_params(**settings).fit(rows)
    whole = search(**settings).fit(rows)
    for name in set(whole.results_.dtype.names) - {"seconds"}:
        np.testing.assert_array_equal(resumed.results_[name], whole.results_[name], name)


def test_search__leaves_fits_on_all_rows(samples):
    rows = mixture(2100, 2, 3, separation=1.0, seed=2)[0]
    found = search().fit(rows)
    left = found.results_[~found.results_["finished"]]
    exact = [
        found.estimator(*row[["n_components", "covariance_type"]]).score(rows) * len(rows)
        for row in left
    ]
    assert np.isclose(left["log_likelihood"], exact, rtol=1e-9).any()


def test_search__marks_what_it_has_left():
    found = search().fit(load_iris().data)
    K, name = next(fit for fit in found._fits if not found._fits[fit][0].finished)
    text = found.results_.summary("bic", len(found.results_))
    assert f"{K} {name}*" in " ".join(text.split()) and "* not completed" in text
    assert found.compare().candidates[0].finished
    assert "*" not in GaussianMixtureIC([1], covariance_types=FEW).fit(X).summary()
