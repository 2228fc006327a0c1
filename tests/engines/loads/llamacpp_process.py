"""llama.cpp's server as a process: started with a profile's settings, asked, measured, ended."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from engines.loads.settings import Settings

GGML_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8}
_READY_S = 120.0
_ANSWER_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Of a process, bytes: resident, of it anonymous and mapped from files."""

    resident: int
    anonymous: int
    file: int


class Process:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self._process = process
        self._log = log
        self.client = httpx.Client(base_url=url, timeout=_ANSWER_S, trust_env=False)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"ended with {self._process.returncode}:\n{self.log[-2000:]}"
            try:
                if self.client.get("/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready within {_READY_S} s:\n{self.log[-2000:]}")

    def complete(self, prompt: list[int], answer: int) -> None:
        """Read a prompt of token numbers and write `answer` tokens."""
        body = {"prompt": prompt, "n_predict": answer, "ignore_eos": True, "cache_prompt": False}
        self.client.post("/completion", json=body).raise_for_status()

    def memory(self) -> Memory:
        """Linux: the whole process, as the kernel sums it up."""
        lines = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines()[1:]
        kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return Memory(
            resident=kib["Rss"] * 1024, anonymous=kib["Pss_Anon"] * 1024, file=(kib["Rss"] - kib["Pss_Anon"]) * 1024
        )


@contextmanager
def running(model: Path, settings: Settings, log: Path, llama_server: str | None = None) -> Iterator[Process]:
    """xllamacpp's server, or the binary `llama_server`, ended by its PID at the end."""
    port = _free_port()
    argv = _binary(llama_server, model, settings, port) if llama_server else _module(model, settings, port)
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT)
    try:
        found = Process(process, f"http://127.0.0.1:{port}", log)
        with found.client:
            found.wait_ready()
            yield found
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _module(model: Path, settings: Settings, port: int) -> list[str]:
    """The same settings as `quantdeck_agent.engines.xllamacpp_main` makes of a profile, but its log unabridged."""
    params = {
        "model.path": str(model),
        "hostnames": ["127.0.0.1"],
        "port": port,
        "n_ctx": settings.n_ctx,
        "n_parallel": settings.n_parallel,
        "n_batch": settings.n_batch,
        "n_ubatch": settings.n_ubatch,
        "cache_type_k": GGML_TYPES[settings.type_k],
        "cache_type_v": GGML_TYPES[settings.type_v],
        "kv_unified": settings.kv_unified,
        "swa_full": settings.swa_full,
        "flash_attn_type": -1 if settings.flash_attention else 0,
        "cache_ram_mib": settings.cache_ram_mib,
        "cpuparams.n_threads": settings.threads,
        "cpuparams_batch.n_threads": settings.threads,
        "n_gpu_layers": 0,
        "n_threads_http": 8,
        "endpoint_metrics": True,
        "offline": True,
        "ui": False,
        "verbosity": 4,
    }
    return [sys.executable, str(Path(__file__).with_name("serve_xllamacpp.py")), json.dumps(params)]


def _binary(llama_server: str, model: Path, settings: Settings, port: int) -> list[str]:
    flags = {
        "--model": model,
        "--host": "127.0.0.1",
        "--port": port,
        "--ctx-size": settings.n_ctx,
        "--parallel": settings.n_parallel,
        "--batch-size": settings.n_batch,
        "--ubatch-size": settings.n_ubatch,
        "--cache-type-k": settings.type_k,
        "--cache-type-v": settings.type_v,
        "--flash-attn": "auto" if settings.flash_attention else "off",
        "--cache-ram": settings.cache_ram_mib,
        "--threads": settings.threads,
        "--n-gpu-layers": 0,
        "--threads-http": 8,
        "--verbosity": 4,
    }
    switches = ["--kv-unified"] * settings.kv_unified + ["--swa-full"] * settings.swa_full
    return [os.fspath(llama_server), "--no-ui", *switches, *(str(part) for pair in flags.items() for part in pair)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
