"""The memory arithmetic against recorded loads: docs/memory-loads.md says how they were made. No engine runs here."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engines.loads import gguf_maker
from engines.loads.cases import GEMMA3, LOADS, Load
from engines.loads.planned import cache_of, error, llamacpp_table, plan, recorded, shape_of, vllm_table
from engines.loads.settings import Settings
from engines.loads.vllm_cases import SERVE, VLLM_LOADS, VllmLoad
from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_core.formats.detect import detect
from quantdeck_core.memory.llamacpp_kv import CHECKPOINTS, context_of
from quantdeck_core.memory.vllm_kv import kv_cache_tokens, max_concurrency

DOCS = Path(__file__).parents[2] / "docs" / "memory-loads.md"
LLAMACPP, VLLM = recorded("llamacpp"), recorded("vllm")
GIB = 1 << 30
LOG_STEP = 0.01 * (1 << 20)
"""The log has MiB with two decimals."""


def tokens_of(load: VllmLoad) -> int:
    cache = cache_of(load, VLLM[load.name]["in_flight"])
    return kv_cache_tokens(shape_of(load), (SERVE | load.serve)["kv_cache_memory_bytes"], cache)


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_llamacpp_allocates_what_is_planned(load: Load) -> None:
    measured, planned = LLAMACPP[load.name], plan(load)
    log, resident = measured["log"], measured["served"]["resident"]
    assert measured["file_bytes"] >= GIB
    assert planned.kv == pytest.approx(log["kv_bytes"], abs=LOG_STEP * 2)
    assert planned.weights == pytest.approx(log["weights_bytes"], abs=LOG_STEP * 2)
    assert planned.output == pytest.approx(log["output_bytes"], abs=LOG_STEP)
    assert abs(error(planned.compute, log["compute_bytes"])) < 0.01
    assert abs(error(planned.total, resident)) < 0.05


@pytest.mark.parametrize("load", VLLM_LOADS, ids=lambda load: load.name)
def test_vllm_has_room_for_the_tokens_that_are_planned(load: VllmLoad) -> None:
    log = VLLM[load.name]["log"]
    assert tokens_of(load) == log["kv_tokens"]
    serve = SERVE | load.serve
    cache = cache_of(load, VLLM[load.name]["in_flight"])
    concurrency = max_concurrency(shape_of(load), serve["kv_cache_memory_bytes"], cache)
    assert concurrency == pytest.approx(log["max_concurrency"], abs=0.005)


def test_every_load_was_recorded_and_nothing_else() -> None:
    assert [*LLAMACPP] == [load.name for load in LOADS]
    assert [*VLLM] == [load.name for load in VLLM_LOADS]


def test_the_docs_show_the_recorded_loads() -> None:
    text = DOCS.read_text()
    assert llamacpp_table(LOADS) in text
    assert vllm_table(VLLM_LOADS, {load.name: tokens_of(load) for load in VLLM_LOADS}) in text


@pytest.mark.parametrize("load", {load.model.name: load for load in LOADS}.values(), ids=lambda load: load.model.name)
def test_check_finds_the_shape_that_the_plan_needs(load: Load, tmp_path: Path) -> None:
    model = dataclasses.replace(load.model, vocab=64, layers=load.model.pattern if load.model.pattern > 1 else 2)
    gguf_maker.write(tmp_path / "model.gguf", model)
    found, wanted = detect(LocalSource(tmp_path / "model.gguf")), model.shape
    for name in ("layers", "hidden_size", "heads", "mla", "vocab_size", "intermediate_size", "experts", "experts_used"):
        assert getattr(found, name) == getattr(wanted, name), name
    if model.kv_rank:
        assert (found.kv_lora_rank, found.qk_rope_head_dim) == (wanted.kv_lora_rank, wanted.qk_rope_head_dim)
    else:
        assert (found.kv_heads, found.head_dim) == (wanted.kv_heads, wanted.head_dim)
    assert (found.sliding_layers or 0) == wanted.sliding_layers


@pytest.mark.parametrize(
    ("n_ctx", "slots", "unified", "cells", "tokens"),
    [
        (4096, 1, False, 4096, 4096),
        (4000, 1, False, 4096, 4096),
        (4096, 3, False, 1536, 4608),
        (1000, 8, False, 256, 2048),
        (1000, 8, True, 1024, 1024),
    ],
)
def test_contexts_are_rounded_as_llamacpp_does(n_ctx: int, slots: int, unified: bool, cells: int, tokens: int) -> None:
    context = context_of(n_ctx, slots, unified=unified)
    assert (context.cells, context.tokens) == (cells, tokens)


def test_copies_of_windows_are_counted_apart() -> None:
    planned = plan(Load("", GEMMA3, Settings(n_ctx=16_384, n_parallel=2)))
    a_token = 10 * 4 * 256 * 2 * 2
    assert planned.checkpoints == CHECKPOINTS * 2 * 1024 * a_token
    assert plan(Load("", GEMMA3, Settings(n_ctx=16_384, swa_full=True))).checkpoints == 0
