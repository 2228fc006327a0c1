"""When an engine counts as hung: never while its tokens move, always within 30 s of its last sign of life."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_core.engines.liveness import (
    BUSY_DEADLINE_S,
    EVERY_S,
    IDLE_DEADLINE_S,
    KILL_AFTER_S,
    Liveness,
    deadline_s,
    next_action,
    probed,
    seen,
)

HUNG_WITHIN_S = 30.0
LONGEST_LOOK_S = 3.0
"""Between two looks at an engine whose metrics come late: a second, and their deadline."""


few = settings(max_examples=50)  # each is a minute of looks


class Look(NamedTuple):
    """One look of the agent at an engine.

    Attributes:
        after_s: since the look before.
        read: its counters could be read.
        running: requests that it says it works on.
        fails_after: share of its deadline after which a probe that begins now ends without a token.
    """

    after_s: float
    read: bool
    running: int | None
    fails_after: float


LOOKS = st.lists(
    st.builds(
        Look,
        after_s=st.floats(0.9, LONGEST_LOOK_S),
        read=st.booleans(),
        running=st.sampled_from([None, 0, 1, 64]),
        fails_after=st.floats(0.0, 1.0),
    ),
    min_size=20,
    max_size=40,
)


class Watcher:
    """Does what the agent does: looks, and has one probe under way at most."""

    def __init__(self, state: Liveness) -> None:
        self.state, self.now = state, state.alive_at
        self.probe_ends: float | None = None

    def look(self, look: Look, tokens: float | None, *, proves_life: bool = False) -> None:
        """Time passes, a probe may end in vain, the counters are read, a probe may begin."""
        until = self.now + look.after_s
        if self.probe_ends is not None and self.probe_ends <= until:
            self.state = probed(self.state, False, self.probe_ends)
            self.probe_ends = None
        self.now = until
        self.state = seen(self.state, tokens if look.read else None, proves_life, until)
        if self.probe_ends is None and next_action(self.state, until) == "probe":
            self.probe_ends = until + deadline_s(look.running) * look.fails_after


@few
@given(LOOKS, st.floats(0, 1e6), st.booleans())
def test_one_that_gives_no_sign_is_hung_within_30_s(looks: list[Look], start: float, counts: bool) -> None:
    """Its counters stand still or cannot be read, as vLLM's do and llama.cpp's do not while it hangs."""
    watcher = Watcher(Liveness(alive_at=start, tokens=10.0))
    for look in looks:
        watcher.look(look, 10.0 if counts else None)
        if watcher.now - start > HUNG_WITHIN_S:
            assert watcher.state.hung_since is not None
            assert watcher.state.hung_since - start <= HUNG_WITHIN_S
            assert watcher.state.hung_since - start >= EVERY_S, "it had no time to answer"


@few
@given(LOOKS, st.lists(st.floats(0.5, 50), min_size=40, max_size=40))
def test_one_whose_tokens_move_is_never_hung(looks: list[Look], more: list[float]) -> None:
    """Whatever becomes of the probes: they may wait in a queue behind all others."""
    watcher, tokens = Watcher(Liveness(alive_at=0.0, tokens=0.0)), 0.0
    for look, gained in zip(looks, more, strict=False):
        tokens += gained
        watcher.look(look._replace(read=True), tokens)
        assert watcher.state.hung_since is None


@few
@given(LOOKS)
def test_counters_that_come_from_the_loop_prove_life_although_they_stand_still(looks: list[Look]) -> None:
    watcher = Watcher(Liveness(alive_at=0.0))
    for look in looks:
        watcher.look(look._replace(read=True), 7.0, proves_life=True)
        assert watcher.state.hung_since is None


@few
@given(LOOKS, st.integers(0, 19))
def test_a_token_brings_it_back_at_once(looks: list[Look], at: int) -> None:
    watcher = Watcher(Liveness(alive_at=0.0, tokens=10.0))
    for number, look in enumerate(looks):
        watcher.look(look, 10.0)
        if number == at:
            watcher.probe_ends = None
            watcher.state = probed(watcher.state, True, watcher.now)
            assert watcher.state.hung_since is None
            assert next_action(watcher.state, watcher.now) == "none"


@given(st.lists(st.tuples(st.sampled_from(["answer", "silence", "tokens", "nothing"]), st.floats(0, 40)), max_size=40))
def test_the_moment_from_which_it_hangs_does_not_move(events: list[tuple[str, float]]) -> None:
    state, now, since = Liveness(alive_at=0.0, tokens=0.0), 0.0, None
    for kind, after_s in events:
        now += after_s
        match kind:
            case "answer":
                state = probed(state, True, now)
            case "silence":
                state = probed(state, False, now)
            case "tokens":
                state = seen(state, (state.tokens or 0.0) + 1, False, now)
            case _:
                state = seen(state, None, True, now)
        if since is not None and state.hung_since is not None:
            assert state.hung_since == since
        since = state.hung_since
        if since is None:
            assert next_action(state, now) != "kill"
        else:
            assert next_action(state, since + KILL_AFTER_S + 0.001) == "kill"


def test_first_counters_are_no_movement() -> None:
    """An adopted engine that hangs may have generated a lot before."""
    state = seen(Liveness(alive_at=0.0), 1000.0, False, 3.0)
    assert (state.alive_at, state.tokens) == (0.0, 1000.0)


def test_counters_that_fell_are_those_of_a_process_that_generated() -> None:
    assert seen(Liveness(alive_at=0.0, tokens=50.0), 3.0, False, 9.0).alive_at == 9.0


def test_deadlines_stay_under_30_s() -> None:
    assert deadline_s(None) == deadline_s(0) == IDLE_DEADLINE_S
    assert deadline_s(1) == BUSY_DEADLINE_S
    assert EVERY_S + LONGEST_LOOK_S + BUSY_DEADLINE_S <= HUNG_WITHIN_S
