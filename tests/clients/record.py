"""NAME PORT: writes answers of the engine on a port of loopback, byte for byte, for tests/gateway/test_recorded.py."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from clients.asks import CHAT, MUST_CALL, TEXT

FOLDER = Path(__file__).parents[1] / "gateway" / "recorded"
SHORT = {"max_tokens": 4}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}
ASKS = {
    "chat": ("/v1/chat/completions", {**CHAT, **SHORT}),
    "chat-stream": ("/v1/chat/completions", {**CHAT, **SHORT, **STREAM}),
    "logprobs-stream": ("/v1/chat/completions", {**CHAT, **SHORT, **STREAM, "logprobs": True, "top_logprobs": 2}),
    "tool-stream": ("/v1/chat/completions", {**MUST_CALL["tool it must use"], **STREAM}),
    "completion": ("/v1/completions", {**TEXT, **SHORT}),
    "completion-stream": ("/v1/completions", {**TEXT, **SHORT, **STREAM}),
    "error": ("/v1/chat/completions", {}),
}


def answer(port: int, path: str, body: dict[str, object]) -> bytes:
    """All that comes until the engine closes."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: engine\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n"
    said = b""
    with socket.create_connection(("127.0.0.1", port), 60) as engine:
        engine.sendall(head.encode() + b"\r\n" + data)
        engine.settimeout(3)  # engines keep the connection: silence is the end
        try:
            while more := engine.recv(65536):
                said += more
        except TimeoutError:
            pass
    return said


name, port = sys.argv[1], int(sys.argv[2])
for case, (path, body) in ASKS.items():
    if case != "tool-stream" or name == "vllm":
        (FOLDER / f"{name}.{case}.http").write_bytes(answer(port, path, body))
