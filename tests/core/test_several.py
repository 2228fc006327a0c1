"""One experiment on several gateways: what is carried, what is not, and what becomes of what is pending."""

from __future__ import annotations

from typing import Any

import msgspec

from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView
from quantdeck_core.rollout.lowest import SETTLE_S, lowered
from quantdeck_core.rollout.said import Said, said_of
from quantdeck_core.rollout.several import Decision, decide
from quantdeck_core.rollout.state import RolloutState
from quantdeck_core.rollout.wish import KEPT_S, Wish
from support.fleets import NOW, experiment, rack, replace

HOSTS = ("a", "b")


def said(host: str, **what: Any) -> Said:
    """A gateway in reach with 10 % on the treatment since 50."""
    usual = {"reachable": True, "weight_bp": 1_000, "since": 50.0, "revision": 7, "heard": 300.0}
    one = Said(host=host, **(usual | what))
    return msgspec.structs.replace(one, stamp=one.since)


def latched(host: str, since: float, **what: Any) -> Said:
    """One that its own agent has rolled back."""
    usual = {"latched": True, "began": since, "weight_bp": 0, "by": "quantdeck", "reason": "loops"}
    return said(host, since=since, **(usual | what))


def wish(host: str = "b", asked: float = 100.0, **what: Any) -> Wish:
    """A person's."""
    return Wish(experiment="e", host=host, request_id="r", by="ada", reason="odd", asked=asked, made=asked, **what)


def look(*stands: Said, wishes: tuple[Wish, ...] = (), now: float = 300.0, **memory: Any) -> Decision:
    """What is decided where these were heard."""
    heard = {one.host: one for one in stands}
    return decide("e", HOSTS, heard, wishes, by="guard", now=now, **({"asked": (), "answered": {}} | memory))


def ends(decision: Decision) -> list[str]:
    return [one.kind for one in decision.ended]


def test_a_latch_is_carried_with_its_reason_and_one_request_id() -> None:
    first, again = look(latched("a", 200.0), said("b")), look(latched("a", 200.0), said("b"), now=900.0)
    assert [(one.host, one.reason, one.source) for one in first.ask] == [("b", "rolled back on a: loops", "a")]
    assert first.keep == first.ask == again.ask
    assert look(latched("a", 201.0), said("b")).ask[0].request_id != first.ask[0].request_id
    answered = {first.ask[0].key: 8}
    assert look(latched("a", 200.0), said("b"), answered=answered).ask == (), "the news of it are on their way"
    assert ends(look(latched("a", 200.0), said("b", revision=9), answered=answered)) == ["cleared"]


def test_what_is_carried_further_names_the_first_host() -> None:
    assert look(latched("b", 200.0, reason="rolled back on c: loops"), said("a")).ask[0].reason == (
        "rolled back on c: loops"
    )


def test_a_latch_that_is_older_than_the_clear_is_not_carried() -> None:
    assert look(latched("a", 200.0), said("b", cleared=201.0, since=201.0)) == Decision()
    assert look(latched("a", 200.0), said("b", cleared=199.0, since=250.0)).ask, "the weight changed, nobody cleared"


def test_a_copy_of_an_older_latch_undoes_no_clear() -> None:
    """a was rolled back at 200, b cleared at 250, and c heard of it at 300 only."""
    copy = latched("c", 300.0, began=200.0)
    assert look(copy, said("b", cleared=250.0), said("a", cleared=251.0)) == Decision()
    assert {one.asked for one in look(copy, said("b"), said("a")).ask} == {200.0}


def test_what_was_carried_does_not_come_back_where_it_was_cleared() -> None:
    assert look(said("a", cleared=250.0, since=250.0), latched("b", 201.0)) == Decision()


def test_a_gateway_out_of_reach_waits_on_the_disk() -> None:
    away = look(latched("a", 200.0), said("b", reachable=False))
    never = look(latched("a", 200.0))
    assert (away.ask, never.ask) == ((), ())
    assert away.keep == never.keep != ()
    # Another guard, and this time the first one is away.
    assert look(said("b"), wishes=away.keep).ask == away.keep
    assert look(said("b", cleared=250.0), wishes=away.keep).ended[0].kind == "cleared"


def test_a_gateway_that_was_latched_when_last_heard_may_have_been_cleared_since() -> None:
    away = latched("b", 150.0, reachable=False, heard=180.0)
    assert [one.host for one in look(latched("a", 200.0), away).keep] == ["b"]
    assert look(latched("a", 170.0), away) == Decision(), "whoever cleared it since has cleared that too"


def test_a_newer_latch_is_kept_beside_an_older_one_that_is_on_its_way() -> None:
    """b may have been cleared between the two, and then only the newer one holds."""
    first = look(latched("a", 200.0), said("b", reachable=False))
    both = look(latched("a", 250.0), said("b", reachable=False), wishes=first.keep)
    assert [one.asked for one in both.keep if one.host == "b"] == [250.0]
    hosts = {"a": latched("a", 200.0), "b": said("b", reachable=False), "c": latched("c", 250.0)}
    three = decide("e", ("a", "b", "c"), hosts, first.keep, asked=(), answered={}, by="guard", now=300.0)
    assert [one.asked for one in three.keep if one.host == "b"] == [200.0, 250.0]
    copy = hosts | {"c": latched("c", 260.0, began=200.0)}
    same = decide("e", ("a", "b", "c"), copy, first.keep, asked=(), answered={}, by="guard", now=300.0)
    assert same.keep == first.keep


def test_old_news_end_no_wish() -> None:
    """It was latched when it was last heard, and asked for after that: somebody may have cleared it between."""
    for old in (latched("b", 80.0, heard=90.0), Said(host="b", reachable=True, heard=90.0, runs=False)):
        decision = look(said("a", cleared=290.0), old, wishes=(wish(),))
        assert (decision.keep, decision.ask, decision.waiting) == ((wish(),), (), ())


def test_a_latch_that_was_cleared_meanwhile_is_carried_nowhere() -> None:
    kept = look(latched("a", 200.0), said("b", reachable=False)).keep
    cleared = look(said("a", cleared=250.0, since=250.0), said("b"), wishes=kept)
    assert (ends(cleared), cleared.ask, cleared.keep) == (["taken-back"], (), ())
    # Heard before the latch, and out of reach since: it says nothing about it.
    assert look(said("a", reachable=False), said("b"), wishes=kept).ask == kept


def test_a_persons_wish_is_asked_as_soon_as_the_host_is_there() -> None:
    assert look(said("b", reachable=False), wishes=(wish(),)).keep == (wish(),)
    assert look(said("b"), wishes=(wish(),)).ask == (wish(),)


def test_a_wish_that_is_over_is_dropped_with_a_word() -> None:
    assert ends(look(Said(host="b", reachable=True, heard=300.0, runs=False), wishes=(wish(),))) == ["gone"]
    assert ends(look(latched("b", 150.0), wishes=(wish(),))) == ["already"]
    assert ends(look(latched("b", 150.0), wishes=(wish(),), asked=[wish().key])) == ["done"]
    assert ends(look(said("b", cleared=150.0), wishes=(wish(),))) == ["cleared"]
    late = look(said("b"), wishes=(wish(),), now=100.0 + KEPT_S + 1)
    assert (ends(late), late.ask, late.keep) == (["expired"], (), ())
    assert "NOT carried out" in late.ended[0].text


def test_a_latch_that_stands_is_carried_after_days() -> None:
    assert look(latched("a", 200.0), said("b"), now=200.0 + 3 * KEPT_S).ask


def test_what_the_agent_has_is_not_done_before_it_is_effective() -> None:
    for stand in (said("b", waiting=True), latched("b", 150.0, effective=False)):
        decision = look(said("a", cleared=290.0), stand, wishes=(wish(),), asked=[wish().key])
        assert (decision.ask, decision.ended) == ((), ())
        assert decision.keep == decision.waiting == (wish(),)


def test_an_id_that_a_clear_has_used_up_is_not_sent_again() -> None:
    asked_again = wish().renewed("bob", "still odd", 400.0)
    assert asked_again.request_after(cleared=50.0) == "r"
    assert asked_again.request_after(cleared=300.0) != "r"
    heard = said("b", cleared=300.0)
    assert look(heard, wishes=(asked_again,), answered={wish().key: 6}).ask == (asked_again,)


def test_weights_are_left_alone_unless_the_lowest_is_to_win() -> None:
    high, low = said("a", weight_bp=5_000, since=100.0), said("b", weight_bp=500, since=100.0)
    assert look(high, low) == Decision()
    now = 100.0 + SETTLE_S
    [one] = lowered("e", (high, low), "guard", now)
    assert (one.host, one.change.weight_bp, one.change.revision) == ("a", 500, 7)
    assert lowered("e", (high, low), "guard", now - 1) == ()
    assert lowered("e", (high, said("b", weight_bp=500, since=now)), "guard", now) == ()
    assert lowered("e", (high, latched("b", 100.0)), "guard", now) == ()
    assert lowered("e", (said("a", weight_bp=5_000, reachable=False), low), "guard", now) == ()


def view(**changes: Any) -> HostView:
    """A host that has spoken since it is connected."""
    state = RolloutState(stage="rollback", since=NOW, began=NOW - 5, cleared=NOW - 100)
    status = rack(experiment(state=state))
    usual = {"link": LinkChange(state="connected", role="operator"), "status": status}
    return HostView(name="rack-1", linked_at=10.0, heard_at=11.0, **(usual | changes))


def test_only_what_was_said_since_the_link_was_made_counts() -> None:
    now = said_of(view(), "int4_v1", NOW)
    assert now
    assert (now.reachable, now.latched, now.runs) == (True, True, True)
    for other in (
        replace(view(), heard_at=9.0),
        view(link=LinkChange(state="lost")),
        view(link=LinkChange(state="connected", role="viewer")),
        view(link=LinkChange(state="connected", role="operator", read_only=True)),
    ):
        found = said_of(other, "int4_v1", NOW)
        assert found
        assert not found.reachable
    absent = said_of(view(), "other", NOW)
    assert absent
    assert not absent.runs
    assert said_of(HostView(name="rack-1"), "int4_v1", NOW) is None


def test_a_clock_that_is_wrong_is_allowed_for() -> None:
    right, hour = said_of(view(), "int4_v1", NOW, ahead_s=-0.9), said_of(view(), "int4_v1", NOW, ahead_s=3600.0)
    assert right
    assert hour
    assert (right.since, right.began, right.cleared, right.off_s) == (NOW, NOW - 5, NOW - 100, 0.0)
    assert (hour.since, hour.began, hour.cleared) == (NOW - 3600, NOW - 3605, NOW - 3700)
    assert (hour.stamp, hour.off_s) == (NOW, 3600.0)
