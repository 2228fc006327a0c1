"""A rollback over several gateways in two sentences; what is so on many hosts is one thing."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.fleet.gateways import rolled_back as rolled_back_of
from quantdeck_core.fleet.gateways import took_ms, troubled_since
from quantdeck_core.fleet.headline import Headline, headline
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.rows import fleet_rows
from quantdeck_core.fleet.standing import frozen_of, standing_of
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.protocol.alerts import PageCounts
from quantdeck_core.protocol.experiment import ExperimentStatus, TimelineEntry
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.rollout.several import CARRIED
from support.fleets import (
    NOW,
    arm,
    experiment,
    failed_engine,
    frozen,
    rack,
    replace,
    rolled_back,
    van,
)

CONNECTED = LinkChange(state="connected", role="operator")
REASON = "47.1% of answers loop, limit 15%, 117.6x the control"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def fleet(*statuses: HostStatus, **links: LinkChange) -> FleetState:
    return FleetState(
        hosts={
            one.name: HostView(
                name=one.name, link=links.get(one.name, CONNECTED), status=one, linked_at=NOW, heard_at=NOW
            )
            for one in statuses
        }
    )


def at(name: str, *experiments: ExperimentStatus, **changes: Any) -> HostStatus:
    return rack(*experiments, name=name, **changes)


def carried(source: str = "gpu1", *, began_s: float = 0.4) -> ExperimentStatus:
    """Rolled back because another gateway was."""
    one = rolled_back()
    state = replace(one.state, reason=f"{CARRIED}{source}: {REASON}", by="guard@bastion", began=NOW - 13 - began_s)
    record = replace(one.last_rollback, detection_to_zero_ms=None, effective_ms=4.0)
    return replace(one, state=state, last_rollback=record)


def head(state: FleetState) -> Headline:
    return headline(state, fleet_rows(state, NOW))


def said(state: FleetState) -> tuple[str, str]:
    one = head(state)
    return one.sentence, one.rest


def line(t: float, kind: str, text: str) -> TimelineEntry:
    return TimelineEntry(t=t, kind=kind, text=text, by="quantdeck")


def test_one_gateway() -> None:
    assert said(fleet(rack(rolled_back()), van())) == (
        f"x rack-1  int4_v1: {REASON}",
        "Rolled back 02:17:31 on 1 of 1 gateway in 31 ms",
    )
    assert not head(fleet(rack(rolled_back()))).undone


def test_the_same_rollback_on_several_gateways_is_one_sentence_and_begins_where_it_was_found() -> None:
    state = fleet(at("gpu0", carried()), at("gpu1", rolled_back()), at("gpu2", carried()), van())
    assert said(state) == (
        f"x 3 hosts  int4_v1: {REASON}",
        "Rolled back 02:17:31 on 3 of 3 gateways in 400 ms",
    )
    assert head(state).hosts[0] == "gpu1"
    assert head(state).more == 0


def test_since_when_the_judge_complained() -> None:
    one = rolled_back()
    watched = replace(one, timeline=(*one.timeline, line(NOW - 200, "verdict", "watch: loops +8 points")))
    assert said(fleet(rack(watched)))[0] == f"x rack-1  int4_v1 since 02:14: {REASON}"


def test_what_still_has_users_comes_with_its_weight_and_is_undone() -> None:
    state = fleet(at("gpu0", rolled_back()), at("gpu1", experiment(weight_bp=5_000)))
    one = head(state)
    assert one.rest == "Rolled back 02:17:31 on 1 of 2 gateways; NOT on gpu1 (50 %)"
    assert one.undone
    many = fleet(at("gpu0", rolled_back()), *(at(f"gpu{number}", experiment()) for number in range(1, 5)))
    assert head(many).rest.endswith("NOT on gpu1 (10 %), gpu2 (10 %) and 2 more")


def test_who_has_nobody_on_it_or_has_ended_is_no_gateway_to_roll_back() -> None:
    state = fleet(at("gpu0", rolled_back()), at("gpu1", experiment(weight_bp=0)), at("gpu2", experiment(finished=True)))
    assert head(state).rest == "Rolled back 02:17:31 on 1 of 1 gateway in 31 ms"


def test_what_is_not_known_now_is_not_counted_as_done() -> None:
    late = replace(rolled_back(), effective=False)
    state = fleet(at("gpu0", rolled_back()), at("gpu1", late), at("gpu2", rolled_back()), gpu2=LinkChange(state="lost"))
    assert head(state).rest == (
        "Rolled back 02:17:31 on 1 of 3 gateways in 31 ms; not acknowledged by gpu1; gpu2 out of reach"
    )


def test_a_person_is_named() -> None:
    one = rolled_back()
    by_hand = replace(one, state=replace(one.state, by="ada", reason=""))
    sentence, rest = said(fleet(rack(by_hand)))
    assert sentence == "x rack-1  int4_v1: rolled back"
    assert rest == "Rolled back 02:17:31 by ada on 1 of 1 gateway in 31 ms"


def test_how_fast_counts_from_the_finding_wherever_that_was_and_only_for_this_rollback() -> None:
    assert took_ms(rolled_back()) == 31.0
    assert took_ms(carried(began_s=2.5)) == pytest.approx(2_500.0)
    assert took_ms(replace(carried(), last_rollback=None)) is None
    before = replace(rolled_back().last_rollback, at=NOW - 900)
    assert took_ms(replace(rolled_back(), last_rollback=before)) is None


@pytest.mark.parametrize(
    ("entries", "since"),
    [
        ((), None),
        ((line(100, "verdict", "watch: loops"),), 100),
        ((line(100, "verdict", "watch: loops"), line(120, "verdict", "breach: loops")), 100),
        (
            (line(50, "verdict", "watch: loops"), line(60, "verdict", "healthy: well"), line(100, "verdict", "breach")),
            100,
        ),
        ((line(50, "verdict", "breach: loops"), line(60, "clear", "mended"), line(100, "verdict", "watch: x")), 100),
        ((line(50, "verdict", "watch: loops"), line(60, "clear", "mended")), None),
        ((line(250, "verdict", "watch: loops"),), None),
        ((line(100, "weight", "watch: no verdict"),), None),
        ((line(400, "verdict", "watch: later"),), None),
    ],
)
def test_troubled_since(entries: tuple[TimelineEntry, ...], since: float | None) -> None:
    assert troubled_since(entries, 300.0) == since


def test_the_same_trouble_on_many_hosts_is_one_thing() -> None:
    lost = {f"h{number}": LinkChange(state="lost", detail="reset by peer") for number in range(12)}
    state = fleet(*(van(name=name) for name in lost), rack(engines=(failed_engine(),), experiments=()), **lost)
    one = head(state)
    assert one.sentence.startswith("x rack-1  engine treatment failed")
    assert one.more == 12
    calm = fleet(*(van(name=name) for name in lost), rack(), **lost)
    ages = {
        name: replace(view, heard_at=NOW - 60 - 7 * int(name[1:])) for name, view in calm.hosts.items() if name in lost
    }
    state = FleetState(hosts={**calm.hosts, **ages})
    assert said(state) == (
        "? 12 hosts  link lost, silent for 60s: reset by peer",
        "on h0, h1, h2 and 9 more",
    )


def test_an_experiment_that_fails_on_several_hosts_and_was_not_rolled_back() -> None:
    broken = experiment(treatment=arm("treatment", 100, loops=50))
    one = head(fleet(at("gpu0", broken), at("gpu1", broken), van()))
    assert one.sentence.startswith("x 2 hosts  int4_v1: ")
    assert (one.rest, one.undone, one.more) == ("on gpu0, gpu1", True, 0)


def test_two_experiments_are_two_things() -> None:
    state = fleet(at("gpu0", rolled_back("a")), at("gpu1", rolled_back("b")))
    assert head(state).sentence.endswith("(and 1 more host)")
    assert rolled_back_of(state, "c") is None


def test_a_frozen_quiet_fleet_says_by_whom() -> None:
    state = fleet(rack(frozen=frozen()), van())
    assert said(state) == (
        "all quiet: 2 hosts, 3 engines ready",
        "frozen by bo since 02:10 on 1 of 2 hosts: the launch is today",
    )
    whole = frozen_of(fleet(rack(frozen=frozen("ada")), van(frozen=frozen("bo"))))
    assert whole is not None
    assert (whole.whole, whole.tag) == (True, "FROZEN by ada and 1 more")
    assert frozen_of(fleet(rack())) is None


def test_pages_of_hosts_out_of_reach_are_not_counted() -> None:
    counts = PageCounts(nobody=2, snoozed=1, taken=1)
    assert counts.going_on == 4
    statuses = (rack(pages=counts), van(pages=counts))
    assert standing_of(fleet(*statuses)).pages == 4
    assert standing_of(fleet(*statuses, **{"van-7": LinkChange(state="lost")})).pages == 2


@given(
    st.lists(st.sampled_from([rolled_back(), carried(), experiment(), experiment(weight_bp=0)]), min_size=1, max_size=6)
)
def test_every_gateway_is_done_left_unacknowledged_or_silent(experiments: list[ExperimentStatus]) -> None:
    state = fleet(*(at(f"gpu{number}", one) for number, one in enumerate(experiments)))
    back = rolled_back_of(state, "int4_v1")
    assert (back is None) == (not any(one.state.latched for one in experiments))
    if back:
        assert len(back.done) + len(back.left) + len(back.unacknowledged) + len(back.silent) == back.total
