"""The command line in scripts: exit codes, streams, threads, words, completion."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gmmfast.cli.words import OPTIONS, in_own_words
from gmmfast.data.constraints import MIXTURE
from gmmfast.kernels.threads import thread_count

FIT = ("fit", "--example", "sensors", "-k", 3)
SELECT = ("select", "--example", "sensors", "-k", 3, "--covariance", "VVV")
SHORT = ("--max-iter", 1, "--tol", 0)


@pytest.mark.parametrize("command", [FIT, SELECT])
def test_strict__exits_with_3_after_all_output(run, tmp_path, command):
    path = tmp_path / "m.npz"
    code, out, err = run(*command, *SHORT, "--strict", "--json", "--out", path)
    assert code == 3 and json.loads(out) and path.exists()
    assert "did not converge" in err
    assert run(*command, *SHORT)[0] == 0
    assert run(*command, "--strict")[0] == 0


@pytest.mark.parametrize("command", [FIT, SELECT])
def test_quiet__leaves_results_and_errors(run, fails, command):
    loud = run(*command, *SHORT)
    code, out, err = run(*command, *SHORT, "--quiet")
    assert (code, out, err) == (0, loud[1], "")
    assert loud[2].startswith("gmmfast: note: ")
    assert "gmmfast: error: -k must" in fails("fit", "--example", "sensors", "-k", 0, "--quiet")


def test_verbose__prints_iterations_to_stderr(run):
    plain = run(*FIT)
    code, out, err = run(*FIT, "--verbose")
    assert (code, out) == (0, plain[1])
    assert err.startswith("Initialization 0\n  Iteration 1\t time lapse ")
    code, out, err = run(*SELECT, "--verbose", "--criterion", "aic")
    assert code == 0 and err.startswith("K=3 VVV: log-likelihood -")


@pytest.mark.parametrize("threads", [1, 2, 1000])
def test_threads__of_a_command_alone(run, monkeypatch, threads):
    before, seen = thread_count(None), []

    def fit(self, X, **kwargs):
        seen.append(thread_count(None))
        raise ValueError("enough")

    monkeypatch.setattr("gmmfast.estimators.mixture.GaussianMixture.fit", fit)
    assert run(*FIT, "--threads", threads)[0] == 2
    assert seen == [min(threads, thread_count(-1))]
    assert thread_count(None) == before


def test_threads__must_be_positive(fails):
    assert "--threads" in fails(*FIT, "--threads", 0)


def test_words__are_those_of_the_command_line(run, fails):
    err = run(*FIT, *SHORT)[2]
    assert "or increase --max-iter, --tol" in err and "(--max-iter=1, --tol=0.0)" in err
    assert "--tol must be a float in the range" in fails(*FIT, "--tol", -1)
    assert "--reg-covar must be" in fails(*FIT, "--reg-covar", -1)


@pytest.mark.parametrize("name", OPTIONS)
def test_words__every_parameter_and_nothing_in_quotes(name):
    assert in_own_words(f"Lower {name}.") == f"Lower {OPTIONS[name]}."
    for text in (f"no column '{name}'", f"{name}.csv: bad", f"data/{name}", f"my_{name}"):
        assert in_own_words(text) == text


def test_words__name_options_that_exist(run):
    helps = run("fit", "--help")[1] + run("select", "--help")[1]
    assert all(option in helps for option in OPTIONS.values())
    assert {*OPTIONS} - {*MIXTURE} == {"sample_weight", "max_seconds", "criterion"}


def test_no_command__prints_help(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out == run("--help")[1] and out.startswith("usage: gmmfast")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_completion__prints_a_script(run, shell):
    pytest.importorskip("shtab", reason="needs shtab")
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    assert "gmmfast" in out and "covariance" in out and "calculator" in out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion__completes_in_bash(run, tmp_path):
    pytest.importorskip("shtab", reason="needs shtab")
    (tmp_path / "x.sh").write_text(run("completion", "bash")[1])
    script = (
        'source x.sh; function="$(complete -p gmmfast | sed "s/.*-F \\([^ ]*\\).*/\\1/")"; '
        'COMP_WORDS=(gmmfast fit --cov); COMP_CWORD=2; "$function"; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["--covariance"]


def test_completion__needs_shtab(fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert "pip install 'gmmfast[completion]'" in fails("completion", "bash")


def test_quiet__of_other_commands(run, tmp_path):
    path = tmp_path / "m.npz"
    assert run(*FIT, "--out", path, "--quiet")[0] == 0
    code, out, err = run("score", path, "--example", "sensors", "--outliers", 0.01, "--quiet")
    assert (code, err) == (0, "")
    flags = np.genfromtxt(out.splitlines(), delimiter=",", names=True)["outlier"]
    assert flags.sum() == 20


@pytest.mark.parametrize("command", ["predict", "score"])
def test_verbose__counts_rows_read_and_written(run, model, customers, command, monkeypatch):
    monkeypatch.setattr("gmmfast.cli.progress.EVERY", 0)
    monkeypatch.setattr("gmmfast.cli.using.BLOCK", 100)
    args = (command, model, customers)
    plain = run(*args)
    code, out, err = run(*args, "--verbose")
    assert (code, out) == (0, plain[1])
    lines = err.splitlines()
    assert f"reading {customers}: 350 rows" in lines
    assert [f"{model} applied to: {n} rows" in lines for n in (100, 200, 300, 350)] == [True] * 4
    assert lines[-1].startswith(f"{model} applied to: 350 rows in ")


def test_progress__is_one_line_of_a_terminal(run, model, customers, monkeypatch):
    monkeypatch.setattr("gmmfast.cli.progress.EVERY", 0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    err = run("score", model, customers)[2]
    text = f"reading {customers}: 350 rows"
    assert f"\r{text}\r{' ' * len(text)}\r" in err
    assert err.endswith(" \r")
    assert run("score", model, customers, "--quiet")[2] == ""


def test_progress__of_rows_in_pieces(run, model, customers, monkeypatch):
    monkeypatch.setattr("gmmfast.cli.progress.EVERY", 0)
    monkeypatch.setattr("gmmfast.data.free_memory.is_large", lambda n_bytes: True)
    err = run("score", model, customers, "--verbose")[2]
    assert f"reading {customers}: 350 rows\n" in err
