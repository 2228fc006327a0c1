"""Start a process that outlives the agent: its own session, its own log file, nothing inherited."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from quantdeck_agent.process.identity import MARKER, ProcessIdentity, identify
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.text import clean

_TAIL_BYTES = 16_384
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this agent started itself: only a parent can collect them."""
_ended: dict[int, int] = {}
"""Return codes of the last that ended."""
_ENDED_KEPT = 100


class StartError(QuantdeckError):
    """A process could not be started at all."""

    code = "start-failed"
    title = "Could not start"


def spawn(argv: Sequence[str], marker: str, log: Path, env: Mapping[str, str] = os.environ) -> ProcessIdentity:
    """Start a program detached.

    Args:
        env: its environment; the marker is added.

    Raises:
        StartError: the program does not exist, or ended at once.
    """
    with log.open("ab") as out:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**env, MARKER: marker},
                start_new_session=True,
                close_fds=True,
            )
        except OSError as error:
            raise StartError(
                f"Cannot start {argv[0]}: {error.strerror}.", "Check that the engine is installed on this host."
            ) from None
    _is_worth_less(child.pid)
    identity = identify(child.pid, marker)
    if identity is None:
        child.wait()
        raise StartError(f"{argv[0]} ended at once: {last_words(log)}", f"Read the log: {log}")
    _children[child.pid] = child
    return identity


def _is_worth_less(pid: int) -> None:
    """Where the agent itself is kept from the kernel's out-of-memory killer, what it starts is not."""
    with contextlib.suppress(OSError, ValueError):
        if int(Path("/proc/self/oom_score_adj").read_text()) < 0:
            Path(f"/proc/{pid}/oom_score_adj").write_text("0")


def reap() -> None:
    """Collect children that have ended, so that none stays a zombie."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]
            _ended[pid] = child.returncode
            while len(_ended) > _ENDED_KEPT:
                del _ended[next(iter(_ended))]


def returncode_of(pid: int) -> int | None:
    """How a child ended: its exit code, or minus a signal's number. None where it runs, or another agent started it."""
    reap()
    return _ended.get(pid)


def last_words(log: Path) -> str:
    """The last line of a log that says what went wrong, or its last line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "no log"
    lines = [clean(line, one_line=True).strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["nothing in the log"])[-1][:300]
