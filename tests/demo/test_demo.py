"""The whole demo, as a stranger runs it: the command, its exit status, and what is left afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.agents import short_folder
from support.waiting import eventually

FIGURES = {
    "hosts",
    "engines_ready_s",
    "requests",
    "errors",
    "split_expected",
    "split_measured",
    "split_mismatches",
    "weight_change_ms",
    "outputs_to_detection",
    "detection_to_zero_ms",
    "rolled_back",
    "streams_broken",
    "peak_rss_mib",
}


@pytest.fixture
def place(demo_models: Path) -> Iterator[Path]:
    """A temporary folder of its own, so that a demo on the same machine is not in the way; swept afterwards."""
    with short_folder() as folder:
        yield folder
        for process in marked(folder):
            with contextlib.suppress(psutil.Error):
                process.kill()


def environment(place: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(place), "TERM": "xterm-256color", **more}


def demo(place: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quantdeck", "demo", *arguments],
        env=environment(place, **env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=110,
    )


def marked(place: Path) -> list[psutil.Process]:
    """Engines, gateways and agents of this place that still run."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TMPDIR") == str(place):
                found.append(process)
    return found


def commands(place: Path) -> list[str]:
    """Their command lines."""
    lines = []
    for process in marked(place):
        with contextlib.suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
    return lines


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_headless_run_holds_and_leaves_nothing(place: Path) -> None:
    run = demo(place, "--headless", "--for", "30s", "--json", "--port", "0")
    report = json.loads(run.stdout)
    assert run.returncode == 0, report["not_held"]
    assert set(report) >= FIGURES
    assert report["rolled_back"] is True
    assert report["outputs_to_detection"] >= 50
    assert report["answers"]["treatment"] > 50
    assert not marked(place)


async def in_the_console(place: Path, how: str) -> None:
    """Start the demo on a terminal of its own, wait for its engines, end it, and see that all of it ends."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "quantdeck", "demo", "--port", "0"],
        stdin=child, stdout=child, stderr=child, env=environment(place), start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that closing the terminal is a hangup, as in life
    )  # fmt: skip
    os.close(child)
    os.set_blocking(parent, False)

    def engines() -> bool:
        with contextlib.suppress(BlockingIOError, OSError):
            os.read(parent, 1 << 16)  # a terminal that nobody reads would stop the console
        return sum("xllamacpp_main" in command for command in commands(place)) == 3

    def gone() -> bool:
        with contextlib.suppress(BlockingIOError, OSError):
            os.read(parent, 1 << 16)
        process.poll()
        return not marked(place)

    try:
        await eventually(engines, 30, "three engines run")
        if how == "hangup":
            os.close(parent)
        elif how == "q":
            os.write(parent, b"q")
        else:
            process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGINT)
        await eventually(gone, 30, "everything has ended")
    finally:
        process.kill()
        process.wait()
        if how != "hangup":
            os.close(parent)


@pytest.mark.parametrize("how", ["q", "interrupt", "hangup", "kill"])
async def test_however_the_console_ends_nothing_is_left(place: Path, how: str) -> None:
    await in_the_console(place, how)


async def test_a_second_demo_is_refused_and_the_first_goes_on(place: Path) -> None:
    lock = place / f"quantdeck-demo-{os.getuid()}" / "lock"
    lock.parent.mkdir()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = demo(place, "--headless")
    assert (run.returncode, run.stdout) == (2, "")
    assert "A demo runs already" in run.stderr
    assert "next:" in run.stderr


def test_a_port_in_use_is_named_and_nothing_is_left(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = demo(place, "--headless", "--port", str(port))
    assert run.returncode == 2
    assert f"Port {port}" in run.stderr
    assert "next:" in run.stderr
    assert not marked(place)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--headless", "--model", "/nosuch/model.gguf"), "no model file /nosuch/model.gguf"),
        (("--headless", "--model", __file__), "not a GGUF file"),
        (("--headless", "--treatment-model", "x.gguf"), "needs --model"),
        (("--headless", "--for", "5s"), "too short"),
        (("--headless", "--for", "soon"), "not a length of time"),
        ((), "not a terminal"),
    ],
)
def test_bad_input_is_refused_with_what_to_do_next(place: Path, arguments: tuple[str, ...], words: str) -> None:
    run = demo(place, *arguments)
    assert run.returncode == 2
    assert words in run.stderr
    assert "next:" in run.stderr
    assert not marked(place)


def test_errors_are_json_where_json_was_asked_for(place: Path) -> None:
    run = demo(place, "--headless", "--json", "--model", "/nosuch/model.gguf")
    error = json.loads(run.stdout)["error"]
    assert error["code"] == "not-found"
    assert error["hint"]
