"""
Classification: one mixture per class
=====================================

A mixture describes how rows of one kind are distributed. With one mixture for each class,
Bayes' theorem makes a classifier: a row belongs to the class with the largest sum of log prior
and log density. The density is what ``score_samples`` returns. Nothing else is needed.

The data are the 1,797 handwritten digits of scikit-learn: 8 by 8 pixels, each between 0 and 16.
The first half is learned from, and the second half is classified, without shuffling: the digits
seem to lie in the order of their writers, so that the second half is mostly by other hands.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from gmmfast import GaussianMixture


def learn(X, y, **params):
    """Fit one mixture to the rows of each class; return log priors (C,) and mixtures."""
    labels, counts = np.unique(y, return_counts=True)
    mixtures = [GaussianMixture(**params).fit(X[y == label]) for label in labels]
    return np.log(counts / counts.sum()), mixtures


def log_joint(log_priors, mixtures, X):
    """Log of the joint density of row and class, (n, C)."""
    return log_priors + np.column_stack([mixture.score_samples(X) for mixture in mixtures])


X, y = load_digits(return_X_y=True)
half = len(X) // 2
classes = learn(X[:half], y[:half], n_components=2, reg_covar=3.0, random_state=0)
joint = log_joint(*classes, X[half:])
labels = joint.argmax(axis=1)
accuracy = np.mean(labels == y[half:])
print(f"{accuracy:.1%} of the digits are recognized")

# %%
# Means of components are images: two ways to write each digit.

fig, axes = plt.subplots(2, 10, figsize=(9, 2))
for mixture, column in zip(classes[1], axes.T, strict=True):
    for mean, ax in zip(mixture.means_, column, strict=True):
        ax.imshow(mean.reshape(8, 8), cmap="gray_r")
        ax.set_axis_off()
plt.show()

# %%
# Why ``reg_covar`` is 3
# ----------------------
#
# Some pixels are 0 in each image of a class, and 90 images cannot tell 64 variances and 2,016
# covariances apart. ``reg_covar`` adds to the variance of each pixel, here 3, which is a
# standard deviation of 1.7 gray levels. The number was chosen without a look at the second
# half: by the log density of held-out images of the first.

held_out = np.arange(600, half)
for reg_covar in (0.3, 1.0, 3.0, 10.0):
    part = learn(X[:600], y[:600], n_components=2, reg_covar=reg_covar, random_state=0)
    log_density = log_joint(*part, X[held_out])[np.arange(len(held_out)), y[held_out]]
    print(f"reg_covar {reg_covar:4}: {log_density.mean():.0f} nats per image")

# %%
# Is it a digit at all?
# ---------------------
#
# Any classifier gives noise a label, and mostly a confident one. The density exposes it: each
# of a hundred noisy images is less likely than each of the digits.

noise = np.random.default_rng(0).uniform(0, 16, size=(100, 64))
log_density = [np.logaddexp.reduce(log_joint(*classes, rows), axis=1) for rows in (X[half:], noise)]
fig, ax = plt.subplots()
ax.hist(log_density, 60, stacked=True, label=["digits", "noise"])
ax.set(xlabel="log density (nats)", ylabel="images")
ax.legend()
plt.show()

# %%
# With one component per class and full covariances this is quadratic discriminant analysis.
# Classes may differ in their numbers of components and in their covariances, chosen for each by
# :class:`gmmfast.GaussianMixtureIC`.
