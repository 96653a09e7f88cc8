"""The state of random generators, as JSON can hold it."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmfast.data.validation import Random
from gmmfast.files.archive import plain, require

SOURCES = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # NumPy's


def state_of(random: Random) -> dict[str, Any]:
    """Return the state of a random generator, as JSON can hold it."""
    state: Any
    if isinstance(random, np.random.RandomState):
        state = {"kind": "RandomState", **random.get_state(legacy=False)}
    else:
        state = {"kind": "Generator", **random.bit_generator.state}
    return {name: _plain(value) for name, value in state.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else plain(value)


def generator_of(state: dict[str, Any]) -> Random:
    """Return the random generator of a state; ValueError if there is none."""
    source = state["bit_generator"]
    require(source in SOURCES, f"its random generator is none of {', '.join(SOURCES)}")
    bits, values = getattr(np.random, source)(0), _arrays(state)
    kind = values.pop("kind")
    require(kind in ("RandomState", "Generator"), "its random generator is damaged")
    if kind == "Generator":
        bits.state = values
        return np.random.Generator(bits)
    random = np.random.RandomState(bits)
    random.set_state(values)
    return random


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _arrays(item) for name, item in value.items()}
    return np.array(value, np.uint64) if isinstance(value, list) else value
