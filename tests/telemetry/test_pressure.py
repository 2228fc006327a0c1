"""When a reading becomes an alarm, and when it is over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quantdeck_core.health.condition import NO_EPISODES, Condition, Edge, Episodes, follow
from quantdeck_core.health.gateway_conditions import gateway_conditions
from quantdeck_core.health.pressure import PressureState, assess
from quantdeck_core.protocol.host import Clocks, Ecc, GpuSample, HostSample, LostGpu, Temperature

GIB = 1 << 30
GPU = GpuSample(
    index=3,
    name="NVIDIA H100",
    uuid="GPU-1",
    memory_used_bytes=0,
    memory_total_bytes=80 * GIB,
    temperature_c=60,
    slowdown_c=87,
    throttle=(),
    power_limit_w=700.0,
    clocks=Clocks(1900, 1980),
    ecc=Ecc(0, 0, False),
)
CALM = HostSample(
    t=0.0,
    cpu_percent=3.0,
    cpu_count=8,
    load_1m=0.1,
    memory_used_bytes=8 * GIB,
    memory_total_bytes=64 * GIB,
    disk_free_bytes=500 * GIB,
    disk_total_bytes=1000 * GIB,
    models_disk_free_bytes=500 * GIB,
    models_disk_total_bytes=1000 * GIB,
    swap_used_bytes=0,
    swap_total_bytes=8 * GIB,
    temperatures=(Temperature(name="coretemp", c=50.0, high_c=80.0, critical_c=100.0),),
    throttled=(),
    memory_some_percent=0.0,
    memory_full_percent=0.0,
    gpus=(GPU,),
)


class Machine:
    """A host that is read every second."""

    def __init__(self) -> None:
        self.state, self.t = PressureState(), 0.0

    def run(self, seconds: int, sample: HostSample) -> list[tuple[float, Edge]]:
        edges = []
        for _ in range(seconds):
            self.t += 1
            self.state, new = assess(self.state, replace(sample, t=self.t))
            edges += [(self.t, edge) for edge in new]
        return edges


def with_gpu(**changes: Any) -> HostSample:
    return replace(CALM, gpus=(replace(GPU, **changes),))


def with_host(**changes: Any) -> HostSample:
    return replace(CALM, **changes)


CASES = [
    # what, key, level, a word of its text, seconds until it is told
    (with_gpu(temperature_c=84), "hot:gpu:GPU-1", "warn", "84 C", 6),
    (with_gpu(throttle=("hw-thermal",)), "throttled:gpu:GPU-1", "warn", "hw-thermal", 11),
    (with_gpu(throttle=("hw-power-brake",)), "throttled:gpu:GPU-1", "warn", "hw-power-brake", 11),
    (with_gpu(throttle=("power-cap",), clocks=Clocks(900, 1980)), "power:gpu:GPU-1", "warn", "45 %", 61),
    (with_gpu(ecc=Ecc(2, 0, False)), "ecc:gpu:GPU-1", "fail", "2 uncorrectable", 1),
    (with_gpu(ecc=Ecc(0, 0, True)), "repair:gpu:GPU-1", "warn", "next reset", 1),
    (
        with_host(gpus=(), lost_gpus=(LostGpu(index=3, name="NVIDIA H100", uuid="GPU-1", note="GPU is lost"),)),
        "lost:gpu:GPU-1",
        "fail",
        "GPU is lost",
        4,
    ),
    (
        with_host(temperatures=(Temperature(name="coretemp", c=81.0, high_c=80.0),)),
        "hot:sensor:coretemp",
        "warn",
        "81 C",
        11,
    ),
    (
        with_host(temperatures=(Temperature(name="cpu", c=96.0, critical_c=100.0),)),
        "hot:sensor:cpu",
        "warn",
        "95 C",
        11,
    ),
    (with_host(throttled=("under-voltage",)), "throttled:cpu", "warn", "under-voltage", 6),
    (with_host(memory_full_percent=12.0), "memory:stalled", "warn", "12 %", 11),
    (with_host(memory_used_bytes=62 * GIB), "memory:available", "warn", "2.0 GiB", 11),
    (with_host(disk_free_bytes=2 * GIB), "disk:state", "warn", "2.0 GiB", 6),
    (with_host(models_disk_free_bytes=2 * GIB), "disk:models", "warn", "models", 6),
]


@pytest.mark.parametrize(("bad", "key", "level", "word", "after"), CASES, ids=[str(case[1]) for case in CASES])
def test_an_alarm_comes_once_and_its_end_once(bad: HostSample, key: str, level: str, word: str, after: int) -> None:
    machine = Machine()
    calm = with_host(temperatures=(Temperature(name=key.removeprefix("hot:sensor:"), c=50.0, high_c=80.0),))
    assert machine.run(5, calm) == []
    [(t, edge)] = machine.run(300, bad)
    assert (edge.key, edge.level, t - 5) == (key, level, after)
    assert word in edge.text
    assert edge.hint
    [(_, end)] = machine.run(300, calm)
    assert (end.key, end.level) == (key, "ok")
    assert machine.run(60, calm) == []


@pytest.mark.parametrize("case", CASES, ids=[str(case[1]) for case in CASES])
def test_a_blink_is_no_alarm(case: tuple[HostSample, str, str, str, int]) -> None:
    bad, _, _, _, after = case
    machine = Machine()
    for _ in range(30):
        if after > 1:
            assert machine.run(after - 1, bad) == []
        machine.run(1, CALM)
    assert after == 1 or machine.run(60, CALM) == []


def test_what_wavers_about_its_limit_is_one_alarm() -> None:
    machine, told = Machine(), []
    for n in range(200):
        told += machine.run(1, with_gpu(temperature_c=84 + n % 2 - (n % 7 == 0)))
    told += machine.run(60, with_gpu(temperature_c=82))  # still above what counts as cool
    assert [edge.level for _, edge in told] in (["warn"], [])
    told = machine.run(10, with_gpu(temperature_c=85)) + machine.run(60, with_gpu(temperature_c=82))
    assert "ok" not in [edge.level for _, edge in told]


def test_a_power_cap_at_full_load_is_no_alarm() -> None:
    assert Machine().run(300, with_gpu(throttle=("power-cap",), clocks=Clocks(1500, 1980))) == []


def test_swap_that_grows_is_told_and_swap_that_is_merely_used_is_not() -> None:
    machine = Machine()
    assert machine.run(120, with_host(swap_used_bytes=4 * GIB)) == []
    told = []
    for n in range(60):
        told += machine.run(1, with_host(swap_used_bytes=4 * GIB + n * (20 << 20)))
    assert [edge.key for _, edge in told] == ["memory:swap"]
    assert "swap grew by" in told[0][1].text
    assert [edge.level for _, edge in machine.run(120, with_host(swap_used_bytes=5 * GIB))] == ["ok"]


def test_limits_that_make_no_sense_are_none() -> None:
    odd = (
        Temperature(name="a", c=60.0, high_c=0.0, critical_c=0.0),
        Temperature(name="b", c=60.0, high_c=65261.8),
        Temperature(name="c", c=149.0),
    )
    assert Machine().run(60, with_host(temperatures=odd)) == []


_MISSING: dict[str, Any] = {
    "temperature_c": None,
    "slowdown_c": None,
    "throttle": None,
    "clocks": Clocks(),
    "ecc": Ecc(),
}


def test_a_missing_value_neither_begins_nor_ends_anything() -> None:
    machine = Machine()
    nothing = HostSample(
        t=0, cpu_percent=0, cpu_count=1, load_1m=0, memory_used_bytes=0, memory_total_bytes=0, disk_free_bytes=500 * GIB
    )
    assert machine.run(300, nothing) == []
    bare = GpuSample(index=0, name="x", memory_used_bytes=0, memory_total_bytes=0)
    assert machine.run(300, replace(nothing, gpus=(bare,))) == []
    for name, value in _MISSING.items():
        assert machine.run(120, with_gpu(**{name: value})) == []
    [(_, edge)] = machine.run(30, with_gpu(temperature_c=90))
    assert edge.key == "hot:gpu:GPU-1"
    assert machine.run(300, with_gpu(temperature_c=None)) == []
    [(_, edge)] = machine.run(30, CALM)
    assert edge.level == "ok"


def test_a_gap_in_the_readings_does_not_count_as_hot() -> None:
    machine = Machine()
    for _ in range(20):
        assert machine.run(4, with_gpu(temperature_c=90)) == []
        assert machine.run(1, with_gpu(temperature_c=None)) == []


@given(st.lists(st.tuples(st.sampled_from(["bad", "good", "between", "missing"]), st.floats(0.1, 20)), max_size=60))
def test_edges_alternate_and_each_held_for_long_enough(steps: list[tuple[str, float]]) -> None:
    episodes: Episodes = NO_EPISODES
    t, since, last, edges = 0.0, 0.0, "", []
    for kind, wait in steps:
        t += wait
        if kind != last:
            since, last = t, kind
        bad, good = {"bad": (True, False), "good": (False, True), "between": (False, False), "missing": (None, None)}[
            kind
        ]
        one = Condition(key="k", bad=bad, good=good, level="warn", text="x", hint="y", over="z", hold_s=5.0)
        episodes, new = follow(episodes, [one], t)
        for edge in new:
            edges.append(edge.level)
            assert kind == ("good" if edge.level == "ok" else "bad")
            assert t - since >= 5.0
    assert edges == ["warn", "ok"] * (len(edges) // 2) + ["warn"] * (len(edges) % 2)


def test_overload_is_told_when_users_feel_it_and_again_when_it_is_over() -> None:
    episodes: Episodes = NO_EPISODES
    told = []
    for t, rung in enumerate((0, 1, 2, 3, 4, 3, 2, 0)):
        conditions = gateway_conditions({"a/b/control": rung, "a/b/treatment": 0})
        episodes, edges = follow(episodes, conditions, float(t))
        told += [(t, edge.level, edge.key, edge.text) for edge in edges]
    assert told == [
        (
            3,
            "warn",
            "overload:a/b/control",
            "a/b: the control gets more requests than it can answer; the other variant answers some",
        ),
        (6, "ok", "overload:a/b/control", "a/b: the control answers all its requests again"),
    ]


def test_overload_that_begins_with_refusals_says_so() -> None:
    _, (edge,) = follow(NO_EPISODES, gateway_conditions({"a/treatment": 4}), 0.0)
    assert edge.text == "a: the treatment gets more requests than it can answer; some are refused"
