"""Fixtures of the command line; helpers (`reference`, `data`) are imported by name."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from gmmfast import cli
from gmmfast.datasets import load_customers
from gmmfast.tables import write_table

sys.path.insert(0, str(Path(__file__).parent))
# Two processes of tests share two cores. Where each has two threads of BLAS, a fit of scikit-learn
# takes up to ten times as long. Processes of tests inherit this; Numba does not obey it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command; return its exit code, standard output and standard error."""
    monkeypatch.setattr("gmmfast.cli.data.is_cached", lambda *kernels: True)  # no note of compiling

    def run_command(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


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
