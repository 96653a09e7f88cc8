"""
How many components?
====================

A search fits each of the 14 covariance models with 1 to 9 components, and ranks all of them by
a criterion. The data are four measurements of 150 irises, of three species.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from gmmfast import GaussianMixtureIC
from gmmfast.plotting import plot_criterion, plot_mixture

iris = load_iris()
X, species = iris.data, iris.target
search = GaussianMixtureIC(random_state=0).fit(X)
print(search.summary())

# %%
# The criterion of all candidates
# -------------------------------
#
# A curve per model, and a ring around the best. Candidates with a collapsed component are left
# out: their likelihood has no upper bound, so that their criteria mean nothing.

ax = plot_criterion(search)
ax.set_title("BIC of the irises")
plt.show()

# %%
# BIC prefers two components, just before three of the same model. The difference is below 2,
# and that means that both are about equally good. The species versicolor and virginica overlap
# so much that measurements alone hardly tell whether they are one group or two.

results = search.results_
own = results["covariance_type"] == "VEV"
for K, bic in zip(results["n_components"][own][:4], results["bic"][own][:4], strict=True):
    print(f"VEV, K={K}: BIC {bic:.2f}")

# %%
# What was found
# --------------
#
# Two components of the best mixture in the plane of petal length and petal width. One is
# setosa; the other is versicolor and virginica together.

ax = plot_mixture(search.best_estimator_, X, features=(2, 3))
ax.set(xlabel=iris.feature_names[2], ylabel=iris.feature_names[3], title="Two components")
plt.show()

labels = search.predict(X)
for number, name in enumerate(iris.target_names):
    print(f"{name:<10}: rows per component {np.bincount(labels[species == number], minlength=2)}")
