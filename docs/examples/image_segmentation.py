"""
Image segmentation by color
===========================

Each pixel is a row of three numbers: red, green and blue. A mixture of six components finds six
colors with their spread, and labels every pixel with one of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from gmmfast import GaussianMixture

image = load_sample_image("china.jpg") / 255
height, width, _ = image.shape
pixels = image.reshape(-1, 3)
print(f"{len(pixels):,} rows")

# %%
# ``reg_covar`` is in squared units of the data. Colors are whole numbers from 0 to 255, divided
# by 255, so a variance of 1e-5 is below one of these steps.

mixture = GaussianMixture(6, reg_covar=1e-5, tol=1e-4, random_state=0).fit(pixels)
labels = mixture.predict(pixels)
segmented = mixture.means_.clip(0, 1)[labels].reshape(image.shape)
uncertainty = (1 - mixture.predict_proba(pixels).max(axis=1)).reshape(height, width)
print(f"{mixture.n_iter_} iterations")

# %%
# Every pixel takes the mean color of its segment. Pixels with a probability below one for their
# own segment are dark in the picture on the right: boundaries, and colors between two segments.

fig, axes = plt.subplots(1, 3, figsize=(10, 2.8))
axes[0].imshow(image)
axes[1].imshow(segmented)
axes[2].imshow(uncertainty, cmap="gray_r", vmin=0, vmax=1)
for ax, title in zip(axes, ("image", "six segments", "uncertainty"), strict=True):
    ax.set_title(title)
    ax.set_axis_off()
plt.show()

# %%
# A component has a covariance matrix, not only a center. So a segment may be long in one
# direction of color space, as a surface is from its shadow to its light. k-means would cut such
# a surface in pieces.

shares = np.bincount(labels, minlength=6) / len(labels)
for k in shares.argsort()[::-1]:
    spread = np.sqrt(np.linalg.eigvalsh(mixture.covariances_[k]))
    print(
        f"{shares[k]:5.1%} of the pixels; longest axis {spread[-1] / spread[0]:.0f} x the shortest"
    )
