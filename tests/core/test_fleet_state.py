from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import KEPT_ALARMS, FleetState, HostView, apply, fresh_alarms
from quantdeck_core.protocol.alerts import PageCounts
from quantdeck_core.protocol.events import (
    AlarmEvent,
    EngineEvent,
    EngineGone,
    ExperimentEvent,
    FreezeEvent,
    GatewayEvent,
    Heartbeat,
    PagesEvent,
    SampleEvent,
    Snapshot,
)
from quantdeck_core.protocol.requests import Freeze
from support.fleets import NOW, alarm, engine, experiment, gateway, rack, sample, van


def heard(*updates: object, state: FleetState | None = None) -> FleetState:
    state = state or FleetState.of(["rack-1", "van-7"])
    for update in updates:
        state = apply(state, "rack-1", update, NOW)  # type: ignore[arg-type]
    return state


def rack_of(state: FleetState) -> HostView:
    return state.hosts["rack-1"]


def test_a_new_fleet_knows_names_only() -> None:
    state = FleetState.of(["b", "a"])
    assert list(state.hosts) == ["b", "a"]
    assert all(view.status is None and view.heard_at is None for view in state.hosts.values())


def test_applying_leaves_the_former_state_as_it_was() -> None:
    before = FleetState.of(["rack-1", "van-7"])
    after = apply(before, "rack-1", Snapshot(revision=1, status=rack()), NOW)
    assert rack_of(before).status is None
    assert rack_of(after).status == rack()
    assert rack_of(after).heard_at == NOW
    assert after.hosts["van-7"] is before.hosts["van-7"]


def test_every_event_changes_its_own_part() -> None:
    state = heard(
        LinkChange(state="connected"),
        Snapshot(revision=1, status=rack()),
        SampleEvent(revision=2, sample=sample(cpu_percent=99.0)),
        EngineEvent(revision=3, engine=engine("treatment", generation=2)),
        EngineEvent(revision=4, engine=engine("third")),
        EngineGone(revision=5, name="control"),
        GatewayEvent(revision=6, gateway=gateway(rps=99.0)),
        ExperimentEvent(revision=7, experiment=experiment(weight_bp=5_000)),
        ExperimentEvent(revision=8, experiment=experiment("second")),
        AlarmEvent(revision=9, alarm=alarm(1, "now")),
        PagesEvent(revision=9, pages=PageCounts(nobody=1)),
        FreezeEvent(revision=9, frozen=Freeze(by="ada", reason="launch", since=NOW)),
        Heartbeat(revision=9),
    )
    status = rack_of(state).status
    assert status is not None
    assert status.sample.cpu_percent == 99.0
    assert [(one.name, one.generation) for one in status.engines] == [("treatment", 2), ("third", 1)]
    assert status.gateway is not None
    assert status.gateway.rps == 99.0
    assert [(one.name, one.state.weight_bp) for one in status.experiments] == [("int4_v1", 5_000), ("second", 1_000)]
    assert [one.id for one in rack_of(state).alarms] == [1]
    assert status.pages.going_on == 1
    assert status.frozen is not None
    assert rack_of(state).experiment("second") is not None
    assert rack_of(state).experiment("third") is None


def test_events_before_the_snapshot_are_signs_of_life_only() -> None:
    state = heard(SampleEvent(revision=2, sample=sample()))
    assert rack_of(state).status is None
    assert rack_of(state).heard_at == NOW


def test_a_lost_link_keeps_what_was_known_and_when() -> None:
    state = heard(Snapshot(revision=1, status=rack()))
    state = apply(state, "rack-1", LinkChange(state="lost", detail="reset"), NOW + 60)
    assert rack_of(state).status == rack()
    assert (rack_of(state).heard_at, rack_of(state).linked_at) == (NOW, NOW + 60)


def test_a_host_nobody_named_is_added() -> None:
    assert list(apply(FleetState.of([]), "new", Heartbeat(revision=1), NOW).hosts) == ["new"]


def test_only_the_newest_alarms_are_kept() -> None:
    state = heard(
        Snapshot(revision=1, status=rack()), *(AlarmEvent(revision=n, alarm=alarm(n, "x")) for n in range(30))
    )
    assert [one.id for one in rack_of(state).alarms] == list(range(30 - KEPT_ALARMS, 30))


def test_alarms_ring_once_and_not_for_what_a_first_snapshot_brings() -> None:
    empty = heard()
    first = heard(Snapshot(revision=1, status=rack(alarms=(alarm(1, "old"),))), state=empty)
    assert fresh_alarms(rack_of(empty), rack_of(first)) == ()
    assert fresh_alarms(None, rack_of(first)) == ()
    second = heard(AlarmEvent(revision=2, alarm=alarm(2, "new")), state=first)
    assert [one.id for one in fresh_alarms(rack_of(first), rack_of(second))] == [2]
    again = heard(
        LinkChange(state="lost"), Snapshot(revision=3, status=rack(alarms=(alarm(2, "new"), alarm(3, "newer")))),
        state=second,
    )  # fmt: skip
    assert [one.id for one in fresh_alarms(rack_of(second), rack_of(again))] == [3]


def test_the_hosts_that_run_an_experiment() -> None:
    state = heard(Snapshot(revision=1, status=rack()))
    state = apply(state, "van-7", Snapshot(revision=1, status=van()), NOW)
    assert [view.name for view in state.running("int4_v1")] == ["rack-1"]
