"""Hostile files: cut at every byte, changed bytes, random bytes. Only errors for users, bounded reads."""

from __future__ import annotations

import contextlib
import json
import struct

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.seeds import seeds
from fuzz.target import run
from quantdeck_core.errors import InputError
from quantdeck_core.formats import hf_model
from quantdeck_core.formats.detect import detect
from quantdeck_core.formats.gguf_cursor import NUMBERS_LIMIT, Budget
from quantdeck_core.formats.gguf_header import read_header
from support.checkpoints import LLAMA, PLAIN, MemorySource, gguf_bytes, hf, safetensors

Q8_0, F32 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32
ANY = settings(max_examples=300, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """One whole checkpoint of each container."""
    path = tmp_path_factory.mktemp("small") / "m.gguf"
    content = gguf_bytes(path, {"blk.0.attn_q.weight": Q8_0, "output_norm.weight": F32}, rows=1)
    gptq = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True}
    return {"gguf": {"m.gguf": content}, "safetensors": hf(gptq, {"a.qweight": ("I32", (8,)), "b": ("F16", (2, 2))})}


def survive(files: dict[str, bytes]) -> bool:
    """Whether it is read; refusing is fine, everything else is not. No byte is read more than a few times."""
    source = MemorySource(files)
    read = False
    with contextlib.suppress(InputError):
        detect(source)
        read = True
    assert source.taken <= 3 * sum(map(len, files.values())) + 256
    return read


@pytest.mark.parametrize(("kind", "name"), [("gguf", "m.gguf"), ("safetensors", "model.safetensors")])
def test_cut_at_every_byte(small: dict[str, dict[str, bytes]], kind: str, name: str) -> None:
    files = small[kind]
    assert survive(files)
    whole = files[name]
    # GGUF pads its end; every cut before the padding is seen.
    last = len(whole.rstrip(b"\0")) if kind == "gguf" else len(whole)
    assert not any(survive({**files, name: whole[:length]}) for length in range(last))


@pytest.mark.parametrize(("kind", "name"), [("gguf", "m.gguf"), ("safetensors", "model.safetensors")])
@ANY
@given(data=st.data())
def test_changed_bytes(small: dict[str, dict[str, bytes]], kind: str, name: str, data: st.DataObject) -> None:
    content = bytearray(small[kind][name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    survive({**small[kind], name: bytes(content)})


@pytest.mark.parametrize(("kind", "name"), [("gguf", "m.gguf"), ("safetensors", "model.safetensors")])
@ANY
@given(data=st.data())
def test_huge_numbers_anywhere(small: dict[str, dict[str, bytes]], kind: str, name: str, data: st.DataObject) -> None:
    content = bytearray(small[kind][name])
    at = data.draw(st.integers(0, len(content) - 8))
    number = data.draw(st.sampled_from([2**63, 2**63 - 1, 2**64 - 1, 2**32, 2**31 - 1, 65_536, 2**24]))
    content[at : at + 8] = struct.pack("<Q", number)
    survive({**small[kind], name: bytes(content)})


@ANY
@given(
    content=st.binary(max_size=400),
    name=st.sampled_from(["a.gguf", "a.safetensors", "config.json", "model.safetensors.index.json", "a.bin", "a"]),
    magic=st.sampled_from([b"", b"GGUF\x03\0\0\0", b"PK\x03\x04", b'\x20\0\0\0\0\0\0\0{"']),
)
def test_random_files(content: bytes, name: str, magic: bytes) -> None:
    survive({name: magic + content})
    survive({**hf(), name: magic + content})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*LLAMA, "quantization_config", "auto_map", "text_config", "sliding_window", "layer_types", "kv_lora_rank"]
QUANTIZATION = [
    "bits", "w_bit", "group_size", "desc_act", "sym", "config_groups", "weight_block_size", "quant_algo", "meta",
    "load_in_4bit", "bnb_4bit_quant_type", "dataset", "nsamples",
]  # fmt: skip
METHODS = ["gptq", "awq", "compressed-tensors", "fp8", "modelopt", "bitsandbytes", "auto-round", "mxfp4"]


@ANY
@given(
    config=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    quantization=st.dictionaries(st.sampled_from(QUANTIZATION), JSON, max_size=4),
    group=st.dictionaries(st.sampled_from(["num_bits", "type", "group_size", "actorder", "symmetric"]), JSON),
    method=st.sampled_from(METHODS),
)
def test_fields_of_any_type(
    config: dict[str, object], quantization: dict[str, object], group: dict[str, object], method: str
) -> None:
    body = {
        **LLAMA,
        "quantization_config": {"config_groups": {"g": {"weights": group}}, **quantization, "quant_method": method},
        **config,
    }
    survive({"config.json": json.dumps(body).encode(), "model.safetensors": safetensors(PLAIN)})


class EndlessSource:
    """Files that claim a petabyte and hold the same bytes over and over after their beginning."""

    def __init__(self, head: bytes, filler: bytes, names: tuple[str, ...] = ("m.gguf",)) -> None:
        self.head, self.filler, self.taken, self.names = head, filler, 0, names

    def files(self) -> dict[str, int]:
        return dict.fromkeys(self.names, 1 << 50)

    def read(self, name: str, offset: int, length: int) -> bytes:
        assert name in self.names
        self.taken += length
        head = self.head[offset : offset + length]
        rest = length - len(head)
        shift = max(0, offset - len(self.head)) % len(self.filler)
        return head + (self.filler * (rest // len(self.filler) + 2))[shift : shift + rest]


HEAD = b"GGUF" + struct.pack("<IQQ", 3, 60_000, 60_000)
STRINGS = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 8, 1 << 21)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("head", "filler"),
    [
        (HEAD, b"\0"),
        (HEAD, b"\xff"),
        (HEAD + STRINGS, b"\0"),
        (HEAD + STRINGS, struct.pack("<Q", 16 << 20) + b"\0" * 8),
    ],
)
def test_a_petabyte_is_not_read(head: bytes, filler: bytes) -> None:
    source = EndlessSource(head, filler)
    with pytest.raises(InputError):
        detect(source)
    assert source.taken <= 130 << 20


PARTS = tuple(f"m-{part:05}-of-01000.gguf" for part in range(1, 1001))
KEYS = b"".join(struct.pack("<Q", 9) + b"k%08d" % i + struct.pack("<IB", 0, 1) for i in range(1000))


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GGUF" + struct.pack("<IQQ", 3, 0, 1000) + KEYS, id="keys"),
        pytest.param(HEAD + STRINGS, id="strings"),
    ],
)
def test_a_thousand_parts_cost_no_more_than_one(head: bytes) -> None:
    source = EndlessSource(head, b"\0", PARTS)
    with pytest.raises(InputError):
        detect(source)
    assert source.taken <= 130 << 20


def kept_arrays() -> bytes:
    """2000 arrays of 4096 bytes, each short enough to be kept."""
    keys = (struct.pack("<Q", 9) + b"k%08d" % i + struct.pack("<IIQ", 9, 0, 4096) + bytes(4096) for i in range(2000))
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 2000) + b"".join(keys)


FLOODS = {
    "values in config.json": {"config.json": b'{"a":[' + b"{}," * 600_000 + b"0]}"},
    "names in the index": {
        "config.json": json.dumps(LLAMA).encode(),
        "model.safetensors.index.json": b'{"weight_map":{' + b",".join(b'"%d":"a"' % i for i in range(600_000)) + b"}}",
    },
    "dimensions": {
        "model.safetensors": struct.pack("<Q", 8_000_049)
        + b'{"a":{"dtype":"F16","shape":['
        + b"0," * 4_000_000
        + b'0],"data_offsets":0}}',
    },
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_are_refused_before_they_are_decoded(name: str) -> None:
    with pytest.raises(InputError, match=r"more than \d+ (values|tensors)"):
        detect(MemorySource({"model.safetensors": safetensors(), **FLOODS[name]}))


def test_numbers_of_many_arrays_are_not_kept() -> None:
    metadata = read_header(MemorySource({"m.gguf": kept_arrays()}), "m.gguf", Budget()).metadata
    assert sum(len(value) for value in metadata.values() if isinstance(value, tuple)) <= NUMBERS_LIMIT


def test_tensors_of_all_files_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_model, "TENSORS_LIMIT", 1000)
    shards = {f"m{part}.safetensors": safetensors({f"t{i}": ("F16", (0,)) for i in range(300)}) for part in range(4)}
    with pytest.raises(InputError, match="more than 1000 tensors"):
        detect(MemorySource({"config.json": json.dumps(LLAMA).encode(), **shards}))


def test_seeds_of_the_fuzzer_are_valid() -> None:
    for name, data in seeds().items():
        signature = run(data).signature
        assert "Error" not in signature, (name, signature)


def test_a_long_header_of_one_file_ends() -> None:
    body = json.dumps({f"t{i}": {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]} for i in range(50_000)}).encode()
    assert survive({"config.json": json.dumps(LLAMA).encode(), "m.safetensors": struct.pack("<Q", len(body)) + body})
