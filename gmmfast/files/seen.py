"""What a checkpoint knows of the rows, to recognize them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from gmmfast.data.validation import check_feature_names
from gmmfast.files.archive import Arrays, require
from gmmfast.parameters import Floats
from gmmfast.rows import Rows


class MismatchError(ValueError):
    """A checkpoint is of another fit.

    Parameters
    ----------
    what : str
        What it is of, and what was given.
    remedy : str
        A sentence.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)

    def __str__(self) -> str:
        return "The checkpoint is of {}. {}".format(*self.args)


@dataclass(frozen=True)
class Seen:
    """Facts about rows."""

    names: list[str] | None  # of the columns
    mean: Floats  # (d,)
    center: Floats  # (d,) that parameters are relative to
    dtype: np.dtype[Any]
    n_rows: int  # of positive weight
    weight: float  # of all rows

    @classmethod
    def of(cls, rows: Rows, names: list[str] | None) -> Self:
        """Return the facts about rows whose columns have these names."""
        return cls(names, rows.mean, rows.center, rows.dtype, rows.n_rows, rows.weight)

    @classmethod
    def in_file(cls, manifest: dict[str, Any], arrays: Arrays) -> Self:
        """Return the facts that `manifest` and `arrays` of another object hold, checked."""
        n_rows, weight, names = manifest["n_rows"], manifest["weight"], manifest["names"]
        known = type(n_rows) is int and type(weight) is float and math.isfinite(weight)
        require(known and n_rows > 0 and weight > 0, "the number of rows is damaged")
        require(manifest["dtype"] in ("float32", "float64"), "the type of the rows is unknown")
        mean, center = arrays["mean"], arrays["center"]
        names = None if names is None else check_feature_names(names, len(mean))
        return cls(names, mean, center, np.dtype(manifest["dtype"]), n_rows, weight)

    def manifest(self) -> dict[str, Any]:
        """Return everything but the arrays, as JSON can hold it."""
        return {
            "names": self.names,
            "dtype": self.dtype.name,
            "n_rows": self.n_rows,
            "weight": self.weight,
        }

    def arrays(self) -> Arrays:
        """Return the arrays, of shape (d,), by name."""
        return {"mean": self.mean, "center": self.center}

    def require_same(self, rows: Rows, spread: float) -> None:
        """Raise ValueError unless these facts hold for rows of this standard deviation."""
        if rows.n_rows != self.n_rows or not math.isclose(rows.weight, self.weight, rel_tol=1e-9):
            raise other_rows(
                f"there are {rows.n_rows} of total weight {rows.weight:g}, and were {self.n_rows} "
                f"of {self.weight:g}"
            )
        close = np.isclose(rows.mean, self.mean, rtol=1e-9, atol=1e-9 * spread)
        if not close.all():
            j = int(np.argmin(close))
            raise other_rows(
                f"the mean of feature {j} is {rows.mean[j]:.10g}, and was {self.mean[j]:.10g}"
            )


def other_rows(how: str) -> MismatchError:
    """Return the error for rows other than the checkpoint's."""
    return MismatchError(f"other rows: {how}", "Fit the same rows, or start anew.")


def less_likely(bound: float, before: float) -> MismatchError:
    """Return the error for rows of another mean log-likelihood."""
    return other_rows(f"their mean log-likelihood is {bound:.6g}, and was {before:.6g}")
