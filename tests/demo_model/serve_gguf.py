"""Serves one GGUF file on loopback: `python serve_gguf.py FILE [CONTEXT [VERBOSITY]]`, 4 slots of CONTEXT tokens.

Prints the port, then runs until its input ends.
"""

import sys

from xllamacpp import CommonParams, Server


def main(path: str, context: str = "1024", verbosity: str = "0") -> None:
    params = CommonParams()
    params.model.path = path
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 4
    params.n_ctx = 4 * int(context)
    # Two servers whose threads spin for each other's cores serve next to nothing.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.verbosity = int(verbosity)
    server = Server(params)
    print(server.listening_address.rsplit(":", 1)[1], flush=True)
    # The parent holds the other end: however it ends, this process ends too.
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
