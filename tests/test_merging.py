"""Clusters of several components: the hierarchy, its elbow, and labels; held against mclust."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import xlogy

from gmmfast import GaussianMixture, chunks, plotting
from gmmfast.analysis import merge_components
from gmmfast.analysis.merging import elbow_of, hierarchy

pytestmark = [pytest.mark.quick, pytest.mark.plain]

MCLUST = Path(__file__).parent / "mclust"
COMBINING = json.loads((MCLUST / "combining.json").read_text())


def stored(name):
    """Rows, and mclust's mixture as full covariances."""
    X = np.array(json.loads((MCLUST / f"{name}.json").read_text())["data"], float)
    return X, GaussianMixture.from_parameters(*COMBINING[name]["parameters"].values())


def pairs(K=5, seed=0, **params):
    """Components of two features about random means, and rows of them."""
    rng = np.random.default_rng(seed)
    means = rng.normal(scale=2.0, size=(K, 2))
    weights = rng.dirichlet(np.full(K, 5.0))
    made = GaussianMixture.from_parameters(
        weights, means, [np.eye(2)] * K, random_state=seed, **params
    )
    return made, made.sample(150)[0]


def reference(resp, weights):
    """The hierarchy by trying all pairs (Baudry et al. 2010): matrices, and entropies of 1 to K."""

    def entropy(own):
        return -(weights[:, None] * xlogy(own, own)).sum()

    matrices, entropies = {}, [entropy(resp)]
    for n in range(resp.shape[1] - 1, 0, -1):
        tried = []
        for i in range(n + 1):
            for j in range(i + 1, n + 1):
                matrix = np.delete(np.eye(n + 1), j, axis=0)
                matrix[i, j] = 1
                tried.append((entropy(resp @ matrix.T), i, j, matrix))
        best = min(tried, key=lambda each: each[0])
        resp, matrices[n] = resp @ best[3].T, best[3]
        entropies.insert(0, best[0])
    return matrices, np.array(entropies)


@pytest.mark.parametrize("name", COMBINING)
def test_merging__agrees_with_mclust(name):
    """To rounding from mclust's posterior, which is of the E step before its last M step."""
    X, mixture = stored(name)
    merging, theirs = merge_components(mixture, X), COMBINING[name]
    posterior = np.array(theirs["posterior"])
    steps, entropies = hierarchy(posterior, np.ones(len(X)), theirs["G"])
    np.testing.assert_array_equal(steps, merging.steps)
    np.testing.assert_allclose(entropies, theirs["entropy"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(merging.entropies, theirs["entropy"], rtol=0.01, atol=1e-9)
    whole = np.eye(theirs["G"])
    for n in range(theirs["G"] - 1, 0, -1):
        whole = np.array(theirs["combiM"][n - 1]) @ whole
        np.testing.assert_array_equal(merging.matrix(n), whole)
    assert merging.n_clusters == 2  # the only elbow of three components, and all of two


@pytest.mark.parametrize("weighted", [False, True])
def test_merging__agrees_with_all_pairs(weighted):
    mixture, X = pairs()
    weights = np.random.default_rng(1).uniform(0, 3, len(X)) if weighted else np.ones(len(X))
    found = merge_components(mixture, X, sample_weight=weights if weighted else None)
    matrices, entropies = reference(mixture.predict_proba(X), weights)
    np.testing.assert_allclose(found.entropies, entropies, rtol=1e-12, atol=1e-12)
    whole = np.eye(5)
    for n in range(4, 0, -1):
        whole = matrices[n] @ whole
        np.testing.assert_array_equal(found.matrix(n), whole)


def test_merging__a_weight_of_two_repeats_a_row():
    mixture, X = pairs()
    weights = np.where(np.arange(len(X)) % 3 == 0, 2.0, 1.0)
    weighted = merge_components(mixture, X, sample_weight=weights)
    repeated = merge_components(mixture, np.concatenate([X, X[::3]]))
    np.testing.assert_array_equal(weighted.steps, repeated.steps)
    np.testing.assert_allclose(weighted.entropies, repeated.entropies, rtol=1e-12, atol=1e-12)


def test_merging__tells_clusters_apart_that_hardly_overlap():
    """The nearest two are joined, though the entropy falls by less than it is rounded to."""
    means = np.array([[0.0, 0.0], [60.0, 0.0], [90.0, 0.0]])
    mixture = GaussianMixture.from_parameters([0.3, 0.3, 0.4], means, [np.eye(2)] * 3)
    merging = merge_components(mixture, means + 0.1)
    assert merging.steps.tolist() == [[1, 2], [0, 1]]


def test_predict__is_the_likeliest_sum():
    mixture, X = pairs()
    merging, resp = merge_components(mixture, X), mixture.predict_proba(X)
    for n in range(1, 6):
        expected = resp @ merging.matrix(n).T
        np.testing.assert_allclose(merging.predict_proba(X, n), expected, atol=1e-14)
        np.testing.assert_array_equal(merging.predict(X, n), expected.argmax(axis=1))
    assert (merging.predict(X, 5) == mixture.predict(X)).all()
    pieces = merging.predict(chunks([X[:50], X[50:]]), 2)
    np.testing.assert_array_equal(np.concatenate([*pieces]), merging.predict(X, 2))


def test_membership__is_nested_and_in_order():
    mixture, X = pairs(7, seed=3)
    merging = merge_components(mixture, X, n_clusters=3)
    np.testing.assert_array_equal(merging.membership(), merging.membership(3))
    for n in range(1, 8):
        clusters = merging.membership(n)
        first = [np.flatnonzero(clusters == c)[0] for c in range(n)]
        assert first == sorted(first)
        if n > 1:  # components together in n clusters stay together in n - 1
            assert len({*zip(clusters, merging.membership(n - 1), strict=True)}) == n


def test_elbow__is_the_best_of_two_lines():
    """As pcws2_reg of mclust: both lines go through the entropy at the elbow's number."""
    entropies = np.array([0.0, 1.0, 2.1, 3.0, 12.0, 20.0, 31.0])
    elbow, counts, squares = elbow_of(entropies), np.arange(1, 8), {}
    for c in range(2, 7):
        parts = (counts[:c], entropies[:c]), (counts[c - 1 :], entropies[c - 1 :])
        squares[c] = sum(np.polyfit(*part, 1, full=True)[1].sum() for part in parts)
    assert elbow.n_clusters == min(squares, key=squares.get) == 4
    np.testing.assert_allclose(elbow.lines[0], np.polyfit(counts[:4], entropies[:4], 1), atol=1e-12)
    assert elbow_of(entropies[:2]) is None
    mixture, X = pairs(2)
    assert merge_components(mixture, X).n_clusters == 2


def test_merging__of_t_components_and_noise():
    mixture, X = pairs(3, component="t", degrees_of_freedom=5.0)
    assert merge_components(mixture, X, n_clusters=2).membership().max() == 1
    noisy, X = pairs(3)
    far = np.concatenate([X, [[40.0, 40.0]]])
    vars(noisy).update(weights_=0.9 * noisy.weights_, noise_weight_=0.1, noise_volume_=1e4)
    merging, resp = merge_components(noisy, far), noisy.predict_proba(far)
    assert merging.predict(far, 1)[-1] == -1 and merging.predict_proba(far, 2).shape == (151, 3)
    np.testing.assert_allclose(merging.predict_proba(far, 1)[:, 1], resp[:, 3], rtol=1e-12)
    one = np.stack([resp[:, :3].sum(axis=1), resp[:, 3]], axis=1)
    np.testing.assert_allclose(merging.entropies[0], -xlogy(one, one).sum(), rtol=1e-12)


def test_merging__refuses():
    mixture, X = pairs(3)
    for n in (0, 4, 1.5):
        with pytest.raises(ValueError, match=r"n_clusters.* an int in the range \[1, 3\]"):
            merge_components(mixture, X, n_clusters=n)
        with pytest.raises(ValueError, match="'n_clusters' parameter of Merging"):
            merge_components(mixture, X).predict(X, n)
    with pytest.raises(TypeError, match="needs rows in memory; got Chunks"):
        merge_components(mixture, chunks([X]))
    with pytest.raises(TypeError, match="needs a GaussianMixture or .*; got builtins.int"):
        merge_components(3, X)
    with pytest.raises(ValueError, match="not fitted"):
        merge_components(GaussianMixture(2), X)


def test_pictures__show_clusters_and_entropies():
    mixture, X = pairs(5)
    merging = merge_components(mixture, X)
    ax = plotting.plot_entropy(merging, Figure().subplots())
    np.testing.assert_allclose(ax.lines[2].get_ydata(), merging.entropies)
    assert [len(line.get_xdata()) for line in ax.lines[:2]] == [
        merging.n_clusters, 6 - merging.n_clusters,
    ]  # fmt: skip
    ax = plotting.plot_clusters(merging, X, n_clusters=2, sigmas=[1.0], ax=Figure().subplots())
    assert len(ax.get_legend().texts) == 2 and len(ax.patches) == 5
    drawn = sum(len(points.get_offsets()) for points in ax.collections)
    assert drawn == len(X) and len({patch.get_edgecolor() for patch in ax.patches}) == 2
    one = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [1.0]], [[[1.0]], [[1.0]]])
    ax = plotting.plot_clusters(
        merge_components(one, X[:, :1]), n_clusters=1, ax=Figure().subplots()
    )
    np.testing.assert_allclose(ax.lines[0].get_ydata(), ax.lines[1].get_ydata())  # cluster and all
    with pytest.raises(TypeError, match="plot_clusters needs the result of gmmfast.analysis"):
        plotting.plot_clusters(mixture, X)


def test_merging__keeps_its_mixture():
    """A later fit of the mixture that was given changes neither labels nor clusters."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 2)), 9 + rng.normal(size=(60, 2))])
    mixture = GaussianMixture(3, random_state=0).fit(X)
    merging = merge_components(mixture, X, n_clusters=2)
    before = merging.predict(X)
    mixture.set_params(n_components=2).fit(rng.normal(size=(50, 2)))
    np.testing.assert_array_equal(merging.predict(X), before)
    assert merging == merging and merging != merge_components(mixture, X, n_clusters=2)


@pytest.mark.parametrize("case", range(6))
def test_elbow__is_mclusts(case):
    """As by clustCombiOptim, with 4 to 8 components."""
    path = Path(__file__).parent / "mclust" / "describing.json"
    theirs = json.loads(path.read_text())["elbows"][case]
    assert elbow_of(np.array(theirs["entropies"])).n_clusters == theirs["n_clusters"]
