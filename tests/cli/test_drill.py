"""`quantdeck drill`: the path that it asks, and what it says."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from quantdeck_agent.api.drill import DrillApi
from quantdeck_agent.api.messages import error_answer
from quantdeck_agent.api.once import Once
from quantdeck_agent.store import Store
from quantdeck_console.commands.drill import DrillOutcome, drill_exit_code, drill_lines
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.errors import ExitCode, QuantdeckError, RemoteError, UnreachableError
from quantdeck_core.protocol.drill import Drill, DrillProbe, DrillRecord

PASSED = DrillRecord(
    t=1.0, by="ada", live=True, passed=True, probes=(DrillProbe(replica="bf16.1", ms=31.0),), push_ms=2.5,
    weight_bp=5000, zero_ms=3.0, back_ms=2.0,
)  # fmt: skip
FAILED = DrillRecord(
    t=1.0, by="ada", live=True, failed=("bf16.1 gave no token: it hangs",), probes=(DrillProbe(replica="bf16.1"),)
)


async def test_the_path_rehearses_once_a_request(tmp_path: Path) -> None:
    asked = []

    async def drill(name: str, ask: Drill) -> DrillRecord:
        asked.append((name, ask.live))
        return PASSED

    store = Store(tmp_path / "agent.db")
    app = Starlette(routes=DrillApi(drill, Once(store)).routes(), exception_handlers={QuantdeckError: error_answer})
    operator = AgentClient("test", _as("operator", app))
    viewer = AgentClient("test", _as("viewer", app))
    try:
        ask = Drill(request_id="r", by="ada", live=True)
        assert [await operator.drill("e", ask) for _ in ("sent", "sent again")] == [PASSED, PASSED]
        assert asked == [("e", True)]
        with pytest.raises(RemoteError, match="role operator"):
            await viewer.drill("e", Drill(request_id="v"))
    finally:
        await operator.close()
        await viewer.close()
        store.close()


def _as(role: str, app: Starlette) -> httpx.AsyncBaseTransport:
    class Socket(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(host=f"{role}.sock")
            return await super().handle_async_request(request)

    return Socket(app)


def test_what_people_read() -> None:
    assert list(drill_lines("gpu-1", DrillOutcome(drill=PASSED))) == [
        "gpu-1: OK  a rollback would work",
        "  control bf16.1: a token in 31 ms",
        "  gateway: a config acknowledged in 2.5 ms",
        "  everyone on the control in 3.0 ms, back at 50 % in 2.0 ms",
    ]
    assert list(drill_lines("gpu-1", DrillOutcome(drill=FAILED))) == [
        "gpu-1: FAIL x  a rollback would not work",
        "  bf16.1 gave no token: it hangs",
        "  nobody was moved: what went before had failed",
    ]


def test_exit_codes() -> None:
    silent = UnreachableError("gone")
    assert drill_exit_code({"a": PASSED, "b": PASSED}) == ExitCode.DONE
    assert drill_exit_code({"a": PASSED, "b": FAILED}) == ExitCode.NO
    assert drill_exit_code({"a": PASSED, "b": silent}) == ExitCode.PARTLY
    assert drill_exit_code({"b": silent}) == ExitCode.UNREACHABLE
