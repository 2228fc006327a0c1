"""`quantdeck console`: the terminal console of a fleet."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quantdeck_console import terminal
from quantdeck_console.closing import left_open, run_until_told
from quantdeck_console.commands.common import add_fleet_option, who
from quantdeck_console.link.fleet_file import default_fleet_path, load_fleet
from quantdeck_console.link.interface import FleetLink
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_console.pending import PendingFile
from quantdeck_core.errors import ExitCode, QuantdeckError
from quantdeck_core.fleet.cells import plural

if TYPE_CHECKING:
    from quantdeck_console.recording.player import PlayedFleet
    from quantdeck_console.recording.recorder import Recorder

MOST_SPEED = 1_000.0


def main(argv: list[str]) -> int:
    """Open the console, or say in lines what it would show where nothing can be drawn.

    4 where it was closed while a rollback was pending.

    Raises:
        InputError: the terminal is too small, or a file cannot be used.
    """
    options = _parser().parse_args(argv)
    display = terminal.display_of(
        os.environ, colour=options.colour, ascii_only=options.ascii, high_contrast=options.high_contrast
    )
    lines_only = _lines_only()
    play = _played(options.play, options.speed) if options.play else None
    link = play or SshFleet(load_fleet(options.fleet))
    with _recorded(link, options.record) as (heard, recorder):
        if lines_only:
            sys.stderr.write(f"{lines_only} Here are lines instead, one whenever something changes; Ctrl-C ends.\n")
            return asyncio.run(_lines(heard, play, recorder))
        terminal.prepare(os.environ, display)
        from quantdeck_console.app import DeckApp  # after `prepare`: Textual reads the environment when it is imported

        app = DeckApp(
            heard,
            by=who(),
            readonly=options.readonly,
            pending=None if play else PendingFile(),
            command_options=() if options.fleet == default_fleet_path() else ("--fleet", str(options.fleet)),
            background=recorder.run if recorder else None,
            display=display,
            play=play,
        )
        asyncio.run(run_until_told(app))
        pending = left_open(app)
        sys.stderr.write("".join(f"{line}\n" for line in pending))
        return app.return_code or (ExitCode.PARTLY if pending else ExitCode.DONE)


def _lines_only() -> str:
    """Why nothing can be drawn here, or nothing.

    Raises:
        SmallTerminalError: it could, on a larger terminal.
    """
    try:
        terminal.require_terminal()
    except (terminal.NoTerminalError, terminal.DumbTerminalError) as error:
        return error.detail
    return ""


def _played(path: Path, speed: float) -> PlayedFleet:
    from quantdeck_console.recording.player import PlayedFleet
    from quantdeck_console.recording.tape import Tape

    tape = Tape(path)
    # Times are those of who recorded: they also stand in what people wrote then.
    os.environ["TZ"] = tape.header.zone
    time.tzset()
    return PlayedFleet(tape, speed=speed)


@contextlib.contextmanager
def _recorded(link: FleetLink, path: Path | None) -> Iterator[tuple[FleetLink, Recorder | None]]:
    if path is None:
        yield link, None
        return
    from quantdeck_console.recording.recorder import Recorder
    from quantdeck_console.recording.recording_link import RecordingLink

    recorder = Recorder(path, link.hosts)
    try:
        yield RecordingLink(link, recorder), recorder
    finally:
        recorder.close()


async def _lines(link: FleetLink, play: PlayedFleet | None, recorder: Recorder | None) -> int:
    from quantdeck_console.plain.watch import Watch

    watching, nobody_reads = asyncio.current_task(), False

    def say(line: str) -> None:
        nonlocal nobody_reads
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            nobody_reads = True
            if watching:
                watching.cancel()

    async def record() -> None:
        try:
            await recorder.run() if recorder else None
        except QuantdeckError as error:
            sys.stderr.write(f"{error.title}: {error.detail} {error.hint}\n")

    recording = asyncio.create_task(record())
    try:
        await Watch(link, play.clock if play else time.time, say).run()
    except asyncio.CancelledError:
        if nobody_reads:
            raise BrokenPipeError from None
        raise
    finally:
        recording.cancel()
    if play and play.playing.damaged:
        sys.stderr.write(f"{plural(play.playing.damaged, 'line')} could not be read; {play.playing.damage}\n")
    return ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantdeck console", description="The terminal console of a fleet.")
    parser.add_argument("--readonly", action="store_true", help="no key that changes anything")
    files = parser.add_mutually_exclusive_group()
    files.add_argument(
        "--record", type=Path, metavar="FILE", help="write what comes to a new file; .gz is 15 times smaller"
    )
    files.add_argument("--play", type=Path, metavar="FILE", help="show what another console recorded, as it was")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="TIMES", help="of --play (1)")
    parser.add_argument(
        "--colour",
        "--color",
        choices=("auto", *terminal.COLOURS),
        default="",
        help="how many, for this terminal (auto)",
    )
    parser.add_argument("--ascii", action="store_true", help="no character outside ASCII")
    parser.add_argument("--high-contrast", action="store_true", help="no greys, nothing dim")
    add_fleet_option(parser)
    return parser


def _speed(text: str) -> float:
    value = float(text)
    if not 0 < value <= MOST_SPEED:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most {MOST_SPEED:g}")
    return value
