"""How strong the evidence for each candidate of a search is, by differences in BIC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gmmfast.reporting.table import table
from gmmfast.search.results import NOT_COMPLETED, Results, marked

TIED = 2.0  # difference in BIC up to which two candidates are equally good
GRADES = ((TIED, "tied"), (6.0, "positive"), (10.0, "strong"))  # differences up to these
LISTED = 10  # candidates in the text


class Compared(NamedTuple):
    """A candidate beside the best.

    Attributes
    ----------
    n_components, covariance_type : int, str
        The candidate.
    bic : float
        Its BIC.
    difference : float
        Its BIC minus that of the best.
    probability : float
        Posterior probability among all models, if they are equally likely before the data; NaN
        where the evidence is open.
    evidence : str
        For the best, against this candidate: "tied", "positive", "strong" or "very strong"; "best"
        for the best itself; "open" where the search ended before a fit that may be better.
    finished : bool
        Whether its fit was completed; else its BIC may be a little lower.
    """

    n_components: int
    covariance_type: str
    bic: float
    difference: float
    probability: float
    evidence: str
    finished: bool


@dataclass(frozen=True)
class Comparison:
    """Candidates by rising BIC; printed as a table.

    Attributes
    ----------
    candidates : tuple of Compared
        Those that can be ranked, the best first; of candidates that are the same model, the first.
    """

    candidates: tuple[Compared, ...]

    @classmethod
    def of(cls, results: Results) -> Comparison:
        """Compare the candidates of a search that can be ranked."""
        ranked = results._listed("bic")
        differences = np.asarray(ranked["bic"] - ranked["bic"][:1])
        is_open = ~np.asarray(ranked["finished"]) & (differences < 0)  # the search has ended early
        shares = np.where(is_open, np.nan, np.exp(-np.where(is_open, 0.0, differences) / 2))
        shares /= np.nansum(shares)
        found = [
            Compared(
                int(row["n_components"]),
                str(row["covariance_type"]),
                float(row["bic"]),
                float(difference),
                float(share),
                "open" if is_open[i] else _grade(difference) if i else "best",
                bool(row["finished"]),
            )
            for i, (row, difference, share) in enumerate(
                zip(ranked, differences, shares, strict=True)
            )
        ]
        return cls(tuple(found))

    @property
    def tied(self) -> tuple[Compared, ...]:
        """The best candidate, and those that are practically as good."""
        return tuple(one for one in self.candidates if one.evidence in ("best", "tied"))

    def __str__(self) -> str:
        shown = self.candidates[:LISTED]
        columns = [
            ("model", [marked(one.covariance_type, one.finished) for one in shown]),
            ("BIC", [f"{one.bic:.2f}" for one in shown]),
            ("difference", [f"{one.difference:.2f}" for one in shown]),
            ("probability", [_share(one.probability) for one in shown]),
            ("evidence", [one.evidence for one in shown]),
        ]
        n_tied, more = len(self.tied), len(self.candidates) - len(shown)
        outcome = f"{n_tied} candidates are practically tied: their BIC differs by at most {TIED:g}"
        if n_tied == 1:
            outcome = f"No other candidate is within {TIED:g} of the best BIC"
        lines = table("K", [str(one.n_components) for one in shown], columns)
        notes = [outcome] + ([] if all(one.finished for one in shown) else [NOT_COMPLETED])
        return "\n".join([*lines, *([f"and {more} more"] if more else []), "", *notes])

    __repr__ = __str__


def _share(probability: float) -> str:
    return "" if math.isnan(probability) else f"{probability:.3f}"


def _grade(difference: float) -> str:
    return next((name for most, name in GRADES if difference <= most), "very strong")
