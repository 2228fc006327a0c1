"""One GPU, read every second."""

from __future__ import annotations

from typing import Any, NamedTuple

import pynvml

from quantdeck_agent.telemetry.gpu_facts import Facts, MigHandle, Slow, read_facts, read_slow
from quantdeck_agent.telemetry.nvml import Ask
from quantdeck_core.engines.rate import Rate
from quantdeck_core.protocol.host import Clocks, GpuProcess, GpuSample, MigDevice, Pcie
from quantdeck_ledger.process_memory import processes_on

SLOW_EVERY_S = 10.0

_REASONS = {
    pynvml.nvmlClocksEventReasonSwPowerCap: "power-cap",
    pynvml.nvmlClocksEventReasonHwSlowdown: "hw-slowdown",
    pynvml.nvmlClocksEventReasonSyncBoost: "sync-boost",
    pynvml.nvmlClocksEventReasonSwThermalSlowdown: "sw-thermal",
    pynvml.nvmlClocksEventReasonHwThermalSlowdown: "hw-thermal",
    pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: "hw-power-brake",
}
"""Reasons for lower clocks that somebody should know of; idle and clocks that were set by hand are none."""

_NO_SECOND_VERSION = (
    pynvml.NVMLError_FunctionNotFound,
    pynvml.NVMLError_ArgumentVersionMismatch,
    pynvml.NVMLError_InvalidArgument,
    pynvml.NVMLError_NotSupported,
)


class Memory(NamedTuple):
    """Bytes; `reserved` by the driver itself, None where it is not told apart."""

    used: int
    total: int
    reserved: int | None = None


class Gpu:
    """One GPU of an open session.

    Raises:
        NVMLError: as for `read`.
    """

    def __init__(self, ask: Ask, handle: Any, index: int) -> None:
        self._ask, self._handle = ask, handle
        self.facts: Facts = read_facts(ask, handle, index)
        self._slow: Slow | None = None
        self._slow_at = 0.0
        self._second_version = True
        self._rx, self._tx = Rate(), Rate()

    def read(self, ram: Memory, now: float) -> GpuSample:
        """A reading at a monotonic time, seconds.

        Args:
            ram: of the machine, which GPUs without memory of their own use.

        Raises:
            NVMLError: it does not answer, or the session has ended.
        """
        ask, handle, facts = self._ask, self._handle, self.facts
        memory = self._memory(handle)
        if self._slow is None or now - self._slow_at >= SLOW_EVERY_S:
            self._slow, self._slow_at = read_slow(ask, handle), now
        slow = self._slow
        utilization = ask("nvmlDeviceGetUtilizationRates", handle)
        power_mw = ask("nvmlDeviceGetPowerUsage", handle)
        return GpuSample(
            index=facts.index,
            name=facts.name,
            memory_used_bytes=(memory or ram).used,
            memory_total_bytes=(memory or ram).total,
            memory_reserved_bytes=memory.reserved if memory else None,
            processes=self._processes(handle),
            utilization_percent=None if utilization is None else int(utilization.gpu),
            memory_utilization_percent=None if utilization is None else int(utilization.memory),
            temperature_c=ask.number("nvmlDeviceGetTemperature", handle, pynvml.NVML_TEMPERATURE_GPU),
            slowdown_c=facts.slowdown_c,
            shutdown_c=facts.shutdown_c,
            power_w=None if power_mw is None else round(power_mw / 1000, 1),
            power_limit_w=slow.power_limit_w,
            clocks=Clocks(
                ask.number("nvmlDeviceGetClockInfo", handle, pynvml.NVML_CLOCK_SM),
                facts.max_sm_clock_mhz,
                ask.number("nvmlDeviceGetClockInfo", handle, pynvml.NVML_CLOCK_MEM),
            ),
            ecc=slow.ecc,
            throttle=self._throttle(),
            mig=None if slow.mig is None else tuple(self._mig(one) for one in slow.mig),
            pcie=Pcie(slow.pcie_generation, slow.pcie_width, *self._traffic(now)),
            nvlinks=slow.nvlinks,
            sm=facts.sm,
            unified=memory is None,
            uuid=facts.uuid,
            bus_id=facts.bus_id,
        )

    def _memory(self, handle: Any) -> Memory | None:
        """None where it has none of its own: NVML reads no memory of GB10 and Jetson."""
        if self._second_version:
            try:
                reading = self._ask.nvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
                return Memory(used=int(reading.used), total=int(reading.total), reserved=int(reading.reserved))
            except _NO_SECOND_VERSION:
                self._second_version = False  # drivers before 510
        try:
            reading = self._ask.nvml.nvmlDeviceGetMemoryInfo(handle)
        except pynvml.NVMLError_NotSupported:
            return None
        return Memory(used=int(reading.used), total=int(reading.total))

    def _processes(self, handle: Any) -> tuple[GpuProcess, ...] | None:
        try:
            found = processes_on(handle, self._ask.nvml)
        except pynvml.NVMLError:
            return None
        return tuple(GpuProcess(pid, amount) for pid, amount in sorted(found.items()))

    def _throttle(self) -> tuple[str, ...] | None:
        for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            bits = self._ask(name, self._handle)
            if bits is not None:
                return tuple(word for bit, word in _REASONS.items() if bits & bit)
        return None

    def _traffic(self, now: float) -> tuple[int | None, int | None]:
        """From counters where the GPU has them; NVML's own throughput takes 20 ms of waiting for each direction."""
        fields = [pynvml.NVML_FI_DEV_PCIE_COUNT_RX_BYTES, pynvml.NVML_FI_DEV_PCIE_COUNT_TX_BYTES]
        values = self._ask("nvmlDeviceGetFieldValues", self._handle, fields)
        if values is None:
            return None, None
        rx, tx = (int(one.value.ullVal) if one.nvmlReturn == pynvml.NVML_SUCCESS else None for one in values)
        return _rounded(self._rx.add(now, rx)), _rounded(self._tx.add(now, tx))

    def _mig(self, one: MigHandle) -> MigDevice:
        """A MIG device that was just destroyed has no memory any more; it leaves the list within ten seconds."""
        memory = self._ask("nvmlDeviceGetMemoryInfo", one.handle)
        return MigDevice(
            name=one.name,
            uuid=one.uuid,
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            processes=self._processes(one.handle),
        )


def _rounded(rate: float | None) -> int | None:
    return None if rate is None else round(rate)
