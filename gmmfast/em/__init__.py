"""The EM algorithm as Python sees it: where a fit stands, and the loop round compiled passes."""

from gmmfast.em.loop import (
    Control,
    EMResult,
    Observer,
    Position,
    Status,
    best_of,
    run,
)

__all__ = ["Control", "EMResult", "Observer", "Position", "Status", "best_of", "run"]
