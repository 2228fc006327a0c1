"""One attempt to hand one message to one receiver: bounded in time, and no secret in what it says of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import Any, Protocol

import httpx
import msgspec

from quantdeck_agent.alerts.receivers import Target
from quantdeck_core.alerts.board import Notice
from quantdeck_core.alerts.retry import Attempt, judge_status
from quantdeck_core.alerts.settings import Command, Webhook
from quantdeck_core.alerts.shapes import environment, pagerduty, plain, slack

DEADLINE_S = 10.0
"""For a whole attempt: a receiver that hangs is tried again like one that refuses."""
_USUAL = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ")
"""Of the agent's own environment; the rest may hold API keys of engines."""


class Sender(Protocol):
    """Who can hand over messages."""

    async def send(self, host: str, notice: Notice) -> Attempt:
        """Try once."""

    async def close(self) -> None:
        """Let go of it."""


def sender_for(target: Target, deadline_s: float = DEADLINE_S) -> Sender:
    """The one for a receiver's kind."""
    if isinstance(target.receiver, Command):
        return CommandSender(target.receiver, deadline_s)
    return WebhookSender(target, target.receiver, deadline_s)


class WebhookSender:
    """POSTs JSON."""

    def __init__(self, target: Target, hook: Webhook, deadline_s: float) -> None:
        self._target, self._hook, self._deadline_s = target, hook, deadline_s
        outside = target.url.reveal().startswith("https:")
        self._client = httpx.AsyncClient(
            timeout=deadline_s,
            trust_env=outside,  # a proxy to the world is none to this machine
            verify=outside,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def send(self, host: str, notice: Notice) -> Attempt:
        """Try once; a receiver's words are not read, only its status."""
        body = self._body(host, notice)
        if body is None:
            return Attempt(outcome="taken")
        content, headers = msgspec.json.encode(body), {"content-type": "application/json"}
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._client.stream("POST", self._target.url.reveal(), content=content, headers=headers) as response,
            ):
                return judge_status(response.status_code, response.headers.get("retry-after"), time.time())
        except TimeoutError:
            return Attempt(outcome="again", problem=f"no answer within {self._deadline_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # Its name only: its text may hold the address.
            return Attempt(outcome="again", problem=f"it cannot be reached ({type(error).__name__})")

    def _body(self, host: str, notice: Notice) -> dict[str, Any] | None:
        now, runbook = time.time(), self._hook.runbook
        if self._hook.kind == "slack":
            return slack(host, notice, now, runbook)
        if self._hook.kind == "pagerduty":
            return pagerduty(host, notice, now, runbook, self._target.key.reveal())
        return plain(host, notice, now, runbook)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


class CommandSender:
    """Starts a program, without a shell, in a session of its own that is ended at the deadline."""

    def __init__(self, command: Command, deadline_s: float) -> None:
        self._command, self._deadline_s = command, deadline_s

    async def send(self, host: str, notice: Notice) -> Attempt:
        """Try once: exit status 0 means that it was taken."""
        now, runbook = time.time(), self._command.runbook
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=_usual() | environment(host, notice, now, runbook),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            return Attempt(outcome="again", problem=f"it cannot be started: {why}")
        try:
            async with asyncio.timeout(self._deadline_s):
                await process.communicate(msgspec.json.encode(plain(host, notice, now, runbook)))
        except TimeoutError:
            return Attempt(outcome="again", problem=f"it did not end within {self._deadline_s:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode:
            return Attempt(outcome="again", problem=f"it ended with exit status {process.returncode}")
        return Attempt(outcome="taken")

    async def close(self) -> None:
        """Nothing is kept."""


def _usual() -> dict[str, str]:
    return {name: os.environ[name] for name in _USUAL if name in os.environ}
