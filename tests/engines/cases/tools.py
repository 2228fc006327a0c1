"""Where the engines and quantizers are: from the environment, or installed on the spot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec

_HERE = Path(__file__).parent


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """Interpreters and programs. None: not given, and what needs it is left out.

    Attributes:
        vllm: interpreter that has vLLM (`QUANTDECK_VLLM` names the `vllm` command beside it).
        quantizers: interpreter that has the same libraries and the quantizers (`QUANTDECK_QUANTIZERS`).
        llama_server: `QUANTDECK_LLAMA_SERVER`.
        llama_quantize: `QUANTDECK_LLAMA_QUANTIZE`.
        llamacpp_source: llama.cpp's sources, for their converter (`QUANTDECK_LLAMACPP_SRC`).
    """

    vllm: Path
    quantizers: Path
    llama_server: Path | None
    llama_quantize: Path | None
    llamacpp_source: Path | None


def find() -> Tools:
    """The tools, after installing vLLM (4 minutes, 3.5 GB) and the quantizers (1 minute, 1 GB) where none are named.

    Raises:
        RuntimeError: a name leads nowhere.
        subprocess.CalledProcessError: an installation failed; its output is on standard error.
    """
    vllm = _named("QUANTDECK_VLLM") or _installed(_HERE.parent / "install-vllm.sh")
    python = vllm.with_name("python")
    quantizers = _named("QUANTDECK_QUANTIZERS") or _installed(_HERE / "install-quantizers.sh", python)
    return Tools(
        vllm=python,
        quantizers=quantizers,
        llama_server=_named("QUANTDECK_LLAMA_SERVER"),
        llama_quantize=_named("QUANTDECK_LLAMA_QUANTIZE"),
        llamacpp_source=_named("QUANTDECK_LLAMACPP_SRC"),
    )


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    if not value:
        return None
    if not (path := Path(value)).exists():
        raise RuntimeError(f"{variable} is {value}, and there is nothing.")
    return path


def _installed(script: Path, *arguments: Path) -> Path:
    done = subprocess.run(["bash", script, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())
