"""vLLM's own load generator against the gateway."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from clients.engines import MODEL, Served, program
from gateway.lab.process import Gateway

REQUESTS = 40
ENDPOINTS = {"openai-chat": "/v1/chat/completions", "openai": "/v1/completions"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("backend", ENDPOINTS)
async def test_no_request_fails(engine: Served, before: Gateway, tmp_path: Path, backend: str) -> None:
    if engine.name != "vllm":
        pytest.skip("it needs the tokenizer of a model of vLLM's")
    result = tmp_path / "result.json"
    done = await asyncio.to_thread(
        subprocess.run,
        [program("QUANTDECK_VLLM"), "bench", "serve", "--backend", backend, "--base-url",
         f"http://127.0.0.1:{before.port}", "--endpoint", ENDPOINTS[backend], "--model", MODEL, "--tokenizer",
         str(engine.folder / "speller"), "--dataset-name", "random", "--random-input-len", "32", "--random-output-len",
         "16", "--num-prompts", str(REQUESTS), "--max-concurrency", "8", "--header", "x-user-id=bench", "--ignore-eos",
         "--disable-tqdm", "--save-result", "--save-detailed", "--result-filename", str(result)],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    figures = json.loads(result.read_text())
    assert (figures["completed"], figures.get("failed", 0)) == (REQUESTS, 0)
    assert figures["output_lens"] == [16] * REQUESTS
    counters = (await before.arms("real"))[0]
    assert counters.errors == counters.in_flight == 0
