"""One experiment: it hears every answer, holds the state machine, and says what the gateway should do."""

from __future__ import annotations

import contextlib

import msgspec

from quantdeck_agent.experiments.arm import ArmTracker
from quantdeck_agent.experiments.heard import Heard
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.unsaved import Unsaved
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.drift.judge import Judge
from quantdeck_core.drift.learned import Block
from quantdeck_core.drift.observation import observation_of
from quantdeck_core.drift.verdict import Verdict
from quantdeck_core.incident.trend import Trend
from quantdeck_core.protocol.experiment import RollbackRecord, TimelineEntry
from quantdeck_core.protocol.signals import AnswerRating, AnswerSignals
from quantdeck_core.rollout.events import SYSTEM, RolloutEvent, Transition
from quantdeck_core.rollout.machine import step
from quantdeck_core.rollout.progress import RolloutProgress

KIND = "experiment"
BLOCKS = "blocks"
COUNT_S = 10.0
"""Between two times at which a soak that goes on is saved."""
_WORTH_A_LINE = ("breach", "watch", "control-unhealthy", "healthy")


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment's judge learned, hour by hour; it goes with the experiment."""

    blocks: tuple[Block, ...] = ()


class RollingBack(msgspec.Struct, frozen=True, kw_only=True):
    """When a rollback began.

    Attributes:
        decided: UNIX time of the decision.
        detected: UNIX time of the last byte of the answer that broke the limit; None where a person decided.
    """

    decided: float
    detected: float | None


class Controller:
    """State of one experiment. Every change is on disk before it is returned, but for a rollback on a full disk."""

    def __init__(self, record: ExperimentRecord, store: Store, unsaved: Unsaved | None = None) -> None:
        """`unsaved`: where rollbacks are kept that the disk refuses."""
        kept = unsaved.newer_than(record) if unsaved else None
        self.record = kept.record if kept else record
        self._elsewhere = unsaved
        self.judge = Judge(record.thresholds, store.all(BLOCKS, Blocks).get(record.name, Blocks()).blocks)
        self.control = ArmTracker(self.judge, "control")
        self.treatment = ArmTracker(self.judge, "treatment")
        self.verdict = self.judge.verdict()
        self.paged = False
        """A breach that could not be acted on was reported; once is enough until the verdict changes."""
        self.trend = Trend()
        self.progress: RolloutProgress | None = None
        """Of its plan, as the last tick saw it."""
        self.rolling: RollingBack | None = None
        """A rollback that the gateway has not acknowledged yet."""
        self.unsaved: TimelineEntry | None = kept.line if kept else None
        """A rollback that holds although the disk refused it: it is not on disk until `save_again` says so."""
        self.outputs = 0
        """Answers that the treatment's users got, each once however often it is heard; rises from 0 at each start."""
        self._heard = self.record.counted
        self._store = store
        self._counted = 0.0
        self._serves: dict[str, str] = {}
        self._hour = self.judge.blocks[-1].hour if self.judge.blocks else -1
        """The last one of what was learned that is on disk."""

    @property
    def subject(self) -> str:
        """Whose timeline it is."""
        return f"experiment:{self.record.name}"

    def hear(self, answer: AnswerSignals, epoch: str = "") -> Verdict:
        """Count an answer of an analyser's epoch and judge again."""
        at = self._at(answer.seq, epoch)
        # What is usual is what both arms showed side by side, before most users were on one of them.
        self.judge.learning = self.record.state.stage == "ab_test"
        if not answer.refused:
            self.trend.add(observation_of(answer))
        if answer.variant == "control":
            counted = self.control.add(answer)
        else:
            self.outputs += not (answer.shadow or self.record.counted.covers(at))
            counted = self.treatment.add(answer, judged=not self.record.judge_after.covers(at))
        if counted:
            self._set_verdict(self.judge.verdict(), answer.t)
        return self.verdict

    def _at(self, seq: int, epoch: str) -> Heard:
        at = Heard(epoch=epoch, seq=seq)
        if not self._heard.covers(at):
            self._heard = at
        return at

    def rate(self, rating: AnswerRating, epoch: str = "") -> None:
        """Count what somebody thought of an answer; of what was mended since, it says nothing."""
        at = self._at(rating.seq, epoch)
        if rating.variant == "control":
            self.control.rate(rating)
        elif not self.record.judge_after.covers(at):
            self.treatment.rate(rating)

    def start_generation(self, control: int, treatment: int, now: float) -> None:
        """Other processes serve the arms: what the old ones answered counts no more."""
        self.control.start_generation(control)
        self.treatment.start_generation(treatment)
        self._set_verdict(self.judge.verdict(), now)

    def _set_verdict(self, verdict: Verdict, now: float) -> None:
        if verdict.kind != self.verdict.kind and verdict.kind in _WORTH_A_LINE:
            self.note(now, "verdict", f"{verdict.kind}: {verdict.reason}", SYSTEM)
        self.paged = self.paged and verdict.kind == "breach"
        self.verdict = verdict

    def apply(self, event: RolloutEvent, now: float) -> Transition:
        """Move the state machine and persist where it moved to. A rollback holds even where it cannot be persisted.

        Raises:
            ConflictError: as `quantdeck_core.rollout.machine.step`.
            StateWriteError: the disk refused a change that is no rollback; nothing was changed.
        """
        transition = step(self.record.state, event, now)
        if transition.state == self.record.state:
            return transition
        record = _changed(self.record, transition, self._heard)
        if not transition.kind and self.record.state.revision == transition.state.revision:
            self._count_on(record, now)
            return transition
        line = TimelineEntry(t=now, kind=transition.kind, text=transition.text, by=transition.by)
        safer = transition.state.latched
        try:
            self._save(record, line, urgent=safer)
        except StateWriteError:
            if not safer:
                raise
            self.unsaved = line
            if self._elsewhere:
                self._elsewhere.keep(record, line)
        self.record = record
        if transition.kind == "clear":
            self.judge.forget()
            self._set_verdict(self.judge.verdict(), now)
        return transition

    def _count_on(self, record: ExperimentRecord, now: float) -> None:
        """A soak goes on. It is saved now and then: an agent that is killed makes it longer, never shorter."""
        self.record = record
        if abs(now - self._counted) >= COUNT_S:
            self._counted = now
            with contextlib.suppress(StateWriteError):  # the next one is tried again
                self._save(record, urgent=False)

    def save_again(self) -> bool:
        """Try to persist what could not be; True where it is on disk now and was not before."""
        if self.unsaved is None:
            return False
        try:
            self._save(self.record, self.unsaved, urgent=True)
        except StateWriteError:
            return False
        return True

    def _save(self, record: ExperimentRecord, *lines: TimelineEntry, urgent: bool) -> None:
        with self._store.transaction(urgent=urgent):
            self._store.put(KIND, record.name, record)
            for line in dict.fromkeys(one for one in (self.unsaved, *lines) if one):
                self._store.note(self.subject, line)
        if self.unsaved and self._elsewhere:
            self._elsewhere.drop(record.name)
        self.unsaved = None

    def settled(self, now: float) -> bool:
        """The gateway has acknowledged the present state; True where that completes a rollback."""
        rolling, self.rolling = self.rolling, None
        if rolling is None:
            return False
        state = self.record.state
        rollback = RollbackRecord(
            at=now,
            by=state.by,
            reason=state.reason,
            from_bp=state.from_bp,
            outputs=self.treatment.generation_answers,
            effective_ms=_ms(now - rolling.decided),
            detection_to_zero_ms=None if rolling.detected is None else _ms(now - rolling.detected),
        )
        self.record = msgspec.structs.replace(self.record, last_rollback=rollback)
        with contextlib.suppress(StateWriteError):  # figures; the rollback itself is on disk or waits to be
            self._save(self.record, urgent=False)
        return True

    def save_blocks(self) -> None:
        """Keep what was learned, once an hour has closed."""
        if self.judge.blocks and self.judge.blocks[-1].hour != self._hour:
            with contextlib.suppress(StateWriteError):  # tried again with the next answer
                self._store.put(BLOCKS, self.record.name, Blocks(blocks=self.judge.blocks))
                self._hour = self.judge.blocks[-1].hour

    def put(self, record: ExperimentRecord) -> None:
        """Replace the record where nothing else happens.

        Raises:
            StateWriteError: the disk refused; nothing was changed.
        """
        self._save(record, urgent=False)
        self.record = record

    def serves(self, now: float, engine: str, text: str) -> None:
        """Say what serves under an engine's name, where that is news: a replacement tells it at each of its steps."""
        if self._serves.get(engine) != text:
            self._serves[engine] = text
            self.note(now, "engine", text, SYSTEM)

    def note(self, now: float, kind: str, text: str, by: str) -> None:
        """Add a line to its timeline, where the disk takes it."""
        self._store.try_note(self.subject, TimelineEntry(t=now, kind=kind, text=text, by=by))


def _changed(record: ExperimentRecord, transition: Transition, heard: Heard) -> ExperimentRecord:
    """The record after a transition, with what was heard until then."""
    record = msgspec.structs.replace(record, counted=heard)
    state = transition.state
    if transition.kind == "clear":
        return msgspec.structs.replace(record, state=state, judge_after=heard)
    if state.finished and not record.finished:
        kept, retired = (record.treatment, record.control) if state.weight_bp else (record.control, record.treatment)
        return msgspec.structs.replace(record, state=state, finished=True, control=kept, treatment="", retire=retired)
    return msgspec.structs.replace(record, state=state)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
