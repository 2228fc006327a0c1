"""The allow-list of `extra_args`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.engines.extra_args import env_refused, extra_args_refused
from quantdeck_core.profile.names import STARTED, EngineKind
from support.profiles import FLAGS, command, flags, parsed


def refusals(engine: EngineKind, *args: str, version: str | None = None) -> str:
    return " ".join(
        f"{what} {hint}" for what, hint in extra_args_refused(FLAGS, engine, FLAGS.version(engine, version), args)
    )


@pytest.mark.parametrize(
    ("engine", "args"),
    [
        ("vllm", ["--seed", "7", "--disable-custom-all-reduce"]),
        ("vllm", ["--seed=7", "--tool-call-parser=llama3_json", "--enable-auto-tool-choice"]),
        ("llama-server", ["--tensor-split", "3,1", "--swa-full"]),
        ("llama-server", ["--reasoning-budget", "-1"]),
        ("llama-cpp-python", ["--chat_format", "llama-3"]),
    ],
)
def test_allowed(engine: EngineKind, args: list[str]) -> None:
    assert not refusals(engine, *args)
    profile = parsed(engine, f"extra_args = {args}".replace("'", '"'))
    assert command(profile).argv[-len(args) :] == tuple(args)


@pytest.mark.parametrize(
    ("engine", "args", "words"),
    [
        ("vllm", ["--max-model-len", "9"], "set from serve.max_model_len"),
        ("vllm", ["-tp", "2"], "set from serve.tensor_parallel_size"),
        ("vllm", ["--port=1"], "set from serve.port"),
        ("vllm", ["--served-model-name", "x"], "set from served_name"),
        ("vllm", ["--override-generation-config", "{}"], "set from serve.max_tokens"),
        ("vllm", ["--trust-remote-code"], "set from serve.trust_remote_code"),
        ("vllm", ["--no-enable-prefix-caching"], "set from serve.enable_prefix_caching"),
        ("vllm", ["--model", "x"], "The model is `model`"),
        ("vllm", ["--api-key", "x"], "serve.api_key_env"),
        ("vllm", ["--swap-space", "4"], "does not have it any more"),
        ("vllm", ["--enable-log-requests"], "belongs in no log"),
        ("vllm", ["--max-model", "9"], "Allowed are:"),
        ("vllm", ["--middleware", "a.b"], "code of somebody else's choosing"),
        ("vllm", ["--load-format", "pt"], "takes auto, safetensors"),
        ("vllm", ["--seed", "$(id)"], "takes a whole number"),
        ("vllm", ["--seed"], "takes a whole number"),
        ("vllm", ["--seed", "--seed"], "takes a whole number"),
        ("vllm", ["--seed=1", "--seed=2"], "twice"),
        ("vllm", ["--attention-backend", "../x"], "without slash"),
        ("vllm", ["--disable-custom-all-reduce=1"], "takes no value"),
        ("vllm", ["; rm -rf /"], "refused"),
        ("vllm", ["extra"], "An argument is --flag"),
        ("llama-server", ["-c", "9"], "set from serve.max_model_len x serve.max_num_seqs"),
        ("llama-server", ["-ngl", "9"], "set from serve.n_gpu_layers"),
        ("llama-server", ["--no-webui"], "quantdeck sets it itself"),
        ("llama-server", ["-hf", "a/b"], "connection that nobody planned"),
        ("llama-server", ["--lora", "/x"], "names a file"),
        ("llama-cpp-python", ["--config_file", "x"], "names a file"),
        ("xllamacpp", ["--seed", "1"], "takes no extra_args"),
    ],
)
def test_refused_with_the_reason(engine: EngineKind, args: list[str], words: str) -> None:
    assert words in refusals(engine, *args)


def test_the_version_counts() -> None:
    assert not refusals("llama-server", "--mlock", version="b10809")
    assert refusals("llama-server", "--mlock", version="b11549")
    assert not refusals("llama-server", "--load-mode=mmap+mlock", version="b11549")
    assert not refusals("vllm", "--calculate-kv-scales", version="0.24.0")
    assert "any more" in refusals("vllm", "--disable-log-requests", version="0.32.0")
    assert "any more" not in refusals("vllm", "--disable-log-requests", version="0.33.0")
    assert refusals("vllm", "--calculate-kv-scales")


def test_no_variable_that_the_profile_owns_may_be_set() -> None:
    for name in ("VLLM_API_KEY", "CUDA_VISIBLE_DEVICES", "VLLM_CPU_KVCACHE_SPACE", "HF_HUB_OFFLINE", "PATH", "HOST"):
        for engine in STARTED:
            assert list(env_refused(FLAGS, engine, FLAGS.version(engine, None), {name: "1"})), name


WORDS = [one.flag for one in FLAGS.allow] + [flag.flag for flag in FLAGS.flag] + ["--api-key", "-c", "7", "true", "x/y"]


@given(st.sampled_from(STARTED), st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=5))
def test_whatever_is_accepted_repeats_no_flag_of_ours_and_names_no_path(engine: EngineKind, args: list[str]) -> None:
    if refusals(engine, *args):
        return
    ours = set(flags(command(parsed(engine)).argv))
    assert not {word.partition("=")[0] for word in args} & ours
    assert not any("/" in word or word.isspace() for word in args)
