"""Turns of the processes, and fixtures of files and of the command line.

Helpers (`reference`, `data`) are imported by name.
"""

import os
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from gmmfast import GaussianMixture, cli
from gmmfast.datasets import load_customers
from gmmfast.em import trials
from gmmfast.kernels import compiling
from gmmfast.tables import write_table

sys.path.insert(0, str(Path(__file__).parent))
# Processes of tests share two cores. Where each has two threads of BLAS, a fit of scikit-learn
# takes up to ten times as long. Processes of tests inherit this; Numba does not obey it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GMMFAST_HELPER", "0")  # the processes of tests compile together already
compiling.CHECKS_LAYOUTS = True


def untraced(function):
    """Keep tools for coverage and profiles from a function: compiling would take much longer."""

    def call(*args, **kwargs):
        trace, profile = sys.gettrace(), sys.getprofile()
        sys.settrace(None)
        sys.setprofile(None)
        try:
            return function(*args, **kwargs)
        finally:
            sys.settrace(trace)
            sys.setprofile(profile)

    return call


Dispatcher.compile = untraced(Dispatcher.compile)
if numba.config.DISABLE_JIT:  # interpreted passes take a thousand times as long
    trials.ROUNDS = 0


def pytest_configure(config):
    """Make a folder for the locks of this run, which its processes inherit."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        os.environ["GMMFAST_TEST_LOCKS"] = folder.name


def pytest_collection_modifyitems(items):
    """Run tests that are `alone` first: later, others would wait with them for a long one."""
    items.sort(key=lambda item: "alone" not in item.fixturenames)


ROOM = pytest.StashKey()


def enter(room, how):
    """Enter the room, of which each process has a key, alone (LOCK_EX) or not (LOCK_SH)."""
    with open(Path(os.environ["GMMFAST_TEST_LOCKS"]) / "door", "w") as door:
        flock(door, LOCK_EX)  # a test that waits to be alone lets no other pass
        flock(room, how)
        flock(door, LOCK_UN)  # by name: forked children have the file open, too


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Run a test while none of another process is `alone`."""
    with open(Path(os.environ["GMMFAST_TEST_LOCKS"]) / "room", "w") as room:
        item.stash[ROOM] = room
        enter(room, LOCK_SH)
        try:
            return (yield)
        finally:
            flock(room, LOCK_UN)


@pytest.fixture
def alone(request):
    """A context for what measures time: no other process runs a test meanwhile."""

    @contextmanager
    def turn():
        room = request.node.stash[ROOM]
        flock(room, LOCK_UN)  # two tests that want to be alone do not wait for each other
        enter(room, LOCK_EX)
        try:
            yield
        finally:
            flock(room, LOCK_SH)

    return turn


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file of that name and return its path."""

    def write_file(content, name="data.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command; return its exit code, standard output and standard error."""
    silent = nullcontext()  # no note of compiling
    monkeypatch.setattr("gmmfast.cli.data.on_first_miss", lambda action: silent)

    def run_command(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


@pytest.fixture
def model(tmp_path):
    """A model file of two components in two named columns, heaviest first."""
    path = tmp_path / "model.npz"
    GaussianMixture.from_parameters(
        np.array([0.75, 0.25]),
        np.array([[40.0, 4.6], [98.0, 1.5]]),
        np.array([[[90.0, -2.5], [-2.5, 1.3]], [[280.0, -1.0], [-1.0, 0.25]]]),
        feature_names=["value", "rate"],
    ).save(path)
    return path


@pytest.fixture
def fails(run):
    """Run a command that must fail, and return its one line of error text."""

    def run_failing(*arguments):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("gmmfast: error: ")
        assert err.count("\n") == 1
        return err

    return run_failing


@pytest.fixture
def customers(tmp_path):
    """The customers as a CSV file with an id and a weight."""
    data = load_customers().data
    path = tmp_path / "customers.csv"
    ids = np.array([f"c{i}" for i in range(len(data))])
    weights = 1.0 + np.arange(len(data)) % 3
    write_table(path, [{"id": ids, "value": data[:, 0], "rate": data[:, 1], "w": weights}])
    return path
