"""What is left to say where the log names no cause: which part of the engine ended, and how."""

from __future__ import annotations

from quantdeck_core.engines.causes.cause import Cause, cause
from quantdeck_core.profile.names import LLAMACPP, VLLM

_DIED = "engine-core-died"

CAUSES: tuple[Cause, ...] = (
    # V v1/engine/utils.py: exit codes of multiprocessing, negative for signals
    cause(
        "host-out-of-memory",
        r"Failed core proc\(s\): \{[^}\n]{0,200}: -9\b|died (?:unexpectedly )?\(?(?:with )?exit code:? -9\b",
        "A process of the engine was killed {when} (SIGKILL): the host was most likely out of memory.",
        "`dmesg | grep -i oom` there says so. Take a smaller model or quantization, or free memory.",
        engines=VLLM,
    ),
    # V v1/engine/exceptions.py, v1/engine/utils.py, v1/utils.py, v1/executor/multiproc_executor.py; RAN
    cause(
        _DIED,
        r"EngineDeadError|Engine core proc(?:ess)? \S{1,40} died|Engine core initialization failed|EngineCore died"
        r"|Worker proc \S{1,40} died|WorkerProc initialization failed|Process \S{1,40} \(PID: \d+\) died",
        "The part of vLLM that computes (EngineCore or a worker) died {when} and left no reason.",
        'Look for `oom` and `Xid` lines in `dmesg` there; deploy it again with VLLM_LOGGING_LEVEL = "DEBUG" in '
        "serve.env "
        "if it comes back.",
        engines=VLLM,
    ),
    cause(
        _DIED,
        r"ActorDiedError|RayActorError|The actor died unexpectedly",
        "A Ray worker of the engine died {when} and left no reason here.",
        "Read the worker's own log on its host (/tmp/ray/session_latest/logs), and `dmesg` there.",
        engines=VLLM,
    ),
    # L ggml/src/ggml.c, ggml_abort
    cause(
        "engine-aborted",
        r"(?P<where>[\w./-]{1,120}:\d+): GGML_ASSERT\(",
        "llama.cpp stopped itself {when}: a check at {where} failed.",
        "Deploy it again; if it comes back, update llama.cpp or report it with the log.",
        engines=LLAMACPP,
    ),
    cause(
        "model-load-failed",
        r"exiting due to model loading error|Failed to load model from file|failed to load model",
        "llama.cpp could not load the model and says no more.",
        "Start it by hand with --log-verbosity 4 (`quantdeck profile render` prints the command). "
        "`quantdeck check MODEL` says whether the file is whole.",
        engines=LLAMACPP,
    ),
)
