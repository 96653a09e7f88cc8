"""
Larger than memory
==================

EM needs only sums over the data, so a file need not fit in memory: each iteration reads it
once, in pieces of 2 MB. The result is that of the rows in memory. This script takes the number
of rows as its argument: ``python larger_than_memory.py 20000000`` writes and fits 640 MB.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gmmfast import GaussianMixture
from gmmfast.plotting import plot_mixture

N_ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
COLUMNS = 8

# %%
# A file that grows block by block
# --------------------------------
#
# Four groups of rows in float32, written to a memory map. No more than 100,000 rows are in
# memory.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
rng = np.random.default_rng(0)
means = rng.normal(scale=4, size=(4, COLUMNS))
rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(N_ROWS, COLUMNS))
for start in range(0, N_ROWS, 100_000):
    block = rows[start : start + 100_000]
    block[:] = means[rng.integers(0, 4, len(block))] + rng.normal(size=block.shape)
rows.flush()
print(f"{path.stat().st_size / 1e6:.0f} MB")

# %%
# Fit the path
# ------------
#
# A path in place of an array is all that it takes. Predictions then come piece by piece, too.

mixture = GaussianMixture(4, random_state=0).fit(path)
sizes = np.zeros(4, int)
for labels in mixture.predict(path):
    sizes += np.bincount(labels, minlength=4)
print(f"{N_ROWS} rows, {mixture.n_iter_} iterations, rows of the components: {sizes}")

# %%
# The first two of the eight columns, with a hundredth of the rows.

ax = plot_mixture(mixture, rows[::100], features=(0, 1))
ax.set(xlabel="column 1", ylabel="column 2", title="Four components, read from a file")
plt.show()
del rows, block
folder.cleanup()

# %%
# Text, Parquet and Arrow files, folders of them and Zarr arrays are read in the same way:
# :doc:`/larger-than-memory` says more.
