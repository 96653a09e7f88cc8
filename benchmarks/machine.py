"""The machine of the measurements."""

import datetime
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_info

from benchmarks.packages import daal4py
from gmmfast.kernels.threads import describe

PACKAGES = (
    "gmmfast", "numba", "numpy", "scikit-learn", "scipy", "scikit-learn-intelex", "dask", "pyspark",
)  # fmt: skip


def line() -> str:
    """Return one line; call it after fits, when the threading layer is known."""
    about = describe()
    blas = [f"{p['internal_api']} {p['num_threads']}" for p in threadpool_info()]
    onedal = [] if daal4py is None else [f"oneDAL {daal4py.num_threads()}"]
    facts = [
        processor(),
        f"vectors of {about['vector width']}",
        f"{about['threads']} threads ({about['threading layer']})",
        f"threads of others: {', '.join(sorted({*blas, *onedal}))}",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        ", ".join(f"{name} {found}" for name, found in versions().items()),
        f"{datetime.date.today():%Y-%m-%d}",
    ]
    return f"*Measured on* {'; '.join(facts)}."


def processor() -> str:
    """Model of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
        facts = {name.strip(): value.strip() for name, _, value in lines}
        family = f"family {facts['cpu family']}, " if "cpu family" in facts else ""
        if "model name" in facts:
            return f"{facts['model name']} ({family}{facts.get('siblings', '?')} logical cores)"
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of the installed packages."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
