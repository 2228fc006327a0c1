"""Signals by time, length of the prompt and segment, so that a person can see when it began and whom it hits."""

from __future__ import annotations

import msgspec

from quantdeck_core.drift.observation import Observation
from quantdeck_core.protocol.gateway import VariantName

BUCKET_S = 60.0
"""Seconds in one bucket."""
BUCKETS = 720
"""Kept: twelve hours."""
MAX_SEGMENTS = 16
"""Segments told apart; a client that makes up more of them counts under `OTHER`."""
OTHER = "other"


class TrendCell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of one arm in one bucket or group.

    Attributes:
        outputs: finished answers; `failures` come on top.
        words: of all of them together.
    """

    outputs: int = 0
    failures: int = 0
    repetitions: int = 0
    refusals: int = 0
    garbled: int = 0
    words: int = 0

    def __add__(self, other: TrendCell) -> TrendCell:
        return TrendCell(
            outputs=self.outputs + other.outputs,
            failures=self.failures + other.failures,
            repetitions=self.repetitions + other.repetitions,
            refusals=self.refusals + other.refusals,
            garbled=self.garbled + other.garbled,
            words=self.words + other.words,
        )

    def __sub__(self, other: TrendCell) -> TrendCell:
        return TrendCell(
            outputs=self.outputs - other.outputs,
            failures=self.failures - other.failures,
            repetitions=self.repetitions - other.repetitions,
            refusals=self.refusals - other.refusals,
            garbled=self.garbled - other.garbled,
            words=self.words - other.words,
        )

    def share(self, signal: str) -> float | None:
        """Share of answers with a signal: `repetition`, `refusal`, `garbled` or `failures`; None without answers."""
        if signal == "failures":
            total = self.outputs + self.failures
            return self.failures / total if total else None
        counts = {"repetition": self.repetitions, "refusal": self.refusals, "garbled": self.garbled}
        return counts[signal] / self.outputs if self.outputs else None

    @property
    def mean_words(self) -> float | None:
        """None without outputs."""
        return self.words / self.outputs if self.outputs else None


class TrendRow(msgspec.Struct, frozen=True, kw_only=True):
    """Both arms side by side.

    Attributes:
        label: of a group, e.g. `short prompts`; empty for a bucket.
        t: UNIX time at which a bucket begins, seconds; 0 for a group.
    """

    label: str = ""
    t: float = 0.0
    control: TrendCell = TrendCell()
    treatment: TrendCell = TrendCell()


_Key = tuple[VariantName, bool, str]
"""Arm, whether the prompt was long, segment."""


class Trend:
    """The last twelve hours of one experiment, in memory."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[_Key, TrendCell]] = {}
        self._segments: set[str] = set()

    def add(self, seen: Observation) -> None:
        """Count an answer in the minute in which it ended; what is older than everything kept is left out."""
        number = int(seen.t // BUCKET_S)
        bucket = self._buckets.get(number)
        if bucket is None:
            if len(self._buckets) >= BUCKETS and number < min(self._buckets):
                return
            bucket = self._buckets[number] = {}
            while len(self._buckets) > BUCKETS:
                del self._buckets[min(self._buckets)]
        key = (seen.variant, seen.long, self._segment(seen.segment))
        bucket[key] = bucket.get(key, _NOTHING) + _cell_of(seen)

    def _segment(self, name: str) -> str:
        if not name or name in self._segments:
            return name
        if len(self._segments) >= MAX_SEGMENTS:
            return OTHER
        self._segments.add(name)
        return name

    def by_time(self) -> tuple[TrendRow, ...]:
        """A row a minute, oldest first; minutes without answers are left out."""
        return tuple(_row(bucket, t=number * BUCKET_S) for number, bucket in sorted(self._buckets.items()))

    def by_length(self, since: float = 0.0) -> tuple[TrendRow, ...]:
        """Prompts up to 2,000 tokens and longer ones since a UNIX time; groups without answers are left out."""
        cells = self._since(since)
        rows = (
            _row({key: cell for key, cell in cells.items() if key[1] is long}, label=label)
            for long, label in ((False, "shorter prompts"), (True, "longer prompts"))
        )
        return tuple(row for row in rows if row.control != _NOTHING or row.treatment != _NOTHING)

    def by_segment(self, since: float = 0.0) -> tuple[TrendRow, ...]:
        """Each segment since a UNIX time; nothing where clients name none."""
        cells = self._since(since)
        names = sorted({key[2] for key in cells if key[2]})
        return tuple(
            _row({key: cell for key, cell in cells.items() if key[2] == name}, label=f"segment {name}")
            for name in names
        )

    def _since(self, since: float) -> dict[_Key, TrendCell]:
        total: dict[_Key, TrendCell] = {}
        for number, bucket in self._buckets.items():
            if (number + 1) * BUCKET_S > since:
                for key, cell in bucket.items():
                    total[key] = total.get(key, _NOTHING) + cell
        return total


_NOTHING = TrendCell()


def _cell_of(seen: Observation) -> TrendCell:
    if not seen.complete:
        return TrendCell(failures=1)
    return TrendCell(
        outputs=1,
        repetitions=int(seen.repetition),
        refusals=int(seen.refusal),
        garbled=int(seen.garbled),
        words=seen.words,
    )


def _row(cells: dict[_Key, TrendCell], *, label: str = "", t: float = 0.0) -> TrendRow:
    arms: dict[VariantName, TrendCell] = {"control": _NOTHING, "treatment": _NOTHING}
    for (variant, _, _), cell in cells.items():
        arms[variant] += cell
    return TrendRow(label=label, t=t, control=arms["control"], treatment=arms["treatment"])
