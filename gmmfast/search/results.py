"""Results of a search: one row per candidate, the ranking, and a summary as text."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.constraints import CRITERIA, Criterion
from gmmfast.models import Noise, Tails, maker_of
from gmmfast.reporting.report import Summary
from gmmfast.reporting.table import table
from gmmfast.search.best import decimals
from gmmfast.search.candidates import Candidate, CandidateFit
from gmmfast.search.twins import model_of

NOT_REACHED = "not reached"
NOT_COMPLETED = "* not completed: its likelihood may be higher"
ONE_LINE = "models that are the same with one component share a line"
MEASURED = ("log_likelihood", *CRITERIA)
IDENTITY = ("n_components", "covariance_type", "n_parameters")

FIELDS = [
    ("n_components", np.int64),
    ("covariance_type", "U24"),
    ("log_likelihood", np.float64),
    ("n_parameters", np.int64),
    ("bic", np.float64),
    ("aic", np.float64),
    ("aicc", np.float64),
    ("icl", np.float64),
    ("nec", np.float64),
    ("cv", np.float64),
    ("n_iter", np.int64),
    ("converged", np.bool_),
    ("degenerate", np.bool_),
    ("finished", np.bool_),
    ("seconds", np.float64),
    ("failure", "U60"),
]


class Results(np.ndarray):
    """Structured array with one row per candidate, in the order in which they were tried.

    The attributes are its fields, as in ``results["bic"]``.

    Attributes
    ----------
    n_components, covariance_type : int, str
        The candidate.
    log_likelihood : float
        Of all rows, in nats; NaN where there is no mixture.
    n_parameters : int
        Free parameters.
    bic, aic, aicc, icl, nec, cv : float
        Criteria: lower is better. `nec` and `cv` are NaN unless they are the criterion.
    n_iter, converged : int, bool
        How the fit ended.
    degenerate : bool
        A component has collapsed: the candidate is not ranked.
    finished : bool
        The fit went on to its end, or until the search was ended. If not, the likelihood and the
        criteria are as of its last pass, or what a sample lets expect: another candidate was
        better.
    seconds : float
        Time taken, without the partitions that all candidates start from.
    failure : str
        Why there is no mixture; empty where there is one.
    """

    @classmethod
    def of(
        cls,
        candidates: Sequence[Candidate],
        fits: Sequence[CandidateFit],
        n_features: int,
        noise: Noise | None = None,
        tails: Tails | None = None,
    ) -> Self:
        """Make the array of the fits, and of the candidates that were not reached."""
        array = np.zeros(len(candidates), FIELDS)
        models = {name: maker_of(name)(noise=noise, tails=tails) for _, name in candidates}
        array["n_components"] = [K for K, _ in candidates]
        array["covariance_type"] = [name for _, name in candidates]
        array["n_parameters"] = [models[name].n_parameters(K, n_features) for K, name in candidates]
        for name in MEASURED:
            array[name] = np.nan
        array["failure"] = NOT_REACHED
        places = {candidate: i for i, candidate in enumerate(candidates)}
        reached = [places[fit.candidate] for fit in fits]
        for name in (*MEASURED, "degenerate", "finished", "seconds", "failure"):
            array[name][reached] = [getattr(fit, name) for fit in fits]
        results = [fit.result for fit in fits]
        array["n_iter"][reached] = [0 if own is None else len(own.lower_bounds) for own in results]
        array["converged"][reached] = [own is not None and own.status.is_end for own in results]
        return array.view(cls)

    def to_pandas(self) -> Any:
        """Return a pandas data frame with the same columns.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas needs pandas: pip install pandas") from None

        return pandas.DataFrame({name: np.asarray(self[name]) for name, _ in FIELDS})

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dict of plain values per candidate, for JSON; None for NaN and infinity."""
        return [{name: _plain(row[name].item()) for name, _ in FIELDS} for row in self]

    def ranking(self, criterion: Criterion) -> NDArray[np.int64]:
        """Return the indices of the rows that can be ranked, the best finished fit first.

        Parameters
        ----------
        criterion : {"bic", "aic", "aicc", "icl", "nec", "cv"}
            Criterion to rank by.

        Returns
        -------
        ndarray of int
        """
        values = np.asarray(self[criterion])
        sound = np.flatnonzero(~np.asarray(self["degenerate"]) & np.isfinite(values))
        left = ~np.asarray(self["finished"])[sound]
        values = values[sound].copy()
        least = values[~left].min(initial=np.inf)
        if np.isfinite(least):
            values[left] = np.maximum(values[left], least)  # what a sample lets expect is not first
        return sound[np.lexsort((left, values))]

    def _listed(self, criterion: Criterion) -> Self:
        """Return the ranked candidates for a table; of those that are the same model, the first."""
        firsts: dict[Hashable, int] = {}
        for i in self.ranking(criterion).tolist():
            K, name, n_parameters = (self[field][i] for field in IDENTITY)
            firsts.setdefault(model_of(Candidate(K, name), n_parameters), i)
        return self[np.array([*firsts.values()], np.int64)].view(type(self))

    def summary(self, criterion: Criterion, n_best: int = 5) -> str:
        """Return the best candidates, and the outcome of the others, as text.

        Parameters
        ----------
        criterion : {"bic", "aic", "aicc", "icl", "nec", "cv"}
            Criterion to rank by.
        n_best : int, default=5
            Number of candidates to list.

        Returns
        -------
        str
        """
        best = self._listed(criterion)[:n_best].view(type(self))
        labels, columns = best._columns(criterion)
        notes = self._notes(best, criterion)
        return Summary("\n".join([*table("K", labels, columns), "", *notes]))

    def _repr_html_(self) -> str | None:
        if self.dtype.names != tuple(name for name, _ in FIELDS):
            return None  # one column, or some of them
        from gmmfast.reporting import html

        return html.results_of(self, "bic")

    def _columns(self, criterion: Criterion) -> tuple[list[str], list[tuple[str, list[str]]]]:
        """Return K of each candidate, and the columns of a summary: headings and cells."""
        columns = [
            ("model", list(map(marked, self["covariance_type"], self["finished"]))),
            ("log-likelihood", [f"{value:.2f}" for value in self["log_likelihood"]]),
            ("parameters", [str(count) for count in self["n_parameters"]]),
        ]
        for name in dict.fromkeys([criterion, "bic", "icl"]):
            columns.append((name.upper(), [decimals(name, value) for value in self[name]]))
        return [str(k) for k in self["n_components"]], columns

    def _notes(self, shown: Results, criterion: Criterion) -> list[str]:
        """Return the lines below a table of some candidates."""
        marks = [] if shown["finished"].all() else [NOT_COMPLETED]
        have_twins = len(self._listed(criterion)) < self.ranking(criterion).size
        if have_twins and (shown["n_components"] == 1).any():
            marks.append(ONE_LINE)
        return [*marks, *self._outcome(criterion)]

    def _outcome(self, criterion: Criterion) -> list[str]:
        """Return how many candidates are ranked, and why others are not, in a line or two."""
        name = criterion.upper()
        ranked = f"{self.ranking(criterion).size} of {len(self)} candidates ranked"
        lines = [f"{ranked} by {name}: lower is better"]
        counts, order = np.asarray(self["n_components"]), self.ranking(criterion)
        reached = counts[np.asarray(self["failure"]) != NOT_REACHED]
        if order.size and reached.min() < counts[order[0]] == reached.max():
            lines.append("the best has the largest K that was tried: larger ones may be better")
        collapsed = int(np.count_nonzero(self["degenerate"]))
        if collapsed:
            lines.append(f"not ranked: {collapsed} with a component that has collapsed")
        finished, has_mixture = np.asarray(self["finished"]), np.asarray(self["failure"]) == ""
        if not finished[has_mixture].all():
            n_completed = np.count_nonzero(finished & has_mixture)
            completed = f"{n_completed} of {np.count_nonzero(has_mixture)} fits completed"
            values = np.asarray(self[criterion])
            may_win = order.size and (values[~finished & has_mixture] < values[order[0]]).any()
            others = "the others may be better" if may_win else "the others could not win"
            lines.append(f"{completed}; {others}")
        reasons, n_each = np.unique(self["failure"], return_counts=True)
        for why, n in zip(reasons, n_each, strict=True):
            if why == NOT_REACHED:
                lines.append(f"not ranked: {n} that the search did not reach before it ended")
            elif why:
                lines.append(f"not ranked: {n} without a mixture ({why})")
        return lines


def marked(covariance_type: str, finished: bool) -> str:
    """Return the name of a model, with a mark if its fit was not completed."""
    return str(covariance_type) if finished else f"{covariance_type}*"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
