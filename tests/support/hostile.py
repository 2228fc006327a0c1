"""A fleet that sends escape codes, markup and more wherever the wire has room for text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import httpx
import msgspec

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.link.interface import Listener
from quantdeck_core.errors import ErrorInfo, RemoteError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent, OperationEvent, Snapshot
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm, HostStatus
from quantdeck_core.protocol.logs import LogLine
from quantdeck_core.protocol.operation import Operation
from support.fake_link import FakeLink
from support.filled import filled

T = TypeVar("T")

HOSTILE = (
    "a[/oops][b][link=http://evil]\x1b]52;c;ZXZpbA==\x07\x1b]0;evil\x1b\\\x1b[2J\x1b[8m\x1bPevil\x1b\\\x1bc\x9b31m\x9devil\x9c"
    "\x90evil\x9c\x85\x00\x08\x7f\r\n\t\u202eb\u2066c\u2028d\u200e{evil}\x0e%s"
)
"""CSI, OSC 52, titles, DCS, resets, C1, a bidi override, an isolate, line breaks, markup, another character set."""
HOST = f"host{HOSTILE}"
EXPERIMENT = f"exp{HOSTILE}"


class HostileLink(FakeLink):
    """Whatever is asked is answered, hostile and valid; every change is refused, with hostile words.

    Args:
        turn: as of `filled`: another one has other states, levels and kinds.
    """

    def __init__(self, turn: int) -> None:
        self.turn = turn
        experiments = tuple(
            msgspec.structs.replace(filled(ExperimentStatus, HOSTILE, turn + n), name=name)
            for n, name in enumerate((EXPERIMENT, f"second{HOSTILE}"))
        )
        status = msgspec.structs.replace(filled(HostStatus, HOSTILE, turn), name=HOST, experiments=experiments)
        super().__init__(status, role=HOSTILE)

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        [status] = self.statuses
        self.say(HOST, LinkChange(state="connected", role=HOSTILE, detail=HOSTILE))
        self.say(HOST, Snapshot(revision=1, status=status))
        await super().run(listener)

    def more(self) -> None:
        """What comes later: an alarm, an operation."""
        self.say(HOST, AlarmEvent(revision=2, alarm=filled(Alarm, HOSTILE, self.turn)))
        self.say(HOST, OperationEvent(revision=3, operation=filled(Operation, HOSTILE, self.turn)))

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        return await call(_HostileClient(host, self.turn))


class _HostileClient(DeckClient):
    def __init__(self, host: str, turn: int) -> None:
        super().__init__(host, httpx.AsyncBaseTransport())
        self._turn = turn

    async def _call(
        self, method: str, path: str, body: msgspec.Struct | None, kind: type[Any], deadline_s: float = 0.0
    ) -> Any:
        if method == "GET" or path == "/v1/engines/plan":
            return filled(kind, HOSTILE, self._turn)
        raise RemoteError(ErrorInfo(code=HOSTILE, title=HOSTILE, detail=HOSTILE, hint=HOSTILE), 409)

    async def lines(self, path: str, timeout: httpx.Timeout) -> AsyncIterator[bytes]:
        for turn in range(3):
            yield msgspec.json.encode(filled(LogLine, HOSTILE, turn))
