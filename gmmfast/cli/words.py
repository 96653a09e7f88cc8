"""Messages of the library in the command line's own words: ``--max-iter``, not ``max_iter``."""

import contextlib
import re
import warnings
from collections.abc import Iterator

from gmmfast.errors import CollapsedComponentWarning

OPTIONS = {  # of parameters
    "n_components": "-k",
    "n_clusters": "--clusters",
    "covariance_type": "--covariance",
    "covariance_types": "--covariance",
    "n_factors": "--factors",
    "init_params": "--init",
    "random_state": "--seed",
    "sample_weight": "--weight-column",
    "missing_values": "--missing",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            "tol",
            "max_iter",
            "n_init",
            "reg_covar",
            "covariance_ratio",
            "noise",
            "noise_volume",
            "component",
            "degrees_of_freedom",
            "trim",
            "max_seconds",
            "patience",
            "exhaustive",
            "criterion",
        )
    },
}
IN_PYTHON = re.compile(r" \((?:[\w.]+=[\w.]*|the same names) in Python\)")
CHECKED = re.compile(r"The '(\w+)' parameter of (?:GaussianMixture(?:IC)?|merge_components)\b")
# "component" and "noise" are words as well, and the prior has degrees of freedom of its own
PATTERNS = {
    "component": r"component(?==)",
    "noise": r"noise(?==)",
    "degrees_of_freedom": r"degrees_of_freedom(?! of (?:the p|P)rior)",
}
# not in quotes, paths or options, where a name is the user's own
NAMED = re.compile(
    rf"(?<![\w'\"./-])({'|'.join(PATTERNS.get(name, name) for name in OPTIONS)})"
    r"(?![\w'\"/-]|\.\w)"
)


def in_own_words(text: str) -> str:
    """Name options instead of parameters, and leave out what concerns Python.

    Examples
    --------
    >>> in_own_words("The 'n_components' parameter of GaussianMixture must be positive.")
    '-k must be positive.'
    >>> in_own_words("Increase max_iter or tol (max_iter=3). There is no column 'tol'.")
    "Increase --max-iter or --tol (--max-iter=3). There is no column 'tol'."
    >>> in_own_words("If it is a row, use --no-header (header=False in Python).")
    'If it is a row, use --no-header.'
    >>> in_own_words("A component has no degrees_of_freedom. Set component='t'.")
    "A component has no --degrees-of-freedom. Set --component='t'."
    >>> in_own_words("There is no noise, and noise_volume=3.0. Set noise=True.")
    'There is no noise, and --noise-volume=3.0. Set --noise.'
    """
    text = IN_PYTHON.sub("", text).replace("noise=True", "--noise")
    text = CHECKED.sub(lambda match: OPTIONS.get(match[1], f"'{match[1]}'"), text)
    return NAMED.sub(lambda match: OPTIONS[match[1]], text)


@contextlib.contextmanager
def own_warnings() -> Iterator[None]:
    """Repeat the warnings inside this context in own words.

    A collapsed component is left out: the table of the fit has a line for it.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, CollapsedComponentWarning):
            continue
        warnings.warn(in_own_words(str(warning.message)), warning.category, stacklevel=3)
