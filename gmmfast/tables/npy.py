"""Files of numpy.save."""

from pathlib import Path

import numpy as np

from gmmfast.tables.base import Floats, default_names, require_finite


class NpyFile:
    """A 2-D array saved by numpy.save, mapped and never unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            array = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, EOFError) as error:
            if "Python objects" in str(error):
                raise ValueError(
                    f"{path}: the array must hold plain numbers; got Python objects, "
                    "which gmmfast never unpickles. Save it as float64."
                ) from None
            raise ValueError(
                f"{path}: an array written by numpy.save is required; "
                "this file is damaged or something else. Write it again."
            ) from None
        if array.ndim != 2:
            hint = " Use array.reshape(-1, 1) for one column." if array.ndim == 1 else ""
            raise ValueError(
                f"{path}: the array must have shape (rows, columns); got {array.shape}.{hint}"
            )
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"{path}: the array must hold real numbers; got dtype {array.dtype}. "
                "Save it as float64."
            )
        if 0 in array.shape:
            raise ValueError(
                f"{path}: the array must have at least one row and column; got {array.shape}."
            )
        self.array = array
        self.names = default_names(array.shape[1])
        self.has_names = False

    @property
    def n_bytes(self) -> float:
        """Of an array of float32 or float64."""
        return float(self.array.size * max(self.array.itemsize, 4))

    def read(self, picked: list[int]) -> Floats:
        """Return the picked columns; ValueError names the first cell that is not finite."""
        dtype = np.float32 if self.array.dtype == np.float32 else np.float64
        whole = picked == list(range(len(self.names)))
        values: Floats = np.array(self.array if whole else self.array[:, picked], dtype=dtype)
        require_finite(self.path, values, [self.names[i] for i in picked])
        return values
