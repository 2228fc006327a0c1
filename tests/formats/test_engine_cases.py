"""What engines did with real checkpoints, as it was kept: today's rules and the docs say the same."""

from __future__ import annotations

import pytest

from engines.cases import agreement, results, table
from engines.cases.case import CASES, Case
from quantdeck_core.memory.kv import KV_TYPES
from quantdeck_core.memory.vllm_kv import VllmCache, kv_cache_tokens

KEPT = results.read()
BY_NAME = {one.name: one for one in KEPT.results}


def test_every_case_was_run() -> None:
    assert BY_NAME.keys() == {case.name for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_rules_say_what_the_engines_did(case: Case) -> None:
    result = BY_NAME[case.name]
    assert set(agreement.ENGINES) <= result.loads.keys()
    said = [agreement.disagreement(case, result, engine) for engine in agreement.ENGINES]
    said.append(agreement.conversion_disagreement(case, result))
    assert not any(said), "\n".join(filter(None, said))


LOADED = [one.name for one in KEPT.results if one.loads["vllm-cpu"].kv_tokens and one.name != "pickle"]
"""Of a pickle `check` does not read the shape."""


@pytest.mark.parametrize("name", LOADED)
def test_the_cache_has_as_many_tokens_as_vllm_said(name: str) -> None:
    """1 GiB, blocks of 128 tokens, requests of 512, 2048 tokens in flight: MHA, GQA, MQA and sliding windows."""
    found = BY_NAME[name].found()
    assert found is not None
    cache = VllmCache(block_size=128, kind=KV_TYPES["bf16"], max_model_len=512, in_flight=2048)
    assert kv_cache_tokens(found, 1 << 30, cache) == BY_NAME[name].loads["vllm-cpu"].kv_tokens


def test_the_docs_show_the_results() -> None:
    assert table.PAGE.read_text("utf-8").endswith(table.BEGIN + "\n" + table.text(KEPT)), (
        "write it again: python -m engines.cases.table"
    )
