"""A fleet host's devices, from what its agent reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pynvml
import pytest
from msgspec.structs import replace

from quantdeck_agent.telemetry.gpu import Memory
from quantdeck_agent.telemetry.gpus import Gpus
from quantdeck_console.commands import check
from quantdeck_console.device_source import load_devices
from quantdeck_core.errors import ExitCode, InputError, NotFoundError, UnreachableError
from quantdeck_core.hardware.host import HostHardware, of_host
from quantdeck_core.protocol.host import GpuSample, HostStatus
from support.agents import agent
from support.fleets import GIB, sample
from support.nvml import PlayedGpu, PlayedNvml

MIB = 1024 * 1024
DEVICES = load_devices(None)


def gpu(name: str, mib: int, index: int = 0, **more: Any) -> GpuSample:
    return GpuSample(index=index, name=name, memory_used_bytes=0, memory_total_bytes=mib * MIB, **more)


def hardware(*gpus: GpuSample, ram: int = 32 * GIB, board: str = "") -> HostHardware:
    reading = replace(sample(memory_total_bytes=ram), gpus=gpus, board=board)
    return of_host(HostStatus(name="gpu-1", agent_version="1", sample=reading), DEVICES)


def test_a_gpu_is_found_by_the_drivers_name_and_keeps_its_own_memory() -> None:
    found = hardware(*(gpu("NVIDIA A100-SXM4-40GB", 40536, index) for index in range(4)), ram=512 * GIB)
    assert found.ram_bytes == 512 * GIB
    [one] = found.devices
    assert (one.device.name, one.count, one.gpus) == ("a100-40gb", 4, (0, 1, 2, 3))
    assert (one.device.memory_mib, one.device.memory_from) == (40536, "driver")
    assert one.device.link_gb_s == 600


def test_several_kinds_in_one_host() -> None:
    found = hardware(gpu("NVIDIA L4", 23034, 0), gpu("Tesla T4", 15360, 1), gpu("NVIDIA L4", 23034, 2))
    assert [(one.device.name, one.gpus) for one in found.devices] == [("l4", (0, 2)), ("t4", (1,))]


def test_a_gpu_that_the_table_does_not_know_is_what_its_agent_says() -> None:
    [one] = hardware(gpu("NVIDIA GeForce GTX 1660\x1b[2J SUPER", 6144, sm=75)).devices
    device = one.device
    assert (device.name, device.sm, device.memory_mib, device.vendor) == (
        "nvidia-geforce-gtx-1660-2j-super", 75, 6144, "nvidia",
    )  # fmt: skip
    assert "\x1b" not in device.title
    assert (device.bandwidth_gb_s, device.link) == (0, "none")


def test_another_size_under_a_known_name_is_no_known_device() -> None:
    [one] = hardware(gpu("NVIDIA GeForce RTX 4060 Ti", 8188, sm=89)).devices
    assert (one.device.name, one.device.memory_mib) == ("nvidia-geforce-rtx-4060-ti", 8188)


def test_too_little_to_go_by() -> None:
    with pytest.raises(InputError, match=r"gpu-1: .* GPU 0, 'Quadro P400' with 2048 MiB") as caught:
        hardware(gpu("Quadro P400", 2048))
    assert "--gpu" in caught.value.hint


def test_a_host_without_a_gpu_is_a_cpu_with_its_ram() -> None:
    found = hardware(ram=64 * GIB)
    assert [(one.device.name, one.count) for one in found.devices] == [("cpu", 1)]
    assert found.ram_bytes == 64 * GIB


@pytest.mark.parametrize(
    ("board", "mib", "name"),
    [
        ("Raspberry Pi 5 Model B Rev 1.1", 16219, "rpi5-16gb"),
        ("Raspberry Pi 5 Model B Rev 1.0", 8063, "rpi5-8gb"),
        ("NVIDIA Jetson AGX Orin Developer Kit", 62841, "jetson-orin-64gb"),
        ("NVIDIA Jetson AGX Orin Developer Kit", 30536, "jetson-orin-32gb"),
        # What the device tree says of an Orin Nano is not always right; its memory is.
        ("NVIDIA Jetson Orin NX Engineering Reference Developer Kit Super", 7620, "jetson-orin-nano-8gb"),
        ("Some other board", 8063, "cpu"),
    ],
)
def test_boards(board: str, mib: int, name: str) -> None:
    [one] = hardware(ram=mib * MIB, board=board).devices
    assert one.device.name == name
    assert one.device.memory_mib == (mib if name != "cpu" else 0)


def test_a_gpu_on_the_machines_memory() -> None:
    [one] = hardware(gpu("NVIDIA GB10", 119 * 1024, sm=121, unified=True), ram=119 * GIB).devices
    assert (one.device.name, one.device.memory_mib, one.device.memory_from) == ("dgx-spark", 119 * 1024, "kernel")


def test_the_agents_reading_of_a_gpu() -> None:
    ram = Memory(used=5, total=119 * GIB)
    [shared] = Gpus(nvml=PlayedNvml(gb10())).read(ram, 0.0).gpus
    [one] = of_host(
        HostStatus(
            name="gpu-1", agent_version="1", sample=replace(sample(memory_total_bytes=119 * GIB), gpus=(shared,))
        ),
        DEVICES,
    ).devices
    assert (one.device.name, one.device.memory_mib, one.device.memory_from) == ("dgx-spark", 119 * 1024, "kernel")


def gb10() -> PlayedGpu:
    values = {"nvmlDeviceGetCudaComputeCapability": (12, 1)}
    return PlayedGpu(uuid="GPU-1", name="NVIDIA GB10", memory_error=pynvml.NVMLError_NotSupported, values=values)


def on_host(command: str, host: str, model: Path, fleet: Path) -> Any:
    argv = [sys.executable, "-m", "quantdeck", command, model, "--host", host, "--fleet", fleet, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_check_and_plan_ask_a_host(demo_models: Path, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    async with agent(demo_models) as one:
        fleet.write_text(f'[[host]]\nname = "here"\nsocket = "{one.socket("viewer")}"\n')
        client = one.client()
        expected = of_host(await client.status(), DEVICES)
        await client.close()
        found = on_host("check", "here", demo_models / "demo-q8_0.gguf", fleet)
        planned = on_host("plan", "here", demo_models / "demo-q8_0.gguf", fleet)
    names = [installed.device.name for installed in expected.devices]
    assert (found["host"], found["gpu"]) == ("here", ", ".join(names))
    assert (planned["device"], planned["fits"]) == (names[0], True)
    assert planned["room_bytes_per_gpu"] < expected.ram_bytes
    assert {verdict["gpu"] for verdict in found["engines"]} <= set(names)


def test_a_host_that_cannot_be_asked(demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(demo_models / "demo-q8_0.gguf")
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[host]]\nname = "gone"\nsocket = "/nosuch/operator.sock"\n')
    with pytest.raises(UnreachableError) as unreachable:
        check.main([model, "--host", "gone", "--fleet", str(fleet)])
    assert unreachable.value.exit_code == ExitCode.UNREACHABLE
    with pytest.raises(NotFoundError, match="No host 'nowhere'"):
        check.main([model, "--host", "nowhere", "--fleet", str(fleet)])
    with pytest.raises(SystemExit) as usage:
        check.main([model, "--host", "gone", "--gpu", "t4"])
    assert usage.value.code == ExitCode.USAGE
    assert "not allowed with" in capsys.readouterr().err
