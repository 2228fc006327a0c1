"""How far a recording is, for the header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantdeck_core.fleet.cells import clock, count

if TYPE_CHECKING:
    from quantdeck_console.recording.player import Playing


def playing_text(playing: Playing) -> str:
    """``PLAYING x10``, ``PAUSED``, ``END``; what cannot be read is counted."""
    if playing.to is not None:
        word = f"WINDING to {clock(playing.to)}"
    elif playing.ended:
        word = "END of the recording"
    elif playing.paused:
        word = "PAUSED"
    else:
        word = "PLAYING" if playing.speed == 1 else f"PLAYING x{playing.speed:g}"
    return f"{word}  {count(playing.damaged)} damaged !" if playing.damaged else word
