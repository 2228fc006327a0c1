"""A program that plays `llama-server` badly on demand: for timing and faults that no real engine shows when asked."""

from __future__ import annotations

import json
import os
import sys
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
        self.answer(200, {{"choices": [{{"text": "a", "finish_reason": "stop"}}]}})

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

        `load_s`: seconds of 503; `hangs`: no completion; `status`: of completions; `orphan`: a worker that stays;
        `deaf`: to SIGTERM; `eats`: more memory than it may; `dies`: at its start; `no_metrics`, `tokens`: counters.
        """
        new = self.folder / "plays.new"
        new.write_text(json.dumps(what))
        os.replace(new, self.folder / "plays.json")

    def profile(self, **changes: Any) -> Profile:
        """A profile that starts it, with any GGUF of the demo."""
        return changed(engine="llama-server", executable=str(self.program), **changes)

    @property
    def worker(self) -> int:
        """PID of the worker that holds on."""
        return int((self.folder / "worker.pid").read_text())
