"""EM in Python: the state of a fit, and the loop around compiled passes."""

from gmmfast.em.loop import (
    BOUND,
    Control,
    EMResult,
    Observer,
    Position,
    Status,
    best_of,
    run,
)

__all__ = ["BOUND", "Control", "EMResult", "Observer", "Position", "Status", "best_of", "run"]
