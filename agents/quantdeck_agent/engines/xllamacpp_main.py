"""The engine process for `engine = "xllamacpp"`: llama.cpp's server from a prebuilt wheel, configured by flags.

It takes llama-server's own flag names, so that its command line reads like one. It runs alone in its process and knows
nothing of the agent.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import ModuleType

_FLASH_ATTN = {
    "on": "LLAMA_FLASH_ATTN_TYPE_ENABLED",
    "off": "LLAMA_FLASH_ATTN_TYPE_DISABLED",
    "auto": "LLAMA_FLASH_ATTN_TYPE_AUTO",
}
_KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM; 1 where the model cannot be loaded."""
    parser = argparse.ArgumentParser(prog="xllamacpp-server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--host", required=True)
    for flag in (
        "--port",
        "--ctx-size",
        "--parallel",
        "--threads",
        "--batch-size",
        "--ubatch-size",
        "--n-predict",
        "--threads-http",
        "--cache-ram",
    ):
        parser.add_argument(flag, type=int, required=True)
    parser.add_argument("--n-gpu-layers", type=_layers, required=True)
    parser.add_argument("--flash-attn", choices=("on", "off", "auto"), required=True)
    parser.add_argument("--cache-type-k", choices=_KV_TYPES, required=True)
    parser.add_argument("--cache-type-v", choices=_KV_TYPES, required=True)
    args = parser.parse_args(argv)

    try:
        import xllamacpp
    except ImportError as error:
        sys.stderr.write(f"error: xllamacpp cannot be imported: {error}. Install quantdeck[xllamacpp] on this host.\n")
        return 1

    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.model_alias = {args.alias}
    params.hostnames = [args.host]
    params.port = args.port
    params.n_ctx = args.ctx_size
    params.n_parallel = args.parallel
    params.cpuparams.n_threads = args.threads
    params.cpuparams_batch.n_threads = args.threads
    params.n_batch = args.batch_size
    params.n_ubatch = args.ubatch_size
    params.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, _FLASH_ATTN[args.flash_attn])
    params.cache_type_k = _ggml_type(xllamacpp, args.cache_type_k)
    params.cache_type_v = _ggml_type(xllamacpp, args.cache_type_v)
    params.cache_ram_mib = args.cache_ram
    params.n_gpu_layers = args.n_gpu_layers
    # What was planned is what must start, not what happens to fit.
    params.fit_params = False
    params.n_predict = args.n_predict
    params.n_threads_http = args.threads_http
    params.endpoint_metrics = True
    # The engine is on loopback behind the gateway; it must never look anything up outside.
    params.offline = True
    params.ui = False
    # Errors only: from 2 on it writes pieces of requests that it cannot parse.
    params.verbosity = 1

    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stderr.write(f"listening on {server.listening_address}\n")
    sys.stderr.flush()
    while True:
        # SIGTERM keeps its default: the agent drains first, and an idle engine has nothing to finish.
        signal.pause()


def _layers(text: str) -> int:
    """llama.cpp's number for `all`; its -1 is `auto`, which is what fits."""
    return -2 if text == "all" else int(text)


def _ggml_type(module: ModuleType, name: str) -> object:
    return getattr(module.ggml_type, f"GGML_TYPE_{name.upper()}")


if __name__ == "__main__":
    sys.exit(main())
