"""Write the example data: ``python -m gmmfast.datasets.generate [folder]``.

The numbers come from ``numpy.random.RandomState``, whose streams NumPy has frozen, so the files
are the same wherever they are made.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["customers", "main", "sensors"]


def customers() -> tuple[str, ...]:
    """Lines of ``customers.csv``.

    Returns
    -------
    tuple of str
        A header line, then 350 rows: 230 customers with small frequent orders (segment 0) and 120
        with large rare ones (segment 1).
    """
    rng = np.random.RandomState(20240501)
    frequent = _normal(rng, 230, mean=(38.0, 4.6), sd=(9.0, 1.1), correlation=-0.35)
    rare = _normal(rng, 120, mean=(96.0, 1.5), sd=(19.0, 0.45), correlation=-0.2)
    values = np.concatenate([frequent, rare])
    segments = np.repeat([0, 1], [len(frequent), len(rare)])
    # A year has whole orders, so a customer's monthly rate is a multiple of 1 / 12.
    values[:, 0] = np.maximum(values[:, 0], 5.0)
    values[:, 1] = np.maximum(np.rint(values[:, 1] * 12), 1) / 12
    lines = ["average_order_value,orders_per_month,segment"]
    for i in rng.permutation(len(values)):
        lines.append(f"{values[i, 0]:.2f},{values[i, 1]:.2f},{segments[i]}")
    return tuple(lines)


def sensors() -> tuple[str, ...]:
    """Lines of ``sensors.csv``.

    Returns
    -------
    tuple of str
        A header line, then 2,000 rows: 1,980 around three operating points and 20 anomalies, at
        least 6 standard deviations away from each of the three.
    """
    rng = np.random.RandomState(20240502)
    counts = (420, 960, 600)
    means = ((41.0, 2.2), (63.0, 5.6), (84.0, 8.1))
    sds = ((2.2, 0.16), (3.0, 0.34), (2.4, 0.28))
    correlations = (0.25, 0.7, 0.45)
    parts = [
        _normal(rng, count, mean, sd, correlation)
        for count, mean, sd, correlation in zip(counts, means, sds, correlations, strict=True)
    ]
    anomalies: list[NDArray[np.float64]] = []
    while len(anomalies) < 20:
        row = np.array([rng.uniform(30.0, 100.0), rng.uniform(1.0, 10.0)])
        if min(map(_distance, [row] * 3, means, sds, correlations)) > 6.0:
            anomalies.append(row)
    values = np.concatenate([*parts, np.array(anomalies)])
    points = np.repeat([0, 1, 2, -1], [*counts, len(anomalies)])
    lines = ["temperature,pressure,operating_point,anomaly"]
    for i in rng.permutation(len(values)):
        anomaly = int(points[i] < 0)
        lines.append(f"{values[i, 0]:.1f},{values[i, 1]:.2f},{points[i]},{anomaly}")
    return tuple(lines)


def _normal(
    rng: np.random.RandomState,
    count: int,
    mean: tuple[float, float],
    sd: tuple[float, float],
    correlation: float,
) -> NDArray[np.float64]:
    """Rows of a bivariate normal distribution."""
    z: NDArray[np.float64] = rng.standard_normal((count, 2))
    z[:, 1] = correlation * z[:, 0] + np.sqrt(1 - correlation**2) * z[:, 1]
    rows: NDArray[np.float64] = np.asarray(mean) + z * np.asarray(sd)
    return rows


def _distance(
    row: NDArray[np.float64],
    mean: tuple[float, float],
    sd: tuple[float, float],
    correlation: float,
) -> float:
    """Mahalanobis distance of a row from a bivariate normal distribution."""
    a, b = (row - mean) / sd
    return float(np.sqrt((a * a - 2 * correlation * a * b + b * b) / (1 - correlation**2)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both files.

    Parameters
    ----------
    arguments : sequence of str, optional
        The folder they go to, under their own names; by default the arguments of the command
        line, and without any the package's own folder.
    """
    given = sys.argv[1:] if arguments is None else arguments
    folder = Path(given[0]) if given else Path(__file__).parent
    for name, lines in (("customers.csv", customers()), ("sensors.csv", sensors())):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
