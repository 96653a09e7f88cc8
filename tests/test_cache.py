"""Machine code is kept, never stale, and only costs time where it cannot be kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gmmfast

RUN = """
import numpy as np
from gmmfast.kernels.caching import cache_folder
from gmmfast.kernels.cholesky import invert_cholesky as kernel
from gmmfast.models.base import inverse_cholesky
factors, log_dets = inverse_cholesky(np.array([[[4.0]]]))
print(cache_folder(), float(factors[0, 0, 0]), sum(kernel.stats.cache_hits.values()))
"""


def uncompiled(folder):
    """A folder with a copy of the package, without machine code."""
    lacking = shutil.ignore_patterns("*.nb?", "*.tmp.*", "claims")
    shutil.copytree(Path(gmmfast.__file__).parent, folder / "gmmfast", ignore=lacking)
    return folder


@pytest.fixture
def package(tmp_path):
    """A copy of the package that may be edited, with a cache of its own."""
    return uncompiled(tmp_path)


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """The same after one process has used it."""
    folder = uncompiled(tmp_path_factory.mktemp("used"))
    assert run(folder)[1:] == ["0.5", "0"]
    return folder


@pytest.fixture
def compiled(used, tmp_path):
    """A copy of that, with its cache, which may be edited."""
    shutil.copytree(used, tmp_path, dirs_exist_ok=True)
    return tmp_path


def run(package, code=RUN, **environment):
    """What a new process prints that uses the copy."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "PYTHONPATH": str(package), **environment},
        capture_output=True,
        text=True,
        cwd=package,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_second_process_compiles_nothing(compiled):
    assert run(compiled)[1:] == ["0.5", "1"]


def test_edited_kernel_is_compiled_again(compiled):
    """Also where the edit is in another file than the kernel that is called."""
    simd = compiled / "gmmfast" / "kernels" / "simd.py"
    simd.write_text(simd.read_text() + "\n# edited\n")
    assert run(compiled)[1:] == ["0.5", "0"]
    cholesky = compiled / "gmmfast" / "kernels" / "cholesky.py"
    text = cholesky.read_text()
    assert "scale = 1.0 / np.sqrt(pivot)" in text
    cholesky.write_text(text.replace("scale = 1.0 / np.sqrt", "scale = 3.0 / np.sqrt"))
    assert run(compiled)[1] == "1.5"


def test_damaged_entries_are_compiled_again(compiled):
    folder = compiled / "gmmfast" / "kernels" / "__pycache__"
    entries = list(folder.glob("cholesky.invert_cholesky*.nb?"))
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:40])
    assert run(compiled)[1:] == ["0.5", "0"]
    assert run(compiled)[1:] == ["0.5", "1"]


TWO = """
import numpy as np
from gmmfast.kernels.cholesky import invert_cholesky as kernel
for dtype in ("f8", "f4"):
    covariances, factors = np.array([[[4.0]]], dtype), np.empty((1, 1, 1), dtype)
    kernel(covariances, np.empty((1, 1), dtype), factors, np.empty(1))
    print(float(factors[0, 0, 0]), sum(kernel.stats.cache_hits.values()))
"""


def test_two_processes_number_their_files_alike(compiled):
    """The index names a file that the other process has written, for another element type."""
    folder = compiled / "gmmfast" / "kernels" / "__pycache__"
    run(compiled, TWO)
    first, second = sorted(folder.glob("cholesky.invert_cholesky*.nbc"))
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    assert run(compiled, TWO) == ["0.5", "0", "0.5", "0"]
    assert run(compiled, TWO) == ["0.5", "1", "0.5", "2"]


def test_file_of_before_an_edit(compiled):
    """The index is written before the file, which for a moment is that of the older source."""
    folder = compiled / "gmmfast" / "kernels" / "__pycache__"
    (entry,) = folder.glob("cholesky.invert_cholesky*.nbc")
    before = entry.read_bytes()
    cholesky = compiled / "gmmfast" / "kernels" / "cholesky.py"
    text = cholesky.read_text()
    cholesky.write_text(text.replace("scale = 1.0 / np.sqrt", "scale = 3.0 / np.sqrt"))
    assert run(compiled)[1] == "1.5"
    entry.write_bytes(before)
    assert run(compiled)[1:] == ["1.5", "0"]


def test_no_folder_can_be_written(package):
    """A file stands where each folder would be; the fit runs all the same, and says nothing."""
    (package / "blocked").write_text("")
    folder = package / "gmmfast" / "kernels" / "__pycache__"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("")
    blocked = str(package / "blocked" / "cache")
    output = run(package, XDG_CACHE_HOME=blocked, HOME=blocked, PYTHONDONTWRITEBYTECODE="1")
    assert output == ["None", "0.5", "0"]


def test_full_disk_costs_only_time(package):
    code = (
        "from numba.core.caching import IndexDataCacheFile as File\n"
        "def full(*_): raise OSError(28, 'No space left on device')\n"
        "File._save_data = full\n" + RUN
    )
    assert run(package, code)[1:] == ["0.5", "0"]


def test_import_compiles_nothing(package):
    code = (
        "import numba.core.dispatcher as d\n"
        "def fail(*_, **__): raise AssertionError('compiled at import')\n"
        "d._FunctionCompiler.compile = fail\n"
        "import gmmfast, gmmfast.cli\n"
        "from gmmfast.kernels import evaluation, expectation\nprint('imported')"
    )
    assert run(package, code) == ["imported"]
