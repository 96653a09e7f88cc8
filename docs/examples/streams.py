"""
Streams that drift
==================

``partial_fit`` learns from batches that are seen once and not kept. The first batch is fitted;
each later one moves the mixture a step toward its own rows. If the source drifts,
``forgetting`` keeps these steps from vanishing.
"""

import matplotlib.pyplot as plt
import numpy as np

from gmmfast import GaussianMixture

rng = np.random.default_rng(0)
CENTERS = np.array([[0.0, 0.0], [6.0, 0.0]])


def batch(time, n_rows=300):
    """Rows of two groups, the second of which moves upward as time goes from 0 to 1."""
    which = rng.integers(0, 2, n_rows)
    return CENTERS[which] + which[:, None] * [0.0, 8.0 * time] + rng.normal(size=(n_rows, 2))


# %%
# Two mixtures see the same 80 batches. One weighs all rows about equally, as is right for a
# source that does not change. The other replaces at least a tenth of its memory with every
# batch.

times = np.linspace(0, 1, 80)
equal = GaussianMixture(2, random_state=0)
forgetful = GaussianMixture(2, random_state=0)
heights = []
for time in times:
    rows = batch(time)
    equal.partial_fit(rows)
    forgetful.partial_fit(rows, forgetting=0.1)
    heights.append([mixture.means_[:, 1].max() for mixture in (equal, forgetful)])
heights = np.array(heights)

# %%
# The forgetful mixture follows, a few batches behind. The other one averages over the whole
# past.

fig, ax = plt.subplots()
ax.plot(times, 8 * times, color="black", linestyle="--", label="true mean")
ax.plot(times, heights[:, 1], label="forgetting=0.1")
ax.plot(times, heights[:, 0], label="no forgetting")
ax.set(xlabel="time", ylabel="mean of the second group", title="A group that moves")
ax.legend()
plt.show()

# %%
# The mean log density of the last batch, before it was learned, is ``lower_bound_``. A fall
# says that the source changes faster than the mixture follows.

print(f"no forgetting:  {equal.lower_bound_:.2f} nats per row")
print(f"forgetting=0.1: {forgetful.lower_bound_:.2f} nats per row")
print(f"rows seen: {forgetful.n_samples_seen_:.0f}")
