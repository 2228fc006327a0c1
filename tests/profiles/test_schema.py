"""What a profile may say, and how it is told what it may not."""

from __future__ import annotations

import msgspec
import pytest

from quantdeck_core.errors import InputError
from quantdeck_core.profile.check import parse_profile, problems, require_usable
from quantdeck_core.profile.fields import ENGINES, has
from quantdeck_core.profile.names import STARTED, EngineKind
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Serve
from quantdeck_core.profile.toml_text import TomlError
from support.profiles import BUILT_IN, FILE, FLAGS, command, parsed, toml

WRITTEN = {
    "max_model_len": "2048", "max_num_seqs": "2", "max_tokens": "99", "max_num_batched_tokens": "4095",
    "gpu_memory_utilization": "0.5", "tensor_parallel_size": "2", "pipeline_parallel_size": "2",
    "enforce_eager": "true", "dtype": '"bfloat16"', "quantization": '"awq"', "kv_cache_dtype": '"KV"',
    "trust_remote_code": "true", "enable_prefix_caching": "false", "kv_cache_gib": "3", "shutdown_timeout": "7",
    "threads": "3", "batch_size": "600", "ubatch_size": "300", "n_gpu_layers": "11", "flash_attn": '"off"',
    "cache_ram_mib": "17", "replicas": "2", "gpus": "[4]", "host": '"::1"', "port": "9100",
    "api_key_env": '"KEY"', "extra_args": "[]", "env": "{}",
}  # fmt: skip
"""A value of each field that is not its default."""
KV: dict[str, str] = {"vllm": "fp8", "vllm-cpu": "fp8", **dict.fromkeys(("llama-server", "xllamacpp"), "q8_0")}


def refused(text: str) -> TomlError:
    with pytest.raises(TomlError) as caught:
        parse_profile(text, FILE, FLAGS)
    assert caught.value.hint
    return caught.value


def test_the_fields_are_those_of_the_schema() -> None:
    assert set(ENGINES) == set(Serve.__struct_fields__) == set(WRITTEN)


@pytest.mark.parametrize("engine", STARTED)
@pytest.mark.parametrize("field", [field for field in WRITTEN if field not in ("extra_args", "env")])
def test_a_field_reaches_the_command_or_is_refused_by_line_and_column(engine: EngineKind, field: str) -> None:
    line = f"{field} = {WRITTEN[field].replace('KV', KV.get(engine, 'q4_0'))}"
    if not has(engine, field):
        error = refused(toml(engine, "max_model_len = 99", line))
        assert error.detail == f"p.toml:7:1: {engine} has no {field}."
        return
    before, after = command(parsed(engine)), command(parsed(engine, line))
    if field in ("port", "replicas"):
        return  # what they do is not on the command line of one replica
    assert after != before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max_model_len = 0", "serve.max_model_len: expected `int` >= 1"),
        ("max_model_len = 9999999999", "<= 2147483647"),
        ("gpu_memory_utilization = 1.5", "<= 1.0"),
        ('dtype = "int4"', "invalid enum value 'int4'"),
        ('quantization = "a/b"', "matching regex"),
        ('kv_cache_dtype = "q8_0"', "vllm has no kv_cache_dtype 'q8_0'"),
        ("max_num_seqs = 999\nmax_num_batched_tokens = 998", "a step of 998 tokens has no room"),
        ("gpus = [1, 1]", "a GPU is named twice"),
        ("gpus = [1, 2, 3]\ntensor_parallel_size = 2", "3 GPUs cannot be divided among instances of 2"),
        ("gpus = [1]\nreplicas = 2", "2 replicas share a GPU and each takes 0.9"),
        ("port = 65535\nreplicas = 2", "ports end after 65535"),
        ('host = "0.0.0.0"', "0.0.0.0 can be reached from other machines, and no API key is asked for"),
        ('api_key_env = "a b"', "matching regex"),
        ('env = {LD_PRELOAD = "x"}', "LD_PRELOAD is not on the allow-list of vllm"),
        ('env = {NCCL_P2P_DISABLE = "yes"}', "NCCL_P2P_DISABLE takes a whole number, not 'yes'"),
    ],
)  # fmt: skip
def test_values_that_cannot_be(line: str, words: str) -> None:
    error = refused(toml("vllm", line))
    assert words in error.detail.replace("Invalid", "invalid").replace("Expected", "expected")
    assert error.detail.startswith(("p.toml:6:", "p.toml:7:"))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["max_num_seqs = 257"], "at most 256 slots"),
        (["max_model_len = 100000000", "max_num_seqs = 64"], "past 32 bits"),
        (['flash_attn = "off"', 'kv_cache_dtype = "q8_0"'], "needs flash attention"),
        (['kv_cache_dtype = "fp8"'], "There are: f32, f16, bf16"),
        (["tensor_parallel_size = 2"], "spreads layers over the GPUs named in gpus"),
    ],
)  # fmt: skip
def test_values_that_llamacpp_cannot_have(lines: list[str], words: str) -> None:
    error = refused(toml("llama-server", *lines))
    assert words in f"{error.detail} {error.hint}"


def test_several_small_replicas_may_share_a_gpu() -> None:
    profile = parsed("vllm", "gpus = [2]", "replicas = 3", "gpu_memory_utilization = 0.30")
    seen = [command(profile, replica=replica).env["CUDA_VISIBLE_DEVICES"] for replica in range(3)]
    assert seen == ["2", "2", "2"]


def test_an_external_engine_needs_its_url_and_nothing_else() -> None:
    assert "needs its url" in refused(toml("external")).detail
    assert parse_profile(toml("external", top='url = "http://10.0.0.7:8000"'), FILE, FLAGS).url
    threads = refused(toml("external", "threads = 2", top='url = "http://10.0.0.7:8000"'))
    assert "does not start an external engine" in threads.hint
    assert "is for external engines" in refused(toml("vllm", top='url = "http://x"')).detail


@pytest.mark.parametrize(
    "top",
    ['served_name = "a,b"', 'served_name = "--port"', 'served_name = "a b"', 'model = "-x"', 'model = "a\\u001b"'],
)
def test_names_that_would_be_read_as_something_else(top: str) -> None:
    text = toml("vllm", top=top)
    refused(text.replace('model = "m"\n', "") if top.startswith("model") else text)


def test_a_profile_over_the_wire_is_checked_the_same() -> None:
    bare = Profile(name="p", model="m", engine="vllm", serve=Serve(threads=2))
    with pytest.raises(InputError, match="vllm has no threads"):
        require_usable(bare, FLAGS)
    for profile in BUILT_IN.values():
        again = msgspec.json.decode(msgspec.json.encode(profile), type=Profile)
        assert again == profile
        assert not list(problems(again, FLAGS))


def test_a_profile_of_an_earlier_version_is_read() -> None:
    """Stored records and older consoles write every field of that time."""
    serve = {
        "max_model_len": 1024, "max_num_seqs": 4, "max_tokens": 200, "threads": 1, "batch_size": 512,
        "cache_ram_mib": 16, "n_gpu_layers": 0, "port": 0,
    }  # fmt: skip
    profile = msgspec.convert({"name": "p", "model": "m.gguf", "engine": "xllamacpp", "serve": serve}, Profile)
    require_usable(profile, FLAGS)
    # And what was not written is not sent: they would not know it.
    assert "tensor_parallel_size" not in msgspec.json.encode(parsed("xllamacpp", "threads = 2")).decode()
