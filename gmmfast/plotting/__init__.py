"""Pictures of mixtures and searches, with matplotlib (the extra ``[plot]``).

A function that needs a mixture takes a search as well, and draws its best. Each draws on `ax`, or
on new axes, and returns them. Components have the same color and symbol in all pictures.
"""

from gmmfast.plotting.clusters import plot_clusters
from gmmfast.plotting.components import plot_mixture
from gmmfast.plotting.density import plot_density
from gmmfast.plotting.entropy import plot_entropy
from gmmfast.plotting.pairs import plot_pairs
from gmmfast.plotting.profile import plot_profile
from gmmfast.plotting.ranking import plot_criterion
from gmmfast.plotting.uncertainty import plot_uncertainty

__all__ = [
    "plot_clusters",
    "plot_criterion",
    "plot_density",
    "plot_entropy",
    "plot_mixture",
    "plot_pairs",
    "plot_profile",
    "plot_uncertainty",
]
