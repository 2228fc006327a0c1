"""What is remembered of canaries: the last reports, and what each arm said when it passed first."""

from __future__ import annotations

import logging

import msgspec

from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.canary.judge import Past
from quantdeck_core.canary.report import CanaryReport
from quantdeck_core.canary.sample import ArmSample, compact
from quantdeck_core.protocol.gateway import VariantName

_REPORTS, _PAST = "canary", "canary-past"
log = logging.getLogger("quantdeck.agent")


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """Of one experiment: the last report, and the last one that says something of the arms."""

    last: CanaryReport
    judged: CanaryReport | None = None


class CanaryMemory:
    """In memory and, where the disk takes it, in the store: a full disk costs a comparison after a restart, no run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        try:
            self._reports = store.all(_REPORTS, Remembered)
            self._past = store.all(_PAST, ArmSample)
        except msgspec.MsgspecError as error:
            log.warning("what canaries said before cannot be read, and counts no more: %s", error)
            self._reports, self._past = {}, {}

    def of(self, experiment: str) -> Remembered | None:
        """Its reports."""
        return self._reports.get(experiment)

    def past(self, experiment: str) -> Past:
        """What its arms said."""
        return Past(
            control=self._past.get(_name(experiment, "control")),
            treatment=self._past.get(_name(experiment, "treatment")),
        )

    def put(self, experiment: str, report: CanaryReport) -> None:
        """Keep a report."""
        old = self._reports.get(experiment)
        judged = report if report.outcome != "unavailable" else old.judged if old else None
        self._reports[experiment] = Remembered(last=report, judged=judged)
        self._save(_REPORTS, experiment, self._reports[experiment])

    def passed(self, experiment: str, samples: tuple[ArmSample, ArmSample]) -> None:
        """Keep what passed first of each epoch: were it the last, an arm could creep away a little with each run."""
        for sample in samples:
            name = _name(experiment, sample.variant)
            old = self._past.get(name)
            if old is None or (old.epoch, old.set_id) != (sample.epoch, sample.set_id):
                self._past[name] = compact(sample)
                self._save(_PAST, name, self._past[name])

    def forget_past(self, experiment: str) -> None:
        """What the arms said before counts no more."""
        for variant in ("control", "treatment"):
            if self._past.pop(_name(experiment, variant), None):
                self._drop(_PAST, _name(experiment, variant))

    def forget(self, experiment: str) -> None:
        """The experiment is gone."""
        self.forget_past(experiment)
        if self._reports.pop(experiment, None):
            self._drop(_REPORTS, experiment)

    def _save(self, kind: str, name: str, body: msgspec.Struct) -> None:
        try:
            self._store.put(kind, name, body)
        except StateWriteError as error:
            log.warning("a canary of %s is not on disk: %s", name, error.detail)

    def _drop(self, kind: str, name: str) -> None:
        try:
            self._store.delete(kind, name)
        except StateWriteError as error:
            log.warning("a canary of %s is still on disk: %s", name, error.detail)


def _name(experiment: str, variant: VariantName) -> str:
    # Names of experiments hold no colon.
    return f"{experiment}:{variant}"
