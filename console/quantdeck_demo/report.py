"""What a headless demo measured, and whether all of it held."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

WEIGHT_CHANGE_LIMIT_MS = 100.0
DETECTION_LIMIT_MS = 1000.0
MEMORY_LIMIT_MIB = 1536.0


class Report(msgspec.Struct, kw_only=True):
    """Figures of one run; None where it did not come so far.

    Attributes:
        hosts: hosts that answered over SSH.
        engines_ready_s: from the first deployment until all engines were ready.
        errors: failed requests by kind.
        split_expected: share of the 200 users that the lesson's arithmetic treats at 10 %.
        split_measured: share that was answered by the treatment at 10 %.
        split_mismatches: users answered by an arm that the lesson's function does not give them, at any time.
        weight_change_ms: from asking over SSH until the gateway decides by the new weight, the slowest change.
        outputs_to_detection: answers of the damaged treatment until the rollback.
        detection_to_zero_ms: from the last byte of the answer that broke the limit until weight 0 in the gateway.
        verdict_before: of the healthy treatment.
        trouble: why the course ended early.
        not_held: what did not hold; empty for exit status 0.
    """

    hosts: int = 0
    engines_ready_s: float | None = None
    requests: int = 0
    errors: dict[str, int] = {}
    answers: dict[str, int] = {}
    split_expected: float | None = None
    split_measured: float | None = None
    split_mismatches: int = 0
    weight_change_ms: float | None = None
    verdict_before: str = ""
    outputs_to_detection: int | None = None
    detection_to_zero_ms: float | None = None
    rolled_back: bool = False
    rollback_reason: str = ""
    streams_broken: int = 0
    peak_rss_mib: float = 0.0
    trouble: str = ""
    not_held: list[str] = []

    def judge(self) -> None:
        """Fill `not_held`."""
        self.not_held = list(self._complaints())

    def _complaints(self) -> Iterator[str]:
        if self.trouble:
            yield self.trouble
        if self.hosts != 2:
            yield f"{self.hosts} of 2 hosts answered"
        if not self.requests or self.errors:
            yield f"requests: {self.requests}, failed: {sum(self.errors.values())}"
        if self.split_measured is None or self.split_measured != self.split_expected or self.split_mismatches:
            yield f"split {self.split_measured}, not {self.split_expected}; {self.split_mismatches} users misplaced"
        if self.weight_change_ms is None or self.weight_change_ms > WEIGHT_CHANGE_LIMIT_MS:
            yield f"weight change took {self.weight_change_ms} ms, limit {WEIGHT_CHANGE_LIMIT_MS:g}"
        if not self.rolled_back:
            yield "no automatic rollback"
        elif self.detection_to_zero_ms is None:
            yield f"rolled back, but not for what users were answered: {self.rollback_reason}"
        elif self.detection_to_zero_ms > DETECTION_LIMIT_MS:
            yield f"detection to zero took {self.detection_to_zero_ms} ms, limit {DETECTION_LIMIT_MS:g}"
        if self.streams_broken:
            yield f"{self.streams_broken} streams broken"
        if self.peak_rss_mib > MEMORY_LIMIT_MIB:
            yield f"peak memory {self.peak_rss_mib} MiB, limit {MEMORY_LIMIT_MIB:g}"

    def lines(self) -> list[str]:
        """For a person."""
        data = msgspec.to_builtins(self)
        width = max(map(len, data))
        rows = [f"{key:<{width}}  {_shown(value)}" for key, value in data.items() if key != "not_held"]
        verdict = "all of it held" if not self.not_held else "DID NOT HOLD: " + "; ".join(self.not_held)
        return [*rows, "", verdict]


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    return "-" if value is None else str(value)
