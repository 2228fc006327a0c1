"""Can we roll back: what is said, and with which numbers."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.protocol.drill import DrillRecord
from quantdeck_core.rollout.readiness import ControlReplica, ReadinessFacts, readiness

NOW = 1_790_000_000.0
DRILL = DrillRecord(t=NOW - 60, by="ada", passed=True, push_ms=4.0)
READY = ReadinessFacts(
    engine="bf16",
    replicas=(ControlReplica(name="bf16.1", answered=NOW - 1),),
    gateway=True,
    room=9,
    queue=4,
    in_flight=5,
    rollback_s=0.012,
    last_drill=DRILL,
)


def facts(**changes: Any) -> ReadinessFacts:
    return msgspec.structs.replace(READY, **changes)


def test_all_is_well() -> None:
    answer = readiness(READY, NOW)
    assert (answer.can, answer.why, answer.warnings, answer.cold) == (True, "", (), False)
    assert (answer.expected_s, answer.checked, answer.last_drill) == (0.012, NOW, DRILL)


def test_without_a_rollback_the_drill_says_how_long_it_takes() -> None:
    assert readiness(facts(rollback_s=None), NOW).expected_s == 0.004
    live = msgspec.structs.replace(DRILL, live=True, zero_ms=7.0)
    assert readiness(facts(rollback_s=None, last_drill=live), NOW).expected_s == 0.007
    assert readiness(facts(rollback_s=None, last_drill=None), NOW).expected_s is None


def test_a_cold_control_takes_its_start() -> None:
    answer = readiness(facts(replicas=(), start_s=58.0, verify_s=20.0), NOW)
    assert (answer.can, answer.cold) == (False, True)
    assert answer.why == "the control bf16 is not ready: it does not run; its last start took 58 s"
    assert answer.expected_s == 58.0 + 20.0 + 0.012
    coming = readiness(facts(replicas=(), starting="load 40 %"), NOW)
    assert coming.why == "the control bf16 is not ready: it is being started (load 40 %)"
    assert coming.expected_s is None


def test_a_silent_gateway_is_named_even_beside_a_dead_control() -> None:
    assert readiness(facts(gateway=False), NOW).why == "the gateway does not answer its control socket"
    both = readiness(facts(gateway=False, replicas=()), NOW)
    assert "is not ready" in both.why
    assert "the gateway does not answer its control socket" in both.warnings


def test_ejected_replicas_do_not_count_as_room() -> None:
    out = ControlReplica(name="bf16.2", ejected="it gave no token")
    answer = readiness(facts(replicas=(*READY.replicas, out), wanted=2, room=18, in_flight=12), NOW)
    assert answer.can
    assert answer.warnings == (
        "the gateway sends bf16.2 nothing: it gave no token",
        "the control works on 9 requests at once and 12 are in flight now: about 3 would wait",
    )
    alone = readiness(facts(replicas=(out,)), NOW)
    assert alone.why == "the gateway has taken every replica of the control out: it gave no token"


def test_more_than_it_takes_and_queues_would_be_turned_away() -> None:
    answer = readiness(facts(in_flight=12, waiting=3), NOW)
    assert not answer.can
    assert answer.why == (
        "the control has no room for everyone: 15 requests in flight now, it works on 9 and queues 4, "
        "so about 2 would be turned away"
    )


def test_a_slower_control_has_more_in_flight_than_there_are_now() -> None:
    answer = readiness(facts(rps=2.5, control_e2e_s=4.0), NOW)
    assert answer.can
    assert answer.warnings == (
        "the control works on 9 requests at once and 10 are expected there: 2.5 a second, 4.0 s each: "
        "about 1 would wait",
    )


def test_what_makes_it_less_sure() -> None:
    cold = (ControlReplica(name="bf16.1", warm=False, answered=NOW - 120),)
    warnings = readiness(facts(replicas=cold, wanted=2, last_drill=None), NOW).warnings
    assert warnings == (
        "1 of 2 replicas of the control are ready",
        "bf16.1 has not answered anybody yet: its first answers are slow",
        "bf16.1 has proven nothing for 2 min",
        "it was never rehearsed; `quantdeck drill EXPERIMENT` does",
    )
    failed = DrillRecord(t=NOW, by="ada", failed=("bf16.1 gave no token: it hangs",))
    assert readiness(facts(last_drill=failed), NOW).warnings == (
        "the last drill failed: bf16.1 gave no token: it hangs",
    )
    old = msgspec.structs.replace(DRILL, t=NOW - 8 * 86_400)
    assert readiness(facts(last_drill=old), NOW).warnings == ("the last drill was 192 h ago",)


@given(
    st.lists(st.booleans(), max_size=4),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 50)),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_yes_means_a_gateway_a_replica_in_rotation_and_room(
    ejected: list[bool], gateway: bool, room: int | None, queue: int, in_flight: int
) -> None:
    replicas = tuple(ControlReplica(name=str(n), ejected="e" if out else "") for n, out in enumerate(ejected))
    answer = readiness(facts(replicas=replicas, gateway=gateway, room=room, queue=queue, in_flight=in_flight), NOW)
    up = ejected.count(False)
    fits = room is None or not replicas or in_flight <= room * up // len(ejected) + queue
    assert answer.can == (gateway and up > 0 and fits)
    assert bool(answer.why) != answer.can
