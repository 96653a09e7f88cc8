"""The command line in scripts: exit codes, streams, threads, words, completion."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gmmfast.cli.progress import ERASE
from gmmfast.cli.words import OPTIONS, PATTERNS, in_own_words
from gmmfast.data.constraints import MIXTURE, SKLEARN_TYPES
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
    assert code == 0 and err.startswith("VVV K=3: log-likelihood -")
    assert re.search(r" s\); best VVV K=3, AIC [0-9]+\.[0-9]{2}\n", err)


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
    value = "=1" if name in PATTERNS else ""  # where the name is a word, too
    assert in_own_words(f"Lower {name}{value}.") == f"Lower {OPTIONS[name]}{value}."
    for text in (f"no column '{name}'", f"{name}.csv: bad", f"data/{name}", f"my_{name}"):
        assert in_own_words(text) == text


def test_words__name_options_that_exist(run):
    helps = "".join(run(command, "--help")[1] for command in ("fit", "select", "predict"))
    assert all(option in helps for option in OPTIONS.values())
    assert {*OPTIONS} - {*MIXTURE} == {
        "sample_weight", "max_seconds", "criterion", "patience", "exhaustive", "covariance_types",
        "n_clusters",
    }  # fmt: skip


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
    assert done.stdout.split() == ["--covariance", "--covariance-ratio"]


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
    assert f"{ERASE}{text}{ERASE}" in err and err.endswith(ERASE)
    assert run("score", model, customers, "--quiet")[2] == ""


def test_progress__of_rows_in_pieces(run, model, customers, monkeypatch):
    monkeypatch.setattr("gmmfast.cli.progress.EVERY", 0)
    monkeypatch.setattr("gmmfast.data.free_memory.is_large", lambda n_bytes: True)
    err = run("score", model, customers, "--verbose")[2]
    assert "applied to: 350 rows\n" in err and "reading" not in err
    out = run("fit", customers, "-k", 1, "--verbose")[2]
    assert f"reading {customers}: 350 rows\n" in out


def test_progress__is_silent_where_rows_are_on_the_terminal(run, model, customers, monkeypatch):
    monkeypatch.setattr("gmmfast.cli.progress.EVERY", 0)
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    assert run("score", model, customers)[2] == ""
    assert ERASE in run("score", model, customers, "--out", customers.with_name("x.csv"))[2]


def test_warmup__prints_a_line_for_each_kernel(run):
    code, out, err = run("warmup")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    first, last = ([[c, t] for c in SKLEARN_TYPES] for t in ("float64", "float32"))
    assert [line[:2] for line in (*lines[:4], *lines[5:9])] == first + last
    assert (lines[4][0], lines[9][0], len(lines)) == ("select", "all", 10)
    assert all(float(line[-2]) >= 0 and line[-1] == "s" for line in lines)


# The system


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals__leave_no_temporary_files(tmp_path, name):
    """While the command waits for the rest of its input."""
    number = getattr(signal, name)
    command = [sys.executable, "-m", "gmmfast", "fit", "-", "-k", "1", "--out", tmp_path / "m.npz"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        end = time.monotonic() + 60
        while not list(tmp_path.glob("gmmfast-*/input.csv")):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stderr.read().decode().splitlines()[-1] == f"gmmfast: ended by {name}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_errors__of_the_system_name_the_file(run, customers, model, monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code, _, err = run("predict", model, customers)
        monkeypatch.undo()
    assert (code, err) == (
        2,
        "gmmfast: error: reading or writing: no space left on device.\n",
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            gzip.compress(b"a,b\n1,2\n", mtime=0),
            "--format says csv, its content is compressed by gzip. Use --format csv.gz.",
        ),
        (b"PAR1\x15", "--format says csv, its content is a Parquet file. Use --format parquet."),
        (b"PK\x03\x04", "Use --format xlsx if it is a spreadsheet; unpack an archive first."),
    ],
)
def test_standard_input__of_another_format(content, text):
    done = subprocess.run(
        [sys.executable, "-m", "gmmfast", "fit", "-", "-k", "1"],
        input=content,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.decode() == f"gmmfast: error: standard input: {text}\n" or (
        content.startswith(b"PK") and text in done.stderr.decode()
    )


@pytest.mark.parametrize("command", [FIT, SELECT])
def test_out__a_model_is_a_file(fails, command):
    assert "--out needs a .npz file for the model; got standard output." in fails(
        *command, "--out", "-"
    )


# Days without rows, and results that meet


@pytest.mark.parametrize("cut", [(), ("--threshold", -5), ("--outliers", 0.1, "--relative")])
@pytest.mark.parametrize("command", ["predict", "score"])
def test_no_rows__give_a_table_without_rows(run, model, tmp_path, command, cut):
    path = tmp_path / "day.csv"
    path.write_text("who,value,rate\n")
    code, out, err = run(command, model, path, "--keep-all", *cut)
    columns = {"predict": "component,probability,log_density", "score": "log_density"}[command]
    outlier = ",outlier" if cut else ""
    assert (code, out) == (0, f"row,who,value,rate,{columns}{outlier}\n")
    assert "a table needs at least one row below the header line; got none." in err
    assert "at least one row" in run("fit", path, "-k", 1)[2]


@pytest.mark.parametrize(
    ("header", "options", "text"),
    [
        ("foo,bar", (), "the model needs the columns value, rate; missing: value, rate."),
        (
            "value,rate",
            ("--keep", "nope"),
            "there is no column 'nope'; the columns are value, rate.",
        ),
        ("value,rate", ("--id", "nope"), "there is no column 'nope'"),
    ],
)
def test_no_rows__must_have_the_columns(fails, model, tmp_path, header, options, text):
    path = tmp_path / "day.csv"
    path.write_text(f"{header}\n")
    assert text in fails("predict", model, path, *options)


def test_to__is_for_standard_output(fails, model, customers):
    text = fails("predict", model, customers, "--out", "x.csv", "--to", "parquet")
    assert "--to is the format of standard output" in text


def test_names__of_kept_columns_and_results_meet(run, customers, model, tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    run("predict", model, customers, "--keep-all", "--out", first)
    code, _, err = run("predict", model, first, "--keep-all", "--out", second)
    names = second.read_text().splitlines()[0].split(",")
    assert code == 0 and names[:2] == ["row", "row_"] and names[-3] == "component_"
    assert "column 'row' of the data is written as 'row_'" in err
    assert "column 'component' of the results is written as 'component_'" in err


def test_predict__tells_of_rows_that_cannot_belong_to_the_model(run, tmp_path):
    path, other, model = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "m.npz"
    rows = np.random.default_rng(0).normal(1000, 50, (60, 2))
    np.savetxt(path, rows, delimiter=",", header="a,b", comments="")
    np.savetxt(other, rows / 1000, delimiter=",", header="a,b", comments="")
    assert run("fit", path, "-k", 1, "--out", model)[0] == 0
    text = (
        "rows are less likely than each row of the fit. Are the columns and their units the same?"
    )
    assert text not in run("predict", model, path)[2]
    assert f"60 of 60 {text}" in run("predict", model, other)[2]


@pytest.mark.parametrize("command", [("fit", "-k", 1), ("select",)])
def test_fit__of_one_row(fails, tmp_path, command):
    path = tmp_path / "one.csv"
    path.write_text("a,b\n1,2\n")
    name, *rest = command
    assert "one.csv: a fit needs at least two rows; got 1." in fails(name, path, *rest)


def test_outliers__percent_is_no_number(fails, model, customers):
    text = fails("score", model, customers, "--outliers", "1%")
    assert "--outliers: must lie between 0 and 1, such as 0.01; got '1%'" in text


def test_keep_all__numbers_of_text_are_numbers_of_a_sheet(run, model, tmp_path):
    calamine = pytest.importorskip("python_calamine")
    path, out = tmp_path / "a.csv", tmp_path / "out.xlsx"
    lines = ["id,value,rate,since,2019", "007,13053.7,4,2020-01-01,4915123456789"]
    path.write_text("\n".join([*lines, "12,40,,2021-01-01,12", ""]))
    path.write_text(path.read_text().replace(",40,,", ",40,5.5,"))
    assert run("predict", model, path, "--keep-all", "--out", out)[0] == 0
    rows = calamine.CalamineWorkbook.from_path(str(out)).get_sheet_by_index(0).to_python()
    assert rows[0][5] == "2019"
    assert rows[1][1:6] == ["007", 13053.7, 4.0, "2020-01-01", "4915123456789"]
    assert rows[2][1:6] == ["12", 40.0, 5.5, "2021-01-01", "12"]


@pytest.mark.parametrize(("columns", "n_axes"), [("value", 1), ("value,rate", 1), (None, 6)])
@pytest.mark.parametrize("is_large", [False, True])
def test_fit__draws_the_components(
    run, customers, tmp_path, monkeypatch, columns, n_axes, is_large
):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig", lambda figure, *_, **__: drawn.append(figure)
    )
    monkeypatch.setattr("gmmfast.data.free_memory.is_large", lambda n_bytes: is_large)
    chosen = ("--columns", columns) if columns else ()
    code, out, err = run("fit", customers, "-k", 2, *chosen, "--plot", tmp_path / "x.png")
    assert code == 0 and "feature names" not in err
    visible = [one for one in drawn[0].axes if one.axison and one.has_data()]
    assert len(visible) >= n_axes
    labels = {one.get_xlabel() for one in visible} | {one.get_ylabel() for one in visible}
    assert "value" in labels


def test_fit__refuses_a_picture_of_another_kind(fails, customers, tmp_path):
    text = fails("fit", customers, "-k", 2, "--plot", tmp_path / "x.txt")
    assert "the file suffix must be one of .png, .svg, .pdf" in text
