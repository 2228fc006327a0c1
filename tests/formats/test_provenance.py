"""How a checkpoint was quantized, from what each tool leaves beside the weights."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from quantdeck_core.formats.checkpoint import Provenance
from quantdeck_core.formats.detect import detect
from quantdeck_core.formats.provenance import RECIPE_LIMIT
from support.checkpoints import MemorySource, hf

PACKED = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}, "input_activations": None}},
}


def provenance(quantization: dict[str, Any], **beside: str) -> Provenance | str:
    files = {name.replace("__", "."): content.encode() for name, content in beside.items()}
    return detect(MemorySource({**hf(quantization), **files})).provenance


RECIPE = """\
default_stage:
  default_modifiers:
    SmoothQuantModifier:
      smoothing_strength: 0.8
      mappings:
      - - ['re:.*q_proj', 're:.*k_proj']
        - re:.*input_layernorm
    GPTQModifier:
      targets: [Linear]
      ignore: [lm_head]
      scheme: W8A8
      sequential_update: true
      dampening_frac: 0.01
"""


def test_recipes_of_llm_compressor() -> None:
    assert provenance(PACKED, recipe__yaml=RECIPE) == Provenance(
        tool="llm-compressor", method="SmoothQuant, GPTQ, scheme W8A8", true_sequential=True
    )
    flow = "stage:\n  modifiers:\n    GPTQModifier: {scheme: W4A16, num_calibration_samples: 512, dataset: 'x'}"
    assert provenance(PACKED, recipe__yaml=flow) == Provenance(
        tool="llm-compressor", method="GPTQ, scheme W4A16", samples=512, calibration_set="x"
    )
    assert provenance(PACKED, recipe__yaml="# nothing\n") == "unknown"


@pytest.mark.parametrize(
    "recipe",
    [
        "a: &a [" + "*a," * 20_000 + "]",
        "lol1: &lol1 [a]\n" + "".join(f"lol{i}: &lol{i} [{f'*lol{i - 1},' * 9}]\n" for i in range(2, 30)),
        "!!python/object/apply:os.system ['true']",
        "scheme: *anchor\ndataset: &a |\n  x",
        "scheme:" + " " * 200_000 + "x",
        "{" * 100_000,
        "num_calibration_samples: " + "9" * 100_000,
        "\x1b[2J\x00\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_hostile_recipes_say_nothing_and_take_no_time(recipe: str) -> None:
    began = time.perf_counter()
    assert provenance(PACKED, recipe__yaml=recipe) == "unknown"
    assert time.perf_counter() - began < 0.5


def test_a_long_recipe_is_read_to_its_limit() -> None:
    source = MemorySource({**hf(PACKED), "recipe.yaml": RECIPE.encode() + b"#" * (10 * RECIPE_LIMIT)})
    small = MemorySource({**hf(PACKED), "recipe.yaml": b""})
    assert isinstance(detect(source).provenance, Provenance)
    detect(small)
    assert source.taken - small.taken <= RECIPE_LIMIT


def test_autoround_modelopt_and_gptqmodel() -> None:
    auto = {"quant_method": "auto-round", "bits": 4, "group_size": 128, "autoround_version": "0.15.1"}
    more = {"iters": 1000, "nsamples": 512, "seqlen": 4096, "dataset": "NeelNanda/pile-10k"}
    assert provenance({**auto, **more}) == Provenance(
        tool="auto-round 0.15.1",
        method="1000 iterations",
        samples=512,
        sequence_length=4096,
        calibration_set="NeelNanda/pile-10k",
    )
    # AutoRound leaves out what it did by default: that is not known, not zero.
    assert provenance(auto) == Provenance(tool="auto-round 0.15.1")
    modelopt = {"quant_method": "modelopt", "quant_algo": "FP8", "producer": {"name": "modelopt", "version": "0.47.0"}}
    assert provenance(modelopt) == Provenance(tool="modelopt 0.47.0")
    beside = json.dumps({"meta": {"quantizer": ["gptqmodel:7.7.0"], "true_sequential": False}})
    gptq = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    assert provenance(gptq, quantize_config__json=beside) == Provenance(tool="gptqmodel:7.7.0", true_sequential=False)
    texts = provenance({**gptq, "dataset": ["one", "two"]})
    assert isinstance(texts, Provenance)
    assert texts.calibration_set == "2 texts of its own"
