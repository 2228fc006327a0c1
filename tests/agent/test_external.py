"""Engines that somebody else runs: probed and routed to, under the name by which they know the model."""

from __future__ import annotations

from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from quantdeck_core.errors import QuantdeckError
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.gateway import GatewayConfig
from support.deck import changed, deck
from support.played_engine import PlayedEngine


async def test_an_external_engine_with_another_name_for_the_model(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with deck(demo_models) as host:
        elsewhere = await host.deploy(played.profile(served_name="vendor/model-v2"), "elsewhere")
        await host.deploy(played.profile(served_name="assistant"), "control")
        argv = psutil.Process(elsewhere.pid).cmdline()
        url = f"http://127.0.0.1:{argv[argv.index('--port') + 1]}"
        external = Profile(name="ext", model="m", served_name="assistant", engine="external", url=url)
        with pytest.raises(QuantdeckError, match="It serves vendor/model-v2, not 'assistant'"):
            await host.deploy(external, "treatment")
        named = msgspec.structs.replace(external, upstream_model="vendor/model-v2")
        await host.deploy(named, "treatment")
        await host.experiment("control", "treatment", 10_000)
        config = msgspec.json.decode((host.agent.folder / "state" / "gateway.json").read_bytes(), type=GatewayConfig)
        (replica,) = config.experiments[0].treatment.replicas
        assert (replica.url, replica.model) == (url, "vendor/model-v2")
        assert config.experiments[0].control.replicas[0].model is None
        ask = {"model": "assistant", "prompt": "hello"}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{host.gateway}/v1/completions", json=ask, headers={"x-user-id": "u"})
        assert (answer.status_code, answer.headers["x-quantdeck-variant"]) == (200, "treatment")
        assert answer.headers["x-quantdeck-rewritten"] == "model"


async def test_only_external_engines_have_another_name(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        with pytest.raises(QuantdeckError, match="upstream_model is for external engines"):
            await host.deploy(changed(upstream_model="other"))
