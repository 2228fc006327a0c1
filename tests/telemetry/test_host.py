"""The machine's own figures, from the real one and from files that are played."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from quantdeck_agent.telemetry import network as network_module
from quantdeck_agent.telemetry.cpu import CpuUse
from quantdeck_agent.telemetry.gpus import GpuReading
from quantdeck_agent.telemetry.host import HostReader
from quantdeck_agent.telemetry.memory_pressure import memory_pressure
from quantdeck_agent.telemetry.network import Network
from quantdeck_agent.telemetry.sensors import EVERY_S, Sensors
from quantdeck_agent.telemetry.sessions import SessionMemory
from quantdeck_agent.telemetry.throttling import Throttling

MIB = 1 << 20


def play(root: Path, content: dict[str, str]) -> None:
    """Files of a machine, by their paths under the root."""
    for name, text in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_this_machine(tmp_path: Path) -> None:
    sample = HostReader(tmp_path, tmp_path / "models").read(1234.5678, GpuReading(note="no GPU: x"))
    assert (sample.t, sample.gpu_note, sample.gpus) == (1234.568, "no GPU: x", ())
    assert sample.cpu_count == psutil.cpu_count()
    assert 0 < sample.memory_used_bytes < sample.memory_total_bytes == psutil.virtual_memory().total
    assert sample.disk_total_bytes == psutil.disk_usage(str(tmp_path)).total
    assert (sample.models_disk_free_bytes, sample.rx_bytes_per_s) == (None, None)


def test_use_of_the_processor_is_the_same_for_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    times = SimpleNamespace(total=1000.0, idle=900.0)

    class Times(tuple[float, ...]):
        idle, iowait, guest = property(lambda self: self[1]), 0.0, 50.0

    monkeypatch.setattr(psutil, "cpu_times", lambda: Times((times.total - times.idle + 50.0, times.idle)))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)
    use = CpuUse()
    assert use.percent() == 0.0
    times.total, times.idle = 1004.0, 903.0
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(use.percent()))
    thread.start()
    thread.join()
    assert found == [25.0]
    times.total += 0.1  # too short to tell anything
    assert use.percent() == 25.0


def test_models_on_a_disk_of_their_own(tmp_path: Path) -> None:
    other = next(path for path in (Path("/dev/shm"), Path("/proc")) if path.stat().st_dev != tmp_path.stat().st_dev)
    reader = HostReader(tmp_path, other)
    assert reader.read(0.0, GpuReading()).models_disk_total_bytes == psutil.disk_usage(str(other)).total


def test_a_raspberry_pi_with_a_weak_power_supply(tmp_path: Path) -> None:
    play(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.1\0",
            "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1500000\n",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "2400000\n",
            "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "2400000\n",
            "proc/pressure/memory": "some avg10=12.50 avg60=3.00 avg300=0.10 total=1\nfull avg10=4.25 total=1\n",
        },
    )
    sample = HostReader(tmp_path, root=tmp_path).read(0.0, GpuReading())
    assert sample.board == "Raspberry Pi 5 Model B Rev 1.1"
    assert sample.throttled == ("under-voltage", "throttled")
    assert (sample.cpu_mhz, sample.cpu_max_mhz) == (1500.0, 2400.0)
    assert (sample.memory_some_percent, sample.memory_full_percent) == (12.5, 4.25)


def test_what_the_firmware_says_of_the_past_is_over(tmp_path: Path) -> None:
    play(tmp_path, {"sys/devices/platform/soc/soc:firmware/get_throttled": "0x50000"})
    assert Throttling(tmp_path).reasons() == ()


def test_a_raspberry_pi_with_a_newer_kernel(tmp_path: Path) -> None:
    alarm = "sys/class/hwmon/hwmon2/in0_lcrit_alarm"
    play(tmp_path, {"sys/class/hwmon/hwmon2/name": "rpi_volt\n", alarm: "1\n"})
    throttling = Throttling(tmp_path)
    assert throttling.reasons() == ("under-voltage",)
    play(tmp_path, {alarm: "0\n"})
    assert throttling.reasons() == ()


def test_a_jetson_whose_cooling_holds_it_back(tmp_path: Path) -> None:
    play(
        tmp_path,
        {
            "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
            "sys/class/thermal/cooling_device0/cur_state": "3\n",
            "sys/class/thermal/cooling_device1/type": "cpufreq-cpu0\n",
            "sys/class/thermal/cooling_device1/cur_state": "0\n",
            "sys/class/thermal/cooling_device1/max_state": "9\n",
            "sys/class/thermal/cooling_device2/type": "devfreq-17000000.gpu\n",
            "sys/class/thermal/cooling_device2/cur_state": "2\n",
            "sys/class/thermal/cooling_device2/max_state": "7\n",
        },
    )
    throttling = Throttling(tmp_path)
    assert throttling.reasons() == ("devfreq-17000000.gpu held back (2 of 7)",)
    play(tmp_path, {"sys/class/thermal/cooling_device2/cur_state": "0"})
    assert throttling.reasons() == ()


@pytest.mark.parametrize("text", ["", "garbage", "some avg10=x", "full avg60=1"])
def test_a_machine_that_tells_nothing(tmp_path: Path, text: str) -> None:
    if text:
        play(tmp_path, {"proc/pressure/memory": text, "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0"})
    assert memory_pressure(tmp_path) == (None, None)
    throttling = Throttling(tmp_path)
    assert throttling.reasons() is None
    assert throttling.clock() == (None, None)


def sensor(current: float | None, label: str = "", high: float | None = None, critical: float | None = None) -> Any:
    return SimpleNamespace(current=current, label=label, high=high, critical=critical)


def test_the_hottest_sensor_of_each_chip() -> None:
    source = SimpleNamespace(
        sensors_temperatures=lambda: {
            "coretemp": [sensor(61.0, "Package", 80.0, 100.0), sensor(66.04, "Core 3\x1b[2J", 80.0, 100.0)],
            "nvme": [sensor(70.0, "Composite", 81.85)],
            "broken": [sensor(-274.0), sensor(None)],
            **{f"chip{n}": [sensor(20.0 + n)] for n in range(12)},
        },
        sensors_fans=lambda: {"x": [SimpleNamespace(current=900), SimpleNamespace(current=2100)]},
    )
    sensors = Sensors(source)
    sensors.refresh(0.0)
    assert [(one.name, one.c) for one in sensors.temperatures[:3]] == [
        ("nvme Composite", 70.0),
        ("coretemp", 66.0),
        ("chip11", 31.0),
    ]
    assert (len(sensors.temperatures), sensors.fan_rpm, sensors.temperatures[1].high_c) == (8, 2100, 80.0)
    source.sensors_temperatures = dict
    sensors.refresh(EVERY_S - 0.1)
    assert len(sensors.temperatures) == 8
    sensors.refresh(EVERY_S)
    assert sensors.temperatures == ()


def test_a_system_without_sensors() -> None:
    def failing() -> Any:
        raise OSError

    for source in (SimpleNamespace(), SimpleNamespace(sensors_temperatures=failing, sensors_fans=failing)):
        sensors = Sensors(source)
        sensors.refresh(0.0)
        assert (sensors.temperatures, sensors.fan_rpm) == ((), None)


def test_bytes_of_hardware_interfaces_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {"eth0": (100, 10), "docker0": (100, 10), "lo": (5000, 5000)}

    def counters(pernic: bool) -> Any:
        assert pernic
        return {name: SimpleNamespace(bytes_recv=rx, bytes_sent=tx) for name, (rx, tx) in counted.items()}

    monkeypatch.setattr(network_module.psutil, "net_io_counters", counters)
    play(tmp_path, {"sys/class/net/eth0/device/vendor": "x"})
    network, container = Network(tmp_path), Network(tmp_path / "nowhere")
    assert network.rates(0.0) == container.rates(0.0) == (None, None)
    counted |= {"eth0": (300, 20), "docker0": (300, 20), "lo": (9000, 9000)}
    assert network.rates(2.0) == (100, 5)
    assert container.rates(2.0) == (200, 10)
    counted["eth1"] = (10**12, 10**12)
    play(tmp_path, {"sys/class/net/eth1/device/vendor": "x"})
    assert network.rates(3.0) == (None, None)  # an interface that came is no traffic


_FAMILY = (
    "import subprocess, sys; kept = bytearray(48 << 20)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'kept = bytearray(48 << 20); print(1, flush=True); input()'],\n"
    " stdin=sys.stdin, stdout=subprocess.PIPE)\n"
    "child.stdout.readline(); print('ready', flush=True); child.wait()"
)


def test_memory_of_a_session_with_its_children() -> None:
    argv = [sys.executable, "-c", _FAMILY]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        assert leader.stdin is not None
        leader.stdout.readline()
        memory = SessionMemory()
        found = memory.read(0.0, [leader.pid])
        process = psutil.Process(leader.pid)
        true = sum(one.memory_info().rss for one in [process, *process.children()])
        assert found[leader.pid] == pytest.approx(true, rel=0.02)
        assert found[leader.pid] > 96 * MIB
        leader.stdin.close()
        leader.wait(timeout=10)
        assert memory.read(4.9, [leader.pid]) == found  # read a moment ago
        assert memory.read(5.0, [leader.pid]) == {}


def test_a_new_engine_is_read_at_once_and_others_sessions_are_not_told() -> None:
    memory = SessionMemory()
    assert memory.read(0.0, []) == {}
    own = os.getsid(0)
    assert memory.read(0.1, [own]).get(own, 0) > 10 * MIB
    assert memory.read(0.2, [2**22 + 1, own]).keys() == {own}


def test_names_with_brackets_do_not_shift_the_fields(tmp_path: Path) -> None:
    fields = " ".join(["S", "1", "7", "77", *["0"] * 17, "5"])
    play(tmp_path, {"123/stat": f"123 (a) b (c) {fields} 0\n", "124/stat": "garbage", "self/stat": "x"})
    assert SessionMemory(tmp_path).read(0.0, [77]) == {77: 5 * os.sysconf("SC_PAGE_SIZE")}
