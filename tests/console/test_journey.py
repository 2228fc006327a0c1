"""Somebody was woken: open it, find the sick host, read why, roll back, see it on all gateways, read what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from quantdeck_core.errors import UnreachableError
from quantdeck_core.protocol.experiment import ExperimentStatus, TimelineEntry
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Applied, Rollback
from quantdeck_core.rollout.state import RolloutState
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, arm, changed, experiment, rack, replace, van
from support.incidents import report, tells

SICK, HOSTS_OF_IT, FLEET = "gpu-7", ("gpu-3", "gpu-7", "gpu-31"), 40
MOST_KEYS = 6
LOST = UnreachableError("gpu-31 did not answer within 5 s.", "It is tried again.")


def running_there(host: str) -> ExperimentStatus:
    """Half of the users of each are on the treatment, and on one host it answers in loops."""
    status = experiment(weight_bp=5_000)
    if host != SICK:
        return status
    broken = arm("treatment", 70, loops=33, words=88.0)
    return experiment(weight_bp=5_000, treatment=broken)


def rolled_back_by_ada(status: ExperimentStatus) -> ExperimentStatus:
    reason = "rolled back in the console by ada"
    state = RolloutState(
        stage="rollback", weight_bp=0, revision=4, reason=reason, by="ada", since=NOW + 2, began=NOW + 2
    )
    line = TimelineEntry(t=NOW + 2, kind="rollback", text=f"rolled back from 50 %: {reason}", by="ada")
    return replace(status, state=state, timeline=(*status.timeline, line))


def fleet() -> FakeLink:
    hosts: list[HostStatus] = [
        rack(running_there(name), name=name) if name in HOSTS_OF_IT else van(name=name)
        for name in (f"gpu-{number}" for number in range(1, FLEET + 1))
    ]
    link = FakeLink(*hosts)
    # The last of its gateways answers at the second try.
    link.answers["gpu-31"] = [LOST, Applied(revision=4, effective_ms=8.1)]
    return link


@dataclass
class Hands:
    """Somebody at the keyboard."""

    deck: Deck
    pressed: list[str] = field(default_factory=list)

    async def press(self, key: str) -> None:
        self.pressed.append(key)
        await self.deck.press(key)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_six_keys_from_the_alarm_to_the_incident(size: tuple[int, int]) -> None:
    link = fleet()
    async with running(link, size=size) as deck:
        hands = Hands(deck)
        await deck.shows("40 hosts", "39 OK", "1 FAIL x")
        await deck.shows("x gpu-7  int4_v1: 47.1 % of answers loop", "50 % of users are still on it")
        [row] = [line for line in deck.text.splitlines() if line.startswith(deck.app.glyphs.cursor)]
        assert row.split()[:3] == [f"{deck.app.glyphs.cursor}gpu-7", "FAIL", "x"]
        await hands.press("enter")
        await deck.shows("int4_v1 on gpu-7", "FAIL x", "users 50/50", "47.1 % of answers loop", "CONTROL", "TREATMENT")
        await hands.press("R")
        await deck.dialog("rollback")
        await deck.shows("Everyone goes back to the control, tiny-f16, on 3 gateways", *HOSTS_OF_IT, "50/50 -> 100/0")
        await hands.press("y")
        await deck.shows("not done: applied on 2 of 3 gateways", "unreachable", "gpu-31 did not answer within 5 s.")
        await deck.shows("done: everyone is on the control, on 3 gateways", "in 8.1 ms")
        for name in HOSTS_OF_IT:
            link.say(name, changed(rolled_back_by_ada(running_there(name))))
        tells(link, report(rolled_back_by_ada(running_there(SICK))), host=SICK)
        await hands.press("enter")
        await deck.shows("int4_v1 on gpu-7", "ROLLED BACK 0 %", "users 100/0", "rolled back in the console by ada")
        assert "trying again" not in deck.text
        await hands.press("i")
        await deck.shows("TIMELINE", "rolled back on 3 of 3 gateways", "02:17:46  rollback  rolled back from 50 %")
        assert len(hands.pressed) <= MOST_KEYS
    asked: dict[str, list[Any]] = {}
    for host, name, change in link.asked:
        assert isinstance(change, Rollback)
        asked.setdefault(host, []).append((name, change.request_id))
    assert {host: len(all_of_it) for host, all_of_it in asked.items()} == {"gpu-3": 1, "gpu-7": 1, "gpu-31": 2}
    assert len({one for all_of_it in asked.values() for one in all_of_it}) == 1
