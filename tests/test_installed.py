"""The package works without files of source: from a zip file, and from bytecode alone."""

import compileall
import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

import gmmfast

KERNEL = """
import numpy as np
from gmmfast.kernels.cholesky import invert_cholesky as kernel
from gmmfast.kernels.caching import cache_folder
from gmmfast.models.base import inverse_cholesky
factors, log_dets = inverse_cholesky(np.array([[[4.0]]]))
print(float(factors[0, 0, 0]), sum(kernel.stats.cache_hits.values()), cache_folder() is not None)
"""
FIT = """
import sys
import numpy as np
import gmmfast, gmmfast.calculator.app as app
from gmmfast.cli import main
from gmmfast.datasets import load_sensors
assert load_sensors().data.shape == (2000, 2)
assert app.static_file("index.html").body.startswith(b"<!doctype html>")
assert gmmfast.GaussianMixture(2, random_state=0).fit(np.eye(4)).n_features_in_ == 4
sys.exit(main(["fit", "--example", "customers", "-k", "2", "--init", "random_from_data"]))
"""


@pytest.fixture(params=["zip", "bytecode"])
def place(request, tmp_path):
    """Where the package is, in another form."""
    source, copy = Path(gmmfast.__file__).parent, tmp_path / "tree" / "gmmfast"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    if request.param == "zip":
        zipapp.create_archive(copy.parent, tmp_path / "app.pyz", main="gmmfast.cli:main")
        shutil.rmtree(copy)
        return tmp_path / "app.pyz"
    assert compileall.compile_dir(copy, quiet=1, legacy=True)
    for file in copy.rglob("*.py"):
        file.unlink()
    return copy.parent


def run(place, *arguments, **environment):
    """What a new process prints."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    cache = str(place.parent / "cache")
    result = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**inherited, "PYTHONPATH": str(place), "NUMBA_CACHE_DIR": cache, **environment},
        capture_output=True,
        text=True,
        cwd=place.parent,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_kernels__cached_where_the_sources_can_be_read(place):
    is_zip = place.suffix == ".pyz"
    assert run(place, "-c", KERNEL).split() == ["0.5", "0", str(is_zip)]
    assert run(place, "-c", KERNEL).split() == ["0.5", str(int(is_zip)), str(is_zip)]


def test_package__fits_and_has_its_data(place):
    out = run(place, "-c", FIT, NUMBA_DISABLE_JIT="1")
    assert "2 components" in out and "average_order_value" in out


def test_zipapp__is_the_command(tmp_path, place):
    if place.suffix == ".pyz":
        assert run(place, place, "--version").startswith("gmmfast ")
    else:
        assert run(place, "-m", "gmmfast", "--version").startswith("gmmfast ")
