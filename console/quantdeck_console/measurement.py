"""What `quantdeck measure` reads: a process, GPUs, an engine's log, or what a person says."""

from __future__ import annotations

import argparse

from quantdeck_core.errors import InputError
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.engine_log import Measured, read_engine_log
from quantdeck_core.memory.load import Source
from quantdeck_core.memory.log_version import version_in_log
from quantdeck_core.memory.measured import Measurement
from quantdeck_ledger.log_file import engine_log
from quantdeck_ledger.process_memory import gpu_bytes, resident_bytes


def measurement_of(options: argparse.Namespace, device: Device) -> Measurement:
    """What `--pid`, `--total` and `--log` name.

    Raises:
        QuantdeckError: it cannot be read, or says nothing.
    """
    total: int | None = options.total
    sources: list[Source] = ["given"] if total is not None else []
    if options.pid is not None:
        on_gpu = device.kind == "gpu"
        total = gpu_bytes(options.pid) if on_gpu else resident_bytes(options.pid)
        sources.append("nvml" if on_gpu else "rss")
    if options.log is None:
        return Measurement(total, None, tuple(sources), None)
    text = engine_log(options.log)
    log = read_engine_log(text)
    if log == Measured():
        raise InputError(
            f"{options.log} does not say what the engine allocated.",
            "llama.cpp's server says it with --verbosity 4, vLLM always; name the log of its start.",
        )
    return Measurement(total, log, (*sources, "log"), version_in_log(text))
