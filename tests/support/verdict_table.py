"""The table of verdicts in docs/formats.md, from the rules: `python -m support.verdict_table` prints it."""

from __future__ import annotations

import sys

import quantdeck_profiles.data
from quantdeck_core.compat.judge import judge
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Devices, parse_devices

_GPTQ = {"format": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False}

CASES = {
    "GPTQ 4-bit, symmetric": Checkpoint(label="", **_GPTQ),
    "GPTQ 8-bit, symmetric": Checkpoint(label="", **{**_GPTQ, "bits": 8}),
    "GPTQ 4-bit, desc_act, groups": Checkpoint(label="", **{**_GPTQ, "desc_act": True}),
    "GPTQ 4-bit, asymmetric": Checkpoint(label="", **{**_GPTQ, "sym": False}),
    "GPTQ 3-bit": Checkpoint(label="", **{**_GPTQ, "bits": 3}),
    "AWQ 4-bit": Checkpoint(format="awq", label="", bits=4, group_size=128),
    "compressed-tensors W4A16": Checkpoint(
        format="compressed-tensors", label="", scheme="w4a16", bits=4, strategy="group"
    ),
    "compressed-tensors W8A16": Checkpoint(
        format="compressed-tensors", label="", scheme="w8a16", bits=8, strategy="channel"
    ),
    "compressed-tensors W4A16, actorder group": Checkpoint(
        format="compressed-tensors", label="", scheme="w4a16", bits=4, actorder="group"
    ),
    "compressed-tensors INT8 W8A8": Checkpoint(format="compressed-tensors", label="", scheme="w8a8-int8", bits=8),
    "compressed-tensors FP8, a scale a channel": Checkpoint(
        format="compressed-tensors", label="", scheme="fp8", bits=8, strategy="channel"
    ),
    "compressed-tensors FP8, a scale a tensor": Checkpoint(
        format="compressed-tensors", label="", scheme="fp8", bits=8, strategy="tensor"
    ),
    "compressed-tensors NVFP4": Checkpoint(format="compressed-tensors", label="", scheme="nvfp4", bits=4),
    "FP8 W8A8, blocks": Checkpoint(
        format="fp8", label="", scheme="fp8", bits=8, strategy="block", side_tensors=(".weight_scale_inv",)
    ),
    "FP8 W8A8, a scale a tensor": Checkpoint(
        format="fp8", label="", scheme="fp8", bits=8, side_tensors=(".weight_scale",)
    ),
    "MXFP4": Checkpoint(format="mxfp4", label="", scheme="mxfp4", bits=4),
    "ModelOpt FP8": Checkpoint(format="modelopt", label="", scheme="fp8", bits=8),
    "ModelOpt NVFP4": Checkpoint(format="modelopt", label="", scheme="nvfp4", bits=4),
    "ModelOpt MXFP8": Checkpoint(format="modelopt", label="", scheme="mxfp8", bits=8),
    "ModelOpt W4A16 AWQ": Checkpoint(format="modelopt", label="", scheme="w4a16_awq", bits=4),
    "bitsandbytes NF4": Checkpoint(format="bitsandbytes", label="", scheme="nf4", bits=4),
    "AutoRound 4-bit": Checkpoint(format="autoround", label="", bits=4, group_size=128, sym=True),
    "AutoRound NVFP4": Checkpoint(format="autoround", label="", scheme="nvfp4", bits=4, group_size=16, sym=True),
    "GGUF": Checkpoint(format="gguf", label="", scheme="Q4_K_M", bits=4),
    "BF16 safetensors": Checkpoint(format="safetensors", label="", scheme="bf16", bits=16),
}
"""Row of the table -> a checkpoint of that kind."""

DEVICES = Devices(parse_devices(quantdeck_profiles.data.text("devices"), "devices.toml"))
SHOWN = ("h100-80gb", "a100-80gb", "t4")
"""Where verdicts differ between these, the cell names all three."""


def table() -> str:
    """Markdown."""
    rules = parse_rules(quantdeck_profiles.data.text("compatibility"))
    lines = [
        "| | " + " | ".join(engine.name for engine in rules.engine) + " |",
        "|---|" + "---|" * len(rules.engine),
    ]
    for name, checkpoint in CASES.items():
        cells = []
        for engine in rules.engine:
            verdicts = [judge(rules, checkpoint, engine, DEVICES.named(gpu)).verdict for gpu in SHOWN]
            cells.append(verdicts[0] if len(set(verdicts)) == 1 else " / ".join(verdicts))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
