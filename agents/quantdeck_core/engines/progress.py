"""How far an engine has come with loading, as its log tells."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from quantdeck_core.engines.log_lines import log_lines
from quantdeck_core.profile.names import VLLM, EngineKind

READ_CHARS = 64 << 10


class LoadProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The last step that the log shows.

    Attributes:
        fraction: of this step, 0 to 1; None where the engine gives no figure.
        what: the step, in words.
    """

    fraction: float | None
    what: str


STARTED = LoadProgress(fraction=None, what="starting")
"""Nothing is known yet, or the log says nothing of use."""

_Step = tuple[re.Pattern[str], Callable[[re.Match[str]], LoadProgress]]


def progress_of(engine: EngineKind, log_tail: str) -> LoadProgress:
    """The last step of this start."""
    steps = _VLLM if engine in VLLM else _LLAMACPP
    for line in reversed([line.text for line in log_lines(log_tail[-READ_CHARS:])]):
        for pattern, read in steps:
            found = pattern.search(line)
            if found:
                return read(found)
    return STARTED


def _is(what: str) -> Callable[[re.Match[str]], LoadProgress]:
    return lambda found: LoadProgress(fraction=None, what=what.format(**found.groupdict()))


def _percent(what: str) -> Callable[[re.Match[str]], LoadProgress]:
    """A bar of tqdm: its percent, and `done` of `all`."""

    def read(found: re.Match[str]) -> LoadProgress:
        done, total = int(found["done"]), int(found["all"])
        return LoadProgress(fraction=min(1.0, done / total) if total else None, what=f"{what}, {done} of {total}")

    return read


def _dots(found: re.Match[str]) -> LoadProgress:
    """llama.cpp draws a dot for each percent (src/llama.cpp)."""
    return LoadProgress(fraction=min(1.0, len(found[0]) / 100), what="loading weights")


_BAR = r"(?P<done>\d{1,9})/(?P<all>\d{1,9})"

# Read in vLLM 0.32.0, files below vllm/. Bars are drawn into files too, with carriage returns or newlines.
_VLLM: tuple[_Step, ...] = (
    # entrypoints/launchers; uvicorn
    (re.compile(r"Application startup complete|Starting vLLM (?:API )?server"), _is("serving")),
    # v1/engine/core.py
    (re.compile(r"init engine \(profile, create kv cache, warmup model\) took"), _is("starting the API server")),
    # v1/worker/gpu_model_runner.py, v1/worker/gpu/cudagraph_utils.py
    (re.compile(r"Graph capturing finished"), _is("CUDA graphs captured")),
    (re.compile(rf"Capturing CUDA graphs?\b[^|]{{0,80}}\|[^|]{{0,200}}\| *{_BAR}"), _percent("capturing CUDA graphs")),
    # v1/core/kv_cache_utils.py, v1/worker/gpu_worker.py, v1/worker/cpu_worker.py
    (re.compile(r"KV cache size: (?P<tokens>[\d,]{1,20}) tokens"), _is("KV cache ready, {tokens} tokens")),
    (re.compile(r"Available KV cache memory|GiB for KV cache"), _is("making the KV cache")),
    # compilation/monitor.py, compilation/backends.py
    (re.compile(r"torch\.compile (?:took|takes|and initial profiling)"), _is("compiled")),
    (
        re.compile(r"Starting torch\.compile|Dynamo bytecode transform|Compiling a graph"),
        _is("compiling"),
    ),
    # model_executor/model_loader
    (re.compile(r"Model loading took|Loading weights took"), _is("weights loaded")),
    (re.compile(rf"Loading .{{0,40}}checkpoint shards: +\d+% Completed \| {_BAR}"), _percent("loading weights")),
    (re.compile(r"Starting to load model|Initializing model took"), _is("loading weights")),
    (re.compile(r"Initializing a V1 LLM engine|world_size=\d+ rank=\d+"), _is("starting the engine's core")),
    (re.compile(r"Resolved architecture"), _is("reading the model's configuration")),
)

# Read in llama.cpp of 1 October 2026. At its verbosity 3 it names four steps; at 2, as xllamacpp is run, the last only.
_LLAMACPP: tuple[_Step, ...] = (
    # tools/server/server.cpp; uvicorn of llama-cpp-python
    (re.compile(r"listening on http|Application startup complete|Uvicorn running on"), _is("serving")),
    (re.compile(r"model loaded"), _is("opening the port")),
    # common/common.cpp
    (re.compile(r"warming up the model"), _is("warming up")),
    (re.compile(r"initializing, n_slots|llama_kv_cache|llama_context: |sched_reserve"), _is("making the KV cache")),
    # src/llama.cpp, src/llama-model-loader.cpp
    (re.compile(r"^\.{2,}$"), _dots),
    (re.compile(r"load_tensors: |load_model: loading model|llama_model_loader: "), _is("loading weights")),
)
