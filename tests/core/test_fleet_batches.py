"""Many updates at once, and rows that are remembered: the same as one by one, and as made anew."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.fleet.health import AGE_SHOWN_AFTER_S, STALE_AFTER_S, same_until
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.row_memory import RowMemory
from quantdeck_core.fleet.rows import fleet_rows
from quantdeck_core.fleet.state import FleetState, Heard, HostView, apply, apply_all
from quantdeck_core.protocol.events import (
    AlarmEvent,
    EngineEvent,
    EngineGone,
    ExperimentEvent,
    GatewayEvent,
    Heartbeat,
    SampleEvent,
    Snapshot,
)
from support.fleets import NOW, alarm, engine, experiment, failed_engine, gateway, rack, rolled_back, sample, van

HOSTS = ["rack-1", "van-7", "gpu-10", "gpu-9"]
UPDATES = [
    *(LinkChange(state=state) for state in ("connecting", "connected", "lost", "refused")),
    *(Snapshot(revision=1, status=one) for one in (rack(), rack(rolled_back()), van(), van(alarms=(alarm(7, "hot"),)))),
    *(SampleEvent(revision=2, sample=sample(cpu_percent=cpu)) for cpu in (1.0, 99.0)),
    *(EngineEvent(revision=2, engine=engine(name, running=3)) for name in ("control", "edge", "third")),
    *(EngineEvent(revision=2, engine=engine(name, running=4)) for name in ("control", "edge", "third")),
    EngineEvent(revision=2, engine=failed_engine()),
    *(EngineGone(revision=2, name=name) for name in ("control", "edge")),
    *(GatewayEvent(revision=2, gateway=gateway(rps=rps)) for rps in (1.0, 2.0)),
    *(ExperimentEvent(revision=2, experiment=experiment(weight_bp=share)) for share in (0, 5_000)),
    *(AlarmEvent(revision=2, alarm=alarm(number, f"alarm {number}")) for number in range(1, 6)),
    Heartbeat(revision=2),
]
quarters = st.integers(0, 80).map(lambda quarter: quarter / 4)
"""Seconds that floats hold exactly, whole ones among them."""


@st.composite
def stories(draw: st.DrawFn) -> list[Heard]:
    """What came from some hosts, in the order of time."""
    at, heard = NOW, []
    for _ in range(draw(st.integers(0, 30))):
        at += draw(quarters) / 4
        heard.append(Heard(draw(st.sampled_from(HOSTS)), draw(st.sampled_from(UPDATES)), at))
    return heard


@given(stories(), st.lists(st.integers(0, 30), max_size=5))
def test_any_split_into_batches_gives_what_one_by_one_gives(heard: list[Heard], cuts: list[int]) -> None:
    one_by_one = batched = FleetState.of(HOSTS)
    for one in heard:
        one_by_one = apply(one_by_one, *one)
    edges = [0, *sorted(cuts), len(heard)]
    for start, end in pairwise(edges):
        batched = apply_all(batched, heard[start:end])
    assert batched == one_by_one


@given(stories())
def test_the_order_between_hosts_does_not_matter(heard: list[Heard]) -> None:
    by_host = sorted(heard, key=lambda one: one.host)  # stable: each host's own order stays
    assert apply_all(FleetState.of(HOSTS), by_host) == apply_all(FleetState.of(HOSTS), heard)


def test_a_batch_leaves_the_former_state_and_the_other_hosts_as_they_were() -> None:
    before = apply(FleetState.of(HOSTS), "rack-1", Snapshot(revision=1, status=rack()), NOW)
    after = apply_all(before, [Heard("van-7", Heartbeat(revision=1), NOW), Heard("new", Heartbeat(revision=1), NOW)])
    assert before.hosts["van-7"].heard_at is None
    assert after.hosts["rack-1"] is before.hosts["rack-1"]
    assert list(after.hosts) == [*HOSTS, "new"]
    assert apply_all(after, []) is after


@given(stories(), st.lists(quarters, max_size=6), st.data())
def test_remembered_rows_are_those_made_anew(heard: list[Heard], waits: list[float], data: st.DataObject) -> None:
    memory, state, now = RowMemory(), FleetState.of(HOSTS), NOW
    assert memory.rows(state, now) == fleet_rows(state, now)
    for wait in waits:
        more = data.draw(st.integers(0, len(heard)))
        state, heard = apply_all(state, heard[:more]), heard[more:]
        now += wait
        memory.prepare(data.draw(st.lists(st.sampled_from(list(state.hosts.values())), max_size=3)), now)
        assert memory.rows(state, now) == fleet_rows(state, now)


@given(stories(), quarters, quarters)
def test_nothing_that_is_said_changes_before_its_time(heard: list[Heard], passed: float, more: float) -> None:
    state, now = apply_all(FleetState.of(HOSTS), heard), NOW + passed
    for view in state.hosts.values():
        if now + more < same_until(view, now):
            alone = FleetState(hosts={view.name: view})
            assert fleet_rows(alone, now + more) == fleet_rows(alone, now)


def connected(name: str) -> HostView:
    link = LinkChange(state="connected")
    return HostView(name=name, link=link, status=van(name=name), linked_at=NOW - 900, heard_at=NOW)


def test_a_row_turns_stale_by_time_alone_and_is_not_made_before() -> None:
    state, memory = FleetState(hosts={"van-7": connected("van-7")}), RowMemory()
    first = memory.rows(state, NOW)[0]
    assert (first.level, first.age_s) == ("ok", None)
    assert memory.rows(state, NOW + AGE_SHOWN_AFTER_S - 0.1)[0] is first
    aged = memory.rows(state, NOW + AGE_SHOWN_AFTER_S + 0.1)[0]
    assert (aged.level, aged.age_s) == ("ok", 2)
    assert memory.rows(state, NOW + AGE_SHOWN_AFTER_S + 0.9)[0] is aged
    assert memory.rows(state, NOW + STALE_AFTER_S)[0].level == "ok"
    stale = memory.rows(state, NOW + STALE_AFTER_S + 0.1)[0]
    assert (stale.level, stale.age_s, stale.tokens_per_s) == ("stale", 12, None)


def test_only_the_hosts_of_which_something_was_heard_get_a_new_row() -> None:
    state, memory = FleetState(hosts={name: connected(name) for name in ("van-7", "van-8")}), RowMemory()
    before = memory.rows(state, NOW)
    state = apply(state, "van-8", EngineEvent(revision=2, engine=engine("edge", tokens_per_s=1.0)), NOW + 1)
    after = memory.rows(state, NOW + 1)
    assert after[0] is before[0]
    assert after[1].tokens_per_s == 1.0


def test_a_clock_that_is_set_back_makes_rows_anew() -> None:
    state, memory = FleetState(hosts={"van-7": connected("van-7")}), RowMemory()
    assert memory.rows(state, NOW + 60)[0].level == "stale"
    assert memory.rows(state, NOW + 1)[0].level == "ok"


def test_a_host_that_fails_moves_to_the_top() -> None:
    state, memory = FleetState(hosts={name: connected(name) for name in ("van-7", "van-10", "van-9")}), RowMemory()
    assert [row.name for row in memory.rows(state, NOW)] == ["van-7", "van-9", "van-10"]
    state = apply(state, "van-10", EngineEvent(revision=2, engine=failed_engine()), NOW)
    assert [row.name for row in memory.rows(state, NOW)] == ["van-10", "van-7", "van-9"]
