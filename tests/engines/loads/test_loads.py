"""The loads again, on engines of now. Minutes; skipped where the engine is not named.

`QUANTDECK_LLAMA_SERVER` names the program, `QUANTDECK_LOADS=xllamacpp` takes the wheel instead, `QUANTDECK_VLLM` is
the command.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engines.loads import measure, measure_vllm
from engines.loads.cases import LOADS, Load
from engines.loads.planned import cache_of, error, plan, shape_of
from engines.loads.vllm_cases import SERVE, VLLM_LOADS, VllmLoad
from quantdeck_core.memory.vllm_kv import kv_cache_tokens

LLAMA_SERVER, VLLM = os.environ.get("QUANTDECK_LLAMA_SERVER"), os.environ.get("QUANTDECK_VLLM")
XLLAMACPP = os.environ.get("QUANTDECK_LOADS") == "xllamacpp"
COMPUTE_OF_BUILDS = 0.20
"""Builds of llama.cpp differ here: the allocator reuses more in some. The fit is of xllamacpp 2026.10."""


@pytest.mark.timeout(600)
@pytest.mark.skipif(not (LLAMA_SERVER or XLLAMACPP), reason="neither QUANTDECK_LLAMA_SERVER nor QUANTDECK_LOADS is set")
@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_llamacpp(load: Load, tmp_path: Path) -> None:
    found, planned = measure.measure(load, tmp_path, LLAMA_SERVER), plan(load)
    log = found["log"]
    assert abs(error(planned.kv, log["kv_bytes"])) < 0.01
    assert abs(error(planned.weights, log["weights_bytes"])) < 0.01
    assert abs(error(planned.compute, log["compute_bytes"])) < COMPUTE_OF_BUILDS
    assert abs(error(planned.total, found["served"]["resident"])) < 0.05


@pytest.mark.timeout(300)
@pytest.mark.skipif(VLLM is None, reason="QUANTDECK_VLLM names no program")
@pytest.mark.parametrize("load", VLLM_LOADS, ids=lambda load: load.name)
def test_vllm(load: VllmLoad, tmp_path: Path) -> None:
    assert VLLM
    found = measure_vllm.measure(load, Path(VLLM).with_name("python"), tmp_path)
    cache = cache_of(load, found["in_flight"])
    planned = kv_cache_tokens(shape_of(load), (SERVE | load.serve)["kv_cache_memory_bytes"], cache)
    assert planned == found["log"]["kv_tokens"]
