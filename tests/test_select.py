"""The command ``gmmfast select``, and mclust's codes on the command line."""

import json

import numpy as np
import pytest

from gmmfast import GaussianMixtureIC, load
from gmmfast.datasets import load_customers

pytestmark = pytest.mark.quick


def test_select_prints_a_ranking_and_the_best(run, customers):
    code, out, _ = run("select", customers, "--columns", "value,rate", "-k", "1:4", "--best", 3)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["K", "model", "log-likelihood", "parameters", "BIC", "ICL"]
    assert len(lines[1:4]) == 3 and lines[4] == ""
    search = GaussianMixtureIC(range(1, 5), random_state=0).fit(load_customers().data)
    best = [str(search.best_n_components_), search.best_covariance_type_]
    assert lines[1].split()[:2] == best
    assert "of 56 candidates ranked by BIC: lower is better" in lines[5]
    assert f"{search.best_covariance_type_} covariance" in out


def test_select_as_json(run, customers):
    arguments = ("--covariance", "full,EII", "--criterion", "icl", "--json")
    code, out, _ = run("select", customers, "--columns", "value,rate", "-k", "2,3", *arguments)
    assert code == 0
    found = json.loads(out)
    assert found["criterion"] == "icl" and len(found["candidates"]) == 4
    best = min(found["candidates"], key=lambda candidate: candidate["icl"])
    assert found["best"]["n_components"] == best["n_components"]
    assert found["best"]["bic"] == pytest.approx(best["bic"], abs=1e-6)
    assert found["candidates"][0]["cv"] is None


@pytest.mark.parametrize("scaled", [(), ("--standardize",)])
def test_select_saves_what_it_prints(run, customers, tmp_path, scaled):
    out = tmp_path / "best.npz"
    arguments = ("--columns", "value,rate", "-k", "2", "--covariance", "EEE,VVI,EII", *scaled)
    code, text, _ = run("select", customers, *arguments, "--json", "--out", out)
    assert code == 0
    best, data = json.loads(text)["best"], load_customers().data
    saved = load(out)
    assert list(saved.feature_names_in_) == ["value", "rate"]
    del saved.feature_names_in_  # the rows below have none
    np.testing.assert_allclose(saved.means_, best["means"])
    total = saved.score(data) * len(data)
    assert total == pytest.approx(best["log_likelihood"], rel=1e-9)
    if not scaled:
        assert saved.covariance_type == best["covariance_type"]
        assert saved.bic(data) == pytest.approx(best["bic"], rel=1e-9)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_select_draws(run, customers, tmp_path, suffix):
    picture = tmp_path / f"bic.{suffix}"
    arguments = ("-k", "1:2", "--covariance", "full", "--plot", picture)
    assert run("select", customers, "--columns", "value,rate", *arguments)[0] == 0
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-k", "0:3"), "must be auto, or numbers from 1 such as 1:9 or 2,4; got '0:3'"),
        (("-k", "3:1"), "must not be the larger one; got 3:1. Use 1:3."),
        (("-k", "1-6"), "must be auto, or numbers from 1 such as 1:9 or 2,4; got '1-6'"),
        (("--covariance", "full,XYZ"), "there is no model 'XYZ'; there are full, tied"),
        (("--criterion", "wish"), "invalid choice: 'wish'"),
        (("--plot", "picture.txt"), "the file suffix must be one of .png, .svg, .pdf"),
        (("--plot", "/nowhere/picture.png"), "Create it first"),
        (("--max-seconds", "0"), "--max-seconds must be"),
    ],
)
def test_select_refuses(fails, customers, arguments, message):
    assert message in fails("select", customers, "--columns", "value,rate", *arguments)


def test_fit_takes_the_codes(run, customers):
    arguments = ("fit", customers, "--columns", "value,rate", "-k", "2", "--covariance", "VEV")
    code, out, _ = run(*arguments)
    assert code == 0 and "VEV covariance" in out
    code, out, _ = run(*arguments, "--standardize", "--json")
    assert json.loads(out)["covariance_structure"] == "full"


def test_select__upward_until_the_patience_ends(run, customers):
    arguments = ("--columns", "value,rate", "--covariance", "EVI,VVV", "--json")
    code, out, _ = run("select", customers, "-k", "auto", "--patience", 2, *arguments)
    found = json.loads(out)
    counts = [one["n_components"] for one in found["candidates"]]
    assert code == 0 and max(counts) == found["best"]["n_components"] + 2
    again = run("select", customers, "-k", "1:9", "--patience", 2, *arguments)[1]
    assert json.loads(again)["best"] == found["best"]
    assert [one["n_components"] for one in json.loads(again)["candidates"]] == counts


def test_select__exhaustive_completes_all_fits(run, customers):
    few = ("--columns", "value,rate", "-k", "1:4", "--covariance", "EII,VVI,VVV")
    found, texts = [], []
    for more in ((), ("--exhaustive",)):
        code, out, _ = run("select", customers, *few, *more, "--json")
        found.append(json.loads(out))
        texts.append(run("select", customers, *few, *more)[1])
        assert code == 0
    n_done = sum(one["finished"] for one in found[0]["candidates"])
    assert 0 < n_done < 12
    assert f"\n{n_done} of 12 fits completed; the others could not win\n" in texts[0]
    assert all(one["finished"] for one in found[1]["candidates"])
    assert "completed" not in texts[1]
    assert found[0]["best"] == found[1]["best"]


def test_select__resumes_from_a_checkpoint(run, fails, customers, tmp_path):
    path = tmp_path / "search.npz"
    select = ("select", customers, "--columns", "value,rate", "-k", "1:3", "--json")
    few = (*select, "--covariance", "EII,VVV", "--checkpoint", path)
    assert "--resume needs a --checkpoint" in fails(*select, "--resume")
    assert "must be two files" in fails(*few, "--out", path)
    text = fails(*select, "--checkpoint", tmp_path / "search.txt")
    assert "the file suffix must be one of .npz" in text
    code, first, _ = run(*few, "--resume", "--max-seconds", 1000)
    assert code == 0 and path.exists()
    assert "the checkpoint exists already. Resume from it with --resume" in fails(*few)
    code, again, _ = run(*few, "--resume")
    assert code == 0 and json.loads(again)["best"] == json.loads(first)["best"]
    for option, got in [
        (("--tol", 1e-3), "of a search with --tol=1e-06; got 0.001. Set it back"),
        (("--seed", 3), "of a search with --seed=0; got 3"),
        (("--covariance", "EII"), "of a search with --covariance=['EII', 'VVV']; got ['EII']"),
        (("-k", "2:3"), "of a search with -k=[1, 2, 3]; got [2, 3]"),
        (("--standardize",), "The checkpoint is of other rows: "),
    ]:
        assert got in fails(*few, "--resume", *option)
    code, more, _ = run(*few, "--resume", "-k", "1:4")
    assert code == 0 and len(json.loads(more)["candidates"]) == 8


def test_select__interrupted_writes_its_choice_and_ends_as_other_commands_do(
    run, customers, tmp_path, monkeypatch
):
    seen, out = [], tmp_path / "best.npz"

    def press(fit):
        seen.append(fit.candidate)
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("gmmfast.cli.selecting._printer", lambda criterion: press)
    arguments = ("-k", "1:3", "--covariance", "EII,VVV", "--exhaustive", "--verbose")
    few = ("select", customers, "--columns", "value,rate", *arguments, "--out", out)
    code, text, notes = run(*few)
    assert code == 130 and notes.splitlines()[-1] == "gmmfast: interrupted"
    assert "The search ended after 3 of 6 candidates." in notes
    assert "candidates ranked by BIC: lower is better" in text
    assert (load(out).n_components, load(out).covariance_type) in seen
