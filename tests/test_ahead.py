"""Processes that compile together: claims, and the helper of a first fit."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from gmmfast import GaussianMixture
from gmmfast.em import ahead
from gmmfast.kernels import caching
from gmmfast.kernels.claims import Claims

CLAIM = """
import sys
from gmmfast.kernels.claims import Claims
claims = Claims(sys.argv[1])
print(claims.take("a", waits=False), claims.take("b", waits=False), flush=True)
sys.stdin.read()
"""

FIT = """
import numpy as np
from gmmfast import GaussianMixture
from gmmfast.em import ahead
from gmmfast.kernels.loop import iterate

helpers, start = [], ahead._start
def recorded(task):
    helpers.append(start(task))
    return helpers[-1]
ahead._start = recorded
X = np.random.default_rng(0).normal(size=(60, 2))
fit = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
ended = all(helper.poll() is not None for helper in helpers)
print(fit.lower_bound_.hex(), len(helpers), ended, sum(iterate.stats.cache_hits.values()) > 0)
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
        assert not claims.take("b", waits=False)
        other.kill()
    assert claims.take("b")  # the system has ended the claims of the dead process
    claims.give_back("a")
    with start(CLAIM, tmp_path) as other:
        assert other.stdout.readline() == "True False\n"
        claims.give_all_back()
        other.communicate()
    assert claims.take("a")


def test_claims__are_waited_for(tmp_path):
    with start(CLAIM, tmp_path) as other:
        assert other.stdout.readline() == "True True\n"
        other.stdin.close()  # it ends, and this process gets the claim
        assert Claims(str(tmp_path)).take("a")
        assert other.wait() == 0


def test_claims__are_refused_without_a_folder(tmp_path):
    claims = Claims(str(tmp_path / "missing"))
    assert not claims.take("a")
    claims.give_back("a")
    claims.give_all_back()


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
    return tasks


def test_helped__starts_one_helper_when_a_kernel_is_missing(started):
    with ahead.helped(2, ahead.compile_passes, ["full"]), ahead.helped(2, CLAIM.strip):
        assert not started
        caching.report_miss()
        caching.report_miss()
    caching.report_miss()
    assert started == [[sys.path, "gmmfast.em.ahead", "compile_passes", (["full"],)]]


@pytest.mark.parametrize(
    ("n_jobs", "name", "value"),
    [(1, "os.cpu_count", lambda: 2), (2, "os.cpu_count", lambda: 1), (2, "sys.executable", "")],
    ids=["one thread", "one processor", "no Python"],
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


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_first_fit__is_helped_and_the_same(tmp_path):
    with start(
        FIT, NUMBA_CACHE_DIR=str(tmp_path), GMMFAST_HELPER="1", NUMBA_NUM_THREADS="2"
    ) as process:
        out, _ = process.communicate()
    bound, *facts = out.split()
    assert facts == ["1", "True", "True"]  # helpers; have they ended? has one compiled the loop?
    X = np.random.default_rng(0).normal(size=(60, 2))
    expected = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
    assert bound == expected.lower_bound_.hex()
