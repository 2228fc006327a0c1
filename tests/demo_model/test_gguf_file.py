"""The files: what is in them, and that they are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from quantdeck_demo.model import VARIANTS, make_models, variants
from quantdeck_demo.model.gguf_file import recipe_of
from quantdeck_demo.model.vocabulary import CHAT_TEMPLATE, SIZE, vocabulary

_STORED = {"f16": "F16", "q8_0": "Q8_0", "damaged": "Q8_0", "q4_0": "Q4_0"}
_BITS = {"f16": 16, "q8_0": 8.5, "damaged": 8.5, "q4_0": 4.5}


@pytest.mark.parametrize("variant", _STORED)
def test_matrices_have_the_stored_type_and_norms_are_f32(models: dict[str, Path], variant: str) -> None:
    tensors = gguf.GGUFReader(models[variant]).tensors
    types = {len(tensor.shape): set[str]() for tensor in tensors}
    for tensor in tensors:
        types[len(tensor.shape)].add(tensor.tensor_type.name)
        assert {int(size) for size in tensor.shape} == {SIZE}
    assert types == {1: {"F32"}, 2: {_STORED[variant]}}


@pytest.mark.parametrize("variant", _STORED)
def test_sizes_follow_the_bits(models: dict[str, Path], variant: str) -> None:
    matrices = 9 * SIZE * SIZE * _BITS[variant] / 8
    assert matrices < models[variant].stat().st_size < matrices + 50_000


def test_metadata_names_what_an_engine_needs(models: dict[str, Path]) -> None:
    reader = gguf.GGUFReader(models["q8_0"])

    def value(key: str) -> object:
        field = reader.get_field(key)
        assert field is not None, key
        return field.contents()

    assert value("general.architecture") == "llama"
    assert value("general.file_type") == gguf.LlamaFileType.MOSTLY_Q8_0
    assert value("tokenizer.chat_template") == CHAT_TEMPLATE
    assert value("tokenizer.ggml.tokens") == list(vocabulary().tokens)
    assert value("tokenizer.ggml.add_bos_token") is False


def test_variants_differ_and_making_them_again_gives_the_same_bytes(models: dict[str, Path], tmp_path: Path) -> None:
    again = make_models(tmp_path, VARIANTS)
    contents = {variant: path.read_bytes() for variant, path in again.items()}
    assert len(set(contents.values())) == len(VARIANTS)
    assert contents == {variant: models[variant].read_bytes() for variant in VARIANTS}


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    first = make_models(tmp_path / "new" / "folder", progress=lines.append)
    assert list(first) == list(VARIANTS)
    times = [path.stat().st_mtime_ns for path in first.values()]
    assert all("made" in line for line in lines)
    lines.clear()
    assert make_models(tmp_path / "new" / "folder", progress=lines.append) == first
    assert [path.stat().st_mtime_ns for path in first.values()] == times
    assert [line.split()[0] for line in lines] == [path.name for path in first.values()]
    assert all("already" in line for line in lines)


@pytest.mark.parametrize("kept", [0, 3, 40, 2_000, 20_000, 1_000_000, -600])
def test_a_truncated_file_is_remade(models: dict[str, Path], tmp_path: Path, kept: int) -> None:
    whole = models["q8_0"].read_bytes()
    path = tmp_path / "demo-q8_0.gguf"
    path.write_bytes(whole[:kept])
    assert recipe_of(path) is None
    assert make_models(tmp_path, ["q8_0"]) == {"q8_0": path}
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"GGUF", b"no model at all\n" * 100], ids=["magic", "text"])
def test_what_is_no_model_is_replaced(models: dict[str, Path], tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "demo-f16.gguf"
    path.write_bytes(content)
    make_models(tmp_path, ["f16"])
    assert path.read_bytes() == models["f16"].read_bytes()


def test_a_model_of_other_inputs_or_another_variant_is_remade(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "demo-q8_0.gguf"
    path.write_bytes(models["damaged"].read_bytes())
    make_models(tmp_path, ["q8_0"])
    assert path.read_bytes() == models["q8_0"].read_bytes()
    monkeypatch.setattr(variants, "_digest_of_inputs", lambda: "another")
    make_models(tmp_path, ["q8_0"])
    assert recipe_of(path) == "q8_0 another"


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "demo-q8_0.gguf"
    path.write_bytes(b"old")

    def fail(self: object, **_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", fail)
    with pytest.raises(OSError, match="no space"):
        make_models(tmp_path, ["q8_0"])
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"demo-q8_0.gguf": b"old"}


def test_an_unknown_variant_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no such variant: q3_k; there are f16, q8_0, q4_0, damaged"):
        make_models(tmp_path / "models", ["f16", "q3_k"])
    assert not (tmp_path / "models").exists()
