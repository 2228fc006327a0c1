"""One gateway of a rollback, and how far it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quantdeck_core.fleet.state import HostView

PENDING_AFTER_S = 1.0
"""A gateway answers within milliseconds; after a second without one, say so."""

Progress = Literal["asked", "sent", "applied", "unreachable", "refused", "absent"]


@dataclass
class Target:
    """A host that is asked.

    Attributes:
        heard: it has said that it runs the experiment. A host that was never heard may run it too, so it is asked as
            well, and is `absent` once it says that it does not.
        silent: it has not answered since somebody thinks of rolling back.
        since: UNIX time of the first attempt.
    """

    host: str
    from_bp: int = 0
    in_flight: int = 0
    latched: bool = False
    heard: bool = True
    silent: bool = True
    progress: Progress = "asked"
    detail: str = ""
    since: float = 0.0
    effective_ms: float | None = None

    @classmethod
    def of(cls, view: HostView, experiment: str) -> Target | None:
        """What the rollback would do on this host; None where it does not run the experiment."""
        if view.status is None:
            return cls(host=view.name, heard=False)
        found = view.experiment(experiment)
        if found is None:
            return None
        return cls(
            host=view.name,
            from_bp=found.state.weight_bp,
            in_flight=found.treatment.in_flight,
            latched=found.state.latched,
        )

    @property
    def open(self) -> bool:
        """A retry may still reach it."""
        return self.progress in ("asked", "sent", "unreachable")

    def word(self, now: float) -> str:
        """How far it is: `pending` is sent, and unanswered for too long."""
        if self.progress == "sent" and now - self.since > PENDING_AFTER_S:
            return "pending"
        return self.progress
