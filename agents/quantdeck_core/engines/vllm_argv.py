"""vLLM, on GPUs and on CPUs: `vllm serve MODEL ...`."""

from __future__ import annotations

import json
import math

from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Resolved


def vllm_values(serve: Resolved) -> dict[str, object]:
    """Values of flags that are no fields."""
    bound = None if serve.max_tokens is None else json.dumps({"max_new_tokens": serve.max_tokens})
    return {"generation_config": bound}


def vllm_env(profile: Profile, serve: Resolved) -> dict[str, str]:
    """Variables that follow from the profile. vLLM takes whole seconds and whole GiB."""
    env = {"VLLM_ENGINE_READY_TIMEOUT_S": str(math.ceil(profile.warmup.deadline_s))}
    if profile.engine == "vllm-cpu":
        env |= {"VLLM_CPU_KVCACHE_SPACE": str(serve.kv_cache_gib)}
        if serve.threads is None:
            env |= {"VLLM_CPU_OMP_THREADS_BIND": "auto"}
        else:
            # Otherwise vLLM takes a core for each thread it finds, and OMP_NUM_THREADS does not count
            # (vllm/utils/ompmultiprocessing.py).
            env |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(serve.threads)}
    return env
