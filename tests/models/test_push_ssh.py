"""A push through SSH, and through a link that breaks."""

from __future__ import annotations

from pathlib import Path

from quantdeck_core.protocol.models import Job
from support.agents import agent
from support.pushes import CHUNK, folder, gguf, left_in_staging, sending
from support.ssh import Keys, way_to, with_own_ssh


async def test_a_link_that_is_cut_twice_costs_only_what_was_on_it(tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 6 * CHUNK)
    cuts = [2 * CHUNK, 4 * CHUNK]
    heard: list[int] = []
    async with agent(tmp_path / "models") as one:
        keys = Keys(tmp_path)
        async with way_to(await with_own_ssh(one, keys)) as way:
            keys.know(way.port)

            def told(job: Job) -> None:
                if job.state == "moving":
                    heard.append(job.bytes_done)
                if cuts and job.bytes_done >= cuts[0]:
                    cuts.pop(0)
                    way.cut()

            job = await sending(keys.host(way.port, one.socket()), source, told=told).run()
        assert (job.state, cuts) == ("done", [])
        assert heard == sorted(heard), "nothing that had arrived was lost"
        assert (one.models / "a.gguf").read_bytes() == source.read_bytes()
        assert left_in_staging(one) == []


async def test_a_folder_through_ssh(tmp_path: Path) -> None:
    source = folder(tmp_path / "hf", {"config.json": 40, "x.safetensors": CHUNK + 3, "sub/y.json": 0})
    async with agent(tmp_path / "models") as one:
        keys = Keys(tmp_path)
        port = await with_own_ssh(one, keys)
        assert (await sending(keys.host(port, one.socket()), source).run()).state == "done"
        assert (one.models / "hf/x.safetensors").read_bytes() == (source / "x.safetensors").read_bytes()
