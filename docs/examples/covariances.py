"""
Four shapes of components
=========================

``covariance_type`` says what ellipses the components may have. Fewer free numbers need fewer
rows; more of them describe more. These are the four names of scikit-learn; there are :doc:`ten
more </models>`.
"""

import matplotlib.pyplot as plt
import numpy as np

from gmmfast import GaussianMixture
from gmmfast.plotting import plot_mixture

rng = np.random.default_rng(3)
long = rng.normal(size=(300, 2)) @ [[2.0, 1.2], [0.0, 0.4]]
broad = rng.normal(size=(200, 2)) * [0.5, 1.6] + [5.0, -2.0]
round_ = rng.normal(size=(100, 2)) * 0.4 + [2.0, -4.0]
X = np.concatenate([long, broad, round_])

# %%
# BIC weighs the fit against the number of parameters; lower is better.

MEANING = {
    "spherical": "one variance per component",
    "diag": "one variance per component and column",
    "tied": "one matrix for all",
    "full": "one matrix per component",
}
fig, axes = plt.subplots(2, 2, figsize=(9, 7), sharex=True, sharey=True)
for ax, (covariance_type, meaning) in zip(axes.ravel(), MEANING.items(), strict=True):
    mixture = GaussianMixture(3, covariance_type=covariance_type, n_init=3, random_state=0).fit(X)
    plot_mixture(mixture, X, ax=ax)
    ax.set(title=f"{covariance_type}: {meaning}", xlabel="", ylabel="")
    print(f"{covariance_type:<9}  BIC {mixture.bic(X):.0f}")
plt.show()

# %%
# One group is tilted, one is upright and one is round, so only ``full`` can describe all three.
# Where groups are alike, ``tied`` does with fewer rows.
