"""Layers on a GPU and layers in RAM."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.offload import Offload, offload

SHAPE = {
    "format": "gguf",
    "label": "",
    "layers": 32,
    "weights_bytes": 3700,
    "layers_bytes": 3200,
    "embedding_bytes": 200,
}
OWN = Checkpoint(tied=False, **SHAPE)  # type: ignore[arg-type]
TIED = Checkpoint(tied=True, **{**SHAPE, "weights_bytes": 3400})  # type: ignore[arg-type]


def test_all_layers_but_never_the_embedding() -> None:
    assert offload(OWN, -1) == offload(OWN, 33) == offload(OWN, 99) == Offload(3500, 200, 1.0)


def test_the_output_is_one_layer_more() -> None:
    assert offload(OWN, 32) == Offload(3200, 500, 1.0)
    assert offload(OWN, 8) == Offload(800, 2900, 0.25)
    assert offload(OWN, 0) == Offload(0, 3700, 0.0)


def test_a_tied_embedding_is_there_twice() -> None:
    assert offload(TIED, -1) == Offload(3400, 200, 1.0)


@given(layers=st.integers(-1, 100))
def test_nothing_is_lost(layers: int) -> None:
    split = offload(OWN, layers)
    assert split.gpu_weights + split.host_weights == OWN.weights_bytes
