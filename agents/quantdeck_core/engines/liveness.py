"""Whether an engine still generates, whatever its health check says. Pure: (state, what was seen, now) -> what to do.

An engine that hangs goes on answering `/health`, and vLLM also `/metrics` (seen with SIGSTOP; vllm-project/vllm#17972).
What proves life is a token: one that a user's request got, or one that is asked for.
"""

from __future__ import annotations

from typing import Literal

import msgspec

EVERY_S = 5.0
"""An engine that gave no sign of life for so long is asked for one token."""
IDLE_DEADLINE_S = 10.0
BUSY_DEADLINE_S = 20.0
"""While it works on long prompts a token may take longer. Together with `EVERY_S` this stays under 30 s."""
KILL_AFTER_S = 60.0
"""Hung for so long, it is ended and started again. Until then it may come back by itself."""

Action = Literal["none", "probe", "kill"]


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """What is known; times are monotonic, seconds.

    Attributes:
        alive_at: last proof of life.
        tokens: the total of generated tokens that was seen last.
        hung_since: since when it has been known to hang; None while it works.
    """

    alive_at: float
    tokens: float | None = None
    hung_since: float | None = None


def seen(state: Liveness, generated_tokens: float | None, proves_life: bool, now: float) -> Liveness:
    """After its counters were read, or could not be.

    Args:
        generated_tokens: their total; None where they were not answered.
        proves_life: an answer comes from the loop that generates.
    """
    if generated_tokens is None:
        return state
    moved = state.tokens is not None and generated_tokens != state.tokens
    if moved or proves_life:
        return msgspec.structs.replace(state, alive_at=now, tokens=generated_tokens, hung_since=None)
    return msgspec.structs.replace(state, tokens=generated_tokens)


def probed(state: Liveness, answered: bool, now: float) -> Liveness:
    """After it was asked for a token. One that waited in vain behind others that get theirs proves nothing."""
    if answered:
        return msgspec.structs.replace(state, alive_at=now, hung_since=None)
    if now - state.alive_at < EVERY_S:
        return state
    return msgspec.structs.replace(state, hung_since=now if state.hung_since is None else state.hung_since)


def next_action(state: Liveness, now: float) -> Action:
    """What to do at a monotonic time, while no probe is under way."""
    if state.hung_since is not None and now - state.hung_since >= KILL_AFTER_S:
        return "kill"
    return "probe" if now - state.alive_at >= EVERY_S else "none"


def deadline_s(running: int | None) -> float:
    """Seconds that a probe may take, by the requests that the engine says it works on."""
    return BUSY_DEADLINE_S if running else IDLE_DEADLINE_S
