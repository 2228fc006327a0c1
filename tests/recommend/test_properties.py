"""Whatever is asked: answers are served, they fit, and their order follows rules."""

from __future__ import annotations

import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_core.compat.judge import judge
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving
from quantdeck_core.profile.names import LLAMACPP
from quantdeck_core.recommend.answer import Recommendation
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.recommend import recommend
from quantdeck_core.recommend.shapes import model_of_size, usual_shape
from quantdeck_core.recommend.stored import as_made, stored
from support.recommendations import OPTIONS, PLAN, RULES, titles

DEVICE = st.builds(
    Device,
    name=st.just("some"),
    title=st.just("some device"),
    kind=st.sampled_from(["gpu", "gpu", "gpu", "edge", "cpu"]),
    sm=st.sampled_from([0, 70, 75, 80, 87, 89, 90, 100]),
    memory_gb=st.just(1),
    memory_mib=st.integers(1, 300_000),
    link=st.sampled_from(["nvlink", "pcie", "none"]),
)
QUESTION = st.builds(
    lambda device, amount, parameters, more: Question(
        site=Site(device, amount),
        model=model_of_size(parameters, usual_shape(parameters, OPTIONS.shape)),
        shape_of="some",
        **more,
    ),
    DEVICE,
    st.sampled_from([1, 1, 2, 3, 4, 8]),
    st.sampled_from([100_000_000, 3 * 10**9, 7 * 10**9, 13 * 10**9, 34 * 10**9, 70 * 10**9, 405 * 10**9]),
    st.fixed_dictionaries(
        {
            "first": st.sampled_from(["balance", "quality", "throughput", "memory", "latency"]),
            "context": st.none() | st.sampled_from([1, 512, 2001, 8192, 131_072]),
            "sequences": st.none() | st.sampled_from([1, 5, 64, 1000]),
            "use": st.sampled_from(["production", "development", "fine-tuning"]),
            "calibration": st.sampled_from(["matched", "mismatched"]),
            "interconnect": st.sampled_from([None, "nvlink", "pcie"]),
        }
    ),
)


def answered(question: Question) -> Recommendation:
    return recommend(question, OPTIONS, RULES, PLAN)


@settings(max_examples=12)
@given(QUESTION)
def test_answers_are_served_and_fit(question: Question) -> None:
    said = answered(question)
    tokens = question.context or OPTIONS.limits.usual_context
    for one in said.answers:
        option = next(option for option in OPTIONS.option if option.title == one.title)
        checkpoint = stored(question.model, option)
        for form in (checkpoint, as_made(checkpoint, option)):
            verdict = judge(RULES, form, RULES.engine_named(one.engine), question.site.device)
            assert verdict.verdict != "refused"
        assert one.tensor_parallel * one.pipeline_parallel * one.replicas <= question.site.amount
        each = math.ceil((question.sequences or one.replicas) / one.replicas)
        serving = Serving(
            engine="vllm" if one.engine == "transformers" else one.engine,
            max_model_len=tokens,
            max_num_seqs=each,
            all_full=True,
            max_num_batched_tokens=512 if one.engine in LLAMACPP else 2048,
            tensor_parallel=one.tensor_parallel,
            pipeline_parallel=one.pipeline_parallel,
        )
        assert PLAN(checkpoint, serving, question.site).fits
        assert one.total_bytes_per_gpu <= question.site.device.memory_bytes
        assert one.max_concurrency >= each


@settings(max_examples=6)
@given(QUESTION)
def test_the_order_is_the_same_each_time_and_last_resorts_are_last(question: Question) -> None:
    said = answered(question)
    assert said == answered(question)
    assert [one.rank for one in said.answers] == list(range(1, len(said.answers) + 1))
    last = [one.scheme in ("Q3_K_M", "Q2_K") for one in said.answers]
    assert last == sorted(last)
    if question.use == "production":
        assert "bitsandbytes NF4" not in titles(said)
    assert said.answers or said.rejected


@settings(max_examples=12)
@given(QUESTION, st.integers(0, 100_000))
def test_more_memory_takes_no_answer_away(question: Question, more_mib: int) -> None:
    device = question.site.device
    larger = msgspec.structs.replace(device, memory_mib=device.memory_mib + more_mib)
    there = msgspec.structs.replace(question, site=question.site._replace(device=larger))
    here, then = answered(question), answered(there)
    assert {(a.title, a.engine) for a in here.answers} <= {(a.title, a.engine) for a in then.answers}
