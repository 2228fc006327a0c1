"""From checks to requests: nothing unchecked begins, and nothing beyond what was said is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.deploy_check import CHECK_COUNTS_S, standing
from quantdeck_console.model.deploy_choice import Choice
from quantdeck_console.model.deploy_order import Order, Sent, does, orders, users_of
from quantdeck_console.model.deploy_profiles import ProfileItem
from quantdeck_console.model.deploy_room import END, room_bar
from quantdeck_console.model.deploy_said import said_lines
from quantdeck_console.model.deploy_view import deploy_command
from quantdeck_console.model.glyphs import ASCII, UNICODE
from quantdeck_console.model.text import plain, width_of
from quantdeck_core.errors import ConflictError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.operation_text import room_free, room_needed
from quantdeck_core.fleet.state import FleetState, apply
from quantdeck_core.profile.nodes import Nodes
from quantdeck_core.protocol.events import Snapshot
from quantdeck_core.protocol.operation import Intended, Room
from support.deployments import ROOM, intended, no_room_beside, refused, swapped
from support.fleets import GIB, NOW, rack, replace, van
from support.profiles import BUILT_IN

ITEM = ProfileItem(source="demo-q8", profile=BUILT_IN["demo-q8"])


def fleet(**links: str) -> FleetState:
    state = FleetState.of(["rack-1", "van-7"])
    for status in (rack(), van()):
        link = links.get(status.name.replace("-", "_"), "connected")
        state = apply(state, status.name, Snapshot(revision=1, status=status), NOW)
        state = apply(state, status.name, LinkChange(state=link, role="operator"), NOW)  # type: ignore[arg-type]
    return state


def choice(**changes: Any) -> Choice:
    chosen = Choice(hosts=("rack-1", "van-7"), profiles=(ITEM,), profile="demo-q8", marks=("rack-1",), name="treatment")
    return dataclasses.replace(chosen, **changes)


def found(one: Choice, *checks: Intended, at: float = NOW, now: float = NOW, **links: str) -> tuple[Order, ...] | str:
    asked = {host: Asked(value=check, at=at) for host, check in zip(("rack-1", "van-7"), checks, strict=False)}
    return orders(one, asked, {}, fleet(**links), now)


def only(one: tuple[Order, ...] | str) -> Order:
    assert not isinstance(one, str), one
    [order] = one
    return order


def test_nothing_is_begun_without_a_profile_a_host_and_a_check_that_counts() -> None:
    assert "No profile is chosen" in found(choice(profile=""), intended())
    assert "No host is marked" in found(choice(marks=()), intended())
    assert "rack-1 is still being checked" in found(choice())
    assert "The check of rack-1 is 21s old" in found(choice(), intended(), at=NOW - CHECK_COUNTS_S - 1)
    assert "rack-1 is not reached" in found(choice(), intended(), rack_1="lost")
    assert "van-7 is still being checked" in found(choice(marks=("rack-1", "van-7")), intended())
    failed = {"rack-1": Asked(value=intended(), at=NOW, error=ConflictError("It is being deployed.", "Wait.").info())}
    assert "rack-1: It is being deployed. Wait." in orders(choice(), failed, {}, fleet(), NOW)


def test_what_is_asked_for_is_what_was_checked_and_no_more() -> None:
    wished = choice(swap=True, force=True)
    order = only(found(wished, intended("treatment")))
    assert (order.request.replace, order.request.swap, order.request.force) == (False, False, False)
    assert order.does == "starts treatment"
    order = only(found(wished, intended("treatment", kind="replace")))
    assert (order.request.replace, order.request.swap, order.request.force) == (True, False, False)
    assert order.does == "replaces treatment.1 (tiny-treatment); it serves until the new one is ready"
    order = only(found(wished, swapped()))
    assert (order.request.replace, order.request.swap, order.request.force) == (True, True, False)
    assert order.outage == "about 12 s (as the last start took)"
    order = only(found(wished, refused("treatment")))
    assert (order.request.replace, order.request.swap, order.request.force) == (False, False, True)
    assert "It needs 18.0 GiB" in order.forced


def test_a_refusal_and_an_outage_have_to_be_accepted() -> None:
    assert "rack-1 refuses it: It needs 18.0 GiB" in found(choice(), refused())
    assert "s swaps, without treatment for about 12 s" in found(choice(), no_room_beside())
    pinned = no_room_beside(refusal=None)
    assert "s swaps" in found(choice(force=True), pinned), "force does not take a port that is in use"
    order = only(found(choice(force=True), no_room_beside()))
    assert (order.request.replace, order.request.swap, order.request.force) == (True, False, True)


def test_an_answer_that_is_waited_for_is_not_asked_twice_and_a_lost_one_with_the_same_request() -> None:
    one = choice()
    wish = one.wish()
    assert wish is not None
    request = replace(wish, request_id="r1", replace=False)
    sent = Sent(wish=wish, request=request, since=NOW)
    assert "was asked already" in orders(one, {}, {"rack-1": sent}, fleet(), NOW)
    lost = {"rack-1": dataclasses.replace(sent, progress="lost")}
    order = only(orders(one, {}, lost, fleet(), NOW))
    assert (order.again, order.request) == (True, request)
    other = choice(name="other")
    assert "still being checked" in orders(other, {}, lost, fleet(), NOW), "another wish is another request"


def test_numbers_that_change_with_every_check_change_no_confirmation() -> None:
    room = replace(ROOM, free=ROOM.free - GIB)
    before, after = (only(found(choice(), intended("treatment", kind="replace", room=one))) for one in (ROOM, room))
    assert before.key == after.key
    assert before.key != only(found(choice(swap=True), swapped())).key


def test_who_is_served_by_what_is_replaced() -> None:
    view = fleet().hosts["rack-1"]
    assert users_of(view, "treatment") == "treatment of int4_v1, 10 % of users"
    assert users_of(view, "control") == "control of int4_v1, 90 % of users"
    assert users_of(view, "other") == ""
    assert does(view, swapped()) == "ends treatment.1 (tiny-treatment) first, then starts treatment"


@pytest.mark.parametrize(
    ("check", "wish", "word"),
    [
        (intended(), {}, "fits"), (intended(kind="replace"), {}, "replaces"), (swapped(), {"swap": True}, "swaps !"),
        (refused(), {}, "refused x"), (refused(), {"force": True}, "forced !"), (no_room_beside(), {}, "no room !"),
        (intended(planned_bytes=None, room=None, note="not planned: no shape"), {}, "not planned !"),
    ],
)  # fmt: skip
def test_a_check_in_a_word(check: Intended, wish: dict[str, bool], word: str) -> None:
    asked = choice(**wish).wish()
    assert asked is not None
    assert standing(Asked(value=check, at=NOW), fleet().hosts["rack-1"], asked, NOW).word == word


def test_a_profile_over_several_hosts_is_a_command() -> None:
    profile = replace(BUILT_IN["llama-2-7b-fp8"], name="big", nodes=Nodes(count=2))
    many = choice(profiles=(ProfileItem(source="./big model.toml", profile=profile),), profile="./big model.toml")
    assert "runs over several hosts" in found(many, intended())
    command = deploy_command(many, fleet(), ("--fleet", "/etc/f.toml"))
    assert command == (
        "quantdeck deploy './big model.toml' --host rack-1 --host HOST --fleet /etc/f.toml --name treatment --replace"
    )
    both = dataclasses.replace(many, marks=("van-7", "rack-1"), name="other", swap=True, force=True)
    assert "--host van-7 --host rack-1 --name other --swap --force" in deploy_command(both, fleet(), ())


def test_room_in_words() -> None:
    assert room_needed(ROOM) == "weights 13.0 GiB + KV cache 4.0 GiB + overhead 1.0 GiB = 18.0 GiB"
    assert room_free(ROOM) == "22.0 GiB of 80.0 GiB free on GPU 0 now"
    booked = replace(ROOM, needed=72 * GIB)
    assert room_needed(booked).endswith("= 18.0 GiB, and it books 72.0 GiB")
    twice = replace(ROOM, needed=36 * GIB, instances=2, where="RAM", freed=5 * GIB)
    assert room_needed(twice) == "2 x (weights 13.0 GiB + KV cache 4.0 GiB + overhead 1.0 GiB) = 36.0 GiB"
    assert room_free(twice) == "22.0 GiB of 80.0 GiB free in RAM now, plus 5.0 GiB of the old one"


@example(20, 90, 0, 1, 1, 1, 1, False, ASCII)
@given(
    st.integers(20, 200), st.integers(1, 90), st.integers(0, 90), st.integers(0, 40), st.integers(0, 40),
    st.integers(0, 5), st.integers(0, 30), st.booleans(), st.sampled_from([ASCII, UNICODE]),
)  # fmt: skip
def test_the_bar_has_every_part_and_its_width(
    width: int, total: int, free: int, weights: int, kv: int, overhead: int, booked: int, after: bool, glyphs: Any
) -> None:
    free = min(free, total)
    room = Room(
        where="GPU 0", weights=weights, kv=kv, overhead=overhead, needed=weights + kv + overhead + booked, free=free,
        total=total, freed=(total - free) // 2,
    )  # fmt: skip
    parts = room_bar(room, width, glyphs, after=after)
    assert width_of(parts) == width
    drawn = plain(parts)
    for char, amount in (("W", weights), ("K", kv), ("o", overhead), ("b", booked)):
        assert (char in drawn) == (amount > 0), (char, drawn)
    used = total - free - (room.freed if after else 0)
    assert (END in drawn) == (used + room.needed > total), "its end is shown where it is passed"


def many(amount: int, **changes: Any) -> list[Order]:
    wish = choice().wish()
    assert wish is not None
    order = Order(host="", wish=wish, request=wish, does="replaces treatment.1 (tiny-treatment)")
    return [dataclasses.replace(order, host=f"gpu-rack-{number}", **changes) for number in range(amount)]


@pytest.mark.parametrize("amount", [1, 3, 12])
def test_a_confirmation_names_every_host_and_leaves_room_for_its_keys(amount: int) -> None:
    found = [
        *many(amount),
        dataclasses.replace(*many(1), host="van-7", does="starts treatment", outage="about 12 s", forced="x"),
    ]
    lines = [plain(one) for one in said_lines(found, {"gpu-rack-0": "treatment of int4_v1, 10 % of users"}, 74)]
    text = " ".join(line.strip() for line in lines)
    for order in found:
        assert order.host in text
    for said in ("replaces treatment.1", "starts treatment", "nobody is served by treatment for about 12 s", "forced"):
        assert said in text
    assert "treatment of int4_v1, 10 % of users" in text
    assert "Type treatment to force it:" in text
    assert len(lines) <= 14, "the field and the keys stand below, in a box of 20 lines"
