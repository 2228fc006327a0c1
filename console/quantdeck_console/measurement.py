"""What `quantdeck measure` reads: a process, GPUs, an engine's log, or what a person says."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

from quantdeck_core.errors import InputError
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.engine_log import Measured, read_engine_log
from quantdeck_core.memory.load import Source
from quantdeck_core.memory.log_version import version_in_log
from quantdeck_ledger.process_memory import gpu_bytes, resident_bytes

_HALF = 16 << 20
"""Bytes at each end of a log that are read: a start is at its beginning, or not far from its end."""


class Measurement(NamedTuple):
    """Bytes on one device, what the log says, where both come from, and the engine's version where it is known."""

    total: int | None
    log: Measured | None
    sources: tuple[Source, ...]
    version: str | None


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
    text = _text(options.log)
    log = read_engine_log(text)
    if log == Measured():
        raise InputError(
            f"{options.log} does not say what the engine allocated.",
            "llama.cpp's server says it with --verbosity 4, vLLM always; name the log of its start.",
        )
    return Measurement(total, log, (*sources, "log"), version_in_log(text))


def _text(path: Path) -> str:
    if not os.path.isfile(path):
        raise InputError(f"There is no file {path}.", "Name the file that the engine's output goes to.")
    try:
        with path.open("rb") as file:
            whole = os.fstat(file.fileno()).st_size
            beginning = file.read(_HALF)
            file.seek(max(len(beginning), whole - _HALF))
            return (beginning + file.read(_HALF)).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror or error}.", "Check the path and who may read it."
        ) from None
