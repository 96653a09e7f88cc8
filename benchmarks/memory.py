"""Peak memory of a fit above the warm interpreter and the data."""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.fresh import MODULES, probe
from benchmarks.packages import GMMFAST, SCIKIT_LEARN
from benchmarks.tables import Goal, number, table
from benchmarks.timing import Plan

CASES = (Case("", 1_000_000, 10, 10, 0, 0), Case("", 300_000, 32, 32, 0, 0))
MB = 1e6


@dataclass(frozen=True)
class Memory:
    """Bytes of the data, and of a fit above interpreter and data, by package."""

    case: Case
    data: float
    fit: dict[str, float]

    @property
    def limit(self) -> float:
        """One packed copy, 24 bytes per row, 100 MB."""
        return self.data + 24 * self.case.n + 100 * MB


def measure(plan: Plan) -> list[Memory]:
    """Peak memory of fits from their own start; none if the system does not report it."""
    if not Path("/proc/self/clear_refs").exists():
        return []
    results = []
    for case in CASES:
        case = case.shrunk() if plan.quick else case
        shape = [str(number) for number in (case.n, case.d, case.n_components)]
        found = {name: probe("peak_memory", m, *shape) for name, m in MODULES.items()}
        used = {name: bytes_["fit"] for name, bytes_ in found.items()}
        results.append(Memory(case, found[GMMFAST]["data"], used))
        print(f"memory  {case.title()}  {used}", file=sys.stderr, flush=True)
    return results


def goals(results: list[Memory]) -> list[Goal]:
    return [
        Goal(f"peak memory, {r.case.title()}", r.fit[GMMFAST] / MB, r.limit / MB, True, "MB")
        for r in results
    ]


def section(results: list[Memory]) -> str:
    header = ["case", "data, MB", "gmmfast, MB", "limit, MB", f"{SCIKIT_LEARN}, MB"]
    rows = []
    for r in results:
        figures = (r.data, r.fit[GMMFAST], r.limit, r.fit[SCIKIT_LEARN])
        rows.append([r.case.title(), *(number(figure / MB) for figure in figures)])
    return table(header, rows)
