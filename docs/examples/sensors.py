"""
Anomalies in sensor data
========================

A machine runs idle, at normal load or at full load, and reports temperature and pressure. Among
2,000 readings there are 20 that fit none of the three. Which ones?

A mixture gives every reading a density: how usual it is, near whichever operating point. An
anomaly is a reading of low density. There is no need to say in advance what an anomaly looks
like, nor to know the operating point of a reading.
"""

import matplotlib.pyplot as plt
import numpy as np

from gmmfast import GaussianMixture
from gmmfast.datasets import load_sensors
from gmmfast.plotting import plot_mixture

sensors = load_sensors()
X, planted = sensors.data, sensors.anomaly
mixture = GaussianMixture(3, random_state=0).fit(X)

# %%
# Flag the rows of lowest density
# -------------------------------
#
# ``score_samples`` returns the log density of each row. The least likely 1 percent are flagged.

log_density = mixture.score_samples(X)
flagged = np.argsort(log_density)[: len(X) // 100]
print(f"{planted[flagged].sum()} of {planted.sum()} anomalies are found")

ax = plot_mixture(mixture, X)
ax.scatter(*X[flagged].T, s=80, facecolors="none", edgecolors="black", label="flagged")
ax.set(xlabel="temperature (degrees Celsius)", ylabel="pressure (bar)", title="Unusual readings")
plt.show()

# %%
# All twenty are found, without a false alarm: there is a wide gap between the most likely
# anomaly and the least likely normal reading.

print(f"largest log density of an anomaly: {log_density[planted].max():.1f}")
print(f"smallest of a normal reading:      {log_density[~planted].min():.1f}")

# %%
# Real data rarely have such a gap, and the number of anomalies is unknown. Then the share of
# rows to flag is a decision about effort: how many readings can be checked?

fig, ax = plt.subplots()
bins = np.linspace(log_density.min(), log_density.max(), 60)
ax.hist(
    [log_density[~planted], log_density[planted]], bins, stacked=True, label=["normal", "planted"]
)
ax.axvline(log_density[flagged].max(), color="black", linestyle="--", label="limit, 1 percent")
ax.set(xlabel="log density (nats)", ylabel="readings", yscale="log")
ax.legend()
plt.show()

# %%
# Anomalies bend the fit
# ----------------------
#
# The twenty are only 1 percent of the readings, and yet they widen the components that have to
# account for them. Fit again without the flagged rows, by giving them weight 0, and each
# operating point has the spread of the machine.


def deviations(mixture):
    """Standard deviations (K, d) of the components, from cold to hot."""
    order = mixture.means_[:, 0].argsort()
    return np.sqrt(mixture.covariances_[order][:, [0, 1], [0, 1]])


weights = np.ones(len(X))
weights[flagged] = 0
clean = GaussianMixture(3, random_state=0).fit(X, sample_weight=weights)
print("degrees and bar, all rows:")
print(deviations(mixture).round(2))
print("without the flagged rows:")
print(deviations(clean).round(2))

# %%
# Later readings are scored by the same mixture, which a file can keep:
# ``clean.save("machine.npz")``, and ``gmmfast score machine.npz today.csv`` on the
# :doc:`command line </command-line>`.
