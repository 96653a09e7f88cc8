"""
Segmentation: two kinds of customers
====================================

A shop knows two facts about each of its 350 customers: the average value of an order, and the
number of orders per month. Are there groups of customers, and who belongs to which?
"""

# sphinx_gallery_thumbnail_number = 1
import matplotlib.pyplot as plt
import numpy as np

from gmmfast import GaussianMixture
from gmmfast.datasets import load_customers
from gmmfast.plotting import plot_mixture

customers = load_customers()
X = customers.data

# %%
# How many segments?
# ------------------
#
# Fit one to four components, and compare criteria that charge for parameters. Lower is better.

for K in range(1, 5):
    fit = GaussianMixture(K, random_state=0).fit(X)
    print(f"{K} components: BIC {fit.bic(X):.0f}, ICL {fit.icl(X):.0f}")

# %%
# Both are lowest at two. ICL also charges for rows that are not clearly assigned to one
# component. It rises steeply from three on, because a third component can only share a cloud
# with another one.
#
# The shape of the clouds is a choice, too.

for covariance_type in ("full", "tied", "diag", "spherical"):
    fit = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    print(f"{covariance_type:<10} BIC {fit.bic(X):.0f}")

# %%
# One covariance matrix for both (``tied``) is far off, because the segments spread differently.
# A single variance for euros and for orders (``spherical``) makes no sense here. ``full`` and
# ``diag`` are close: the clouds lean a little, since customers with larger orders order less
# often.
#
# Who belongs to which?
# ---------------------

mixture = GaussianMixture(2, random_state=0).fit(X)
for weight, (value, orders) in zip(mixture.weights_, mixture.means_, strict=True):
    print(f"{weight:.0%} of customers order {orders:.1f} times a month, {value:.0f} euros each")

# %%
# A label hides its uncertainty. A campaign for one segment may leave out the customers in
# between: those for whom neither segment has a probability of 0.9. They are circled. The
# ellipses hold 39, 86 and 99 percent of each component.

uncertain = mixture.predict_proba(X).max(axis=1) < 0.9
ax = plot_mixture(mixture, X)
ax.scatter(*X[uncertain].T, s=80, facecolors="none", edgecolors="black", label="uncertain")
ax.set(xlabel="average order value (euros)", ylabel="orders per month", title="Two segments")
plt.show()

# %%
# The customers are generated, so the segment of each is known. Components have no order of
# their own; their means tell which is which.

large_orders = mixture.means_[:, 0].argmax()
segments = (mixture.predict(X) == large_orders).astype(int)
found = np.sum(segments == customers.target)
print(f"{found} of {len(X)} customers are in the segment that they were drawn from")
print(f"{uncertain.sum()} are uncertain")
