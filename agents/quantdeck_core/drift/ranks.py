"""Are the treatment's values larger or smaller than the control's? For any distribution, and valid at every look.

Each value of the treatment, after a tolerance, becomes its rank among the control's last values: without a change that
is uniform, whatever lengths and latencies look like. Bets on high (or low) ranks, ``1 + stake * (2u - 1 - margin)``,
are e-values (Waudby-Smith and Ramdas, JRSS B 2024), and a Shiryaev-Roberts e-detector adds them up as in `sequential`,
which says what the levels mean and how the control's own statistic is held against it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from quantdeck_core.drift.sequential import CEILING, CONTROL_FREE, MIN_CONTROL, discounted

STAKES = (0.35, 0.65)
"""Mixed half and half; chosen by simulation for a shift of the mean of 20 % at a coefficient of variation of 0.35."""
REFERENCE = 1_000
"""Values of the control that ranks are taken in."""
MARGIN = 0.03
"""Of 2u - 1: the noise of ranks among 1,000 values is 0.018."""

CONTROL_RESTART = 400.0
"""What the treatment showed counts no more once the control's own statistic says that it moved as well; its ranks among
values of before would go on for hundreds of answers."""


class Reference:
    """The control's last values, sorted."""

    def __init__(self) -> None:
        self._values: deque[float] = deque()
        self.ordered: list[float] = []
        self._sum = 0.0

    @property
    def mean(self) -> float:
        """0 without values."""
        return self._sum / len(self._values) if self._values else 0.0

    def add(self, value: float) -> None:
        """Remember a value; the oldest goes."""
        self._values.append(value)
        insort(self.ordered, value)
        self._sum += value
        if len(self._values) > REFERENCE:
            old = self._values.popleft()
            del self.ordered[bisect_left(self.ordered, old)]
            self._sum -= old


class RankTest:
    """Evidence that the treatment's values are larger (`up`) or smaller by more than a tolerance."""

    def __init__(self, reference: Reference, *, up: bool, tolerance: float) -> None:
        self.reference = reference
        self.up = up
        self._factor = 1.0 / (1.0 + tolerance) if up else 1.0 + tolerance
        self._sign = 1.0 if up else -1.0
        self._control = (0.0, 0.0)
        self.control_raw = 0.0
        """The same statistic of the control against its own past."""
        self.forget()

    def forget(self) -> None:
        """Begin anew with the treatment; what is known of the control stays."""
        self._treatment = (0.0, 0.0)
        self._cusum = 0.0
        self.raw = 0.0
        """The statistic before the control's own is held against it."""
        self.answers = 0
        """Of the treatment, since it presumably changed (Page's CUSUM of its ranks was last at 0)."""
        self.total = 0.0
        """Sum of their values."""

    def add_control(self, value: float) -> None:
        """Hear a value of the control, before its reference does."""
        ordered = self.reference.ordered
        if len(ordered) < MIN_CONTROL:
            return
        score = self._sign * (2.0 * bisect_left(ordered, value * self._factor) / len(ordered) - 1.0) - MARGIN
        self._control = one, two = _step(self._control, score)
        self.control_raw = 0.5 * (one + two)

    def add_treatment(self, value: float) -> None:
        """Hear a value of the treatment."""
        ordered = self.reference.ordered
        if len(ordered) < MIN_CONTROL:
            return
        score = self._sign * (2.0 * bisect_left(ordered, value * self._factor) / len(ordered) - 1.0) - MARGIN
        self._treatment = one, two = _step(self._treatment, score)
        self.raw = raw = 0.5 * (one + two)
        if raw > CONTROL_FREE and self.control_raw > CONTROL_RESTART:
            self.forget()
            return
        cusum = self._cusum + STAKES[0] * score - _STAKE_COST
        if cusum <= 0.0:
            self._cusum, self.answers, self.total = 0.0, 0, 0.0
            return
        self._cusum = cusum
        self.answers += 1
        self.total += value

    def settle(self) -> None:
        """Nothing waits to be taken in."""

    def evidence(self) -> float:
        """Against chance: it reaches A by chance at most once in A answers of the treatment."""
        return discounted(self.raw, self.control_raw)


_STAKE_COST = STAKES[0] ** 2 / 6.0
"""What the smaller stake loses on average without a change: half its square times the variance of 2u - 1."""


def _step(statistic: tuple[float, float], score: float) -> tuple[float, float]:
    one = (1.0 + statistic[0]) * (1.0 + STAKES[0] * score)
    two = (1.0 + statistic[1]) * (1.0 + STAKES[1] * score)
    return (one, two) if two < CEILING > one else (min(one, CEILING), min(two, CEILING))
