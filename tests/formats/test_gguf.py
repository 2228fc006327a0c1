"""GGUF headers, by the PyPI package and by hand; names of quantizations; split files."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import pytest

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.formats.errors import GgufError
from quantdeck_core.formats.gguf_cursor import Budget
from quantdeck_core.formats.gguf_header import read_header
from quantdeck_core.formats.gguf_types import FILE_TYPES, TENSOR_TYPES
from support.checkpoints import MemorySource, gguf_bytes

T = gguf.GGMLQuantizationType


def checkpoint(content: bytes, name: str = "m.gguf") -> Checkpoint:
    return detect(MemorySource({name: content}))


def blocks(main: T, **others: T) -> dict[str, T]:
    """Two layers of the given type; `attn_v_0=T.Q6_K` replaces one matrix. Norms and embeddings as usual."""
    names = [f"blk.{i}.{n}" for i in range(2) for n in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up", "ffn_down")]
    kinds = {f"{name}.weight": main for name in names}
    for key, kind in others.items():
        part, layer = key.rsplit("_", 1)
        kinds[f"blk.{layer}.{part}.weight"] = kind
    return {"token_embd.weight": T.Q6_K, **kinds, "output_norm.weight": T.F32}


def test_the_type_tables_are_those_of_the_gguf_package() -> None:
    newer = {42: ("Q2_0", 64, 18)}  # llama.cpp's ggml-common.h of October 2026
    assert {n: (t.name, t.block, t.size) for n, t in TENSOR_TYPES.items()} == newer | {
        int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()
    }
    theirs = {int(k): k.name.removeprefix("MOSTLY_").removeprefix("ALL_") for k in gguf.LlamaFileType}
    assert theirs | {41: "Q2_0"} == {**FILE_TYPES, 1024: "GUESSED"}


@pytest.mark.parametrize(("variant", "name", "bits"), [("f16", "F16", 16), ("q8_0", "Q8_0", 8)])
def test_the_demo_models(demo_models: Path, variant: str, name: str, bits: int) -> None:
    path = demo_models / f"demo-{variant}.gguf"
    found = detect(LocalSource(path))
    reader = gguf.GGUFReader(path)
    assert (found.format, found.scheme, found.bits, found.label) == ("gguf", name, bits, f"GGUF {name}")
    assert found.weights_bytes == sum(int(tensor.n_bytes) for tensor in reader.tensors)
    assert found.parameters == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert (found.architecture, found.layers, found.heads, found.context_length) == ("llama", 1, 8, 8192)
    assert not found.problems


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        (blocks(T.Q4_K), "Q4_K_S"),
        (blocks(T.Q4_K, attn_v_0=T.Q5_K), "Q4_K_S"),
        (blocks(T.Q4_K, attn_v_0=T.Q6_K, ffn_down_0=T.Q6_K), "Q4_K_M"),
        (blocks(T.Q5_K), "Q5_K_S"),
        (blocks(T.Q5_K, ffn_down_1=T.Q6_K), "Q5_K_M"),
        (blocks(T.Q3_K), "Q3_K_S"),
        (blocks(T.Q3_K, attn_v_0=T.Q5_K, ffn_down_0=T.Q5_K, ffn_down_1=T.Q4_K), "Q3_K_L"),
        (blocks(T.Q3_K, attn_v_0=T.Q4_K, ffn_down_0=T.Q4_K, ffn_down_1=T.Q4_K), "Q3_K_M"),
        (blocks(T.Q2_K, ffn_down_0=T.Q3_K), "Q2_K"),
        (blocks(T.Q2_K, ffn_down_0=T.Q4_K), "Q2_K_S"),
        (blocks(T.Q6_K), "Q6_K"),
        (blocks(T.IQ4_XS, attn_v_0=T.Q5_K), "IQ4_XS"),
        (blocks(T.Q3_K, attn_v_0=T.Q8_0, attn_output_0=T.Q5_K), "Q3_K_S"),
        (blocks(T.IQ2_XS, attn_v_0=T.Q4_K), "IQ2_XS"),
        (blocks(T.IQ2_XS, attn_v_0=T.Q4_K, ffn_down_0=T.IQ3_S), "IQ2_S"),
        (blocks(T.IQ2_S, ffn_down_0=T.IQ3_S), "IQ2_M"),
        (blocks(T.IQ3_XXS, ffn_down_0=T.IQ3_S, ffn_down_1=T.IQ3_S), "IQ3_XS"),
        (blocks(T.IQ3_S, ffn_down_0=T.Q4_K), "IQ3_M"),
        (blocks(T.IQ3_S, attn_v_0=T.Q4_K), "IQ3_S"),
        (blocks(T.MXFP4, ffn_up_exps_0=T.MXFP4), "MXFP4_MOE"),
        (blocks(T.MXFP4), "MXFP4"),
        (blocks(T.NVFP4), "NVFP4"),
        (blocks(T.BF16), "BF16"),
    ],
)
def test_names_from_tensors(tmp_path: Path, kinds: dict[str, T], name: str) -> None:
    assert checkpoint(gguf_bytes(tmp_path / "m.gguf", kinds)).scheme == name


def test_the_summary_decides_only_what_tensors_cannot(tmp_path: Path) -> None:
    mix = checkpoint(gguf_bytes(tmp_path / "m.gguf", blocks(T.IQ3_S), file_type=gguf.LlamaFileType.MOSTLY_IQ3_M))
    assert (mix.scheme, mix.problems) == ("IQ3_M", ())
    lie = checkpoint(gguf_bytes(tmp_path / "n.gguf", blocks(T.Q4_K), file_type=gguf.LlamaFileType.MOSTLY_Q8_0))
    assert lie.scheme == "Q4_K_S"
    assert [problem.code for problem in lie.problems] == ["file-type-wrong"]


def test_shape_of_latent_and_sliding_attention(tmp_path: Path) -> None:
    numbers = {
        "llama__attention__key_length": 192,
        "llama__attention__value_length": 128,
        "llama__attention__kv_lora_rank": 512,
        "llama__attention__key_length_mla": 192,
        "llama__rope__dimension_count": 64,
        "llama__attention__sliding_window": 1024,
    }
    found = checkpoint(gguf_bytes(tmp_path / "m.gguf", blocks(T.Q8_0), **numbers))
    assert (found.head_dim, found.head_dim_v, found.mla, found.kv_lora_rank) == (192, 128, True, 512)
    assert (found.qk_rope_head_dim, found.sliding_window, found.kv_heads) == (64, 1024, 2)


def test_a_large_vocabulary_is_walked_in_one_pass(tmp_path: Path) -> None:
    content = gguf_bytes(tmp_path / "m.gguf", blocks(T.Q8_0), tokens=100_000)
    source = MemorySource({"m.gguf": content})
    assert detect(source).scheme == "Q8_0"
    assert source.taken < len(content) + 512 * 1024


def header(version: int = 3, tensors: int = 0, keys: int = 0, magic: bytes = b"GGUF") -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, keys)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def tensor(name: bytes, shape: tuple[int, ...], kind: int, offset: int = 0) -> bytes:
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header(version=1), "version 1"),
        (header(version=4), "version 4"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (header(tensors=2**63), "9223372036854775808 tensors"),
        (header(keys=2**63), "keys"),
        (header(keys=1) + struct.pack("<Q", 2**63), "string of 9223372036854775808 bytes"),
        (header(keys=1) + string(b"k") + struct.pack("<I", 99), "unknown type 99"),
        (header(keys=1) + string(b"k") + struct.pack("<IIQ", 9, 9, 1), "nests arrays"),
        (header(keys=1) + string(b"k") + struct.pack("<IIQ", 9, 4, 2**63), "cut short"),
        (header(keys=1) + string(b"k") + struct.pack("<IIQ", 9, 8, 2**63), "strings; no model has"),
        (header(keys=1) + string(b"k") + struct.pack("<IIQQ", 9, 8, 1, 2**63), "in an array"),
        (header(keys=2) + (string(b"k") + struct.pack("<II", 4, 1)) * 2, "twice"),
        (header(keys=1) + string(b"general.alignment") + struct.pack("<II", 4, 3), "no power of two"),
        (header(tensors=1) + tensor(b"t", (256,), 4), "type 4"),
        (header(tensors=1) + tensor(b"t", (100,), 12), "impossible for Q4_K"),
        (header(tensors=1) + tensor(b"t", (2**40, 2**40), 0), "impossible for F32"),
        (header(tensors=1) + tensor(b"t", (1,) * 5, 0), "5 dimensions"),
        (header(tensors=1) + tensor(b"t" * 64, (1,), 0), "string of 64 bytes"),
        (header(tensors=1) + tensor(b"t", (256,), 0, offset=32), "should at 0"),
        (header(tensors=1) + tensor(b"t", (256,), 0), "tensors end at byte"),
        (header(tensors=2) + tensor(b"t", (8,), 0) + tensor(b"t", (8,), 0, 32), "twice"),
    ],
)
def test_refusals(content: bytes, words: str) -> None:
    with pytest.raises(GgufError) as caught:
        read_header(MemorySource({"m.gguf": content}), "m.gguf", Budget())
    assert words in caught.value.detail
    assert caught.value.hint


def split(tmp_path: Path, total: int) -> dict[str, bytes]:
    """Two parts of 14 tensors each, which say that there are `total`."""
    said = {"split__count": 2, "split__tensors__count": total}
    one, two = (
        gguf_bytes(tmp_path / part, {f"{part}.{n}": kind for n, kind in blocks(T.Q8_0).items()}, **said)
        for part in ("a", "b")
    )
    return {"m-00001-of-00002.gguf": one, "m-00002-of-00002.gguf": two}


def test_split_files(tmp_path: Path) -> None:
    parts = split(tmp_path, 28)
    first, second = parts
    whole = detect(MemorySource(parts))
    assert (whole.files, whole.problems) == (2, ())
    assert whole.weights_bytes == 2 * detect(MemorySource({"m.gguf": parts[first]})).weights_bytes
    half = detect(MemorySource({second: parts[second]}))
    assert [problem.code for problem in half.problems] == ["shard-missing"]
    assert [problem.code for problem in checkpoint(parts[first]).problems] == ["split-name"]
    mixed = detect(MemorySource(split(tmp_path, 29)))
    assert [problem.code for problem in mixed.problems] == ["split-mixed"]
