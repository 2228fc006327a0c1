"""Work that goes on beside a screen, and ends with it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode


def begin(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], *, group: str = "default", exclusive: bool = False
) -> None:
    """Run it as a worker of a node.

    Textual is given what makes the coroutine: one that is made and cancelled before its first step was never awaited,
    and Python says so across the screen.

    Args:
        exclusive: what was begun before in this group ends.
    """
    node.run_worker(cast("Any", work), group=group, exclusive=exclusive)
