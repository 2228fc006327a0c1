"""Run by vLLM's interpreter: BASE FOLDER writes a Llama checkpoint again in GPTQ 4-bit, symmetric, groups of 128.

As GPTQ's loaders read it: eight values an int32, the low nibble first, `value = (code - 8) * scale`; zeros are stored
less one.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

GROUP = 128


def pack(weight: torch.Tensor) -> dict[str, torch.Tensor]:
    """One linear layer, (out, in) -> its four tensors."""
    values = weight.float().T.contiguous()
    inputs, outputs = values.shape
    groups = values.view(inputs // GROUP, GROUP, outputs)
    scales = groups.abs().amax(1) / 7
    scales[scales == 0] = 1
    codes = (groups / scales[:, None]).round().clamp(-8, 7).view(inputs, outputs).to(torch.int64) + 8
    shifts = torch.arange(8, dtype=torch.int64) * 4
    words = (codes.view(inputs // 8, 8, outputs) << shifts[None, :, None]).sum(1)
    return {
        "qweight": words.to(torch.uint32).view(torch.int32),
        "qzeros": torch.full((inputs // GROUP, outputs // 8), 0x77777777, dtype=torch.int32),
        "scales": scales.half(),
        "g_idx": torch.arange(inputs, dtype=torch.int32) // GROUP,
    }


base, folder = Path(sys.argv[1]), Path(sys.argv[2])
shutil.copytree(base, folder)
tensors = {}
for name, weight in load_file(base / "model.safetensors").items():
    if name.endswith("_proj.weight"):
        packed = pack(weight)
        tensors |= {name.removesuffix("weight") + part: tensor.contiguous() for part, tensor in packed.items()}
    else:
        tensors[name] = weight
save_file(tensors, folder / "model.safetensors", {"format": "pt"})
config = json.loads((folder / "config.json").read_text())
config["quantization_config"] = {
    "quant_method": "gptq", "bits": 4, "group_size": GROUP, "sym": True, "desc_act": False, "checkpoint_format": "gptq",
}  # fmt: skip
config["dtype"] = config["torch_dtype"] = "float16"
(folder / "config.json").write_text(json.dumps(config, indent=1))
