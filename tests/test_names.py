"""The names that ``import gmmfast`` offers, and the types of options."""

import subprocess
import sys
from typing import get_args, get_type_hints

import pytest

import gmmfast
from gmmfast import GaussianMixture, GaussianMixtureIC, plotting
from gmmfast.data import constraints
from gmmfast.search.results import Results

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


def choices(function, name):
    """The strings that the type of a parameter allows."""
    parts = get_type_hints(function)[name]
    found = [part for part in (parts, *get_args(parts)) if isinstance(part, str)]
    for part in get_args(parts):
        found += [choice for choice in get_args(part) if isinstance(choice, str)]
    return {*found}


@pytest.mark.parametrize(
    ("function", "name", "allowed"),
    [
        (GaussianMixture.__init__, "covariance_type", constraints.COVARIANCE_TYPES),
        (GaussianMixture.__init__, "init_params", constraints.STARTS),
        (GaussianMixture.__init__, "acceleration", constraints.ACCELERATIONS),
        (GaussianMixture.from_parameters, "covariance_type", constraints.COVARIANCE_TYPES),
        (GaussianMixtureIC.__init__, "criterion", constraints.CRITERIA),
        (GaussianMixtureIC.__init__, "acceleration", constraints.ACCELERATIONS),
        (GaussianMixtureIC.__init__, "on_interrupt", constraints.INTERRUPTS),
        (GaussianMixtureIC.estimator, "covariance_type", constraints.COVARIANCE_TYPES),
        (Results.ranking, "criterion", constraints.CRITERIA),
        (Results.summary, "criterion", constraints.CRITERIA),
        (plotting.plot_criterion, "criterion", constraints.CRITERIA),
    ],
)
def test_types__of_options_are_their_choices(function, name, allowed):
    """A type checker finds a typo."""
    assert choices(function, name) == {*allowed}


def test_types__of_starts_allow_no_other_text():
    assert str not in get_args(get_type_hints(GaussianMixture.__init__)["init_params"])
