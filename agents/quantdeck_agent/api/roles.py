"""Who may do what: the socket that a request came through says who asks."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request

from quantdeck_agent.paths import ROLES
from quantdeck_core.errors import ForbiddenError


def role_of(request: Request) -> str:
    """The role of the socket, `viewer` where it cannot be told."""
    server = request.scope.get("server")
    stem = Path(server[0]).stem if server else ""
    return stem if stem in ROLES else "viewer"


def require(request: Request, role: str) -> str:
    """The asker's role.

    Raises:
        ForbiddenError: it is weaker than the one needed.
    """
    has = role_of(request)
    if ROLES.index(has) < ROLES.index(role):
        raise ForbiddenError(
            f"This needs the role {role}; this connection has {has}.",
            f"Connect to the agent's {role}.sock, if you may.",
        )
    return has
