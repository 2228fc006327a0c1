"""Is a share of the treatment's answers another one than the control's? A test that is valid at every look.

The statistic is a Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo, "E-detectors", 2022; Roberts, Technometrics
1966): with each answer of the treatment ``R <- (1 + R) * L``, where ``L`` is the likelihood ratio of an alternative to
the baseline. Without a change ``R - n`` is a martingale, so ``R`` reaches a level A once in A answers or more seldom,
however often one looks; after a change it grows with exp(KL * n), which no test does faster (Lorden, Annals of
Mathematical Statistics 1971). A few alternatives are mixed by weight, each a multiple of the baseline's odds; a rise
that stays well below the smallest of them never accumulates: the zone of indifference.

The baseline is not known but estimated from the control beside it, hence three guards. Each alternative measures
against an upper end of the baseline. A short memory of the control lifts the baseline as soon as the control moves.
And the same statistic is kept of the control against its own past: what both arms show alike, a change in what users
ask, speaks against the treatment's evidence (`CONTROL_FREE`, `CONTROL_POWER`) or ends it (`CONTROL_RESTART`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from quantdeck_core.drift.baseline import ShareBaseline


class Alternative(NamedTuple):
    """What a change might look like.

    Attributes:
        odds: multiple of the baseline's odds.
        weight: in the mixture; they add up to 1.
        margin: standard errors of the baseline that are given away against its noise.
    """

    odds: float
    weight: float
    margin: float


# Chosen by simulation: 2 % -> 10 % and 2 % -> 5 % against the rates of false alarms and both arms' jumps.
ALTERNATIVES = (Alternative(2.3, 0.30, 1.0), Alternative(5.0, 0.60, 0.3), Alternative(15.0, 0.10, 0.3))
LEAST_SHARE = 0.0025
"""A baseline under a quarter of a percent counts as that much: a first failure in 10,000 answers is no finding."""
REFRESH = 24
"""Answers of the control after which the factors are computed anew."""
MIN_CONTROL = 50
"""Answers of the control before anything is compared with it."""
CONTROL_FREE = 30.0
"""About e^3.4: so far the control's own statistic wanders by chance."""
CONTROL_POWER = 2.0
CONTROL_RESTART = 2e4
CONTROL_RESTART_DOWN = 200.0
"""Of falls, which nobody has to hear of within minutes, and which a change of what is asked brings to both arms."""
CEILING = 1e30
"""Evidence is cut off here, so that an arm that was mended can be seen to recover."""


class ShareTest:
    """Evidence that the treatment's share is higher (`up`) or lower than the control's."""

    def __init__(self, baseline: ShareBaseline, *, up: bool) -> None:
        self.baseline = baseline
        self.up = up
        self._stream = baseline.stream
        self._restart = CONTROL_RESTART if up else CONTROL_RESTART_DOWN
        self._hit = self._miss = (1.0, 1.0, 1.0)
        self._hit_log = self._miss_log = 0.0
        self._control = (0.0, 0.0, 0.0)
        self._control_at = 0
        self.control_raw = 0.0
        """The same statistic of the control against its own past."""
        self.forget()

    def forget(self) -> None:
        """Begin anew with the treatment; what is known of the control stays."""
        self._treatment = (0.0, 0.0, 0.0)
        self._treatment_at = self._stream.treatment
        self.raw = 0.0
        """The statistic before the control's own is held against it."""
        self._cusum = 0.0
        self.answers = self.hits = 0
        """Of the treatment, since it presumably changed (Page's CUSUM was last at 0)."""

    def hit_control(self) -> None:
        """The control's last answer was one; its baseline has not heard it yet."""
        self._settle_control(self._stream.control - 1)
        self._control = _after_hit(self._control, self._hit)
        self._control_at += 1
        self.control_raw = _mixed(self._control)

    def hit_treatment(self) -> None:
        """The treatment's last answer was one."""
        self._settle_treatment(self._stream.treatment - 1)
        self._treatment = _after_hit(self._treatment, self._hit)
        self._treatment_at += 1
        cusum = self._cusum + self._hit_log
        self._cusum = max(0.0, cusum)
        self.answers, self.hits = (self.answers + 1, self.hits + 1) if cusum > 0.0 else (0, 0)
        self._weigh()

    def settle(self) -> None:
        """Take in the answers that were no hits."""
        self._settle_control(self._stream.control)
        self.control_raw = _mixed(self._control)
        self._settle_treatment(self._stream.treatment)
        self._weigh()

    def refresh(self) -> None:
        """Measure against the control as it is now. Before there is enough of it, nothing counts."""
        self.settle()
        if self._stream.control < MIN_CONTROL:
            return
        hits, misses = [], []
        for share, alternative in zip(self.baseline.bounds(_MARGINS, upper=self.up), ALTERNATIVES, strict=True):
            if self.up:
                share = max(share, LEAST_SHARE)
            odds = alternative.odds if self.up else 1.0 / alternative.odds
            other = odds * share / (1.0 - share + odds * share)
            usable = LEAST_SHARE <= share < 1.0
            hits.append(other / share if usable else 1.0)
            misses.append((1.0 - other) / (1.0 - share) if usable else 1.0)
        if self._miss == (1.0, 1.0, 1.0):
            self._control = self._treatment = (0.0, 0.0, 0.0)
            self.raw = self.control_raw = 0.0
        self._hit = (hits[0], hits[1], hits[2])
        self._miss = (misses[0], misses[1], misses[2])
        self._hit_log, self._miss_log = math.log(hits[0]), math.log(misses[0])

    def evidence(self) -> float:
        """Against chance: it reaches A by chance at most once in A answers of the treatment."""
        return discounted(self.raw, self.control_raw)

    def _weigh(self) -> None:
        self.raw = _mixed(self._treatment)
        if self.raw > CONTROL_FREE and self.control_raw > self._restart:
            self.forget()

    def _settle_control(self, until: int) -> None:
        if until > self._control_at:
            self._control = _after_misses(self._control, self._miss, until - self._control_at)
            self._control_at = until

    def _settle_treatment(self, until: int) -> None:
        misses = until - self._treatment_at
        if misses > 0:
            self._treatment = _after_misses(self._treatment, self._miss, misses)
            self._treatment_at = until
            self._cusum += misses * self._miss_log
            if self._cusum > 0.0:
                self.answers += misses
            else:
                self._cusum = 0.0
                self.answers = self.hits = 0


_Three = tuple[float, float, float]
_MARGINS = tuple(alternative.margin for alternative in ALTERNATIVES)
_W1, _W2, _W3 = (alternative.weight for alternative in ALTERNATIVES)


def _mixed(statistic: _Three) -> float:
    return _W1 * statistic[0] + _W2 * statistic[1] + _W3 * statistic[2]


def _after_hit(statistic: _Three, factors: _Three) -> _Three:
    one, two, three = statistic
    return (
        min(CEILING, (1.0 + one) * factors[0]),
        min(CEILING, (1.0 + two) * factors[1]),
        min(CEILING, (1.0 + three) * factors[2]),
    )


def _after_misses(statistic: _Three, factors: _Three, count: int) -> _Three:
    one, two, three = statistic
    return (
        _repeated(one, factors[0], count),
        _repeated(two, factors[1], count),
        _repeated(three, factors[2], count),
    )


def _repeated(statistic: float, factor: float, count: int) -> float:
    """``R <- (1 + R) * factor``, `count` times."""
    if factor == 1.0:
        return min(CEILING, statistic + count)
    power = factor**count
    return min(CEILING, statistic * power + factor * (1.0 - power) / (1.0 - factor))


def discounted(raw: float, control: float) -> float:
    """The treatment's statistic with the control's own held against it."""
    return raw if control <= CONTROL_FREE else raw * (CONTROL_FREE / control) ** CONTROL_POWER
