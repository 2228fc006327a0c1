"""`quantdeck check` as scripts use it: exit codes, JSON, odd paths, a very large checkpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from quantdeck_console.commands.check import Report
from support.checkpoints import LLAMA, hf, hf_on_disk, sparse_safetensors

GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True, "sym": True}


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quantdeck", "check", *map(str, arguments)], capture_output=True, text=True, timeout=30
    )


def body(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
    done = check(*arguments, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def act_order(tmp_path: Path) -> Path:
    tensors = {"m.qweight": ("I32", (32, 256)), "m.g_idx": ("I32", (256,))}
    return hf_on_disk(tmp_path / "gptq", hf(GPTQ, tensors))


def test_json_of_a_gguf(demo_models: Path) -> None:
    found = body(demo_models / "demo-q8_0.gguf")
    assert {"format", "bits", "group_size", "architecture", "parameters", "weights_bytes", "problems"} <= found.keys()
    assert (found["format"], found["bits"], found["architecture"]) == ("gguf", 8, "llama")
    verdicts = {one["engine"]: one["verdict"] for one in found["engines"]}
    assert verdicts["xllamacpp"] == "ok"
    assert verdicts["vllm"] == "plugin"
    assert all({"engine", "verdict", "reason", "hint"} <= one.keys() for one in found["engines"])


def test_exit_codes(demo_models: Path, act_order: Path) -> None:
    assert body(act_order, status=0)["desc_act"] is True  # transformers has a plugin for it
    assert body(act_order)["to_gguf"]["verdict"] == "dequantize-first"  # it has no .qzeros
    refused = body(act_order, "--engine", "vllm", status=3)
    assert [one["verdict"] for one in refused["engines"]] == ["refused"]
    assert check(demo_models / "demo-f16.gguf", "--engine", "llama-server", "--gpu", "CPU").returncode == 0
    assert check(demo_models / "demo-f16.gguf", "--engine", "vllm-cpu").returncode == 3


def test_a_pickle_is_refused_by_all(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04" + bytes(10))
    assert body(tmp_path, status=3)["format"] == "pickle"


def test_the_readable_table(act_order: Path) -> None:
    done = check(act_order, "--gpu", "a100-80gb")
    assert "GPTQ 4-bit, group 128, desc_act" in done.stdout
    assert "LlamaForCausalLM, 2 layers, heads 8 (2 KV) of 32" in done.stdout
    assert "on a100-80gb" in done.stdout
    assert "to GGUF  dequantize-first: The converter wants `.qzeros`, `.scales`" in done.stdout
    assert "desc_act=false" in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines()[1:])


def test_input_that_cannot_be_read(tmp_path: Path, demo_models: Path) -> None:
    broken = tmp_path / "m.gguf"
    broken.write_bytes(b"GGUF" + bytes(3))
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    odd = os.fsencode(tmp_path) + b"/\xff\x1b.gguf"
    Path(os.fsdecode(odd)).write_bytes(b"GGUF")
    for path in (tmp_path / "none", broken, loop, pipe, demo_models, "", os.fsdecode(odd), "x" * 5000):
        found = body(path, status=2)
        assert found["error"]["detail"]
        assert found["error"]["hint"]
    assert body(demo_models / "demo-f16.gguf", "--gpu", "voodoo2", status=2)["error"]["code"] == "not-found"
    assert body(demo_models / "demo-f16.gguf", "--engine", "vlm", status=2)["error"]["code"] == "not-found"


def test_links_as_in_the_hugging_face_cache(tmp_path: Path) -> None:
    blobs = hf_on_disk(tmp_path / "blobs", hf())
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).symlink_to(f"../blobs/{name}")
    (snapshot / "circle.safetensors").symlink_to("circle.safetensors")
    (snapshot / "up").symlink_to("..")
    assert body(snapshot)["weights_bytes"] == body(blobs)["weights_bytes"]
    assert body(snapshot / "model.safetensors")["layers"] == 2


def test_700_gb_in_a_second(tmp_path: Path) -> None:
    """163 shards, 91,000 tensors: the shape of the largest open checkpoint in FP8."""
    weight_map: dict[str, str] = {}
    total, shards, experts = 0, 163, 280
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
        for expert in range(experts):
            stem = f"model.layers.{shard}.mlp.experts.{expert}.up_proj"
            tensors[f"{stem}.weight"] = ("F8_E4M3", (2048, 7500))
            tensors[f"{stem}.weight_scale_inv"] = ("F32", (16, 59))
        sparse_safetensors(tmp_path / name, tensors)
        total += sum(2048 * 7500 if kind == "F8_E4M3" else 16 * 59 * 4 for kind, _ in tensors.values())
        weight_map |= dict.fromkeys(tensors, name)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    quantization = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "quantization_config": quantization}))
    assert total > 700e9

    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "check", str(tmp_path), "--gpu", "h200-141gb", "--json"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    took = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    found, peak = json.loads(done.stdout), int(done.stderr) * 1024
    assert (found["weights_bytes"], found["files"], found["format"]) == (total, shards, "fp8")
    assert found["parameters"] == shards * experts * 2048 * 7500
    # A second on an idle machine; twice that where other tests run beside this one.
    assert took < 2
    assert peak < 100 << 20, f"{peak / 2**20:.0f} MiB, {took:.2f} s"


MEASURED = """
import re, sys
from pathlib import Path
from quantdeck.main import main
status = main()
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], file=sys.stderr)
sys.exit(status)
"""
"""The command, then its largest resident memory in KiB. (`ru_maxrss` of a child counts the process that started it.)"""


def test_the_docs_name_every_key() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
    missing = [
        key for key in Report.__struct_fields__ if f"`{key}`" not in documented and f"`{key}[]`" not in documented
    ]
    assert missing == []
