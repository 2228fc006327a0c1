"""One process a job, forked from one that has imported what takes long: a crash or a hang is that job's alone.

The parent computes nothing, since threads do not survive a fork. Runs in any interpreter: the standard library only.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PROMPT = (1, 263, 309, 313, 308, 270, 280, 290, 300, 310, 320, 330, 340, 350, 360, 370)
"""Token ids that every engine continues by one."""

Load = Callable[[dict[str, Any]], Mapping[int, float]]
"""Loads the checkpoint of a job and says how probable each next token is (logarithm)."""


def run_all(load: Load, jobs: Path, results: Path, deadline_s: float) -> None:
    """All jobs (a JSON list of {"name", "path", "log"}) in order; `results` gets a JSON line each."""
    with results.open("w") as lines:
        for job in json.loads(jobs.read_text()):
            lines.write(json.dumps(run(load, job, deadline_s)) + "\n")
            lines.flush()


def run(load: Load, job: dict[str, Any], deadline_s: float) -> dict[str, Any]:
    """One job in a process group of its own, which is ended with all it started."""
    begun = time.monotonic()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(load, job, writing)
    os.close(writing)
    content, late = _read(reading, begun + deadline_s)
    os.close(reading)
    if late:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if content.endswith(b"\n"):
        said = json.loads(content)
    elif late:
        said = {"served": False, "error": f"nothing within {deadline_s:.0f} s"}
    else:
        said = {"served": False, "error": f"its process died ({signal.Signals(os.WTERMSIG(status)).name})"}
    return {**said, "name": job["name"], "seconds": round(time.monotonic() - begun, 1)}


def _read(reading: int, deadline: float) -> tuple[bytes, bool]:
    """All that comes until the other end closes, and whether it was late."""
    content = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            if not (piece := os.read(reading, 1 << 16)):
                return content, False
            content += piece
    return content, True


def _child(load: Load, job: dict[str, Any], pipe: int) -> None:
    """Never returns."""
    os.setsid()
    log = os.open(job["log"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        first = load(job)
        if not all(math.isfinite(value) or value == -math.inf for value in first.values()):
            raise ArithmeticError("the first token's probabilities are no numbers (NaN)")
        said: dict[str, Any] = {"served": True, "logprobs": dict(first)}
    except BaseException as error:
        traceback.print_exc()
        said = {"served": False, "error": telling(error)}
    sys.stdout.flush()
    sys.stderr.flush()
    with os.fdopen(pipe, "wb") as answer:
        answer.write(json.dumps(said).encode() + b"\n")
    os._exit(0)


def telling(error: BaseException) -> str:
    """The line of an exception that says what is wrong: pydantic wraps it, kernels list reasons below it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    chosen = next((line for line in lines if line.startswith("Value error, ")), lines[0] if lines else "")
    if chosen.endswith("Reasons:") and len(lines) > 1:
        chosen = f"{chosen} {lines[-1]}"
    chosen = re.sub(r" \[type=.*", "", chosen.removeprefix("Value error, "))
    return f"{type(error).__name__}: {chosen}"[:300]
