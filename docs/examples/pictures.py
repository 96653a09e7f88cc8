"""The pictures of the pages, drawn when they are built."""

import matplotlib.pyplot as plt
import numpy as np

from gmmfast import GaussianMixture, GaussianMixtureIC
from gmmfast.data.constraints import MODEL_CODES
from gmmfast.datasets import load_customers, load_sensors
from gmmfast.plotting import plot_criterion, plot_mixture

BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d1495b"


def customers():
    """Rows in the colors of their segments, the undecided ones marked."""
    customers = load_customers()
    mixture = GaussianMixture(2, random_state=0).fit(customers.data)
    labels = mixture.predict(customers.data)
    undecided = mixture.predict_proba(customers.data).max(axis=1) < 0.9
    axes = plt.subplots()[1]
    draw_density(axes, mixture, customers.data)
    for k, color in enumerate((ORANGE, BLUE)):
        rows = customers.data[labels == k]
        axes.scatter(*rows.T, s=14, color=color, linewidths=0)
    axes.scatter(*mixture.means_.T, s=130, marker="+", color="black", label="means", zorder=3)
    axes.scatter(
        *customers.data[undecided].T,
        s=70,
        facecolors="none",
        edgecolors=RED,
        label="less than 0.9 sure",
    )
    axes.set_xlabel("average order value (euros)")
    axes.set_ylabel("orders per month")
    axes.legend(frameon=False)


def sensors():
    """Rows by operating point, and the least likely hundredth of them."""
    sensors = load_sensors()
    mixture = GaussianMixture(3, random_state=0).fit(sensors.data)
    labels = mixture.predict(sensors.data)
    log_density = mixture.score_samples(sensors.data)
    flagged = np.argsort(log_density)[:20]
    axes = plt.subplots()[1]
    draw_density(axes, mixture, sensors.data)
    for k, color in enumerate((GREEN, BLUE, ORANGE)):
        rows = sensors.data[labels == k]
        axes.scatter(*rows.T, s=8, color=color, linewidths=0)
    axes.scatter(
        *sensors.data[flagged].T,
        s=80,
        facecolors="none",
        edgecolors=RED,
        label="the 20 least likely rows",
    )
    axes.set_xlabel("temperature (degrees Celsius)")
    axes.set_ylabel("pressure (bar)")
    axes.legend(frameon=False, loc="upper left")


def draw_density(axes, mixture, rows):
    """Lines of equal density; from one to the next it falls by a factor of e squared."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = 0.08 * (high - low)
    x, y = (np.linspace(a, b, 300) for a, b in zip(low - margin, high + margin, strict=True))
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    log_density = mixture.score_samples(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    levels = log_density.max() - 2.0 * np.arange(6, 0, -1)
    axes.contour(x, y, log_density, levels=levels, colors="0.6", linewidths=0.8, linestyles="solid")


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
