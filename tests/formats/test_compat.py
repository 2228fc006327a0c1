"""The compatibility table: the facts it must hold, its reach, and that the docs show it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import quantdeck_profiles.data
from quantdeck_core.compat.judge import Verdict, fits, judge, judge_all
from quantdeck_core.compat.rules import RulesError, parse_rules
from quantdeck_core.formats.checkpoint import Checkpoint, Problem
from support.verdict_table import CASES, DEVICES, table

TEXT = quantdeck_profiles.data.text("compatibility")
RULES = parse_rules(TEXT)
LLAMA_CPP = ("llama-server", "xllamacpp", "llama-cpp-python")


def ask(checkpoint: Checkpoint | str, engine: str, gpu: str | None = None) -> Verdict:
    one = CASES[checkpoint] if isinstance(checkpoint, str) else checkpoint
    return judge(RULES, one, RULES.engine_named(engine), DEVICES.named(gpu) if gpu else None)


@pytest.mark.parametrize(
    ("case", "engine", "gpu", "verdict", "words"),
    [
        ("GPTQ 4-bit, symmetric", "vllm", "t4", "ok", "Marlin"),
        ("GPTQ 4-bit, symmetric", "vllm-cpu", "cpu", "ok", ""),
        ("GPTQ 8-bit, symmetric", "vllm-cpu", "cpu", "refused", "4 bits only"),
        ("GPTQ 4-bit, desc_act, groups", "vllm", "h100-80gb", "refused", "desc_act"),
        ("GPTQ 4-bit, desc_act, groups", "vllm-cpu", "cpu", "refused", "desc_act"),
        ("GPTQ 4-bit, asymmetric", "vllm", "h100-80gb", "refused", "Asymmetric"),
        ("GPTQ 3-bit", "vllm", "h100-80gb", "refused", "fewer"),
        ("GPTQ 3-bit", "llama-server", None, "refused", "2, 4 and 8 bits"),
        ("GPTQ 4-bit, symmetric", "llama-server", None, "refused", "GPTQ directly"),
        ("AWQ 4-bit", "vllm", "t4", "ok", ""),
        ("AWQ 4-bit", "vllm-cpu", "cpu", "ok", ""),
        ("AWQ 4-bit", "llama-server", None, "refused", "dequantize it first"),
        ("compressed-tensors W4A16, actorder group", "vllm", "h100-80gb", "refused", "actorder"),
        ("compressed-tensors INT8 W8A8", "vllm-cpu", "cpu", "ok", ""),
        ("compressed-tensors W4A16", "vllm-cpu", "cpu", "ok", ""),
        ("compressed-tensors W8A16", "vllm-cpu", "cpu", "refused", "4 bits only"),
        ("compressed-tensors FP8, a scale a channel", "vllm-cpu", "cpu", "slow", "AMX"),
        ("compressed-tensors FP8, a scale a tensor", "vllm-cpu", "cpu", "refused", "merges"),
        ("FP8 W8A8, a scale a tensor", "transformers", None, "refused", "noise"),
        ("AutoRound 4-bit", "vllm-cpu", "cpu", "ok", ""),
        ("FP8 W8A8, blocks", "vllm", "h100-80gb", "ok", ""),
        ("FP8 W8A8, blocks", "vllm", "l4", "ok", ""),
        ("FP8 W8A8, blocks", "vllm", "a100-80gb", "slow", "A100 runs FP8 weight-only"),
        ("ModelOpt FP8", "vllm", "t4", "refused", "8.0"),
        ("ModelOpt MXFP8", "vllm", "a100-80gb", "ok", ""),
        ("ModelOpt W4A16 AWQ", "vllm", "h100-80gb", "refused", "TensorRT-LLM"),
        ("AutoRound NVFP4", "vllm", "h100-80gb", "refused", "llm_compressor"),
        ("ModelOpt FP8", "vllm", "a100-80gb", "slow", "weight-only"),
        ("compressed-tensors FP8, a scale a channel", "vllm", "t4", "slow", "weight-only"),
        ("FP8 W8A8, blocks", "vllm-cpu", "cpu", "refused", ""),
        ("MXFP4", "vllm", "t4", "refused", "8.0"),
        ("MXFP4", "vllm", "a100-80gb", "ok", ""),
        ("ModelOpt NVFP4", "vllm", "h100-80gb", "ok", "weight-only"),
        ("bitsandbytes NF4", "vllm", "h100-80gb", "plugin", "development only"),
        ("bitsandbytes NF4", "vllm-cpu", "cpu", "refused", ""),
        ("GGUF", "vllm", "h100-80gb", "plugin", "not a valid JSON file"),
        ("GGUF", "vllm-cpu", "cpu", "refused", "not a valid JSON file"),
        ("GGUF", "ollama", "cpu", "ok", ""),
        ("BF16 safetensors", "vllm", "cpu", "refused", "vllm-cpu"),
        ("BF16 safetensors", "vllm", "t4", "ok", "FP16"),
        ("BF16 safetensors", "tgi", "cpu", "refused", "needs a GPU"),
        ("AWQ 4-bit", "tgi", "a100-80gb", "ok", "maintenance mode"),
    ],
)
def test_facts(case: str, engine: str, gpu: str | None, verdict: str, words: str) -> None:
    found = ask(case, engine, gpu)
    assert found.verdict == verdict
    assert words in f"{found.reason} {found.consequence} {found.hint}"


def test_llamacpp_serves_gguf_and_nothing_else() -> None:
    for name, checkpoint in CASES.items():
        expected = "ok" if checkpoint.format == "gguf" else "refused"
        assert {ask(name, engine).verdict for engine in LLAMA_CPP} == {expected}, name


def test_act_order_with_one_group_is_served() -> None:
    one = msgspec.structs.replace(CASES["GPTQ 4-bit, desc_act, groups"], group_size=-1)
    assert ask(one, "vllm", "a100-80gb").verdict == "ok"


def test_a_blocking_problem_comes_before_all_rules() -> None:
    problem = Problem(code="shard-missing", detail="One file is missing.", hint="Fetch it.", blocks=True)
    broken = msgspec.structs.replace(CASES["GGUF"], problems=(problem,))
    verdicts = judge_all(RULES, broken, None)
    assert {(v.verdict, v.reason, v.hint) for v in verdicts} == {("refused", "One file is missing.", "Fetch it.")}


def test_every_kind_has_a_rule_for_every_engine_and_every_no_a_next_step() -> None:
    for name, checkpoint in CASES.items():
        for gpu in DEVICES:
            for verdict in judge_all(RULES, checkpoint, gpu):
                assert not verdict.reason.startswith("No rule"), (name, verdict.engine, gpu.name)
                assert verdict.verdict != "refused" or verdict.hint, (name, verdict.engine, gpu.name)


def test_what_no_rule_knows_is_refused() -> None:
    odd = Checkpoint(format="compressed-tensors", label="compressed-tensors W2A2", scheme="w2a2")
    assert "No rule says" in ask(odd, "vllm", "h100-80gb").reason


def test_every_rule_can_be_the_first_that_fits() -> None:
    """A rule that others cover is never applied: it would be a lie that nobody notices."""
    more = [
        Checkpoint(format="gptq", label="", declared_in="quantize_config.json"),
        Checkpoint(format="gptq", label="", bits=4, group_size=-1),
        Checkpoint(format="awq", label="", bits=8),
        Checkpoint(format="compressed-tensors", label="", scheme="fp8-weight-only"),
        Checkpoint(format="gguf", label=""),
        Checkpoint(format="gguf", label="", files=2),
        Checkpoint(format="gguf", label="", scheme="Q8_0"),
        *(Checkpoint(format="gguf", label="", tensor_bytes={kind: 1}) for kind in ("MXFP4", "NVFP4", "Q1_0", "Q2_0")),
        Checkpoint(format="fp8", label="", scheme="fp8"),
        Checkpoint(format="autoround", label="", bits=4, sym=False),
        Checkpoint(format="compressed-tensors", label="", scheme="w2a2"),
        Checkpoint(format="modelopt", label="", scheme="mixed_precision"),
    ]
    engines = [msgspec.structs.replace(one, version=one.version and "0.0.1") for one in RULES.engine] + [*RULES.engine]
    for rules in (RULES.platform, RULES.rule):
        applied = set()
        for checkpoint in (*CASES.values(), *more):
            for gpu in (None, *DEVICES):
                for engine in engines:
                    applied.add(next((i for i, r in enumerate(rules) if fits(r, checkpoint, engine, gpu)), None))
        assert set(range(len(rules))) - applied == set()


def test_engines_in_any_case() -> None:
    assert RULES.engine_named("vLLM").name == "vllm"


@pytest.mark.parametrize(
    "toml",
    [
        "x",
        "nonsense = 1\n" + TEXT,
        TEXT.replace('verdict = "ok"', 'verdict = "maybe"'),
        TEXT.replace('engines = ["tgi"]', 'engines = ["tgj"]'),
    ],
)
def test_a_broken_table_is_refused(toml: str) -> None:
    with pytest.raises(RulesError):
        parse_rules(toml)


def test_the_docs_show_this_table() -> None:
    docs = Path(__file__).parents[2] / "docs" / "formats.md"
    assert table() in docs.read_text("utf-8"), "make it again: python -m support.verdict_table"
