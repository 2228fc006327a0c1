"""What is filled in where a profile says nothing."""

from __future__ import annotations

import pytest

from quantdeck_core.profile.defaults import DEFAULTS, resolved
from quantdeck_core.profile.fields import ENGINES, has
from quantdeck_core.profile.names import STARTED, EngineKind
from support.profiles import parsed

DECIDED_BY_THE_ENGINE = {"quantization", "threads", "api_key_env", "gpus", "extra_args", "env"}


@pytest.mark.parametrize("engine", STARTED)
def test_every_field_of_an_engine_has_a_default_and_no_other(engine: EngineKind) -> None:
    serve = resolved(parsed(engine), None)
    for field in ENGINES:
        if has(engine, field) and field not in DECIDED_BY_THE_ENGINE:
            assert getattr(serve, field) is not None, field
        if not has(engine, field) and field not in (
            "max_num_seqs",
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "host",
        ):
            assert getattr(serve, field) in (None, ()), field


def test_the_lessons_defaults() -> None:
    small, large = (resolved(parsed("vllm"), parameters) for parameters in (7_000_000_000, 70_000_000_000))
    assert (small.max_num_seqs, small.max_num_batched_tokens) == (256, 8192)
    assert (large.max_num_seqs, large.max_num_batched_tokens) == (128, 4096)
    for serve in (small, large, resolved(parsed("vllm"), None)):
        assert (serve.gpu_memory_utilization, serve.max_model_len, serve.enforce_eager) == (0.90, 4096, False)
        assert serve.trust_remote_code is False
        assert serve.quantization is None


def test_what_is_written_wins_over_size() -> None:
    serve = resolved(parsed("vllm", "max_num_seqs = 200"), 70_000_000_000)
    assert (serve.max_num_seqs, serve.max_num_batched_tokens) == (200, 4096)
    assert resolved(parsed("vllm", "enable_prefix_caching = false"), None).enable_prefix_caching is False
    assert resolved(parsed("llama-server", "n_gpu_layers = 0", "cache_ram_mib = 0"), None).cache_ram_mib == 0


def test_llamacpp_computes_no_more_at_once_than_it_takes() -> None:
    assert resolved(parsed("llama-server", "batch_size = 128"), None).ubatch_size == 128


def test_xllamacpp_serves_as_it_did_before_there_were_other_engines() -> None:
    serve = DEFAULTS["xllamacpp"].serve
    was = {"max_model_len": 4096, "max_num_seqs": 4, "max_tokens": 2048, "threads": 1, "batch_size": 512}
    was |= {"cache_ram_mib": 512, "n_gpu_layers": 0, "port": 0}
    assert {name: getattr(serve, name) for name in was} == was
