"""Whether what users are answered is heard at all: a judge that hears nothing must not call it healthy."""

from __future__ import annotations

import time

from quantdeck_agent.gateway.router import Router
from quantdeck_agent.gateway.signals import AnswerFeed

STUCK_S = 10.0
"""A judge that ponders one answer for longer is no judge."""
UNHEARD_S = 30.0
"""Users are answered, and for so long the analyser has said nothing of it."""


class Hearing:
    """The feed of answers, and when it was heard last."""

    def __init__(self) -> None:
        self.feed: AnswerFeed | None = None
        self._pondering: float | None = None
        self._heard: dict[str, float] = {}
        self._requests: dict[str, tuple[int, float]] = {}
        """Answers that the gateway had counted when something was heard last or they stood still; and when that was."""

    def begin(self, experiment: str) -> None:
        """An answer is pondered from now."""
        self._pondering = time.monotonic()
        self._heard[experiment] = self._pondering

    def end(self) -> None:
        """It has been."""
        self._pondering = None

    @property
    def judging(self) -> bool:
        """Answers are heard and acted on now."""
        since = self._pondering
        if self.feed is None or not self.feed.connected:
            return False
        return since is None or time.monotonic() - since <= STUCK_S

    def missing(self, experiment: str, router: Router | None, now: float) -> str:
        """Why figures of an experiment are missing at a monotonic time; empty where they are fresh."""
        if router is None or not router.running:
            return "the gateway does not answer"
        if not self.judging:
            return "the gateway's analyser is not heard"
        counters = router.counters(experiment)
        if counters is None:
            return ""
        arm = counters[1]
        # Nobody judges what was cut off, capped or answered by the other arm: that is not silence.
        unjudged = arm.in_flight + arm.cancelled + arm.overload.capped + arm.overload.spilled
        answered = arm.requests - unjudged
        known, since = self._requests.get(experiment, (answered, now))
        if self._heard.get(experiment, 0.0) >= since or answered <= known:
            self._requests[experiment] = (answered, now)
            return ""
        self._requests.setdefault(experiment, (known, since))
        if now - since <= UNHEARD_S:
            return ""
        return f"{answered - known} answers of the treatment ended in {now - since:.0f} s, and none was heard"
