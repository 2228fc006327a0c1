"""Real engines with tiny models, started as people start them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from engines.help.running import Running, free_port
from quantdeck_core.engines.command import Command

SETUP = Path(__file__).parent
MODEL = "assistant"
START_S = 240.0
ENGINES = ("llama-server", "llama-cpp-python", "vllm")


def program(variable: str) -> str:
    """The program that a variable names; skips where there is none."""
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no program: this engine could not be had here")
    return named


def llama_server(folder: Path, gguf: Path, port: int) -> Command:
    """`--jinja` for tools; two slots for requests that overlap."""
    return Command(
        argv=(program("QUANTDECK_LLAMA_SERVER"), "-m", str(gguf), "--port", str(port), "--alias", MODEL, "-c", "4096",
              "-np", "2", "-t", "1", "--jinja", "--no-cache-prompt"),
    )  # fmt: skip


def llama_cpp_python(folder: Path, gguf: Path, port: int) -> Command:
    """It is the one that also makes vectors with a model that chats."""
    return Command(
        argv=(program("QUANTDECK_LLAMA_CPP_PYTHON"), "-m", "llama_cpp.server", "--model", str(gguf), "--port",
              str(port), "--model_alias", MODEL, "--n_ctx", "1024", "--n_threads", "1", "--embedding", "true",
              "--logits_all", "true"),
    )  # fmt: skip


def vllm(folder: Path, gguf: Path, port: int) -> Command:
    """With tools; a grammar that allows no blanks keeps a model of random weights from writing nothing else."""
    vllm = program("QUANTDECK_VLLM")
    model = folder / "speller"
    subprocess.run([Path(vllm).with_name("python"), SETUP / "tiny_speller.py", model], check=True, capture_output=True)
    return Command(
        argv=(vllm, "serve", str(model), "--port", str(port), "--host", "127.0.0.1", "--served-model-name", MODEL,
              "--max-model-len", "2048", "--max-num-seqs", "4", "--max-num-batched-tokens", "2048", "--enforce-eager",
              "--no-enable-prefix-caching", "--enable-auto-tool-choice", "--tool-call-parser", "hermes",
              "--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}'),
        env={"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


_MAKERS: dict[str, Callable[[Path, Path, int], Command]] = {
    "llama-server": llama_server,
    "llama-cpp-python": llama_cpp_python,
    "vllm": vllm,
}


class Served:
    """A real engine and where it listens.

    Attributes:
        tools: it calls a tool when told to, whatever its model would rather say.
        embeds: it makes vectors.
    """

    def __init__(self, name: str, folder: Path, gguf: Path) -> None:
        self.name = name
        self.tools, self.embeds = name == "vllm", name == "llama-cpp-python"
        self.port = free_port()
        self.folder = folder
        self.running = Running(_MAKERS[name](folder, gguf, self.port), self.port, folder / f"{name}.log", {})

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + START_S
        while True:
            assert self.running.process.poll() is None, self.running.said()[-2000:]
            assert time.monotonic() < deadline, self.running.said()[-2000:]
            with contextlib.suppress(httpx.HTTPError):
                if self.running.http.get("/v1/models").status_code == 200:
                    return
            time.sleep(0.2)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
