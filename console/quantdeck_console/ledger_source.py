"""What was measured earlier, as commands are told where it lies."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from quantdeck_ledger.ledger import Entry, Ledger
from quantdeck_ledger.place import default_ledger_path


def add_ledger_option(parser: argparse.ArgumentParser) -> None:
    """`--ledger FILE`."""
    parser.add_argument(
        "--ledger",
        type=Path,
        default=default_ledger_path(),
        metavar="FILE",
        help="measurements (default: $QUANTDECK_LEDGER or %(default)s)",
    )


def known_entries(path: Path, model: str | None = None) -> tuple[Entry, ...]:
    """Measurements of a model, or all; none where nothing was ever measured. The file is only read.

    Raises:
        LedgerError: the file is there and cannot be used.
    """
    if not os.path.exists(path):
        return ()
    with Ledger(path, write=False) as ledger:
        return ledger.entries(model)
