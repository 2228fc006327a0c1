"""An incident as a file: the evidence, some of which is in memory only."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.protocol.incident import IncidentReport


def default_name(experiment: str, t: float) -> str:
    """``incident-int4_v1-20260601T021744Z.json``; of a name that a host told only what is safe in a file's."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", experiment)[:64]
    return f"incident-{safe}-{datetime.fromtimestamp(t, UTC).strftime('%Y%m%dT%H%M%SZ')}.json"


def require_new(file: Path) -> None:
    """Refuse early what `write_incident` would refuse in the end.

    Raises:
        InputError: it is there already, or its folder is not.
    """
    try:
        there, folder = file.exists() or file.is_symlink(), file.parent.is_dir()
    except OSError as error:
        raise _unwritable(file, error) from None
    if there:
        raise InputError(f"{file} exists already.", "Choose another name: an incident is not overwritten.")
    if not folder:
        raise InputError(f"There is no folder {file.parent}.", "Choose a folder that exists and is yours.")


def write_incident(file: Path, reports: Sequence[IncidentReport]) -> int:
    """Write a new file for its owner only, since it may hold what users wrote; its length in bytes.

    Raises:
        InputError: it exists, or cannot be written.
    """
    require_new(file)
    body = msgspec.json.format(msgspec.json.encode(reports), indent=2) + b"\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unwritable(file, error) from None
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(body)
    except OSError as error:
        file.unlink(missing_ok=True)  # half of the evidence looks like all of it
        raise _unwritable(file, error) from None
    return len(body)


def _unwritable(file: Path, error: OSError) -> InputError:
    return InputError(f"Cannot write {file}: {error.strerror}.", "Choose a folder that exists and is yours.")


def without_prompts(report: IncidentReport) -> IncidentReport:
    """Users' words go into a file where that was asked for, never to a screen."""
    if report.replay is None:
        return report
    bare = tuple(msgspec.structs.replace(one, prompt="") for one in report.replay.prompts)
    return msgspec.structs.replace(report, replay=msgspec.structs.replace(report.replay, prompts=bare))
