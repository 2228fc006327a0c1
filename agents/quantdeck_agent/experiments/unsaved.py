"""Rollbacks that the disk of the state refused, kept beside the sockets until it takes them.

That folder is in memory on most hosts, so that another full disk does not matter: an agent that is started again before
there is room must not give a treatment its users back.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import msgspec

from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_core.protocol.experiment import TimelineEntry

log = logging.getLogger("quantdeck.agent")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A rollback that is not on disk, and its line for the timeline."""

    record: ExperimentRecord
    line: TimelineEntry


class Unsaved:
    """One file an experiment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, experiment: str) -> Path:
        return self._folder / f"unsaved-{experiment}.json"

    def keep(self, record: ExperimentRecord, line: TimelineEntry) -> bool:
        """Whether it could be kept here either."""
        file = self._file(record.name)
        temporary = file.with_suffix(".new")
        try:
            temporary.write_bytes(msgspec.json.encode(Kept(record=record, line=line)))
            temporary.replace(file)
        except OSError as error:
            log.error("a rollback of %s is in this process only: %s", record.name, error)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return False
        return True

    def drop(self, experiment: str) -> None:
        """It is on disk now."""
        with contextlib.suppress(OSError):
            self._file(experiment).unlink(missing_ok=True)

    def newer_than(self, record: ExperimentRecord) -> Kept | None:
        """What is kept of an experiment, where the disk does not have it."""
        try:
            kept = msgspec.json.decode(self._file(record.name).read_bytes(), type=Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.error("what was kept of a rollback of %s cannot be read: %s", record.name, error)
            return None
        return kept if kept.record.state.revision > record.state.revision else None
