"""Pictures: what they show, read off the axes."""

import numpy as np
import pytest
from data import mixture
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from gmmfast import GaussianMixture, GaussianMixtureIC, chunks
from gmmfast.plotting import plot_criterion, plot_mixture

pytestmark = pytest.mark.quick


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture(scope="module", name="X")
def rows():
    return mixture(300, 3, 2, separation=4.0, seed=1)[0]


def test_criterion(X, ax):
    search = GaussianMixtureIC(range(1, 4), covariance_types=["EII", "VVV"], random_state=0).fit(X)
    assert plot_criterion(search, ax) is ax
    *curves, ring = ax.get_lines()
    assert [curve.get_label() for curve in curves] == ["EII", "VVV"]
    for curve in curves:
        own = search.results_["covariance_type"] == curve.get_label()
        np.testing.assert_array_equal(curve.get_ydata(), search.results_["bic"][own])
        np.testing.assert_array_equal(curve.get_xdata(), [1, 2, 3])
    assert ring.get_xdata() == [search.best_n_components_]
    assert "BIC" in ax.get_ylabel()


def test_what_is_not_ranked_leaves_a_gap(ax):
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    search = GaussianMixtureIC([1, 4], covariance_types=["EII", "VVV"], random_state=0).fit(X)
    plot_criterion(search, ax)
    assert np.isnan(ax.get_lines()[1].get_ydata()[1])


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV"])
def test_ellipses_are_the_components(X, ax, covariance_type):
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
    shown = sum(len(points.get_offsets()) for points in ax.collections)
    assert shown == len(X)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 2", "feature 0")


def test_one_feature_is_a_density(X, ax):
    fitted = GaussianMixture(2, random_state=0).fit(X[:, :1])
    plot_mixture(fitted, X[:, :1], ax=ax)
    x, density = ax.get_lines()[-1].get_data()
    np.testing.assert_allclose(density, np.exp(fitted.score_samples(x[:, None])), rtol=1e-6)
    assert ax.get_ylabel() == "density"


def test_many_rows_are_thinned(ax):
    X = mixture(12_000, 2, 2, seed=1)[0]
    plot_mixture(GaussianMixture(2, random_state=0).fit(X), X, ax=ax)
    assert sum(len(points.get_offsets()) for points in ax.collections) == 5000


def test_new_axes_and_a_wrong_feature(X):
    import matplotlib

    fitted = GaussianMixture(2, random_state=0).fit(X)
    with matplotlib.rc_context({"backend": "agg"}):
        assert len(plot_mixture(fitted).patches) == 6
        matplotlib.pyplot.close("all")
    with pytest.raises(ValueError, match=r"features must be one or two numbers from 0 to 2; got"):
        plot_mixture(fitted, features=(0, 3))


def test_mixture__refuses_rows_that_are_elsewhere():
    X, _ = mixture(200, 2, 2, separation=3.0, seed=0)
    fitted = GaussianMixture(2, random_state=0).fit(X)
    for source in ("rows.parquet", chunks(X)):
        with pytest.raises(TypeError, match="draws rows in memory; got .* Pass some of the rows"):
            plot_mixture(fitted, source)
