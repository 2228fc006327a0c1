"""What the console sends to a terminal at the other end of an SSH connection.

    python tests/benchmarks/console_bytes.py [--quiet 65] [--seconds 10]

Counts what the console writes into a pseudo-terminal with `SSH_CONNECTION` set, 80x24 where nothing else is said: the
first paint until every host is shown; a fleet whose agents tell what they told before; one row of which all figures
change every two seconds; and 100 rows that change twice a second, on a screen that is high enough for all of them.

Prints the figures beside their limits; exit 1 where one is exceeded.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

from pseudo_terminal import PseudoTerminal, has, report

FIRST_LIMIT_KB = 25.0
ROW_LIMIT_BYTES = 500.0
ROWS_LIMIT_KB = 20.0
FEW, ROWS, MANY = 40, 100, 1000
TALL = ROWS + 25
"""Rows of a terminal with room for all hosts, and for the details of one."""
UPDATES_A_TURN = 3
SETTLE_S = 3.0
PAUSE_S = 0.3
"""What is written with a shorter pause in between belongs together."""
AROUND_THE_MINUTE_S = 2.0


def console(hosts: int, changing: int, turns_a_second: float, rows: int = 24) -> PseudoTerminal:
    """A console over SSH; in each turn every host tells three things."""
    script = str(Path(__file__).with_name("fed_console.py"))
    rate = hosts * UPDATES_A_TURN * turns_a_second
    argv = [sys.executable, script, "--hosts", str(hosts), "--changing", str(changing), "--rate", str(rate)]
    return PseudoTerminal(argv, rows=rows, environ={"SSH_CONNECTION": "192.0.2.7 50022 192.0.2.1 22"})


def first_paint(hosts: int) -> int:
    """Bytes until all hosts are shown, and nothing comes any more."""
    with console(hosts, 0, 0.5) as terminal:
        terminal.wait_until(has("all quiet"), 60.0)
        terminal.read_for(SETTLE_S)
        return terminal.count


def quiet(seconds: float) -> tuple[int, int]:
    """Bytes while nothing changes, and those when the minute does."""
    with console(FEW, 0, 0.5) as terminal:
        terminal.wait_until(has("all quiet"), 60.0)
        terminal.read_for(SETTLE_S)
        between = at_minutes = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            count = len(terminal.read(0.1))
            if (time.time() + AROUND_THE_MINUTE_S / 2) % 60 < AROUND_THE_MINUTE_S:
                at_minutes += count
            else:
                between += count
        return between, at_minutes


def one_row(seconds: float) -> list[int]:
    """Bytes of each change of one row."""
    with console(FEW, 1, 0.5) as terminal:
        terminal.wait_until(has("all quiet"), 60.0)
        terminal.read_for(SETTLE_S)
        changes, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            count = 0
            while more := len(terminal.read(PAUSE_S)):
                count += more
            if count:
                changes.append(count)
        return changes


def many_rows(seconds: float) -> float:
    """Bytes a second of 100 rows that all change twice a second."""
    with console(ROWS, ROWS, 2.0, rows=TALL) as terminal:
        terminal.wait_until(has(f"gpu-{ROWS - 1:04}", "all quiet"), 60.0)
        terminal.read_for(SETTLE_S)
        shown = [line[1:9] for line in itertools.islice(terminal.cells.lines, 5, 5 + ROWS)]
        assert all(name.startswith("gpu-") for name in shown), shown
        return terminal.read_for(seconds) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quiet", type=float, default=65.0, help="seconds without changes (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each other part (default: %(default)s)")
    options = parser.parse_args()
    few, many = first_paint(FEW), first_paint(MANY)
    still, minutes = quiet(options.quiet)
    changes = one_row(max(5.0, options.seconds))
    rows = many_rows(options.seconds)
    print(f"first paint with {FEW} hosts {few} bytes, with {MANY} {many}; {len(changes)} changes of one row,", end=" ")
    print(f"{min(changes)} to {max(changes)} bytes each; {minutes} bytes when the minute changed")
    failed = report(
        [
            ("first paint", max(few, many) / 1000, FIRST_LIMIT_KB, "KB"),
            ("one changed row, at most", max(changes), ROW_LIMIT_BYTES, "bytes"),
            (f"{ROWS} rows that change twice a second", rows / 1000, ROWS_LIMIT_KB, "KB/s"),
        ]
    )
    print(f"{'a quiet fleet between minutes':<44} {still:>9} bytes  limit {0:>8} bytes")
    return int(failed or still > 0)


if __name__ == "__main__":
    sys.exit(main())
