"""Ctrl-C and a time budget end a fit at once, whatever it is at, and its threads soon after."""

import json
import os
import subprocess
import sys
import threading

import pytest

from gmmfast.kernels.threads import ABANDON, SLICE, AbandonedError, new_stop, obey, slices

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a process sends itself SIGINT")

SCRIPT = """
import importlib, json, os, signal, sys, tempfile, threading, time, warnings
import numpy as np
from gmmfast import GaussianMixture, GaussianMixtureIC, chunks

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
few = rng.normal(size=(4096, 30))
small = few[:2000]
narrow = np.ascontiguousarray(few[:, :20])
many = np.repeat(few[:, :8], 60, axis=0) + rng.normal(size=(4096 * 60, 8))
groups = np.arange(len(many)) % 900


def search(X, counts, **options):
    options = {"covariance_types": ["VVV"], "tol": 0, "acceleration": "none", **options}
    return GaussianMixtureIC(counts, max_iter=100_000, random_state=0, **options).fit(X)


def mixture(X, n_components, **options):
    options = {"tol": 0, "max_iter": 100_000, "random_state": 0, **options}
    GaussianMixture(n_components, **options).fit(X)


# what is fitted, and a function that is at work when Ctrl-C comes
LOOP, PASS = "rows.memory.iterate", "rows.memory.em_shards"
LABELS = "rows.memory.evaluate_shards"
CASES = {
    "trees": (lambda: search(few, [2]), "em.trees.ward_tree"),
    "k-means": (lambda: search(few, range(1, 999)), "em.kmeans.seek"),
    "small": (lambda: search(small, [39, 40]), LOOP),
    "small, one thread": (lambda: search(small, [39, 40], n_jobs=1), LOOP),
    "neighbors": (lambda: search(small, [38, 39], tol=1e-2), "search.neighbors.splits"),
    "cross-validation": (lambda: search(small, [40], criterion="cv"), LOOP),
    "float32": (lambda: search(small.astype("f4"), [40], n_jobs=1), LOOP),
    "many": (lambda: search(many, [30], n_jobs=1), PASS),
    "chunks": (lambda: search(chunks(many), [30]), "rows.chunks.em_rows"),
    "chunks, start": (lambda: search(chunks(many), [99]), LOOP),
    "a fit": (lambda: mixture(many, 300, n_jobs=1, init_params="random_from_data"), PASS),
    "labels": (lambda: mixture(many, 400, n_jobs=1, init_params="random_from_data"), LABELS),
    "k-means of many": (lambda: mixture(many, 900, n_jobs=1), "em.kmeans.seek"),
    "hierarchical": (lambda: mixture(few, 2, init_params="hierarchical"), "em.trees.ward_tree"),
    "groups": (lambda: mixture(many, 900, init_params=groups), "rows.memory.add_resp"),
}


def interrupted(work, name):
    module, _, attribute = f"gmmfast.{name}".rpartition(".")
    module = importlib.import_module(module)
    function, sent = getattr(module, attribute), []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    def call(*args):
        if not sent and not timers:
            timers.append(threading.Timer(0.3, interrupt))
            timers[0].start()
        return function(*args)

    timers = []
    setattr(module, attribute, call)
    try:
        work()
    except KeyboardInterrupt:
        returned = time.perf_counter() - sent[0]
    finally:
        setattr(module, attribute, function)
    while threading.active_count() > 1:
        time.sleep(0.01)
    return returned, time.perf_counter() - sent[0]


signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
for X in (few, few.astype("f4"), many):  # compile first
    for n_jobs in (None, 1):
        mixture(X, 2, n_jobs=n_jobs, max_iter=2)
        search(X[: len(X) // 30], [2, 3], n_jobs=n_jobs, tol=1.0)
search(chunks(many), [2], tol=1.0)
mixture(many, 900, init_params=groups, max_iter=0)
print("compiled", flush=True)
sys.stdin.readline()
for case in CASES:
    returned, ended = interrupted(*CASES[case])
    print(json.dumps([case, returned, ended]), flush=True)

begin = time.perf_counter()
search(narrow, [39, 40], max_seconds=4)
print(json.dumps(["max_seconds", time.perf_counter() - begin - 4, 0.0]), flush=True)


def after_two(fit):
    seen.append(fit.bic)
    if len(seen) == 2:
        sent.append(time.perf_counter() + 0.3)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()


options = {"tol": 0, "max_iter": 40, "random_state": 0, "on_interrupt": "keep"}
options["exhaustive"] = True
for n_jobs in (1, 2):
    model = GaussianMixtureIC(range(30, 36), covariance_types=["VVV"], n_jobs=n_jobs, **options)
    with tempfile.TemporaryDirectory() as folder:
        path, seen, sent = os.path.join(folder, "search.npz"), [], []
        model.fit(narrow, callback=after_two, checkpoint=path)
        late = time.perf_counter() - sent[0]
        kept = [fit.bic for fit in GaussianMixtureIC.resume(path)._resumed.outcomes.values()]
    print(json.dumps([f"keep, {n_jobs}", late, 0.0]), flush=True)
    assert 2 <= len(seen) < 6 and {*seen} <= {*kept}
    assert model.results_["bic"][model.results_["failure"] != "not reached"].tolist() == seen
"""
CASES = [
    "trees", "k-means", "small", "small, one thread", "neighbors", "cross-validation", "float32",
    "many", "chunks", "chunks, start", "a fit", "labels", "k-means of many", "hierarchical",
    "groups", "max_seconds", "keep, 1", "keep, 2",
]  # fmt: skip


def test_interrupt__ends_what_is_under_way_within_a_second(alone):
    """Each of these calls would take ten seconds or more."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", SCRIPT], text=True, **pipes) as process:
        process.stdout.readline()  # it has compiled
        with alone():
            out, err = process.communicate("\n", timeout=600)
    assert process.returncode == 0, err
    found = [json.loads(line) for line in out.splitlines()]
    assert [case for case, *_ in found] == CASES
    late = [line for line in found if line[1] > 1 or line[2] > 4]
    assert not late


def test_command__does_not_wait_for_threads_of_a_search():
    """They may be compiling, which cannot be interrupted."""
    code = """
import sys, threading, time
from gmmfast.cli import main
threading.Thread(target=time.sleep, args=(600,)).start()
sys.argv = ["gmmfast", "--version"]
sys.exit(main())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert result.returncode == 0 and result.stdout.startswith(b"gmmfast ")


def test_slices__cut_by_work():
    parts = list(slices(10, SLICE // 3))
    assert [(part.start, part.stop) for part in parts] == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert list(slices(10, 1)) == [slice(0, 10)]
    assert list(slices(5, 10 * SLICE, 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(slices(0, 1)) == []


def test_slices__end_when_nobody_waits():
    stop, ended = new_stop(), []

    def work():
        obey(stop)
        try:
            for part in slices(3, SLICE):
                stop[0] = ABANDON
                ended.append(part.start)
        except AbandonedError:
            ended.append("abandoned")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [0, "abandoned"]
    assert len(list(slices(3, SLICE))) == 3  # the stop is that thread's own
