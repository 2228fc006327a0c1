"""A guard between gateways, in any order of latches, clears, lost links, lost answers, stale news and restarts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from quantdeck_core.errors import ConflictError
from quantdeck_core.rollout.events import LatchCleared, RollbackAsked, TreatmentFailed, WeightAsked
from quantdeck_core.rollout.machine import step
from quantdeck_core.rollout.rollback import roll_back
from quantdeck_core.rollout.said import Said
from quantdeck_core.rollout.several import Key, decide
from quantdeck_core.rollout.state import RolloutState
from quantdeck_core.rollout.wish import Wish, personal

HOSTS = ("a", "b", "c")
BEGIN = RolloutState(weight_bp=1_000, stage="ab_test", since=1.0)
any_host = st.sampled_from(HOSTS)


@dataclass
class Gateway:
    """A gateway's agent: the real state machine, and the request ids that it has answered."""

    name: str
    state: RolloutState = field(default_factory=lambda: BEGIN)
    control: bool = True
    up: bool = True
    answered: dict[str, int] = field(default_factory=dict)
    latched_by: list[str] = field(default_factory=list)

    def said(self, heard: float) -> Said:
        state = self.state
        return Said(
            host=self.name, reachable=self.up, heard=heard, latched=state.latched, waiting=state.pending is not None,
            since=state.since, began=state.began, stamp=state.since, cleared=state.cleared, weight_bp=state.weight_bp,
            revision=state.revision, by=state.by, reason=state.reason,
        )  # fmt: skip

    def do(self, event: object, now: float) -> None:
        self.state = step(self.state, event, now).state  # type: ignore[arg-type]

    def roll_back(self, request: str, wish: Wish, revision: int | None, now: float, began: float = 0.0) -> int:
        """As an agent answers: the revision where it is done, 0 where it waits for the control."""
        if request in self.answered:
            return self.answered[request]
        before = self.state
        asked = RollbackAsked(
            by=wish.by, reason=wish.reason, control_ready=self.control, revision=revision, began=began
        )
        self.do(asked, now)
        if self.state.latched and not before.latched:
            self.latched_by.append(request)
            assert self.state.cleared < wish.asked, "a clear was undone by what had been asked before it"
        if self.state.pending:
            return 0
        self.answered[request] = self.state.revision
        return self.state.revision


@dataclass
class Guard:
    """One life of a guard."""

    heard: dict[str, Said] = field(default_factory=dict)
    asked: set[Key] = field(default_factory=set)
    answered: dict[Key, int] = field(default_factory=dict)


class SeveralGateways(RuleBasedStateMachine):
    """Three gateways, one experiment."""

    seen: ClassVar[set[str]] = set()

    @initialize()
    def begin(self) -> None:
        self.now = 100.0
        self.hosts = {name: Gateway(name) for name in HOSTS}
        self.guard = Guard(heard={name: one.said(self.now) for name, one in self.hosts.items()})
        self.file: tuple[Wish, ...] = ()
        self.wanted: list[Wish] = []
        self.decided: set[float] = set()
        self.known_latches: set[tuple[str, float]] = set()
        self.ids = 0

    def later(self) -> float:
        self.now += 1.0
        return self.now

    @rule(host=any_host, up=st.booleans())
    def link(self, host: str, up: bool) -> None:
        gateway = self.hosts[host]
        gateway.up = up
        if up:
            self.guard.heard[host] = gateway.said(self.now)
        elif host in self.guard.heard:
            self.guard.heard[host] = _out_of_reach(self.guard.heard[host])

    @rule(host=any_host)
    def news(self, host: str) -> None:
        """An event arrives. Until then the guard believes what it heard before."""
        if self.hosts[host].up:
            self.guard.heard[host] = self.hosts[host].said(self.now)

    @rule(host=any_host)
    def breach(self, host: str) -> None:
        gateway, now = self.hosts[host], self.later()
        self.decided.add(now)
        gateway.do(TreatmentFailed(reason="loops", control_ready=gateway.control), now)

    @rule(host=any_host)
    def mended(self, host: str) -> None:
        """Rolled back and cleared at once, before anybody hears of it."""
        self.breach(host)
        self.clear({host})

    @rule(host=any_host)
    def breach_out_of_reach(self, host: str) -> None:
        """Heard by the guard while another one is out of reach."""
        self.breach(host)
        self.news(host)
        other = HOSTS[HOSTS.index(host) - 1]
        self.link(other, False)
        self.look(lost=False, heard=True)

    @rule(host=any_host)
    def source_is_lost(self, host: str) -> None:
        """And the guard with it: the next one knows of the latch from the disk only."""
        self.breach_out_of_reach(host)
        self.link(host, False)
        self.restart()
        self.link(HOSTS[HOSTS.index(host) - 1], True)

    @rule(host=any_host, ready=st.booleans())
    def control(self, host: str, ready: bool) -> None:
        gateway = self.hosts[host]
        gateway.control = ready
        if ready and gateway.state.pending:
            waited = gateway.state.pending
            gateway.state = roll_back(gateway.state, waited.by, waited.reason, self.later(), waited.began).state

    @rule(some=st.sets(any_host, min_size=1))
    def clear(self, some: set[str]) -> None:
        """A person clears; on all of them, or on those that they can reach."""
        for host in sorted(some):
            gateway, now = self.hosts[host], self.later()
            if gateway.state.latched or gateway.state.pending:
                self.seen.add("clear")
                gateway.do(LatchCleared(revision=gateway.state.revision, by="ada", reason="mended"), now)
                assert gateway.state.cleared == now

    @rule(host=any_host, weight_bp=st.sampled_from((0, 500, 5_000)))
    def weight(self, host: str, weight_bp: int) -> None:
        gateway, now = self.hosts[host], self.later()
        if not (gateway.state.latched or gateway.state.pending):
            gateway.do(WeightAsked(weight_bp=weight_bp, revision=gateway.state.revision, by="ada", reason="x"), now)

    @rule(reachable=st.sets(any_host), sent=st.booleans())
    def person(self, reachable: set[str], sent: bool) -> None:
        """`quantdeck rollback`: what cannot be asked is pending. `sent`: it arrived, and the answer was lost."""
        now, kept = self.later(), []
        self.decided.add(now)
        self.ids += 1
        for host, gateway in self.hosts.items():
            wish = personal(self.file, "e", host)
            wish = wish.renewed("ada", "odd", now) if wish else _wish(host, f"person-{self.ids}", now)
            done = 0
            if host in reachable or sent:
                done = gateway.roll_back(wish.request_after(gateway.state.cleared), wish, None, now)
            if host in reachable and (done or gateway.state.pending):
                self.file = tuple(one for one in self.file if one.key != wish.key)
            else:
                kept.append(wish)
        keys = {wish.key for wish in kept}
        self.file = (*(one for one in self.file if one.key not in keys), *kept)
        self.wanted += kept

    @rule(lost=st.booleans(), heard=st.booleans())
    def look(self, lost: bool, heard: bool) -> None:
        """The guard decides and asks; its answers may be lost on the way back, and what it knows may be old."""
        if heard:
            for host in HOSTS:
                self.news(host)
        now, guard = self.later(), self.guard
        self.known_latches |= {(one.host, one.began) for one in guard.heard.values() if one.latched}
        decision = decide(
            "e", HOSTS, guard.heard, self.file, asked=guard.asked, answered=guard.answered, by="guard", now=now
        )
        self.file = decision.keep
        self.seen.update(ended.kind for ended in decision.ended)
        for wish in decision.ask:
            assert wish in decision.keep, "asked before it was on disk"
            seen, gateway = guard.heard[wish.host], self.hosts[wish.host]
            assert gateway.up
            request = wish.request_after(seen.cleared)
            sent = ("e", wish.host, request)
            assert sent not in guard.answered
            assert wish.asked in self.decided, "asked with the time of a copy"
            guard.asked.add(sent)
            try:
                done = gateway.roll_back(request, wish, seen.revision, now, wish.asked)
            except ConflictError:
                self.seen.add("stale")
                continue
            if done and not lost:
                guard.answered[sent] = done
                self.seen.add("answered")

    @rule()
    def restart(self) -> None:
        """The guard is killed, and another one reads the file and connects."""
        self.guard = Guard()
        for host, gateway in self.hosts.items():
            if gateway.up:
                self.guard.heard[host] = gateway.said(self.now)

    @invariant()
    def each_request_is_applied_once(self) -> None:
        for gateway in getattr(self, "hosts", {}).values():
            assert len(set(gateway.latched_by)) == len(gateway.latched_by)

    def teardown(self) -> None:
        if not hasattr(self, "hosts"):
            return
        # First with the links as they are: what the guard has heard in any life reaches whom it can reach.
        self._settle()
        for source, began in self.known_latches:
            if self.hosts[source].state.latched and self.hosts[source].state.began == began:
                self._reached(source, began, [one for one in self.hosts.values() if one.up])
        for host in HOSTS:
            self.link(host, True)
            self.control(host, True)
        self._settle()
        for source in self.hosts.values():
            if source.state.latched:
                self._reached(source.name, source.state.began, list(self.hosts.values()))
        for wish in self.wanted:
            gateway = self.hosts[wish.host]
            assert gateway.state.latched or gateway.state.cleared > wish.asked, "a person's wish was lost"
        assert self.file == ()

    def _settle(self) -> None:
        for _ in range(4):
            self.look(lost=False, heard=True)

    def _reached(self, source: str, began: float, hosts: list[Gateway]) -> None:
        for one in hosts:
            reached = one.state.latched or one.state.pending or one.state.cleared >= began
            assert reached, f"the latch of {source} did not reach {one.name}"


def _out_of_reach(said: Said) -> Said:
    return Said(**{name: getattr(said, name) for name in said.__struct_fields__} | {"reachable": False})


def _wish(host: str, request_id: str, now: float) -> Wish:
    return Wish(experiment="e", host=host, request_id=request_id, by="ada", reason="odd", asked=now, made=now)


def test_latches_reach_all_and_no_clear_is_undone() -> None:
    run_state_machine_as_test(SeveralGateways, settings=settings(max_examples=300, stateful_step_count=30))
    # It would prove nothing if no answer were ever lost and no wish ever dropped.
    assert {"answered", "done", "cleared"} <= SeveralGateways.seen
