"""An environment with programs that play `ray` and `vllm`: they keep ports and end as the real ones do, in no time.

The real ones are in tests/matrix/test_ray.py. What is played here was seen there: a node ends when its head is gone,
the server when a node is.
"""

from __future__ import annotations

import sys
import venv
from pathlib import Path

_RAY = """#!{python}
import contextlib, os, socket, sys, threading, time

def argument(name):
    return sys.argv[sys.argv.index(name) + 1]

assert os.environ["RAY_AUTH_MODE"] == "token" and os.environ["RAY_AUTH_TOKEN"] == "secret"
address = argument("--node-ip-address")
node = socket.create_server((address, int(argument("--node-manager-port"))))
print("error: not an error of the server", flush=True)
if "--head" in sys.argv:
    head, joined = socket.create_server((address, int(argument("--port")))), []

    def until_one_leaves(connection):
        if connection.recv(9) != b"here":
            return  # somebody who only looked whether it answers
        joined.append(connection)
        if not connection.recv(1):
            for one in joined:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)  # a close would wait for the thread that reads
            joined.clear()

    while True:
        threading.Thread(target=until_one_leaves, args=(head.accept()[0],), daemon=True).start()
host, _, port = argument("--address").rpartition(":")
connection = socket.create_connection((host, int(port)))
connection.send(b"here")
connection.recv(1)
sys.exit("the head is gone")
"""
_VLLM = """#!{python}
import json, os, socket, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def argument(name):
    return sys.argv[sys.argv.index(name) + 1]

assert argument("--distributed-executor-backend") == "ray"
host, _, port = os.environ["RAY_ADDRESS"].rpartition(":")
connection = socket.create_connection((host, int(port)))
connection.send(b"here")

def until_a_node_leaves():
    connection.recv(1)
    print("RuntimeError: Executor failed.", flush=True)
    os._exit(1)


class Handler(BaseHTTPRequestHandler):
    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer({{"data": [{{"id": argument("--served-model-name")}}]}})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer({{"choices": [{{"text": "a", "finish_reason": "stop"}}]}})

    def log_message(self, *_):
        pass


threading.Thread(target=until_a_node_leaves, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", int(argument("--port"))), Handler).serve_forever()
"""


def played_vllm(folder: Path, *, ray: str | None = "2.60.0", vllm: str = "0.33.0") -> Path:
    """The `vllm` of such an environment; `ray` None for one without."""
    venv.create(folder, symlinks=True)
    packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    for name, version, text in (("ray", ray, _RAY), ("vllm", vllm, _VLLM)):
        if version is None:
            continue
        metadata = packages / f"{name}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        program = folder / "bin" / name
        program.write_text(text.format(python=folder / "bin" / "python"))
        program.chmod(0o755)
    return folder / "bin" / "vllm"
