"""Why an engine ended, read from its log and from how its process ended: a reason and a next step."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from quantdeck_core.engines.causes import AFTERMATH, SPECIFIC
from quantdeck_core.engines.causes.cause import Cause
from quantdeck_core.engines.log_lines import LogLine, log_lines
from quantdeck_core.engines.prompt_lines import without_input
from quantdeck_core.profile.names import EngineKind

READ_CHARS = 256 << 10
"""What is read of a log: its end."""
_LONGEST = 300
_SOURCE = " " * 4
"""Tracebacks indent source code so, which has messages in it that were not said."""

_SERVED = re.compile(
    r"Application startup complete|Starting vLLM (?:API )?server|listening on http|server is listening"
)
_LOOKS_BAD = re.compile(r"\b(?:error|fatal|failed|exception|cannot|abort)", re.IGNORECASE)
_EXCEPTION = re.compile(
    r"(?P<type>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning))(?:: (?P<text>.*))?$"
)
_SAYS_NOTHING = re.compile(r"See (?:root cause|stack trace)|please check the stack trace|For further information visit")
_QUOTABLE = re.compile(
    r"(?:\w+\.)*(?:RuntimeError|OSError|ImportError|ModuleNotFoundError|AttributeError|NotImplementedError)$"
)
"""Exceptions of a serving engine whose words are about itself: those of others may quote a request."""

_SIGKILL = 9
_BY_SIGNAL = {
    4: ("cpu-too-old", "an instruction that this CPU lacks (SIGILL)", "Install a build of the engine for this CPU."),
    6: ("engine-aborted", "stopping itself (SIGABRT)", "Read its log; if it comes back, update the engine."),
    7: (
        "shm-too-small",
        "memory that is not there (SIGBUS): /dev/shm is full, or the model's file was cut while it was read",
        "Enlarge /dev/shm (in a container: --shm-size 10g), and compare the model's SHA-256 with its source's.",
    ),
    11: ("engine-crashed", "a crash (SIGSEGV)", "Deploy it again; if it comes back, update engine and GPU driver."),
}
_ASKED = {1: "SIGHUP", 2: "SIGINT", 15: "SIGTERM"}
_TOLD = re.compile(r"\[shutdown\] EngineCore: trigger received signal=(SIG[A-Z]{2,6})")  # vllm/v1/engine/core.py


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended, as far as it is known: only a parent learns it, so of an adopted process nothing is.

    Attributes:
        returncode: of a process that ended by itself.
        signal: number of the signal that ended it.
        oom_killed: the kernel's count of processes killed for memory rose meanwhile.
    """

    returncode: int | None = None
    signal: int | None = None
    oom_killed: bool = False


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong.

    Attributes:
        code: stable, for scripts, e.g. ``gpu-out-of-memory``; ``engine-failed`` where nothing is known.
        reason: one sentence or a line of the log, at most 300 characters.
        hint: what to do next; empty where there is nothing better than the log itself.
    """

    code: str
    reason: str
    hint: str = ""


def failure_of(engine: EngineKind, log_tail: str, end: Exit | None = None, *, served: bool = False) -> Failure:
    """Why an engine that nobody stopped has ended. A cause that the log names wins over how the process ended.

    Args:
        log_tail: the end of what this start wrote: what an earlier one wrote must not be in it.
        served: whether it had been ready; the log may have forgotten.
    """
    lines = [line for line in log_lines(log_tail[-READ_CHARS:]) if line.text]
    end = end or Exit()
    served = served or any(_SERVED.search(line.text) for line in lines)
    said = "\n".join(line.text for line in lines if line.level != "note" and not line.text.startswith(_SOURCE))
    return (
        _named(SPECIFIC, engine, said, served)
        or _killed_for_memory(end, served)
        or _told_to_end(lines, served)
        or _named(AFTERMATH, engine, said, served)
        or _ended(end, served)
        or _last_words(lines, end, served)
    )


def _named(causes: Iterable[Cause], engine: EngineKind, said: str, served: bool) -> Failure | None:
    for one in causes:
        found = one.pattern.search(said) if engine in one.engines else None
        if found:
            # Alternatives of one pattern name their groups flag, flag2, ...
            words = {name.rstrip("23"): value for name, value in found.groupdict().items() if value is not None}
            reason = one.reason.format(when=_when(served), **words)
            return Failure(code=one.code, reason=reason[:_LONGEST], hint=(served and one.serving_hint) or one.hint)
    return None


def _when(served: bool) -> str:
    return "while it was serving" if served else "while it was loading"


def _killed_for_memory(end: Exit, served: bool) -> Failure | None:
    if not end.oom_killed:
        return None
    return Failure(
        code="host-out-of-memory",
        reason=f"The kernel killed a process of it {_when(served)}: the host was out of memory.",
        hint="Take a smaller model or quantization, lower serve.max_model_len, or free memory there.",
    )


def _ended(end: Exit, served: bool) -> Failure | None:
    number = _signal(end)
    if number == _SIGKILL:
        return Failure(
            code="killed",
            reason=f"It was killed from outside {_when(served)} (SIGKILL): by the kernel for memory, or by a person.",
            hint="`dmesg | grep -i oom` there tells. If it was memory, lower serve.max_model_len or take a "
            "smaller model.",
        )
    if number in _BY_SIGNAL:
        code, what, hint = _BY_SIGNAL[number]
        return Failure(code=code, reason=f"It ended {_when(served)} by {what}.", hint=hint)
    return _by_others(_ASKED[number], served) if number in _ASKED else None


def _told_to_end(lines: list[LogLine], served: bool) -> Failure | None:
    """vLLM logs the signal that it was sent."""
    found = next(filter(None, (_TOLD.search(line.text) for line in lines)), None)
    return _by_others(found[1], served) if found else None


def _by_others(name: str, served: bool) -> Failure:
    return Failure(
        code="stopped-by-others",
        reason=f"Somebody else than quantdeck stopped it {_when(served)} ({name}).",
        hint="Find out who; then deploy it again with --replace.",
    )


def _signal(end: Exit) -> int | None:
    """Of the process, or as a shell passes it on in its exit status."""
    if end.signal is not None:
        return end.signal
    code = end.returncode
    if code is None or code == 0:
        return None
    return -code if code < 0 else code - 128 if 128 < code < 160 else None


def _last_words(lines: list[LogLine], end: Exit, served: bool) -> Failure:
    how = "" if end.returncode is None else f"exit code {end.returncode}: "
    said = [line.text for line in lines if line.level != "note" and not _SAYS_NOTHING.search(line.text)]
    for text in reversed(said):
        found = _EXCEPTION.match(text.strip())
        if found:
            words = found["text"] or ""
            quoted = not served or bool(_QUOTABLE.match(found["type"]))
            if words and quoted:
                return _quote(f"{how}{found['type'].rpartition('.')[2]}: {words}")
            if words or not quoted:
                return _quote(f"{how}{found['type']}")
    bad = [line.text for line in lines if line.level == "error" or (line.level == "" and _LOOKS_BAD.search(line.text))]
    last = (bad or [line.text for line in lines] or ["nothing in the log"])[-1]
    return _quote(how + last.strip())


def _quote(text: str) -> Failure:
    return Failure(code="engine-failed", reason=without_input(text)[:_LONGEST])
