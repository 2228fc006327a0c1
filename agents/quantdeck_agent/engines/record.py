"""What is remembered of an engine."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_core.profile.schema import Profile

Place = Literal["coming", "active", "leaving"]


class EngineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One process that serves, or is to serve, under a name.

    Attributes:
        name: the engine's name; several generations of it exist while one replaces another.
        place: `coming` until ready, `active` while it has the name's traffic, `leaving` while it drains.
        identity: the process, None until it was started.
        ready_s: seconds it took to become ready, None until then.
    """

    name: str
    generation: int
    profile: Profile
    model_path: str
    port: int
    place: Place
    started_at: float
    identity: ProcessIdentity | None = None
    ready_s: float | None = None

    @property
    def key(self) -> str:
        """Name and generation: what the gateway calls the replica."""
        return f"{self.name}.{self.generation}"

    @property
    def url(self) -> str:
        """Base of its HTTP interface."""
        return f"http://127.0.0.1:{self.port}"


class LastGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """The highest generation that a name ever had: it never falls, or answers of a new process would look late."""

    generation: int
