"""`quantdeck recommend` as scripts and people use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quantdeck_console.commands.recommend import main
from quantdeck_core.errors import InputError, NotFoundError
from support.llamas import LLAMA_2_7B, llama_folder

KEYS = {
    "rank", "format", "scheme", "bits", "group_size", "engine", "verdict", "tensor_parallel", "pipeline_parallel",
    "replicas", "weights_bytes", "weights_bytes_per_gpu", "total_bytes_per_gpu", "max_concurrency", "quality",
    "reasons", "warnings", "make", "profile",
}  # fmt: skip


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gpu", "A100-80GB:4", "--model-size", "70B", "--first", "throughput", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["question"]["shape_of"], said["question"]["parameters"]) == ("Llama-2-70B", 70_000_000_000)
    assert [answer["rank"] for answer in said["answers"]] == list(range(1, len(said["answers"]) + 1))
    assert all(answer.keys() >= KEYS for answer in said["answers"])
    assert all(one.keys() >= {"format", "engine", "reason"} for one in said["rejected"])
    first = said["answers"][0]
    assert (first["bits"], first["tensor_parallel"], first["replicas"]) == (4, 2, 2)
    docs = (Path(__file__).parents[2] / "docs" / "recommend.md").read_text("utf-8")
    for key in (*said, *said["question"], *first, *first["quality"], *said["rejected"][0]):
        assert f"`{key}`" in docs or f"`{key}[]`" in docs, key


def test_text_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gpu", "a100-80gb:4", "--model-size", "70B", "--context", "8192", "--top", "20", "--rejected"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "70B parameters in the shape of Llama-2-70B on 4 x a100-80gb on nvlink" in out
    assert "for development and fine-tuning" in out.lower()
    assert "note: Only a size was given" in out


def test_three_answers_unless_more_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--gpu", "h100-80gb", "--model-size", "8b"])
    out = capsys.readouterr().out
    assert "\n3. " in out
    assert "\n4. " not in out
    assert "more answers: --top" in out


def test_a_checkpoint_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(llama_folder(tmp_path / "7b", LLAMA_2_7B))
    assert main([folder, "--gpu", "h100-80gb", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    own = next(answer for answer in said["answers"] if answer["own"])
    assert (own["scheme"], own["make"], said["question"]["shape_of"]) == ("bf16", [], None)
    assert own["weights_bytes"] == pytest.approx(13.5e9, rel=0.01)


def test_nothing_fits_is_3_and_says_what_would(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gpu", "l4", "--model-size", "70B"]) == 3
    out = capsys.readouterr().out
    assert "Nothing fits." in out
    assert "With 4 of these GPUs." in out
    assert "On l40." in out
    assert max(map(len, out.splitlines())) <= 100


def test_too_much_at_once_is_3_and_says_how_much_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gpu", "l4", "--model-size", "8B", "--sequences", "64", "--context", "8192"]) == 3
    out = capsys.readouterr().out
    assert "full sequences at once, not 64" in out


def test_ram_that_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gpu", "cpu", "--memory", "16GiB", "--model-size", "70B", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["answers"], said["nearest"]["engine"], said["nearest"]["memory_bytes"]) == ([], "llama-server", 2**36)


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    folder = str(llama_folder(tmp_path / "7b", LLAMA_2_7B))
    with pytest.raises(InputError, match="or a size"):
        main(["--gpu", "l4"])
    with pytest.raises(InputError, match="or a size"):
        main([folder, "--gpu", "l4", "--model-size", "7B"])
    with pytest.raises(NotFoundError, match="No device 'voodoo2'"):
        main(["--gpu", "voodoo2", "--model-size", "7B"])
    with pytest.raises(NotFoundError, match="nothing at"):
        main([str(tmp_path / "none"), "--gpu", "l4"])
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InputError, match="pickle"):
        main([str(tmp_path), "--gpu", "l4"])


@pytest.mark.parametrize(
    "argv",
    [
        ["--model-size", "7B"],
        *(["--gpu", "l4", "--model-size", size] for size in ("0", "-7B", "7X", "9" * 400, "1e9B", "7 cows", "")),
        ["--gpu", "l4", "--model-size", "7B", "--context", "0"],
        ["--gpu", "l4", "--model-size", "7B", "--sequences", "many"],
        ["--gpu", "l4", "--model-size", "7B", "--first", "luck"],
    ],
)
def test_usage_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
