"""`quantdeck plan` as scripts and people use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quantdeck_console.commands.plan import main
from quantdeck_console.plan_report import Report
from quantdeck_console.plan_request import parse_size
from quantdeck_core.errors import InputError, NotFoundError
from support.llamas import LLAMA_2_7B, LLAMA_2_13B, llama_folder

KEYS = {
    "weights_bytes", "weights_bytes_per_gpu", "kv_bytes_per_token", "kv_bytes_per_token_per_gpu", "kv_bytes",
    "overhead_bytes", "total_bytes", "total_bytes_per_gpu", "fits", "replicas_by_weights", "replicas_per_gpu",
    "max_concurrency", "advice",
}  # fmt: skip


def test_the_incident(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """13B in BF16 on an H100: three replicas by weights, but with a KV cache for 4096 tokens two."""
    folder = llama_folder(tmp_path / "13b", LLAMA_2_13B)
    assert main([str(folder), "--gpu", "H100-80GB", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() >= KEYS
    assert (said["fits"], said["replicas_by_weights"], said["replicas_per_gpu"]) == (True, 3, 2)
    assert said["kv_bytes_per_token"] == 40 * 2 * 5120 * 2


def test_no_is_3_and_says_what_would_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = llama_folder(tmp_path / "7b", LLAMA_2_7B)
    assert main([str(folder), "--gpu", "a100-80gb", "--max-model-len", "4096", "--max-num-seqs", "32"]) == 3
    out = capsys.readouterr().out
    assert "64.0 GiB" in out
    assert "GiB are missing" in out
    assert "1. Keep the KV cache as fp8" in out
    assert "with 8 KV heads it would be 16.0 GiB" in " ".join(out.split())
    assert max(map(len, out.splitlines()[1:])) <= 100


def test_without_a_device_it_only_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = llama_folder(tmp_path / "7b", LLAMA_2_7B, "gptq")
    assert main([str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["fits"], said["max_concurrency"], said["device"]) == (None, None, None)


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    folder = str(llama_folder(tmp_path / "7b", LLAMA_2_7B))
    with pytest.raises(NotFoundError, match="No device 'voodoo2'"):
        main([folder, "--gpu", "voodoo2"])
    with pytest.raises(InputError, match="is no device"):
        main([folder, "--gpu", "l4:0"])
    with pytest.raises(InputError, match="keeps no KV cache as 'q8_0'"):
        main([folder, "--gpu", "l4", "--kv-dtype", "q8_0"])
    with pytest.raises(InputError, match="not below"):
        main(["demo-q8", "--gpu", "cpu", "--models", str(tmp_path)])
    with pytest.raises(SystemExit):
        main([folder, "--tp", "0"])


@pytest.mark.parametrize(
    ("text", "amount"), [("64GiB", 64 * 2**30), ("32 gb", 32 * 10**9), ("1.5TiB", 3 * 2**39), ("4096", 4096)]
)
def test_sizes(text: str, amount: int) -> None:
    assert parse_size(text) == amount


def test_what_the_engine_refuses_is_said_before_memory_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = llama_folder(tmp_path / "7b", LLAMA_2_7B, "gptq")
    assert main([str(folder), "--gpu", "a100-80gb", "--engine", "llama-server", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert [problem["code"] for problem in said["problems"]] == ["refused"]
    assert "GGUF only" in said["problems"][0]["detail"]


def test_the_docs_name_every_key() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "memory.md").read_text("utf-8")
    assert [
        name for name in Report.__struct_fields__ if f"`{name}`" not in documented and f"`{name}[]`" not in documented
    ] == []


def test_the_docs_count_replicas_as_the_plan_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "memory.md").read_text("utf-8")
    for title, quantized in (("BF16", ""), ("AWQ 4-bit", "awq")):
        folder = llama_folder(tmp_path / title, LLAMA_2_13B, quantized)
        main([str(folder), "--gpu", "h100-80gb", "--json"])
        said = json.loads(capsys.readouterr().out)
        figures = (f"{said['weights_bytes'] / 1e9:.1f} GB", said["replicas_by_weights"], said["replicas_per_gpu"])
        assert f"| Llama-2-13B, {title} | {' | '.join(map(str, figures))} |" in documented
