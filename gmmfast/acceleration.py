"""The steps of a fit: plain EM, or EM whose last steps are extrapolated (Anderson)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from gmmfast.archive import found_under, under
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.models import Model
from gmmfast.models.base import inverse_cholesky
from gmmfast.parameters import Floats, Parameters, SufficientStatistics

MEMORY = 3  # changes of steps that are extrapolated from
RATES = 3  # of convergence, that have to agree where EM has settled,
SETTLED = 0.1  # and by how much they may differ
FALLBACK = "fallback_"  # begins the names of its arrays in a memory
RIDGE = 1e-10  # relative, of the least-squares problem: steps become alike at the end


class PlainSteps:
    """EM steps as they are.

    Parameters
    ----------
    model : Model
        The covariance model.
    lower_bound : float
        That of an earlier fit which this one goes on from.
    tol : float
        Gain of an EM step with which the fit ends.
    """

    def __init__(self, model: Model, lower_bound: float, tol: float) -> None:
        self._model = model
        self._tol = tol
        self.lower_bound = lower_bound  # the last one that was reached
        self.gain = math.inf  # of the last EM step; infinite where it was another step

    @property
    def is_on_trial(self) -> bool:
        """Whether the last step may be taken back."""
        return False

    def memory(self) -> dict[str, Floats]:
        """Return what the next step depends on, by name."""
        return {"lower_bound": np.array(self.lower_bound), "gain": np.array(self.gain)}

    def recall(self, memory: Mapping[str, Floats]) -> None:
        """Go on where another one has returned its memory."""
        self.lower_bound, self.gain = float(memory["lower_bound"]), float(memory["gain"])

    def take(self, parameters: Parameters, statistics: SufficientStatistics) -> Parameters:
        """Return where to go on from, after an E step at `parameters`."""
        reached = statistics.log_likelihood / statistics.weight
        self.gain, self.lower_bound = reached - self.lower_bound, reached
        return self._model.maximization(statistics, parameters)


class AndersonSteps(PlainSteps):
    """EM steps, extrapolated by Anderson's method once EM has settled into its linear rate.

    The next point is the one that would be a fixed point if EM were linear in the span of the
    last steps, in coordinates in which every point is a mixture. It is taken back unless it is
    at least as likely as plain EM's: an EM step whose expected complete log-likelihood rises by
    q gains ``(1 + rate) q``, to second order, hence less than ``2 q``. To begin earlier is to
    risk that the fit leaves the basin that it would have ended in.

    References
    ----------
    Anderson, D. (1965). Iterative procedures for nonlinear integral equations. JACM 12, 547-560,
    section 4.

    Henderson, N., Varadhan, R. (2019). Damped Anderson acceleration with restarts and monotonicity
    control for accelerating EM and EM-like algorithms. Journal of Computational and Graphical
    Statistics 28(4), 834-846, section 3.
    """

    def __init__(self, model: Model, lower_bound: float, tol: float) -> None:
        super().__init__(model, lower_bound, tol)
        self._fallback: Parameters | None = None  # plain EM's, while a leap is on trial
        self._required = -math.inf  # the lower bound that the leap has to reach
        self._restart()

    def _restart(self) -> None:
        self._points: list[Floats] = []
        self._images: list[Floats] = []  # of the points, by an EM step
        self._gains: list[float] = []  # of EM steps, until they have settled
        self._settled = False

    @property
    def is_on_trial(self) -> bool:
        """Whether the last step may be taken back."""
        return self._fallback is not None

    def memory(self) -> dict[str, Floats]:
        """Return what the next step depends on, by name."""
        own = {
            "points": np.array(self._points),
            "images": np.array(self._images),
            "gains": np.array(self._gains),
            "settled": np.array(float(self._settled)),
            "required": np.array(self._required),
        }
        if self._fallback is not None:
            own |= under(FALLBACK, self._fallback.to_arrays())
        return super().memory() | own

    def recall(self, memory: Mapping[str, Floats]) -> None:
        """Go on where another one has returned its memory."""
        super().recall(memory)
        self._points, self._images = list(memory["points"]), list(memory["images"])
        self._gains = [float(gain) for gain in memory["gains"]]
        self._settled, self._required = bool(memory["settled"]), float(memory["required"])
        fallback = found_under(FALLBACK, memory)
        self._fallback = Parameters.from_arrays(fallback) if fallback else None

    def take(self, parameters: Parameters, statistics: SufficientStatistics) -> Parameters:
        """Return where to go on from, after an E step at `parameters`."""
        reached = statistics.log_likelihood / statistics.weight
        fallback, self._fallback = self._fallback, None
        if fallback is not None and not reached >= self._required:
            self._restart()
            self.gain = math.inf
            return fallback
        before = self.lower_bound
        image = super().take(parameters, statistics)
        self._points = [*self._points[-MEMORY:], self._model.coordinates(parameters)]
        self._images = [*self._images[-MEMORY:], self._model.coordinates(image)]
        if fallback is not None:
            self.gain = math.inf
            if reached - before < self._tol:
                return image  # its gain will tell whether this is the end
        elif not self._settled:
            self._gains = [*self._gains[-RATES:], self.gain]
            self._settled = self._gains_shrink_evenly()
        if not self._settled:
            return image
        try:
            landing = self._model.at(self._fixed_point(), image)
        except (IllDefinedCovarianceError, np.linalg.LinAlgError):
            self._restart()
            return image
        rise = expected(image, statistics) - expected(parameters, statistics)
        self._required, self._fallback = reached + 2 * max(rise, 0.0), image
        return landing

    def _gains_shrink_evenly(self) -> bool:
        if len(self._gains) <= RATES or not all(0 < gain < math.inf for gain in self._gains):
            return False
        rates = [after / before for before, after in pairwise(self._gains)]
        return max(rates) < 1 and max(rates) - min(rates) < SETTLED

    def _fixed_point(self) -> Floats:
        """Where the steps vanish, were they linear in the span of the points."""
        points, images = np.array(self._points), np.array(self._images)
        steps = images - points
        changes = np.diff(steps, axis=0)
        products = np.einsum("ip,jp->ij", changes, changes)
        products += RIDGE * np.trace(products) * np.eye(len(changes))
        factor = inverse_cholesky(products[None])[0][0]  # and no BLAS: the same bits each time
        along = np.einsum("jp,p->j", changes, steps[-1])
        share = np.einsum("ki,kj,j->i", factor, factor, along)
        return np.asarray(images[-1] - np.einsum("i,ip->p", share, np.diff(images, axis=0)))


def of_em(parameters: Parameters, memory: Mapping[str, Floats]) -> Parameters:
    """Where the last EM step led to: the parameters, or what a leap on trial falls back to."""
    fallback = found_under(FALLBACK, memory)
    return Parameters.from_arrays(fallback) if fallback else parameters


STEPS = {"none": PlainSteps, "auto": AndersonSteps}


def expected(parameters: Parameters, statistics: SufficientStatistics) -> float:
    """Expected complete log-likelihood of a row, but for a constant (Bishop 2006, 9.40)."""
    factors, whitening = parameters.factors, parameters.whitening
    scatter, mass = statistics.about(parameters.means).scatter, statistics.mass
    if whitening is not None:
        own = np.sum(whitening @ scatter * whitening, axis=(1, 2))
        squares = own @ factors[: len(own), 0] ** 2  # pooled: all factors are one
    elif factors.ndim == 3:
        squares = np.sum(factors @ scatter * factors)
    else:
        squares = np.sum(factors**2 * scatter)
    present = parameters.weights > 0
    log_weights = mass[present] @ np.log(parameters.weights[present])
    total = log_weights - 0.5 * (mass @ parameters.log_dets + squares)
    return float(total / statistics.weight)
