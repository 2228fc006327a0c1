"""What happened to an experiment: put together from what the agent remembers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from quantdeck_agent.canaries.replay import replay
from quantdeck_agent.canaries.target import TargetOf
from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.gateway.flagged import flagged
from quantdeck_core.engines.started import Start, changes
from quantdeck_core.errors import NotFoundError, UnreachableError
from quantdeck_core.incident.findings import findings, onset
from quantdeck_core.incident.replay import ReplayReport
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.protocol.incident import IncidentReport, ReplayAsk
from quantdeck_core.rollout.events import SYSTEM

_LINES = 200


class Incidents:
    """Reports and replays.

    Args:
        signals: the analyser's socket.
        target: the engines of an experiment's arms.
    """

    def __init__(self, host: str, registry: Registry, signals: Path, target: TargetOf) -> None:
        self._host, self._registry, self._signals, self._target = host, registry, signals, target

    async def report(self, name: str, now: float) -> IncidentReport:
        """The whole story at a UNIX time.

        Raises:
            NotFoundError: no such experiment.
        """
        controller = self._registry.named(name)
        record, trend = controller.record, controller.trend
        by_time = trend.by_time()
        began = onset(by_time)
        since = began.t if began else 0.0
        control, treatment = self._starts(record.control), self._starts(record.treatment)
        timeline = self._timeline(controller, (control, treatment))
        by_length, by_segment = trend.by_length(since), trend.by_segment(since)
        return IncidentReport(
            host=self._host,
            experiment=name,
            at=now,
            state=record.state,
            verdict=controller.verdict,
            findings=findings(by_time, by_length, by_segment, timeline),
            timeline=timeline,
            control_starts=control,
            treatment_starts=treatment,
            by_time=by_time,
            by_length=by_length,
            by_segment=by_segment,
            flagged=await self._flagged(name),
            last_rollback=record.last_rollback,
        )

    async def replay(self, name: str, ask: ReplayAsk, now: float) -> ReplayReport:
        """Have both arms answer the treatment's flagged prompts again.

        Raises:
            NotFoundError: no such experiment, or it has ended.
            UnreachableError: the analyser does not answer.
        """
        controller, target = self._registry.named(name), self._target(name)
        if target is None:
            raise NotFoundError(f"{name} has ended: there are no two arms to ask.", "Create another experiment.")
        held = [one for one in await flagged(self._signals, name) if one.answer.variant == "treatment"]
        newest = sorted(held, key=lambda one: one.answer.t)[-ask.most :]
        report = await replay(newest, target, prompts=ask.prompts)
        words = f"{len(newest)} flagged prompts were asked again: {report.text}"
        controller.note(now, "replay", words + (" They were exported." if ask.prompts else ""), ask.by or SYSTEM)
        return report

    async def _flagged(self, name: str) -> int:
        try:
            return len(await flagged(self._signals, name))
        except UnreachableError:
            return 0

    def _starts(self, engine: str) -> tuple[Start, ...]:
        try:
            return self._registry.engines.detail(engine).starts if self._registry.engines and engine else ()
        except NotFoundError:
            return ()

    def _timeline(self, controller: Controller, starts: tuple[tuple[Start, ...], ...]) -> tuple[TimelineEntry, ...]:
        """Of the experiment and of its engines in one row, with what each start changed; oldest first."""
        store, record = self._registry.store, controller.record
        lines = list(store.timeline(controller.subject, _LINES))
        for engine in filter(None, (record.control, record.treatment)):
            lines += store.timeline(f"engine:{engine}", _LINES)
        for one in starts:
            lines += _changed(one)
        return tuple(sorted(lines, key=lambda line: line.t)[-_LINES:])


def _changed(starts: tuple[Start, ...]) -> list[TimelineEntry]:
    """Starts that were not as the one before them."""
    lines = []
    for before, after in pairwise(starts):
        found = changes(before, after)
        if found:
            text = f"started as {after.profile} with another {'; '.join(found)}"
            lines.append(TimelineEntry(t=after.t, kind="restart", text=text, by=SYSTEM))
    return lines
