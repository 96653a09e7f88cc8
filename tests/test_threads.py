"""The same bits whoever runs the kernels: 1, 2 or 4 threads, a forked child, eight fits at once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gmmfast.em import Control, run
from gmmfast.em.observers import Deadline
from gmmfast.em.state import fit_after_m_step
from gmmfast.kernels.expectation import STRIDE
from gmmfast.kernels.threads import (
    KEPT,
    MAX_SHARDS,
    PER_SECOND,
    TEAM_WORK,
    Pace,
    team,
    thread_count,
)
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows, memory
from gmmfast.rows.packing import shard_count
from gmmfast.rows.passes import parallel
from gmmfast.search.threads import in_threads

SCRIPT = """
import hashlib, multiprocessing, os, threading
import numpy as np
from data import TYPES, mixture
from gmmfast import GaussianMixture

X = mixture(100_000, 3, 4, seed=1)[0]  # enough for 8 shards, and for a team

def fit(covariance_type, n_jobs=None):
    mixture = GaussianMixture(
        4, covariance_type=covariance_type, tol=0, max_iter=12, random_state=0, n_jobs=n_jobs
    )
    import warnings
    warnings.simplefilter("ignore")
    mixture.fit(X)
    state = [mixture.means_, mixture.covariances_, mixture.lower_bounds_, mixture.predict_proba(X)]
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in state)).hexdigest()

def show(who, covariance_type, digest):
    # one write: lines of threads and children do not mix, as those of print do
    os.write(1, f"{who} {covariance_type} {digest}\\n".encode())

for t in TYPES:
    for n_jobs in (1, 2, 4, None):
        show(f"n_jobs={n_jobs}", t, fit(t, n_jobs))

if hasattr(os, "fork"):
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=lambda t=t: show("child", t, fit(t))) for t in TYPES]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        assert child.exitcode == 0, child.exitcode

threads = [
    threading.Thread(target=lambda t=t, i=i: show(f"thread {i}", t, fit(t)))
    for i in range(2) for t in TYPES
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
import numba
print("layer", numba.threading_layer(), flush=True)
"""


def has_layer(layer):
    code = f"""
import numba, numba.np.ufunc.parallel as p
numba.config.THREADING_LAYER = {layer!r}
p._launch_threads()
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_same_bits(layer):
    if not has_layer(layer):
        pytest.skip(f"Numba's {layer} threading layer cannot be loaded on this machine")
    environment = dict(
        os.environ,
        NUMBA_THREADING_LAYER=layer,
        NUMBA_NUM_THREADS="4",
        PYTHONPATH=str(Path(__file__).parent),
    )
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    *lines, last = [line.split() for line in result.stdout.splitlines()]
    assert last == ["layer", layer]
    assert len(lines) == 4 * 4 + 4 + 8
    digests = {(line[-2], line[-1]) for line in lines}
    assert len(digests) == 4, result.stdout  # one for each covariance type


def test_every_shard_has_its_turn():
    counts = {shard_count(n, 1 << 15) for n in range(1, 100_000, 500)}
    assert {1, 2, 4, 8, 24, 64} <= counts and max(counts) == MAX_SHARDS
    for n in counts:
        assert sorted(i * STRIDE % n for i in range(n)) == list(range(n))


def test_thread_count_is_restored():
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with team(2, 2, TEAM_WORK) as count:
            assert count == numba.get_num_threads() == min(2, numba.config.NUMBA_NUM_THREADS)
        assert numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(before)


def test_team__is_for_long_loops_and_for_one_at_a_time():
    with team(None, 8, TEAM_WORK - 1) as count:
        assert count == 1
    with team(None, 8, TEAM_WORK) as count:
        assert count == min(8, thread_count(None))
        with team(None, 8, TEAM_WORK) as second:
            assert second == 1


def test_team__of_a_thread_of_a_search_is_its_share():
    counts = []

    def work(_):
        with team(2, 8, TEAM_WORK) as count:
            counts.append(count)

    assert len([*in_threads(work, range(4), 1, 2, Deadline(60.0))]) == 4
    assert counts == [max(1, thread_count(None) // 2)] * 4


def test_pace__keeps_the_faster_way_for_a_while():
    pace, work = Pace(), PER_SECOND // 1000  # one thread takes a millisecond at most
    pace.record(0.5e-3, work)
    assert not pace.is_alone and pace.n_passes == KEPT
    pace.record(4e-3, work)  # slower than one thread should be
    assert pace.is_alone and pace.n_passes == 1
    pace.record(1e-3, work)
    assert pace.is_alone and pace.n_passes == KEPT
    pace.record(1e-3, work)
    assert not pace.is_alone and pace.n_passes == 1
    pace.record(4e-3, work)
    pace.record(8e-3, work)
    assert not pace.is_alone and pace.n_passes == KEPT


@pytest.mark.skipif(thread_count(None) < 2, reason="a team needs two cores")
@pytest.mark.parametrize("is_alone", [False, True])
def test_passes__are_for_the_team_unless_one_thread_is_faster(is_alone, monkeypatch):
    teams = []

    class Decided(Pace):
        """Keeps one way, whatever the passes took."""

        def record(self, seconds, work):
            assert seconds > 0 and work >= TEAM_WORK
            self.is_alone, self.n_passes = is_alone, 7

    monkeypatch.setattr(memory, "parallel", lambda rows: teams.append(rows) or parallel(rows))
    rows = MemoryRows(np.random.default_rng(0).normal(size=(100_000, 4)))
    pace = Decided()
    monkeypatch.setattr(memory, "current_pace", lambda: pace)
    model = MODELS["full"](1e-6)
    start = fit_after_m_step(
        model, rows, rows.random_memberships(3, model.scatter, np.random.default_rng(0))
    )
    run(rows, start, model, Control(tol=0, max_iter=29))
    assert len(teams) == 1 if is_alone else len(teams) > 4  # the first pass is for the team
