"""Generated mixtures for the tests, the results of commands and the text of errors."""

import io
import json
import pickle

import numpy as np
import pytest

from gmmfast import from_dict, load
from gmmfast.data.constraints import MODEL_CODES, SKLEARN_TYPES

TYPES = SKLEARN_TYPES
EVERY = (*TYPES, *MODEL_CODES)  # models of any number of columns


def mixture(n, d, n_components, separation=3.0, seed=0):
    """Rows of a mixture about the origin, and their labels."""
    rng = np.random.default_rng(seed)
    means = separation * rng.normal(size=(n_components, d))
    shapes = np.eye(d) + 0.4 * rng.normal(size=(n_components, d, d)) / np.sqrt(d)
    labels = rng.integers(0, n_components, n)
    X = np.einsum("nij,nj->ni", shapes[labels], rng.normal(size=(n, d))) + means[labels]
    return X - X.mean(axis=0), labels


def random_start(X, n_components, covariance_type, seed=0):
    """Weights, means and matrices, and the same as a scikit-learn start."""
    rng = np.random.default_rng(seed)
    n, d = X.shape
    means = X[rng.choice(n, n_components, replace=n < n_components)] + 0.0
    weights = rng.dirichlet(np.full(n_components, 20.0))
    spread = np.diag(X.var(axis=0) + 1e-3) if n > 1 else np.eye(d)
    scales = rng.uniform(0.5, 2.0, n_components)
    precisions = np.stack([np.linalg.inv(spread * s) for s in scales])
    if covariance_type == "tied":
        precisions[:] = precisions[0]
        structured = precisions[0]
    elif covariance_type == "full" or covariance_type.isupper():  # one of mclust's codes
        structured = precisions
    elif covariance_type == "diag":
        structured = np.einsum("kii->ki", precisions)
    else:
        structured = np.einsum("kii->k", precisions) / d
        precisions = structured[:, None, None] * np.eye(d)
    covariances = np.linalg.inv(precisions)
    init = {"weights_init": weights, "means_init": means, "precisions_init": structured}
    return weights, means, covariances, init


def interpreted(kernel):
    """A kernel that only kernels call, as plain Python."""
    return getattr(kernel, "py_func", kernel)


def load_unnamed(path):
    """Load a model and drop its column names, so that arrays do without."""
    mixture = load(path)
    del mixture.feature_names_in_
    return mixture


def copies_of(mixture, folder):
    """A mixture as a file, plain values in JSON, and a pickle keep it."""
    mixture.save(folder / "model.npz")
    document = json.loads(json.dumps(mixture.to_dict()))
    pickled = pickle.loads(pickle.dumps(mixture))
    return load(folder / "model.npz"), from_dict(document), pickled


def columns_of(text):
    """Columns of CSV text by name."""
    return np.genfromtxt(io.StringIO(text), delimiter=",", names=True)


def refusal(call, *args, error=ValueError, **kwargs):
    """Text of the error that a call raises."""
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    return str(caught.value)
