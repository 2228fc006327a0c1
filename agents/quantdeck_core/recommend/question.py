"""What `quantdeck recommend` is asked."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Link
from quantdeck_core.memory.room import Site

Priority = Literal["balance", "quality", "throughput", "memory", "latency"]
Use = Literal["production", "development", "fine-tuning"]
Calibration = Literal["matched", "mismatched"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A model, a machine and what matters.

    Attributes:
        model: the unquantized model, or a checkpoint that is there already.
        shape_of: whose shape `model` was given, where only a size was known.
        first: what comes first; `balance` is the lesson's default for each kind of machine.
        context: tokens of one sequence, prompt and answer; None where nobody said: then it is not long.
        sequences: that must all have room at `context`, over all replicas; None: as many as there are.
        calibration: whether text for calibration is like the traffic.
        interconnect: in place of what the device table says.
    """

    site: Site
    model: Checkpoint
    shape_of: str | None = None
    first: Priority = "balance"
    context: int | None = None
    sequences: int | None = None
    use: Use = "production"
    calibration: Calibration = "matched"
    interconnect: Literal["nvlink", "pcie"] | None = None

    @property
    def link(self) -> Link:
        """How the devices are joined."""
        return self.interconnect or self.site.device.link

    @property
    def linked(self) -> bool:
        """Whether the devices are joined by something that tensor parallelism can live on."""
        return self.link in ("nvlink", "xgmi")
