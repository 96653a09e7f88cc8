"""The two pictures of the examples, drawn when the pages are built."""

import matplotlib.pyplot as plt
import numpy as np

from gmmfast import GaussianMixture
from gmmfast.datasets import load_customers, load_sensors

BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d1495b"


def customers():
    """Rows in the colours of their segments, the undecided ones marked."""
    customers = load_customers()
    mixture = GaussianMixture(2, random_state=0).fit(customers.data)
    labels = mixture.predict(customers.data)
    undecided = mixture.predict_proba(customers.data).max(axis=1) < 0.9
    axes = plt.subplots()[1]
    draw_density(axes, mixture, customers.data)
    for k, colour in enumerate((ORANGE, BLUE)):
        rows = customers.data[labels == k]
        axes.scatter(*rows.T, s=14, color=colour, linewidths=0)
    axes.scatter(*mixture.means_.T, s=130, marker="+", color="black", label="means", zorder=3)
    axes.scatter(
        *customers.data[undecided].T,
        s=70,
        facecolors="none",
        edgecolors=RED,
        label="less than 0.9 sure",
    )
    axes.set_xlabel("average order value (euros)")
    axes.set_ylabel("orders a month")
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
    for k, colour in enumerate((GREEN, BLUE, ORANGE)):
        rows = sensors.data[labels == k]
        axes.scatter(*rows.T, s=8, color=colour, linewidths=0)
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
