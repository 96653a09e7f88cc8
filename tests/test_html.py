"""What notebooks and scikit-learn's diagrams show."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import sklearn
from data import mixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from gmmfast import GaussianMixture, GaussianMixtureIC

pytestmark = pytest.mark.quick

X = mixture(120, 2, 2, seed=1)[0]
VOID = {"br"}


class Page(HTMLParser):
    """Text of the cells, and whether elements are closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.cells, self.tags = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += text


def shown(thing):
    return Page(thing._repr_html_())


@pytest.fixture(scope="module")
def fitted():
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def search():
    types = ["EII", "VVV"]
    return GaussianMixtureIC([1, 2], covariance_types=types, random_state=0).fit(X)


def test_estimator__shows_all_parameters_and_marks_the_changed():
    html = GaussianMixture(3, tol=0.5)._repr_html_()
    cells = Page(html).cells
    for name, value in GaussianMixture(3, tol=0.5).get_params().items():
        assert cells[cells.index(name) + 1] == repr(value)
    changed = re.findall(r'<tr class=gmmfast-set><th scope="row">(\w+)', html)
    assert changed == ["n_components", "tol"]
    assert "not fitted" in html


def test_estimator__shows_the_fit(fitted):
    cells = shown(fitted).cells
    at = cells.index("weight") - 1
    assert cells[at : at + 4] == ["component", "weight", "feature 0", "feature 1"]
    assert cells[at + 5] == f"{fitted.weights_[0]:.4f}"
    assert float(cells[at + 6]) == pytest.approx(fitted.means_[0, 0], rel=1e-4)
    assert "converged" in fitted._repr_html_().lower()


def test_search__shows_the_ranking_and_the_best(search):
    cells = shown(search).cells
    assert cells[cells.index("model") :][:4] == ["model", "log-likelihood", "parameters", "BIC"]
    assert f"{search.results_['bic'].min():.2f}" in cells
    assert "weight" in cells


def test_results__are_a_table_and_their_columns_are_not(search):
    assert shown(search.results_).cells[:2] == ["K", "model"]
    assert search.results_["bic"]._repr_html_() is None
    assert search.results_[["bic", "aic"]]._repr_html_() is None


def test_html__names_and_values_are_escaped():
    script = "<script>alert(1)</script>"
    means, covariances = np.eye(2), np.eye(2)
    made = GaussianMixture.from_parameters(
        [0.5, 0.5], means, covariances, covariance_type="tied", feature_names=[script, "a & b"]
    )
    made.set_params(init_params=script, random_state=None)
    page = shown(made)
    assert "script" not in page.tags
    assert "a & b" in page.cells and repr(script) in page.cells
    search = GaussianMixtureIC([1], covariance_types=["EII"])
    search.criterion = script
    assert "script" not in shown(search).tags


def test_html__large_mixtures_and_arrays_are_cut():
    K, d = 30, 20
    made = GaussianMixture.from_parameters(
        np.full(K, 1 / K), np.ones((K, d)), np.ones((K, d)), covariance_type="diag"
    )
    made.set_params(means_init=np.ones((1000, 50)))
    html = made._repr_html_()
    assert "12 of 30 components, 8 of 20 features" in html
    assert len(html) < 20_000


def test_html__attributes_set_by_hand():
    mixture = GaussianMixture(2)
    mixture.weights_ = np.ones(2) / 2
    assert "but no means_" in mixture._repr_html_()


def test_html__obeys_scikit_learns_setting(fitted):
    with sklearn.config_context(display="text"):
        assert fitted._repr_html_() is None


def test_diagram__of_a_pipeline_has_our_parameters_and_fit():
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    html = estimator_html_repr(pipeline)
    assert re.search(r"n_components</th><td[^>]*>2<", html)
    assert "Fitted mixture" not in html
    pipeline.fit(X)
    assert "Fitted mixture" in estimator_html_repr(pipeline)
    assert re.search(r"covariance_type</th><td[^>]*>&#x27;full", estimator_html_repr(pipeline))
