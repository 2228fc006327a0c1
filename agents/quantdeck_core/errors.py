"""One error type for every edge: the same code, title and next step in the TUI, on the command line and in JSON."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

import msgspec


class ExitCode(IntEnum):
    """Exit status of every quantdeck command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """Wrong usage or input that cannot be read."""
    NO = 3
    """An answer, and it is no: incompatible, does not fit, refused by a gate, rolled back."""
    PARTLY = 4
    """Applied on some hosts and not on others."""
    UNREACHABLE = 5


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it travels and as it is shown.

    Attributes:
        code: stable, for scripts, e.g. ``profile-unknown``.
        title: what kind of thing happened, in a few words.
        detail: what happened and where, in one sentence.
        hint: what to do next.
    """

    code: str
    title: str
    detail: str
    hint: str = ""


class QuantdeckError(Exception):
    """Base of all errors that a user is meant to read.

    Subclasses choose ``code``, ``title``, ``exit_code`` and ``http_status``; the instance says what happened and what
    to do next.
    """

    code: ClassVar[str] = "failed"
    title: ClassVar[str] = "It failed"
    exit_code: ExitCode = ExitCode.FAILED
    http_status: ClassVar[int] = 500

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    def info(self) -> ErrorInfo:
        """This error as data."""
        return ErrorInfo(code=self.code, title=self.title, detail=self.detail, hint=self.hint)


class InputError(QuantdeckError):
    """A file or an argument that cannot be used as it is."""

    code = "bad-input"
    title = "Cannot use this input"
    exit_code = ExitCode.USAGE
    http_status = 400


class NotFoundError(QuantdeckError):
    """Something was named that is not there."""

    code = "not-found"
    title = "Not found"
    exit_code = ExitCode.USAGE
    http_status = 404


class ConflictError(QuantdeckError):
    """Somebody else changed it first, or it is in a state that does not allow the change."""

    code = "conflict"
    title = "Conflict"
    exit_code = ExitCode.NO
    http_status = 409


class PortInUseError(ConflictError):
    """Another process listens there."""

    code = "port-in-use"
    title = "Port in use"
    exit_code = ExitCode.USAGE


class ForbiddenError(QuantdeckError):
    """The role of this connection does not allow the action."""

    code = "forbidden"
    title = "Not allowed"
    exit_code = ExitCode.NO
    http_status = 403


class UnreachableError(QuantdeckError):
    """A host, an engine or a gateway did not answer."""

    code = "unreachable"
    title = "Unreachable"
    exit_code = ExitCode.UNREACHABLE
    http_status = 502


class RemoteError(QuantdeckError):
    """An error that an agent answered with; it keeps the agent's code, title and hint."""

    def __init__(self, info: ErrorInfo, status: int) -> None:
        super().__init__(info.detail, info.hint)
        self.remote = info
        self.status = status

    def info(self) -> ErrorInfo:
        """The agent's own words."""
        return self.remote


def exit_code_of(error: QuantdeckError) -> ExitCode:
    """The exit status for an error, also for one that came over the wire."""
    if not isinstance(error, RemoteError):
        return error.exit_code
    if error.status in (400, 404, 413, 415, 422):
        return ExitCode.USAGE
    return ExitCode.NO if error.status in (403, 409) else ExitCode.FAILED
