"""Measurements in separate processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.packages import GMMFAST, SCIKIT_LEARN

ROOT = Path(__file__).parents[1]
MODULES = {GMMFAST: "gmmfast", SCIKIT_LEARN: "sklearn.mixture"}


def probe(*arguments: str, cache: str | None = None) -> dict[str, Any]:
    """Run one of the probes in a new process, with its own folder for machine code."""
    environment = os.environ | ({} if cache is None else {"NUMBA_CACHE_DIR": cache})
    command = [sys.executable, "-m", "benchmarks.probe", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)
