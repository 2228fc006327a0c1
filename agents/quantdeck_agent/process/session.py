"""The processes of a session that an agent started: all that an engine's process has left behind, and nobody else's."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from quantdeck_agent.process.identity import MARKER, ProcessIdentity, start_time


def members(identity: ProcessIdentity) -> list[psutil.Process]:
    """Live processes of the session that it began, itself included.

    They carry its marker, and none is older than it: another session that got the same number later is not touched.
    vLLM's workers write their title over their environment (setproctitle), so they carry nothing at all; the kernel
    gives a session's number to nobody else while one of it lives.
    """
    found, foreign = [], _is_somebody_else(identity)
    for pid in _of_session(identity.pid):
        try:
            process = psutil.Process(pid)
            environment = _environment(process)
            mine = environment.get(MARKER) == identity.marker or not (environment or foreign)
            if mine and process.status() != psutil.STATUS_ZOMBIE and start_time(pid) >= identity.created - 0.5:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.NoSuchProcess:
        return {}  # on its way out: it has lost its memory's map, and gigabytes of it are being freed still


def _is_somebody_else(identity: ProcessIdentity) -> bool:
    """Whether another process has its number by now."""
    try:
        return abs(start_time(identity.pid) - identity.created) > 0.5
    except psutil.Error:
        return False


def signal_members(identity: ProcessIdentity, number: signal.Signals) -> int:
    """Signal each of them; how many there were. Children that outlived their parent get it too."""
    sent = 0
    for process in members(identity):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
            sent += 1
    return sent


def _of_session(leader: int) -> Iterator[int]:
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader:
                yield pid


def marked(owner: str) -> Iterator[ProcessIdentity]:
    """Sessions whose marker begins with `<owner>/`: what an agent on this state has started.

    Of one whose leader has ended the workers count too: they may hold a GPU for ever. Its identity is not alive.
    """
    found: dict[tuple[int, str], ProcessIdentity] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            session = os.getsid(process.pid)
            marker = process.environ().get(MARKER, "")
            if not marker.startswith(f"{owner}/") or process.status() == psutil.STATUS_ZOMBIE:
                continue
            known = found.get((session, marker))
            created = start_time(process.pid)
            if known is None or created < known.created:
                found[session, marker] = ProcessIdentity(pid=session, created=created, marker=marker)
    yield from found.values()
