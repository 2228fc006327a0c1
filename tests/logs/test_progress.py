"""How far a load has come, from what engines print into a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.test_failure import KINDS, sample
from quantdeck_core.engines.progress import STARTED, progress_of
from quantdeck_core.profile.names import EngineKind


def steps(engine: EngineKind, text: str) -> list[str]:
    """What an operator sees while a log grows line by line, each step once."""
    seen: list[str] = []
    lines = text.split("\n")
    for count in range(1, len(lines) + 1):
        step = progress_of(engine, "\n".join(lines[:count]))
        what = step.what if step.fraction is None else f"{step.what} ({step.fraction:.0%})"
        if what not in seen:
            seen.append(what)
    return seen


def test_a_real_load_of_vllm() -> None:
    assert steps("vllm-cpu", sample("vllm-cpu_stopped")) == [
        "starting",
        "reading the model's configuration",
        "starting the engine's core",
        "loading weights",
        "loading weights, 0 of 1 (0%)",
        "loading weights, 1 of 1 (100%)",
        "weights loaded",
        "making the KV cache",
        "KV cache ready, 1,048,576 tokens",
        "starting the API server",
        "serving",
    ]


def test_a_real_load_of_llama_server() -> None:
    assert steps("llama-server", sample("llama-server_loaded")) == [
        "starting", "loading weights", "making the KV cache", "opening the port", "serving"
    ]  # fmt: skip


def test_xllamacpp_says_only_that_it_serves() -> None:
    assert steps("xllamacpp", sample("xllamacpp_loaded")) == ["starting", "serving"]


@pytest.mark.parametrize(
    ("engine", "text", "fraction", "what"),
    [
        (
            "vllm",
            "\rLoading safetensors checkpoint shards:  45% Completed | 5/11 [00:03<00:04,  1.37it/s]\n",
            5 / 11,
            "loading weights, 5 of 11",
        ),
        (
            "vllm",
            "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):   0%|          | 0/67 [00:00<?, ?it/s]\r"
            "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  52%|\u2588\u2588 | 35/67 [00:02<00:01]",
            35 / 67,
            "capturing CUDA graphs, 35 of 67",
        ),
        (
            "vllm",
            "(EngineCore pid=1) INFO 11-24 10:00:00 [a.py:1] torch.compile took 21.05 s",
            None,
            "compiled",
        ),
        ("llama-server", "load_tensors: loading\n..........................................", 0.42, "loading weights"),
        ("llama-server", "0.00.1 x\n" + "." * 99, 0.99, "loading weights"),
        ("llama-cpp-python", "INFO:     Uvicorn running on http://127.0.0.1:9 (Press", None, "serving"),
        ("external", "", None, "starting"),
    ],
)
def test_one_line(engine: EngineKind, text: str, fraction: float | None, what: str) -> None:
    step = progress_of(engine, text)
    assert (step.fraction, step.what) == (fraction, what)


@given(st.sampled_from(KINDS), st.text())
def test_any_text_gives_a_step(engine: EngineKind, text: str) -> None:
    step = progress_of(engine, text)
    assert step.what
    assert step.fraction is None or 0 <= step.fraction <= 1
    assert progress_of(engine, "") == STARTED
