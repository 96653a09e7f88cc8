"""Merge the components of fitted mixtures, compare mixtures, simulate and reduce them.

Each function takes a `GaussianMixture`, or a search, whose best mixture it takes.
"""

from gmmfast.analysis.divergence import Divergence, kl_divergence
from gmmfast.analysis.merging import Merging, merge_components
from gmmfast.analysis.overlapping import Overlap, overlap
from gmmfast.analysis.reduction import reduce
from gmmfast.analysis.simulation import simulate

__all__ = [
    "Divergence",
    "Merging",
    "Overlap",
    "kl_divergence",
    "merge_components",
    "overlap",
    "reduce",
    "simulate",
]
