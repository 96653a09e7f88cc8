"""Classify with one mixture per class, on the handwritten digits of scikit-learn.

A row belongs to the class that maximizes ``log prior + log p(row | class)``, where the density of
a class is a Gaussian mixture that was fitted to the rows of that class alone.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast import GaussianMixture

Array = NDArray[Any]


class Classes(NamedTuple):
    """What has been learned of each class."""

    labels: Array  # (C,)
    log_priors: Array  # (C,) log of its share of the rows
    mixtures: list[GaussianMixture]  # one a class


def learn(X: Array, y: Array, **params: Any) -> Classes:
    """Fit a mixture to the rows of each class; `params` go to GaussianMixture."""
    labels, counts = np.unique(y, return_counts=True)
    mixtures = [GaussianMixture(**params).fit(X[y == label]) for label in labels]
    return Classes(labels, np.log(counts / counts.sum()), mixtures)


def log_joint(classes: Classes, X: Array) -> Array:
    """Log of the joint density of row and class (n, C)."""
    log_densities = [mixture.score_samples(X) for mixture in classes.mixtures]
    return np.column_stack(log_densities) + classes.log_priors


def classify(classes: Classes, X: Array) -> Array:
    """Label (n,) of the most probable class of each row."""
    return classes.labels[log_joint(classes, X).argmax(axis=1)]


def probabilities(classes: Classes, X: Array) -> Array:
    """Probability (n, C) of each class given the row, by Bayes' theorem."""
    joint = log_joint(classes, X)
    return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))


def digits() -> tuple[Array, Array, Array, Array]:
    """Rows and labels to learn from, and others to classify: the halves of the digits."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    half = len(X) // 2
    return X[:half], y[:half], X[half:], y[half:]


def accuracy(n_components: int = 2, reg_covar: float = 3.0, seed: int = 0) -> float:
    """Share of the second half of the digits that is classified as it should be."""
    X, y, new, truth = digits()
    classes = learn(X, y, n_components=n_components, reg_covar=reg_covar, random_state=seed)
    return float(np.mean(classify(classes, new) == truth))


if __name__ == "__main__":
    print(f"{accuracy():.1%} of the digits are recognized")
