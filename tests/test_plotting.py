"""Pictures: what they show, read off the axes."""

import inspect
import itertools

import numpy as np
import pandas as pd
import pytest
from data import mixture
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks, plotting
from gmmfast.plotting import (
    plot_criterion,
    plot_density,
    plot_mixture,
    plot_pairs,
    plot_profile,
    plot_uncertainty,
)
from gmmfast.plotting.density import levels_of
from gmmfast.plotting.style import COLORS, MARKERS, look
from gmmfast.plotting.view import View

pytestmark = pytest.mark.quick

OF_MIXTURES = [plot_density, plot_mixture, plot_uncertainty]


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(300, 3, 2, separation=4.0, seed=1)[0]


@pytest.fixture(scope="module")
def frame(X):
    return pd.DataFrame(X, columns=["a", "b", "c"])


@pytest.fixture(scope="module")
def fitted(X):
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def search(X):
    types = ["EII", "VVV"]
    return GaussianMixtureIC(range(1, 4), covariance_types=types, random_state=0).fit(X)


def entries(ax):
    return [text.get_text() for text in ax.get_legend().texts]


def n_points(ax):
    return sum(len(points.get_offsets()) for points in ax.collections)


# --------------------------------------------------------------------------------- the search


def test_criterion__one_curve_per_model(search, ax):
    assert plot_criterion(search, ax) is ax
    *lines, ring = ax.get_lines()
    curves, hollow = lines[::2], lines[1::2]
    assert [curve.get_label() for curve in curves] == ["EII", "VVV"]
    results = search.results_
    for curve, points in zip(curves, hollow, strict=True):
        own = results["covariance_type"] == curve.get_label()
        np.testing.assert_array_equal(curve.get_ydata(), results["bic"][own])
        left = own & ~results["finished"]
        np.testing.assert_array_equal(points.get_ydata(), results["bic"][left])
        assert points.get_markerfacecolor() == "white"
        np.testing.assert_array_equal(curve.get_xdata(), [1, 2, 3])
    best = search.best_n_components_
    assert ring.get_xdata() == [best]
    assert "BIC" in ax.get_ylabel()
    assert ax.get_title() == f"best: {search.best_covariance_type_}, K = {best}"
    assert entries(ax) == ["EII", "VVV"]


def test_criterion__what_is_not_ranked_leaves_a_gap(ax):
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    search = GaussianMixtureIC([1, 4], covariance_types=["EII", "VVV"], random_state=0).fit(X)
    plot_criterion(search, ax)
    assert np.isnan(ax.get_lines()[2].get_ydata()[1])


def test_criterion__takes_results_and_another_criterion(search, ax):
    plot_criterion(search.results_, ax, criterion="icl")
    curve = ax.get_lines()[2]
    np.testing.assert_array_equal(curve.get_ydata(), search.results_["icl"][1::2])
    assert ax.get_ylabel().startswith("ICL")


def test_criterion__refusals(search, fitted, ax):
    with pytest.raises(ValueError, match="No candidate is ranked by CV"):
        plot_criterion(search, ax, criterion="cv")
    with pytest.raises(ValueError, match="'criterion' parameter of plot_criterion must be a str"):
        plot_criterion(search, ax, criterion="BIC")
    with pytest.raises(TypeError, match="needs a GaussianMixtureIC or its results_; got Gaussian"):
        plot_criterion(fitted, ax)
    with pytest.raises(ValueError, match="not fitted yet"):
        plot_criterion(GaussianMixtureIC(), ax)


# ------------------------------------------------------------------------------- one mixture


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV"])
def test_mixture__ellipses_are_the_components(X, ax, covariance_type):
    fitted = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    assert plot_mixture(fitted, X, features=(2, 0), sigmas=(1, 2), ax=ax) is ax
    ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
    assert len(ellipses) == 4
    theirs = fitted._model().matrices(fitted.covariances_, 2, 3)
    for k, ellipse in enumerate(ellipses[::2]):
        np.testing.assert_allclose(ellipse.center, fitted.means_[k, [2, 0]])
        half = np.diag([ellipse.width, ellipse.height]) / 2
        angle = np.radians(ellipse.angle)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        covariance = turn @ half @ half @ turn.T
        np.testing.assert_allclose(covariance, theirs[k][np.ix_([2, 0], [2, 0])], atol=1e-9)
    assert n_points(ax) == len(X)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 2", "feature 0")
    assert ax.get_title().startswith(f"2 components, {covariance_type}")
    shares = [f"{k} ({100 * w:.0f} %)" for k, w in enumerate(fitted.weights_)]
    assert entries(ax) == shares


def test_mixture__one_feature_is_a_density(X, ax):
    fitted = GaussianMixture(2, random_state=0).fit(X[:, :1])
    plot_mixture(fitted, X[:, :1], ax=ax)
    x, density = ax.get_lines()[-1].get_data()
    np.testing.assert_allclose(density, np.exp(fitted.score_samples(x[:, None])), rtol=1e-6)
    assert ax.get_ylabel() == "density"


def test_mixture__many_rows_are_thinned(ax):
    X = mixture(12_000, 2, 2, seed=1)[0]
    plot_mixture(GaussianMixture(2, random_state=0).fit(X), X, ax=ax)
    assert n_points(ax) == 5000


def test_mixture__makes_new_axes(fitted):
    import matplotlib

    with matplotlib.rc_context({"backend": "agg"}):
        assert len(plot_mixture(fitted).patches) == 6
        assert plot_pairs(fitted).shape == (3, 3)
        matplotlib.pyplot.close("all")


@pytest.mark.parametrize("draw", OF_MIXTURES)
def test_mixtures__a_search_is_its_best(draw, search, X, ax):
    draw(search, X, ax=ax)
    best = Figure(layout="constrained").subplots()
    draw(search.best_estimator_, X, ax=best)
    assert ax.get_title() == best.get_title()
    assert entries(ax) == entries(best)
    for ours, theirs in zip(ax.collections, best.collections, strict=True):
        np.testing.assert_array_equal(ours.get_offsets(), theirs.get_offsets())


@pytest.mark.parametrize("draw", OF_MIXTURES)
def test_mixtures__features_by_name(draw, frame, ax):
    fitted = GaussianMixture(2, random_state=0).fit(frame)
    draw(fitted, frame, features=["c", "a"], ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("c", "a")
    with pytest.raises(
        ValueError, match=r"from 0 to 2, or column names \('a', 'b', 'c'\); got 'd'"
    ):
        draw(fitted, frame, features=["c", "d"], ax=ax)


@pytest.mark.parametrize("draw", OF_MIXTURES)
def test_mixtures__refusals(draw, X, fitted, search, ax):
    for wrong in (3, -1, True, "a"):
        with pytest.raises(ValueError, match="features must be numbers from 0 to 2; got"):
            draw(fitted, X, features=(0, wrong), ax=ax)
    with pytest.raises(ValueError, match="features must be one or two; got 3. Use plot_pairs"):
        draw(fitted, X, features=(0, 1, 2), ax=ax)
    for source in ("rows.parquet", chunks(X)):
        with pytest.raises(TypeError, match="draws rows in memory; got .* Pass some of the rows"):
            draw(fitted, source, ax=ax)
    with pytest.raises(TypeError, match="or a GaussianMixtureIC; got Results. Pass the search"):
        draw(search.results_, X, ax=ax)
    for unfitted in (GaussianMixture(), GaussianMixtureIC()):
        with pytest.raises(ValueError, match="not fitted yet"):
            draw(unfitted, X, ax=ax)


def test_pairs__each_pair_and_each_feature(fitted, X):
    figure = Figure(layout="constrained")
    axes = plot_pairs(fitted, X, sigmas=(1,), figure=figure)
    assert axes.shape == (3, 3)
    assert figure._suptitle.get_text() == "2 components, full covariance"
    for i, j in itertools.product(range(3), repeat=2):
        ax = axes[i, j]
        assert ax.axison == (j <= i)
        ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
        assert len(ellipses) == (2 if j < i else 0)
        for ellipse, mean in zip(ellipses, fitted.means_, strict=False):
            np.testing.assert_allclose(ellipse.center, mean[[j, i]])
        if i == j:
            x, density = ax.get_lines()[-1].get_data()
            assert np.trapezoid(density, x) == pytest.approx(1, abs=0.01)  # within 3 deviations
    assert [ax.get_xlabel() for ax in axes[-1]] == [f"feature {j}" for j in range(3)]
    assert axes[2, 1].get_ylim() == axes[2, 0].get_ylim()
    assert axes[2, 0].get_xlim() == axes[0, 0].get_xlim()
    assert len(figure.legends[0].texts) == 2


def test_pairs__chosen_features_and_the_first_six():
    X = mixture(200, 8, 2, seed=1)[0]
    fitted = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
    assert plot_pairs(fitted, figure=Figure()).shape == (6, 6)
    axes = plot_pairs(fitted, features=[7, 2], figure=Figure())
    assert [ax.get_xlabel() for ax in axes[-1]] == ["feature 7", "feature 2"]
    with pytest.raises(ValueError, match="at least two features; got 1. Use plot_mixture"):
        plot_pairs(fitted, features=[7], figure=Figure())


def test_density__regions_hold_their_share(fitted, X, ax):
    shares = (0.5, 0.9)
    plot_density(fitted, X, features=(0, 2), regions=shares, ax=ax)
    assert entries(ax) == ["90 %", "50 %"]
    rows = fitted.set_params(random_state=0).sample(20_000)[0][:, [0, 2]]
    view = View.of(fitted, None, [0, 2])
    x, y = view.grid(4.0, 200, over=None)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    levels = levels_of(view.mixture.densities(points).sum(axis=0), shares)
    held = view.mixture.densities(rows).sum(axis=0) >= np.array(levels)[:, None]
    np.testing.assert_allclose(held.mean(axis=1), shares, atol=0.02)


def test_density__one_feature_is_a_curve(fitted, X, ax):
    plot_density(fitted, X, features=[1], ax=ax)
    x, density = ax.get_lines()[-1].get_data()
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-3)
    assert ax.get_ylabel() == "density"


@pytest.mark.parametrize("regions", [(), (0.0, 0.5), (0.5, 1.0)])
def test_density__refuses_what_is_no_share(fitted, regions, ax):
    with pytest.raises(ValueError, match="regions must be shares between 0 and 1; got"):
        plot_density(fitted, regions=regions, ax=ax)


def test_view__density_agrees_with_the_mixture(fitted, X):
    ours = View.of(fitted, None, None).mixture.densities(X).sum(axis=0)
    np.testing.assert_allclose(ours, np.exp(fitted.score_samples(X)), rtol=1e-6)


def test_uncertainty__is_what_predict_proba_leaves(fitted, X, ax):
    plot_uncertainty(fitted, X, ax=ax)
    resp = fitted.predict_proba(X)
    for k, points in enumerate(ax.collections):
        own = 1 - resp[resp.argmax(axis=1) == k].max(axis=1)
        np.testing.assert_allclose(points.get_array(), np.sort(own))
    assert n_points(ax) == len(X)


def test_uncertainty__of_one_feature_is_the_height(fitted, X, ax):
    plot_uncertainty(fitted, X, features=[2], ax=ax)
    assert ax.get_ylabel() == "uncertainty"
    for points in ax.collections:
        np.testing.assert_array_equal(points.get_offsets()[:, 1], points.get_array())


def test_profile__is_in_standard_deviations_of_the_rows(fitted, X, ax):
    """EM keeps the moments of the rows, up to `reg_covar`, so the rows standardize the means."""
    assert plot_profile(fitted, features=[2, 0], ax=ax) is ax
    wanted = ((fitted.means_ - X.mean(axis=0)) / X.std(axis=0))[:, [2, 0]]
    heights = [bar.lines[0].get_ydata() for bar in ax.containers]
    np.testing.assert_allclose(heights, wanted, atol=1e-3)
    bar = ax.containers[1].lines[2][0].get_segments()[0]
    deviation = np.sqrt(fitted.covariances_[1, 2, 2]) / X.std(axis=0)[2]
    assert np.ptp(bar[:, 1]) == pytest.approx(2 * deviation, rel=1e-3)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["feature 2", "feature 0"]


# ---------------------------------------------------------------------------- how it looks


def lab(color):
    """Oklab (Ottosson 2020), in which distances are about as large as they look."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color])
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    mixed = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(mixed) @ np.cbrt(np.array(cones) @ linear)


def test_looks__of_twelve_components_are_distinct():
    assert len(COLORS) == len(MARKERS) == len(set(MARKERS)) == 12
    places = [lab(to_rgb(color)) for color in [*COLORS, "white"]]
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2)]
    assert min(distances) > 0.1  # 0.02 can just be told side by side


def test_looks__of_many_components_differ_in_color_or_marker():
    looks = {tuple(look(k).values()) for k in range(144)}
    assert len(looks) == 144


def test_legend__of_many_components_is_beside_the_axes(ax):
    X, _ = mixture(600, 2, 12, separation=6.0, seed=1)
    fitted = GaussianMixture(12, random_state=0).fit(X)
    plot_mixture(fitted, X, ax=ax)
    ax.figure.draw_without_rendering()
    assert len(entries(ax)) == 12
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1


def test_plotting__names_are_listed():
    assert sorted(plotting.__all__) == sorted(name for name in dir(plotting) if name[:5] == "plot_")


@pytest.mark.parametrize("name", plotting.__all__)
def test_docstrings__have_the_shared_descriptions(name):
    text = inspect.getdoc(getattr(plotting, name))
    assert "$" not in text
    assert "\nax : matplotlib Axes, optional\n    Where to draw" in text or name == "plot_pairs"


@pytest.mark.plain
def test_pictures__draw_the_rows_that_lack_no_value():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    rows[::4, 1] = np.nan
    mixture = GaussianMixture(1, missing_values="marginalize", random_state=0).fit(rows)
    shown = View.of(mixture, rows, None).shown
    np.testing.assert_array_equal(shown.rows, rows[~np.isnan(rows).any(axis=1)])
    with pytest.raises(ValueError, match="draws rows without missing values; got none"):
        View.of(mixture, rows[::4], None)
