"""Load every case and write down what was measured: `python -m engines.loads.measure [words of a load's name]`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from engines.loads import gguf_maker
from engines.loads.cases import LOADS, Load
from engines.loads.llamacpp_process import Memory, running
from quantdeck_core.memory.engine_log import read_engine_log

RESULTS = Path(__file__).with_name("llamacpp_results.json")


def measure(load: Load, folder: Path, llama_server: str | None = None) -> dict[str, Any]:
    """What the log and the kernel say of one load: after it, and after a prompt was read and a few tokens written."""
    path = folder / f"{load.model.name}.gguf"
    gguf_maker.write(path, load.model)
    try:
        with running(path, load.settings, folder / "log.txt", llama_server) as engine:
            loaded = engine.memory()
            engine.complete([5] * load.prompt, 4)
            return {
                "load": load.name,
                "model": load.model.name,
                "file_bytes": path.stat().st_size,
                "log": msgspec.to_builtins(read_engine_log(engine.log)),
                "loaded": _memory(loaded),
                "served": _memory(engine.memory()),
            }
    finally:
        path.unlink()


def _memory(memory: Memory) -> dict[str, int]:
    return {"resident": memory.resident, "anonymous": memory.anonymous, "file": memory.file}


def main() -> None:
    words = " ".join(sys.argv[1:])
    results = {one["load"]: one for one in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for load in LOADS:
            if words in load.name:
                results[load.name] = measure(load, Path(folder), os.environ.get("QUANTDECK_LLAMA_SERVER"))
                print(load.name, results[load.name]["log"], flush=True)
                known = [results[one.name] for one in LOADS if one.name in results]
                RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
