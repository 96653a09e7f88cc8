"""Fit a Dask array on a cluster of two processes: python cluster.py."""

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from gmmfast import GaussianMixture


def rows_of_two_segments() -> da.Array:
    """A million rows in ten partitions, each made by the worker that needs it."""
    noise = da.random.default_rng(0).normal(size=(1_000_000, 4), chunks=(100_000, 4))
    segment = da.random.default_rng(1).integers(0, 2, size=(1_000_000, 1), chunks=(100_000, 1))
    return noise + 5.0 * segment


def main() -> GaussianMixture:
    """Fit, and count the rows of each component."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        X = rows_of_two_segments()
        mixture = GaussianMixture(2, random_state=0).fit(X, progress=True)
        sizes = da.bincount(mixture.predict(X), minlength=2).compute()
    print(f"means\n{mixture.means_.round(2)}\nrows {np.asarray(sizes)}")
    return mixture


if __name__ == "__main__":
    main()
