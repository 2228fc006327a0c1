"""`quantdeck profile ...` as scripts use it: output, JSON keys, exit codes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantdeck_console.commands.profile import main
from quantdeck_core.errors import ConflictError, ExitCode, InputError, NotFoundError, QuantdeckError, exit_code_of
from quantdeck_core.profile.check import parse_profile
from quantdeck_core.profile.serve import Serve
from support.checkpoints import PLAIN, hf, hf_on_disk, sparse_safetensors
from support.profiles import BUILT_IN, FLAGS, toml

PACKED = {"m.qweight": ("I32", (32, 256))}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; its standard output."""

    def one(*arguments: str | Path, status: int = 0) -> str:
        capsys.readouterr()
        assert main([str(word) for word in arguments]) == status
        return capsys.readouterr().out

    return one


@pytest.fixture
def gptq(tmp_path: Path) -> Path:
    """A checkpoint that vLLM serves."""
    return hf_on_disk(tmp_path / "Tiny Llama GPTQ", hf(GPTQ, PACKED))


def refused(kind: type[QuantdeckError], *arguments: str | Path) -> QuantdeckError:
    with pytest.raises(kind) as caught:
        main([str(word) for word in arguments])
    assert caught.value.hint
    return caught.value


def test_list(run: Run) -> None:
    text = run("list")
    assert all(name in text for name in BUILT_IN)
    listed = json.loads(run("list", "--json"))
    assert {"name", "engine", "description", "model", "served_name", "development", "serve"} <= listed[0].keys()
    assert [one["name"] for one in listed if one["development"]] == ["llama-2-7b-nf4-dev"]


def test_every_built_in_profile_says_when_to_choose_it(run: Run) -> None:
    for name in BUILT_IN:
        text = run("show", name)
        assert text.startswith("# ")
        assert name.startswith("demo-") or "Choose it" in text or "Development only" in text
        assert parse_profile(text, name, FLAGS) == BUILT_IN[name]


def test_show_as_json_has_every_default(run: Run) -> None:
    serve = json.loads(run("show", "llama-2-7b-gptq-int4", "--json"))["serve"]
    assert serve.keys() == {*Serve.__struct_fields__, "nodes"}
    assert (serve["gpu_memory_utilization"], serve["enforce_eager"], serve["threads"]) == (0.9, False, None)


def test_render(run: Run, tmp_path: Path) -> None:
    text = run("render", "llama-2-7b-gptq-int4", "--model-path", "/models/my model", "--port", "9000")
    assert "vllm serve '/models/my model' \\" in text
    assert "  --port 9000 \\" in text
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    words = shlex.split(body.replace("\\\n", ""))
    rendered = json.loads(
        run("render", "llama-2-7b-gptq-int4", "--model-path", "/models/my model", "--port", "9000", "--json")
    )
    keys = {"argv", "env", "env_from", "drops", "profile", "engine", "version", "replica", "note", "parts"}
    assert rendered.keys() == keys
    assert words == [f"{name}={value}" for name, value in rendered["env"].items()] + rendered["argv"]
    assert (rendered["engine"], rendered["version"], rendered["note"]) == ("vllm", "0.33.0", "")
    # A shell makes the same of it.
    show = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
    script = body.replace("vllm serve", shlex.join(show) + " serve", 1)
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(rendered["argv"][1:])


def test_render_for_a_version_and_a_replica(run: Run) -> None:
    second = json.loads(run("render", "llama-2-70b-gptq-int4-tp2", "--replica", "1", "--json"))
    assert second["env"]["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert second["argv"][second["argv"].index("--port") + 1] == "8001"
    newer = json.loads(run("render", "llama-2-7b-fp8", "--engine-version", "0.99.0", "--json"))
    assert "known up to vllm 0.33.0" in newer["note"]
    assert "no replica 2" in refused(InputError, "render", "llama-2-70b-gptq-int4-tp2", "--replica", "2").detail
    assert "no port" in refused(InputError, "render", "demo-q8", "--port", "70000").detail
    assert exit_code_of(refused(QuantdeckError, "render", "demo-q8", "--engine-version", "1.0")) == ExitCode.NO
    assert exit_code_of(refused(QuantdeckError, "render", "demo-q8", "--engine-version", "x")) == ExitCode.USAGE


def test_render_of_an_external_engine_is_a_no(tmp_path: Path) -> None:
    file = tmp_path / "there.toml"
    file.write_text(toml("external", top='url = "http://10.0.0.7:8000"'))
    error = refused(QuantdeckError, "render", file)
    assert exit_code_of(error) == ExitCode.NO
    assert "http://10.0.0.7:8000" in error.hint


def test_defaults_follow_the_size_of_a_checkpoint_that_is_here(run: Run, tmp_path: Path) -> None:
    large = {f"model.layers.{n}.mlp.up_proj.weight": ("BF16", (200_000, 170_000)) for n in range(2)}
    files = hf(None, {})
    folder = hf_on_disk(tmp_path / "large", {"config.json": files["config.json"]})
    sparse_safetensors(folder / "model.safetensors", large)
    file = tmp_path / "p.toml"
    file.write_text(toml("vllm"))
    argv = json.loads(run("render", file, "--model-path", folder, "--json"))["argv"]
    assert argv[argv.index("--max-num-seqs") + 1] == "128"


def test_validate_without_the_checkpoint(run: Run) -> None:
    assert "not on this machine" in run("validate", "llama-2-7b-gptq-int4")
    body = json.loads(run("validate", "llama-2-7b-gptq-int4", "--json"))
    assert body.keys() == {"profile", "path", "checkpoint", "verdict", "problems"}
    assert body["verdict"] is None
    refused(NotFoundError, "validate", "llama-2-7b-gptq-int4", "--model-path", "/none")


def test_validate_with_the_checkpoint(run: Run, gptq: Path, demo_models: Path) -> None:
    good = json.loads(run("validate", "llama-2-7b-gptq-int4", "--model-path", gptq, "--json"))
    assert (good["checkpoint"], good["verdict"]["verdict"]) == ("GPTQ 4-bit, group 128", "ok")
    bad = run(
        "validate", "llama-2-7b-gptq-int4", "--model-path", demo_models / "demo-f16.gguf", "--gpu", "cpu", status=3
    )
    assert "vllm: refused" in bad
    long = run("validate", "mistral-7b-awq-int4-g64-long", "--model-path", gptq, status=3)
    assert "16384 is more than the 4096 tokens" in long


@pytest.mark.parametrize(
    ("quantization", "engine", "words"),
    [
        (GPTQ, "vllm", "max_num_batched_tokens = 8192"),
        (None, "vllm", "gpu_memory_utilization = 0.90"),
        (NF4, "vllm", "development = true"),
    ],
)
def test_new_for_safetensors(
    run: Run, tmp_path: Path, quantization: dict[str, Any] | None, engine: str, words: str
) -> None:
    folder = hf_on_disk(tmp_path / "My_Model (v2)", hf(quantization, PACKED if quantization is GPTQ else PLAIN))
    text = run("new", folder)
    assert words in text
    profile = parse_profile(text, "new", FLAGS)
    assert (profile.name, profile.engine, profile.model) == ("my_model-v2", engine, str(folder))
    assert profile.serve.trust_remote_code is False


def test_new_for_a_gguf_chooses_what_does_not_refuse(run: Run, demo_models: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    said = run("new", demo_models / "demo-q8_0.gguf", "--output", file, "--name", "mine")
    assert "llama-server (ok)" in said
    profile = parse_profile(file.read_text(), "mine", FLAGS)
    assert (profile.name, profile.engine) == ("mine", "llama-server")
    run("render", file)
    run("validate", file)
    before = file.read_text()
    assert exit_code_of(refused(ConflictError, "new", demo_models / "demo-f16.gguf", "--output", file)) == ExitCode.NO
    assert file.read_text() == before
    for engine in ("xllamacpp", "llama-cpp-python"):
        made = json.loads(run("new", demo_models / "demo-f16.gguf", "--engine", engine, "--json"))
        assert made.keys() == {"name", "engine", "verdict", "reason", "toml", "output"}
        assert parse_profile(made["toml"], "new", FLAGS).engine == engine


def test_new_refuses_what_the_engine_refuses(gptq: Path, tmp_path: Path) -> None:
    error = refused(QuantdeckError, "new", gptq, "--engine", "llama-server")
    assert exit_code_of(error) == ExitCode.NO
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "pytorch_model.bin").write_bytes(b"PK\x03\x04" + bytes(10))
    assert "pickle" in refused(QuantdeckError, "new", tmp_path / "x").detail
    assert exit_code_of(refused(QuantdeckError, "new", tmp_path / "none")) == ExitCode.USAGE
    assert refused(InputError, "new", gptq, "--name", "Bad Name").detail == "'Bad Name' is no name of a profile."
    refused(InputError, "new", gptq, "--output", tmp_path / "no" / "x.toml")


def test_profiles_are_equal_after_json() -> None:
    for profile in BUILT_IN.values():
        assert msgspec.json.decode(msgspec.json.encode(profile), type=type(profile)) == profile


def test_models_are_found_below_the_folder_that_is_named(run: Run, gptq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTDECK_MODELS", str(gptq.parent))
    (gptq.parent / "llama-2-7b-gptq").symlink_to(gptq)
    assert "GPTQ 4-bit, group 128" in run("validate", "llama-2-7b-gptq-int4")
    assert f"{gptq.parent}/llama-2-7b-gptq \\" in run("render", "llama-2-7b-gptq-int4")


def test_the_version_of_the_engine_decides_too(run: Run, tmp_path: Path) -> None:
    folder = hf_on_disk(tmp_path / "nf4", hf(NF4))
    named = ("validate", "llama-2-7b-nf4-dev", "--model-path", folder, "--json")
    verdicts = [json.loads(run(*named, "--engine-version", v))["verdict"]["verdict"] for v in ("0.24.0", "0.33.0")]
    assert verdicts[1] == "plugin" != verdicts[0]
