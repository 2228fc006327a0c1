"""What the compatibility table says of devices other than NVIDIA cards, and of older versions of engines."""

from __future__ import annotations

import msgspec
import pytest

import quantdeck_profiles.data
from quantdeck_core.compat.judge import Verdict, judge, judge_any
from quantdeck_core.compat.rules import RulesError, parse_rules
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.formats.checkpoint import Checkpoint
from support.verdict_table import CASES, DEVICES

TEXT = quantdeck_profiles.data.text("compatibility")
RULES = parse_rules(TEXT)
Q8_0 = Checkpoint(format="gguf", label="GGUF Q8_0", scheme="Q8_0", bits=8)


def ask(checkpoint: Checkpoint | str, engine: str, gpu: str) -> Verdict:
    one = CASES[checkpoint] if isinstance(checkpoint, str) else checkpoint
    return judge(RULES, one, RULES.engine_named(engine), DEVICES.named(gpu))


@pytest.mark.parametrize("gpu", ["m4-max-128gb", "jetson-orin-64gb", "rpi5-8gb", "mi300x", "arc-b580", "p40", "cpu"])
@pytest.mark.parametrize("engine", ["llama-server", "xllamacpp", "llama-cpp-python"])
def test_llamacpp_serves_gguf_everywhere(engine: str, gpu: str) -> None:
    assert ask("GGUF", engine, gpu).verdict == "ok"


@pytest.mark.parametrize(
    ("case", "engine", "gpu", "verdict", "words"),
    [
        (Q8_0, "vllm", "m4-max-128gb", "plugin", "vllm-metal"),
        ("GGUF", "vllm", "m4-max-128gb", "refused", "Q8_0, Q4_0 and Q4_1 only"),
        ("BF16 safetensors", "vllm", "m1", "plugin", "MLX"),
        ("BF16 safetensors", "vllm-cpu", "m1", "plugin", "built from source"),
        ("AWQ 4-bit", "vllm", "m3-ultra-512gb", "refused", "nobody has verified"),
        ("AWQ 4-bit", "vllm", "jetson-orin-64gb", "plugin", "TORCH_CUDA_ARCH_LIST=8.7"),
        ("AWQ 4-bit", "vllm", "jetson-thor-128gb", "ok", ""),
        ("AWQ 4-bit", "vllm", "jetson-xavier-32gb", "refused", "7.5"),
        ("GPTQ 4-bit, desc_act, groups", "vllm", "jetson-orin-64gb", "refused", "desc_act"),
        ("bitsandbytes NF4", "vllm", "jetson-orin-nano-8gb", "plugin", "bitsandbytes' wheels"),
        ("FP8 W8A8, blocks", "vllm", "jetson-orin-64gb", "plugin", "weight-only"),
        ("AWQ 4-bit", "vllm", "mi300x", "ok", "Triton"),
        ("GPTQ 4-bit, asymmetric", "vllm", "mi300x", "refused", "sym=false"),
        ("FP8 W8A8, blocks", "vllm", "mi300x", "ok", "MI300X"),
        ("FP8 W8A8, blocks", "vllm", "mi250x", "refused", "MI200"),
        ("MXFP4", "vllm", "mi355x", "ok", "MXFP4"),
        ("MXFP4", "vllm", "mi300x", "slow", "unpacked"),
        ("GGUF", "vllm", "mi300x", "refused", "llama.cpp"),
        ("BF16 safetensors", "tensorrt-llm", "mi300x", "refused", "NVIDIA GPUs only"),
        ("BF16 safetensors", "vllm", "mi300x", "ok", "Unquantized"),
        ("FP8 W8A8, blocks", "vllm", "arc-b580", "ok", "XPU"),
        ("BF16 safetensors", "vllm", "rpi5-8gb", "refused", "Raspberry Pi"),
        ("BF16 safetensors", "vllm-cpu", "rpi5-8gb", "refused", "Raspberry Pi"),
        ("FP8 W8A8, blocks", "vllm", "dgx-spark", "ok", ""),
        ("AWQ 4-bit", "vllm", "p100", "refused", "7.5"),
    ],
)
def test_devices(case: Checkpoint | str, engine: str, gpu: str, verdict: str, words: str) -> None:
    found = ask(case, engine, gpu)
    assert found.verdict == verdict
    assert words in f"{found.reason} {found.consequence} {found.hint}"


def test_the_stricter_answer_keeps_what_both_say() -> None:
    found = ask("AWQ 4-bit", "vllm", "jetson-orin-64gb")
    assert "no kernels for compute capability 8.7" in found.reason
    assert "Served from" in found.reason


def test_what_no_rule_serves_is_refused_on_special_devices_too() -> None:
    odd = Checkpoint(format="compressed-tensors", label="compressed-tensors W2A2", scheme="w2a2")
    assert "No rule says" in ask(odd, "vllm", "jetson-orin-64gb").reason


def test_a_device_that_was_not_named_is_no_special_one() -> None:
    found = judge(RULES, CASES["AWQ 4-bit"], RULES.engine_named("vllm"), None)
    assert (found.verdict, found.gpu) == ("ok", None)


def test_of_several_devices_the_best_counts() -> None:
    devices = [DEVICES.named("p40"), DEVICES.named("l4")]
    found = judge_any(RULES, CASES["FP8 W8A8, blocks"], RULES.engine_named("vllm"), devices)
    assert (found.verdict, found.gpu) == ("ok", "l4")


@pytest.mark.parametrize(
    ("case", "engine", "verdict"),
    [
        ("GGUF", "vllm", "plugin"),
        ("GGUF", "vllm@0.24.0", "plugin"),
        ("GGUF", "vllm@0.24", "plugin"),
        ("GGUF", "vllm@0.9.2", "slow"),
        ("GGUF", "vllm@0.23.0", "slow"),
        ("bitsandbytes NF4", "vllm@0.28.0", "plugin"),
        ("bitsandbytes NF4", "vLLM@0.27.1", "slow"),
        ("MXFP4 in a GGUF", "llama-server@b6095", "refused"),
        ("MXFP4 in a GGUF", "llama-server@b6096", "ok"),
        ("MXFP4 in a GGUF", "xllamacpp@0.1.24", "refused"),
        ("NVFP4 in a GGUF", "llama-server@6096", "refused"),
        ("NVFP4 in a GGUF", "llama-cpp-python@0.3.16", "refused"),
        ("NVFP4 in a GGUF", "llama-cpp-python@0.3.17", "ok"),
        ("NVFP4 in a GGUF", "xllamacpp", "ok"),
        ("GGUF", "llama-server@b1000", "ok"),
    ],
)
def test_versions(case: str, engine: str, verdict: str) -> None:
    kind = case.partition(" ")[0]
    checkpoint = CASES.get(case) or Checkpoint(format="gguf", label="", tensor_bytes={kind: 1, "F32": 1})
    found = judge(RULES, checkpoint, RULES.engine_named(engine), DEVICES.named("h100-80gb"))
    assert found.verdict == verdict
    assert found.version == (engine.partition("@")[2] or RULES.engine_named(engine).version)


@pytest.mark.parametrize("text", ["", "new", "b", "9" * 5000])
def test_no_version(text: str) -> None:
    with pytest.raises(InputError, match="no version"):
        RULES.engine_named(f"vllm@{text}")


def test_an_engine_whose_versions_the_table_does_not_know() -> None:
    with pytest.raises(InputError, match="versions of Ollama"):
        RULES.engine_named("ollama@0.30.0")
    with pytest.raises(NotFoundError, match="No engine 'vlm'"):
        RULES.engine_named("vlm@0.30.0")


@pytest.mark.parametrize(("old", "new"), [('before = "0.24"', 'before = "old"'), ('version = "b11549"\n', "")])
def test_a_rule_on_versions_needs_versions(old: str, new: str) -> None:
    with pytest.raises(RulesError, match="depends on a version"):
        parse_rules(TEXT.replace(old, new))


def test_every_no_has_a_next_step_for_old_engines_too() -> None:
    for engine in RULES.engine:
        ancient = msgspec.structs.replace(engine, version=engine.version and "0.0.1")
        for name, checkpoint in CASES.items():
            for gpu in DEVICES:
                found = judge(RULES, checkpoint, ancient, gpu)
                assert found.verdict != "refused" or found.hint, (name, engine.name, gpu.name)
