"""The exact command line of an engine: pure, so that it can be shown before anything starts."""

from __future__ import annotations

from quantdeck_core.profile.schema import Profile

HTTP_THREADS = 128
"""llama.cpp gives each connection a thread, and an idle kept-alive one holds its thread for 5 s. With the default
number a burst of connections waits behind idle ones: 60 at once took 4.9 s, not 0.6 s. A thread costs 16 KiB."""


def engine_argv(profile: Profile, model_path: str, port: int, python: str) -> list[str]:
    """argv of the process that serves a profile.

    Args:
        model_path: absolute path of the checkpoint.
        port: loopback port to listen on.
        python: interpreter that has the engine's package.
    """
    match profile.engine:
        case "xllamacpp":
            return _xllamacpp(profile, model_path, port, python)


def _xllamacpp(profile: Profile, model_path: str, port: int, python: str) -> list[str]:
    serve = profile.serve
    flags = {
        "--model": model_path,
        "--alias": profile.served_name,
        "--host": "127.0.0.1",
        "--port": port,
        # llama.cpp divides its context among the slots.
        "--ctx-size": serve.max_model_len * serve.max_num_seqs,
        "--parallel": serve.max_num_seqs,
        "--threads": serve.threads,
        "--batch-size": serve.batch_size,
        "--cache-ram": serve.cache_ram_mib,
        "--n-gpu-layers": serve.n_gpu_layers,
        "--n-predict": serve.max_tokens,
        "--threads-http": HTTP_THREADS,
    }
    return [python, "-m", "quantdeck_agent.engines.xllamacpp_main", *(str(p) for pair in flags.items() for p in pair)]
