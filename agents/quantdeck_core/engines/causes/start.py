"""How it was started: flags, ports, packages, rights."""

from __future__ import annotations

from quantdeck_core.engines.causes.cause import Cause, cause
from quantdeck_core.profile.names import LLAMACPP, VLLM

_FLAG = "bad-flag"
_FLAG_HINT = (
    "Take it out of serve.extra_args or correct its value; `quantdeck profile render --engine-version` shows the "
    "command "
    "line for the version that is installed."
)
_PORT_HINT = "End what listens there, or leave serve.port out so that a free one is taken."

CAUSES: tuple[Cause, ...] = (
    # argparse; RAN with vLLM and xllamacpp
    cause(
        _FLAG,
        r"error: unrecognized arguments: (?P<flag>-{1,2}[\w-]{1,60})",
        "This version of the engine has no flag {flag}.",
        _FLAG_HINT,
    ),
    cause(
        _FLAG,
        r"error: argument (?P<flag>-{1,2}[\w-]{1,60})[^:\n]{0,60}: (?:expected|invalid|not allowed|ambiguous)",
        "The engine does not take the value of {flag}.",
        _FLAG_HINT,
    ),
    cause(
        _FLAG,
        r"error: the following arguments are required: (?P<flag>[\w-]{1,60})",
        "The engine wants {flag}, which was not given.",
        _FLAG_HINT,
    ),
    # L common/arg.cpp; RAN
    cause(
        _FLAG,
        r"error: invalid argument: (?P<flag>-{1,2}[\w-]{1,60})",
        "This version of the engine has no flag {flag}.",
        _FLAG_HINT,
        engines=LLAMACPP,
    ),
    cause(
        _FLAG,
        r'error while handling argument "(?P<flag>-{1,2}[\w-]{1,60})"|error: (?P<flag2>-{1,2}[\w-]{1,60}): invalid',
        "The engine does not take the value of {flag}.",
        _FLAG_HINT,
        engines=LLAMACPP,
    ),
    # L tools/server/server-http.cpp; RAN
    cause(
        "port-in-use",
        r"couldn't bind HTTP server socket, hostname: [\w.:-]{1,60}, port: (?P<port>\d+)",
        "Port {port} is taken by another process, or may not be used.",
        _PORT_HINT,
        engines=LLAMACPP,
    ),
    # RAN with vLLM
    cause(
        "port-in-use",
        r"\[Errno (?:98|48)\][^\n]{0,60}[Aa]ddress already in use|EADDRINUSE",
        "Its port is taken by another process.",
        _PORT_HINT,
    ),
    cause(
        "package-missing",
        r"(?P<name>xllamacpp) cannot be imported",
        "The Python package {name} is not installed on this host, or does not load.",
        "Install it into the agent's environment: pip install 'quantdeck[xllamacpp]'.",
        engines=("xllamacpp",),
    ),
    cause(
        "package-missing",
        r"(?:ModuleNotFoundError: |: )No module named ['\"]?(?P<name>[\w.]{1,80})",
        "The Python package {name} is not installed in the engine's environment.",
        "Install it there, or name the right interpreter or executable for the engine.",
    ),
    cause(
        "library-missing",
        r"error while loading shared libraries: (?P<name>[\w.+-]{1,80})|ImportError: (?P<name2>lib[\w.+-]{1,80}): "
        r"cannot "
        r"open shared object file|OSError: (?P<name3>lib[\w.+-]{1,80}): cannot open shared object file",
        "The shared library {name} is not installed on this host.",
        "Install what the engine was built with (libcuda: the NVIDIA driver; libcudart, libcublas: the CUDA runtime).",
    ),
    cause(
        "library-mismatch",
        r"ImportError: [^\n]{0,200}undefined symbol|version [`'](?:GLIBC|GLIBCXX|CXXABI)_[\d.]{1,10}' not found",
        "The engine's binaries do not fit the libraries of this host.",
        "Install the engine again, with the versions of PyTorch and CUDA that it was built for.",
    ),
    cause(
        "permission-denied",
        r"(?:PermissionError: \[Errno 13\] Permission denied: |failed to open (?:GGUF file "
        r")?)'?(?P<path>/[^'\n:(]{1,300}?)'?"
        r"(?: \(Permission denied\)|: Permission denied|$)",
        "The engine may not read or write {path}.",
        "Give the agent's user the right to it.",
    ),
    cause(
        "permission-denied",
        r"Permission denied",
        "The engine was denied a file, a device or a port that it needs.",
        "Give the agent's user the right to it: the log names it; for /dev/nvidia* or /dev/dri that is a group.",
    ),
    # huggingface_hub errors.py, utils/_validators.py; RAN
    cause(
        "hub-offline",
        r"LocalEntryNotFoundError|HFValidationError|outgoing traffic has been disabled|OfflineModeIsEnabled"
        r"|offline mode is enabled|couldn't connect to '?https://huggingface\.co",
        "The engine took the model's name for one of a hub, and nothing is looked up outside.",
        "The folder is not there, or is no checkpoint: correct `model`, or bring the checkpoint to the host first.",
        engines=VLLM,
    ),
    cause(
        "hub-gated",
        r"GatedRepoError|Access to model [\w./-]{1,120} is restricted|401 Client Error",
        "The hub gives this model only to those who accepted its license.",
        "Accept the license, fetch the checkpoint with your token, and name its folder in `model`.",
        engines=VLLM,
    ),
)
