"""Processes of engines as a test sees them, without the agent's own code."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

from quantdeck_core.protocol.engine import EngineStatus

Identity = tuple[int, str]
"""PID, and its start in the kernel's ticks: no clock moves it."""


def identity(engine: EngineStatus) -> Identity:
    """Who the engine's process is."""
    assert engine.pid
    with open(f"/proc/{engine.pid}/stat") as file:
        return engine.pid, file.read().rpartition(")")[2].split()[19]


def session(leader: int) -> list[psutil.Process]:
    """Live processes of a session, whoever leads it now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Signal each of them that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def alive(processes: list[psutil.Process]) -> list[int]:
    """Numbers of those that still run."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
