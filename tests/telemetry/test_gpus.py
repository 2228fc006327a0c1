"""What is made of a driver's answers, good and bad. The driver is played, its errors are `pynvml`'s own."""

from __future__ import annotations

import asyncio
import threading
from operator import attrgetter
from pathlib import Path
from typing import Any

import pynvml
import pytest

from quantdeck_agent.telemetry import sampler as sampler_module
from quantdeck_agent.telemetry.gpu import Memory
from quantdeck_agent.telemetry.gpus import REOPEN_AFTER_S, GpuReading, Gpus
from quantdeck_agent.telemetry.sampler import Sampler
from quantdeck_core.protocol.host import Clocks, Ecc, GpuProcess, GpuSample, Pcie
from support.nvml import GIB, PlayedGpu, PlayedMig, PlayedNvml, PlayedProcess, eight_gpus
from support.waiting import eventually

RAM = Memory(used=5, total=119 * GIB)


def gpu(**more: Any) -> PlayedGpu:
    return PlayedGpu(uuid="GPU-1", **more)


def one(played: PlayedGpu) -> GpuSample:
    reading = Gpus(nvml=PlayedNvml(played)).read(RAM, 0.0)
    assert (reading.note, reading.lost) == ("", ())
    return reading.gpus[0]


def test_everything_that_the_driver_tells() -> None:
    processes = [PlayedProcess(7, 3 * GIB, graphics=True), PlayedProcess(9, 2 * GIB)]
    sample = one(gpu(processes=processes))
    assert sample == GpuSample(
        index=0,
        name="NVIDIA H100 80GB HBM3",
        memory_used_bytes=70 * GIB,
        memory_total_bytes=80 * GIB,
        memory_reserved_bytes=GIB // 2,
        processes=(GpuProcess(7, 3 * GIB), GpuProcess(9, 2 * GIB)),
        utilization_percent=97,
        memory_utilization_percent=41,
        temperature_c=64,
        slowdown_c=87,
        shutdown_c=92,
        power_w=612.3,
        power_limit_w=700.0,
        clocks=Clocks(1755, 1980, 1755),
        ecc=Ecc(0, 0, False),
        throttle=("power-cap",),
        pcie=Pcie(5, 16),
        nvlinks=18,
        sm=90,
        uuid="GPU-1",
        bus_id="00000000:18:00.0",
    )


_REFUSED = {
    "nvmlDeviceGetUtilizationRates": ("utilization_percent", "memory_utilization_percent"),
    "nvmlDeviceGetTemperature": ("temperature_c",),
    "nvmlDeviceGetTemperatureThreshold": ("slowdown_c", "shutdown_c"),
    "nvmlDeviceGetPowerUsage": ("power_w",),
    "nvmlDeviceGetEnforcedPowerLimit": ("power_limit_w",),
    "nvmlDeviceGetClockInfo": ("clocks.sm_mhz", "clocks.memory_mhz"),
    "nvmlDeviceGetMaxClockInfo": ("clocks.max_sm_mhz",),
    "nvmlDeviceGetTotalEccErrors": ("ecc.uncorrected", "ecc.corrected"),
    "nvmlDeviceGetRemappedRows": ("ecc.repair_pending",),
    "nvmlDeviceGetCurrentClocksEventReasons": ("throttle",),
    "nvmlDeviceGetCurrPcieLinkGeneration": ("pcie.generation",),
    "nvmlDeviceGetCurrPcieLinkWidth": ("pcie.width",),
    "nvmlDeviceGetFieldValues": ("pcie.rx_bytes_per_s", "pcie.tx_bytes_per_s"),
    "nvmlDeviceGetNvLinkState": ("nvlinks",),
    "nvmlDeviceGetCudaComputeCapability": ("sm",),
    "nvmlDeviceGetComputeRunningProcesses": ("processes",),
    "nvmlDeviceGetMigMode": ("mig",),
}


@pytest.mark.parametrize(
    "error", [pynvml.NVMLError_NotSupported, pynvml.NVMLError_Unknown, pynvml.NVMLError_NoPermission]
)
@pytest.mark.parametrize("function", _REFUSED)
def test_what_a_driver_does_not_give_is_none_and_the_rest_is_there(function: str, error: type[Exception]) -> None:
    sample = one(gpu(values={function: error}))
    assert [attrgetter(name)(sample) for name in _REFUSED[function]] == [None] * len(_REFUSED[function])
    assert sample.memory_used_bytes == 70 * GIB


def test_a_library_without_the_newer_functions() -> None:
    nvml = PlayedNvml(gpu(second_memory_version=False))
    nvml.without = {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetRemappedRows", "nvmlDeviceGetFieldValues"}
    [sample] = Gpus(nvml=nvml).read(RAM, 0.0).gpus
    # Before the second version the driver's own part could not be told from that of processes.
    assert (sample.memory_used_bytes, sample.memory_reserved_bytes) == (70 * GIB + GIB // 2, None)
    assert (sample.throttle, sample.ecc.repair_pending, sample.pcie.rx_bytes_per_s) == (None, None, None)


def test_a_container_that_hides_how_much_a_process_has() -> None:
    assert one(gpu(processes=[PlayedProcess(7, None)])).processes == (GpuProcess(7),)
    assert one(gpu(processes=[])).processes == ()


def test_a_gpu_on_the_machines_memory() -> None:
    shared = one(gpu(memory_error=pynvml.NVMLError_NotSupported))
    assert (shared.unified, shared.memory_used_bytes, shared.memory_total_bytes) == (True, 5, 119 * GIB)


def test_mig_devices_have_memory_and_processes_of_their_own() -> None:
    parts = [PlayedMig(uuid="MIG-a", processes=[PlayedProcess(3, GIB)]), None, PlayedMig(uuid="MIG-b", used=2 * GIB)]
    sample = one(gpu(mig=parts, values={"nvmlDeviceGetUtilizationRates": pynvml.NVMLError_NotSupported}))
    assert sample.mig is not None
    assert [(part.uuid, part.memory_used_bytes, part.memory_total_bytes) for part in sample.mig] == [
        ("MIG-a", GIB, 10 * GIB),
        ("MIG-b", 2 * GIB, 10 * GIB),
    ]
    assert sample.mig[0].processes == (GpuProcess(3, GIB),)
    assert one(gpu()).mig is None


def test_names_reach_no_terminal_with_escape_codes() -> None:
    assert one(gpu(name=b"NVIDIA \x1b[2JL4")).name == "NVIDIA [2JL4"


def test_pcie_bytes_a_second() -> None:
    played = gpu(pcie=(1000, 2000))
    gpus = Gpus(nvml=PlayedNvml(played))
    assert gpus.read(RAM, 0.0).gpus[0].pcie.rx_bytes_per_s is None
    played.pcie = (3000, 2500)
    [sample] = gpus.read(RAM, 2.0).gpus
    assert (sample.pcie.rx_bytes_per_s, sample.pcie.tx_bytes_per_s) == (1000, 250)
    played.pcie = None
    assert gpus.read(RAM, 3.0).gpus[0].pcie.rx_bytes_per_s is None


def test_what_seldom_changes_is_seldom_asked() -> None:
    nvml = eight_gpus()
    gpus = Gpus(nvml=nvml)
    gpus.read(RAM, 0.0)
    nvml.calls.clear()
    for second in range(1, 10):
        gpus.read(RAM, float(second))
    assert nvml.calls["nvmlDeviceGetTemperature"] == 9 * 8
    for seldom in ("nvmlDeviceGetName", "nvmlDeviceGetTotalEccErrors", "nvmlDeviceGetNvLinkState", "nvmlInit"):
        assert nvml.calls[seldom] == 0
    gpus.read(RAM, 10.0)
    assert nvml.calls["nvmlDeviceGetTotalEccErrors"] == 16
    assert nvml.calls["nvmlDeviceGetName"] == 0


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (pynvml.NVMLError_LibraryNotFound, "no GPU: NVML library not found"),
        (pynvml.NVMLError_DriverNotLoaded, "no GPU: Driver Not Loaded"),
        (pynvml.NVMLError_LibRmVersionMismatch, "no GPU: RM has detected an NVML/RM version mismatch."),
    ],
)
def test_no_nvml_is_said_and_looked_for_again(error: Any, note: str) -> None:
    nvml = PlayedNvml(gpu())
    nvml.init_error = error
    gpus = Gpus(nvml=nvml)
    assert gpus.read(RAM, 0.0) == GpuReading(note=note)
    gpus.read(RAM, 1.0)
    assert nvml.calls["nvmlInit"] == 1
    nvml.init_error = None
    assert gpus.read(RAM, REOPEN_AFTER_S).note == ""


def test_a_driver_without_gpus() -> None:
    assert Gpus(nvml=PlayedNvml()).read(RAM, 0.0).note == "no GPU: the driver lists none"


def test_a_gpu_that_falls_off_the_bus_is_shown_as_lost_and_found_again() -> None:
    nvml = eight_gpus()
    gpus = Gpus(nvml=nvml)
    assert len(gpus.read(RAM, 0.0).gpus) == 8
    nvml.gpus[3].lost = True
    reading = gpus.read(RAM, 1.0)
    assert [sample.index for sample in reading.gpus] == [0, 1, 2, 4, 5, 6, 7]
    [lost] = reading.lost
    assert (lost.index, lost.note, lost.uuid) == (3, "GPU is lost", nvml.gpus[3].uuid)
    # The driver, opened anew, may not list it any more; then the others have other numbers.
    fallen = nvml.gpus.pop(3)
    reading = gpus.read(RAM, 1.0 + REOPEN_AFTER_S)
    assert [sample.index for sample in reading.gpus] == list(range(7))
    assert [(one.uuid, one.note) for one in reading.lost] == [(fallen.uuid, "the driver does not list it any more")]
    fallen.lost = False
    nvml.gpus.insert(3, fallen)
    reading = gpus.read(RAM, 2.0 + 2 * REOPEN_AFTER_S)
    assert (len(reading.gpus), reading.lost) == (8, ())


def test_a_gpu_that_was_lost_before_the_agent_began() -> None:
    nvml = eight_gpus()
    nvml.gpus[0].lost = True
    reading = Gpus(nvml=nvml).read(RAM, 0.0)
    assert len(reading.gpus) == 7
    assert [(one.index, one.name, one.note) for one in reading.lost] == [(0, "unknown", "GPU is lost")]


def test_a_gpu_that_does_not_answer_in_time_is_lost_for_that_reading() -> None:
    nvml = eight_gpus()
    gpus = Gpus(nvml=nvml)
    gpus.read(RAM, 0.0)
    nvml.gpus[0].memory_error = pynvml.NVMLError_Timeout
    assert [one.note for one in gpus.read(RAM, 1.0).lost] == ["Timeout"]
    nvml.gpus[0].memory_error = None
    reading = gpus.read(RAM, 2.0)
    assert reading.lost == ()
    assert reading.gpus[0].memory_reserved_bytes == GIB // 2  # it is asked as before


def test_a_driver_that_is_loaded_anew() -> None:
    nvml = eight_gpus()
    gpus = Gpus(nvml=nvml)
    gpus.read(RAM, 0.0)
    nvml.reload_driver()
    nvml.driver = "590.1"
    reading = gpus.read(RAM, 1.0)
    assert (len(reading.gpus), reading.lost, reading.driver) == (8, (), "590.1")


def test_a_driver_that_is_unloaded() -> None:
    nvml = eight_gpus()
    gpus = Gpus(nvml=nvml)
    gpus.read(RAM, 0.0)
    nvml.reload_driver()
    nvml.init_error = pynvml.NVMLError_DriverNotLoaded
    reading = gpus.read(RAM, 1.0)
    assert (reading.gpus, reading.note) == ((), "no GPU: Driver Not Loaded")
    assert [one.note for one in reading.lost] == ["Driver Not Loaded"] * 8
    nvml.init_error = None
    assert len(gpus.read(RAM, 2.0 + REOPEN_AFTER_S).gpus) == 8


async def test_a_driver_that_hangs_does_not_hold_up_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "WAIT_S", 0.05)
    monkeypatch.setattr(sampler_module, "SILENT_S", 0.2)
    nvml, go_on, asked = eight_gpus(), threading.Event(), threading.Event()
    sampler = Sampler(tmp_path, gpus=Gpus(nvml=nvml))
    assert sampler.last.gpu_note == "GPUs are not read yet"
    while not (await sampler.sample()).gpus:
        pass

    def hang() -> None:
        asked.set()
        go_on.wait()

    nvml.hang = hang
    try:
        loop_turns = 0

        async def turn() -> None:
            nonlocal loop_turns
            while True:
                loop_turns += 1
                await asyncio.sleep(0.005)

        turning = asyncio.create_task(turn())
        sample = await sampler.sample()
        assert asked.is_set()
        assert len(sample.gpus) == 8  # what was true a moment ago
        assert loop_turns > 3
        while not (sample := await sampler.sample()).lost_gpus:
            pass
        assert sample.gpus == ()
        assert {one.note for one in sample.lost_gpus} == {"NVML has not answered for 0s"}
        turning.cancel()
    finally:
        nvml.hang = None
        go_on.set()
    found = []

    async def again() -> None:
        while not found:
            found.extend((await sampler.sample()).gpus)

    await asyncio.wait_for(again(), 10)
    await eventually(lambda: sampler.last.lost_gpus == ())


async def test_a_library_that_fails_in_some_new_way_does_not_end_the_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    played = gpu()
    sampler = Sampler(tmp_path, gpus=Gpus(nvml=PlayedNvml(played)))
    assert len((await sampler.first()).gpus) == 1
    played.memory_error = ValueError
    sample = await sampler.sample()
    assert [one.note for one in sample.lost_gpus] == ["the GPUs cannot be read: ValueError"]
    assert "the GPUs cannot be read" in caplog.text
    played.memory_error = None
    assert len((await sampler.sample()).gpus) == 1


def test_what_pynvml_really_is_called() -> None:
    """The played driver has no function that the real module lacks."""
    for name in dir(PlayedNvml):
        if name.startswith("_nvml"):
            assert callable(getattr(pynvml, name.removeprefix("_")))
