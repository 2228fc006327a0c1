"""The judge of one experiment: hears every answer of both arms and says how the treatment does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quantdeck_core.drift.battery import Battery
from quantdeck_core.drift.control_past import ControlPast
from quantdeck_core.drift.findings import agrees, sequential_findings
from quantdeck_core.drift.floor import absolute_verdict, first_of_each, floor_findings, loops_alike, missing_verdict
from quantdeck_core.drift.learned import Block, BlockLog, LearnedLimit, learned_limits
from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.user_share import UserShare
from quantdeck_core.drift.verdict import HEALTHY, SAID_BY_USERS, SIGNALS, Verdict, percent
from quantdeck_core.drift.window import ArmWindow, WindowStats
from quantdeck_core.protocol.gateway import VariantName

MAX_CREDIT = 1_000
"""Answers of the treatment that may be held against a control that was busy before and is silent now."""


class Judge:
    """State of the judgement; pure: it knows no clock but the answers' own times.

    The sequential tests compare answer with answer: for each one of the control one of the treatment is tested, so
    that a change of what users ask reaches both at once. What comes beyond that is in the windows only.
    """

    def __init__(self, limits: Thresholds, blocks: Iterable[Block] = ()) -> None:
        """`blocks`: what was learned before, oldest first."""
        self.limits = limits
        self.learning = True
        """Whether what is heard becomes part of what is usual here: in the A/B phase."""
        self._log = BlockLog(blocks)
        self._windows: dict[VariantName, ArmWindow] = {
            "control": ArmWindow(limits.window),
            "treatment": ArmWindow(limits.window),
        }
        self._users = {arm: UserShare(limits.user_limit) for arm in self._windows}
        self.battery = Battery(limits.sequential)
        self._past = ControlPast()
        self._credit = 0
        self._unpaired = 0
        """Answers of the treatment since the control last answered."""
        self._learn()

    def window(self, arm: VariantName) -> ArmWindow:
        """The last judged answers of an arm."""
        return self._windows[arm]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Closed hours, to be kept and given to the next judge."""
        return tuple(self._log.closed)

    @property
    def learned(self) -> tuple[LearnedLimit, ...]:
        """What is usual here; empty until enough was heard."""
        return tuple(self._learned.values())

    @property
    def ignored(self) -> int:
        """Latencies that were no numbers."""
        return self.battery.ignored

    @property
    def left_out(self) -> int:
        """Answers that were not judged because their user had enough of them."""
        return sum(users.left_out for users in self._users.values())

    def start_generation(self, arm: VariantName, generation: int) -> None:
        """Another process serves an arm: what the old one answered says nothing about it."""
        window = self._windows[arm]
        if generation > window.generation:
            window.start_generation(generation)
            self._forget(arm)

    def forget(self) -> None:
        """Begin anew with the treatment: somebody says that what was wrong has been mended."""
        self._windows["treatment"].forget()
        self._forget("treatment")

    def _forget(self, arm: VariantName) -> None:
        self._users[arm] = UserShare(self.limits.user_limit)
        if arm == "control":
            self.battery.restart()
            self._past = ControlPast()
            self._credit = self._unpaired = 0
        else:
            self.battery.forget_treatment()

    def hear(self, seen: Observation) -> bool:
        """Count an answer; False where it does not count: of an older generation, or of a user who has enough."""
        self.start_generation(seen.variant, seen.generation)
        window = self._windows[seen.variant]
        if seen.generation < window.generation:
            return False
        if seen.variant == "control":
            self._unpaired = 0  # it answers, also where its few users have enough
        if not self._users[seen.variant].admit(seen.user):
            return False
        window.add(seen)
        if self.learning and self._log.add(seen):
            self._learn()
        if seen.variant == "control":
            self._past.hear(seen)
            self._credit = min(MAX_CREDIT, self._credit + 1)
        else:
            self._unpaired += 1
            if not self._credit:
                return True
            self._credit -= 1
        if self.limits.sequential.on:
            self.battery.hear(seen)
        return True

    def _learn(self) -> None:
        limits = learned_limits(self._log.closed, self.limits.learning, self.limits.window)
        self._learned = {limit.signal: limit for limit in limits}

    def verdict(self) -> Verdict:
        """How the treatment does now."""
        control, treatment = self._windows["control"].stats(), self._windows["treatment"].stats()
        upstream = absolute_verdict(control, treatment, self.limits)
        upstream = upstream or self._past.verdict(self.limits.alert_delta)
        if upstream:
            return upstream
        missing = missing_verdict("treatment", treatment, self.limits)
        if missing:
            return missing
        watch: Verdict | None = None
        for found in self._findings(control, treatment):
            if found.kind == "breach":
                return self._both(found) or found
            watch = watch or found
        return missing_verdict("control", control, self.limits) or self._silent() or watch or HEALTHY

    def _both(self, breach: Verdict) -> Verdict | None:
        """Where the treatment loops: whether the control does so too since as long as the treatment's window reaches.

        A control with few users has old answers in its window, which hide that.
        """
        treatment, control = self._windows["treatment"].answers, self._windows["control"].answers
        if breach.signal != "repetition" or not treatment:
            return None
        since = treatment[0].t
        recent = [one.repetition for one in control if one.complete and one.t >= since]
        stats = self._windows["treatment"].stats()
        if not loops_alike((stats.repetitions, stats.outputs), (sum(recent), len(recent))):
            return None
        share = percent(sum(recent) / len(recent))
        reason = f"both arms loop: the control in {share} of its last {len(recent)} answers: look upstream"
        return Verdict(kind="control-unhealthy", signal="repetition", reason=reason)

    def _findings(self, control: WindowStats, treatment: WindowStats) -> Iterator[Verdict]:
        yield from sequential_findings(self.battery, self._windows["treatment"], self._learned, self.limits)
        for found in floor_findings(control, treatment, self.limits):
            absolute = found.signal == "repetition" and found.kind == "breach"
            said = found.signal in SAID_BY_USERS
            if absolute or said or not self.limits.sequential.on or agrees(self.battery, found.signal):
                yield found

    def _silent(self) -> Verdict | None:
        if self._unpaired < self.limits.window:
            return None
        reason = f"the control gave no answer beside the last {self._unpaired} of the treatment"
        return Verdict(kind="inconclusive", reason=f"{reason}: nothing can be compared", needed=1)

    def signals(self) -> dict[str, Verdict]:
        """Each signal by itself, for a table."""
        control, treatment = self._windows["control"].stats(), self._windows["treatment"].stats()
        missing = missing_verdict("treatment", treatment, self.limits)
        found = {} if missing else first_of_each(self._findings(control, treatment))
        rest = missing or missing_verdict("control", control, self.limits) or self._silent() or HEALTHY
        return {signal: found.get(signal, rest) for signal in SIGNALS}
