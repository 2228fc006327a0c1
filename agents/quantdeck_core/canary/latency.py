"""How fast an engine answers at several loads, measured before it has users; entering A/B needs it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quantdeck_core.engines.latency import Percentiles
from quantdeck_core.percentile import percentile
from quantdeck_core.protocol.gateway import VariantName

CONCURRENCY = (1, 2, 4, 8)
REQUESTS = 16
"""At each level at least so many, and four rounds; a p99 of so few is the slowest one."""
MAX_TOKENS = 64


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One streamed answer; milliseconds from the request.

    Attributes:
        gaps_ms: between two pieces of text, each a token or a few.
        tokens: as the engine counted, else pieces.
        error: why it is none; empty for a good one.
    """

    ttft_ms: float = 0.0
    gaps_ms: tuple[float, ...] = ()
    e2e_ms: float = 0.0
    tokens: int = 0
    error: str = ""


class LatencyLevel(msgspec.Struct, frozen=True, kw_only=True):
    """So many requests at once.

    Attributes:
        requests: that were answered; `errors` those that were not.
        ttft, itl, e2e: first token, between tokens, whole answer; None where nothing was answered.
        tokens_per_s: of all requests together, over the seconds that the level took.
    """

    concurrency: int
    requests: int
    errors: int
    ttft: Percentiles | None
    itl: Percentiles | None
    e2e: Percentiles | None
    tokens_per_s: float


class LatencyProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One arm's engine.

    Attributes:
        engine: the replica that was asked.
        epoch: of what it serves: another checkpoint, command or version needs another profile.
        at: UNIX time of its end.
        note: why it is not whole; empty where it is.
    """

    variant: VariantName
    engine: str
    epoch: int
    at: float
    levels: tuple[LatencyLevel, ...]
    note: str = ""

    @property
    def complete(self) -> bool:
        """Whether every level was measured and no request failed."""
        return not self.note and bool(self.levels) and all(one.requests and not one.errors for one in self.levels)


def requests_at(concurrency: int) -> int:
    """How many requests a level takes."""
    return max(REQUESTS, 4 * concurrency)


def level(concurrency: int, timings: Sequence[Timing], seconds: float) -> LatencyLevel:
    """Sum up a level that took so many seconds."""
    good = [one for one in timings if not one.error]
    return LatencyLevel(
        concurrency=concurrency,
        requests=len(good),
        errors=len(timings) - len(good),
        ttft=percentiles([one.ttft_ms for one in good]),
        itl=percentiles([gap for one in good for gap in one.gaps_ms]),
        e2e=percentiles([one.e2e_ms for one in good]),
        tokens_per_s=round(sum(one.tokens for one in good) / seconds, 1) if seconds > 0 else 0.0,
    )


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Nearest-rank percentiles; None without values."""
    p50, p95, p99 = (percentile(values, percent) for percent in (50, 95, 99))
    if p50 is None or p95 is None or p99 is None:
        return None
    return Percentiles(count=len(values), p50_ms=round(p50, 2), p95_ms=round(p95, 2), p99_ms=round(p99, 2))


def slo_breaches(
    profile: LatencyProfile,
    *,
    ttft_p95_ms: float | None = None,
    itl_p95_ms: float | None = None,
    e2e_p95_ms: float | None = None,
    concurrency: int = CONCURRENCY[-1],
) -> tuple[str, ...]:
    """What of a profile does not keep to an SLO, in words; empty where all does.

    Args:
        ttft_p95_ms, itl_p95_ms, e2e_p95_ms: limits, milliseconds; None for none.
        concurrency: levels up to this one count.
    """
    limits = {"first token": ttft_p95_ms, "between tokens": itl_p95_ms, "whole answer": e2e_p95_ms}
    found = []
    for one in profile.levels:
        if one.concurrency > concurrency:
            continue
        if one.errors:
            found.append(f"{one.errors} requests failed at {one.concurrency} at once")
        measured = zip(limits.items(), (one.ttft, one.itl, one.e2e), strict=True)
        for (what, limit), value in measured:
            if limit is not None and value is not None and value.p95_ms > limit:
                p95 = f"{value.p95_ms:.0f} ms at {one.concurrency} at once (limit {limit:.0f} ms)"
                found.append(f"p95 {what} is {p95}")
    if not profile.levels:
        found.append("nothing was measured")
    return tuple(found)
