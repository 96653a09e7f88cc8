"""Two small examples that come with the package.

Both are made by :mod:`gmmfast.datasets.generate`; no real person or machine is behind them.
"""

import csv
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXAMPLES", "Dataset", "load_customers", "load_sensors"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to cluster, and facts about them.

    Attributes
    ----------
    data : ndarray of shape (n_rows, n_features)
        The features, float64.
    feature_names : list of str
        One name per feature.
    target : ndarray of shape (n_rows,) or None
        The group that each row was drawn from.
    anomaly : ndarray of bool of shape (n_rows,) or None
        The rows that were planted outside all groups.
    description : str
        What the rows and columns are, with units.
    """

    data: NDArray[np.float64]
    feature_names: list[str]
    target: NDArray[np.intp] | None
    anomaly: NDArray[np.bool_] | None
    description: str


def load_customers() -> Dataset:
    """Load customers of a shop: average order value and orders per month.

    Returns
    -------
    Dataset
        `data` of shape (350, 2). `target` is 0 for customers who order little and often, 1 for
        those who order rarely and much.

    Examples
    --------
    >>> from gmmfast.datasets import load_customers
    >>> customers = load_customers()
    >>> customers.data.shape, customers.feature_names
    ((350, 2), ['average_order_value', 'orders_per_month'])
    """
    names, table = _read("customers.csv")
    return Dataset(
        data=table[:, :2].copy(),
        feature_names=names[:2],
        target=table[:, 2].astype(np.intp),
        anomaly=None,
        description=(
            "350 customers of a shop over one year: average order value (euros) and purchase "
            "frequency (orders per month). Two segments: small frequent orders, large rare ones."
        ),
    )


def load_sensors() -> Dataset:
    """Load temperature and pressure of a machine, with some anomalies.

    Returns
    -------
    Dataset
        `data` of shape (2000, 2). `target` is the operating point 0, 1 or 2 (idle, normal load,
        full load), -1 for an anomaly; `anomaly` marks the 20 rows that belong to none.

    Examples
    --------
    >>> from gmmfast.datasets import load_sensors
    >>> sensors = load_sensors()
    >>> sensors.data.shape, int(sensors.anomaly.sum())
    ((2000, 2), 20)
    """
    names, table = _read("sensors.csv")
    return Dataset(
        data=table[:, :2].copy(),
        feature_names=names[:2],
        target=table[:, 2].astype(np.intp),
        anomaly=table[:, 3] == 1,
        description=(
            "2,000 readings of a machine: temperature (degrees Celsius) and pressure (bar) around "
            "three operating points (idle, normal load, full load), 20 of them anomalies."
        ),
    )


EXAMPLES = {"customers": load_customers, "sensors": load_sensors}


def _read(name: str) -> tuple[list[str], NDArray[np.float64]]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return header, np.array(rows, dtype=np.float64)
