"""The same target under atheris (libFuzzer): `python -m fuzz.guided COUNTS CORPUS -flags`. Started by `__main__`."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["quantdeck_core"], enable_loader_override=False):
    from fuzz.target import run

from fuzz.mutate import mutate
from fuzz.seeds import seeds

COUNTS = Path(sys.argv[1])
_SEEDS = list(seeds().values())
_state = {"runs": 0, "bytes": 0, "s": 0.0}


def one_input(data: bytes) -> None:
    """Run it; every thousandth time, say how far it is (libFuzzer ends without a last word)."""
    outcome = run(data)
    _state["runs"] += 1
    _state["bytes"] = max(_state["bytes"], outcome.bytes_read)
    _state["s"] = max(_state["s"], round(outcome.seconds, 2))
    if _state["runs"] % 1000 == 0:
        COUNTS.write_text(json.dumps(_state))


def change(data: bytes, limit: int, seed: int) -> bytes:
    """Most changes know what a folder is; the others are libFuzzer's own."""
    if seed % 4 == 0:
        return bytes(atheris.Mutate(data, limit))
    return mutate(data, _SEEDS, random.Random(seed))[:limit]


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], one_input, custom_mutator=change)
    atheris.Fuzz()
