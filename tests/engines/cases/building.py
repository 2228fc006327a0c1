"""Build the cases with the quantizers, one process a maker."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from engines.cases.case import Case
from engines.cases.tools import Tools

_HERE = Path(__file__).parent
DEADLINE_S = 300


def build(tools: Tools, cases: Sequence[Case], root: Path) -> dict[str, str]:
    """Case -> what made it. A case that its maker could not build is missing; `root/MAKER.log` says why."""
    made: dict[str, str] = {}
    environment = {**os.environ, "PYTHONPATH": str(_HERE), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    if tools.llama_quantize:
        environment["QUANTDECK_LLAMA_QUANTIZE"] = str(tools.llama_quantize)
    for maker in dict.fromkeys(case.maker for case in cases):
        names = [case.name for case in cases if case.maker == maker]
        if maker == "by_llama_quantize" and tools.llama_quantize is None:
            continue
        with (root / f"{maker}.log").open("w") as log:
            subprocess.run(
                [tools.quantizers, "-m", "make", maker, root, *names],
                env=environment,
                cwd=root,  # GPTQModel writes a folder of logs where it is started
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=DEADLINE_S,
                check=True,
            )
        for line in (root / f"{maker}.jsonl").read_text().splitlines():
            said = json.loads(line)
            if "made_by" in said:
                made[said["name"]] = said["made_by"]
    return made


def path_of(case: Case, root: Path) -> Path:
    """What is given to an engine: the folder, or a GGUF's file (the first of several)."""
    folder = root / case.name
    return sorted(folder.glob("*.gguf"))[0] if case.gguf else folder
