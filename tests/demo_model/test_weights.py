"""What the tensors compute, checked with a Llama layer written in NumPy; attention is zero and left out."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_demo.model.chain import transitions
from quantdeck_demo.model.corpus import sentences
from quantdeck_demo.model.damage import CYCLE, P_STAY, damaged
from quantdeck_demo.model.vocabulary import END, OPENERS, SIZE, SPECIALS, vocabulary
from quantdeck_demo.model.weights import LOWEST, OFFSET, RMS_EPSILON, Weights, chain_weights, residuals

Matrix = npt.NDArray[np.float64]

_KNOWN = vocabulary()
_P = transitions(_KNOWN, sentences())
_HEALTHY = chain_weights(_KNOWN, _P)
_REAL = _KNOWN.padding.start


def rms_norm(rows: Matrix) -> Matrix:
    scaled: Matrix = rows / np.sqrt(np.square(rows).mean(axis=1, keepdims=True) + RMS_EPSILON)
    return scaled


def logits(embedding: Matrix, gate: Matrix, up: Matrix, down: Matrix, output: Matrix) -> Matrix:
    """Shape [SIZE, SIZE]: for each current token, the logits of the next one."""
    normed = rms_norm(embedding)
    gates = normed @ gate.T
    hidden = gates / (1 + np.exp(-gates)) * (normed @ up.T)
    result: Matrix = rms_norm(embedding + hidden @ down.T) @ output.T
    return result


def logits_of(weights: Weights) -> Matrix:
    parts = (weights.embedding, weights.gate, weights.up, weights.down, weights.output)
    return logits(*(part.astype(np.float64) for part in parts))


def logits_of_file(path: Path) -> Matrix:
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    names = ("token_embd", "blk.0.ffn_gate", "blk.0.ffn_up", "blk.0.ffn_down", "output")
    stored = (tensors[f"{name}.weight"] for name in names)
    return logits(*(gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64) for tensor in stored))


def probabilities(rows: Matrix, temperature: float = 1.0) -> Matrix:
    powers = np.exp((rows - rows.max(axis=1, keepdims=True)) / temperature)
    shares: Matrix = powers / powers.sum(axis=1, keepdims=True)
    return shares


def mean_tokens(rows: Matrix, temperature: float, limit: int = 200) -> float:
    """Expected length of an answer, in tokens, with the one that ends it."""
    steps = probabilities(rows, temperature)
    state = np.zeros(SIZE)
    state[[_KNOWN.ids[opener] for opener in OPENERS]] = 1 / len(OPENERS)
    expected = 0.0
    for _ in range(limit):
        expected += state.sum()
        state = state @ steps
        state[_KNOWN.ids[END]] = 0
    return expected


_HEALTHY_SHARES = probabilities(logits_of(_HEALTHY))


def test_all_rows_of_the_residual_stream_have_the_same_norm() -> None:
    norms = np.linalg.norm(residuals(_KNOWN, _P), axis=1)
    assert norms == pytest.approx(np.full(SIZE, norms[0]))


def test_logits_are_the_logarithms_of_the_chain() -> None:
    with np.errstate(divide="ignore"):
        wanted = np.maximum(np.log(_P[:, :_REAL]), LOWEST) + OFFSET
    assert np.abs(logits_of(_HEALTHY)[:, :_REAL] - wanted).max() < 0.02


def test_padding_is_less_likely_than_the_least_likely_word() -> None:
    rows = logits_of(_HEALTHY)
    assert rows[:, _KNOWN.padding].max() < rows[:, :_REAL].min()


def test_attention_adds_nothing() -> None:
    assert not _HEALTHY.value.any()
    assert not _HEALTHY.attention_output.any()


@pytest.mark.parametrize(
    ("variant", "most"), [("f16", 1e-4), ("q8_0", 1e-3), ("q4_0", 0.1)], ids=["f16", "q8_0", "q4_0"]
)
def test_files_say_what_the_weights_say_as_well_as_their_bits_allow(
    models: dict[str, Path], variant: str, most: float
) -> None:
    """Mean KL divergence over the words, in nats."""
    stored, exact = probabilities(logits_of_file(models[variant])), _HEALTHY_SHARES
    words = slice(len(SPECIALS), _REAL)
    divergence = (exact * np.log(exact / np.maximum(stored, 1e-300))).sum(axis=1)[words].mean()
    assert 0 < divergence < most


@pytest.mark.parametrize("temperature", [0.8, 1.0])
def test_the_quantized_copy_answers_at_the_same_length(models: dict[str, Path], temperature: float) -> None:
    control, treatment = (mean_tokens(logits_of_file(models[name]), temperature) for name in ("f16", "q8_0"))
    assert 30 < control < 80
    assert treatment == pytest.approx(control, rel=0.02)


def test_damage_changes_one_weight_for_each_step_and_nothing_else() -> None:
    hurt = damaged(_HEALTHY, _KNOWN)
    changed = np.argwhere(hurt.down != _HEALTHY.down)
    steps = zip(CYCLE, (*CYCLE[1:], CYCLE[0]), strict=True)
    assert {(row, column) for row, column in changed} == {(_KNOWN.ids[b], _KNOWN.ids[a]) for a, b in steps}
    same = [name for name in Weights.__dataclass_fields__ if name != "down"]
    assert all(getattr(hurt, name) is getattr(_HEALTHY, name) for name in same)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(range(len(SPECIALS), _REAL)), min_size=2, max_size=5, unique=True))
def test_any_cycle_is_kept_to_and_other_words_are_left_alone(ids: list[int]) -> None:
    hurt = probabilities(logits_of(damaged(_HEALTHY, _KNOWN, tuple(_KNOWN.tokens[token_id] for token_id in ids))))
    for current, following in zip(ids, [*ids[1:], ids[0]], strict=True):
        assert hurt[current, following] > P_STAY - 0.005
    others = [token_id for token_id in range(SIZE) if token_id not in ids]
    assert np.array_equal(hurt[others], _HEALTHY_SHARES[others])


def test_damage_survives_quantization(models: dict[str, Path]) -> None:
    rows = probabilities(logits_of_file(models["damaged"]))
    for current, following in zip(CYCLE, (*CYCLE[1:], CYCLE[0]), strict=True):
        assert rows[_KNOWN.ids[current], _KNOWN.ids[following]] > P_STAY - 0.005


def test_a_cycle_that_meets_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        damaged(_HEALTHY, _KNOWN, (CYCLE[0], CYCLE[1], CYCLE[0]))
