"""What an agent says about its host."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.operation import Operation

PROTOCOL = 1
"""Version of the wire. A peer with another one is read-only."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The handshake: exchanged before anything else.

    Attributes:
        role: what this connection may do: `viewer`, `operator` or `admin`.
    """

    protocol: int
    agent: str
    host: str
    role: str


class GpuSample(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU as NVML reports it; None where the driver does not say.

    Attributes:
        sm: compute capability without its point (89 for 8.9).
        unified: it has no memory of its own; the figures are those of the machine's RAM.
    """

    index: int
    name: str
    memory_used_bytes: int
    memory_total_bytes: int
    utilization_percent: int | None = None
    temperature_c: int | None = None
    power_w: float | None = None
    sm: int | None = None
    unified: bool = False


class HostSample(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the machine.

    Attributes:
        t: UNIX time, seconds.
        board: what the device tree calls the machine, e.g. `Raspberry Pi 5 Model B Rev 1.1`; empty where there is none.
        gpu_note: empty, or why there are no GPUs here, e.g. `no GPU: NVML library not found`.
    """

    t: float
    cpu_percent: float
    cpu_count: int
    load_1m: float
    memory_used_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    gpus: tuple[GpuSample, ...] = ()
    gpu_note: str = ""
    board: str = ""


class GatewayView(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway as its agent sees it.

    Attributes:
        running: it answered its control socket within the last seconds.
        rps: requests per second over the last seconds.
    """

    listen: str
    running: bool
    pid: int | None
    revision: int
    in_flight: int
    rps: float
    rss_bytes: int | None
    tee_dropped: int
    detail: str = ""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know now.

    Attributes:
        id: rises by one; the console rings once for each.
        level: `warn` or `fail`.
    """

    id: int
    t: float
    level: str
    text: str
    experiment: str = ""


class HostStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All of one host."""

    name: str
    agent_version: str
    sample: HostSample
    engines: tuple[EngineStatus, ...] = ()
    operations: tuple[Operation, ...] = ()
    """Those under way and the last that ended, oldest first, without their profiles."""
    gateway: GatewayView | None = None
    experiments: tuple[ExperimentStatus, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    """The newest last, at most 20."""
