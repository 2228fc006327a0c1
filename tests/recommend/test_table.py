"""The table of formats: it is consistent, and the docs show what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

import quantdeck_profiles
from quantdeck_core.profile.toml_text import TomlError
from quantdeck_core.recommend.options import parse_options
from quantdeck_core.recommend.rank import RULES as ORDERS
from quantdeck_core.recommend.shapes import model_of_size, usual_shape
from quantdeck_core.recommend.stored import is_stored_so, stored
from support.recommendations import OPTIONS, RULES, ask, of, table, titles

TEXT = quantdeck_profiles.data.text("recommendations")


def test_names_are_unique_and_engines_are_known() -> None:
    assert len({option.name for option in OPTIONS.option}) == len({o.title for o in OPTIONS.option})
    for option in OPTIONS.option:
        for engine in option.engines:
            assert RULES.engine_named(engine)


def test_the_smaller_the_measured_loss_the_earlier_for_quality() -> None:
    measured = [option for option in OPTIONS.option if option.quality.kld is not None]
    by_loss = sorted(measured, key=lambda option: option.quality.kld or 0)
    assert [o.name for o in by_loss] == ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_k_s", "q3_k_m", "q2_k"]
    assert by_loss == sorted(measured, key=lambda option: option.order.quality)
    assert by_loss == sorted(measured, key=lambda option: -option.stored_bits)


def test_stored_bits_give_the_sizes_that_llamacpp_publishes() -> None:
    """GiB of Llama-3.1-8B in its README; of one model only, so within 3 %."""
    sizes = {"q8_0": 7.95, "q6_k": 6.14, "q5_k_m": 5.33, "q4_k_m": 4.58, "q4_k_s": 4.36, "q3_k_m": 3.74, "q2_k": 2.95}
    model = model_of_size(8_030_000_000, usual_shape(8 * 10**9, OPTIONS.shape))
    for option in OPTIONS.option:
        if option.name in sizes:
            assert stored(model, option).weights_bytes / 2**30 == pytest.approx(sizes[option.name], rel=0.03)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [(10**8, "Llama-3.2-1B"), (7 * 10**9, "Llama-2-7B"), (8 * 10**9, "Llama-3.1-8B"), (70 * 10**9, "Llama-2-70B"),
     (10**12, "Llama-3.1-405B")],
)  # fmt: skip
def test_the_nearest_shape(parameters: int, name: str) -> None:
    assert usual_shape(parameters, OPTIONS.shape).name == name


def test_shapes_have_the_parameters_that_follow_from_them() -> None:
    for shape in OPTIONS.shape:
        attention = shape.hidden_size * shape.head_dim * 2 * (shape.heads + shape.kv_heads)
        blocks = shape.layers * (attention + 3 * shape.hidden_size * shape.intermediate_size)
        embeddings = (1 if shape.tied else 2) * shape.vocab_size * shape.hidden_size
        assert blocks + embeddings == pytest.approx(shape.parameters, rel=0.005), shape.name


def test_every_model_is_stored_as_it_is_in_its_own_format() -> None:
    model = model_of_size(8 * 10**9, usual_shape(8 * 10**9, OPTIONS.shape))
    for option in OPTIONS.option:
        assert is_stored_so(stored(model, option), option) is not option.keeps_qkv


def test_every_order_has_rules_that_say_what_they_do() -> None:
    for rules in ORDERS.values():
        assert all(rule.__doc__ for rule in rules)
        assert len(set(rules)) == len(rules)


def test_profiles_to_start_from_are_built_in() -> None:
    named = {start.name for option in OPTIONS.option for start in option.profiles}
    said = ask("a100-80gb", size=70, amount=4, profiles=tuple(named))
    assert of(said, "GPTQ").profile == "llama-2-70b-gptq-int4-tp2"
    assert of(ask("a100-80gb", size=8, profiles=tuple(named)), "GPTQ").profile == "llama-2-7b-gptq-int4"
    assert of(ask("a100-80gb", size=8), "GPTQ").profile is None
    assert named - set(quantdeck_profiles.names()) == set()


def test_development_may_take_nf4_and_production_may_not() -> None:
    assert titles(ask("a100-80gb", size=13, use="development"))[0] == "bitsandbytes NF4"
    tuning = ask("a100-80gb", size=13, use="fine-tuning")
    assert titles(tuning) == ["bitsandbytes NF4"]
    assert "2 to 3 times" in " ".join(tuning.answers[0].warnings)
    rejected = {one.title: one.reason for one in ask("a100-80gb", size=13).rejected}
    assert rejected["bitsandbytes NF4"] == "For development and fine-tuning, not for production."


def test_one_sequence_at_a_time_hints_at_other_kernels() -> None:
    warnings = " ".join(of(ask("rtx4090", size=8, sequences=1), "AWQ").warnings)
    assert "GEMV" in warnings
    assert "GGUF on llama.cpp" in warnings
    assert "GEMV" not in " ".join(of(ask("rtx4090", size=8), "AWQ").warnings)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("batch = 64", "batch = 0", "recommendations.toml:7:1"),
        ("few_sequences", "few_sequence", "few_sequence"),
        ('engines = ["vllm"]', 'engine = ["vllm"]', "unknown field `engine`"),
    ],
)
def test_a_broken_table_says_where(old: str, new: str, words: str) -> None:
    with pytest.raises(TomlError) as caught:
        parse_options(TEXT.replace(old, new, 1))
    assert words in caught.value.detail


def test_the_docs_show_what_follows() -> None:
    docs = Path(__file__).parents[2] / "docs" / "recommend.md"
    assert table() in docs.read_text("utf-8"), "make it again: python -m support.recommendations"
