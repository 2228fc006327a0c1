"""Give checkpoints to real engines and see what they do."""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path

import msgspec

from engines.cases.load import forking
from engines.cases.results import Conversion, Load
from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_core.formats.detect import detect

_HERE = Path(__file__).parent
_KV = re.compile(r"KV cache size: ([\d,]+) tokens, Maximum concurrency for [\d,]+ tokens per request: ([\d.]+)x")
_ERROR = re.compile(r"error|failed|invalid", re.IGNORECASE)
_RAISED = re.compile(r"^(?:\w+Error\b.*|ERROR:.*)", re.MULTILINE)
_PREFIX = re.compile(r"^[\d. ]*[DIWE] +|^\S*: (?=error)")
LLAMACPP_DEADLINE_S = 30.0
CONVERSION_DEADLINE_S = 60.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint for an engine.

    Attributes:
        log: file for what the engine writes.
        arguments: of the engine, for this checkpoint.
        reference: file with the unquantized model's log probabilities of the next token.
    """

    name: str
    path: str
    log: str
    reference: str
    arguments: dict[str, str] = {}


def python_engine(
    python: Path, script: str, jobs: Sequence[Job], work: Path, deadline_s: float, **around: str
) -> dict[str, Load]:
    """Jobs given to load/SCRIPT in an interpreter, with more environment; each job has the deadline for itself."""
    todo, results = work / f"{script}.jobs.json", work / f"{script}.results.jsonl"
    todo.write_bytes(msgspec.json.encode(jobs))
    subprocess.run(
        [python, _HERE / "load" / script, todo, results, str(deadline_s)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", **around},
        cwd=work,  # GPTQModel writes a folder of logs where it is started
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60 + deadline_s * len(jobs),
        check=True,
    )
    loads = {}
    by_name = {job.name: job for job in jobs}
    for line in results.read_text().splitlines():
        said = json.loads(line)
        job = by_name[said["name"]]
        kv = _KV.search(Path(job.log).read_text("utf-8", "replace"))
        loads[job.name] = Load(
            loaded=said["served"],
            error=said.get("error", ""),
            alike=_alike(said.get("logprobs"), job),
            kv_tokens=int(kv[1].replace(",", "")) if kv else None,
            max_concurrency=float(kv[2]) if kv else None,
        )
    return loads


def llamacpp(server: Path | None, job: Job) -> Load:
    """llama.cpp's server on a checkpoint: the program, or (None) quantdeck's own start of xllamacpp."""
    port = _free_port()
    with Path(job.log).open("w") as log:
        process = subprocess.Popen(_llamacpp_argv(server, job.path, port), stdout=log, stderr=log)
        try:
            load = _ask(process, port, job)
        finally:
            process.kill()
            process.wait()
    return load if load.loaded or load.error else Load(loaded=False, error=_telling(Path(job.log)))


def _llamacpp_argv(server: Path | None, path: str, port: int) -> list[str]:
    program = [str(server)] if server else [sys.executable, "-m", "quantdeck_agent.engines.xllamacpp_main"]
    numbers: dict[str, int | str] = {
        "--port": port,
        "--ctx-size": 512,
        "--parallel": 1,
        "--threads": 2,
        "--batch-size": 512,
        "--ubatch-size": 512,
        "--n-gpu-layers": 0,
        "--n-predict": 16,
        "--threads-http": 2,
        "--cache-ram": 0,
    }
    words = {"--flash-attn": "auto", "--cache-type-k": "f16", "--cache-type-v": "f16"}
    flags = [word for name, value in (numbers | words).items() for word in (name, str(value))]
    return [*program, "--model", path, "--alias", "case", "--host", "127.0.0.1", *flags]


def _ask(process: subprocess.Popen[bytes], port: int, job: Job) -> Load:
    """One token, once it is healthy; without an error where it ended by itself: its log has that."""
    deadline = time.monotonic() + LLAMACPP_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return Load(loaded=False)
        try:
            if _call(port, "GET", "/health")[0] == 200:
                break
        except OSError:
            pass
        time.sleep(0.02)
    else:
        return Load(loaded=False, error=f"not healthy within {LLAMACPP_DEADLINE_S:.0f} s")
    # A word is forced: an end, or a byte that is no whole character, would come without probabilities. They are taken
    # before the bias.
    force = [[forking.PROMPT[-1], 1000]]
    question = {"prompt": forking.PROMPT, "n_predict": 1, "temperature": 0, "n_probs": 1000, "logit_bias": force}
    status, body = _call(port, "POST", "/completion", question)
    if status != 200:
        return Load(loaded=False, error=f"HTTP {status}: {body[:200]!r}")
    first = json.loads(body)["completion_probabilities"][0]["top_logprobs"]
    return Load(loaded=True, alike=_alike({str(one["id"]): one["logprob"] for one in first}, job))


def _call(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=LLAMACPP_DEADLINE_S)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _telling(log: Path) -> str:
    """The first line of llama.cpp's log that names an error."""
    for line in log.read_text("utf-8", "replace").splitlines():
        if _ERROR.search(line) and "warning" not in line.lower():
            return _PREFIX.sub("", line.strip())[:300]
    return "it ended without a word"


def _alike(said: Mapping[str, float] | None, job: Job) -> float | None:
    """Correlation with the unquantized model's answer; None where the engine gave none."""
    if not said:
        return None
    wanted = json.loads(Path(job.reference).read_text())
    return round(statistics.correlation([said[str(i)] for i in range(len(wanted))], wanted), 4)


def convert(python: Path, source: Path, jobs: Sequence[Job], work: Path) -> dict[str, Conversion]:
    """convert_hf_to_gguf.py on folders (argument `outfile`), then xllamacpp on what it wrote."""
    path = f"{source}{os.pathsep}{source / 'gguf-py'}"
    loads = python_engine(python, "conversions.py", jobs, work, CONVERSION_DEADLINE_S, PYTHONPATH=path)
    return {job.name: _converted(job, loads[job.name]) for job in jobs}


def _converted(job: Job, done: Load) -> Conversion:
    written = Path(job.arguments["outfile"])
    if not done.loaded:
        # It logs what it does not support, and exits.
        said = _RAISED.findall(Path(job.log).read_text("utf-8", "replace"))
        return Conversion(written=False, error=(said[-1] if said else done.error)[:300])
    types = detect(LocalSource(written)).tensor_bytes
    served = llamacpp(None, msgspec.structs.replace(job, path=str(written), log=job.log + ".load"))
    return Conversion(written=True, types=types, load=served)
