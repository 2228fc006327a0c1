"""Rendered commands against real llama.cpp servers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engines.help.running import Running, free_port
from quantdeck_core.engines.argv import engine_command
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.profile.schema import Profile
from support.engine_options import help_of, options_in
from support.profiles import BUILT_IN, FLAGS, command, flags, parsed

SAMPLES = {"none": (), "integer": ("1",), "number": ("1.5",), "word": ("1",)}
SPECIAL = {
    "--device": ("none",),
    "--reasoning-format": ("none",),
    "--tensor-split": ("3,1",),
    "--ctx-checkpoints": ("4",),
}


def on(program: Path, profile: Profile, model: Path, port: int) -> Command:
    rendered = engine_command(FLAGS, profile, Launch(model_path=str(model), port=port, python=str(program)))
    argv = rendered.argv if rendered.argv[0] == str(program) else (str(program), *rendered.argv[1:])
    return msgspec.structs.replace(rendered, argv=argv)


def test_the_help_of_llama_server_names_every_flag(llama_server: Path) -> None:
    known = options_in(help_of([str(llama_server), "--help"]))
    for profile in BUILT_IN.values():
        if profile.engine == "llama-server":
            given = set(flags(command(profile).argv))
            assert given <= known, given - known
    version = FLAGS.version("llama-server", None)
    allowed = {one.flag for one in FLAGS.allow if one.holds("llama-server", version)}
    assert allowed <= known, allowed - known


@pytest.mark.timeout(300)
def test_llama_server_takes_every_profile_and_every_allowed_flag(llama_server: Path, tmp_path: Path) -> None:
    """It ends over the model that is not there, not over a flag."""
    profiles = [profile for profile in BUILT_IN.values() if profile.engine == "llama-server"]
    base = parsed("llama-server")
    version = FLAGS.version("llama-server", None)
    rows = [one for one in FLAGS.allow if one.holds("llama-server", version)]
    extras = [(row.flag, *(row.choices[:1] or SPECIAL.get(row.flag, SAMPLES[row.value]))) for row in rows]
    profiles += [
        msgspec.structs.replace(base, serve=msgspec.structs.replace(base.serve, extra_args=extra)) for extra in extras
    ]
    for profile in profiles:
        rendered = on(llama_server, profile, tmp_path / "none.gguf", 1)
        done = subprocess.run(rendered.argv, capture_output=True, text=True, timeout=60, env=rendered.environment({}))
        said = done.stdout + done.stderr
        assert done.returncode == 1, (profile.serve.extra_args, said[-500:])
        assert "none.gguf" in said, (profile.serve.extra_args, said[-500:])
        assert "invalid argument" not in said, said[-500:]


async def test_llama_server_serves_as_rendered(
    llama_server: Path, start: Callable[..., Running], demo_models: Path
) -> None:
    port = free_port()
    profile = parsed("llama-server", "max_model_len = 512", "max_num_seqs = 3", "max_tokens = 5", "threads = 1",
        'api_key_env = "QD_KEY"', 'kv_cache_dtype = "q8_0"')  # fmt: skip
    rendered = on(llama_server, profile, demo_models / "demo-f16.gguf", port)
    running = start(
        rendered, port, QD_KEY="k", LLAMA_ARG_HOST="0.0.0.0", LLAMA_ARG_N_PARALLEL="9", AIP_MODE="PREDICTION"
    )
    await running.until("/health")
    key = {"Authorization": "Bearer k"}
    assert running.http.get("/props").status_code == 401
    props = running.http.get("/props", headers=key).json()
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (3, 512)
    assert running.http.get("/v1/models", headers=key).json()["data"][0]["id"] == "assistant"
    assert running.http.get("/metrics", headers=key).status_code == 200
    assert running.http.get("/", headers=key).status_code == 404, "no web page"
    body = {"model": "assistant", "prompt": "what", "ignore_eos": True}
    answered = [
        running.http.post("/v1/completions", json={**body, **more}, headers=key) for more in ({}, {"max_tokens": 9})
    ]
    # A request may ask for more than max_tokens: the bound is for those that name no number.
    assert [answer.json()["usage"]["completion_tokens"] for answer in answered] == [5, 9]


def test_the_help_of_llama_cpp_python_names_every_flag(llama_cpp_python: Path) -> None:
    known = options_in(help_of([str(llama_cpp_python), "-m", "llama_cpp.server", "--help"]))
    for profile in BUILT_IN.values():
        if profile.engine == "llama-cpp-python":
            given = set(flags(command(profile).argv))
            assert given <= known, given - known
    allowed = {one.flag for one in FLAGS.allow if "llama-cpp-python" in one.engines}
    assert allowed <= known, allowed - known


async def test_llama_cpp_python_serves_as_rendered(
    llama_cpp_python: Path, start: Callable[..., Running], demo_models: Path
) -> None:
    port = free_port()
    profile = parsed("llama-cpp-python", "max_model_len = 512", "threads = 1", 'kv_cache_dtype = "q8_0"',
        'api_key_env = "QD_KEY"')  # fmt: skip
    rendered = on(llama_cpp_python, profile, demo_models / "demo-f16.gguf", port)
    running = start(
        rendered, port, QD_KEY="k", HOST="0.0.0.0", PORT="1", CONFIG_FILE="/none", N_CTX="9", VERBOSE="false"
    )
    await running.until("/v1/models")
    assert running.http.get("/v1/models").status_code == 401
    key = {"Authorization": "Bearer k"}
    assert running.http.get("/v1/models", headers=key).json()["data"][0]["id"] == "assistant"
    body = {"model": "assistant", "prompt": "what", "max_tokens": 4}
    assert running.http.post("/v1/completions", json=body, headers=key).status_code == 200
