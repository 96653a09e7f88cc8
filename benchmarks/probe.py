"""One measurement in a separate process, printed as JSON; see `fresh.py`.

Nothing but the standard library is imported before the clock starts.
"""

import io
import json
import sys
import time
import warnings
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any


def first_fit(package: str, example: str) -> dict[str, float]:
    """Seconds of the import and of the first fit in this process."""
    begin = time.perf_counter()
    module = import_module(package)
    imported = time.perf_counter() - begin
    X = _rows(example)
    begin = time.perf_counter()
    module.GaussianMixture(3, random_state=0).fit(X)
    return {"import": imported, "fit": time.perf_counter() - begin}


def _rows(example: str) -> Any:
    """Return few rows, for one thread, or enough for all threads."""
    from numpy.random import default_rng

    n = {"small": 150, "large": 20_000}[example]
    return default_rng(0).normal(size=(n, 4)) + 6.0 * default_rng(1).integers(0, 3, (n, 1))


def command(*arguments: str) -> dict[str, Any]:
    """Seconds of a gmmfast command, with the import, and of compiling each kernel."""
    begin = time.perf_counter()
    from numba.core import event

    from gmmfast.cli import main

    with event.install_recorder("numba:compile") as recorder, redirect_stdout(io.StringIO()):
        status = main(arguments)
    if status:
        raise RuntimeError(f"gmmfast {' '.join(arguments)} has failed")
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "kernels": _compile_seconds(recorder.buffer)}


def _compile_seconds(events: list[Any]) -> dict[str, float]:
    """Seconds by kernel, in all its versions, without the kernels that it calls.

    One thread compiles at a time, so events are nested.
    """
    seconds: dict[str, float] = {}
    before, under_way = 0.0, []
    for now, event in events:
        if under_way:
            seconds[under_way[-1]] += now - before
        before = now
        if event.is_end:
            under_way.pop()
        else:
            function = event.data["dispatcher"].py_func
            module = function.__module__.removeprefix("gmmfast.kernels.")
            under_way.append(f"{module}.{function.__qualname__}")
            seconds.setdefault(under_way[-1], 0.0)
    return seconds


def peak_memory(package: str, n: str, d: str, n_components: str) -> dict[str, float]:
    """Bytes of the warm interpreter, of the data, and of a fit at its peak above both."""
    from benchmarks.cases import generated

    mixture_class = import_module(package).GaussianMixture
    shape = int(n), int(d), int(n_components)
    small = generated(20_000, *shape[1:])
    _fit(mixture_class, small, shape[2])  # loads the machine code, starts the threads
    interpreter = _status("VmRSS")
    X = generated(*shape)
    with_data = _status("VmRSS")
    _forget_peak()
    _fit(mixture_class, X, shape[2])
    peak = _status("VmHWM")
    return {"interpreter": interpreter, "data": X.nbytes, "fit": peak - with_data}


def file_memory(path: str, n_components: str) -> dict[str, float]:
    """Peak bytes of a fit of a file read in chunks, above the warm interpreter."""
    import numpy as np

    from gmmfast import GaussianMixture, chunks

    few = np.load(path, mmap_mode="r")[:20_000].copy()
    _fit(GaussianMixture, chunks(few), int(n_components))
    del few
    interpreter = _status("VmRSS")
    _forget_peak()
    _fit(GaussianMixture, path, int(n_components))
    return {"interpreter": interpreter, "fit": _status("VmHWM") - interpreter}


def _fit(mixture_class: Any, X: Any, n_components: int) -> None:
    mixture_class(n_components, max_iter=5, tol=0.0, random_state=0).fit(X)


def _status(field: str) -> int:
    """Bytes of resident memory, now or at the peak.

    Not ``getrusage``: its peak includes the parent process.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise KeyError(field)


def _forget_peak() -> None:
    """Reset the peak (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    probes = {probe.__name__: probe for probe in (first_fit, command, peak_memory, file_memory)}
    print(json.dumps(probes[sys.argv[1]](*sys.argv[2:])))
