"""Rendered commands against a real vLLM: its help, its parser, and a start on CPUs."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engines.help.running import Running, free_port
from quantdeck_core.engines.argv import engine_command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.profile.names import VLLM
from support.engine_options import help_of, options_in
from support.profiles import BUILT_IN, FLAGS, command, flags, parsed

HERE = Path(__file__).parent
SAMPLES = {"none": None, "integer": "1", "number": "1.5", "word": "auto"}


def version_of(vllm: Path) -> str:
    found = re.findall(r"^\d+\.\d+\.\d+\S*$", help_of([str(vllm), "--version"]), re.MULTILINE)
    assert found
    return str(found[-1])


def its_parser(vllm: Path, *argvs: tuple[str, ...]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [str(vllm.with_name("python")), str(HERE / "parse_with_vllm.py")],
        input=json.dumps(argvs),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.timeout(300)
def test_the_help_names_every_flag(vllm: Path) -> None:
    known = options_in(help_of([str(vllm), "serve", "--help=all"]))
    version = version_of(vllm)
    for profile in BUILT_IN.values():
        if profile.engine in VLLM:
            given = set(flags(command(profile, version).argv))
            assert given <= known, given - known
    allowed = {one.flag for one in FLAGS.allow if one.holds("vllm", version)}
    assert allowed <= known, allowed - known


@pytest.mark.timeout(300)
def test_the_parser_takes_every_built_in_profile_as_it_was_meant(vllm: Path) -> None:
    version = version_of(vllm)
    profiles = [profile for profile in BUILT_IN.values() if profile.engine in VLLM]
    profiles.append(parsed("vllm", "enable_prefix_caching = false", 'quantization = "gptq"', 'kv_cache_dtype = "fp8"'))
    answers = its_parser(vllm, *(command(profile, version).argv[2:] for profile in profiles))
    for profile, answer in zip(profiles, answers, strict=True):
        assert "error" not in answer, (profile.name, answer["error"])
        assert answer["model_tag"] == "/models/m"
        assert answer["override_generation_config"] == {"max_new_tokens": profile.serve.max_tokens or 2048}
        written = msgspec.to_builtins(profile.serve)
        for field in written.keys() & answer.keys() - {"host", "port"}:
            assert answer[field] == written[field], (profile.name, field)
        assert (answer["trust_remote_code"], answer["enforce_eager"]) == (False, False)


@pytest.mark.timeout(300)
def test_the_parser_takes_what_is_allowed_and_not_what_is_gone(vllm: Path) -> None:
    version = version_of(vllm)
    base = command(parsed("vllm"), version).argv[2:]
    rows = [one for one in FLAGS.allow if one.holds("vllm", version)]
    extras = [(row.flag, *(() if (sample := _sample(row)) is None else (sample,))) for row in rows]
    gone = [("--swap-space", "4"), *([("--disable-log-requests",)] if version < "0.33" else [])]
    answers = its_parser(vllm, *((*base, *extra) for extra in (*extras, *gone)))
    for extra, answer in zip(extras, answers, strict=False):
        assert "error" not in answer, (extra, answer["error"])
    for extra, answer in zip(gone, answers[len(extras) :], strict=True):
        assert "unrecognized arguments" in answer["error"], extra


def _sample(row: Any) -> str | None:
    special = {"--attention-backend": "FLASH_ATTN"}
    return special.get(row.flag) or (row.choices[0] if row.choices else SAMPLES[row.value])


def tiny_llama(vllm: Path, folder: Path) -> Path:
    maker = [vllm.with_name("python"), HERE / "tiny_llama.py", folder]
    made = subprocess.run(maker, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr[-2000:]
    return folder


@pytest.mark.timeout(300)
async def test_it_serves_as_rendered(vllm: Path, start: Callable[..., Running], tmp_path: Path) -> None:
    model, port = tiny_llama(vllm, tmp_path / "tiny"), free_port()
    profile = parsed(
        "vllm-cpu", "max_model_len = 512", "max_num_seqs = 4", "max_tokens = 5", "threads = 1", "kv_cache_gib = 1",
        "enforce_eager = true", 'api_key_env = "QD_KEY"',
    )  # fmt: skip
    launch = Launch(model_path=str(model), port=port, version=version_of(vllm))
    rendered = engine_command(FLAGS, profile, launch)
    whole = msgspec.structs.replace(rendered, argv=(str(vllm), *rendered.argv[1:]))
    # What was in the agent's environment does not count.
    running = start(whole, port, QD_KEY="k", VLLM_API_KEY="other", VLLM_CPU_KVCACHE_SPACE="999")
    await running.until("/health", 200)
    key = {"Authorization": "Bearer k"}
    assert running.http.get("/v1/models").status_code == 401
    assert running.http.get("/v1/models", headers=key).json()["data"][0]["id"] == "assistant"
    body = {"model": "assistant", "prompt": "w1 w2", "max_tokens": 100, "ignore_eos": True}
    answer = running.http.post("/v1/completions", json=body, headers=key).json()
    assert answer["usage"]["completion_tokens"] == 5, "max_tokens holds every request"
    assert "KV cache size" in running.said()
    assert "1.0 GiB" in running.said() or "1.0/" in running.said(), "the KV cache is kv_cache_gib"
