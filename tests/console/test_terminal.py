import pytest

from quantdeck_console.terminal import (
    Display,
    DumbTerminalError,
    NoTerminalError,
    SmallTerminalError,
    check_terminal,
    display_of,
    prepare,
)
from quantdeck_core.errors import InputError

GOOD = {"TERM": "xterm-256color"}


def test_a_terminal_that_will_do() -> None:
    check_terminal(GOOD, (80, 24), isatty=True)


@pytest.mark.parametrize(
    ("environ", "size", "isatty", "error", "words"),
    [
        (GOOD, (80, 24), False, NoTerminalError, "not a terminal"),
        ({}, (80, 24), True, DumbTerminalError, "TERM is not set"),
        ({"TERM": "dumb"}, (80, 24), True, DumbTerminalError, "TERM is dumb"),
        (GOOD, (60, 20), True, SmallTerminalError, "This terminal is 60x20."),
        (GOOD, (79, 24), True, SmallTerminalError, "79x24"),
        (GOOD, (80, 23), True, SmallTerminalError, "80x23"),
    ],
)
def test_what_will_not_do_says_why_and_what_to_do(
    environ: dict[str, str], size: tuple[int, int], isatty: bool, error: type[InputError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        check_terminal(environ, size, isatty)
    assert "--headless / quantdeck fleet" in caught.value.hint


def test_a_small_terminal_is_told_the_size_it_needs() -> None:
    with pytest.raises(SmallTerminalError) as caught:
        check_terminal(GOOD, (60, 20), isatty=True)
    assert caught.value.hint == "Enlarge it to 80x24, or use --headless / quantdeck fleet."


@pytest.mark.parametrize(
    ("environ", "display"),
    [
        ({"LANG": "C.UTF-8"}, Display()),
        ({"LANG": "de_DE.utf8", "SSH_CONNECTION": "1"}, Display(ansi=True, animations=False)),
        ({"LANG": "C.UTF-8", "NO_COLOR": "1"}, Display(ansi=True)),
        ({"LANG": "C.UTF-8", "LC_ALL": "C"}, Display(ascii=True)),
        ({}, Display(ascii=True)),
    ],
)
def test_display(environ: dict[str, str], display: Display) -> None:
    assert display_of(environ) == display


def test_prepare_is_thrifty_over_ssh_and_respects_what_is_set() -> None:
    remote = {"SSH_CONNECTION": "1"}
    prepare(remote)
    assert remote["TEXTUAL_ANIMATIONS"] == "none"
    chosen = {"SSH_CONNECTION": "1", "TEXTUAL_ANIMATIONS": "full"}
    prepare(chosen)
    assert chosen["TEXTUAL_ANIMATIONS"] == "full"
    local: dict[str, str] = {}
    prepare(local)
    assert local == {}
