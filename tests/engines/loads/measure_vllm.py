"""Load every vLLM case and write down its log: `QUANTDECK_VLLM=.../bin/vllm python -m engines.loads.measure_vllm`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from engines.loads.vllm_cases import COMMON, SERVE, VLLM_LOADS, VllmLoad
from quantdeck_core.memory.engine_log import read_engine_log

RESULTS = Path(__file__).with_name("vllm_results.json")
_LOAD_S = 240


def measure(load: VllmLoad, python: Path, folder: Path) -> dict[str, Any]:
    """What the log says of one load."""
    (folder / "config.json").write_text(json.dumps(COMMON | load.config))
    script = Path(__file__).with_name("vllm_load.py")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    environment.pop("PYTHONPATH", None)
    run = subprocess.run(
        [python, script, folder, json.dumps(SERVE | load.serve)],
        env=environment, capture_output=True, text=True, timeout=_LOAD_S,
    )  # fmt: skip
    log = run.stdout + run.stderr
    assert run.returncode == 0, log[-3000:]
    (folder / f"{load.name}.log").write_text(log)
    in_flight = int(next(line for line in log.splitlines() if line.startswith("loaded ")).split()[1])
    return {"load": load.name, "in_flight": in_flight, "log": msgspec.to_builtins(read_engine_log(log))}


def main() -> None:
    python = Path(os.environ["QUANTDECK_VLLM"]).with_name("python")
    words = " ".join(sys.argv[1:])
    results = {one["load"]: one for one in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for load in VLLM_LOADS:
            if words in load.name:
                results[load.name] = measure(load, python, Path(folder))
                print(results[load.name], flush=True)
                known = [results[one.name] for one in VLLM_LOADS if one.name in results]
                RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
