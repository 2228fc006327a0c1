"""A driver that is played: the functions of `pynvml` that the agent asks, with `pynvml`'s own errors.

Only what a driver answers is played here; whoever reads it is the real code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml

GIB = 1 << 30


@dataclass
class PlayedProcess:
    pid: int
    memory: int | None
    graphics: bool = False


@dataclass
class PlayedMig:
    name: str = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    uuid: str = "MIG-1"
    used: int = GIB
    total: int = 10 * GIB
    processes: list[PlayedProcess] = field(default_factory=list)


@dataclass
class PlayedGpu:
    """One GPU; a value that is an exception class is raised when it is asked for."""

    uuid: str
    name: Any = "NVIDIA H100 80GB HBM3"
    used: int = 70 * GIB
    total: int = 80 * GIB
    reserved: int = GIB // 2
    bus_id: str = "00000000:18:00.0"
    memory_error: type[Exception] | None = None
    second_memory_version: bool = True
    processes: list[PlayedProcess] | type[Exception] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    """Answers by function, in place of the usual ones."""
    mig: list[PlayedMig | None] | None = None
    lost: bool = False
    pcie: tuple[int, int] | None = (1000, 2000)


class PlayedNvml:
    """Injected as `Gpus(nvml=...)`. Counts calls."""

    def __init__(self, *gpus: PlayedGpu, driver: str = "580.95.05") -> None:
        self.gpus = list(gpus)
        self.driver = driver
        self.calls: Counter[str] = Counter()
        self.init_error: type[Exception] | None = None
        self.open = False
        self.without: set[str] = set()
        """Functions that this driver's library does not have."""
        self.hang: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        played = type(self).__dict__.get(f"_{name}")
        if played is None and name not in _USUAL:
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            self.calls[name] += 1
            if name not in ("nvmlInit", "nvmlShutdown"):
                self._require(name, arguments)
            if played is not None:
                return played(self, *arguments)
            return _answer(arguments[0].values.get(name, _USUAL[name]))

        return call

    def _require(self, name: str, arguments: tuple[Any, ...]) -> None:
        if not self.open:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        if name in self.without:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        if self.hang is not None:
            self.hang()
        if arguments and isinstance(arguments[0], PlayedGpu):
            if arguments[0].lost:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
            if name in arguments[0].values:
                _answer(arguments[0].values[name])

    def _nvmlInit(self) -> None:
        if self.init_error is not None:
            raise self.init_error
        self.open = True

    def _nvmlShutdown(self) -> None:
        self.open = False

    def reload_driver(self) -> None:
        """As `rmmod nvidia; modprobe nvidia` does to those who have NVML open."""
        self.open = False

    def _nvmlSystemGetDriverVersion(self) -> str:
        return self.driver

    def _nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def _nvmlDeviceGetHandleByIndex(self, index: int) -> PlayedGpu:
        if self.gpus[index].lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return self.gpus[index]

    def _nvmlDeviceGetName(self, gpu: PlayedGpu | PlayedMig) -> Any:
        return gpu.name

    def _nvmlDeviceGetUUID(self, gpu: PlayedGpu | PlayedMig) -> str:
        return gpu.uuid

    def _nvmlDeviceGetPciInfo(self, gpu: PlayedGpu) -> Any:
        return SimpleNamespace(busId=gpu.bus_id)

    def _nvmlDeviceGetMemoryInfo(self, gpu: PlayedGpu | PlayedMig, version: int | None = None) -> Any:
        if isinstance(gpu, PlayedMig):
            return SimpleNamespace(used=gpu.used, total=gpu.total)
        if gpu.memory_error is not None:
            raise gpu.memory_error
        if version is None:
            return SimpleNamespace(used=gpu.used + gpu.reserved, total=gpu.total)
        if not gpu.second_memory_version:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return SimpleNamespace(used=gpu.used, total=gpu.total, reserved=gpu.reserved)

    def _nvmlDeviceGetComputeRunningProcesses(self, gpu: PlayedGpu | PlayedMig) -> list[Any]:
        return [_process(one) for one in _answer(gpu.processes)]

    def _nvmlDeviceGetGraphicsRunningProcesses(self, gpu: PlayedGpu | PlayedMig) -> list[Any]:
        return [_process(one) for one in _answer(gpu.processes) if one.graphics]

    def _nvmlDeviceGetTemperatureThreshold(self, gpu: PlayedGpu, which: int) -> int:
        thresholds = {pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN: 87, pynvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN: 92}
        return thresholds[which]

    def _nvmlDeviceGetTotalEccErrors(self, gpu: PlayedGpu, kind: int, counter: int) -> int:
        assert counter == pynvml.NVML_VOLATILE_ECC
        name = "uncorrected" if kind == pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED else "corrected"
        return int(_answer(gpu.values.get(name, 0)))

    def _nvmlDeviceGetNvLinkState(self, gpu: PlayedGpu, link: int) -> int:
        links = gpu.values.get("links", [1] * 18)
        if link >= len(links):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return int(links[link])

    def _nvmlDeviceGetMigMode(self, gpu: PlayedGpu) -> list[int]:
        return [int(gpu.mig is not None)] * 2

    def _nvmlDeviceGetMaxMigDeviceCount(self, gpu: PlayedGpu) -> int:
        return len(gpu.mig or [])

    def _nvmlDeviceGetMigDeviceHandleByIndex(self, gpu: PlayedGpu, place: int) -> PlayedMig:
        found = (gpu.mig or [])[place]
        if found is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    def _nvmlDeviceGetFieldValues(self, gpu: PlayedGpu, fields: list[int]) -> list[Any]:
        if gpu.pcie is None:
            refused = pynvml.NVML_ERROR_NOT_SUPPORTED
            return [SimpleNamespace(nvmlReturn=refused, value=SimpleNamespace(ullVal=0)) for _ in fields]
        by_field = dict(
            zip((pynvml.NVML_FI_DEV_PCIE_COUNT_RX_BYTES, pynvml.NVML_FI_DEV_PCIE_COUNT_TX_BYTES), gpu.pcie, strict=True)
        )
        return [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(ullVal=by_field[one])) for one in fields]


_USUAL: dict[str, Any] = {
    "nvmlDeviceGetCudaComputeCapability": (9, 0),
    "nvmlDeviceGetMaxClockInfo": 1980,
    "nvmlDeviceGetClockInfo": 1755,
    "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=97, memory=41),
    "nvmlDeviceGetTemperature": 64,
    "nvmlDeviceGetPowerUsage": 612_345,
    "nvmlDeviceGetEnforcedPowerLimit": 700_000,
    "nvmlDeviceGetCurrentClocksEventReasons": pynvml.nvmlClocksEventReasonSwPowerCap,
    "nvmlDeviceGetRemappedRows": (0, 0, 0, 0),
    "nvmlDeviceGetCurrPcieLinkGeneration": 5,
    "nvmlDeviceGetCurrPcieLinkWidth": 16,
}


def _answer(value: Any) -> Any:
    if isinstance(value, type) and issubclass(value, Exception):
        raise value
    return value


def _process(one: PlayedProcess) -> Any:
    return SimpleNamespace(pid=one.pid, usedGpuMemory=one.memory)


def eight_gpus() -> PlayedNvml:
    """A full host: two processes on each GPU."""
    return PlayedNvml(
        *(
            PlayedGpu(
                uuid=f"GPU-8f3a2c1e-0b4d-4c6e-9a7f-1d2e3f4a5b{index:02x}",
                bus_id=f"00000000:{0x18 + index * 8:02X}:00.0",
                processes=[PlayedProcess(41000 + index * 2 + n, 34 * GIB + n) for n in range(2)],
            )
            for index in range(8)
        )
    )
