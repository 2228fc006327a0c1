"""How long users of both arms wait, as plain text: all three latencies one below the other."""

from __future__ import annotations

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.bench_view import Wish, bench_lines
from quantdeck_console.model.glyphs import ASCII
from quantdeck_console.model.latency_plot import SIGNALS
from quantdeck_console.model.text import plain
from quantdeck_core.protocol.distributions import Distributions

_ALL = 1000
"""More rows than there are: plain text scrolls by itself."""


def live_lines(told: Distributions, *, whole: bool, width: int = 80) -> list[str]:
    """As the bench pane shows it, as just told.

    Args:
        whole: since the gateway counts, not only lately.
    """
    wish = Wish(tuple(SIGNALS), whole=whole, stacked=True)
    lines = bench_lines(Asked(value=told, at=0.0), Asked(), wish, (), 0.0, width, _ALL, ASCII)
    return [plain(one).removeprefix(" ") for one in lines]
