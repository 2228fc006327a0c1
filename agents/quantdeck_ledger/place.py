"""Where measurements are kept."""

from __future__ import annotations

import os
from pathlib import Path


def default_ledger_path() -> Path:
    """$QUANTDECK_LEDGER, else `quantdeck/measurements.sqlite` where this user's programs keep their state."""
    if named := os.environ.get("QUANTDECK_LEDGER"):
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "quantdeck" / "measurements.sqlite"
