"""What an engine really took once it was ready: shown beside its plan, and kept for the next one."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

from quantdeck_agent.engines.record import EngineRecord
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.memory.engine_log import Measured, read_engine_log
from quantdeck_core.memory.load import Source
from quantdeck_core.memory.measured import Measurement, Where, load_of
from quantdeck_core.protocol.host import HostSample
from quantdeck_ledger.ledger import Ledger
from quantdeck_ledger.log_file import engine_log
from quantdeck_ledger.place import default_ledger_path
from quantdeck_ledger.process_memory import gpu_bytes, resident_bytes

log = logging.getLogger("quantdeck.agent")


def measure(record: EngineRecord, log_file: Path, sample: HostSample) -> int | None:
    """Bytes that it takes of its fullest device; keeps them beside the plan. None where nobody can tell.

    Reads processes, a log and a checkpoint's header: call it in a thread.
    """
    if record.identity is None:
        return None
    on_gpu = bool(record.gpus)
    try:
        total = gpu_bytes(record.identity.pid) if on_gpu else resident_bytes(record.identity.pid)
    except QuantdeckError as error:
        log.info("%s: its memory was not measured: %s", record.key, error.detail)
        return None
    try:
        _keep(record, total, "nvml" if on_gpu else "rss", log_file, sample)
    except QuantdeckError as error:
        log.info("%s: what it took was not kept: %s", record.key, error.detail)
    return total


def _keep(record: EngineRecord, total: int, source: Source, log_file: Path, sample: HostSample) -> None:
    from quantdeck_agent.engines.fit import subject_of, tables

    said = read_engine_log(engine_log(log_file))
    silent = said == Measured()
    if silent and source == "rss":
        return  # buffers that nobody has used yet are not resident: a plan would learn too little
    checkpoint, serving, site = subject_of(record.profile, Path(record.model_path), sample, record.gpus)
    measured = Measurement(
        total, None if silent else said, (source,) if silent else (source, "log"), record.version or None
    )
    where = Where(time.time(), socket.gethostname(), record.profile.name)
    load = load_of(checkpoint, serving, site, tables().estimates, measured, where)
    with Ledger(default_ledger_path(), write=True) as ledger:
        ledger.record(load)
