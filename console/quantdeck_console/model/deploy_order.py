"""From checks to requests: exactly what was checked and said is what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.deploy_check import standing
from quantdeck_console.model.deploy_choice import Choice
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.fleet.cells import weight
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.operation import Intended
from quantdeck_core.protocol.requests import Deploy

Progress = Literal["sent", "accepted", "refused", "lost"]
PENDING_AFTER_S = 3.0
"""An agent accepts a start once it has made a plan, which takes up to a second; after three, say that it waits."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One host's part of what was asked for in this console.

    Attributes:
        wish: as the host was asked about it; `request` as it was sent.
        progress: `lost`: there was no answer, and whether it began is not known.
        since: console time at which it was sent, UNIX seconds.
        operation: what goes on there since it was accepted.
        error: why it was refused, or why there was no answer.
    """

    wish: Deploy
    request: Deploy
    since: float
    progress: Progress = "sent"
    operation: str = ""
    error: ErrorInfo | None = None

    def word(self, now: float) -> str:
        """How far it is."""
        if self.progress == "sent":
            return "sent" if now - self.since <= PENDING_AFTER_S else "pending ?"
        return {"accepted": "accepted", "refused": "refused x", "lost": "no answer ?"}[self.progress]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked of one host, and what is said of it before.

    Attributes:
        request: without its id, except where it is asked `again`: then it is the one that had no answer.
        does: what happens there, in words.
        outage: how long nobody is served; empty where somebody is.
        forced: the refusal that is overridden; empty without one.
    """

    host: str
    wish: Deploy
    request: Deploy
    does: str
    outage: str = ""
    forced: str = ""
    again: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What a confirmation is about: numbers that change with every check are no part of it."""
        return self.host, msgspec.json.encode(self.request), self.does, self.outage, bool(self.forced), self.again


def orders(
    choice: Choice, checks: Mapping[str, Asked[Intended]], sent: Mapping[str, Sent], fleet: FleetState, now: float
) -> tuple[Order, ...] | str:
    """One order for each marked host, or why there is none: all of them, or nothing."""
    wish = choice.wish()
    if wish is None:
        return "No profile is chosen: Space chooses the one under the cursor."
    if wish.profile.nodes is not None:
        return f"{wish.profile.name} runs over several hosts: deploy it with the command that is shown."
    if not choice.marks:
        return "No host is marked: Tab goes to the hosts, Space marks one."
    found: list[Order] = []
    for host in choice.marks:
        before = sent.get(host)
        if before and before.progress == "sent":
            return f"{host} was asked already: its answer is waited for."
        if before and before.progress == "lost" and before.wish == wish:
            does = "is asked again, with the same request: it is done once"
            found.append(Order(host=host, wish=wish, request=before.request, does=does, again=True))
            continue
        asked, view = checks.get(host, Asked()), fleet.hosts[host]
        stands = standing(asked, view, wish, now)
        if stands.blocks or asked.value is None:
            return stands.blocks
        found.append(_order(view, asked.value, wish))
    return tuple(found)


def _order(view: HostView, intended: Intended, wish: Deploy) -> Order:
    """The agent checks again, and may do no more than what was said: no swap and no force beyond it."""
    forced = intended.refusal is not None
    request = msgspec.structs.replace(
        wish, replace=intended.kind in ("replace", "swap"), swap=intended.kind == "swap", force=forced
    )
    return Order(
        host=view.name,
        wish=wish,
        request=request,
        does=does(view, intended),
        outage=intended.outage if intended.kind == "swap" else "",
        forced=intended.refusal.detail if intended.refusal else "",
    )


def does(view: HostView, intended: Intended) -> str:
    """What happens on a host: ``replaces treatment.2 (tiny-q4_0); it serves until the new one is ready``."""
    if intended.kind not in ("replace", "swap"):
        return f"starts {intended.engine}"
    engines = view.status.engines if view.status else ()
    old = next((one for one in engines if one.name == intended.engine), None)
    what = f"{old.name}.{old.generation} ({old.profile})" if old else intended.engine
    if intended.kind == "swap":
        return f"ends {what} first, then starts {intended.engine}"
    return f"replaces {what}" + ("" if intended.outage else "; it serves until the new one is ready")


def users_of(view: HostView, engine: str) -> str:
    """Who is served by an engine in experiments: ``treatment of int4_v1, 10 % of users``; empty where it is in none."""
    said = []
    for one in view.status.experiments if view.status else ():
        share = one.state.weight_bp
        for arm, role, part in ((one.control, "control", BUCKETS - share), (one.treatment, "treatment", share)):
            if engine in arm.engines and not one.finished:
                said.append(f"{role} of {one.name}, {weight(part)} of users")
    return "; ".join(said)
