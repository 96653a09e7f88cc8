"""How sure a result is: standard errors and intervals of its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmfast.calculator.sessions import Job
from gmmfast.estimators.mixture import load
from gmmfast.inference import bootstrap

REPLICATES = 999
MOST = 1 << 22  # products of a pass, about 30 s for all replicates


def sureness_of(job: Job) -> dict[str, Any]:
    """Return standard errors and intervals of the parameters of a finished fit.

    Raises
    ------
    ValueError
        If the fit was to other units or rows, if there are too many rows, or if most replicates
        collapse.
    """
    settings, table = job.settings, job.loaded.table
    order = [table.names.index(name) for name in settings.columns]
    values = np.ascontiguousarray(table.values[:, order])
    if settings.standardize or settings.trim or np.isnan(values).any():
        raise ValueError(
            "Standard errors need a fit to all rows in the units of the data: no standardized "
            "columns, no rows left out, no missing values. Change this, and calculate again."
        )
    mixture = load(job.session.folder / "model.npz")
    if hasattr(mixture, "feature_names_in_"):
        del mixture.feature_names_in_  # the columns are in order: an array needs no names
    (n, d), K = values.shape, len(mixture.weights_)
    if n * K * d * d > MOST:
        raise ValueError(
            "These are too many rows to wait for 999 fits here. Use gmmfast fit --bootstrap in a "
            "terminal."
        )
    mixture.set_params(
        tol=settings.tol,
        reg_covar=settings.reg_covar,
        prior="mclust" if settings.prior else None,
        noise=settings.noise,
    )
    found = bootstrap(mixture, values, REPLICATES, kind="weighted", random_state=0)
    return {"lines": found.lines(settings.columns), **found.to_dict()}
