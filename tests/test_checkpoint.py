"""Checkpoints: an interrupted fit goes on to the same end; what is damaged is refused."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from data import TYPES, mixture

import gmmfast
from gmmfast import GaussianMixture, chunks
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.files import checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Best performing")  # many are stopped by max_iter


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(1500, 3, 4, separation=1.5, seed=2)[0] + 100.0


def interrupted(X, path, after, **params):
    """Fit, and stop after some iterations."""
    params = {"random_state": 0, "tol": 1e-7, "max_iter": 60, **params}
    mixture = GaussianMixture(4, **params)
    return mixture.fit(X, callback=lambda iteration, _: iteration == after, checkpoint=path)


def whole(X, **params):
    params = {"random_state": 0, "tol": 1e-7, "max_iter": 60, **params}
    return GaussianMixture(4, **params).fit(X)


def assert_same_end(found, expected, rtol=1e-10):
    assert (found.n_iter_, found.converged_) == (expected.n_iter_, expected.converged_)
    assert found.stop_reason_ == expected.stop_reason_
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=rtol)
    np.testing.assert_array_equal(found.degenerate_, expected.degenerate_)


@pytest.mark.parametrize("acceleration", ["none", "auto"])
@pytest.mark.parametrize("covariance_type", [*TYPES, *MODEL_CODES, "factor", "factor-tied"])
def test_to_the_end_of_a_fit_that_was_not_interrupted(X, covariance_type, acceleration, tmp_path):
    params = {"covariance_type": covariance_type, "acceleration": acceleration}
    expected, path = whole(X, **params), tmp_path / "fit.npz"
    for after in (1, 11, 23):
        if after < expected.n_iter_:
            stopped = interrupted(X, path, after, **params)
            resumed = GaussianMixture.resume(path)
            np.testing.assert_array_equal(resumed.means_, stopped.means_)
            assert resumed.n_iter_ == after
            assert_same_end(resumed.fit(X), expected, rtol=0)


def test_a_leap_on_trial_is_remembered(tmp_path):
    """Every iteration of an accelerated fit can be the last before the interruption."""
    X = mixture(800, 2, 4, separation=0.8, seed=0)[0]
    params = {"acceleration": "auto", "max_iter": 400}
    expected = whole(X, **params)
    assert expected.converged_ and expected.n_iter_ > 20
    for after in range(8, expected.n_iter_, 3):
        interrupted(X, tmp_path / "fit.npz", after, **params)
        resumed = GaussianMixture.resume(tmp_path / "fit.npz").fit(X)
        assert resumed.n_iter_ == expected.n_iter_
        np.testing.assert_allclose(resumed.lower_bounds_, expected.lower_bounds_, rtol=1e-10)
        np.testing.assert_allclose(resumed.means_, expected.means_, rtol=1e-8)


def test_in_pieces_and_float32(X, tmp_path):
    path = tmp_path / "fit.npz"
    for data in (chunks(X, chunk_rows=400), X.astype(np.float32)):
        expected = whole(data)
        interrupted(data, path, 5)
        resumed = GaussianMixture.resume(path)
        assert resumed.means_.dtype == expected.means_.dtype
        np.testing.assert_allclose(resumed.fit(data).means_, expected.means_, rtol=1e-7)
        assert resumed.n_iter_ == expected.n_iter_


@pytest.mark.filterwarnings("ignore::gmmfast.CollapsedComponentWarning")
@pytest.mark.parametrize(
    ("d", "n_components", "covariance_type", "init_params"),
    [(3, 300, "full", "k-means++"), (40, 5, "full", "kmeans"), (40, 40, "tied", "kmeans")],
)
def test_untried_start__rows_are_sorted_alike_again(
    tmp_path, d, n_components, covariance_type, init_params
):
    """They begin in the order of the nearest centers, not of the likeliest components."""
    X, path = mixture(4000, d, 40, separation=1.0, seed=3)[0], tmp_path / "fit.npz"
    params = {"random_state": 0, "tol": 0.0, "max_iter": 6, "covariance_type": covariance_type}
    params |= {"init_params": init_params, "n_components": n_components}
    expected = GaussianMixture(**params).fit(X)
    stopped = GaussianMixture(**params)
    stopped.fit(X, callback=lambda iteration, _: iteration == 2, checkpoint=path)
    assert_same_end(GaussianMixture.resume(path).fit(X), expected, rtol=0)


def test_a_resumed_fit_writes_on(X, tmp_path):
    path, expected = tmp_path / "fit.npz", whole(X)
    interrupted(X, path, 3)
    for after in (6, 9):
        GaussianMixture.resume(path).fit(X, checkpoint=path, callback=lambda i, _, n=after: i == n)
        assert GaussianMixture.resume(path).n_iter_ == after
    assert_same_end(GaussianMixture.resume(path).fit(X), expected)
    assert [file.name for file in tmp_path.iterdir()] == ["fit.npz"]


def test_a_fit_that_had_ended(X, tmp_path):
    """A converged fit is unchanged; a fit that reached max_iter may get more iterations."""
    path, expected = tmp_path / "fit.npz", whole(X, max_iter=2000)
    again = GaussianMixture(4, random_state=0, tol=1e-7, max_iter=2000).fit(X, checkpoint=path)
    resumed = GaussianMixture.resume(path).fit(X)
    assert again.converged_
    assert_same_end(resumed, expected)
    with pytest.warns(Warning, match="did not converge"):
        whole(X, max_iter=4)
        GaussianMixture(4, random_state=0, tol=1e-7, max_iter=4).fit(X, checkpoint=path)
    assert_same_end(GaussianMixture.resume(path).set_params(max_iter=2000).fit(X), expected)


def test_the_next_fit_starts_anew(X, tmp_path):
    interrupted(X, tmp_path / "fit.npz", 3)
    resumed = GaussianMixture.resume(tmp_path / "fit.npz").fit(X)
    np.testing.assert_array_equal(resumed.fit(X).means_, whole(X).means_)


def test_a_killed_process_loses_one_iteration_at_most(X, tmp_path):
    """Killed at any moment, also while it writes, a fit leaves a whole checkpoint."""
    path = tmp_path / "fit.npz"
    np.save(tmp_path / "rows.npy", X)
    script = f"""
        import numpy as np
        from gmmfast import GaussianMixture
        def tell(iteration, lower_bound):
            print(iteration, flush=True)
        GaussianMixture(4, random_state=0, tol=0, max_iter=100_000).fit(
            np.load({str(tmp_path / "rows.npy")!r}), callback=tell, checkpoint={str(path)!r}
        )
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    for pause in (0.0, 0.037):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if int(line) >= 20:
                break
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        told = [int(line) for line in process.stdout]
        process.wait()
        process.stdout.close()
        resumed = GaussianMixture.resume(path)
        assert resumed.n_iter_ >= max(told, default=20) - 1
        n_iter = resumed.n_iter_ + 5
        with pytest.warns(Warning, match="did not converge"):
            resumed.set_params(max_iter=n_iter).fit(X)
            expected = GaussianMixture(4, random_state=0, tol=0, max_iter=n_iter).fit(X)
        np.testing.assert_allclose(resumed.lower_bounds_, expected.lower_bounds_, rtol=1e-10)


@pytest.mark.parametrize("after", [3, 11, 1000])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda X: X[:-1], "there are 1499 of total weight 1499, and were 1500 of 1500"),
        (lambda X: X + [0.0, 1e-6, 0.0], "the mean of feature 1 is"),
        (lambda X: X[:, ::-1], "their mean log-likelihood is"),
        (lambda X: -X, "their mean log-likelihood is"),
        (lambda X: 3 * X, "their mean log-likelihood is"),
    ],
)
def test_rows_that_are_not_the_same(X, tmp_path, after, change, sentence):
    """Of a mean that is the same: standardized rows have no other."""
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    path = tmp_path / "fit.npz"
    interrupted(X, path, after, tol=1e-5, max_iter=1000, acceleration="auto")
    resumed = GaussianMixture.resume(path)
    assert resumed.converged_ == (after == 1000)
    with pytest.raises(ValueError, match=f"is of other rows: {sentence}"):
        resumed.fit(change(X))
    assert resumed.fit(X).converged_


def test_what_a_fit_that_was_interrupted_says(X, tmp_path):
    def interrupt(iteration, _):
        if iteration == 4:
            raise KeyboardInterrupt

    mixture_ = GaussianMixture(4, random_state=0, tol=1e-9)
    with pytest.raises(KeyboardInterrupt):
        mixture_.fit(X, callback=interrupt, checkpoint=tmp_path / "fit.npz")
    resumed = GaussianMixture.resume(tmp_path / "fit.npz")
    assert (resumed.n_iter_, resumed.converged_) == (3, False)
    assert resumed.stop_reason_ == "Interrupted: fit resumes from here."


def test_a_stream_goes_on_from_a_checkpoint(X, tmp_path):
    """What the fit has learned counts as much as its rows."""
    path = tmp_path / "fit.npz"
    fitted = GaussianMixture(4, random_state=0).fit(X, checkpoint=path)
    resumed = GaussianMixture.resume(path)
    assert resumed.n_samples_seen_ == len(X)
    for mixture_ in (fitted, resumed):
        mixture_.partial_fit(X[:50])
    np.testing.assert_allclose(resumed.means_, fitted.means_, rtol=1e-9)


def test_other_rows_are_refused(X, tmp_path):
    path = tmp_path / "fit.npz"
    interrupted(X, path, 3)
    before = path.read_bytes()
    resumed = GaussianMixture.resume(path)
    for other, sentence in [(X + 1, "is of other rows"), (X[:, :2], "expecting 3")]:
        with pytest.raises(ValueError, match=sentence):
            resumed.fit(other, checkpoint=path)
    assert path.read_bytes() == before
    assert_same_end(resumed.fit(X), whole(X))


@pytest.mark.parametrize(
    "other", [{"n_components": 3}, {"covariance_type": "diag"}, {"acceleration": "auto"}]
)
def test_another_fit_is_refused(X, tmp_path, other):
    interrupted(X, tmp_path / "fit.npz", 3)
    resumed = GaussianMixture.resume(tmp_path / "fit.npz").set_params(**other)
    with pytest.raises(ValueError, match=f"of a fit with {next(iter(other))}="):
        resumed.fit(X)


def test_names_of_columns_are_kept(X, tmp_path):
    import pandas as pd

    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    interrupted(frame, tmp_path / "fit.npz", 3)
    resumed = GaussianMixture.resume(tmp_path / "fit.npz")
    with pytest.raises(ValueError, match="feature names should match"):
        resumed.fit(frame[["b", "a", "c"]])
    assert list(resumed.fit(frame).feature_names_in_) == ["a", "b", "c"]


def test_folders_that_are_not_there(X, tmp_path):
    fitted = GaussianMixture(2, random_state=0).fit(X)
    for path, kind in [(tmp_path / "none" / "c.npz", FileNotFoundError), (tmp_path, OSError)]:
        with pytest.raises(kind, match="the folder must exist|this is a directory"):
            GaussianMixture(2).fit(X, checkpoint=path)
        with pytest.raises(kind, match="the folder must exist|this is a directory"):
            fitted.save(path)


def test_several_starts_are_refused(X, tmp_path):
    with pytest.raises(ValueError, match="got n_init=3"):
        interrupted(X, tmp_path / "fit.npz", 3, n_init=3)
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_checkpoints(X, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file. Checkpoints are written by fit"):
        GaussianMixture.resume(tmp_path / "none.npz")
    fitted = interrupted(X, tmp_path / "fit.npz", 3)
    fitted.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="is not a gmmfast checkpoint.*it is a gmmfast model"):
        GaussianMixture.resume(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="is not a gmmfast model.*it is a gmmfast checkpoint"):
        gmmfast.load(tmp_path / "fit.npz")
    whole_file = (tmp_path / "fit.npz").read_bytes()
    for length in range(0, len(whole_file), 997):
        (tmp_path / "half.npz").write_bytes(whole_file[:length])
        with pytest.raises(ValueError, match="is not a gmmfast checkpoint, or is damaged"):
            GaussianMixture.resume(tmp_path / "half.npz")
    with np.load(tmp_path / "fit.npz") as file:
        arrays = dict(file)
    for name in arrays:
        broken = arrays | {name: np.full(arrays[name].shape, np.nan)}
        np.savez(tmp_path / "broken.npz", **broken)
        with pytest.raises(ValueError, match="is not a gmmfast checkpoint, or is damaged"):
            GaussianMixture.resume(tmp_path / "broken.npz")


def changed_file(path, **changes):
    """Write a checkpoint anew, compressed, with other arrays and entries of its manifest."""
    with np.load(path) as file:
        arrays = dict(file)
    manifest = json.loads(arrays.pop("manifest").tobytes())
    for name, change in changes.items():
        if name in manifest:
            manifest[name] = change(manifest[name])
        else:
            arrays[name] = change(arrays.get(name))
    text = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
    np.savez_compressed(path.with_name("changed.npz"), manifest=text, **arrays)
    return path.with_name("changed.npz")


def test_what_is_changed_here_is_otherwise_sound(X, tmp_path):
    fitted = interrupted(X, tmp_path / "fit.npz", 11, acceleration="auto")
    resumed = GaussianMixture.resume(changed_file(tmp_path / "fit.npz"))
    np.testing.assert_array_equal(resumed.means_, fitted.means_)


@pytest.mark.parametrize(
    "name",
    ["center", "mixture_means", "mixture_factors", "mixture_whitening", "steps_points",
     "steps_gains", "steps_fallback_means", "extra"],
)  # fmt: skip
def test_small_files__do_not_become_large(X, name, tmp_path):
    """Zeros compress to a thousandth: their headers are refused before they are read."""
    interrupted(X, tmp_path / "fit.npz", 11, acceleration="auto")
    path = changed_file(tmp_path / "fit.npz", **{name: lambda _: np.zeros((1 << 22, 1))})
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="is not a gmmfast checkpoint, or is damaged"):
            GaussianMixture.resume(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("mixture_weights", lambda a: a[:-1], r"mixture_weights has the shape \(3,\) instead of"),
        ("mixture_weights", lambda a: 2 * a, "weights' should be"),
        ("mixture_means", lambda a: a[:, :-1], "has the shape"),
        ("mixture_log_dets", lambda a: a[:0], "mixture_log_dets has the shape"),
        (
            "mixture_factors",
            lambda a: np.full_like(a, np.inf),
            "mixture_factors holds values that are not",
        ),
        ("steps_leap", lambda a: a[:-1], "steps_leap has the shape"),
        ("steps_gains", lambda a: np.zeros(9), "it has unexpected arrays: steps_gains"),
        ("steps_leap_counts", lambda a: a + 99, "the counts of its steps are damaged"),
        ("steps_counts", lambda a: a + [0, 7, 0, 0], "the counts of its steps are damaged"),
        ("steps_counts", lambda a: a + 0.5, "the counts of its steps are damaged"),
        ("center", lambda a: a.astype("f4"), "center is of type float32 instead of float64"),
        ("lower_bounds", lambda a: [], "there are no lower_bounds"),
        ("lower_bounds", lambda a: "abc", "there are no lower_bounds"),
        ("lower_bounds", lambda a: [0.0] * 1_100_000, "have more than 1048576 entries"),
        ("names", lambda a: ["a"], "must be 3 different strings"),
        ("n_rows", lambda a: -1, "the number of rows is damaged"),
        ("parameters", lambda a: {**a, "n_components": 10**9}, "has the shape"),
        ("parameters", lambda a: {**a, "n_components": "x"}, "must be an int in the range"),
        ("parameters", lambda a: {}, "'n_components' is missing"),
    ],
)
def test_values_that_contradict_each_other(X, name, change, sentence, tmp_path):
    interrupted(X, tmp_path / "fit.npz", 11, acceleration="auto")
    path = changed_file(tmp_path / "fit.npz", **{name: change})
    with pytest.raises(ValueError, match=f"is not a gmmfast checkpoint.*{sentence}"):
        GaussianMixture.resume(path)


def test_write__refuses_what_read_would_refuse(X, tmp_path):
    path = tmp_path / "fit.npz"
    interrupted(X, path, 5)
    before, point = path.read_bytes(), checkpoint.read(path, "GaussianMixture")
    means = np.full_like(point.position.parameters.means, np.inf)
    parameters = replace(point.position.parameters, means=means)
    broken = replace(point, position=replace(point.position, parameters=parameters))
    with pytest.raises(ValueError, match="mixture_means holds values that are not finite. Rescale"):
        broken.write(path)
    assert path.read_bytes() == before
    point.write(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("before", "after"), [(0.0, 1e-6), (1e-6, 0.0)])
def test_another_reg_covar__goes_on(X, before, after, tmp_path):
    interrupted(X, tmp_path / "fit.npz", 5, reg_covar=before)
    resumed = GaussianMixture.resume(tmp_path / "fit.npz").set_params(reg_covar=after, max_iter=9)
    with pytest.warns(UserWarning, match="did not converge"):
        resumed.fit(X)
    assert resumed.n_iter_ == 9 and np.diff(resumed.lower_bounds_).min() > -1e-5


def test_nothing_left_to_do__keeps_what_is_known(X, tmp_path):
    params = {"max_iter": 4, "tol": 0}
    with pytest.warns(UserWarning, match="did not converge"):
        expected = GaussianMixture(4, random_state=0, **params).fit(
            X, checkpoint=tmp_path / "f.npz"
        )
    resumed = GaussianMixture.resume(tmp_path / "f.npz")
    with pytest.warns(UserWarning, match="did not converge"):
        resumed.fit(X)
    assert_same_end(resumed, expected, rtol=0)
