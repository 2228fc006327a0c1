"""xllamacpp's server with its whole log: `serve_xllamacpp.py '{"n_ctx": 4096, ...}'` sets `CommonParams` by name."""

from __future__ import annotations

import json
import signal
import sys

import xllamacpp

params = xllamacpp.CommonParams()
for name, value in json.loads(sys.argv[1]).items():
    owner = params
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, value)
server = xllamacpp.Server(params)
print(f"listening on {server.listening_address}", flush=True)
signal.pause()
