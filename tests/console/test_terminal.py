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


TRUE = {"LANG": "C.UTF-8", "TERM": "xterm-256color", "COLORTERM": "truecolor"}


@pytest.mark.parametrize(
    ("environ", "display"),
    [
        (TRUE, Display()),
        ({"LANG": "de_DE.utf8", "TERM": "tmux-256color"}, Display(colour="256")),
        ({"LANG": "C.UTF-8", "TERM": "screen"}, Display(colour="16")),
        (TRUE | {"SSH_CONNECTION": "1"}, Display(colour="16", animations=False)),
        (TRUE | {"NO_COLOR": "1"}, Display(colour="none")),
        (TRUE | {"NO_COLOR": ""}, Display()),
        (TRUE | {"NO_COLOR": "1", "QUANTDECK_COLOUR": "16"}, Display(colour="16")),
        (TRUE | {"LC_ALL": "C"}, Display(ascii=True)),
        ({}, Display(colour="16", ascii=True)),
        (TRUE | {"QUANTDECK_ASCII": "1", "QUANTDECK_HIGH_CONTRAST": "1"}, Display(ascii=True, high_contrast=True)),
    ],
)
def test_display(environ: dict[str, str], display: Display) -> None:
    assert display_of(environ) == display


def test_what_was_asked_for_comes_before_the_environment() -> None:
    asked = display_of(TRUE | {"NO_COLOR": "1"}, colour="256", ascii_only=True, high_contrast=True)
    assert asked == Display(colour="256", ascii=True, high_contrast=True)
    assert display_of(TRUE | {"NO_COLOR": "1"}, colour="auto") == Display(colour="none")


def test_a_colour_that_is_none() -> None:
    with pytest.raises(InputError, match="QUANTDECK_COLOUR is 'blue'"):
        display_of({"QUANTDECK_COLOUR": "blue"})


def test_prepare_is_thrifty_over_ssh_and_respects_what_is_set() -> None:
    remote = {"SSH_CONNECTION": "1"}
    prepare(remote, Display(colour="16"))
    assert remote["TEXTUAL_ANIMATIONS"] == "none"
    assert remote["TEXTUAL_COLOR_SYSTEM"] == "standard"
    chosen = {"SSH_CONNECTION": "1", "TEXTUAL_ANIMATIONS": "full"}
    prepare(chosen, Display(colour="16"))
    assert chosen["TEXTUAL_ANIMATIONS"] == "full"
    local: dict[str, str] = {}
    prepare(local, Display())
    assert local == {"TEXTUAL_COLOR_SYSTEM": "truecolor"}
