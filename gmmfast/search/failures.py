"""Why candidates of a search have no mixture or cannot be ranked, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from gmmfast.models import maker_of
from gmmfast.parameters import Scatter
from gmmfast.rows.dependence import IN_GENERAL
from gmmfast.search.candidates import SINGULAR, TOO_FEW, Candidate, CandidateFit
from gmmfast.search.results import NOT_REACHED, Results


def are_all_singular(fits: Sequence[CandidateFit]) -> bool:
    """Whether the covariances of all candidates with correlations failed; without any, of all."""
    scatters = {name: maker_of(name)().scatter for _, name in (fit.candidate for fit in fits)}
    free = [fit for fit in fits if scatters[fit.candidate.covariance_type] is not Scatter.DIAGONAL]
    return bool(fits) and all(fit.failure == SINGULAR for fit in free or fits)


def why_none(fits: Sequence[CandidateFit], remedy: str) -> str:
    """Return why no candidate can be ranked.

    Parameters
    ----------
    fits : sequence of CandidateFit
        All of them.
    remedy : str
        Advice on dependent columns; empty if there is none.
    """
    failures = dict.fromkeys(fit.failure for fit in fits if fit.failure)
    collapsed = sum(fit.degenerate for fit in fits)
    found = [*failures, *([f"{collapsed} of them collapsed"] if collapsed else [])]
    if not found:
        return (
            f"None of {len(fits)} candidates can be ranked: the criterion is infinite, as they "
            "have more parameters than rows. Use another criterion, or fewer components or factors."
        )
    if found == [TOO_FEW]:
        remedy = "Lower n_components, or provide more rows."
    return f"None of {len(fits)} candidates can be ranked: {'; '.join(found)}. " + (
        remedy or f"{IN_GENERAL} Fewer components may help too."
    )


def why_not(candidate: Candidate, results: Results) -> str:
    """Return why there is no mixture of a candidate."""
    K, name = candidate
    for row in results:
        if (row["n_components"], row["covariance_type"]) == candidate:
            is_reached = row["failure"] != NOT_REACHED
            why = row["failure"] if is_reached else "the search ended before reaching it"
            return f"The candidate {name} with {K} components has no mixture: {why}."
    return (
        f"This search has no candidate {name!r} with n_components={K!r}. Its results_ list the "
        "candidates."
    )
