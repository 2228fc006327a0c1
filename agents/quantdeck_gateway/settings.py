"""What a gateway is started with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quantdeck_core.protocol.gateway import GatewayConfig
from quantdeck_gateway.ejection import PROBE_EVERY_S
from quantdeck_gateway.limits import Deadlines


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that does not change while it runs, and the config that it begins with.

    Attributes:
        config_path: where changes are kept, unless it is a person's TOML; None for a gateway that was configured by its
            arguments.
        lease_s: seconds until an experiment that nobody judges lapses; None: none ever does.
        signals: without it nothing is analysed.
        probe_s: replicas that gave no sign of life for so long are asked for a token; 0 asks only ejected ones.
        access_log: without it none is written.
        answer_key: signs the ids of answers; secret.
    """

    host: str
    port: int
    config: GatewayConfig
    config_path: Path | None = None
    control: Path | None = None
    lease_s: float | None = None
    signals: Path | None = None
    deadlines: Deadlines = Deadlines()
    probe_s: float = PROBE_EVERY_S
    access_log: Path | None = None
    answer_key: bytes
