"""What an agent answers that has no words of its own."""

from __future__ import annotations

import httpx
import pytest

from quantdeck_console.link.incident_client import IncidentClient
from quantdeck_core.errors import RemoteError


@pytest.mark.parametrize(("status", "hint"), [(404, "older than this console"), (405, "update it"), (500, "")])
async def test_a_path_that_an_agent_does_not_know_is_said_to_be_newer(status: int, hint: str) -> None:
    client = IncidentClient("rack-1", httpx.MockTransport(lambda _: httpx.Response(status, text="Not Found")))
    with pytest.raises(RemoteError, match=f"HTTP {status}") as caught:
        await client.incident("int4_v1")
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)
    await client.close()
