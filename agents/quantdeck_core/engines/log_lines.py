"""An engine's log as lines: what was drawn over is gone, control characters too, and prefixes say how bad a line is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from quantdeck_core.engines.prompt_lines import PromptFilter
from quantdeck_core.text import clean

Level = Literal["note", "error", ""]
"""`note`: the engine itself says that it is no error. Empty: the line does not say."""

MAX_LINE_CHARS = 4_000

_VLLM = re.compile(
    r"(?:\([\w.,=@ -]{1,80}\) ?)*"  # (EngineCore pid=7967): vllm/logging_utils, vllm/utils/system_utils.py
    r"(?:(DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]{0,80}\] ?)?"
)
_LLAMACPP = re.compile(r"\d+\.\d\d\.\d{3}\.\d{3} ([A-Z]) ")  # common/log.cpp
_UVICORN = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL):     ?")
_NOTES = ("DEBUG", "INFO", "WARNING", "D", "I", "W", "T")


class LogLine(NamedTuple):
    """One line without its prefix."""

    level: Level
    text: str


def shown(line: str) -> str:
    """A line as a terminal would have left it: what came after the last carriage return, cleaned and bounded.

    Whether it may be shown is decided on the whole line: what a carriage return hides can say what it is about.
    """
    return clean(line.rstrip("\r").rpartition("\r")[2][:MAX_LINE_CHARS], one_line=True).rstrip()


def log_lines(text: str) -> Iterator[LogLine]:
    """Lines that may be read: without those that can hold what users wrote."""
    allowed = PromptFilter()
    for raw in text.split("\n"):
        if allowed.keep(clean(raw, one_line=True)) and (line := shown(raw)):
            yield _split(line)


def _split(line: str) -> LogLine:
    for prefix in (_LLAMACPP, _UVICORN, _VLLM):
        found = prefix.match(line)
        if found and found.end():
            word = found.group(1)
            return LogLine(_level(word), line[found.end() :])
    return LogLine("", line)


def _level(word: str | None) -> Level:
    if word is None:
        return ""
    return "note" if word in _NOTES else "error"
