"""Processes that compile together: claims, and the helper of a first fit."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

from gmmfast import GaussianMixture
from gmmfast.em import ahead
from gmmfast.kernels import caching
from gmmfast.kernels.claims import Claims
from gmmfast.kernels.threads import thread_count
from gmmfast.rows import MemoryRows

CLAIM = """
import sys
from gmmfast.kernels.claims import Claims
claims = Claims(sys.argv[1])
print(claims.take("a", 0), claims.take("b", 0), flush=True)
sys.stdin.read()
"""

FIT = """
import numpy as np
from gmmfast import GaussianMixture
from gmmfast.em import ahead

helpers, start = [], ahead._start
def recorded(task):
    helpers.append(start(task))
    return helpers[-1]
ahead._start = recorded
X = np.random.default_rng(0).normal(size=(60, 2))
fit = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
ended = all(helper.poll() is not None for helper in helpers)
print(fit.lower_bound_.hex(), len(helpers), ended)
"""


def start(code, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_claims__exclude_other_processes_until_they_are_given_back(tmp_path):
    claims = Claims(str(tmp_path))
    assert claims.take("a") and claims.take("a")  # again by the same process
    with start(CLAIM, tmp_path) as other:
        assert other.stdout.readline() == "False True\n"
        assert not claims.take("b", 0)
        other.kill()
    assert claims.take("b")  # the system has ended the claims of the dead process
    claims.give_back("a")
    with start(CLAIM, tmp_path) as other:
        assert other.stdout.readline() == "True False\n"
        other.communicate()
    claims.give_all_back()
    with start(CLAIM, tmp_path) as other:
        assert other.stdout.readline() == "True True\n"
        other.communicate()


def test_claims__are_waited_for(tmp_path):
    with start(CLAIM, tmp_path) as other:
        assert other.stdout.readline() == "True True\n"
        other.stdin.close()  # it ends, and this process gets the claim
        assert Claims(str(tmp_path)).take("a")
        assert other.wait() == 0


def test_claims__are_refused_without_a_folder_or_locks(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    has_no_folder, has_no_locks = Claims(str(tmp_path / "missing")), Claims(str(tmp_path))
    monkeypatch.setattr("fcntl.lockf", no_locks)
    for claims in (has_no_folder, has_no_locks):
        assert not claims.take("a")
        claims.give_back("a")
        claims.give_all_back()


def test_claims__are_not_waited_for_forever(tmp_path):
    with start(CLAIM, tmp_path) as other:
        assert other.stdout.readline() == "True True\n"
        begin = time.monotonic()
        assert not Claims(str(tmp_path)).take("a", patience=0.2)
        assert 0.2 <= time.monotonic() - begin < 5
        other.communicate()


@pytest.fixture
def started(monkeypatch):
    """The tasks of the helpers that would be started."""
    tasks = []

    def start_nothing(task):
        tasks.append(task)
        raise OSError

    monkeypatch.setattr(ahead, "_start", start_nothing)
    monkeypatch.setenv(ahead.SWITCH, "1")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(ahead, "thread_count", lambda n_jobs: n_jobs)
    monkeypatch.setattr(ahead, "claim", lambda what: True)
    return tasks


def test_helped__starts_one_helper_when_a_kernel_is_missing(started):
    with ahead.helped(2, ahead.compile_passes, ["full"]), ahead.helped(2, start):
        assert not started
        caching.report_miss()
        caching.report_miss()
    (task,) = started
    assert task[1:] == ["gmmfast.em.ahead", "compile_passes", (["full"],)]


def test_helped__starts_no_helper_once_it_has_ended(started):
    with ahead.helped(2, ahead.compile_passes):
        (late,) = caching._actions
    caching.report_miss()
    late()
    assert not started


@pytest.mark.parametrize("integer", [int, np.int64])
def test_helped_fits__describe_themselves_in_json(started, monkeypatch, integer):
    monkeypatch.setattr(sys, "path", [*sys.path, Path("a"), "", "b"])
    rows = MemoryRows(np.random.default_rng(0).normal(size=(200_000, 2)))
    for covariance_type in ("full", "diag"):
        with ahead.helped_fits(2, rows, integer(2), [covariance_type], False, True):
            caching.report_miss()
    tasks = [json.loads(json.dumps(task)) for task in started]
    assert all(map(os.path.isabs, tasks[0][0]))
    parts = [task[3] for task in tasks]
    assert parts == [
        [["full"], "float64", False, True, True],
        [["diag"], "float64", False, False, True],
    ]


@pytest.mark.parametrize(
    ("n_jobs", "name", "value"),
    [
        (1, "os.cpu_count", lambda: 2),
        (2, "os.cpu_count", lambda: 1),
        (2, "sys.executable", ""),
        (2, "sys.executable", "/usr/bin/qgis"),
        (2, "gmmfast.em.ahead.claim", lambda what: False),
    ],
    ids=["one thread", "one processor", "no Python", "embedded", "has another"],
)
def test_helped__compiles_alone(started, monkeypatch, n_jobs, name, value):
    monkeypatch.setattr(name, value)
    with ahead.helped(n_jobs, ahead.compile_passes):
        caching.report_miss()
    assert not started


def test_helped__can_be_switched_off(started, monkeypatch):
    monkeypatch.setenv(ahead.SWITCH, "0")
    with ahead.helped(2, ahead.compile_passes):
        caching.report_miss()
    assert not started


needs_compiler = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


@needs_compiler
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "VEV", "EEI"])
@pytest.mark.parametrize(("dtype", "n_jobs"), [("float64", 1), ("float64", 2), ("float32", 1)])
def test_passes_of__lists_what_fits_compile(covariance_type, dtype, n_jobs):
    """Otherwise a helper would compile what nobody needs."""
    n = 150_000 if n_jobs == 2 else 300
    X = np.random.default_rng(0).normal(size=(n, 4)).astype(dtype)
    fit = GaussianMixture(2, covariance_type=covariance_type, random_state=0, n_jobs=n_jobs)
    with ThreadPoolExecutor(1) as pool:  # this thread may have found that one thread is faster
        pool.submit(fit.set_params(acceleration="auto", tol=0.1).fit, X).result()
    has_threads = n_jobs == 2 and thread_count(2) == 2
    for function, signature in ahead.passes_of([covariance_type], dtype, True, has_threads):
        assert signature in function.overloads, function


def copy_cache(folder):
    """Copy what this process has compiled, without a kernel of k-means and one of the loop."""
    own = caching._UserProvided.get_suitable_cache_subpath(caching.__file__)
    lacking = shutil.ignore_patterns("kmeans.seek-*", "loop.iterate-*", "*.tmp.*")
    shutil.copytree(caching.cache_folder(), folder / own, ignore=lacking)


@needs_compiler
@pytest.mark.skipif(os.cpu_count() == 1, reason="a helper needs another processor")
def test_first_fit__is_helped_and_the_same(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    expected = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
    copy_cache(tmp_path)
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_NUM_THREADS": "2", ahead.SWITCH: "1"}
    with start(FIT, **environment) as process:
        out, _ = process.communicate(timeout=300)
    bound, *facts = out.split()
    assert facts == ["1", "True"]  # helpers; have they ended?
    assert bound == expected.lower_bound_.hex()
