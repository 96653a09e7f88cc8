"""Forked children fit while other threads of their parent do; threads do not wait for others."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from gmmfast import GaussianMixture
from gmmfast.rows import packing

FORKS = """
import os, signal, sys, threading, warnings
import numpy as np
from gmmfast import GaussianMixture, GaussianMixtureIC
from gmmfast.models.base import inverse_cholesky

warnings.simplefilter("ignore")
rows = np.random.default_rng(0).normal(size=(30_000, 3))


def fit():  # NumPy's global generator draws the start
    GaussianMixture(2, covariance_type="diag", max_iter=3, init_params="random").fit(rows)


def search():
    GaussianMixtureIC([1, 2], covariance_types=["VVI"], max_iter=20).fit(rows[:500])


def compile():
    import numba
    numba.njit(lambda x: x + 1)(1)
    inverse_cholesky(np.eye(2)[None])


def forever():
    while not ended:
        jobs[sys.argv[1]]()


jobs, ended = {"fit": fit, "search": search, "compile": compile}, []
for job in jobs.values():
    job()
thread = threading.Thread(target=forever)
thread.start()
try:
    for _ in range(int(sys.argv[2])):
        child = os.fork()
        if not child:
            signal.alarm(60)
            for job in jobs.values():
                job()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, "the child hangs"
finally:
    ended.append(True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.parametrize(("job", "forks"), [("fit", 25), ("search", 25), ("compile", 10)])
def test_fork_while_another_thread_is_at_work__child_fits(job, forks):
    command = [sys.executable, "-W", "ignore", "-c", FORKS, job, str(forks)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr


def test_packing__other_fits_do_not_wait(monkeypatch):
    """Python 3.11 has one lock for a `cached_property` of all instances."""
    is_packing, go_on = threading.Event(), threading.Event()
    pack = packing.pack_shards

    def pack_slowly(*args):
        if threading.current_thread() is thread:
            is_packing.set()
            assert go_on.wait(60)
        pack(*args)

    def fit():
        GaussianMixture(1, random_state=0).fit(X)

    X = np.random.default_rng(0).normal(size=(300, 2))
    fit()
    thread, other = threading.Thread(target=fit), threading.Thread(target=fit, daemon=True)
    monkeypatch.setattr(packing, "pack_shards", pack_slowly)
    thread.start()
    assert is_packing.wait(60)
    other.start()
    other.join(30)
    waited = other.is_alive()
    go_on.set()
    thread.join()
    assert not waited
