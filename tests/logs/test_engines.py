"""Real vLLM, llama-server and llama-cpp-python: what they log of requests, and how their failures are read.

`make engines` names the programs (QUANTDECK_VLLM, ...); a test whose engine is not named is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import psutil
import pytest

from logs.requests_with import send_all
from quantdeck_agent.logs.files import LogFiles
from quantdeck_agent.logs.reader import LogReader
from quantdeck_agent.logs.tail import log_tail
from quantdeck_core.engines.failure import Exit, Failure, failure_of
from quantdeck_core.engines.progress import progress_of
from quantdeck_core.profile.names import EngineKind

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CANARY = "KANARI-7731"
TINY = Path(__file__).parent.parent / "engines" / "help" / "tiny_llama.py"


class Started:
    """An engine process with its log, in a session of its own."""

    def __init__(self, argv: Sequence[str], folder: Path, **environment: str) -> None:
        self.log = folder / "engine-real.1.log"
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                argv,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", **environment},
            )

    def until_serving(self, port: int) -> None:
        """llama-server listens while it loads, and answers 503 then."""
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/v1/models", trust_env=False).status_code == 200:
                    return
            assert self.process.poll() is None, log_tail(self.log)[-2_000:]
            time.sleep(0.1)
        pytest.fail("it did not serve")

    def failure(self, engine: EngineKind) -> Failure:
        code = self.process.wait(timeout=200)
        end = Exit(signal=-code) if code < 0 else Exit(returncode=code)
        return failure_of(engine, log_tail(self.log), end)

    def end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if _alive(self.process.pid):
                os.killpg(self.process.pid, number)
                try:
                    self.process.wait(10)
                except subprocess.TimeoutExpired:
                    continue


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Started]]:
    all_of_them: list[Started] = []
    yield all_of_them
    for one in all_of_them:
        one.end()


def program(variable: str) -> str:
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no program")
    return named


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Hugging Face checkpoint, made by vLLM's own interpreter."""
    folder = tmp_path_factory.mktemp("tiny")
    python = Path(program("QUANTDECK_VLLM")).parent / "python"
    subprocess.run([python, TINY, folder], check=True, capture_output=True, timeout=200)
    return folder


def vllm(model: object, port: int, *more: str) -> list[str]:
    argv = [program("QUANTDECK_VLLM"), "serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    return [*argv, "--served-model-name", "tiny", "--max-num-seqs", "4", "--enforce-eager", *more]


def nothing_shown(started: Started) -> None:
    lines = list(LogReader(LogFiles(started.log.parent), "engine:real.1", 10_000).tail())
    assert lines
    assert not any(CANARY in line.text for line in lines)


def test_vllm_logs_no_prompt_and_its_dead_core_is_told(tiny: Path, tmp_path: Path, started: list[Started]) -> None:
    port = free_port()
    one = Started(vllm(tiny, port, "--max-model-len", "512"), tmp_path, VLLM_CPU_KVCACHE_SPACE="1")
    started.append(one)
    one.until_serving(port)
    assert asyncio.run(send_all(f"http://127.0.0.1:{port}", "tiny", CANARY)) >= 2
    assert progress_of("vllm-cpu", log_tail(one.log)).what == "serving"
    assert CANARY not in one.log.read_text()
    nothing_shown(one)
    core = next(
        child
        for child in psutil.Process(one.process.pid).children(recursive=True)
        if "EngineCore" in child.name() + str(child.cmdline())
    )
    core.kill()
    failure = one.failure("vllm-cpu")
    assert failure.code == "engine-core-died"
    assert "while it was serving" in failure.reason


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--no-such-flag",), "bad-flag"),
        (("--quantization", "awq"), "quantization-mismatch"),
        (("--max-model-len", "100000"), "context-too-long"),
        (("--tensor-parallel-size", "3"), "parallel-size"),
    ],
)
def test_vllm_says_why_it_did_not_start(
    tiny: Path, tmp_path: Path, started: list[Started], more: tuple[str, ...], code: str
) -> None:
    one = Started(vllm(tiny, free_port(), *more), tmp_path, VLLM_CPU_KVCACHE_SPACE="1")
    started.append(one)
    assert one.failure("vllm-cpu").code == code


@pytest.mark.parametrize("verbosity", ["3", "5"])
def test_llama_servers_lines_with_text_are_withheld(
    demo_models: Path, tmp_path: Path, started: list[Started], verbosity: str
) -> None:
    """It writes what it cannot parse into its log, at any verbosity; nobody is shown it."""
    port = free_port()
    argv = [program("QUANTDECK_LLAMA_SERVER"), "--model", str(demo_models / "demo-f16.gguf"), "--port", str(port)]
    one = Started([*argv, "--ctx-size", "512", "--log-verbosity", verbosity], tmp_path)
    started.append(one)
    one.until_serving(port)
    assert asyncio.run(send_all(f"http://127.0.0.1:{port}", "a", CANARY)) >= 2
    assert CANARY in one.log.read_text()
    nothing_shown(one)


def test_llama_cpp_pythons_lines_with_text_are_withheld(
    demo_models: Path, tmp_path: Path, started: list[Started]
) -> None:
    port = free_port()
    argv = [program("QUANTDECK_LLAMA_CPP_PYTHON"), "-m", "llama_cpp.server"]
    argv += ["--model", str(demo_models / "demo-f16.gguf"), "--n_ctx", "512"]
    one = Started(argv, tmp_path, HOST="127.0.0.1", PORT=str(port))
    started.append(one)
    one.until_serving(port)
    assert asyncio.run(send_all(f"http://127.0.0.1:{port}", "a", CANARY)) >= 2
    nothing_shown(one)


@pytest.mark.parametrize("engine", ["llama-server", "xllamacpp", "llama-cpp-python"])
def test_a_truncated_gguf_is_told(
    demo_models: Path, tmp_path: Path, started: list[Started], engine: EngineKind
) -> None:
    whole = (demo_models / "demo-f16.gguf").read_bytes()
    model = tmp_path / "cut.gguf"
    model.write_bytes(whole[: len(whole) // 2])
    if engine == "xllamacpp":
        argv = [sys.executable, "-m", "quantdeck_agent.engines.xllamacpp_main", "--model", str(model), "--alias", "a"]
        argv += ["--host", "127.0.0.1", "--port", "1", "--ctx-size", "64", "--parallel", "1", "--threads", "1"]
        argv += ["--batch-size", "32", "--ubatch-size", "32", "--n-predict", "8", "--threads-http", "2"]
        argv += ["--cache-ram", "0", "--n-gpu-layers", "0", "--flash-attn", "auto"]
        argv += ["--cache-type-k", "f16", "--cache-type-v", "f16"]
    elif engine == "llama-server":
        argv = [program("QUANTDECK_LLAMA_SERVER"), "--model", str(model), "--port", str(free_port())]
    else:
        argv = [program("QUANTDECK_LLAMA_CPP_PYTHON"), "-m", "llama_cpp.server", "--model", str(model)]
    one = Started(argv, tmp_path)
    started.append(one)
    assert one.failure(engine).code == "model-damaged"
