"""What a start needs beside what is free: a bar of letters, which needs no colour to be read."""

from __future__ import annotations

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import Line, Span, Tone, line, span, wrapped
from quantdeck_core.fleet.operation_text import room_free, room_needed
from quantdeck_core.protocol.operation import Room

END = "|"


def room_lines(room: Room, width: int, glyphs: Glyphs, *, after: bool = False) -> list[Line]:
    """The bar, and the numbers below it.

    Args:
        after: the old engine has ended by then: what it gives back is free.
    """
    legend = f"  W weights K KV cache o overhead{' b booked besides' if _booked(room) else ''}  {room.where}"
    bar = room_bar(room, max(20, width - len(legend) - 2), glyphs, after=after)
    return [
        (Span(" "), *bar, span(legend, "dim")),
        *wrapped(f"needs {room_needed(room)}", width, "strong", most=2),
        *wrapped(f"{room_free(room)}", width, "" if _fits(room, after=after) else "warn", most=1),
    ]


def room_bar(room: Room, width: int, glyphs: Glyphs, *, after: bool = False) -> Line:
    """Used, then what is needed by its parts, then what stays free; `END` is the device's end where it is passed."""
    used = room.total - room.free - (room.freed if after else 0)
    parts: list[tuple[str, Tone, int]] = [
        (glyphs.full, "dim", used),
        ("W", "ok", room.weights * room.instances),
        ("K", "strong", room.kv * room.instances),
        ("o", "warn", room.overhead * room.instances),
        ("b", "dim", _booked(room)),
    ]
    wanted = sum(amount for _, _, amount in parts)
    whole, past = max(wanted, room.total, 1), wanted > room.total
    cells = width - past
    drawn = "".join(char * amount for (char, _, _), amount in zip(parts, _cells(parts, whole, cells), strict=True))
    drawn = drawn.ljust(cells, glyphs.empty)
    if past:
        end = round(room.total / whole * cells)
        drawn = drawn[:end] + END + drawn[end:]
    tones = {char: tone for char, tone, _ in parts} | {END: "fail", glyphs.empty: "dim"}
    return _runs(drawn, tones)


def _booked(room: Room) -> int:
    return max(0, room.needed - (room.weights + room.kv + room.overhead) * room.instances)


def _fits(room: Room, *, after: bool) -> bool:
    return room.needed <= room.free + (room.freed if after else 0)


def _cells(parts: list[tuple[str, Tone, int]], whole: int, width: int) -> list[int]:
    """Cells of each part; the ends are rounded, not the parts, so that they add up. What is there has one at least."""
    cells, start, sum_ = [], 0, 0
    after = sum(amount > 0 for _, _, amount in parts)
    for _, _, amount in parts:
        sum_ += amount
        after -= amount > 0
        end = min(width - after, max(round(sum_ / whole * width), start + (amount > 0)))
        cells.append(end - start)
        start = end
    return cells


def _runs(text: str, tones: dict[str, Tone]) -> Line:
    spans: list[Span] = []
    for char in text:
        if spans and spans[-1].text[0] == char:
            spans[-1] = Span(spans[-1].text + char, spans[-1].tone)
        else:
            spans.append(Span(char, tones.get(char, "")))
    return line(*spans)
