"""What is remembered of engines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_core.profile.names import Name
from quantdeck_core.profile.nodes import Placement
from quantdeck_core.profile.schema import Profile

Place = Literal["coming", "active", "leaving"]


class EngineRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One process that serves, or is to serve, under a name.

    Attributes:
        name: the engine's name; several generations of it exist while one replaces another.
        replica: which of its replicas, from 0.
        epoch: generation of the first process in a row that served just this (see `recipe`): what judges go by.
        recipe: digest of checkpoint, command line without the port, and engine version.
        program: what was started, `version` of it; empty where it is not known.
        scratch: folder of Ray's own, for a model over several hosts.
        fingerprint: of the checkpoint's files: names, sizes and times.
        planned_bytes: what the plan expected of the fullest device; None where there was none.
        measured_bytes: what it took of it once it was ready; None where that was not measured.
        gpus: numbers of the GPUs that it is on; empty for none.
        place: `coming` until ready, `active` while it has the name's traffic, `leaving` while it drains.
        identity: the process, None until it was started and for an external engine.
        ready_s: seconds it took to become ready, None until then.
        silent: it hung when it was seen last, or nobody knows whether it ever answered: it gets no requests before it
            has given a token, also from an agent that comes later.
    """

    name: Name
    replica: int = 0
    generation: int
    epoch: int
    profile: Profile
    model_path: str
    program: str = ""
    version: str = ""
    scratch: str = ""
    recipe: str = ""
    fingerprint: str = ""
    planned_bytes: int | None = None
    measured_bytes: int | None = None
    gpus: tuple[int, ...] = ()
    port: int
    place: Place
    started_at: float
    identity: ProcessIdentity | None = None
    ready_s: float | None = None
    silent: bool = False

    @property
    def key(self) -> str:
        """Name and generation: what the gateway calls the replica."""
        return f"{self.name}.{self.generation}"

    @property
    def title(self) -> str:
        """As people see it: the second replica of `a` is `a/1`."""
        return f"{self.name}/{self.replica}" if self.replica else self.name

    @property
    def url(self) -> str:
        """Base of its HTTP interface; empty for a host that lends its GPUs, which has none."""
        if self.lends:
            return ""
        return self.profile.url.rstrip("/") if self.external else f"http://{self.host}:{self.port}"

    @property
    def host(self) -> str:
        """Where this agent reaches it."""
        given = self.profile.serve.host or "127.0.0.1"
        return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(given, f"[{given}]" if ":" in given else given)

    @property
    def external(self) -> bool:
        """Whether somebody else starts it."""
        return self.profile.engine == "external"

    @property
    def asked_as(self) -> str:
        """The name by which it knows the model."""
        return self.profile.upstream_model or self.profile.served_name

    @property
    def placement(self) -> Placement | None:
        """Which hosts hold it together; None where this one does alone."""
        return self.profile.nodes.placement if self.profile.nodes else None

    @property
    def lends(self) -> bool:
        """Whether it lends its GPUs to a server on another host."""
        return self.placement is not None and self.placement.rank > 0

    @property
    def model(self) -> str:
        """The checkpoint's name."""
        return self.profile.model if self.external else Path(self.model_path).name


class Deployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wanted under a name: it is there until somebody stops it, across crashes and reboots."""

    name: Name
    profile: Profile
    replicas: int
    since: float
    by: str
    forced: str = ""


class LastGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """The highest generation that a name ever had: it never falls, or answers of a new process would look late."""

    generation: int
