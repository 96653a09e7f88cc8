"""A mixture through any sequence of calls: what one call leaves, the next one finds."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from data import TYPES, mixture
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import gmmfast
from gmmfast import GaussianMixture
from gmmfast.data.constraints import MODEL_CODES

X = mixture(200, 2, 2, separation=2.0, seed=3)[0]
ATTRIBUTES = ("weights_", "means_", "covariances_", "precisions_cholesky_")


def state_of(fitted):
    return [getattr(fitted, name).copy() for name in ATTRIBUTES]


class Life(RuleBasedStateMachine):
    """One mixture, and what it must remember."""

    @initialize(
        kind=st.sampled_from([*TYPES, *MODEL_CODES]),
        acceleration=st.sampled_from(["none", "auto"]),
        reg_covar=st.sampled_from([0, 1e-6]),
    )
    def construct(self, kind, acceleration, reg_covar):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "file.npz"
        self.params = {
            "n_components": 2, "covariance_type": kind, "acceleration": acceleration,
            "reg_covar": reg_covar, "random_state": 0, "max_iter": 4,
        }  # fmt: skip
        self.mixture = GaussianMixture(**self.params)
        self.seen = 0.0

    def is_fitted(self):
        return hasattr(self.mixture, "weights_")

    def teardown(self):
        self.folder.cleanup()

    @rule(half=st.booleans())
    def fit(self, half):
        rows = X[:100] if half else X
        self.mixture.set_params(warm_start=False).fit(rows)
        self.seen = len(rows)

    @rule()
    def partial_fit(self):
        self.mixture.partial_fit(X[100:150])
        self.seen += 50

    @precondition(is_fitted)
    @rule()
    def fit_again_from_there(self):
        before = self.mixture.score(X)
        self.mixture.set_params(warm_start=True).fit(X)
        self.seen = len(X)
        assert self.mixture.score(X) >= before - 1e-5  # reg_covar, and a stream's weights

    @rule(after=st.integers(1, 3))
    def interrupt_and_resume(self, after):
        whole = GaussianMixture(**self.params).fit(X)
        stop = lambda iteration, _: iteration == after  # noqa: E731
        GaussianMixture(**self.params).fit(X, callback=stop, checkpoint=self.path)
        self.mixture = GaussianMixture.resume(self.path).fit(X)
        self.seen = len(X)
        assert self.mixture.lower_bounds_ == whole.lower_bounds_
        for ours, expected in zip(state_of(self.mixture), state_of(whole), strict=True):
            np.testing.assert_array_equal(ours, expected)

    @precondition(is_fitted)
    @rule(pickled=st.booleans())
    def store_and_load(self, pickled):
        before = state_of(self.mixture)
        if pickled:
            self.mixture = pickle.loads(pickle.dumps(self.mixture))
        else:
            self.mixture.save(self.path)
            self.mixture = gmmfast.load(self.path)
        for ours, expected in zip(state_of(self.mixture), before, strict=True):
            np.testing.assert_array_equal(ours, expected)

    @rule()
    def clone(self):
        from sklearn.base import clone

        copy = clone(self.mixture)
        assert copy.get_params() == self.mixture.get_params()
        self.mixture, self.seen = copy, 0.0

    @invariant()
    def is_whole(self):
        if not hasattr(self, "mixture") or not self.is_fitted():
            return
        fitted = self.mixture
        assert fitted.n_samples_seen_ == pytest.approx(self.seen)
        assert fitted.weights_.sum() == pytest.approx(1)
        assert len(fitted.lower_bounds_) == fitted.n_iter_ or fitted.stop_reason_.startswith("Upd")
        np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)


Life.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLife = pytest.mark.filterwarnings("ignore:.*did not converge")(Life.TestCase)
