"""What a gateway is started with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quantdeck_core.protocol.gateway import GatewayConfig
from quantdeck_gateway.ejection import PROBE_EVERY_S
from quantdeck_gateway.limits import Deadlines


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every worker is told once.

    Attributes:
        probe_s: replicas that gave no sign of life for so long are asked for a token; 0 asks only ejected ones.
        answers: path of the analyser's socket; None where nothing is analysed.
        access_log: without it none is written; all of them append to it.
        answer_key: signs the ids of answers; secret.
        keys_required: nobody may ask without an API key, also while there is none.
    """

    deadlines: Deadlines = Deadlines()
    probe_s: float = PROBE_EVERY_S
    answers: str | None = None
    access_log: str | None = None
    answer_key: bytes
    keys_required: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that does not change while it runs, and the config that it begins with.

    Attributes:
        workers: processes that accept clients.
        config_path: where changes are kept, unless it is a person's TOML; None for a gateway that was configured by its
            arguments.
        lease_s: seconds until an experiment that nobody judges lapses; None: none ever does.
        signals: without it nothing is analysed.
        worker: what each of them is told; `answers` is filled in when it starts.
        argv: what a successor is started with.
        inherit: descriptor of the channel to the gateway whose place this one takes.
    """

    host: str
    port: int
    config: GatewayConfig
    workers: int = 1
    config_path: Path | None = None
    control: Path | None = None
    lease_s: float | None = None
    signals: Path | None = None
    worker: WorkerSettings
    argv: tuple[str, ...] = ()
    inherit: int | None = None
