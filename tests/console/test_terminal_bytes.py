"""What really reaches a terminal: the console in a pseudo-terminal, on a recording."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from quantdeck_console.actions.registry import PANES, actions_of
from quantdeck_core.protocol.events import Heartbeat
from support.fleets import engine, rack, rolled_back, van
from support.ptys import Pty, console, environment, pty
from support.recordings import at, connected, recorded
from support.waiting import eventually

SGR = re.compile(rb"\x1b\[([0-9;]*)m")
ALLOWED = re.compile(
    r"\x1b\[[0-9;]*m"  # how text looks
    r"|\x1b\[[0-9;]*H|\x1b\[[0-9]+C|\x1b[78]|\x1b\[K"  # where it stands
    r"|\x1b\[\?(?:1049|25|1004|2004|7|2026)[hl]|\x1b\[[<>][0-9]*u|\x1b\[2[23];2t"  # modes
    r"|\x1b\[\?(?:2026|2048)\$p"  # asked at the beginning; nothing waits for an answer
    r"|\x1b\]22;default\x07"  # the mouse's pointer, which it leaves alone otherwise
    r"|\x1b\]2;[^\x00-\x1f\x7f-\x9f]*\x07"  # the window's title
    r"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"  # what the user has copied
    r"|\x07|\r?\n"
    r"|[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+"
)
"""All that the console may send: what does not match is somebody else's."""


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A calm host and a rolled back one, and ten minutes in which nothing else happens."""
    names = ("漢字-1", "שלום 12", "नमस्ते", "👩‍👩‍👧 family")
    more = [van(name=name, engines=(engine(name, model=f"{name}.gguf"),)) for name in names]
    statuses = [rack(rolled_back()), *more]
    beats = [at(5 * n, one.name, Heartbeat(revision=2)) for n in range(1, 120) for one in statuses]
    return recorded(tmp_path / "night", [one.name for one in statuses], [*connected(*statuses), *beats])


def colours(output: bytes) -> set[int]:
    """Parameters of SGR that are about colours."""
    found = {int(one) for codes in SGR.findall(output) for one in codes.split(b";") if one}
    return {one for one in found if 30 <= one <= 49 or 90 <= one <= 107}


async def drawn(one: Pty) -> None:
    """All of it: the footer comes last."""
    await one.shows("FAIL x", "rolled back", "1-6 panes")


async def looked_around(one: Pty) -> bytes:
    """All that is sent for the fleet, a pane, a dialog with a field, and the help."""
    await drawn(one)
    one.press(":")
    await one.shows("latencies of both arms beside the objective")  # the last of what covers the pane
    one.press("\x1b")
    await one.shows("12 requests/s", "1-6 panes")
    one.press("\r")
    await one.shows("CONTROL")
    one.press("?")
    await one.shows("Everywhere")
    one.press("\x1b")
    one.press("\x03")
    assert await one.ends() == 0
    return one.output


async def test_no_colour_sends_no_code_of_a_colour(night: Path) -> None:
    async with pty(console("--play", night), {"NO_COLOR": "1"}) as one:
        output = await looked_around(one)
    assert colours(output) == set()
    assert {b"1", b"7"} <= {code for codes in SGR.findall(output) for code in codes.split(b";")}


@pytest.mark.parametrize(
    ("options", "environ", "kinds"),
    [
        (["--colour", "true"], {"NO_COLOR": "1"}, {b"38;2;"}),
        ([], {"COLORTERM": ""}, {b"38;5;"}),
        (["--colour", "16"], {}, set()),
        ([], {"SSH_CONNECTION": "1"}, set()),
        (["--high-contrast"], {}, {b"38;2;"}),
        (["--high-contrast", "--color", "none"], {}, set()),
    ],
)
async def test_as_many_colours_as_were_asked_for(
    night: Path, options: list[str], environ: dict[str, str], kinds: set[bytes]
) -> None:
    async with pty(console("--play", night, *options), environ) as one:
        output = await looked_around(one)
    assert {kind for kind in (b"38;2;", b"38;5;") if kind in output} == kinds


async def test_ascii_is_ascii(night: Path) -> None:
    async with pty(console("--play", night, "--ascii")) as one:
        output = await looked_around(one)
    assert output.isascii()
    async with pty(console("--play", night), {"LC_ALL": "C"}) as one:
        assert (await looked_around(one)).isascii()


@pytest.mark.parametrize("term", ["screen-256color", "tmux-256color", "xterm", "linux"])
async def test_every_terminal_that_moves_its_cursor_will_do(night: Path, term: str) -> None:
    async with pty(console("--play", night), {"TERM": term, "COLORTERM": ""}) as one:
        await looked_around(one)
        modes = one.modes
        assert modes[3] & termios.ECHO
        assert modes[3] & termios.ICANON
        assert b"\x1b[?1049l" in one.output
        assert one.output.rindex(b"\x1b[?25h") > one.output.rindex(b"\x1b[?25l")
        assert b"\x1b[23;2t" in one.output
        assert b"\x1b[?1000h" not in one.output


def raw(one: Pty) -> bool:
    """Whether keys go to the console as they are typed."""
    return not one.modes[3] & termios.ICANON


async def stopped(one: Pty) -> None:
    """It has stopped, and given the terminal back: its modes, its screen, its title."""
    await eventually(one.stopped)
    await eventually(lambda: one.output.endswith(b"\x1b[?1004l"))
    for begin, end in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h"), (b"\x1b[22;2t", b"\x1b[23;2t")):
        assert one.output.rindex(end) > one.output.rindex(begin)


async def drawn_again(one: Pty, since: int) -> None:
    """All of it, on a screen of its own."""
    await eventually(lambda: b"\x1b[?1049h" in one.output[since:])
    await drawn(one)
    await eventually(lambda: raw(one))


async def test_a_stopped_console_gives_the_terminal_back_and_takes_it_again(night: Path) -> None:
    async with pty(console("--play", night)) as one:
        before = one.modes
        await drawn(one)
        assert raw(one)
        for _ in range(2):
            one.press("\x1a")
            await stopped(one)
            assert one.modes == before
            since = len(one.output)
            one.process.send_signal(signal.SIGCONT)
            await drawn_again(one, since)
            assert b"\x1b]2;quantdeck\x07" in one.output[since:]
        one.press("\r")
        await one.shows("CONTROL")
        one.press("q")
        assert await one.ends() == 0
        assert one.modes == before


async def test_it_comes_back_from_a_stop_that_nobody_is_asked_about(night: Path) -> None:
    async with pty(console("--play", night)) as one:
        before = one.modes
        await drawn(one)
        one.process.send_signal(signal.SIGSTOP)
        await eventually(one.stopped)
        termios.tcsetattr(one.inside, termios.TCSANOW, before)  # as a shell does
        since = one.output.rindex(b"\x1b[?1049h") + 1
        one.process.send_signal(signal.SIGCONT)
        await drawn_again(one, since)
        for _ in range(5):
            one.press("j")
        one.press("q")
        assert await one.ends() == 0
        assert one.modes == before


async def test_a_stop_from_outside_is_like_one_by_key(night: Path) -> None:
    async with pty(console("--play", night)) as one:
        before = one.modes
        await drawn(one)
        one.process.send_signal(signal.SIGTSTP)
        await stopped(one)
        assert one.modes == before
        since = len(one.output)
        one.process.send_signal(signal.SIGCONT)
        await drawn_again(one, since)


async def test_what_was_silent_meanwhile_is_stale_at_once() -> None:
    script = (
        "import time; from quantdeck_console.app import DeckApp; from support.fake_link import FakeLink;"
        "from support.fleets import van;"
        "DeckApp(FakeLink(van()), by='ada', clock=lambda: time.time() * 100).run(mouse=False)"
    )
    async with pty([sys.executable, "-c", script]) as one:
        await one.shows("all quiet", "1-6 panes")
        one.press("\x1a")
        await stopped(one)
        since, now = len(one.output), time.time()
        await eventually(lambda: time.time() > now + 0.2)
        one.process.send_signal(signal.SIGCONT)
        await one.shows("STALE ?")
        assert "all quiet" not in one.output[since:].decode(errors="replace")


async def test_answers_of_the_terminal_that_come_late_are_no_keys(night: Path) -> None:
    """A link of 200 ms: what Textual asks at the beginning is answered when somebody types already."""
    async with pty(console("--play", night)) as one:
        await drawn(one)
        one.press("j\x1b[?2026;2$y\x1b[?2048;0$yj")
        one.press("\x1b[B\x1b[A")
        one.press("\r")
        await one.shows("elsewhere:")
        one.press("q")
        assert await one.ends() == 0
        assert "not available" not in one.text


@pytest.mark.parametrize(
    "environ", [{}, {"COLUMNS": "80", "LINES": "24"}], ids=["usual", "a shell that exports a size"]
)
async def test_resizing_redraws(night: Path, environ: dict[str, str]) -> None:
    async with pty(console("--play", night), environ) as one:
        await one.shows("FAIL x", "rolled back")
        for size, words in (((60, 20), "too small"), ((120, 36), "TTFT95")):
            one.resize(*size)
            await one.shows(words)


async def test_only_its_own_codes_reach_the_terminal_whatever_a_fleet_says() -> None:
    script = (
        "from quantdeck_console.app import DeckApp; from support.hostile import HostileLink;"
        "import sys; DeckApp(HostileLink(int(sys.argv[1])), by='ada').run(mouse=False)"
    )
    for turn in range(2):
        async with pty([sys.executable, "-c", script, str(turn)], columns=120, rows=36) as one:
            await one.shows("[/oops][b][link=http://evil]")
            for number, pane in enumerate(PANES, 1):
                one.press(str(number))
                for action in actions_of(pane):
                    if action.where == pane and len(action.shown) == 1:
                        one.press(action.shown)
                        one.press("\x1b")
                for key in ("\r", "y", "w", "50\r", "\x1b", "R", "y", "\x1b", "\x1b", ":", "\x1b"):
                    one.press(key)
            one.press("\x03")
            assert await one.ends(60) == 0
            text = one.output.decode()
        left = ALLOWED.sub("", text)
        assert left == ""
        assert text.count("\x1b]2;") <= 20


def lines(*arguments: str | Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        console(*arguments), env=environment(environ or {}), capture_output=True, timeout=60, stdin=subprocess.DEVNULL
    )


def test_without_a_terminal_there_are_lines(night: Path) -> None:
    done = lines("--play", night, "--speed", "1000")
    assert done.returncode == 0
    assert done.stderr.startswith(b"Input and output are not a terminal. Here are lines instead")
    said = done.stdout.decode().splitlines()
    assert (
        "02:17:44  FAIL x   rack-1  int4_v1: rolled back 02:17:31: 47.1% of answers loop, limit 15%, 117.6x the control"
        in said
    )
    assert "\x1b" not in done.stdout.decode()


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
async def test_a_dumb_terminal_gets_lines_and_no_escape_code(night: Path, term: str) -> None:
    async with pty(console("--play", night, "--speed", "1000"), {"TERM": term}) as one:
        await eventually(lambda: b"FAIL x   rack-1" in one.output)
        assert await one.ends() == 0
        assert b"\x1b" not in one.output


async def test_ctrl_c_ends_the_lines(night: Path) -> None:
    with subprocess.Popen(
        console("--play", night),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read().endswith(b"interrupted\n")


def test_whoever_reads_the_lines_may_go(night: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            console("--play", night), env=environment(), stdout=writer, stderr=subprocess.PIPE, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


async def test_a_console_ends_with_its_terminal(night: Path) -> None:
    """Nobody signals it: what it reads from then on is an end, as fast as it can read."""
    async with pty(console("--play", night)) as one:
        await drawn(one)
        one.hang_up()
        await one.ends()


async def test_a_hang_up_ends_it_like_q(night: Path) -> None:
    async with pty(console("--play", night)) as one:
        await drawn(one)
        one.process.send_signal(signal.SIGHUP)
        assert await one.ends() == 0
        assert b"\x1b[?1049l" in one.output


async def test_a_terminal_that_goes_while_it_ends_leaves_nothing_running(night: Path) -> None:
    """A kernel that hangs up continues the processes too: none may take the terminal again then."""
    async with pty(console("--play", night)) as one:
        await drawn(one)
        one.press("q")
        await eventually(lambda: b"\x1b[?1049l" in one.output)

        def ended() -> bool:
            one.process.send_signal(signal.SIGCONT)
            return one.process.poll() is not None

        await eventually(ended, 10)


async def test_a_terminal_that_goes_while_much_is_to_be_drawn_ends_it_too(night: Path) -> None:
    """Nobody reads what is drawn until no more can be written: then the terminal is gone."""
    async with pty(console("--play", night)) as one:
        await drawn(one)
        one.read_no_more()
        for _ in range(60):
            one.press("12")
            await asyncio.sleep(0.05)
        one.hang_up()
        await one.ends()


async def test_a_terminal_that_reads_nothing_holds_nothing_up(tmp_path: Path) -> None:
    """A link that hangs: what the console does goes on, and what it shows is right once somebody reads again."""
    beats = tmp_path / "beats"
    script = f"""if True:
        import asyncio, sys
        from pathlib import Path
        from quantdeck_console.app import DeckApp
        from support.fake_link import FakeLink
        from support.fleets import NOW, rack, van

        async def work():
            while True:
                await asyncio.sleep(0.02)
                with Path({str(beats)!r}).open("a") as file:
                    file.write(".")

        DeckApp(FakeLink(rack(), van()), by="ada", clock=lambda: NOW, background=work).run(mouse=False)
    """
    async with pty([sys.executable, "-c", script]) as one:
        await one.shows("all quiet", "1-6 panes")
        one.read_no_more()
        for _ in range(60):
            one.press("21")
            await asyncio.sleep(0.05)
        before = beats.stat().st_size
        await asyncio.sleep(1)
        assert beats.stat().st_size >= before + 5
        one.press("?")
        one.read_on()
        await one.shows("all hosts, worst first")
        one.press("\x1b")
        await one.shows("1-6 panes")
        one.press("q")
        assert await one.ends() == 0
        assert b"\x1b[?1049l" in one.output
