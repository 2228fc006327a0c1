"""The verdict of `make bench-gateway`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gateway_ratios import main, targets

GOOD: dict[str, Any] = {
    "summary": {
        "nginx": {"ns_req_core": 60_000, "paced512_core": 58_000, "paced512_main": 58_000, "add_p50": 0.25},
        "floor": {"ns_req_core": 90_000},
        "quantdeck": {
            "ns_req_core": 45_000, "paced512_core": 50_000, "paced512_main": 56_000, "add_p50": 0.35, "idle_pss": 60,
            "errors": 0,
        },
        "quantdeck2": {"ns_req_core": 44_000},
    },
    "raw": {"quantdeck": {"idle": [{"status": {"200": 2000}, "ttft_ms": {"p99": 120.0}}]}},
}  # fmt: skip


def changed(gateway: str, name: str, value: float | None) -> dict[str, Any]:
    result = json.loads(json.dumps(GOOD))
    result["summary"][gateway][name] = value
    return dict(result)


def missed(result: dict[str, Any]) -> list[str]:
    return [target.name for target in targets(result) if not target.met]


def test_all_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(GOOD))
    assert main([str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0] == "ok   requests per CPU-second, x nginx: 0.75 (>= 0.6, goal 0.75)"


@pytest.mark.parametrize(
    ("gateway", "name", "value", "count"),
    [
        ("quantdeck", "ns_req_core", 30_000, 2),
        ("quantdeck", "paced512_main", 48_000, 1),
        ("quantdeck", "add_p50", 0.41, 1),
        ("quantdeck", "idle_pss", 65, 1),
        ("quantdeck", "errors", 1, 1),
        ("quantdeck2", "ns_req_core", None, 1),
        ("nginx", "ns_req_core", None, 1),
    ],
)
def test_one_missed(gateway: str, name: str, value: float | None, count: int) -> None:
    assert len(missed(changed(gateway, name, value))) == count


def test_idle_streams_that_were_not_answered() -> None:
    result = json.loads(json.dumps(GOOD))
    result["raw"]["quantdeck"]["idle"][0] = {"status": {"200": 1999}, "ttft_ms": {"p99": 301.0}}
    assert len(missed(result)) == 2
    del result["raw"]["quantdeck"]["idle"]
    assert len(missed(result)) == 2
