"""What an agent says about its host."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.alerts import PageCounts
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Freeze

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


class GpuProcess(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A process on a GPU, `[pid, bytes, engine]`.

    Attributes:
        memory_bytes: null where the driver or the container hides how much.
        engine: `EngineStatus.pid` of the engine that it is a part of, its own or that of its leader; null where it is
            of no engine that this agent knows.
    """

    pid: int
    memory_bytes: int | None = None
    engine: int | None = None


class Clocks(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """MHz, `[sm, max_sm, memory]`: of the multiprocessors now, the highest they may have, and of the memory now."""

    sm_mhz: int | None = None
    max_sm_mhz: int | None = None
    memory_mhz: int | None = None


class Ecc(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Memory errors since the driver was loaded, `[uncorrected, corrected, repair_pending]`.

    Attributes:
        repair_pending: a row waits to be remapped (a page to be retired) at the next reset.
    """

    uncorrected: int | None = None
    corrected: int | None = None
    repair_pending: bool | None = None


class Pcie(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A GPU's link to the machine, `[generation, lanes, received, sent]`.

    Attributes:
        generation, width: now; the link may save power by going slower while idle.
        rx_bytes_per_s, tx_bytes_per_s: where the GPU counts them (NVML fields 198 and 197).
    """

    generation: int | None = None
    width: int | None = None
    rx_bytes_per_s: int | None = None
    tx_bytes_per_s: int | None = None


class MigDevice(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A part of a GPU that works as one of its own."""

    name: str
    uuid: str = ""
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    processes: tuple[GpuProcess, ...] | None = None


class GpuSample(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One GPU as NVML reports it; None where the driver does not say.

    Attributes:
        memory_used_bytes: by processes; where the driver tells apart what it keeps for itself, without that.
        memory_reserved_bytes: by the driver itself, part of the total.
        processes: those with a context on it; None where the list is hidden, as in most containers.
        sm: compute capability without its point (89 for 8.9).
        unified: it has no memory of its own; the figures are those of the machine's RAM.
        slowdown_c: it slows itself down from here, and powers off at `shutdown_c`.
        throttle: why its clocks are lower than asked for, e.g. `power-cap`, `hw-thermal`; empty: they are not.
        mig: its MIG devices; None where it is not divided.
        nvlinks: active NVLinks.
    """

    index: int
    name: str
    memory_used_bytes: int
    memory_total_bytes: int
    memory_reserved_bytes: int | None = None
    processes: tuple[GpuProcess, ...] | None = None
    utilization_percent: int | None = None
    memory_utilization_percent: int | None = None
    temperature_c: int | None = None
    slowdown_c: int | None = None
    shutdown_c: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    clocks: Clocks = Clocks()
    ecc: Ecc = Ecc()
    throttle: tuple[str, ...] | None = None
    mig: tuple[MigDevice, ...] | None = None
    pcie: Pcie = Pcie()
    nvlinks: int | None = None
    sm: int | None = None
    unified: bool = False
    uuid: str = ""
    bus_id: str = ""


class LostGpu(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A GPU that was there and does not answer any more.

    Attributes:
        note: why, in NVML's words, e.g. `GPU is lost`.
    """

    index: int
    name: str
    note: str
    uuid: str = ""
    bus_id: str = ""


class Temperature(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The hottest sensor of one chip; `high_c` and `critical_c` are the chip's own limits."""

    name: str
    c: float
    high_c: float | None = None
    critical_c: float | None = None


class HostSample(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One reading of the machine; None where it does not tell.

    Attributes:
        t: UNIX time, seconds.
        disk_free_bytes: of the disk with the state folder; `models_disk_free_bytes` of that with the models.
        rx_bytes_per_s, tx_bytes_per_s: of all network interfaces but loopback.
        temperatures: the hottest first, at most 8.
        fan_rpm: the fastest fan.
        throttled: why the processor is slowed down, e.g. `under-voltage`; empty: it is not.
        memory_some_percent, memory_full_percent: time that some or all tasks waited for memory in the last 10 s (PSI).
        board: what the device tree calls the machine, e.g. `Raspberry Pi 5 Model B Rev 1.1`; empty where there is none.
        gpu_note: empty, or why there are no GPUs here, e.g. `no GPU: NVML library not found`.
        driver: version of the NVIDIA driver; empty without one.
    """

    t: float
    cpu_percent: float
    cpu_count: int
    load_1m: float
    memory_used_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int | None = None
    models_disk_free_bytes: int | None = None
    models_disk_total_bytes: int | None = None
    swap_used_bytes: int | None = None
    swap_total_bytes: int | None = None
    rx_bytes_per_s: float | None = None
    tx_bytes_per_s: float | None = None
    temperatures: tuple[Temperature, ...] = ()
    fan_rpm: int | None = None
    throttled: tuple[str, ...] | None = None
    cpu_mhz: float | None = None
    cpu_max_mhz: float | None = None
    memory_some_percent: float | None = None
    memory_full_percent: float | None = None
    gpus: tuple[GpuSample, ...] = ()
    lost_gpus: tuple[LostGpu, ...] = ()
    gpu_note: str = ""
    driver: str = ""
    board: str = ""


class GatewayView(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The gateway as its agent sees it.

    Attributes:
        running: it answered its control socket within the last seconds.
        rps: requests per second over the last seconds.
        rungs: of the arms that have too many requests, by `EXPERIMENT/VARIANT`: an index into `gateway.RUNGS`, from 1.
    """

    listen: str
    running: bool
    pid: int | None
    revision: int
    in_flight: int
    rps: float
    rss_bytes: int | None
    tee_dropped: int
    rungs: dict[str, int] = {}
    detail: str = ""


class Alarm(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Something a person should know now.

    Attributes:
        id: rises by one; the console rings once for each.
        level: `warn` or `fail`; `ok` where it says that an earlier one with the same `key` has ended.
        hint: what to do next.
        key: names the condition, e.g. `hot:gpu:GPU-5a1b`, for what begins and ends; empty for what just happened.
    """

    id: int
    t: float
    level: str
    text: str
    experiment: str = ""
    hint: str = ""
    key: str = ""


class HostStatus(msgspec.Struct, frozen=True, gc=False, kw_only=True):
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
    pages: PageCounts = PageCounts()
    frozen: Freeze | None = None
    """Who holds all automation but rollbacks here, and why; None where nobody does."""
