"""How an experiment's requests are treated beside its weight, as a person wants it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.protocol.gateway import Limits, Positive, Shadow, Unkeyed, VariantName

UserId = Annotated[str, Meta(min_length=1, max_length=256)]


class ArmLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much an arm takes on; see `Limits`.

    Attributes:
        max_in_flight: None: what its engines can work on at once, and some that wait in them.
    """

    max_in_flight: Positive | None = None
    max_queue: Annotated[int, Meta(ge=0)] = Limits().max_queue
    queue_s: Annotated[float, Meta(gt=0)] = Limits().queue_s
    cap_tokens: Positive | None = None
    spill: bool = False

    def with_room(self, room: int | None) -> Limits:
        """For engines with room for so many requests; None where that is not known."""
        return Limits(
            max_in_flight=self.max_in_flight or room or Limits().max_in_flight,
            max_queue=self.max_queue,
            queue_s=self.queue_s,
            cap_tokens=self.cap_tokens,
            spill=self.spill,
        )


class Traffic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of an experiment; see `ExperimentRoute`.

    Attributes:
        cut_loops: a streamed answer that runs into an endless loop is ended.
    """

    unkeyed: Unkeyed = "control"
    pinned: Annotated[dict[UserId, VariantName], Meta(max_length=1000)] = {}
    tester_header: bool = False
    shadow: Shadow | None = None
    cut_loops: bool = False
    control: ArmLimits = ArmLimits()
    treatment: ArmLimits = ArmLimits()
