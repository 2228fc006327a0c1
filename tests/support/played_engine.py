"""A program that plays `llama-server` badly on demand: for timing and faults that no real engine shows when asked."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quantdeck_core.profile.schema import Profile
from support.deck import changed

_PROGRAM = """#!{python}
import json, os, pathlib, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if "--version" in sys.argv:
    print("version: 0 (played)")
    sys.exit(0)
here = pathlib.Path(__file__).parent
began = time.monotonic()

def plays(name, usual=None):
    return json.loads((here / "plays.json").read_text()).get(name, usual)

def argument(name):
    return sys.argv[sys.argv.index(name) + 1]

if plays("orphan"):
    # A worker that holds on when its parent has ended, as vLLM's do.
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    worker.stdout.readline()
    (here / "worker.pid").write_text(str(worker.pid))
if plays("deaf"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
while plays("waits"):
    time.sleep(0.02)
if plays("eats"):
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
    weights = bytearray(1 << 30)
if plays("dies"):
    sys.exit("error: this engine was asked to end")


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if time.monotonic() - began < plays("load_s", 0):
            return self.answer(503, {{"error": {{"message": "Loading model"}}}})
        if self.path == "/v1/models":
            return self.answer(200, {{"data": [{{"id": plays("model", argument("--alias"))}}]}})
        if self.path == "/metrics":
            if plays("no_metrics"):
                return self.answer(404, b"")
            page = "llamacpp:tokens_predicted_total %d\\nllamacpp:requests_processing 0\\n" % plays("tokens", 0)
            return self.answer(200, page.encode(), "text/plain")
        self.answer(200, {{"status": "ok"}})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        while plays("hangs"):
            time.sleep(0.05)
        if plays("status"):
            return self.answer(plays("status"), {{}})
        if plays("cuts"):
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            return self.wfile.write(b'{{"choices": [')
        usual = '{{"choices": [{{"text": "a", "finish_reason": "stop"}}]}}'
        self.answer(200, plays("answer", usual).encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("127.0.0.1", int(argument("--port"))), Handler).serve_forever()
"""


class PlayedEngine:
    """The program, and what it plays from now on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.program = folder, folder / "llama-server-played"
        self.program.write_text(_PROGRAM.format(python=sys.executable))
        self.program.chmod(0o755)
        self.plays()

    def plays(self, **what: Any) -> None:
        """From now on, and nothing else.

        `load_s`: seconds of 503; `hangs`: no completion; `status`: of completions; `model`: that it lists;
        `waits` before it listens; `dies` at its start; `eats` more memory than it may; `deaf` to SIGTERM; `orphan`: a
        worker that stays; `no_metrics`, `tokens`: its counters; `answer`: text of completions; `cuts` them off.
        """
        new = self.folder / "plays.new"
        new.write_text(json.dumps(what))
        os.replace(new, self.folder / "plays.json")

    def profile(self, **changes: Any) -> Profile:
        """A profile that starts it, with any GGUF of the demo."""
        return changed(engine="llama-server", executable=str(self.program), **changes)

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Runs without an agent; yields its address."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen([self.program, "--port", str(port), "--alias", "assistant"])
        try:
            deadline = time.monotonic() + 10
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert time.monotonic() < deadline, "it does not listen"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()

    @property
    def worker(self) -> int:
        """PID of the worker that holds on."""
        return int((self.folder / "worker.pid").read_text())
