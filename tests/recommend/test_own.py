"""A checkpoint that is there already, of any kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantdeck_console.commands.recommend import main
from quantdeck_core.compat.rules import Rule
from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import Checkpoint, shape_fields
from quantdeck_core.memory.room import Site
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.recommend import recommend
from quantdeck_core.recommend.shapes import model_of_size, usual_shape
from support.recommendations import DEVICES, GIB, OPTIONS, PLAN, RULES, ask, titles

MODEL = model_of_size(8 * 10**9, usual_shape(8 * 10**9, OPTIONS.shape))


def stored_as(**fields: Any) -> Checkpoint:
    return Checkpoint(**{**shape_fields(MODEL), "parameters": 8 * 10**9, "weights_bytes": 5 * 10**9, **fields})


def test_a_gguf_stands_in_for_its_kind(demo_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(demo_models / "demo-q8_0.gguf"), "--gpu", "cpu", "--memory", "8GiB", "--json"])
    said = json.loads(capsys.readouterr().out)
    own = [answer for answer in said["answers"] if answer["own"]]
    assert [(answer["scheme"], answer["engine"], answer["make"]) for answer in own] == [("Q8_0", "llama-server", [])]
    assert [answer["scheme"] for answer in said["answers"]].count("Q8_0") == 1


def test_compressed_tensors_stands_in_for_what_llm_compressor_makes() -> None:
    own = stored_as(
        format="compressed-tensors", label="compressed-tensors W4A16", scheme="w4a16", bits=4, group_size=128
    )
    said = ask("a100-80gb", model=own)
    assert titles(said)[0] == own.label
    assert "AWQ 4-bit g128" not in titles(said)


def test_what_the_table_does_not_list_is_answered_too_after_the_others_of_its_engine() -> None:
    own = stored_as(format="autoround", label="AutoRound 4-bit", bits=4, group_size=128, sym=True)
    said = ask("a100-80gb", model=own)
    place = titles(said).index("AutoRound 4-bit")
    assert said.answers[place].own
    assert {answer.engine for answer in said.answers[:place]} == {"vllm"}
    assert said.answers[place + 1].engine == "llama-server"


def test_what_the_engine_refuses_is_rejected_with_its_reason() -> None:
    own = stored_as(
        format="gptq", label="GPTQ, desc_act", scheme="w4a16", bits=4, group_size=128, desc_act=True, sym=True
    )
    said = ask("a100-80gb", model=own)
    assert not any(answer.own for answer in said.answers)
    assert any("desc_act" in one.reason for one in said.rejected if one.format == "gptq")


def test_what_the_tool_writes_must_be_served_too() -> None:
    """AWQ by llm-compressor is compressed-tensors: an engine that refuses that gets no AWQ recommended."""
    no = Rule(engines=("vllm",), formats=("compressed-tensors",), verdict="refused", reason="Not today.")
    rules = msgspec.structs.replace(RULES, rule=(no, *RULES.rule))
    question = Question(site=Site(DEVICES.named("a100-80gb")), model=MODEL, shape_of="some")
    said = recommend(question, OPTIONS, rules, PLAN)
    assert titles(said)[:2] == ["GPTQ 4-bit g128", "BF16"]
    assert {one.title for one in said.rejected if one.reason == "Not today."} > {"AWQ 4-bit g128", "FP8 W8A8"}


def test_fp32_is_counted_in_16_bits() -> None:
    own = stored_as(format="safetensors", label="FP32", scheme="fp32", bits=32, weights_bytes=32 * 10**9)
    bf16 = next(answer for answer in ask("h100-80gb", model=own).answers if answer.scheme == "bf16")
    assert (bf16.own, bf16.weights_bytes) == (False, 16 * 10**9)


def test_without_a_number_of_parameters_other_formats_cannot_be_counted() -> None:
    with pytest.raises(InputError, match="how many parameters"):
        ask("cpu", ram=32 * GIB, model=msgspec.structs.replace(MODEL, parameters=None))
