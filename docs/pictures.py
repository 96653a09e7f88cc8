"""The pictures of the pages, drawn when they are built."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from gmmfast import (
    BayesianGaussianMixture,
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    Prior,
)
from gmmfast.analysis import merge_components, simulate
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.datasets import load_customers
from gmmfast.inference import bootstrap
from gmmfast.plotting import plot_clusters, plot_criterion, plot_entropy, plot_mixture


def criterion():
    """BIC of all models on the customers."""
    search = GaussianMixtureIC(range(1, 7), random_state=0).fit(load_customers().data)
    plot_criterion(search)


def models():
    """What each of the 14 models can look like: ellipses of three components."""
    axes = plt.subplots(3, 5, figsize=(9.0, 5.6))[1].ravel()
    for ax, code in zip(axes, MODEL_CODES, strict=False):
        draw_model(ax, code)
    axes[-1].axis("off")


def draw_model(ax, code):
    """Three components whose volumes, shapes and axes are what the letters say."""
    volumes = {"E": (1.0, 1.0, 1.0), "V": (1.6, 0.5, 1.0)}[code[0]]
    shapes = {"I": (1.0, 1.0, 1.0), "E": (4.0, 4.0, 4.0), "V": (4.0, 1.2, 0.3)}[code[1]]
    angles = {"I": (0.0, 0.0, 0.0), "E": (0.6, 0.6, 0.6), "V": (0.6, -0.9, 1.5)}[code[2]]
    covariances = []
    for volume, shape, angle in zip(volumes, shapes, angles, strict=True):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s], [s, c]])
        ratio = np.sqrt(shape)
        covariances.append(volume * turn @ np.diag([ratio, 1 / ratio]) @ turn.T)
    means = [[-4.5, 0.0], [0.0, 0.0], [4.5, 0.0]]
    mixture = GaussianMixture.from_parameters(np.full(3, 1 / 3), means, covariances)
    plot_mixture(mixture, sigmas=(1.5,), ax=ax)
    ax.get_legend().remove()
    ax.set(
        title=code,
        xlabel="",
        ylabel="",
        xticks=[],
        yticks=[],
        aspect="equal",
        xlim=(-7, 7),
        ylim=(-3.5, 3.5),
    )


def missing():
    """Means of groups from rows with gaps: by the likelihood, and after filling in column means."""
    rows, gaps = gappy_rows()
    filled = np.where(np.isnan(gaps), np.nanmean(gaps, axis=0), gaps)
    known = GaussianMixture(2, missing_values="marginalize", random_state=0).fit(gaps)
    guessed = GaussianMixture(2, random_state=0).fit(filled)
    axes = plt.subplots(1, 2, figsize=(8.0, 3.6), sharex=True, sharey=True)[1]
    cases = (
        (known, gaps, "what is known"),
        (guessed, filled, "column means filled in"),
    )
    for ax, (mixture, X, title) in zip(axes, cases, strict=True):
        complete = X[~np.isnan(X).any(axis=1)]
        plot_mixture(mixture, complete, ax=ax)
        ax.set(title=title)


def gappy_rows():
    """Two groups of correlated columns, and the same rows without 40 % of their values."""
    rng = np.random.default_rng(0)
    covariance = [[1.0, 0.8], [0.8, 1.0]]
    rows = np.concatenate([rng.multivariate_normal(m, covariance, 300) for m in ([0, 0], [5, 0])])
    mask = rng.uniform(size=rows.shape) < 0.4
    mask[mask.all(axis=1), 0] = False
    return rows, np.where(mask, np.nan, rows)


def small_samples():
    """Three groups of six rows with and without a prior, and what more rows make of both."""
    axes = plt.subplots(1, 3, figsize=(9.6, 3.3))[1]
    rows = groups(18, [[-3, -2], [0, 3], [3, -2]], seed=8)
    for ax, prior in zip(axes, (None, "mclust"), strict=False):
        mixture = GaussianMixture(3, prior=prior, random_state=0, max_iter=1000)
        plot_mixture(mixture.fit(rows), rows, ax=ax)
        ax.get_legend().remove()
        ax.set(title=f"prior={prior!r}", xlim=(-9, 9), ylim=(-9, 9))
    counts = 18, 24, 30, 45, 60, 100, 200, 500
    centers = 3 * np.random.default_rng(0).normal(size=(3, 4))
    new = groups(3000, centers, seed=1)
    priors = {"None": None, "'mclust'": "mclust", "Prior(scale=2)": Prior(scale=2.0)}
    for label, prior in priors.items():
        fits = [[fitted(groups(n, centers, s), prior) for s in range(10, 20)] for n in counts]
        scores = [np.median([mixture.score(new) for mixture in own]) for own in fits]
        axes[2].plot(counts, scores, ".-", label=label)
    axes[2].set(title="log density of new rows", xlabel="rows", xscale="log", ylim=(-13, -6))
    axes[2].set_xticks([20, 50, 100, 200, 500], [20, 50, 100, 200, 500])
    axes[2].minorticks_off()
    axes[2].legend(title="prior")
    plt.tight_layout()


def fitted(rows, prior):
    """Three components, whether or not some collapse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(3, prior=prior, random_state=0).fit(rows)


def groups(n, centers, seed):
    """Rows about centers, in turn."""
    centers = np.asarray(centers, float)
    noise = np.random.default_rng(seed).normal(size=(n, centers.shape[1]))
    return centers[np.arange(n) % len(centers)] + noise


def bayesian():
    """Components that three groups of rows keep of ten, by the concentration of their weights."""
    X = groups(300, [[-4, -2], [0, 3], [4, -2]], seed=3)
    axes = plt.subplots(2, 3, figsize=(9.6, 5.4), height_ratios=[3, 1])[1]
    for (ax, bars), concentration in zip(axes.T, (1e-3, 1.0, 100.0), strict=True):
        mixture = BayesianGaussianMixture(
            n_components=10,
            weight_concentration_prior=concentration,
            weight_concentration_prior_type="dirichlet_distribution",
            max_iter=2000,
            random_state=0,
        ).fit(X)
        kept = mixture.weights_ > 0.01
        weights = mixture.weights_[kept] / mixture.weights_[kept].sum()
        drawn = GaussianMixture.from_parameters(
            weights, mixture.means_[kept], mixture.covariances_[kept]
        )
        plot_mixture(drawn, X, ax=ax)
        ax.get_legend().remove()
        ax.set(title=f"concentration {concentration:g}", xlim=(-8, 8), ylim=(-6, 7))
        bars.bar(range(1, 11), np.sort(mixture.weights_)[::-1])
        bars.set(ylim=(0, 0.4), xlabel="component, by weight", xticks=range(1, 11))
    axes[1, 0].set_ylabel("weight")
    plt.tight_layout()


def tails():
    """Components of rows with heavy tails: Gaussian ones, and t distributions."""
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.standard_t(2, size=(200, 2)) + center for center in (-4.0, 4.0)])
    settled = {"tol": 1e-6, "max_iter": 1000, "acceleration": "auto", "random_state": 0}
    axes = plt.subplots(1, 2, figsize=(8.0, 3.9), sharex=True, sharey=True)[1]
    for ax, component in zip(axes, ("gaussian", "t"), strict=True):
        plot_mixture(GaussianMixture(2, component=component, **settled).fit(X), X, ax=ax)
        ax.set(title=f"component={component!r}", xlim=(-16, 16), ylim=(-16, 16))


def merging():
    """An arc and two round groups: components, entropies of clusters, and clusters."""
    X = arc_and_groups()
    search = GaussianMixtureIC(range(1, 11), covariance_types=["VVV"], random_state=0).fit(X)
    found = merge_components(search, X)
    axes = plt.subplots(1, 3, figsize=(10.4, 3.5))[1]
    plot_mixture(search, X, sigmas=(2.0,), ax=axes[0])
    axes[0].get_legend().remove()
    plot_entropy(found, axes[1])
    plot_clusters(found, X, sigmas=(2.0,), ax=axes[2])


def arc_and_groups():
    """Rows along half a circle, within it, and beside it."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, np.pi, size=500)
    arc = 4 * np.column_stack([np.cos(angles), np.sin(angles)])
    arc += rng.normal(scale=0.3, size=(500, 2))
    round_groups = [rng.normal(0, 0.6, size=(200, 2)), rng.normal([7, 3], 0.8, size=(200, 2))]
    return np.concatenate([arc, *round_groups])


def factors():
    """Means of eight components of digits, and the two strongest factors of each."""
    X = load_digits().data
    own = {"covariance_type": "factor", "n_factors": 4, "reg_covar": 0.1, "max_iter": 300}
    mixture = GaussianMixture(8, random_state=0, **own).fit(X)
    axes = plt.subplots(3, 8, figsize=(9.0, 3.5))[1]
    for k, column in enumerate(axes.T):
        column[0].imshow(mixture.means_[k].reshape(8, 8), cmap="gray_r")
        for ax, loadings in zip(column[1:], mixture.loadings_[k].T, strict=False):
            largest = np.abs(loadings).max()
            ax.imshow(loadings.reshape(8, 8), cmap="RdBu", vmin=-largest, vmax=largest)
    for ax, name in zip(axes[:, 0], ("mean", "factor 1", "factor 2"), strict=True):
        ax.set_ylabel(name)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])


def overlaps():
    """Five components whose covariances are scaled to three overlaps."""
    axes = plt.subplots(1, 3, figsize=(10.4, 3.5), sharex=True, sharey=True)[1]
    for ax, average in zip(axes, (0.001, 0.01, 0.05), strict=True):
        mixture = simulate(5, 2, average_overlap=average, random_state=3)
        plot_mixture(mixture, mixture.sample(1000)[0], sigmas=(2.0,), ax=ax)
        ax.get_legend().remove()
        ax.set(title=f"average overlap {average}")


def outliers():
    """Components of rows with outliers: by a plain mixture, and by one with noise."""
    rng = np.random.default_rng(0)
    groups = [rng.normal(center, 1.0, size=(200, 2)) for center in (-3.0, 3.0)]
    X = np.concatenate([*groups, rng.uniform(-30.0, 30.0, size=(20, 2))])
    axes = plt.subplots(1, 2, figsize=(8.0, 3.9), sharex=True, sharey=True)[1]
    for ax, noise in zip(axes, (None, True), strict=True):
        mixture = GaussianMixture(2, noise=noise, random_state=0).fit(X)
        plot_mixture(mixture, X, ax=ax)
        ax.set(title="with noise" if noise else "without", xlim=(-32, 32), ylim=(-32, 32))


def regression():
    """A conditional mean with its band, of rows that fork, and conditional densities."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-4.0, 4.0, 900)
    branch = np.where(rng.uniform(size=x.size) < 0.6, 0.8, -0.9)
    y = np.where(x < 0, 0.15 * x, branch * x) + rng.normal(scale=0.3, size=x.size)
    mixture = GaussianMixtureIC(covariance_types=["full"], prior="mclust", random_state=0)
    mixture.fit(np.column_stack([x, y]))
    left, right = plt.subplots(1, 2, figsize=(8.6, 3.8), sharey=True, width_ratios=[2, 1])[1]
    grid, heights = np.linspace(-4.0, 4.0, 300)[:, None], np.linspace(-4.8, 4.5, 400)[:, None]
    means, deviations = (v[:, 0] for v in mixture.predict_features(grid, known=0, return_std=True))
    left.plot(x, y, ".", color="0.7", markersize=3)
    left.plot(grid, means, color="C0")
    low, high = means - 2 * deviations, means + 2 * deviations
    left.fill_between(grid[:, 0], low, high, color="C0", alpha=0.2, linewidth=0)
    for color, place in zip(("C1", "C2", "C3"), (-2.0, 1.0, 3.0), strict=True):
        left.axvline(place, color=color, linewidth=1)
        density = np.exp(mixture.condition({0: place}).score_samples(heights))
        right.plot(density, heights, color=color, label=f"x = {place:g}")
    left.set(xlabel="x", ylabel="y", xlim=(-4, 4), ylim=(-4.8, 4.5))
    right.set(xlabel="density of y given x", xlim=(0, None))
    right.legend()
    plt.tight_layout()


def classes():
    """Regions of three classes: by one component per class, and by a mixture per class."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(0.0, 2 * np.pi, 300)
    ring = 4 * np.column_stack([np.cos(angles), np.sin(angles)]) + 0.5 * rng.normal(size=(300, 2))
    inside, corner = rng.normal(size=(200, 2)), [5.0, 5.0] + rng.normal(size=(100, 2))
    X, y = np.concatenate([ring, inside, corner]), np.repeat([0, 1, 2], [300, 200, 100])
    edges, colors = np.linspace(-6.5, 8.5, 300), ["C0", "C1", "C2"]
    grid = np.stack(np.meshgrid(edges, edges), axis=-1).reshape(-1, 2)
    axes = plt.subplots(1, 2, figsize=(8.4, 4.2), sharex=True, sharey=True)[1]
    for ax, kind in zip(axes, ("edda", "mclustda"), strict=True):
        model = GaussianMixtureClassifier(kind=kind).fit(X, y)
        regions, levels = model.predict(grid).reshape(300, 300), np.arange(-0.5, 3.0)
        ax.contourf(edges, edges, regions, levels=levels, colors=colors, alpha=0.2)
        for label, color in enumerate(colors):
            ax.plot(*X[y == label].T, ".", color=color, markersize=3)
        title = f'kind="{kind}": {100 * model.score(X, y):.0f} % of these rows'
        ax.set(title=title, aspect="equal")
    plt.tight_layout()


def sureness():
    """Means of bootstrap replicates over the rows, and the distribution of one of them."""
    X = load_customers().data[:120]
    mixture = GaussianMixture(2, tol=1e-6, random_state=0).fit(X)
    found = bootstrap(mixture, X, random_state=0)
    left, right = plt.subplots(1, 2, figsize=(8.6, 3.6))[1]
    left.plot(*X.T, ".", color="0.7", markersize=3)
    for k in range(2):
        left.plot(*found.replicates.means[:, k].T, ".", color=f"C{k}", markersize=2, alpha=0.4)
    left.plot(*mixture.means_.T, "k+", markersize=10)
    left.set(xlabel="average order value", ylabel="orders per month")
    right.hist(found.replicates.means[:, 0, 0], bins=40, color="C0", alpha=0.6)
    right.axvspan(found.low.means[0, 0], found.high.means[0, 0], color="0.85", zorder=0)
    right.axvline(mixture.means_[0, 0], color="k", linewidth=1)
    right.set(xlabel="mean of the average order value", ylabel="replicates")
    plt.tight_layout()
