"""A demo model behind llama.cpp's server, without an agent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = Path(__file__).parent.parent / "demo_model" / "serve_gguf.py"


@contextmanager
def serving(model: Path, context: int = 1024) -> Iterator[int]:
    """An engine in a process of its own; yields its port on 127.0.0.1. `context`: tokens of each slot."""
    argv = [sys.executable, str(_PROGRAM), str(model), str(context)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as engine:
        assert engine.stdin is not None
        assert engine.stdout is not None
        try:
            yield int(engine.stdout.readline())
        finally:
            engine.stdin.close()
            try:
                engine.wait(timeout=10)
            except subprocess.TimeoutExpired:
                engine.kill()
                raise
