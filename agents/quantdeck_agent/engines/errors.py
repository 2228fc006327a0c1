"""What can go wrong with an engine that is to be started."""

from __future__ import annotations

from quantdeck_core.errors import ConflictError, ErrorInfo, ExitCode, QuantdeckError


class EngineFailedError(QuantdeckError):
    """An engine that did not become ready, or ended without being asked to.

    Args:
        cause: what its log says, as a code; empty where nothing is known.
    """

    code = "engine-failed"
    title = "Engine failed"

    def __init__(self, detail: str, hint: str = "", cause: str = "") -> None:
        super().__init__(detail, hint)
        self._cause = cause

    def info(self) -> ErrorInfo:
        """With the cause as its code."""
        return ErrorInfo(code=self._cause or self.code, title=self.title, detail=self.detail, hint=self.hint)


class NameInUseError(ConflictError):
    """An engine runs under this name, or something is being done with it."""

    code = "name-in-use"
    title = "Name in use"


class RefusedError(ConflictError):
    """The plan or the rules say no; it can be forced."""

    def __init__(self, why: ErrorInfo) -> None:
        super().__init__(why.detail, why.hint)
        self._why = why

    exit_code = ExitCode.NO

    def info(self) -> ErrorInfo:
        """In the words of what refused it."""
        return self._why


class NoRoomBesideError(ConflictError):
    """A replacement has no room beside what it replaces."""

    code = "needs-swap"
    title = "No room for both"


class CancelledError(ConflictError):
    """Somebody has ended an operation."""

    code = "cancelled"
    title = "Cancelled"
