"""partial_fit against fit: the loss of likelihood in streams of shuffled rows."""

import sys
from dataclasses import dataclass

import numpy as np

from benchmarks.cases import CASES, Case
from benchmarks.packages import quietly
from benchmarks.tables import Goal, table
from gmmfast import GaussianMixture

CHUNKS = 10  # per pass over the rows
PASSES = (1, 4, 32)
FEW = 4  # passes of a stream, even if a fit takes fewer iterations
DECAYS = (0.8, 0.6)  # the first is the default
WITHIN = 0.01  # nats per row


@dataclass(frozen=True)
class Streamed:
    """Mean log-likelihoods of a batch fit, and of streams from the same start."""

    case: Case
    n_iter: int  # of the batch fit
    batch: float
    streams: dict[float, dict[int, float]]  # by decay and number of passes

    def lost(self, decay: float) -> dict[int, float]:
        """Loss of log-likelihood of the stream, after each number of passes."""
        return {n: self.batch - reached for n, reached in self.streams[decay].items()}

    def goal(self) -> Goal:
        """Return the target loss, in no more passes than the fit took iterations, or a few."""
        n = max(n for n in PASSES if n <= max(FEW, self.n_iter))
        what = f"{n} passes of a stream, {self.case.title()}: nats per row below fit"
        return Goal(what, self.lost(DECAYS[0])[n], WITHIN, True)


def measure(quick: bool) -> list[Streamed]:
    """Fit all cases in batch and as streams; the start is a batch fit of one iteration."""
    found = []
    for case in CASES:
        case = case.shrunk() if quick else case
        X, K = case.data(), case.n_components
        settings = {"n_components": K, "reg_covar": case.reg_covar, "random_state": 0}
        with quietly():
            start = GaussianMixture(**settings, max_iter=1).fit(X)
            given = {
                "weights_init": start.weights_,
                "means_init": start.means_,
                "precisions_init": start.precisions_,
            }
            batch = GaussianMixture(**settings, **given, max_iter=200).fit(X)
        streams = {decay: _stream(X, start, decay) for decay in DECAYS}
        found.append(Streamed(case, batch.n_iter_, batch.score(X), streams))
        print(f"stream  {'  '.join(_row(found[-1]))}", file=sys.stderr, flush=True)
    return found


def _stream(X: np.ndarray, start: GaussianMixture, decay: float) -> dict[int, float]:
    """Mean log-likelihood of all rows after some passes, each in another order."""
    stream = GaussianMixture.from_parameters(
        start.weights_, start.means_, start.covariances_, reg_covar=start.reg_covar
    )
    stream.n_samples_seen_ = float(len(X))  # as many as the start has seen
    rng, reached = np.random.default_rng(0), {}
    for number in range(1, max(PASSES) + 1):
        for part in np.array_split(rng.permutation(len(X)), CHUNKS):
            stream.partial_fit(X[part], decay=decay)
        if number in PASSES:
            reached[number] = stream.score(X)
    return reached


def section(found: list[Streamed]) -> str:
    passes = [f"{n} pass" if n == 1 else f"{n} passes" for n in PASSES]
    ways = [f"{of}, decay {decay}" for decay in DECAYS for of in passes]
    header = ["case", "iterations of fit", "fit", *ways]
    return table(header, [_row(one) for one in found])


def _row(one: Streamed) -> list[str]:
    lost = [f"{value:.4f}" for decay in DECAYS for value in one.lost(decay).values()]
    return [one.case.title(), str(one.n_iter), f"{one.batch:.4f}", *lost]
