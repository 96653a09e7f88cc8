"""How sure a fit is: bootstrap of the parameters, and tests of the number of components."""

from gmmfast.inference.bootstrap import Bootstrap, Estimates, bootstrap
from gmmfast.inference.likelihood_ratio import LikelihoodRatioTest, likelihood_ratio_test
from gmmfast.inference.matching import assignment

__all__ = [
    "Bootstrap",
    "Estimates",
    "LikelihoodRatioTest",
    "assignment",
    "bootstrap",
    "likelihood_ratio_test",
]
