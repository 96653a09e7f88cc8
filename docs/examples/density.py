"""
Density estimation
==================

A histogram depends on its bins. A mixture gives a smooth density by a few numbers, from which
probabilities follow, and which can be sampled. Here it is the density of the petal lengths of
150 irises.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from gmmfast import GaussianMixture

length = load_iris().data[:, [2]]  # one column, centimeters
mixture = GaussianMixture(3, random_state=0).fit(length)

# %%
# The density and its parts
# -------------------------
#
# ``score_samples`` returns the logarithm of the density. Each component is a normal density
# times its weight.

x = np.linspace(0, 8, 500)[:, None]
density = np.exp(mixture.score_samples(x))
parts = mixture.predict_proba(x) * density[:, None]

fig, ax = plt.subplots()
ax.hist(length[:, 0], 30, density=True, color="0.85", label="histogram")
ax.plot(x, density, color="black", label="mixture")
ax.plot(x, parts, linestyle="--")
ax.set(xlabel="petal length (cm)", ylabel="density (per cm)", title="Three components")
ax.legend()
plt.show()

# %%
# A density may exceed 1, and its logarithm may be positive: density is probability per unit,
# here per centimeter. In millimeters all densities are a tenth, and every log density falls by
# log 10.

print(f"largest density {density.max():.2f} per cm")
in_mm = GaussianMixture(3, reg_covar=1e-4, random_state=0).fit(10 * length)
print(f"mean log density: {mixture.score(length):.3f} in cm, {in_mm.score(10 * length):.3f} in mm")

# %%
# Sampling
# --------
#
# ``sample`` draws new rows from the density, with the component that each came from. Averages
# over many of them answer questions that have no formula, such as the probability of a petal
# between 2 and 4 centimeters.

rows, components = mixture.sample(100_000)
print(f"{np.mean((rows > 2) & (rows < 4)):.3f}")
print(f"{np.mean((length > 2) & (length < 4)):.3f} of the data")
