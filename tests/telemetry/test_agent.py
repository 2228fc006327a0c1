"""A real agent and a real engine: status, past, metrics page."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from quantdeck_console.profile_source import load_profile
from quantdeck_core.protocol.history import HistoryAnswer, SeriesList
from quantdeck_core.protocol.requests import Deploy
from support.agents import AgentProcess, agent, engine_when, short_folder, status_when


def viewer(one: AgentProcess) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(one.socket("viewer")))
    return httpx.AsyncClient(transport=transport, base_url="http://agent", trust_env=False)


def samples(text: str) -> dict[str, float]:
    return {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}


async def test_what_an_agent_measures_can_be_read_in_every_way(demo_models: Path) -> None:
    async with agent(demo_models, "--metrics-listen", "127.0.0.1:0") as one, viewer(one) as http:
        client = one.client()
        ask = Deploy(request_id="r1", by="test", profile=load_profile("demo-f16"), name="engine")
        await client.deploy(ask)
        await engine_when(client, "engine", "ready")
        status = await status_when(
            client, lambda s: s.engines[0].rss_bytes and s.engines[0].tokens_per_s is not None and s.sample.gpu_note
        )
        assert status.engines[0].running == 0
        assert status.sample.disk_total_bytes
        assert status.alarms == ()

        page = samples((await http.get("/metrics")).text)
        assert page["quantdeck_engine_ready"] == 1
        assert page["quantdeck_engine_generated_tokens_total"] >= 4
        assert page["quantdeck_engine_memory_resident_bytes"] > 1 << 20
        assert page["quantdeck_host_memory_total_bytes"] == status.sample.memory_total_bytes
        port = json.loads(one.ready_file.read_bytes())["metrics_port"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as tcp:
            answer = await tcp.get("/metrics")
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert samples(answer.text).keys() == page.keys()
            assert (await tcp.get("/v1/status")).status_code == 404

        listed = msgspec.json.decode((await http.get("/v1/history")).content, type=SeriesList)
        assert {"host/cpu_percent", "engine/engine/running", "engine/engine/rss_bytes"} <= set(listed.series)
        assert not [name for name in listed.series if name.startswith("gpu/")]
        found = await http.get("/v1/history?series=host/memory_used_bytes,engine/engine/running&since=-30&step=1")
        past = msgspec.json.decode(found.content, type=HistoryAnswer)
        assert past.step == 1
        assert [value for value in past.series["engine/engine/running"].last if value is not None]
        assert past.series["engine/engine/running"].last[0] is None  # 30 s ago there was no engine
        assert len(past.series["host/memory_used_bytes"].mean) in (31, 32)
        for query, code in (
            ("series=host/none", 404),
            ("series=host/load_1m&since=yesterday", 400),
            ("series=host/load_1m&since=-900000", 400),
            ("series=host/load_1m&step=0", 400),
            ("series=host/load_1m&step=nan", 400),
            ("series=host/load_1m&since=-7000&step=1", 400),
            ("series=host/load_1m&since=-500000&step=60", 400),
            ("series=" + ",".join(f"host/{n}" for n in range(33)), 400),
        ):
            answer = await http.get(f"/v1/history?{query}")
            assert answer.status_code == code, query
            assert {"code", "title", "detail", "hint"} <= answer.json().keys()
            assert answer.json()["detail"]
        await client.close()
        assert (one.folder / "state" / "history.db").exists()
        assert one.terminate() == 0


async def test_a_metrics_port_that_is_taken_leaves_nothing_running(demo_models: Path) -> None:
    with short_folder() as folder, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        one = AgentProcess(folder, demo_models, "--metrics-listen", address)
        await one.start(ready=False)
        assert one.process is not None
        assert one.process.wait(timeout=30) == 2
        assert f"Cannot serve metrics on {address}" in one.log()
        assert one.marked() == []
