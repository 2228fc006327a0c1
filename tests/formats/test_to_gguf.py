"""Which checkpoints llama.cpp's converter reads, and which architectures engines know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import quantdeck_profiles.data
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import Verdict, judge
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.compat.to_gguf import Conversion, to_gguf
from quantdeck_core.formats.checkpoint import Checkpoint, Problem
from quantdeck_core.profile.toml_text import TomlError
from support.checkpoints import LLAMA

TEXT = quantdeck_profiles.data.text("architectures")
KNOWN = parse_architectures(TEXT)
RULES = parse_rules(quantdeck_profiles.data.text("compatibility"))
GPTQ = {"format": "gptq", "bits": 4, "side_tensors": (".g_idx", ".qzeros", ".scales")}
PACKED = {
    "format": "compressed-tensors", "scheme": "w4a16", "packing": "pack-quantized", "config_groups": 1,
    "strategy": "group", "side_tensors": (".weight_scale", ".weight_shape"),
}  # fmt: skip
FLOAT = {
    **PACKED, "scheme": "fp8", "packing": "float-quantized", "strategy": "channel", "side_tensors": (".weight_scale",),
}  # fmt: skip


def ask(**facts: Any) -> Conversion:
    return to_gguf(Checkpoint(**{"label": "it", "architecture": LLAMA["architectures"][0], **facts}), KNOWN)


@pytest.mark.parametrize(
    ("facts", "verdict", "words"),
    [
        ({"format": "gguf", "architecture": "unknown"}, "direct", "already"),
        ({"format": "safetensors", "scheme": "bf16"}, "direct", "unquantized"),
        ({"format": "safetensors", "scheme": "f8_e4m3"}, "dequantize-first", "as weights"),
        (GPTQ, "direct", "16 bits"),
        ({**GPTQ, "bits": 8, "desc_act": True, "group_size": 128}, "direct", ""),
        ({**GPTQ, "bits": 3}, "dequantize-first", "2, 4 and 8 bits"),
        ({**GPTQ, "packing": "marlin"}, "dequantize-first", "marlin"),
        ({**GPTQ, "overrides": True}, "dequantize-first", "dynamic"),
        ({**GPTQ, "side_tensors": (".qzeros", ".scales")}, "dequantize-first", "`.g_idx`"),
        ({"format": "awq", "bits": 4}, "dequantize-first", "does not read"),
        ({"format": "bitsandbytes"}, "dequantize-first", ""),
        ({"format": "autoround"}, "dequantize-first", ""),
        (PACKED, "direct", ""),
        ({**PACKED, "strategy": "channel"}, "dequantize-first", "strategy group"),
        ({**PACKED, "config_groups": 2}, "dequantize-first", "one config group"),
        ({**PACKED, "side_tensors": (".weight_g_idx", ".weight_scale")}, "dequantize-first", "`.weight_g_idx`"),
        ({**PACKED, "packing": "marlin-24"}, "dequantize-first", "marlin-24"),
        (FLOAT, "direct", "FP8"),
        ({**FLOAT, "strategy": "tensor"}, "dequantize-first", "channel or block"),
        ({**FLOAT, "side_tensors": (".input_scale", ".weight_scale")}, "dequantize-first", "`.input_scale`"),
        ({**FLOAT, "packing": "nvfp4-pack-quantized", "config_groups": 2}, "direct", ""),
        ({**FLOAT, "packing": "mxfp4-pack-quantized"}, "dequantize-first", "mxfp4-pack-quantized"),
        ({"format": "fp8", "scheme": "fp8", "packing": "fp8", "side_tensors": (".weight_scale_inv",)}, "direct", ""),
        ({"format": "fp8", "packing": "fp8", "side_tensors": (".weight_scale",)}, "dequantize-first", "no place"),
        ({"format": "fp8", "packing": "fbgemm_fp8"}, "dequantize-first", "fbgemm_fp8"),
        ({"format": "modelopt", "scheme": "nvfp4", "packing": "NVFP4"}, "direct", "NVFP4"),
        ({"format": "modelopt", "packing": "W4A16_AWQ"}, "dequantize-first", "W4A16_AWQ"),
        ({"format": "mxfp4", "scheme": "mxfp4"}, "dequantize-first", "gpt-oss only"),
        ({"format": "mxfp4", "scheme": "mxfp4", "architecture": "GptOssForCausalLM"}, "direct", "MXFP4"),
        ({"format": "safetensors", "scheme": "bf16", "architecture": "NewForCausalLM"}, "no", "'NewForCausalLM'"),
        ({"format": "safetensors", "scheme": "bf16", "architecture": None}, "no", "None"),
        (
            {
                "format": "safetensors", "scheme": "bf16", "architecture": "NewForConditionalGeneration",
                "text_architecture": "LlamaForCausalLM",
            },
            "direct",
            "",
        ),
    ],
)  # fmt: skip
def test_conversion(facts: dict[str, Any], verdict: str, words: str) -> None:
    found = ask(**facts)
    assert found.verdict == verdict
    assert words in found.reason
    assert (not found.steps) == (facts["format"] == "gguf")


def test_what_blocks_engines_blocks_the_converter() -> None:
    problem = Problem(code="shard-missing", detail="One file is missing.", hint="Fetch it.", blocks=True)
    found = ask(format="safetensors", scheme="bf16", problems=(problem,))
    assert (found.verdict, found.reason, found.steps) == ("no", "One file is missing.", ("Fetch it.",))


def test_a_declaration_elsewhere_must_be_moved_first() -> None:
    steps = ask(**GPTQ, declared_in="quantize_config.json").steps
    assert steps[0].startswith("Copy the declaration from quantize_config.json")
    assert ask(**GPTQ, declared_in="config.json").steps[0].startswith("python convert_hf_to_gguf.py")


def verdict(engine: str, **facts: Any) -> Verdict:
    checkpoint = Checkpoint(label="it", **facts)
    one = RULES.engine_named(engine)
    return with_architecture(judge(RULES, checkpoint, one, None), KNOWN, checkpoint, one)


def test_a_gguf_newer_than_the_build() -> None:
    for engine in ("llama-server", "xllamacpp", "llama-cpp-python"):
        assert verdict(engine, format="gguf", architecture="llama").verdict == "ok"
        found = verdict(engine, format="gguf", architecture="llama9")
        assert found.verdict == "refused"
        assert "'llama9'" in found.reason
        assert "newer than the build" in found.hint
    # What is inside Ollama and LM Studio is not known.
    assert verdict("ollama", format="gguf", architecture="llama9").verdict == "ok"


def test_architectures_of_vllm() -> None:
    plain = {"format": "safetensors", "scheme": "bf16"}
    assert verdict("vllm", **plain, architecture="LlamaForCausalLM").consequence == ""
    through = verdict("vllm", **plain, architecture="SmolLM3ForCausalLM")
    assert (through.verdict, "runs that of transformers" in through.consequence) == ("ok", True)
    assert "0.10.2 was the last" in verdict("vllm", **plain, architecture="MotifForCausalLM").reason
    assert verdict("vllm-cpu", **plain, architecture="BartForConditionalGeneration").verdict in ("plugin", "ok")
    new = verdict("vllm", **plain, architecture="NewForCausalLM")
    assert (new.verdict, "newer vLLM" in new.hint) == ("refused", True)
    own = verdict("vllm", **plain, architecture="NewForCausalLM", remote_code=True)
    assert "--trust-remote-code" in own.hint
    assert verdict("transformers", **plain, architecture="NewForCausalLM").verdict == "slow"
    # A refusal of the format comes first, and a GGUF's architecture is not one of vLLM's names.
    assert "GGUF" in verdict("vllm-cpu", format="gguf", architecture="llama").reason
    assert verdict("vllm", format="gguf", architecture="llama").verdict == "plugin"


def test_the_table_of_architectures() -> None:
    assert {"llama", "gemma3", "gpt-oss", "deepseek2"} <= KNOWN.llamacpp.gguf
    assert {"LlamaForCausalLM", "Qwen3MoeForCausalLM", "GptOssForCausalLM"} <= KNOWN.llamacpp.converted
    assert not KNOWN.vllm.native & KNOWN.vllm.through_transformers
    with pytest.raises(TomlError, match=r"architectures\.toml"):
        parse_architectures(TEXT.replace("native =", "naive ="))


def test_the_docs_name_the_versions() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
    assert f"vLLM {KNOWN.vllm.version}" in docs
    assert f"llama.cpp {KNOWN.llamacpp.version}" in docs
