"""t components wherever they are shown: in pictures, reports, on the command line and the page."""

import dataclasses
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from test_calculator import computed
from test_html import shown
from test_report import REPORT, report_of

from gmmfast import GaussianMixture, load
from gmmfast.calculator import pictures
from gmmfast.calculator.settings import read_settings
from gmmfast.calculator.words import MANY_DEGREES
from gmmfast.cli.words import in_own_words
from gmmfast.plotting import plot_density, plot_mixture
from gmmfast.plotting.density import levels_of
from gmmfast.plotting.view import View
from gmmfast.reporting.report import PYTHON, fit_as_json, fit_as_text

pytestmark = pytest.mark.quick

SCALES = np.array([[[4.0, 1.0], [1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]]])
DEGREES = np.array([3.0, 12.0])
TAILED = dataclasses.replace(REPORT, degrees_of_freedom=np.array([4.25, 12.0]))


def given(degrees=DEGREES):
    """A mixture of t components, the heaviest first."""
    made = GaussianMixture.from_parameters([0.6, 0.4], [[0.0, 0.0], [20.0, 5.0]], SCALES)
    made.set_params(component="t", degrees_of_freedom="own", random_state=0)
    made.degrees_of_freedom_ = np.asarray(degrees)
    return made


def rows_of(n=300, degrees=3.0, seed=0):
    """Two groups with tails."""
    rng = np.random.default_rng(seed)
    return rng.standard_t(degrees, size=(n, 2)) + np.where(np.arange(n) % 2, 6.0, -6.0)[:, None]


# ---------------------------------------------------------------------------------- pictures


def test_view__density_of_tails_agrees_with_the_mixture():
    own, points = given(), rows_of(30)
    ours = View.of(own, None, None).mixture.densities(points).sum(axis=0)
    np.testing.assert_allclose(ours, np.exp(own.score_samples(points)), rtol=1e-10)


@pytest.mark.plain
def test_mixture__ellipses_of_tails_are_their_scales():
    ax = plot_mixture(given(), sigmas=(2.0,), ax=Figure().subplots())
    assert ax.get_title() == "2 t components, full covariance"
    ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
    for scale, ellipse in zip(SCALES, ellipses, strict=True):
        axes = sorted([ellipse.width, ellipse.height])
        np.testing.assert_allclose(axes, 4 * np.sqrt(np.linalg.eigvalsh(scale)))


@pytest.mark.plain
@pytest.mark.parametrize("features", [[0, 1], [1]])
def test_density__regions_of_tails_hold_their_share(features, monkeypatch):
    seen = {}

    def spy(*arguments):
        seen["levels"] = levels_of(*arguments)
        return seen["levels"]

    monkeypatch.setattr("gmmfast.plotting.density.levels_of", spy)
    own, shares = given([1.5, 4.0]), (0.95, 0.5)
    plot_density(own, features=features, regions=shares, ax=Figure().subplots())
    rows = own.sample(20_000)[0][:, features]
    density = View.of(own, None, features).mixture.densities(rows).sum(axis=0)
    held = density >= np.array(seen["levels"])[:, None]
    np.testing.assert_allclose(held.mean(axis=1), shares, atol=0.02)


@pytest.mark.plain
def test_levels__of_a_share_that_no_point_reaches():
    assert levels_of(np.array([1.0, 3.0, 2.0]), [0.9], whole=100.0) == [1.0]


@pytest.mark.plain
def test_plane__says_what_each_ellipse_holds():
    mixture = View.of(given(), None, None).mixture
    found = pictures.plane(rows_of(20), np.zeros(20, int), mixture, False)
    assert np.shape(found["coverage"]) == (2, 3)
    np.testing.assert_allclose(found["coverage"][0][1], 1 - (1 + 4 / 3) ** -1.5)


# ----------------------------------------------------------------------------------- reports


@pytest.mark.plain
def test_report__of_tails():
    text = fit_as_text(TAILED)
    lines = text.splitlines()
    assert lines[0] == "data.csv: 100 rows, 2 columns; 2 t components, full covariance"
    assert lines[2].split() == ["component", "weight", "df", "height", "mass"]
    assert lines[4].split()[:3] == ["1", "0.2500", "12.000"]
    assert "scale matrix of component 1" in text and "covariance of component" not in text
    assert "A covariance is its scale matrix times df / (df - 2), for df above 2." in lines


@pytest.mark.plain
@pytest.mark.parametrize(
    ("structure", "n_features", "words"),
    [
        ("spherical", 2, "squared scale   scale"),
        ("diag", 2, "squared scales of components"),
        ("diag", 9, "scales of components"),
        ("tied", 2, "scale matrix of every component"),
        ("tied", 9, "scale of every component"),
        ("full", 9, "The whole scale matrices are in covariances_."),
    ],
)
def test_report__spreads_of_tails_are_scales(structure, n_features, words):
    report = report_of(2, n_features, structure)
    text = fit_as_text(dataclasses.replace(report, degrees_of_freedom=DEGREES), PYTHON)
    assert words in text and " sd" not in text and "variances of" not in text
    assert " df" in text and "scale" not in fit_as_text(report, PYTHON)


@pytest.mark.plain
def test_json__of_tails():
    values, plain = json.loads(fit_as_json(TAILED)), json.loads(fit_as_json(REPORT))
    assert values["component"] == "t" and values["degrees_of_freedom"] == [4.25, 12.0]
    assert {*values} - {*plain} == {"component", "degrees_of_freedom"}


@pytest.mark.plain
def test_html__of_tails():
    cells = shown(given()).cells
    assert cells[cells.index("df") - 1] == "weight" and "12.000" in cells
    assert "df" not in shown(GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])).cells
    assert "degrees of freedom (df) and means of t components" in given()._repr_html_()


# ------------------------------------------------------------------------------ command line


def test_tails__on_the_command_line(run, tmp_path, monkeypatch):
    X = rows_of()
    monkeypatch.chdir(tmp_path)
    np.savetxt(tmp_path / "rows.csv", X * [1.0, 100.0], delimiter=",", header="a,b", comments="")
    options = ["-k", "2", "--component", "t", "--tol", "1e-6", "--max-iter", "500"]
    options += ["--standardize", "--out", "model.npz"]
    code, out, _ = run("fit", "rows.csv", *options, "--degrees-of-freedom", "own", "--json")
    printed = json.loads(out)
    assert code == 0 and printed["component"] == "t"
    model = load(tmp_path / "model.npz")
    assert (model.component, model.degrees_of_freedom) == ("t", "own")
    assert printed["degrees_of_freedom"] == model.degrees_of_freedom_.tolist()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    params = {"tol": 1e-6, "max_iter": 500, "acceleration": "auto", "random_state": 0}
    direct = GaussianMixture(2, component="t", degrees_of_freedom="own", **params).fit(Z)
    order = np.argsort(-direct.weights_)
    np.testing.assert_allclose(model.degrees_of_freedom_, direct.degrees_of_freedom_[order])
    scale = direct.covariances_[order] * np.outer(*[X.std(axis=0) * [1.0, 100.0]] * 2)
    np.testing.assert_allclose(model.covariances_, scale, rtol=1e-6)
    _, out, _ = run("score", "model.npz", "rows.csv")
    log_densities = [float(line.split(",")[-1]) for line in out.splitlines()[1:]]
    expected = direct.score_samples(Z) - np.log(X.std(axis=0) * [1.0, 100.0]).sum()
    np.testing.assert_allclose(log_densities, expected, atol=1e-8)
    _, out, _ = run("info", "model.npz")
    assert "\ncomponents       2, t distributions\n" in f"\n{out}" and " df " in out
    for command in (["predict", "model.npz", "rows.csv"], ["sample", "model.npz", "-n", "9"]):
        assert run(*command)[0] == 0
    assert run("export", "model.npz", "--to", "json", "--out", "m.json")[0] == 0
    assert len(json.loads((tmp_path / "m.json").read_text())["arrays"]["degrees_of_freedom_"]) == 2
    found = run("select", "rows.csv", "-k", "1:2", "--covariance", "VVV", *options[2:4])[1]
    assert "; 2 t components, VVV covariance" in found


def test_tails__unusable_options(fails, run, tmp_path, monkeypatch):
    X = rows_of(60)
    monkeypatch.chdir(tmp_path)
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",", header="a,b", comments="")
    command = ["fit", "rows.csv", "-k", "2"]
    err = fails(*command, "--degrees-of-freedom", "4")
    assert "Gaussian components have no degrees of freedom; got --component='gaussian' and" in err
    assert "--degrees-of-freedom=4.0. Set --component='t', or leave --degrees-of-freedom out" in err
    for number in ("0", "inf", "many"):
        err = fails(*command, "--component", "t", "--degrees-of-freedom", number)
        assert f"must be a positive number, common or own; got '{number}'" in err
    point = ["--checkpoint", "point.npz"]
    assert run(*command, *point)[0] == 0
    err = fails(*command, *point, "--resume", "--component", "t")
    assert "the checkpoint is of a fit with --component gaussian; got t." in err


@pytest.mark.plain
def test_words__of_what_scikit_learn_cannot_hold():
    with pytest.raises(ValueError, match="got t components") as error:
        given().to_sklearn()
    assert "Fit with --component='gaussian', or keep" in in_own_words(str(error.value))


@pytest.mark.plain
def test_words__of_a_prior_are_its_own():
    text = "degrees_of_freedom of Prior must be a number, positive; got a component."
    assert in_own_words(text) == text


# -------------------------------------------------------------------------------- calculator


def test_tails__in_the_calculator(tmp_path, monkeypatch):
    X = rows_of()
    found, _ = computed(tmp_path, X, ["a", "b"], n_components=2, component="t", tol=1e-6)
    (degrees, other) = found["report"]["degrees_of_freedom"]
    assert degrees == other < MANY_DEGREES and found["report"]["component"] == "t"
    told = f"The components are t distributions with {degrees:.1f} degrees of freedom: heavy tails."
    assert told in found["sentences"] and "2 t components" in found["text"]
    assert 'component="t"' in found["python"] and found["command"].endswith("--component t")
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",", header="a,b", comments="")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(found["python"], names)
    np.testing.assert_allclose(names["mixture"].degrees_of_freedom_, degrees, rtol=1e-6)
    assert load(tmp_path / "model.npz").degrees_of_freedom_.tolist() == [degrees, degrees]
    assert not any("settled" in one for one in found["advice"])
    early, _ = computed(tmp_path, X, ["a", "b"], n_components=2, component="t")
    assert sum("Lower the convergence tolerance to 1e-6." in one for one in early["advice"]) == 1


@pytest.mark.plain
def test_settings__of_the_distribution():
    assert read_settings({}, ["a"]).component == "gaussian"
    with pytest.raises(ValueError, match="must be one of gaussian, t; got 'cauchy'"):
        read_settings({"component": "cauchy"}, ["a"])
