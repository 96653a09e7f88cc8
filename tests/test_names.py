"""The names that ``import gmmfast`` offers."""

import subprocess
import sys

import pytest

import gmmfast

pytestmark = pytest.mark.quick

LAZY = """
import sys, gmmfast
loaded = [n for n in ("plotting", "datasets", "reporting.html") if f"gmmfast.{n}" in sys.modules]
print(loaded, "matplotlib" in sys.modules)
print(gmmfast.plotting.plot_mixture.__name__, len(gmmfast.datasets.load_sensors().data))
print(gmmfast.tables.read_table.__name__, "matplotlib" in sys.modules)
"""


def test_import__loads_modules_on_first_use():
    command = [sys.executable, "-W", "error", "-c", LAZY]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == ["[] False", "plot_mixture 2000", "read_table False"]


def test_import__lists_public_names_only():
    names = dir(gmmfast)
    assert {"GaussianMixture", "plotting", "tables", "datasets", "__version__"} <= {*names}
    assert not {"em", "kernels", "import_module", "Any"} & {*names}
    for name in names:
        assert getattr(gmmfast, name) is not None
    with pytest.raises(AttributeError, match="module 'gmmfast' has no attribute 'plotings'"):
        gmmfast.plotings  # noqa: B018
