"""An answer that a coroutine gives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from quantdeck_gateway.answers import JSON
from quantdeck_gateway.client import ClientConnection

log = logging.getLogger("quantdeck.gateway")


class Later:
    """Answers the request at hand of a client with what a coroutine returns: a status and a body.

    The coroutine runs to its end also when the client has left: a change that was begun is not left half done.
    """

    _running: set[asyncio.Task[None]] = set()  # noqa: RUF012 - the loop itself keeps only weak references

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: ClientConnection,
        answer: Coroutine[None, None, tuple[int, bytes]],
        content_type: bytes = JSON,
    ) -> None:
        self._client, self._left, self._content_type = client, False, content_type
        client.begin(self)
        task = loop.create_task(self._run(answer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, answer: Coroutine[None, None, tuple[int, bytes]]) -> None:
        try:
            status, body = await answer
        except Exception:  # a defect of ours must not leave a client waiting for ever
            log.exception("no answer")
            self._client.abort()
            return
        if not self._left:
            self._client.answer(status, body, content_type=self._content_type)

    def client_left(self) -> None:
        """Nobody waits for the answer any more."""
        self._left = True

    def client_slow(self) -> None:
        """Of no matter: the answer is one small write."""

    def client_ready(self) -> None:
        """Of no matter: the answer is one small write."""

    def tick(self, client_slow: bool) -> None:
        """The coroutine has its own deadlines."""
