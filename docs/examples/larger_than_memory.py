"""Fit a file in pieces and write the label of each row: python larger_than_memory.py [ROWS]."""

import sys
import tempfile
from pathlib import Path

import numpy as np

from gmmfast import GaussianMixture

COLUMNS = 8


def write_rows(path: Path, n_rows: int) -> None:
    """Write rows of four components as float32, a block at a time."""
    rng = np.random.default_rng(0)
    means = rng.normal(scale=4, size=(4, COLUMNS))
    shape = (n_rows, COLUMNS)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, n_rows, 100_000):
        block = rows[start : start + 100_000]
        block[:] = means[rng.integers(0, 4, len(block))] + rng.normal(size=block.shape)
    rows.flush()


def main(n_rows: int) -> GaussianMixture:
    """Fit, label, and print the result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        write_rows(path, n_rows)
        mixture = GaussianMixture(4, random_state=0).fit(path, progress=True)
        sizes = np.zeros(4, int)
        for labels in mixture.predict(path):
            sizes += np.bincount(labels, minlength=4)
    print(f"{n_rows} rows, {mixture.n_iter_} iterations, rows of the components: {sizes}")
    return mixture


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
